# Copyright (c) 2026, the sfb.kb4023993 contributors
# GNU General Public License v3.0-or-later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What others keep for a run: waivers, and judgements of earlier runs in state directories and report files. Reads files only."""

from __future__ import annotations

import json
import pathlib
import typing as t

from .codec import CodecError, decode
from .compare import Comparison, compare, covers
from .files import StateError, read_text, run_directory
from .findings import Judgement, Waiver
from .report.document import Report
from .run import Run, RunError
from .waivers import MAX_BYTES, parse_waivers

_MAX_REPORT: t.Final = 256 * 1024 * 1024
# Runs that are looked at for one over the same hosts; many in between may have been of single hosts.
_MOST_RUNS: t.Final = 50


def since_last_run(state_dir: str, judgement: Judgement) -> Comparison | None:
    """What changed since the last run over the same hosts; None without one."""
    earlier = run_before(state_dir, judgement)
    return compare(earlier, judgement, in_run_only=True) if earlier else None


def run_before(state_dir: str, judgement: Judgement) -> Judgement | None:
    """The last run before a judgement that read the same hosts; None without one. Runs that cannot be read do not count."""
    for run in _runs(state_dir):
        if run.run_id >= judgement.run_id:
            continue
        try:
            found = run.latest_judgement()
        except RunError:
            # Of another version, or damaged: it is no part of this run, so nothing depends on it.
            continue
        if found is not None and covers(found, judgement):
            return found
    return None


def read_waivers(path: str, hosts: t.Collection[str]) -> tuple[Waiver, ...]:
    """The waivers of a file that somebody keeps.

    :param hosts: all names of the inventory.
    :raises StateError: the file cannot be read.
    :raises WaiverError: something in it is wrong.
    """
    place = pathlib.Path(path).expanduser()
    return parse_waivers(read_text(place, limit=MAX_BYTES, what="a file of waivers"), where=str(place), hosts=hosts)


def two_judgements(earlier: str, later: str, *, state_dir: str) -> tuple[Judgement, Judgement]:
    """The two judgements to compare.

    :param earlier: a report file or a state directory. Empty: the run before the later one, in the later one's state directory.
    :param later: the same. Empty: ``state_dir``.
    :raises StateError: one of them cannot be found or read.
    """
    place = later or state_dir
    new = _judgement(place)
    if earlier:
        return _judgement(earlier), new
    if pathlib.Path(place).expanduser().is_file():
        raise StateError(
            f"{place} is a report file, so the earlier one has to be named as well: set sfb_kb4023993_compare_earlier."
        )
    old = run_before(place, new)
    if old is None:
        raise StateError(
            f"{place} holds no run before {new.run_id} that read the same servers, so there is nothing to compare with. "
            "Run the audit again later, or set sfb_kb4023993_compare_earlier."
        )
    return old, new


def _judgement(place: str) -> Judgement:
    path = pathlib.Path(place).expanduser()
    if path.is_dir():
        return _newest(path)
    text = read_text(path, limit=_MAX_REPORT, what="a report file or a state directory")
    try:
        return decode(Report, json.loads(text)).latest
    except (ValueError, RecursionError) as error:
        reason = str(error) if isinstance(error, CodecError) else "it is not JSON, or it is cut"
        raise StateError(
            f"{path} is not a report.json of this version of the collection: {reason}. Name a report file or a state directory."
        ) from None


def _newest(directory: pathlib.Path) -> Judgement:
    for run in _runs(str(directory)):
        found = run.latest_judgement()
        if found is not None:
            return found
    raise StateError(f"{directory} holds no judged run. Name a state directory with one, or a report.json.")


def _runs(state_dir: str) -> t.Iterator[Run]:
    """The newest runs of a state directory, the newest first."""
    place = pathlib.Path(state_dir).expanduser() / "runs"
    try:
        names = sorted((path.name for path in place.iterdir()), reverse=True)
    except (FileNotFoundError, NotADirectoryError):
        return
    except OSError as error:
        raise StateError(f"{place} cannot be read: {error.strerror}. Check its owner and mode.") from None
    for name in names[:_MOST_RUNS]:
        try:
            run_directory(state_dir, name)
        except StateError:
            # A folder that no run made.
            continue
        yield Run(str(place.parent), name)
