# Copyright (c) 2026, the sfb.kb4023993 contributors
# GNU General Public License v3.0-or-later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Restarts Web Conferencing on one host where the record on that host asks for it, or finishes a restart that was begun."""

from __future__ import annotations

import contextlib
import dataclasses
import time
import typing as t

from .carry_out import StepError, keep_operation, record_operation, refuse_if_claimed, release_operation, run_operations
from .claims import Others
from .host import operations as op
from .host.session import Session, SessionError
from .host_now import PROCESS, HostNow, is_fulfilled, read_now
from .outcome import Outcome
from .records import KEY, NOW, SERVICE, RestartRecord

_STEP_SECONDS: t.Final = 20


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
    now = read_now(session, ())
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
    fulfilled = record is not None and is_fulfilled(record, now)
    if record is None or (fulfilled and not only_if_recorded):
        record, fulfilled = RestartRecord(since_utc=NOW, run_id=run_id), False
    if not record.begun_utc:
        running = tuple(d.name for d in now.service.dependents if d.status in ("running", "start_pending"))
        dependents = tuple(dict.fromkeys((*record.dependents, *running)))
        record = dataclasses.replace(record, begun_utc=NOW, dependents=dependents)
    return _restart(
        session, now, record, already_new=fulfilled, timeout_seconds=timeout_seconds, keep=keep, release=release
    )


def _settled(record: RestartRecord, now: HostNow) -> str | None:
    """Why a restart that was not begun is not needed any more."""
    if is_fulfilled(record, now):
        return f"{SERVICE} had already been restarted; its record was removed."
    if now.service.status == "stopped":
        # Somebody stopped it, and starting it is theirs.
        return f"{SERVICE} is stopped, so it was not restarted; its next start reads the change."
    return None


def _check_startable(service: op.ServiceState) -> None:
    if not service.exists:
        raise StepError("refused", f"There is no service {SERVICE} on this server.")
    if service.start_mode == "disabled":
        raise StepError(
            "refused", f"{SERVICE} is disabled, so it is not restarted. Its next start will read the change."
        )


def _restart(
    session: Session,
    now: HostNow,
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
    batch = [op.Processes(names=(PROCESS,)), clear, *release]
    after = run_operations(session, batch, stage="after the restart")
    process: op.ProcessesReply = after[0].value
    started = process.processes[0].started_utc if process.processes else "an unknown time"
    return Outcome(status="changed", message=f"{SERVICE} was restarted and runs since {started}.")
