# Copyright (c) 2026, the sfb.kb4023993 contributors
# GNU General Public License v3.0-or-later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Registry files (.reg): written for Wine's reg.exe to import, and read from what it exports.

A value is kept as its kind and its bytes, so that odd ones (wrong kinds, unknown kinds, missing zeros) can be told apart.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

NONE, STRING, EXPAND_STRING, BINARY, DWORD, MULTI_STRING, QWORD = 0, 1, 2, 3, 4, 7, 11
"""Numbers of the kinds (REG_NONE to REG_QWORD)."""

_HEADING = "Windows Registry Editor Version 5.00"
_MACHINE = "HKEY_LOCAL_MACHINE\\"
_NAMED = re.compile(r'(@|"(?:[^"\\]|\\.)*")=(.*)\Z', re.DOTALL)
_SPECIAL = re.compile(r'[\\"\r\n]')
# As Wine's reg.exe writes and reads them; Windows' own does not know those of line ends.
_ESCAPES = {"\\": "\\\\", '"': '\\"', "\r": "\\r", "\n": "\\n"}
_LETTERS = {escaped: letter for letter, escaped in _ESCAPES.items()}
_HEX = re.compile(r"hex(?:\(([0-9a-f]+)\))?:(.*)\Z", re.DOTALL)


@dataclass(frozen=True, kw_only=True)
class Raw:
    """One value as the registry holds it. Equality is of kind and bytes."""

    kind: int
    data: bytes

    @property
    def number(self) -> int:
        """Of a number, unsigned."""
        return int.from_bytes(self.data, "little")


Keys = Mapping[str, Mapping[str, Raw]]
"""Values by the path of their key below HKEY_LOCAL_MACHINE and by name; the default value has the empty name."""


def dword(number: int) -> Raw:
    return Raw(kind=DWORD, data=number.to_bytes(4, "little"))


def qword(number: int) -> Raw:
    return Raw(kind=QWORD, data=number.to_bytes(8, "little"))


def string(text: str, *, kind: int = STRING) -> Raw:
    """A string, or with ``kind`` an expand_string."""
    return Raw(kind=kind, data=(text + "\0").encode("utf-16-le"))


def multi_string(*texts: str) -> Raw:
    return Raw(kind=MULTI_STRING, data="".join(f"{text}\0" for text in (*texts, "")).encode("utf-16-le"))


def binary(data: bytes) -> Raw:
    return Raw(kind=BINARY, data=data)


def write(keys: Keys) -> bytes:
    """A .reg file. A key without values is created; nothing is ever deleted."""
    lines = [_HEADING]
    for path, values in keys.items():
        lines += ["", f"[{_MACHINE}{path}]"]
        for name, value in values.items():
            quoted = "@" if name == "" else f'"{_SPECIAL.sub(lambda match: _ESCAPES[match[0]], name)}"'
            lines.append(f"{quoted}=hex({value.kind:x}):{value.data.hex(',')}")
    return "\ufeff".encode("utf-16-le") + "\r\n".join([*lines, "", ""]).encode("utf-16-le")


def read(content: bytes) -> dict[str, dict[str, Raw]]:
    """The keys of a .reg file.

    :raises ValueError: if a line is not understood.
    """
    text = content.decode("utf-16").replace("\r\n", "\n").replace("\\\n", "")
    if not text.startswith(_HEADING):
        raise ValueError(f"This is not a registry file: {text[:60]!r}")
    keys: dict[str, dict[str, Raw]] = {}
    values: dict[str, Raw] = {}
    for line in re.split(r"\n(?=\[|@|\"|\n|\Z)", text.removeprefix(_HEADING)):
        line = line.strip("\n")
        if line.startswith(f"[{_MACHINE}") and line.endswith("]"):
            values = keys.setdefault(line[1 + len(_MACHINE) : -1], {})
        elif line:
            name, value = _read_line(line)
            values[name] = value
    return keys


def _read_line(line: str) -> tuple[str, Raw]:
    named = _NAMED.match(line)
    if not named:
        raise ValueError(f"This line of a registry file is not understood: {line!r}")
    name = "" if named[1] == "@" else _unquoted(named[1])
    return name, _read_value(named[2])


def _read_value(text: str) -> Raw:
    if text.startswith('"'):
        return string(_unquoted(text))
    if text.startswith("dword:"):
        return dword(int(text.removeprefix("dword:"), 16))
    match = _HEX.match(text)
    if not match:
        raise ValueError(f"This value of a registry file is not understood: {text!r}")
    data = bytes.fromhex(re.sub(r"[,\s]", "", match[2]))
    return Raw(kind=BINARY if match[1] is None else int(match[1], 16), data=data)


def _unquoted(text: str) -> str:
    return re.sub(r"\\[\\\"rn]", lambda match: _LETTERS[match[0]], text[1:-1])
