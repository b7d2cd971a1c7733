# Copyright (c) 2026, the sfb.kb4023993 contributors
# GNU General Public License v3.0-or-later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a certificate says, whether it is good for a usage, and how long: the face of `_certificate` and `_usage`.

Pure functions over DER bytes: no I/O, and no clock but a parameter.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import date, datetime, timezone
from enum import Enum

from . import _der
from ._certificate import MAX_BYTES, Certificate, CertificateError, bounded
from ._usage import ANY_USAGES, CLIENT_AUTH, SERVER_AUTH, EkuVerdict, Usage, judge_usage

with suppress(ImportError):
    from cryptography.x509.oid import NameOID

__all__ = [
    "ANY_USAGES",
    "CLIENT_AUTH",
    "SERVER_AUTH",
    "CertificateError",
    "CertificateFacts",
    "EkuVerdict",
    "Expiry",
    "ExpiryLevel",
    "IssuerCutoff",
    "RenewalOutlook",
    "Usage",
    "expiry",
    "judge_usage",
    "parse_usage_property",
    "read_certificate",
    "renewal_outlook",
]


@dataclass(frozen=True)
class CertificateFacts:
    """What a certificate says. Texts are bounded and hold no control characters; times are ISO 8601 in UTC ("…Z").

    `thumbprint` is SHA-1 in upper-case hexadecimal, as Windows shows it. `template` is the identifier of a version 2
    or later template, else the name of a version 1 template. `serial_hex` shows the bytes as they stand. `unreadable`
    lists the extensions, of those read here, that are malformed or there twice.
    """

    thumbprint: str
    sha256: str
    subject: str
    issuer: str
    subject_common_name: str | None
    issuer_common_name: str | None
    issuer_organization: str | None
    dns_names: tuple[str, ...]
    not_before_utc: str
    not_after_utc: str
    serial_hex: str
    self_signed: bool
    key_type: str
    key_bits: int | None
    eku_oids: tuple[str, ...] | None
    application_policies: tuple[str, ...] | None
    template: str | None
    has_wildcard_name: bool
    unreadable: tuple[str, ...]


def read_certificate(der: bytes) -> CertificateFacts:
    """Read one certificate. Raises `CertificateError`, and nothing else, for bytes that are not one."""
    certificate = Certificate(der)
    common_name = certificate.subject_attribute(NameOID.COMMON_NAME)
    names = certificate.dns_names
    key_type, key_bits = certificate.key
    return CertificateFacts(
        thumbprint=certificate.thumbprint,
        sha256=certificate.sha256,
        subject=certificate.subject,
        issuer=certificate.issuer,
        subject_common_name=common_name,
        issuer_common_name=certificate.issuer_attribute(NameOID.COMMON_NAME),
        issuer_organization=certificate.issuer_attribute(NameOID.ORGANIZATION_NAME),
        dns_names=names,
        not_before_utc=_iso(certificate.not_before),
        not_after_utc=_iso(certificate.not_after),
        serial_hex=certificate.raw.serial_number.hex().upper(),
        self_signed=certificate.self_signed,
        key_type=key_type,
        key_bits=key_bits,
        eku_oids=certificate.eku,
        application_policies=certificate.application_policies,
        template=certificate.template,
        has_wildcard_name=any(name.startswith("*") for name in (*names, common_name or "")),
        unreadable=tuple(sorted(certificate.unreadable)),
    )


def parse_usage_property(data: bytes) -> tuple[str, ...]:
    """The usages in CERT_ENHKEY_USAGE_PROP_ID, the usage property of a certificate in a Windows store (DER CTL_USAGE).

    An empty result means "good for no usage" ("Disable all purposes"). Raises `CertificateError`.
    """
    if len(data) > MAX_BYTES:
        raise CertificateError(f"The usage property is {len(data)} bytes long, which is too long for a list of usages.")
    try:
        return _der.read_oid_list(data)
    except _der.DerError as error:
        raise CertificateError(f"The usage property is not a list of usages: {error}.") from error


class ExpiryLevel(str, Enum):
    """How near the end of validity is."""

    OK = "ok"
    WARNING = "warning"
    CRITICAL = "critical"
    EXPIRED = "expired"

    def __str__(self) -> str:
        return self.value


@dataclass(frozen=True)
class Expiry:
    """The end of validity seen from a moment; `days_left` is rounded down and negative after the end."""

    level: ExpiryLevel
    days_left: int


def expiry(not_after_utc: str, *, now: datetime, warn_days: int = 60, critical_days: int = 30) -> Expiry:
    """Judge `CertificateFacts.not_after_utc`; fewer full days than the limits make it a warning or critical."""
    left = _from_iso(not_after_utc) - now
    if left.total_seconds() < 0:
        level = ExpiryLevel.EXPIRED
    elif left.days < critical_days:
        level = ExpiryLevel.CRITICAL
    else:
        level = ExpiryLevel.WARNING if left.days < warn_days else ExpiryLevel.OK
    return Expiry(level, left.days)


@dataclass(frozen=True)
class IssuerCutoff:
    """A public CA's announcement: from `stops_on` it issues no certificate with client authentication any more.

    `issuer_patterns`: parts of the issuer's organisation (O) or common name (CN), compared without regard to case.
    """

    name: str
    issuer_patterns: tuple[str, ...]
    stops_on: date


@dataclass(frozen=True)
class RenewalOutlook:
    """A certificate whose renewal will come without client authentication, and why; `overdue`: that day has passed."""

    cutoff: IssuerCutoff
    overdue: bool
    reason: str


def renewal_outlook(facts: CertificateFacts, *, dates: Sequence[IssuerCutoff], now: datetime) -> RenewalOutlook | None:
    """Whether the issuer stops issuing client authentication before this certificate has to be renewed.

    None: no announcement known for the issuer, or the certificate ends before that day, so that it can be renewed with
    client authentication once more.
    """
    names = [name.casefold() for name in (facts.issuer_organization, facts.issuer_common_name) if name]
    matching = [
        entry for entry in dates if any(part.casefold() in name for part in entry.issuer_patterns for name in names)
    ]
    if not matching:
        return None
    cutoff = min(matching, key=lambda entry: entry.stops_on)
    if _from_iso(facts.not_after_utc).date() < cutoff.stops_on:
        return None
    overdue = now.astimezone(timezone.utc).date() >= cutoff.stops_on
    verb = "stopped" if overdue else "stops"
    reason = (
        f"{cutoff.name} {verb} issuing certificates with client authentication on {cutoff.stops_on.isoformat()}, and "
        f'the certificate "{bounded(facts.subject, 120)}" ends on {facts.not_after_utc[:10]}: renew it from a private CA.'
    )
    return RenewalOutlook(cutoff, overdue, reason)


def _iso(moment: datetime) -> str:
    return moment.replace(tzinfo=None, microsecond=0).isoformat() + "Z"


def _from_iso(text: str) -> datetime:
    return datetime.fromisoformat(text.removesuffix("Z")).replace(tzinfo=timezone.utc)
