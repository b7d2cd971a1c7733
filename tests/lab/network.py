# Copyright (c) 2026, the sfb.kb4023993 contributors
# GNU General Public License v3.0-or-later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The network between the simulated servers: names, ports, and what answers TLS there."""

from __future__ import annotations

import dataclasses
import enum

from lab.trust import Presented
from lab.world.host import PSOM_PORTS, Host


class Failure(enum.Enum):
    """Why there is no TLS connection; the values are those of the wire."""

    NAME_NOT_RESOLVED = "name_not_resolved"
    REFUSED = "refused"
    TIMEOUT = "timeout"
    HANDSHAKE = "handshake"


@dataclasses.dataclass(frozen=True, kw_only=True)
class Answer:
    """What a TLS client sees: a peer's certificates, why there is no connection, or both where it ended after they were shown."""

    presented: Presented | None
    failure: Failure | None


class Network:
    """Finds servers by their full names, and pools by theirs (the first member answers, as a load balancer would)."""

    def __init__(self) -> None:
        self._hosts: dict[str, Host] = {}

    def add(self, name: str, host: Host) -> None:
        """Let ``name`` resolve to ``host``; the first registration of a name stays."""
        self._hosts.setdefault(name.casefold(), host)

    def connect(self, name: str, port: int) -> Answer:
        """Open a TLS connection as a client and look at the peer's certificate."""
        host = self._hosts.get(name.rstrip(".").casefold())
        if host is None:
            return _failed(Failure.NAME_NOT_RESOLVED)
        if host.quirks.down or port in host.quirks.closed_ports:
            return _failed(Failure.TIMEOUT)
        answer = host.presents(port)
        if answer is None:
            return _failed(Failure.REFUSED)
        if port in PSOM_PORTS:
            # The TLS roles are reversed there: both ends would wait for the other's greeting.
            return _failed(Failure.HANDSHAKE)
        failure = Failure.HANDSHAKE if port in host.quirks.demanding_ports else None
        return Answer(presented=answer[1], failure=failure)


def _failed(failure: Failure) -> Answer:
    return Answer(presented=None, failure=failure)
