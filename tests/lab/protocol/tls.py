# Copyright (c) 2026, the sfb.kb4023993 contributors
# GNU General Public License v3.0-or-later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The certificate of the HTTPS listener, made at start."""

from __future__ import annotations

import datetime
import ipaddress
import ssl
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID


@dataclass(frozen=True, kw_only=True)
class ServerCertificate:
    """A self-signed certificate for one address; clients trust it by its file ``certificate_path`` (PEM)."""

    certificate_path: Path
    context: ssl.SSLContext
    channel_binding: bytes
    """The tls-server-end-point channel binding of RFC 5929 for this certificate."""


def make_certificate(
    directory: Path, *, address: str, name: str = "localhost", ended: datetime.timedelta | None = None
) -> ServerCertificate:
    """Make key and certificate in ``directory`` (``listener.pem``, ``listener.key``) and load them.

    :param address: an IP address that the certificate is for; empty: for ``name`` alone.
    :param ended: how long ago its time ended; by default it has 30 days left.
    """
    addresses = [x509.IPAddress(ipaddress.ip_address(address))] if address else []
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "lab WinRM listener")])
    end = -ended if ended is not None else datetime.timedelta(days=30)
    now = datetime.datetime.now(datetime.timezone.utc)
    key_identifier = x509.SubjectKeyIdentifier.from_public_key(key.public_key())
    usage = x509.KeyUsage(
        digital_signature=True,
        key_cert_sign=True,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        crl_sign=False,
        encipher_only=False,
        decipher_only=False,
    )
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now + min(end, datetime.timedelta()) - datetime.timedelta(hours=1))
        .not_valid_after(now + end)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(usage, critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(
            x509.SubjectAlternativeName([x509.DNSName(name), *addresses]),
            critical=False,
        )
        .add_extension(key_identifier, critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(key_identifier), critical=False)
        .sign(key, hashes.SHA256())
    )
    certificate_path = directory / "listener.pem"
    certificate_path.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    key_path = directory / "listener.key"
    key_path.touch(mode=0o600)
    key_path.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate_path, key_path)
    return ServerCertificate(
        certificate_path=certificate_path,
        context=context,
        channel_binding=b"tls-server-end-point:" + certificate.fingerprint(hashes.SHA256()),
    )
