# Copyright (c) 2026, the sfb.kb4023993 contributors
# GNU General Public License v3.0-or-later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Carries out one host's part of a plan. Of the override; ``certificate_steps`` has what workaround 1 does on a host.

Each step is recorded on the server before it is made, in the same batch, and a batch of changes stops at the first operation that
fails or is refused. So a run that dies anywhere leaves the host in a state that the next run can name and finish.
"""

from __future__ import annotations

import contextlib
import dataclasses
import time
import typing as t

from .carry_out import (
    StepError,
    claim_operation,
    forget_claim_operation,
    keep_operation,
    record_operation,
    refuse_if_claimed,
    release_operation,
    run_operations,
)
from .claims import Claimant, Others, passed_over
from .host import operations as op
from .host.session import Session, SessionError
from .host.wire import Reply
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
    read_records,
    record_text,
    target_name,
)
from .rules.roles import with_believable_start
from .rules.times import is_after
from .words import quoted

_PROCESS: t.Final = "DataMCUSvc"
_STEP_SECONDS: t.Final = 20
_RESTART: t.Final = f"restart|{SERVICE}".lower()


@dataclasses.dataclass(frozen=True, kw_only=True)
class _Now:
    """What a host says right before it is changed."""

    machine_guid: str | None
    time_utc: str
    service: op.ServiceState
    process: op.ProcessState | None
    records: Records
    claim: op.RegistryValue | None
    invalid: frozenset[str]
    truncated: bool
    values: tuple[op.RegistryReadReply, ...]


def write_changes(session: Session, plan: HostPlan, *, run_id: str, claimant: Claimant | None = None) -> Outcome:
    """Write the registry values of a plan, each with its record, and record that a restart is needed. Restarts nothing.

    :param claimant: claims the pool first, where the plan restarts the service.
    :raises SessionError: the host cannot be talked to any more.
    """
    try:
        now = _read_now(session, plan.changes)
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


def _clear_operation(name: str, now: _Now) -> op.RegistryDelete:
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


def _restart_operations(plan: HostPlan, now: _Now, run_id: str, *, changes: bool) -> list[op.Operation]:
    """The record of a restart that is needed from now on. One that stands and is not fulfilled is kept as it is."""
    record = now.records.restart
    if not plan.restart or plan.finish:
        return []
    if record and not _is_fulfilled(record, now):
        return []
    if record and record.begun_utc and not changes:
        return []
    # A fulfilled record would make the coming restart look as if it had happened already.
    dependents = record.dependents if record and record.begun_utc else ()
    return [record_operation(RestartRecord(since_utc=NOW, dependents=dependents, run_id=run_id))]


def restart_service(
    session: Session,
    *,
    run_id: str,
    timeout_seconds: int,
    only_if_recorded: bool = True,
    claim: str | None = None,
    last: bool = False,
) -> Outcome:
    """Restart RTCDATAMCU, or finish a recorded restart, and remove the record.

    Stopping and starting are asked for in short batches, so that no connection has to bear a long wait.

    :param only_if_recorded: do nothing where the server's record does not ask for a restart.
    :param claim: the text of this run's claim on this server; only where it still stands is anything done.
    :param last: no other server of the pool comes after this one, so the claim goes too, also after a failure.
    :raises SessionError: the host cannot be talked to any more; the record on the server lets the next run go on.
    """
    release = (release_operation(claim),) if claim and last else ()
    try:
        outcome = _restart_where_needed(
            session,
            run_id=run_id,
            timeout_seconds=timeout_seconds,
            only_if_recorded=only_if_recorded,
            keep=(keep_operation(claim),) if claim else (),
            release=release,
        )
    except StepError as error:
        if error.outcome.busy or not release:
            return dataclasses.replace(error.outcome, claim=None if error.outcome.busy else claim)
        with contextlib.suppress(StepError, SessionError):
            run_operations(session, release, stage="releasing the pool")
            claim = None
        return dataclasses.replace(error.outcome, claim=claim)
    return dataclasses.replace(outcome, claim=None if release else claim)


def _restart_where_needed(
    session: Session,
    *,
    run_id: str,
    timeout_seconds: int,
    only_if_recorded: bool,
    keep: tuple[op.Operation, ...],
    release: tuple[op.Operation, ...],
) -> Outcome:
    """:func:`restart_service` with its claim as operations: ``keep`` in front of what changes something, ``release`` with the last of it.

    :raises StepError: it was refused, or did not end well.
    """
    now = _read_now(session, ())
    if not keep:
        refuse_if_claimed(now.records, run_id=run_id, now_utc=now.time_utc, others=Others())
    record = now.records.restart
    if record is None and only_if_recorded:
        if release:
            run_operations(session, release, stage="releasing the pool")
        return Outcome(status="unchanged", message="No restart was needed.")
    _check_startable(now.service)
    if record and only_if_recorded and not record.begun_utc:
        settled = _settled(record, now)
        if settled:
            clear = op.RegistryDelete(path=KEY, name=record.value_name, prune=True)
            run_operations(session, [*keep, clear, *release], stage="clearing the record")
            return Outcome(status="unchanged", message=settled)
    fulfilled = record is not None and _is_fulfilled(record, now)
    if record is None or (fulfilled and not only_if_recorded):
        record, fulfilled = RestartRecord(since_utc=NOW, run_id=run_id), False
    if not record.begun_utc:
        running = tuple(d.name for d in now.service.dependents if d.status in ("running", "start_pending"))
        dependents = tuple(dict.fromkeys((*record.dependents, *running)))
        record = dataclasses.replace(record, begun_utc=NOW, dependents=dependents)
    return _restart(
        session, now, record, already_new=fulfilled, timeout_seconds=timeout_seconds, keep=keep, release=release
    )


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


def _is_fulfilled(record: RestartRecord, now: _Now) -> bool:
    """Whether the process has started since the restart was asked for, or begun."""
    since = record.begun_utc or record.since_utc
    return now.process is not None and is_after(now.process.started_utc, since)


def _settled(record: RestartRecord, now: _Now) -> str | None:
    """Why a restart that was not begun is not needed any more."""
    if _is_fulfilled(record, now):
        return f"{SERVICE} had already been restarted; its record was removed."
    if now.service.status == "stopped":
        # Somebody stopped it, and starting it is theirs.
        return f"{SERVICE} is stopped, so it was not restarted; its next start reads the change."
    return None


def _restart(
    session: Session,
    now: _Now,
    record: RestartRecord,
    *,
    already_new: bool,
    timeout_seconds: int,
    keep: tuple[op.Operation, ...],
    release: tuple[op.Operation, ...],
) -> Outcome:
    stop = now.service.status in ("running", "stop_pending", "paused", "pause_pending") and not already_new
    first: list[op.Operation] = [record_operation(record)] if record.begun_utc == NOW else []
    deadline = time.monotonic() + timeout_seconds
    while True:
        step = op.ServiceRestart(name=SERVICE, stop=stop, dependents=record.dependents, seconds=_STEP_SECONDS)
        batch = [*keep, *first, step]
        reply: op.ServiceRestartReply = run_operations(session, batch, stage="restarting RTCDATAMCU")[-1].value
        if reply.phase == "done":
            break
        if time.monotonic() > deadline:
            raise StepError(
                "failed",
                f"{SERVICE} is still {reply.phase} ({reply.status}) after {timeout_seconds} seconds. Look at it on the server; "
                "run the same playbook again to go on from here.",
            )
        first, stop = [], reply.phase == "stopping"
    if reply.dependents_not_started:
        # The record stays: it is what knows of them.
        raise StepError(
            "failed",
            f"{SERVICE} runs again, but these services that depend on it do not: {', '.join(reply.dependents_not_started)}. "
            "Start them on the server, or run the same playbook again.",
        )
    clear = op.RegistryDelete(path=KEY, name=record.value_name, prune=True)
    batch = [op.Processes(names=(_PROCESS,)), clear, *release]
    after = run_operations(session, batch, stage="after the restart")
    process: op.ProcessesReply = after[0].value
    started = process.processes[0].started_utc if process.processes else "an unknown time"
    return Outcome(status="changed", message=f"{SERVICE} was restarted and runs since {started}.")


def _read_now(session: Session, changes: t.Sequence[ValueChange]) -> _Now:
    operations: list[op.Operation] = [
        op.System(),
        op.Services(names=(SERVICE,)),
        op.Processes(names=(_PROCESS,)),
        op.RegistryList(path=KEY),
        *(op.RegistryRead(path=change.path, name=change.name, view=change.view) for change in changes),
    ]
    values = [reply.value for reply in run_operations(session, operations, stage="reading before the change")]
    processes, records = values[2].processes, read_records(values[3])
    return _Now(
        machine_guid=values[0].machine_guid,
        time_utc=values[0].time_utc,
        service=values[1].services[0],
        process=with_believable_start(processes[0], values[0].time_utc) if processes else None,
        records=records,
        claim=next((value for value in values[3].values if value.name.lower() == CLAIM), None),
        invalid=frozenset(name.lower() for name in records.invalid),
        truncated=values[3].truncated,
        values=tuple(values[4:]),
    )


def _still_to_do(plan: HostPlan, now: _Now) -> list[tuple[ValueChange, op.RegistryReadReply]]:
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


def _check_startable(service: op.ServiceState) -> None:
    if not service.exists:
        raise StepError("refused", f"There is no service {SERVICE} on this server.")
    if service.start_mode == "disabled":
        raise StepError(
            "refused", f"{SERVICE} is disabled, so it is not restarted. Its next start will read the change."
        )


def _summary(changes: t.Sequence[ValueChange], plan: HostPlan) -> str:
    parts = [f"{change.reason} ({change.expect} -> {change.write})" for change in changes]
    if plan.clear:
        parts.append("records that nothing needs any more were removed")
    if plan.restart:
        parts.append(f"{SERVICE} has to be restarted" + ("" if plan.wave is None else f" in wave {plan.wave + 1}"))
    return "; ".join(parts)[:1].upper() + "; ".join(parts)[1:] + "."
