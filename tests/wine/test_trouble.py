# Copyright (c) 2026, the sfb.kb4023993 contributors
# GNU General Public License v3.0-or-later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What goes wrong on a server under Wine: rights that are missing, and a service that does not stop."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

import pytest
from integration.fleet import OWN_KEY, Played
from lab.world.host import WEB_CONFERENCING
from lab.world.services import Behaviour

from wine.fleet import NAME, WineFleet
from wine.registry_file import Raw, dword
from wine.server import behave

pytestmark = pytest.mark.wine

KEY = r"SOFTWARE\Microsoft\.NETFramework\v4.0.30319\System.Net.ServicePointManager.RequireCertificateEKUs"
EXECUTABLE = r"C:\Program Files\Skype for Business Server 2015\Web Conferencing\DataMCUSvc.exe"


@dataclass(frozen=True, kw_only=True)
class Stage:
    """One remediation, and fe01 as it was after it."""

    played: Played
    override: Raw | None
    restart_recorded: bool
    runs: int
    opted_out: int
    state: str


@dataclass(frozen=True, kw_only=True)
class Story:
    """Remediations: without the right to write, with a service that hangs, and with neither."""

    runs: int
    denied: Stage
    hanging: Stage
    repaired: Stage


@pytest.fixture(scope="module")
def story(start: t.Callable[[str], WineFleet]) -> Story:
    fleet = start("english")
    runs = fleet.noted("Runs")

    def stage(**variables: t.Any) -> Stage:
        played = fleet.play("remediate", variables=variables)
        record = fleet.prefix.export_registry(OWN_KEY).get(OWN_KEY, {})
        return Stage(
            played=played,
            override=fleet.prefix.value(KEY, EXECUTABLE),
            restart_recorded=any(name.lower() == "restart|rtcdatamcu" for name in record),
            runs=fleet.noted("Runs"),
            opted_out=fleet.noted("OptedOut4"),
            state=fleet.prefix.wine("sc", "query", WEB_CONFERENCING).text,
        )

    # Wine asks for rights on a key that is opened, not on the one above a key that is made.
    fleet.prefix.import_registry({KEY: {}})
    fleet.prefix.deny(KEY, "SetValue")
    denied = stage()
    fleet.prefix.allow(KEY)
    behave(fleet.prefix, WEB_CONFERENCING, Behaviour(stuck=True))
    hanging = stage(sfb_kb4023993_restart_timeout=3)
    behave(fleet.prefix, WEB_CONFERENCING, Behaviour())
    return Story(runs=runs, denied=denied, hanging=hanging, repaired=stage())


def test_without_the_right_to_write_nothing_is_written_or_restarted(story: Story) -> None:
    played = story.denied.played
    assert (played.code, NAME in played.failed) == (2, True), played.output
    assert (story.denied.override, story.denied.runs) == (None, story.runs)
    assert played.results[NAME]["result"] == "failed"
    assert "denied" in played.results[NAME]["message"]
    assert played.verdicts[NAME] == "broken"


def test_a_service_that_does_not_stop_fails_with_its_state_and_is_remembered(story: Story) -> None:
    played = story.hanging.played
    assert (played.code, NAME in played.failed) == (2, True), played.output
    assert "RTCDATAMCU is still stopping (stop_pending) after 3 seconds" in played.results[NAME]["message"]
    assert "STOP_PENDING" in story.hanging.state
    assert (story.hanging.override, story.hanging.restart_recorded) == (dword(0), True)
    assert story.hanging.runs == story.runs
    assert "KB4023993-RESTART-UNFINISHED" in played.finding_ids[NAME]
    assert played.verdicts[NAME] != "mitigated"


def test_the_next_run_finishes_the_restart(story: Story) -> None:
    played = story.repaired.played
    assert played.code == 0, played.output
    assert "RUNNING" in story.repaired.state
    assert (story.repaired.runs, story.repaired.opted_out) == (story.runs + 1, 1)
    assert (story.repaired.override, story.repaired.restart_recorded) == (dword(0), False)
    assert played.verdicts[NAME] == "mitigated"
