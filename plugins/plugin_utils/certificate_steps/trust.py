# Copyright (c) 2026, the sfb.kb4023993 contributors
# GNU General Public License v3.0-or-later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Step trust: every server that meets a new certificate has to build its chain before the certificate is used anywhere."""

from __future__ import annotations

import typing as t

from ..carry_out import StepError, forget_operation, record_operation, run_operations
from ..certificate_records import TrustRecord
from ..certificates import CLIENT_AUTH, SERVER_AUTH
from ..host import certificate_operations as cop
from ..host import operations as op
from ..host.session import Session
from ..outcome import Outcome
from ..records import KEY, NOW, read_records
from ..renewal.trust import CaCertificate, TrustAnswer, TrustQuestion, TrustResult
from ..words import counted, one_line

# With their issuers, these stay well below what one batch may hold.
_PER_BATCH: t.Final = 8


def ask_trust(session: Session, question: TrustQuestion) -> TrustAnswer:
    """What the server's own X509Chain says of the new certificates, for both usages. Changes nothing.

    :raises SessionError: the host cannot be talked to.
    :raises StepError: it did not answer.
    """
    results: list[TrustResult] = []
    certificates = question.certificates
    for start in range(0, len(certificates), _PER_BATCH):
        asked = [
            (record_id, oid, op.ChainCheck(certificate=der, issuers=issuers, oid=oid))
            for record_id, der, issuers in certificates[start : start + _PER_BATCH]
            for oid in (SERVER_AUTH, CLIENT_AUTH)
        ]
        replies = run_operations(session, [check for _id, _oid, check in asked], stage="asking about the new chain")
        for (record_id, oid, _check), reply in zip(asked, replies, strict=True):
            value: op.ChainCheckReply = reply.value
            results.append(TrustResult(record_id=record_id, usage_oid=oid, statuses=value.statuses, chain=value.chain))
    return TrustAnswer(host=question.host, results=tuple(results))


def install_trust(session: Session, missing: t.Sequence[CaCertificate], *, run_id: str) -> Outcome:
    """Add missing CA certificates, each with a record on the server before it; one that is there is left as it is.

    :raises SessionError: the host cannot be talked to any more.
    """
    added: list[str] = []
    try:
        listed = run_operations(session, [op.RegistryList(path=KEY)], stage="reading before the change")[0].value
        known = {record.value_name for record in read_records(listed).trust}
        for ca in missing:
            record = TrustRecord(store=ca.store, thumbprint=ca.thumbprint, time_utc=NOW, run_id=run_id)
            add = cop.StoreAdd(store=ca.store, certificate=ca.certificate)
            reply: cop.StoreChangeReply = run_operations(
                session, [record_operation(record), add], stage="installing CA certificates"
            )[-1].value
            if reply.changed:
                added.append(f"{one_line(ca.subject)} into {ca.store}")
            elif record.value_name not in known:
                # It was there before us, so there is nothing to take back.
                run_operations(session, [forget_operation(record)], stage="clearing the record")
    except StepError as error:
        return error.outcome
    if not added:
        return Outcome(status="unchanged", message="All CA certificates were there.")
    return Outcome(status="changed", message=f"{counted(len(added), 'CA certificate')} added: {'; '.join(added)}.")
