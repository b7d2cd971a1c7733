# Copyright (c) 2026, the sfb.kb4023993 contributors
# GNU General Public License v3.0-or-later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Certificates out of the files and answers in which CAs hand them over: DER, PEM, PKCS #7 in either form."""

from __future__ import annotations

import base64
import binascii
import re
import typing as t
import warnings
from contextlib import suppress

from .._certificate import Certificate, CertificateError, bounded
from .csr import LIBRARY_ERRORS

with suppress(ImportError):
    from cryptography.hazmat.primitives.serialization import Encoding, pkcs7

MAX_BYTES: t.Final = 1024 * 1024
_MAX_CERTIFICATES: t.Final = 200
_PEM: t.Final = re.compile(rb"-----BEGIN (CERTIFICATE|PKCS7|X509 CERTIFICATE)-----([A-Za-z0-9+/=\s]*)-----END ")


class BundleError(ValueError):
    """There is no certificate in the data; the text says why."""


def read_bundle(data: bytes) -> tuple[bytes, ...]:
    """All certificates in the data as DER, each once, in their order.

    :raises BundleError: none, too many, or the data holds a private key.
    """
    if len(data) > MAX_BYTES:
        raise BundleError(f"it has {len(data)} bytes, which is too much")
    if b"PRIVATE KEY-----" in data:
        raise BundleError("it holds a private key, which nobody but its server should have. Remove it from there")
    found: list[bytes] = []
    blocks = list(_PEM.finditer(data))
    if not blocks:
        body = data if data[:1] == b"\x30" and data[1:2] >= b"\x80" else _bare_base64(data)
        found += _certificates(body)
    for block in blocks:
        try:
            found += _certificates(base64.b64decode(b"".join(block.group(2).split()), validate=True))
        except (binascii.Error, ValueError) as error:
            raise BundleError(f"its PEM text is damaged: {bounded(str(error), 100)}") from None
    if len(found) > _MAX_CERTIFICATES:
        raise BundleError(f"it holds {len(found)} certificates, which is too many")
    return tuple(dict.fromkeys(found))


def to_pem(der: bytes) -> str:
    body = base64.b64encode(der).decode("ascii")
    lines = [body[start : start + 64] for start in range(0, len(body), 64)]
    return "\n".join(["-----BEGIN CERTIFICATE-----", *lines, "-----END CERTIFICATE-----", ""])


def _certificates(der: bytes) -> list[bytes]:
    """One certificate, or those of a PKCS #7 structure."""
    try:
        Certificate(der)
    except CertificateError as error:
        reason = str(error)
    else:
        return [der]
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            inside = pkcs7.load_der_pkcs7_certificates(der)
        return [certificate.public_bytes(Encoding.DER) for certificate in inside]
    except LIBRARY_ERRORS:
        raise BundleError(
            f"it is neither a certificate nor a PKCS #7 file with certificates ({bounded(reason, 200)})"
        ) from None


def _bare_base64(data: bytes) -> bytes:
    try:
        return base64.b64decode(b"".join(data.split()), validate=True)
    except (binascii.Error, ValueError):
        raise BundleError("it is neither PEM nor base64 nor DER") from None
