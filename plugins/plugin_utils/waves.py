# Copyright (c) 2026, the sfb.kb4023993 contributors
# GNU General Public License v3.0-or-later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The order of restarts: one Front End of a pool at a time, paired pools apart, other pools side by side."""

from __future__ import annotations

import collections
import typing as t

from .fleet import Fleet

# Front Ends whose pool rests on nothing but their own name or certificate may belong together without anybody knowing.
_UNPROVEN: t.Final = "front ends of unproven pools"


def restart_groups(fleet: Fleet) -> dict[str, str]:
    """A group for each Front End: hosts that may share a pool, by any of the sources, are in one group.

    Names are compared by their first label too, so that ``pool01`` and ``pool01.contoso.example`` are one.
    """
    hosts = [name for name, view in fleet.views.items() if view.role.role == "front_end"]
    topology = _topology_labels(fleet)
    parent: dict[str, str] = {}

    def find(key: str) -> str:
        while parent.setdefault(key, key) != key:
            key = parent[key]
        return key

    for name in hosts:
        for key in _keys(fleet, name, topology):
            parent[find(key)] = find(f"host {name}")
    members: dict[str, list[str]] = collections.defaultdict(list)
    for name in hosts:
        members[find(f"host {name}")].append(name)
    return {name: min(names) for names in members.values() for name in names}


def arrange_waves(
    hosts: t.Sequence[tuple[str, str]], *, paired: t.Collection[tuple[str, str]] = (), first: t.Collection[str] = ()
) -> dict[str, int]:
    """Give each host the number of its wave, from 0.

    :param hosts: pairs of host and group; the members of a group restart one after the other.
    :param paired: pairs of groups that must not restart at the same time.
    :param first: hosts that come first in their group, because their service may be down.
    """
    groups: dict[str, list[str]] = collections.defaultdict(list)
    for host, group in hosts:
        groups[group].append(host)
    waves: dict[str, int] = {}
    ends: dict[str, int] = {}
    for group in sorted(groups):
        partners = {b if a == group else a for a, b in paired if group in (a, b)}
        # A group that sorts later waits until its partners are through.
        start = max((ends[partner] for partner in partners if partner in ends), default=0)
        ordered = sorted(groups[group], key=lambda host: (host not in first, host))
        waves.update({host: start + index for index, host in enumerate(ordered)})
        ends[group] = start + len(ordered)
    return waves


def _keys(fleet: Fleet, name: str, topology: t.Mapping[str, set[str]]) -> t.Iterator[str]:
    """Everything that may name the pool of a host."""
    view, pool = fleet.views[name], fleet.pools.pool_of[name]
    yield f"pool {_label(pool)}"
    if fleet.pools.pools[pool].source in ("alone", "certificate"):
        yield _UNPROVEN
    yield from (f"pool {label}" for label in topology.get(view.full_name, ()))
    held = view.certificate.current if view.certificate else None
    if held and held.facts and held.facts.subject_common_name:
        yield f"pool {_label(held.facts.subject_common_name)}"


def _topology_labels(fleet: Fleet) -> dict[str, set[str]]:
    """The pools that any Front End's topology puts a server into."""
    labels: dict[str, set[str]] = collections.defaultdict(set)
    for view in fleet.views.values():
        for fact in (view.source.evidence.topology if view.source.evidence else None) or ():
            if view.role.role == "front_end":
                for machine in fact.machines:
                    labels[machine].add(_label(fact.pool))
    return labels


def _label(name: str) -> str:
    return name.lower().split(".")[0]
