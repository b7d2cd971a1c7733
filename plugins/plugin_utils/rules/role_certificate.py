# Copyright (c) 2026, the sfb.kb4023993 contributors
# GNU General Public License v3.0-or-later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which certificate of a host DataMCUSvc judges: ``Internal`` of an Edge, ``Default`` of a Front End.

``Get-CsCertificate`` says which one is assigned; the server's own ports say which one its services hold. The ports are also the
answer where the cmdlet is missing or denied. They prove what is held, not that DataMCUSvc accepts it.
"""

from __future__ import annotations

import dataclasses
import hashlib
import typing as t

from ..certificates import CertificateError, CertificateFacts, parse_usage_property, read_certificate
from ..evidence import Evidence, Presented
from ..knowledge import loader as knowledge
from .roles import Role

Source = t.Literal["assigned", "presented", "unknown"]


@dataclasses.dataclass(frozen=True, kw_only=True)
class HeldCertificate:
    """A certificate with the issuers that go with it. ``facts`` None: its bytes cannot be read as a certificate."""

    der: bytes
    issuers: tuple[bytes, ...]
    thumbprint: str
    facts: CertificateFacts | None
    error: str | None


@dataclasses.dataclass(frozen=True, kw_only=True)
class RoleCertificate:
    """``current``: what peers see now. ``assigned``: set when it is known and another one than ``current`` (not yet picked up).

    ``note``: why the assignment could not be read, empty when it was.
    """

    source: Source
    current: HeldCertificate | None
    assigned: HeldCertificate | None
    note: str


def thumbprint(der: bytes) -> str:
    """SHA-1 in upper-case hex, as Windows shows it."""
    return hashlib.sha1(der, usedforsecurity=False).hexdigest().upper()


def role_certificate(evidence: Evidence, role: Role) -> RoleCertificate:
    """Find the judged certificate of a Front End or Edge in its own evidence."""
    assigned, note = _assigned(evidence, role)
    presented = _presented_by_itself(evidence, role)
    if presented and assigned and presented.thumbprint != assigned.thumbprint:
        return RoleCertificate(source="presented", current=presented, assigned=assigned, note=note)
    if assigned:
        return RoleCertificate(source="assigned", current=assigned, assigned=None, note=note)
    if presented:
        return RoleCertificate(source="presented", current=presented, assigned=None, note=note)
    return RoleCertificate(source="unknown", current=None, assigned=None, note=note)


def held(der: bytes, issuers: t.Iterable[bytes]) -> HeldCertificate:
    """Wrap a certificate read from anywhere."""
    facts, error = None, None
    try:
        facts = read_certificate(der)
    except CertificateError as problem:
        error = str(problem)
    return HeldCertificate(der=der, issuers=tuple(issuers), thumbprint=thumbprint(der), facts=facts, error=error)


def presented_by(readings: t.Iterable[Presented]) -> HeldCertificate | None:
    """The certificate of the first reading that has one."""
    for reading in readings:
        if reading.reply.certificate:
            return held(reading.reply.certificate, reading.reply.issuers)
    return None


def store_restrictions(evidence: Evidence | None) -> dict[str, tuple[str, ...] | None]:
    """Purposes that a host's stores restrict CA certificates to, by thumbprint. They count where that host validates.

    None: there is a restriction, but it cannot be read.
    """
    found: dict[str, tuple[str, ...] | None] = {}
    for issuer in evidence.certificates.issuers if evidence and evidence.certificates else ():
        if issuer.usage_property is not None:
            try:
                found[thumbprint(issuer.certificate)] = parse_usage_property(issuer.usage_property)
            except CertificateError:
                found[thumbprint(issuer.certificate)] = None
    return found


def _judged_use(role: Role) -> str:
    return next(use.use for use in knowledge.certificate_uses() if use.role == role and use.handling == "judged")


def _assigned(evidence: Evidence, role: Role) -> tuple[HeldCertificate | None, str]:
    reply = evidence.lync_certificates
    if reply is None:
        return None, "Get-CsCertificate was not asked or did not answer"
    if reply.module is None:
        return None, "the product's PowerShell module is not on the server"
    if reply.denied:
        return None, "Get-CsCertificate was denied to this account (it needs RTCUniversalServerAdmins)"
    if reply.failure:
        return None, f"Get-CsCertificate failed: {reply.failure[:200]}"
    wanted = _judged_use(role)
    for entry in reply.objects:
        if wanted in entry.get("Use", ()):
            mark = "".join(entry.get("Thumbprint", ())).replace(" ", "").upper()
            found = _from_store(evidence, mark)
            return found, "" if found else f"the assigned certificate {mark[:40]} is not in the computer's store"
    return None, f"Get-CsCertificate names no certificate for {wanted}"


def _from_store(evidence: Evidence, mark: str) -> HeldCertificate | None:
    if evidence.certificates is None:
        return None
    issuers = {thumbprint(issuer.certificate): issuer.certificate for issuer in evidence.certificates.issuers}
    for entry in evidence.certificates.certificates:
        if thumbprint(entry.certificate) == mark:
            return held(entry.certificate, (issuers[m] for m in entry.chain if m in issuers))
    return None


def _presented_by_itself(evidence: Evidence, role: Role) -> HeldCertificate | None:
    ports = [
        port.number
        for port in knowledge.ports()
        if port.purpose == "probe" and role in port.listener_roles and port.certificate_use == _judged_use(role)
    ]
    own = [reading for reading in evidence.presented if not reading.host and reading.port in ports]
    return presented_by(sorted(own, key=lambda reading: ports.index(reading.port)))
