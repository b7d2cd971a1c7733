# Copyright (c) 2026, the sfb.kb4023993 contributors
# GNU General Public License v3.0-or-later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Folders of kits on the controller: written for people to carry away, and read when they come back."""

from __future__ import annotations

import dataclasses
import datetime
import hashlib
import pathlib
import typing as t

from ..evidence import Evidence, EvidenceError, InventoryFacts, load, save
from ..files import StateError, evidence_directory, write_private
from ..words import one_line
from .collecting import Files, collecting_files, folder_name, result_name, with_sums
from .importing import MAX_BYTES, Known, Machine, OfflineError, import_file, machine
from .kits import is_still_good, load_kit, make_kit, save_kit

Answer = t.Literal["imported", "unchanged", "waiting", "refused"]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Setting:
    """Where state and folders are, what the inventory says of a host, and the clock."""

    state_dir: str
    directory: pathlib.Path
    inventory: t.Callable[[str], InventoryFacts]
    max_age_days: t.Callable[[str], int]
    now: datetime.datetime
    collection_version: str


@dataclasses.dataclass(frozen=True, kw_only=True)
class WrittenKit:
    """A folder. ``sums_sha256``: of its SHA256SUMS, which stands for all its files."""

    host: str
    folder: pathlib.Path
    result: str
    sums_sha256: str
    changed: bool


@dataclasses.dataclass(frozen=True, kw_only=True)
class Taken:
    """What became of a host's file; ``note``: what a person should know, empty if nothing."""

    host: str
    answer: Answer
    message: str
    note: str = ""


def write_kit(setting: Setting, host: str, *, preview: bool) -> WrittenKit:
    """Write a host's folder; one that may have been carried away and is still good stays as it is.

    :raises StateError: something cannot be written.
    """
    inventory = setting.inventory(host)
    kit = load_kit(setting.state_dir, host)
    if kit is None or not is_still_good(
        kit, inventory, _evidence(setting, host), max_age_days=setting.max_age_days(host), now=setting.now
    ):
        kit = make_kit(host, inventory, now=setting.now)
        if not preview:
            # First of all: an answer to a kit without a record could not be used.
            save_kit(setting.state_dir, kit)
    folder = setting.directory / folder_name(host)
    files = with_sums(collecting_files(kit))
    changed = write_files(folder, files, preview=preview)
    sums = hashlib.sha256(files["SHA256SUMS"]).hexdigest()
    return WrittenKit(host=host, folder=folder, result=result_name(host), sums_sha256=sums, changed=changed)


def write_files(folder: pathlib.Path, files: Files, *, preview: bool) -> bool:
    """Write what differs; whether anything did.

    :raises StateError: something cannot be written.
    """
    different = {name: data for name, data in files.items() if not _holds(folder / name, data)}
    for name, data in () if preview else different.items():
        write_private(folder / name, data)
    return bool(different)


def take_up(setting: Setting, hosts: t.Sequence[str], *, preview: bool) -> list[Taken]:
    """Import what lies in the folders of these hosts; hosts without a kit are left out.

    :raises StateError: evidence cannot be written.
    """
    machines = _machines(setting, hosts)
    taken = []
    for host in hosts:
        try:
            found = _take_up_one(setting, host, machines, preview=preview)
        except (OfflineError, StateError) as error:
            path = setting.directory / folder_name(host) / result_name(host)
            found = Taken(host=host, answer="refused", message=f"{path} was not imported: {error}")
        if found is not None:
            taken.append(found)
    return taken


def _take_up_one(setting: Setting, host: str, machines: dict[Machine, str], *, preview: bool) -> Taken | None:
    path = setting.directory / folder_name(host) / result_name(host)
    raw = _bytes(path)
    kit = load_kit(setting.state_dir, host)
    if kit is None:
        if raw is None:
            return None
        raise OfflineError(
            "there is no record of a kit for this server in the state directory. It belongs to another state directory "
            "(sfb_kb4023993_state_dir), or was made for another name; make a new kit otherwise."
        )
    if raw is None:
        return Taken(host=host, answer="waiting", message=f"{path} is not there yet.")
    earlier = _evidence(setting, host)
    known = Known(
        inventory=setting.inventory(host),
        earlier=earlier,
        machines={own: name for own, name in machines.items() if name != host},
        max_age_days=setting.max_age_days(host),
        now=setting.now,
        collection_version=setting.collection_version,
    )
    imported = import_file(raw, kit, known)
    if imported is None:
        return Taken(host=host, answer="unchanged", message=f"{path} was imported before.")
    evidence = imported.evidence
    if not preview:
        save(evidence, evidence_directory(setting.state_dir))
    message = f"evidence of {one_line(evidence.full_name)}, read at {evidence.collected_utc}"
    return Taken(host=host, answer="imported", message=message, note=imported.note)


def _machines(setting: Setting, hosts: t.Sequence[str]) -> dict[Machine, str]:
    """The inventory names of all machines of which there is evidence."""
    found: dict[Machine, str] = {}
    for host in hosts:
        evidence = _evidence(setting, host)
        own = machine(evidence.system) if evidence else None
        if own is not None:
            found[own] = host
    return found


def _evidence(setting: Setting, host: str) -> Evidence | None:
    try:
        return load(evidence_directory(setting.state_dir), host)
    except EvidenceError:
        # Damaged evidence knows nothing; a new reading takes its place.
        return None


def _bytes(path: pathlib.Path) -> bytes | None:
    try:
        with path.open("rb") as stream:
            return stream.read(MAX_BYTES + 1)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise OfflineError(f"it cannot be read: {error.strerror}.") from None


def _holds(path: pathlib.Path, data: bytes) -> bool:
    try:
        return path.read_bytes() == data
    except OSError:
        return False
