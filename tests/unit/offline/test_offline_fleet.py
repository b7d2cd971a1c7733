# Copyright (c) 2026, the sfb.kb4023993 contributors
# GNU General Public License v3.0-or-later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Servers that are read by hand in a fleet: judged by their evidence, never asked, never changed."""

from __future__ import annotations

import dataclasses
import pathlib

import pytest
from ansible_collections.sfb.kb4023993.plugins.plugin_utils.evaluate import Assessment, evaluate
from ansible_collections.sfb.kb4023993.plugins.plugin_utils.evidence import (
    Evidence,
    InventoryFacts,
    OfflineReading,
    save,
)
from ansible_collections.sfb.kb4023993.plugins.plugin_utils.files import evidence_directory
from ansible_collections.sfb.kb4023993.plugins.plugin_utils.fleet import InventoryHost, build_fleet, peer_questions
from ansible_collections.sfb.kb4023993.plugins.plugin_utils.host_plan import Policy
from ansible_collections.sfb.kb4023993.plugins.plugin_utils.plan import make_plan
from ansible_collections.sfb.kb4023993.plugins.plugin_utils.run import Run
from ansible_collections.sfb.kb4023993.plugins.plugin_utils.saved import SavedEvidence
from builders import certificates as c
from builders import evidence as e
from builders import fleets as f
from builders.simulated import RUN_ID, Simulated


def hosts_of(lab: Simulated, *, by_hand: str) -> list[InventoryHost]:
    """The lab's servers as they were read, one of them by hand."""
    views = lab.judge().fleet.views
    return [dataclasses.replace(view.source, offline=name == by_hand) for name, view in views.items()]


def judged(lab: Simulated, *, by_hand: str) -> Assessment:
    now = lab.deployment.clock.now()
    return evaluate(hosts_of(lab, by_hand=by_hand), now=now, run_id=RUN_ID, collection_version="0.0.0")


@pytest.mark.parametrize("by_hand", ["", "fe01"])
def test_a_front_end_that_is_read_by_hand_is_judged_but_neither_asked_nor_changed(by_hand: str) -> None:
    lab = Simulated()
    assessment = judged(lab, by_hand=by_hand)
    verdicts = {host.name: host.verdict for host in assessment.judgement.hosts}
    assert verdicts["fe01"] == "broken"
    asked = set(peer_questions(build_fleet(hosts_of(lab, by_hand=by_hand))))
    planned = {host.host for host in make_plan(assessment, Policy(goal="override", restart="now")).hosts}
    assert asked == planned == (set() if by_hand else {"fe01"})


@pytest.mark.parametrize(("by_hand", "names"), [("", 0), ("edge01", 2)])
def test_front_ends_look_what_an_edge_shows_that_is_read_by_hand(by_hand: str, names: int) -> None:
    (question,) = peer_questions(build_fleet(hosts_of(Simulated(), by_hand=by_hand))).values()
    assert len({port for _name, port in question.names}) == names


def imported(read: str, taken: str) -> Evidence:
    evidence = e.front_end("fe01", collected_utc=read, run_id="offline/0011223344556677")
    return dataclasses.replace(evidence, offline=OfflineReading(kit="0" * 16, read_utc=read, imported_utc=taken))


@pytest.mark.parametrize(
    ("taken", "believed"), [("2026-03-08T13:00:00Z", True), ("2026-03-08T11:00:00Z", False)], ids=["after", "before"]
)
def test_a_failure_to_connect_is_older_knowledge_than_a_file_imported_after_it(
    tmp_path: pathlib.Path, taken: str, believed: bool
) -> None:
    """The server was read before the failed run, but nobody knew of that yet."""
    state = str(tmp_path)
    save(imported("2026-03-08T10:00:00Z", taken), evidence_directory(state))
    Run(state, "20260308T120000Z-abcdef").save_failure("fe01", f.UNREACHABLE, "before")
    host = SavedEvidence(state, []).host("fe01", in_run=True, inventory=InventoryFacts())
    assert (host.failure is None) is believed


@pytest.mark.parametrize(("by_hand", "verdict"), [(True, "broken"), (False, "compliant")])
def test_what_is_assigned_by_evidence_counts_beside_what_the_edge_shows_today(by_hand: bool, verdict: str) -> None:
    """The Edge shows a good certificate, and its evidence says that a bad one comes with the next restart."""
    good, bad = c.certificate("both", e.full("edge01")), c.certificate("server_only", e.full("edge01"))
    pool = "edgepool.contoso.example"
    front_end = e.front_end(
        edge_pool=pool,
        cert=c.certificate("both", e.full("fe01")),
        presented=(e.shown(good, host=e.full("edge01"), whole_chain=True),),
    )
    edge = e.edge(cert=bad, pool=pool, presented=(e.shown(good, whole_chain=True),))
    edge = dataclasses.replace(edge, certificates=e.store(good, bad))
    # Without the mark it is a server that --limit leaves out: there only what it shows today is believed.
    source = dataclasses.replace(f.read(edge), offline=True) if by_hand else f.outside(edge)
    assert f.connection(f.judge(front_end, source), "fe01", "edge01").verdict == verdict
