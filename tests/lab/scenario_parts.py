# Copyright (c) 2026, the sfb.kb4023993 contributors
# GNU General Public License v3.0-or-later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Parts of a scenario that are long and stand for themselves: what is odd about a server, and the CAs that answer requests."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from lab.reader import Reader
from lab.world.host import Quirks

CMDLETS = (
    "Get-CsCertificate",
    "Get-CsTopology",
    "Request-CsCertificate",
    "Import-CsCertificate",
    "Set-CsCertificate",
    "Stop-CsWindowsService",
    "Start-CsWindowsService",
    "Invoke-CsComputerFailOver",
    "Invoke-CsComputerFailBack",
    "Get-CsPoolUpgradeReadinessState",
    "Get-CsUpgradeDomainInfo",
)


@dataclass(frozen=True, kw_only=True)
class EnterpriseCaRow:
    """A CA that answers requests. ``config``: HOST\\CA name; ``authority``: whose key it has."""

    config: str
    authority: str
    manager_approval: bool
    enroll: tuple[str, ...]


def read_quirks(row: Reader) -> Quirks:
    """The entry ``quirks`` of a server.

    :raises ScenarioError: for what it cannot hold.
    """
    denied = tuple(map(str, row.items("denied_cmdlets")))
    if not set(denied) <= set(CMDLETS):
        raise row.error("denied_cmdlets", f"has to be a list of {', '.join(CMDLETS)}")
    quirks = Quirks(
        unreachable=row.flag("unreachable"),
        down=row.flag("down"),
        constrained_language=row.flag("constrained_language"),
        powershell_too_old=row.flag("powershell_too_old"),
        process_32_bit=row.flag("process_32_bit"),
        not_elevated=row.flag("not_elevated"),
        no_basic=row.flag("no_basic"),
        no_lync_module=row.flag("no_lync_module"),
        denied_cmdlets=denied,
        failing_cmdlets=_by_cmdlet(row, "failing_cmdlets"),
        endless_cmdlets=_by_cmdlet(row, "endless_cmdlets", ("before", "after")),
        hidden_processes=row.flag("hidden_processes"),
        closed_ports=tuple(int(port) for port in row.items("closed_ports")),
        demanding_ports=tuple(int(port) for port in row.items("demanding_ports")),
        no_lync_log=row.flag("no_lync_log"),
        clock_skew_seconds=row.number("clock_skew_seconds"),
        slow_seconds=row.number("slow_seconds"),
        gate_state=row.text("gate_state") if "gate_state" in row else "",
        gate_busy_seconds=row.duration("gate_busy", "0s"),
    )
    row.done()
    return quirks


def _by_cmdlet(row: Reader, key: str, words: Iterable[str] = ()) -> dict[str, str]:
    """A mapping of cmdlets to texts, or to some of these words."""
    rows = Reader(row.get(key), f"{row.where}: {key}")
    allowed = tuple(words)
    found = {}
    for name in rows.names():
        if name not in CMDLETS:
            raise rows.error(name, f"is not a cmdlet of the product; write some of {', '.join(CMDLETS)}")
        found[name] = rows.choice(name, allowed) if allowed else rows.text(name)
    return found


def read_enterprise_cas(rows: Reader, authorities: Mapping[str, Any]) -> tuple[EnterpriseCaRow, ...]:
    """The entry ``enterprise_cas`` of a scenario; raises as :func:`read_quirks`."""
    found = []
    for config in rows.names():
        row = Reader(rows.get(config), f"{rows.where}: {config}")
        if "\\" not in config:
            raise rows.error(config, r"is not a CA; write HOST\CA name")
        found.append(
            EnterpriseCaRow(
                config=config,
                authority=row.choice("authority", authorities.keys(), "issuing"),
                manager_approval=row.flag("manager_approval"),
                enroll=tuple(map(str, row.items("enroll"))) or (r"CONTOSO\sfb-admin",),
            )
        )
        row.done()
    return tuple(found)
