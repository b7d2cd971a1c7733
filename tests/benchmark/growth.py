# Copyright (c) 2026, the sfb.kb4023993 contributors
# GNU General Public License v3.0-or-later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How a run grows with the fleet."""

from __future__ import annotations

import typing as t
from pathlib import Path

from benchmark import fleets
from benchmark.plays import Cost, company

_SIZES: t.Final = (100, 300, 1000)
_FORKS: t.Final = 25
# A delay is measured on the smaller fleets only: it costs waiting, not work.
_DELAYED: t.Final = (100, 300)


def measure(directory: Path) -> list[dict[str, t.Any]]:
    """By size: an audit, a remediation that changes all Front Ends, and an audit of servers that take a second longer for each command."""
    rows = []
    for size in _SIZES:
        with company(fleets.scenario(size), directory / f"of{size}") as fleet:
            rows.append(_row(size, 0, "audit", fleet.play("audit", forks=_FORKS)))
            if size in _DELAYED:
                fleet.slow_down(1)
                rows.append(_row(size, 1, "audit", fleet.play("audit", forks=_FORKS)))
                fleet.slow_down(0)
            rows.append(_row(size, 0, "remediate", fleet.play("remediate", forks=_FORKS)))
    return rows


def _row(servers: int, delay: int, playbook: str, cost: Cost) -> dict[str, t.Any]:
    return {
        "servers": servers,
        "delay_seconds": delay,
        "playbook": playbook,
        "wall_seconds": round(cost.wall_seconds, 1),
        "cpu_seconds": round(cost.cpu_seconds, 1),
        "memory_mb": round(cost.memory_mb),
        "cpu_ms_each": round(cost.cpu_seconds * 1000 / servers),
    }
