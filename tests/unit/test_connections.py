# Copyright (c) 2026, the sfb.kb4023993 contributors
# GNU General Public License v3.0-or-later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which connections there are, by what they are known, and who is missing in them."""

from __future__ import annotations

import dataclasses
import typing as t

import pytest
from ansible_collections.sfb.kb4023993.plugins.plugin_utils.evaluate import Assessment
from ansible_collections.sfb.kb4023993.plugins.plugin_utils.evidence import Evidence
from builders import certificates as c
from builders import evidence as e
from builders import fleets as f

POOL: t.Final = "pool01.contoso.example"
EDGES: t.Final = "edgepool.contoso.example"
OTHER_EDGES: t.Final = "edgepool2.contoso.example"
GOOD: t.Final = c.certificate("both")
FAILED: t.Final = e.event(41026, e.LATER)


def front_end(name: str = "fe01", **words: t.Any) -> Evidence:
    """A Front End with a good certificate, of whose pools the inventory says nothing."""
    return e.front_end(name, **{"cert": c.certificate("both", e.full(name)), "pool": None, "edge_pool": None, **words})


def edge(name: str = "edge01", **words: t.Any) -> Evidence:
    return e.edge(name, **{"cert": c.certificate("both", e.full(name)), "pool": None, **words})


def sources(assessment: Assessment, validator: str = "fe01", kind: str = "edge") -> dict[str, tuple[str, bool]]:
    return {
        x.peer: (x.source, x.assumed)
        for x in assessment.judgement.connections
        if (x.validator, x.kind) == (validator, kind)
    }


TOPOLOGY: t.Final = (
    e.pool_fact(POOL, "fe01.contoso.example", edge_pool=EDGES),
    e.pool_fact(EDGES, "edge01.contoso.example", edge=True),
)


# ---- sources in order


def test_the_inventory_comes_before_everything_else() -> None:
    own = front_end(
        edge_pool=OTHER_EDGES, topology=TOPOLOGY, events=e.events(e.event(41024, e.LATER, "edge03.contoso.example"))
    )
    assessment = f.judge(own, edge("edge01", pool=EDGES), edge("edge02", pool=OTHER_EDGES))
    assert sources(assessment) == {"edge02": ("by inventory variable", False)}


def test_the_topology_comes_before_events() -> None:
    own = front_end(topology=TOPOLOGY, events=e.events(e.event(41024, e.LATER, "edge03.contoso.example")))
    assert sources(f.judge(own, edge())) == {"edge01": ("by the product's topology", False)}


def test_the_topology_of_any_front_end_of_the_fleet_will_do() -> None:
    other = front_end("fe02", pool="pool02.contoso.example", edge_pool="none", topology=TOPOLOGY)
    assert sources(f.judge(front_end(), other, edge())) == {"edge01": ("by the product's topology", False)}


def test_an_edge_is_not_believed_what_it_says_of_front_end_pools() -> None:
    lie = (e.pool_fact(POOL, "fe01.contoso.example"),)
    assert "edge01" in f.peers(f.judge(front_end(), edge(topology=lie)), "fe01")


def test_what_a_pools_own_member_says_of_it_counts_most() -> None:
    stale = (e.pool_fact(POOL, "fe01.contoso.example", edge_pool=OTHER_EDGES),)
    for names in (("a-stale", "fe01"), ("fe01", "z-stale")):
        stranger = next(n for n in names if "stale" in n)
        assessment = f.judge(front_end(topology=TOPOLOGY), edge(), front_end(stranger, topology=stale, pool="x.y"))
        assert set(sources(assessment)) == {"edge01"}


def test_events_name_the_edge_servers_where_nothing_else_does() -> None:
    own = front_end(events=e.events(e.event(41025, e.LATER, "edge01.contoso.example")))
    assessment = f.judge(own, edge("edge01", pool=EDGES), edge("edge02", pool=OTHER_EDGES))
    assert sources(assessment) == {"edge01": ("by names in events", False)}


def test_events_of_a_server_that_nobody_knows_make_an_unknown_peer_that_is_not_a_pass() -> None:
    own = front_end(events=e.events(e.event(41025, e.EARLIER, "edge09.contoso.example")))
    assessment = f.judge(own, edge())
    assert f.peers(assessment, "fe01") == {"fe01": "compliant", "edge09.contoso.example": "not_assessed"}
    failing = dataclasses.replace(own, events=e.events(e.event(41024, e.LATER, "edge09.contoso.example")))
    found = f.connection(f.judge(failing, edge()), "fe01", "edge09.contoso.example")
    assert (found.verdict, found.by_events, found.assumed) == ("broken", True, False)


# Before the host's clock at its reading, by less than the time after which a lasting failure is logged again.
_MINUTES_AGO = "2026-03-08T11:50:00.000Z"


def test_failures_towards_a_server_outside_the_known_pool_are_reported_as_unexplained() -> None:
    own = front_end(edge_pool=EDGES, events=e.events(e.event(41024, _MINUTES_AGO, "edge09.contoso.example")))
    assessment = f.judge(own, edge(pool=EDGES))
    assert f.verdict(assessment, "fe01") == "compliant"
    assert "EVENTS-UNEXPLAINED" in f.finding_ids(assessment, "fe01")


def test_failures_that_would_have_been_logged_again_are_over() -> None:
    own = front_end(edge_pool=EDGES, events=e.events(e.event(41024, e.LATER, "edge09.contoso.example")))
    found = f.finding_ids(f.judge(own, edge(pool=EDGES)), "fe01")
    assert "EVENTS-SINCE-START" in found
    assert "EVENTS-UNEXPLAINED" not in found


def test_one_pool_on_either_side_needs_no_other_source() -> None:
    assessment = f.judge(front_end(), edge())
    assert sources(assessment) == {"edge01": ("the only pool on either side", False)}


@pytest.mark.parametrize("which", ["two Edge pools", "two Front End pools", "no Edge pool"])
def test_otherwise_the_edge_pool_is_assumed_and_marked(which: str) -> None:
    hosts = [front_end(pool=POOL)]
    if which != "no Edge pool":
        hosts.append(edge(pool=EDGES))
    if which == "two Edge pools":
        hosts.append(edge("edge02", pool=OTHER_EDGES))
    if which == "two Front End pools":
        hosts.append(front_end("fe02", pool="pool02.contoso.example"))
    assessment = f.judge(*hosts)
    assert sources(assessment)
    assert all(found == ("assumed", True) for found in sources(assessment).values())
    assert "TOPOLOGY-ASSUMED" in f.finding_ids(assessment, "fe01")


def test_none_as_edge_pool_means_that_there_is_no_edge() -> None:
    assessment = f.judge(front_end(edge_pool="None", pool=POOL), edge())
    assert f.peers(assessment, "fe01") == {"fe01": "compliant"}
    assert f.verdict(assessment, "fe01") == "compliant"
    assert f.verdict(assessment, "edge01") == "not_assessed"


def test_a_topology_without_an_edge_means_that_there_is_no_edge() -> None:
    own = front_end(topology=(e.pool_fact(POOL, "fe01.contoso.example"),))
    assert f.peers(f.judge(own), "fe01") == {"fe01": "compliant"}


@pytest.mark.parametrize("doubt", ["names an Edge that could not be told", "there is an Edge"])
def test_a_topology_without_an_edge_is_not_believed_where_something_else_speaks_of_one(doubt: str) -> None:
    own = front_end(topology=(e.pool_fact(POOL, "fe01.contoso.example", names_edge=doubt.startswith("names")),))
    assessment = f.judge(own, *([edge(cert=c.certificate("server_only"))] if doubt.startswith("there") else []))
    assert f.verdict(assessment, "fe01") != "compliant"


def test_without_any_known_edge_the_connection_is_there_and_not_assessed() -> None:
    assessment = f.judge(front_end())
    assert f.peers(assessment, "fe01") == {"fe01": "compliant", "Edge servers that are not known": "not_assessed"}
    assert f.verdict(assessment, "fe01") == "not_assessed"


# ---- assumptions


def test_an_assumption_never_changes_anything() -> None:
    bad = [edge(n, pool=p, cert=c.certificate("server_only")) for n, p in (("edge01", EDGES), ("edge02", OTHER_EDGES))]
    assessment = f.judge(front_end(), *bad)
    assert f.verdict(assessment, "fe01") == "broken"
    assert f.plan(assessment).hosts == ()
    assert "sfb_kb4023993_edge_pool" in f.refusals(assessment)["fe01"]


def test_a_certain_reason_beside_an_assumption_is_enough() -> None:
    own = front_end(cert=c.certificate("server_only"))
    assert f.planned(f.judge(own)).changes


# ---- the pool


def test_a_front_ends_own_certificate_is_always_judged() -> None:
    own = front_end(edge_pool="none", cert=c.certificate("server_only"))
    found = f.connection(f.judge(own), "fe01", "fe01")
    assert (found.verdict, found.source, found.kind) == ("broken", "its own certificate", "front_end")


def test_front_ends_of_one_pool_judge_each_other_both_ways() -> None:
    bad = front_end("fe02", pool=POOL, edge_pool="none", cert=c.certificate("server_only"))
    assessment = f.judge(front_end(pool=POOL, edge_pool="none"), bad)
    assert f.peers(assessment, "fe01") == {"fe01": "compliant", "fe02": "broken"}
    assert f.peers(assessment, "fe02") == {"fe01": "compliant", "fe02": "broken"}
    assert [p.members for p in assessment.judgement.pools] == [("fe01", "fe02")]


def test_front_ends_of_different_pools_do_not_judge_each_other() -> None:
    assessment = f.judge(
        front_end(pool=POOL, edge_pool="none"), front_end("fe02", pool="pool02.contoso.example", edge_pool="none")
    )
    assert set(f.peers(assessment, "fe01")) == {"fe01"}


def test_the_subject_of_the_certificate_tells_the_pool_where_nothing_else_does() -> None:
    cert = c.certificate("both", POOL)
    assessment = f.judge(front_end("fe01", cert=cert), front_end("fe02", cert=cert))
    assert [(p.name, p.members, p.source) for p in assessment.judgement.pools if p.role == "front_end"] == [
        (POOL, ("fe01", "fe02"), "by the certificate's subject")
    ]


def test_every_edge_of_the_pool_counts_not_any() -> None:
    # Half of the Edge pool renewed is not good.
    hosts = [
        front_end(pool=POOL, edge_pool=EDGES),
        edge("edge01", pool=EDGES),
        edge("edge02", pool=EDGES, cert=c.certificate("server_only")),
    ]
    assessment = f.judge(*hosts)
    assert f.peers(assessment, "fe01") == {"fe01": "compliant", "edge01": "compliant", "edge02": "broken"}
    assert f.verdict(assessment, "fe01") == "broken"
    assert f.verdict(assessment, "edge01") == "compliant"


@pytest.mark.parametrize("kind", ["front_end", "edge"])
def test_a_pool_member_that_only_the_topology_knows_is_a_missing_answer(kind: str) -> None:
    facts = (
        e.pool_fact(POOL, "fe01.contoso.example", *(["fe02.contoso.example"] * (kind == "front_end")), edge_pool=EDGES),
        e.pool_fact(EDGES, "edge01.contoso.example", *(["edge02.contoso.example"] * (kind == "edge")), edge=True),
    )
    assessment = f.judge(front_end(topology=facts), edge())
    missing = "fe02.contoso.example" if kind == "front_end" else "edge02.contoso.example"
    assert f.peers(assessment, "fe01")[missing] == "not_assessed"
    assert f.verdict(assessment, "fe01") == "not_assessed"
    pool = next(p for p in assessment.judgement.pools if p.role == kind)
    assert (pool.missing, pool.verdict) == ((missing,), "not_assessed")


@pytest.mark.parametrize("in_run", [True, False], ids=["unreachable", "outside the run"])
@pytest.mark.parametrize("kind", ["front_end", "edge"])
def test_a_pool_member_that_only_the_inventory_knows_is_a_missing_answer(kind: str, in_run: bool) -> None:
    unread = f.unread("other", pool=POOL if kind == "front_end" else EDGES, in_run=in_run)
    assessment = f.judge(front_end(pool=POOL, edge_pool=EDGES), edge(pool=EDGES), unread)
    assert f.verdict(assessment, "fe01") == "not_assessed"


def test_an_edge_pool_variable_that_names_a_front_end_pool_is_no_pass() -> None:
    assessment = f.judge(front_end(pool=POOL, edge_pool=POOL), edge(pool=EDGES))
    assert f.verdict(assessment, "fe01") != "compliant"


def test_an_edge_that_a_slip_puts_into_a_pool_of_front_ends_is_still_judged() -> None:
    assessment = f.judge(front_end(pool=POOL), edge(pool=POOL, cert=c.certificate("server_only")))
    assert f.verdict(assessment, "fe01") == "broken"


# ---- servers that could not be read


def test_an_edge_that_nobody_could_read_is_a_missing_answer() -> None:
    assessment = f.judge(front_end(pool=POOL, edge_pool=EDGES), f.unread("edge01", pool=EDGES))
    assert f.verdict(assessment, "fe01") == "not_assessed"
    assert f.verdict(assessment, "edge01") == "not_assessed"


@pytest.mark.parametrize(("kind", "verdict"), [("both", "compliant"), ("server_only", "broken")])
def test_an_unread_edge_is_judged_by_what_a_front_end_saw_of_it(kind: c.Kind, verdict: str) -> None:
    cert = c.certificate(kind, EDGES)
    own = front_end(
        pool=POOL,
        edge_pool=EDGES,
        presented=(e.shown(GOOD), e.shown(cert, host=EDGES)),
        chain_checks=(e.chain_check(cert, *([] if kind == "both" else ["NotValidForUsage"])),),
    )
    found = f.connection(f.judge(own), "fe01", EDGES)
    assert (found.verdict, found.peer_read, found.certificate) == (verdict, False, c.mark(cert))


def test_a_front_end_that_saw_nothing_uses_what_another_one_saw() -> None:
    cert = c.certificate("server_only", EDGES)
    seer = front_end("fe02", pool=POOL, edge_pool=EDGES, presented=(e.shown(GOOD), e.shown(cert, host=EDGES.upper())))
    assessment = f.judge(front_end(pool=POOL, edge_pool=EDGES), seer)
    assert f.connection(assessment, "fe01", EDGES).verdict == "broken"


def test_a_good_unread_edge_passes_when_its_chain_ends_at_a_root_that_the_validator_holds() -> None:
    cert = c.certificate("both", EDGES)
    own = front_end(pool=POOL, edge_pool=EDGES, presented=(e.shown(GOOD), e.shown(cert, host=EDGES)))
    assert f.connection(f.judge(own), "fe01", EDGES).verdict == "compliant"


def test_what_a_front_end_sees_now_counts_more_than_saved_evidence_of_an_edge_that_could_not_be_read() -> None:
    old, now = c.certificate("both", "edge01.contoso.example"), c.certificate("server_only", "edge01.contoso.example")
    own = front_end(pool=POOL, edge_pool=EDGES, presented=(e.shown(GOOD), e.shown(now, host="edge01.contoso.example")))
    assessment = f.judge(f.read(own), f.unread("edge01", saved=edge(pool=EDGES, cert=old)))
    assert f.connection(assessment, "fe01", "edge01").verdict == "broken"


def test_a_validator_that_could_not_be_read_is_not_assessed_whatever_its_saved_evidence_says() -> None:
    assessment = f.judge(f.unread("fe01", saved=front_end(edge_pool="none")), edge())
    assert f.verdict(assessment, "fe01") == "not_assessed"


def test_hosts_outside_the_run_are_judged_by_saved_evidence_and_that_is_said() -> None:
    assessment = f.judge(f.read(front_end(pool=POOL, edge_pool=EDGES)), f.outside(edge(pool=EDGES)))
    assert f.verdict(assessment, "fe01") == "compliant"
    assert "EVIDENCE-SAVED" in f.finding_ids(assessment, "fe01")


def test_an_enforcing_front_end_with_failure_events_is_broken_though_the_edge_cannot_be_read() -> None:
    found = f.connection(f.judge(front_end(pool=POOL, edge_pool=EDGES, events=e.events(FAILED))), "fe01", EDGES)
    assert (found.verdict, found.by_events) == ("broken", True)


def test_a_short_inventory_name_is_matched_with_the_full_name_in_events_and_readings() -> None:
    cert = c.certificate("server_only", "edge01.contoso.example")
    facts = (e.pool_fact(POOL, "fe01.contoso.example", edge_pool=EDGES), e.pool_fact(EDGES, "edge01", edge=True))
    own = front_end(topology=facts, presented=(e.shown(GOOD), e.shown(cert, host="edge01.contoso.example")))
    assert f.connection(f.judge(own), "fe01", "edge01").verdict == "broken"


@pytest.mark.parametrize("product", ["sfb2019", "lync2010"])
def test_products_outside_the_article_are_judged_by_their_connections_like_the_others(product: e.Product) -> None:
    dotnet = e.dotnet(*e.copies(e.CLR2), *e.copies())
    own = front_end(product=product, edge_pool="none", dotnet=dotnet, cert=c.certificate("server_only"))
    assessment = f.judge(own)
    assert f.verdict(assessment, "fe01") == "broken"
    assert ("PRODUCT-OUTSIDE" in f.finding_ids(assessment, "fe01")) == (product == "sfb2019")
