# Copyright (c) 2026, the sfb.kb4023993 contributors
# GNU General Public License v3.0-or-later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The documentation as text: its pages, the blocks of code in them, and the commands in these."""

from __future__ import annotations

import pathlib
import re
import shlex
import typing as t
from dataclasses import dataclass

from markdown_it import MarkdownIt

ROOT = pathlib.Path(__file__).parents[2]
DOCS = ROOT / "docs"
_MARK = re.compile(r"<!-- runs in the lab(?:, and ends with (\d+))? -->\s*\Z")
_COMMAND = re.compile(r"(?:ansible-playbook|ansible-navigator run|ansible|make)\s")


@dataclass(frozen=True, kw_only=True)
class Block:
    """A block of code. ``language`` is empty for one that is only indented. ``exit_code``: with which it ends in the lab, None where it is not run."""

    page: pathlib.Path
    line: int
    language: str
    text: str
    exit_code: int | None

    @property
    def where(self) -> str:
        return f"{self.page.relative_to(ROOT)}:{self.line}"


@dataclass(frozen=True, kw_only=True)
class Command:
    where: str
    words: tuple[str, ...]

    def __str__(self) -> str:
        return f"{self.where}: {' '.join(self.words)}"


def pages() -> list[pathlib.Path]:
    """All pages that people read, generated ones too."""
    return [
        ROOT / "README.md",
        *sorted(DOCS.rglob("*.md")),
        *sorted(ROOT.glob("roles/*/README.md")),
        *sorted(ROOT.glob("tests/lab/**/*.md")),
    ]


def blocks(page: pathlib.Path) -> list[Block]:
    """The blocks of code of a page, in their order."""
    found: list[Block] = []
    before = ""
    for token in MarkdownIt("commonmark").enable("table").parse(page.read_text("utf-8")):
        if token.type in ("fence", "code_block"):
            assert token.map is not None
            mark = _MARK.match(before)
            found.append(
                Block(
                    page=page,
                    line=token.map[0] + 1,
                    language=token.info.strip(),
                    text=token.content,
                    exit_code=int(mark.group(1) or 0) if mark else None,
                )
            )
        before = token.content if token.type == "html_block" else ""
    return found


def all_blocks() -> t.Iterator[Block]:
    for page in pages():
        yield from blocks(page)


def commands() -> list[Command]:
    """The commands with Ansible or make, in blocks and in running text."""
    found = [command for block in all_blocks() for command in commands_of(block)]
    for page in pages():
        for token in MarkdownIt("commonmark").enable("table").parse(page.read_text("utf-8")):
            for child in token.children or ():
                if child.type == "code_inline" and _COMMAND.match(child.content):
                    where = f"{page.relative_to(ROOT)}:{token.map[0] + 1 if token.map else 0}"
                    found.append(Command(where=where, words=_words(child.content)))
    return found


def commands_of(block: Block) -> list[Command]:
    """The commands with Ansible or make of a block: a line each, also behind a prompt or other words of a shell."""
    found = []
    for line in block.text.replace("\\\n", " ").splitlines():
        match = re.match(rf"(?:.*&& )?(?:[A-Z_]+=\S+ )*({_COMMAND.pattern}.*)", line.strip())
        if match:
            found.append(Command(where=block.where, words=_words(match.group(1))))
    return found


def _words(line: str) -> tuple[str, ...]:
    """As a shell divides it, up to where another command, a redirection or a comment begins."""
    lexer = shlex.shlex(line, posix=True, punctuation_chars="|&;<>")
    lexer.whitespace_split = True
    words: list[str] = []
    for word in lexer:
        if set(word) <= set("|&;<>"):
            break
        words.append(word)
    return tuple(words)
