# Copyright (c) 2026, the sfb.kb4023993 contributors
# GNU General Public License v3.0-or-later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A run with --limit: saved evidence speaks for the hosts outside, and where there is none, that is said."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

import pytest
from integration.fleet import Fleet, Played


@dataclass(frozen=True, kw_only=True)
class Limited:
    """``blind``: one Front End without any saved evidence; ``full``; ``informed``: the same Front End after the full audit."""

    fleet: Fleet
    blind: Played
    full: Played
    informed: Played
    counters: dict[str, dict[str, int]]


@pytest.fixture(scope="module")
def limited(start: t.Callable[..., Fleet]) -> Limited:
    fleet = start("closed")
    blind = fleet.play("audit", "--limit", "fe01", state=fleet.directory / "empty")
    full = fleet.play("audit")
    fleet.lab.reset_counters()
    informed = fleet.play("audit", "--limit", "fe01")
    return Limited(fleet=fleet, blind=blind, full=full, informed=informed, counters=fleet.lab.counters())


def test_full_audit_finds_nothing_wrong(limited: Limited) -> None:
    assert set(limited.full.verdicts.values()) == {"compliant"}


def test_limit_leaves_the_other_hosts_in_peace(limited: Limited) -> None:
    assert limited.counters["fe01"]["commands"] == 3
    assert limited.counters["fe02"]["commands"] == limited.counters["edge01"]["commands"] == 0


def test_host_is_judged_by_saved_evidence_of_its_peers(limited: Limited) -> None:
    assert limited.informed.verdicts["fe01"] == limited.full.verdicts["fe01"] == "compliant"
    saved = limited.informed.findings("fe01")["KB4023993-EVIDENCE-SAVED"]
    assert [line.partition(":")[0] for line in saved["evidence"]] == ["fe02", "edge01"]


def test_hosts_outside_the_limit_are_in_the_report_and_marked(limited: Limited) -> None:
    assert set(limited.informed.hosts) == {"fe01", "fe02", "edge01"}
    in_run = {name: host["in_run"] for name, host in limited.informed.hosts.items()}
    assert in_run == {"fe01": True, "fe02": False, "edge01": False}
    # They are no result of this run.
    assert limited.informed.report["counts"] == {**dict.fromkeys(limited.informed.report["counts"], 0), "compliant": 1}
    assert limited.informed.output.count("(saved evidence of 20") == 2


def test_without_saved_evidence_the_missing_knowledge_is_named(limited: Limited) -> None:
    assert limited.blind.code == 0
    assert limited.blind.verdicts == {"fe01": "not_assessed", "fe02": "not_assessed", "edge01": "not_assessed"}
    lines = limited.blind.findings("fe01")["KB4023993-CONNECTION-NOT-ASSESSED"]["evidence"]
    assert "to edge01 (8057): the certificate of edge01 is not known" in lines
    # What it knows of itself is not in doubt.
    by_peer = {c["peer"]: c["verdict"] for c in limited.blind.judgement["connections"] if c["validator"] == "fe01"}
    assert (by_peer["fe01"], by_peer["edge01"]) == ("compliant", "not_assessed")


def test_hosts_without_any_evidence_say_so(limited: Limited) -> None:
    reason = "It is outside this run (--limit), and there is no saved evidence of it."
    assert {limited.blind.hosts[name]["reason"] for name in ("fe02", "edge01")} == {reason}
    assert "(outside this run)" in limited.blind.output
