# Copyright (c) 2026, the sfb.kb4023993 contributors
# GNU General Public License v3.0-or-later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The simulated hosts as the protocol server sees them: who may log on, and what is open."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from lab.protocol.counters import Counters
from lab.protocol.faults import Fault, FaultPlan, Kind, Stage

if TYPE_CHECKING:
    from lab.protocol.shell import Shell


@dataclass(frozen=True, kw_only=True, slots=True)
class HostSettings:
    """One simulated host.

    ``name`` is the last element of its URL. ``user`` is ``name``, ``DOMAIN\\name`` or ``name@domain``, and clients
    must give it in that form. ``envelope_bytes`` is MaxEnvelopeSizekb in bytes: 150 kB for WinRM 2.0 (Windows Server
    2008 R2), 500 kB since. ``separate_done``: a command's end comes in a Receive of its own, after the output.
    ``basic``: whether Basic is offered and taken, as Windows does only when somebody allowed it.

    :raises ValueError: for a name that cannot stand in a URL, or a password with a colon or line break (the NTLM
        library's credential file cannot hold them).
    """

    name: str
    password: str = field(repr=False)
    user: str = "Administrator"
    envelope_bytes: int = 512_000
    separate_done: bool = False
    basic: bool = True

    def __post_init__(self) -> None:
        if not self.name or set(self.name) & set("/?#% \t\r\n"):
            raise ValueError(f"The host name {self.name!r} cannot stand in a URL.")
        if set(self.user + self.password) & set(":\r\n"):
            raise ValueError(f"User and password of host {self.name} must not hold colons or line breaks.")


@dataclass(kw_only=True)
class HostState:
    """What is remembered of a host that somebody talked to."""

    settings: HostSettings
    counters: Counters = field(default_factory=Counters)
    faults: FaultPlan = field(default_factory=FaultPlan)
    shells: dict[str, Shell] = field(default_factory=dict)

    @property
    def name(self) -> str:
        return self.settings.name

    def strikes(self, stage: Stage, kind: Kind) -> Fault | None:
        """The fault that strikes the host here and now, if any; a limited one is used up by this."""
        return self.faults.take(stage, kind, commands=self.counters.commands)


class HostTable:
    """All hosts of the lab; the state of one is made when it is first used."""

    def __init__(self, hosts: Iterable[HostSettings], faults: Mapping[str, Sequence[Fault]]) -> None:
        self._settings = {host.name: host for host in hosts}
        self._states: dict[str, HostState] = {}
        for name, of_host in faults.items():
            self.set_faults(name, of_host)

    def settings(self, name: str) -> HostSettings:
        """:raises KeyError: if there is no such host."""
        return self._settings[name]

    def find(self, name: str) -> HostState | None:
        settings = self._settings.get(name)
        if settings is None:
            return None
        return self._states.setdefault(name, HostState(settings=settings))

    def set_faults(self, name: str, faults: Iterable[Fault]) -> None:
        """Replace the faults of a host.

        :raises KeyError: if there is no such host.
        """
        state = self.find(name)
        if state is None:
            raise KeyError(name)
        state.faults = FaultPlan(faults)

    def counters(self) -> dict[str, dict[str, int]]:
        """The counters of every host that was used, by name."""
        return {name: state.counters.to_json() for name, state in self._states.items()}

    def reset_counters(self) -> None:
        for state in self._states.values():
            state.counters = Counters()
