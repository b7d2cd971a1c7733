# Copyright (c) 2026, the sfb.kb4023993 contributors
# GNU General Public License v3.0-or-later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Restarting all services of the product on one server, behind the gates that its pool has.

What ran before is recorded on the server before anything stops, so that any later run can bring it back. Waiting is done in short
batches. How a server goes down depends on its product and pool (``Manner``):

* ``plain``: Stop-CsWindowsService (draining first), Start-CsWindowsService. Edge Servers, Lync 2010, Standard Edition.
* ``gate``: the same, once the pool's own fabric says that it bears it. Pools of Lync 2013.
* ``failover``: behind the same gate, Invoke-CsComputerFailOver and Invoke-CsComputerFailBack. Pools of 2015 and later.
"""

from __future__ import annotations

import contextlib
import time
import typing as t

from ..carry_out import StepError, forget_operation, record_operation, run_operations
from ..certificate_records import ServicesRecord
from ..host import certificate_operations as cop
from ..host import operations as op
from ..host.session import Session
from ..records import NOW
from ..renewal.installation import Installation
from ..words import one_line
from .common import SERVICES, Now, cmdlet_problem
from .limits import Limits

_SPARE_SECONDS: t.Final = 60


def restart_all(session: Session, target: Installation, now: Now, *, run_id: str, limits: Limits) -> str:
    """Restart everything that ran, or finish a restart that an earlier run had begun; says what was done. The gate was passed before.

    :raises StepError: it did not end well; the record on the server lets the next run go on.
    :raises SessionError: the host cannot be talked to any more.
    """
    record = now.records.services
    if record is None:
        failover = target.manner == "failover"
        record = ServicesRecord(failover=failover, running=_running(now), begun_utc=NOW, run_id=run_id)
        _take_down(session, target, record, limits)
    elif not (record.failover and _is_down(record, now.services)):
        # Where the earlier run was cut is not known: taking down what is down already does no harm.
        _take_down(session, target, record, limits)
    _bring_up(session, target, record, limits)
    run_operations(session, [forget_operation(record)], stage="after the restart")
    return "failed over and back" if record.failover else "restarted"


def pass_gate(session: Session, target: Installation, now: Now, limits: Limits) -> None:
    """Wait until the pool says Ready, and the upgrade domain of this server too. Anything unknown stops the pool.

    A server without a pool has no gate, and one that an earlier run has taken down is only to be brought up again. A restart that is on
    record and that did not begin, or that somebody ended by hand, is a new one for the pool.

    :raises StepError: the server must not go down now; nothing was changed.
    """
    begun = now.records.services
    if begun is not None and _is_down(begun, now.services):
        return
    if begun is None and not _running(now):
        raise StepError(
            "refused",
            "None of the product's services runs on this server, so nothing was changed. Start them, then run again.",
        )
    if target.manner == "plain":
        return
    computer = target.computer.lower()
    for attempt in range(1, limits.gate_tries + 1):
        gate = cop.LyncGate(modules=target.modules)
        reply: cop.LyncGateReply = run_operations(
            session, [gate], stage="asking the pool", deadline_seconds=gate.seconds + _SPARE_SECONDS
        )[0].value
        problem = cmdlet_problem(reply)
        if problem:
            raise StepError("refused", f"Whether the pool bears a restart could not be found out: {problem}")
        if reply.state == "Busy" and attempt < limits.gate_tries:
            time.sleep(limits.gate_pause)
            continue
        if reply.state != "Ready":
            state = one_line(reply.state or "nothing known", 60)
            raise StepError(
                "refused",
                f"The pool says {state} instead of Ready, so nothing was stopped. Look at the pool, then run again.",
            )
        own = [domain for domain in reply.domains if computer in {name.lower() for name in domain.front_ends}]
        if any(domain.ready is False for domain in own):
            raise StepError(
                "refused",
                f"The pool is ready, but the upgrade domain {one_line(own[0].name, 60)} of this server is not. Nothing was stopped.",
            )
        return


def _take_down(session: Session, target: Installation, record: ServicesRecord, limits: Limits) -> None:
    if record.failover:
        _fail_over(session, target, record)
        return
    problem = _ask(session, target, "stop_graceful", [record_operation(record)] if record.begun_utc == NOW else [])
    if problem:
        if record.begun_utc == NOW and _all_run(session, record):
            run_operations(session, [forget_operation(record)], stage="clearing the record")
            raise StepError("refused", f"Nothing was stopped: {problem}")
        raise StepError("failed", f"Stopping the services failed: {problem}")
    if _wait(session, record.running, "stopped", limits.drain, limits):
        return
    # Sessions that do not end would hold the server for ever.
    problem = _ask(session, target, "stop", [])
    if problem or not _wait(session, record.running, "stopped", limits.stop, limits):
        # One that does not stop must not keep the others down. The record stays, so that the next run goes on.
        with contextlib.suppress(StepError):
            _bring_up(session, target, record, limits)
        reason = f": {problem}" if problem else ""
        raise StepError(
            "failed",
            f"Some services do not stop{reason}. Those that did were asked to start again. Look at the server, then run again.",
        )


def _running(now: Now) -> tuple[str, ...]:
    """What runs of the product, or is about to."""
    return tuple(service.name for service in now.services if service.status in ("running", "start_pending"))


def _bring_up(session: Session, target: Installation, record: ServicesRecord, limits: Limits) -> None:
    if record.failover:
        problem = _fail(session, target, "failback", [])
        if problem:
            raise StepError(
                "failed",
                f"FailBack failed, and until it works the services of this server are disabled: {problem} Run again, or run "
                f"Invoke-CsComputerFailBack -ComputerName {target.computer} on a server of the pool.",
            )
    else:
        problem = _ask(session, target, "start", [])
        if problem:
            raise StepError(
                "failed", f"Starting the services failed: {problem} Run again, or start them on the server."
            )
    if not _wait(session, record.running, "running", limits.start, limits):
        raise StepError(
            "failed",
            f"Not all services that ran before run again after {limits.start} seconds. Look at the server; run again to go on.",
        )


def _fail_over(session: Session, target: Installation, record: ServicesRecord) -> None:
    begin = [record_operation(record)] if record.begun_utc == NOW else []
    problem = _fail(session, target, "failover", begin)
    if not problem:
        return
    if _all_run(session, record):
        run_operations(session, [forget_operation(record)], stage="clearing the record")
        raise StepError("refused", f"The pool did not take the server over, and nothing was stopped: {problem}")
    raise StepError("failed", f"FailOver failed half way: {problem} Run again: it is failed back first.")


def _ask(session: Session, target: Installation, action: cop.ServicesAction, first: t.Sequence[op.Operation]) -> str:
    """Ask for all services to stop or start; why it did not work, empty if it did."""
    services = cop.LyncServices(modules=target.modules, action=action)
    reply: cop.LyncOutcome = run_operations(
        session,
        [*first, services],
        stage="restarting the services",
        deadline_seconds=services.seconds + _SPARE_SECONDS,
    )[-1].value
    return cmdlet_problem(reply)


def _fail(session: Session, target: Installation, action: cop.FailoverAction, first: t.Sequence[op.Operation]) -> str:
    failover = cop.LyncFailover(modules=target.modules, action=action, computer=target.computer)
    reply: cop.LyncOutcome = run_operations(
        session,
        [*first, failover],
        stage="handing the server's users over" if action == "failover" else "taking the server's users back",
        deadline_seconds=failover.seconds + _SPARE_SECONDS,
    )[-1].value
    return cmdlet_problem(reply)


def _states(session: Session) -> dict[str, op.ServiceState]:
    reply: op.ServicesReply = run_operations(session, [op.Services(names=SERVICES)], stage="waiting for the services")[
        0
    ].value
    return {service.name: service for service in reply.services if service.exists}


def _wait(session: Session, names: t.Sequence[str], status: op.ServiceStatus, seconds: int, limits: Limits) -> bool:
    """Wait until all of them are in that state; False when the time is over."""
    deadline = time.monotonic() + seconds
    while True:
        states = _states(session)
        if all(states[name].status == status for name in names if name in states):
            return True
        if time.monotonic() >= deadline:
            return False
        time.sleep(min(limits.poll, max(0.0, deadline - time.monotonic())))


def _all_run(session: Session, record: ServicesRecord) -> bool:
    states = _states(session)
    return all(
        states[name].status == "running" and states[name].start_mode != "disabled"
        for name in record.running
        if name in states
    )


def _is_down(record: ServicesRecord, services: t.Sequence[op.ServiceState]) -> bool:
    """Whether services that ran before the restart are on their way down, or there. What was disabled before it says nothing."""
    ran = (service for service in services if service.name in record.running)
    return any(service.status in ("stopped", "stop_pending") or service.start_mode == "disabled" for service in ran)
