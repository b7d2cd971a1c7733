# Copyright (c) 2026, the sfb.kb4023993 contributors
# GNU General Public License v3.0-or-later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which certificate of a server is judged, and what a validator makes of a peer's certificate."""

from __future__ import annotations

import dataclasses
import itertools
import typing as t

import pytest
from ansible_collections.sfb.kb4023993.plugins.plugin_utils.certificates import EkuVerdict, Usage
from ansible_collections.sfb.kb4023993.plugins.plugin_utils.connections import combine
from ansible_collections.sfb.kb4023993.plugins.plugin_utils.evidence import Evidence
from ansible_collections.sfb.kb4023993.plugins.plugin_utils.fleet import build_fleet, peer_questions
from ansible_collections.sfb.kb4023993.plugins.plugin_utils.host.operations import LyncCommandReply, TlsPeerReply
from ansible_collections.sfb.kb4023993.plugins.plugin_utils.rules.role_certificate import role_certificate
from builders import certificates as c
from builders import evidence as e
from builders import fleets as f
from lab import pki

OLD: t.Final = c.certificate("server_only", "fe01.contoso.example")
NEW: t.Final = c.certificate("both", "fe01.contoso.example")
POOL: t.Final = "edgepool.contoso.example"


def usage_property(*oids: str) -> bytes:
    return pki.usage_list(oids)


# ---- which certificate


@pytest.mark.parametrize(("role", "use"), [("front_end", "Default"), ("edge", "Internal")])
def test_the_judged_certificate_is_default_of_a_front_end_and_internal_of_an_edge(role: t.Any, use: str) -> None:
    others = [("OAuthTokenIssuer", OLD), ("AccessEdgeExternal", OLD), ("WebServicesInternal", OLD)]
    evidence = e.front_end(
        certificates=e.store(OLD, NEW), lync_certificates=e.assignments(*others, (use, NEW)), presented=()
    )
    found = role_certificate(evidence, role)
    assert found.current is not None
    assert (found.source, found.current.thumbprint, found.note) == ("assigned", c.mark(NEW), "")


def test_one_certificate_with_many_uses_is_found() -> None:
    row = {"Use": ("Default", "WebServicesInternal"), "Thumbprint": (c.mark(NEW).lower(),)}
    reply = dataclasses.replace(e.assignments(), objects=(row,))
    found = role_certificate(e.front_end(certificates=e.store(NEW), lync_certificates=reply, presented=()), "front_end")
    assert found.current is not None


@pytest.mark.parametrize(
    ("reply", "word"),
    [
        (None, "not asked"),
        (e.NO_MODULE, "module is not on the server"),
        (e.DENIED, "denied"),
        (dataclasses.replace(e.NO_MODULE, module="Lync", failure="boom"), "boom"),
        (e.assignments(("OAuthTokenIssuer", OLD)), "names no certificate for Default"),
        (e.assignments(("Default", OLD)), "is not in the computer's store"),
    ],
)
def test_without_a_usable_assignment_what_the_server_presents_counts_and_it_is_said(
    reply: LyncCommandReply | None, word: str
) -> None:
    evidence = e.front_end(certificates=e.store(NEW), lync_certificates=reply, presented=(e.shown(NEW),))
    found = role_certificate(evidence, "front_end")
    assert found.current is not None
    assert (found.source, found.current.thumbprint) == ("presented", c.mark(NEW))
    assert word in found.note
    assert "CERT-PRESENTED" in f.finding_ids(f.judge(evidence), "fe01")


def test_with_neither_assignment_nor_presentation_the_certificate_is_unknown() -> None:
    evidence = e.front_end(lync_certificates=e.DENIED, presented=())
    assert role_certificate(evidence, "front_end").source == "unknown"
    assessment = f.judge(evidence)
    assert f.verdict(assessment, "fe01") == "not_assessed"
    assert "CERT-UNKNOWN" in f.finding_ids(assessment, "fe01")


def test_a_front_end_is_never_judged_by_its_external_web_site() -> None:
    # 4443 of a Front End is the web site with a certificate of its own.
    evidence = e.front_end(lync_certificates=e.DENIED, presented=(e.shown(NEW, port=4443), e.shown(OLD, port=5061)))
    found = role_certificate(evidence, "front_end").current
    assert found is not None
    assert found.thumbprint == c.mark(OLD)
    only_web = e.front_end(lync_certificates=e.DENIED, presented=(e.shown(NEW, port=4443),))
    assert role_certificate(only_web, "front_end").current is None


def test_an_edge_shows_its_internal_certificate_on_5061_or_else_on_4443() -> None:
    edge = e.edge(lync_certificates=e.DENIED, presented=(e.shown(NEW, port=4443),))
    found = role_certificate(edge, "edge").current
    assert found is not None
    assert found.thumbprint == c.mark(NEW)
    both = e.edge(lync_certificates=e.DENIED, presented=(e.shown(NEW, port=4443), e.shown(OLD, port=5061)))
    assert t.cast(t.Any, role_certificate(both, "edge").current).thumbprint == c.mark(OLD)


def test_what_another_server_presents_is_never_taken_for_ones_own() -> None:
    evidence = e.front_end(lync_certificates=e.DENIED, presented=(e.shown(NEW, host="edge01.contoso.example"),))
    assert role_certificate(evidence, "front_end").current is None


@pytest.mark.parametrize(("held", "assigned"), [(OLD, NEW), (NEW, OLD)])
def test_an_assignment_that_is_not_picked_up_yet_leaves_the_worse_of_the_two(
    held: pki.Issued, assigned: pki.Issued
) -> None:
    evidence = e.front_end(
        certificates=e.store(OLD, NEW),
        lync_certificates=e.assignments(("Default", assigned)),
        presented=(e.shown(held),),
    )
    assessment = f.judge(evidence)
    assert f.verdict(assessment, "fe01") == "broken"
    assert "CERT-PENDING" in f.finding_ids(assessment, "fe01")
    judged = f.host(assessment, "fe01").certificate
    assert judged is not None
    assert (judged.thumbprint, judged.pending) == (c.mark(held), c.mark(assigned))


# ---- extensions and chain


@pytest.mark.parametrize("kind", c.GOOD)
def test_a_good_certificate_makes_the_connection_compliant(kind: c.Kind) -> None:
    assert f.verdict(f.judge(e.front_end(cert=c.certificate(kind))), "fe01") == "compliant"


@pytest.mark.parametrize("kind", c.BAD)
def test_a_bad_certificate_makes_the_connection_broken(kind: c.Kind) -> None:
    assert f.verdict(f.judge(e.front_end(cert=c.certificate(kind))), "fe01") == "broken"


def test_application_policies_replace_the_extended_key_usage() -> None:
    assert f.verdict(f.judge(e.front_end(cert=c.certificate("policies_server"))), "fe01") == "broken"
    assert f.verdict(f.judge(e.front_end(cert=c.certificate("policies_both"))), "fe01") == "compliant"


@pytest.mark.parametrize(
    ("statuses", "verdict"), [(None, "not_assessed"), ((), "compliant"), (("NotValidForUsage",), "broken")]
)
def test_any_usage_is_decided_by_the_validators_own_chain_check(statuses: tuple[str, ...] | None, verdict: str) -> None:
    cert = c.certificate("any")
    checks = () if statuses is None else (e.chain_check(cert, *statuses),)
    assert f.verdict(f.judge(e.front_end(cert=cert, chain_checks=checks)), "fe01") == verdict


@pytest.mark.parametrize(("kind", "statuses"), [("both", ("NotValidForUsage",)), ("server_only", ())])
def test_a_disagreement_with_the_validators_chain_check_takes_the_cautious_answer_and_is_reported(
    kind: c.Kind, statuses: tuple[str, ...]
) -> None:
    cert = c.certificate(kind)
    assessment = f.judge(e.front_end(cert=cert, chain_checks=(e.chain_check(cert, *statuses),)))
    assert f.verdict(assessment, "fe01") == "broken"
    assert "CHAIN-DISAGREEMENT" in f.finding_ids(assessment, "fe01")


def test_a_chain_check_of_another_certificate_says_nothing() -> None:
    check = e.chain_check(c.certificate("both", "other"), "NotValidForUsage")
    assert f.verdict(f.judge(e.front_end(cert=NEW, chain_checks=(check,))), "fe01") == "compliant"


def test_the_chain_check_of_the_validator_counts_not_the_peers_own() -> None:
    good = c.certificate("both", "edge01.contoso.example")
    edge = e.edge(cert=good, chain_checks=(e.chain_check(good, "NotValidForUsage"),))
    own = e.front_end(cert=NEW, edge_pool=POOL)
    assert f.connection(f.judge(own, edge), "fe01", "edge01").verdict == "compliant"
    asked = dataclasses.replace(own, chain_checks=(e.chain_check(good, "NotValidForUsage"),))
    assert f.connection(f.judge(asked, edge), "fe01", "edge01").verdict == "broken"


def test_a_restriction_of_a_ca_in_the_validators_store_counts() -> None:
    ca = c.issuing().der
    limited = e.store(NEW, restrict={ca: usage_property(pki.SERVER_AUTH)})
    assert f.verdict(f.judge(e.front_end(cert=NEW, certificates=limited)), "fe01") == "broken"
    wide = e.store(NEW, restrict={ca: usage_property(pki.SERVER_AUTH, pki.CLIENT_AUTH)})
    assert f.verdict(f.judge(e.front_end(cert=NEW, certificates=wide)), "fe01") == "compliant"


def test_a_restriction_in_the_peers_store_does_not_travel() -> None:
    good = c.certificate("both", "edge01.contoso.example")
    limited = e.store(good, restrict={c.issuing().der: usage_property(pki.SERVER_AUTH)})
    assessment = f.judge(e.front_end(cert=NEW, edge_pool=POOL), e.edge(cert=good, certificates=limited))
    assert f.connection(assessment, "fe01", "edge01").verdict == "compliant"


def test_a_restriction_that_cannot_be_read_is_no_pass() -> None:
    strange = e.store(NEW, restrict={c.issuing().der: b"\x30\x84garbage"})
    assert f.verdict(f.judge(e.front_end(cert=NEW, certificates=strange)), "fe01") != "compliant"


def test_a_good_leaf_with_an_incomplete_chain_is_not_a_pass() -> None:
    # An issuer that was not seen may limit it.
    evidence = e.front_end(cert=NEW, lync_certificates=e.DENIED, presented=(e.shown(NEW),))
    assert f.verdict(f.judge(evidence), "fe01") == "not_assessed"
    asked = dataclasses.replace(evidence, chain_checks=(e.chain_check(NEW),))
    assert f.verdict(f.judge(asked), "fe01") == "compliant"


def test_a_chain_that_the_validator_could_not_build_is_no_pass() -> None:
    evidence = e.front_end(
        cert=NEW,
        lync_certificates=e.DENIED,
        presented=(e.shown(NEW),),
        chain_checks=(e.chain_check(NEW, "PartialChain"),),
    )
    assert f.verdict(f.judge(evidence), "fe01") != "compliant"


@pytest.mark.parametrize("status", ["UntrustedRoot", "NotTimeValid", "HasNotSupportedCriticalExtension"])
def test_a_chain_that_the_validator_does_not_accept_is_reported(status: str) -> None:
    cert = c.certificate("strange_root")
    assessment = f.judge(e.front_end(cert=cert, chain_checks=(e.chain_check(cert, status),)))
    assert "CHAIN-UNTRUSTED" in f.finding_ids(assessment, "fe01")


def test_revocation_that_was_not_asked_for_is_no_finding() -> None:
    cert = c.certificate("strange_root")
    assessment = f.judge(e.front_end(cert=cert, chain_checks=(e.chain_check(cert, "RevocationStatusUnknown"),)))
    assert "CHAIN-UNTRUSTED" not in f.finding_ids(assessment, "fe01")


def test_bytes_that_are_no_certificate_are_not_a_pass() -> None:
    reading = e.shown(NEW)
    broken = dataclasses.replace(
        reading, reply=TlsPeerReply(connected=True, certificate=b"0\x82garbage", issuers=(), failure=None)
    )
    evidence = e.front_end(lync_certificates=e.DENIED, presented=(broken,))
    assessment = f.judge(evidence)
    assert f.verdict(assessment, "fe01") == "not_assessed"
    judged = f.host(assessment, "fe01").certificate
    assert judged is not None
    assert judged.usage == "unreadable"


USAGES = [
    EkuVerdict(
        usage=usage,
        reason="r.",
        rule="x",
        eku_oids=None,
        application_policies=None,
        limited_by=None,
        chain_complete=whole,
    )
    for usage in Usage
    for whole in (False, True)
]


@pytest.mark.parametrize(("ours", "server"), list(itertools.product([*USAGES, "unreadable"], (None, True, False))))
def test_good_needs_our_rules_and_no_objection_of_the_server(ours: EkuVerdict | str, server: bool | None) -> None:
    answer, _reason, disagreement = combine(ours, server)
    if isinstance(ours, str):
        assert answer == ("bad" if server is False else "unknown")
        return
    if server is False or ours.usage is Usage.BAD:
        assert answer == "bad"
    elif ours.usage is Usage.UNDECIDED:
        assert answer == ("good" if server else "unknown")
    else:
        assert answer == ("good" if server or ours.chain_complete else "unknown")
    disagree = server is not None and ours.usage is not Usage.UNDECIDED and server is not (ours.usage is Usage.GOOD)
    assert bool(disagreement) == disagree


# ---- the second batch


def questions(*evidence: Evidence) -> dict[str, t.Any]:
    return dict(peer_questions(build_fleet([f.read(each) for each in evidence])))


def test_each_front_end_is_asked_about_all_its_peers_certificates_with_their_issuers_and_its_own() -> None:
    cert = c.certificate("both", "edge01.contoso.example")
    asked = questions(e.front_end(cert=NEW, edge_pool=POOL), e.edge(cert=cert))
    assert set(asked) == {"fe01"}
    found = {thumbprint: (der, issuers) for thumbprint, der, issuers in asked["fe01"].certificates}
    assert found == {c.mark(each): (each.der, tuple(each.chain)) for each in (NEW, cert)}
    assert asked["fe01"].names == ()


def test_a_pending_certificate_is_asked_about_too() -> None:
    evidence = e.front_end(
        certificates=e.store(OLD, NEW), lync_certificates=e.assignments(("Default", NEW)), presented=(e.shown(OLD),)
    )
    assert {row[0] for row in questions(evidence)["fe01"].certificates} == {c.mark(OLD), c.mark(NEW)}


def test_a_peer_whose_certificate_nobody_could_read_is_looked_at_through_its_front_ends() -> None:
    asked = questions(e.front_end(edge_pool=POOL))["fe01"]
    assert set(asked.names) == {(POOL, 5061), (POOL, 4443)}


def test_hosts_that_this_run_does_not_read_are_not_asked() -> None:
    own = e.front_end(edge_pool=POOL)
    for host in (f.outside(own), f.unread("fe01", saved=own)):
        assert peer_questions(build_fleet([host])) == {}


def test_a_peer_that_this_run_failed_to_read_is_looked_at_through_its_front_ends_although_there_is_saved_evidence() -> (
    None
):
    saved = f.unread("edge01", saved=e.edge(cert=c.certificate("both")))
    asked = peer_questions(build_fleet([f.read(e.front_end(edge_pool=POOL)), saved]))["fe01"]
    assert ("edge01.contoso.example", 5061) in asked.names
