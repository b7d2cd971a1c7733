# Copyright (c) 2026, the sfb.kb4023993 contributors
# GNU General Public License v3.0-or-later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Running operations that depend on each other: the first that fails or is refused ends the step, in plain words."""

from __future__ import annotations

import typing as t

from .host import operations as op
from .host.session import Session
from .host.wire import Reply
from .outcome import Outcome
from .records import KEY, AnyRecord, ValueState, record_text
from .words import one_line


class StepError(Exception):
    """A step that cannot go on; becomes its outcome. ``replies``: of the batch that ended it."""

    def __init__(self, status: t.Literal["refused", "failed"], message: str, replies: t.Sequence[Reply] = ()) -> None:
        super().__init__(message)
        self.replies = replies
        self.outcome = Outcome(status=status, message=one_line(message, 1000))


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
