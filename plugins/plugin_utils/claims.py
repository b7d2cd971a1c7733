# Copyright (c) 2026, the sfb.kb4023993 contributors
# GNU General Public License v3.0-or-later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Keeps runs of different controllers apart: a run that is about to restart servers of a pool says so on each of them first. Pure.

The claim is a record on the server (``records.py``), written by compare-and-set in front of everything else that the run changes there. It
binds no other run longer than it says itself, and never longer than a day. What stands there is data from outside: a claim that cannot be
true holds nobody up, and one that cannot be read only until somebody says so.
"""

from __future__ import annotations

import dataclasses
import datetime
import typing as t

from .records import CLAIM, KEY, ClaimRecord, Records
from .rules.times import format_time, parse_time
from .words import one_line

LONGEST_SECONDS: t.Final = 24 * 3600
# For reading and writing on all servers, before the first wave; and what a wave takes beside the restart itself.
_BEFORE_SECONDS: t.Final = 900
_WAVE_SECONDS: t.Final = 120
_WAIT: t.Final = "Wait until it has ended, then run again"
_TAKE_OVER: t.Final = "set sfb_kb4023993_take_over=true"

Standing = t.Literal["own", "live", "ended", "late", "impossible"]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Others:
    """What a run knows of the runs whose claims it finds, and what it may do about them.

    ``ended``: whether the run of this id is known to be over, so that its claim means nothing. ``take_over``: not even a claim that is good
    holds this run up, because a person says so.
    """

    ended: t.Callable[[str], bool] = lambda _run_id: False
    take_over: bool = False


@dataclasses.dataclass(frozen=True, kw_only=True)
class Claimant:
    """Who claims, and for how long at most."""

    controller: str
    seconds: int
    others: Others = Others()

    def record(self, *, run_id: str, now_utc: str) -> ClaimRecord:
        controller = one_line(self.controller, 100) or "?"
        return ClaimRecord(controller=controller, since_utc=now_utc, seconds=self.seconds, run_id=run_id)


def claim_seconds(waves: int, wave_seconds: int) -> int:
    """How long a run may take at most that restarts servers in so many waves, each of at most so many seconds."""
    return min(_BEFORE_SECONDS + waves * (wave_seconds + _WAVE_SECONDS), LONGEST_SECONDS)


def standing(claim: ClaimRecord, *, run_id: str, now_utc: str | None, others: Others) -> Standing:
    """What a claim means for the run ``run_id``; ``now_utc`` by the clock of the server that has it."""
    if claim.run_id == run_id:
        return "own"
    if others.ended(claim.run_id):
        return "ended"
    since, now = parse_time(claim.since_utc), parse_time(now_utc)
    if since is None or claim.seconds > LONGEST_SECONDS or (now is not None and since > now):
        return "impossible"
    if now is not None and now > since + datetime.timedelta(seconds=claim.seconds):
        return "late"
    return "live"


def obstacle(records: Records, *, run_id: str, now_utc: str | None, others: Others) -> str | None:
    """Why nothing may be changed on a server with these records, in plain words; None where no claim is in the way."""
    if others.take_over:
        return None
    if CLAIM in (name.lower() for name in records.invalid):
        return (
            f"HKLM\\{KEY} has a value {CLAIM} that this version cannot read: a run of another version may be at work. Look at it on the "
            f"server; if nobody is at work, {_TAKE_OVER}."
        )
    claim = records.claim
    if claim is None or standing(claim, run_id=run_id, now_utc=now_utc, others=others) != "live":
        return None
    return f"{described(claim)} {_WAIT}. Once its time is over it holds nobody up any more; if it is dead before that, {_TAKE_OVER}."


def passed_over(records: Records, *, run_id: str, now_utc: str | None, others: Others) -> str | None:
    """Why a claim of another run that stands there is not minded, in plain words; None where there is none."""
    claim = records.claim
    if claim is None:
        unreadable = CLAIM in (name.lower() for name in records.invalid)
        return "a claim that cannot be read was taken over, as asked for" if unreadable and others.take_over else None
    why = standing(claim, run_id=run_id, now_utc=now_utc, others=others)
    if why == "own":
        return None
    reason = {
        "live": "was taken over, as asked for",
        "ended": "is over: that run did not come to its end, and this one goes on from there",
        "late": f"is over: its time ended at {until(claim)}",
        "impossible": "does not count: it says what cannot be",
    }[why]
    return f"the claim of run {claim.run_id} of the controller {claim.controller} {reason}"


def described(claim: ClaimRecord) -> str:
    """Who is at work, since when, and until when at most, in one sentence."""
    return (
        f"The run {claim.run_id} of the controller {claim.controller} is changing servers of this pool: it began at {claim.since_utc} and "
        f"ends at the latest at {until(claim)}, by this server's clock."
    )


def until(claim: ClaimRecord) -> str:
    """The moment from which a claim holds nobody up."""
    since = parse_time(claim.since_utc)
    seconds = min(claim.seconds, LONGEST_SECONDS)
    try:
        return format_time(since + datetime.timedelta(seconds=seconds)) if since else "an unknown time"
    except OverflowError:
        return "an unknown time"
