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
# The largest fleet is not slowed down: that takes long and shows nothing that the others do not.
_SLOWED: t.Final = (100, 300)


def measure(directory: Path) -> list[dict[str, t.Any]]:
    """By size: a first audit, the next one, one of servers that take a second longer for each command, and a remediation of all Front Ends."""
    rows: list[dict[str, t.Any]] = []
    for size in _SIZES:
        with company(fleets.scenario(size), directory / f"of{size}") as fleet:
            _add(rows, size, 0, "first audit", fleet.play("audit", forks=_FORKS))
            _add(rows, size, 0, "audit", fleet.play("audit", forks=_FORKS))
            if size in _SLOWED:
                fleet.slow_down(1)
                _add(rows, size, 1, "audit", fleet.play("audit", forks=_FORKS))
                fleet.slow_down(0)
            _add(rows, size, 0, "remediate", fleet.play("remediate", forks=_FORKS))
    return rows


def _add(rows: list[dict[str, t.Any]], servers: int, delay: int, run: str, cost: Cost) -> None:
    row = {
        "servers": servers,
        "delay_seconds": delay,
        "run": run,
        "first_answer_seconds": round(cost.first_answer_seconds or 0, 1),
        "wall_seconds": round(cost.wall_seconds, 1),
        "cpu_seconds": round(cost.cpu_seconds, 1),
        "memory_mb": round(cost.memory_mb),
        "cpu_ms_each": round(cost.cpu_seconds * 1000 / servers),
    }
    rows.append(row)
    # It takes minutes, and a run that is ended has shown something too.
    print(row, flush=True)
