# Copyright (c) 2026, the sfb.kb4023993 contributors
# GNU General Public License v3.0-or-later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Servers that Ansible may not reach: kits, what comes back, and audits that judge by it. A person at the server is the lab."""

from __future__ import annotations

import json
import typing as t
from pathlib import Path

import pytest
import yaml
from builders.by_hand import start_kit, with_hash
from integration.fleet import Fleet, Played

EDGE = "sfb-edge02"
FRONT_END = "sfb-fe01"
# The demo scenario's Edge pool of 2015 and the pools that use it, so that plays stay short.
LIMIT = "sfb-fe01,sfb-fe02,sfb-edge01,sfb-edge02"


class Person:
    """A fleet whose Edge is marked as read by hand, and the folders that somebody carries."""

    def __init__(self, fleet: Fleet, directory: Path, **variables: t.Any) -> None:
        self.fleet = fleet
        self.folders = directory / "folders"
        self.state = directory / "state"
        self.marks = directory / "marks.yml"
        directory.mkdir(parents=True, exist_ok=True)
        marked = {"sfb_kb4023993_offline": True, **variables}
        self.marks.write_text(yaml.safe_dump({"all": {"hosts": {EDGE: marked}}}), "utf-8")

    def play(self, playbook: str, *arguments: str, **variables: t.Any) -> Played:
        extra = {"sfb_kb4023993_offline_dir": str(self.folders), **variables}
        return self.fleet.play(playbook, "-i", str(self.marks), *arguments, state=self.state, variables=extra)

    def audit(self, playbook: str = "audit") -> Played:
        return self.play(playbook, "--limit", LIMIT)

    @property
    def folder(self) -> Path:
        return self.folders / EDGE

    def read(self, host: str = EDGE, folder: str = EDGE) -> Path:
        return start_kit(self.fleet.lab.deployment, host, self.folders / folder)

    @property
    def evidence(self) -> dict[str, t.Any]:
        path = self.state / "evidence" / f"{EDGE}.json"
        return t.cast("dict[str, t.Any]", json.loads(path.read_text("utf-8")))


@pytest.fixture(scope="module")
def demo(start: t.Callable[..., Fleet]) -> Fleet:
    return start("demo")


@pytest.fixture
def person(demo: Fleet, tmp_path: Path) -> Person:
    return Person(demo, tmp_path)


def _without_times(played: Played) -> dict[str, t.Any]:
    """The judgement of a run without when and how long, and without the finding that says how the Edge was read."""
    text = json.dumps(played.judgement)
    judged = t.cast("dict[str, t.Any]", json.loads(text))
    for host in judged["hosts"]:
        host["evidence_utc"] = host["duration_ms"] = None
    judged["run_id"] = judged["judged_utc"] = None
    judged["findings"] = [f for f in judged["findings"] if f["id"] != "KB4023993-EVIDENCE-OFFLINE"]
    return judged


@pytest.mark.matrix
def test_an_unreachable_edge_is_judged_as_if_it_had_been_reached(person: Person) -> None:
    before = person.audit()
    assert before.verdicts[EDGE] == "not_assessed"
    assert "offline_kit" in before.hosts[EDGE]["reason"]
    assert before.code == 0

    made = person.play("offline_kit")
    assert made.code == 0, made.output
    assert sorted(path.name for path in person.folder.iterdir()) == [
        "README.txt",
        "SHA256SUMS",
        "batch.ps1",
        "collect.ps1",
    ]
    waiting = person.play("offline_import")
    assert waiting.code == 0
    assert "is not there yet" in waiting.output

    person.read()
    imported = person.play("offline_import")
    assert imported.code == 0, imported.output
    assert "imported: evidence of" in imported.output
    offline = person.audit()
    assert "KB4023993-EVIDENCE-OFFLINE" in offline.findings(EDGE)
    assert offline.findings(EDGE)["KB4023993-EVIDENCE-OFFLINE"]["evidence"][0].startswith("read by hand at")

    live = _reachable(person)
    assert person.audit("compliance").verdicts == offline.verdicts == live.verdicts
    assert _without_times(offline) == _without_times(live)
    assert live.verdicts[EDGE] == "broken"


def _reachable(person: Person) -> Played:
    """An audit of the same servers when the Edge's port is open, with a state directory of its own."""
    server = next(server for server in person.fleet.lab.scenario.servers if server.name == EDGE)
    opened = person.fleet.lab.server.inventory_variables(
        EDGE, server.connection, scheme=server.scheme, auth=server.auth
    )
    path = person.marks.with_name("open.yml")
    path.write_text(yaml.safe_dump({"all": {"hosts": {EDGE: dict(opened)}}}), "utf-8")
    return person.fleet.play("audit", "-i", str(path), "--limit", LIMIT, state=person.state.with_name("other"))


def test_no_run_connects_to_it_even_where_it_could(person: Person) -> None:
    person.play("offline_kit")
    person.read()
    person.play("offline_import")
    person.fleet.lab.reset_counters()
    server = next(server for server in person.fleet.lab.scenario.servers if server.name == EDGE)
    opened = person.fleet.lab.server.inventory_variables(
        EDGE, server.connection, scheme=server.scheme, auth=server.auth
    )
    marked = {"sfb_kb4023993_offline": "yes", **opened}
    person.marks.write_text(yaml.safe_dump({"all": {"hosts": {EDGE: marked}}}), "utf-8")
    for playbook in ("audit", "remediate"):
        played = person.play(playbook, "--limit", LIMIT, "--check")
        assert EDGE in played.verdicts
        assert played.verdicts[EDGE] != "not_assessed"
    counters = person.fleet.lab.counters()
    assert sum(counters[FRONT_END].values()) > 0
    assert sum(counters.get(EDGE, {}).values()) == 0, counters[EDGE]


def test_a_folder_that_was_carried_away_stays_until_it_is_answered(person: Person) -> None:
    first = person.play("offline_kit")
    assert first.changed
    script = (person.folder / "collect.ps1").read_bytes()
    again = person.play("offline_kit")
    assert not again.changed
    assert (person.folder / "collect.ps1").read_bytes() == script
    person.read()
    assert person.play("offline_import").changed
    assert not person.play("offline_import").changed
    person.play("offline_kit")
    assert (person.folder / "collect.ps1").read_bytes() != script


def test_check_mode_writes_nothing(person: Person) -> None:
    assert person.play("offline_kit", "--check").changed
    assert not person.folders.exists()
    person.play("offline_kit")
    person.read()
    assert person.play("offline_import", "--check").changed
    assert not (person.state / "evidence" / f"{EDGE}.json").exists()


def test_evidence_that_is_too_old_is_not_believed(person: Person) -> None:
    person.play("offline_kit")
    person.read()
    person.play("offline_import")
    path = person.state / "evidence" / f"{EDGE}.json"
    data = person.evidence
    data["collected_utc"] = "2020-01-01T00:00:00Z"
    path.write_text(json.dumps(data), "utf-8")
    for playbook in ("audit", "report"):
        played = person.play(playbook, "--limit", LIMIT)
        assert played.verdicts[EDGE] == "not_assessed"
        assert "7 days are allowed" in played.hosts[EDGE]["reason"]
    failed = person.audit("compliance")
    assert EDGE in failed.failed


def test_a_report_from_saved_evidence_knows_the_import_that_came_after_a_failed_audit(person: Person) -> None:
    assert person.fleet.play("audit", "--limit", LIMIT, state=person.state).verdicts[EDGE] == "not_assessed"
    person.play("offline_kit")
    person.read()
    person.play("offline_import")
    assert person.play("report", "--limit", LIMIT).verdicts[EDGE] == "broken"


def test_what_is_wrong_with_a_file_is_said_and_the_others_are_imported(person: Person) -> None:
    both = f"{EDGE},{FRONT_END}"
    person.play("offline_kit", sfb_kb4023993_offline_hosts=both)
    person.read()
    other = person.read(host=FRONT_END, folder=FRONT_END)
    good = other.read_bytes()
    other.write_bytes(good.replace(b"computer_name", b"computer_mane"))
    played = person.play("offline_import")
    assert played.code != 0
    assert "was edited or damaged on the way" in played.output
    assert (person.state / "evidence" / f"{EDGE}.json").exists()
    assert not (person.state / "evidence" / f"{FRONT_END}.json").exists()

    # Brought into the wrong folder.
    target = person.folder / f"evidence-{EDGE}.txt"
    target.write_bytes(good)
    assert "older kit or of another server" in person.play("offline_import").output

    # The right folder, started on the wrong server.
    person.play("offline_kit", sfb_kb4023993_offline_hosts=both)
    person.read(host=FRONT_END, folder=FRONT_END)
    assert "imported" in person.play("offline_import").output
    person.read(host=FRONT_END, folder=EDGE)
    played = person.play("offline_import")
    assert "read on the server that the inventory calls sfb-fe01" in played.output


def test_hostile_content_is_data(person: Person) -> None:
    person.play("offline_kit")
    path = person.read()
    text = path.read_bytes().decode("ascii").rpartition("sha256 ")[0]
    hostile = "{{ lookup('pipe','touch\\u0020pwned') }}<script>\\u001b[31m".replace(" ", "\\u0020")
    changed = text.replace('"computer_name":"', f'"computer_name":"{hostile}', 1)
    assert changed != text
    path.write_bytes(with_hash(changed))
    played = person.play("offline_import")
    assert played.code == 0, played.output
    assert "\x1b" not in played.output
    assert not list(person.fleet.directory.rglob("pwned"))
    report = person.audit()
    assert "\x1b" not in report.output
    html = (t.cast(Path, report.run_directory) / "report.html").read_text("utf-8")
    assert "<script>\x1b" not in html
    assert "&lt;script&gt;" in html


def test_wrong_input_is_named(demo: Fleet, tmp_path: Path) -> None:
    state = tmp_path / "state"
    assert "Set sfb_kb4023993_offline_dir" in demo.play("offline_kit", state=state).output
    folders = {"sfb_kb4023993_offline_dir": str(tmp_path / "folders")}
    unmarked = demo.play("offline_kit", state=state, variables=folders)
    assert "No host has sfb_kb4023993_offline: true" in unmarked.output
    nobody = demo.play("offline_kit", state=state, variables={**folders, "sfb_kb4023993_offline_hosts": "nobody"})
    assert "matches no host" in nobody.output
    for name, value in (("offline", "perhaps"), ("offline_max_age_days", "soon"), ("offline_max_age_days", 0)):
        wrong = demo.play("offline_kit", state=state, variables={**folders, f"sfb_kb4023993_{name}": value})
        assert wrong.code != 0
        assert f"sfb_kb4023993_{name} has to be" in wrong.output
    assert not (tmp_path / "folders").exists()
