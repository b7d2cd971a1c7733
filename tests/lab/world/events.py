# Copyright (c) 2026, the sfb.kb4023993 contributors
# GNU General Public License v3.0-or-later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The event log of one simulated server.

A fault logs the same events for weeks, so the log keeps series ("these events, every minute, 40,000 times") and writes single
events only when somebody reads.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import islice

MAX_EVENTS = 30_000
"""How many events the log holds before the oldest are overwritten."""


@dataclass(frozen=True, kw_only=True)
class Entry:
    """One event of a series: ``delay`` after the beginning of each repetition."""

    id: int
    strings: tuple[str, ...]
    delay: timedelta = timedelta()


@dataclass(frozen=True, kw_only=True)
class LoggedEvent:
    """One event as it is read. ``time`` is the lab's true time."""

    id: int
    record_id: int
    time: datetime
    provider: str
    strings: tuple[str, ...]


@dataclass(kw_only=True)
class _Series:
    number: int
    provider: str
    entries: tuple[Entry, ...]
    first: datetime
    interval: timedelta
    count: int

    def count_before(self, time: datetime, number: int) -> int:
        """How many events of this series come before an event at ``time`` of series ``number``."""
        total = 0
        for entry in self.entries:
            since = time - self.first - entry.delay
            repetitions, rest = divmod(since, self.interval)
            if rest or self.number < number:
                repetitions += 1
            total += max(0, min(self.count, repetitions))
        return total

    def newest_first(self, event_id: int) -> Iterator[tuple[datetime, int, Entry]]:
        for repetition in range(self.count - 1, -1, -1):
            start = self.first + repetition * self.interval
            for entry in reversed(self.entries):
                if entry.id == event_id:
                    yield start + entry.delay, self.number, entry


class EventLog:
    """One log (``Lync Server``). Events have a provider, an id, insertion strings, a time and a record number."""

    def __init__(self) -> None:
        self._series: list[_Series] = []

    def write_series(
        self, provider: str, entries: tuple[Entry, ...], first: datetime, interval: timedelta, count: int
    ) -> None:
        """``count`` repetitions of ``entries``, ``interval`` apart. It goes on with a series that it continues."""
        if count < 1:
            return
        for series in reversed(self._series):
            continues = series.provider == provider and series.entries == entries and series.interval == interval
            if continues and series.first + series.count * interval == first:
                series.count += count
                return
        self._series.append(
            _Series(
                number=len(self._series),
                provider=provider,
                entries=entries,
                first=first,
                interval=interval,
                count=count,
            )
        )

    def newest(self, provider: str, event_id: int, since: datetime) -> Iterator[LoggedEvent]:
        """The events of one id, newest first, back to ``since`` or to what the log still holds."""
        total = sum(series.count * len(series.entries) for series in self._series)
        streams = [s.newest_first(event_id) for s in self._series if s.provider.casefold() == provider.casefold()]
        for time, number, entry in heapq.merge(*streams, key=lambda item: item[:2], reverse=True):
            record_id = 1 + sum(series.count_before(time, number) for series in self._series)
            if time < since or record_id <= total - MAX_EVENTS:
                return
            yield LoggedEvent(id=entry.id, record_id=record_id, time=time, provider=provider, strings=entry.strings)

    def read(self, provider: str, event_id: int, since: datetime, limit: int) -> tuple[tuple[LoggedEvent, ...], bool]:
        """At most ``limit`` events, newest first, and whether there were more."""
        found = list(islice(self.newest(provider, event_id, since), limit + 1))
        return tuple(found[:limit]), len(found) > limit
