# Copyright (c) 2026, the sfb.kb4023993 contributors
# GNU General Public License v3.0-or-later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A small certificate maker for the lab and the tests: authorities, and what they issue.

It makes what a Windows CA makes and, on request, what nobody should: `Extension` puts any bytes into a certificate, and
`patched` changes a finished certificate and signs it anew.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from functools import cache, cached_property
from ipaddress import ip_address

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

SERVER_AUTH = "1.3.6.1.5.5.7.3.1"
CLIENT_AUTH = "1.3.6.1.5.5.7.3.2"
ANY_USAGE = "2.5.29.37.0"
ANY_APPLICATION_POLICY = "1.3.6.1.4.1.311.10.12.1"

EXTENDED_KEY_USAGE = "2.5.29.37"
APPLICATION_POLICIES = "1.3.6.1.4.1.311.21.10"
TEMPLATE_NAME = "1.3.6.1.4.1.311.20.2"
TEMPLATE_OID = "1.3.6.1.4.1.311.21.7"

PrivateKey = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey


@dataclass(frozen=True)
class Extension:
    """An extension with any content, well-formed or not."""

    oid: str
    value: bytes
    critical: bool = False


@cache
def shared_key(purpose: str, bits: int = 2048) -> rsa.RSAPrivateKey:
    """One RSA key a purpose and process, because making keys is slow and tests need many certificates, not keys."""
    del purpose
    return rsa.generate_private_key(public_exponent=65537, key_size=bits)


def der_element(tag: int, *contents: bytes) -> bytes:
    """One DER element around the joined contents."""
    content = b"".join(contents)
    if len(content) < 0x80:
        return bytes([tag, len(content)]) + content
    length = len(content).to_bytes((len(content).bit_length() + 7) // 8, "big")
    return bytes([tag, 0x80 | len(length)]) + length + content


def der_oid(dotted: str) -> bytes:
    """An OBJECT IDENTIFIER."""
    first, second, *rest = (int(arc) for arc in dotted.split("."))
    content = bytearray()
    for arc in (40 * first + second, *rest):
        digits = [arc & 0x7F]
        while arc := arc >> 7:
            digits.append(0x80 | arc & 0x7F)
        content += bytes(reversed(digits))
    return der_element(0x06, bytes(content))


def usage_list(oids: Iterable[str]) -> bytes:
    """The value of Extended Key Usage, and of a store's usage property (CTL_USAGE)."""
    return der_element(0x30, *(der_oid(oid) for oid in oids))


def policy_list(oids: Iterable[str]) -> bytes:
    """The value of Microsoft's Application Policies."""
    return der_element(0x30, *(der_element(0x30, der_oid(oid)) for oid in oids))


def template_extension(template: str) -> Extension:
    """The mark of the certificate template: an identifier for version 2 and later, a name for version 1."""
    if template.replace(".", "").isdigit():
        version = der_element(0x02, b"\x64") + der_element(0x02, b"\x05")
        return Extension(TEMPLATE_OID, der_element(0x30, der_oid(template), version))
    return Extension(TEMPLATE_NAME, der_element(0x1E, template.encode("utf-16-be")))


def usage_extensions(
    eku: Sequence[str] | None = None, application_policies: Sequence[str] | bytes | None = None
) -> tuple[Extension, ...]:
    """Extended Key Usage and Application Policies; None leaves one out, bytes are taken as they are."""
    extensions: list[Extension] = []
    if eku is not None:
        extensions.append(Extension(EXTENDED_KEY_USAGE, usage_list(eku)))
    if application_policies is not None:
        raw = application_policies
        value = raw if isinstance(raw, bytes) else policy_list(raw)
        extensions.append(Extension(APPLICATION_POLICIES, value))
    return tuple(extensions)


@dataclass(frozen=True)
class Issued:
    """A certificate with its key and the CA certificates above it, nearest first, the root last."""

    certificate: x509.Certificate
    key: PrivateKey
    issuers: tuple[x509.Certificate, ...] = ()

    @cached_property
    def der(self) -> bytes:
        return self.certificate.public_bytes(Encoding.DER)

    @property
    def chain(self) -> list[bytes]:
        """The CA certificates as DER."""
        return [certificate.public_bytes(Encoding.DER) for certificate in self.issuers]

    @property
    def pem(self) -> bytes:
        return self.certificate.public_bytes(Encoding.PEM)

    @property
    def chain_pem(self) -> bytes:
        """What a TLS endpoint presents: the certificate and its intermediates, without the root."""
        return self.pem + b"".join(certificate.public_bytes(Encoding.PEM) for certificate in self.issuers[:-1])

    @property
    def key_pem(self) -> bytes:
        return self.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


@dataclass(frozen=True)
class Authority(Issued):
    """A certification authority that can issue."""

    def subordinate(
        self,
        name: str,
        *,
        eku: Sequence[str] | None = None,
        application_policies: Sequence[str] | bytes | None = None,
        extensions: Sequence[Extension] = (),
        key: PrivateKey | None = None,
    ) -> Authority:
        """A subordinate CA. A known name with its key again, under another authority, makes a cross-certificate."""
        key = key or shared_key(name)
        extras = (*usage_extensions(eku, application_policies), *extensions)
        certificate = _sign(distinguished_name(name), key, self, extensions=extras, ca=True)
        return Authority(certificate, key, (self.certificate, *self.issuers))

    def issue(
        self,
        common_name: str,
        *,
        dns_names: Sequence[str] = (),
        subject: x509.Name | None = None,
        eku: Sequence[str] | None = (SERVER_AUTH,),
        application_policies: Sequence[str] | bytes | None = None,
        template: str | None = None,
        extensions: Sequence[Extension] = (),
        not_before: datetime | None = None,
        not_after: datetime | None = None,
        key: PrivateKey | None = None,
    ) -> Issued:
        """A server certificate; by default what the Web Server template gives: serverAuth and nothing else.

        `dns_names` may hold IP addresses too. All certificates share one key unless one is given.
        """
        key = key or shared_key("server")
        extras = [*usage_extensions(eku, application_policies), *extensions]
        if template is not None:
            extras.append(template_extension(template))
        certificate = _sign(
            subject or distinguished_name(common_name),
            key,
            self,
            dns_names=dns_names,
            extensions=extras,
            not_before=not_before,
            not_after=not_after,
        )
        return Issued(certificate, key, (self.certificate, *self.issuers))


def root_authority(
    name: str,
    *,
    organization: str | None = None,
    eku: Sequence[str] | None = None,
    application_policies: Sequence[str] | bytes | None = None,
    key: PrivateKey | None = None,
) -> Authority:
    """A self-signed root CA."""
    key = key or shared_key(name)
    extras = usage_extensions(eku, application_policies)
    return Authority(
        _sign(distinguished_name(name, organization=organization), key, None, extensions=extras, ca=True), key
    )


def self_signed(common_name: str, *, eku: Sequence[str] | None = (SERVER_AUTH,)) -> Issued:
    """A server certificate without any CA."""
    key = shared_key("server")
    return Issued(_sign(distinguished_name(common_name), key, None, extensions=usage_extensions(eku)), key)


def patched(issued: Issued, old: bytes, new: bytes, *, signer: rsa.RSAPrivateKey) -> bytes:
    """The certificate with bytes of its signed part replaced by as many others, signed anew: for what no CA issues."""
    body = issued.certificate.tbs_certificate_bytes
    if len(old) != len(new) or body.count(old) != 1:
        raise ValueError("the bytes to replace have to occur once, and their replacement has to have their length")
    changed = body.replace(old, new)
    signature = signer.sign(changed, padding.PKCS1v15(), SHA256())
    return issued.der.replace(body, changed).replace(issued.certificate.signature, signature)


def distinguished_name(common_name: str, *, organization: str | None = None) -> x509.Name:
    """CN, and O if one is given."""
    attributes = [x509.NameAttribute(NameOID.COMMON_NAME, common_name)]
    if organization is not None:
        attributes.insert(0, x509.NameAttribute(NameOID.ORGANIZATION_NAME, organization))
    return x509.Name(attributes)


def _sign(
    subject: x509.Name,
    key: PrivateKey,
    issuer: Authority | None,
    *,
    dns_names: Sequence[str] = (),
    extensions: Sequence[Extension] = (),
    ca: bool = False,
    not_before: datetime | None = None,
    not_after: datetime | None = None,
) -> x509.Certificate:
    start = not_before or datetime.now(timezone.utc) - timedelta(days=1)
    issuer_key = issuer.key if issuer else key
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer.certificate.subject if issuer else subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(start)
        .not_valid_after(not_after or start + timedelta(days=730))
        .add_extension(x509.BasicConstraints(ca=ca, path_length=None), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer_key.public_key()), critical=False)
    )
    if dns_names:
        builder = builder.add_extension(x509.SubjectAlternativeName([_general_name(name) for name in dns_names]), False)
    for extra in extensions:
        value = x509.UnrecognizedExtension(x509.ObjectIdentifier(extra.oid), extra.value)
        builder = builder.add_extension(value, extra.critical)
    return builder.sign(issuer_key, SHA256())


def _general_name(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ip_address(name))
    except ValueError:
        return x509.DNSName(name)
