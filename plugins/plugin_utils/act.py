# Copyright (c) 2026, the sfb.kb4023993 contributors
# GNU General Public License v3.0-or-later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Carries out one host's part of a plan. The only module that changes a host.

Each step is recorded on the server before it is made, in the same batch, and a batch of changes stops at the first operation that
fails or is refused. So a run that dies anywhere leaves the host in a state that the next run can name and finish.
"""

from __future__ import annotations

import dataclasses
import time
import typing as t

from .host import operations as op
from .host.session import Session
from .host.wire import Reply
from .plan import HostPlan, ValueChange
from .records import (
    KEY,
    NOW,
    SERVICE,
    ChangeRecord,
    Records,
    RestartRecord,
    ValueState,
    read_records,
    record_text,
    target_name,
)
from .rules.times import is_after

Status = t.Literal["changed", "unchanged", "refused", "failed"]
_PROCESS: t.Final = "DataMCUSvc"
_STEP_SECONDS: t.Final = 20


@dataclasses.dataclass(frozen=True, kw_only=True)
class Outcome:
    """How a step on a host ended. ``message`` is one plain sentence; ``refused`` and ``failed`` stop the host's pool."""

    status: Status
    message: str

    @property
    def ok(self) -> bool:
        return self.status in ("changed", "unchanged")


@dataclasses.dataclass(frozen=True, kw_only=True)
class _Now:
    """What a host says right before it is changed."""

    machine_guid: str | None
    service: op.ServiceState
    process: op.ProcessState | None
    records: Records
    values: tuple[op.RegistryReadReply, ...]


class _StepError(Exception):
    """An operation of a step failed or was refused; becomes the outcome."""

    def __init__(self, status: t.Literal["refused", "failed"], message: str) -> None:
        super().__init__(message)
        self.outcome = Outcome(status=status, message=message)


def write_changes(session: Session, plan: HostPlan, *, run_id: str) -> Outcome:
    """Write the registry values of a plan, each with its record, and record that a restart is needed. Restarts nothing.

    :raises SessionError: the host cannot be talked to any more.
    """
    try:
        now = _read_now(session, plan.changes)
        if plan.machine_guid and now.machine_guid != plan.machine_guid:
            raise _StepError("refused", "This is not the machine that the plan was made for. Make a new plan.")
        todo = _still_to_do(plan, now)
        operations: list[op.Operation] = []
        for change, found in todo:
            operations.extend(_change_operations(change, found, now.records, run_id))
        if plan.restart and now.records.restart is None:
            operations.append(_record_operation(RestartRecord(since_utc=NOW, run_id=run_id)))
        operations.extend(op.RegistryDelete(path=KEY, name=name, prune=True) for name in plan.clear)
        if not operations:
            return Outcome(status="unchanged", message="Nothing had to be written.")
        _run(session, operations, stage="changing the registry")
        return Outcome(status="changed", message=_summary([change for change, _found in todo], plan))
    except _StepError as error:
        return error.outcome


def restart_service(session: Session, *, run_id: str, timeout_seconds: int, only_if_recorded: bool = True) -> Outcome:
    """Restart RTCDATAMCU, or finish a recorded restart, and remove the record.

    Stopping and starting are asked for in short batches, so that no connection has to bear a long wait.

    :param only_if_recorded: do nothing where the server's record does not ask for a restart.
    :raises SessionError: the host cannot be talked to any more; the record on the server lets the next run go on.
    """
    try:
        now = _read_now(session, ())
        record = now.records.restart
        if record is None and only_if_recorded:
            return Outcome(status="unchanged", message="No restart was needed.")
        _check_startable(now.service)
        record = record or RestartRecord(since_utc=NOW, run_id=run_id)
        since = record.begun_utc or record.since_utc
        done = now.process is not None and since != NOW and is_after(now.process.started_utc, since)
        if done and not record.begun_utc:
            _run(
                session, [op.RegistryDelete(path=KEY, name=record.value_name, prune=True)], stage="clearing the record"
            )
            return Outcome(status="changed", message=f"{SERVICE} had already been restarted; its record was removed.")
        if not record.begun_utc:
            running = tuple(d.name for d in now.service.dependents if d.status in ("running", "start_pending"))
            record = dataclasses.replace(record, begun_utc=NOW, dependents=running)
        return _restart(session, now, record, already_new=done, timeout_seconds=timeout_seconds)
    except _StepError as error:
        return error.outcome


def _restart(session: Session, now: _Now, record: RestartRecord, *, already_new: bool, timeout_seconds: int) -> Outcome:
    stop = now.service.status in ("running", "stop_pending", "paused", "pause_pending") and not already_new
    first: list[op.Operation] = [_record_operation(record)] if record.begun_utc == NOW else []
    deadline = time.monotonic() + timeout_seconds
    while True:
        step = op.ServiceRestart(name=SERVICE, stop=stop, dependents=record.dependents, seconds=_STEP_SECONDS)
        reply: op.ServiceRestartReply = _run(session, [*first, step], stage="restarting RTCDATAMCU")[-1].value
        if reply.phase == "done":
            break
        if time.monotonic() > deadline:
            raise _StepError(
                "failed",
                f"{SERVICE} is still {reply.phase} ({reply.status}) after {timeout_seconds} seconds. Look at it on the server; "
                "run the same playbook again to go on from here.",
            )
        first, stop = [], reply.phase == "stopping"
    clear = op.RegistryDelete(path=KEY, name=record.value_name, prune=True)
    process: op.ProcessesReply = _run(session, [op.Processes(names=(_PROCESS,)), clear], stage="after the restart")[
        0
    ].value
    if reply.dependents_not_started:
        raise _StepError(
            "failed",
            f"{SERVICE} runs again, but these services that depend on it do not: {', '.join(reply.dependents_not_started)}. "
            "Start them on the server.",
        )
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
    values = [reply.value for reply in _run(session, operations, stage="reading before the change")]
    processes = values[2].processes
    return _Now(
        machine_guid=values[0].machine_guid,
        service=values[1].services[0],
        process=processes[0] if processes else None,
        records=read_records(values[3]),
        values=tuple(values[4:]),
    )


def _still_to_do(plan: HostPlan, now: _Now) -> list[tuple[ValueChange, op.RegistryReadReply]]:
    """The changes that a run that died has not already made; anything else than expected refuses all of them."""
    todo = []
    for change, reply in zip(plan.changes, now.values, strict=True):
        found = ValueState.of(reply.value)
        unfinished = any(r.value_name == _target(change) and r.state == "intent" for r in now.records.changes)
        if found not in (change.expect, change.write):
            raise _StepError(
                "refused",
                f"HKLM\\{change.path}, value {change.name!r} is {found}, the plan expected {change.expect}. Nothing was written; "
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
    record = ChangeRecord(
        path=change.path,
        name=change.name,
        view=change.view,
        key_existed=earlier.key_existed if earlier else found.key_exists,
        before=earlier.before if earlier else change.expect,
        written=change.write,
        state="intent",
        time_utc=NOW,
        run_id=run_id,
    )
    yield _record_operation(record)
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
    if change.write == record.before:
        yield op.RegistryDelete(path=KEY, name=record.value_name, prune=True)
    else:
        yield _record_operation(dataclasses.replace(record, state="applied"))


def _record_operation(record: ChangeRecord | RestartRecord) -> op.RegistrySet:
    return op.RegistrySet(
        path=KEY, name=record.value_name, kind="string", data=(record_text(record),), private=True, stamp=True
    )


def _run(session: Session, operations: t.Sequence[op.Operation], *, stage: str) -> tuple[Reply, ...]:
    """Run operations that depend on each other; the first that fails or is refused ends the step."""
    replies = session.run(operations, stage=stage, stop_on_error=True)
    for reply in replies:
        if reply.error is not None:
            what = reply.operation.NAME.replace("_", " ")
            raise _StepError("failed", f"{stage}: {what} failed ({reply.error.type}): {reply.error.message}")
        if isinstance(reply.value, op.RegistryChangeReply) and reply.value.refused:
            found = ValueState.of(reply.value.before)
            raise _StepError(
                "refused",
                f"{stage}: somebody changed a value at the same time (it is {found} now). It was left alone; run again.",
            )
    return replies


def _check_startable(service: op.ServiceState) -> None:
    if not service.exists:
        raise _StepError("refused", f"There is no service {SERVICE} on this server.")
    if service.start_mode == "disabled":
        raise _StepError(
            "refused", f"{SERVICE} is disabled, so it is not restarted. Its next start will read the change."
        )


def _summary(changes: t.Sequence[ValueChange], plan: HostPlan) -> str:
    parts = [f"{change.reason} ({change.expect} -> {change.write})" for change in changes]
    if plan.clear:
        parts.append("records of what is already back were removed")
    if plan.restart:
        parts.append(f"{SERVICE} has to be restarted" + ("" if plan.wave is None else f" in wave {plan.wave + 1}"))
    return "; ".join(parts)[:1].upper() + "; ".join(parts)[1:] + "."
