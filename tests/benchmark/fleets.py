# Copyright (c) 2026, the sfb.kb4023993 contributors
# GNU General Public License v3.0-or-later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Fleets of any size: sites of six Front Ends and four Edges each, all of them broken by the update, so that nothing is left out."""

from __future__ import annotations

import typing as t
from collections.abc import Iterator

from ansible_collections.sfb.kb4023993.plugins.plugin_utils.evidence import Evidence
from builders import evidence as seen
from lab.scenario import Scenario, parse

FRONT_ENDS, EDGES = 6, 4
SITE: t.Final = FRONT_ENDS + EDGES


def scenario(servers: int, *, connection: str = "winrm http basic") -> Scenario:
    """A fleet for the lab; ``servers`` is a multiple of ten."""
    each = {
        "os": "server2012r2",
        "product": "sfb2015",
        "dotnet": {"version": "4.5.2", "update": "KB4014512"},
        "connection": connection,
    }
    pools: dict[str, t.Any] = {}
    names: dict[str, t.Any] = {}
    for site in range(servers // SITE):
        front_ends, edges = f"pool{site:04}", f"edge{site:04}"
        pools |= {front_ends: {"edge_pool": edges}, edges: {}}
        names |= {f"fe{site:04}{letter}": {**each, "pool": front_ends} for letter in "abcdef"[:FRONT_ENDS]}
        names |= {f"edge{site:04}{letter}": {**each, "pool": edges, "role": "edge"} for letter in "abcd"[:EDGES]}
    return parse({"pools": pools, "servers": names})


def evidence(servers: int, *, front_ends: int = FRONT_ENDS, edges: int = EDGES) -> Iterator[Evidence]:
    """The same as evidence that was read. All servers of a kind hold the same certificate: what it costs to judge one is the same."""
    for site in range(servers // (front_ends + edges)):
        pool, edge_pool = f"pool{site:05}.contoso.example", f"edgepool{site:05}.contoso.example"
        for number in range(front_ends):
            yield seen.front_end(f"fe{site:05}-{number}", pool=pool, edge_pool=edge_pool)
        for number in range(edges):
            yield seen.edge(f"edge{site:05}-{number}", pool=edge_pool)
