# Copyright (c) 2026, the sfb.kb4023993 contributors
# GNU General Public License v3.0-or-later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What has to be said before Front Ends restart: members of their pools that this run does not see, and pools in which nobody else is known
to run. Pure. It warns and refuses nothing, because external users are cut off already."""

from __future__ import annotations

import collections
import typing as t

from .fleet import Fleet, HostView
from .rules.pools import Pool
from .words import one_line

_SHOWN: t.Final = 8

# By pool the servers that other runs have read and that are not in the inventory of this one, each with when it was read.
Elsewhere = t.Mapping[str, t.Mapping[str, str]]


def restart_warnings(fleet: Fleet, restarting: t.Iterable[str], elsewhere: Elsewhere) -> tuple[str, ...]:
    """What is to be known of the pools of these Front Ends, pool by pool; other servers among them say nothing.

    :param restarting: the servers that this run restarts, by inventory name.
    """
    by_pool: dict[str, list[HostView]] = collections.defaultdict(list)
    for name in sorted(restarting):
        view = fleet.views[name]
        if view.role.role == "front_end":
            by_pool[fleet.pools.pool_of[name]].append(view)
    found = []
    for name, views in sorted(by_pool.items()):
        unseen = {**dict.fromkeys(fleet.unlisted.get(name, ()), ""), **elsewhere.get(name, {})}
        if unseen:
            found.append(_unseen(name, unseen))
        found.extend(filter(None, (_alone(fleet, fleet.pools.pools[name], view, unseen) for view in views)))
    return tuple(found)


def _unseen(pool: str, unseen: t.Mapping[str, str]) -> str:
    named = [
        f"{one_line(name, 80)}{f' (read by another run at {read})' if read else ''}" for name, read in unseen.items()
    ]
    those = ("it is a member", "whether it runs") if len(unseen) == 1 else ("they are members", "whether they run")
    return (
        f"This run does not see {_bounded(named)}, but {those[0]} of {one_line(pool, 80)}. It cannot know {those[1]}, and another run may "
        "restart a member at the same time."
    )


def _alone(fleet: Fleet, pool: Pool, view: HostView, unseen: t.Mapping[str, str]) -> str:
    """What to say of a Front End that runs while nobody else of its pool is known to; empty where there is nothing."""
    # What does not run now loses nothing by its restart.
    if not view.role.running:
        return ""
    others = [fleet.views[name] for name in pool.members if name != view.name]
    if any(other.readable and other.role.running for other in others):
        return ""
    states = {other.name: "stopped" if other.readable else "not read" for other in others}
    states.update({name: "not read" for name in pool.missing if name not in fleet.unlisted.get(pool.name, ())})
    states.update(dict.fromkeys(unseen, "not in this run"))
    if not states:
        # A server that is a pool by itself, as a Standard Edition server is.
        return ""
    named = [f"{one_line(name, 80)}: {state}" for name, state in states.items()]
    return (
        f"{one_line(view.name, 80)} is the only member of {one_line(pool.name, 80)} that is known to run ({_bounded(named)}), so nobody of the "
        "pool has Web Conferencing during its restart."
    )


def _bounded(names: t.Sequence[str]) -> str:
    return ", ".join(names if len(names) <= _SHOWN else [*names[:_SHOWN], f"and {len(names) - _SHOWN} more"])
