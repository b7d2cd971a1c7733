# Copyright (c) 2026, the sfb.kb4023993 contributors
# GNU General Public License v3.0-or-later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where the inventory allows it, and only there, an event also leads to a remediation: of that pool, once."""

from __future__ import annotations

import datetime
import typing as t
from dataclasses import dataclass

import pytest
from eda.conftest import SCENARIO
from eda.rulebook import Rulebook, event, inventory_of, read, runs
from integration.fleet import Fleet, Played, Registry, written

VALUE = r"C:\Program Files\Skype for Business Server 2015\Web Conferencing\DataMCUSvc.exe = REG_DWORD 0"


@dataclass(frozen=True, kw_only=True)
class Story:
    """Pools A and C may be remediated, B may not. One Edge of C cannot be read, so its remediation ends with failed hosts."""

    fleet: Fleet
    before: dict[str, Registry]
    runs: list[Played]
    output: str


@pytest.fixture(scope="module")
def story(start: t.Callable[..., Fleet], programs: t.Any) -> Story:
    fleet = start(SCENARIO)
    before = fleet.registries()
    assert fleet.lab.outside.connections("a1")["ea1.contoso.example:8057"] == "rejected"
    inventory = inventory_of(fleet, allowed=("pool_poola", "pool_poolc"))
    with Rulebook(programs, fleet.directory / "eda", inventory=inventory) as rulebook:
        # The pool that is not allowed comes first, so that what must not follow would be among the runs that are waited for.
        for name in ("b1", "c1", "c1", "a1", "a2"):
            assert rulebook.post(event(f"{name}.contoso.example")) == 200
        rulebook.wait(lambda: len(runs(fleet)) == 5, "an audit of each pool, and a remediation of two")
        return Story(fleet=fleet, before=before, runs=runs(fleet), output=rulebook.output)


def test_each_pool_gets_what_it_is_allowed_once_and_in_order(story: Story) -> None:
    done = [(run.report["playbook"], read(run)) for run in story.runs]
    assert done == [
        ("audit", {"b1", "eb1"}),
        ("audit", {"c1", "ec1"}),
        ("remediate", {"c1", "ec1"}),
        ("audit", {"a1", "a2", "ea1"}),
        ("remediate", {"a1", "a2", "ea1"}),
    ]


def test_a_run_never_begins_before_the_one_before_has_ended(story: Story) -> None:
    directories = [run.run_directory for run in story.runs if run.run_directory]
    # The name of a run's directory begins with its start, in whole seconds; the report is the last that it writes.
    begun = [
        datetime.datetime.strptime(f"{path.name[:15]}+0000", "%Y%m%dT%H%M%S%z").timestamp() for path in directories
    ]
    ended = [int((path / "report.json").stat().st_mtime) for path in directories]
    assert all(end <= begin for end, begin in zip(ended, begun[1:], strict=False)), (begun, ended)


def test_the_override_is_written_on_the_front_ends_of_the_allowed_pools_alone(story: Story) -> None:
    after = story.fleet.registries()
    for name in story.fleet.names:
        gone, come = written(story.before[name], after[name])
        assert all(line.endswith("= absent") for line in gone), name
        assert [line.split(": ", 1)[1] for line in come] == ([VALUE] if name in ("a1", "a2", "c1") else []), name


def test_connections_of_the_allowed_pool_work_and_those_of_others_are_as_before(story: Story) -> None:
    outside = story.fleet.lab.outside
    assert set(outside.connections("a1").values()) == set(outside.connections("a2").values()) == {"connected"}
    assert outside.connections("b1")["eb1.contoso.example:8057"] == "rejected"
    assert {name for name in ("a1", "a2", "b1", "c1", "d1") if story.fleet.enforces(name)} == {"b1", "d1"}


def test_a_remediation_that_fails_for_a_server_does_not_end_the_rulebook(story: Story) -> None:
    assert story.runs[2].verdicts["ec1"] == "not_assessed"
    # ansible-rulebook says so with the output of the playbook, and went on with the other pools.
    assert "fatal: [ec1]: FAILED!" in story.output
    assert story.runs[-1].verdicts["a1"] == "mitigated"
