# Copyright (c) 2026, the sfb.kb4023993 contributors
# GNU General Public License v3.0-or-later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Event log, files and clock of a simulated server."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from lab.clock import Clock, utc_text
from lab.world.events import Entry, EventLog
from lab.world.files import FileSystem

START = datetime(2026, 1, 1, tzinfo=timezone.utc)
PROVIDER = "LS Data MCU"

_ENTRIES = st.lists(st.tuples(st.integers(1, 3), st.integers(0, 4)), min_size=1, max_size=3)
_SERIES = st.tuples(_ENTRIES, st.integers(0, 100), st.integers(5, 30), st.integers(1, 12))


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(_SERIES, max_size=5), st.integers(0, 200), st.integers(1, 40))
def test_a_log_of_series_reads_like_a_log_of_events(
    rows: list[tuple[list[tuple[int, int]], int, int, int]], since: int, limit: int
) -> None:
    log = EventLog()
    everything: list[tuple[datetime, int, int]] = []
    for number, (pairs, first, interval, count) in enumerate(rows):
        delays = sorted({delay: event_id for event_id, delay in pairs}.items())
        entries = tuple(
            Entry(id=event_id, strings=(str(number),), delay=timedelta(seconds=delay)) for delay, event_id in delays
        )
        log.write_series(PROVIDER, entries, START + timedelta(seconds=first), timedelta(seconds=interval), count)
        for repetition in range(count):
            for delay, event_id in delays:
                time = START + timedelta(seconds=first + repetition * interval + delay)
                everything.append((time, number, event_id))
    everything.sort(key=lambda event: event[:2])
    begin = START + timedelta(seconds=since)
    for wanted in (1, 2, 3):
        expected = [
            (record_id, time, (str(number),))
            for record_id, (time, number, event_id) in enumerate(everything, start=1)
            if event_id == wanted and time >= begin
        ][::-1]
        found, more = log.read(PROVIDER.upper(), wanted, begin, limit)
        assert [(event.record_id, event.time, event.strings) for event in found] == expected[:limit]
        assert more is (len(expected) > limit)


def test_a_series_that_goes_on_is_the_same_as_one_written_at_once() -> None:
    log, minute = EventLog(), timedelta(minutes=1)
    entries = (Entry(id=1, strings=()), Entry(id=2, strings=(), delay=timedelta(milliseconds=200)))
    log.write_series(PROVIDER, entries, START, minute, 3)
    log.write_series(PROVIDER, entries, START + 3 * minute, minute, 2)
    found, _ = log.read(PROVIDER, 2, START, 10)
    assert [event.record_id for event in found] == [10, 8, 6, 4, 2]
    assert log.read("Another Provider", 2, START, 10) == ((), False)


def files() -> FileSystem:
    system = FileSystem({"windir": r"C:\Windows", "ProgramFiles": r"C:\Program Files"})
    for path in (r"C:\Program Files\Contoso One\Long Name Here.exe", r"C:\Program Files (x86)\x.txt"):
        system.add(path, b"content", modified=START, version="1.2.3.4")
    return system


@pytest.mark.parametrize(
    "path",
    [
        r"C:\Program Files\Contoso One\Long Name Here.exe",
        r"c:\PROGRAM FILES\contoso one\long name here.EXE",
        r"%ProgramFiles%\Contoso One\Long Name Here.exe",
        r"%PROGRAMFILES%/Contoso One/Long Name Here.exe",
        r"C:\PROGRA~1\CONTOS~1\LONGNA~1.EXE",
    ],
)
def test_a_file_is_found_by_every_form_of_its_path(path: str) -> None:
    found = files().get(path)
    assert found is not None
    assert found.path == r"C:\Program Files\Contoso One\Long Name Here.exe"
    assert files().long_path(path).lower() == found.path.lower()


def test_short_names_are_numbered_in_the_order_of_creation() -> None:
    assert files().short_path(r"C:\Program Files\Contoso One") == r"C:\PROGRA~1\CONTOS~1"
    assert files().short_path(r"C:\Program Files (x86)\x.txt") == r"C:\PROGRA~2\X.TXT"


def test_a_path_that_is_not_there_is_long_as_far_as_it_exists() -> None:
    assert files().get(r"C:\PROGRA~1\none\f~1.txt") is None
    assert files().long_path(r"C:\PROGRA~1\none\f~1.txt") == r"C:\Program Files\none\f~1.txt"
    assert files().long_path(r"C:\%nothing%\.\x\..\y. ") == r"C:\%nothing%\y"


def test_a_file_written_again_keeps_its_time_of_creation() -> None:
    system = files()
    later = START + timedelta(days=1)
    file = system.add(r"c:\program files (X86)\X.TXT", b"new", modified=later)
    assert (file.path, file.created, file.modified) == (r"C:\Program Files (x86)\x.txt", START, later)


def test_the_clock_follows_the_real_one_goes_forward_and_shows_the_past() -> None:
    clock = Clock()
    assert abs(clock.now() - datetime.now(timezone.utc)) < timedelta(seconds=5)
    clock.advance(3600)
    assert timedelta(seconds=3595) < clock.now() - datetime.now(timezone.utc) < timedelta(seconds=3605)
    with clock.past() as show:
        show(START)
        assert clock.now() == START
    assert clock.now() > START + timedelta(hours=1)
    with pytest.raises(ValueError, match="only goes forward"):
        clock.advance(-1)


def test_times_are_written_in_utc_with_milliseconds() -> None:
    moment = datetime(2026, 1, 31, 23, 59, 59, 123987, tzinfo=timezone(timedelta(hours=9)))
    assert utc_text(moment) == "2026-01-31T14:59:59.123Z"
