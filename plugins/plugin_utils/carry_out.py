# Copyright (c) 2026, the sfb.kb4023993 contributors
# GNU General Public License v3.0-or-later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Running operations that depend on each other: the first that fails or is refused ends the step, in plain words."""

from __future__ import annotations

import typing as t

from .claims import Others, described, obstacle
from .host import operations as op
from .host.session import Session
from .host.wire import Reply
from .outcome import Outcome
from .records import CLAIM, KEY, AnyRecord, ClaimRecord, Records, ValueState, read_records, record_text
from .words import one_line


class StepError(Exception):
    """A step that cannot go on; becomes its outcome. ``replies``: of the batch that ended it."""

    def __init__(
        self,
        status: t.Literal["refused", "failed"],
        message: str,
        replies: t.Sequence[Reply] = (),
        *,
        busy: bool = False,
    ) -> None:
        super().__init__(message)
        self.replies = replies
        self.outcome = Outcome(status=status, message=one_line(message, 1000), busy=busy)


def run_operations(
    session: Session, operations: t.Sequence[op.Operation], *, stage: str, deadline_seconds: int = 90
) -> tuple[Reply, ...]:
    """Run a batch that stops at the first operation that fails or is refused.

    :raises StepError: one of them did.
    :raises SessionError: the host cannot be talked to any more.
    """
    replies = session.run(operations, stage=stage, stop_on_error=True, deadline_seconds=deadline_seconds)
    for reply in replies:
        if reply.error is not None:
            what = reply.operation.NAME.replace("_", " ")
            raise StepError("failed", f"{stage}: {what} failed ({reply.error.type}): {reply.error.message}", replies)
        if isinstance(reply.value, op.RegistryChangeReply) and reply.value.refused:
            if _is_claim(reply.operation):
                raise StepError("refused", f"{stage}: {_who(reply.value.before)}", replies, busy=True)
            found = ValueState.of(reply.value.before)
            raise StepError(
                "refused",
                f"{stage}: somebody changed a value at the same time (it is {found} now). It was left alone; run again.",
                replies,
            )
    return replies


def record_operation(record: AnyRecord) -> op.RegistrySet:
    """Write a record on the server; ``NOW`` in it becomes the server's time."""
    return op.RegistrySet(
        path=KEY, name=record.value_name, kind="string", data=(record_text(record),), private=True, stamp=True
    )


def forget_operation(record: AnyRecord) -> op.RegistryDelete:
    """Remove a record, and the key with the last one."""
    return op.RegistryDelete(path=KEY, name=record.value_name, prune=True)


def refuse_if_claimed(records: Records, *, run_id: str, now_utc: str | None, others: Others) -> None:
    """Stop where another run is at work in the pool of a server with these records.

    :raises StepError: it is.
    """
    reason = obstacle(records, run_id=run_id, now_utc=now_utc, others=others)
    if reason:
        raise StepError("refused", f"Nothing was done. {reason}", busy=True)


def claim_operation(claim: ClaimRecord, found: op.RegistryValue | None) -> op.RegistrySet:
    """Claim the pool on this server, unless somebody else has done so since ``found`` was read there."""
    expected = _expecting(found)
    return op.RegistrySet(path=KEY, name=CLAIM, kind="string", data=(record_text(claim),), private=True, **expected)


def keep_operation(claim: str) -> op.RegistrySet:
    """Go on only where this run's own claim still stands; changes nothing.

    :param claim: its text.
    """
    own = op.RegistryValue(name=CLAIM, kind="string", data=claim)
    return op.RegistrySet(path=KEY, name=CLAIM, kind="string", data=(claim,), **_expecting(own))


def release_operation(claim: str) -> op.RegistryDelete:
    """Take this run's own claim away, and the key with the last record; one of another run stays.

    :param claim: its text.
    """
    return forget_claim_operation(op.RegistryValue(name=CLAIM, kind="string", data=claim))


def forget_claim_operation(found: op.RegistryValue) -> op.RegistryDelete:
    """Take a claim away that is as it was found, and the key with the last record."""
    return op.RegistryDelete(path=KEY, name=CLAIM, prune=True, **_expecting(found))


def _expecting(found: op.RegistryValue | None) -> dict[str, t.Any]:
    if found is None:
        return {"expect": "absent"}
    return {"expect": "value", "expect_kind": found.kind, "expect_data": ValueState.of(found).wire_data()}


def _is_claim(operation: op.Operation) -> bool:
    return isinstance(operation, (op.RegistrySet, op.RegistryDelete)) and (operation.path, operation.name) == (
        KEY,
        CLAIM,
    )


def _who(found: op.RegistryValue | None) -> str:
    """Who is at work instead of this run."""
    listed = op.RegistryListReply(key_exists=True, values=(found,) if found else (), subkeys=(), truncated=False)
    claim = read_records(listed).claim
    reason = described(claim) if claim else "The claim of this run is not there any more."
    return f"{reason} Nothing more was done here; wait until nobody is at work, then run again."
