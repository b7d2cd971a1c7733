# Copyright (c) 2026, the sfb.kb4023993 contributors
# GNU General Public License v3.0-or-later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Saved evidence of several state directories: the newest counts, failures count, and what contradicts itself is named and not believed."""

from __future__ import annotations

import dataclasses
import pathlib
import typing as t

import pytest
from ansible_collections.sfb.kb4023993.plugins.plugin_utils.evidence import Evidence, InventoryFacts, save
from ansible_collections.sfb.kb4023993.plugins.plugin_utils.files import StateError, evidence_directory, file_name
from ansible_collections.sfb.kb4023993.plugins.plugin_utils.fleet import InventoryHost
from ansible_collections.sfb.kb4023993.plugins.plugin_utils.judging import Hosts, judge_saved
from ansible_collections.sfb.kb4023993.plugins.plugin_utils.run import Reading, Run
from ansible_collections.sfb.kb4023993.plugins.plugin_utils.saved import SavedEvidence
from builders import certificates as c
from builders import evidence as e
from builders import fleets as f

GOOD: t.Final = c.certificate("both")
OLD: t.Final = "2026-03-07T12:00:05Z"
NOBODY: t.Final = InventoryFacts()


@pytest.fixture
def places(tmp_path: pathlib.Path) -> list[pathlib.Path]:
    """Three state directories; the first is that of the run."""
    found = [tmp_path / name for name in ("own", "slice1", "slice2")]
    for place in found:
        (place / "evidence").mkdir(parents=True)
    return found


def keep(place: pathlib.Path, *evidence: Evidence) -> None:
    for each in evidence:
        save(each, evidence_directory(str(place)))


def fail(place: pathlib.Path, name: str, run_id: str, reading: Reading = "before") -> None:
    Run(str(place), run_id).save_failure(name, f.UNREACHABLE, reading)


def ask(places: list[pathlib.Path], name: str = "fe01", *, in_run: bool = True) -> InventoryHost:
    saved = SavedEvidence(str(places[0]), [str(place) for place in places[1:]])
    return saved.host(name, in_run=in_run, inventory=NOBODY)


def read_at(time: str, name: str = "fe01", **words: t.Any) -> Evidence:
    run_id = time.replace("-", "").replace(":", "").replace("05Z", "00Z") + "-abcdef/before"
    return e.front_end(name, collected_utc=time, run_id=run_id, **words)


@pytest.mark.parametrize("newest", [0, 1, 2])
def test_the_newest_reading_of_a_server_counts_wherever_it_is(places: list[pathlib.Path], newest: int) -> None:
    for number, place in enumerate(places):
        keep(place, read_at(e.READ if number == newest else f"2026-03-0{number + 1}T12:00:05Z"))
    host = ask(places)
    assert host.evidence is not None
    assert host.evidence.collected_utc == e.READ
    assert (host.failure, host.problem) == (None, None)


def test_times_are_compared_as_times(places: list[pathlib.Path]) -> None:
    keep(places[0], read_at("2026-03-08T12:00:05Z"))
    keep(places[1], dataclasses.replace(read_at("2026-03-08T12:00:05Z"), collected_utc="2026-03-08T12:00:05.900Z"))
    host = ask(places)
    assert host.evidence is not None
    assert host.evidence.collected_utc == "2026-03-08T12:00:05.900Z"


def test_what_the_inventory_said_then_counts_where_it_says_nothing_now(places: list[pathlib.Path]) -> None:
    keep(places[1], read_at(e.READ))
    assert ask(places).inventory.pool == "pool01.contoso.example"


def test_a_copy_of_the_same_reading_is_no_conflict(places: list[pathlib.Path]) -> None:
    for place in places:
        keep(place, read_at(e.READ))
    assert ask([*places, places[1]]).problem is None


def test_nothing_in_any_directory_is_changed(places: list[pathlib.Path]) -> None:
    keep(places[0], read_at(OLD))
    keep(places[1], read_at(e.READ))
    fail(places[2], "fe02", "20260308T130000Z-abcdef")
    before = {path: path.read_bytes() for path in places[0].parent.rglob("*") if path.is_file()}
    ask(places)
    ask(places, "fe02")
    assert {path: path.read_bytes() for path in places[0].parent.rglob("*") if path.is_file()} == before


# ---- a failure is knowledge too


@pytest.mark.parametrize(
    ("run_id", "reading", "counts"),
    [
        ("20260308T130000Z-000000", "before", True),
        ("20260308T110000Z-ffffff", "before", False),
        # The reading after a change, of the run that made the evidence.
        ("20260308T120000Z-abcdef", "after", True),
        ("20260308T120000Z-abcdef", "before", True),
    ],
)
@pytest.mark.parametrize("where", [0, 2])
def test_a_failure_later_than_the_evidence_counts(
    places: list[pathlib.Path], run_id: str, reading: Reading, counts: bool, where: int
) -> None:
    keep(places[1], read_at(e.READ))
    fail(places[where], "fe01", run_id, reading)
    assert ask(places).failure == (f.UNREACHABLE if counts else None)
    # It is no failure of a run that leaves the server out.
    assert ask(places, in_run=False).failure is None


@pytest.mark.parametrize("newest", [0, 1])
def test_of_several_failures_the_last_is_told(places: list[pathlib.Path], newest: int) -> None:
    for number, place in enumerate(places[1:]):
        run = Run(str(place), f"2026030{8 if number == newest else 7}T130000Z-abcdef")
        run.save_failure("fe01", dataclasses.replace(f.UNREACHABLE, message=f"Failure {number}."), "before")
    failure = ask(places).failure
    assert failure is not None
    assert failure.message == f"Failure {newest}."


def test_the_failure_before_a_change_does_not_count_against_the_reading_after_it(places: list[pathlib.Path]) -> None:
    keep(places[0], e.front_end(collected_utc=e.READ, run_id="20260308T115900Z-abcdef/after"))
    fail(places[0], "fe01", "20260308T115900Z-abcdef", "before")
    assert ask(places).failure is None


def test_a_host_that_its_run_never_read_is_not_read_here_either(places: list[pathlib.Path]) -> None:
    """A task that timed out leaves no failure behind; the judgement of its run does."""
    keep(places[0], read_at(OLD))
    run = Run(str(places[0]), "20260308T120000Z-abcdef")
    live = run.inventory_host("fe01", in_run=True, inventory=NOBODY, reading="before")
    assert live.failure is not None
    assert ask(places).failure == live.failure


def test_a_server_without_evidence_says_so(places: list[pathlib.Path]) -> None:
    failure = ask(places).failure
    assert failure is not None
    assert (failure.kind, failure.message) == ("no_evidence", "There is no saved evidence of this server.")
    assert ask(places, in_run=False).failure is None


@pytest.mark.parametrize(
    ("run_id", "ended", "missed"),
    [
        ("20260308T130000Z-000000", False, True),
        ("20260308T130000Z-000000", True, False),
        # Another run has read it since, or this one before it died.
        ("20260308T110000Z-ffffff", False, False),
        ("20260308T120000Z-abcdef", False, False),
    ],
    ids=["killed", "ended", "read since", "read by it"],
)
def test_a_run_that_did_not_come_to_its_end_has_missed_whom_it_did_not_read(
    places: list[pathlib.Path], run_id: str, ended: bool, missed: bool
) -> None:
    keep(places[1], read_at(e.READ), read_at(e.READ, "fe02"))
    run = Run(str(places[2]), run_id)
    run.save_hosts(["fe01", "fe09"])
    if ended:
        run.save_judgement(f.judge(e.front_end()).judgement, "before")
    failure = ask(places).failure
    assert (failure is not None) == missed
    if failure:
        assert f"The run {run_id} was to read this server, has not done so" in failure.message
    # Whom it was not to read, it has not missed.
    assert ask(places, "fe02").failure is None
    unknown = ask(places, "fe09").failure
    assert unknown is not None
    assert unknown.kind == ("no_evidence" if ended else "failed")


def test_a_failure_that_a_killed_run_has_noted_is_told_and_not_that_it_was_killed(places: list[pathlib.Path]) -> None:
    run_id = "20260308T130000Z-000000"
    keep(places[1], read_at(e.READ))
    Run(str(places[2]), run_id).save_hosts(["fe01"])
    fail(places[2], "fe01", run_id)
    assert ask(places).failure == f.UNREACHABLE


def test_a_damaged_failure_is_named(places: list[pathlib.Path]) -> None:
    fail(places[1], "fe01", "20260308T130000Z-abcdef")
    path = next(places[1].glob("runs/*/before/failures/fe01.json"))
    path.write_text("[")
    failure = ask(places).failure
    assert failure is not None
    assert str(path) in failure.message


def test_what_else_lies_among_the_runs_does_not_matter(places: list[pathlib.Path]) -> None:
    (places[1] / "runs" / "notes").mkdir(parents=True)
    (places[1] / "runs" / "README").write_text("x")
    keep(places[1], read_at(e.READ))
    assert ask(places).failure is None


# ---- conflicts


CONFLICTS: t.Final[dict[str, tuple[Evidence, str]]] = {
    "another machine": (
        read_at(OLD, system=dataclasses.replace(e.system("fe01"), machine_guid="guid-of-another")),
        "two machines, MachineGuid guid-of-fe01 and guid-of-another",
    ),
    "another machine, newer": (
        read_at("2026-03-09T12:00:05Z", system=dataclasses.replace(e.system("fe01"), machine_guid="guid-of-another")),
        "two machines, MachineGuid",
    ),
    "a clone with another name": (
        read_at(OLD, system=dataclasses.replace(e.system("fe09"), machine_guid="guid-of-fe01")),
        "two machines, fe01.contoso.example and fe09.contoso.example",
    ),
    "the same time": (read_at(e.READ, cert=GOOD), f"both were read at {e.READ}, and are not the same"),
}


@pytest.mark.parametrize("case", CONFLICTS)
@pytest.mark.parametrize("order", [(1, 2), (2, 1), (0, 1)])
def test_a_contradiction_is_named_with_both_files_and_neither_is_believed(
    places: list[pathlib.Path], case: str, order: tuple[int, int]
) -> None:
    other, reason = CONFLICTS[case]
    keep(places[order[0]], read_at(e.READ))
    keep(places[order[1]], other)
    saved = SavedEvidence(str(places[0]), [str(place) for place in places[1:]])
    host = saved.host("fe01", in_run=True, inventory=NOBODY)
    assert (host.evidence, host.failure) == (None, None)
    assert host.problem == saved.conflicts["fe01"]
    assert reason.split(",")[0] in host.problem
    for number in order:
        assert str(places[number] / "evidence" / "fe01.json") in host.problem
    if order == (1, 2):
        assert reason in host.problem


def test_the_letters_of_a_machine_guid_have_no_case(places: list[pathlib.Path]) -> None:
    keep(places[0], read_at(e.READ))
    keep(places[1], read_at(OLD, system=dataclasses.replace(e.system("fe01"), machine_guid="GUID-OF-FE01")))
    assert ask(places).problem is None


def test_a_hostile_machine_guid_is_bounded_and_harmless(places: list[pathlib.Path]) -> None:
    keep(places[0], read_at(e.READ))
    guid = "\x1b[2J" + "x" * 1_000_000
    keep(places[1], read_at(OLD, system=dataclasses.replace(e.system("fe01"), machine_guid=guid)))
    problem = str(ask(places).problem)
    assert problem.isprintable()
    assert len(problem) < 1000


@pytest.mark.parametrize("content", ["{", '{"schema": 99}', "\x00"])
def test_damaged_evidence_is_named_although_another_directory_has_some(
    places: list[pathlib.Path], content: str
) -> None:
    keep(places[1], read_at(e.READ))
    damaged = places[2] / "evidence" / file_name("fe01")
    damaged.write_text(content)
    host = ask(places)
    assert host.evidence is None
    assert str(damaged) in str(host.problem)


def test_a_directory_that_is_none_is_refused(places: list[pathlib.Path], tmp_path: pathlib.Path) -> None:
    for wrong in (tmp_path / "missing", tmp_path):
        with pytest.raises(StateError, match="is not a state directory of this collection"):
            SavedEvidence(str(places[0]), [str(wrong)])


# ---- the judgement


def test_slices_judge_as_the_whole_and_a_conflict_is_a_finding(places: list[pathlib.Path]) -> None:
    own, first, second = places
    edges = "edgepool.contoso.example"
    fleet = [
        read_at(e.READ, "fe01", edge_pool=edges),
        read_at(e.READ, "fe02", edge_pool=edges, cert=GOOD),
        e.edge("edge01", collected_utc=e.READ),
    ]
    keep(first, fleet[0])
    keep(second, *fleet[1:])
    names = tuple(each.inventory_name for each in fleet)
    hosts = Hosts(all=names, in_run=frozenset(names), inventory=lambda _name: NOBODY)
    run = Run(str(own), "20260308T120010Z-abcdef")
    merged, conflicts = judge_saved(run, hosts, [str(first), str(second)], now=f.NOW, version="0.0.0")
    assert conflicts == {}
    assert run.judgement("before") == merged.judgement
    asked = tuple(item for item in merged.judgement.findings if item.id != "KB4023993-CHAIN-NOT-ASKED")
    assert dataclasses.replace(merged.judgement, findings=asked) == f.judge(*fleet).judgement

    keep(second, read_at(e.READ, "fe01", edge_pool=edges, cert=GOOD))
    merged, conflicts = judge_saved(run, hosts, [str(first), str(second)], now=f.NOW, version="0.0.0")
    assert set(conflicts) == {"fe01"}
    assert f.verdict(merged, "fe01") == "not_assessed"
    finding = next(item for item in merged.judgement.findings if item.host == "fe01")
    assert (finding.id, finding.evidence) == ("KB4023993-NOT-ASSESSED", (conflicts["fe01"],))


def test_front_ends_that_nobody_asked_about_a_peer_are_named_and_asked_next_time(places: list[pathlib.Path]) -> None:
    """Each slice has asked its own Front End about its own certificate alone."""
    certificates = {name: c.certificate("both", e.full(name)) for name in ("fe01", "fe02")}
    for place, (name, own) in zip(places[1:], certificates.items(), strict=True):
        keep(place, e.front_end(name, cert=own, chain_checks=(e.chain_check(own),)))
    names = tuple(certificates)
    hosts = Hosts(all=names, in_run=frozenset(names), inventory=lambda _name: NOBODY)
    run = Run(str(places[0]), "20260308T130000Z-abcdef")
    assessment, _conflicts = judge_saved(run, hosts, [str(p) for p in places[1:]], now=f.NOW, version="0.0.0")
    found = {x.host: x.evidence for x in assessment.judgement.findings if x.id == "KB4023993-CHAIN-NOT-ASKED"}
    marks = {name: c.mark(own) for name, own in certificates.items()}
    assert found == {"fe01": (f"{marks['fe02']} of fe02",), "fe02": (f"{marks['fe01']} of fe01",)}
    for name in names:
        known = Run(str(places[0]), "20260309T130000Z-abcdef").known_peers(name)
        assert {mark for mark, _der, _issuers in known.certificates} == set(marks.values())
    # A run over all of them has asked each about all, and says nothing.
    for name, own in certificates.items():
        checks = tuple(map(e.chain_check, certificates.values()))
        keep(places[0], e.front_end(name, cert=own, chain_checks=checks, collected_utc="2026-03-08T12:00:06Z"))
    assessment, _conflicts = judge_saved(run, hosts, [], now=f.NOW, version="0.0.0")
    assert not [x for x in assessment.judgement.findings if x.id == "KB4023993-CHAIN-NOT-ASKED"]
