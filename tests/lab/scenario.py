# Copyright (c) 2026, the sfb.kb4023993 contributors
# GNU General Public License v3.0-or-later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A scenario: the deployment that a lab plays, read from one YAML file. scenarios/README.md explains the entries."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, get_args

import yaml

from lab import catalog
from lab.protocol.handler import Transport
from lab.protocol.inventory import Auth, Scheme
from lab.reader import Reader, ScenarioError
from lab.scenario_parts import EnterpriseCaRow, read_enterprise_cas, read_quirks
from lab.world.host import Quirks
from lab.world.services import Behaviour

SCENARIOS = Path(__file__).parent / "scenarios"

CULTURES = ("en-US", "de-DE", "ja-JP")
IMAGE_PATHS = ("quoted", "plain", "arguments", "short", "variable")
_WHERES = ("application", "global", "appcontext", "config")
_KINDS = ("dword", "qword", "string", "expand_string")
CA_ACCESS = ("none", "not_delegated", "delegated")


@dataclass(frozen=True, kw_only=True)
class Dotnet:
    """One installed .NET. ``check``: whether System.dll holds the EKU check once ``update`` is in, ``installed`` seconds ago."""

    version: str
    update: str | None
    superseded_update: str | None
    check: bool
    odd_offset: bool
    installed: float


@dataclass(frozen=True, kw_only=True)
class OptOut:
    """A value that was written ``age`` seconds ago. ``name`` and ``clr`` None: the right ones."""

    where: str
    kind: str
    data: str
    name: str | None
    clr: str | None
    view: str
    age: float


@dataclass(frozen=True, kw_only=True)
class Renewal:
    """A certificate that was assigned ``age`` seconds ago in place of the first one."""

    template: str
    age: float


@dataclass(frozen=True, kw_only=True)
class Server:
    """One server. ``services``: behaviour and start mode of some of them; ``process_age`` in seconds.

    ``web_certificate``: the template of the web uses' own certificate, None where they share the one of Default.
    ``computed_names``: what the product computes from its topology, in place of the names of the deployment.
    """

    name: str
    fqdn: str
    product: str | None
    role: str
    os: str
    culture: str
    pool: str | None
    certificate: str | None
    renewed: Renewal | None
    ca_purposes: tuple[str, ...] | None
    dotnet: tuple[Dotnet, ...]
    install_directory: str
    image_path: str
    build: str
    opt_outs: tuple[OptOut, ...]
    process_age: float
    behaviours: Mapping[str, Behaviour]
    start_modes: Mapping[str, str]
    stopped: frozenset[str]
    dependents: tuple[str, ...]
    quirks: Quirks
    registry_denied: tuple[str, ...]
    connection: Transport
    scheme: Scheme
    auth: Auth
    workgroup: bool
    inventory: bool
    exportable: bool
    more_names: tuple[str, ...]
    computed_names: tuple[str, ...]
    web_certificate: str | None
    oauth_source: bool
    av_internal: bool
    misplaced_roots: tuple[str, ...]
    ca_access: str

    @property
    def account(self) -> str:
        """The account of remote sessions."""
        return "Administrator" if self.workgroup or self.auth == "basic" else r"CONTOSO\sfb-admin"


@dataclass(frozen=True, kw_only=True)
class Pool:
    """A pool of Front Ends or of Edge servers, by its full name."""

    fqdn: str
    edge_pool: str | None
    paired_pool: str | None
    same_certificate: bool


@dataclass(frozen=True, kw_only=True)
class Scenario:
    """The whole deployment. ``topology``: whether servers have a topology document at all."""

    name: str
    domain: str
    servers: tuple[Server, ...]
    pools: Mapping[str, Pool]
    templates: Mapping[str, Mapping[str, Any]]
    authorities: Mapping[str, Mapping[str, Any]]
    description: str = ""
    topology: bool = True
    sip_domains: tuple[str, ...] = ()
    enterprise_cas: tuple[EnterpriseCaRow, ...] = ()
    poll_seconds: float = 0.0
    settling_seconds: float = 120.0
    failover_seconds: float = 600.0
    by_name: Mapping[str, Server] = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "by_name", {server.name: server for server in self.servers})

    def members(self, pool: str | None) -> tuple[Server, ...]:
        return tuple(server for server in self.servers if pool is not None and server.pool == pool)


def load(path: Path | str) -> Scenario:
    """Read a scenario file; a bare name means one of ``scenarios/``.

    :raises ScenarioError: if it cannot be read or built.
    """
    file = Path(path)
    if not file.suffix:
        file = SCENARIOS / f"{path}.yml"
    try:
        data = yaml.safe_load(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        known = ", ".join(sorted(each.stem for each in SCENARIOS.glob("*.yml")))
        raise ScenarioError(f"There is no scenario file {file}. The lab brings: {known}.") from None
    except yaml.YAMLError as error:
        raise ScenarioError(f"{file} is not YAML: {error}") from None
    return parse(data, name=file.stem)


def parse(data: Any, *, name: str = "scenario") -> Scenario:
    """Build a scenario from parsed YAML.

    :raises ScenarioError: naming the place, what is wrong and what is possible.
    """
    top = Reader(data, name)
    domain = top.text("domain", "contoso.example")
    templates = {**catalog.table("templates"), **_rows(top, "templates")}
    authorities = {**catalog.table("authorities"), **_rows(top, "authorities")}
    pool_rows = Reader(top.get("pools"), f"{name}: pools")
    pools: dict[str, Pool] = {}
    common: dict[str, dict[str, Any]] = {}
    for pool_name in pool_rows.names():
        row = Reader(pool_rows.get(pool_name), f"{name}: pool {pool_name}")
        fqdn = full_name(pool_name, domain)
        edge_pool, paired_pool = row.optional_text("edge_pool"), row.optional_text("paired_pool")
        pools[fqdn] = Pool(
            fqdn=fqdn,
            edge_pool=full_name(edge_pool, domain) if edge_pool else None,
            paired_pool=full_name(paired_pool, domain) if paired_pool else None,
            same_certificate=row.flag("same_certificate"),
        )
        common[fqdn] = Reader(row.get("each"), f"{row.where}: each").entries()
        row.done()
    server_rows = Reader(top.get("servers"), f"{name}: servers")
    servers = []
    for server_name in server_rows.names():
        own = Reader(server_rows.get(server_name), f"{name}: server {server_name}")
        pool = own.optional_text("pool")
        member_of = full_name(pool, domain) if pool else None
        if member_of is not None and member_of not in pools:
            known = ", ".join(sorted(pools)) or "none"
            raise own.error("pool", f"names {pool!r}, which is not among the pools ({known})")
        row = own.with_defaults(common.get(member_of or "", {}))
        servers.append(_server(row, server_name, member_of, domain, templates))
    description, topology = top.text("description", name), top.flag("topology", True)
    sip_domains = tuple(map(str, top.items("sip_domains"))) or (domain,)
    times = {
        "poll_seconds": top.number("poll_seconds"),
        "settling_seconds": top.number("settling_seconds", 120),
        "failover_seconds": top.number("failover_seconds", 600),
    }
    cas = read_enterprise_cas(Reader(top.get("enterprise_cas"), f"{name}: enterprise_cas"), authorities)
    top.done()
    if not servers:
        raise ScenarioError(f"{name}: a scenario needs at least one server.")
    _check_pools(name, pools, servers)
    _check_names(name, authorities, servers)
    return Scenario(
        name=name,
        domain=domain,
        servers=tuple(servers),
        pools=pools,
        templates=templates,
        authorities=authorities,
        description=description,
        topology=topology,
        sip_domains=sip_domains,
        enterprise_cas=cas,
        **times,
    )


def full_name(name: str, domain: str) -> str:
    return name if "." in name else f"{name}.{domain}"


def _rows(top: Reader, key: str) -> dict[str, Mapping[str, Any]]:
    rows = Reader(top.get(key), f"{top.where}: {key}")
    return {name: Reader(rows.get(name), f"{rows.where} {name}").entries() for name in rows.names()}


def _server(
    row: Reader, name: str, pool: str | None, domain: str, templates: Mapping[str, Mapping[str, Any]]
) -> Server:
    role = row.choice("role", catalog.table("roles").keys(), "front_end")
    has_product = role != "none"
    product: str | None = row.choice("product", catalog.table("products").keys()) if has_product else None
    os = row.choice("os", catalog.table("operating_systems").keys())
    if pool is None and role in ("front_end", "edge"):
        raise row.error("pool", f"is missing: a server of the role {role} belongs to a pool, be it of one server")
    product_row = catalog.table("products")[product] if product else {"name": "", "version": "0.0.0.0"}
    transport, scheme, auth = _connection(row)
    services = Reader(row.get("services"), f"{row.where}: services")
    behaviours, start_modes, stopped = _services(services)
    renewed = Reader(row.get("renewed"), f"{row.where}: renewed") if row.get("renewed") is not None else None
    server = Server(
        name=name,
        fqdn=row.text("fqdn", full_name(name, domain)),
        product=product,
        role=role,
        os=os,
        culture=row.choice("culture", CULTURES, "en-US"),
        pool=pool,
        certificate=row.choice("certificate", templates.keys(), "webserver") if has_product else None,
        renewed=_renewal(renewed, templates) if renewed else None,
        ca_purposes=tuple(map(str, row.items("ca_purposes"))) if "ca_purposes" in row else None,
        dotnet=_dotnet_list(row, os),
        install_directory=row.text("install_directory", rf"C:\Program Files\{product_row['name'] or 'None'}"),
        image_path=row.choice("image_path", IMAGE_PATHS, "quoted"),
        build=row.text("build", product_row["version"]),
        opt_outs=tuple(_opt_out(Reader(item, f"{row.where}: opt_outs")) for item in row.items("opt_outs")),
        process_age=row.duration("process_age", "3d"),
        behaviours=behaviours,
        start_modes=start_modes,
        stopped=stopped,
        dependents=tuple(map(str, row.items("dependents"))),
        quirks=read_quirks(Reader(row.get("quirks"), f"{row.where}: quirks")),
        registry_denied=tuple(map(str, row.items("registry_denied"))),
        connection=transport,
        scheme=scheme,
        auth=auth,
        workgroup=row.flag("workgroup", role == "edge"),
        inventory=row.flag("inventory", True),
        exportable=row.flag("exportable"),
        more_names=tuple(full_name(str(each), domain) for each in row.items("more_names")),
        computed_names=tuple(full_name(str(each), domain) for each in row.items("computed_names")),
        web_certificate=row.choice("web_certificate", templates.keys()) if "web_certificate" in row else None,
        oauth_source=row.flag("oauth_source"),
        av_internal=row.flag("av_internal"),
        misplaced_roots=tuple(map(str, row.items("misplaced_roots"))),
        ca_access=row.choice("ca_access", CA_ACCESS, "none"),
    )
    row.done()
    return server


def _connection(row: Reader) -> tuple[Transport, Scheme, Auth]:
    """``winrm https ntlm``: the words may be left out from the right."""
    words = row.text("connection", "winrm http ntlm").split()
    transport, scheme, auth = (*words, *("winrm", "http", "ntlm")[len(words) :])[:3]
    for word, choices in ((transport, get_args(Transport)), (scheme, get_args(Scheme)), (auth, get_args(Auth))):
        if word not in choices or len(words) > 3:
            raise row.error("connection", f"cannot be {' '.join(words)!r}; it is like 'winrm https ntlm'")
    return transport, scheme, auth  # type: ignore[return-value]


def _renewal(row: Reader, templates: Mapping[str, Any]) -> Renewal:
    renewal = Renewal(template=row.choice("certificate", templates.keys()), age=row.duration("age", "1h"))
    row.done()
    return renewal


def _dotnet_list(row: Reader, os: str) -> tuple[Dotnet, ...]:
    return tuple(_dotnet(Reader(item, f"{row.where}: dotnet"), os) for item in row.items("dotnet"))


def _dotnet(row: Reader, os: str) -> Dotnet:
    versions = {name: v for name, v in catalog.table("dotnet").items() if os in v["operating_systems"]}
    version = row.choice("version", versions.keys())
    updates = catalog.table("updates")[os]
    for key in ("update", "superseded_update"):
        if row.get(key) is not None:
            row.choice(key, [kb for kb, update in updates.items() if version in update["dotnet"]])
    update = row.get("update")
    rule = versions[version]["check"]
    if rule == "unknown" and "check" not in row:
        raise row.error(
            "check", f"is missing: whether .NET {version} has the EKU check is not known, so say true or false"
        )
    check = row.flag("check", rule == "always" or update is not None)
    dotnet = Dotnet(
        version=version,
        update=update,
        superseded_update=row.get("superseded_update"),
        check=check,
        odd_offset=row.flag("odd_offset"),
        installed=row.duration("installed", "30d"),
    )
    row.done()
    return dotnet


def _opt_out(row: Reader) -> OptOut:
    where = row.choice("where", _WHERES, "application")
    data = row.get("data", 0 if where in ("application", "global") else "true")
    opt_out = OptOut(
        where=where,
        kind=row.choice("kind", _KINDS, "dword" if where in ("application", "global") else "string"),
        data=str(data).lower() if isinstance(data, bool) else str(data),
        name=row.optional_text("name"),
        clr=row.optional_text("clr"),
        view=str(row.get("view", 64)),
        age=row.duration("age", "10d"),
    )
    if opt_out.view not in ("64", "32"):
        raise row.error("view", "has to be 64 or 32")
    row.done()
    return opt_out


def _services(rows: Reader) -> tuple[dict[str, Behaviour], dict[str, str], frozenset[str]]:
    behaviours, start_modes, stopped = {}, {}, set()
    for name in rows.names():
        row = Reader(rows.get(name), f"{rows.where}: {name}")
        behaviours[name] = Behaviour(
            stop_seconds=row.number("stop_seconds", 0.05),
            drain_seconds=row.number("drain_seconds"),
            start_seconds=row.number("start_seconds", 0.05),
            stuck=row.flag("stuck"),
            fails_to_start=row.flag("fails_to_start"),
        )
        start_modes[name] = row.choice("start_mode", ("automatic", "manual", "disabled"), "automatic")
        if row.flag("stopped", start_modes[name] == "disabled"):
            stopped.add(name)
        row.done()
    return behaviours, start_modes, frozenset(stopped)


def _check_names(name: str, authorities: Mapping[str, Mapping[str, Any]], servers: list[Server]) -> None:
    """What refers to an authority or a server names one that there is."""
    names = {server.name for server in servers}
    for server in servers:
        for authority in server.misplaced_roots:
            if authority not in authorities:
                known = ", ".join(sorted(authorities))
                raise ScenarioError(
                    f"{name}: server {server.name}: misplaced_roots: there is no authority {authority!r}; "
                    f"choose some of {known}."
                )
    for authority, row in authorities.items():
        trusted = row.get("trusted", True)
        if isinstance(trusted, list) and not set(map(str, trusted)) <= names:
            raise ScenarioError(f"{name}: authority {authority}: trusted has to be true, false or a list of servers.")
    if sum(server.oauth_source for server in servers) > 1:
        raise ScenarioError(
            f"{name}: only one server can be oauth_source: the certificate of OAuthTokenIssuer is global."
        )


def _check_pools(name: str, pools: Mapping[str, Pool], servers: list[Server]) -> None:
    roles = {server.pool: server.role for server in servers if server.pool}
    for pool in pools.values():
        for key, other, role in (("edge_pool", pool.edge_pool, "edge"), ("paired_pool", pool.paired_pool, "front_end")):
            if other is not None and (other not in pools or roles.get(other, role) != role):
                raise ScenarioError(
                    f"{name}: pool {pool.fqdn}: {key} {other} is not a pool of servers of the role {role}; "
                    f"pools are {', '.join(sorted(pools))}."
                )
