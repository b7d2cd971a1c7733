# Copyright (c) 2026, the sfb.kb4023993 contributors
# GNU General Public License v3.0-or-later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Certificate requests as the servers make them."""

from __future__ import annotations

from cryptography import x509
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding

from lab import pki


def make_request(
    *names: str, key: pki.PrivateKey | None = None, subject: x509.Name | None = None, with_names: bool = True
) -> str:
    """PEM in the form of Windows. The first name is the CN too; the request asks for server authentication alone, as
    Request-CsCertificate does."""
    builder = x509.CertificateSigningRequestBuilder().subject_name(
        pki.distinguished_name(names[0]) if subject is None else subject
    )
    if with_names:
        alternative = x509.SubjectAlternativeName([x509.DNSName(name) for name in names])
        builder = builder.add_extension(alternative, critical=False)
    usage = x509.ExtendedKeyUsage([x509.ObjectIdentifier(pki.SERVER_AUTH)])
    builder = builder.add_extension(usage, critical=False)
    signed = builder.sign(key or request_key(), SHA256())
    pem = signed.public_bytes(Encoding.PEM).decode("ascii")
    return pem.replace("BEGIN ", "BEGIN NEW ").replace("END ", "END NEW ")


def request_key() -> pki.PrivateKey:
    """The key of requests that name none."""
    return pki.shared_key("server that requests")
