# Copyright (c) 2026, the sfb.kb4023993 contributors
# GNU General Public License v3.0-or-later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The checks as text for a screen or a ticket: what failed first, each with where and what to do next."""

from __future__ import annotations

import textwrap
import typing as t

from ..words import counted, one_line
from .check import STATUSES, Check, Status

_WIDTH: t.Final = 118
_MOST_HOSTS: t.Final = 8
_FEW_HOSTS: t.Final = 3
_HEADINGS: t.Final[dict[Status, str]] = {"failed": "Failed", "warning": "Warnings", "ok": "OK"}


def counts(checks: t.Iterable[Check]) -> dict[str, int]:
    """How many checks ended how."""
    found = dict.fromkeys(STATUSES, 0)
    for check in checks:
        found[check.status] += 1
    return {str(status): number for status, number in found.items()}


def text(checks: t.Sequence[Check], *, hosts: int) -> str:
    """:param checks: in the order of the report (:func:`.check.merged`).
    :param hosts: how many hosts there are.
    """
    numbers = counts(checks)
    lines = [
        f"Controller check: {numbers['failed']} failed, {counted(numbers['warning'], 'warning')}, {numbers['ok']} ok.",
        "docs/troubleshooting.md has cause and remedy of each id.",
    ]
    for status in STATUSES:
        found = [check for check in checks if check.status == status]
        if found:
            lines += ["", _HEADINGS[status]]
            for check in found:
                lines += _lines(check, hosts)
    return "\n".join(lines) + "\n"


def _lines(check: Check, hosts: int) -> t.Iterator[str]:
    if check.status == "ok":
        yield from _wrapped(f"{check.id}: {check.what} ({places(check.where, hosts)})", indent=2)
        return
    yield from _wrapped(f"{check.id}: {places(check.where, hosts)}", indent=2)
    yield from _wrapped(check.what, indent=4)
    yield from _wrapped(f"Next: {check.next_step}", indent=4)


def _wrapped(line: str, *, indent: int) -> list[str]:
    first = " " * indent
    return textwrap.wrap(
        one_line(line, 2000),
        _WIDTH,
        initial_indent=first,
        subsequent_indent=first + "  ",
        break_long_words=False,
        break_on_hyphens=False,
    )


def places(where: t.Sequence[str], hosts: int) -> str:
    """The hosts of a check in a line: all of a few, the first and the number of many.

    :param hosts: how many there are at all.
    """
    if len(where) == hosts > _FEW_HOSTS:
        return f"all {hosts} hosts"
    shown = ", ".join(where[:_MOST_HOSTS])
    more = len(where) - _MOST_HOSTS
    return f"{shown} and {more} more" if more > 0 else shown


def failing(checks: t.Iterable[Check], hosts: t.Iterable[str], *, controller: str) -> dict[str, str]:
    """For each host with a failed check, and for all if the controller has one, a sentence.

    :param controller: the place in a check that means the controller.
    """
    bad = [check for check in checks if check.status == "failed"]
    found: dict[str, str] = {}
    for host in hosts:
        mine = [check for check in bad if host in check.where or controller in check.where]
        if mine:
            more = f" ({counted(len(mine) - 1, 'more failed check')}, see the report above)" if len(mine) > 1 else ""
            found[host] = f"{mine[0].id}: {mine[0].what} {mine[0].next_step}{more}"
    return found
