# Copyright (c) 2026, the sfb.kb4023993 contributors
# GNU General Public License v3.0-or-later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The audit changes nothing, names every host of the inventory, and judges what the scenarios really are."""

from __future__ import annotations

import re
import typing as t
from dataclasses import dataclass

import pytest
from integration.fleet import Fleet, Played, Registry

# What has to be found in the scenario `demo`, and why; worked out from the scenario and the verdicts of design.md, not from a run.
# "Bad" is a Web Server certificate (serverAuth only). No first audit can know since when an opt-out is there.
EXPECTED = {
    # Check in .NET 3.5 by its update; its own certificate and that of one Edge are bad.
    "ly10-fe01": "broken",
    # Its certificate has both usages, and that is all that its one validator asks.
    "ly10-edge01": "compliant",
    # Bad, and ly10-fe01 checks it.
    "ly10-edge02": "broken",
    # Check in .NET 4.6.1 by its update; own pool and Edge pool all bad.
    "ly13-fe01": "broken",
    "ly13-fe02": "broken",
    # The same: its override stands under the CLR that Lync Server 2013 does not use.
    "ly13-fe03": "broken",
    # Check in .NET 4.5.2 by its update.
    "jp-fe01": "broken",
    # Check in .NET 4.6.2 by the revision of Windows.
    "sfb-fe01": "broken",
    # Mitigated for itself at best; but sfb-fe01 in the same pool refuses its bad certificate.
    "sfb-fe02": "broken",
    # Bad, and four enforcing pools connect to it.
    "sfb-edge01": "broken",
    # Nobody may log on to it, so it is not assessed, whatever it shows on its ports.
    "sfb-edge02": "not_assessed",
    # Bad everywhere, but its .NET 4.5.2 has no update with the check.
    "se01": "latent",
    # Its own certificate is good, .NET 4.8 always checks, and the Edges are bad.
    "se02": "broken",
    # No product at all.
    "files01": "not_applicable",
}

# Findings that follow from single entries of the scenario, by host.
EXPECTED_FINDINGS = {
    "ly10-edge02": {"KB4023993-CERT-EDGE-INTERNAL"},
    "ly13-fe03": {"KB4023993-CONNECTION-BROKEN", "KB4023993-CERT-FRONT-END", "KB4023993-OVERRIDE-WRONG"},
    "sfb-fe02": {"KB4023993-RESTART-PENDING", "KB4023993-OVERRIDE-ACTIVE"},
    "sfb-edge02": {"KB4023993-NOT-ASSESSED"},
    "se01": {"KB4023993-CONNECTION-LATENT", "KB4023993-CERT-FRONT-END"},
    "se02": {"KB4023993-CONNECTION-BROKEN", "KB4023993-PRODUCT-OUTSIDE"},
}
FORBIDDEN_FINDINGS = {
    "ly10-edge01": {"KB4023993-CERT-EDGE-INTERNAL"},
    "ly13-fe01": {"KB4023993-OVERRIDE-WRONG"},
    # Another program's value below the same key is nobody's business.
    "sfb-fe02": {"KB4023993-OVERRIDE-WRONG"},
    "se01": {"KB4023993-CONNECTION-BROKEN"},
    "se02": {"KB4023993-CERT-FRONT-END"},
}


@dataclass(frozen=True, kw_only=True)
class Audited:
    fleet: Fleet
    first: Played
    second: Played
    before: dict[str, Registry]
    after: dict[str, Registry]
    process_ids: tuple[dict[str, int | None], dict[str, int | None]]


@pytest.fixture(scope="module")
def demo(start: t.Callable[..., Fleet]) -> Audited:
    fleet = start("demo")
    before, processes = fleet.registries(), fleet.process_ids()
    first, second = fleet.play("audit"), fleet.play("audit")
    return Audited(
        fleet=fleet,
        first=first,
        second=second,
        before=before,
        after=fleet.registries(),
        process_ids=(processes, fleet.process_ids()),
    )


def test_audit_ends_well_although_a_host_is_unreachable(demo: Audited) -> None:
    assert demo.first.code == 0, demo.first.output
    assert demo.second.code == 0, demo.second.output
    assert demo.first.failed == set()


def test_audit_changes_nothing(demo: Audited) -> None:
    assert set(demo.first.recap) == set(demo.fleet.names)
    assert demo.first.changed == demo.second.changed == set()
    assert demo.after == demo.before
    assert demo.process_ids[1] == demo.process_ids[0]


def test_audit_names_every_host_of_the_inventory(demo: Audited) -> None:
    assert set(demo.first.hosts) == set(demo.fleet.names) == set(EXPECTED)
    assert all(host["in_run"] for host in demo.first.hosts.values())
    text = (t.cast("t.Any", demo.first.run_directory) / "report.txt").read_text("utf-8")
    assert [name for name in demo.fleet.names if not re.search(rf"^\s+{name} ", text, re.MULTILINE)] == []


def test_unreachable_host_is_not_assessed_with_reason_and_advice(demo: Audited) -> None:
    (finding,) = demo.first.findings("sfb-edge02").values()
    assert finding["id"] == "KB4023993-NOT-ASSESSED"
    assert "Connection refused" in finding["evidence"][0]
    assert "WinRM listens" in finding["next_step"]
    assert "Connection refused" in demo.first.hosts["sfb-edge02"]["reason"]


@pytest.mark.parametrize("name", EXPECTED)
def test_verdict_follows_from_the_scenario(demo: Audited, name: str) -> None:
    assert demo.first.verdicts[name] == EXPECTED[name], demo.first.hosts[name]["reason"]


@pytest.mark.parametrize("name", EXPECTED_FINDINGS)
def test_findings_follow_from_the_scenario(demo: Audited, name: str) -> None:
    assert set(demo.first.findings(name)) >= EXPECTED_FINDINGS[name]


@pytest.mark.parametrize("name", FORBIDDEN_FINDINGS)
def test_nothing_is_found_that_is_not_there(demo: Audited, name: str) -> None:
    assert set(demo.first.findings(name)) & FORBIDDEN_FINDINGS[name] == set()


def test_edge_without_remote_access_is_judged_by_what_it_presents(demo: Audited) -> None:
    """Its bad certificate breaks jp-fe01's connection to it; the host itself stays not assessed."""
    links = {(c["validator"], c["peer"]): c for c in demo.first.judgement["connections"]}
    to_unread = next(c for (validator, peer), c in links.items() if validator == "jp-fe01" and "sfb-edge02" in peer)
    assert (to_unread["verdict"], to_unread["by_events"], to_unread["peer_read"]) == ("broken", False, False)
    latent = next(c for (validator, peer), c in links.items() if validator == "se01" and "sfb-edge02" in peer)
    assert latent["verdict"] == "latent"


def test_second_audit_says_the_same(demo: Audited) -> None:
    assert demo.second.verdicts == demo.first.verdicts
    assert demo.second.finding_ids == demo.first.finding_ids


def test_counts_of_the_report_are_those_of_its_hosts(demo: Audited) -> None:
    verdicts = list(demo.first.verdicts.values())
    assert demo.first.report["counts"] == {verdict: verdicts.count(verdict) for verdict in demo.first.report["counts"]}
    assert sum(demo.first.report["counts"].values()) == len(EXPECTED)


def test_language_of_a_server_does_not_matter(start: t.Callable[..., Fleet]) -> None:
    played = start("languages").play("audit")
    assert played.code == 0, played.output
    english, german, japanese = (played.findings(name) for name in ("se-en", "se-de", "se-ja"))
    assert set(english) == set(german) == set(japanese)
    # All three had something to say in their own words, else this would prove little.
    messages = {tuple(found["KB4023993-EVIDENCE-MISSING"]["evidence"]) for found in (english, german, japanese)}
    assert len(messages) == 3
    assert len(english) > 4
    assert set(played.verdicts.values()) == {"broken"}
    keys = ("verdict", "role", "product", "version", "wrong_overrides", "restart_pending")
    facts = [{key: host[key] for key in keys} for host in played.hosts.values()]
    assert facts[0] == facts[1] == facts[2]
