# Copyright (c) 2026, the sfb.kb4023993 contributors
# GNU General Public License v3.0-or-later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a case is: a world, what is asked of it, and what has to come back."""

from __future__ import annotations

import dataclasses
import typing as t
from dataclasses import dataclass, field

from ansible_collections.sfb.kb4023993.plugins.plugin_utils.host import operations as op
from ansible_collections.sfb.kb4023993.plugins.plugin_utils.host import wire
from ansible_collections.sfb.kb4023993.plugins.plugin_utils.host.certificate_operations import CERTIFICATE_OPERATIONS
from ansible_collections.sfb.kb4023993.plugins.plugin_utils.host.operations import OPERATIONS, Operation

from contract.world import World

Runner = t.Literal["lab", "linux", "wine"]
RUNNERS: t.Final[tuple[Runner, ...]] = ("lab", "linux", "wine")

NONCE = "00112233aabbccdd"
ALL_OPERATIONS: t.Final[tuple[type[Operation], ...]] = (*OPERATIONS, *CERTIFICATE_OPERATIONS)
_BY_NAME = {operation.NAME: operation for operation in ALL_OPERATIONS}


@dataclass(frozen=True)
class Wrong:
    """An operation that ends with an error of this type."""

    type: wire.ErrorType


@dataclass(frozen=True)
class Raw:
    """An operation as lines of a batch's data, for what the typed ones cannot say."""

    name: str
    lines: tuple[str, ...] = ()


@dataclass(frozen=True)
class Agreement:
    """Whatever the lab answers: in generated worlds the runners are compared with each other."""


Asked = Operation | Raw
Expected = t.Any
"""A reply of the operation's type, :class:`Wrong` or :class:`Agreement`."""


@dataclass(frozen=True)
class Step:
    asked: Asked
    expected: Expected

    @property
    def operation(self) -> str:
        """The name in the table of operations; "" for one that does not exist."""
        name = self.asked.name if isinstance(self.asked, Raw) else self.asked.NAME
        return name if name in _BY_NAME else ""


@dataclass(frozen=True, kw_only=True)
class Case:
    """Steps that run in this order on one host.

    ``alone`` names a host of its own where the world cannot share one. ``left_out`` says for a runner why the case cannot run there;
    what a runner lacks as a whole it says itself. ``because``: where the expectation comes from, when it is not plain.
    """

    name: str
    steps: tuple[Step, ...]
    world: World = field(default_factory=World)
    alone: str = ""
    left_out: t.Mapping[Runner, str] = field(default_factory=dict)
    because: str = ""

    def __str__(self) -> str:
        return self.name


def case(
    name: str,
    asked: Asked,
    expected: Expected,
    *,
    world: World | None = None,
    alone: str = "",
    left_out: t.Mapping[Runner, str] | None = None,
    because: str = "",
) -> Case:
    """A case of one step."""
    return Case(
        name=name,
        steps=(Step(asked, expected),),
        world=world or World(),
        alone=alone,
        left_out=left_out or {},
        because=because,
    )


def typed(asked: Asked) -> Operation:
    """What decoding a reply needs to know of an operation."""
    if isinstance(asked, Operation):
        return asked
    known = _BY_NAME.get(asked.name)
    reply = known.REPLY if known else op.SystemReply
    return t.cast("Operation", type("RawOperation", (Operation,), {"NAME": asked.name, "REPLY": reply})())


def lines(asked: Asked) -> list[str]:
    """An operation as lines of the data of a batch."""
    if isinstance(asked, Raw):
        return [f"op\t{asked.name}", *asked.lines]
    return wire.encode_batch((asked,), nonce=NONCE, deadline_seconds=0).split("\n")[1:-1]


def batch_data(steps: t.Sequence[Asked], *, deadline_seconds: int = 110, stop_on_error: bool = False) -> str:
    """The data part of a batch of these operations."""
    header = wire.encode_batch((), nonce=NONCE, deadline_seconds=deadline_seconds, stop_on_error=stop_on_error)
    return header + "".join(f"{line}\n" for asked in steps for line in lines(asked))


def with_field(asked: Asked, name: str, change: t.Callable[[t.Any], t.Any]) -> Asked:
    """The same operation with one field changed, if it has that field."""
    if isinstance(asked, Raw) or name not in {each.name for each in dataclasses.fields(asked)}:
        return asked
    return dataclasses.replace(asked, **{name: change(getattr(asked, name))})
