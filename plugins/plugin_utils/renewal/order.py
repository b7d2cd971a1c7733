# Copyright (c) 2026, the sfb.kb4023993 contributors
# GNU General Public License v3.0-or-later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The order in which servers get their new certificate and restart: Edge pools first, one member at a time, then Front Ends. Pure."""

from __future__ import annotations

import typing as t

from ..evaluate import Assessment
from ..fleet import Fleet
from ..plan import paired_groups
from ..waves import arrange_waves, restart_groups

# Edges whose pool rests on nothing but their own name or certificate may belong together without anybody knowing.
_UNPROVEN: t.Final = "edges of unproven pools"


def install_waves(assessment: Assessment, hosts: t.Collection[str], *, first: t.Collection[str] = ()) -> dict[str, int]:
    """The number of the wave, from 0, of each of these servers.

    Different pools go side by side, but no Front End before the last Edge is done.

    :param hosts: inventory names of Edges and Front Ends.
    :param first: servers whose services may be down; they come first in their pool.
    """
    fleet = assessment.fleet
    edges = [name for name in hosts if fleet.views[name].role.role == "edge"]
    front_ends = [name for name in hosts if fleet.views[name].role.role == "front_end"]
    waves = arrange_waves([(name, edge_group(fleet, name)) for name in edges], first=first)
    groups = restart_groups(fleet)
    later = arrange_waves(
        [(name, groups[name]) for name in front_ends],
        paired=paired_groups(fleet.pools.paired, fleet.pools.pool_of, groups),
        first=first,
    )
    start = max(waves.values(), default=-1) + 1
    return {**waves, **{name: start + wave for name, wave in later.items()}}


def edge_group(fleet: Fleet, name: str) -> str:
    """What an Edge may share a pool with; one of a group goes down at a time."""
    pool = fleet.pools.pool_of.get(name, name)
    known = fleet.pools.pools.get(pool)
    if known is None or known.source in ("alone", "certificate"):
        return _UNPROVEN
    return pool.split(".")[0]
