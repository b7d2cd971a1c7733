# Copyright (c) 2026, the sfb.kb4023993 contributors
# GNU General Public License v3.0-or-later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The recipe of a certificate template for both usages: attributes of a template in, wanted attributes out. Pure.

Numbers are from [MS-CRTD] section 2; what "Duplicate Template" writes is in docs/certificate-template.md.
"""

from __future__ import annotations

import re
import struct
import typing as t
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from .messages import Attributes, Change, Values

SERVER_AUTH: t.Final = "1.3.6.1.5.5.7.3.1"
CLIENT_AUTH: t.Final = "1.3.6.1.5.5.7.3.2"
_ANY_USAGE: t.Final = "2.5.29.37.0"
# Usages that let a certificate log on to a domain: client authentication, PKINIT, smart card logon, any.
_LOG_ON: t.Final = frozenset({CLIENT_AUTH, "1.3.6.1.5.2.3.4", "1.3.6.1.4.1.311.20.2.2", _ANY_USAGE})

TEMPLATE_NAME: t.Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}\Z", re.ASCII)

# flags ([MS-CRTD] 2.4)
_AUTO_ENROLLMENT: t.Final = 0x20
_MACHINE_TYPE: t.Final = 0x40
_IS_CA: t.Final = 0x80
_ADD_TEMPLATE_NAME: t.Final = 0x200
_IS_CROSS_CA: t.Final = 0x800
_IS_DEFAULT: t.Final = 0x10000
_IS_MODIFIED: t.Final = 0x20000
# msPKI-Certificate-Name-Flag (2.28), msPKI-Enrollment-Flag (2.26), msPKI-Private-Key-Flag (2.27)
_ENROLLEE_SUPPLIES_SUBJECT: t.Final = 0x1
_PEND_ALL_REQUESTS: t.Final = 0x2
_EXPORTABLE_KEY: t.Final = 0x10
_FOR_SERVER_2003: t.Final = 0x01010000
_COMPATIBILITY: t.Final = 0x0F0F0000

_SCHEMA_VERSION: t.Final = 2
_FIRST_REVISION: t.Final = 100
_FIRST_MINOR_REVISION: t.Final = 2
_MINIMAL_KEY_BITS: t.Final = 2048
# digitalSignature and keyEncipherment
_KEY_USAGE: t.Final = b"\xa0\x00"
_AT_KEYEXCHANGE: t.Final = 1
_TICKS_A_DAY: t.Final = 864_000_000_000
_LONGEST_DAYS: t.Final = 3650

MINOR_REVISION: t.Final = "msPKI-Template-Minor-Revision"
TEMPLATE_OID: t.Final = "msPKI-Cert-Template-OID"
_COPIED: t.Final = ("pKICriticalExtensions", "pKIDefaultCSPs", "pKIMaxIssuingDepth")
_PERIODS: t.Final = ("pKIExpirationPeriod", "pKIOverlapPeriod")
ATTRIBUTES: t.Final = (
    "cn",
    "displayName",
    "flags",
    "revision",
    MINOR_REVISION,
    "msPKI-Template-Schema-Version",
    "msPKI-Certificate-Name-Flag",
    "msPKI-Enrollment-Flag",
    "msPKI-Private-Key-Flag",
    "msPKI-Minimal-Key-Size",
    "msPKI-RA-Signature",
    TEMPLATE_OID,
    "pKIExtendedKeyUsage",
    "msPKI-Certificate-Application-Policy",
    "pKIKeyUsage",
    "pKIDefaultKeySpec",
    *_COPIED,
    *_PERIODS,
    "nTSecurityDescriptor",
)


class TemplateError(ValueError):
    """What is wanted cannot be, or a template is not fit for it; the text says why and what to do."""


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """What a template should be. What is None stays as it is (in a new template: days as in its source)."""

    name: str
    display_name: str | None
    manager_approval: bool = True
    exportable_key: bool = False
    validity_days: int | None = None
    renewal_overlap_days: int | None = None


def check_wanted(wanted: Wanted, source: str) -> None:
    """Refuse what could not work, before anything is asked.

    :raises TemplateError: the text names the option.
    """
    for option, value in (("name", wanted.name), ("source", source)):
        if not TEMPLATE_NAME.match(value):
            raise TemplateError(
                f"{option}: {value[:100]!r} is no template name. It has up to 64 letters, digits, dots, underscores "
                "and hyphens, and begins with a letter or a digit; a text with blanks is a display name."
            )
    if wanted.name.lower() == source.lower():
        raise TemplateError(f"name: {wanted.name} is the source itself. Choose a new name for the duplicate.")
    text = wanted.display_name
    if text is not None and (not text.strip() or not text.isprintable() or len(text) > 200):
        raise TemplateError("display_name: one line of 1 to 200 printable characters is needed.")
    for option, days in (
        ("validity_days", wanted.validity_days),
        ("renewal_overlap_days", wanted.renewal_overlap_days),
    ):
        if days is not None and not 1 <= days <= _LONGEST_DAYS:
            raise TemplateError(f"{option}: {days} is not between 1 and {_LONGEST_DAYS}.")


# ---- periods and numbers


def encode_period(days: int) -> bytes:
    """A time span as templates hold it: minus 100-nanosecond ticks, 8 bytes, little-endian."""
    return struct.pack("<q", -days * _TICKS_A_DAY)


def decode_period(value: bytes) -> float | None:
    """Days of a time span; None where the bytes are not one."""
    return -struct.unpack("<q", value)[0] / _TICKS_A_DAY if len(value) == 8 else None


def number(attributes: Attributes, name: str) -> int | None:
    """An integer attribute; None where it is missing or no number."""
    values = attributes.get(name.lower(), ())
    try:
        return int(values[0]) if len(values) == 1 else None
    except ValueError:
        return None


def _integer(value: int) -> Values:
    # The directory holds signed 32-bit numbers.
    return (str(value - (1 << 32) if value >= 1 << 31 else value).encode("ascii"),)


def _unsigned(value: int | None) -> int:
    return (value or 0) & 0xFFFFFFFF


# ---- the recipe


def refuse_source(attributes: Attributes, name: str) -> None:
    """Refuse to duplicate what cannot become a template for servers.

    :raises TemplateError: it is a template for CAs.
    """
    if _unsigned(number(attributes, "flags")) & (_IS_CA | _IS_CROSS_CA):
        raise TemplateError(f"source: {name} is a template for certification authorities. Take WebServer.")


def refuse_existing(attributes: Attributes, name: str) -> None:
    """Refuse to turn a template into ours that must not be touched.

    :raises TemplateError: it came with AD CS, or is for CAs, or of schema version 1.
    """
    flags = _unsigned(number(attributes, "flags"))
    if flags & _IS_DEFAULT or (number(attributes, "msPKI-Template-Schema-Version") or 1) < _SCHEMA_VERSION:
        raise TemplateError(
            f"name: {name} is one of the templates that come with AD CS, or of schema version 1. Others rely on it as "
            "it is, so it is not changed. Choose a new name."
        )
    if flags & (_IS_CA | _IS_CROSS_CA):
        raise TemplateError(f"name: {name} is a template for certification authorities. Choose a new name.")


def _managed(wanted: Wanted, base: Attributes) -> dict[str, Values]:
    """The attributes that this collection looks after, from those of the source or of the template itself."""
    flags = _unsigned(number(base, "flags"))
    flags = (flags | _MACHINE_TYPE | _ADD_TEMPLATE_NAME | _IS_MODIFIED) & ~(_IS_DEFAULT | _AUTO_ENROLLMENT)
    private_key = _unsigned(number(base, "msPKI-Private-Key-Flag")) & _COMPATIBILITY
    key_usage = base.get("pkikeyusage", ())
    both = tuple(oid.encode("ascii") for oid in (SERVER_AUTH, CLIENT_AUTH))
    managed = {
        "flags": _integer(flags),
        "msPKI-Certificate-Name-Flag": _integer(_ENROLLEE_SUPPLIES_SUBJECT),
        "msPKI-Enrollment-Flag": _integer(_PEND_ALL_REQUESTS if wanted.manager_approval else 0),
        "msPKI-Private-Key-Flag": _integer(
            (private_key or _FOR_SERVER_2003) | (_EXPORTABLE_KEY if wanted.exportable_key else 0)
        ),
        "msPKI-Minimal-Key-Size": _integer(max(number(base, "msPKI-Minimal-Key-Size") or 0, _MINIMAL_KEY_BITS)),
        "msPKI-RA-Signature": _integer(0),
        # Windows ignores the first where the second is there, and older software knows only the first.
        "pKIExtendedKeyUsage": both,
        "msPKI-Certificate-Application-Policy": both,
        "pKIKeyUsage": key_usage if _signs_and_enciphers(key_usage) else (_KEY_USAGE,),
        "pKIDefaultKeySpec": _integer(_AT_KEYEXCHANGE),
    }
    if wanted.display_name is not None:
        managed["displayName"] = (wanted.display_name.encode("utf-8"),)
    for name, days in zip(_PERIODS, (wanted.validity_days, wanted.renewal_overlap_days), strict=True):
        if days is not None:
            managed[name] = (encode_period(days),)
    return managed


def _signs_and_enciphers(key_usage: Values) -> bool:
    return len(key_usage) == 1 and key_usage[0][:1] != b"" and key_usage[0][0] & _KEY_USAGE[0] == _KEY_USAGE[0]


def new_template(wanted: Wanted, source: Attributes, *, oid: str, descriptor: bytes) -> dict[str, Values]:
    """All attributes of a duplicate, its permissions included: there is no moment with other ones."""
    attributes: dict[str, Values] = {
        "objectClass": (b"top", b"pKICertificateTemplate"),
        "cn": (wanted.name.encode("ascii"),),
        "displayName": (wanted.name.encode("ascii"),),
        "revision": _integer(_FIRST_REVISION),
        MINOR_REVISION: _integer(_FIRST_MINOR_REVISION),
        "msPKI-Template-Schema-Version": _integer(_SCHEMA_VERSION),
        TEMPLATE_OID: (oid.encode("ascii"),),
    }
    for name in (*_COPIED, *_PERIODS):
        values = source.get(name.lower(), ())
        if values:
            attributes[name] = values
    attributes |= _managed(wanted, source)
    _check_periods(attributes)
    return attributes | {"nTSecurityDescriptor": (descriptor,)}


def changes_to(wanted: Wanted, current: Attributes) -> list[Change]:
    """What has to change in an existing template. Every change names the value that it replaces.

    So the directory refuses it as a whole when somebody else was faster. The minor revision goes up with any change,
    as it does with the tools of Windows, which makes each of two concurrent changes see the other.
    """
    managed = _managed(wanted, current)
    _check_periods({name.lower(): values for name, values in {**current, **managed}.items()})
    changes: list[Change] = []
    for name, values in managed.items():
        found = current.get(name.lower(), ())
        if set(found) != set(values):
            changes += replacing(name, found, values)
    return changes


def replacing(name: str, found: Values, values: Values) -> list[Change]:
    """Exactly these values instead of exactly those that were found."""
    gone = tuple(value for value in found if value not in values)
    new = tuple(value for value in values if value not in found)
    deleted = [Change("delete", name, gone)] if gone else []
    return deleted + ([Change("add", name, new)] if new else [])


def next_revision(current: Attributes) -> list[Change]:
    """One minor revision more, given that it is still the one that was read."""
    found = current.get(MINOR_REVISION.lower(), ())
    return replacing(MINOR_REVISION, found, _integer((number(current, MINOR_REVISION) or 0) + 1))


def _check_periods(attributes: Attributes) -> None:
    lower = {name.lower(): values for name, values in attributes.items()}
    validity, overlap = (
        decode_period(lower[name.lower()][0]) if lower.get(name.lower()) else None for name in _PERIODS
    )
    if validity is not None and overlap is not None and overlap >= validity:
        raise TemplateError(
            f"validity_days, renewal_overlap_days: a certificate valid for {validity:g} days cannot be renewed "
            f"{overlap:g} days before it ends. Set both so that the second is the smaller one."
        )


# ---- for people

_SHOWN_FLAGS: t.Final = {
    "flags",
    "msPKI-Certificate-Name-Flag",
    "msPKI-Enrollment-Flag",
    "msPKI-Private-Key-Flag",
}


def readable(name: str, values: Sequence[bytes]) -> list[str]:
    """Values as text: days, hexadecimal flags, text as it is, other bytes in hexadecimal."""
    if name in _PERIODS:
        days = [decode_period(value) for value in values]
        return [f"{day:g} days" if day is not None else "not a period" for day in days]
    if name in _SHOWN_FLAGS:
        return [f"0x{_unsigned(number({name.lower(): (value,)}, name)):x}" for value in values]
    return sorted(_text(value) for value in values)


def _text(value: bytes) -> str:
    try:
        text = value.decode("utf-8")
    except UnicodeDecodeError:
        return value.hex()
    return text if text.isprintable() else value.hex()


# ---- the judgement


@dataclass(frozen=True)
class Shape:
    """What of a template decides whether enrolling by it lets somebody pose as another."""

    names_from_request: bool
    logs_on: bool
    approval: bool
    signatures: int
    old_schema: bool

    @property
    def unguarded(self) -> bool:
        """Whoever may enrol gets a certificate to log on in any name, and no second person is asked."""
        # A template of schema version 1 lets the request itself name usages, so its own do not protect.
        usage = self.logs_on or self.old_schema
        return self.names_from_request and usage and not self.approval and not self.signatures


def shape_of(attributes: Mapping[str, Values]) -> Shape:
    """The shape of any template, also one that others made."""
    # What counts is the first where both are there; the judgement takes the worse of both.
    both = ("mspki-certificate-application-policy", "pkiextendedkeyusage")
    usages = {value.decode("ascii", "replace") for name in both for value in attributes.get(name, ())}
    names = _unsigned(number(attributes, "msPKI-Certificate-Name-Flag"))
    # The subject alone or the alternative names alone are enough to pose as somebody.
    supplies = 0x1 | 0x10000
    return Shape(
        names_from_request=bool(names & supplies),
        logs_on=not usages or bool(usages & _LOG_ON),
        approval=bool(_unsigned(number(attributes, "msPKI-Enrollment-Flag")) & _PEND_ALL_REQUESTS),
        signatures=number(attributes, "msPKI-RA-Signature") or 0,
        old_schema=(number(attributes, "msPKI-Template-Schema-Version") or 1) < _SCHEMA_VERSION,
    )
