# Copyright (c) 2026, the sfb.kb4023993 contributors
# GNU General Public License v3.0-or-later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The record of changes that lives on the server itself, below ``HKLM\\SOFTWARE\\sfb.kb4023993``.

One registry value a record, its data a short JSON text. A change is recorded as ``intent`` before it is made and as ``applied``
after it, with the server's time, so that any later run, from any controller, knows what was there before and since when the change
stands. A restart is recorded before it begins.

The records are read as hostile data: :func:`read_records` gives back only changes that this collection could have made itself.
"""

from __future__ import annotations

import dataclasses
import json
import re
import typing as t

from .certificate_records import CertificateRecord, ServicesRecord, TrustRecord, is_plausible
from .codec import CodecError, decode, encode
from .host.operations import RegistryKind, RegistryListReply, RegistryValue, View

KEY: t.Final = r"SOFTWARE\sfb.kb4023993"
SERVICE: t.Final = "RTCDATAMCU"
EXECUTABLE: t.Final = "datamcusvc.exe"
NOW: t.Final = "@now@"
CLAIM: t.Final = "claim|pool"
_SCHEMA: t.Final = 1
_OPT_OUT_KEY: t.Final = re.compile(
    r"SOFTWARE\\Microsoft\\\.NETFramework\\v(?:2\.0\.50727|4\.0\.30319)"
    r"\\System\.Net\.ServicePointManager\.RequireCertificateEKUs\Z",
    re.IGNORECASE,
)
_TIME: t.Final = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,7})?Z\Z")
_RUN_ID: t.Final = re.compile(r"\d{8}T\d{6}Z-[0-9a-f]{6}\Z")
_LONGEST_NAME: t.Final = 100


@dataclasses.dataclass(frozen=True, kw_only=True)
class ValueState:
    """A registry value as it was found or written; ``kind`` None: there was none."""

    kind: RegistryKind | None
    data: str | int | tuple[str, ...] | None

    @classmethod
    def of(cls, value: RegistryValue | None) -> ValueState:
        return cls(kind=value.kind, data=value.data) if value else ABSENT

    def wire_data(self) -> tuple[str, ...]:
        """The data as operations carry it: text, one item each."""
        if isinstance(self.data, tuple):
            return self.data
        return () if self.data is None else (str(self.data),)

    def __str__(self) -> str:
        if self.kind is None:
            return "absent"
        names = {"dword": "REG_DWORD", "qword": "REG_QWORD", "string": "REG_SZ", "expand_string": "REG_EXPAND_SZ"}
        shown = ", ".join(self.data) if isinstance(self.data, tuple) else str(self.data)
        shown = "".join(c if c.isprintable() else "?" for c in shown[:120])
        return f"{names.get(self.kind, 'REG_' + self.kind.upper())} {shown}"


ABSENT: t.Final = ValueState(kind=None, data=None)


@dataclasses.dataclass(frozen=True, kw_only=True)
class ChangeRecord:
    """One changed registry value. ``before`` is the oldest state, kept through later changes; ``key_existed`` likewise."""

    schema: int = _SCHEMA
    type: t.Literal["change"] = "change"
    path: str
    name: str
    view: View
    key_existed: bool
    before: ValueState
    written: ValueState
    state: t.Literal["intent", "applied"]
    time_utc: str
    run_id: str

    @property
    def value_name(self) -> str:
        return target_name(self.path, self.name, self.view)


@dataclasses.dataclass(frozen=True, kw_only=True)
class RestartRecord:
    """A restart that is needed since ``since_utc``. ``begun_utc`` is set before the service is stopped.

    ``dependents``: services that ran on top of it and have to run again afterwards.
    """

    schema: int = _SCHEMA
    type: t.Literal["restart"] = "restart"
    service: t.Literal["RTCDATAMCU"] = "RTCDATAMCU"
    since_utc: str
    begun_utc: str | None = None
    dependents: tuple[str, ...] = ()
    run_id: str

    @property
    def value_name(self) -> str:
        return "restart|" + self.service


@dataclasses.dataclass(frozen=True, kw_only=True)
class ClaimRecord:
    """A run is changing servers of this server's pool, one after the other: until it has ended, no other run may begin.

    ``since_utc``: by the server's clock. ``seconds``: how long it may take at most. What it means for other runs is in ``claims.py``.
    """

    schema: int = _SCHEMA
    type: t.Literal["claim"] = "claim"
    controller: str
    since_utc: str
    seconds: int
    run_id: str

    @property
    def value_name(self) -> str:
        return CLAIM


AnyRecord = ChangeRecord | RestartRecord | ClaimRecord | CertificateRecord | ServicesRecord | TrustRecord
_KINDS: t.Final[dict[str, type[t.Any]]] = {
    "change": ChangeRecord,
    "restart": RestartRecord,
    "claim": ClaimRecord,
    "certificate": CertificateRecord,
    "services": ServicesRecord,
    "trust": TrustRecord,
}


@dataclasses.dataclass(frozen=True, kw_only=True)
class Records:
    """What stands on one server. ``invalid``: names of values below our key that are no record of ours."""

    changes: tuple[ChangeRecord, ...] = ()
    restart: RestartRecord | None = None
    claim: ClaimRecord | None = None
    certificates: tuple[CertificateRecord, ...] = ()
    services: ServicesRecord | None = None
    trust: tuple[TrustRecord, ...] = ()
    invalid: tuple[str, ...] = ()

    def certificate(self, use: str) -> CertificateRecord | None:
        """The replacement of the certificate of this use, if one is on record."""
        return next((record for record in self.certificates if record.use == use), None)


NO_RECORDS: t.Final = Records()


def target_name(path: str, name: str, view: View) -> str:
    """One name for one registry value, the same however it is spelled."""
    return f"change|{view}|{path}|{name}".lower()


def can_be_read_back(record: AnyRecord) -> bool:
    """Whether a record, once written, would be accepted by :func:`read_records`; else a rollback would not find it."""
    moment = "2000-01-01T00:00:00Z"
    stamped = record_text(record).replace(NOW, moment)
    return _read_one(RegistryValue(name=record.value_name, kind="string", data=stamped)) is not None


def record_text(record: AnyRecord) -> str:
    return json.dumps(encode(record), ensure_ascii=True)


def is_override_target(path: str, name: str) -> bool:
    """Whether a value is one that the override consists of: an entry of DataMCUSvc.exe in an opt-out key of a CLR."""
    return bool(_OPT_OUT_KEY.match(path)) and is_own_executable(name)


def is_own_executable(name: str) -> bool:
    """Whether an opt-out's value name means DataMCUSvc.exe, in whatever folder and with or without quotes."""
    return len(name) < 1000 and re.split(r"[\\/]", name.strip().strip('"').lower())[-1] == EXECUTABLE


def read_records(listed: RegistryListReply | None) -> Records:
    """The records of a server from the values below our key; anything that is not exactly ours is named as invalid."""
    found: dict[type[t.Any], list[t.Any]] = {kind: [] for kind in _KINDS.values()}
    invalid: list[str] = []
    for value in listed.values if listed else ():
        record = _read_one(value)
        if record is None:
            invalid.append(value.name[:200])
        else:
            found[type(record)].append(record)
    return Records(
        changes=tuple(found[ChangeRecord]),
        restart=next(iter(found[RestartRecord]), None),
        claim=next(iter(found[ClaimRecord]), None),
        certificates=tuple(found[CertificateRecord]),
        services=next(iter(found[ServicesRecord]), None),
        trust=tuple(found[TrustRecord]),
        invalid=tuple(invalid),
    )


def _read_one(value: RegistryValue) -> AnyRecord | None:
    if value.kind != "string" or not isinstance(value.data, str) or len(value.data) > 20_000:
        return None
    try:
        data = json.loads(value.data)
        kind = _KINDS.get(str(data.get("type"))) if isinstance(data, dict) else None
        record: AnyRecord | None = decode(kind, data) if kind else None
    except (ValueError, RecursionError, CodecError):
        return None
    return record if record and record.schema == _SCHEMA and _is_plausible(record, value.name) else None


def _is_plausible(record: AnyRecord, name: str) -> bool:
    if record.value_name.lower() != name.lower():
        return False
    if isinstance(record, (CertificateRecord, ServicesRecord, TrustRecord)):
        return is_plausible(record)
    if isinstance(record, RestartRecord):
        times = (record.since_utc, record.begun_utc or record.since_utc)
        return all(_TIME.match(time) for time in times) and all(
            re.match(r"[\w.$-]{1,80}\Z", d) for d in record.dependents
        )
    if isinstance(record, ClaimRecord):
        return bool(
            _TIME.match(record.since_utc)
            and _RUN_ID.match(record.run_id)
            and 0 < len(record.controller) <= _LONGEST_NAME
            and record.controller.isprintable()
            and 0 <= record.seconds < 2**31
        )
    return bool(
        is_override_target(record.path, record.name)
        and _TIME.match(record.time_utc)
        and _is_possible(record.before)
        and _is_possible(record.written)
    )


def _is_possible(state: ValueState) -> bool:
    """Whether a state can be written back: kind and data fit each other."""
    if state.kind is None:
        return state.data is None
    if state.kind in ("dword", "qword"):
        limit = 2**32 if state.kind == "dword" else 2**64
        return isinstance(state.data, int) and not isinstance(state.data, bool) and 0 <= state.data < limit
    if state.kind == "multi_string":
        return isinstance(state.data, tuple)
    return state.kind in ("string", "expand_string", "binary") and isinstance(state.data, str)
