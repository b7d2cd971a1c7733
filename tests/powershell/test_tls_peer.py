# Copyright (c) 2026, the sfb.kb4023993 contributors
# GNU General Public License v3.0-or-later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The operation tls_peer against real TLS servers, good ones and others."""

from __future__ import annotations

import socket
import ssl
import threading
import typing as t
from pathlib import Path

import pytest
from ansible_collections.sfb.kb4023993.plugins.plugin_utils.host import operations as o
from lab import pki
from powershell.listener import Serve, listener
from powershell.runner import Engine


def tls(context: ssl.SSLContext, received: list[bytes]) -> Serve:
    """Shake hands and keep what the peer sends until it closes."""

    def serve(connection: socket.socket) -> None:
        with context.wrap_socket(connection, server_side=True) as secure:
            received.append(secure.recv(1000))

    return serve


def silent(connection: socket.socket) -> None:
    while connection.recv(1000):
        pass


def other_protocol(connection: socket.socket) -> None:
    connection.sendall(b"220 mail.contoso.com ready\r\n" * 10)


@pytest.fixture(scope="module")
def peer() -> pki.Issued:
    issuing = pki.root_authority("Contoso Root").subordinate("Contoso CA 1").subordinate("Contoso CA 2")
    return issuing.issue("edge01.contoso.com", dns_names=["edge01.contoso.com"])


@pytest.fixture
def context(peer: pki.Issued, tmp_path: Path) -> ssl.SSLContext:
    file = tmp_path / "peer.pem"
    file.write_bytes(peer.chain_pem + peer.key_pem)
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    made.load_cert_chain(file)
    return made


def ask(engine: Engine, port: int, *, seconds: int = 3, host: str = "127.0.0.1") -> o.TlsPeerReply:
    (reply,) = engine.run(o.TlsPeer(host=host, port=port, seconds=seconds))
    assert reply.error is None
    return t.cast(o.TlsPeerReply, reply.value)


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_certificate_and_issuers_as_sent(
    engine: Engine, context: ssl.SSLContext, peer: pki.Issued, version: ssl.TLSVersion
) -> None:
    context.minimum_version = context.maximum_version = version
    received: list[bytes] = []
    with listener(tls(context, received)) as port:
        reply = ask(engine, port, seconds=20)
    intermediates = tuple(peer.chain[:-1])
    assert reply == o.TlsPeerReply(connected=True, certificate=peer.der, issuers=intermediates, failure=None)
    assert received == [b""], "something was sent after the handshake"


def test_mutual_tls_shows_the_certificate_before_it_fails(
    engine: Engine, context: ssl.SSLContext, peer: pki.Issued
) -> None:
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    context.verify_mode = ssl.CERT_REQUIRED
    with listener(tls(context, [])) as port:
        reply = ask(engine, port, seconds=20)
    assert (reply.connected, reply.certificate, reply.failure) == (True, peer.der, "handshake")


def test_a_certificate_that_is_asked_for_and_not_insisted_on(
    engine: Engine, context: ssl.SSLContext, peer: pki.Issued
) -> None:
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    context.verify_mode = ssl.CERT_OPTIONAL
    with listener(tls(context, [])) as port:
        reply = ask(engine, port, seconds=20)
    expected = o.TlsPeerReply(connected=True, certificate=peer.der, issuers=tuple(peer.chain[:-1]), failure=None)
    assert reply == expected


def test_silent_server_is_a_timeout(engine: Engine) -> None:
    with listener(silent) as port:
        reply = ask(engine, port, seconds=1)
    assert reply == o.TlsPeerReply(connected=True, certificate=None, issuers=(), failure="timeout")


def test_other_protocol_is_a_failed_handshake(engine: Engine) -> None:
    with listener(other_protocol) as port:
        reply = ask(engine, port, seconds=20)
    assert reply == o.TlsPeerReply(connected=True, certificate=None, issuers=(), failure="handshake")


def test_nobody_there(engine: Engine) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    assert ask(engine, port) == o.TlsPeerReply(connected=False, certificate=None, issuers=(), failure="refused")
    unknown = ask(engine, port, host="no-such-host.invalid", seconds=20)
    assert unknown == o.TlsPeerReply(connected=False, certificate=None, issuers=(), failure="name_not_resolved")


def test_no_name_means_the_host_itself(engine: Engine, context: ssl.SSLContext, peer: pki.Issued) -> None:
    own = socket.gethostname()
    try:
        socket.getaddrinfo(own, None)
    except OSError:
        pytest.skip(f"this machine does not know its own name {own}")
    with socket.create_server(("", 0)) as server:
        port = server.getsockname()[1]
        server.settimeout(20)

        def accept() -> None:
            connection, _ = server.accept()
            tls(context, [])(connection)

        thread = threading.Thread(target=accept, daemon=True)
        thread.start()
        assert ask(engine, port, host="", seconds=20).certificate == peer.der
        thread.join(timeout=30)
