# Copyright (c) 2026, the sfb.kb4023993 contributors
# GNU General Public License v3.0-or-later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Reads a host: sends what ``sections.py`` asks, and makes evidence of what comes back.

Three batches can make the evidence of a host:

1. everything that needs no cmdlet, in one trip; a Front End's opinion of its peers' certificates too, where an earlier audit told which these are;
2. on Lync and Skype for Business servers the product's own cmdlets, apart, because their module is slow and may exceed an old
   server's memory quota: when this batch dies, the first one is kept;
3. on Front Ends, once the evidence of the fleet is there: the server's own opinion of the peers' certificates that it was not asked
   about yet (:func:`collect_peers`).
"""

from __future__ import annotations

import dataclasses
import hashlib
import typing as t

from .certificates import CLIENT_AUTH
from .evidence import ChainCheckFact, Evidence, Failure, Presented, Problem
from .host import operations as op
from .host.session import Session, SessionError
from .questions import NOTHING, PeerCertificate, PeerQuestion
from .sections import (
    CMDLET_DEADLINE_SECONDS,
    SECTIONS,
    Batch,
    Header,
    cmdlet_batch,
    first_batch,
    first_evidence,
    needs_cmdlets,
    needs_topology,
    no_evidence,
    with_cmdlets,
)

# 20 certificates with their issuers stay well below the 110 kB that a batch may have.
_PEERS_PER_BATCH: t.Final = 20
# Beside the 25 kB of the first batch.
_MOST_KNOWN_BYTES: t.Final = 40_000


def collect(
    session: Session, header: Header, *, sections: t.Collection[str] = SECTIONS, known_peers: PeerQuestion = NOTHING
) -> Evidence:
    """Read one host. Always returns evidence; what could not be read is named in it.

    :param sections: which of ``SECTIONS``; ``system`` and ``services`` are always read.
    :param known_peers: what a Front End was asked about its peers by an earlier audit, asked anew.
    """
    batch = first_batch(sections)
    # Last, so that chains that take their time keep nothing else from being read.
    peers = Batch()
    _ask_about(peers, known_peers.within(_MOST_KNOWN_BYTES).certificates)
    try:
        replies = session.run((*batch.operations, *peers.operations), stage="reading the server")
    except SessionError as error:
        return dataclasses.replace(no_evidence(header), failure=failure_of(error), batches=session.batches)
    evidence = first_evidence(header, batch, replies[: len(batch.operations)], sections)
    if peers.operations:
        # What failed here is no problem yet: it is asked again with what is new.
        values, _failed, milliseconds = peers.answers(replies[len(batch.operations) :])
        checks = tuple(ChainCheckFact(thumbprint=key, reply=value) for key, value in values.items())
        evidence = dataclasses.replace(evidence, chain_checks=checks, duration_ms=evidence.duration_ms + milliseconds)
    if "lync" in sections and needs_cmdlets(evidence):
        evidence = _ask_cmdlets(session, evidence)
    return evidence


def _ask_cmdlets(session: Session, evidence: Evidence) -> Evidence:
    batch = cmdlet_batch(topology=needs_topology(evidence))
    try:
        replies = session.run(
            batch.operations, stage="asking the product's own cmdlets", deadline_seconds=CMDLET_DEADLINE_SECONDS
        )
    except SessionError as error:
        died = (*evidence.problems, _problem("lync", error))
        return dataclasses.replace(evidence, problems=died, batches=session.batches)
    return with_cmdlets(evidence, batch, replies)


def collect_peers(session: Session, evidence: Evidence, question: PeerQuestion) -> Evidence:
    """Add a Front End's own opinion of its peers' certificates to its evidence, also of those that it was only just shown."""
    checks = {check.thumbprint: check for check in evidence.chain_checks}
    presented: list[Presented] = []
    problems = list(evidence.problems)
    spent = evidence.duration_ms
    certificates, names = question.certificates, question.names
    asked = set(checks)
    try:
        while certificates or names:
            for batch in _peer_batches(certificates, names):
                replies = session.run(batch.operations, stage="asking the server about its peers")
                values, failed, milliseconds = batch.answers(replies)
                for key, value in values.items():
                    if isinstance(value, op.ChainCheckReply):
                        checks[key] = ChainCheckFact(thumbprint=key, reply=value)
                    else:
                        name, port = key.rsplit(" ", 1)
                        presented.append(Presented(host=name, port=int(port), reply=value))
                problems.extend(failed)
                spent += milliseconds
            asked.update(mark for mark, _der, _issuers in certificates)
            certificates, names = _shown_now(presented, asked), ()
    except SessionError as error:
        problems.append(_problem("peers", error))
    return dataclasses.replace(
        evidence,
        chain_checks=tuple(checks.values()),
        presented=(*(reading for reading in evidence.presented if not reading.host), *presented),
        problems=tuple(problems),
        batches=evidence.batches + session.batches,
        duration_ms=spent,
    )


def _shown_now(presented: t.Sequence[Presented], asked: t.Collection[str]) -> tuple[PeerCertificate, ...]:
    """Certificates that peers presented and that the host was not asked about yet."""
    found: dict[str, PeerCertificate] = {}
    for reading in presented:
        der = reading.reply.certificate
        if der is not None:
            mark = hashlib.sha1(der, usedforsecurity=False).hexdigest().upper()
            if mark not in asked:
                found[mark] = (mark, der, reading.reply.issuers)
    return tuple(found.values())


def _peer_batches(certificates: t.Sequence[PeerCertificate], names: t.Sequence[tuple[str, int]]) -> t.Iterator[Batch]:
    """The questions in batches that fit an old server's envelope."""
    for start in range(0, max(len(certificates), len(names)), _PEERS_PER_BATCH):
        batch = Batch()
        _ask_about(batch, certificates[start : start + _PEERS_PER_BATCH])
        for name, port in names[start : start + _PEERS_PER_BATCH]:
            batch.ask("peers", f"{name} {port}", op.TlsPeer(host=name, port=port))
        yield batch


def _ask_about(batch: Batch, certificates: t.Iterable[PeerCertificate]) -> None:
    for thumbprint, certificate, issuers in certificates:
        batch.ask("peers", thumbprint, op.ChainCheck(certificate=certificate, issuers=issuers, oid=CLIENT_AUTH))


def _problem(section: str, error: SessionError) -> Problem:
    return Problem(section=section, operation="batch", type=error.kind, message=f"{error.message} {error.advice}"[:800])


def failure_of(error: SessionError) -> Failure:
    """The record of why a host could not be read at all."""
    return Failure(kind=error.kind, stage=error.stage, message=error.message, advice=error.advice)
