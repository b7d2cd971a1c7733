# Copyright (c) 2026, the sfb.kb4023993 contributors
# GNU General Public License v3.0-or-later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The registry of one simulated server: HKEY_LOCAL_MACHINE with its two views, as Windows keeps it."""

from __future__ import annotations

import base64
import re
import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from lab.convert import fold, utf16_length
from lab.world.errors import WorldError

Data = str | int | tuple[str, ...]

_ASKED = re.compile(r"(?i)(SOFTWARE|SYSTEM)\\[^\\]")
_WOW = "Wow6432Node"
_MAX_KEY_NAME, _MAX_VALUE_NAME = 255, 16383
_KINDS = {0: "none", 1: "string", 2: "expand_string", 3: "binary", 4: "dword", 7: "multi_string", 11: "qword"}
_BIG_ENDIAN = 5
_NUMBERS = {"dword": {4: "<I", 8: "<Q"}, "qword": {4: "<I", 8: "<Q"}}


@dataclass(frozen=True, kw_only=True)
class Value:
    """One value. ``data``: text, number (dword, qword), list of text (multi_string), base64 text (binary, none, unknown)."""

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
        return None if key is None else key.values.get(fold(name))

    def values(self, path: str, *, view: str = "64") -> tuple[Value, ...]:
        key = self._find(path, view)
        return () if key is None else tuple(key.values.values())

    def subkeys(self, path: str, *, view: str = "64") -> tuple[str, ...]:
        """In the order of their names, as Windows happens to keep them (it promises none)."""
        key = self._find(path, view)
        return () if key is None else tuple(key.subkeys[name].name for name in sorted(key.subkeys))

    def create(self, path: str, *, view: str = "64", private: bool = False) -> None:
        """Make the key and what is missing above it. An existing key stays as it is; those above are never private."""
        key = self._root
        parts = self._parts(path, view)
        for depth, part in enumerate(parts, start=1):
            below = key.subkeys.get(fold(part))
            if below is None:
                below = key.subkeys[fold(part)] = _Key(name=part, private=private and depth == len(parts))
            key = below

    def write(self, path: str, name: str, kind: str, data: Data, *, view: str = "64") -> None:
        """Set one value; a value that exists keeps the spelling of its name, as in Windows.

        :raises WorldError: ``invalid`` for a name that is too long; the key has been made then.
        """
        self.create(path, view=view)
        key = self._find(path, view)
        assert key is not None
        if utf16_length(name) > _MAX_VALUE_NAME:
            raise WorldError(
                "invalid", f"Registry value names should not be greater than {_MAX_VALUE_NAME} characters."
            )
        known = key.values.get(fold(name))
        key.values[fold(name)] = Value(name=known.name if known else name, kind=kind, data=data)

    def store(self, path: str, name: str, number: int, data: bytes) -> None:
        """Set one value of any type and length, by the type's number in Windows, as only other programs do it."""
        kind, read = as_read(number, data)
        self.write(path, name, kind, read)

    def remove(self, path: str, name: str, *, view: str = "64") -> None:
        key = self._find(path, view)
        if key is not None:
            key.values.pop(fold(name), None)

    def prune(self, path: str, *, view: str = "64") -> bool:
        """Delete the key if nothing is in it; tells whether it did."""
        parts = self._parts(path, view)
        key = self._find(path, view)
        parent = self._walk(parts[:-1])
        if key is None or parent is None or key.values or key.subkeys:
            return False
        del parent.subkeys[fold(parts[-1])]
        return True

    def check_access(self, path: str, *, view: str = "64") -> None:
        """What an operation may ask for.

        :raises WorldError: ``denied`` below a path that remote accounts may not open; ``invalid`` for other hives and for
            names that are too long.
        """
        if not _ASKED.match(path):
            raise WorldError("invalid", f"Not a path below SOFTWARE or SYSTEM: {path}")
        parts = self._parts(path, view)
        if max(map(utf16_length, parts)) > _MAX_KEY_NAME:
            raise WorldError("invalid", f"Registry key names should not be greater than {_MAX_KEY_NAME} characters.")
        asked = fold("\\".join(parts))
        for denied in self.denied:
            if (asked + "\\").startswith(fold(denied).rstrip("\\") + "\\"):
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
            below = key.subkeys.get(fold(part))
            if below is None:
                return None
            key = below
        return key

    def _parts(self, path: str, view: str) -> list[str]:
        # .NET takes several backslashes for one, and one at the end for none.
        parts = [part for part in path.split("\\") if part]
        if view == "32" and len(parts) > 1 and fold(parts[0]) == "SOFTWARE":
            parts.insert(1, _WOW)
        return parts


def as_read(number: int, data: bytes) -> tuple[str, Data]:
    """Kind and data of a stored value as .NET (Core) hands them out and the replies have them.

    Of kinds that it does not know it gives no data. A number whose length is not that of its kind is read by its length, or as bytes.
    .NET Framework reads short numbers instead; no program writes such values.
    """
    kind = _KINDS.get(number, "unknown")
    if kind in ("string", "expand_string"):
        text = _text(data)
        return kind, text.removesuffix("\0")
    if kind == "multi_string":
        return kind, _texts(_text(data))
    layout = _NUMBERS.get(kind, {}).get(len(data))
    if layout:
        unpacked: int = struct.unpack(layout, data)[0]
        return kind, unpacked
    known = kind != "unknown" or number == _BIG_ENDIAN
    return kind, base64.b64encode(data).decode("ascii") if known else ""


def _text(data: bytes) -> str:
    padded = data + b"\0" if len(data) % 2 else data
    return padded.decode("utf-16-le", "surrogatepass")


def _texts(text: str) -> tuple[str, ...]:
    """Each text ends with a zero; the last zero may be missing, or end the list."""
    whole = text if text.endswith("\0") or not text else text + "\0"
    items = whole.split("\0")[:-1]
    return tuple(items[:-1] if items and not items[-1] else items)
