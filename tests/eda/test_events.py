# Copyright (c) 2026, the sfb.kb4023993 contributors
# GNU General Public License v3.0-or-later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Events lead to one audit of the right servers, and nothing that a sender writes leads to anything else."""

from __future__ import annotations

import re
import typing as t
from dataclasses import dataclass
from pathlib import Path

import pytest
from eda.conftest import SCENARIO
from eda.rulebook import Rulebook, event, inventory_of, read, runs
from integration.fleet import ROOT, Fleet, Played, Registry

MARK = "text-of-a-sender"
BURST = 20
HOSTILE_NAMES = [
    "{{ 7 * 7 }}",
    "{{ lookup('ansible.builtin.pipe', 'touch PLACE') }}",
    "{% for x in range(3) %}a1{% endfor %}",
    "a1{{ '' }}",
    "a1; touch PLACE",
    "a1`touch PLACE`",
    "a1$(touch PLACE)",
    "--inventory=/etc/passwd",
    "-e@/etc/passwd",
    "a1\ntouch PLACE",
    "a1\n",
    "a1\x00",
    "../../a1",
    "a1'",
    'a1"',
    "a1,b1",
    "a1:b1",
    "all",
    "*",
    "!a1",
    "@a1",
    "~a.*",
    "",
    " a1",
    "a1.contoso.example.",
    "a１",
    "a" * 64,
    "a." * 200 + "a",
]


@dataclass(frozen=True, kw_only=True)
class Story:
    """What was sent in this order: what is refused, what is hostile, a burst of one pool, one event of another."""

    fleet: Fleet
    place: Path
    before: dict[str, Registry]
    unauthorized: list[int]
    statuses: dict[str, int]
    runs_before_burst: int
    runs: list[Played]
    output: str
    alive: bool


@pytest.fixture(scope="module")
def story(start: t.Callable[..., Fleet], programs: Path) -> Story:
    fleet = start(SCENARIO)
    place = fleet.directory / "made-by-a-sender"
    before = fleet.registries()
    # With -vv ansible-rulebook prints every event that reaches its rules, and the variables of each playbook.
    with Rulebook(programs, fleet.directory / "eda", inventory=inventory_of(fleet), arguments=("-vv",)) as rulebook:
        unauthorized = [rulebook.post(event("a1"), token=token) for token in ("wrong", "", "{{ 1 }}", None)]
        unauthorized += [rulebook.post(event("a1"), token=None, headers={"Authorization": "Basic YTE6YTE="})]
        hostile = {f"computer {name[:40]!r}": event(name.replace("PLACE", str(place))) for name in HOSTILE_NAMES}
        hostile |= {f"computer {kind!r}": event(t.cast("t.Any", kind)) for kind in (None, 1, True, ["a1"], {"a1": 1})}
        hostile |= {f"id {number!r}": event("a1", number) for number in (41025, 41029, 41032, 41999, 0, -41026, 10**30)}
        hostile |= {f"id {kind!r}": event("a1", kind) for kind in ("41026", 41026.0, True, None, [41026], {"x": 41026})}
        hostile |= {"provider": event("a1", provider="Contoso"), "log": event("a1", log="System")}
        hostile |= {"other server": event("zz9.contoso.example"), "no pool": event("d1.contoso.example")}
        hostile |= {"address of all": event("127.0.0.1"), "no key": {"computer": "a1"}}
        bodies: dict[str, t.Any] = {**hostile, "list": [event("a1")], "text": "a1", "number": 41026, "null": None}
        bodies |= {"nested payload": {"payload": event("a1"), "meta": {"hosts": "all"}}, "empty": {}}
        bodies |= {"no JSON": b"{", "no UTF-8": b"\xff\xfe", "nothing": b"", "deep": b"[" * 100_000}
        bodies |= {"1 MB": event("a1", message="x" * 1_100_000), "long number": b'{"event_id": ' + b"9" * 10_000 + b"}"}
        statuses = {name: rulebook.post(body) for name, body in bodies.items()}
        runs_before_burst = len(runs(fleet))
        more = {
            "message": MARK + "{{ lookup('ansible.builtin.pipe', 'touch " + str(place) + "') }}",
            "meta": {"hosts": MARK},
            "hosts": MARK,
            "extra_vars": {"sfb_kb4023993_strategy": MARK},
            f"{MARK}{{{{ 1 }}}}": True,
        }
        for number in range(BURST):
            body = event(("A1.contoso.example", "a2")[number % 2], (41024, 41026, 41031)[number % 3], **more)
            assert rulebook.post(body, headers={"X-Text": MARK + "{{ 1 }}"}) == 200
        # Actions come one after the other, so when this one is done, everything before it is.
        assert rulebook.post(event("b1.contoso.example")) == 200
        rulebook.wait(lambda: len(runs(fleet)) > 1, "the audit of the other pool")
        return Story(
            fleet=fleet,
            place=place,
            before=before,
            unauthorized=unauthorized,
            statuses=statuses,
            runs_before_burst=runs_before_burst,
            runs=runs(fleet),
            output=rulebook.output,
            alive=rulebook.alive,
        )


def test_a_sender_without_the_token_is_refused(story: Story) -> None:
    assert story.unauthorized == [401] * 5


def test_hostile_requests_run_nothing_and_end_nothing(story: Story) -> None:
    assert story.runs_before_burst == 0
    assert story.alive
    assert set(story.statuses.values()) <= {200, 400, 413, 500}
    # What the filter sees and drops is no error of the sender's; what is no JSON or too large is.
    unread = {name for name, status in story.statuses.items() if status != 200}
    assert unread == {"no JSON", "no UTF-8", "nothing", "deep", "1 MB", "long number"}


def test_each_refused_event_has_its_line_in_the_log(story: Story) -> None:
    lines = re.findall(r"sfb\.kb4023993 - WARNING - Event not answered: (.*)", story.output)
    assert len(lines) == sum(status == 200 for status in story.statuses.values())
    assert "no server of the inventory is called zz9.contoso.example." in lines
    assert "the inventory has no sfb_kb4023993_pool for d1.contoso.example." in lines
    assert "several servers of the inventory may be 127.0.0.1: give them full names." in lines


def test_a_burst_is_one_audit_of_the_pool_and_its_edge(story: Story, record_property: t.Any) -> None:
    assert [read(run) for run in story.runs] == [{"a1", "a2", "ea1"}, {"b1", "eb1"}]
    assert [run.report["playbook"] for run in story.runs] == ["audit", "audit"]
    record_property("figure", f"{BURST} events of a pool within seconds led to 1 audit of it by ansible-rulebook.")


def test_the_audit_judges_all_connections_of_the_pool(story: Story) -> None:
    first = story.runs[0]
    verdicts = {(c["validator"], c["peer"]): c["verdict"] for c in first.judgement["connections"]}
    assert {verdicts[("a1", peer)] for peer in ("a1", "a2", "ea1")} == {"broken"}
    assert {verdicts[("a2", peer)] for peer in ("a1", "a2", "ea1")} == {"broken"}


def test_without_permission_nothing_changes_anywhere(story: Story) -> None:
    assert story.fleet.registries() == story.before
    assert all(story.fleet.enforces(name) for name in ("a1", "a2", "b1", "c1", "d1"))


def test_nothing_of_the_text_of_a_sender_gets_anywhere(story: Story) -> None:
    assert not story.place.exists()
    assert MARK not in story.output
    for file in story.fleet.state.rglob("*"):
        assert not file.is_file() or MARK.encode() not in file.read_bytes(), file
    assert "Posting data to ruleset" in story.output
    # What the rules, and so the playbooks, saw: the inventory's own names.
    seen = set(re.findall(r"Posting data to ruleset [^{]*\{'data_mcu': (\{[^}]*\})", story.output))
    servers = {"a1": "poola", "a2": "poola", "b1": "poolb"}
    possible = {
        str({"id": number, "server": name, "pool": f"{pool}.contoso.example", "run": "audit"})
        for name, pool in servers.items()
        for number in (41024, 41026, 41031)
    }
    assert seen <= possible
    assert len(seen) == 2 * 3 + 1


def test_after_the_time_of_the_throttle_there_is_another_audit(start: t.Callable[..., Fleet], programs: Path) -> None:
    fleet = start(SCENARIO)
    shipped = (ROOT / "extensions" / "eda" / "rulebooks" / "data_mcu_events.yml").read_text("utf-8")
    rulebook_file = fleet.directory / "quick.yml"
    rulebook_file.write_text(shipped.replace("once_within: 15 minutes", "once_within: 2 seconds"), "utf-8")
    assert rulebook_file.read_text("utf-8") != shipped
    with Rulebook(programs, fleet.directory / "eda", inventory=inventory_of(fleet), rulebook=rulebook_file) as rulebook:
        rulebook.post(event("b1"))
        rulebook.wait(lambda: len(runs(fleet)) == 1, "the first audit")

        def again() -> bool:
            rulebook.post(event("b1"))
            return len(runs(fleet)) == 2

        rulebook.wait(again, "the second audit")
    assert [read(run) for run in runs(fleet)] == [{"b1", "eb1"}] * 2
