# Copyright (c) 2026, the sfb.kb4023993 contributors
# GNU General Public License v3.0-or-later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Exact counters of what reached one simulated host."""

from __future__ import annotations

from dataclasses import asdict, dataclass


@dataclass(kw_only=True)
class Counters:
    """Counts since the start or the last reset.

    Bytes are those of HTTP, after TLS and before it is undone by anything else: ``body_*`` the bodies alone,
    ``http_*`` with request or status line and headers. Authentication handshakes are in ``http_requests`` and in the
    bytes; ``wsman_requests`` are those that carried a WS-Management message past authentication. Commands of the ssh
    stand-in add to ``connections``, ``commands``, ``powershell_processes`` and ``stdin_bytes`` only: they use no HTTP.
    """

    connections: int = 0
    http_requests: int = 0
    wsman_requests: int = 0
    body_bytes_up: int = 0
    body_bytes_down: int = 0
    http_bytes_up: int = 0
    http_bytes_down: int = 0
    commands: int = 0
    powershell_processes: int = 0
    stdin_bytes: int = 0

    def to_json(self) -> dict[str, int]:
        return asdict(self)
