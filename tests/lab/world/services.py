# Copyright (c) 2026, the sfb.kb4023993 contributors
# GNU General Public License v3.0-or-later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The services of one simulated server and the processes that they run in."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from lab.clock import Clock
from lab.world.errors import WorldError
from lab.world.files import FileSystem
from lab.world.registry import Registry

SERVICES = "SYSTEM\\CurrentControlSet\\Services"
START_MODES = ("boot", "system", "automatic", "manual", "disabled")


@dataclass(eq=False, kw_only=True)
class Process:
    """One run of one executable. ``started`` is the lab's true time."""

    pid: int
    path: str
    service: str
    started: datetime

    @property
    def name(self) -> str:
        """As Windows lists it: the file name without ``.exe``."""
        return re.sub(r"(?i)\.exe\Z", "", self.path.rpartition("\\")[2])


@dataclass(kw_only=True)
class Behaviour:
    """How a service answers to being stopped and started. ``stuck``: it stays in "stop pending", or "continue pending", for ever.

    ``drain_seconds``: how much longer it stops when sessions may come to their end first.
    """

    stop_seconds: float = 0.05
    drain_seconds: float = 0.0
    start_seconds: float = 0.05
    stuck: bool = False
    fails_to_start: bool = False


@dataclass(kw_only=True)
class Service:
    name: str
    status: str = "stopped"
    behaviour: Behaviour = field(default_factory=Behaviour)
    process: Process | None = None
    due: datetime | None = None
    """When a pending status ends."""


Watcher = Callable[[], None]


class ServiceManager:
    """Starts and stops services. Image path, start mode and dependencies are those in the registry, as on Windows.

    ``before_change`` is called before a process begins or ends, so that what happened until then can be recorded;
    ``on_start`` gets each new process. While ``held`` says so of a service, it does not get beyond "start pending".
    """

    def __init__(
        self,
        *,
        clock: Clock,
        registry: Registry,
        files: FileSystem,
        before_change: Watcher,
        on_start: Callable[[Process], None],
        held: Callable[[str], bool],
    ) -> None:
        self._clock = clock
        self._registry = registry
        self._files = files
        self._before_change = before_change
        self._on_start = on_start
        self._held = held
        self._services: dict[str, Service] = {}
        self._next_pid = 1204

    def install(self, name: str, image_path: str, *, start: int = 2, depends_on: tuple[str, ...] = ()) -> Service:
        """Register a service; it is stopped."""
        key = f"{SERVICES}\\{name}"
        self._registry.write(key, "ImagePath", "expand_string", image_path)
        self._registry.write(key, "Start", "dword", start)
        if depends_on:
            self._registry.write(key, "DependOnService", "multi_string", depends_on)
        service = self._services[name.casefold()] = Service(name=name)
        return service

    def get(self, name: str) -> Service | None:
        """The service with its status as of now."""
        service = self._services.get(name.casefold())
        if service is not None:
            self._settle(service)
        return service

    def peek(self, name: str) -> Service | None:
        """The service as it was last seen: for those whose own state depends on it."""
        return self._services.get(name.casefold())

    def names(self) -> tuple[str, ...]:
        return tuple(service.name for service in self._services.values())

    def processes(self) -> tuple[Process, ...]:
        running = [self.get(name) for name in self.names()]
        return tuple(service.process for service in running if service is not None and service.process is not None)

    def start_mode(self, name: str) -> str | None:
        value = self._registry.read(f"{SERVICES}\\{name}", "Start")
        if value is None or not isinstance(value.data, int) or not 0 <= value.data < len(START_MODES):
            return None
        return START_MODES[value.data]

    def set_start_mode(self, name: str, mode: str) -> None:
        self._registry.write(f"{SERVICES}\\{self._known(name).name}", "Start", "dword", START_MODES.index(mode))

    def image_path(self, name: str) -> str | None:
        value = self._registry.read(f"{SERVICES}\\{name}", "ImagePath")
        return value.data if value is not None and isinstance(value.data, str) else None

    def executable(self, name: str) -> str | None:
        """The full path of the file that Windows starts: the quoted part, or else the shortest beginning up to a blank that is a file.

        Letters keep their case of the image path.
        """
        line = self._files.expand(self.image_path(name) or "").strip()
        quoted = re.match(r'"([^"]*)', line)
        ends = [match.start() for match in re.finditer(r"[ \t]|\Z", line)]
        for candidate in [quoted[1]] if quoted else [line[:end] for end in ends]:
            path = re.sub(
                r"(?i)\A(?:\\SystemRoot\\|(?=system32\\))", r"%SystemRoot%\\", candidate.removeprefix("\\??\\")
            )
            path = self._files.expand(path)
            if not re.match(r"(?i)[A-Z]:\\|\\\\", path):
                continue
            for tried in (path, path + ".exe"):
                full = self._files.long_path(tried)
                if self._files.get(full) is not None:
                    return full
        return None

    def dependents(self, name: str) -> tuple[Service, ...]:
        """Services that need this one, directly or through others, in an order in which they can be stopped."""
        found: list[Service] = []
        for other in self._services.values():
            value = self._registry.read(f"{SERVICES}\\{other.name}", "DependOnService")
            needs = value.data if value is not None and isinstance(value.data, tuple) else ()
            if name.casefold() not in (need.casefold() for need in needs):
                continue
            self._settle(other)
            found += [further for further in (*self.dependents(other.name), other) if further not in found]
        return tuple(found)

    def begin_stop(self, name: str, *, drain: bool = False) -> None:
        """Ask a running or paused service to stop. Its dependents are the caller's business, as with the service control manager."""
        service = self._known(name)
        if service.status not in ("running", "paused"):
            return
        service.status = "stop_pending"
        behaviour = service.behaviour
        seconds = behaviour.stop_seconds + (behaviour.drain_seconds if drain else 0)
        service.due = None if behaviour.stuck else self._clock.now() + timedelta(seconds=seconds)

    def begin_start(self, name: str) -> None:
        """Ask a stopped service to start, or a paused one to go on.

        :raises WorldError: when it is disabled, when its file is missing, or when it fails at once.
        """
        service = self._known(name)
        if service.status == "paused":
            service.status = "continue_pending"
            behaviour = service.behaviour
            service.due = None if behaviour.stuck else self._clock.now() + timedelta(seconds=behaviour.start_seconds)
        if service.status != "stopped":
            return
        if self.start_mode(service.name) == "disabled":
            raise WorldError("disabled", f"Cannot start service {service.name}: it is disabled.")
        if self.executable(service.name) is None:
            raise WorldError(
                "not_found", f"Cannot start service {service.name}: The system cannot find the file specified"
            )
        if service.behaviour.fails_to_start:
            raise WorldError("failed", f"Cannot start service {service.name} on computer '.'.")
        service.status = "start_pending"
        service.due = self._clock.now() + timedelta(seconds=service.behaviour.start_seconds)

    def start_now(self, name: str) -> None:
        """Begin a new run of a service, whatever it would do when asked to; for building a scenario."""
        service = self._known(name)
        if service.status == "running":
            service.status, service.due = "stop_pending", self._clock.now()
            self._settle(service)
        service.status = "start_pending"
        service.due = self._clock.now()
        self._settle(service, held=False)

    def seconds_left(self, name: str) -> float | None:
        """How long a pending status still lasts; None when it does not end by itself or nothing is pending."""
        service = self._known(name)
        if service.due is None or service.due <= self._clock.now():
            return None
        return max(0.0, (service.due - self._clock.now()).total_seconds())

    def _known(self, name: str) -> Service:
        service = self.get(name)
        if service is None:
            raise WorldError("not_found", f"Service {name} was not found on computer '.'.")
        return service

    def _settle(self, service: Service, *, held: bool | None = None) -> None:
        if service.due is None or self._clock.now() < service.due:
            return
        if service.status == "start_pending" and (self._held(service.name) if held is None else held):
            service.due = self._clock.now()
            return
        due, service.due = service.due, None
        self._before_change()
        if service.status == "stop_pending":
            service.status = "stopped"
            service.process = None
        elif service.status in ("continue_pending", "pause_pending"):
            service.status = "running" if service.status == "continue_pending" else "paused"
        elif service.status == "start_pending":
            path = self.executable(service.name)
            service.status = "running" if path else "stopped"
            if path:
                service.process = self._new_process(service, path, due)
                self._on_start(service.process)

    def _new_process(self, service: Service, path: str, started: datetime) -> Process:
        self._next_pid += 4
        return Process(pid=self._next_pid, path=path, service=service.name, started=started)
