# Copyright (c) 2026, the sfb.kb4023993 contributors
# GNU General Public License v3.0-or-later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The files of one simulated server, with short (8.3) names as NTFS makes them."""

from __future__ import annotations

import ntpath
import re
from dataclasses import dataclass, field
from datetime import datetime

from lab.world.errors import WorldError

_VARIABLE = re.compile(r"%([^%]+)%")
_WORKING_FOLDER = r"C:\Windows\system32"
_SHORT = re.compile(r"[A-Z0-9_$~!#%&'()@^`{}-]{1,8}(\.[A-Z0-9_$~-]{1,3})?\Z")


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
        """Put the values of ``%variables%`` in; unknown ones stay as they are, as in Windows. It ends at a zero character."""
        whole = path.partition("\0")[0]
        return _VARIABLE.sub(lambda match: self._variables.get(match[1].lower(), match[0]), whole)

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
        node, names = self._drives, []
        root, below = _split(self.expand(path))
        for part in (root, *below):
            node = node.enter(part)
            names.append(node.name)
        node.file = File(
            path="\\".join(names),
            content=content,
            created=node.file.created if node.file else modified,
            modified=modified,
            version=version,
            clr=clr,
        )
        return node.file

    def add_folder(self, path: str) -> None:
        node = self._drives
        root, names = _split(self.expand(path))
        for part in (root, *names):
            node = node.enter(part)

    def get(self, path: str) -> File | None:
        node = self._find(path)
        return None if node is None else node.file

    def long_path(self, path: str) -> str:
        """The full path as .NET makes it of ``path``: variables, ``.`` and ``..``, slashes, and short names where they are known.

        Letters keep their case, also where the names on disk have another one.

        :raises WorldError: ``invalid`` for a path without anything in it.
        """
        full = _full(self.expand(path))
        root, names = _split(full)
        node: _Node | None = self._drives.find(root)
        found = [root]
        for name in names:
            node = None if node is None else node.find(name)
            found.append(node.name if node is not None and name.lower() != node.name.lower() else name)
        return "\\".join(found)

    def short_path(self, path: str) -> str:
        """The same file by its short names."""
        short_names: list[str] = []
        node = self._drives
        root, names = _split(self.expand(path))
        for part in (root, *names):
            below = node.find(part)
            if below is None:
                raise KeyError(path)
            short = next((name for name, child in node.short_names.items() if child is below), below.name)
            short_names.append(short.upper())
            node = below
        return "\\".join(short_names)

    def _find(self, path: str) -> _Node | None:
        root, names = _split(self.expand(path))
        node: _Node | None = self._drives.find(root)
        for name in names:
            node = None if node is None else node.find(name)
        return node


def _full(path: str) -> str:
    if not path.strip():
        raise WorldError("invalid", "The path is not of a legal form.")
    whole = path.replace("/", "\\")
    if not ntpath.splitdrive(whole)[0]:
        whole = f"{_WORKING_FOLDER}\\{whole}"
    end = "\\" if whole.endswith("\\") else ""
    # Windows takes blanks and dots from the end of a path.
    return ntpath.normpath(whole if end else whole.rstrip(" .") or whole).rstrip("\\") + end


def _split(path: str) -> tuple[str, list[str]]:
    """The drive or share, and the names below it; an empty last one for a path that ends with a backslash."""
    drive, rest = ntpath.splitdrive(path.replace("/", "\\"))
    return drive, rest.split("\\")[1:]
