# Copyright (c) 2026, the sfb.kb4023993 contributors
# GNU General Public License v3.0-or-later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Cases of certificates, chain_check and tls_peer."""

from __future__ import annotations

import hashlib
from datetime import datetime, timezone
from functools import cache

from ansible_collections.sfb.kb4023993.plugins.plugin_utils.host import operations as op
from lab import pki

from contract.case import Case, Raw, Runner, Step, Wrong, case
from contract.world import Stored, TlsServer, World

_BOTH = (pki.SERVER_AUTH, pki.CLIENT_AUTH)
_CODE_SIGNING = "1.3.6.1.5.5.7.3.3"
_OLD = (datetime(2015, 1, 1, tzinfo=timezone.utc), datetime(2016, 1, 1, tzinfo=timezone.utc))
_CA_LIMITS: dict[Runner, str] = {"wine": "Wine knows neither Application Policies nor what a CA certificate limits"}


def thumbprint(certificate: bytes) -> str:
    return hashlib.sha1(certificate, usedforsecurity=False).hexdigest().upper()


@cache
def _authorities() -> dict[str, pki.Authority]:
    root = pki.root_authority("Contract Root")
    return {
        "root": root,
        "issuing": root.subordinate("Contract Issuing CA"),
        "unknown": root.subordinate("Contract Unknown CA"),
        "limited": root.subordinate("Contract Server CA", eku=(pki.SERVER_AUTH,)),
        "stranger": pki.root_authority("Contract Stranger").subordinate("Contract Strange CA"),
    }


def _checked(issued: pki.Issued, *statuses: str, chain: tuple[bytes, ...] | None = None) -> op.ChainCheckReply:
    above = tuple(issued.chain) if chain is None else chain
    return op.ChainCheckReply(statuses=statuses, chain=tuple(map(thumbprint, (issued.der, *above))))


def _chains() -> list[Case]:
    known = _authorities()
    root, issuing, limited, stranger = (known[name] for name in ("root", "issuing", "limited", "stranger"))
    world = World(stored=(Stored(store="Root", certificate=root.der),))
    server = issuing.issue("fe01.contoso.example")
    both = issuing.issue("fe01.contoso.example", eku=_BOTH)
    without = issuing.issue("fe01.contoso.example", eku=None)
    other = issuing.issue("fe01.contoso.example", eku=(_CODE_SIGNING,))
    expired = issuing.issue("fe01.contoso.example", not_before=_OLD[0], not_after=_OLD[1])
    unknown = known["unknown"].issue("fe01.contoso.example", eku=_BOTH)
    by_policy = issuing.issue("fe01.contoso.example", application_policies=_BOTH)
    less_by_policy = issuing.issue("fe01.contoso.example", eku=_BOTH, application_policies=(pki.SERVER_AUTH,))
    below_limit = limited.issue("fe01.contoso.example", eku=_BOTH)
    foreign = stranger.issue("fe01.contoso.example", eku=_BOTH)
    own = pki.self_signed("fe01.contoso.example", eku=_BOTH)

    def check(
        issued: pki.Issued, oid: str = pki.CLIENT_AUTH, issuers: tuple[bytes, ...] | None = None
    ) -> op.ChainCheck:
        sent = tuple(issued.chain[:-1]) if issuers is None else issuers
        return op.ChainCheck(certificate=issued.der, issuers=sent, oid=oid)

    return [
        Case(
            name="chains",
            world=world,
            steps=(
                Step(check(both), _checked(both)),
                Step(check(both, pki.SERVER_AUTH), _checked(both)),
                Step(check(without), _checked(without)),
                Step(check(server), _checked(server, "NotValidForUsage")),
                Step(check(server, pki.SERVER_AUTH), _checked(server)),
                Step(check(other, pki.SERVER_AUTH), _checked(other, "NotValidForUsage")),
                Step(check(expired, pki.SERVER_AUTH), _checked(expired, "NotTimeValid")),
                Step(check(unknown, issuers=()), _checked(unknown, "PartialChain", chain=())),
                Step(check(unknown, issuers=tuple(foreign.chain)), _checked(unknown, "PartialChain", chain=())),
                Step(check(unknown), _checked(unknown)),
            ),
        ),
        Case(
            name="chains-not-trusted",
            world=world,
            steps=(
                Step(check(foreign, issuers=tuple(foreign.chain)), _checked(foreign, "UntrustedRoot")),
                Step(check(foreign), _checked(foreign, "PartialChain", chain=tuple(foreign.chain[:1]))),
                Step(check(own), _checked(own, "UntrustedRoot")),
            ),
        ),
        Case(
            name="chains-limits",
            world=world,
            steps=(
                Step(check(by_policy), _checked(by_policy)),
                Step(check(less_by_policy), _checked(less_by_policy, "NotValidForUsage")),
                Step(check(below_limit), _checked(below_limit, "NotValidForUsage")),
                Step(check(below_limit, pki.SERVER_AUTH), _checked(below_limit)),
            ),
            left_out=_CA_LIMITS,
            because="reference of .NET's own chain (tests/powershell/test_eku_chains.py) and of CertGetCertificateChain",
        ),
        Case(
            name="chains-not-certificates",
            steps=(
                Step(op.ChainCheck(certificate=b"no certificate", issuers=(), oid=pki.CLIENT_AUTH), Wrong("invalid")),
                Step(op.ChainCheck(certificate=b"", issuers=(), oid=pki.CLIENT_AUTH), Wrong("invalid")),
                Step(op.ChainCheck(certificate=both.der[:-9], issuers=(), oid=pki.CLIENT_AUTH), Wrong("invalid")),
                Step(op.ChainCheck(certificate=both.der, issuers=(b"x",), oid=pki.CLIENT_AUTH), Wrong("invalid")),
                Step(Raw("chain_check", ("certificate\t!", "oid\t1.2.3")), Wrong("invalid")),
            ),
        ),
    ]


def _stored(
    issued: pki.Issued, *, key: bool = False, usage: bytes | None = None, chain: bool = True
) -> op.StoreCertificate:
    return op.StoreCertificate(
        certificate=issued.der,
        has_private_key=key,
        usage_property=usage,
        chain=tuple(map(thumbprint, issued.chain)) if chain else (),
    )


def _stores() -> list[Case]:
    known = _authorities()
    root, issuing = known["root"], known["issuing"]
    limited_root = pki.root_authority("Contract Limited Root")
    usage = pki.usage_list((pki.SERVER_AUTH,))
    first, second = issuing.issue("one.contoso.example"), issuing.issue("two.contoso.example", eku=_BOTH)
    third = limited_root.issue("three.contoso.example")
    foreign = known["stranger"].issue("four.contoso.example")
    world = World(
        stored=(
            Stored(store="Root", certificate=root.der),
            Stored(store="Root", certificate=limited_root.der, usage_property=usage),
            Stored(store="CA", certificate=issuing.der),
            Stored(store="ContractMy", certificate=first.der),
            Stored(store="ContractMy", certificate=second.der, private_key=True),
            Stored(store="ContractMy", certificate=third.der, usage_property=usage),
            Stored(store="ContractMy", certificate=foreign.der),
            Stored(store="ContractOne", certificate=second.der, private_key=True, usage_property=b"\x30\x00"),
        )
    )

    def issuer(authority: pki.Authority, usage_property: bytes | None = None) -> op.ChainCertificate:
        return op.ChainCertificate(certificate=authority.der, usage_property=usage_property)

    everything = op.CertificatesReply(
        certificates=(
            _stored(second, key=True),
            _stored(first),
            _stored(third, usage=usage),
            _stored(foreign, chain=False),
        ),
        issuers=(issuer(root), issuer(issuing), issuer(limited_root, usage)),
        truncated=False,
    )
    one = op.CertificatesReply(
        certificates=(_stored(second, key=True),), issuers=(issuer(root), issuer(issuing)), truncated=True
    )
    single = op.CertificatesReply(
        certificates=(_stored(second, key=True, usage=b"\x30\x00"),),
        issuers=(issuer(root), issuer(issuing)),
        truncated=False,
    )
    nothing = op.CertificatesReply(certificates=(), issuers=(), truncated=True)
    return [
        Case(
            name="certificates",
            world=world,
            steps=(
                Step(op.Certificates(store="ContractMy"), everything),
                Step(op.Certificates(store="contractmy"), everything),
                Step(op.Certificates(store="ContractMy", limit=1), one),
                Step(op.Certificates(store="ContractOne"), single),
                Step(op.Certificates(store="ContractMy", limit=0), nothing),
                Step(op.Certificates(store="ContractMy", limit=-1), nothing),
            ),
        ),
        case("certificates-no-store", op.Certificates(store="NoSuchStore"), Wrong("not_found")),
        case("certificates-no-name", op.Certificates(store=""), Wrong("invalid")),
        case("certificates-path", op.Certificates(store="..\\My"), Wrong("invalid")),
    ]


def _peers() -> list[Case]:
    identity = _authorities()["issuing"].subordinate("Contract CA 2").issue("edge01.contoso.example")
    world = World(
        stored=(Stored(store="Root", certificate=_authorities()["root"].der),),
        tls=(
            TlsServer(port=1, kind="tls", identity=identity),
            TlsServer(port=3, kind="other", identity=identity),
            TlsServer(port=4, kind="closed", identity=identity),
        ),
    )

    def peer(port: int, host: str = "127.0.0.1") -> op.TlsPeer:
        return op.TlsPeer(host=host, port=port, seconds=20)

    def reply(
        certificate: bytes | None = None,
        issuers: tuple[bytes, ...] = (),
        failure: op.TlsFailure | None = None,
        *,
        connected: bool = True,
    ) -> op.TlsPeerReply:
        return op.TlsPeerReply(connected=connected, certificate=certificate, issuers=issuers, failure=failure)

    return [
        Case(
            name="peers",
            world=world,
            steps=(
                Step(peer(1), reply(identity.der, tuple(identity.chain[:-1]))),
                Step(peer(3), reply(failure="handshake")),
                Step(peer(4), reply(failure="refused", connected=False)),
                Step(peer(5061, "no-such-host.invalid"), reply(failure="name_not_resolved", connected=False)),
                Step(peer(65536), reply(failure="other", connected=False)),
                Step(peer(-1), reply(failure="other", connected=False)),
            ),
        ),
        case(
            "peer-that-demands-a-certificate",
            peer(2),
            reply(identity.der, (), "handshake"),
            world=World(tls=(TlsServer(port=2, kind="mutual", identity=identity),)),
            left_out={"wine": "Wine does not hand out the peer's certificate before the handshake is over"},
        ),
        case(
            "peer-silent",
            op.TlsPeer(host="127.0.0.1", port=5, seconds=1),
            reply(failure="timeout"),
            world=World(tls=(TlsServer(port=5, kind="silent"),)),
        ),
        case("peer-no-number", Raw("tls_peer", ("host\tx", "port\thttps", "seconds\t1")), Wrong("invalid")),
    ]


def certificates() -> list[Case]:
    return [*_chains(), *_stores(), *_peers()]
