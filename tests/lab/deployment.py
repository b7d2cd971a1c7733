# Copyright (c) 2026, the sfb.kb4023993 contributors
# GNU General Public License v3.0-or-later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Builds the simulated servers of a scenario and plays their past through, so that logs and processes have a history."""

from __future__ import annotations

import threading
from datetime import timedelta
from functools import cached_property, partial

from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

from lab import names, topology
from lab.answers.context import Surroundings
from lab.ca.enterprise import EnterpriseCa
from lab.ca.template import both_usages, web_server
from lab.clock import Clock
from lab.fabric import Fabric
from lab.install import Change, install, new_host
from lab.issue import Issuer
from lab.mechanism import Mechanism
from lab.network import Network
from lab.pki import Issued
from lab.scenario import Scenario, Server
from lab.scenario_parts import EnterpriseCaRow
from lab.world.host import Host
from lab.world.keys import HeldKey, KeyMaker


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
        keys = KeyMaker()
        for host in self.hosts.values():
            host.keys = keys
        self._connect()
        self._play()
        self.fabrics = self._fabrics()
        self.cas = {row.config.casefold(): self._enterprise_ca(row) for row in scenario.enterprise_cas}
        self.surroundings = Surroundings(
            network=self.network,
            mechanism=self.mechanism,
            topology=lambda: self._topology_document if scenario.topology else None,
            hosts=tuple(self.hosts.values()),
            fabrics=self.fabrics,
            cas=self.cas,
            ca_access={self.hosts[each.name]: (each.ca_access, each.account) for each in scenario.servers},
            poll_seconds=scenario.poll_seconds,
            failover_seconds=scenario.failover_seconds,
            born=self.clock.now(),
        )

    def issue(self, server: Server, template: str) -> Issued:
        """A new certificate from a template for a server, with the names that it always had."""
        wanted = [server.fqdn] if server.role != "edge" else []
        if server.role == "front_end":
            wanted += [f"sip.{domain}" for domain in self.scenario.sip_domains]
        if self._shared(server):
            members = self.scenario.members(server.pool)
            wanted += [each.fqdn for each in members if server.role != "edge"]
        return self.issuer.issue(template, pool=server.pool or server.fqdn, names=[*wanted, *server.more_names])

    def assign(self, server_name: str, template: str) -> Issued:
        """Give a server a new certificate from a template and assign it as workaround 1 does; services keep the old one."""
        server = self.scenario.by_name[server_name]
        issued = self.issue(server, template)
        self._give(server, issued, _uses(server))
        return issued

    @cached_property
    def _topology_document(self) -> str:
        return topology.document(self.scenario)

    def settle(self) -> None:
        """Let everything that is due by now happen, as the next command to any server would."""
        for fabric in self.fabrics.values():
            fabric.settle()
        for host in self.hosts.values():
            self.mechanism.settle(host)

    def _fabrics(self) -> dict[Host, Fabric]:
        """By member: the pools with a fabric, which are those of several Front Ends of Lync Server 2013 or later."""
        found: dict[Host, Fabric] = {}
        for pool in self.scenario.pools:
            members = [each for each in self.scenario.members(pool) if each.role == "front_end"]
            if len(members) > 1 and all(each.product != "lync2010" for each in members):
                hosts = [self.hosts[each.name] for each in members]
                fabric = Fabric(hosts, self.clock, settling_seconds=self.scenario.settling_seconds)
                found.update(dict.fromkeys(hosts, fabric))
        return found

    def _enterprise_ca(self, row: EnterpriseCaRow) -> EnterpriseCa:
        enroll = [account.lower() for account in row.enroll]
        templates = [both_usages(enroll, manager_approval=row.manager_approval), web_server(enroll)]
        return EnterpriseCa(self.issuer.authority(row.authority), templates, name=row.config.partition("\\")[2])

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
                self.issuer.trust(host.stores, server)
                host.lync.computed = names.computed(self.scenario, server)
                self._first_certificates(server, host)
            if server.renewed:
                time = built - timedelta(seconds=server.renewed.age)
                later.append(Change(time=time, apply=partial(self.assign, server.name, server.renewed.template)))
            time = built - timedelta(seconds=server.process_age)
            later.append(Change(time=time, apply=partial(_start, host, server)))
        self._share_oauth()
        first = min(change.time for change in later) - timedelta(days=1)
        with self.clock.past() as show:
            show(first)
            for server in self.scenario.servers:
                _start(self.hosts[server.name], server)
            for change in sorted(later, key=lambda each: each.time):
                show(change.time)
                change.apply()
        for server in self.scenario.servers:
            # They came after the services started, which therefore still run.
            for authority in server.misplaced_roots:
                self.hosts[server.name].stores.add("Root", self.issuer.authority(authority).der)

    def _first_certificates(self, server: Server, host: Host) -> None:
        assert server.certificate is not None
        if server.role == "edge":
            self._give(server, self.issuer.outside, names.EDGE_OUTSIDE)
        elif server.role == "front_end" and server.product != "lync2010":
            self._give(server, self.issuer.oauth, ("OAuthTokenIssuer",))
        if server.web_certificate:
            self._give(server, self.issue(server, server.web_certificate), names.FRONT_END_USES[1:])
        first = next(iter(self.scenario.members(server.pool)), server)
        if self._shared(server) and first is not server:
            entry = self.hosts[first.name].stores.find(self.hosts[first.name].lync.assigned[names.main_use(first)])
            assert entry is not None
            self._give(server, self.issuer.issued(entry.certificate), _uses(server))
        else:
            self.assign(server.name, server.certificate)
        if server.av_internal:
            host.lync.assigned["AudioVideoAuthentication"] = host.lync.assigned["Internal"]

    def _share_oauth(self) -> None:
        """Let all Front Ends have the Default certificate of one server for OAuthTokenIssuer, if a scenario says so."""
        source = next((server for server in self.scenario.servers if server.oauth_source), None)
        if source is None:
            return
        thumb = self.hosts[source.name].lync.assigned["Default"]
        entry = self.hosts[source.name].stores.find(thumb)
        assert entry is not None
        for host in self.hosts.values():
            if "OAuthTokenIssuer" in host.lync.assigned:
                host.stores.add("My", entry.certificate, key=entry.key, friendly_name=entry.friendly_name)
                host.lync.assigned["OAuthTokenIssuer"] = thumb

    def _shared(self, server: Server) -> bool:
        return server.pool is not None and self.scenario.pools[server.pool].same_certificate

    def _give(self, server: Server, issued: Issued, uses: tuple[str, ...]) -> None:
        """Put a certificate with its key into a server's store and assign it."""
        assert isinstance(issued.key, RSAPrivateKey)
        host = self.hosts[server.name]
        host.stores.add("My", issued.der, key=HeldKey(private=issued.key, exportable=server.exportable))
        host.assign(uses, issued.der)


def _uses(server: Server) -> tuple[str, ...]:
    if server.role == "edge":
        return ("Internal",)
    web = names.FRONT_END_USES if server.web_certificate is None else ("Default",)
    return web if server.role in ("front_end", "director") else ("Default",)


def _start(host: Host, server: Server) -> None:
    for name in host.services.names():
        if name not in server.stopped:
            host.services.start_now(name)
