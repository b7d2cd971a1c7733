# Copyright (c) 2026, the sfb.kb4023993 contributors
# GNU General Public License v3.0-or-later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The fleet as the rules see it: every host with what its evidence means, the pools, and the connections between them."""

from __future__ import annotations

import collections
import dataclasses
import typing as t

from .evidence import Evidence, Failure, InventoryFacts, TopologyFact
from .knowledge import loader as knowledge
from .questions import PeerQuestion
from .records import NO_RECORDS, Records, read_records
from .rules.enforcement import EnforcementFacts, enforcement_facts
from .rules.failures import FailureFacts, failure_facts
from .rules.opt_outs import OptOutFacts, opt_out_facts
from .rules.pools import Member, PoolMap, map_pools
from .rules.role_certificate import RoleCertificate, role_certificate
from .rules.roles import RoleFacts, role_facts

ConnectionKind = t.Literal["edge", "front_end"]


@dataclasses.dataclass(frozen=True, kw_only=True)
class InventoryHost:
    """One host of the inventory and what is known of it.

    :param in_run: whether this run works on it (``--limit`` leaves others out).
    :param evidence: the newest good evidence, of this run or saved.
    :param failure: why it could not be read in this run.
    :param problem: why its saved evidence cannot be used.
    :param offline: whether it is read by hand, so that no run reads or changes it.
    """

    name: str
    in_run: bool
    inventory: InventoryFacts
    evidence: Evidence | None = None
    failure: Failure | None = None
    problem: str | None = None
    offline: bool = False


@dataclasses.dataclass(frozen=True, kw_only=True)
class HostView:
    """A host with its evidence interpreted. The parts of a Front End are None on other hosts."""

    source: InventoryHost
    role: RoleFacts
    certificate: RoleCertificate | None = None
    enforcement: EnforcementFacts | None = None
    opt_outs: OptOutFacts | None = None
    failures: FailureFacts | None = None
    records: Records = NO_RECORDS

    @property
    def name(self) -> str:
        return self.source.name

    @property
    def full_name(self) -> str:
        return self.source.evidence.full_name if self.source.evidence else self.source.name.lower()

    @property
    def read_now(self) -> bool:
        """Whether its evidence is of this run, not saved by an earlier one."""
        return self.source.in_run and self.readable and not self.source.offline

    @property
    def readable(self) -> bool:
        """Whether its evidence may speak for it now: there is some, and this run did not fail to read it."""
        return self.source.evidence is not None and self.source.failure is None


@dataclasses.dataclass(frozen=True, kw_only=True)
class Link:
    """A connection to judge: ``peer`` is an inventory name where the peer has evidence, else the server's own name.

    ``names``: what the peer may be called in events and in DNS, in lower case.
    """

    validator: str
    peer: str
    names: tuple[str, ...]
    kind: ConnectionKind
    source: str


@dataclasses.dataclass(frozen=True, kw_only=True)
class Fleet:
    """``unlisted``: by pool of Front Ends the members that its topology names and the inventory does not have."""

    views: dict[str, HostView]
    pools: PoolMap
    links: tuple[Link, ...]
    unlisted: dict[str, tuple[str, ...]]


def build_fleet(hosts: t.Sequence[InventoryHost]) -> Fleet:
    """Interpret all evidence and lay out the connections."""
    views = {host.name: _view(host) for host in sorted(hosts, key=lambda host: host.name)}
    pools = map_pools([_member(view) for view in views.values()], _topology(views))
    return Fleet(views=views, pools=pools, links=tuple(_links(pools, views)), unlisted=_unlisted(pools, views))


def connection_ports(kind: ConnectionKind) -> tuple[int, ...]:
    return tuple(p.number for p in knowledge.ports() if p.purpose == "connection" and p.connection == kind)


def peer_questions(fleet: Fleet) -> dict[str, PeerQuestion]:
    """What each Front End of this run is to be asked about its peers, by inventory name; hosts without a question are left out."""
    questions: dict[str, PeerQuestion] = {}
    links: dict[str, list[Link]] = collections.defaultdict(list)
    for link in fleet.links:
        links[link.validator].append(link)
    for name, view in fleet.views.items():
        if not (view.read_now and view.role.role == "front_end"):
            continue
        certificates: dict[str, tuple[str, bytes, tuple[bytes, ...]]] = {}
        names: list[tuple[str, int]] = []
        for link in links[name]:
            peer = fleet.views.get(link.peer)
            shown = peer.certificate if peer else None
            for held in (shown.current, shown.assigned) if shown else ():
                if held:
                    certificates[held.thumbprint] = (held.thumbprint, held.der, held.issuers)
            if not peer or not shown or not shown.current or not peer.read_now:
                names.extend((target, port) for target in link.names for port in _probe_ports(link.kind))
        question = PeerQuestion(certificates=tuple(certificates.values()), names=tuple(dict.fromkeys(names)))
        if not question.is_empty:
            questions[name] = question
    return questions


def _view(host: InventoryHost) -> HostView:
    evidence = host.evidence
    if evidence is None:
        return HostView(source=host, role=RoleFacts(role="unknown", reason="there is no evidence of this host"))
    role = role_facts(evidence)
    if role.role not in ("front_end", "edge"):
        return HostView(source=host, role=role, records=read_records(evidence.records))
    view = HostView(
        source=host,
        role=role,
        certificate=role_certificate(evidence, role.role),
        records=read_records(evidence.records),
    )
    if role.role == "edge":
        return view
    return dataclasses.replace(
        view,
        enforcement=enforcement_facts(evidence, role),
        opt_outs=opt_out_facts(evidence, role),
        failures=failure_facts(evidence, role),
    )


def _member(view: HostView) -> Member:
    held = view.certificate.current if view.certificate else None
    return Member(
        name=view.name,
        full_name=view.full_name,
        role=view.role.role,
        inventory=view.source.inventory,
        subject=held.facts.subject_common_name if held and held.facts else None,
        event_names=view.failures.named if view.failures else frozenset(),
    )


def _topology(views: dict[str, HostView]) -> list[TopologyFact]:
    """All pools that any host knows of. What a pool's own member says of it counts most, so it comes last.

    An Edge stands in a DMZ: it is not believed what it says of pools of Front Ends.
    """
    own: list[TopologyFact] = []
    others: list[TopologyFact] = []
    for view in views.values():
        for fact in (view.source.evidence.topology if view.source.evidence else None) or ():
            if fact.front_end and view.role.role != "front_end":
                continue
            (own if view.full_name in fact.machines else others).append(fact)
    return [*others, *own]


def _links(pools: PoolMap, views: dict[str, HostView]) -> t.Iterator[Link]:
    for pool in pools.pools.values():
        if pool.role != "front_end":
            continue
        edge = pools.edges[pool.name]
        for validator in pool.members:
            for peer in (*pool.members, *pool.missing):
                source = "own" if peer == validator else pool.source
                names = _names(peer, pool.name, views)
                yield Link(validator=validator, peer=peer, names=names, kind="front_end", source=source)
            for name in edge.pools:
                servers = pools.pools[name]
                for peer in (*servers.members, *servers.missing):
                    names = _names(peer, name, views)
                    yield Link(validator=validator, peer=peer, names=names, kind="edge", source=edge.source)
            if not edge.pools and edge.source == "assumed":
                yield Link(validator=validator, peer="", names=(), kind="edge", source="assumed")


def _unlisted(pools: PoolMap, views: dict[str, HostView]) -> dict[str, tuple[str, ...]]:
    listed = {name for view in views.values() for name in (view.full_name, view.name.lower())}
    # Of a server that was never read only its inventory name is known, which may have another domain or none.
    labels = {view.name.lower().split(".")[0] for view in views.values() if view.source.evidence is None}
    found = {
        pool.name: tuple(name for name in pool.missing if name not in listed and name.split(".")[0] not in labels)
        for pool in pools.pools.values()
        if pool.role == "front_end"
    }
    return {name: members for name, members in found.items() if members}


def _names(peer: str, pool: str, views: dict[str, HostView]) -> tuple[str, ...]:
    """What a peer may be called. A server that was not read may be known by its short inventory name alone: its domain is
    then most likely that of its pool."""
    view = views.get(peer)
    full_name = view.full_name if view else peer.lower()
    names = [full_name, *([peer.lower()] if view and view.source.evidence else [])]
    if "." not in full_name and "." in pool:
        names.append(f"{full_name}.{pool.split('.', 1)[1]}")
    return tuple(dict.fromkeys(names))


def _probe_ports(kind: ConnectionKind) -> tuple[int, ...]:
    """Ports where a peer of this kind shows the judged certificate."""
    return tuple(p.number for p in knowledge.ports() if p.purpose == "probe" and kind in p.listener_roles)
