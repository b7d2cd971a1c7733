# Copyright (c) 2026, the sfb.kb4023993 contributors
# GNU General Public License v3.0-or-later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Authentication of one HTTP connection: Basic for each request, Negotiate (NTLM) once for the connection."""

from __future__ import annotations

import base64
import binascii
import hmac

from lab.protocol.hosts import HostSettings
from lab.protocol.http import HttpRequest, HttpResponse
from lab.protocol.ntlm import ENCRYPTED_CONTENT_TYPE, BadMessageError, LogonError, NtlmAcceptor

_NEGOTIATE = [("WWW-Authenticate", "Negotiate")]
_BASIC = [("WWW-Authenticate", 'Basic realm="WSMAN"')]


class ConnectionAuth:
    """Who is on the other end of one connection to one host.

    ``channel_binding`` is that of the TLS certificate, None over plain HTTP. Over TLS a client must send the binding
    (a host with CbtHardeningLevel=Strict; the default of Windows, Relaxed, would take clients that send none).
    """

    def __init__(self, host: HostSettings, *, channel_binding: bytes | None) -> None:
        self._host = host
        self._channel_binding = channel_binding
        self._acceptor: NtlmAcceptor | None = None
        self._refused = False

    @property
    def refuses_all(self) -> bool:
        return self._refused

    def refuse_all(self) -> None:
        """From now on nobody is let in (the fault ``auth``)."""
        self._refused = True

    def challenge(self, request: HttpRequest) -> HttpResponse | None:
        """None if the request comes from the host's user, else the 401 to answer with."""
        scheme, _, argument = request.headers.get("authorization", "").partition(" ")
        if not scheme:
            return None if self._acceptor is not None and self._acceptor.complete else self.unauthorized()
        try:
            token = base64.b64decode(argument, validate=True)
        except binascii.Error:
            return self.unauthorized()
        if scheme.lower() == "basic" and self._host.basic:
            self._acceptor = None
            expected = f"{self._host.user}:{self._host.password}".encode()
            return None if hmac.compare_digest(token, expected) and not self._refused else self.unauthorized()
        if scheme.lower() == "negotiate":
            return self._negotiate(token)
        return self.unauthorized()

    def _negotiate(self, token: bytes) -> HttpResponse | None:
        if self._acceptor is None or self._acceptor.complete:
            self._acceptor = NtlmAcceptor(
                user=self._host.user, password=self._host.password, channel_binding=self._channel_binding
            )
        try:
            answer = self._acceptor.step(token)
        except LogonError:
            self._acceptor = None
            return self.unauthorized()
        if self._acceptor.complete and self._refused:
            self._acceptor = None
            return self.unauthorized()
        if self._acceptor.complete:
            return None
        challenge = base64.b64encode(answer or b"").decode()
        return HttpResponse(status=401, headers=[("WWW-Authenticate", f"Negotiate {challenge}")])

    def unauthorized(self) -> HttpResponse:
        """What those get who are not let in."""
        return HttpResponse(status=401, headers=[*_NEGOTIATE, *(_BASIC if self._host.basic else ())])

    def open(self, request: HttpRequest) -> bytes:
        """The request's message, decrypted if it is encrypted.

        :raises BadMessageError: if it cannot be.
        """
        if not is_encrypted(request):
            return request.body
        if self._acceptor is None:
            raise BadMessageError("The message is encrypted, but the connection was not authenticated by Negotiate.")
        return self._acceptor.decrypt(request.body)

    def seal(self, request: HttpRequest, *, status: int, message: bytes) -> HttpResponse:
        """The answer to ``request``, encrypted if that was."""
        if message and self._acceptor is not None and is_encrypted(request):
            return HttpResponse(
                status=status,
                headers=[("Content-Type", ENCRYPTED_CONTENT_TYPE)],
                body=self._acceptor.encrypt(message),
            )
        content_type = [("Content-Type", "application/soap+xml;charset=UTF-8")] if message else []
        return HttpResponse(status=status, headers=content_type, body=message)


def is_encrypted(request: HttpRequest) -> bool:
    return request.headers.get("content-type", "").lower().startswith("multipart/encrypted")
