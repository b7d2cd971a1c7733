# Copyright (c) 2026, the sfb.kb4023993 contributors
# GNU General Public License v3.0-or-later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Servers that die in the middle of a remediation or a rollback, each at another operation: the next run ends as an undisturbed one does."""

from __future__ import annotations

import typing as t

import pytest
from integration.fleet import OWN_KEY, Fleet, Played, Registry, without_record
from lab.scenario import parse

# Operation and count of each death: 0 is right before the first of that name, n right after the n-th.
REMEDIATION: t.Final = (
    # The claim, that a restart is due, what is meant to be changed, the value, that it was changed; that the claim stands, that it begins.
    *(("registry_set", number) for number in range(8)),
    ("service_restart", 1),
    # The record of the restart, the claim.
    *(("registry_delete", number) for number in range(1, 3)),
)
ROLLBACK: t.Final = (
    # The claim, that a restart is due; that the claim stands, that it begins.
    *(("registry_set", number) for number in range(5)),
    ("service_restart", 1),
    # The value, its record, the record of the restart, the claim.
    *(("registry_delete", number) for number in range(1, 5)),
)
UNDISTURBED: t.Final = "fe99"


class Story(t.NamedTuple):
    """A remediation with deaths, the next one, a rollback with deaths, the next one, and the registries around them."""

    fleet: Fleet
    before: dict[str, Registry]
    broken: Played
    mended: Played
    remediated: dict[str, Registry]
    broken_again: Played
    rolled_back: Played
    after: dict[str, Registry]


@pytest.fixture(scope="module")
def story(start: t.Callable[..., Fleet]) -> Story:
    names = [*(f"fe{number:02}" for number in range(len(REMEDIATION))), UNDISTURBED]
    each = {"product": "sfb2015", "os": "server2012r2", "dotnet": {"version": "4.5.2", "update": "KB4014512"}}
    # A pool each: none waits for another one.
    scenario = parse(
        {
            "description": "Front Ends that die",
            "pools": {f"pool{name[2:]}": {"each": each} for name in names},
            "servers": {name: {"pool": f"pool{name[2:]}"} for name in names},
        }
    )
    fleet = start(scenario)
    before = fleet.registries()

    def with_deaths(playbook: str, deaths: t.Sequence[tuple[str, int]]) -> Played:
        struck = dict(zip(names, deaths, strict=False))
        for number, (name, (operation, count)) in enumerate(struck.items()):
            ending: t.Any = "disconnect" if number % 2 else "silent"
            fleet.lab.outside.kill(name, number=count, operation=operation, ending=ending)
        played = fleet.play(playbook)
        assert not [name for name in struck if fleet.lab.host(name).kill_point.armed], played.output
        assert played.failed == set(struck)
        assert "Traceback" not in played.output
        return played

    return Story(
        fleet=fleet,
        before=before,
        broken=with_deaths("remediate", REMEDIATION),
        mended=fleet.play("remediate"),
        remediated=fleet.registries(),
        broken_again=with_deaths("rollback", ROLLBACK),
        rolled_back=fleet.play("rollback"),
        after=fleet.registries(),
    )


def test_the_report_names_each_server_that_died_and_the_others_are_done(story: Story) -> None:
    for played in (story.broken, story.broken_again):
        assert played.results[UNDISTURBED]["result"] == "done"
        failed = {name for name, result in played.results.items() if result["result"] == "failed"}
        assert failed == played.failed
        assert all(played.results[name]["message"] for name in failed)


def test_the_next_run_ends_as_an_undisturbed_one_does(
    story: Story, record_property: t.Callable[[str, t.Any], None]
) -> None:
    assert story.mended.code == 0, story.mended.output
    assert set(story.mended.verdicts.values()) == {"mitigated"}
    wanted = list(story.remediated[UNDISTURBED][OWN_KEY])
    for name, registry in story.remediated.items():
        # One record, of the value; no restart is left, no claim.
        assert [x.rpartition("|")[0] for x in registry[OWN_KEY]] == [x.rpartition("|")[0] for x in wanted], name
    record_property(
        "figure",
        f"The override: servers died at {len(REMEDIATION)} operations of a remediation and {len(ROLLBACK)} of a rollback, and the next run "
        "ended as an undisturbed one does.",
    )


def test_the_next_rollback_leaves_the_registry_as_it_was(story: Story) -> None:
    assert story.rolled_back.code == 0, story.rolled_back.output
    assert story.after == story.before
    assert all(OWN_KEY not in registry for registry in story.after.values())
    assert all(without_record(story.remediated[name]) != story.before[name] for name in story.after)
    assert all(story.fleet.enforces(name) for name in story.fleet.names)
