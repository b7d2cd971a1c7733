# Copyright (c) 2026, the sfb.kb4023993 contributors
# GNU General Public License v3.0-or-later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Findings on certificates that were replaced half way or wrongly: what stands in a server's stores against what it uses. Pure."""

from __future__ import annotations

import dataclasses
import datetime
import typing as t

from .certificates import (
    SERVER_AUTH,
    CertificateError,
    CertificateFacts,
    EkuVerdict,
    Usage,
    judge_usage,
    read_certificate,
)
from .connections import ConnectionJudge
from .findings import Finding, HostJudgement
from .fleet import Fleet, HostView
from .host.operations import CertificatesReply, StoreCertificate
from .rules.role_certificate import HeldCertificate, held, thumbprint
from .rules.times import parse_time

Make = t.Callable[..., Finding]


@dataclasses.dataclass(frozen=True, kw_only=True)
class _Stored:
    """A certificate of the computer's store."""

    certificate: HeldCertificate
    facts: CertificateFacts
    has_key: bool


def certificate_findings(
    fleet: Fleet, judge: ConnectionJudge, host: HostJudgement, make: Make, *, now: datetime.datetime
) -> t.Iterator[Finding]:
    """What is wrong around the certificate of one Front End or Edge."""
    view = fleet.views[host.name]
    yield from _misplaced_roots(view, make)
    yield from _unfinished(view, make)
    own = _in_use(view)
    if own is None or own.facts is None:
        return
    yield from _key_findings(view, own, make)
    usage = judge.usage(own, view)
    if isinstance(usage, EkuVerdict) and usage.usage is Usage.BAD:
        yield from _newer_findings(_newer(view, own, own.facts, judge, now), own, make)
    if view.role.role == "edge":
        yield from _pool_findings(fleet, view, own, make)


def _unfinished(view: HostView, make: Make) -> t.Iterator[Finding]:
    """What a run of this collection has begun on this server and not ended, by the server's own record."""
    restart = view.records.services
    if restart is not None:
        how = "failed over" if restart.failover else "restarted"
        services = ", ".join(restart.running)
        yield make(
            "KB4023993-SERVICES-UNFINISHED", evidence=[f"{how} since {restart.begun_utc}; has to run: {services}"]
        )
    for record in view.records.certificates:
        if record.step != "done":
            lines = [f"{', '.join(record.uses)}: {record.step} since {record.time_utc}, in place of {record.replaces}"]
            if record.handed_in and record.handed_in.request_id:
                lines.append(f"{record.handed_in.ca} has the request as {record.handed_in.request_id}")
            yield make("KB4023993-RENEWAL-UNDERWAY", evidence=lines)


def _misplaced_roots(view: HostView, make: Make) -> t.Iterator[Finding]:
    found = view.source.evidence.misplaced_roots if view.source.evidence else None
    lines = [line for entry in (found.certificates if found else ()) if (line := _misplaced(entry.certificate))]
    if found and lines:
        yield make("KB4023993-ROOT-MISPLACED", evidence=[*lines, *(["and more"] if found.truncated else [])])


def _misplaced(der: bytes) -> str:
    """What a certificate in ``Root`` is, in one line; empty if it belongs there."""
    try:
        facts = read_certificate(der)
    except CertificateError:
        return f"{thumbprint(der)}, which cannot be read as a certificate"
    return "" if facts.self_signed else f"{facts.thumbprint} ({facts.subject}), issued by {facts.issuer}"


def _in_use(view: HostView) -> HeldCertificate | None:
    shown = view.certificate
    return (shown.assigned or shown.current) if shown else None


def _key_findings(view: HostView, own: HeldCertificate, make: Make) -> t.Iterator[Finding]:
    entries = _entries(view)
    if any(thumbprint(entry.certificate) == own.thumbprint and not entry.has_private_key for entry in entries):
        yield make("KB4023993-CERT-NO-KEY", evidence=[f"{own.thumbprint}, which its services use"])


def _newer_findings(newer: t.Sequence[_Stored], own: HeldCertificate, make: Make) -> t.Iterator[Finding]:
    usable = [stored for stored in newer if stored.has_key]
    if usable:
        lines = [f"{_label(stored)}; in use is {own.thumbprint}, which is not good for clientAuth" for stored in usable]
        yield make("KB4023993-CERT-NOT-ASSIGNED", evidence=lines)
    elif newer:
        lines = [f"{_label(stored)}, meant to replace {own.thumbprint}" for stored in newer]
        yield make("KB4023993-CERT-NO-KEY", evidence=lines, severity="warning")


def _label(stored: _Stored) -> str:
    return f"{stored.facts.thumbprint} of {stored.facts.not_before_utc[:10]} ({stored.facts.subject})"


def _newer(
    view: HostView, own: HeldCertificate, facts: CertificateFacts, judge: ConnectionJudge, now: datetime.datetime
) -> list[_Stored]:
    """Certificates of the store that could take the place of the one in use: same names, both usages, valid, issued later; newest first."""
    found = []
    for stored in _stored(view):
        other = stored.facts
        if stored.certificate.thumbprint == own.thumbprint or _names(other) != _names(facts):
            continue
        begin, end = parse_time(other.not_before_utc), parse_time(other.not_after_utc)
        if not (begin and end and begin <= now <= end and other.not_before_utc > facts.not_before_utc):
            continue
        if _is_good(stored.certificate, view, judge):
            found.append(stored)
    return sorted(found, key=lambda stored: stored.facts.not_before_utc, reverse=True)


def _is_good(certificate: HeldCertificate, view: HostView, judge: ConnectionJudge) -> bool:
    client = judge.usage(certificate, view)
    server = judge_usage(certificate.der, certificate.issuers, oid=SERVER_AUTH)
    return isinstance(client, EkuVerdict) and client.usage is Usage.GOOD and server.usage is Usage.GOOD


def _names(facts: CertificateFacts) -> tuple[str, frozenset[str]]:
    """The CN, and all names."""
    own = (facts.subject_common_name or "").rstrip(".").casefold()
    return own, frozenset({own, *(name.rstrip(".").casefold() for name in facts.dns_names)})


def _stored(view: HostView) -> t.Iterator[_Stored]:
    reply = _store(view)
    issuers = {thumbprint(issuer.certificate): issuer.certificate for issuer in (reply.issuers if reply else ())}
    for entry in _entries(view):
        certificate = held(entry.certificate, (issuers[mark] for mark in entry.chain if mark in issuers))
        if certificate.facts is not None:
            yield _Stored(certificate=certificate, facts=certificate.facts, has_key=entry.has_private_key)


def _entries(view: HostView) -> t.Sequence[StoreCertificate]:
    reply = _store(view)
    return reply.certificates if reply else ()


def _store(view: HostView) -> CertificatesReply | None:
    return view.source.evidence.certificates if view.source.evidence else None


def _pool_findings(fleet: Fleet, view: HostView, own: HeldCertificate, make: Make) -> t.Iterator[Finding]:
    pool = fleet.pools.pools.get(fleet.pools.pool_of.get(view.name, ""))
    members = (fleet.views[name] for name in (pool.members if pool else ()) if fleet.views[name].readable)
    marks = {member.name: found.thumbprint for member in members if (found := _in_use(member))}
    if any(mark != own.thumbprint for mark in marks.values()):
        yield make(
            "KB4023993-CERT-EDGE-POOL-DIFFERS", evidence=[f"{name}: {mark}" for name, mark in sorted(marks.items())]
        )
