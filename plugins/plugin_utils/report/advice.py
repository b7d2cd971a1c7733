# Copyright (c) 2026, the sfb.kb4023993 contributors
# GNU General Public License v3.0-or-later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Symptom, cause, fix and rollback of each kind of finding (``advice.yml``), and its commands for the servers at hand.

People copy these commands into a shell. So what was read from a server becomes part of one only if it is harmless in every shell that
could be meant; anything else stays a word in capitals for the reader to fill in.
"""

from __future__ import annotations

import collections
import dataclasses
import functools
import pathlib
import re
import typing as t

import yaml

from ..findings import HostJudgement
from ..own_yaml import parse_yaml

Where = t.Literal["controller", "server", "ca"]
_FILE: t.Final = pathlib.Path(__file__).with_name("advice.yml")
_MAX_BLOCKS: t.Final = 12
_MAX_LIMIT: t.Final = 8
_NAME: t.Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,254}\Z")
# No $, %, ` or quotes: neither cmd.exe nor PowerShell finds anything to expand between double quotes. \w leaves typographic quotes out.
_SAFE: t.Final[dict[str, re.Pattern[str]]] = {
    "executable": re.compile(r"[A-Za-z]:(?:\\[\w .()+,-]+){1,30}\Z"),
    "clr": re.compile(r"v\d{1,2}\.\d{1,3}\.\d{1,6}\Z"),
    "use": re.compile(r"[A-Za-z]{1,40}\Z"),
    "thumbprint": re.compile(r"[0-9A-Fa-f]{40}\Z"),
}
_OPEN: t.Final[dict[str, str]] = {
    "executable": r"FULL-PATH\DataMCUSvc.exe",
    "clr": "CLR-VERSION",
    "use": "USE",
    "thumbprint": "OLD-THUMBPRINT",
}
_HINTS: t.Final[dict[str, str]] = {
    "executable": r"FULL-PATH: see ImagePath below HKLM\SYSTEM\CurrentControlSet\Services\RTCDATAMCU.",
    "clr": "CLR-VERSION: v2.0.50727 for Lync Server 2010, v4.0.30319 for all later products.",
    "use": "USE: Internal on an Edge, Default on a Front End.",
    "thumbprint": "OLD-THUMBPRINT: see the certificate of the server in the table of servers.",
}
_LIMIT_HINT: t.Final = "SERVERS: names of the inventory with commas between, or a group."


@dataclasses.dataclass(frozen=True, kw_only=True)
class Step:
    """One step of a fix. ``commands`` may hold ``{placeholders}``; ``where`` is None for a step of words alone."""

    id: str
    title: str
    text: str
    where: Where | None = None
    commands: tuple[str, ...] = ()

    @property
    def placeholders(self) -> frozenset[str]:
        return frozenset(name for command in self.commands for name in re.findall(r"\{(\w+)\}", command))


@dataclasses.dataclass(frozen=True, kw_only=True)
class Way:
    """Steps one after the other. ``title`` is empty where there is only one way."""

    title: str
    steps: tuple[Step, ...]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Advice:
    """What is to be said of one kind of finding, the same for every host. Several ways are to choose from."""

    id: str
    symptom: str
    cause: str
    fix: tuple[Way, ...]
    rollback: tuple[Way, ...]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Block:
    """Commands for some servers; none named: the same for all. ``hints`` explain the words in capitals."""

    hosts: tuple[str, ...]
    commands: tuple[str, ...]
    hints: tuple[str, ...]


@functools.cache
def advice() -> dict[str, Advice]:
    """The advice by id of finding.

    :raises RuntimeError: the data file is damaged: the installation is broken, not the input.
    """
    try:
        data = parse_yaml(_FILE.read_text("utf-8"))
        steps = {
            name: Step(id=name, **{**entry, "commands": tuple(entry.get("commands", ()))})
            for name, entry in data["steps"].items()
        }
        return {
            entry["id"]: Advice(
                id=entry["id"],
                symptom=entry["symptom"],
                cause=entry["cause"],
                fix=_ways(entry["fix"], steps),
                rollback=_ways(entry["rollback"], steps),
            )
            for entry in data["findings"]
        }
    except (OSError, ValueError, TypeError, KeyError, AttributeError, yaml.YAMLError) as error:
        raise RuntimeError(
            f"The data file {_FILE.name} of the collection cannot be used: {error}. Install it again."
        ) from error


def _ways(entry: t.Any, steps: t.Mapping[str, Step]) -> tuple[Way, ...]:
    named = entry if isinstance(entry, dict) else {"": entry}
    return tuple(Way(title=title, steps=tuple(steps[name] for name in names)) for title, names in named.items())


def blocks(step: Step, hosts: t.Sequence[HostJudgement]) -> tuple[Block, ...]:
    """The commands of a step for these servers: one block for all servers with the same values.

    Where nearly every server would need its own, there is one block with words in capitals instead.
    """
    if not step.commands:
        return ()
    names = sorted(step.placeholders - {"limit"})
    groups: dict[tuple[str, ...], list[str]] = collections.defaultdict(list)
    for host in hosts:
        groups[tuple(_value(name, host) for name in names)].append(host.name)
    if not groups or len(groups) > _MAX_BLOCKS:
        groups = {_common(names, list(groups)): []}
    limit, hint = _limit(hosts)
    return tuple(
        Block(
            hosts=tuple(members) if names else (),
            commands=tuple(
                _filled(command, {"limit": limit, **dict(zip(names, values, strict=True))}) for command in step.commands
            ),
            hints=(
                *(_HINTS[name] for name, value in zip(names, values, strict=True) if value == _OPEN[name]),
                *([hint] if hint and "limit" in step.placeholders else []),
            ),
        )
        for values, members in groups.items()
    )


def _common(names: t.Sequence[str], groups: t.Sequence[tuple[str, ...]]) -> tuple[str, ...]:
    """The values that all servers share; the others are left open."""
    values = [{group[place] for group in groups} for place in range(len(names))]
    return tuple(found.pop() if len(found) == 1 else _OPEN[name] for name, found in zip(names, values, strict=True))


def _value(name: str, host: HostJudgement) -> str:
    certificate = host.certificate
    known = {
        "executable": host.executable,
        "clr": host.clr,
        "use": certificate.use if certificate else None,
        "thumbprint": certificate.thumbprint if certificate else None,
    }[name]
    return known if known and _SAFE[name].match(known) else _OPEN[name]


def _limit(hosts: t.Sequence[HostJudgement]) -> tuple[str, str | None]:
    """An Ansible pattern for the servers, and a hint where it is left open."""
    names = [host.name for host in hosts]
    if 0 < len(names) <= _MAX_LIMIT and all(_NAME.match(name) for name in names):
        return ",".join(names), None
    return "SERVERS", _LIMIT_HINT


def _filled(command: str, values: t.Mapping[str, str]) -> str:
    # One pass, so that no value is looked through for placeholders.
    return re.sub(r"\{(\w+)\}", lambda match: values[match.group(1)], command)
