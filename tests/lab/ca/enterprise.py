# Copyright (c) 2026, the sfb.kb4023993 contributors
# GNU General Public License v3.0-or-later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The CA itself: takes requests, decides by template and account, keeps what it decided.

It knows nothing of the ways to it: the enrolment pages call it, and so can any other. Dispositions and result codes are those of
CertificateAuthority.Request (certcli.h, winerror.h).
"""

from __future__ import annotations

import datetime
import threading
from collections.abc import Iterable
from dataclasses import dataclass, replace

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, pkcs7

from lab import pki
from lab.ca.template import Template

INCOMPLETE, ERROR, DENIED, ISSUED, ISSUED_OUT_OF_BAND, UNDER_SUBMISSION = range(6)

NO_TEMPLATE = 0x80094801
UNSUPPORTED_TEMPLATE = 0x80094800
NO_ENROLL_RIGHT = 0x80094012
KEY_TOO_SHORT = 0x80094811
DENIED_BY_MANAGER = 0x80094014
BAD_REQUEST = 0x8009310B
BAD_SIGNATURE = 0x80090006
NO_SUCH_REQUEST = 0x80094004


@dataclass(frozen=True, kw_only=True)
class Request:
    """One row of the CA's database. ``certificate`` is DER."""

    id: int
    account: str
    csr: bytes
    attributes: str
    disposition: int
    code: int = 0
    certificate: bytes | None = None


class EnterpriseCa:
    """A CA with templates. Its database lives as long as it does. All methods may be called from any thread.

    Application policies and EKU of ``authority`` itself limit what it can issue, as with any CA; nothing here looks at them.
    """

    def __init__(
        self, authority: pki.Authority, templates: Iterable[Template], *, name: str = "Lab Issuing CA"
    ) -> None:
        self.authority = authority
        self.name = name
        self._templates = {template.name.lower(): template for template in templates}
        self._requests: dict[int, Request] = {}
        self._lock = threading.RLock()

    @property
    def requests(self) -> list[Request]:
        """Everything that was ever handed in, oldest first."""
        with self._lock:
            return list(self._requests.values())

    @property
    def chain(self) -> list[bytes]:
        """The CA's own certificate and those above it, as DER."""
        return [self.authority.der, *self.authority.chain]

    @property
    def chain_pkcs7(self) -> bytes:
        return bundle(self.chain)

    def submit(self, account: str, csr: bytes, attributes: str) -> Request:
        """Take a request (PEM or DER). ``attributes``: lines of ``name:value``; the template is one of them."""
        with self._lock:
            number = len(self._requests) + 17
            row = Request(id=number, account=account, csr=csr, attributes=attributes, disposition=UNDER_SUBMISSION)
            self._requests[number] = row
            return self._store(self._decide(row))

    def retrieve(self, number: int) -> Request:
        """What became of a request; one with ERROR if there is none."""
        with self._lock:
            missing = Request(id=number, account="", csr=b"", attributes="", disposition=ERROR, code=NO_SUCH_REQUEST)
            return self._requests.get(number, missing)

    def approve(self, number: int) -> Request:
        """A CA manager issues a pending request."""
        with self._lock:
            row = self._pending(number)
            template = self._template(row.attributes)
            assert template is not None
            return self._store(self._issued(row, template))

    def deny(self, number: int) -> Request:
        """A CA manager denies a pending request."""
        with self._lock:
            return self._store(replace(self._pending(number), disposition=DENIED, code=DENIED_BY_MANAGER))

    def falsify(self, number: int, certificate: bytes) -> None:
        """From now on give another certificate for a request: what no CA should do."""
        with self._lock:
            self._requests[number] = replace(self._requests[number], disposition=ISSUED, certificate=certificate)

    def _pending(self, number: int) -> Request:
        row = self._requests[number]
        if row.disposition != UNDER_SUBMISSION:
            raise ValueError(f"request {number} is not pending")
        return row

    def _store(self, row: Request) -> Request:
        self._requests[row.id] = row
        return row

    def _template(self, attributes: str) -> Template | None:
        values = [
            line.partition(":")[2].strip()
            for line in attributes.splitlines()
            if line.lower().startswith("certificatetemplate:")
        ]
        return self._templates.get(values[-1].lower()) if values else None

    def _decide(self, row: Request) -> Request:
        def denied(code: int) -> Request:
            return replace(row, disposition=DENIED, code=code)

        try:
            csr = _load(row.csr)
            key = csr.public_key()
        except ValueError:
            return denied(BAD_REQUEST)
        if not csr.is_signature_valid:
            return denied(BAD_SIGNATURE)
        if "certificatetemplate:" not in row.attributes.lower():
            return denied(NO_TEMPLATE)
        template = self._template(row.attributes)
        if template is None:
            return denied(UNSUPPORTED_TEMPLATE)
        if row.account.lower() not in template.enroll:
            return denied(NO_ENROLL_RIGHT)
        if (
            not isinstance(key, (rsa.RSAPublicKey, ec.EllipticCurvePublicKey))
            or key.key_size < template.minimum_key_bits
        ):
            return denied(KEY_TOO_SHORT)
        return row if template.manager_approval else self._issued(row, template)

    def _issued(self, row: Request, template: Template) -> Request:
        """Usages and validity are the template's; what the request asks for does not matter."""
        csr = _load(row.csr)
        start = datetime.datetime.now(datetime.timezone.utc) - datetime.timedelta(minutes=10)
        issuer = self.authority.certificate
        key = csr.public_key()
        assert isinstance(key, (rsa.RSAPublicKey, ec.EllipticCurvePublicKey))
        subject = csr.subject if template.supplies_subject else pki.distinguished_name(row.account.rpartition("\\")[2])
        builder = (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(issuer.subject)
            .public_key(key)
            .serial_number(x509.random_serial_number())
            .not_valid_before(start)
            .not_valid_after(min(start + template.validity, issuer.not_valid_after_utc))
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)
            .add_extension(
                x509.AuthorityKeyIdentifier.from_issuer_public_key(self.authority.key.public_key()), critical=False
            )
            .add_extension(_KEY_USAGE, critical=True)
        )
        names = [e.value for e in csr.extensions if isinstance(e.value, x509.SubjectAlternativeName)]
        if template.supplies_subject and names:
            builder = builder.add_extension(names[0], critical=False)
        extras = (
            *pki.usage_extensions(template.eku, template.application_policies),
            pki.template_extension(template.oid or template.name),
        )
        for extra in extras:
            value = x509.UnrecognizedExtension(x509.ObjectIdentifier(extra.oid), extra.value)
            builder = builder.add_extension(value, extra.critical)
        certificate = builder.sign(self.authority.key, SHA256())
        return replace(row, disposition=ISSUED, certificate=certificate.public_bytes(Encoding.DER))


def bundle(certificates: Iterable[bytes]) -> bytes:
    """A PKCS #7 file (.p7b) with these certificates."""
    return pkcs7.serialize_certificates([x509.load_der_x509_certificate(der) for der in certificates], Encoding.DER)


def _load(csr: bytes) -> x509.CertificateSigningRequest:
    return x509.load_pem_x509_csr(csr) if csr.lstrip().startswith(b"-----") else x509.load_der_x509_csr(csr)


_KEY_USAGE = x509.KeyUsage(
    digital_signature=True,
    key_encipherment=True,
    content_commitment=False,
    data_encipherment=False,
    key_agreement=False,
    key_cert_sign=False,
    crl_sign=False,
    encipher_only=False,
    decipher_only=False,
)
