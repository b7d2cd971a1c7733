# Copyright (c) 2026, the sfb.kb4023993 contributors
# GNU General Public License v3.0-or-later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Windows programs for a prefix, built by mingw-w64: a service, and files with a version resource."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from functools import cache
from pathlib import Path

_COMPILER = "x86_64-w64-mingw32-gcc"
_RESOURCES = "x86_64-w64-mingw32-windres"
_SERVICE = Path(__file__).with_name("service.c")
_VERSION = """
1 VERSIONINFO
FILEVERSION {numbers}
BEGIN
    BLOCK "StringFileInfo"
    BEGIN
        BLOCK "040904b0"
        BEGIN
            VALUE "FileVersion", "{text}"
        END
    END
    BLOCK "VarFileInfo"
    BEGIN
        VALUE "Translation", 0x409, 1200
    END
END
"""


def missing() -> str | None:
    """What this machine lacks for building programs, as a sentence; None when it has everything."""
    if not shutil.which(_COMPILER) or not shutil.which(_RESOURCES):
        return "mingw-w64 is not installed: sudo apt-get install --no-install-recommends gcc-mingw-w64-x86-64-win32"
    return None


@cache
def service_program(version: str) -> bytes:
    """A service that starts and stops as its registry key says (service.c)."""
    return _build(version, "-O1", str(_SERVICE), "-ladvapi32")


def library(content: bytes, version: str) -> bytes:
    """A library that holds these bytes, at an even offset, and does nothing."""
    with tempfile.TemporaryDirectory() as folder:
        source, held = Path(folder, "content.s"), Path(folder, "content.bin")
        held.write_bytes(content)
        source.write_text(f'.section .rdata\n.balign 16\n.incbin "{held}"\n', "utf-8")
        built = _build(version, "-shared", "-nostdlib", "-Wl,--entry=0", str(source))
    assert content in built
    assert built.find(content) % 2 == 0
    return built


def _build(version: str, *words: str) -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        text, resource, program = Path(folder, "version.rc"), Path(folder, "version.o"), Path(folder, "program.exe")
        text.write_text(_VERSION.format(numbers=version.replace(".", ","), text=version), "ascii")
        _run(_RESOURCES, str(text), str(resource))
        _run(_COMPILER, "-s", "-Wall", "-Wextra", "-Werror", "-o", str(program), *words, str(resource))
        return program.read_bytes()


def _run(*words: str) -> None:
    done = subprocess.run(words, stdin=subprocess.DEVNULL, capture_output=True, encoding="utf-8", check=False)
    if done.returncode:
        raise RuntimeError(f"{' '.join(words)} ended with {done.returncode}:\n{done.stderr}")
