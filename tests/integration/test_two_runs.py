# Copyright (c) 2026, the sfb.kb4023993 contributors
# GNU General Public License v3.0-or-later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Two runs at once with one state directory: the second one changes nothing and says why; an audit may always run."""

from __future__ import annotations

import json
import os
import signal
import time
import typing as t
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from integration.fleet import Fleet, Played

_SECONDS: t.Final = 60


def holder(state: Path) -> dict[str, t.Any] | None:
    """Who holds the lock, None for nobody."""
    path = state / "changing.json"
    text = path.read_text("utf-8") if path.exists() else ""
    return json.loads(text) if text else None


def wait_for_holder(state: Path) -> dict[str, t.Any]:
    end = time.monotonic() + _SECONDS
    while time.monotonic() < end:
        found = holder(state)
        if found:
            return found
        time.sleep(0.02)
    raise AssertionError(f"no run changed servers within {_SECONDS} s")


@pytest.fixture(scope="module")
def runs(start: t.Callable[..., Fleet]) -> tuple[Fleet, dict[str, t.Any], Played, Played, Played]:
    """A remediation that is held still as soon as it may change servers; another one and an audit meanwhile; then it goes on."""
    fleet = start("small")
    with ThreadPoolExecutor(max_workers=1) as pool:
        first = pool.submit(fleet.play, "remediate")
        found = wait_for_holder(fleet.state)
        os.kill(found["process"], signal.SIGSTOP)
        try:
            second = fleet.play("remediate")
            audit = fleet.play("audit")
        finally:
            os.kill(found["process"], signal.SIGCONT)
        return fleet, found, first.result(), second, audit


def test_the_second_run_says_who_is_at_work_and_changes_nothing(runs: tuple[t.Any, ...]) -> None:
    _fleet, found, _first, second, _audit = runs
    assert second.code != 0
    assert f"Another run, {found['run_id']}, is changing servers" in second.output.replace("\n", " ")
    assert "Wait until it has ended, then run again" in second.output.replace("\n", " ")
    assert not second.changed


def test_an_audit_is_not_held_up(runs: tuple[t.Any, ...]) -> None:
    assert runs[4].code == 0


def test_the_first_run_comes_to_its_end_and_gives_the_lock_back(runs: tuple[t.Any, ...]) -> None:
    fleet, _found, first, _second, _audit = runs
    assert first.code == 0, first.output
    assert holder(fleet.state) is None
    assert set(fleet.play("remediate").verdicts.values()) == {"mitigated"}


def test_a_killed_run_holds_nobody_up(start: t.Callable[..., Fleet]) -> None:
    fleet = start("small")
    with ThreadPoolExecutor(max_workers=1) as pool:
        first = pool.submit(fleet.play, "remediate")
        found = wait_for_holder(fleet.state)
        os.kill(found["process"], signal.SIGKILL)
        assert first.result().code == -signal.SIGKILL
    second = fleet.play("remediate")
    assert second.code == 0, second.output
    assert f"run {found['run_id']} did not come to its end" in second.output
    assert set(second.verdicts.values()) == {"mitigated"}
