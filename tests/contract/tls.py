# Copyright (c) 2026, the sfb.kb4023993 contributors
# GNU General Public License v3.0-or-later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""TLS servers on this machine, good ones and others."""

from __future__ import annotations

import contextlib
import socket
import ssl
import typing as t
from collections.abc import Iterator
from pathlib import Path

from powershell.listener import Serve, listener

from contract.world import TlsServer


@contextlib.contextmanager
def servers(wanted: t.Sequence[TlsServer], folder: Path) -> Iterator[dict[int, int]]:
    """Start all of them; gives the real ports by those of the table."""
    with contextlib.ExitStack() as stack:
        ports = {}
        for server in wanted:
            if server.kind == "closed":
                ports[server.port] = stack.enter_context(_closed())
            else:
                ports[server.port] = stack.enter_context(listener(_serve(server, folder)))
        yield ports


@contextlib.contextmanager
def _closed() -> Iterator[int]:
    # Bound and never listening: whoever connects is refused, and nobody else can take the port meanwhile.
    with socket.socket() as kept:
        kept.bind(("127.0.0.1", 0))
        yield kept.getsockname()[1]


def _serve(server: TlsServer, folder: Path) -> Serve:
    if server.kind == "silent":
        return _silent
    if server.kind == "other":
        return _other_protocol
    assert server.identity is not None
    file = folder / f"peer-{server.port}.pem"
    file.write_bytes(server.identity.chain_pem + server.identity.key_pem)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(file)
    # Later versions ask for the client's certificate when the client has long taken the server's.
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    if server.kind == "mutual":
        context.verify_mode = ssl.CERT_REQUIRED

    def serve(connection: socket.socket) -> None:
        with context.wrap_socket(connection, server_side=True) as secure:
            secure.recv(1000)

    return serve


def _silent(connection: socket.socket) -> None:
    while connection.recv(1000):
        pass


def _other_protocol(connection: socket.socket) -> None:
    connection.sendall(b"220 mail.contoso.example ready\r\n" * 10)
