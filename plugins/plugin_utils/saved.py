# Copyright (c) 2026, the sfb.kb4023993 contributors
# GNU General Public License v3.0-or-later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Saved evidence of one or several state directories, as the hosts of a fleet. Reads files only; nothing is changed in any directory.

Several directories are those of AWX job slices, of sites, or of earlier runs. The newest that is known of a server counts, and a failure
to read it is knowledge too: an older good reading does not hide it. The same is so for a run that was to read it and was killed before that.
Where two directories contradict each other, neither is believed.
"""

from __future__ import annotations

import datetime
import json
import pathlib
import typing as t

from .codec import CodecError, decode
from .evidence import Evidence, EvidenceError, Failure, InventoryFacts, load, to_text
from .files import StateError, began, evidence_directory, file_name, run_directory
from .fleet import InventoryHost
from .rules.times import parse_time
from .run import HOSTS_FILE, RunHosts
from .words import one_line

_READINGS: t.Final = ("before", "after")
_NEVER: t.Final = datetime.datetime.min.replace(tzinfo=datetime.timezone.utc)
_NO_EVIDENCE: t.Final = Failure(
    kind="no_evidence",
    stage="looking for saved evidence",
    message="There is no saved evidence of this server.",
    advice="Run the audit on it, or name the state directory that has it.",
)
# When a failure was: the run, and its reading by number.
_Moment = tuple[str, int]


class SavedEvidence:
    """What state directories know. ``conflicts`` fills while hosts are asked for: by name why their evidence is not believed.

    :raises StateError: a directory is not there, or is no state directory.
    """

    def __init__(self, state_dir: str, others: t.Sequence[str]) -> None:
        own = pathlib.Path(state_dir).resolve()
        more = [pathlib.Path(place).expanduser().resolve() for place in others]
        for place in more:
            if not any((place / name).is_dir() for name in ("evidence", "runs")):
                raise StateError(
                    f"{place} is not a state directory of this collection: it has neither evidence nor runs. "
                    "Check sfb_kb4023993_merge_state_dirs."
                )
        self.conflicts: dict[str, str] = {}
        self._directories = tuple(dict.fromkeys([own, *more]))
        self._failures = _newest_failures(self._directories)
        self._missed = _missed(self._directories)

    def host(
        self,
        name: str,
        *,
        in_run: bool,
        inventory: InventoryFacts,
        offline: t.Callable[[Evidence | None], Failure | None] | None = None,
    ) -> InventoryHost:
        """A host by what is known of it.

        :param inventory: what the inventory says now; what it said when the evidence was read counts where this is empty.
        :param offline: for a server that is read by hand: tells why its evidence does not count, None where it does.
        """
        evidence, problem = self._evidence(name)
        failure = None
        if in_run and problem is None and offline is not None:
            failure = offline(evidence)
        elif in_run and problem is None:
            failure = self._failure(name, evidence) or (None if evidence else _NO_EVIDENCE)
        if evidence is not None and inventory == InventoryFacts():
            inventory = evidence.inventory
        return InventoryHost(
            name=name,
            in_run=in_run,
            inventory=inventory,
            evidence=evidence,
            failure=failure,
            problem=problem,
            offline=offline is not None,
        )

    def _evidence(self, name: str) -> tuple[Evidence | None, str | None]:
        found: list[tuple[pathlib.Path, Evidence]] = []
        for directory in self._directories:
            place = evidence_directory(str(directory))
            try:
                evidence = load(place, name)
            except EvidenceError as error:
                # Which evidence is the newest cannot be told any more.
                return None, str(error)
            if evidence is not None:
                found.append((place / file_name(name), evidence))
        conflict = _conflict(found)
        if conflict:
            self.conflicts[name] = conflict
            return None, conflict
        return max((evidence for _path, evidence in found), key=_read_at, default=None), None

    def _failure(self, name: str, evidence: Evidence | None) -> Failure | None:
        """Why it could not be read the last time, None when it was read since."""
        moment, path = self._failures.get(file_name(name), (None, None))
        missed = self._missed.get(name)
        if (
            missed is not None
            and (moment is None or moment[0] < missed)
            and (evidence is None or began(missed) > _read_at(evidence))
        ):
            return Failure(
                kind="failed",
                stage="reading the server",
                message=f"The run {missed} was to read this server, has not done so, and has not come to its end.",
                advice="If it is still at work, make the report again when it has ended; if it was killed, run the audit again.",
            )
        if moment is None or path is None or not _is_newer(moment, evidence):
            return None
        try:
            return decode(Failure, json.loads(path.read_text("utf-8")))
        except (OSError, ValueError, RecursionError) as error:
            reason = str(error) if isinstance(error, CodecError) else type(error).__name__
            return Failure(
                kind="failed",
                stage="looking for saved evidence",
                message=f"{path} cannot be used: {reason}.",
                advice="Delete it and run the audit again.",
            )


def _newest_failures(directories: t.Iterable[pathlib.Path]) -> dict[str, tuple[_Moment, pathlib.Path]]:
    """The newest failure of each host, by the name of its file."""
    newest: dict[str, tuple[_Moment, pathlib.Path]] = {}
    for directory in directories:
        for run_id in _entries(directory / "runs"):
            try:
                run = run_directory(str(directory), run_id)
            except StateError:
                # A folder that no run made.
                continue
            for number, reading in enumerate(_READINGS):
                place = run / reading / "failures"
                for name in _entries(place):
                    if name not in newest or newest[name][0] < (run_id, number):
                        newest[name] = ((run_id, number), place / name)
    return newest


def _missed(directories: t.Iterable[pathlib.Path]) -> dict[str, str]:
    """By host the newest run that was to read it and has no judgement yet."""
    newest: dict[str, str] = {}
    for directory in directories:
        for run_id in _entries(directory / "runs"):
            try:
                run = run_directory(str(directory), run_id)
                if (run / _READINGS[0] / "judgement.json").exists():
                    continue
                names = decode(RunHosts, json.loads((run / HOSTS_FILE).read_text("utf-8"))).hosts
            except (StateError, OSError, ValueError, RecursionError):
                # A folder that no run made, or a run that reads nobody.
                continue
            newest.update({name: run_id for name in names if newest.get(name, "") < run_id})
    return newest


def _entries(directory: pathlib.Path) -> list[str]:
    """The names in a directory, none where there is no directory."""
    try:
        return sorted(path.name for path in directory.iterdir())
    except (FileNotFoundError, NotADirectoryError):
        return []
    except OSError as error:
        raise StateError(f"{directory} cannot be read: {error.strerror}. Check its owner and mode.") from None


def _is_newer(failure: _Moment, evidence: Evidence | None) -> bool:
    """Whether a failure is later than the evidence; its run's name tells when the run began."""
    if evidence is None:
        return True
    run_id, number = failure
    own, _slash, reading = evidence.run_id.partition("/")
    if own == run_id and reading in _READINGS:
        return number >= _READINGS.index(reading)
    # Evidence that was read by hand is known here only since its file was imported.
    known = parse_time(evidence.offline.imported_utc) if evidence.offline else _read_at(evidence)
    return known is None or began(run_id) >= known


def _read_at(evidence: Evidence) -> datetime.datetime:
    return parse_time(evidence.collected_utc) or _NEVER


def _conflict(found: t.Sequence[tuple[pathlib.Path, Evidence]]) -> str | None:
    """Why evidence of one name cannot be taken for that of one server, with both files; None when it can."""
    for index, (path, evidence) in enumerate(found):
        for other_path, other in found[:index]:
            difference = _difference(other, evidence)
            if difference:
                return (
                    f"Its saved evidence contradicts itself: {difference} ({other_path} and {path}). "
                    "Delete the file that is not of this server."
                )
    return None


def _difference(one: Evidence, other: Evidence) -> str | None:
    if one.system and other.system:
        guids = one.system.machine_guid, other.system.machine_guid
        if all(guids) and str(guids[0]).lower() != str(guids[1]).lower():
            return f"two machines, MachineGuid {one_line(str(guids[0]), 40)} and {one_line(str(guids[1]), 40)}"
        if one.full_name != other.full_name:
            return f"two machines, {one_line(one.full_name, 80)} and {one_line(other.full_name, 80)}"
    if _read_at(one) == _read_at(other) and to_text(one) != to_text(other):
        return f"both were read at {one.collected_utc}, and are not the same"
    return None
