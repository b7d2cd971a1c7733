# Copyright (c) 2026, the sfb.kb4023993 contributors
# GNU General Public License v3.0-or-later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Keeps runs that change servers apart where they share a state directory: two at once could restart two members of a pool at once.
Runs with different state directories are kept apart by what they write on the servers (``claims.py``).

The file ``changing.json`` in the state directory names the ansible-playbook that is at work; its modification time is the last sign of life
of that. Runs that die leave it. On the same controller the process is looked for, so the next run goes on at once; of another controller,
or another container, only the time tells.
"""

from __future__ import annotations

import contextlib
import dataclasses
import fcntl
import json
import os
import pathlib
import socket
import time
import typing as t

from .codec import CodecError, decode, encode
from .files import StateError, run_directory

SILENT_SECONDS: t.Final = 7200
"""So long after its last sign of life a run on another controller counts as dead: no step of a run takes longer with the default limits."""
_FILE: t.Final = "changing.json"
_LARGEST: t.Final = 10_000


@dataclasses.dataclass(frozen=True, kw_only=True)
class Holder:
    """An ansible-playbook at work. ``started``: of the process, in the kernel's own count; empty where that is not told."""

    controller: str
    process: int
    started: str
    run_id: str


def hold(state_dir: str, run_id: str, *, process: int) -> Holder | None:
    """Take the lock for a process, or keep it; gives the dead run that had it, if one had.

    :param process: the ansible-playbook; its workers act for it.
    :raises StateError: another run is at work, or the file cannot be used.
    """
    own = Holder(controller=socket.gethostname(), process=process, started=_started(process) or "", run_id=run_id)
    with _opened(state_dir) as file:
        found = _read(file)
        if found is not None and not _same(found, own):
            silent = time.time() - os.fstat(file.fileno()).st_mtime
            if _alive(found, own.controller, silent):
                raise StateError(_refusal(found, own.controller, silent, pathlib.Path(state_dir) / _FILE))
        file.seek(0)
        file.truncate()
        json.dump(encode(own), file)
        file.flush()
    return found if found is not None and not _same(found, own) else None


def sign_of_life(state_dir: str) -> None:
    """Say that the run which holds the lock is still at work."""
    with contextlib.suppress(OSError):
        os.utime(pathlib.Path(state_dir) / _FILE)


def release(state_dir: str, *, process: int) -> None:
    """Give the lock back; nothing happens where another run, or none, has it, or where the file cannot be used: it ends with the process."""
    if not (pathlib.Path(state_dir) / _FILE).exists():
        return
    own = Holder(controller=socket.gethostname(), process=process, started=_started(process) or "", run_id="")
    with contextlib.suppress(StateError), _opened(state_dir) as file:
        found = _read(file)
        if found is not None and _same(found, own):
            file.truncate(0)


def has_ended(state_dir: str, run_id: str, *, process: int) -> bool:
    """Whether a run of this state directory is known not to change servers any more; False for a run of another one.

    :param process: the ansible-playbook that asks; of its own plays, one has ended before the next begins.
    """
    try:
        known = run_directory(state_dir, run_id).is_dir()
    except StateError:
        return False
    if not known or not (pathlib.Path(state_dir) / _FILE).exists():
        return known
    own = Holder(controller=socket.gethostname(), process=process, started=_started(process) or "", run_id="")
    with contextlib.suppress(StateError), _opened(state_dir) as file:
        found = _read(file)
        if found is None or _same(found, own):
            return True
        silent = time.time() - os.fstat(file.fileno()).st_mtime
        return found.run_id != run_id or not _alive(found, own.controller, silent)
    return False


@contextlib.contextmanager
def _opened(state_dir: str) -> t.Iterator[t.TextIO]:
    """The file, while nobody else has it."""
    path = pathlib.Path(state_dir) / _FILE
    try:
        # Never replaced or removed: who waits for it would then wait for another file than the next one who comes.
        handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600)
        with os.fdopen(handle, "r+", encoding="utf-8") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            yield file
    except OSError as error:
        raise StateError(f"{path} cannot be used: {error.strerror}. Check its owner, its mode and the disk.") from None


def _read(file: t.TextIO) -> Holder | None:
    try:
        text = file.read(_LARGEST)
        return decode(Holder, json.loads(text)) if text else None
    except (ValueError, RecursionError, CodecError):
        # Cut by a full disk, or not ours: whose it was can not be told, so nobody has it.
        return None


def _same(one: Holder, other: Holder) -> bool:
    return (one.controller, one.process, one.started) == (other.controller, other.process, other.started)


def _alive(holder: Holder, controller: str, silent: float) -> bool:
    if holder.controller == controller:
        started = _started(holder.process)
        return started is not None and started == holder.started
    return silent < SILENT_SECONDS


def _started(process: int) -> str | None:
    """When a process started, in ticks since the start of the system; empty where that is not told, None where there is no such process."""
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return None
    except (OSError, OverflowError):
        pass
    try:
        # After the name in parentheses, which may hold anything, comes field 3.
        return pathlib.Path(f"/proc/{process}/stat").read_text("ascii", errors="replace").rpartition(")")[2].split()[19]
    except (OSError, IndexError):
        return ""


def _refusal(holder: Holder, controller: str, silent: float, path: pathlib.Path) -> str:
    text = f"Another run, {holder.run_id[:60]}, is changing servers with this state directory"
    if holder.controller == controller:
        return f"{text} (process {holder.process}). Nothing was done. Wait until it has ended, then run again."
    minutes = int(max(silent, 0) // 60)
    return (
        f"{text} from {holder.controller[:100]!r}; its last sign of life was {minutes} minutes ago. Nothing was done. Wait until it has ended, "
        f"then run again. If it is dead, remove {path}, or wait: after {SILENT_SECONDS // 60} minutes it counts as dead."
    )
