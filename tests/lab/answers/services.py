# Copyright (c) 2026, the sfb.kb4023993 contributors
# GNU General Public License v3.0-or-later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Operations on services and processes."""

from __future__ import annotations

import typing as t
from collections.abc import Sequence
from datetime import datetime, timedelta

from ansible_collections.sfb.kb4023993.plugins.plugin_utils.host import operations as op

from lab.answers.context import Surroundings
from lab.world.errors import WorldError
from lab.world.host import Host
from lab.world.services import Service

_PENDING = ("start_pending", "stop_pending", "continue_pending", "pause_pending")


def states(host: Host, asked: op.Services, _: Surroundings) -> op.ServicesReply:
    return op.ServicesReply(services=tuple(_state(host, name) for name in asked.names))


def processes(host: Host, asked: op.Processes, _: Surroundings) -> op.ProcessesReply:
    hidden = host.quirks.hidden_processes
    running = host.services.processes()
    found = [process for name in asked.names for process in running if process.name.casefold() == name.casefold()]
    return op.ProcessesReply(
        processes=tuple(
            op.ProcessState(
                name=process.name,
                pid=process.pid,
                path=None if hidden else process.path,
                started_utc=None if hidden else host.shown_text(process.started),
            )
            for process in found
        )
    )


def restart(host: Host, asked: op.ServiceRestart, _: Surroundings) -> op.ServiceRestartReply:
    services = host.services
    check_name(asked.name)
    service = services.get(asked.name)
    if service is None:
        raise WorldError("not_found", f"there is no service {asked.name}")
    if services.start_mode(asked.name) == "disabled":
        raise WorldError("disabled", f"the service {asked.name} is disabled")
    deadline = host.clock.now() + timedelta(seconds=asked.seconds)
    to_start = list(asked.dependents)
    if asked.stop:
        for dependent in services.dependents(asked.name):
            if dependent.status == "stopped":
                continue
            if dependent.name.casefold() not in (name.casefold() for name in to_start):
                to_start.insert(0, dependent.name)
            if _stop(host, dependent, deadline) != "stopped":
                return _standing(service, "stopping")
        if _stop(host, service, deadline) != "stopped":
            return _standing(service, "stopping")
    if _start(host, service, deadline) in ("stop_pending", "pause_pending"):
        return _standing(service, "stopping")
    if service.status in _PENDING:
        return _standing(service, "starting")
    if service.status != "running":
        raise WorldError("failed", f"the service {asked.name} was started and is {service.status} again")
    started: list[str] = []
    not_started: list[str] = []
    for name in to_start:
        if host.clock.now() >= deadline:
            return _standing(service, "starting", started, not_started)
        try:
            known = services.get(name)
            status = _start(host, known, deadline) if known else "stopped"
        except WorldError:
            status = "stopped"
        if status in _PENDING:
            return _standing(service, "starting", started, not_started)
        (started if status == "running" else not_started).append(name)
    return _standing(service, "done", started, not_started)


def _stop(host: Host, service: Service, deadline: datetime) -> str:
    _wait(host, service, _PENDING, deadline)
    host.services.begin_stop(service.name)
    return _wait(host, service, ("running", "paused", "stop_pending"), deadline)


def _start(host: Host, service: Service, deadline: datetime) -> str:
    _wait(host, service, ("stop_pending", "pause_pending"), deadline)
    host.services.begin_start(service.name)
    return _wait(host, service, _PENDING, deadline)


def _wait(host: Host, service: Service, on_the_way: tuple[str, ...], deadline: datetime) -> str:
    """Wait while a service is in one of these states, until the deadline; gives the state then."""
    host.services.get(service.name)
    if service.status in on_the_way:
        left = (deadline - host.clock.now()).total_seconds()
        needed = host.services.seconds_left(service.name)
        host.clock.wait(max(0.0, left if needed is None else min(left, needed)))
        host.services.get(service.name)
    return service.status


def _standing(
    service: Service,
    phase: op.RestartPhase,
    started: Sequence[str] = (),
    not_started: Sequence[str] = (),
) -> op.ServiceRestartReply:
    return op.ServiceRestartReply(
        phase=phase,
        status=t.cast("op.ServiceStatus", service.status),
        dependents_started=tuple(started),
        dependents_not_started=tuple(not_started),
    )


def check_name(name: str) -> None:
    """:raises WorldError: ``invalid`` for a name that the class for services does not take."""
    if not name:
        raise WorldError("invalid", "Invalid value '' for parameter 'name'.")


def _state(host: Host, name: str) -> op.ServiceState:
    check_name(name)
    service = host.services.get(name)
    if service is None:
        return op.ServiceState(
            name=name,
            exists=False,
            status=None,
            start_mode=None,
            image_path=None,
            executable=None,
            dependents=(),
        )
    return op.ServiceState(
        name=name,
        exists=True,
        status=t.cast("op.ServiceStatus", service.status),
        start_mode=t.cast("op.StartMode | None", host.services.start_mode(name)),
        image_path=host.services.image_path(name),
        executable=host.services.executable(name),
        dependents=tuple(
            op.Dependent(name=other.name, status=t.cast("op.ServiceStatus", other.status))
            for other in host.services.dependents(name)
        ),
    )
