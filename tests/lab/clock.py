# Copyright (c) 2026, the sfb.kb4023993 contributors
# GNU General Public License v3.0-or-later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The clock of the lab: UTC, moved forward on request, and settable while the past of a scenario is played through."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta, timezone

_REALLY_WAITED = 0.25


def utc_text(moment: datetime) -> str:
    """``2026-01-31T23:59:59.123Z``, the form of all times in replies."""
    return moment.astimezone(timezone.utc).strftime("%Y-%m-%dT%H:%M:%S.") + f"{moment.microsecond // 1000:03d}Z"


class Clock:
    """Tells the true time of the lab; what a host's own clock shows is this plus the host's skew.

    It follows the real clock, or stands still at ``start`` when one is given (for tests of time itself).
    """

    def __init__(self, *, start: datetime | None = None) -> None:
        self._start = start
        self._offset = timedelta()
        self._past: datetime | None = None

    def now(self) -> datetime:
        if self._past is not None:
            return self._past
        return (self._start or datetime.now(timezone.utc)) + self._offset

    def advance(self, seconds: float) -> None:
        """Let time pass at once. There is no way back.

        :raises ValueError: for a negative number.
        """
        if seconds < 0:
            raise ValueError("The clock of the lab only goes forward; give a number of seconds that is not negative.")
        if self._past is not None:
            self._past += timedelta(seconds=seconds)
        else:
            self._offset += timedelta(seconds=seconds)

    def wait(self, seconds: float) -> None:
        """Let time pass as a server does that waits: really for a blink, else by advancing, so that no test sleeps."""
        if seconds > _REALLY_WAITED or self._start is not None or self._past is not None:
            self.advance(seconds)
        elif seconds > 0:
            time.sleep(seconds)

    @contextlib.contextmanager
    def past(self) -> Iterator[Callable[[datetime], None]]:
        """Inside, the clock shows what the given function is told; afterwards it is the present again."""

        def show(moment: datetime) -> None:
            self._past = moment

        try:
            yield show
        finally:
            self._past = None
