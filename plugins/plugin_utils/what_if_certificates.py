# Copyright (c) 2026, the sfb.kb4023993 contributors
# GNU General Public License v3.0-or-later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Saved evidence as it would be with other certificates: one that a host is given, or what public CAs will renew. Pure."""

from __future__ import annotations

import dataclasses
import typing as t

from .evidence import Evidence, Presented
from .fleet import Fleet, HostView, InventoryHost, build_fleet
from .host.operations import CertificatesReply, ChainCertificate, LyncCommandReply, StoreCertificate, TlsPeerReply
from .knowledge import loader as knowledge
from .public_renewal import without_client_authentication
from .rules.role_certificate import thumbprint


@dataclasses.dataclass(frozen=True, kw_only=True)
class HostCertificate:
    """A host presents this certificate (DER), with the other certificates of its file."""

    host: str
    leaf: bytes
    others: tuple[bytes, ...]


def with_certificate(
    hosts: t.Sequence[InventoryHost], given: HostCertificate, notes: list[str]
) -> tuple[InventoryHost, ...]:
    """The host has this certificate assigned and shows it to everybody who asks."""
    fleet = build_fleet(hosts)
    view = fleet.views[given.host]
    names = _names(fleet, view)
    if not names:
        notes.append(f"{given.host}: no Front End of this inventory is known to connect to it.")
    issuers = tuple(dict.fromkeys([*given.others, *_issuers(hosts)]))
    reply = TlsPeerReply(connected=True, certificate=given.leaf, issuers=issuers, failure=None)
    port = next(p.number for p in knowledge.ports() if p.purpose == "probe")
    altered = []
    for host in hosts:
        evidence = host.evidence
        if evidence is not None:
            if host.name == given.host:
                evidence = _holding(view, evidence, given.leaf, issuers, reply)
            elif fleet.views[host.name].role.role == "front_end":
                seen = tuple(Presented(host=name, port=port, reply=reply) for name in sorted(names))
                # The first reading of a name counts.
                evidence = dataclasses.replace(evidence, presented=(*seen, *evidence.presented))
        altered.append(dataclasses.replace(host, evidence=evidence))
    return tuple(altered)


def _names(fleet: Fleet, view: HostView) -> frozenset[str]:
    """What those that connect to the host call it."""
    label = view.name.lower().split(".")[0]
    return frozenset(
        name
        for link in fleet.links
        if link.peer == view.name or link.peer.lower() == view.full_name or link.peer.lower().split(".")[0] == label
        for name in link.names
    )


def _issuers(hosts: t.Iterable[InventoryHost]) -> t.Iterator[bytes]:
    """CA certificates of the company, as its servers hold them: a new certificate is most likely from one of these."""
    for host in hosts:
        for issuer in host.evidence.certificates.issuers if host.evidence and host.evidence.certificates else ():
            yield issuer.certificate


def _holding(
    view: HostView, evidence: Evidence, leaf: bytes, issuers: tuple[bytes, ...], reply: TlsPeerReply
) -> Evidence:
    role = view.role.role
    use = next((u.use for u in knowledge.certificate_uses() if u.role == role and u.handling == "judged"), None)
    ports = [p.number for p in knowledge.ports() if p.purpose == "probe" and p.certificate_use == use]
    if use is None or not ports:
        return evidence
    old = evidence.certificates or CertificatesReply(certificates=(), issuers=(), truncated=False)
    known = {issuer.certificate for issuer in old.issuers}
    store = dataclasses.replace(
        old,
        certificates=(
            StoreCertificate(
                certificate=leaf,
                has_private_key=True,
                usage_property=None,
                chain=tuple(map(thumbprint, issuers)),
            ),
            *old.certificates,
        ),
        issuers=(
            *old.issuers,
            *(ChainCertificate(certificate=ca, usage_property=None) for ca in issuers if ca not in known),
        ),
    )
    own = tuple(each for each in evidence.presented if each.host or each.port not in ports)
    return dataclasses.replace(
        evidence,
        certificates=store,
        lync_certificates=_assigned(evidence.lync_certificates, use, thumbprint(leaf)),
        presented=(*(Presented(host="", port=port, reply=reply) for port in ports), *own),
    )


def _assigned(reply: LyncCommandReply | None, use: str, mark: str) -> LyncCommandReply | None:
    """What Get-CsCertificate would say; where it did not answer, the ports tell."""
    if reply is None:
        return None
    objects = tuple(
        {**entry, "Thumbprint": (mark,)} if use in entry.get("Use", ()) else entry for entry in reply.objects
    )
    return dataclasses.replace(reply, objects=objects)


def renewed(hosts: t.Sequence[InventoryHost], notes: list[str]) -> tuple[InventoryHost, ...]:
    """Every certificate of a public CA, wherever it was seen, is a renewal of it without clientAuth."""
    renewals: dict[bytes, bytes] = {}
    cutoffs: dict[str, None] = {}
    leaves = dict.fromkeys(leaf for host in hosts if host.evidence for leaf in _leaves(host.evidence))
    for leaf in leaves:
        found = without_client_authentication(leaf)
        if found is not None:
            renewals[leaf], name = found
            cutoffs[name] = None
    if not renewals:
        notes.append("No certificate here is of a public CA that is known to stop issuing clientAuth.")
        return tuple(hosts)
    notes.append(
        f"Supposed renewals have the names and the CA of the certificate of today, and serverAuth alone; their "
        f"thumbprints are made up. {'; '.join(sorted(cutoffs))}."
    )
    marks = {thumbprint(old): thumbprint(new) for old, new in renewals.items()}
    return tuple(
        dataclasses.replace(host, evidence=_exchanged(host.evidence, renewals, marks)) if host.evidence else host
        for host in hosts
    )


def _leaves(evidence: Evidence) -> t.Iterator[bytes]:
    for reading in evidence.presented:
        if reading.reply.certificate:
            yield reading.reply.certificate
    for entry in evidence.certificates.certificates if evidence.certificates else ():
        yield entry.certificate


def _exchanged(evidence: Evidence, renewals: t.Mapping[bytes, bytes], marks: t.Mapping[str, str]) -> Evidence:
    store, reply = evidence.certificates, evidence.lync_certificates
    if store is not None:
        entries = tuple(
            dataclasses.replace(entry, certificate=renewals.get(entry.certificate, entry.certificate))
            for entry in store.certificates
        )
        store = dataclasses.replace(store, certificates=entries)
    if reply is not None:
        objects = tuple(
            {**entry, "Thumbprint": tuple(_exchanged_mark(mark, marks) for mark in entry["Thumbprint"])}
            if "Thumbprint" in entry
            else entry
            for entry in reply.objects
        )
        reply = dataclasses.replace(reply, objects=objects)
    presented = tuple(
        dataclasses.replace(
            reading,
            reply=dataclasses.replace(
                reading.reply,
                certificate=renewals.get(reading.reply.certificate or b"", reading.reply.certificate),
            ),
        )
        for reading in evidence.presented
    )
    return dataclasses.replace(evidence, certificates=store, lync_certificates=reply, presented=presented)


def _exchanged_mark(mark: str, marks: t.Mapping[str, str]) -> str:
    return marks.get(mark.replace(" ", "").upper(), mark)
