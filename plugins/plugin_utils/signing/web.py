# Copyright (c) 2026, the sfb.kb4023993 contributors
# GNU General Public License v3.0-or-later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Method `web`: the pages of AD CS web enrolment (/certsrv), over HTTPS only.

The form is what open clients of these pages send: Mode, CertRequest, CertAttrib, TargetStoreFlags, SaveCert. The status of the
answer is 200 for issued, pending and denied alike; `pages` tells them apart.
"""

from __future__ import annotations

import re
import typing as t
import urllib.parse

from ..words import one_line
from . import pages
from .bundle import BundleError, read_bundle
from .csr import Csr
from .exchange import Account, Answer, LostAnswerError, Server, exchange, tls_context
from .responses import Issued, Response, SigningError, Taken, Unclear

_TEMPLATE: t.Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}\Z")
_HOST: t.Final = re.compile(r"[A-Za-z0-9]([A-Za-z0-9.-]{0,253})\Z")


def check_template(template: str) -> str:
    """A template's name, unchanged.

    :raises SigningError: it could carry more attributes into the request.
    """
    if not _TEMPLATE.match(template):
        raise SigningError(
            f"The template name {one_line(template, 80)!r} cannot be right. Give the template's name, not its display name: "
            "letters, digits, dots, dashes and underscores, at most 64."
        )
    return template


class WebMethod:
    """One CA behind its pages. ``url``: https://HOST/certsrv."""

    name = "web"
    repeatable = False
    waiting = "A CA manager has to approve it, if that is what the template says. When it is issued, run again."

    def __init__(self, *, url: str, account: Account, ca_file: str | None, timeout_seconds: int = 60) -> None:
        parts = _split(url)
        self._folder = parts.path.rstrip("/") or "/certsrv"
        self._server = Server(
            host=str(parts.hostname), port=parts.port or 443, ca_file=ca_file, timeout_seconds=timeout_seconds
        )
        self._account = account
        self._context = tls_context(ca_file)
        self.ca = f"https://{parts.netloc}{self._folder}"

    def ca_certificates(self) -> tuple[bytes, ...]:
        """The CA's own certificate and those above it.

        :raises SigningError: they cannot be had.
        """
        renewal = pages.read_renewals(self._get("/certcarc.asp").text)
        return self._bundle(f"/certnew.p7b?ReqID=CACert&Renewal={renewal}&Enc=bin")

    def submit(self, csr: Csr, template: str) -> Response:
        """Hand the request in, once.

        :raises SigningError: it was not handed in.
        """
        form = urllib.parse.urlencode(
            {
                "Mode": "newreq",
                "CertRequest": csr.pem,
                "CertAttrib": f"CertificateTemplate:{check_template(template)}\r\n",
                "TargetStoreFlags": "0",
                "SaveCert": "yes",
                "ThumbPrint": "",
            }
        )
        try:
            answer = self._exchange("/certfnsh.asp", form)
        except LostAnswerError as error:
            return Unclear(reason=str(error))
        if answer.status != 200:
            return Unclear(reason=f"{self.ca} answered with HTTP {answer.status}")
        found = pages.read_answer(answer.text)
        return Taken(request_id=found) if isinstance(found, int) else found

    def retrieve(self, csr: Csr, request_id: int | None) -> Response:
        """Ask for the certificate of a request that the CA holds.

        :raises SigningError: the CA could not be asked.
        """
        del csr
        if request_id is None:
            raise SigningError(f"{self.ca} can only be asked by request id, and none is known.")
        try:
            answer = self._get(f"/certnew.cer?ReqID={request_id:d}&Enc=bin")
        except LostAnswerError as error:
            return Unclear(reason=str(error), request_id=request_id)
        if answer.content_type == "text/html":
            found = pages.read_answer(answer.text, request_id=request_id)
            if not isinstance(found, int):
                return found
            return Unclear(
                reason="The CA says that it issued the certificate, but does not give it", request_id=request_id
            )
        try:
            certificates = read_bundle(answer.body)
        except BundleError as error:
            return Unclear(reason=f"What the CA gave as certificate cannot be used: {error}", request_id=request_id)
        return Issued(
            request_id=request_id,
            certificate=certificates[0],
            chain=self._bundle(f"/certnew.p7b?ReqID={request_id:d}&Enc=bin"),
        )

    def _bundle(self, path: str) -> tuple[bytes, ...]:
        answer = self._get(path)
        try:
            return read_bundle(answer.body)
        except BundleError as error:
            raise SigningError(f"The CA certificates from {self.ca} cannot be used: {error}") from None

    def _get(self, path: str) -> Answer:
        try:
            answer = self._exchange(path, None)
        except LostAnswerError as error:
            # Reading changes nothing, so a lost answer is only a failure.
            raise SigningError(f"{error}. Run again.") from None
        if answer.status != 200:
            raise SigningError(f"{self.ca}{path.partition('?')[0]} answers with HTTP {answer.status}.")
        return answer

    def _exchange(self, path: str, form: str | None) -> Answer:
        return exchange(self._server, self._account, self._folder + path, form=form, context=self._context)


def _split(url: str) -> urllib.parse.SplitResult:
    try:
        parts = urllib.parse.urlsplit(url.strip())
        port = parts.port
    except ValueError:
        raise SigningError(
            f"{one_line(url)!r} is not an address. It has to look like https://ca.example/certsrv."
        ) from None
    if parts.scheme == "http":
        raise SigningError(
            "The pages of the CA have to be asked over https: over http anybody between could take over the account or change "
            "the request. Turn HTTPS on for the pages (and extended protection), or use another method."
        )
    plain = parts.username is None and parts.password is None and not parts.query and not parts.fragment
    if parts.scheme != "https" or not plain or not _HOST.match(parts.hostname or "") or port == 0:
        raise SigningError(
            f"The address of the pages has to look like https://ca.example/certsrv, without user and query; it begins "
            f"with {one_line(parts.scheme, 20)!r}."
        )
    return parts
