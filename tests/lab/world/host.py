# Copyright (c) 2026, the sfb.kb4023993 contributors
# GNU General Public License v3.0-or-later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One simulated Windows server as a whole."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from lab import dotnet, trust
from lab.clock import Clock, utc_text
from lab.trust import Presented, thumbprint
from lab.world.events import EventLog
from lab.world.files import FileSystem
from lab.world.keys import KeyMaker
from lab.world.killing import KillPoint
from lab.world.registry import Registry
from lab.world.services import Process, ServiceManager
from lab.world.stores import Stores

WEB_CONFERENCING = "RTCDATAMCU"
REGISTRAR = "RTCSRV"
LYNC_LOG = "Lync Server"

PORTS: dict[str, dict[int, tuple[str, str]]] = {
    "front_end": {
        5061: ("RTCSRV", "Default"),
        8060: (WEB_CONFERENCING, "Default"),
        8061: (WEB_CONFERENCING, "Default"),
    },
    "edge": {5061: ("RTCSRV", "Internal"), 4443: ("REPLICA", "Internal"), 8057: ("RTCDATAPROXY", "Internal")},
    "director": {5061: ("RTCSRV", "Default")},
}
"""By role: port to the service that listens there and the certificate use that it presents.

Which process answers on 8060 and 8061 is not documented (in the topology they belong to the web component Reach); here it is
the Web Conferencing service, so that the certificate changes with its restart.
"""

PSOM_PORTS = (8057, 8060, 8061)

_SERVER_2012_BUILD = 9200


@dataclass(frozen=True, kw_only=True)
class SystemFacts:
    """What the operation ``system`` tells beside the registry."""

    computer_name: str
    dns_domain: str
    culture: str
    ui_culture: str
    powershell_version: str
    clr_version: str
    utc_offset_minutes: int


@dataclass(kw_only=True)
class Quirks:
    """What is odd about a server. See scenario.py for the words of scenarios."""

    unreachable: bool = False
    down: bool = False
    constrained_language: bool = False
    powershell_too_old: bool = False
    process_32_bit: bool = False
    not_elevated: bool = False
    no_basic: bool = False
    no_lync_module: bool = False
    denied_cmdlets: tuple[str, ...] = ()
    failing_cmdlets: Mapping[str, str] = field(default_factory=dict)
    endless_cmdlets: Mapping[str, str] = field(default_factory=dict)
    hidden_processes: bool = False
    closed_ports: tuple[int, ...] = ()
    demanding_ports: tuple[int, ...] = ()
    no_lync_log: bool = False
    clock_skew_seconds: float = 0.0
    slow_seconds: float = 0.0
    gate_state: str = ""
    gate_busy_seconds: float = 0.0


@dataclass(kw_only=True)
class Lync:
    """The product on a server: which PowerShell modules it brings, and which certificate each use has (thumbprint).

    ``computed``: by use the names that the product would ask for, the first is the subject's; its uses are those of the server's
    role. ``services``: the product's own. ``enabled``: the start modes before a FailOver, which are to come back; None without one.
    """

    product: str = ""
    modules: tuple[str, ...] = ()
    assigned: dict[str, str] = field(default_factory=dict)
    computed: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    services: tuple[str, ...] = ()
    enabled: dict[str, str] | None = None


class Host:
    """Registry, files, services, stores and event log of one server, and the clock they share.

    ``changing`` is called before anything changes that other servers can notice (a process begins or ends, a store changes).
    ``waits_for_pool``: whether the Front End service may not start yet, because too few servers of its pool do.
    """

    def __init__(
        self,
        *,
        name: str,
        fqdn: str,
        role: str,
        facts: SystemFacts,
        clock: Clock,
        quirks: Quirks,
        changing: Callable[[Host], None],
    ) -> None:
        self.name = name
        self.fqdn = fqdn
        self.role = role
        self.facts = facts
        self.quirks = quirks
        self.lync = Lync()
        self.registry = Registry()
        self.files = FileSystem(_environment(facts.computer_name))
        self.log = EventLog()
        self._clock = clock
        self.stores = Stores(lambda: changing(self))
        self.services = ServiceManager(
            clock=clock,
            registry=self.registry,
            files=self.files,
            before_change=lambda: changing(self),
            on_start=self._start,
            held=self._held,
        )
        self.keys = KeyMaker()
        self.kill_point = KillPoint()
        self.waits_for_pool: Callable[[], bool] = lambda: False
        self._presenting: dict[Process, dict[str, Presented]] = {}
        self._loaded: dict[Process, dotnet.Loaded] = {}

    @property
    def clock(self) -> Clock:
        return self._clock

    def now(self) -> datetime:
        """What this server's own clock shows."""
        return self.shown(self._clock.now())

    def shown(self, moment: datetime) -> datetime:
        """A true time as this server's clock had it."""
        return moment + timedelta(seconds=self.quirks.clock_skew_seconds)

    def shown_text(self, moment: datetime) -> str:
        return utc_text(self.shown(moment))

    def assign(self, uses: tuple[str, ...], certificate: bytes) -> None:
        """What Set-CsCertificate does: the uses get this certificate of the store ``My``. Running services keep the old one.

        :raises KeyError: if the certificate is not in the store with its private key.
        """
        entry = self.stores.find(thumbprint(certificate))
        if entry is None or not entry.usable:
            raise KeyError(
                f"{self.name} has no certificate {thumbprint(certificate)} with a usable private key in its store My"
            )
        for use in uses:
            self.lync.assigned[use] = thumbprint(certificate)

    def web_conferencing(self) -> Process | None:
        """The running process of DataMCUSvc, if there is one."""
        service = self.services.get(WEB_CONFERENCING)
        return service.process if service else None

    def loaded(self, process: Process) -> dotnet.Loaded:
        """What .NET of a process holds since its start."""
        return self._loaded[process]

    def presents(self, port: int) -> tuple[Process, Presented] | None:
        """Which process answers TLS on a port, and with what; None where nothing listens."""
        service_name, use = PORTS.get(self.role, {}).get(port, ("", ""))
        service = self.services.get(service_name) if service_name else None
        if service is None or service.process is None:
            return None
        presented = self._presenting[service.process].get(use)
        return None if presented is None else (service.process, presented)

    @property
    def mistrusts_all(self) -> bool:
        """Whether a certificate stands among the roots that another CA issued, on Server 2012 or later.

        Then the Front End service does not start.
        """
        roots = self.stores.entries("Root")
        return self._build() >= _SERVER_2012_BUILD and not all(trust.is_self_issued(e.certificate) for e in roots)

    def _held(self, service: str) -> bool:
        """Whether a service cannot get beyond its start: the pool has too few servers, or Windows mistrusts everybody."""
        registrar = service.casefold() == REGISTRAR.casefold() and self.role == "front_end"
        return registrar and (self.mistrusts_all or self.waits_for_pool())

    def _build(self) -> int:
        value = self.registry.read(r"SOFTWARE\Microsoft\Windows NT\CurrentVersion", "CurrentBuild")
        return int(str(value.data)) if value is not None else 0

    def _start(self, process: Process) -> None:
        """A process takes the certificates and, when managed, .NET as they are now, and keeps them."""
        running = {p for p in (*self._presenting, process) if p is process or p.service != process.service}
        self._presenting = {p: held for p, held in self._presenting.items() if p in running}
        self._loaded = {p: held for p, held in self._loaded.items() if p in running}
        held = {}
        for use, thumb in self.lync.assigned.items():
            entry = self.stores.find(thumb)
            if entry is not None and entry.usable:
                held[use] = self.stores.presented(entry.certificate)
        self._presenting[process] = held
        executable = self.files.get(process.path)
        if executable is not None and executable.clr:
            self._loaded[process] = dotnet.load(executable, self.registry, self.files)


def _environment(computer_name: str) -> dict[str, str]:
    return {
        "SystemRoot": r"C:\Windows",
        "windir": r"C:\Windows",
        "SystemDrive": "C:",
        "ProgramFiles": r"C:\Program Files",
        "ProgramFiles(x86)": r"C:\Program Files (x86)",
        "CommonProgramFiles": r"C:\Program Files\Common Files",
        "ProgramData": r"C:\ProgramData",
        "COMPUTERNAME": computer_name,
    }
