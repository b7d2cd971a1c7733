# Copyright (c) 2026, the sfb.kb4023993 contributors
# GNU General Public License v3.0-or-later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Files on the controller: the state directory, and writing in one step.

The state directory holds evidence, plans and reports::

    evidence/HOST.json     newest evidence of each host
    changing.json          the run that changes servers now (run_lock.py)
    runs/RUN/              plan.json, report.json, report.txt, and the outcome of each host's actions of one run
"""

from __future__ import annotations

import datetime
import hashlib
import os
import pathlib
import re
import secrets
import shutil
import tempfile
import typing as t
import urllib.parse

_TEMPORARY: t.Final = "sfb_kb4023993-"
# A file name has 255 bytes, and something follows.
_LONGEST: t.Final = 180
_RUN_ID: t.Final = re.compile(r"\d{8}T\d{6}Z-[0-9a-f]{6}\Z", re.ASCII)


class StateError(ValueError):
    """The state directory cannot be used; the text says why and what to do."""


def new_run_id(now: datetime.datetime) -> str:
    """A name for one run that sorts by time: ``20260131T235959Z-1a2b3c``."""
    return f"{now.astimezone(datetime.timezone.utc):%Y%m%dT%H%M%SZ}-{secrets.token_hex(3)}"


def began(run_id: str) -> datetime.datetime:
    """When a run of :func:`new_run_id` began, to the second."""
    return datetime.datetime.strptime(run_id[:16], "%Y%m%dT%H%M%SZ").replace(tzinfo=datetime.timezone.utc)


def default_state_directory() -> pathlib.Path:
    """Where state is kept when nobody says: below the user's own state directory (XDG)."""
    base = os.environ.get("XDG_STATE_HOME") or str(pathlib.Path.home() / ".local" / "state")
    return pathlib.Path(base) / "sfb_kb4023993"


def evidence_directory(state_dir: str) -> pathlib.Path:
    """The directory of the newest evidence of each host."""
    return pathlib.Path(state_dir) / "evidence"


def run_directory(state_dir: str, run_id: str) -> pathlib.Path:
    """The directory of one run.

    :raises StateError: ``run_id`` is not one of ours (it becomes part of a path).
    """
    try:
        if not _RUN_ID.match(run_id):
            raise ValueError
        began(run_id)
    except ValueError:
        raise StateError(f"The run id {run_id[:60]!r} is not of the form 20260131T235959Z-1a2b3c.") from None
    return pathlib.Path(state_dir) / "runs" / run_id


def check_state_directory(path: pathlib.Path) -> None:
    """Create the directory for its owner alone and prove that a file can be written.

    :raises StateError: when it cannot be used.
    """
    try:
        _make_private(path)
        with tempfile.TemporaryFile(dir=path):
            pass
    except OSError as error:
        raise StateError(
            f"The state directory {path} cannot be written: {error.strerror}. "
            "Set sfb_kb4023993_state_dir to a directory that this account may write."
        ) from None


def temporary_state_directory() -> pathlib.Path:
    """A state directory that ends with the run."""
    return pathlib.Path(tempfile.mkdtemp(prefix=_TEMPORARY))


def remove_temporary(path: pathlib.Path) -> None:
    """Remove a directory that :func:`temporary_state_directory` made; any other is left alone."""
    if path.name.startswith(_TEMPORARY) and path.parent == pathlib.Path(tempfile.gettempdir()):
        shutil.rmtree(path)


def file_name(name: str, suffix: str = ".json") -> str:
    """A safe file name for any inventory name, one to one, never a path and never hidden."""
    quoted = urllib.parse.quote(name, safe="", errors="surrogatepass") or "%"
    if len(quoted) > _LONGEST:
        quoted = f"{quoted[:_LONGEST]}-{hashlib.sha256(name.encode('utf-8', 'surrogatepass')).hexdigest()[:16]}"
    return (f"%2E{quoted[1:]}" if quoted.startswith(".") else quoted) + suffix


def read_text(path: pathlib.Path, *, limit: int, what: str) -> str:
    """A file that somebody named, as text of at most ``limit`` bytes.

    :param what: what it should be, for the error: ``the file of waivers``.
    :raises StateError: it cannot be read, is too large or no text.
    """
    try:
        with path.open("rb") as stream:
            data = stream.read(limit + 1)
        if len(data) > limit:
            raise StateError(f"{path} is too large for {what}: more than {limit // 1024} KiB.")
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise StateError(f"{path} is not {what}: it is not text in UTF-8.") from None
    except (OSError, ValueError) as error:
        if isinstance(error, StateError):
            raise
        reason = error.strerror if isinstance(error, OSError) else "the name is not one of a file"
        raise StateError(f"{path}, {what}, cannot be read: {reason}.") from None


def write_private(path: pathlib.Path, content: str | bytes) -> None:
    """Replace a file in one step, mode 0600; a reader sees the old content or the new one, never half of it. Texts become UTF-8.

    :raises StateError: when it cannot be written (disk full, read-only); the old file is still whole then.
    """
    try:
        _make_private(path.parent)
        handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=".new-", suffix=".tmp")
        try:
            with os.fdopen(handle, "wb") as stream:
                stream.write(content if isinstance(content, bytes) else content.encode("utf-8"))
            pathlib.Path(temporary).replace(path)
        except BaseException:
            pathlib.Path(temporary).unlink(missing_ok=True)
            raise
    except OSError as error:
        raise StateError(f"{path} cannot be written: {error.strerror}. Make room or change the directory.") from None


def write_files(directory: str, texts: t.Mapping[str, str]) -> list[str]:
    """Write files of these names as :func:`write_private` does, nothing where no directory is named. Returns their paths."""
    if not directory:
        return []
    paths = {pathlib.Path(directory).expanduser() / name: text for name, text in texts.items()}
    for path, text in paths.items():
        write_private(path, text)
    return [str(path) for path in paths]


def _make_private(directory: pathlib.Path) -> None:
    """Create a directory and its missing parents for their owner alone; existing ones keep their mode."""
    for missing in reversed([p for p in (directory, *directory.parents) if not p.exists()]):
        missing.mkdir(mode=0o700, exist_ok=True)
