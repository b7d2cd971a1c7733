# Copyright (c) 2026, the sfb.kb4023993 contributors
# GNU General Public License v3.0-or-later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Puts registry values of any name, type and length into a Wine prefix."""

from __future__ import annotations

import struct
import subprocess
import tempfile
from functools import cache
from pathlib import Path

from wine.prefix import Prefix, WineError
from wine.registry_file import Keys

_SOURCE = Path(__file__).with_name("registry.c")
_PROGRAM, _RECORDS = r"C:\contract-registry.exe", r"C:\contract-registry.bin"


def write(prefix: Prefix, keys: Keys) -> None:
    """Write all values; missing keys are created.

    :raises WineError: if one could not be written.
    """
    if not prefix.path(_PROGRAM).exists():
        prefix.write(_PROGRAM, _program())
    prefix.write(
        _RECORDS,
        b"".join(
            _key(path) + b"".join(_value(n, v.kind, v.data) for n, v in values.items()) for path, values in keys.items()
        ),
    )
    ran = prefix.wine(_PROGRAM, _RECORDS)
    if ran.code:
        raise WineError(f"The registry took not all values: error {ran.code}")


def _text(data: bytes) -> bytes:
    return struct.pack("<I", len(data)) + data


def _name(name: str) -> bytes:
    return _text(name.encode("utf-16-le", "surrogatepass"))


def _key(path: str) -> bytes:
    return b"K" + _name(path)


def _value(name: str, kind: int, data: bytes) -> bytes:
    return b"V" + _name(name) + struct.pack("<I", kind) + _text(data)


@cache
def _program() -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        program = Path(folder, "registry.exe")
        words = ("x86_64-w64-mingw32-gcc", "-municode", "-s", "-Wall", "-Wextra", "-Werror", "-o", str(program))
        subprocess.run([*words, str(_SOURCE), "-ladvapi32"], check=True, capture_output=True)
        return program.read_bytes()
