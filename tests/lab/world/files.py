# Copyright (c) 2026, the sfb.kb4023993 contributors
# GNU General Public License v3.0-or-later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The files of one simulated server, with short (8.3) names as NTFS makes them."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import datetime

_VARIABLE = re.compile(r"%([^%]+)%")
_SHORT = re.compile(r"[A-Z0-9_$~!#%&'()@^`{}-]{1,8}(\.[A-Z0-9_$~-]{1,3})?\Z")
_MAX_LENGTH = 259


@dataclass(kw_only=True)
class File:
    """One file. ``clr``: for a managed executable, the CLR that it starts (``v4.0.30319``)."""

    path: str
    content: bytes
    created: datetime
    modified: datetime
    version: str | None = None
    clr: str | None = None

    @property
    def size(self) -> int:
        return len(self.content)


@dataclass(kw_only=True)
class _Node:
    name: str
    file: File | None = None
    children: dict[str, _Node] = field(default_factory=dict)
    short_names: dict[str, _Node] = field(default_factory=dict)

    def find(self, name: str) -> _Node | None:
        return self.children.get(name.lower()) or self.short_names.get(name.lower())

    def enter(self, name: str) -> _Node:
        known = self.find(name)
        if known is not None:
            return known
        node = self.children[name.lower()] = _Node(name=name)
        if not _SHORT.match(name.upper()) and not name.endswith(":"):
            self.short_names[self._short_name(name).lower()] = node
        return node

    def _short_name(self, name: str) -> str:
        stem, dot, extension = name.rpartition(".") if "." in name.strip(".") else (name, "", "")
        base = re.sub(r"[ .]", "", stem).upper()[:6]
        end = "." + re.sub(r"[ .]", "", extension).upper()[:3] if dot else ""
        number = 1
        while f"{base}~{number}{end}".lower() in self.short_names:
            number += 1
        return f"{base}~{number}{end}"


class FileSystem:
    """Files by path, found without regard to case and by short names too."""

    def __init__(self, variables: dict[str, str]) -> None:
        self._variables = {name.lower(): value for name, value in variables.items()}
        self._drives = _Node(name="")

    def expand(self, path: str) -> str:
        """Put the values of ``%variables%`` in; unknown ones stay as they are, as in Windows."""
        return _VARIABLE.sub(lambda match: self._variables.get(match[1].lower(), match[0]), path)

    def add(
        self,
        path: str,
        content: bytes,
        *,
        modified: datetime,
        version: str | None = None,
        clr: str | None = None,
    ) -> File:
        """Write a file; one that exists is replaced and keeps its time of creation."""
        node = self._drives
        for part in _parts(self.expand(path)):
            node = node.enter(part)
        created = node.file.created if node.file else modified
        long = self.long_path(path)
        node.file = File(path=long, content=content, created=created, modified=modified, version=version, clr=clr)
        return node.file

    def get(self, path: str) -> File | None:
        node = self._find(path)
        return None if node is None else node.file

    def long_path(self, path: str) -> str:
        """The full path with long names as far as the path exists, and as given from there on."""
        names: list[str] = []
        node: _Node | None = self._drives
        for part in _parts(self.expand(path)):
            node = None if node is None else node.find(part)
            names.append(part if node is None else node.name)
        return "\\".join(names)

    def short_path(self, path: str) -> str:
        """The same file by its short names."""
        names: list[str] = []
        node = self._drives
        for part in _parts(self.expand(path)):
            below = node.find(part)
            if below is None:
                raise KeyError(path)
            short = next((name for name, child in node.short_names.items() if child is below), below.name)
            names.append(short.upper())
            node = below
        return "\\".join(names)

    def _find(self, path: str) -> _Node | None:
        node: _Node | None = self._drives
        for part in _parts(self.expand(path)):
            node = None if node is None else node.find(part)
        return node


def _parts(path: str) -> list[str]:
    if len(path) > _MAX_LENGTH:
        return [path]
    return [part for part in path.replace("/", "\\").split("\\") if part]
