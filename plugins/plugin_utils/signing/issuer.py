# Copyright (c) 2026, the sfb.kb4023993 contributors
# GNU General Public License v3.0-or-later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether anything that a CA issues can be good for both usages: asked before the first request, from the CA's own chain."""

from __future__ import annotations

from collections.abc import Sequence

from .._certificate import Certificate
from ..certificates import Usage, judge_usage
from .answer import USAGES, Problem
from .chain import build_chain, load

# Mappings of, and constraints on, application policies; only Windows can judge them, so `certificates` leaves them undecided too.
_POLICY_TRANSLATIONS = ("1.3.6.1.4.1.311.21.11", "1.3.6.1.4.1.311.21.12")
_STEP = "Take another issuing CA, or have its certificate renewed without the limit. No template helps against this."


def check_issuer(certificates: Sequence[bytes]) -> tuple[Problem, ...]:
    """Problems of the issuing CA: its own certificate and those above it, in any order, as the CA gives them."""
    issuing = _issuing(certificates)
    if issuing is None:
        text = "Among the certificates that the CA gave there is none that issues and is issued by the others."
        return (
            Problem(
                id="KB4023993-SIGN-ISSUER-UNKNOWN", text=text, next_step="Ask the CA's administrators for its chain."
            ),
        )
    chain = build_chain(issuing, certificates)
    ca = Certificate(issuing)
    problems = []
    for oid, word in USAGES.items():
        verdict = judge_usage(issuing, chain.ders, oid=oid)
        if verdict.usage is Usage.BAD:
            text = f"The issuing CA cannot issue for this usage: {verdict.reason}"
            problems.append(Problem(id=f"KB4023993-SIGN-CA-LIMITS-{word}-AUTH", text=text, next_step=_STEP))
    if any(ca.has(extension) for extension in _POLICY_TRANSLATIONS):
        text = f"{ca.label} maps or constrains application policies, which only Windows can judge."
        problems.append(Problem(id="KB4023993-SIGN-ISSUER-UNDECIDED", text=text[0].upper() + text[1:], next_step=_STEP))
    return tuple(problems)


def roots(certificates: Sequence[bytes]) -> frozenset[str]:
    """SHA-256 of the self-signed certificates among them."""
    readable = [Certificate(der) for der in certificates if load(der) is not None]
    return frozenset(certificate.sha256 for certificate in readable if certificate.self_signed)


def _issuing(certificates: Sequence[bytes]) -> bytes | None:
    """The CA certificate from which the longest chain of the others leads to a root."""
    chains = {der: build_chain(der, certificates) for der in dict.fromkeys(certificates) if load(der) is not None}
    complete = {der: chain for der, chain in chains.items() if chain.complete}
    return max(complete, key=lambda der: len(complete[der].links), default=None)
