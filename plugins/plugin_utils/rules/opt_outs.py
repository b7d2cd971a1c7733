# Copyright (c) 2026, the sfb.kb4023993 contributors
# GNU General Public License v3.0-or-later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which opt-outs stand on a Front End, and which of them its running process has read.

.NET reads an opt-out once a process, and the registry keeps no readable time for a value. So an opt-out is in effect only if the
process started after the opt-out is known to have been there: by our own record on the server, or by earlier evidence.
"""

from __future__ import annotations

import dataclasses
import re
import typing as t
import xml.etree.ElementTree as ET

from ..evidence import Evidence, OptOutKey, Sighting
from ..host.operations import RegistryValue, View
from ..knowledge import loader as knowledge
from ..records import Records, ValueState, is_own_executable, read_records, target_name
from ..words import quoted
from .clock import begin_of_run, on_clock_of, was_set_forward
from .roles import RoleFacts
from .times import is_after, parse_time

WrongReason = t.Literal["other_clr", "view_32", "quoted", "other_path", "kind", "data"]
_REASONS: t.Final[dict[WrongReason, str]] = {
    "other_clr": "it stands under the key of another CLR, which this process does not read",
    "view_32": "it stands in the 32-bit view (Wow6432Node), which this process does not read",
    "quoted": "its name is in quotation marks; .NET looks for the path without them",
    "other_path": "its name is not the full long path of the service's executable",
    "kind": "it is not a REG_DWORD; .NET ignores any other kind",
    "data": "its data is not 0, so it leaves the check on",
}


@dataclasses.dataclass(frozen=True, kw_only=True)
class OptOut:
    """One valid opt-out. ``key`` names it through time; ``in_effect`` False: the running process may not have read it."""

    id: t.Literal["executable", "global", "appcontext_registry", "appcontext_config"]
    key: str
    where: str
    in_effect: bool


@dataclasses.dataclass(frozen=True, kw_only=True)
class WrongOverride:
    """A value meant as override that .NET does not read. ``in_place``: it has the right name in the right key."""

    path: str
    name: str
    view: View
    value: ValueState
    reason: WrongReason

    @property
    def in_place(self) -> bool:
        return self.reason in ("kind", "data")

    def __str__(self) -> str:
        side = " (32-bit view)" if self.view == "32" else ""
        return f"HKLM\\{self.path}{side}, value {quoted(self.name)} = {self.value}: {_REASONS[self.reason]}"


@dataclasses.dataclass(frozen=True, kw_only=True)
class OptOutFacts:
    """``unreadable``: the keys could not be read, so that nothing follows from finding none."""

    valid: tuple[OptOut, ...]
    wrong: tuple[WrongOverride, ...]
    unreadable: bool

    @property
    def in_effect(self) -> bool:
        return any(opt_out.in_effect for opt_out in self.valid)

    @property
    def unproven(self) -> bool:
        """There are opt-outs, but none that the running process is known to have read."""
        return bool(self.valid) and not self.in_effect

    @property
    def override(self) -> OptOut | None:
        return next((opt_out for opt_out in self.valid if opt_out.id == "executable"), None)


def override_path(clr: str) -> str:
    """The registry key of the override for a CLR, below HKEY_LOCAL_MACHINE."""
    return _place("executable").key.format(clr=clr)


def opt_out_facts(evidence: Evidence, role: RoleFacts) -> OptOutFacts:
    """Find the opt-outs of a Front End's Web Conferencing process."""
    found = evidence.opt_outs
    if found is None or role.clr is None or role.executable is None:
        return OptOutFacts(valid=(), wrong=(), unreadable=True)
    own = next((key for key in found.keys if key.clr == role.clr and key.view == "64"), None)
    valid: list[tuple[t.Any, str, str]] = []
    wrong: list[WrongOverride] = []
    for key in found.keys:
        for value in key.executables.values if key.executables else ():
            if not is_own_executable(value.name):
                continue
            reason = _wrong_reason(key, value, role)
            path = override_path(key.clr)
            if reason is None:
                valid.append(("executable", target_name(path, value.name, key.view), f"HKLM\\{path}"))
            else:
                state = ValueState.of(value)
                wrong.append(WrongOverride(path=path, name=value.name, view=key.view, value=state, reason=reason))
    everything = own.everything.value if own and own.everything else None
    if everything and (everything.kind, everything.data) == ("dword", 0):
        where = f"HKLM\\{_place('global').key.format(clr=role.clr)}, value {everything.name}"
        valid.append(("global", f"global|{role.clr}", where))
    valid.extend(_app_context(evidence, role))
    records = read_records(evidence.records)
    return OptOutFacts(
        valid=tuple(
            OptOut(id=kind, key=key, where=where, in_effect=_is_in_effect(evidence, role, records, key))
            for kind, key, where in valid
        ),
        wrong=tuple(wrong),
        unreadable=own is None or own.executables is None,
    )


def sightings(evidence: Evidence, facts: OptOutFacts, earlier: Evidence | None) -> tuple[Sighting, ...]:
    """Since when each opt-out is known to stand, carried on from earlier evidence of the same machine."""
    if evidence.system is None:
        return ()
    known: dict[str, str] = {}
    if earlier and earlier.system and earlier.system.machine_guid == evidence.system.machine_guid:
        known = {s.opt_out: s.since_utc for s in earlier.sightings if parse_time(s.since_utc)}
        if was_set_forward(earlier, evidence):
            read = on_clock_of(evidence, earlier.collected_utc)
            known = dict.fromkeys(known, read) if read else {}
    now = evidence.system.time_utc
    return tuple(Sighting(opt_out=o.key, since_utc=known.get(o.key, now)) for o in facts.valid)


def _place(name: str) -> knowledge.OptOut:
    return next(place for place in knowledge.opt_outs() if place.id == name)


def _wrong_reason(key: OptOutKey, value: RegistryValue, role: RoleFacts) -> WrongReason | None:
    if key.view == "32":
        return "view_32"
    if '"' in value.name:
        return "quoted"
    if value.name.lower() != (role.executable or "").lower():
        return "other_path"
    if key.clr != role.clr:
        return "other_clr"
    if value.kind != "dword":
        return "kind"
    return None if value.data == 0 else "data"


def _app_context(evidence: Evidence, role: RoleFacts) -> list[tuple[str, str, str]]:
    """The AppContext switch, in the registry and in the executable's configuration file; only .NET 4.6 and later knows it."""
    found = evidence.opt_outs
    release = evidence.dotnet.release if evidence.dotnet else None
    registry = _place("appcontext_registry")
    if found is None or role.clr not in registry.clr or release is None or release < (registry.release or 0):
        return []
    switches = []
    value = found.app_context.value if found.app_context else None
    if value and value.kind == "string" and str(value.data).lower() == "true":
        switches.append(("appcontext_registry", "appcontext|registry", f"HKLM\\{registry.key}, value {value.name}"))
    content = found.config.content if found.config and found.config.exists else None
    if content and _config_switch(content, registry.name or ""):
        switches.append(("appcontext_config", "appcontext|config", found.config.path if found.config else ""))
    return switches


def _config_switch(content: bytes, switch: str) -> bool:
    """Whether a .NET configuration file turns the switch on. A file that is not plain XML turns nothing on."""
    encoding = "utf-16" if content[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig"
    text = content.decode(encoding, "replace")
    if "<!" in _without_comments(text):
        return False
    try:
        root = ET.fromstring(re.sub(r"^\s*<\?xml[^>]*\?>", "", text))
    except ET.ParseError:
        return False
    for element in root.iterfind("./runtime/AppContextSwitchOverrides"):
        for pair in element.get("value", "").split(";"):
            name, _equals, state = pair.partition("=")
            if name.strip() == switch:
                return state.strip().lower() == "true"
    return False


def _without_comments(text: str) -> str:
    """Without a regular expression, which would look for the end of each of a thousand open comments up to the end of the file."""
    parts: list[str] = []
    position = 0
    while (start := text.find("<!--", position)) >= 0 and (end := text.find("-->", start + 4)) >= 0:
        parts.append(text[position:start])
        position = end + 3
    return "".join(parts) + text[position:]


def _is_in_effect(evidence: Evidence, role: RoleFacts, records: Records, key: str) -> bool:
    """Whether the process is known to have started after the opt-out was there. Of a stopped service, the next start reads it."""
    if not role.running:
        return True
    started = role.process.started_utc if role.process else None
    on = ValueState(kind="dword", data=0)
    applied = [r for r in records.changes if r.value_name == key and r.state == "applied" and r.written == on]
    seen = [s.since_utc for s in evidence.sightings if s.opt_out == key]
    return any(is_after(started, moment) for moment in seen) or any(
        is_after(started, record.time_utc) and not _is_before_run(evidence, started, record.run_id)
        for record in applied
    )


def _is_before_run(evidence: Evidence, started: str | None, run_id: str) -> bool:
    """Whether the process started before the run that wrote a value: its record may be of a clock that was set forward since."""
    return is_after(on_clock_of(evidence, begin_of_run(run_id)), started)
