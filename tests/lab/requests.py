# Copyright (c) 2026, the sfb.kb4023993 contributors
# GNU General Public License v3.0-or-later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Certificate requests with keys of their own, as servers make them and keep them waiting."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta, timezone

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding

from lab.world.host import Host
from lab.world.keys import HeldKey


def make(
    key: RSAPrivateKey, subject: x509.Name, *, names: Sequence[str], usages: Sequence[str] | None
) -> x509.CertificateSigningRequest:
    """A PKCS #10 request; ``names`` are DNS names, no usages leave the extension out."""
    builder = x509.CertificateSigningRequestBuilder().subject_name(subject)
    if names:
        alternative = x509.SubjectAlternativeName([x509.DNSName(name) for name in names])
        builder = builder.add_extension(alternative, critical=False)
    if usages:
        usage = x509.ExtendedKeyUsage([x509.ObjectIdentifier(oid) for oid in usages])
        builder = builder.add_extension(usage, critical=False)
    return builder.sign(key, SHA256())


def pem(csr: x509.CertificateSigningRequest) -> str:
    """As Windows writes it into a file."""
    text = csr.public_bytes(Encoding.PEM).decode("ascii")
    return text.replace("BEGIN ", "BEGIN NEW ").replace("END ", "END NEW ").replace("\n", "\r\n")


def wait(host: Host, csr: x509.CertificateSigningRequest, key: HeldKey, *, friendly_name: str) -> None:
    """Keep the key of a request on a machine: in its store REQUEST stands a certificate made up for it, with the same public key."""
    now = datetime.now(timezone.utc)
    placeholder = (
        x509.CertificateBuilder()
        .subject_name(csr.subject)
        .issuer_name(csr.subject)
        .public_key(key.private.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now)
        .not_valid_after(now + timedelta(days=365))
        .sign(key.private, SHA256())
    )
    host.stores.add("REQUEST", placeholder.public_bytes(Encoding.DER), key=key, friendly_name=friendly_name)


def friendly_name_taken(host: Host, name: str) -> bool:
    """Whether a certificate or a waiting request of the machine has this friendly name."""
    wanted = name.casefold()
    entries = (*host.stores.entries("My"), *host.stores.entries("REQUEST"))
    return any(entry.friendly_name.casefold() == wanted for entry in entries)
