# Copyright (c) 2026, the sfb.kb4023993 contributors
# GNU General Public License v3.0-or-later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a run costs each server, exactly, by the lab's own counters. Sessions over a slow line feel every one of these."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

import pytest
from integration.fleet import Fleet
from lab.scenario import parse

EACH = {
    "os": "server2012r2",
    "product": "sfb2015",
    "dotnet": {"version": "4.5.2", "update": "KB4014512"},
    # Basic needs no handshake, so every request is a message of ours.
    "connection": "winrm http basic",
}
SCENARIO = {
    "pools": {"pool01": {"edge_pool": "edge01"}, "edge01": {}},
    "servers": {
        "fe01": {**EACH, "pool": "pool01"},
        "edge01": {**EACH, "pool": "edge01", "role": "edge"},
        "files01": {"os": "server2016", "role": "none", "connection": "winrm http basic"},
    },
}
WITHOUT_CMDLETS = "gather_subset=system,services,dotnet,opt_outs,certificates,events,records"

Counters = dict[str, dict[str, int]]

# Create, Command, Send, Receive, Signal, Delete; a further batch of the same task keeps the shell.
FIRST_BATCH, FURTHER_BATCH = 6, 4
MOST_REQUESTS_OF_A_BATCH, MOST_BYTES_OF_A_BATCH = 7, 60_000


@dataclass(frozen=True, kw_only=True)
class Costs:
    first_batch: Counters
    audit: Counters
    next_audit: Counters
    check: Counters
    remediate: Counters
    again: Counters
    rollback: Counters


@pytest.fixture(scope="module")
def costs(start: t.Callable[..., Fleet]) -> Costs:
    fleet = start(parse(SCENARIO))

    def cost(*arguments: str) -> Counters:
        fleet.lab.reset_counters()
        assert fleet.play(*arguments).report
        return fleet.lab.counters()

    fleet.module("fe01", "sfb_facts", "-a", WITHOUT_CMDLETS)
    return Costs(
        first_batch=fleet.lab.counters(),
        audit=cost("audit"),
        next_audit=cost("audit"),
        check=cost("remediate", "--check"),
        remediate=cost("remediate"),
        again=cost("remediate"),
        rollback=cost("rollback"),
    )


def processes(counters: Counters) -> dict[str, int]:
    return {host: each["powershell_processes"] for host, each in counters.items()}


def test_first_batch_fits_a_slow_line(costs: Costs) -> None:
    """Everything of a Front End that needs no cmdlet."""
    counters = costs.first_batch["fe01"]
    assert counters["commands"] == 1
    assert counters["http_requests"] == FIRST_BATCH <= MOST_REQUESTS_OF_A_BATCH
    # The shipped script alone is more than a third of it.
    assert 20_000 < counters["http_bytes_up"] <= MOST_BYTES_OF_A_BATCH


def test_audit_starts_as_few_processes_as_the_role_needs(costs: Costs) -> None:
    # The facts; on Edge and Front End the product's cmdlets; on a Front End what it thinks of its peers' certificates.
    assert processes(costs.audit) == {"files01": 1, "edge01": 2, "fe01": 3}


def test_audit_sends_as_few_requests_as_the_connection_allows(costs: Costs) -> None:
    requests = {host: each["http_requests"] for host, each in costs.audit.items()}
    # Peers are asked about in a task of their own, so in a shell of its own.
    assert requests == {
        "files01": FIRST_BATCH,
        "edge01": FIRST_BATCH + FURTHER_BATCH,
        "fe01": FIRST_BATCH + FURTHER_BATCH + FIRST_BATCH,
    }
    for host, each in costs.audit.items():
        assert each["http_bytes_up"] <= each["commands"] * MOST_BYTES_OF_A_BATCH, host


def test_next_audit_asks_about_known_peers_in_the_first_trip(costs: Costs) -> None:
    assert processes(costs.next_audit) == {"files01": 1, "edge01": 2, "fe01": 2}
    requests = {host: each["http_requests"] for host, each in costs.next_audit.items()}
    both = FIRST_BATCH + FURTHER_BATCH
    assert requests == {"files01": FIRST_BATCH, "edge01": both, "fe01": both}


def test_check_mode_costs_what_an_audit_costs(costs: Costs) -> None:
    assert processes(costs.check) == processes(costs.next_audit)


@pytest.mark.parametrize("playbook", ["remediate", "rollback"])
def test_change_costs_seven_processes_more_on_the_changed_host_and_none_elsewhere(costs: Costs, playbook: str) -> None:
    # Audit (2); look, then write (2); look, restart, look and clear the record (3); the audit once more as verification (2).
    assert processes(getattr(costs, playbook)) == {"files01": 1, "edge01": 2, "fe01": 2 + 2 + 3 + 2}


def test_second_remediation_costs_what_an_audit_costs(costs: Costs) -> None:
    assert processes(costs.again) == processes(costs.next_audit)
