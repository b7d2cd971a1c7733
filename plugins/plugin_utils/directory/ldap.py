# Copyright (c) 2026, the sfb.kb4023993 contributors
# GNU General Public License v3.0-or-later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A connection to a directory: TLS, authentication, and the few operations that are needed, one at a time.

Why own code: the maintained LDAP libraries of Python either need a C library with its plug-ins, or can neither sign on
port 389 nor bind a login to its TLS channel, which hardened domain controllers demand. pyspnego does the security part.

A connection is either TLS with a verified certificate, or every message is signed and encrypted by NTLM or Kerberos.
There is no way to send a password or a change in the clear.
"""

from __future__ import annotations

import contextlib
import socket
import ssl
import time
import typing as t
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from . import _ber
from .errors import AuthenticationError, ConnectionFailedError, ProtocolError, ResultError, result_error
from .messages import (
    OWNER_GROUP_DACL,
    Attributes,
    Change,
    Entry,
    Message,
    Outcome,
    Scope,
    add,
    delete,
    modify,
    paged,
    present,
    read_message,
    request,
    sasl_bind,
    sd_flags,
    search,
    simple_bind,
    unbind,
)
from .security import Security, SecurityError

# Ansible's sanity tests import every plugin without its libraries; task.py tells a user who lacks this one.
with contextlib.suppress(ImportError):
    from cryptography import x509
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives import hashes

Method = t.Literal["simple", "ntlm", "kerberos"]

# Far above any object of the Public Key Services, far below what would hurt the controller.
_MAX_MESSAGE_BYTES: t.Final = 8 * 1024 * 1024
_MAX_ENTRIES: t.Final = 2000
_PAGE: t.Final = 500
# A page may be shorter, even empty, but not all of those of a server that says for ever that there are more.
_MAX_PAGES: t.Final = 100
_MAX_BIND_STEPS: t.Final = 8
_SUCCESS: t.Final = 0
_BIND_IN_PROGRESS: t.Final = 14


@dataclass(frozen=True, kw_only=True)
class Server:
    """Where the directory is and how to log on to it.

    ``ca_file`` holds the certificates that may have issued the server's (PEM); without it those of the system count.
    ``timeout`` is the longest time in seconds for connecting, and for each operation.
    """

    host: str
    method: Method
    user: str
    password: str = field(repr=False)
    tls: bool = True
    port: int | None = None
    ca_file: str | None = None
    timeout: int = 30

    @property
    def real_port(self) -> int:
        return (636 if self.tls else 389) if self.port is None else self.port

    @property
    def where(self) -> str:
        return f"{self.host} port {self.real_port}"


class Connection:
    """An authenticated connection. Use it as a context manager."""

    def __init__(self, server: Server) -> None:
        """Connect and log on.

        :raises ConnectionFailedError: the server cannot be reached or its certificate not be trusted.
        :raises AuthenticationError: the account is not accepted.
        """
        self.server = server
        self._received = bytearray()
        self._sealed: Security | None = None
        self._last_id = 0
        self._deadline = time.monotonic() + server.timeout
        if server.method == "simple" and not server.tls:
            raise AuthenticationError(
                f"{server.where}: a simple bind would send the password in the clear. Use TLS, or NTLM or Kerberos."
            )
        if server.method != "kerberos" and not (server.user and server.password):
            # A simple bind without password is answered with success and logs on nobody (RFC 4513, 5.1.2).
            raise AuthenticationError(f"{server.where}: {server.method} needs a user name and a password.")
        self._socket = _connect(server)
        try:
            self._log_on()
        except BaseException:
            self._socket.close()
            raise

    def __enter__(self) -> Connection:
        return self

    def __exit__(self, *_exception: object) -> None:
        with contextlib.suppress(OSError, SecurityError):
            self._send(unbind(), ())
        self._socket.close()

    # ---- operations

    def search(
        self,
        base: str,
        scope: Scope,
        search_filter: bytes,
        attributes: Sequence[str],
        *,
        doing: str,
        descriptor: int | None = None,
        limit: int = _MAX_ENTRIES,
    ) -> list[Entry]:
        """The objects that a filter finds. ``descriptor`` says which parts of security descriptors are wanted.

        :raises ResultError: the server refuses; ``NotFoundError`` when ``base`` does not exist.
        :raises ProtocolError: there are more objects than ``limit``.
        """
        found: list[Entry] = []
        cookie = b""
        seconds = self.server.timeout
        for _page in range(_MAX_PAGES):
            controls = [] if scope == "base" else [paged(_PAGE, cookie)]
            if descriptor is not None:
                controls.append(sd_flags(descriptor))
            operation = search(base, scope, search_filter, attributes, size_limit=0, seconds=seconds)
            for message in self._exchange(operation, controls, doing):
                if message.entry is not None:
                    found.append(message.entry)
                    if len(found) > limit:
                        raise ProtocolError(
                            f"{self.server.where}: {doing} found more than {limit} objects, which is not expected. "
                            "Nothing more was read."
                        )
                elif message.outcome is not None:
                    self._check(message.outcome, doing)
                    cookie = message.outcome.cookie
            if not cookie:
                return found
        raise ProtocolError(
            f"{self.server.where}: {doing} did not come to an end: after {_MAX_PAGES} pages the server says that there are more. "
            "Ask another domain controller."
        )

    def read(self, dn: str, attributes: Sequence[str], *, doing: str, descriptor: bool = False) -> Entry:
        """One object by its DN; with ``descriptor`` also its owner and permissions.

        :raises NotFoundError: it does not exist.
        """
        parts = OWNER_GROUP_DACL if descriptor else None
        found = self.search(dn, "base", present("objectClass"), attributes, doing=doing, descriptor=parts)
        if len(found) != 1:
            raise result_error(doing=doing, where=self.server.where, code=32)
        return found[0]

    def add(self, dn: str, attributes: Attributes, *, doing: str) -> None:
        """Create an object."""
        self._single(add(dn, attributes), (), doing)

    def modify(self, dn: str, changes: Sequence[Change], *, doing: str, descriptor: int | None = None) -> None:
        """Change an object: all of the changes, or none of them."""
        self._single(modify(dn, changes), () if descriptor is None else (sd_flags(descriptor),), doing)

    def delete(self, dn: str, *, doing: str) -> None:
        """Remove an object that has no objects below it."""
        self._single(delete(dn), (), doing)

    # ---- authentication

    def _log_on(self) -> None:
        if self.server.method == "simple":
            self._check_log_on(self._bind(simple_bind(self.server.user, self.server.password)))
            return
        try:
            self._negotiate()
        except SecurityError as error:
            advice = (
                "Kerberos needs the Python packages gssapi and krb5 (pip install pyspnego[kerberos]), a ticket or a "
                "password, and the server's full name."
                if self.server.method == "kerberos"
                else "Check the user name and the password."
            )
            raise AuthenticationError(
                f"{self.server.where}: the log-on with {self.server.method} failed on this side: {_short(error)}. "
                f"{advice}"
            ) from None

    def _negotiate(self) -> None:
        security = Security(
            method=self.server.method,
            user=self.server.user,
            password=self.server.password,
            host=self.server.host,
            sealed=not self.server.tls,
            binding=self._channel_binding(),
        )
        token: bytes | None = None
        for _step in range(_MAX_BIND_STEPS):
            answer = self._bind(sasl_bind("GSS-SPNEGO", security.step(token)))
            token = answer.token
            if answer.code != _BIND_IN_PROGRESS:
                self._check_log_on(answer)
                if token and not security.complete:
                    security.step(token)
                break
        if not security.complete:
            # Success without the server's own proof: it may be anybody.
            raise AuthenticationError(f"{self.server.where}: the server did not finish the log-on as it should.")
        if not self.server.tls:
            if not security.agreed_to_seal:
                raise AuthenticationError(
                    f"{self.server.where}: the server did not agree to signing and encryption. Use TLS."
                )
            self._sealed = security

    def _channel_binding(self) -> bytes | None:
        """What binds the log-on to this TLS channel: a hash of the server's certificate (RFC 5929, section 4.1)."""
        certificate = self._socket.getpeercert(binary_form=True) if isinstance(self._socket, ssl.SSLSocket) else None
        if not certificate:
            return None
        algorithm: hashes.HashAlgorithm | None = None
        with contextlib.suppress(ValueError, UnsupportedAlgorithm):
            algorithm = x509.load_der_x509_certificate(certificate).signature_hash_algorithm
        if algorithm is None or algorithm.name in ("md5", "sha1"):
            algorithm = hashes.SHA256()
        digest = hashes.Hash(algorithm)
        digest.update(certificate)
        return b"tls-server-end-point:" + digest.finalize()

    def _bind(self, operation: bytes) -> Outcome:
        for message in self._exchange(operation, (), "logging on"):
            if message.outcome is not None:
                return message.outcome
        raise ProtocolError(f"{self.server.where}: the log-on was not answered.")

    def _check_log_on(self, outcome: Outcome) -> None:
        try:
            self._check(outcome, f"logging on as {self.server.user or 'the owner of the ticket'}")
        except ResultError as error:
            raise AuthenticationError(str(error)) from None

    # ---- messages

    def _single(self, operation: bytes, controls: Sequence[bytes], doing: str) -> None:
        for message in self._exchange(operation, controls, doing):
            if message.outcome is not None:
                self._check(message.outcome, doing)

    def _check(self, outcome: Outcome, doing: str) -> None:
        if outcome.code != _SUCCESS:
            detail = _short(outcome.message).rstrip(".")
            raise result_error(doing=doing, where=self.server.where, code=outcome.code, detail=detail)

    def _exchange(self, operation: bytes, controls: Sequence[bytes], doing: str) -> Iterator[Message]:
        """Send one request; give all messages that answer it, the outcome last."""
        self._deadline = time.monotonic() + self.server.timeout
        try:
            self._send(operation, controls)
            while True:
                message = read_message(self._receive())
                if message.message_id != self._last_id:
                    # Only one request is under way; the server speaks unasked when it closes the connection.
                    raise ConnectionFailedError(f"{self.server.where}: the server ended the connection while {doing}.")
                yield message
                if message.outcome is not None:
                    return
        except _ber.BerError as error:
            raise ProtocolError(
                f"{self.server.where}: while {doing}, the server sent no valid LDAP: {error}."
            ) from None
        except SecurityError as error:
            raise ProtocolError(
                f"{self.server.where}: while {doing}, a signed message was not as it should be: {_short(error)}."
            ) from None
        except OSError as error:
            raise self._lost(error, doing) from None

    def _send(self, operation: bytes, controls: Sequence[bytes]) -> None:
        self._last_id += 1
        data = request(self._last_id, operation, controls)
        if self._sealed:
            data = self._sealed.wrap(data)
            data = len(data).to_bytes(4, "big") + data
        self._socket.settimeout(self._seconds_left())
        self._socket.sendall(data)

    def _receive(self) -> bytes:
        """The bytes of the next message."""
        while True:
            if self._received and self._received[0] != _ber.SEQUENCE:
                raise _ber.BerError(f"no message begins with 0x{self._received[0]:02x}")
            length = _ber.measure(self._received)
            if length is not None:
                self._refuse_size(length)
                if len(self._received) >= length:
                    data = bytes(self._received[:length])
                    del self._received[:length]
                    return data
            if self._sealed:
                size = int.from_bytes(self._exactly(4), "big")
                self._refuse_size(size)
                self._received += self._sealed.unwrap(self._exactly(size))
            else:
                self._received += self._some(65536)

    def _exactly(self, size: int) -> bytes:
        data = bytearray()
        while len(data) < size:
            data += self._some(size - len(data))
        return bytes(data)

    def _some(self, size: int) -> bytes:
        self._socket.settimeout(self._seconds_left())
        data = self._socket.recv(size)
        if not data:
            raise ConnectionResetError("the server closed the connection")
        return data

    def _seconds_left(self) -> float:
        left = self._deadline - time.monotonic()
        if left <= 0:
            raise TimeoutError("timed out")
        return left

    def _refuse_size(self, length: int) -> None:
        if length > _MAX_MESSAGE_BYTES:
            raise _ber.BerError(f"a message of {length} bytes is longer than anything that is expected")

    def _lost(self, error: OSError, doing: str = "logging on") -> ConnectionFailedError:
        reason = f"no answer in {self.server.timeout} seconds" if isinstance(error, TimeoutError) else _short(error)
        return ConnectionFailedError(
            f"{self.server.where}: the connection was lost while {doing}: {reason}. Whether the server still carried "
            "it out is not known; run again, and what is there will be read first."
        )


def _connect(server: Server) -> socket.socket:
    try:
        plain = socket.create_connection((server.host, server.real_port), server.timeout)
    except (OSError, UnicodeError) as error:
        reason = "no answer" if isinstance(error, TimeoutError) else _short(error)
        raise ConnectionFailedError(
            f"{server.where}: the directory cannot be reached: {reason}. Check the name, the port and the firewall."
        ) from None
    if not server.tls:
        return plain
    try:
        context = ssl.create_default_context(cafile=server.ca_file)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        # From Python 3.13 on, roots without a key usage would be refused, which companies' own CAs often are. The same
        # certificates are trusted with every Python; all else that makes a chain valid is still checked.
        context.verify_flags &= ~ssl.VERIFY_X509_STRICT
        return context.wrap_socket(plain, server_hostname=server.host)
    except ssl.SSLCertVerificationError as error:
        plain.close()
        raise ConnectionFailedError(
            f"{server.where}: the certificate of the server is not trusted: {error.verify_message}. "
            "Name the file with the certificate of its CA, and the server by a name that is in its certificate."
        ) from None
    except OSError as error:
        plain.close()
        if server.ca_file and isinstance(error, (FileNotFoundError, PermissionError, IsADirectoryError)):
            raise ConnectionFailedError(f"The file of CA certificates {server.ca_file}: {error.strerror}.") from None
        raise ConnectionFailedError(
            f"{server.where}: no TLS connection: {_short(error)}. Check that the server has a certificate for LDAP "
            "over TLS, and that the file of CA certificates is in PEM form."
        ) from None


def _short(error: object) -> str:
    text = "".join(c if c.isprintable() else " " for c in str(error)).strip()
    return text if len(text) <= 300 else text[:297] + "..."
