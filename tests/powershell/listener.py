# Copyright (c) 2026, the sfb.kb4023993 contributors
# GNU General Public License v3.0-or-later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A server of this machine for operations that ask one."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Callable, Iterator

Serve = Callable[[socket.socket], None]


@contextlib.contextmanager
def listener(serve: Serve) -> Iterator[int]:
    """A server on this machine that treats every connection in one way; its port."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def accept() -> None:
            while True:
                try:
                    connection, _ = server.accept()
                except OSError:
                    return
                # The server goes on whatever a peer or the handshake does.
                with connection, contextlib.suppress(OSError):
                    connection.settimeout(20)
                    serve(connection)

        thread = threading.Thread(target=accept, daemon=True)
        thread.start()
        yield server.getsockname()[1]
        server.shutdown(socket.SHUT_RDWR)
    thread.join(timeout=30)
    assert not thread.is_alive()
