# Copyright (c) 2026, the sfb.kb4023993 contributors
# GNU General Public License v3.0-or-later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Words for people: text from servers made fit to be shown, and numbers of things."""

from __future__ import annotations


def counted(number: int, thing: str) -> str:
    """``1 server``, ``2 servers``."""
    return f"{number} {thing}" if number == 1 else f"{number} {thing}s"


def one_line(text: str, limit: int = 120) -> str:
    """One bounded line of printable characters: no terminal escapes, no line breaks."""
    line = "".join(c if c.isprintable() else "?" for c in text)
    return line if len(line) <= limit else line[: limit - 3] + "..."


def quoted(text: str) -> str:
    """A name from a server in quotation marks, with its backslashes as they are."""
    return f'"{one_line(text, 300)}"'
