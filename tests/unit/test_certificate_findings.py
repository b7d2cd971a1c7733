# Copyright (c) 2026, the sfb.kb4023993 contributors
# GNU General Public License v3.0-or-later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Certificates that were replaced half way or wrongly are named, and healthy servers are not."""

from __future__ import annotations

import dataclasses
import datetime
import typing as t

import pytest
from ansible_collections.sfb.kb4023993.plugins.plugin_utils.evidence import Evidence, from_text, to_text
from ansible_collections.sfb.kb4023993.plugins.plugin_utils.findings import Finding
from ansible_collections.sfb.kb4023993.plugins.plugin_utils.host import operations as op
from ansible_collections.sfb.kb4023993.plugins.plugin_utils.sections import first_batch
from builders import certificates as c
from builders import evidence as e
from builders import fleets as f
from builders import renewal as r
from lab import pki

OLD: t.Final = r.old()
NEW: t.Final = r.new()
GOOD: t.Final = c.certificate("both")
LATE: t.Final = c.START + datetime.timedelta(days=200)
IDS: t.Final = {
    f"KB4023993-{word}" for word in ("CERT-NOT-ASSIGNED", "CERT-NO-KEY", "CERT-EDGE-POOL-DIFFERS", "ROOT-MISPLACED")
}


def store(*entries: pki.Issued, without_key: t.Collection[pki.Issued] = ()) -> op.CertificatesReply:
    found = e.store(*entries)
    bare = {issued.der for issued in without_key}
    return dataclasses.replace(
        found,
        certificates=tuple(
            dataclasses.replace(entry, has_private_key=entry.certificate not in bare) for entry in found.certificates
        ),
    )


def edge(*entries: pki.Issued, cert: pki.Issued = OLD, name: str = "edge01", **words: t.Any) -> Evidence:
    words.setdefault("certificates", store(cert, *entries))
    return e.edge(name, cert=cert, **words)


def found(*hosts: Evidence) -> list[Finding]:
    front_end = e.front_end(cert=GOOD, edge_pool=r.EDGE_POOL)
    return [finding for finding in f.judge(front_end, *hosts).judgement.findings if finding.id in IDS]


def words(*hosts: Evidence) -> list[tuple[str, str | None]]:
    return [(finding.id.removeprefix("KB4023993-"), finding.host) for finding in found(*hosts)]


def test_a_healthy_fleet_has_none_of_them() -> None:
    assert words(edge(cert=NEW), edge(OLD, cert=NEW, name="edge02")) == []
    assert words(edge(misplaced_roots=e.store())) == []


# ---- imported and not assigned


def test_a_newer_good_certificate_that_nobody_assigned_is_named() -> None:
    (finding,) = found(edge(NEW))
    assert (finding.id, finding.host) == ("KB4023993-CERT-NOT-ASSIGNED", "edge01")
    assert c.mark(NEW) in finding.evidence[0]
    assert c.mark(OLD) in finding.evidence[0]


@pytest.mark.parametrize(
    "other",
    [
        r.issued(r.EDGE_POOL, "more.contoso.example", eku=r.BOTH, start=LATE),
        r.issued("other.contoso.example", r.EDGE_POOL, eku=r.BOTH, start=LATE),
        r.issued(r.EDGE_POOL, start=LATE),
        r.issued(r.EDGE_POOL, eku=[pki.CLIENT_AUTH], start=LATE),
        r.issued(r.EDGE_POOL, eku=r.BOTH, start=c.START - datetime.timedelta(days=1)),
        r.issued(r.EDGE_POOL, eku=r.BOTH, start=f.NOW + datetime.timedelta(days=1)),
        r.issued(r.EDGE_POOL, eku=r.BOTH, start=LATE, authority=c.limited()),
    ],
    ids=["more names", "another CN", "as bad", "client only", "older", "not yet valid", "limited CA"],
)
def test_what_could_not_take_its_place_is_not_named(other: pki.Issued) -> None:
    assert words(edge(other)) == []


def test_beside_a_good_certificate_in_use_nothing_is_missing() -> None:
    newer = r.issued(r.EDGE_POOL, eku=r.BOTH, start=LATE + datetime.timedelta(days=10))
    assert words(edge(newer, cert=NEW)) == []


def test_one_that_is_assigned_and_waits_for_a_restart_is_another_finding() -> None:
    own = edge(certificates=store(OLD, NEW), lync_certificates=e.assignments(("Internal", NEW)))
    assert words(own) == []
    assert "CERT-PENDING" in f.finding_ids(f.judge(own), "edge01")


# ---- without its key


def test_the_certificate_in_use_without_a_key_is_critical() -> None:
    (finding,) = found(edge(cert=NEW, certificates=store(NEW, without_key=[NEW])))
    assert (finding.id, finding.severity) == ("KB4023993-CERT-NO-KEY", "critical")


def test_a_newer_one_without_a_key_is_a_warning_and_not_one_to_assign() -> None:
    (finding,) = found(edge(certificates=store(OLD, NEW, without_key=[NEW])))
    assert (finding.id, finding.severity) == ("KB4023993-CERT-NO-KEY", "warning")
    assert c.mark(NEW) in finding.evidence[0]


def test_where_another_newer_one_has_its_key_only_that_is_named() -> None:
    twin = r.issued(r.EDGE_POOL, eku=r.BOTH, start=LATE + datetime.timedelta(days=1))
    assert words(edge(certificates=store(OLD, NEW, twin, without_key=[twin]))) == [("CERT-NOT-ASSIGNED", "edge01")]


def test_a_store_that_could_not_be_read_says_nothing() -> None:
    assert words(edge(certificates=None)) == []


# ---- one certificate for an Edge pool


def test_members_of_an_edge_pool_with_different_certificates_are_all_named() -> None:
    assert words(edge(cert=NEW), edge(name="edge02")) == [
        ("CERT-EDGE-POOL-DIFFERS", "edge01"),
        ("CERT-EDGE-POOL-DIFFERS", "edge02"),
    ]
    assert found(edge(cert=NEW), edge(name="edge02"))[0].evidence == (
        f"edge01: {c.mark(NEW)}",
        f"edge02: {c.mark(OLD)}",
    )


def test_edges_of_other_pools_and_front_ends_have_their_own() -> None:
    other = e.edge("edge11", cert=r.new("eleven.contoso.example"), pool="eleven.contoso.example")
    assert (
        words(edge(cert=NEW), other, e.front_end("fe02", cert=c.certificate("both", "x"), edge_pool=r.EDGE_POOL)) == []
    )


# ---- the store of trusted roots


@pytest.mark.parametrize("make", [edge, e.front_end])
def test_a_certificate_that_another_ca_issued_does_not_belong_among_the_roots(make: t.Callable[..., Evidence]) -> None:
    misplaced = e.store(c.issuing())
    (finding,) = [x for x in f.judge(make(misplaced_roots=misplaced)).judgement.findings if x.id in IDS]
    assert finding.id == "KB4023993-ROOT-MISPLACED"
    assert finding.evidence == (f"{c.mark(c.issuing())} (CN=Contoso Issuing CA 1), issued by CN=Contoso Root CA",)


def test_a_certificate_with_the_same_names_and_another_signer_is_misplaced_too() -> None:
    same_name = c.root().subordinate("Contoso Root CA", key=c.key("false"))
    assert words(edge(misplaced_roots=e.store(same_name))) == [("ROOT-MISPLACED", "edge01")]
    assert words(edge(misplaced_roots=e.store(c.root()))) == []


def test_bytes_that_are_no_certificate_are_named_by_their_thumbprint() -> None:
    entry = op.StoreCertificate(certificate=b"0\x82", has_private_key=False, usage_property=None, chain=())
    reply = op.CertificatesReply(certificates=(entry,), issuers=(), truncated=True)
    (finding,) = found(edge(misplaced_roots=reply))
    assert finding.evidence == (
        f"{c.thumbprint(b'0' + bytes([0x82]))}, which cannot be read as a certificate",
        "and more",
    )


def test_the_roots_are_asked_for_with_the_certificates_and_kept_in_the_evidence() -> None:
    asked = [x for x in first_batch(["certificates"]).operations if isinstance(x, op.Certificates)]
    assert [(x.store, x.only) for x in asked] == [("My", "all"), ("Root", "issued_by_others")]
    assert not [x for x in first_batch(["dotnet"]).operations if isinstance(x, op.Certificates)]
    evidence = edge(misplaced_roots=e.store(c.issuing()))
    assert from_text(to_text(evidence), where="x") == evidence
