# Copyright (c) 2026, the sfb.kb4023993 contributors
# GNU General Public License v3.0-or-later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Reading certificate requests (PKCS #10) in all the forms in which Windows and people hand them over."""

from __future__ import annotations

import base64
import binascii
import codecs
import dataclasses
import hashlib
import re
from contextlib import suppress

from .._certificate import bounded
from .names import Names, NamesError, make_names, read_alternative_names

LIBRARY_ERRORS: tuple[type[Exception], ...] = (ValueError, TypeError, KeyError)
"""What reading a malformed request or certificate may raise."""

# Ansible's sanity tests import every plugin without its libraries; task.py tells a user who lacks this one.
with suppress(ImportError):
    from cryptography import x509
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.asymmetric import rsa
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
    from cryptography.x509.oid import NameOID

    # What the releases of cryptography from 42 on raise for malformed input, beside the built-in ones.
    _OF_LIBRARY: tuple[type[Exception], ...] = (
        UnsupportedAlgorithm,
        x509.InvalidVersion,
        x509.DuplicateExtension,
        x509.UnsupportedGeneralNameType,
    )
    LIBRARY_ERRORS = (*LIBRARY_ERRORS, *_OF_LIBRARY)

MAX_BYTES = 256 * 1024
# A Lync server is named by DNS. Names of people (a UPN is an "other name") and the SID of an account would make its certificate that of
# somebody else in the directory, and requests come from servers that may be in other hands.
_NAMES_OF_PEOPLE = ("other name:", "email:", "uri:", "directory name:", "registered id:")
_ACCOUNT_SID = "1.3.6.1.4.1.311.25.2"
_PEM = re.compile(
    rb"-----BEGIN (NEW )?CERTIFICATE REQUEST-----([A-Za-z0-9+/=\s]*)-----END (NEW )?CERTIFICATE REQUEST-----"
)


class CsrError(ValueError):
    """This is no usable certificate request; the text says why."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Csr:
    """A certificate request that was read. ``public_key_sha256``: of the DER SubjectPublicKeyInfo, upper-case hex."""

    der: bytes
    subject: str
    names: Names
    key_bits: int
    public_key_sha256: str

    @property
    def sha256(self) -> str:
        return hashlib.sha256(self.der).hexdigest().upper()

    @property
    def pem(self) -> str:
        """In the form that Windows writes, which every CA reads."""
        body = base64.b64encode(self.der).decode("ascii")
        lines = [body[start : start + 64] for start in range(0, len(body), 64)]
        marks = "-----{} NEW CERTIFICATE REQUEST-----"
        return "\n".join([marks.format("BEGIN"), *lines, marks.format("END"), ""])


def read_csr(data: bytes | str) -> Csr:
    """Read a request: PEM (with or without NEW), bare base64, DER; text in UTF-8 or UTF-16, with or without a mark.

    :raises CsrError: not a request, its signature does not prove its key, or it asks for a wildcard name.
    """
    raw = data.encode("utf-8", "surrogatepass") if isinstance(data, str) else data
    if len(raw) > MAX_BYTES:
        raise CsrError(f"The data is {len(raw)} bytes long, which is too long for a certificate request.")
    der = _der_of(raw)
    try:
        request = x509.load_der_x509_csr(der)
        key = request.public_key()
        spki = key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
        proves_key = request.is_signature_valid
        subject = bounded(request.subject.rfc4514_string())
        common_names = [a.value for a in request.subject.get_attributes_for_oid(NameOID.COMMON_NAME)]
        alternative = [e.value for e in request.extensions if isinstance(e.value, x509.SubjectAlternativeName)]
        names = read_alternative_names(alternative[0].public_bytes()) if alternative else ()
        extensions = {extension.oid.dotted_string for extension in request.extensions}
    except NamesError as error:
        raise CsrError(f"The certificate request cannot be used: {error}.") from None
    except LIBRARY_ERRORS as error:
        raise CsrError(f"The data is not a readable certificate request: {bounded(str(error), 200)}.") from None
    if not proves_key:
        raise CsrError("The signature of the certificate request does not fit its key, so it was changed or damaged.")
    if not isinstance(key, rsa.RSAPublicKey):
        raise CsrError(
            "The key of the certificate request is not an RSA key, as Lync Server wants it. Make a new request."
        )
    found = make_names(bounded(str(common_names[0])) if common_names else None, names)
    if not found.all:
        raise CsrError("The certificate request names no server: it has neither a CN nor alternative names.")
    if found.wildcards:
        raise CsrError(
            f"The certificate request asks for the wildcard name {found.wildcards[0]}. These uses of Lync Server do not "
            "take wildcard names: make a request that lists the names one by one."
        )
    foreign = sorted(name for name in found.all if name.startswith(_NAMES_OF_PEOPLE))
    if foreign or _ACCOUNT_SID in extensions:
        what = f"the name {foreign[0]}" if foreign else "the SID of an account"
        raise CsrError(
            f"The certificate request asks for {what}, which is none of a server. It is not handed in: find out who made it on that "
            "server, then have a new request made."
        )
    return Csr(
        der=der,
        subject=subject,
        names=found,
        key_bits=key.key_size,
        public_key_sha256=hashlib.sha256(spki).hexdigest().upper(),
    )


def _der_of(raw: bytes) -> bytes:
    # A SEQUENCE with a long length; base64 text is ASCII, so its second byte is never that large.
    if raw[:1] == b"\x30" and raw[1:2] >= b"\x80":
        return raw
    text = _ascii(raw)
    match = _PEM.search(text)
    if match is None and b"-----BEGIN" in text:
        label = text.partition(b"-----BEGIN ")[2].partition(b"-----")[0].decode("ascii", "replace")
        raise CsrError(f"The text holds {bounded(label, 60)!r} where a certificate request was expected.")
    body = b"".join((match.group(2) if match else text).split())
    try:
        return base64.b64decode(body, validate=True)
    except (binascii.Error, ValueError):
        raise CsrError("The data is neither PEM nor base64 nor DER, so it is no certificate request.") from None


def _ascii(raw: bytes) -> bytes:
    """The text in one byte a character; what is not ASCII becomes a question mark, which base64 refuses."""
    if raw.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return raw.decode("utf-16", "replace").encode("ascii", "replace")
    if b"\x00" in raw[:2]:
        return raw.decode("utf-16-be" if raw[:1] == b"\x00" else "utf-16-le", "replace").encode("ascii", "replace")
    return raw.removeprefix(codecs.BOM_UTF8)
