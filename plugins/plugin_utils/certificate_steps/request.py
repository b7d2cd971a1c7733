# Copyright (c) 2026, the sfb.kb4023993 contributors
# GNU General Public License v3.0-or-later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Step request: key and certificate request on the server itself, with the names of the certificate that it replaces."""

from __future__ import annotations

import dataclasses
import typing as t

from ..carry_out import StepError, record_operation, run_operations
from ..certificate_records import CertificateRecord, HandedIn, ServerStep
from ..host import certificate_operations as cop
from ..host.session import Session
from ..outcome import Outcome
from ..records import NOW
from ..renewal.inf import InfError, friendly_name, request_inf
from ..renewal.replacements import Replacement
from ..signing.csr import Csr, CsrError, read_csr
from ..signing.names import difference, make_names
from ..words import one_line
from .common import Now, cmdlet_problem, read_now, write_record

# A cmdlet that waits for its own time limit must not run into that of the batch.
_SPARE_SECONDS: t.Final = 60


@dataclasses.dataclass(frozen=True, kw_only=True)
class Made:
    """How it ended, and the request if there is one (PEM)."""

    outcome: Outcome
    csr: str | None = None


def make_request(
    session: Session, wanted: Replacement, *, machine_guid: str | None, run_id: str, key_size: int
) -> Made:
    """Have the server make a key and a request; a request that an earlier run had made is taken up instead.

    :raises SessionError: the host cannot be talked to any more. A key without a known request may be left; it does no harm.
    """
    try:
        now = read_now(session, machine_guid=machine_guid)
        earlier = _usable(now, wanted)
        if earlier is not None:
            return Made(
                outcome=Outcome(status="unchanged", message="The server already had a request; it is used."),
                csr=earlier,
            )
        if wanted.thumbprint not in now.store:
            raise StepError(
                "refused",
                f"The certificate to replace ({wanted.thumbprint}) is not in the computer's store any more. Run again.",
            )
        record = CertificateRecord(
            use=wanted.uses[0],
            uses=wanted.uses,
            replaces=wanted.thumbprint,
            step="requesting",
            friendly_name=friendly_name(wanted.uses[0], run_id),
            time_utc=NOW,
            run_id=run_id,
        )
        csr, note = _request(session, wanted, record, key_size)
        write_record(session, record, step="requested", csr=csr.pem)
        message = f"A key of {csr.key_bits} bits and a request were made by {note}."
        return Made(outcome=Outcome(status="changed", message=message), csr=csr.pem)
    except StepError as error:
        return Made(outcome=error.outcome)


def note_submission(
    session: Session, *, use: cop.CertificateUse, csr_pem: str, step: ServerStep, handed_in: HandedIn | None
) -> Outcome:
    """Note on the server where its request is, so that another controller never hands it in a second time."""
    try:
        now = read_now(session)
        record = now.records.certificate(use)
        if record is None or record.csr != csr_pem:
            return Outcome(status="unchanged", message="The server has no record of this request.")
        if (record.step, record.handed_in) == (step, handed_in) or record.step in ("imported", "assigned", "done"):
            return Outcome(status="unchanged", message="The server's record says so already.")
        write_record(session, record, step=step, handed_in=handed_in)
        return Outcome(status="changed", message=f"The server's record says {step} now.")
    except StepError as error:
        return error.outcome


def _usable(now: Now, wanted: Replacement) -> str | None:
    """A request on the server that fits what is wanted."""
    record = now.records.certificate(wanted.uses[0])
    if record is None or record.csr is None or record.replaces != wanted.thumbprint or record.step == "done":
        return None
    try:
        csr = read_csr(record.csr)
    except CsrError:
        return None
    return csr.pem if csr.pem != wanted.abandoned and not _objection(csr, wanted) else None


def _request(session: Session, wanted: Replacement, record: CertificateRecord, key_size: int) -> tuple[Csr, str]:
    """The request, and what made it: the product's cmdlet if it asks for the right names, else certreq."""
    why = ""
    if wanted.method == "cmdlet":
        reply = _run(session, record, _cmdlet(wanted, record, key_size))
        problem = cmdlet_problem(reply) or ("" if reply.csr else "it made no request")
        csr = _read(reply.csr) if reply.csr and not problem else None
        problem = problem or (_objection(csr, wanted) if csr else "")
        if csr is not None and not problem:
            return csr, "Request-CsCertificate"
        why = f" (Request-CsCertificate was not used: {one_line(problem, 300)})"
        # A friendly name may not be used twice on a computer.
        record = dataclasses.replace(record, friendly_name=f"{record.friendly_name} 2")
    try:
        inf = request_inf(wanted, friendly_name=record.friendly_name, key_size=key_size)
    except InfError as error:
        raise StepError("refused", f"{error}{why}") from None
    reply = _run(session, record, cop.CertreqNew(inf=inf))
    if not reply.csr:
        raise StepError("failed", f"certreq -new made no request (exit code {reply.exit_code}). Look at the server.")
    csr = _read(reply.csr)
    problem = _objection(csr, wanted)
    if problem:
        raise StepError("failed", f"The request that certreq made {problem}. It is not used.")
    return csr, f"certreq{why}"


def _cmdlet(wanted: Replacement, record: CertificateRecord, key_size: int) -> cop.LyncRequest:
    subject = wanted.subject
    return cop.LyncRequest(
        modules=wanted.modules,
        use=wanted.uses[0],
        friendly_name=record.friendly_name,
        names=wanted.names,
        key_size=key_size,
        exportable=wanted.exportable,
        organization=subject.organization,
        unit=subject.unit,
        city=subject.city,
        state=subject.state,
        country=subject.country,
    )


def _run(session: Session, record: CertificateRecord, request: cop.LyncRequest | cop.CertreqNew) -> cop.RequestReply:
    replies = run_operations(
        session,
        [record_operation(record), request],
        stage="making the request",
        deadline_seconds=request.seconds + _SPARE_SECONDS,
    )
    return t.cast(cop.RequestReply, replies[-1].value)


def _objection(csr: Csr, wanted: Replacement) -> str:
    """What is wrong with the names of a request; empty if nothing. More names than before are fine."""
    found = difference(wanted=make_names(wanted.subject.common_name, wanted.names), found=csr.names)
    if found.missing:
        return f"lacks names of the certificate that it replaces: {', '.join(found.missing[:10])}"
    if found.common_name:
        return f"has the CN {found.common_name[1] or 'none'} instead of {found.common_name[0] or 'none'}"
    return ""


def _read(text: str) -> Csr:
    try:
        return read_csr(text)
    except CsrError as error:
        raise StepError("failed", str(error)) from None
