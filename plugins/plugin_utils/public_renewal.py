# Copyright (c) 2026, the sfb.kb4023993 contributors
# GNU General Public License v3.0-or-later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A certificate as its public CA will renew it: the same, without clientAuth. Pure: the same certificate gives the same renewal."""

from __future__ import annotations

import datetime
import functools
import typing as t
from contextlib import suppress

from .certificates import CertificateError, IssuerCutoff, read_certificate, renewal_outlook
from .knowledge import loader as knowledge

with suppress(ImportError):
    from cryptography import x509
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from cryptography.hazmat.primitives.serialization import Encoding
    from cryptography.x509.oid import ExtendedKeyUsageOID

# A key that is none: the renewal is judged by its usages, which decide before anybody looks at its chain.
_NO_KEY: t.Final = bytes(32)
_FIRST_DAY: t.Final = datetime.datetime(2000, 1, 1, tzinfo=datetime.timezone.utc)


def without_client_authentication(der: bytes) -> tuple[bytes, str] | None:
    """A renewal of a public CA's certificate with serverAuth alone, and since when that CA issues no other, in words.

    None: it is no certificate of a public CA that is known to stop, or cannot be read.
    """
    try:
        facts = read_certificate(der)
    except CertificateError:
        return None
    # With the first of all days as the CA's last one every certificate ends after it: only the issuer decides.
    found = renewal_outlook(facts, dates=_issuers(), now=_FIRST_DAY)
    return (_renewal(der), _words()[found.cutoff.name]) if found else None


def _renewal(der: bytes) -> bytes:
    """Its names and its end; of the extensions only the one that judging is about."""
    old = x509.load_der_x509_certificate(der)
    key = Ed25519PrivateKey.from_private_bytes(_NO_KEY)
    made = (
        x509.CertificateBuilder()
        .subject_name(old.subject)
        .issuer_name(old.issuer)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(_FIRST_DAY)
        .not_valid_after(max(old.not_valid_after_utc, _FIRST_DAY + datetime.timedelta(days=1)))
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .sign(key, None)
    )
    return made.public_bytes(Encoding.DER)


@functools.cache
def _issuers() -> tuple[IssuerCutoff, ...]:
    return tuple(IssuerCutoff(ca.name, ca.issuer_patterns, datetime.date.min) for ca in knowledge.ca_dates())


@functools.cache
def _words() -> dict[str, str]:
    return {ca.name: f"{ca.name}: no clientAuth from {ca.removed} on" for ca in knowledge.ca_dates()}
