# Copyright (c) 2026, the sfb.kb4023993 contributors
# GNU General Public License v3.0-or-later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Taking up replacements that another controller began, by what stands on the servers themselves. Pure."""

from __future__ import annotations

import datetime
import typing as t

from ..certificate_records import CertificateRecord
from ..certificates import CertificateError, read_certificate
from ..evaluate import Assessment
from ..fleet import HostView
from ..rules.role_certificate import thumbprint
from ..signing.bundle import to_pem
from ..signing.chain import is_root
from ..signing.csr import CsrError, read_csr
from ..signing.records import New, Record, Step, Submission, new_record, with_request

_TAKEN_UP: t.Final = "Taken up from the record on the server."
_UNCLEAR: t.Final = (
    f"{_TAKEN_UP} Another controller was about to hand the request in, and no answer is on record. Look on the CA: if it has the "
    "request, run again with its request id (request_ids); if not, allow handing it in once more (submit_again)."
)


def adopt(assessment: Assessment, records: t.Mapping[str, Record], *, now: datetime.datetime) -> dict[str, Record]:
    """Records for replacements that stand on a server of this run and that this controller does not know, by id.

    :raises RecordError: a certificate that is to be replaced cannot be read.
    """
    known = {(server, record.uses[0]) for record in records.values() for server in record.servers}
    found: dict[str, Record] = {}
    for view in assessment.fleet.views.values():
        for own in view.records.certificates:
            # Only the server that made the request holds it; the other members of an Edge pool follow from their pool.
            if not view.read_now or own.csr is None or (view.name, own.use) in known:
                continue
            record = _record(assessment, view, own, now)
            if record is not None:
                found[record.id] = record
    return found


def _record(assessment: Assessment, view: HostView, own: CertificateRecord, now: datetime.datetime) -> Record | None:
    replaced = _stored(view, own.replaces)
    try:
        csr = read_csr(own.csr or "")
    except CsrError:
        # What cannot be read is not gone on with: a new request is made.
        return None
    if replaced is None:
        return None
    record = new_record(servers=_servers(assessment, view, own), uses=own.uses, replaces=replaced, at=now)
    # What lies on a server is no permission to leave names out.
    record = with_request(record, csr, at=now)
    if own.handed_in is not None:
        submission = Submission(
            method=own.handed_in.method,
            ca=own.handed_in.ca,
            template=own.handed_in.template,
            csr_sha256=csr.sha256,
            at_utc=own.handed_in.at_utc,
            request_id=own.handed_in.request_id,
        )
        step: Step = "pending" if own.handed_in.request_id else "submitting"
        record = record.moved(step, _note(submission), at=now, submission=submission)
    elif own.step in ("submitting", "pending"):
        # Another controller was about to hand it in, and has not said since how that ended.
        record = record.moved("submitting", _UNCLEAR, at=now)
    if own.step in ("imported", "assigned", "done"):
        new = _new(view, own.new or "")
        if new is None:
            return None
        return record.moved("verified" if own.step == "imported" else own.step, _TAKEN_UP, at=now, new=new)
    return record


def _note(submission: Submission) -> str:
    if submission.request_id:
        return f"{_TAKEN_UP} {submission.ca} has the request as {submission.request_id}."
    return f"{_UNCLEAR} It was to go to {submission.ca} at {submission.at_utc}."


def _servers(assessment: Assessment, view: HostView, own: CertificateRecord) -> tuple[str, ...]:
    pool = assessment.fleet.pools.pools.get(assessment.fleet.pools.pool_of.get(view.name, ""))
    others = pool.members if pool and own.use == "Internal" else ()
    return (view.name, *(name for name in others if name != view.name))


def _stored(view: HostView, mark: str) -> bytes | None:
    certificates = view.source.evidence.certificates if view.source.evidence else None
    entries = certificates.certificates if certificates else ()
    return next((entry.certificate for entry in entries if thumbprint(entry.certificate) == mark), None)


def _new(view: HostView, mark: str) -> New | None:
    """The new certificate as the server has it, with the chain that the server built, but without its root.

    A chain is offered to other servers where it is missing. Whom to trust is nothing that one server may tell all others: a root comes
    from the CA itself, and by now it is where it is needed, because the chain was asked about everywhere before the import.
    """
    certificates = view.source.evidence.certificates if view.source.evidence else None
    for entry in certificates.certificates if certificates else ():
        if thumbprint(entry.certificate) != mark:
            continue
        try:
            facts = read_certificate(entry.certificate)
        except CertificateError:
            return None
        issuers = {thumbprint(ca.certificate): ca.certificate for ca in certificates.issuers} if certificates else {}
        return New(
            thumbprint=mark,
            subject=facts.subject,
            names=tuple(sorted(name.lower() for name in facts.dns_names)),
            not_after_utc=facts.not_after_utc,
            template=facts.template,
            certificate=to_pem(entry.certificate),
            chain=tuple(to_pem(der) for der in map(issuers.get, entry.chain) if der and not is_root(der)),
        )
    return None
