# Copyright (c) 2026, the sfb.kb4023993 contributors
# GNU General Public License v3.0-or-later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether the EKU check is in the .NET that a host's DataMCUSvc has loaded.

Numbers that are certain decide first; else the bytes of System.dll of the process's CLR. Updates and file versions corroborate. The
search in System.dll was never tried on a genuine file, so where signs disagree, the cautious answer (present) is taken and said.
"""

from __future__ import annotations

import dataclasses
import typing as t

from ..evidence import DotnetEvidence, Evidence, SystemDll
from ..knowledge import loader as knowledge
from .roles import RoleFacts, version_numbers
from .times import is_after
from .verdict import Enforcement

Check = t.Literal["present", "absent", "unknown"]


@dataclasses.dataclass(frozen=True, kw_only=True)
class EnforcementFacts:
    """``check``: on disk. ``loaded``: the running process has that System.dll, not an older one. ``signs``: what was seen, in words."""

    check: Check
    loaded: bool
    signs: tuple[str, ...]
    disagreement: str | None

    @property
    def enforcement(self) -> Enforcement:
        if self.check == "unknown":
            return "unknown"
        return "enforces" if self.check == "present" and self.loaded else "not_yet"


def enforcement_facts(evidence: Evidence, role: RoleFacts) -> EnforcementFacts:
    """Judge the .NET of a Front End's Web Conferencing process."""
    dotnet, clr = evidence.dotnet, role.clr
    if dotnet is None or clr is None:
        what = "the product is not known" if clr is None else "the .NET section of the evidence is missing"
        return EnforcementFacts(check="unknown", loaded=True, signs=(what,), disagreement=None)
    certain = _certain_signs(evidence, dotnet, clr)
    updates = installed_updates(dotnet, clr)
    dlls = [dll for dll in dotnet.system_dlls if dll.clr == clr and dll.exists]
    marked = [dll for dll in dlls if dll.marker_utf16 or dll.marker_ascii]
    newer = _newer_than_threshold(evidence, dotnet, dlls)
    signs = [*certain, *(_dll_sign(dll) for dll in dlls), *(f"update {kb} is installed" for kb in updates)]
    # Which copy a process loads is not ours to guess: absent needs all of them read.
    complete = len(dlls) == sum(1 for known in knowledge.system_dlls() if known.clr == clr)
    if not complete:
        signs.append(f"not every copy of System.dll of CLR {clr} could be read")
    present = bool(certain or marked or updates or (dlls and newer))
    check: Check = "present" if present else "absent" if complete else "unknown"
    return EnforcementFacts(
        check=check,
        loaded=not _started_before_file(role, dlls),
        signs=tuple(signs),
        disagreement=_disagreement(certain=certain, updates=updates, dlls=dlls, marked=marked, newer=newer),
    )


def dotnet_version(release: int | None) -> str | None:
    """The .NET Framework version of a Release number, ``4.5.2``; None below 4.5."""
    found = None
    for key in knowledge.release_keys():
        if release is not None and release >= key.minimum:
            found = key.version
    return found


def installed_updates(dotnet: DotnetEvidence, clr: str) -> tuple[str, ...]:
    """The KBs of May 2017 for this CLR that Windows records as installed, by either way of recording."""
    relevant = {f"KB{update.kb}" for update in knowledge.updates() if clr in update.clr}
    carrying = {state.value for state in knowledge.cbs_states() if state.carries_check}
    found: set[str] = set()
    if dotnet.updates:
        found.update(package.kb for package in dotnet.updates.cbs if package.state in carrying)
        found.update(update.kb for update in dotnet.updates.msi if update.installed in (None, "Y", "y"))
    return tuple(sorted(found & relevant))


def _certain_signs(evidence: Evidence, dotnet: DotnetEvidence, clr: str) -> list[str]:
    build = evidence.system.os_build if evidence.system else None
    revision = evidence.system.os_ubr if evidence.system else None
    signs = []
    for sign in knowledge.certain_signs():
        reached = (
            (sign.release is None or (dotnet.release is not None and dotnet.release >= sign.release))
            and (sign.build is None or (build is not None and build >= sign.build))
            and (sign.revision is None or build != sign.build or (revision is not None and revision >= sign.revision))
        )
        if clr in sign.clr and reached:
            signs.append(sign.meaning)
    return signs


def _dll_sign(dll: SystemDll) -> str:
    holds = "holds" if dll.marker_utf16 or dll.marker_ascii else "does not hold"
    return f"{dll.path} {dll.version or 'of unknown version'} {holds} the check"


def _newer_than_threshold(evidence: Evidence, dotnet: DotnetEvidence, dlls: list[SystemDll]) -> str | None:
    """The file version that a third party lists as having the check; None when none of the copies reaches it."""
    build = evidence.system.os_build if evidence.system else None
    system = next((os.id for os in knowledge.operating_systems() if os.build == build), None)
    version = dotnet_version(dotnet.release)
    for row in knowledge.last_versions_without_check():
        for dll in dlls:
            same_net = row.clr == dll.clr and (row.clr == "v2.0.50727" or version in row.dotnet)
            if not same_net or (row.os and system not in row.os) or not dll.version:
                continue
            if version_numbers(dll.version)[:4] > _padded(row.version):
                return dll.version
    return None


def _padded(version: str) -> tuple[int, ...]:
    """A threshold of three numbers covers every fourth number."""
    numbers = version_numbers(version)
    return numbers if len(numbers) >= 4 else (*numbers, 10**9)


def _started_before_file(role: RoleFacts, dlls: list[SystemDll]) -> bool:
    """Whether the process runs with an older System.dll than the one on disk.

    A file keeps its build time when it is installed, so its time of creation counts as well.
    """
    if role.process is None or role.process.started_utc is None:
        return False
    started = role.process.started_utc
    return any(is_after(moment, started) for dll in dlls for moment in (dll.created_utc, dll.modified_utc))


def _disagreement(
    *, certain: list[str], updates: tuple[str, ...], dlls: list[SystemDll], marked: list[SystemDll], newer: str | None
) -> str | None:
    if dlls and not marked:
        others = [*certain, *(f"update {kb}" for kb in updates), *([f"file version {newer}"] if newer else [])]
        if others:
            return f"System.dll does not hold the check, but this says that it should: {', '.join(others)}"
    if marked and len(marked) != len(dlls):
        return "one copy of System.dll holds the check, another does not"
    if any(dll.marker_utf16 != dll.marker_ascii for dll in marked):
        return "System.dll holds only one of the two names that belong to the check"
    return None
