# Copyright (c) 2026, the sfb.kb4023993 contributors
# GNU General Public License v3.0-or-later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Chains as a Windows server builds them, and whether a certificate is good for a usage.

Written from reference/dotnet-eku.md, section 2.3, on purpose without the product's own rules: the lab must not agree with the product
because they share code.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.x509.oid import ExtensionOID

CLIENT_AUTH = "1.3.6.1.5.5.7.3.2"
_APPLICATION_POLICIES = x509.ObjectIdentifier("1.3.6.1.4.1.311.21.10")
_ANY_APPLICATION_POLICY = "1.3.6.1.4.1.311.10.12.1"
_MAX_DEPTH = 10

Usages = frozenset[str]
StoredCertificate = tuple[bytes, "bytes | None"]


@dataclass(frozen=True, kw_only=True)
class Presented:
    """What a TLS peer sends: its certificate and the issuers beside it (DER)."""

    certificate: bytes
    issuers: tuple[bytes, ...]


@dataclass(frozen=True, kw_only=True)
class Anchors:
    """CA certificates of one machine with their usage properties."""

    roots: tuple[StoredCertificate, ...]
    intermediates: tuple[StoredCertificate, ...]


@dataclass(frozen=True, kw_only=True)
class Link:
    """One certificate of a chain. ``usages``: what it allows; None for everything."""

    certificate: bytes
    usages: Usages | None


@dataclass(frozen=True, kw_only=True)
class Chain:
    """Leaf first. ``ending``: why the chain is not trusted (``PartialChain``, ``UntrustedRoot``), None when it is."""

    links: tuple[Link, ...]
    ending: str | None

    def good_for(self, usage: str) -> bool:
        """A usage has to be allowed by the certificate and by every CA above it that limits usages.

        A certificate without such a limit allows everything. Extended Key Usage "any" (2.5.29.37.0) counts as a usage
        like others: .NET on Linux refused it for clientAuth, and what Windows does is not known.
        """
        return all(link.usages is None or usage in link.usages for link in self.links)

    def valid_at(self, moment: datetime) -> bool:
        return all(_covers(link.certificate, moment) for link in self.links)


def thumbprint(certificate: bytes) -> str:
    """The SHA-1 thumbprint in upper-case hexadecimal, as Windows shows it."""
    return hashlib.sha1(certificate, usedforsecurity=False).hexdigest().upper()


@lru_cache(maxsize=20_000)
def parse(certificate: bytes) -> x509.Certificate:
    return x509.load_der_x509_certificate(certificate)


def is_self_issued(certificate: bytes) -> bool:
    parsed = parse(certificate)
    return parsed.subject == parsed.issuer


def build(certificate: bytes, sent: tuple[bytes, ...], anchors: Anchors) -> Chain:
    """The chain of a certificate from what the peer sent and what the machine has, without revocation."""
    return _build(certificate, sent, anchors)


@lru_cache(maxsize=20_000)
def _build(certificate: bytes, sent: tuple[bytes, ...], anchors: Anchors) -> Chain:
    own = {**dict(anchors.intermediates), **dict(anchors.roots)}
    roots = {root for root, _ in anchors.roots}
    candidates = [*roots, *(ca for ca, _ in anchors.intermediates), *sent]
    chain = [certificate]
    while not is_self_issued(chain[-1]) and len(chain) < _MAX_DEPTH:
        issuer = next((candidate for candidate in candidates if _issued(candidate, chain[-1])), None)
        if issuer is None:
            break
        chain.append(issuer)
    ending = None
    if not is_self_issued(chain[-1]):
        ending = "PartialChain"
    elif chain[-1] not in roots:
        ending = "UntrustedRoot"
    links = tuple(Link(certificate=each, usages=_allowed(each, own.get(each))) for each in chain)
    return Chain(links=links, ending=ending)


def accepted_as_client(peer: Presented, anchors: Anchors, *, enforced: bool, moment: datetime) -> bool:
    """Whether a .NET process that is the TLS server takes this peer: trusted chain, and clientAuth where enforced."""
    chain = build(peer.certificate, peer.issuers, anchors)
    if chain.ending is not None or not chain.valid_at(moment):
        return False
    return not enforced or chain.good_for(CLIENT_AUTH)


def chain_statuses(chain: Chain, usage: str, moment: datetime) -> tuple[str, ...]:
    """The X509ChainStatusFlags that X509Chain would show, by name."""
    statuses = []
    if not chain.valid_at(moment):
        statuses.append("NotTimeValid")
    if not chain.good_for(usage):
        statuses.append("NotValidForUsage")
    if chain.ending is not None:
        statuses.append(chain.ending)
    return tuple(statuses)


def _allowed(certificate: bytes, usage_property: bytes | None) -> Usages | None:
    """What one certificate allows on a machine: its extension, and the property of the machine's own copy."""
    in_certificate = _extension_usages(certificate)
    on_machine = None if usage_property is None else frozenset(_oids(usage_property))
    if in_certificate is None or on_machine is None:
        return in_certificate if on_machine is None else on_machine
    return in_certificate & on_machine


@lru_cache(maxsize=20_000)
def _extension_usages(certificate: bytes) -> Usages | None:
    """Application Policies where the certificate has them, else Extended Key Usage, else None."""
    extensions = parse(certificate).extensions
    try:
        policies = extensions.get_extension_for_oid(_APPLICATION_POLICIES).value
    except x509.ExtensionNotFound:
        try:
            usages = extensions.get_extension_for_oid(ExtensionOID.EXTENDED_KEY_USAGE).value
        except x509.ExtensionNotFound:
            return None
        assert isinstance(usages, x509.ExtendedKeyUsage)
        return frozenset(oid.dotted_string for oid in usages)
    assert isinstance(policies, x509.UnrecognizedExtension)
    named = frozenset(_oids(policies.value))
    return None if _ANY_APPLICATION_POLICY in named else named


def _oids(data: bytes) -> list[str]:
    """Every OBJECT IDENTIFIER in nested SEQUENCEs: enough for lists of usages and of policies."""
    found: list[str] = []
    position = 0
    while position + 2 <= len(data):
        tag, length, start = data[position], data[position + 1], position + 2
        if length & 0x80:
            size = length & 0x7F
            length, start = int.from_bytes(data[start : start + size], "big"), start + size
        content = data[start : start + length]
        if tag == 0x30:
            found += _oids(content)
        elif tag == 0x06 and content:
            found.append(_dotted(content))
        position = start + length
    return found


def _dotted(content: bytes) -> str:
    arcs, value = [], 0
    for byte in content:
        value = value << 7 | byte & 0x7F
        if not byte & 0x80:
            arcs.append(value)
            value = 0
    first = min(arcs[0] // 40, 2)
    return ".".join(map(str, (first, arcs[0] - 40 * first, *arcs[1:])))


@lru_cache(maxsize=50_000)
def _issued(issuer: bytes, certificate: bytes) -> bool:
    above, below = parse(issuer), parse(certificate)
    if above.subject != below.issuer:
        return False
    try:
        below.verify_directly_issued_by(above)
    except (ValueError, TypeError, InvalidSignature):
        return False
    return True


def _covers(certificate: bytes, moment: datetime) -> bool:
    parsed = parse(certificate)
    return parsed.not_valid_before_utc <= moment <= parsed.not_valid_after_utc
