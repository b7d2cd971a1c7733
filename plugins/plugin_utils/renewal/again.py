# Copyright (c) 2026, the sfb.kb4023993 contributors
# GNU General Public License v3.0-or-later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Records whose request came to nothing, and for which a person wants a new key and request. Pure."""

from __future__ import annotations

import datetime
import typing as t

from ..evaluate import Assessment
from ..signing.records import Record, RecordError
from ..words import one_line

# Nothing of these is in use on a server, and nothing waits at a CA.
_ENDED: t.Final = ("denied", "refused", "verified")


def ask_again(
    assessment: Assessment, records: t.Mapping[str, Record], wanted: t.Collection[str], *, now: datetime.datetime
) -> dict[str, Record]:
    """The wanted records, ready for a new request, by id; those under way in any other step are left as they are.

    The request that came to nothing stays in the record until the new one is there, so that it is not taken for the new one.

    :param wanted: ids of records.
    :raises RecordError: there is no such record, or its new certificate was assigned on a server.
    """
    found: dict[str, Record] = {}
    for name in wanted:
        record = records.get(name)
        if record is None:
            known = ", ".join(sorted(records)) or "none"
            raise RecordError(f"There is no record {one_line(name)!r} to make a new request for. There are: {known}.")
        if record.step not in _ENDED:
            continue
        assigned = next((server for server in record.servers if _is_assigned(assessment, server, record)), None)
        if assigned:
            raise RecordError(
                f"{record.id}: its certificate was assigned on {assigned} before, so no new request is made. Install it, or take it back with "
                "the playbook rollback."
            )
        note = f"A new key and request are to be made, as was asked for. Before that: {record.next_step}"
        found[name] = record.moved("planned", note, at=now, submission=None, new=None, problems=())
    return found


def _is_assigned(assessment: Assessment, server: str, record: Record) -> bool:
    view = assessment.fleet.views.get(server)
    own = view.records.certificate(record.uses[0]) if view and view.readable else None
    return bool(own and own.before)
