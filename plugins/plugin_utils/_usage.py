# Copyright (c) 2026, the sfb.kb4023993 contributors
# GNU General Public License v3.0-or-later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether a certificate, with its chain, is good for a usage as the .NET check of KB4023993 judges it.

The rules (Windows hands the usage to CertGetCertificateChain; .NET's own re-implementation of its rules for Linux is
what the tests compare with):

* No Extended Key Usage and no Application Policies: good for every usage. An empty list: good for none.
* Microsoft's Application Policies, where present, replace Extended Key Usage, on CA certificates too.
* Every CA certificate of the chain, the root included, limits what is below it by the same two rules, and by the usage
  property that the validator's store keeps for that CA certificate. Such a property on the peer's own certificate stays
  in the peer's store: the validator never sees it, so it has no place here.
* "Any usage" is undecided where it alone decides: .NET on Linux accepts one of its three identifiers and rejects the
  others, Windows is thought to accept them, and nobody proved it. So is everything that cannot be read, and a chain that
  can be built in two ways with different results.

docs/usage-rules.md tells the same to an administrator, with what .NET answered.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import Enum

from ._certificate import APPLICATION_POLICIES, EXTENDED_KEY_USAGE, Certificate, CertificateError, bounded

CLIENT_AUTH = "1.3.6.1.5.5.7.3.2"
SERVER_AUTH = "1.3.6.1.5.5.7.3.1"
ANY_USAGES = frozenset({"2.5.29.37.0", "1.3.6.1.4.1.311.10.12.1", "2.5.29.32.0"})
"""anyExtendedKeyUsage and anyPolicy of RFC 5280, and Microsoft's "any application policy"."""

_USAGE_NAMES = {CLIENT_AUTH: "client authentication", SERVER_AUTH: "server authentication"}
_EXTENSION_NAMES = {
    EXTENDED_KEY_USAGE: "Extended Key Usage",
    APPLICATION_POLICIES: "Application Policies",
    "2.5.29.32": "Certificate Policies",
    "2.5.29.33": "Policy Mappings",
    "2.5.29.36": "Policy Constraints",
    "2.5.29.54": "Inhibit anyPolicy",
}
# Microsoft's mappings of, and constraints on, application policies: CA certificates of cross-certified organisations.
_POLICY_TRANSLATIONS = ("1.3.6.1.4.1.311.21.11", "1.3.6.1.4.1.311.21.12")
# Real chains have three or four; a peer that sends dozens of look-alikes must not cost thousands of signature checks.
_MAX_CHAIN = 32


class Usage(str, Enum):
    """Whether a certificate is good for a usage."""

    GOOD = "good"
    BAD = "bad"
    UNDECIDED = "undecided"

    def __str__(self) -> str:
        return self.value


@dataclass(frozen=True)
class EkuVerdict:
    """The judgement of one certificate with its chain, for one usage.

    `reason` is one sentence for people; `rule` a stable identifier: `no_eku`, `eku_lists_usage`, `eku_lacks_usage`,
    `application_policies`, `any_eku`, `unreadable` (an extension that .NET reads), `ca_constraint`, `store_restriction`,
    `policy_translation`, `paths_differ`, `chain_unreadable`, `chain_too_large`.
    `eku_oids` and `application_policies` are the certificate's own; None: no such extension, or an unreadable one.
    `limited_by` is the SHA-1 thumbprint of the CA certificate that decides, if one does.
    `chain_complete` is False where no self-signed certificate ends the chain: CA certificates that were not given may
    limit it further.
    """

    usage: Usage
    reason: str
    rule: str
    eku_oids: tuple[str, ...] | None
    application_policies: tuple[str, ...] | None
    limited_by: str | None
    chain_complete: bool


@dataclass(frozen=True)
class _Opinion:
    """What one certificate alone says about the usage. `clause` is the rest of a sentence after its name."""

    usage: Usage
    rule: str
    clause: str


def judge_usage(
    leaf: bytes,
    chain: Sequence[bytes],
    *,
    oid: str = CLIENT_AUTH,
    store_restrictions: Mapping[str, Sequence[str] | None] | None = None,
) -> EkuVerdict:
    """Judge whether `leaf` is good for the usage `oid`.

    `chain`: CA certificates that the validator may use, from the peer and from its own stores, in any order and with
    strangers among them; an issuer that is missing ends the chain there. `store_restrictions`: SHA-1 thumbprint of a CA
    certificate -> usages of the property in the validator's store (`parse_usage_property`), None for no property.
    Raises `CertificateError` where `leaf` is not a certificate.
    """
    own = Certificate(leaf)
    authorities: list[Certificate] = []
    all_readable = True
    for der in dict.fromkeys(other for other in chain if other != leaf):
        try:
            authorities.append(Certificate(der))
        except CertificateError:
            all_readable = False
    graph = _issuer_graph(own, authorities)
    complete = any(certificate.self_signed for certificate, issuers in graph.items() if not issuers)

    opinion = _own_opinion(own, oid)
    verdict = EkuVerdict(
        usage=opinion.usage,
        reason=_sentence(own, opinion),
        rule=opinion.rule,
        eku_oids=own.eku,
        application_policies=own.application_policies,
        limited_by=None,
        chain_complete=complete,
    )
    if opinion.usage is Usage.BAD:
        return verdict
    if len(graph) > _MAX_CHAIN:
        reason = f"More than {_MAX_CHAIN} of the given CA certificates could be part of the chain of {own.label}."
        return replace(verdict, usage=Usage.UNDECIDED, rule="chain_too_large", reason=reason)

    properties = {_normal_thumbprint(key): usages for key, usages in (store_restrictions or {}).items()}
    opinions = {ca: _ca_opinion(ca, oid, properties.get(ca.thumbprint)) for ca in graph if ca is not own}
    bad = [ca for ca, of_ca in opinions.items() if of_ca.usage is Usage.BAD]
    undecided = [ca for ca, of_ca in opinions.items() if of_ca.usage is Usage.UNDECIDED]
    if bad and not _can_end_without(bad, own, graph):
        return _limited(verdict, bad[0], opinions[bad[0]])
    if bad:
        limit = replace(opinions[bad[0]], usage=Usage.UNDECIDED, rule="paths_differ")
        return _limited(verdict, bad[0], limit, note=", but the chain can also be built without it")
    if verdict.usage is Usage.GOOD and undecided:
        return _limited(verdict, undecided[0], opinions[undecided[0]])
    if verdict.usage is Usage.GOOD and not all_readable and not complete:
        reason = f"The chain of {own.label} is not complete, and a CA certificate given for it cannot be read."
        return replace(verdict, usage=Usage.UNDECIDED, rule="chain_unreadable", reason=reason)
    return verdict


def _issuer_graph(leaf: Certificate, authorities: Sequence[Certificate]) -> dict[Certificate, list[Certificate]]:
    """Everything the chain of `leaf` can consist of, nearest first, each with its possible issuers.

    With cross-signed CA certificates this is more than one chain. It stops growing once it exceeds `_MAX_CHAIN`.
    """
    graph: dict[Certificate, list[Certificate]] = {}
    waiting = [leaf]
    while waiting and len(graph) <= _MAX_CHAIN:
        certificate = waiting.pop(0)
        if certificate in graph:
            continue
        issuers: list[Certificate] = []
        if not certificate.self_signed:
            issuers = [ca for ca in authorities if ca is not certificate and certificate.issued_by(ca)]
        graph[certificate] = issuers
        waiting += issuers
    return graph


def _can_end_without(
    avoided: Collection[Certificate], leaf: Certificate, graph: Mapping[Certificate, Sequence[Certificate]]
) -> bool:
    """Whether some chain leads from `leaf` to an end without any of these CA certificates."""
    seen: set[Certificate] = set(avoided)
    waiting = [leaf]
    while waiting:
        certificate = waiting.pop()
        if certificate in seen:
            continue
        if not graph[certificate]:
            return True
        seen.add(certificate)
        waiting += graph[certificate]
    return False


def _own_opinion(certificate: Certificate, oid: str) -> _Opinion:
    """The certificate's own extensions, without its chain."""
    usage = _usage_text(oid)
    extension, oids, rules = EXTENDED_KEY_USAGE, certificate.eku, ("eku_lists_usage", "eku_lacks_usage")
    if certificate.has(APPLICATION_POLICIES):
        extension, oids, rules = APPLICATION_POLICIES, certificate.application_policies, ("application_policies",) * 2
    name = _EXTENSION_NAMES[extension]
    # A list that lacks the usage decides, whatever else is broken.
    if oids is not None and oid not in oids and not ANY_USAGES.intersection(oids):
        return _Opinion(Usage.BAD, rules[1], f"does not list {usage} in {name}")
    if certificate.broken_for_usages:
        broken = certificate.broken_for_usages[0]
        clause = f"has {_EXTENSION_NAMES[broken]} ({broken}) in a form that cannot be read"
        return _Opinion(Usage.UNDECIDED, "unreadable", clause)
    if oids is None:
        clause = (
            f"has neither Extended Key Usage nor Application Policies, so it is good for {usage} as for every usage"
        )
        return _Opinion(Usage.GOOD, "no_eku", clause)
    if oid in oids:
        return _Opinion(Usage.GOOD, rules[0], f"lists {usage} in {name}")
    clause = f'lists "any usage" but not {usage} in {name}, which .NET does not accept everywhere'
    return _Opinion(Usage.UNDECIDED, "any_eku", clause)


def _ca_opinion(ca: Certificate, oid: str, store_usages: Sequence[str] | None) -> _Opinion:
    """What a CA certificate, with its usage property in the validator's store, says about certificates below it."""
    usage = _usage_text(oid)
    translations = [extension for extension in _POLICY_TRANSLATIONS if ca.has(extension)]
    if translations:
        clause = f"translates or constrains application policies ({translations[0]}), which only Windows can judge"
        return _Opinion(Usage.UNDECIDED, "policy_translation", clause)
    own = _own_opinion(ca, oid)
    if own.usage is Usage.BAD:
        return replace(own, rule="ca_constraint")
    if store_usages is None or oid in store_usages:
        return own
    where = "in the validator's certificate store"
    if ANY_USAGES.intersection(store_usages):
        return _Opinion(Usage.UNDECIDED, "any_eku", f'is limited to "any usage" but not {usage} {where}')
    return _Opinion(Usage.BAD, "store_restriction", f"is limited {where} to usages without {usage}")


def _limited(verdict: EkuVerdict, ca: Certificate, opinion: _Opinion, note: str = "") -> EkuVerdict:
    reason = _sentence(ca, opinion, who="In the chain, ", note=note)
    return replace(verdict, usage=opinion.usage, rule=opinion.rule, reason=reason, limited_by=ca.thumbprint)


def _sentence(certificate: Certificate, opinion: _Opinion, *, who: str = "", note: str = "") -> str:
    text = f"{who}{certificate.label} {opinion.clause}{note}."
    return text[0].upper() + text[1:]


def _usage_text(oid: str) -> str:
    return f"{_USAGE_NAMES[oid]} ({oid})" if oid in _USAGE_NAMES else f"the usage {bounded(oid, 80)}"


def _normal_thumbprint(text: str) -> str:
    """Thumbprints copied from Windows dialogues carry spaces and an invisible mark in front."""
    return "".join(c for c in text.upper() if c in "0123456789ABCDEF")
