# Copyright (c) 2026, the sfb.kb4023993 contributors
# GNU General Public License v3.0-or-later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Certificates for tests of the judgement: a few authorities and every kind of server certificate, made once a process."""

from __future__ import annotations

import datetime
import functools
import hashlib
import typing as t

from cryptography.hazmat.primitives.asymmetric import ec
from lab import pki

START: t.Final = datetime.datetime(2025, 6, 1, tzinfo=datetime.timezone.utc)
END: t.Final = datetime.datetime(2028, 6, 1, tzinfo=datetime.timezone.utc)

# What a certificate can be; the words of the tests.
Kind = t.Literal[
    "server_only",
    "both",
    "client_only",
    "no_eku",
    "any",
    "policies_both",
    "policies_server",
    "limited_ca",
    "strange_root",
]
GOOD: t.Final[tuple[Kind, ...]] = ("both", "client_only", "no_eku", "policies_both")
BAD: t.Final[tuple[Kind, ...]] = ("server_only", "policies_server", "limited_ca")


@functools.cache
def key(purpose: str) -> ec.EllipticCurvePrivateKey:
    """Elliptic curves, because tests need many certificates quickly."""
    del purpose
    return ec.generate_private_key(ec.SECP256R1())


@functools.cache
def root() -> pki.Authority:
    return pki.root_authority("Contoso Root CA", key=key("root"))


@functools.cache
def issuing() -> pki.Authority:
    return root().subordinate("Contoso Issuing CA 1", key=key("issuing"))


@functools.cache
def limited() -> pki.Authority:
    """An issuing CA that may issue for serverAuth alone."""
    return root().subordinate("Contoso Server CA", key=key("limited"), eku=[pki.SERVER_AUTH])


@functools.cache
def strange() -> pki.Authority:
    return pki.root_authority("Fabrikam Root CA", key=key("strange"))


@functools.cache
def certificate(kind: Kind, name: str = "server.contoso.example") -> pki.Issued:
    """A server certificate of a kind; the same one for the same words."""
    server, client = pki.SERVER_AUTH, pki.CLIENT_AUTH
    eku: dict[str, list[str] | None] = {
        "server_only": [server],
        "client_only": [client],
        "no_eku": None,
        "any": [pki.ANY_USAGE],
        "policies_both": [server],
    }
    policies: dict[str, list[str]] = {"policies_both": [server, client], "policies_server": [server]}
    authority = {"limited_ca": limited, "strange_root": strange}.get(kind, issuing)()
    return authority.issue(
        name,
        dns_names=[name],
        eku=eku.get(kind, [server, client]),
        application_policies=policies.get(kind),
        not_before=START,
        not_after=END,
        key=key("server"),
    )


def thumbprint(der: bytes) -> str:
    return hashlib.sha1(der, usedforsecurity=False).hexdigest().upper()


def mark(issued: pki.Issued) -> str:
    """The thumbprint as Windows shows it."""
    return thumbprint(issued.der)
