# Copyright (c) 2026, the sfb.kb4023993 contributors
# GNU General Public License v3.0-or-later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The syntax tree that a PowerShell engine has of a script, as Python objects."""

from __future__ import annotations

import base64
import bisect
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from powershell.runner import Engine

_WALKER = Path(__file__).with_name("dump_tree.ps1")


@dataclass(frozen=True)
class Problem:
    """What a rule found; ``line`` counts from 1."""

    line: int
    rule: str
    message: str

    def __str__(self) -> str:
        return f"line {self.line}: {self.message} [{self.rule}]"


@dataclass(frozen=True)
class Token:
    """``kind`` is the name in the engine's TokenKind."""

    kind: str
    text: str
    line: int
    end_line: int


@dataclass(eq=False, repr=False)
class Node:
    """One node. ``type`` is the engine's class without "Ast"; ``role`` says which property of the parent holds it.

    ``attributes`` are the engine's properties that are not nodes, as texts; ``children`` are in the order of the text, from the offset
    ``start``.
    """

    type: str
    role: str
    text: str
    start: int
    line: int
    end_line: int
    attributes: dict[str, str]
    parent: Node | None
    children: list[Node] = field(default_factory=list)

    def get(self, attribute: str) -> str:
        return self.attributes.get(attribute, "")

    def is_set(self, attribute: str) -> bool:
        return self.attributes.get(attribute) == "True"

    def child(self, role: str) -> Node | None:
        return next((child for child in self.children if child.role == role), None)

    def items(self, role: str) -> list[Node]:
        """The children of a property that is a list, in their order."""
        return [child for child in self.children if child.role.startswith(f"{role}.")]

    def pairs(self, role: str) -> list[tuple[Node, Node]]:
        """The children of a property that is a list of pairs."""
        found = self.items(role)
        return [(key, value) for key, value in zip(found[::2], found[1::2], strict=True)]

    def walk(self) -> Iterator[Node]:
        yield self
        for child in self.children:
            yield from child.walk()

    def ancestors(self) -> Iterator[Node]:
        node = self.parent
        while node:
            yield node
            node = node.parent


@dataclass(frozen=True, repr=False)
class Script:
    """A script with what the engine's parser says of it."""

    text: str
    root: Node
    tokens: tuple[Token, ...]
    errors: tuple[Problem, ...]

    def find(self, *types: str) -> Iterator[Node]:
        return (node for node in self.root.walk() if node.type in types)

    def code_lines(self) -> int:
        """Lines that are neither blank nor only a comment."""
        empty = {"Comment", "NewLine", "LineContinuation", "EndOfInput"}
        spans = (range(token.line, token.end_line + 1) for token in self.tokens if token.kind not in empty)
        return len({line for span in spans for line in span})


def words(text: str) -> frozenset[str]:
    """A set of words, written as a text so that it stays readable."""
    return frozenset(text.split())


def parse(engine: Engine, texts: Sequence[str]) -> list[Script]:
    """Let the engine parse scripts, all in one start."""
    sent = b"".join(base64.b64encode(text.encode("utf-8")) + b"\n" for text in texts)
    printed = engine.execute(sent, command=_WALKER.read_text(encoding="utf-8"))
    assert (printed.stderr, printed.exit_code) == ("", 0), printed.stderr
    dumps = printed.stdout.split("script\n")[1:]
    assert len(dumps) == len(texts)
    return [_read(text, dump) for text, dump in zip(texts, dumps, strict=True)]


def _read(text: str, dump: str) -> Script:
    # The engine counts UTF-16 units. Rules for ASCII report everything else, so an offset that is off by one costs nothing.
    starts = [0] + [place + 1 for place, character in enumerate(text) if character == "\n"]

    def line_at(offset: int) -> int:
        return bisect.bisect_right(starts, offset)

    errors: list[Problem] = []
    tokens: list[Token] = []
    nodes: list[Node] = []
    for row in dump.splitlines():
        kind, *fields = row.split("\t")
        if kind == "error":
            errors.append(Problem(int(fields[0]), "parse", _decode(fields[2])))
        elif kind == "token":
            start, end = int(fields[1]), int(fields[2])
            tokens.append(Token(fields[0], text[start:end], line_at(start), line_at(max(start, end - 1))))
        elif kind == "node":
            _, parent, role, name, start_text, end_text, *attributes = fields
            start, end = int(start_text), int(end_text)
            node = Node(
                type=name.removesuffix("Ast"),
                role=role,
                text=text[start:end],
                start=start,
                line=line_at(start),
                end_line=line_at(max(start, end - 1)),
                attributes={key: _decode(value) for key, _, value in (item.partition("=") for item in attributes)},
                parent=nodes[int(parent)] if nodes else None,
            )
            nodes.append(node)
            if node.parent:
                node.parent.children.append(node)
    for node in nodes:
        # The engine gives them in the order of its properties.
        node.children.sort(key=lambda child: child.start)
    return Script(text, nodes[0], tuple(tokens), tuple(errors))


def _decode(field_text: str) -> str:
    return base64.b64decode(field_text).decode("utf-8")
