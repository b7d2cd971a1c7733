# Copyright (c) 2026, the sfb.kb4023993 contributors
# GNU General Public License v3.0-or-later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which hosts form a pool, and which Edge pool a Front End pool uses; each answer with where it comes from.

Sources in order: inventory variables; the product's own topology as read on any host of the fleet; names in events; and, for the
pool of a host, the subject of its certificate (the product puts the pool's name there). What remains is an assumption, and marked.
"""

from __future__ import annotations

import dataclasses
import typing as t

from ..evidence import InventoryFacts, TopologyFact

Source = t.Literal["inventory", "topology", "events", "certificate", "only_pool", "alone", "assumed"]
NO_EDGE: t.Final = "none"
WORDS: t.Final[dict[Source, str]] = {
    "inventory": "by inventory variable",
    "topology": "by the product's topology",
    "events": "by names in events",
    "certificate": "by the certificate's subject",
    "only_pool": "the only pool on either side",
    "alone": "a server of its own",
    "assumed": "assumed",
}
INVENTORY: t.Final = WORDS["inventory"]
ASSUMED: t.Final = WORDS["assumed"]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Member:
    """What pools are made of: one host. ``role`` is ``unknown`` for a host without evidence; the inventory may still place it."""

    name: str
    full_name: str
    role: str
    inventory: InventoryFacts
    subject: str | None
    event_names: frozenset[str]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Pool:
    """``members``: inventory names of hosts with evidence. ``missing``: names of servers that belong to it and were not read."""

    name: str
    role: str
    members: tuple[str, ...]
    missing: tuple[str, ...]
    source: Source


@dataclasses.dataclass(frozen=True, kw_only=True)
class EdgeLink:
    """Edge pools of a Front End pool. No pools and ``source`` not assumed: it has no Edge."""

    pools: tuple[str, ...]
    source: Source


@dataclasses.dataclass(frozen=True, kw_only=True)
class PoolMap:
    pools: dict[str, Pool]
    pool_of: dict[str, str]
    edges: dict[str, EdgeLink]
    paired: dict[str, str]


def map_pools(members: t.Sequence[Member], topology: t.Iterable[TopologyFact]) -> PoolMap:
    """Group the hosts of a fleet and link Front End pools to Edge pools."""
    facts = {fact.pool: fact for fact in topology}
    pool_of, sources = {}, {}
    for member in members:
        pool_of[member.name], sources[member.name] = _pool_of(member, facts)
    front_end_pools = {pool_of[m.name] for m in members if m.role == "front_end"}
    for member in members:
        if member.role == "edge" and pool_of[member.name] in front_end_pools:
            # A slip in the inventory (one variable for all): an Edge is never in a pool of Front Ends.
            pool_of[member.name], sources[member.name] = member.full_name, "alone"
    pools = {}
    for role in ("front_end", "edge"):
        for name in sorted({pool_of[m.name] for m in members if m.role == role}):
            pools[name] = _pool(name, role, members, pool_of, sources, facts)
    edges = {
        name: _edge_link(name, pools, members, pool_of, facts) for name, p in pools.items() if p.role == "front_end"
    }
    unread = {m.full_name: m.inventory.pool.lower() for m in members if m.role == "unknown" and m.inventory.pool}
    for link in edges.values():
        for name in link.pools:
            if name not in pools:
                # An Edge pool of which nothing is known but its name: that name is all there is to ask for.
                machines = facts[name].machines if name in facts else () if name in unread.values() else (name,)
                pools[name] = Pool(name=name, role="edge", members=(), missing=machines, source=link.source)
    for name, pool in pools.items():
        # An inventory alias and the topology's FQDN may mean the same unread server.
        labels = {machine.split(".")[0] for machine in pool.missing}
        extra = {host for host, place in unread.items() if place == name and host.split(".")[0] not in labels}
        pools[name] = dataclasses.replace(pool, missing=tuple(sorted({*pool.missing, *extra})))
    paired = {
        pool_of[m.name]: m.inventory.paired_pool.lower().rstrip(".")
        for m in members
        if m.role == "front_end" and m.inventory.paired_pool
    }
    # Pairing goes both ways, also when only one side's hosts say so.
    paired.update({other: name for name, other in paired.items() if other in pools})
    return PoolMap(pools=pools, pool_of=pool_of, edges=edges, paired=paired)


def _pool_of(member: Member, facts: dict[str, TopologyFact]) -> tuple[str, Source]:
    if member.inventory.pool:
        return member.inventory.pool.lower().rstrip("."), "inventory"
    for fact in facts.values():
        if member.full_name in fact.machines:
            return fact.pool, "topology"
    subject = (member.subject or "").lower()
    if "." in subject and "*" not in subject:
        return subject, "certificate"
    return member.full_name, "alone"


def _pool(
    name: str,
    role: str,
    members: t.Sequence[Member],
    pool_of: dict[str, str],
    sources: dict[str, Source],
    facts: dict[str, TopologyFact],
) -> Pool:
    own = [m for m in members if m.role == role and pool_of[m.name] == name]
    present = {m.full_name for m in own}
    machines = facts[name].machines if name in facts else ()
    return Pool(
        name=name,
        role=role,
        members=tuple(sorted(m.name for m in own)),
        missing=tuple(sorted(set(machines) - present)),
        source=sources[own[0].name],
    )


def _edge_link(
    name: str,
    pools: dict[str, Pool],
    members: t.Sequence[Member],
    pool_of: dict[str, str],
    facts: dict[str, TopologyFact],
) -> EdgeLink:
    own = [m for m in members if m.role == "front_end" and pool_of[m.name] == name]
    said = {m.inventory.edge_pool.lower().rstrip(".") for m in own if m.inventory.edge_pool}
    if any(name in pools and pools[name].role == "front_end" for name in said):
        # A slip in the inventory: Front Ends must not be judged as if they were the Edge.
        return EdgeLink(pools=(), source="assumed")
    if said:
        return EdgeLink(pools=tuple(sorted(said - {NO_EDGE})), source="inventory")
    edge_pools = [pool for pool in pools.values() if pool.role == "edge"]
    fact = facts.get(name)
    if fact and fact.edge_pool:
        return EdgeLink(pools=(fact.edge_pool,), source="topology")
    full_names = {m.full_name: pool_of[m.name] for m in members if m.role == "edge"}
    named = {n for m in own for n in m.event_names}
    seen = {full_names.get(n, n) for n in named}
    if seen:
        return EdgeLink(pools=tuple(sorted(seen)), source="events")
    if fact and not fact.names_edge and not any(other.edge for other in facts.values()) and not edge_pools:
        # "No Edge" is believed only where nothing else speaks of one.
        return EdgeLink(pools=(), source="topology")
    front_end_pools = [pool for pool in pools.values() if pool.role == "front_end"]
    if len(edge_pools) == 1 and len(front_end_pools) == 1:
        return EdgeLink(pools=(edge_pools[0].name,), source="only_pool")
    return EdgeLink(pools=tuple(sorted(pool.name for pool in edge_pools)), source="assumed")
