# Copyright (c) 2026, the sfb.kb4023993 contributors
# GNU General Public License v3.0-or-later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Servers that are not what they should be, behind real TLS; and one that demands what Samba cannot: channel binding."""

from __future__ import annotations

import contextlib
import os
import socket
import ssl
import threading
import time
import typing as t
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
import spnego
from ansible_collections.sfb.kb4023993.plugins.plugin_utils.directory import _ber, messages
from ansible_collections.sfb.kb4023993.plugins.plugin_utils.directory.errors import (
    AuthenticationError,
    ConnectionFailedError,
    DirectoryError,
    ProtocolError,
)
from ansible_collections.sfb.kb4023993.plugins.plugin_utils.directory.ldap import Connection, Server
from cryptography.hazmat.primitives.hashes import SHA256, Hash
from lab.pki import Authority, Issued, root_authority
from spnego.channel_bindings import GssChannelBindings
from spnego.exceptions import SpnegoError

Serve = Callable[[ssl.SSLSocket], None]
_USER, _WORD = "LAB\\alice", "VeryWorse.1"


def _result(tag: int, code: int, text: str = "", *more: bytes) -> bytes:
    parts = (_ber.encode_integer(code, _ber.ENUMERATED), _ber.encode_text(""), _ber.encode_text(text))
    return _ber.encode(tag, *parts, *more)


def _answer(message_id: int, operation: bytes) -> bytes:
    return messages.request(message_id, operation)


_BOUND: t.Final = _answer(1, _result(0x61, 0))


@dataclass
class TlsServer:
    """Listens on the loopback network; each connection is served by one function after the TLS handshake."""

    serve: Serve
    issued: Issued
    folder: Path

    def __post_init__(self) -> None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        (self.folder / "server.pem").write_bytes(self.issued.pem)
        (self.folder / "server.key").write_bytes(self.issued.key_pem)
        context.load_cert_chain(self.folder / "server.pem", self.folder / "server.key")
        self._context = context
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listening.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                plain, _address = self._listening.accept()
                threading.Thread(target=self._one, args=(plain,), daemon=True).start()

    def _one(self, plain: socket.socket) -> None:
        with contextlib.suppress(OSError), self._context.wrap_socket(plain, server_side=True) as secured:
            secured.settimeout(20)
            self.serve(secured)

    def close(self) -> None:
        self._listening.close()


@pytest.fixture
def authority() -> Authority:
    return root_authority("Directory Test CA")


@pytest.fixture
def start(tmp_path: Path, authority: Authority) -> Iterator[Callable[[Serve], Server]]:
    """Starts a server that does what it is told, and gives how to log on to it."""
    (tmp_path / "ca.pem").write_bytes(authority.pem)
    with contextlib.ExitStack() as stack:

        def started(serve: Serve) -> Server:
            issued = authority.issue("dc", dns_names=("127.0.0.1",))
            server = TlsServer(serve, issued, tmp_path)
            stack.callback(server.close)
            return Server(
                host="127.0.0.1",
                port=server.port,
                method="simple",
                user="alice",
                password=_WORD,
                ca_file=str(tmp_path / "ca.pem"),
                timeout=2,
            )

        yield started


def _after_bind(*chunks: bytes, pause: float = 0.0, hold: bool = False) -> Serve:
    def serve(secured: ssl.SSLSocket) -> None:
        secured.recv(65536)
        secured.sendall(_BOUND)
        secured.recv(65536)
        for chunk in chunks:
            secured.sendall(chunk)
            time.sleep(pause)
        if hold:
            secured.recv(65536)

    return serve


def _read(server: Server) -> str:
    with Connection(server) as connection:
        return connection.read("", ("defaultNamingContext",), doing="reading").text("defaultNamingContext")


def _entry(message_id: int, value: bytes) -> bytes:
    values = _ber.encode(_ber.SET, _ber.encode_text(value))
    attribute = _ber.encode(_ber.SEQUENCE, _ber.encode_text("defaultNamingContext"), values)
    return _answer(message_id, _ber.encode(0x64, _ber.encode_text(""), _ber.encode(_ber.SEQUENCE, attribute)))


def _done(message_id: int) -> bytes:
    return _answer(message_id, _result(0x65, 0))


def _long_form(message: bytes) -> bytes:
    """The same message with the length as Active Directory writes it: always four bytes."""
    content = _ber.read_single(message, _ber.SEQUENCE)
    return bytes([_ber.SEQUENCE, 0x84]) + len(content).to_bytes(4, "big") + content


def test_answers_in_pieces_together_and_with_long_lengths(start: Callable[[Serve], Server]) -> None:
    whole = _long_form(_entry(2, b"DC=x")) + _long_form(_done(2))
    assert _read(start(_after_bind(whole))) == "DC=x"
    assert _read(start(_after_bind(*(bytes([byte]) for byte in whole)))) == "DC=x"


@pytest.mark.parametrize(
    "garbage",
    [
        b"HTTP/1.1 400 Bad Request\r\n\r\n",
        b"\x30\x84\x7f\xff\xff\xff",
        b"\x30\x80",
        b"\x1f\x03abc",
        b"\x30\x03\x02\x01\x02",
        _answer(2, _ber.encode(0x6F, b"")),
        _answer(2, _ber.encode(0x65, b"\x0a\x01")),
        _answer(2, _ber.encode(0x64, b"\x04\x00")),
        b"\x30" * 5000,
    ],
    ids=range(9),
)
def test_what_is_no_ldap_is_refused(start: Callable[[Serve], Server], garbage: bytes) -> None:
    with pytest.raises(ProtocolError, match="the server sent no valid LDAP"):
        _read(start(_after_bind(garbage, hold=True)))


def test_a_server_that_says_nothing_or_little_ends_at_the_time_limit(start: Callable[[Serve], Server]) -> None:
    for serve in (_after_bind(hold=True), _after_bind(*[b"\x30", b"\x10", *[b"\x00"] * 10], pause=0.4)):
        started = time.monotonic()
        with pytest.raises(ConnectionFailedError, match=r"no answer in 2 seconds|closed"):
            _read(start(serve))
        assert time.monotonic() - started < 5


def test_endless_entries_end(start: Callable[[Serve], Server]) -> None:
    with pytest.raises(ProtocolError, match="more than 2000 objects"):
        _read(start(_after_bind(_entry(2, b"DC=x") * 3000, hold=True)))


def test_an_end_of_the_connection_is_said(start: Callable[[Serve], Server]) -> None:
    notice = _answer(0, _result(0x78, 52, "going down"))
    with pytest.raises(ConnectionFailedError, match="the server ended the connection while reading"):
        _read(start(_after_bind(notice, hold=True)))
    with pytest.raises(ConnectionFailedError, match="not known; run again"):
        _read(start(_after_bind()))


def test_text_of_a_server_cannot_steer_a_terminal(start: Callable[[Serve], Server]) -> None:
    evil = _answer(2, _result(0x65, 80, "\x1b[2J\n" + "x" * 5000))
    with pytest.raises(DirectoryError) as caught:
        _read(start(_after_bind(evil)))
    assert "\x1b" not in str(caught.value)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 600


def test_nobody_listens() -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    server = Server(host="127.0.0.1", port=port, method="simple", user="a", password="b")  # noqa: S106
    with pytest.raises(ConnectionFailedError, match=r"cannot be reached: .*refused.*Check the name, the port"):
        Connection(server)


# ---- channel binding


def _demanding(certificate: bytes) -> Serve:
    """A server that takes NTLM only when it is bound to the TLS channel with this certificate."""

    def serve(secured: ssl.SSLSocket) -> None:
        digest = Hash(SHA256())
        digest.update(certificate)
        binding = GssChannelBindings(application_data=b"tls-server-end-point:" + digest.finalize())
        context = spnego.server(protocol="ntlm", channel_bindings=binding)
        while True:
            data = secured.recv(65536)
            if not data:
                return
            message = _ber.read_elements(_ber.read_single(data, _ber.SEQUENCE))
            number = _ber.read_integer(message[0])
            if message[1].tag == 0x42:
                return
            credentials = _ber.read_elements(message[1].content)[2]
            token = _ber.read_elements(credentials.content)[1].content
            try:
                answer = context.step(token)
            except SpnegoError as error:
                secured.sendall(_answer(number, _result(0x61, 49, str(error))))
                return
            more = () if answer is None else (_ber.encode_text(answer, 0x87),)
            secured.sendall(_answer(number, _result(0x61, 0 if context.complete else 14, "", *more)))

    return serve


@pytest.fixture
def accounts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "accounts").write_text(f"LAB:alice:{_WORD}\n")
    monkeypatch.setitem(os.environ, "NTLM_USER_FILE", str(tmp_path / "accounts"))


@pytest.mark.usefixtures("accounts")
def test_ntlm_inside_tls_is_bound_to_the_channel(start: Callable[[Serve], Server], authority: Authority) -> None:
    # The certificate that the server shows is made anew at each start, so it is asked for first.
    shown = [b""]
    server = replace(start(lambda secured: _demanding(shown[0])(secured)), method="ntlm", user=_USER)
    context = ssl.create_default_context(cafile=server.ca_file)
    with (
        socket.create_connection((server.host, server.real_port)) as plain,
        context.wrap_socket(plain, server_hostname=server.host) as secured,
    ):
        shown[0] = secured.getpeercert(binary_form=True) or b""
    with Connection(server):
        pass
    with pytest.raises(AuthenticationError, match="invalidCredentials"):
        Connection(replace(server, password="wrong"))  # noqa: S106
    # Somebody in the middle with another certificate, which is trusted as well: the log-on cannot be passed on.
    shown[0] = authority.issue("other", dns_names=("127.0.0.1",)).der
    with pytest.raises(AuthenticationError, match=r"invalidCredentials.*[Bb]inding"):
        Connection(server)
