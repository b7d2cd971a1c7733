# Copyright (c) 2026, the sfb.kb4023993 contributors
# GNU General Public License v3.0-or-later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Certificates to replace, records of their replacement, and what servers answer about a new chain."""

from __future__ import annotations

import datetime
import functools
import typing as t

from ansible_collections.sfb.kb4023993.plugins.plugin_utils.certificates import CLIENT_AUTH, SERVER_AUTH
from ansible_collections.sfb.kb4023993.plugins.plugin_utils.evaluate import Assessment
from ansible_collections.sfb.kb4023993.plugins.plugin_utils.renewal.replacements import (
    RenewalPlan,
    Replacement,
    plan_replacements,
)
from ansible_collections.sfb.kb4023993.plugins.plugin_utils.renewal.subject import Subject
from ansible_collections.sfb.kb4023993.plugins.plugin_utils.renewal.trust import (
    TrustAnswer,
    TrustQuestion,
    TrustResult,
)
from ansible_collections.sfb.kb4023993.plugins.plugin_utils.signing.bundle import to_pem
from ansible_collections.sfb.kb4023993.plugins.plugin_utils.signing.records import New, Record, Step, new_record
from cryptography import x509
from cryptography.x509.oid import NameOID
from lab import pki

from builders import certificates as c
from builders.fleets import NOW

EDGE_POOL: t.Final = "edgepool.contoso.example"
BOTH: t.Final = (pki.SERVER_AUTH, pki.CLIENT_AUTH)
_OIDS: t.Final = {
    "CN": NameOID.COMMON_NAME,
    "OU": NameOID.ORGANIZATIONAL_UNIT_NAME,
    "O": NameOID.ORGANIZATION_NAME,
    "L": NameOID.LOCALITY_NAME,
    "S": NameOID.STATE_OR_PROVINCE_NAME,
    "C": NameOID.COUNTRY_NAME,
    "E": NameOID.EMAIL_ADDRESS,
}


def issued(
    name: str,
    *more: str,
    eku: t.Sequence[str] | None = (pki.SERVER_AUTH,),
    subject: t.Sequence[tuple[str, str]] | None = None,
    start: datetime.datetime = c.START,
    authority: pki.Authority | None = None,
) -> pki.Issued:
    """A certificate with a CN and further names; ``subject``: pairs of attribute and text instead of the CN alone."""
    named = x509.Name([x509.NameAttribute(_OIDS[key], text) for key, text in subject]) if subject is not None else None
    return (authority or c.issuing()).issue(
        name,
        dns_names=[name, *more],
        subject=named,
        eku=eku,
        not_before=start,
        not_after=c.END,
        key=c.key("server"),
    )


@functools.cache
def old(name: str = EDGE_POOL) -> pki.Issued:
    """As the template Web Server makes them."""
    return issued(name)


@functools.cache
def new(name: str = EDGE_POOL) -> pki.Issued:
    """Its replacement, of a later day."""
    return issued(name, eku=BOTH, start=c.START + datetime.timedelta(days=200))


def record(
    *servers: str,
    replaces: pki.Issued,
    by: pki.Issued | None = None,
    step: Step = "pending",
    uses: t.Sequence[str] = ("Internal",),
) -> Record:
    """A record at a step; ``by``: the new certificate, once there is one."""
    made = new_record(servers=servers, uses=uses, replaces=replaces.der, at=NOW)
    brought = None
    if by is not None:
        brought = New(
            thumbprint=c.mark(by),
            subject=by.certificate.subject.rfc4514_string(),
            names=(),
            not_after_utc="2028-06-01T00:00:00Z",
            template=None,
            certificate=to_pem(by.der),
            chain=tuple(map(to_pem, by.chain)),
        )
    return made.moved(step, f"What comes after {step}.", at=NOW, new=brought)


def replacements(assessment: Assessment, *records: Record) -> RenewalPlan:
    return plan_replacements(assessment, {each.id: each for each in records})


def refusals(plan: RenewalPlan) -> dict[str, str]:
    return {refusal.host: refusal.reason for refusal in plan.refused}


def replacement(
    *names: str, subject: Subject | None = None, exportable: bool = False, lead: str = "edge01"
) -> Replacement:
    """A replacement of which only the request matters."""
    names = names or ("server.contoso.example",)
    return Replacement(
        id=f"{lead} Internal",
        servers=(lead,),
        uses=("Internal",),
        role="edge",
        pool=EDGE_POOL,
        certificate=b"",
        thumbprint="",
        subject=subject or Subject(common_name=names[0]),
        names=names,
        exportable=exportable,
        modules=("Lync",),
        method="certreq",
        machine_guid=None,
        step="planned",
        reason="",
    )


def answer(question: TrustQuestion, *statuses: str, chain: t.Sequence[str] = ()) -> TrustAnswer:
    """The same answer for every certificate and both usages."""
    return TrustAnswer(
        host=question.host,
        results=tuple(
            TrustResult(record_id=record_id, usage_oid=oid, statuses=statuses, chain=tuple(chain))
            for record_id, _certificate, _issuers in question.certificates
            for oid in (SERVER_AUTH, CLIENT_AUTH)
        ),
    )
