# Copyright (c) 2026, the sfb.kb4023993 contributors
# GNU General Public License v3.0-or-later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A clock that was wrong while an opt-out was seen or written, and was set right since, makes no process one that has read it."""

from __future__ import annotations

import dataclasses
import datetime

import pytest
from ansible_collections.sfb.kb4023993.plugins.plugin_utils.evidence import Evidence, OfflineReading
from ansible_collections.sfb.kb4023993.plugins.plugin_utils.records import ABSENT, ChangeRecord, ValueState
from ansible_collections.sfb.kb4023993.plugins.plugin_utils.rules.opt_outs import opt_out_facts, sightings
from ansible_collections.sfb.kb4023993.plugins.plugin_utils.rules.roles import role_facts
from ansible_collections.sfb.kb4023993.plugins.plugin_utils.rules.times import format_time, parse_time
from builders import evidence as e

# The process started while the clock was right; the reading and the change of a day later were made by a clock of ten years ago.
STARTED = "2026-11-20T08:00:00Z"
CHANGED = "2026-11-21T08:00:00Z"
NOW = "2026-11-23T08:00:00Z"
BEHIND = -datetime.timedelta(days=3650)
NONE = datetime.timedelta()


def _time(text: str, by: datetime.timedelta = NONE) -> str:
    moment = parse_time(text)
    assert moment is not None
    return format_time(moment + by)


def _read(controller: str, *, clock: datetime.timedelta, started: str = STARTED) -> Evidence:
    found = e.front_end(started=started, opt_outs=e.opt_outs(e.Value()))
    assert found.system is not None
    system = dataclasses.replace(found.system, time_utc=_time(controller, clock))
    return dataclasses.replace(found, collected_utc=controller, system=system)


def _in_effect(evidence: Evidence) -> bool:
    return opt_out_facts(evidence, role_facts(evidence)).in_effect


def _carried_on(first: Evidence, second: Evidence) -> Evidence:
    """The second reading with what the first knows."""
    seen = dataclasses.replace(first, sightings=sightings(first, opt_out_facts(first, role_facts(first)), None))
    return dataclasses.replace(second, sightings=sightings(second, opt_out_facts(second, role_facts(second)), seen))


def _record(clock: datetime.timedelta) -> ChangeRecord:
    return ChangeRecord(
        path=e.opt_out_key("v4.0.30319"),
        name=e.Value().name,
        view=e.Value().view,
        key_existed=True,
        before=ABSENT,
        written=ValueState(kind="dword", data=0),
        state="applied",
        time_utc=_time(CHANGED, clock),
        run_id="20261121T075900Z-abcdef",
    )


@pytest.mark.parametrize("clock", [NONE, BEHIND, -BEHIND, datetime.timedelta(hours=-3)])
def test_process_from_before_the_opt_out_was_seen_has_not_read_it_whatever_the_clock_said_then(
    clock: datetime.timedelta,
) -> None:
    assert not _in_effect(_carried_on(_read(CHANGED, clock=clock), _read(NOW, clock=NONE)))


@pytest.mark.parametrize("clock", [NONE, BEHIND, -BEHIND])
def test_process_from_after_it_has_read_it_where_the_clock_was_not_set(clock: datetime.timedelta) -> None:
    later = _time("2026-11-22T08:00:00Z", clock)
    assert _in_effect(_carried_on(_read(CHANGED, clock=clock), _read(NOW, clock=clock, started=later)))


@pytest.mark.parametrize("clock", [NONE, BEHIND, datetime.timedelta(days=-1, hours=-3)])
def test_process_from_before_the_change_has_not_read_it_whatever_the_clock_said_then(clock: datetime.timedelta) -> None:
    evidence = _read(NOW, clock=NONE)
    assert not _in_effect(dataclasses.replace(evidence, records=e.records(_record(clock))))


@pytest.mark.parametrize("clock", [NONE, BEHIND, -BEHIND])
def test_process_from_after_the_change_has_read_it_where_the_clock_was_not_set(clock: datetime.timedelta) -> None:
    evidence = _read(NOW, clock=clock, started=_time(CHANGED, clock + datetime.timedelta(seconds=20)))
    assert _in_effect(dataclasses.replace(evidence, records=e.records(_record(clock))))


def test_reading_by_hand_tells_nothing_of_the_clock() -> None:
    by_hand = dataclasses.replace(
        _read(NOW, clock=datetime.timedelta(days=2), started="2026-11-22T08:00:00Z"),
        offline=OfflineReading(kit="k", read_utc=NOW, imported_utc=NOW),
    )
    assert _in_effect(_carried_on(_read(CHANGED, clock=NONE), by_hand))
