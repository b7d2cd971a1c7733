# Copyright (c) 2026, the sfb.kb4023993 contributors
# GNU General Public License v3.0-or-later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Certificates of servers (DER): read, judged, and compared with what the library `cryptography` reads in the same bytes."""

from __future__ import annotations

import ssl
import typing as t

from ansible_collections.sfb.kb4023993.plugins.plugin_utils._certificate import Certificate
from ansible_collections.sfb.kb4023993.plugins.plugin_utils.certificates import (
    CertificateError,
    judge_usage,
    parse_usage_property,
    read_certificate,
)
from ansible_collections.sfb.kb4023993.plugins.plugin_utils.controller_check.trust import look_at_certificate
from ansible_collections.sfb.kb4023993.plugins.plugin_utils.renewal.subject import SubjectError, read_subject, unfit
from ansible_collections.sfb.kb4023993.plugins.plugin_utils.signing.names import NamesError, certificate_names
from atheris import FuzzedDataProvider
from builders import certificates as c
from cryptography import x509
from lab import pki

from fuzz.harness import Target, check_words
from fuzz.mutation import some_bytes

_KINDS: t.Final[tuple[c.Kind, ...]] = (*c.GOOD, *c.BAD, "any", "strange_root")
_EXTENSIONS: t.Final = (
    *(pki.EXTENDED_KEY_USAGE, pki.APPLICATION_POLICIES, pki.TEMPLATE_NAME, pki.TEMPLATE_OID),
    *("2.5.29.17", "2.5.29.14", "2.5.29.35", "2.5.29.32", "2.5.29.33", "2.5.29.36", "2.5.29.54", "2.5.29.19"),
)
_OIDS: t.Final = (
    pki.SERVER_AUTH,
    pki.CLIENT_AUTH,
    pki.ANY_USAGE,
    pki.ANY_APPLICATION_POLICY,
    "2.100.3",
    "2.999.340282366920938463463374607431768211455",
)
_CODES: t.Final = (9, 10, 18, 20, 26, 62, 64, 1)


def _seeds() -> t.Iterator[bytes]:
    for kind in _KINDS:
        yield b"\0" + c.certificate(kind).der
    yield b"\0" + c.issuing().der
    yield b"\0" + pki.usage_list([pki.SERVER_AUTH, pki.CLIENT_AUTH])
    yield from (b"\1" + data for data in some_bytes(32))


def _made(data: bytes) -> bytes:
    """A certificate whose extensions are whatever the bytes say, under lengths and a signature that are right."""
    provider = FuzzedDataProvider(data)
    extensions = []
    for _ in range(provider.ConsumeIntInRange(1, 4)):
        oid = provider.PickValueInList(list(_EXTENSIONS))
        extensions.append(pki.Extension(oid, _value(provider), critical=provider.ConsumeBool()))
    name = "server.contoso.example"
    try:
        return c.issuing().issue(name, dns_names=[], eku=None, extensions=extensions, key=c.key("leaf")).der
    except ValueError as error:
        # The library makes none that has an extension twice; what reads such is tried with changed bytes.
        raise CertificateError(str(error)) from None


def _value(provider: FuzzedDataProvider) -> bytes:
    kind = provider.ConsumeIntInRange(0, 4)
    oids = [provider.PickValueInList(list(_OIDS)) for _ in range(provider.ConsumeIntInRange(0, 3))]
    if kind == 0:
        return pki.usage_list(oids)
    if kind == 1:
        return pki.policy_list(oids)
    if kind == 2:
        tags = (0x80, 0x81, 0x82, 0x86, 0x87, 0x88, 0xA0, 0xA4, 0x0C, 0x1E, 0x02)
        parts = [
            pki.der_element(
                provider.PickValueInList(list(tags)), provider.ConsumeBytes(provider.ConsumeIntInRange(0, 20))
            )
            for _ in range(provider.ConsumeIntInRange(0, 4))
        ]
        return pki.der_element(0x30, *parts)
    if kind == 3:
        return pki.der_element(provider.PickValueInList([0x0C, 0x1E, 0x04, 0x02, 0x06]), provider.ConsumeBytes(20))
    return bytes(provider.ConsumeBytes(provider.ConsumeIntInRange(0, 60)))


def _read(data: bytes) -> None:
    der = _made(data[1:]) if data[:1] == b"\1" else data[1:]
    error = ssl.SSLCertVerificationError("x")
    error.verify_code, error.verify_message = _CODES[len(der) % len(_CODES)], "x"
    for words in look_at_certificate(der, error, name="fe01", ca_file="", connection="winrm"):
        check_words(words)
    _property(der)
    found = read_certificate(der)
    for text in (found.subject, found.issuer, found.template or "", *found.dns_names):
        assert text.isprintable(), text
        assert len(text) < 8000
    _compare(der, Certificate(der))
    for verdict in (judge_usage(der, []), judge_usage(c.certificate("both").der, [der, c.issuing().der, c.root().der])):
        assert verdict.reason.isprintable()
    for read in (lambda: certificate_names(Certificate(der), found.subject_common_name), lambda: _subject(der)):
        try:
            read()
        except (NamesError, SubjectError) as refused:
            check_words(str(refused))


def _subject(der: bytes) -> None:
    subject, left_out = read_subject(der)
    assert unfit(subject, ("a.example",)).isprintable()
    assert all(text.isprintable() for text in left_out)


def _property(data: bytes) -> None:
    """The usage property of a store; where both can read it, both read the same."""
    try:
        usages = parse_usage_property(data)
    except CertificateError:
        return
    assert all(part.isdigit() for usage in usages for part in usage.split("."))


def _compare(der: bytes, own: Certificate) -> None:
    """What both readers can read is the same."""
    other = x509.load_der_x509_certificate(der)
    assert int.from_bytes(own.raw.serial_number, "big", signed=True) == other.serial_number
    assert (own.not_before, own.not_after) == (other.not_valid_before_utc, other.not_valid_after_utc)
    try:
        extensions = {extension.oid.dotted_string: extension.value for extension in other.extensions}
    except (ValueError, x509.DuplicateExtension, x509.UnsupportedGeneralNameType, TypeError, KeyError):
        return
    assert {extension.oid for extension in own.raw.extensions} == set(extensions)
    usage = extensions.get(pki.EXTENDED_KEY_USAGE)
    if isinstance(usage, x509.ExtendedKeyUsage):
        assert own.eku is None or own.eku == tuple(oid.dotted_string for oid in usage), own.eku
    names = extensions.get("2.5.29.17")
    if isinstance(names, x509.SubjectAlternativeName) and "2.5.29.17" not in own.unreadable and own.dns_names:
        assert len(own.dns_names) == len(names.get_values_for_type(x509.DNSName))


TARGET: t.Final = Target(
    read=_read,
    seeds=_seeds,
    refusals=(CertificateError,),
    longest=2000,
    stretched=200_000,
    words=(
        b"\x06\x08\x2b\x06\x01\x05\x05\x07\x03\x02",
        b"\x06\x03\x55\x1d\x25",
        b"\x30\x82",
        b"\x06\x81\x80",
        b"\x30\x00",
    ),
)
