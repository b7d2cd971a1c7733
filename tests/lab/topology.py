# Copyright (c) 2026, the sfb.kb4023993 contributors
# GNU General Public License v3.0-or-later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The topology document of a deployment, in the shape that Publish-CsTopology takes.

Pools, machines, services and dependencies are those of published documents (a Standard Edition server, and a Topology Builder file
with an Edge pool). How an Edge appears in the cmdlet's own output was never seen: the dependency of ConfServices on EdgeServer is
carried over from the Topology Builder file.
"""

from __future__ import annotations

from collections.abc import Sequence
from xml.sax.saxutils import quoteattr

from lab.scenario import Pool, Scenario, Server

_TOPOLOGY = "urn:schema:Microsoft.Rtc.Management.Deploy.Topology.2008"
_ROLES = "urn:schema:Microsoft.Rtc.Management.Deploy.ServiceRoles.2008"
_SIGNATURE = "5a3e6f0c-2c7b-4f0e-9a41-1f0d8c6b7e21"


def document(scenario: Scenario) -> str:
    """The XML text."""
    numbers = {fqdn: number for number, fqdn in enumerate(scenario.pools, start=1)}
    clusters = "".join(
        _cluster(pool, numbers[pool.fqdn], scenario.members(pool.fqdn)) for pool in scenario.pools.values()
    )
    services = "".join(_services(pool, numbers, scenario.members(pool.fqdn)) for pool in scenario.pools.values())
    return (
        f'<Topology xmlns="{_TOPOLOGY}" Signature="{_SIGNATURE}">'
        f'<InternalDomains AllowAllDomains="false" DefaultDomain={quoteattr(scenario.domain)}>'
        f'<InternalDomain Name={quoteattr(scenario.domain)} Authoritative="false" AllowSubDomains="false" />'
        "</InternalDomains>"
        '<Sites><CentralSite SiteId="1"><Name>Contoso</Name><Location /></CentralSite></Sites>'
        f"<Clusters>{clusters}</Clusters><SqlInstances /><Services>{services}</Services></Topology>"
    )


def _cluster(pool: Pool, number: int, members: Sequence[Server]) -> str:
    side = "Internal" if members and members[0].role == "edge" else "Primary"
    interface = f'<NetInterface InterfaceSide="{side}" InterfaceNumber="1" IPAddress="0.0.0.0" />'
    machines = "".join(
        f'<Machine OrdinalInCluster="{ordinal}" Fqdn={quoteattr(member.fqdn)}>{interface}</Machine>'
        for ordinal, member in enumerate(members, start=1)
    )
    return (
        f'<Cluster RequiresReplication="true" RequiresSetup="true" Fqdn={quoteattr(pool.fqdn)}>'
        f'<ClusterId SiteId="1" Number="{number}" />{machines}</Cluster>'
    )


def _services(pool: Pool, numbers: dict[str, int], members: Sequence[Server]) -> str:
    number = numbers[pool.fqdn]
    role = members[0].role if members else ""
    if role == "edge":
        return _service("EdgeServer", number, [], _port("DataEdge", "PsomServer", "Internal", 8057))
    if role != "front_end":
        return _service("Registrar", number, [], "")
    edge = [("EdgeServer", numbers[pool.edge_pool])] if pool.edge_pool else []
    parts = "".join(f'<MCU ComponentName="{name}" Vendor="Microsoft" />' for name in ("IMConf", "DataConf", "AVConf"))
    conferencing = f'<ConfService xmlns="{_ROLES}"><MCUs>{parts}</MCUs></ConfService>'
    web_ports = _port("Reach", "PsomServer", "Primary", 8060) + _port("Reach", "PsomServer", "External", 8061)
    return (
        _service("UserServices", number, [("ConfServices", number)], "")
        + _service(
            "Registrar", number, [("UserServices", number), *edge], _port("Registrar", "SipServer", "Primary", 5061)
        )
        + _service("WebServices", number, [("UserServices", number)], web_ports)
        + _service("ConfServices", number, [("UserServices", number), *edge], "", conferencing)
    )


def _service(role: str, instance: int, needs: Sequence[tuple[str, int]], ports: str, more: str = "") -> str:
    dependencies = "".join(
        f'<Dependency Usage="Default"><ServiceId SiteId="1" RoleName="{name}" Instance="{number}" /></Dependency>'
        for name, number in needs
    )
    return (
        f'<Service RoleVersion="1" ServiceVersion="7"><ServiceId SiteId="1" RoleName="{role}" Instance="{instance}" />'
        f'<DependsOn>{dependencies}</DependsOn><InstalledOn><ClusterId SiteId="1" Number="{instance}" /></InstalledOn>'
        f'<Ports xmlns="{_ROLES}">{ports}</Ports>{more}</Service>'
    )


def _port(owner: str, usage: str, side: str, number: int) -> str:
    return (
        f'<Port Owner="urn:component:{owner}" Usage="{usage}" InterfaceSide="{side}" InterfaceNumber="1" '
        f'Port="{number}" Protocol="Mtls" UrlPath="/" AuthorizesRequests="false" />'
    )
