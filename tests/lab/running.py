# Copyright (c) 2026, the sfb.kb4023993 contributors
# GNU General Public License v3.0-or-later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A running lab: the servers of a scenario behind the real protocols, for tests in the same process and for people."""

from __future__ import annotations

import secrets
import socket
import tempfile
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Any

import yaml

from lab import scenario as scenarios
from lab.agent import Agent
from lab.deployment import Deployment
from lab.live import LiveServers, Program
from lab.mortal import Mortal
from lab.outside import Outside
from lab.protocol import Fault, HostSettings, LabServer
from lab.protocol.handler import Handler, Transport
from lab.protocol.inventory import Auth, Scheme
from lab.scenario import Scenario, Server
from lab.world.host import Host

# WinRM 2.0 of Windows Server 2008 R2 takes messages of 150 kB, later ones 500 kB.
_OLD_ENVELOPE, _ENVELOPE = 150 * 1024, 500 * 1024


class Lab:
    """Starts with :meth:`start` or as a context manager; ``deployment`` holds the servers before and after that.

    ``run_directory`` receives what the protocol server writes (a temporary directory when not given). ``live`` names the servers
    whose commands a PowerShell engine really runs; the model plays the others, behind what ``around`` puts before it. ``outside`` is what
    tests see and do from outside.
    """

    def __init__(
        self,
        scenario: Scenario | Path | str,
        *,
        run_directory: Path | None = None,
        workers: int = 64,
        live: Mapping[str, Program] | None = None,
        around: Callable[[Handler], Handler] | None = None,
    ) -> None:
        self.scenario = scenario if isinstance(scenario, Scenario) else scenarios.load(scenario)
        self.deployment = Deployment(self.scenario)
        self._password = secrets.token_urlsafe(18)
        self._temporary = None if run_directory else tempfile.TemporaryDirectory(prefix="sfb-lab-")
        self._closed_port = socket.socket()
        self._started = False
        directory = run_directory or Path(self._temporary.name if self._temporary else "")
        agent = Agent(self.deployment.hosts, self.deployment.surroundings, self.deployment.lock)
        model: Handler = Mortal(agent)
        if around:
            model = around(model)
        self.server = LabServer(
            handler=LiveServers(live, others=model, directory=directory / "live") if live else model,
            hosts=[self._settings(server) for server in self.scenario.servers],
            run_directory=directory,
            workers=workers,
        )
        for name in self.deployment.hosts:
            self.server.control.route("GET", f"/hosts/{name}/registry", partial(self._get_registry, name))
        self.server.control.route("POST", "/clock/advance", self._post_advance)
        self.outside = Outside(self.deployment)
        self.outside.add_routes(self.server.control)

    def __enter__(self) -> Lab:
        """Starts the lab unless it was started before."""
        return self if self._started else self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def start(self) -> Lab:
        """Listen on free ports of 127.0.0.1."""
        # Bound and never listening: whoever connects is refused, and nobody else can take the port meanwhile.
        self._closed_port.bind(("127.0.0.1", 0))
        self.server.start()
        self._started = True
        return self

    def stop(self) -> None:
        self.server.stop()
        self._closed_port.close()
        if self._temporary:
            self._temporary.cleanup()

    def host(self, name: str) -> Host:
        """A server, to look at it or to change it (hold ``deployment.lock`` while commands may run).

        :raises KeyError: if there is none of that name.
        """
        return self.deployment.hosts[name]

    def advance(self, seconds: float) -> None:
        """Let time pass for all servers, instead of waiting."""
        with self.deployment.lock:
            self.deployment.clock.advance(seconds)

    def counters(self) -> dict[str, dict[str, int]]:
        """What reached each server, by name; see lab.protocol.counters."""
        return self.server.counters()

    def reset_counters(self) -> None:
        self.server.reset_counters()

    def set_faults(self, host: str, faults: Iterable[Fault]) -> None:
        """Let the protocol server disturb a server's conversations from now on."""
        self.server.set_faults(host, faults)

    def registries(self) -> dict[str, dict[str, Any]]:
        """The registry of every server, to compare before with after."""
        with self.deployment.lock:
            return {name: host.registry.dump() for name, host in self.deployment.hosts.items()}

    def inventory(
        self,
        directory: Path,
        *,
        connection: Transport | None = None,
        scheme: Scheme | None = None,
        auth: Auth | None = None,
    ) -> Path:
        """Write ``inventory.yml`` with all servers, groups and variables; connections as the scenario says, or as given."""
        children: dict[str, dict[str, Any]] = {}
        variables: dict[str, Any] = {}
        for server in self.scenario.servers:
            variables[server.name] = self._variables(server, connection, scheme, auth)
            for group in _groups(server, self.scenario.domain):
                children.setdefault(group, {"hosts": {}})["hosts"][server.name] = None
        text = yaml.safe_dump({"all": {"hosts": variables, "children": children}}, sort_keys=True)
        directory.mkdir(parents=True, exist_ok=True)
        path = directory / "inventory.yml"
        path.touch(mode=0o600)
        path.write_text(text, encoding="utf-8")
        return path

    def _settings(self, server: Server) -> HostSettings:
        return HostSettings(
            name=server.name,
            user=server.account,
            password=self._password,
            basic=not server.quirks.no_basic,
            envelope_bytes=_OLD_ENVELOPE if server.os == "server2008r2" else _ENVELOPE,
        )

    def _variables(
        self, server: Server, connection: Transport | None, scheme: Scheme | None, auth: Auth | None
    ) -> dict[str, str | int]:
        variables = dict(
            self.server.inventory_variables(
                server.name,
                connection or server.connection,
                scheme=scheme or server.scheme,
                auth=auth or server.auth,
            )
        )
        if server.quirks.unreachable or server.quirks.down:
            variables["ansible_host"] = "127.0.0.1"
            variables["ansible_port"] = int(self._closed_port.getsockname()[1])
        if server.inventory and server.pool:
            pool = self.scenario.pools[server.pool]
            variables["sfb_kb4023993_pool"] = pool.fqdn
            if pool.edge_pool:
                variables["sfb_kb4023993_edge_pool"] = pool.edge_pool
            if pool.paired_pool:
                variables["sfb_kb4023993_paired_pool"] = pool.paired_pool
        return variables

    def _get_registry(self, name: str, _: dict[str, Any]) -> dict[str, Any]:
        with self.deployment.lock:
            return self.host(name).registry.dump()

    def _post_advance(self, body: dict[str, Any]) -> dict[str, Any]:
        self.advance(float(body.get("seconds", 0)))
        return {"now": self.deployment.clock.now().isoformat()}


def _groups(server: Server, domain: str) -> list[str]:
    """By product, by role and by pool, in names that Ansible accepts."""
    pool = server.pool.removesuffix("." + domain) if server.pool else None
    role = {"front_end": "front_ends", "edge": "edges", "director": "directors", "mediation": "mediation"}
    groups = [server.product, role.get(server.role, "others"), f"pool_{pool}" if pool else None]
    return [_word(group) for group in groups if group]


def _word(text: str) -> str:
    return "".join(letter if letter.isalnum() else "_" for letter in text)
