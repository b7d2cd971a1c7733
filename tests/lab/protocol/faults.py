# Copyright (c) 2026, the sfb.kb4023993 contributors
# GNU General Public License v3.0-or-later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Faults that a simulated host shows on purpose, and where in a conversation they strike."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, fields, replace
from typing import Any, Literal, get_args

from lab.protocol.handler import Execution

Stage = Literal["connect", "create", "command", "send", "receive", "signal", "delete"]
Kind = Literal["refuse", "reset", "delay", "cut", "disconnect", "garble", "http_error", "auth", "trickle", "endless"]
Garbling = Literal["before", "inside", "clixml", "twice"]

QUOTA_MAX_SHELLS = 2150859173
"""WS-Management error 0x803381A5: the user has as many shells open as the host allows."""

_STAGES_OF_KIND: dict[Kind, tuple[Stage, ...]] = {
    "refuse": get_args(Stage),
    "reset": get_args(Stage),
    "delay": get_args(Stage),
    "cut": ("receive",),
    "disconnect": tuple(stage for stage in get_args(Stage) if stage != "connect"),
    "garble": ("receive",),
    "http_error": get_args(Stage),
    "auth": get_args(Stage),
    "trickle": get_args(Stage),
    "endless": ("receive",),
}

NOISE_LINE = b"A program of this server prints this line again and again.\r\n"

# Localised text as a Japanese host (code page 932) and a German one (850) would write it: not UTF-8.
_NOISE = "警告: ".encode("cp932") + "Zusätzliche Ausgabe für Prüfung\r\n".encode("cp850")
_CLIXML = (
    b'#< CLIXML\r\n<Objs Version="1.1.0.1" xmlns="http://schemas.microsoft.com/powershell/2004/04">'
    b'<S S="Error">Der Vorgang ist ung' + "ü".encode("cp850") + b"ltig._x000D__x000A_</S></Objs>"
)


@dataclass(frozen=True, kw_only=True)
class Fault:
    """One fault of one host.

    ``kind``:

    * ``refuse``: the TCP connection is closed without an answer;
    * ``reset``: the same by a reset, as a firewall does it;
    * ``delay``: the answer waits ``seconds``;
    * ``cut``: the command's stdout ends after ``keep_bytes`` bytes, everything else is as it should be;
    * ``disconnect``: the connection closes in the middle of the HTTP answer;
    * ``garble``: bytes that do not belong there: noise in the OEM code page ``before`` or ``inside`` stdout, a
      ``clixml`` error record on stderr, or the whole of stdout ``twice``;
    * ``http_error``: HTTP 500 with a WS-Management fault of number ``code`` and the reason ``text``;
    * ``auth``: from there on every logon fails with 401, as if the account were locked out;
    * ``trickle``: the HTTP answer says that it is long, and brings a few bytes every ``seconds``, for ever;
    * ``endless``: the command prints for ever, a piece of ``keep_bytes`` every ``seconds`` (0: as much and as fast as asked for).

    ``stage`` is the WS-Management message at which it strikes; ``connect`` is the first request of a TCP connection,
    before authentication. ``times`` is how often it strikes, None for always. It waits until the host has begun
    ``after_commands`` commands, so that a later batch can be met; the stage ``command`` itself comes before its command counts.

    :raises ValueError: if the kind cannot happen at that stage, or a number makes no sense.
    """

    stage: Stage
    kind: Kind
    seconds: float = 0.0
    keep_bytes: int = 0
    garbling: Garbling = "before"
    code: int = QUOTA_MAX_SHELLS
    text: str = "The WS-Management service cannot process the request."
    after_commands: int = 0
    times: int | None = None

    def __post_init__(self) -> None:
        if self.kind not in _STAGES_OF_KIND:
            raise ValueError(f"There is no fault kind {self.kind!r}; choose one of {', '.join(_STAGES_OF_KIND)}.")
        if self.stage not in _STAGES_OF_KIND[self.kind]:
            possible = ", ".join(_STAGES_OF_KIND[self.kind])
            raise ValueError(f"A fault {self.kind!r} cannot strike at stage {self.stage!r}; possible: {possible}.")
        if self.garbling not in get_args(Garbling):
            raise ValueError(f"There is no garbling {self.garbling!r}; choose one of {', '.join(get_args(Garbling))}.")
        if min(self.seconds, self.keep_bytes, self.after_commands) < 0 or (self.times is not None and self.times < 1):
            raise ValueError("A fault's numbers must not be negative, and times must be at least 1.")

    def to_json(self) -> dict[str, object]:
        return asdict(self)

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Fault:
        """:raises ValueError: for unknown fields, missing ones and impossible values."""
        unknown = set(data) - {field.name for field in fields(cls)}
        if unknown or not {"stage", "kind"} <= set(data):
            raise ValueError(f"A fault needs 'stage' and 'kind' and knows no {sorted(unknown)!r}.")
        return cls(**data)


class FaultPlan:
    """The faults of one host that are still to strike."""

    def __init__(self, faults: Iterable[Fault] = ()) -> None:
        self._faults = list(faults)

    def take(self, stage: Stage, kind: Kind, *, commands: int) -> Fault | None:
        """The fault that strikes here and now, if any; a limited one is used up by this.

        :param commands: how many commands the host has begun.
        """
        for index, fault in enumerate(self._faults):
            if fault.stage == stage and fault.kind == kind and commands >= fault.after_commands:
                if fault.times == 1:
                    del self._faults[index]
                elif fault.times is not None:
                    self._faults[index] = replace(fault, times=fault.times - 1)
                return fault
        return None

    def damage(self, execution: Execution, *, commands: int) -> Execution:
        """Apply the faults that change a command's output."""
        if garble := self.take("receive", "garble", commands=commands):
            execution = _garbled(execution, garble.garbling)
        if cut := self.take("receive", "cut", commands=commands):
            execution = replace(execution, stdout=execution.stdout[: cut.keep_bytes])
        return execution


def _garbled(execution: Execution, garbling: Garbling) -> Execution:
    stdout = execution.stdout
    if garbling == "before":
        return replace(execution, stdout=_NOISE + stdout)
    if garbling == "inside":
        middle = len(stdout) // 2
        return replace(execution, stdout=stdout[:middle] + _NOISE + stdout[middle:])
    if garbling == "twice":
        return replace(execution, stdout=stdout + stdout)
    return replace(execution, stderr=_CLIXML)
