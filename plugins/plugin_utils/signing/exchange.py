# Copyright (c) 2026, the sfb.kb4023993 contributors
# GNU General Public License v3.0-or-later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""HTTPS to one host with Windows authentication and channel binding, one request at a time.

Why not `requests` with `requests_ntlm`: a request for a certificate must never be sent twice unseen, and a caller has to know
whether it was sent at all when something fails. That needs the connection itself: here the body leaves this machine once, after
the server has accepted the account; nothing is retried, redirected, or taken from the environment (proxies, .netrc); the size and
the time of an answer are bounded; and the channel binding cannot be left out silently. The authentication is pyspnego's, the
library below pypsrp.
"""

from __future__ import annotations

import base64
import binascii
import contextlib
import dataclasses
import http.client
import socket
import ssl
import threading
import typing as t
from contextlib import suppress

from ..words import one_line
from .responses import SigningError

with suppress(ImportError):
    import spnego
    import spnego.channel_bindings
    import spnego.exceptions
    from cryptography import x509
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives import hashes

Authentication = t.Literal["ntlm", "kerberos"]
_MAX_BODY: t.Final = 4 * 1024 * 1024
# Some releases of the pages give another content type to clients that do not look like a browser.
_USER_AGENT: t.Final = "Mozilla/5.0 (compatible; sfb.kb4023993)"


class LostAnswerError(Exception):
    """The request was sent and no whole answer came; the text says what happened."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Account:
    """Who asks. With Kerberos and no password, the tickets that this process already has are used."""

    user: str
    password: str = dataclasses.field(repr=False)
    authentication: Authentication


@dataclasses.dataclass(frozen=True, kw_only=True)
class Server:
    """Where to ask. ``ca_file``: PEM file of the CA certificates to trust for TLS, None for those of the system."""

    host: str
    port: int
    ca_file: str | None
    timeout_seconds: int


@dataclasses.dataclass(frozen=True, kw_only=True)
class Answer:
    status: int
    content_type: str
    body: bytes

    @property
    def text(self) -> str:
        """The body as text; the pages are UTF-8, and what is needed of others is ASCII."""
        return self.body.decode("utf-8", "replace")


def exchange(
    server: Server, account: Account, path: str, *, form: str | None = None, context: ssl.SSLContext | None = None
) -> Answer:
    """GET ``path``, or POST ``form`` (encoded) to it, over a connection of its own.

    :raises SigningError: the request was not accepted by the server: nothing happened there.
    :raises LostAnswerError: it was sent, and what the server did is unknown.
    """
    context = context or tls_context(server.ca_file)
    connection = http.client.HTTPSConnection(server.host, server.port, timeout=server.timeout_seconds, context=context)
    where = f"{server.host}:{server.port}"
    try:
        connection.connect()
    except ssl.SSLError as error:
        raise SigningError(
            f"{where} shows a certificate that is not trusted here: {one_line(str(error), 200)}. Name the file of the CA that "
            "issued the web server's certificate, and ask by the name that is in that certificate. Nothing was sent."
        ) from None
    except OSError as error:
        raise SigningError(
            f"{where} cannot be reached: {one_line(str(error), 200)}. Check name, port and firewall. Nothing was sent."
        ) from None
    # A socket's timeout is for one read; a server that sends a byte now and then would hold the run for ever.
    watchdog = threading.Timer(server.timeout_seconds * 3, _cut, (connection.sock,))
    watchdog.daemon = True
    watchdog.start()
    try:
        # Without this, http.client would connect anew by itself.
        connection.auto_open = 0
        return _Conversation(connection, account, where).ask(path, form)
    finally:
        watchdog.cancel()
        connection.close()


def tls_context(ca_file: str | None) -> ssl.SSLContext:
    """:raises SigningError: the file cannot be used."""
    try:
        return ssl.create_default_context(cafile=ca_file)
    except (OSError, ssl.SSLError) as error:
        raise SigningError(f"The file of trusted CAs {ca_file} cannot be used: {one_line(str(error), 200)}.") from None


def _cut(sock: socket.socket) -> None:
    with contextlib.suppress(OSError):
        sock.shutdown(socket.SHUT_RDWR)


class _Conversation:
    """One request on a fresh connection: ask who is spoken to, authenticate, then send."""

    def __init__(self, connection: http.client.HTTPSConnection, account: Account, where: str) -> None:
        self._connection = connection
        self._account = account
        self._where = where

    def ask(self, path: str, form: str | None) -> Answer:
        first, offered = self._step(path, None)
        if first.status == 401:
            scheme = self._scheme(offered)
            context = self._security_context()
            token = self._token(context, None)
            if not context.complete:
                _challenged, offered = self._step(path, f"{scheme} {_text(token)}")
                token = self._token(context, self._challenge(offered, scheme))
            # The server accepts or refuses the account before it looks at the body.
            answer = self._send(path, form, f"{scheme} {_text(token)}")
        else:
            answer = self._send(path, form, None)
        if answer.status in (401, 403):
            raise SigningError(
                f"{self._where} does not accept the account {one_line(self._account.user)} (HTTP {answer.status}). Check user "
                "(DOMAIN\\user), password and the right to use these pages; the server may also refuse a connection through "
                "a proxy that opens TLS (extended protection)."
            )
        if 300 <= answer.status < 400:
            raise SigningError(
                f"{self._where} redirects to another address, which is not followed. Give the address of the pages themselves."
            )
        if answer.status == 404:
            raise SigningError(f"{self._where} has no page {path.partition('?')[0]}. Is the role Web Enrollment there?")
        return answer

    def _step(self, path: str, authorization: str | None) -> tuple[Answer, tuple[str, ...]]:
        """A request without a body that only serves authentication."""
        try:
            return self._roundtrip("GET", path, None, authorization)
        except (OSError, http.client.HTTPException, LostAnswerError) as error:
            raise SigningError(
                f"{self._where} ended the connection during authentication: {one_line(str(error), 200)}. No request was sent."
            ) from None

    def _send(self, path: str, form: str | None, authorization: str | None) -> Answer:
        try:
            return self._roundtrip("GET" if form is None else "POST", path, form, authorization)[0]
        except (OSError, http.client.HTTPException) as error:
            raise LostAnswerError(
                f"{self._where} gave no whole answer: {one_line(str(error), 200) or type(error).__name__}"
            ) from None

    def _roundtrip(
        self, method: str, path: str, form: str | None, authorization: str | None
    ) -> tuple[Answer, tuple[str, ...]]:
        headers = {"User-Agent": _USER_AGENT, "Accept": "*/*"}
        if authorization is not None:
            headers["Authorization"] = authorization
        if form is not None:
            headers["Content-Type"] = "application/x-www-form-urlencoded"
        self._connection.request(method, path, body=form, headers=headers)
        response = self._connection.getresponse()
        body = response.read(_MAX_BODY + 1)
        if len(body) > _MAX_BODY:
            raise LostAnswerError(f"{self._where} sent an answer of more than {_MAX_BODY} bytes")
        if response.length:
            # http.client takes a body that ends early for whole when it is read with a limit.
            raise LostAnswerError(f"{self._where} sent an answer that was cut off")
        answer = Answer(
            status=response.status,
            content_type=(response.getheader("Content-Type") or "").partition(";")[0].strip().lower(),
            body=body,
        )
        return answer, tuple(response.headers.get_all("WWW-Authenticate", []))

    def _scheme(self, offered: tuple[str, ...]) -> str:
        known = {word.split(" ")[0].strip().lower() for line in offered for word in line.split(",")}
        if "negotiate" in known:
            return "Negotiate"
        if "ntlm" in known and self._account.authentication == "ntlm":
            return "NTLM"
        raise SigningError(
            f"{self._where} offers no Windows authentication for {self._account.authentication} "
            f"(it offers: {one_line(', '.join(sorted(known)) or 'nothing')}). A password is never sent in any other way."
        )

    def _security_context(self) -> spnego.ContextProxy:
        account = self._account
        try:
            return spnego.client(
                account.user or None,
                account.password or None,
                hostname=self._connection.host,
                service="http",
                channel_bindings=spnego.channel_bindings.GssChannelBindings(application_data=self._binding()),
                protocol=account.authentication,
            )
        except (spnego.exceptions.SpnegoError, ImportError) as error:
            raise SigningError(self._no_context(error)) from None

    def _token(self, context: spnego.ContextProxy, challenge: bytes | None) -> bytes:
        try:
            return context.step(challenge) or b""
        except (spnego.exceptions.SpnegoError, ValueError, KeyError, TypeError, IndexError) as error:
            raise SigningError(self._no_context(error)) from None
        except Exception as error:  # struct.error, and what the system's Kerberos library raises
            raise SigningError(self._no_context(error)) from None

    def _no_context(self, error: Exception) -> str:
        more = ""
        if self._account.authentication == "kerberos":
            more = " Kerberos needs the Python package pyspnego[kerberos], and a ticket (kinit) or a password."
        return (
            f"{self._account.authentication.upper()} authentication at {self._where} cannot be carried out: "
            f"{one_line(str(error), 200)}.{more}"
        )

    def _challenge(self, offered: tuple[str, ...], scheme: str) -> bytes:
        for line in offered:
            name, _space, token = line.partition(" ")
            if name.lower() == scheme.lower() and token.strip():
                with suppress(binascii.Error, ValueError):
                    return base64.b64decode(token.strip(), validate=True)
        raise SigningError(
            f"{self._where} does not go on with {scheme} authentication. It may not accept "
            f"{self._account.authentication}, or a proxy is between that breaks it."
        )

    def _binding(self) -> bytes:
        """tls-server-end-point of RFC 5929 for the server's certificate."""
        sock = self._connection.sock
        der = sock.getpeercert(binary_form=True) if isinstance(sock, ssl.SSLSocket) else None
        if not der:
            raise SigningError(f"{self._where} showed no certificate, so nothing can be bound to it.")
        try:
            algorithm = x509.load_der_x509_certificate(der).signature_hash_algorithm
        except (ValueError, UnsupportedAlgorithm):
            algorithm = None
        if algorithm is None or algorithm.name in ("md5", "sha1"):
            algorithm = hashes.SHA256()
        digest = hashes.Hash(algorithm)
        digest.update(der)
        return b"tls-server-end-point:" + digest.finalize()


def _text(token: bytes) -> str:
    return base64.b64encode(token).decode("ascii")
