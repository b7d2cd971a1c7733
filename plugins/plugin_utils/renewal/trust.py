# Copyright (c) 2026, the sfb.kb4023993 contributors
# GNU General Public License v3.0-or-later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who has to build the chain of a new certificate before it is used anywhere, and what is missing there. Pure.

A server that gets the certificate is asked with its own stores alone: what is not in them, it will not send to its peers either. Everybody
else is asked with the intermediate CA certificates that the server will send, never with the root.
"""

from __future__ import annotations

import collections
import dataclasses
import typing as t

from .._certificate import Certificate
from ..certificates import CLIENT_AUTH, SERVER_AUTH
from ..connections import UNKNOWN_EDGES
from ..evaluate import Assessment
from ..host.certificate_operations import CaStore
from ..plan import Refusal
from ..rules.role_certificate import thumbprint
from ..signing.bundle import read_bundle
from ..signing.chain import is_root
from ..signing.records import New, Record
from ..words import one_line

# Before these steps there is no certificate to ask about; after them it is in use everywhere.
_ASKED: t.Final = ("verified", "installed")
_IN_USE: t.Final = ("assigned", "done")
_USAGES: t.Final = {SERVER_AUTH: "server authentication", CLIENT_AUTH: "client authentication"}
_NO_FAULT: t.Final = "NoError"
_MENDED_BY_A_CA_CERTIFICATE: t.Final = frozenset({"UntrustedRoot", "PartialChain"})


@dataclasses.dataclass(frozen=True, kw_only=True)
class TrustQuestion:
    """What one server is asked: id of the record, the new certificate, and the issuers that it will be sent, nearest first (DER)."""

    host: str
    certificates: tuple[tuple[str, bytes, tuple[bytes, ...]], ...]


@dataclasses.dataclass(frozen=True, kw_only=True)
class TrustResult:
    """``statuses``: words of ``X509ChainStatusFlags``; ``chain``: thumbprints, leaf first, as far as the server could build it."""

    record_id: str
    usage_oid: str
    statuses: tuple[str, ...]
    chain: tuple[str, ...]


@dataclasses.dataclass(frozen=True, kw_only=True)
class TrustAnswer:
    host: str
    results: tuple[TrustResult, ...]


@dataclasses.dataclass(frozen=True, kw_only=True)
class CaCertificate:
    """A CA certificate (DER) that a server lacks, and the store that it belongs into: ``Root`` only if it signed itself."""

    store: CaStore
    certificate: bytes
    thumbprint: str
    subject: str


@dataclasses.dataclass(frozen=True, kw_only=True)
class TrustProblem:
    """Why one server keeps a certificate from being used."""

    host: str
    record_id: str
    text: str


@dataclasses.dataclass(frozen=True, kw_only=True)
class TrustJudgement:
    """``install``: by server, nearest to the root first. ``unasked``: servers without an answer that nobody has vouched for.

    ``ok_records``: certificates that may be assigned.
    """

    install: dict[str, tuple[CaCertificate, ...]]
    problems: tuple[TrustProblem, ...]
    unasked: tuple[Refusal, ...]
    ok_records: tuple[str, ...]


def trust_questions(assessment: Assessment, records: t.Mapping[str, Record]) -> dict[str, TrustQuestion]:
    """By server, also such as cannot be asked, what it has to say before the certificates of these records are used."""
    asked: dict[str, list[tuple[str, bytes, tuple[bytes, ...]]]] = collections.defaultdict(list)
    for record in records.values():
        if record.step not in _ASKED or record.new is None:
            continue
        certificate, chain = _certificates(record.new)
        sent = tuple(der for der in chain if not is_root(der))
        for host in _concerned(assessment, record.servers):
            asked[host].append((record.id, certificate, () if host in record.servers else sent))
    return {host: TrustQuestion(host=host, certificates=tuple(asked[host])) for host in sorted(asked)}


def judge_trust(
    questions: t.Mapping[str, TrustQuestion],
    answers: t.Mapping[str, TrustAnswer],
    records: t.Mapping[str, Record],
    *,
    trusted_elsewhere: t.Collection[str],
) -> TrustJudgement:
    """What the answers allow. Asked again after something was installed, nothing but the new answers counts.

    :param trusted_elsewhere: names of servers that somebody has looked at by hand; one that answers is believed more than that.
    """
    vouched = {name.lower() for name in trusted_elsewhere}
    install: dict[str, dict[str, CaCertificate]] = collections.defaultdict(dict)
    problems: list[TrustProblem] = []
    unasked: dict[str, list[str]] = collections.defaultdict(list)
    for host, question in questions.items():
        results = _results(answers.get(host))
        for record_id, _certificate, _issuers in question.certificates:
            found = [results.get((record_id, oid)) for oid in _USAGES]
            whole = [result for result in found if result is not None]
            if len(whole) < len(_USAGES):
                if host.lower() not in vouched:
                    unasked[host].append(record_id)
                continue
            faults = {status for result in whole for status in result.statuses} - {_NO_FAULT}
            record = records.get(record_id)
            if faults & _MENDED_BY_A_CA_CERTIFICATE and record and record.new:
                for ca in _missing(record.new, {mark for result in whole for mark in result.chain}):
                    install[host][ca.thumbprint] = ca
            if faults:
                problems.append(TrustProblem(host=host, record_id=record_id, text=_text(whole)))
    bad = {problem.record_id for problem in problems} | {name for names in unasked.values() for name in names}
    asked = {entry[0] for question in questions.values() for entry in question.certificates}
    in_use = {record.id for record in records.values() if record.step in _IN_USE}
    return TrustJudgement(
        install={host: tuple(found.values()) for host, found in sorted(install.items())},
        problems=tuple(problems),
        unasked=tuple(Refusal(host=host, reason=_no_answer(host, names)) for host, names in sorted(unasked.items())),
        ok_records=tuple(sorted((asked - bad) | in_use)),
    )


def _concerned(assessment: Assessment, servers: t.Sequence[str]) -> list[str]:
    """The servers themselves, everybody who is connected with them, and the other members of all their pools."""
    pools = assessment.fleet.pools
    met = set(servers)
    for connection in assessment.judgement.connections:
        if connection.peer in servers or connection.validator in servers:
            met |= {connection.peer, connection.validator}
    for pool in {pools.pool_of[name] for name in met if name in pools.pool_of}:
        if pool in pools.pools:
            met |= {*pools.pools[pool].members, *pools.pools[pool].missing}
    return sorted(met)


def _certificates(new: New) -> tuple[bytes, tuple[bytes, ...]]:
    """The certificate and its chain, nearest first."""
    certificate, *chain = (read_bundle(pem.encode("ascii"))[0] for pem in (new.certificate, *new.chain))
    return certificate, tuple(chain)


def _missing(new: New, built: t.Collection[str]) -> list[CaCertificate]:
    """Of the verified chain, what the server did not find; its root always, because a root that was found may not be trusted."""
    _certificate, chain = _certificates(new)
    missing = []
    for der in reversed(chain):
        mark, root = thumbprint(der), is_root(der)
        if root or mark not in built:
            store: CaStore = "Root" if root else "CA"
            subject = Certificate(der).subject
            missing.append(CaCertificate(store=store, certificate=der, thumbprint=mark, subject=subject))
    return missing


def _results(answer: TrustAnswer | None) -> dict[tuple[str, str], TrustResult]:
    return {(result.record_id, result.usage_oid): result for result in (answer.results if answer else ())}


def _text(results: t.Sequence[TrustResult]) -> str:
    faults = {
        _USAGES[result.usage_oid]: ", ".join(sorted(set(result.statuses) - {_NO_FAULT}))
        for result in results
        if set(result.statuses) - {_NO_FAULT}
    }
    said = "; ".join(f"{one_line(statuses, 200)} (for {usage})" for usage, statuses in faults.items())
    statuses = {status for result in results for status in result.statuses}
    if statuses & _MENDED_BY_A_CA_CERTIFICATE:
        step = "it lacks CA certificates of the chain, or does not trust its root"
    elif "NotValidForUsage" in statuses:
        step = "a CA certificate of the chain is limited to other usages in its stores; compare it with the same on other servers"
    else:
        step = "look at the chain on that server with certutil -verify"
    ends = results[0].chain[-1] if results[0].chain else "nothing"
    return f"its own chain check says {said}; the chain that it built ends at {one_line(ends, 40)}: {step}."


def _no_answer(host: str, record_ids: t.Sequence[str]) -> str:
    if host == UNKNOWN_EDGES:
        return (
            f"whether they trust the new certificate of {', '.join(record_ids)} is not known, so that is assigned nowhere: set "
            "sfb_kb4023993_edge_pool for the Front Ends (none if they have no Edge), and run again"
        )
    return (
        f"it did not say whether it trusts the new certificate of {', '.join(record_ids)}, so that is assigned nowhere: make it readable "
        "and run again, or look there by hand and name it in sfb_kb4023993_trusted_elsewhere"
    )
