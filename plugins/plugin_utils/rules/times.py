# Copyright (c) 2026, the sfb.kb4023993 contributors
# GNU General Public License v3.0-or-later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Times as hosts write them, compared."""

from __future__ import annotations

import datetime
import functools
import re
import typing as t

_TIME: t.Final = re.compile(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.(\d{1,7}))?Z\Z")


# The events of a server name the same seconds again and again, and each is compared more than once.
@functools.lru_cache(maxsize=8192)
def parse_time(text: str | None) -> datetime.datetime | None:
    """``2026-01-31T23:59:59.123Z`` as an aware time in UTC; None for no text or another form."""
    match = _TIME.match(text or "")
    if not match:
        return None
    try:
        moment = datetime.datetime.fromisoformat(match.group(1)).replace(tzinfo=datetime.timezone.utc)
    except ValueError:
        return None
    return moment.replace(microsecond=int((match.group(2) or "0").ljust(6, "0")[:6]))


def is_after(first: str | None, second: str | None) -> bool:
    """Whether ``first`` is known to be later than ``second``; False where either is not known."""
    one, two = parse_time(first), parse_time(second)
    return one is not None and two is not None and one > two


def format_time(moment: datetime.datetime) -> str:
    """A time as evidence writes it, in UTC with seconds."""
    return f"{moment.astimezone(datetime.timezone.utc):%Y-%m-%dT%H:%M:%SZ}"
