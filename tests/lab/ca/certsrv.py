# Copyright (c) 2026, the sfb.kb4023993 contributors
# GNU General Public License v3.0-or-later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The enrolment pages behind TLS and Windows authentication with enforced channel binding (extended protection)."""

from __future__ import annotations

import base64
import binascii
import http.server
import threading
import urllib.parse
from collections.abc import Callable
from pathlib import Path
from types import TracebackType

from lab.ca import pages
from lab.ca.enterprise import ISSUED, EnterpriseCa, Request, bundle
from lab.protocol.ntlm import LogonError, NtlmAcceptor
from lab.protocol.tls import make_certificate


class Certsrv:
    """Web enrolment of one CA on 127.0.0.1, for one account (``DOMAIN\\user``).

    ``after_submit`` is called when the CA has decided and before the client is told; what it raises ends the connection without
    an answer. ``posts`` counts the forms that arrived from the account.
    """

    def __init__(
        self,
        ca: EnterpriseCa,
        directory: Path,
        *,
        user: str,
        password: str,
        language: pages.Language = "en",
        after_submit: Callable[[Request], None] | None = None,
    ) -> None:
        directory.mkdir(parents=True, exist_ok=True)
        tls = make_certificate(directory, address="127.0.0.1")
        self.ca = ca
        self.user, self.password, self.language = user, password, language
        self.after_submit = after_submit
        self.chain: list[bytes] | None = None
        """CA certificates to show in place of the CA's own, None for those."""
        self.channel_binding = tls.channel_binding
        self.ca_file = tls.certificate_path
        self.posts = 0
        self.refusals: list[str] = []
        """Why accounts were refused, as the acceptor says it."""
        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), _handler_for(self))
        self._server.daemon_threads = True
        self._server.socket = tls.context.wrap_socket(
            self._server.socket, server_side=True, do_handshake_on_connect=False
        )
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)

    @property
    def url(self) -> str:
        return f"https://127.0.0.1:{self._server.server_address[1]}/certsrv"

    def __enter__(self) -> Certsrv:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


def _handler_for(certsrv: Certsrv) -> type[http.server.BaseHTTPRequestHandler]:
    class Handler(_Handler):
        site = certsrv

    return Handler


class _Handler(http.server.BaseHTTPRequestHandler):
    """One connection; NTLM authenticates the connection."""

    protocol_version = "HTTP/1.1"
    timeout = 20
    site: Certsrv

    def setup(self) -> None:
        super().setup()
        self._acceptor: NtlmAcceptor | None = None
        self._known = False

    def log_message(self, *_: object) -> None:
        """Nothing is printed among the output of the tests."""

    def do_GET(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", "0")))
        if self._admitted():
            self._get()
        del body

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", "0")))
        if self._admitted():
            self._post(body)

    def _admitted(self) -> bool:
        scheme, _, argument = self.headers.get("Authorization", "").partition(" ")
        if not scheme:
            if not self._known:
                self._unauthorized("Negotiate", "NTLM")
            return self._known
        try:
            token = base64.b64decode(argument, validate=True)
            if self._acceptor is None or self._acceptor.complete:
                self._acceptor = NtlmAcceptor(
                    user=self.site.user, password=self.site.password, channel_binding=self.site.channel_binding
                )
            challenge = self._acceptor.step(token)
        except (LogonError, binascii.Error) as error:
            self.site.refusals.append(str(error))
            self._acceptor = None
            self._unauthorized("Negotiate", "NTLM")
            return False
        self._known = self._acceptor.complete
        if not self._known:
            self._unauthorized(f"{scheme} {base64.b64encode(challenge or b'').decode('ascii')}")
        return self._known

    def _post(self, body: bytes) -> None:
        self.site.posts += 1
        form = dict(urllib.parse.parse_qsl(body.decode("ascii"), keep_blank_values=True))
        if urllib.parse.urlsplit(self.path).path != "/certsrv/certfnsh.asp" or form.get("Mode") != "newreq":
            self._send(404, "text/html", b"not found")
            return
        row = self.site.ca.submit(self.site.user, form["CertRequest"].encode("ascii"), form["CertAttrib"])
        if self.site.after_submit is not None:
            try:
                self.site.after_submit(row)
            except Exception:
                self.close_connection = True
                return
        self._html(pages.answer(row, self.site.language))

    def _get(self) -> None:
        parts = urllib.parse.urlsplit(self.path)
        query = dict(urllib.parse.parse_qsl(parts.query))
        page = parts.path.removeprefix("/certsrv/")
        number = query.get("ReqID", "")
        if page == "certcarc.asp":
            self._html(pages.renewals())
        elif page == "certnew.p7b" and number == "CACert":
            chain = self.site.chain or self.site.ca.chain
            self._send(200, "application/x-pkcs7-certificates", bundle(chain))
        elif page in ("certnew.cer", "certnew.p7b") and number.isdigit():
            self._certificate(self.site.ca.retrieve(int(number)), whole=page == "certnew.p7b")
        else:
            self._send(404, "text/html", b"not found")

    def _certificate(self, row: Request, *, whole: bool) -> None:
        if row.disposition != ISSUED or row.certificate is None:
            self._html(pages.no_certificate(row, self.site.language))
        elif whole:
            chain = self.site.ca.chain if self.site.chain is None else self.site.chain
            self._send(200, "application/x-pkcs7-certificates", bundle([row.certificate, *chain]))
        else:
            self._send(200, "application/pkix-cert", row.certificate)

    def _html(self, text: str) -> None:
        self._send(200, "text/html; Charset=UTF-8", text.encode("utf-8"))

    def _unauthorized(self, *offers: str) -> None:
        body = b"<html>401 - Unauthorized</html>"
        self.send_response(401)
        for offer in offers:
            self.send_header("WWW-Authenticate", offer)
        self._finish("text/html", body)

    def _send(self, status: int, content_type: str, body: bytes) -> None:
        self.send_response(status)
        self._finish(content_type, body)

    def _finish(self, content_type: str, body: bytes) -> None:
        self.send_header("Content-Type", content_type)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
