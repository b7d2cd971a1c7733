# Copyright (c) 2026, the sfb.kb4023993 contributors
# GNU General Public License v3.0-or-later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Step install: the new certificate into the store, to its uses, and into the running services. Also the way back.

Each part is recorded on the server and proved by a new reading before the next one; a part that is done already is left as it is, so a
run that died anywhere is simply run again.
"""

from __future__ import annotations

import dataclasses
import secrets
import time
import typing as t

from ..carry_out import StepError, forget_operation, refuse_if_claimed, run_operations
from ..certificate_records import CertificateRecord
from ..claims import Others
from ..host import certificate_operations as cop
from ..host import operations as op
from ..host.session import Session
from ..outcome import Outcome
from ..records import NOW
from ..renewal.inf import friendly_name
from ..renewal.installation import Installation
from ..rules.role_certificate import thumbprint
from .common import Now, cmdlet_problem, read_assigned, read_now, write_record
from .limits import Limits
from .services import pass_gate, restart_all

_SPARE_SECONDS: t.Final = 60


@dataclasses.dataclass(frozen=True, kw_only=True)
class Shared:
    """A certificate with its key on the way between members of an Edge pool: in memory only, never in a result that is shown."""

    pfx: bytes = dataclasses.field(repr=False)
    password: str = dataclasses.field(repr=False)


def import_certificate(session: Session, target: Installation, *, run_id: str) -> Outcome:
    """Give the waiting key on this server its certificate. Nothing uses it yet.

    :raises SessionError: the host cannot be talked to any more.
    """
    try:
        now = read_now(session, machine_guid=target.machine_guid)
        record = _record(now, target, run_id)
        if _has_key(now, target.certificate):
            return _imported(session, record, target, changed=False)
        record = write_record(session, record, new=thumbprint(target.certificate))
        accept = cop.LyncImport(modules=target.modules, certificate=target.certificate, exportable=target.exportable)
        reply: cop.LyncOutcome = run_operations(
            session, [accept], stage="importing the certificate", deadline_seconds=accept.seconds + _SPARE_SECONDS
        )[0].value
        problem = cmdlet_problem(reply)
        if problem:
            raise StepError("failed", f"Import-CsCertificate did not work: {problem}")
        if not _has_key(read_now(session), target.certificate):
            raise StepError(
                "failed",
                "The certificate is in the store without a private key: the key that its request was made with is not on this "
                "server. Have a new request made (request_again).",
            )
        return _imported(session, record, target, changed=True)
    except StepError as error:
        return error.outcome


def export_shared(session: Session, target: Installation) -> Shared:
    """The new certificate of an Edge pool with its key, for the pool's other members.

    :raises StepError: it is not there, or its key may not leave the server.
    """
    password = secrets.token_urlsafe(32)
    export = cop.PfxExport(thumbprint=thumbprint(target.certificate), password=password)
    reply: cop.PfxExportReply = run_operations(session, [export], stage="exporting the pool's certificate")[0].value
    return Shared(pfx=reply.pfx, password=password)


def receive_shared(session: Session, target: Installation, shared: Shared | None, *, run_id: str) -> Outcome:
    """Put the pool's certificate with its key into the store of a further member. ``shared`` None: the first one gave nothing.

    :raises SessionError: the host cannot be talked to any more.
    """
    try:
        now = read_now(session, machine_guid=target.machine_guid)
        record = _record(now, target, run_id)
        if _has_key(now, target.certificate):
            return _imported(session, record, target, changed=False)
        if shared is None:
            raise StepError(
                "failed", "The first member of the Edge pool did not give the certificate with its key away."
            )
        record = write_record(session, record, new=thumbprint(target.certificate))
        receive = cop.PfxImport(
            pfx=shared.pfx,
            password=shared.password,
            exportable=target.exportable,
            friendly_name=friendly_name(target.uses[0], run_id),
        )
        run_operations(session, [receive], stage="importing the pool's certificate")
        if not _has_key(read_now(session), target.certificate):
            raise StepError("failed", "The pool's certificate did not arrive with its private key. Run again.")
        return _imported(session, record, target, changed=True)
    except StepError as error:
        return error.outcome


def install(
    session: Session, target: Installation, *, run_id: str, limits: Limits, others: Others | None = None
) -> Outcome:
    """Assign the certificate to its uses, restart the services, and wait until they present it.

    :param others: what is known of runs that may have claimed the server's pool.
    :raises SessionError: the host cannot be talked to any more.
    """
    try:
        now = read_now(session, machine_guid=target.machine_guid)
        refuse_if_claimed(now.records, run_id=run_id, now_utc=now.time_utc, others=others or Others())
        mark = thumbprint(target.certificate)
        # Also where somebody removed the record that the import had written.
        record = dataclasses.replace(_record(now, target, run_id), new=mark)
        wanted: dict[str, str] = dict.fromkeys(target.uses, mark)
        if not _has_key(now, target.certificate):
            raise StepError("refused", "The new certificate is not in the store with its private key. Run again.")
        restart = _prepare(session, target, now, record, mark, limits)
        record, assigned = _assign(session, target, record, wanted)
        restarted = restart_all(session, target, now, run_id=run_id, limits=limits) if restart else ""
        _wait_presented(session, target, mark, limits)
        if record.step != "done":
            write_record(session, record, step="done")
        if not assigned and not restarted:
            return Outcome(status="unchanged", message="The new certificate is in use already.")
        uses = ", ".join(target.uses)
        return Outcome(
            status="changed",
            message=f"{uses} have the new certificate; the services were {restarted or 'not restarted'}.",
        )
    except StepError as error:
        return error.outcome


def put_back(
    session: Session, target: Installation, *, run_id: str, limits: Limits, others: Others | None = None
) -> Outcome:
    """Assign again what the server's record says was assigned before, restart the services, and forget the record.

    :param others: what is known of runs that may have claimed the server's pool.
    :raises SessionError: the host cannot be talked to any more.
    """
    try:
        now = read_now(session, machine_guid=target.machine_guid)
        refuse_if_claimed(now.records, run_id=run_id, now_utc=now.time_utc, others=others or Others())
        record = now.records.certificate(target.uses[0])
        if record is None or not record.before:
            return Outcome(status="unchanged", message="The server has no record of an assigned certificate.")
        missing = sorted(mark for mark in set(record.before.values()) if not _has_key_of(now, mark))
        if missing:
            raise StepError(
                "refused",
                f"The old certificate {missing[0]} is not in the store with its private key any more, so it cannot be put back.",
            )
        mark = record.before[record.use]
        # Its own record says nothing of which certificate the services hold on the way back.
        restart = _prepare(session, target, now, dataclasses.replace(record, step="assigned"), mark, limits)
        record, _changed = _assign(session, target, record, record.before)
        restarted = restart_all(session, target, now, run_id=run_id, limits=limits) if restart else ""
        _wait_presented(session, target, mark, limits)
        run_operations(session, [forget_operation(record)], stage="clearing the record")
        return Outcome(
            status="changed",
            message=f"{', '.join(record.before)} have the old certificate again; the services were {restarted or 'not restarted'}.",
        )
    except StepError as error:
        return error.outcome


def _record(now: Now, target: Installation, run_id: str) -> CertificateRecord:
    """The server's record of this replacement; a member of an Edge pool that only receives has none yet."""
    record = now.records.certificate(target.uses[0])
    if record is not None and record.replaces == target.replaces:
        return record
    if record is not None and record.step == "assigned":
        raise StepError(
            "refused",
            f"The server has an unfinished record of another replacement ({record.replaces}). Finish it, or take it back with the "
            "playbook rollback.",
        )
    return CertificateRecord(
        use=target.uses[0],
        uses=target.uses,
        replaces=target.replaces,
        step="requested",
        time_utc=NOW,
        run_id=run_id,
    )


def _imported(session: Session, record: CertificateRecord, target: Installation, *, changed: bool) -> Outcome:
    mark = thumbprint(target.certificate)
    if record.step not in ("assigned", "done") and (record.step, record.new) != ("imported", mark):
        write_record(session, record, step="imported", new=mark)
    if not changed:
        return Outcome(status="unchanged", message="The new certificate is in the store already.")
    return Outcome(
        status="changed", message="The new certificate is in the store with its private key; nothing uses it yet."
    )


def _assign(
    session: Session, target: Installation, record: CertificateRecord, wanted: t.Mapping[str, str]
) -> tuple[CertificateRecord, bool]:
    """Give the uses these certificates, and prove that exactly they changed."""
    before = read_assigned(session, target.modules)
    todo = {use: mark for use, mark in wanted.items() if before.get(use) != mark}
    if not todo:
        return record, False
    expected = {record.replaces, record.new, *record.before.values()} - {None}
    strange = next((use for use in todo if before.get(use) not in expected), None)
    if strange:
        raise StepError(
            "refused",
            f"{strange} has the certificate {before.get(strange) or 'none'}, which this replacement does not know. Somebody changed it; "
            "nothing was assigned. Run again to make a new plan.",
        )
    # The oldest state is kept: what a cut run left is not what was there before.
    record = write_record(session, record, before=record.before or {use: before[use] for use in wanted})
    for mark in sorted(set(todo.values())):
        assign = cop.LyncAssign(
            modules=target.modules,
            uses=tuple(use for use in target.uses if todo.get(use) == mark),
            thumbprint=mark,
        )
        reply: cop.LyncOutcome = run_operations(
            session, [assign], stage="assigning the certificate", deadline_seconds=assign.seconds + _SPARE_SECONDS
        )[0].value
        problem = cmdlet_problem(reply)
        if problem:
            raise StepError("failed", f"Set-CsCertificate did not work: {problem}")
    after = read_assigned(session, target.modules)
    wrong = sorted(use for use in {*before, *after} if after.get(use) != {**before, **todo}.get(use))
    if wrong:
        raise StepError(
            "failed",
            f"After Set-CsCertificate these uses are not what was asked for: {', '.join(wrong)}. Look at Get-CsCertificate on the "
            "server. Nothing was restarted.",
        )
    return write_record(session, record, step="assigned"), True


def _holds(session: Session, target: Installation, record: CertificateRecord, mark: str) -> bool:
    """Whether the services hold this certificate. Where no port ever showed one, only the record tells."""
    return _presented(session, target) == {mark} if target.ports else record.step == "done"


def _prepare(
    session: Session, target: Installation, now: Now, record: CertificateRecord, mark: str, limits: Limits
) -> bool:
    """Whether the services have to be restarted; if so, the pool has said that it bears it, before anything is assigned."""
    needed = now.records.services is not None or not _holds(session, target, record, mark)
    if needed:
        pass_gate(session, target, now, limits)
    return needed


def _wait_presented(session: Session, target: Installation, mark: str, limits: Limits) -> None:
    """Wait until the ports show this certificate.

    :raises StepError: they do not in time.
    """
    deadline = time.monotonic() + limits.present
    while target.ports and (found := _presented(session, target)) != {mark}:
        if time.monotonic() >= deadline:
            shown = ", ".join(sorted(found)) or "no certificate"
            raise StepError(
                "failed",
                f"The services were restarted, but their ports {_list(target.ports)} present {shown} instead of {mark}. Look at the "
                "server; run again to go on.",
            )
        time.sleep(min(limits.poll, max(0.0, deadline - time.monotonic())))


def _presented(session: Session, target: Installation) -> set[str]:
    """Thumbprints that the ports show which showed a certificate when the server was read; one that shows none counts as "none"."""
    asked = [op.TlsPeer(host="", port=port) for port in target.ports]
    replies = run_operations(session, asked, stage="looking at what the services present") if asked else ()
    return {thumbprint(reply.value.certificate) if reply.value.certificate else "none" for reply in replies}


def _has_key(now: Now, certificate: bytes) -> bool:
    return _has_key_of(now, thumbprint(certificate))


def _has_key_of(now: Now, mark: str) -> bool:
    entry = now.store.get(mark)
    return entry is not None and entry.has_private_key


def _list(ports: t.Sequence[int]) -> str:
    return ", ".join(map(str, ports))
