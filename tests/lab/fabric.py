# Copyright (c) 2026, the sfb.kb4023993 contributors
# GNU General Public License v3.0-or-later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The fabric of Enterprise pools of Lync Server 2013 and later: how many Front Ends have to run, and whether one may go down.

Known from the references: how many of how many have to run, and that the others stop themselves below that; the words of the state.
Assumed, because no source says it: that a Front End which starts while too few run waits; how long a pool is busy after a Front
End joined it; that each Front End is an upgrade domain of its own.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from lab.clock import Clock
from lab.world.host import REGISTRAR, Host

_QUORUM = {2: 1, 3: 2, 4: 2, 5: 3, 6: 3, 7: 4, 8: 4, 9: 4, 10: 5, 11: 5, 12: 5}
_VOTERS = {8: 7, 9: 7, 10: 9, 11: 9, 12: 9}
"""In large pools only so many of the first servers count."""

READY, BUSY, INSUFFICIENT = "Ready", "Busy", "InsufficientActiveFrontEnds"


@dataclass(frozen=True, kw_only=True)
class Domain:
    """An upgrade domain: servers that may go down together, and whether they may now."""

    name: str
    front_ends: tuple[str, ...]
    ready: bool


class Fabric:
    """One pool. ``settling_seconds``: how long it is busy after a Front End service started."""

    def __init__(self, members: Sequence[Host], clock: Clock, *, settling_seconds: float) -> None:
        self.members = tuple(members)
        self._clock = clock
        self._born = clock.now()
        self._settling = timedelta(seconds=settling_seconds)
        for host in self.members:
            host.waits_for_pool = self._too_few

    @property
    def quorum(self) -> int:
        return _QUORUM[min(len(self.members), max(_QUORUM))]

    def settle(self) -> None:
        """Let what follows from the states of the members happen: below the quorum those that still run stop themselves."""
        for host in self.members:
            host.services.get(REGISTRAR)
        running = self.running()
        if running and self._votes(running) < self.quorum:
            for host in running:
                for name in host.lync.services:
                    host.services.begin_stop(name)

    def running(self) -> tuple[Host, ...]:
        """The members whose Front End service runs."""
        return tuple(host for host in self.members if _status(host) == "running")

    def bears_loss_of(self, host: Host) -> bool:
        """Whether enough servers run when this one does not."""
        return self._votes([other for other in self.running() if other is not host]) >= self.quorum

    def state(self) -> str:
        """The pool's own word for whether a server may go down."""
        self.settle()
        if not all(self.bears_loss_of(host) for host in self.members):
            return INSUFFICIENT
        starting = any(_status(host) == "start_pending" for host in self.members)
        youngest = max((self._joined(host) for host in self.running()), default=None)
        settled = youngest is None or self._clock.now() - youngest >= self._settling
        return READY if settled and not starting else BUSY

    def domains(self) -> tuple[Domain, ...]:
        ready = self.state() == READY
        return tuple(
            Domain(name=f"UpgradeDomain{number}", front_ends=(host.fqdn,), ready=ready and self.bears_loss_of(host))
            for number, host in enumerate(self.members, start=1)
        )

    def _too_few(self) -> bool:
        ready = [host for host in self.members if _status(host) == "running" or self._comes_up(host)]
        return self._votes(ready) < self.quorum

    def _comes_up(self, host: Host) -> bool:
        """Whether nothing but the pool keeps a starting server from running."""
        service = host.services.peek(REGISTRAR)
        due = service.due if service and service.status == "start_pending" else None
        return due is not None and due <= self._clock.now() and not host.mistrusts_all

    def _votes(self, hosts: Sequence[Host]) -> int:
        voters = self.members[: _VOTERS.get(len(self.members), len(self.members))]
        return sum(host in voters for host in hosts)

    def _joined(self, host: Host) -> datetime:
        service = host.services.peek(REGISTRAR)
        assert service is not None
        assert service.process is not None
        # What was before the lab began is long settled.
        started = service.process.started
        return started if started > self._born else datetime.min.replace(tzinfo=started.tzinfo)


def _status(host: Host) -> str:
    """As last seen: two servers that wait for each other must not ask each other."""
    service = host.services.peek(REGISTRAR)
    return service.status if service else "stopped"
