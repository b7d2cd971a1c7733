# Copyright (c) 2026, the sfb.kb4023993 contributors
# GNU General Public License v3.0-or-later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Carries out one host's part of a plan. Of the override; ``certificate_steps`` has what workaround 1 does on a host.

Each step is recorded on the server before it is made, in the same batch, and a batch of changes stops at the first operation that
fails or is refused. So a run that dies anywhere leaves the host in a state that the next run can name and finish.
"""

from __future__ import annotations

import dataclasses
import typing as t

from .carry_out import (
    StepError,
    claim_operation,
    forget_claim_operation,
    record_operation,
    refuse_if_claimed,
    release_operation,
    run_operations,
)
from .claims import Claimant, Others, passed_over
from .host import operations as op
from .host.session import Session
from .host.wire import Reply
from .host_now import HostNow, is_fulfilled, read_now
from .host_plan import HostPlan, ValueChange
from .outcome import Outcome
from .records import (
    CLAIM,
    KEY,
    NOW,
    SERVICE,
    ChangeRecord,
    Records,
    RestartRecord,
    ValueState,
    can_be_read_back,
    record_text,
    target_name,
)
from .words import quoted

_RESTART: t.Final = f"restart|{SERVICE}".lower()


def write_changes(session: Session, plan: HostPlan, *, run_id: str, claimant: Claimant | None = None) -> Outcome:
    """Write the registry values of a plan, each with its record, and record that a restart is needed. Restarts nothing.

    :param claimant: claims the pool first, where the plan restarts the service.
    :raises SessionError: the host cannot be talked to any more.
    """
    try:
        now = read_now(session, plan.changes)
        if plan.machine_guid and now.machine_guid != plan.machine_guid:
            raise StepError("refused", "This is not the machine that the plan was made for. Make a new plan.")
        others = claimant.others if claimant else Others()
        refuse_if_claimed(now.records, run_id=run_id, now_utc=now.time_utc, others=others)
        todo = _still_to_do(plan, now)
        # First of all the restart: a run that dies after the change must not leave a process that nobody restarts.
        operations = _restart_operations(plan, now, run_id, changes=bool(todo))
        for change, found in todo:
            operations.extend(_change_operations(change, found, now.records, run_id))
        operations.extend(_clear_operation(name, now) for name in plan.clear)
        written = bool(operations)
        claim = claimant.record(run_id=run_id, now_utc=now.time_utc) if claimant and plan.wave is not None else None
        if claim:
            # In front of everything: what another run is at work on is left as it is.
            operations.insert(0, claim_operation(claim, now.claim))
        if not operations:
            return Outcome(status="unchanged", message="Nothing had to be written.")
        try:
            run_operations(session, operations, stage="changing the registry")
        except StepError as error:
            _take_back(session, error.replies)
            raise
        message = _summary([change for change, _found in todo], plan) if written else "Nothing had to be written."
        over = passed_over(now.records, run_id=run_id, now_utc=now.time_utc, others=others) if claim else None
        return Outcome(
            status="changed" if written else "unchanged",
            message=f"{message} {over[:1].upper()}{over[1:]}." if over else message,
            claim=record_text(claim) if claim else None,
        )
    except StepError as error:
        return error.outcome


def _clear_operation(name: str, now: HostNow) -> op.RegistryDelete:
    """Remove a record that has nothing left to undo. A claim only as it was read, because another run may have put its own there."""
    if name == CLAIM and now.claim is not None:
        return forget_claim_operation(now.claim)
    return op.RegistryDelete(path=KEY, name=name, prune=True)


def release_claim(session: Session, claim: str) -> Outcome:
    """Take this run's claim away from a server, so that other runs may work in its pool.

    :param claim: its text, as the outcome of :func:`write_changes` has it.
    :raises SessionError: the host cannot be talked to any more.
    """
    try:
        run_operations(session, [release_operation(claim)], stage="releasing the pool")
    except StepError as error:
        return error.outcome
    return Outcome(status="unchanged", message="Other runs may work in this pool again.")


def _restart_operations(plan: HostPlan, now: HostNow, run_id: str, *, changes: bool) -> list[op.Operation]:
    """The record of a restart that is needed from now on. One that stands and is not fulfilled is kept as it is."""
    record = now.records.restart
    if not plan.restart or plan.finish:
        return []
    if record and not is_fulfilled(record, now):
        return []
    if record and record.begun_utc and not changes:
        return []
    # A fulfilled record would make the coming restart look as if it had happened already.
    dependents = record.dependents if record and record.begun_utc else ()
    return [record_operation(RestartRecord(since_utc=NOW, dependents=dependents, run_id=run_id))]


def _take_back(session: Session, replies: t.Sequence[Reply]) -> None:
    """After a batch that failed: take back its claim, and the record of a restart when none of the changes was made that it was for."""
    done = [reply for reply in replies if isinstance(reply.value, op.RegistryChangeReply) and not reply.value.refused]
    written = [reply.operation for reply in done if isinstance(reply.operation, op.RegistrySet)]
    made = any(reply.value.changed and getattr(reply.operation, "path", KEY) != KEY for reply in done)
    undo: list[op.Operation] = []
    for operation in written:
        if operation.path == KEY and operation.name.lower() == _RESTART and not made:
            undo.append(op.RegistryDelete(path=KEY, name=operation.name, prune=True))
        elif operation.path == KEY and operation.name == CLAIM:
            undo.append(release_operation(operation.data[0]))
    if undo:
        run_operations(session, undo, stage="clearing the record")


def _still_to_do(plan: HostPlan, now: HostNow) -> list[tuple[ValueChange, op.RegistryReadReply]]:
    """The changes that a run that died has not already made; anything else than expected refuses all of them."""
    todo = []
    hidden = now.truncated or not now.invalid.isdisjoint({_RESTART, *map(_target, plan.changes)})
    if plan.changes and hidden:
        raise StepError(
            "refused",
            f"The record of an earlier change below HKLM\\{KEY} cannot be read, and writing would lose it. Look at it on the server.",
        )
    for change, reply in zip(plan.changes, now.values, strict=True):
        found = ValueState.of(reply.value)
        record = next((r for r in now.records.changes if r.value_name == _target(change)), None)
        unfinished = record.state == "intent" if record else change.expect == change.write
        if found not in (change.expect, change.write):
            raise StepError(
                "refused",
                f"HKLM\\{change.path}, value {quoted(change.name)} is {found}, the plan expected {change.expect}. Nothing was written; "
                "run again to make a new plan.",
            )
        if found != change.write or unfinished:
            todo.append((change, reply))
    return todo


def _target(change: ValueChange) -> str:
    return target_name(change.path, change.name, change.view)


def _change_operations(
    change: ValueChange, found: op.RegistryReadReply, records: Records, run_id: str
) -> t.Iterator[op.Operation]:
    """Intent, change, applied: in this order, in one batch that stops at the first failure.

    The oldest "before" is kept through later changes; a change back to it ends the record.
    """
    earlier = next((r for r in records.changes if r.value_name == _target(change)), None)
    # What somebody else wrote after us is theirs: then that is what was there before.
    kept = earlier if earlier and change.expect in (earlier.written, earlier.before) else None
    record = ChangeRecord(
        path=change.path,
        name=change.name,
        view=change.view,
        key_existed=earlier.key_existed if earlier else found.key_exists,
        before=kept.before if kept else change.expect,
        written=change.write,
        state="intent",
        time_utc=NOW,
        run_id=run_id,
    )
    if not can_be_read_back(record):
        raise StepError(
            "refused",
            f"What stands in the value {quoted(change.name)} now cannot be recorded, so it could not be put back. Nothing was written.",
        )
    undo = earlier is not None and change.write == record.before and change.expect != change.write
    if not undo:
        # The record that an undo takes back says all that is needed, until it goes.
        yield record_operation(record)
    expected: dict[str, t.Any] = {"expect": "absent"}
    current = ValueState.of(found.value)
    if current.kind is not None:
        expected = {"expect": "value", "expect_kind": current.kind, "expect_data": current.wire_data()}
    if change.write.kind is None:
        yield op.RegistryDelete(path=change.path, name=change.name, view=change.view, prune=change.prune, **expected)
    else:
        yield op.RegistrySet(
            path=change.path,
            name=change.name,
            view=change.view,
            kind=change.write.kind,
            data=change.write.wire_data(),
            **expected,
        )
    if undo:
        yield op.RegistryDelete(path=KEY, name=record.value_name, prune=True)
    else:
        yield record_operation(dataclasses.replace(record, state="applied"))


def _summary(changes: t.Sequence[ValueChange], plan: HostPlan) -> str:
    parts = [f"{change.reason} ({change.expect} -> {change.write})" for change in changes]
    if plan.clear:
        parts.append("records that nothing needs any more were removed")
    if plan.restart:
        parts.append(f"{SERVICE} has to be restarted" + ("" if plan.wave is None else f" in wave {plan.wave + 1}"))
    return "; ".join(parts)[:1].upper() + "; ".join(parts)[1:] + "."
