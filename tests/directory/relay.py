# Copyright (c) 2026, the sfb.kb4023993 contributors
# GNU General Public License v3.0-or-later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Carries connections between a TCP port and a socket file: ``relay.py FOLDER ADDRESS PORT... -- COMMAND...``.

Samba's ports are fixed and low. Where an account may not bind them, Samba runs in a network of its own (``unshare``),
which only files reach: one end of the relay runs there, beside Samba, the other in the tests.
"""

from __future__ import annotations

import contextlib
import functools
import pathlib
import socket
import subprocess
import sys
import threading
from collections.abc import Callable


def listen_tcp(address: str) -> socket.socket:
    return socket.create_server((address, 0))


def listen_file(path: pathlib.Path) -> socket.socket:
    server = socket.socket(socket.AF_UNIX)
    server.bind(str(path))
    server.listen()
    return server


def connect_file(path: pathlib.Path) -> socket.socket:
    client = socket.socket(socket.AF_UNIX)
    client.connect(str(path))
    return client


def carry(server: socket.socket, connect: Callable[[], socket.socket]) -> None:
    """Serve until the listening socket is closed, each connection in threads of its own."""

    def accept() -> None:
        while True:
            try:
                near, _address = server.accept()
            except OSError:
                return
            try:
                far = connect()
            except OSError:
                near.close()
                continue
            for source, target in ((near, far), (far, near)):
                threading.Thread(target=_pump, args=(source, target), daemon=True).start()

    threading.Thread(target=accept, daemon=True).start()


def _pump(source: socket.socket, target: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while data := source.recv(65536):
            target.sendall(data)
    for end in (source, target):
        with contextlib.suppress(OSError):
            end.shutdown(socket.SHUT_RDWR)


def _inside(folder: pathlib.Path, address: str, ports: list[int], command: list[str]) -> int:
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    for port in ports:
        carry(listen_file(folder / str(port)), functools.partial(socket.create_connection, (address, port)))
    return subprocess.call(command)


if __name__ == "__main__":
    _folder, _address = pathlib.Path(sys.argv[1]), sys.argv[2]
    _end = sys.argv.index("--")
    sys.exit(_inside(_folder, _address, [int(port) for port in sys.argv[3:_end]], sys.argv[_end + 1 :]))
