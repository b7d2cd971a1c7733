# Copyright (c) 2026, the sfb.kb4023993 contributors
# GNU General Public License v3.0-or-later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Method `certreq`: a domain-joined Windows host asks the CA for us, by the COM object CertificateAuthority.Request.

Its answers are numbers, not localised text. What the host does is behind `CaHost`:

* `submit`: ``Submit(0x100 | 0, csr, attributes, config)`` (CR_IN_PKCS10 | CR_IN_BASE64HEADER), then ``GetRequestId``,
  ``GetLastStatus``, and where it issued, ``GetCertificate(2 | 0x100)`` (CR_OUT_BINARY | CR_OUT_CHAIN) or the base64 form;
* `retrieve`: ``RetrievePending(request_id, config)``, then the same;
* `ca_chain`: ``GetCACertificate(false, config, ...)`` with the chain.

The hop from that host to the CA needs Kerberos delegation or CredSSP; the host reports a failed hop as an error of the operation,
before anything is submitted.
"""

from __future__ import annotations

import dataclasses
import re
import typing as t

from ..words import one_line
from .answer import pick
from .bundle import BundleError, read_bundle
from .csr import Csr
from .responses import Denied, Issued, Pending, Response, SigningError, Unclear, refusal
from .web import check_template

# CR_DISP_* of certcli.h; MS-WCCE 3.2.1.4.2.1 has the same numbers on the wire.
_INCOMPLETE, _ERROR, _DENIED, _ISSUED, _ISSUED_OUT_OF_BAND, _UNDER_SUBMISSION = range(6)
# HOST\CA name; a CA name may hold spaces and most signs.
_CONFIG: t.Final = re.compile(r'[A-Za-z0-9][A-Za-z0-9.-]{0,254}\\[^\\/"<>|*?\x00-\x1f]{1,200}\Z')


@dataclasses.dataclass(frozen=True, kw_only=True)
class CaReply:
    """What the COM object said. ``hresult``: of the request (GetLastStatus); ``certificates``: DER or PKCS #7, None if not issued."""

    disposition: int
    request_id: int
    hresult: int
    certificates: bytes | None = None


class CaHost(t.Protocol):
    """A Windows host that can ask CAs. Each raises `SigningError` where nothing was asked, `LostReplyError` where that is unknown."""

    def submit(self, config: str, attributes: str, csr: str) -> CaReply:
        """Hand a request in."""

    def retrieve(self, config: str, request_id: int) -> CaReply:
        """Ask for what became of a request."""

    def ca_chain(self, config: str) -> bytes:
        """Give the certificates of the CA itself, PKCS #7."""


class LostReplyError(Exception):
    """The host was told to ask the CA, and its reply did not come back; the text says what happened."""


class CertreqMethod:
    """One CA, asked through a Windows host. ``config``: HOST\\CA name, as certutil shows it."""

    name = "certreq"
    repeatable = False
    waiting = "A CA manager has to approve it, if that is what the template says. When it is issued, run again."

    def __init__(self, host: CaHost, *, config: str) -> None:
        if not _CONFIG.match(config):
            raise SigningError(
                f"{one_line(config)!r} does not name a CA. It has to look like ca01.contoso.example\\Contoso Issuing CA "
                "(certutil -config - -ping shows the names)."
            )
        self._host = host
        self.ca = config

    def ca_certificates(self) -> tuple[bytes, ...]:
        try:
            return read_bundle(self._host.ca_chain(self.ca))
        except BundleError as error:
            raise SigningError(f"The CA certificates of {self.ca} cannot be used: {error}.") from None

    def submit(self, csr: Csr, template: str) -> Response:
        attributes = f"CertificateTemplate:{check_template(template)}"
        try:
            reply = self._host.submit(self.ca, attributes, csr.pem)
        except LostReplyError as error:
            return Unclear(reason=str(error))
        return _response(reply, csr, asked_for=None)

    def retrieve(self, csr: Csr, request_id: int | None) -> Response:
        if request_id is None:
            raise SigningError(f"{self.ca} can only be asked by request id, and none is known.")
        try:
            reply = self._host.retrieve(self.ca, request_id)
        except LostReplyError as error:
            raise SigningError(f"{error}. Run again.") from None
        return _response(reply, csr, asked_for=request_id)


def _response(reply: CaReply, csr: Csr, *, asked_for: int | None) -> Response:
    known = reply.request_id or asked_for
    if reply.disposition == _ISSUED:
        return _issued(reply, csr, known)
    if reply.disposition in (_UNDER_SUBMISSION, _ISSUED_OUT_OF_BAND):
        if known is not None:
            return Pending(request_id=known)
        return Unclear(reason="The CA took the request, but gave no request id")
    if reply.disposition == _DENIED:
        return Denied(request_id=known, code=reply.hresult & 0xFFFFFFFF)
    if reply.disposition in (_ERROR, _INCOMPLETE) and reply.hresult:
        return refusal(reply.hresult, known)
    return Unclear(reason=f"The CA's answer has the unknown disposition {reply.disposition}", request_id=known)


def _issued(reply: CaReply, csr: Csr, request_id: int | None) -> Response:
    try:
        certificates = read_bundle(reply.certificates or b"")
    except BundleError as error:
        return Unclear(reason=f"What the CA gave as certificate cannot be used: {error}", request_id=request_id)
    return Issued(request_id=request_id, certificate=pick(certificates, csr), chain=certificates)
