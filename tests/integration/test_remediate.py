# Copyright (c) 2026, the sfb.kb4023993 contributors
# GNU General Public License v3.0-or-later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Remediation writes exactly what it showed before, once; rollback puts every registry back as it was."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

import pytest
from integration.fleet import OWN_KEY, Fleet, Played, Registry, without_record, written

PER_EXECUTABLE = r"System.Net.ServicePointManager.RequireCertificateEKUs"
KEY = rf"SOFTWARE\Microsoft\.NETFramework\{{clr}}\{PER_EXECUTABLE}"
EXECUTABLE = r"C:\Program Files\Skype for Business Server 2015\Web Conferencing\DataMCUSvc.exe"
EXECUTABLE_2010 = r"C:\Program Files\Microsoft Lync Server 2010\Web Conferencing\DataMCUSvc.exe"

# Every server of the scenario `values` whose own certificate is bad and whose .NET checks, and has no right override.
NEEDS_VALUE = {
    "key-absent",
    "value-absent",
    "text-in-place",
    "one-in-place",
    "other-clr",
    "view-32",
    "quoted",
    "short-name",
    "several",
    "on-clr2",
}
NEEDS_RESTART = NEEDS_VALUE | {"proven-later"}


@dataclass(frozen=True, kw_only=True)
class Stage:
    """One run, and the servers as they were after it. ``enforcing``: whose process checks, by the lab's own mechanism."""

    played: Played
    registries: dict[str, Registry]
    process_ids: dict[str, int | None]
    enforcing: set[str]


@dataclass(frozen=True, kw_only=True)
class Story:
    """Check, remediate, the same again, roll back, and that again."""

    fleet: Fleet
    before: dict[str, Registry]
    process_ids: dict[str, int | None]
    check: Stage
    first: Stage
    second: Stage
    rollback_check: Stage
    rollback: Stage
    rollback_again: Stage

    def values(self, stage: Stage, host: str) -> dict[str, dict[str, t.Any]]:
        """The opt-out keys of a host, by CLR and side."""
        return {path: found for path, found in stage.registries[host].items() if path.endswith(PER_EXECUTABLE)}


@pytest.fixture(scope="module")
def story(start: t.Callable[..., Fleet]) -> Story:
    fleet = start("values")
    before, process_ids = fleet.registries(), fleet.process_ids()

    def stage(*arguments: str) -> Stage:
        played = fleet.play(*arguments)
        return Stage(
            played=played,
            registries=fleet.registries(),
            process_ids=fleet.process_ids(),
            enforcing={name for name in fleet.names if fleet.enforces(name)},
        )

    return Story(
        fleet=fleet,
        before=before,
        process_ids=process_ids,
        check=stage("remediate", "--check", "--diff"),
        first=stage("remediate", "--diff"),
        second=stage("remediate", "--diff"),
        rollback_check=stage("rollback", "--check", "--diff"),
        rollback=stage("rollback", "--diff"),
        rollback_again=stage("rollback", "--diff"),
    )


def test_check_mode_changes_nothing(story: Story) -> None:
    assert story.check.registries == story.before
    assert story.check.process_ids == story.process_ids
    assert story.rollback_check.registries == story.second.registries
    assert story.rollback_check.process_ids == story.second.process_ids


def test_check_mode_says_which_hosts_would_change(story: Story) -> None:
    assert story.check.played.changed == NEEDS_RESTART
    assert "Plan (check mode: nothing was changed):" in story.check.played.output


def test_check_mode_ends_well_when_the_plan_would_fix_everything(story: Story) -> None:
    assert story.check.played.code == 0


@pytest.mark.parametrize("host", sorted(NEEDS_VALUE))
def test_diff_of_check_mode_is_what_the_run_then_writes(story: Story, host: str) -> None:
    shown = story.check.played.diffs[host]
    really = written(story.before[host], story.first.registries[host])
    assert really[1], "the run wrote nothing"
    registry_lines = tuple({line for line in side if line.startswith("HKLM")} for side in shown)
    assert registry_lines == really
    assert story.first.played.diffs[host] == shown


def test_diff_names_no_other_host(story: Story) -> None:
    assert set(story.check.played.diffs) == set(story.first.played.diffs) == NEEDS_RESTART
    for host in set(story.fleet.names) - NEEDS_VALUE:
        assert written(story.before[host], story.first.registries[host]) == (set(), set())


@pytest.mark.parametrize("host", sorted(NEEDS_VALUE - {"on-clr2"}))
def test_override_is_a_dword_0_for_the_full_path_under_the_right_clr(story: Story, host: str) -> None:
    values = story.values(story.first, host)[KEY.format(clr="v4.0.30319")]
    assert values[EXECUTABLE] == ("dword", 0)


def test_override_of_lync_2010_is_under_clr_2(story: Story) -> None:
    values = story.values(story.first, "on-clr2")
    assert values == {KEY.format(clr="v2.0.50727"): {EXECUTABLE_2010: ("dword", 0)}}


@pytest.mark.parametrize("host", sorted(NEEDS_VALUE))
def test_no_override_is_left_that_net_does_not_read(story: Story, host: str) -> None:
    found = [
        (path, name)
        for path, values in story.values(story.first, host).items()
        for name in values
        if "datamcusvc" in name.lower()
    ]
    assert len(found) == 1, found


@pytest.mark.parametrize("host", ["value-absent", "text-in-place", "other-clr", "view-32"])
def test_values_of_other_executables_survive_everything(story: Story, host: str) -> None:
    gateway = r"C:\Program Files\Contoso\Gateway.exe"

    def others(registry: Registry) -> dict[str, t.Any]:
        return {path: values[gateway] for path, values in registry.items() if gateway in values}

    assert others(story.before[host])
    for stage in (story.first, story.second, story.rollback):
        assert others(stage.registries[host]) == others(story.before[host])


def test_value_that_turns_the_check_on_stays_where_nothing_needs_the_override(story: Story) -> None:
    assert story.first.registries["good"] == story.before["good"]
    assert story.first.process_ids["good"] == story.process_ids["good"]


def test_only_changed_hosts_get_a_new_process(story: Story) -> None:
    new = {name for name in story.fleet.names if story.first.process_ids[name] != story.process_ids[name]}
    assert new == NEEDS_RESTART


def test_everything_is_verified_by_a_new_reading(story: Story) -> None:
    played = story.first.played
    assert played.code == 0, played.output
    assert {name: played.verdicts[name] for name in NEEDS_RESTART} == dict.fromkeys(NEEDS_RESTART, "mitigated")
    assert played.verdicts["good"] == "compliant"
    assert {name: result["result"] for name, result in played.results.items()} == dict.fromkeys(NEEDS_RESTART, "done")


def test_processes_really_run_without_the_check_and_with_it_again_after_the_rollback(story: Story) -> None:
    everyone = set(story.fleet.names)
    assert story.check.enforcing == everyone - {"proven-later"}
    assert story.first.enforcing == {"good"}
    assert story.rollback.enforcing == everyone - {"proven-later"}


def test_second_remediation_changes_nothing(story: Story) -> None:
    assert story.second.played.code == 0, story.second.played.output
    assert story.second.played.changed == set()
    assert story.second.registries == story.first.registries
    assert story.second.process_ids == story.first.process_ids


def test_diff_of_the_rollback_is_the_way_back(story: Story) -> None:
    for host in NEEDS_VALUE:
        shown = story.rollback_check.played.diffs[host]
        back = written(story.second.registries[host], story.before[host])
        assert tuple({line for line in side if line.startswith("HKLM")} for side in shown) == back


@pytest.mark.parametrize("host", sorted(NEEDS_RESTART | {"good"}))
def test_rollback_puts_the_registry_back_as_it_was(story: Story, host: str) -> None:
    assert story.rollback.registries[host] == story.before[host]


def test_rollback_restarts_what_it_changed_and_nothing_else(story: Story) -> None:
    new = {name for name in story.fleet.names if story.rollback.process_ids[name] != story.second.process_ids[name]}
    # The one that had its override already keeps it, and its process; only our record of it goes.
    assert new == NEEDS_VALUE
    assert story.rollback.played.changed == NEEDS_RESTART
    assert story.rollback.played.code == 0, story.rollback.played.output


def test_second_rollback_changes_nothing(story: Story) -> None:
    assert story.rollback_again.played.changed == set()
    assert story.rollback_again.registries == story.before


def test_record_on_the_server_is_private_and_ends_with_the_last_change(story: Story) -> None:
    for host in NEEDS_VALUE:
        assert OWN_KEY in story.first.registries[host]
        assert OWN_KEY not in story.rollback.registries[host]
    assert without_record(story.first.registries["good"]) == story.first.registries["good"]
