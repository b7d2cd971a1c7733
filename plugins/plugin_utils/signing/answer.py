# Copyright (c) 2026, the sfb.kb4023993 contributors
# GNU General Public License v3.0-or-later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether what a CA returned is what was asked for, and good for Lync Server: decided before anything is installed.

Pure functions over DER bytes, with the clock as a parameter. Each thing that is wrong is a `Problem` with a stable id.
"""

from __future__ import annotations

import dataclasses
import datetime
import hashlib
from collections.abc import Sequence
from contextlib import suppress

from .._certificate import Certificate, CertificateError, bounded
from ..certificates import CLIENT_AUTH, SERVER_AUTH, CertificateFacts, Usage, judge_usage, read_certificate
from .chain import Chain, build_chain, load
from .csr import LIBRARY_ERRORS, Csr
from .names import Names, NamesError, certificate_names, difference

with suppress(ImportError):
    from cryptography import x509
    from cryptography.hazmat.primitives.asymmetric import rsa
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

# Clocks of a CA, a controller and a server differ; AD CS itself dates certificates back by ten minutes for this.
CLOCK_SKEW = datetime.timedelta(minutes=10)
USAGES = {SERVER_AUTH: "SERVER", CLIENT_AUTH: "CLIENT"}


@dataclasses.dataclass(frozen=True, kw_only=True)
class Problem:
    """One thing that is wrong: ``id`` is stable and the only thing to match on; the others are sentences for people."""

    id: str
    text: str
    next_step: str


@dataclasses.dataclass(frozen=True, kw_only=True)
class Verification:
    """The judgement of an answer. ``chain`` is the verified chain, nearest first; ``facts`` None if it could not be read."""

    problems: tuple[Problem, ...]
    facts: CertificateFacts | None
    names: Names | None
    chain: tuple[bytes, ...]

    @property
    def ok(self) -> bool:
        return not self.problems


@dataclasses.dataclass(frozen=True, kw_only=True)
class Expected:
    """What an answer is held against.

    ``minimum_days``: how long it has to be valid from now. ``template_oid``: of the template that was asked for, None if unknown.
    ``roots``: SHA-256 of the root certificates of the CA that was asked, empty if unknown.
    """

    csr: Csr
    minimum_days: int
    template_oid: str | None = None
    roots: frozenset[str] = frozenset()


def verify_answer(
    certificate: bytes, pool: Sequence[bytes], *, expected: Expected, now: datetime.datetime
) -> Verification:
    """Judge a returned certificate; ``pool`` are the CA certificates that came with it."""
    try:
        facts, parsed = read_certificate(certificate), Certificate(certificate)
    except CertificateError as error:
        problem = Problem(
            id="KB4023993-SIGN-UNREADABLE",
            text=f"What came back is not a certificate that can be read: {error}",
            next_step="Look at the request on the CA, and fetch the certificate again.",
        )
        return Verification(problems=(problem,), facts=None, names=None, chain=())
    chain = build_chain(certificate, pool)
    problems = [
        *_key(certificate, parsed, expected.csr),
        *_usages(certificate, chain),
        *_validity(parsed, expected, now),
        *_chain(parsed, chain, expected, now),
        *_template(facts, expected),
        *_kind(certificate),
    ]
    try:
        names = certificate_names(parsed, facts.subject_common_name)
        problems += _names(names, expected.csr.names)
    except NamesError as error:
        names = None
        problems.append(_named(f"In the new certificate {error}.", "UNREADABLE"))
    return Verification(problems=tuple(problems), facts=facts, names=names, chain=chain.ders)


def public_key_sha256(certificate: bytes) -> str | None:
    """The hash that `Csr.public_key_sha256` is compared with; None for a certificate or key that cannot be read."""
    loaded = load(certificate)
    try:
        key = loaded.public_key() if loaded else None
        spki = key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo) if key else None
    except LIBRARY_ERRORS:
        return None
    return hashlib.sha256(spki).hexdigest().upper() if spki else None


def pick(certificates: Sequence[bytes], csr: Csr) -> bytes:
    """Of several certificates the one with the request's key, the newest of them; without any, the first, to be judged."""
    fitting = [der for der in certificates if public_key_sha256(der) == csr.public_key_sha256]
    return max(fitting, key=lambda der: Certificate(der).not_before, default=certificates[0])


def _key(der: bytes, parsed: Certificate, csr: Csr) -> list[Problem]:
    if public_key_sha256(der) == csr.public_key_sha256:
        return []
    return [
        Problem(
            id="KB4023993-SIGN-KEY-MISMATCH",
            text=f"{_capital(parsed.label)} is for another key than the request, so the server has no private key for it.",
            next_step="Fetch the certificate of this request (by its request id), or have the request signed again.",
        )
    ]


def _usages(der: bytes, chain: Chain) -> list[Problem]:
    problems = []
    for oid, word in USAGES.items():
        verdict = judge_usage(der, chain.ders, oid=oid)
        if verdict.usage is Usage.GOOD:
            continue
        if verdict.limited_by is not None:
            name = f"KB4023993-SIGN-CA-LIMITS-{word}-AUTH"
            step = "No template helps against this: take another issuing CA, or have the CA certificate renewed without the limit."
        elif verdict.usage is Usage.UNDECIDED:
            name = f"KB4023993-SIGN-{word}-AUTH-UNDECIDED"
            step = "Have it issued from a template that lists server authentication and client authentication by name."
        else:
            name = f"KB4023993-SIGN-NO-{word}-AUTH"
            step = (
                "It was issued from the wrong template. Have it issued again from one with server authentication and client "
                "authentication, both in Extended Key Usage and in Application Policies."
            )
        problems.append(Problem(id=name, text=verdict.reason, next_step=step))
    return problems


def _names(found: Names, wanted: Names) -> list[Problem]:
    problems = []
    differs = difference(wanted=wanted, found=found)
    if found.wildcards:
        problems.append(_named(f"The new certificate has the wildcard name {found.wildcards[0]}.", "WILDCARD"))
    if differs.missing:
        problems.append(_named(f"The new certificate lacks names of the request: {_list(differs.missing)}.", "MISSING"))
    if differs.added:
        problems.append(_named(f"The new certificate has names nobody asked for: {_list(differs.added)}.", "ADDED"))
    if differs.common_name:
        asked, got = (name or "none" for name in differs.common_name)
        problems.append(_named(f"The CN of the new certificate is {got}, asked for was {asked}.", "SUBJECT"))
    return problems


def _named(text: str, word: str) -> Problem:
    step = "Have it issued from a template that takes the subject from the request, by a CA that does not change the names."
    return Problem(id=f"KB4023993-SIGN-NAMES-{word}", text=text, next_step=step)


def _validity(parsed: Certificate, expected: Expected, now: datetime.datetime) -> list[Problem]:
    span = f"{parsed.not_before:%Y-%m-%d %H:%M} to {parsed.not_after:%Y-%m-%d %H:%M} UTC"
    if parsed.not_before > now + CLOCK_SKEW:
        return [
            Problem(
                id="KB4023993-SIGN-NOT-YET-VALID",
                text=f"The new certificate is valid from {span}, which has not begun.",
                next_step="Compare the clocks of the CA and of this controller, and run again.",
            )
        ]
    if parsed.not_after < now:
        return [
            Problem(
                id="KB4023993-SIGN-EXPIRED",
                text=f"The new certificate is valid from {span}, which is over.",
                next_step="Have a new one issued.",
            )
        ]
    if parsed.not_after - now < datetime.timedelta(days=expected.minimum_days):
        return [
            Problem(
                id="KB4023993-SIGN-TOO-SHORT",
                text=f"The new certificate is valid from {span}, less than {expected.minimum_days} days from now.",
                next_step=(
                    "A CA never issues beyond its own end: renew the CA certificate, or lengthen the template's validity; or "
                    "accept fewer days (minimum_days)."
                ),
            )
        ]
    return []


def _chain(parsed: Certificate, chain: Chain, expected: Expected, now: datetime.datetime) -> list[Problem]:
    problems = []
    if not chain.complete:
        ends = chain.links[-1].label if chain.links else parsed.label
        problems.append(
            Problem(
                id="KB4023993-SIGN-CHAIN-INCOMPLETE",
                text=f"No CA certificate that came with it has signed {ends}, so the chain does not reach a root.",
                next_step="Put the CA certificates up to the self-signed root beside it (for example as .p7b), and run again.",
            )
        )
    elif not chain.links:
        problems.append(
            Problem(
                id="KB4023993-SIGN-SELF-SIGNED",
                text=f"{_capital(parsed.label)} signed itself: no CA issued it, and no peer would trust it.",
                next_step="Have the request signed by a CA.",
            )
        )
    elif expected.roots and hashlib.sha256(chain.ders[-1]).hexdigest().upper() not in expected.roots:
        problems.append(
            Problem(
                id="KB4023993-SIGN-OTHER-CA",
                text=f"The chain ends in {chain.links[-1].label}, which is not a root of the CA that was asked.",
                next_step="Find out who answered. Do not install it.",
            )
        )
    for link in chain.links:
        if not link.is_ca:
            text, word = f"In the chain, {link.label} is not a CA certificate.", "CA"
        elif not link.not_before - CLOCK_SKEW <= now <= link.not_after:
            text, word = f"In the chain, {link.label} is not valid now; it ends {link.not_after:%Y-%m-%d}.", "VALIDITY"
        else:
            continue
        step = "No peer will accept this chain. Have the CA's own certificate put right first."
        problems.append(Problem(id=f"KB4023993-SIGN-CHAIN-{word}", text=text, next_step=step))
    return problems


def _template(facts: CertificateFacts, expected: Expected) -> list[Problem]:
    if expected.template_oid is None or facts.template == expected.template_oid:
        return []
    return [
        Problem(
            id="KB4023993-SIGN-WRONG-TEMPLATE",
            text=f"The certificate says it is from template {facts.template or 'none'}; asked for was {expected.template_oid}.",
            next_step="Look at the request on the CA: which template was used, and does the template have the same name twice?",
        )
    ]


def _kind(der: bytes) -> list[Problem]:
    """That it is a server's certificate, with a key that may do what TLS does with it."""
    loaded = load(der)
    if loaded is None:
        return []
    try:
        extensions = loaded.extensions
        wants_encipherment = isinstance(loaded.public_key(), rsa.RSAPublicKey)
    except LIBRARY_ERRORS as error:
        text = f"Key or extensions of the new certificate cannot be read ({bounded(str(error), 200)})."
        return [Problem(id="KB4023993-SIGN-UNREADABLE", text=text, next_step="Have it issued again.")]
    problems = []
    values = {type(extension.value): extension.value for extension in extensions}
    constraints, usage = values.get(x509.BasicConstraints), values.get(x509.KeyUsage)
    if isinstance(constraints, x509.BasicConstraints) and constraints.ca:
        problems.append(
            Problem(
                id="KB4023993-SIGN-IS-CA",
                text="The new certificate is a CA certificate: whoever has its key could issue certificates.",
                next_step="Have it revoked, and issue from a template for web servers.",
            )
        )
    if isinstance(usage, x509.KeyUsage) and not (
        usage.digital_signature and (usage.key_encipherment or not wants_encipherment)
    ):
        problems.append(
            Problem(
                id="KB4023993-SIGN-KEY-USAGE",
                text="The Key Usage of the new certificate does not allow digital signature and key encipherment, as TLS needs.",
                next_step="Have it issued from a template with both (as Web Server has them).",
            )
        )
    return problems


def _list(names: Sequence[str]) -> str:
    more = f" and {len(names) - 10} more" if len(names) > 10 else ""
    return ", ".join(names[:10]) + more


def _capital(text: str) -> str:
    return text[0].upper() + text[1:]
