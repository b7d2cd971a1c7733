# Copyright (c) 2026, the sfb.kb4023993 contributors
# GNU General Public License v3.0-or-later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a host says right before it is changed: the override's values, the service, its process and the records there."""

from __future__ import annotations

import dataclasses
import typing as t

from .carry_out import run_operations
from .host import operations as op
from .host.session import Session
from .host_plan import ValueChange
from .records import CLAIM, KEY, SERVICE, Records, RestartRecord, read_records
from .rules.roles import with_believable_start
from .rules.times import is_after

PROCESS: t.Final = "DataMCUSvc"


@dataclasses.dataclass(frozen=True, kw_only=True)
class HostNow:
    """What a host says right before it is changed."""

    machine_guid: str | None
    time_utc: str
    service: op.ServiceState
    process: op.ProcessState | None
    records: Records
    claim: op.RegistryValue | None
    invalid: frozenset[str]
    truncated: bool
    values: tuple[op.RegistryReadReply, ...]


def read_now(session: Session, changes: t.Sequence[ValueChange]) -> HostNow:
    operations: list[op.Operation] = [
        op.System(),
        op.Services(names=(SERVICE,)),
        op.Processes(names=(PROCESS,)),
        op.RegistryList(path=KEY),
        *(op.RegistryRead(path=change.path, name=change.name, view=change.view) for change in changes),
    ]
    values = [reply.value for reply in run_operations(session, operations, stage="reading before the change")]
    processes, records = values[2].processes, read_records(values[3])
    return HostNow(
        machine_guid=values[0].machine_guid,
        time_utc=values[0].time_utc,
        service=values[1].services[0],
        process=with_believable_start(processes[0], values[0].time_utc) if processes else None,
        records=records,
        claim=next((value for value in values[3].values if value.name.lower() == CLAIM), None),
        invalid=frozenset(name.lower() for name in records.invalid),
        truncated=values[3].truncated,
        values=tuple(values[4:]),
    )


def is_fulfilled(record: RestartRecord, now: HostNow) -> bool:
    """Whether the process has started since the restart was asked for, or begun."""
    since = record.begun_utc or record.since_utc
    return now.process is not None and is_after(now.process.started_utc, since)
