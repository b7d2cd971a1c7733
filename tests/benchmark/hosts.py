# Copyright (c) 2026, the sfb.kb4023993 contributors
# GNU General Public License v3.0-or-later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What an audit costs for one server, beside one bare task to the same servers, and beside the same questions with stock modules."""

from __future__ import annotations

import os
import typing as t
from pathlib import Path

from benchmark import fleets
from benchmark.plays import HERE, ROOT, Company, Cost, company

_SERVERS: t.Final = 50
_FORKS: t.Final = 10
_WAYS: t.Final[dict[str, dict[str, t.Any]]] = {
    "winrm, HTTP, Basic": {"connection": "winrm", "scheme": "http", "auth": "basic"},
    "winrm, HTTP, NTLM": {"connection": "winrm", "scheme": "http", "auth": "ntlm"},
    "winrm, HTTPS, NTLM": {"connection": "winrm", "scheme": "https", "auth": "ntlm"},
    "psrp, HTTPS, NTLM": {"connection": "psrp", "scheme": "https", "auth": "ntlm"},
}


def against_bare(directory: Path) -> dict[str, t.Any]:
    """By way to connect: an audit, and one raw task, over the same servers in turn."""
    found = {}
    for number, (way, connection) in enumerate(_WAYS.items()):
        with company(fleets.scenario(_SERVERS), directory / f"bare{number}", **connection) as fleet:
            bare = _typical(fleet, HERE / "raw.yml")
            audit = _typical(fleet, "audit")
        found[way] = {
            "audit": _each(audit),
            "bare": _each(bare),
            "cpu_ratio": round(audit.cpu_seconds / bare.cpu_seconds, 2),
        }
    return found


def against_stock(directory: Path) -> dict[str, t.Any]:
    """An audit, and the questions of it with stock modules, over the same servers. Of Basic over HTTP, where no byte is hidden."""
    carried = next((ROOT / ".venvs/awx/lib").glob("python*/site-packages"), None)
    if carried is None:
        raise RuntimeError("The collections of the package ansible are missing: run make bench, which installs them.")
    here = str(ROOT / "playbooks" / "collections")
    with company(fleets.scenario(_SERVERS), directory / "stock") as fleet:
        stock = fleet.play(HERE / "stock.yml", forks=_FORKS, collections=f"{carried}{os.pathsep}{here}")
        audit = fleet.play("audit", forks=_FORKS)
    return {
        "audit": _each(audit),
        "stock": _each(stock),
        "cpu_ratio": round(stock.cpu_seconds / audit.cpu_seconds, 1),
        "bytes_ratio": round((stock.bytes_up + stock.bytes_down) / (audit.bytes_up + audit.bytes_down), 1),
    }


def _typical(fleet: Company, playbook: str | Path) -> Cost:
    # The one in the middle of three: a machine has other things to do now and then.
    runs = [fleet.play(playbook, forks=_FORKS) for _ in range(3)]
    return sorted(runs, key=lambda cost: cost.cpu_seconds)[len(runs) // 2]


def _each(cost: Cost) -> dict[str, float]:
    return {
        "cpu_ms": round(cost.cpu_seconds * 1000 / _SERVERS),
        "requests": round(cost.requests / _SERVERS, 1),
        "kb_up": round(cost.bytes_up / _SERVERS / 1000, 1),
        "kb_down": round(cost.bytes_down / _SERVERS / 1000, 1),
        "processes": round(cost.processes / _SERVERS, 1),
    }
