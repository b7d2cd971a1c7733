# Copyright (c) 2026, the sfb.kb4023993 contributors
# GNU General Public License v3.0-or-later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Builds the simulated servers of a scenario and plays their past through, so that logs and processes have a history."""

from __future__ import annotations

import threading
from datetime import timedelta
from functools import cached_property, partial

from lab import topology
from lab.answers.context import Surroundings
from lab.clock import Clock
from lab.install import Change, install, new_host
from lab.issue import Issuer
from lab.mechanism import Mechanism
from lab.network import Network
from lab.pki import Issued
from lab.scenario import Scenario, Server
from lab.world.host import Host

_FRONT_END_USES = ("Default", "WebServicesInternal", "WebServicesExternal")
_EDGE_OUTSIDE = ("AccessEdgeExternal", "DataEdgeExternal", "AudioVideoAuthentication")


class Deployment:
    """All servers of a scenario by name, with the network between them. ``lock`` guards everything in it."""

    def __init__(self, scenario: Scenario, *, clock: Clock | None = None) -> None:
        self.scenario = scenario
        self.clock = clock or Clock()
        self.lock = threading.RLock()
        self.network = Network()
        self.mechanism = Mechanism(self.clock)
        self.issuer = Issuer(scenario)
        self.hosts: dict[str, Host] = {
            server.name: new_host(server, scenario.domain, self.clock, self.mechanism.changing)
            for server in scenario.servers
        }
        self.surroundings = Surroundings(
            network=self.network,
            mechanism=self.mechanism,
            topology=lambda: self._topology_document if scenario.topology else None,
        )
        self._connect()
        self._play()

    def issue(self, server: Server, template: str) -> Issued:
        """A new certificate from a template for a server, with the names that the product asks for."""
        names = [server.fqdn] if server.role != "edge" else []
        if server.role == "front_end":
            names.append(f"sip.{self.scenario.domain}")
        return self.issuer.issue(template, pool=server.pool or server.fqdn, names=names)

    def assign(self, server_name: str, template: str) -> Issued:
        """Give a server a new certificate from a template and assign it as workaround 1 does; services keep the old one."""
        server, host = self.scenario.by_name[server_name], self.hosts[server_name]
        issued = self.issue(server, template)
        host.stores.add("My", issued.der, has_private_key=True)
        host.assign(_uses(server), issued.der)
        return issued

    @cached_property
    def _topology_document(self) -> str:
        return topology.document(self.scenario)

    def _connect(self) -> None:
        for server in self.scenario.servers:
            host = self.hosts[server.name]
            self.network.add(server.fqdn, host)
            if server.pool:
                self.network.add(server.pool, host)
        for server in self.scenario.servers:
            if server.role == "front_end" and server.pool:
                edge_pool = self.scenario.pools[server.pool].edge_pool
                self.mechanism.add_front_end(
                    self.hosts[server.name],
                    edges=[self.hosts[edge.name] for edge in self.scenario.members(edge_pool)],
                    front_ends=[self.hosts[member.name] for member in self.scenario.members(server.pool)],
                )

    def _play(self) -> None:
        """Install everything, then let everything that the scenario dates in the past happen, oldest first.

        All services run from before the oldest of these things, so that nobody misses a peer that was only restarted.
        """
        built = self.clock.now()
        later: list[Change] = []
        for server in self.scenario.servers:
            host = self.hosts[server.name]
            later += install(host, server, built)
            if server.product:
                self.issuer.trust(host.stores, server.ca_purposes)
                self._first_certificates(server, host)
            if server.renewed:
                time = built - timedelta(seconds=server.renewed.age)
                later.append(Change(time=time, apply=partial(self.assign, server.name, server.renewed.template)))
            time = built - timedelta(seconds=server.process_age)
            later.append(Change(time=time, apply=partial(_start, host, server)))
        first = min(change.time for change in later) - timedelta(days=1)
        with self.clock.past() as show:
            show(first)
            for server in self.scenario.servers:
                _start(self.hosts[server.name], server)
            for change in sorted(later, key=lambda each: each.time):
                show(change.time)
                change.apply()

    def _first_certificates(self, server: Server, host: Host) -> None:
        assert server.certificate is not None
        if server.role == "edge":
            host.stores.add("My", self.issuer.outside.der, has_private_key=True)
            host.assign(_EDGE_OUTSIDE, self.issuer.outside.der)
        elif server.role == "front_end" and server.product != "lync2010":
            host.stores.add("My", self.issuer.oauth.der, has_private_key=True)
            host.assign(("OAuthTokenIssuer",), self.issuer.oauth.der)
        self.assign(server.name, server.certificate)


def _uses(server: Server) -> tuple[str, ...]:
    if server.role == "edge":
        return ("Internal",)
    return _FRONT_END_USES if server.role in ("front_end", "director") else ("Default",)


def _start(host: Host, server: Server) -> None:
    for name in host.services.names():
        if name not in server.stopped:
            host.services.start_now(name)
