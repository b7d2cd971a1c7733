# Copyright (c) 2026, the sfb.kb4023993 contributors
# GNU General Public License v3.0-or-later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How long evidence that was read by hand may speak for its server. Pure."""

from __future__ import annotations

import datetime
import typing as t

from ..evidence import Evidence, Failure
from ..rules.times import parse_time
from ..words import counted

_STAGE: t.Final = "looking for evidence that was read by hand"
_ADVICE: t.Final = "Make a kit with the playbook offline_kit, start it on the server, and take its file up with the playbook offline_import."


def age(evidence: Evidence, *, now: datetime.datetime) -> datetime.timedelta:
    """How old the evidence is; evidence of no known time is older than all others."""
    read = parse_time(evidence.collected_utc)
    return datetime.timedelta.max if read is None else now - read


def age_in_words(evidence: Evidence, *, now: datetime.datetime) -> str:
    """``3 days ago``, ``less than a day ago``."""
    days = age(evidence, now=now).days
    return f"{counted(days, 'day')} ago" if days > 0 else "less than a day ago"


def why_not_used(
    evidence: Evidence | None, *, max_age_days: int, now: datetime.datetime, damage: str = ""
) -> Failure | None:
    """Why the evidence of a server that is read by hand does not count; None where it does.

    :param damage: why there is no evidence although there is a file.
    """
    if evidence is None:
        return Failure(
            kind="no_evidence", stage=_STAGE, message=damage or "There is none of this server.", advice=_ADVICE
        )
    if age(evidence, now=now) > datetime.timedelta(days=max_age_days):
        text = f"It is of {evidence.collected_utc}, {age_in_words(evidence, now=now)}; {counted(max_age_days, 'day')} are allowed."
        return Failure(kind="evidence_too_old", stage=_STAGE, message=text, advice=_ADVICE)
    return None
