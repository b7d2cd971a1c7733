# Copyright (c) 2026, the sfb.kb4023993 contributors
# GNU General Public License v3.0-or-later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a target is, and what no input may make a reader do."""

from __future__ import annotations

import contextlib
import dataclasses
import os
import sys
import tempfile
import typing as t
from pathlib import Path

# Where targets may write: one folder a process, gone with it.
SCRATCH: t.Final = tempfile.TemporaryDirectory(prefix="sfb-fuzz-")


@dataclasses.dataclass(frozen=True, kw_only=True)
class Target:
    """One reader under test.

    ``read`` gives the bytes to the reader and asserts what has to be true of what comes out; ``refusals`` are the reader's own,
    documented errors: anything else that is raised is a fault. ``seeds`` are inputs that are good, made by the builders of the tests.
    ``words`` are pieces that inputs are made of. ``longest``: of inputs that libFuzzer makes. ``stretched``: how long the inputs are that
    repeat one piece again and again, which is where time that grows faster than the input shows; 0 where the reader takes no long input.
    """

    read: t.Callable[[bytes], None]
    seeds: t.Callable[[], t.Iterable[bytes]]
    refusals: tuple[type[Exception], ...] = ()
    words: tuple[bytes, ...] = ()
    longest: int = 4096
    stretched: int = 1_000_000


class ForbiddenError(Exception):
    """An input made its reader evaluate something, start something, connect to something, or write where nothing of it belongs."""


# Events of Python's audit hooks, by what they would mean here.
_NEVER: t.Final = {
    "os.system": "started a command",
    "os.exec": "started a program",
    "os.fork": "started a process",
    "os.posix_spawn": "started a program",
    "subprocess.Popen": "started a program",
    "socket.connect": "opened a connection",
    "socket.bind": "opened a port",
    "socket.getaddrinfo": "looked a name up",
    "pickle.find_class": "unpickled an object",
    "ctypes.dlopen": "loaded a library",
}
_CHANGES_FILES: t.Final = frozenset(
    {
        "os.mkdir",
        "os.rename",
        "os.remove",
        "os.rmdir",
        "os.link",
        "os.symlink",
        "os.truncate",
        "os.chmod",
        "shutil.rmtree",
    }
)
_WRITES: t.Final = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND


class _Guard:
    """Python itself says what is evaluated, started and opened; nothing that a reader swallows is lost."""

    def __init__(self) -> None:
        self.active = False
        self.seen: list[str] = []
        self._scratch = os.path.realpath(SCRATCH.name) + os.sep

    def __call__(self, event: str, arguments: tuple[t.Any, ...]) -> None:
        if not self.active:
            return
        if event == "compile":
            # A module that is imported late is compiled from its file; a text is compiled from "<string>" or the like.
            name = arguments[1]
            if not isinstance(name, (str, bytes)) or os.fsdecode(name).startswith("<"):
                self.seen.append(f"evaluated {arguments[0]!r}"[:300])
        elif event in _NEVER:
            self.seen.append(f"{_NEVER[event]}: {arguments!r}"[:300])
        elif event == "open":
            path, _mode, flags = arguments
            if isinstance(flags, int) and flags & _WRITES and not self._is_scratch(path):
                self.seen.append(f"opened {path!r} for writing"[:300])
        elif event in _CHANGES_FILES and not self._is_scratch(arguments[0]):
            self.seen.append(f"{event} of {arguments[0]!r}"[:300])

    def _is_scratch(self, path: t.Any) -> bool:
        if not isinstance(path, (str, bytes, os.PathLike)):
            return True  # a file that is open already
        return os.path.realpath(os.fsdecode(path)).startswith(self._scratch)


_GUARD: t.Final = _Guard()


def install_guard() -> None:
    """From now on :func:`run_one` notices what no reader may do. It cannot be taken back."""
    sys.addaudithook(_GUARD)


def run_one(target: Target, data: bytes) -> None:
    """Give one input to a target.

    :raises ForbiddenError: it made the reader do what no input may.
    :raises Exception: anything that is not the reader's own error.
    """
    _GUARD.seen.clear()
    _GUARD.active = True
    try:
        with contextlib.suppress(*target.refusals):
            target.read(data)
    finally:
        _GUARD.active = False
    if _GUARD.seen:
        raise ForbiddenError("; ".join(_GUARD.seen))


def check_words(text: str) -> None:
    """What people are told is fit for a terminal and a report, and has an end."""
    assert text.isprintable(), text
    assert len(text) < 4000, len(text)


def scratch_file(name: str, data: bytes) -> Path:
    """A file in the scratch folder with this content."""
    path = Path(SCRATCH.name) / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    return path


# What reads one byte, or opens one level, in one of the languages that are read here.
_PIECES: t.Final = (
    *(
        b" ",
        b"\n",
        b"\t",
        b"\r\n",
        b"\0",
        b"0",
        b"9",
        b"A",
        b"=",
        b"-",
        b"&",
        b"&#",
        b"\\",
        b'"',
        b"'",
        b";",
        b",",
        b"%",
        b"\xff",
    ),
    *(b"[", b"{", b"<", b"<a>", b"<!--", b'{"a":', b"[0,", b"- ", b"(", b"{{", b"0\x80", b"\x30\x84\x00\x0f"),
)


def stretched(target: Target, seeds: t.Sequence[bytes], length: int) -> t.Iterator[tuple[str, bytes]]:
    """Long inputs, and how each is made: one piece again and again, alone and in the middle of what is good otherwise."""
    length = min(length, target.stretched)
    if not length:
        return
    for piece in dict.fromkeys((*_PIECES, *target.words)):
        long = piece * (length // len(piece))
        yield f"{length // len(piece)} x {piece!r}", long
        for index, seed in enumerate(seeds[:2]):
            for part in (1, 2, 3):
                at = len(seed) * part // 4
                yield f"seed {index} with {length // len(piece)} x {piece!r} at byte {at}", seed[:at] + long + seed[at:]
