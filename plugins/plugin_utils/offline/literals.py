# Copyright (c) 2026, the sfb.kb4023993 contributors
# GNU General Public License v3.0-or-later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Values that become part of a script that a person starts.

Everything else that reaches a server is data beside a fixed script. A script to be read and started by hand has its values in it, so only
values of known kinds may become one, as texts in single quotes. Pure.
"""

from __future__ import annotations

import re
import typing as t

Kind = t.Literal["dns_name", "thumbprint", "sha256", "nonce", "file_name", "friendly_name", "number", "module"]

_KINDS: t.Final[dict[str, re.Pattern[str]]] = {
    "dns_name": re.compile(
        r"(?=.{1,253}\Z)(?:[A-Za-z0-9_](?:[A-Za-z0-9_-]{0,61}[A-Za-z0-9])?\.)*[A-Za-z0-9_](?:[A-Za-z0-9_-]{0,61}[A-Za-z0-9])?\Z"
    ),
    "thumbprint": re.compile(r"[0-9A-F]{40}\Z"),
    "sha256": re.compile(r"[0-9a-f]{64}\Z"),
    "nonce": re.compile(r"[0-9a-f]{16}\Z"),
    "file_name": re.compile(r"[A-Za-z0-9_~%-][A-Za-z0-9_.~%-]{0,219}\Z"),
    "friendly_name": re.compile(r"[A-Za-z0-9][A-Za-z0-9 .:()-]{0,99}\Z"),
    "module": re.compile(r"[A-Za-z]{1,40}\Z"),
    "number": re.compile(r"[0-9]{1,6}\Z"),
}


class LiteralError(ValueError):
    """A value that may not become part of a script."""


def literal(value: str, kind: Kind) -> str:
    """The value as PowerShell text in single quotes.

    :raises LiteralError: it is not of that kind.
    """
    if not _KINDS[kind].match(value):
        raise LiteralError(f"{value[:80]!r} is not a {kind.replace('_', ' ')}, so it is not written into a script.")
    return "'" + value.replace("'", "''") + "'"


def literals(values: t.Iterable[str], kind: Kind) -> str:
    """The values as a PowerShell list.

    :raises LiteralError: one of them is not of that kind.
    """
    return "@(" + ", ".join(literal(value, kind) for value in values) + ")"
