# Copyright (c) 2026, the sfb.kb4023993 contributors
# GNU General Public License v3.0-or-later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One certificate, read so that one broken part does not hide the others. The judging is in `certificates.py`."""

from __future__ import annotations

import hashlib
import warnings
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime, timezone
from functools import cached_property
from typing import Any, TypeVar

from . import _der

# Ansible's sanity tests import every plugin without its libraries; task.py tells a user who lacks this one.
with suppress(ImportError):
    from cryptography import x509
    from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
    from cryptography.hazmat.primitives.asymmetric import dsa, ec, ed448, ed25519, rsa
    from cryptography.utils import CryptographyDeprecationWarning

    # What the releases of cryptography from 41 on raise for malformed input, KeyError for a name with an unknown text type.
    _LIBRARY_ERRORS = (ValueError, TypeError, KeyError, UnsupportedAlgorithm, x509.InvalidVersion)

_T = TypeVar("_T")

EXTENDED_KEY_USAGE = "2.5.29.37"
APPLICATION_POLICIES = "1.3.6.1.4.1.311.21.10"
SUBJECT_ALTERNATIVE_NAME = "2.5.29.17"
# .NET reads these together with the usages: where one of them is broken, it cannot judge the usages either.
_READ_WITH_USAGES = {
    "2.5.29.32": _der.read_policy_list,
    "2.5.29.33": _der.check_policy_mappings,
    "2.5.29.36": _der.check_policy_constraints,
    "2.5.29.54": _der.check_integer,
}
_SUBJECT_KEY_IDENTIFIER = "2.5.29.14"
_AUTHORITY_KEY_IDENTIFIER = "2.5.29.35"
_TEMPLATE_NAME = "1.3.6.1.4.1.311.20.2"
_TEMPLATE_OID = "1.3.6.1.4.1.311.21.7"

MAX_BYTES = 256 * 1024
_MAX_TEXT = 512
_MAX_LABEL = 120


class CertificateError(ValueError):
    """The bytes are not a certificate (or usage property) that can be read; the message says why."""


class Certificate:
    """One certificate. Making one raises `CertificateError` for bytes that are not one; nothing else raises."""

    def __init__(self, der: bytes) -> None:
        if len(der) > MAX_BYTES:
            raise CertificateError(f"The data is {len(der)} bytes long, which is too long for a certificate.")
        try:
            self.raw = _der.split_certificate(der)
            with warnings.catch_warnings():  # about old habits of CAs; they would end up among the output of Ansible
                warnings.simplefilter("ignore", CryptographyDeprecationWarning)
                self._x509 = x509.load_der_x509_certificate(der)
            self.not_before, self.not_after = _validity(self._x509)
        except _LIBRARY_ERRORS as error:
            raise CertificateError(f"The data is not a readable X.509 certificate: {bounded(str(error))}.") from error
        self.thumbprint = hashlib.sha1(der, usedforsecurity=False).hexdigest().upper()
        self.sha256 = hashlib.sha256(der).hexdigest().upper()
        self.unreadable: set[str] = set()
        self.eku = self._read(EXTENDED_KEY_USAGE, _der.read_oid_list)
        self.application_policies = self._read(APPLICATION_POLICIES, _der.read_policy_list)
        for oid, reader in _READ_WITH_USAGES.items():
            self._read(oid, reader)
        self.broken_for_usages = tuple(sorted(self.unreadable))

    def has(self, oid: str) -> bool:
        """Whether there is such an extension, readable or not."""
        return bool(self.raw.values(oid))

    def _read(self, oid: str, reader: Callable[[bytes], _T]) -> _T | None:
        """The value of an extension; None where there is none, or where it is now noted in `unreadable`."""
        values = self.raw.values(oid)
        if not values:
            return None
        try:
            if len(values) > 1:
                raise _der.DerError("the extension is there more than once")
            return reader(values[0])
        except (_der.DerError, UnicodeDecodeError):
            self.unreadable.add(oid)
            return None

    @cached_property
    def subject(self) -> str:
        return _name_text(self._x509, "subject")

    @cached_property
    def issuer(self) -> str:
        return _name_text(self._x509, "issuer")

    @property
    def label(self) -> str:
        """For sentences: the subject, shortened, and the thumbprint."""
        return f'the certificate "{bounded(self.subject, _MAX_LABEL)}" ({self.thumbprint})'

    def subject_attribute(self, oid: x509.ObjectIdentifier) -> str | None:
        return _attribute(self._x509, "subject", oid)

    def issuer_attribute(self, oid: x509.ObjectIdentifier) -> str | None:
        return _attribute(self._x509, "issuer", oid)

    @cached_property
    def dns_names(self) -> tuple[str, ...]:
        return self._read(SUBJECT_ALTERNATIVE_NAME, _dns_names) or ()

    @cached_property
    def template(self) -> str | None:
        """The identifier of a template of version 2 or later, else the name of a version 1 template."""
        return self._read(_TEMPLATE_OID, _template_oid) or self._read(_TEMPLATE_NAME, _template_name)

    @cached_property
    def key(self) -> tuple[str, int | None]:
        """Type of the public key and its size in bits."""
        try:
            key = self._x509.public_key()
        except _LIBRARY_ERRORS:
            return "unknown", None
        if isinstance(key, rsa.RSAPublicKey):
            return "RSA", key.key_size
        if isinstance(key, ec.EllipticCurvePublicKey):
            return "EC", key.curve.key_size
        if isinstance(key, dsa.DSAPublicKey):
            return "DSA", key.key_size
        if isinstance(key, ed25519.Ed25519PublicKey):
            return "Ed25519", 256
        return ("Ed448", 456) if isinstance(key, ed448.Ed448PublicKey) else ("unknown", None)

    @cached_property
    def self_signed(self) -> bool:
        return self.issued_by(self)

    def issued_by(self, issuer: Certificate) -> bool:
        """Whether `issuer` signed this certificate.

        Names are compared as bytes, as Windows does; the signature settles which of several keys of one name it was.
        Where the signature cannot be checked (an algorithm unknown here), the key identifiers decide, if there are any.
        """
        if self.raw.issuer != issuer.raw.subject:
            return False
        try:
            self._x509.verify_directly_issued_by(issuer._x509)
        except InvalidSignature:
            return False
        except _LIBRARY_ERRORS:
            wanted = self._read(_AUTHORITY_KEY_IDENTIFIER, _authority_key)
            present = issuer._read(_SUBJECT_KEY_IDENTIFIER, _subject_key)
            return wanted is None or present is None or wanted == present
        return True


def bounded(text: str, limit: int = _MAX_TEXT) -> str:
    """Text from a certificate made fit for terminals and reports: no control or formatting characters, not endless."""
    text = text if len(text) <= limit else text[: limit - 1] + "…"
    return "".join(c if c.isprintable() else f"\\u{ord(c):04x}" for c in text)


def _validity(certificate: x509.Certificate) -> tuple[datetime, datetime]:
    if hasattr(certificate, "not_valid_after_utc"):  # cryptography 42 and later
        return certificate.not_valid_before_utc, certificate.not_valid_after_utc
    return (
        certificate.not_valid_before.replace(tzinfo=timezone.utc),
        certificate.not_valid_after.replace(tzinfo=timezone.utc),
    )


def _name(certificate: x509.Certificate, which: str) -> x509.Name | None:
    try:
        name: Any = getattr(certificate, which)
    except _LIBRARY_ERRORS:  # a text in it that is not in its declared encoding
        return None
    return name if isinstance(name, x509.Name) else None


def _name_text(certificate: x509.Certificate, which: str) -> str:
    name = _name(certificate, which)
    return "(unreadable name)" if name is None else bounded(name.rfc4514_string()) or "(no name)"


def _attribute(certificate: x509.Certificate, which: str, oid: x509.ObjectIdentifier) -> str | None:
    name = _name(certificate, which)
    values = [attribute.value for attribute in name.get_attributes_for_oid(oid)] if name is not None else []
    return bounded(values[0]) if values and isinstance(values[0], str) else None


def _dns_names(value: bytes) -> tuple[str, ...]:
    names = [element.content for element in _der.read_sequence(value) if element.tag == _der.IMPLICIT_2]
    return tuple(bounded(name.decode("ascii")) for name in names)


def _template_oid(value: bytes) -> str:
    elements = _der.read_sequence(value)
    if not elements:
        raise _der.DerError("the template extension is empty")
    return _der.read_oid(elements[0])


def _template_name(value: bytes) -> str:
    elements = _der.read_elements(value)
    if len(elements) != 1 or elements[0].tag not in (_der.BMP_STRING, _der.UTF8_STRING):
        raise _der.DerError("the template extension is not a text")
    return bounded(elements[0].content.decode("utf-16-be" if elements[0].tag == _der.BMP_STRING else "utf-8"))


def _authority_key(value: bytes) -> bytes | None:
    keys = [element.content for element in _der.read_sequence(value) if element.tag == _der.IMPLICIT_0]
    return keys[0] if keys else None


def _subject_key(value: bytes) -> bytes:
    return _der.read_single(value, _der.OCTET_STRING).content
