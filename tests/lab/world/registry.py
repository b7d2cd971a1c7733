# Copyright (c) 2026, the sfb.kb4023993 contributors
# GNU General Public License v3.0-or-later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The registry of one simulated server: HKEY_LOCAL_MACHINE with its two views, as Windows keeps it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from lab.world.errors import WorldError

Data = str | int | tuple[str, ...]

_HIVES = ("software", "system")
_WOW = "Wow6432Node"


@dataclass(frozen=True, kw_only=True)
class Value:
    """One value. ``data``: text, number (dword, qword), list of text (multi_string), base64 text (binary, none)."""

    name: str
    kind: str
    data: Data


@dataclass(kw_only=True)
class _Key:
    name: str
    private: bool = False
    values: dict[str, Value] = field(default_factory=dict)
    subkeys: dict[str, _Key] = field(default_factory=dict)


class Registry:
    """Keys and values, found without regard to case and kept as written.

    Paths are below HKEY_LOCAL_MACHINE. ``view`` "32" is the side that 32-bit processes see: ``SOFTWARE\\X`` is then
    ``SOFTWARE\\Wow6432Node\\X``. ``denied`` holds the paths (64-bit view) that remote accounts may not open.
    """

    def __init__(self) -> None:
        self._root = _Key(name="")
        self.denied: set[str] = set()

    def exists(self, path: str, *, view: str = "64") -> bool:
        return self._find(path, view) is not None

    def is_private(self, path: str, *, view: str = "64") -> bool:
        """Whether the key was made for administrators and the system alone."""
        key = self._find(path, view)
        return key is not None and key.private

    def read(self, path: str, name: str, *, view: str = "64") -> Value | None:
        key = self._find(path, view)
        return None if key is None else key.values.get(name.lower())

    def values(self, path: str, *, view: str = "64") -> tuple[Value, ...]:
        key = self._find(path, view)
        return () if key is None else tuple(key.values.values())

    def subkeys(self, path: str, *, view: str = "64") -> tuple[str, ...]:
        key = self._find(path, view)
        return () if key is None else tuple(child.name for child in key.subkeys.values())

    def create(self, path: str, *, view: str = "64", private: bool = False) -> None:
        """Make the key and what is missing above it. An existing key stays as it is."""
        key = self._root
        for part in self._parts(path, view):
            below = key.subkeys.get(part.lower())
            if below is None:
                below = key.subkeys[part.lower()] = _Key(name=part, private=private)
            key = below

    def write(self, path: str, name: str, kind: str, data: Data, *, view: str = "64") -> None:
        """Set one value; a value that exists keeps the spelling of its name, as in Windows."""
        self.create(path, view=view)
        key = self._find(path, view)
        assert key is not None
        known = key.values.get(name.lower())
        key.values[name.lower()] = Value(name=known.name if known else name, kind=kind, data=data)

    def remove(self, path: str, name: str, *, view: str = "64") -> None:
        key = self._find(path, view)
        if key is not None:
            key.values.pop(name.lower(), None)

    def prune(self, path: str, *, view: str = "64") -> bool:
        """Delete the key if nothing is in it; tells whether it did."""
        parts = self._parts(path, view)
        key = self._find(path, view)
        parent = self._walk(parts[:-1])
        if key is None or parent is None or key.values or key.subkeys:
            return False
        del parent.subkeys[parts[-1].lower()]
        return True

    def check_access(self, path: str, *, view: str = "64") -> None:
        """:raises WorldError: ``denied`` below a path that remote accounts may not open; ``invalid`` for other hives."""
        asked = "\\".join(self._parts(path, view)).lower()
        for denied in self.denied:
            if (asked + "\\").startswith(denied.lower().rstrip("\\") + "\\"):
                raise WorldError("denied", f"Requested registry access is not allowed: {path}")

    def dump(self) -> dict[str, dict[str, tuple[str, Data]]]:
        """Everything, to compare before with after: full path of each key to its values by name."""
        return {path: {v.name: (v.kind, v.data) for v in key.values.values()} for path, key in self._all(self._root)}

    def _all(self, key: _Key, above: str = "") -> Iterator[tuple[str, _Key]]:
        for child in key.subkeys.values():
            path = f"{above}\\{child.name}" if above else child.name
            yield path, child
            yield from self._all(child, path)

    def _find(self, path: str, view: str) -> _Key | None:
        return self._walk(self._parts(path, view))

    def _walk(self, parts: Sequence[str]) -> _Key | None:
        key = self._root
        for part in parts:
            below = key.subkeys.get(part.lower())
            if below is None:
                return None
            key = below
        return key

    def _parts(self, path: str, view: str) -> list[str]:
        parts = path.strip("\\").split("\\")
        if parts[0].lower() not in _HIVES or not all(parts):
            raise WorldError("invalid", f"Not a path below SOFTWARE or SYSTEM: {path}")
        redirected = len(parts) > 1 and parts[1].lower() == _WOW.lower()
        if view == "32" and parts[0].lower() == "software" and not redirected:
            parts.insert(1, _WOW)
        return parts
