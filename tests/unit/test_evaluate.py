# Copyright (c) 2026, the sfb.kb4023993 contributors
# GNU General Public License v3.0-or-later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Judging a fleet is a pure function, and its promises hold whatever the servers are."""

from __future__ import annotations

import dataclasses
import datetime
import json
import random
import typing as t

import pytest
from ansible_collections.sfb.kb4023993.plugins.plugin_utils.codec import encode
from ansible_collections.sfb.kb4023993.plugins.plugin_utils.evaluate import evaluate
from ansible_collections.sfb.kb4023993.plugins.plugin_utils.evidence import Evidence, Problem, from_text, to_text
from ansible_collections.sfb.kb4023993.plugins.plugin_utils.findings import CATALOGUE
from ansible_collections.sfb.kb4023993.plugins.plugin_utils.fleet import InventoryHost
from ansible_collections.sfb.kb4023993.plugins.plugin_utils.rules.verdict import ORDER
from builders import certificates as c
from builders import evidence as e
from builders import fleets as f
from hypothesis import given, settings
from hypothesis import strategies as st

POOL: t.Final = "pool01.contoso.example"
EDGES: t.Final = "edgepool.contoso.example"
DOTNETS: t.Final = (e.CHECKED, e.UNCHECKED, e.ENFORCEMENT_UNKNOWN, None)
KINDS: t.Final = (*c.GOOD, *c.BAD, "any")


@dataclasses.dataclass(frozen=True, kw_only=True)
class Words:
    """What a generated server is."""

    kind: c.Kind
    dotnet: int = 0
    override: t.Literal["none", "effective", "unproven", "wrong"] = "none"
    failures: bool = False
    read: bool = True

    def evidence(self, name: str) -> Evidence:
        cert = c.certificate(self.kind, e.full(name))
        if name.startswith("edge"):
            return e.edge(name, cert=cert, pool=EDGES)
        value = e.Value(kind="string", data="0") if self.override == "wrong" else e.Value()
        return e.front_end(
            name,
            cert=cert,
            pool=POOL,
            edge_pool=EDGES,
            dotnet=DOTNETS[self.dotnet],
            opt_outs=e.opt_outs(*([value] if self.override != "none" else [])),
            sightings=(e.sighted(e.Value(), e.EARLIER),) if self.override == "effective" else (),
            events=e.events(*([e.event(41026, e.LATER)] if self.failures else [])),
        )

    def host(self, name: str) -> InventoryHost:
        return f.read(self.evidence(name)) if self.read else f.unread(name, pool=EDGES if "edge" in name else POOL)


WORDS = st.builds(
    Words,
    kind=st.sampled_from(KINDS),
    dotnet=st.integers(0, 3),
    override=st.sampled_from(["none", "effective", "unproven", "wrong"]),
    failures=st.booleans(),
    read=st.sampled_from([True, True, True, False]),
)
FLEETS = st.fixed_dictionaries(dict.fromkeys(("fe01", "fe02", "edge01", "edge02"), WORDS))


def badness(verdict: str) -> int:
    return -[*ORDER].index(t.cast(t.Any, verdict))


def hosts(fleet: dict[str, Words]) -> list[InventoryHost]:
    return [words.host(name) for name, words in fleet.items()]


# ---- pure


@settings(max_examples=40)
@given(FLEETS, st.randoms(use_true_random=False))
def test_the_order_of_the_hosts_makes_no_difference(fleet: dict[str, Words], shuffler: random.Random) -> None:
    shuffled = hosts(fleet)
    shuffler.shuffle(shuffled)
    assert f.judge(*shuffled).judgement == f.judge(*hosts(fleet)).judgement


@settings(max_examples=15)
@given(FLEETS)
def test_the_same_evidence_gives_the_same_judgement_also_from_its_file(fleet: dict[str, Words]) -> None:
    again = [
        dataclasses.replace(h, evidence=from_text(to_text(h.evidence), where="") if h.evidence else None)
        for h in hosts(fleet)
    ]
    first, second = f.judge(*hosts(fleet)).judgement, f.judge(*again).judgement
    assert json.dumps(encode(first)) == json.dumps(encode(second))


def test_the_clock_is_a_parameter_and_only_expiry_hangs_on_it() -> None:
    fleet = [f.read(e.front_end(edge_pool=EDGES)), f.read(e.edge())]

    def at(year: int) -> t.Any:
        now = datetime.datetime(year, 3, 1, tzinfo=datetime.timezone.utc)
        return evaluate(fleet, now=now, run_id="r", collection_version="0").judgement

    early, late = at(2026), at(2029)
    assert (early.judged_utc, late.judged_utc) == ("2026-03-01T00:00:00Z", "2029-03-01T00:00:00Z")
    assert [h.verdict for h in early.hosts] == [h.verdict for h in late.hosts]
    gone = {x.id for x in late.findings} - {x.id for x in early.findings}
    assert gone == {"KB4023993-CERT-EXPIRY"}


def test_the_evidence_is_not_changed_by_judging_it() -> None:
    evidence = e.front_end()
    text = to_text(evidence)
    f.judge(evidence)
    assert to_text(evidence) == text


# ---- promises


@settings(max_examples=60)
@given(FLEETS)
def test_compliant_means_that_every_certificate_concerned_was_read_and_is_good(fleet: dict[str, Words]) -> None:
    assessment = f.judge(*hosts(fleet))
    for name in ("fe01", "fe02"):
        if f.verdict(assessment, name) == "compliant":
            assert fleet[name].read
            assert all(words.kind in c.GOOD for words in fleet.values())


@settings(max_examples=60)
@given(FLEETS)
def test_what_was_not_read_is_not_assessed_and_is_named(fleet: dict[str, Words]) -> None:
    assessment = f.judge(*hosts(fleet))
    for name, words in fleet.items():
        if not words.read:
            assert f.verdict(assessment, name) == "not_assessed"
            assert f.finding_ids(assessment, name) == {"NOT-ASSESSED"}


@settings(max_examples=40)
@given(FLEETS, st.sampled_from(["fe01", "fe02", "edge01", "edge02"]))
def test_a_better_certificate_makes_no_host_worse(fleet: dict[str, Words], name: str) -> None:
    worse = f.judge(*hosts({**fleet, name: dataclasses.replace(fleet[name], kind="server_only")}))
    better = f.judge(*hosts({**fleet, name: dataclasses.replace(fleet[name], kind="both")}))
    for host in fleet:
        assert badness(f.verdict(better, host)) <= badness(f.verdict(worse, host))


@settings(max_examples=40)
@given(FLEETS, st.sampled_from(["fe01", "fe02"]))
def test_an_effective_opt_out_makes_no_host_worse_and_an_unproven_or_wrong_one_changes_nothing(
    fleet: dict[str, Words], name: str
) -> None:
    def with_override(word: t.Any) -> dict[str, str]:
        assessment = f.judge(*hosts({**fleet, name: dataclasses.replace(fleet[name], override=word)}))
        return {host: f.verdict(assessment, host) for host in fleet}

    none = with_override("none")
    assert with_override("unproven") == none
    assert with_override("wrong") == none
    effective = with_override("effective")
    assert all(badness(effective[host]) <= badness(none[host]) for host in fleet)


@settings(max_examples=40)
@given(FLEETS)
def test_a_host_has_the_worst_of_its_connections(fleet: dict[str, Words]) -> None:
    judgement = f.judge(*hosts(fleet)).judgement
    for host in judgement.hosts:
        if fleet[host.name].read:
            own = [x.verdict for x in judgement.connections if host.name in (x.validator, x.peer)]
            assert host.verdict == min(own, key=ORDER.index, default="not_assessed")


@settings(max_examples=40)
@given(FLEETS)
def test_every_finding_is_of_the_catalogue_and_says_what_to_do(fleet: dict[str, Words]) -> None:
    for finding in f.judge(*hosts(fleet)).judgement.findings:
        assert finding.id in CATALOGUE
        assert finding.evidence
        assert len(finding.evidence) <= 12 or finding.id == "KB4023993-ENFORCEMENT-NOT-LOADED"
        assert finding.next_step
        assert finding.host in fleet


# ---- single rules of hosts


def test_an_edge_that_no_front_end_connects_to_is_not_assessed() -> None:
    assert f.verdict(f.judge(e.edge(cert=c.certificate("both"))), "edge01") == "not_assessed"


def test_a_host_outside_the_run_without_evidence_is_not_assessed_without_a_finding() -> None:
    assessment = f.judge(f.unread("fe01", in_run=False))
    assert f.verdict(assessment, "fe01") == "not_assessed"
    assert "--limit" in f.host(assessment, "fe01").reason
    assert assessment.judgement.findings == ()


def test_a_saved_file_that_cannot_be_used_is_said() -> None:
    broken = dataclasses.replace(f.unread("fe01", in_run=False), problem="/x/fe01.json is damaged. Delete it.")
    assessment = f.judge(broken)
    assert f.verdict(assessment, "fe01") == "not_assessed"
    assert f.finding_ids(assessment, "fe01") == {"NOT-ASSESSED"}
    assert "/x/fe01.json" in f.host(assessment, "fe01").reason


def test_a_leftover_opt_out_where_all_peers_are_good_is_compliant_and_can_be_retired() -> None:
    assessment = f.judge(Words(kind="both", override="effective").host("fe01"), Words(kind="both").host("edge01"))
    assert f.verdict(assessment, "fe01") == "compliant"
    assert "OVERRIDE-RETIRE" in f.finding_ids(assessment, "fe01")
    unproven = f.judge(Words(kind="both", override="unproven").host("fe01"), Words(kind="both").host("edge01"))
    assert not f.host(unproven, "fe01").restart_pending


def test_an_opt_out_in_effect_is_mitigated_even_where_the_peer_is_unknown() -> None:
    assessment = f.judge(Words(kind="both", override="effective").host("fe01"), f.unread("edge01", pool=EDGES))
    assert f.verdict(assessment, "fe01") == "mitigated"
    assert f.verdict(assessment, "edge01") == "not_assessed"
    assert "OVERRIDE-ACTIVE" in f.finding_ids(assessment, "fe01")


def test_a_global_opt_out_is_reported_as_too_wide() -> None:
    everything = e.opt_outs(everything=e.dword("RequireCertificateEKUs", 0))
    assert "OPT-OUT-GLOBAL" in f.finding_ids(f.judge(e.front_end(opt_outs=everything)), "fe01")


def test_what_could_not_be_read_of_a_host_is_listed() -> None:
    problem = Problem(section="events", operation="events", type="denied", message="Zugriff verweigert")
    assessment = f.judge(dataclasses.replace(e.front_end(), problems=(problem,) * 40))
    found = next(x for x in assessment.judgement.findings if x.id == "KB4023993-EVIDENCE-MISSING")
    assert len(found.evidence) == 12
    assert found.evidence[-1] == "and 29 more"


@pytest.mark.parametrize(("started", "expected"), [(None, True), (e.STARTED, False)])
def test_a_stopped_service_is_reported(started: str | None, expected: bool) -> None:
    assert ("SERVICE-STOPPED" in f.finding_ids(f.judge(e.front_end(started=started)), "fe01")) is expected


def test_the_severity_of_a_bad_certificate_follows_what_it_breaks() -> None:
    def severity(*evidence: Evidence) -> str:
        found = f.judge(*evidence).judgement.findings
        return next(x.severity for x in found if x.id == "KB4023993-CERT-EDGE-INTERNAL")

    good = c.certificate("both", e.full("fe01"))
    assert severity(e.front_end(cert=good, edge_pool=EDGES), e.edge()) == "critical"
    assert severity(e.front_end(cert=good, edge_pool=EDGES, dotnet=e.UNCHECKED), e.edge()) == "warning"


def test_certificates_near_their_end_are_told_with_the_days_left() -> None:
    now = c.END - datetime.timedelta(days=20)
    judged = evaluate([f.read(e.front_end())], now=now, run_id="r", collection_version="0").judgement
    certificate = judged.hosts[0].certificate
    assert certificate is not None
    assert certificate.days_left == 20
    found = next(x for x in judged.findings if x.id == "KB4023993-CERT-EXPIRY")
    assert (found.severity, "20 days left" in found.evidence[0]) == ("critical", True)
