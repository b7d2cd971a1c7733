# Copyright (c) 2026, the sfb.kb4023993 contributors
# GNU General Public License v3.0-or-later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Hosts' clocks that were wrong and were set right: what was written down by the old time would seem to be older than it is.

Times of one host are compared with each other, so a clock that is always wrong does no harm. The controller's clock tells when one was set.
"""

from __future__ import annotations

import datetime
import re
import typing as t

from ..evidence import Evidence
from .times import format_time, parse_time

_RUN: t.Final = re.compile(r"(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z")
# What counts as setting a clock. Time service and Kerberos keep a member of a domain within minutes; a clock that really was wrong is
# wrong by hours at least. A batch may also begin some time after its evidence was dated.
_TOLERANCE: t.Final = datetime.timedelta(hours=1)


def on_clock_of(evidence: Evidence, controller_utc: str) -> str | None:
    """A moment of the controller, as the host's clock goes now, and a little before it; None where the clocks cannot be compared."""
    ahead, moment = _ahead(evidence), parse_time(controller_utc)
    if ahead is None or moment is None:
        return None
    try:
        return format_time(moment + ahead - _TOLERANCE)
    except OverflowError:
        return None


def begin_of_run(run_id: str) -> str:
    """When a run began, by the controller's clock, from its id; empty for one that tells no time."""
    found = _RUN.match(run_id)
    return "{}-{}-{}T{}:{}:{}Z".format(*found.groups()) if found else ""


def was_set_forward(earlier: Evidence, now: Evidence) -> bool:
    """Whether the host's clock was set forward between two readings."""
    before, after = _ahead(earlier), _ahead(now)
    return before is not None and after is not None and after - before > _TOLERANCE


def _ahead(evidence: Evidence) -> datetime.timedelta | None:
    """How far the host's clock is ahead of the controller's. Of a reading by hand the controller does not know when it was."""
    theirs = parse_time(evidence.system.time_utc) if evidence.system else None
    ours = parse_time(evidence.collected_utc)
    return theirs - ours if theirs and ours and evidence.offline is None else None
