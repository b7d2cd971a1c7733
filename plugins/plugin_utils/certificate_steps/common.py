# Copyright (c) 2026, the sfb.kb4023993 contributors
# GNU General Public License v3.0-or-later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the steps of workaround 1 on a server read right before they change something."""

from __future__ import annotations

import dataclasses
import typing as t

from ..carry_out import StepError, record_operation, run_operations
from ..certificate_records import CertificateRecord
from ..host import certificate_operations as cop
from ..host import operations as op
from ..host.session import Session
from ..knowledge import loader as knowledge
from ..records import KEY, NOW, Records, can_be_read_back, read_records
from ..rules.role_certificate import thumbprint

SERVICES: t.Final = (
    *(service.name for service in knowledge.services()),
    *(service.name for service in knowledge.product_services()),
)
"""What a restart of the whole product concerns."""

# Get-CsCertificate gives these; nothing else of it is relied on.
_PROPERTIES: t.Final = ("Use", "Thumbprint")


@dataclasses.dataclass(frozen=True, kw_only=True)
class Now:
    """``store``: the certificates of ``My`` by thumbprint. ``services``: the product's services that are there."""

    machine_guid: str | None
    time_utc: str
    records: Records
    store: dict[str, op.StoreCertificate]
    services: tuple[op.ServiceState, ...]


def read_now(session: Session, *, machine_guid: str | None = None) -> Now:
    """Read what every step needs.

    :param machine_guid: of the machine that the step was planned for, None if it is not known.
    :raises StepError: it is another machine, or something could not be read.
    """
    operations: list[op.Operation] = [
        op.System(),
        op.RegistryList(path=KEY),
        op.Certificates(store="My"),
        op.Services(names=SERVICES),
    ]
    system, listed, certificates, services = (
        reply.value for reply in run_operations(session, operations, stage="reading before the change")
    )
    if machine_guid and system.machine_guid != machine_guid:
        raise StepError("refused", "This is not the machine that the plan was made for. Make a new plan.")
    if listed.truncated:
        raise StepError("refused", f"There is too much below HKLM\\{KEY} to be ours. Look at it on the server.")
    return Now(
        machine_guid=system.machine_guid,
        time_utc=system.time_utc,
        records=read_records(listed),
        store={thumbprint(entry.certificate): entry for entry in certificates.certificates},
        services=tuple(service for service in services.services if service.exists),
    )


def read_assigned(session: Session, modules: t.Sequence[str]) -> dict[str, str]:
    """By use, the thumbprint that Get-CsCertificate gives.

    :raises StepError: it cannot be told; nothing may be assigned then.
    """
    asked = op.LyncCommand(command="Get-CsCertificate", modules=tuple(modules), properties=_PROPERTIES)
    reply: op.LyncCommandReply = run_operations(
        session, [asked], stage="reading the assigned certificates", deadline_seconds=180
    )[0].value
    if reply.module is None or reply.denied or (reply.failure and not reply.objects):
        raise StepError("refused", f"Get-CsCertificate did not say what is assigned: {cmdlet_problem(reply)}")
    found: dict[str, str] = {}
    for entry in reply.objects:
        for use in entry.get("Use", ()):
            found[use] = "".join(entry.get("Thumbprint", ())).replace(" ", "").upper()
    return found


def cmdlet_problem(reply: op.LyncCommandReply | cop.LyncOutcome | cop.RequestReply | cop.LyncGateReply) -> str:
    """Why a cmdlet of the product did not work, and what helps; empty if it did."""
    if reply.module is None:
        return (
            "the product's PowerShell module is not on the server. Do this step by hand in the Management Shell "
            "(docs/certificate-install.md), or repair the installation, then run again."
        )
    if reply.denied:
        return (
            "the account may not use this cmdlet. Use a local administrator who is also in RTCUniversalServerAdmins "
            "(on an Edge a local administrator is enough), then run again."
        )
    return f"{reply.failure}" if reply.failure else ""


def write_record(session: Session, record: CertificateRecord, **changes: t.Any) -> CertificateRecord:
    """Write the server's record with these changes, and give it back.

    :raises StepError: it cannot be written, or no later run could read it.
    """
    record = dataclasses.replace(record, time_utc=NOW, **changes)
    if not can_be_read_back(record):
        raise StepError(
            "refused",
            "The record of this certificate would be too long for the server's registry: its request has too many names. Do this "
            "certificate by hand (docs/certificate-install.md).",
        )
    run_operations(session, [record_operation(record)], stage="writing the record on the server")
    return record
