# Copyright (c) 2026, the sfb.kb4023993 contributors
# GNU General Public License v3.0-or-later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Reading certificates, and judging what they are good for. `tests/powershell/test_eku_rules.py` asks .NET itself."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import date, datetime, timedelta, timezone
from functools import cache

import pytest
from ansible_collections.sfb.kb4023993.plugins.plugin_utils._certificate import Certificate
from ansible_collections.sfb.kb4023993.plugins.plugin_utils.certificates import (
    CLIENT_AUTH,
    SERVER_AUTH,
    CertificateError,
    EkuVerdict,
    Expiry,
    ExpiryLevel,
    IssuerCutoff,
    Usage,
    expiry,
    judge_usage,
    parse_usage_property,
    read_certificate,
    renewal_outlook,
)
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from hypothesis import given, settings
from hypothesis import strategies as st
from lab import pki

S, C, ANY, ANY_MS = SERVER_AUTH, CLIENT_AUTH, pki.ANY_USAGE, pki.ANY_APPLICATION_POLICY
ANY_POLICY = "2.5.29.32.0"
BOTH = (S, C)
NOW = datetime(2026, 11, 22, 12, tzinfo=timezone.utc)
Usages = tuple[str, ...] | None


@cache
def root() -> pki.Authority:
    return pki.root_authority("Contoso Root", organization="Contoso")


def judge(peer: pki.Issued, **arguments: object) -> EkuVerdict:
    return judge_usage(peer.der, peer.chain, **arguments)  # type: ignore[arg-type]


def thumbprint(issued: pki.Issued) -> str:
    return read_certificate(issued.der).thumbprint


def complaint(attempt: Callable[[bytes], object], data: bytes) -> str:
    """The message of a `CertificateError`, empty without one; any other exception fails the test."""
    try:
        attempt(data)
    except CertificateError as error:
        return str(error)
    return ""


# --- rules ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("eku", "policies", "usage", "rule"),
    [
        (None, None, Usage.GOOD, "no_eku"),
        ((S,), None, Usage.BAD, "eku_lacks_usage"),
        (BOTH, None, Usage.GOOD, "eku_lists_usage"),
        ((), None, Usage.BAD, "eku_lacks_usage"),
        ((ANY,), None, Usage.UNDECIDED, "any_eku"),
        ((ANY, S), None, Usage.UNDECIDED, "any_eku"),
        ((ANY, C), None, Usage.GOOD, "eku_lists_usage"),
        (BOTH, (S,), Usage.BAD, "application_policies"),
        ((S,), BOTH, Usage.GOOD, "application_policies"),
        (None, (C,), Usage.GOOD, "application_policies"),
        (BOTH, (), Usage.BAD, "application_policies"),
        (BOTH, (ANY_MS,), Usage.UNDECIDED, "any_eku"),
        ((S, ANY_POLICY), None, Usage.UNDECIDED, "any_eku"),
        (BOTH, b"\x30\x05\x06", Usage.UNDECIDED, "unreadable"),
    ],
)
def test_own_extensions_decide(eku: Usages, policies: Usages | bytes, usage: Usage, rule: str) -> None:
    peer = root().issue("fe1.contoso.com", eku=eku, application_policies=policies)
    verdict = judge(peer)
    assert (verdict.usage, verdict.rule, verdict.limited_by, verdict.chain_complete) == (usage, rule, None, True)
    assert "CN=fe1.contoso.com" in verdict.reason
    assert verdict.eku_oids == eku
    assert verdict.application_policies == (None if isinstance(policies, bytes) else policies)


def test_another_usage_can_be_asked_for() -> None:
    peer = root().issue("fe1.contoso.com", eku=(S,))
    assert judge(peer, oid=S).usage is Usage.GOOD
    assert judge(peer, oid="1.3.6.1.5.5.7.3.4").usage is Usage.BAD


@pytest.mark.parametrize(
    ("limits", "usage", "rule"),
    [
        ({"eku": (S,)}, Usage.BAD, "ca_constraint"),
        ({"eku": ()}, Usage.BAD, "ca_constraint"),
        ({"eku": BOTH}, Usage.GOOD, "eku_lists_usage"),
        ({"eku": BOTH, "application_policies": (S,)}, Usage.BAD, "ca_constraint"),
        ({"eku": (S,), "application_policies": (C,)}, Usage.GOOD, "eku_lists_usage"),
        ({"eku": (ANY,)}, Usage.UNDECIDED, "any_eku"),
        ({"application_policies": b"\x04\x00"}, Usage.UNDECIDED, "unreadable"),
        ({"extensions": (pki.Extension("1.3.6.1.4.1.311.21.12", b"\x30\x00"),)}, Usage.UNDECIDED, "policy_translation"),
    ],
)
@pytest.mark.parametrize("level", ["issuing", "above"])
def test_every_ca_certificate_limits(limits: dict[str, object], usage: Usage, rule: str, level: str) -> None:
    limited = root().subordinate("Limited", **limits)  # type: ignore[arg-type]
    issuing = limited if level == "issuing" else limited.subordinate("Issuing")
    verdict = judge(issuing.issue("edge1", eku=BOTH))
    assert (verdict.usage, verdict.rule) == (usage, rule)
    assert verdict.limited_by == (None if usage is Usage.GOOD else thumbprint(limited))
    assert usage is Usage.GOOD or "CN=Limited" in verdict.reason


def test_the_root_limits_too() -> None:
    limited = pki.root_authority("Server Root", eku=(S,))
    verdict = judge(limited.subordinate("Below").issue("edge1", eku=None))
    assert (verdict.usage, verdict.limited_by) == (Usage.BAD, thumbprint(limited))


def test_the_nearest_limiting_ca_is_named() -> None:
    issuing = root().subordinate("Far", eku=(S,)).subordinate("Near", eku=(S,))
    assert judge(issuing.issue("edge1", eku=BOTH)).limited_by == thumbprint(issuing)


def test_a_bad_ca_outweighs_an_undecided_leaf() -> None:
    issuing = root().subordinate("Limited", eku=(S,))
    assert judge(issuing.issue("edge1", eku=(ANY,))).rule == "ca_constraint"


def test_self_signed_certificate_counts_alone() -> None:
    peer = pki.self_signed("edge1", eku=BOTH)
    verdict = judge_usage(peer.der, [peer.der, *root().subordinate("Limited", eku=(S,)).chain])
    assert (verdict.usage, verdict.chain_complete) == (Usage.GOOD, True)


def test_missing_issuers_end_the_chain_and_show() -> None:
    issuing = root().subordinate("Upper", eku=(S,)).subordinate("Issuing")
    peer = issuing.issue("edge1", eku=BOTH)
    verdict = judge_usage(peer.der, [issuing.der, root().der])
    assert (verdict.usage, verdict.chain_complete) == (Usage.GOOD, False)


def test_same_name_with_another_key_is_a_stranger() -> None:
    stranger = pki.root_authority("Contoso Root", organization="Contoso", eku=(S,), key=pki.shared_key("stranger"))
    peer = root().issue("edge1", eku=BOTH)
    verdict = judge_usage(peer.der, [stranger.der, *peer.chain])
    assert (verdict.usage, verdict.chain_complete) == (Usage.GOOD, True)


@pytest.mark.parametrize("order", [1, -1])
def test_two_chains_with_different_results_are_undecided(order: int) -> None:
    limited = root().subordinate("Crossed", eku=(S,))
    open_one = pki.root_authority("Other Root").subordinate("Crossed")
    peer = open_one.issue("edge1", eku=BOTH)
    chain = [*open_one.chain, open_one.der, *limited.chain, limited.der][::order]
    verdict = judge_usage(peer.der, chain)
    assert (verdict.usage, verdict.rule, verdict.limited_by) == (Usage.UNDECIDED, "paths_differ", thumbprint(limited))
    limited_too = pki.root_authority("Other Root").subordinate("Crossed", eku=())
    chain = [limited.der, *limited.chain, limited_too.der, *limited_too.chain][::order]
    assert judge_usage(peer.der, chain).rule == "ca_constraint"


def test_ca_certificates_that_certify_each_other_do_not_hang() -> None:
    first = pki.root_authority("Bridge A").subordinate("Bridge B")
    second = pki.root_authority("Bridge B", key=pki.shared_key("Bridge B")).subordinate("Bridge A")
    peer = first.issue("edge1", eku=BOTH)
    verdict = judge_usage(peer.der, [first.der, second.der])
    assert (verdict.usage, verdict.chain_complete) == (Usage.GOOD, False)


def test_a_flood_of_look_alikes_costs_little(monkeypatch: pytest.MonkeyPatch) -> None:
    key = pki.shared_key("flood")
    tick, tock = pki.root_authority("Tick", key=key), pki.root_authority("Tock", key=key)
    flood = [ca.subordinate(name, key=key).der for ca, name in ((tick, "Tock"), (tock, "Tick")) for _ in range(80)]
    peer = tick.subordinate("Tock", key=key).issue("edge1", eku=BOTH)
    checks, real = [], Certificate.issued_by

    def counted(certificate: Certificate, issuer: Certificate) -> bool:
        checks.append(issuer)
        return real(certificate, issuer)

    monkeypatch.setattr(Certificate, "issued_by", counted)
    verdict = judge_usage(peer.der, flood)
    assert (verdict.usage, verdict.rule) == (Usage.UNDECIDED, "chain_too_large")
    assert len(checks) < 40 * len(flood)


def test_whole_stores_may_be_given() -> None:
    store = [pki.root_authority(f"Root {n}", key=pki.shared_key("store"), eku=(S,)).der for n in range(150)]
    assert judge_usage(root().issue("edge1", eku=BOTH).der, [*store, root().der]).usage is Usage.GOOD


def test_unreadable_ca_certificate_matters_only_where_one_is_missing() -> None:
    peer = root().subordinate("Issuing").issue("edge1", eku=BOTH)
    assert judge_usage(peer.der, [b"rubbish", *peer.chain]).usage is Usage.GOOD
    verdict = judge_usage(peer.der, [b"rubbish", peer.chain[0]])
    assert (verdict.usage, verdict.rule) == (Usage.UNDECIDED, "chain_unreadable")


def test_elliptic_curve_chain() -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    issuing = pki.root_authority("EC Root", key=key).subordinate("EC Issuing", eku=(S,), key=key)
    peer = issuing.issue("edge1", eku=BOTH, key=key)
    assert judge(peer).rule == "ca_constraint"
    facts = read_certificate(peer.der)
    assert (facts.key_type, facts.key_bits) == ("EC", 256)


@pytest.mark.parametrize(
    ("usages", "usage", "rule"),
    [
        ((S,), Usage.BAD, "store_restriction"),
        ((), Usage.BAD, "store_restriction"),
        ((ANY,), Usage.UNDECIDED, "any_eku"),
        ((C,), Usage.GOOD, "eku_lists_usage"),
        (None, Usage.GOOD, "eku_lists_usage"),
    ],
)
def test_property_of_a_ca_certificate_in_the_store(usages: Usages, usage: Usage, rule: str) -> None:
    peer = root().issue("edge1", eku=BOTH)
    as_copied_from_a_dialogue = "\u200e" + " ".join(thumbprint(root()).lower()[i : i + 2] for i in range(0, 40, 2))
    verdict = judge(peer, store_restrictions={as_copied_from_a_dialogue: usages})
    assert (verdict.usage, verdict.rule) == (usage, rule)


def test_property_of_the_leaf_does_not_travel() -> None:
    peer = root().issue("edge1", eku=BOTH)
    assert judge(peer, store_restrictions={thumbprint(peer): ()}).usage is Usage.GOOD


def test_extension_there_twice_is_unreadable_and_hides_nothing_else() -> None:
    issuing = root().subordinate("Issuing")
    extra = pki.Extension("2.5.29.99", pki.usage_list((S,)))
    single = issuing.issue("edge1", dns_names=("edge1.contoso.com",), eku=(C,), extensions=(extra,))
    twice = pki.patched(single, b"\x06\x03\x55\x1d\x63", b"\x06\x03\x55\x1d\x25", signer=pki.shared_key("Issuing"))
    verdict = judge_usage(twice, single.chain)
    assert (verdict.usage, verdict.rule) == (Usage.UNDECIDED, "unreadable")
    facts = read_certificate(twice)
    assert facts.unreadable == ("2.5.29.37",)
    assert facts.dns_names == ("edge1.contoso.com",)


# --- the rules as properties ---------------------------------------------------------------------------------------

LISTS: tuple[Usages, ...] = (None, (), (S,), (C,), BOTH, (ANY,), (ANY, C))
Level = tuple[Usages, Usages]
LEVELS = st.tuples(st.sampled_from(LISTS), st.sampled_from(LISTS))


@cache
def hierarchy(levels: tuple[Level, ...]) -> pki.Authority:
    (eku, policies), above = levels[0], levels[1:]
    if not above:
        return pki.root_authority("R", eku=eku, application_policies=policies)
    return hierarchy(above).subordinate(f"L{len(above)}", eku=eku, application_policies=policies)


def expected(levels: Sequence[Level]) -> Usage:
    """The rules again, for a single complete chain, told in the shortest way."""
    deciding = [policies if policies is not None else eku for eku, policies in levels]
    lists = [usages for usages in deciding if usages is not None and C not in usages]
    if any(ANY not in usages for usages in lists):
        return Usage.BAD
    return Usage.UNDECIDED if lists else Usage.GOOD


@settings(deadline=None, max_examples=150)
@given(levels=st.lists(LEVELS, min_size=2, max_size=4), seed=st.integers(0, 99))
def test_verdict_follows_from_the_lists_whatever_the_order(levels: list[Level], seed: int) -> None:
    (eku, policies), above = levels[0], tuple(levels[1:])
    peer = hierarchy(above).issue("edge1", eku=eku, application_policies=policies)
    stranger = pki.root_authority("Strange", key=pki.shared_key("server"), eku=(S,))
    chain = [*peer.chain, stranger.der, b"", peer.der]
    random.Random(seed).shuffle(chain)
    verdict = judge_usage(peer.der, chain)
    assert verdict.usage is expected(levels)
    assert verdict.chain_complete
    assert (verdict.limited_by is None) == (verdict.usage is expected(levels[:1]))


@settings(deadline=None, max_examples=60)
@given(levels=st.lists(LEVELS, min_size=3, max_size=4), keep=st.integers(0, 3))
def test_a_longer_chain_only_limits_further(levels: list[Level], keep: int) -> None:
    peer = hierarchy(tuple(levels[1:])).issue("edge1", eku=levels[0][0], application_policies=levels[0][1])
    severity = [Usage.GOOD, Usage.UNDECIDED, Usage.BAD]
    part, whole = judge_usage(peer.der, peer.chain[:keep]), judge(peer)
    assert severity.index(part.usage) <= severity.index(whole.usage)


# --- reading -------------------------------------------------------------------------------------------------------


def test_facts() -> None:
    start = datetime(2025, 3, 1, 8, 30, tzinfo=timezone.utc)
    peer = root().issue(
        "fe1.contoso.com",
        dns_names=("fe1.contoso.com", "pool.contoso.com", "192.0.2.7"),
        eku=BOTH,
        application_policies=(C,),
        template="1.3.6.1.4.1.311.21.8.123456.42",
        not_before=start,
        not_after=start + timedelta(days=365),
    )
    facts = read_certificate(peer.der)
    number = peer.certificate.serial_number
    assert facts.thumbprint == peer.certificate.fingerprint(hashes.SHA1()).hex().upper()
    assert facts.sha256 == peer.certificate.fingerprint(hashes.SHA256()).hex().upper()
    assert (facts.subject, facts.subject_common_name) == ("CN=fe1.contoso.com", "fe1.contoso.com")
    assert facts.issuer == "CN=Contoso Root,O=Contoso"
    assert (facts.issuer_common_name, facts.issuer_organization) == ("Contoso Root", "Contoso")
    assert facts.dns_names == ("fe1.contoso.com", "pool.contoso.com")
    assert (facts.not_before_utc, facts.not_after_utc) == ("2025-03-01T08:30:00Z", "2026-03-01T08:30:00Z")
    assert int(facts.serial_hex, 16) == number
    assert len(facts.serial_hex) % 2 == 0
    assert (facts.key_type, facts.key_bits, facts.self_signed) == ("RSA", 2048, False)
    assert (facts.eku_oids, facts.application_policies) == (BOTH, (C,))
    assert facts.template == "1.3.6.1.4.1.311.21.8.123456.42"
    assert (facts.has_wildcard_name, facts.unreadable) == (False, ())
    assert read_certificate(root().der).self_signed


def test_version_1_template_has_a_name() -> None:
    assert read_certificate(root().issue("fe1", template="WebServer").der).template == "WebServer"


def test_wildcards_in_either_place() -> None:
    assert read_certificate(root().issue("*.contoso.com").der).has_wildcard_name
    assert read_certificate(root().issue("a", dns_names=("a", "*.contoso.com")).der).has_wildcard_name


def test_self_issued_is_not_self_signed() -> None:
    rolled = pki.root_authority("Rolled", key=pki.shared_key("new key"))
    link = pki.root_authority("Rolled", key=pki.shared_key("old key")).subordinate("Rolled", key=rolled.key)
    assert link.certificate.subject == link.certificate.issuer
    assert not read_certificate(link.der).self_signed
    assert read_certificate(rolled.der).self_signed


def test_texts_are_bounded_and_cannot_drive_a_terminal() -> None:
    evil = "fe1\x1b[2J\r\n\u202e" + "x" * 60
    units = [x509.NameAttribute(NameOID.ORGANIZATIONAL_UNIT_NAME, f"{n}" + "y" * 60) for n in range(30)]
    subject = x509.Name([*units, x509.NameAttribute(NameOID.COMMON_NAME, evil[:60])])
    peer = root().issue("unused", subject=subject, eku=(S,))
    facts, verdict = read_certificate(peer.der), judge(peer)
    for text in (facts.subject, facts.subject_common_name or "", verdict.reason):
        assert text.isprintable()
        assert len(text) < 2000
    assert facts.subject_common_name is not None
    assert facts.subject_common_name.startswith("fe1\\u001b[2J\\u000d\\u000a\\u202e")


@pytest.mark.parametrize(("old", "new"), [(b"fe1-xyz", b"fe1-\xff\xfe\xfd"), (b"\x0c\x13fe1", b"\x09\x13fe1")])
def test_broken_names_do_not_stop_the_judgement(old: bytes, new: bytes) -> None:
    peer = root().issue("fe1-xyz.contoso.com", eku=(S,), dns_names=("other.contoso.com",))
    broken = pki.patched(peer, old, new, signer=pki.shared_key("Contoso Root"))
    assert judge_usage(broken, peer.chain).rule == "eku_lacks_usage"
    assert read_certificate(broken).dns_names == ("other.contoso.com",)


def test_broken_alternative_names_do_not_hide_usages() -> None:
    peer = root().issue("fe1", eku=(S,), extensions=(pki.Extension("2.5.29.17", b"\x30\x03\x82\x01\xff"),))
    facts = read_certificate(peer.der)
    assert (facts.dns_names, facts.eku_oids, facts.unreadable) == ((), (S,), ("2.5.29.17",))


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"rubbish",
        b"\x30",
        b"\x30\x80\x00\x00",
        b"\x30\x84\xff\xff\xff\xff",
        b"\x30\x00",
        b"\x30\x82\x27\x10" * 20_000,
        b"\x00" * 1_000_000,
        b"\x30\x83\x0f\x42\x40" + b"\x30" * 1_000_000,
    ],
    ids=lambda data: f"{data[:6].hex()}-{len(data)}",
)
def test_what_is_no_certificate_is_said_clearly(data: bytes) -> None:
    for attempt in (read_certificate, lambda der: judge_usage(der, [])):
        with pytest.raises(CertificateError, match=r"^The data is .*\.$"):
            attempt(data)


def test_certificate_with_data_behind_it_or_cut_off() -> None:
    der = root().der
    for wrong in (der + b"\0", der[:-1], der[:100]):
        with pytest.raises(CertificateError):
            read_certificate(wrong)


def test_negative_serial_number_is_read_or_refused_without_a_warning(recwarn: pytest.WarningsRecorder) -> None:
    peer = root().issue("fe1", eku=(S,))
    serial = peer.certificate.serial_number
    number = serial.to_bytes(serial.bit_length() // 8 + 1, "big")  # as DER writes it
    negative = pki.patched(peer, number, b"\x80" + number[1:], signer=pki.shared_key("Contoso Root"))
    refusal = complaint(read_certificate, negative)
    assert "serial" in refusal or read_certificate(negative).serial_hex.startswith("80")
    assert not recwarn.list


# --- the property of a store ---------------------------------------------------------------------------------------


def test_usage_property() -> None:
    assert parse_usage_property(bytes.fromhex("300a06082b06010505070302")) == (C,)
    assert parse_usage_property(pki.usage_list((S, ANY_MS))) == (S, ANY_MS)
    assert parse_usage_property(b"\x30\x00") == ()


@pytest.mark.parametrize("data", [b"", b"\x30", b"\x04\x00", b"\x30\x02\x06\x00", b"\x30\x00\x00", b"\0" * 1_000_000])
def test_other_properties_are_refused(data: bytes) -> None:
    with pytest.raises(CertificateError, match=r"usage property"):
        parse_usage_property(data)


OIDS = st.builds(
    lambda start, rest: ".".join(map(str, (*start, *rest))),
    st.one_of(st.tuples(st.integers(0, 1), st.integers(0, 39)), st.tuples(st.just(2), st.integers(0, 1000))),
    st.lists(st.integers(0, 2**40), max_size=8),
)


@given(oids=st.lists(OIDS, max_size=8))
def test_usage_property_round_trip(oids: list[str]) -> None:
    assert parse_usage_property(pki.usage_list(oids)) == tuple(oids)


# --- hostile bytes -------------------------------------------------------------------------------------------------


@cache
def specimens() -> tuple[bytes, ...]:
    issuing = root().subordinate("Issuing", eku=(S,), application_policies=BOTH)
    peer = issuing.issue("fe1", dns_names=("fe1", "fe2"), eku=BOTH, application_policies=BOTH, template="WebServer")
    return (peer.der, issuing.der, root().der, pki.usage_list(BOTH))


@st.composite
def mutated(draw: st.DrawFn) -> bytes:
    data = bytearray(draw(st.sampled_from(specimens())))
    for _ in range(draw(st.integers(1, 4))):
        at = draw(st.integers(0, len(data) - 1))
        what = draw(st.sampled_from(["set", "cut", "insert", "repeat"]))
        if what == "set":
            data[at] = draw(st.integers(0, 255))
        elif what == "insert":
            data[at:at] = draw(st.binary(max_size=6))
        elif what == "repeat":
            data[at:at] = data[at : at + draw(st.integers(1, 40))]
        elif len(data) > 8:
            del data[at : min(at + draw(st.integers(1, 4)), len(data) - 4)]
    return bytes(data)


@settings(deadline=2000, max_examples=600)
@given(data=st.one_of(mutated(), st.binary(max_size=400)))
def test_hostile_bytes_raise_nothing_but_certificate_error(data: bytes) -> None:
    # As a CA certificate they must not stop the judgement of a good certificate, whatever they are.
    judge_usage(specimens()[0], [data, *specimens()[1:3]])
    for attempt in (read_certificate, parse_usage_property, lambda der: judge_usage(der, list(specimens()))):
        assert complaint(attempt, data).isprintable()


# --- time ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("days", "level"),
    [
        (-0.001, ExpiryLevel.EXPIRED),
        (0, ExpiryLevel.CRITICAL),
        (29.99, ExpiryLevel.CRITICAL),
        (30, ExpiryLevel.WARNING),
        (59.99, ExpiryLevel.WARNING),
        (60, ExpiryLevel.OK),
    ],
)
def test_expiry(days: float, level: ExpiryLevel) -> None:
    peer = root().issue("fe1", not_before=NOW - timedelta(days=400), not_after=NOW)
    seen = expiry(read_certificate(peer.der).not_after_utc, now=NOW - timedelta(days=days))
    assert seen == Expiry(level, int(days // 1))


def test_expiry_takes_other_limits_and_other_zones() -> None:
    zone = timezone(timedelta(hours=9))
    end = "2027-01-01T00:00:00Z"
    assert expiry(end, now=datetime(2027, 1, 1, 8, tzinfo=zone)).level is ExpiryLevel.CRITICAL
    assert expiry(end, now=datetime(2027, 1, 1, 10, tzinfo=zone)).level is ExpiryLevel.EXPIRED
    assert expiry(end, now=NOW, warn_days=30, critical_days=10).level is ExpiryLevel.OK


CUTOFFS = (
    IssuerCutoff(name="DigiCert", issuer_patterns=("GeoTrust", "DigiCert"), stops_on=date(2027, 3, 1)),
    IssuerCutoff(name="Sectigo", issuer_patterns=("Sectigo",), stops_on=date(2026, 5, 15)),
)


@pytest.mark.parametrize(
    ("organization", "ends", "found", "overdue"),
    [
        ("The geotrust people", "2027-06-01T00:00:00Z", "DigiCert", False),
        ("DIGICERT, Inc.", "2027-06-01T00:00:00Z", "DigiCert", False),
        ("DigiCert Inc", "2027-02-28T23:59:59Z", None, False),
        ("DigiCert Inc", "2027-03-01T00:00:00Z", "DigiCert", False),
        ("Sectigo Limited", "2026-12-01T00:00:00Z", "Sectigo", True),
        ("Contoso", "2030-01-01T00:00:00Z", None, False),
        (None, "2030-01-01T00:00:00Z", None, False),
    ],
)
def test_renewal_outlook(organization: str | None, ends: str, found: str | None, overdue: bool) -> None:
    facts = replace(read_certificate(root().der), issuer_organization=organization, not_after_utc=ends)
    by_common_name = replace(facts, issuer_organization=None, issuer_common_name=organization)
    assert renewal_outlook(by_common_name, dates=CUTOFFS, now=NOW) == renewal_outlook(facts, dates=CUTOFFS, now=NOW)
    outlook = renewal_outlook(facts, dates=CUTOFFS, now=NOW)
    assert (outlook.cutoff.name if outlook else None) == found
    if outlook:
        assert outlook.overdue is overdue
        assert ends[:10] in outlook.reason
        assert outlook.cutoff.stops_on.isoformat() in outlook.reason
