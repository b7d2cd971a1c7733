# Copyright (c) 2026, the sfb.kb4023993 contributors
# GNU General Public License v3.0-or-later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the tests of workaround 1 do with the fleet of scenario renewal, and see of it."""

from __future__ import annotations

import typing as t

from lab.ca.enterprise import UNDER_SUBMISSION

from integration.fleet import Fleet, Played

CA = r"ca01.contoso.example\Contoso Issuing CA 2"
"""Its template wants the approval of a CA manager; only the Front Ends of 2013 know it."""
CA_AT_ONCE = r"ca02.contoso.example\Contoso Issuing CA 1"
"""Issues at once, and everybody knows it."""
EDGES = ("edge10", "edge13a", "edge13b", "edge15")
FRONT_ENDS = ("fe10", "fe13a", "fe13b", "fe13c", "fe15a", "fe15b")
_KEY = r"SOFTWARE\Microsoft\.NETFramework\{}\System.Net.ServicePointManager.RequireCertificateEKUs"


def play(
    fleet: Fleet, playbook: str = "remediate", *arguments: str, strategy: str = "certificates", **variables: t.Any
) -> Played:
    """Run a playbook with the CA of the scenario; names of ``variables`` without their prefix."""
    common = {
        "strategy": strategy,
        "ca_host": "pki01",
        "ca_config": CA,
        # Of the lab's time passes what a look at it takes; of ours as little as possible.
        "poll_interval": 0,
        "gate_pause": 0,
        "quiet_wait": False,
    }
    given = {f"sfb_kb4023993_{name}": value for name, value in {**common, **variables}.items()}
    return fleet.play(playbook, *arguments, variables=given)


def approve_all(fleet: Fleet) -> int:
    """The CA manager issues everything that waits; gives how many."""
    pending = [row for row in fleet.lab.outside.requests() if row["disposition"] == UNDER_SUBMISSION]
    for row in pending:
        fleet.lab.outside.approve(row["config"], row["request_id"])
    return len(pending)


def uses(fleet: Fleet, name: str) -> dict[str, str]:
    return fleet.lab.outside.uses(name)


def override_of(fleet: Fleet, name: str) -> int | None:
    """What the per-executable value of DataMCUSvc.exe is on a server, None where there is none."""
    clr = "v2.0.50727" if name == "fe10" else "v4.0.30319"
    values = fleet.registries()[name].get(_KEY.format(clr), {})
    found = [data for value, (_kind, data) in values.items() if value.lower().endswith("datamcusvc.exe")]
    assert len(found) < 2, found
    return t.cast("int | None", found[0] if found else None)
