# Copyright (c) 2026, the sfb.kb4023993 contributors
# GNU General Public License v3.0-or-later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Cases in the lab: the world becomes the parts of a simulated server, and the batch goes through its whole agent."""

from __future__ import annotations

import base64
import dataclasses
import gzip
import threading
import typing as t
from datetime import timedelta

from ansible_collections.sfb.kb4023993.plugins.plugin_utils.host import operations as op
from ansible_collections.sfb.kb4023993.plugins.plugin_utils.host import wire
from lab import pki
from lab.agent import Agent, shipped_batch, shipped_bootstrap
from lab.answers.context import Surroundings
from lab.ca.enterprise import EnterpriseCa
from lab.ca.template import Template
from lab.clock import Clock
from lab.fabric import Fabric
from lab.mechanism import Mechanism
from lab.network import Network
from lab.protocol.handler import Execution, Invocation
from lab.world.events import Entry
from lab.world.host import WEB_CONFERENCING, Host, Quirks, SystemFacts
from lab.world.services import SERVICES, Behaviour
from powershell.product_module import commands as product_commands

from contract.case import NONCE, Asked, Case, batch_data, typed
from contract.world import Product, TlsServer, World, merged

PORTS = {"tls": 5061, "mutual": 5061, "other": 8060, "closed": 5061}
"""Where a simulated Front End does what a kind of server does."""
_ACCOUNT = "contoso\\admin"
MACHINE_GUID = "3f2504e0-4f89-41d3-9a0c-0305e82c3301"


def reason(case: Case) -> str | None:
    """Why a case cannot run here; None when it can."""
    if any(server.kind not in PORTS for server in case.world.tls):
        return "the lab has no server that stays silent"
    return case.left_out.get("lab")


def run(cases: t.Sequence[Case]) -> list[wire.Reply]:
    """The replies of all steps of these cases, on one host."""
    world = merged([each.world for each in cases])
    servers = {server.port: server for server in world.tls}
    asked = [_reached(step.asked, servers) for each in cases for step in each.steps]
    execution = execute(world, batch_data(asked))
    assert (execution.exit_code, execution.stderr) == (0, b"")
    replies, failure = wire.decode_reply(execution.stdout.decode("ascii"), list(map(typed, asked)), nonce=NONCE)
    assert failure is None
    return list(replies)


def _reached(asked: Asked, servers: t.Mapping[int, TlsServer]) -> Asked:
    """Put the lab's name and port of a server into an operation."""
    if isinstance(asked, op.TlsPeer) and asked.port in servers:
        server = servers[asked.port]
        return dataclasses.replace(asked, host=peer_name(server), port=PORTS[server.kind])
    return asked


def execute(world: World, data: str) -> Execution:
    """Send the data of a batch to a simulated server of this world."""
    texts = (shipped_batch(changing=True, certificates=True), data.encode("utf-8"))
    parts = (base64.b64encode(gzip.compress(part)).decode("ascii") for part in texts)
    invocation = Invocation(
        host="host",
        transport="winrm",
        script="\n".join(shipped_bootstrap()),
        stdin=".".join(parts) + "\r\n",
        processes=1,
    )
    clock = Clock()
    mechanism = Mechanism(clock)
    network = Network()
    host = _host(clock, mechanism, role="director")
    _furnish(host, world, clock)
    for server in world.tls:
        network.add(peer_name(server), _peer(server, clock, mechanism))
    surroundings = Surroundings(
        network=network,
        mechanism=mechanism,
        topology=lambda: world.product.topology if world.product else None,
        hosts=(host,),
        fabrics=_fabrics(host, world, clock, mechanism),
        cas=_cas(world),
        ca_access={host: (world.ca.reach, _ACCOUNT)} if world.ca else {},
    )
    return Agent({"host": host}, surroundings, threading.RLock()).execute(invocation)


def peer_name(server: TlsServer) -> str:
    return f"peer{server.port}.contoso.example"


def _fabrics(host: Host, world: World, clock: Clock, mechanism: Mechanism) -> dict[Host, Fabric]:
    """The pool that this host is in."""
    if not world.product or not world.product.pool:
        return {}
    other = _host(clock, mechanism, role="front_end", name="OTHER")
    for member in (host, other):
        member.files.add(r"C:\Server\RTCSRV.exe", b"MZ", modified=clock.now())
        member.services.install("RTCSRV", r"C:\Server\RTCSRV.exe")
    for member in (host, other) if world.product.pool == "other runs" else (host,):
        member.services.start_now("RTCSRV")
    return {host: Fabric((host, other), clock, settling_seconds=0)}


def _cas(world: World) -> dict[str, EnterpriseCa]:
    if not world.ca:
        return {}
    template = Template(name=world.ca.template, enroll=frozenset((_ACCOUNT,)), eku=(pki.SERVER_AUTH, pki.CLIENT_AUTH))
    return {world.ca.config.casefold(): EnterpriseCa(world.ca.authority, (template,))}


def _host(clock: Clock, mechanism: Mechanism, *, role: str, quirks: Quirks | None = None, name: str = "HOST") -> Host:
    facts = SystemFacts(
        computer_name=name,
        dns_domain="contoso.example",
        culture="en-US",
        ui_culture="en-US",
        powershell_version="5.1",
        clr_version="4.0.30319.42000",
        utc_offset_minutes=0,
    )
    return Host(
        name=name.lower(),
        fqdn=f"{name.lower()}.contoso.example",
        role=role,
        facts=facts,
        clock=clock,
        quirks=quirks or Quirks(),
        changing=mechanism.changing,
    )


def _peer(server: TlsServer, clock: Clock, mechanism: Mechanism) -> Host:
    """A server of the product whose port 5061 does what is asked for."""
    quirks = Quirks(demanding_ports=(PORTS["tls"],) if server.kind == "mutual" else ())
    host = _host(clock, mechanism, role="front_end", quirks=quirks)
    assert server.identity is not None
    *intermediates, root = server.identity.chain
    host.stores.add("My", server.identity.der, has_private_key=True)
    host.stores.add("Root", root)
    for certificate in intermediates:
        host.stores.add("CA", certificate)
    host.assign(("Default",), server.identity.der)
    # The Web Conferencing service does not shake hands with a client.
    for name in ("RTCSRV", WEB_CONFERENCING):
        path = rf"C:\Server\{name}.exe"
        host.files.add(path, b"MZ", modified=clock.now())
        host.services.install(name, path)
        if server.kind != "closed":
            host.services.start_now(name)
    return host


def _furnish(host: Host, world: World, clock: Clock) -> None:
    _furnish_registry(host, world)
    for file in world.files:
        host.files.add(file.path, file.content + bytes(file.padding), modified=file.modified)
    for folder in world.folders:
        host.files.add_folder(folder.path)
    for stored in world.stored:
        host.stores.add(
            stored.store,
            stored.certificate,
            has_private_key=stored.private_key,
            usage_property=stored.usage_property,
        )
    _furnish_services(host, world, clock)
    for logged in world.logged:
        first = clock.now() - timedelta(seconds=logged.age_seconds)
        entry = Entry(id=logged.id, strings=logged.strings)
        host.log.write_series(logged.provider, (entry,), first, timedelta(milliseconds=1), logged.count)
    if world.product:
        _furnish_product(host, world.product)


def _furnish_registry(host: Host, world: World) -> None:
    windows = r"SOFTWARE\Microsoft\Windows NT\CurrentVersion"
    host.registry.write(windows, "CurrentVersion", "string", "6.3")
    host.registry.write(windows, "CurrentBuild", "string", "9600")
    host.registry.write(r"SOFTWARE\Microsoft\Cryptography", "MachineGuid", "string", MACHINE_GUID)
    host.registry.write(r"SYSTEM\CurrentControlSet\Control\ProductOptions", "ProductType", "string", "ServerNT")
    for key in world.keys:
        host.registry.create(key.path)
        for value in key.values:
            host.registry.store(key.path, value.name, value.type, value.data)
        if key.denied:
            host.registry.denied.add(key.path)


def _furnish_services(host: Host, world: World, clock: Clock) -> None:
    for service in world.services:
        made = host.services.install(
            service.name, service.image_path or "", start=service.start, depends_on=service.depends_on
        )
        if service.image_path is None:
            host.registry.remove(rf"{SERVICES}\{service.name}", "ImagePath")
        if service.status in ("running", "paused", "stop_pending", "start_pending"):
            host.services.start_now(service.name)
        made.behaviour = Behaviour(stuck=service.stuck, fails_to_start=service.fails)
        made.status = service.status
        if service.status.endswith("_pending") and not service.stuck:
            made.due = clock.now() + timedelta(seconds=0.1)
    for number, process in enumerate(world.processes):
        name = f"Process{number}"
        host.files.add(process.path, b"MZ", modified=clock.now())
        host.services.install(name, process.path)
        host.services.start_now(name)


def _furnish_product(host: Host, product: Product) -> None:
    host.lync.modules = (product.module,)
    host.lync.product = {"Lync": "lync2013", "SkypeForBusiness": "sfb2015"}[product.module]
    host.lync.computed = dict.fromkeys(("Default", "WebServicesInternal"), (host.fqdn,))
    for reference in product.certificates:
        host.lync.assigned[reference["Use"]] = reference["Thumbprint"]
    commands = ("Get-CsCertificate", "Get-CsTopology", *product_commands("2015"))
    if product.denied:
        host.quirks.denied_cmdlets = commands
    if product.failing:
        host.quirks.failing_cmdlets = dict.fromkeys(commands, "it does not work")
