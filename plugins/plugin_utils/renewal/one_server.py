# Copyright (c) 2026, the sfb.kb4023993 contributors
# GNU General Public License v3.0-or-later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the choice of replacements wants to know of one server; or why that server has to be refused. Pure."""

from __future__ import annotations

import typing as t

from .._certificate import Certificate
from ..certificates import CertificateError
from ..fleet import HostView
from ..host.certificate_operations import CertificateUse
from ..host.operations import LyncCommandReply
from ..knowledge import loader as knowledge
from ..rules.role_certificate import HeldCertificate, thumbprint
from ..signing.names import NamesError, certificate_names
from ..signing.records import Record
from .subject import Subject, SubjectError, read_subject, unfit


class RefusedError(Exception):
    """Why nothing can be planned for some servers: a clause that says what to do."""


def away(view: HostView) -> str:
    """Why a server cannot be worked on in this run."""
    source = view.source
    if source.offline:
        return "it is read by hand, so no run changes it: go on with the playbook certificate_kit, which makes the same steps as a script"
    if not source.in_run:
        return "it is not in this run: run without --limit, or with it among the hosts of --limit"
    if source.failure:
        return f"it could not be read: {source.failure.message} {source.failure.advice}".rstrip(".")
    return f"it could not be read: {source.problem or 'there is no evidence of it'}"


def way_out(absent: t.Sequence[str], servers: t.Sequence[str]) -> str:
    """What to do about servers of an Edge pool that cannot be worked on."""
    if len(servers) == 1:
        return "it cannot be worked on in this run: make it readable, or go on with the playbook certificate_kit"
    return (
        f"{', '.join(absent)} of its Edge pool cannot be worked on in this run, and all its members share one certificate: make all of "
        "them readable and run again, or move certificate and key there by hand (PFX) as the article says"
    )


def in_use(view: HostView) -> HeldCertificate | None:
    """The certificate to judge: the assigned one, also where the services still hold another one."""
    shown = view.certificate
    return (shown.assigned or shown.current) if shown else None


def known(view: HostView) -> HeldCertificate:
    """The same, where it has to be there."""
    found = in_use(view)
    if found is None:
        note = view.certificate.note if view.certificate else ""
        raise RefusedError(
            f"which certificate it uses is not known ({note or 'nothing was read of it'}): see what Get-CsCertificate says on the server"
        )
    return found


def replaced(view: HostView, record: Record | None) -> bytes:
    """The certificate that is replaced: with a record under way, the one that was in use when it began."""
    found = known(view)
    mark = record.current.thumbprint if record and record.current else found.thumbprint
    if mark == found.thumbprint:
        return found.der
    certificates = view.source.evidence.certificates if view.source.evidence else None
    for entry in certificates.certificates if certificates else ():
        if thumbprint(entry.certificate) == mark:
            return entry.certificate
    raise RefusedError(
        f"the certificate {mark} that its record replaces is not in the computer's store any more, so there would be no way back: put "
        "it there again, or move the record's file away from certificates/ below the state directory"
    )


def request_of(certificate: bytes) -> tuple[Subject, tuple[str, ...], tuple[str, ...]]:
    """Subject and names for a request with those of a certificate, and what of its subject is left out."""
    try:
        subject, left_out = read_subject(certificate)
        found = certificate_names(Certificate(certificate), subject.common_name)
    except (SubjectError, NamesError, CertificateError) as error:
        raise RefusedError(
            f"its certificate {thumbprint(certificate)} cannot be read ({error}): look at it on the server"
        ) from None
    own = subject.common_name.strip().rstrip(".").casefold()
    names = tuple(sorted(found.all, key=lambda name: (name != own, name)))
    problem = unfit(subject, names)
    if problem:
        raise RefusedError(f"{problem}: request the new certificate by hand")
    return subject, names, left_out


def own_uses(view: HostView) -> tuple[CertificateUse, ...]:
    """The uses of a Front End that move: Default, and those Web uses that share its certificate."""
    reply = view.source.evidence.lync_certificates if view.source.evidence else None
    found = known(view)
    assigned = _assignments(reply)
    if "Default" not in assigned:
        note = view.certificate.note if view.certificate else ""
        raise RefusedError(
            f"which uses share its certificate is not known ({note}): use an account in RTCUniversalServerAdmins and make sure that the "
            "product's PowerShell module works on the server"
        )
    if assigned["Default"] != found.thumbprint:
        raise RefusedError(
            f"Get-CsCertificate names {assigned['Default'][:40] or 'nothing'} for Default, but the services present {found.thumbprint}: "
            "look at the certificates of the server"
        )
    uses = [
        use
        for use in knowledge.certificate_uses()
        if use.role == "front_end" and use.handling in ("judged", "together")
    ]
    ordered = sorted(uses, key=lambda use: use.handling != "judged")
    return tuple(t.cast(CertificateUse, use.use) for use in ordered if assigned.get(use.use) == found.thumbprint)


def _assignments(reply: LyncCommandReply | None) -> dict[str, str]:
    return {
        use: "".join(entry.get("Thumbprint", ())).replace(" ", "").upper()
        for entry in (reply.objects if reply and not reply.denied else ())
        for use in entry.get("Use", ())
    }


def cmdlets_work(view: HostView) -> bool:
    """Whether the product's own cmdlets answered as they should when the server was read."""
    reply = view.source.evidence.lync_certificates if view.source.evidence else None
    return bool(reply and reply.module and not reply.denied and not reply.failure)


def all_modules() -> tuple[str, ...]:
    """The newest product's first, as the server was read."""
    return tuple(dict.fromkeys(module for product in knowledge.products() for module in product.modules))[::-1]
