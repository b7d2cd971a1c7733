# Copyright (c) 2026, the sfb.kb4023993 contributors
# GNU General Public License v3.0-or-later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The chain of a certificate, each signature verified: stricter than `Certificate.issued_by`, which has to judge what it finds."""

from __future__ import annotations

import dataclasses
import datetime
import warnings
from collections.abc import Sequence
from contextlib import suppress

from .._certificate import Certificate
from .csr import LIBRARY_ERRORS

with suppress(ImportError):
    from cryptography import x509
    from cryptography.exceptions import InvalidSignature

    _NOT_VERIFIED: tuple[type[Exception], ...] = (InvalidSignature, *LIBRARY_ERRORS)
    _NO_CONSTRAINTS: tuple[type[Exception], ...] = (x509.ExtensionNotFound, *LIBRARY_ERRORS)

# Real chains have three or four.
_MAX_LENGTH = 16


@dataclasses.dataclass(frozen=True, kw_only=True)
class Link:
    """One CA certificate above a certificate."""

    der: bytes
    label: str
    is_ca: bool
    not_before: datetime.datetime
    not_after: datetime.datetime


@dataclasses.dataclass(frozen=True, kw_only=True)
class Chain:
    """The CA certificates above a certificate, nearest first. ``complete``: a self-signed one ends it."""

    links: tuple[Link, ...]
    complete: bool

    @property
    def ders(self) -> tuple[bytes, ...]:
        return tuple(link.der for link in self.links)


def build_chain(leaf: bytes, pool: Sequence[bytes]) -> Chain:
    """The chain of ``leaf`` out of a pool of certificates, in any order and with strangers among them.

    Where there are several (a renewed or cross-signed CA), the first complete one. What cannot be read is passed over.
    """
    candidates = {der: loaded for der in dict.fromkeys(pool) if (loaded := load(der)) is not None}
    start = load(leaf)
    if start is None:
        return Chain(links=(), complete=False)
    longest: tuple[bytes, ...] = ()
    waiting: list[tuple[bytes, tuple[bytes, ...]]] = [(leaf, ())]
    seen = {leaf}
    while waiting:
        current, path = waiting.pop(0)
        certificate = candidates.get(current, start)
        if _verifies(certificate, certificate):
            return Chain(links=tuple(map(_link, path)), complete=True)
        longest = max(longest, path, key=len)
        for der, issuer in candidates.items():
            if der not in seen and len(path) < _MAX_LENGTH and _verifies(certificate, issuer):
                seen.add(der)
                waiting.append((der, (*path, der)))
    return Chain(links=tuple(map(_link, longest)), complete=False)


def is_root(der: bytes) -> bool:
    """Whether it signed itself, by its signature and not by its names alone."""
    return build_chain(der, ()).complete


def load(der: bytes) -> x509.Certificate | None:
    """A certificate that both readers understand, else None."""
    try:
        Certificate(der)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return x509.load_der_x509_certificate(der)
    except LIBRARY_ERRORS:
        return None


def _verifies(certificate: x509.Certificate, issuer: x509.Certificate) -> bool:
    """Whether the names fit and the signature is good; a signature that cannot be checked is not."""
    try:
        certificate.verify_directly_issued_by(issuer)
    except _NOT_VERIFIED:
        return False
    return True


def _link(der: bytes) -> Link:
    certificate, loaded = Certificate(der), load(der)
    try:
        constraints = loaded.extensions.get_extension_for_class(x509.BasicConstraints) if loaded else None
        is_ca = constraints is not None and constraints.value.ca
    except _NO_CONSTRAINTS:
        is_ca = False
    return Link(
        der=der,
        label=certificate.label,
        is_ca=is_ca,
        not_before=certificate.not_before,
        not_after=certificate.not_after,
    )
