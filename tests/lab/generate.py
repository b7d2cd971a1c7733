# Copyright (c) 2026, the sfb.kb4023993 contributors
# GNU General Public License v3.0-or-later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Scenarios of any size, for measuring."""

from __future__ import annotations

from typing import Any

from lab.scenario import Scenario, parse


def generate(
    n_front_ends: int,
    *,
    front_ends_per_pool: int = 3,
    edges_per_pool: int = 2,
    certificate: str = "webserver",
    connection: str = "winrm http basic",
) -> Scenario:
    """Pools of Skype for Business Server 2015 on Windows Server 2012 R2, updated, each with an Edge pool.

    Every third pool has certificates with both usages; the others get ``certificate``.

    :raises ValueError: for numbers below one (``edges_per_pool`` may be zero).
    """
    if n_front_ends < 1 or front_ends_per_pool < 1 or edges_per_pool < 0:
        raise ValueError(
            "A generated scenario needs at least one Front End, one for each pool, and no negative numbers."
        )
    pools: dict[str, Any] = {}
    servers: dict[str, Any] = {}
    for number in range(-(-n_front_ends // front_ends_per_pool)):
        pool, edge_pool = f"pool{number:03d}", f"edgepool{number:03d}"
        each = {
            "product": "sfb2015",
            "os": "server2012r2",
            "certificate": "both" if number % 3 == 2 else certificate,
            "dotnet": [{"version": "4.6.2", "update": "KB4014507"}],
            "connection": connection,
        }
        pools[pool] = {"each": each, **({"edge_pool": edge_pool} if edges_per_pool else {})}
        size = min(front_ends_per_pool, n_front_ends - number * front_ends_per_pool)
        for member in range(1, size + 1):
            servers[f"fe{number:03d}-{member}"] = {"pool": pool}
        if edges_per_pool:
            pools[edge_pool] = {"each": {**each, "role": "edge"}}
            for member in range(1, edges_per_pool + 1):
                servers[f"edge{number:03d}-{member}"] = {"pool": edge_pool}
    return parse({"pools": pools, "servers": servers}, name="generated")
