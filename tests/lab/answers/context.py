# Copyright (c) 2026, the sfb.kb4023993 contributors
# GNU General Public License v3.0-or-later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a server's answers depend on beside the server itself."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from ansible_collections.sfb.kb4023993.plugins.plugin_utils.host.operations import Operation

from lab.ca.enterprise import EnterpriseCa
from lab.fabric import Fabric
from lab.mechanism import Mechanism
from lab.network import Network
from lab.world.host import Host


@dataclass(frozen=True, kw_only=True)
class Done:
    """A server carried out an operation that can change something. ``value``: its answer, None where it failed."""

    host: str
    operation: Operation = field(repr=False)
    value: Any = field(repr=False)


@dataclass(frozen=True, kw_only=True)
class Surroundings:
    """``topology`` makes the topology document of the whole deployment (XML text), or None.

    ``fabrics``: by Front End the fabric of its pool. ``cas``: by configuration text in lower case. ``ca_access``: how far a session's
    account gets from a server to a CA, and the account. ``journal``: what changed servers, oldest first. ``poll_seconds``: lab time that
    passes each time that somebody looks whether services are there yet. ``born``: when the past that a scenario tells ended.
    """

    network: Network
    mechanism: Mechanism
    topology: Callable[[], str | None]
    hosts: tuple[Host, ...] = ()
    fabrics: Mapping[Host, Fabric] = field(default_factory=dict)
    cas: Mapping[str, EnterpriseCa] = field(default_factory=dict)
    ca_access: Mapping[Host, tuple[str, str]] = field(default_factory=dict)
    journal: list[Done] = field(default_factory=list, repr=False)
    poll_seconds: float = 0.0
    failover_seconds: float = 0.0
    born: datetime | None = None
