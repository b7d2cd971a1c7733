# Copyright (c) 2026, the sfb.kb4023993 contributors
# GNU General Public License v3.0-or-later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A sliced job: several processes of ansible-runner at once, each with every n-th server of one inventory, as AWX deals them out.

Their evidence is judged together and compared with one run over the whole inventory. No AWX was there.
"""

from __future__ import annotations

import json
import typing as t
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from awx.runner import Controller, Job, Part
from integration.fleet import Fleet, Registry
from lab.protocol.faults import Fault
from lab.scenario import parse

SLICES: t.Final = 3
_FIXED: t.Final = {"product": "sfb2015", "os": "server2012r2", "dotnet": {"version": "4.6.2", "update": "KB4014507"}}
# Every slice gets one Front End and one Edge, so that each has all its peers but itself in others. fe03 does not trust the CA of edge02.
SCENARIO: t.Final = {
    "description": "a pool of three with three Edge servers of different certificates",
    "authorities": {
        "other_ca": {
            "common_name": "Contoso CA 9",
            "own_root": "Contoso Root 9",
            "trusted": ["edge01", "edge02", "fe01", "fe02"],
        }
    },
    "templates": {"other": {"usages": ["server", "client"], "authority": "other_ca", "subject": "pool"}},
    "pools": {"pool01": {"edge_pool": "edgepool", "each": _FIXED}, "edgepool": {"each": {**_FIXED, "role": "edge"}}},
    "servers": {
        "edge01": {"pool": "edgepool", "certificate": "both"},
        "edge02": {"pool": "edgepool", "certificate": "other"},
        "edge03": {"pool": "edgepool", "quirks": {"unreachable": True}},
        "fe01": {"pool": "pool01", "certificate": "both"},
        "fe02": {"pool": "pool01"},
        "fe03": {"pool": "pool01", "certificate": "both"},
        "files01": {"role": "none", "os": "server2016"},
    },
}
NOT_ASKED: t.Final = "KB4023993-CHAIN-NOT-ASKED"

Judged = dict[str, list[dict[str, t.Any]]]


class Story(t.NamedTuple):
    """One run over all; slices with a state directory each, and what is made of them; three days of slices that share one.

    On the third day the slice with edge02 and fe02 is killed when it has read only edge02. ``shared``: every file of the shared directory
    after two days.
    """

    fleet: Fleet
    jobs: list[Job]
    whole: Judged
    parts: Judged
    days: list[Judged]
    shared: dict[str, bytes]
    refused: Job
    again: Job
    registries: tuple[dict[str, Registry], dict[str, Registry]]


@pytest.fixture(scope="module")
def story(start: t.Callable[..., Fleet], controller: Controller, tmp_path_factory: pytest.TempPathFactory) -> Story:
    fleet, states = start(parse(SCENARIO)), tmp_path_factory.mktemp("mounted")
    before = fleet.registries()
    jobs: list[Job] = []
    with ThreadPoolExecutor(SLICES + 1) as pool:

        def sliced(*places: Path, killed: t.Callable[[], bool] | None = None) -> None:
            parts = [Part(number=number, count=SLICES) for number in range(1, SLICES + 1)]
            dead = []
            if killed:
                dead = [pool.submit(controller.kill, fleet, "audit", state=places[1], part=parts.pop(1), when=killed)]
                places = places[0::2]
            started = [
                pool.submit(controller.run, fleet, "audit", state=state, part=part)
                for state, part in zip(places, parts, strict=True)
            ]
            jobs.extend(job.result() for job in started)
            [each.result() for each in dead]

        def report(state: Path, *merged: Path) -> Judged:
            places = {"sfb_kb4023993_merge_state_dirs": [str(place) for place in merged]} if merged else {}
            jobs.append(controller.run(fleet, "report", state=state, variables=places))
            return judged(state)

        own = [states / f"slice{number}" for number in range(SLICES)]
        undivided = pool.submit(controller.run, fleet, "audit", state=states / "whole")
        sliced(*own)
        jobs.append(undivided.result())
        parts = report(states / "merged", *own)
        shared, days = states / "shared", []
        for _day in range(2):
            sliced(*[shared] * SLICES)
            days.append(report(shared))
        files = {str(path.relative_to(shared)): path.read_bytes() for path in shared.rglob("*") if path.is_file()}
        evidence = shared / "evidence" / "edge02.json"
        known = evidence.read_bytes()
        fleet.lab.set_faults("fe02", [Fault(stage="receive", kind="delay", seconds=60)])
        sliced(*[shared] * SLICES, killed=lambda: evidence.read_bytes() != known)
        fleet.lab.set_faults("fe02", [])
        days.append(report(shared))
        refused = pool.submit(controller.run, fleet, "remediate", state=shared, part=Part(number=2, count=SLICES))
        alone = Part(number=2, count=SLICES, again=True)
        again = controller.run(fleet, "remediate", state=shared, part=alone, check=True)
        return Story(
            fleet=fleet,
            jobs=jobs,
            whole=judged(states / "whole"),
            parts=parts,
            days=days,
            shared=files,
            refused=refused.result(),
            again=again,
            registries=(before, fleet.registries()),
        )


def judged(state: Path) -> Judged:
    """What the newest report of a state directory says, without what depends on the moment."""
    newest = max(state.glob("runs/*/report.json"), key=lambda path: path.stat().st_mtime_ns)
    found = json.loads(newest.read_text("utf-8"))["before"]
    for host in found["hosts"]:
        del host["evidence_utc"], host["duration_ms"]
    for finding in found["findings"]:
        if finding["id"].startswith("KB4023993-EVENTS-"):
            # The clock of the servers goes on.
            finding["evidence"] = [line for line in finding["evidence"] if not line.startswith("the last at")]
    return {key: found[key] for key in ("hosts", "pools", "connections", "findings")}


def found(judgement: Judged, identifier: str) -> dict[str, list[str]]:
    """The evidence of a finding by host."""
    return {finding["host"]: finding["evidence"] for finding in judgement["findings"] if finding["id"] == identifier}


def verdicts(judgement: Judged) -> dict[str, str]:
    return {host["name"]: host["verdict"] for host in judgement["hosts"]}


def test_each_job_ends_well(story: Story) -> None:
    assert {(job.code, job.status) for job in story.jobs} == {(0, "successful")}


@pytest.mark.parametrize("which", ["own", "shared"])
def test_slices_together_judge_as_one_run_over_all(story: Story, which: str) -> None:
    together = story.parts if which == "own" else story.days[0]
    for key in ("hosts", "pools", "connections"):
        assert together[key] == story.whole[key], key
    # What is missing is what fe03 alone can say, of a peer in another slice; and it is said that nobody asked.
    missing = [finding for finding in story.whole["findings"] if finding not in together["findings"]]
    assert [(finding["id"], finding["host"]) for finding in missing] == [("KB4023993-CHAIN-UNTRUSTED", "fe03")]
    more = [finding for finding in together["findings"] if finding not in story.whole["findings"]]
    assert {(finding["id"], finding["host"]) for finding in more} == {(NOT_ASKED, f"fe0{n}") for n in (1, 2, 3)}
    assert any(line.endswith(" of edge02") for line in found(together, NOT_ASKED)["fe03"])


def test_the_next_slices_ask_what_the_report_of_all_has_noted(story: Story) -> None:
    assert story.days[1] == story.whole


def test_a_server_that_did_not_answer_is_named(story: Story) -> None:
    for together in (story.parts, *story.days):
        assert verdicts(together)["edge03"] == "not_assessed"
        assert "Connection refused" in found(together, "KB4023993-NOT-ASSESSED")["edge03"][0]


def test_servers_that_a_killed_slice_has_not_read_are_named(story: Story) -> None:
    """Their evidence of the day before does not stand for them, as it would not if they had not answered."""
    third = story.days[2]
    lines = found(third, "KB4023993-NOT-ASSESSED")
    assert set(lines) == {"edge03", "fe02"}
    assert "was to read this server, has not done so, and has not come to its end" in lines["fe02"][0]
    assert verdicts(third)["fe02"] == "not_assessed" != verdicts(story.whole)["fe02"]
    # What it had read before it was killed counts.
    assert verdicts(third)["edge02"] == verdicts(story.whole)["edge02"]


def test_slices_that_write_into_one_directory_leave_nothing_half_written(story: Story) -> None:
    assert len([name for name in story.shared if name.startswith("evidence/")]) == 6
    assert len([name for name in story.shared if name.endswith("/report.json")]) == 2 * (SLICES + 1)
    for name, content in story.shared.items():
        if name.endswith(".json"):
            json.loads(content)
        assert name.rpartition(".")[2] in ("json", "txt", "html"), name


def test_a_slice_that_would_change_servers_is_refused(story: Story) -> None:
    assert story.refused.status == "failed"
    assert "This job is a slice" in story.refused.text
    assert "job_slice_count" in story.refused.text
    assert story.registries[0] == story.registries[1]


def test_a_slice_that_cannot_be_known_for_one_warns_of_the_members_that_it_does_not_see(story: Story) -> None:
    """Nothing but the evidence beside its own tells it: the inventory says the pool, so no server was asked for its topology."""
    text = " ".join(story.again.text.split())
    assert "WARNING: This run does not see fe01.contoso.example (read by another run at 20" in text
    assert "fe02 is the only member of pool01.contoso.example that is known to run" in text
