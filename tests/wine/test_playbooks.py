# Copyright (c) 2026, the sfb.kb4023993 contributors
# GNU General Public License v3.0-or-later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The shipped playbooks against a fleet whose Front End fe01 is a Wine prefix.

The batches reach it over WinRM unchanged and run in Microsoft's PowerShell engine on Windows' .NET, with the registry, the service
manager and the certificate functions of Wine. What they did is read back with reg.exe, and by the service program itself.
"""

from __future__ import annotations

import time
import typing as t
from dataclasses import dataclass

import pytest
from ansible_collections.sfb.kb4023993.plugins.plugin_utils.host import operations
from integration.fleet import OWN_KEY, Played

from wine.fleet import NAME, Audit, WineFleet, audit, audit_of_the_model
from wine.registry_file import Raw, dword

pytestmark = pytest.mark.wine

PER_EXECUTABLE = "System.Net.ServicePointManager.RequireCertificateEKUs"
Software = dict[str, dict[str, Raw]]


@dataclass(frozen=True, kw_only=True)
class Server:
    """What is special about fe01 in a scenario.

    ``wrong``: the path of the key of a wrong override, which remediation removes. ``opted_out``: what its process notes when it
    finds the right one.
    """

    clr: str
    executable: str
    wrong: str
    opted_out: str
    language: str


SERVERS = {
    "english": Server(
        clr="v4.0.30319",
        executable=r"C:\Program Files\Skype for Business Server 2015\Web Conferencing\DataMCUSvc.exe",
        wrong=rf"SOFTWARE\Wow6432Node\Microsoft\.NETFramework\v4.0.30319\{PER_EXECUTABLE}",
        opted_out="OptedOut4",
        language="English",
    ),
    "german": Server(
        clr="v2.0.50727",
        executable=r"C:\Programme\Größe Ä\Lync\Web Conferencing\DataMCUSvc.exe",
        wrong=rf"SOFTWARE\Microsoft\.NETFramework\v2.0.50727\{PER_EXECUTABLE}",
        opted_out="OptedOut2",
        language="German",
    ),
}


@dataclass(frozen=True, kw_only=True)
class Stage:
    """One run, and fe01 as it was after it. ``process``: id and start of Web Conferencing (an id alone may come again)."""

    played: Played
    software: Software
    own_record: Software
    runs: int
    opted_out: int
    process: tuple[int, str | None]


@dataclass(frozen=True, kw_only=True)
class Story:
    """Audit, remediate, the same again, roll back; and what the lab's model of the same servers says to an audit."""

    server: Server
    fleet: WineFleet
    before: Software
    runs: int
    audit: Audit
    model: Audit
    audited: Stage
    first: Stage
    second: Stage
    rollback: Stage

    @property
    def key(self) -> str:
        return rf"SOFTWARE\Microsoft\.NETFramework\{self.server.clr}\{PER_EXECUTABLE}"


@pytest.fixture(scope="module", params=SERVERS)
def story(
    request: pytest.FixtureRequest, start: t.Callable[[str], WineFleet], tmp_path_factory: pytest.TempPathFactory
) -> Story:
    server = SERVERS[request.param]
    fleet = start(request.param)
    before, runs = fleet.software(), fleet.noted("Runs")

    def stage(played: Played) -> Stage:
        return Stage(
            played=played,
            software=fleet.software(),
            own_record=fleet.prefix.export_registry(OWN_KEY),
            runs=fleet.noted("Runs"),
            opted_out=fleet.noted(server.opted_out),
            process=fleet.process(),
        )

    audited = audit(fleet)
    return Story(
        server=server,
        fleet=fleet,
        before=before,
        runs=runs,
        audit=audited,
        model=audit_of_the_model(fleet.lab.scenario, tmp_path_factory.mktemp("model")),
        audited=stage(audited.played),
        first=stage(fleet.play("remediate")),
        second=stage(fleet.play("remediate")),
        rollback=stage(fleet.play("rollback")),
    )


def test_an_audit_reads_what_the_lab_describes(story: Story) -> None:
    assert story.audit.comparable() == story.model.comparable()


def test_an_audit_finds_what_the_model_of_the_same_server_shows(story: Story) -> None:
    real, model = story.audit.played, story.model.played
    assert (real.verdicts, real.finding_ids) == (model.verdicts, model.finding_ids)
    assert real.verdicts[NAME] == "broken"


def test_an_audit_changes_nothing(story: Story) -> None:
    assert story.audited.software == story.before
    assert story.audited.own_record == {}
    assert story.audited.runs == story.runs


def test_remediation_writes_the_override_removes_the_wrong_one_and_nothing_else(story: Story) -> None:
    assert story.first.played.code == 0, story.first.played.output
    expected = {path: dict(values) for path, values in story.before.items()}
    assert expected[story.server.wrong].pop(story.server.executable)
    expected.setdefault(story.key, {})[story.server.executable] = dword(0)
    assert story.first.software == expected
    assert story.first.own_record


def test_remediation_restarts_the_service_once_and_its_process_finds_the_override(story: Story) -> None:
    assert (story.audited.opted_out, story.first.opted_out) == (0, 1)
    assert story.first.runs == story.audited.runs + 1
    assert story.first.process != story.audited.process
    assert story.first.played.verdicts[NAME] == "mitigated"


def test_a_second_remediation_changes_nothing(story: Story) -> None:
    second = story.second
    assert (second.played.code, second.played.changed) == (0, set()), second.played.output
    assert (second.software, second.own_record, second.runs, second.process) == (
        story.first.software,
        story.first.own_record,
        story.first.runs,
        story.first.process,
    )


def test_what_it_costs(story: Story, record_property: t.Callable[[str, object], None]) -> None:
    counters = story.fleet.lab.counters()[NAME]
    assert counters["powershell_processes"] == counters["commands"]
    started = time.monotonic()
    (reply,) = story.fleet.prefix.engine().run(operations.System())
    seconds = time.monotonic() - started
    assert reply.error is None
    evidence = story.audit.evidence
    record_property(
        "figure",
        f"Under Wine ({story.server.language}): an audit starts PowerShell {evidence['batches']} times and spends "
        f"{evidence['duration_ms'] / 1000:.1f} s in operations, a batch of one operation takes {seconds:.1f} s with the start; audit, "
        f"remediation, its repetition and rollback together start it {counters['powershell_processes']} times.",
    )


def test_rollback_gives_the_registry_back(story: Story) -> None:
    assert story.rollback.played.code == 0, story.rollback.played.output
    assert story.rollback.software == story.before
    assert story.rollback.own_record == {}
    assert story.rollback.runs == story.first.runs + 1
    assert story.rollback.opted_out == 0
    assert story.rollback.played.verdicts[NAME] == "broken"
