# Copyright (c) 2026, the sfb.kb4023993 contributors
# GNU General Public License v3.0-or-later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Cause and effect: what DataMCUSvc of each Front End sees of its peers over time, and writes into its event log.

Nothing here knows a verdict. A Web Conferencing process connects to the Edge servers of its pool (8057) and to the other Front
Ends of its pool (8060, 8061). It accepts what its peer presents or not (trust.py), by what it loaded at its start (dotnet.py).

Known from the references: the ids, the log and provider; 41025 then 41026 within the same second, "constantly"; 41024 for
one lost Edge, repeated after 20 minutes; 41025 names FQDN and port.

Not known, and assumed here: how often a connection is tried again when it fails (a minute; one lost Edge of several is only
logged every 20 minutes); the insertion strings (FQDN and port; none for 41026, whose text names nobody); what 41029 and 41031
say (taken as the pair that corresponds to 41025 and 41026), that they repeat like those, and that both ports log them; that
nothing is logged when a peer merely restarts and is back before the next attempt.
"""

from __future__ import annotations

import enum
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from lab import trust
from lab.clock import Clock
from lab.world.events import Entry
from lab.world.host import Host
from lab.world.services import Process

PROVIDER = "LS Data MCU"
EDGE_PORT = 8057
FRONT_END_PORTS = (8060, 8061)

FIRST_ATTEMPT = timedelta(seconds=5)
ATTEMPTS = timedelta(seconds=60)
ALL_LOST_REPEAT = ATTEMPTS
ONE_LOST_REPEAT = timedelta(minutes=20)
_LOST_AFTER = timedelta(milliseconds=200)


class Outcome(enum.Enum):
    """How an attempt to connect ends."""

    CONNECTED = "connected"
    REJECTED = "rejected"
    UNREACHABLE = "unreachable"


@dataclass(kw_only=True)
class _Link:
    """One directed connection of one run of the validator's process."""

    peer: Host
    port: int
    next_attempt: datetime
    connected_to: Process | None = None
    logged: tuple[Entry, ...] = ()
    next_log: datetime | None = None

    @property
    def to_edge(self) -> bool:
        return self.port == EDGE_PORT


@dataclass(kw_only=True)
class _Validator:
    """A Front End with its peers; ``links`` belong to ``process``."""

    host: Host
    edges: list[Host] = field(default_factory=list)
    front_ends: list[Host] = field(default_factory=list)
    process: Process | None = None
    links: list[_Link] = field(default_factory=list)
    settled: datetime


class Mechanism:
    """Keeps every Front End's event log up to date. Between two calls of :meth:`settle` nothing changes but the time."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._born = clock.now()
        self._validators: dict[str, _Validator] = {}
        self._watchers: dict[str, set[str]] = {}

    def add_front_end(self, host: Host, *, edges: Iterable[Host], front_ends: Iterable[Host]) -> None:
        """Make ``host`` a validator of these peers (itself is left out)."""
        others = [peer for peer in front_ends if peer is not host]
        self._validators[host.name] = _Validator(
            host=host, edges=list(edges), front_ends=others, settled=self._clock.now()
        )
        for peer in (host, *self._validators[host.name].edges, *others):
            self._watchers.setdefault(peer.name, set()).add(host.name)

    def changing(self, host: Host) -> None:
        """To be called before something about ``host`` changes: writes down what happened until now."""
        for name in sorted(self._watchers.get(host.name, ())):
            self._settle(self._validators[name])

    def settle(self, host: Host) -> None:
        """Write the events of one server up to now."""
        validator = self._validators.get(host.name)
        if validator is not None:
            self._settle(validator)

    def outcomes(self, host: Host) -> dict[tuple[str, int], Outcome]:
        """How an attempt of each connection of a Front End would end now, by the peer's FQDN and port."""
        validator = self._validators[host.name]
        self._settle(validator)
        return {(link.peer.fqdn, link.port): self._attempt(validator, link) for link in validator.links}

    def _settle(self, validator: _Validator) -> None:
        process = validator.host.web_conferencing()
        if process is not validator.process:
            validator.process = process
            validator.links = [] if process is None else self._links(validator, process)
        outcomes = [self._attempt(validator, link) for link in validator.links]
        edge_outcomes = [o for link, o in zip(validator.links, outcomes, strict=True) if link.to_edge]
        all_lost = Outcome.CONNECTED not in edge_outcomes
        for link, outcome in zip(validator.links, outcomes, strict=True):
            self._proceed(validator, link, outcome, all_lost=all_lost)
        validator.settled = self._clock.now()

    def _links(self, validator: _Validator, process: Process) -> list[_Link]:
        first = process.started + FIRST_ATTEMPT
        to_edges = [_Link(peer=peer, port=EDGE_PORT, next_attempt=first) for peer in validator.edges]
        to_front_ends = [
            _Link(peer=peer, port=port, next_attempt=first) for peer in validator.front_ends for port in FRONT_END_PORTS
        ]
        return to_edges + to_front_ends

    def _attempt(self, validator: _Validator, link: _Link) -> Outcome:
        if link.peer.quirks.down or link.port in link.peer.quirks.closed_ports:
            return Outcome.UNREACHABLE
        answer = link.peer.presents(link.port)
        if answer is None:
            return Outcome.UNREACHABLE
        assert validator.process is not None
        accepted = trust.accepted_as_client(
            answer[1],
            validator.host.stores.anchors(),
            enforced=validator.host.loaded(validator.process).enforces,
            # The lab makes its certificates when it starts; the past that it plays through happened with the same ones.
            moment=max(self._clock.now(), self._born),
        )
        return Outcome.CONNECTED if accepted else Outcome.REJECTED

    def _proceed(self, validator: _Validator, link: _Link, outcome: Outcome, *, all_lost: bool) -> None:
        """Bring one connection from where it was left to now, with an outcome that has not changed since."""
        now = self._clock.now()
        answer = link.peer.presents(link.port)
        if link.connected_to is not None:
            if answer is not None and answer[0] is link.connected_to:
                return
            # The peer's process ended just after the last time that anything was written down.
            link.connected_to = None
            link.next_attempt = validator.settled + FIRST_ATTEMPT
        if link.next_attempt > now:
            return
        entries, repeat = _pattern(link, outcome, all_lost=all_lost)
        log = validator.host.log
        if outcome is Outcome.CONNECTED:
            link.connected_to = answer[0] if answer else None
            link.logged, link.next_log = (), None
            log.write_series(PROVIDER, entries, link.next_attempt, repeat, 1)
            return
        if entries != link.logged or link.next_log is None:
            link.logged, link.next_log = entries, link.next_attempt
        if link.next_log <= now:
            count = (now - link.next_log) // repeat + 1
            log.write_series(PROVIDER, entries, link.next_log, repeat, count)
            link.next_log += count * repeat
        link.next_attempt += ((now - link.next_attempt) // ATTEMPTS + 1) * ATTEMPTS


def _pattern(link: _Link, outcome: Outcome, *, all_lost: bool) -> tuple[tuple[Entry, ...], timedelta]:
    """The events of one attempt, and when it is made again."""
    names = (link.peer.fqdn, str(link.port))
    if link.to_edge:
        opened = Entry(id=41025, strings=names)
        lost = Entry(id=41026 if all_lost else 41024, strings=() if all_lost else names, delay=_LOST_AFTER)
    else:
        opened = Entry(id=41029, strings=names)
        lost = Entry(id=41031, strings=names, delay=_LOST_AFTER)
    if outcome is Outcome.CONNECTED:
        return (opened,), ALL_LOST_REPEAT
    if outcome is Outcome.UNREACHABLE:
        return (lost,), ONE_LOST_REPEAT
    return (opened, lost), ONE_LOST_REPEAT if link.to_edge and not all_lost else ALL_LOST_REPEAT
