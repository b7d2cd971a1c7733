# Copyright (c) 2026, the sfb.kb4023993 contributors
# GNU General Public License v3.0-or-later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Certificates with their chains, for which our usage rules are compared with .NET. docs/usage-rules.md names some of them."""

from __future__ import annotations

import typing as t
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.hashes import SHA1
from lab import pki

S, C, OTHER = pki.SERVER_AUTH, pki.CLIENT_AUTH, "1.3.6.1.5.5.7.3.4"
ANY, ANY_MS, ANY_POLICY = pki.ANY_USAGE, pki.ANY_APPLICATION_POLICY, "2.5.29.32.0"
Usages = tuple[str, ...] | None
LISTS: dict[str, Usages] = {
    "absent": None,
    "empty": (),
    "server": (S,),
    "client": (C,),
    "both": (S, C),
    "other": (OTHER,),
    "any": (ANY,),
    "any-ms": (ANY_MS,),
    "any-policy": (ANY_POLICY,),
    "any+server": (ANY, S),
    "any+client": (ANY, C),
}
Outcome = t.Literal["accepted", "refused", "unread"]
"""What .NET says of a usage: nothing against it, NotValidForUsage, or that it cannot read the certificate."""

_BROKEN = b"\x30\x05\x06\x03\x55"
_UNKNOWN_EXTENSION = "1.3.6.1.4.1.99999.1"
_MAPPINGS, _CONSTRAINTS, _POLICIES, _INHIBIT = "2.5.29.33", "2.5.29.36", "2.5.29.32", "2.5.29.54"


@dataclass(frozen=True)
class Case:
    """A peer's certificate with all CA certificates that the validator knows, and the root it trusts.

    `here` is what .NET on Linux says about clientAuth where our rules do not decide, or where it cannot read a certificate
    that they call bad; None: not said here. `faults` are what .NET has against the chain beside the usage. `sendable` is
    False for what OpenSSL, the TLS client of the tests, refuses to send.
    """

    peer: pki.Issued
    root: pki.Issued
    here: Outcome | None = None
    faults: frozenset[str] = frozenset()
    sendable: bool = True


Named = tuple[str, Case]


def made_by_hand() -> dict[str, Case]:
    """Every kind of certificate below a plain CA, every kind of CA above good certificates, and what is rare or broken."""
    root = pki.root_authority("Root")
    plain = root.subordinate("Plain CA")
    found: dict[str, Case] = {}
    for family in (_leaves, _authorities, _depths, _keys, _lists, _oddities, _broken, _crossed, _faults):
        for name, case in family(root, plain):
            assert name not in found, name
            found[name] = case
    return found


def _leaves(root: pki.Authority, plain: pki.Authority) -> Iterator[Named]:
    for eku, usages in LISTS.items():
        for policies, named in LISTS.items():
            peer = plain.issue("peer", eku=usages, application_policies=named)
            deciding = usages if named is None else named
            yield f"leaf:eku={eku},policies={policies}", Case(peer, root, here=_here(deciding))


def _authorities(root: pki.Authority, _plain: pki.Authority) -> Iterator[Named]:
    for eku in ("absent", "empty", "server", "both", "any", "any-policy", "any+client"):
        for policies in ("absent", "server", "client", "any-ms"):
            ca = root.subordinate("Limited CA", eku=LISTS[eku], application_policies=LISTS[policies])
            here = _here(LISTS[eku] if policies == "absent" else LISTS[policies])
            for leaf in ("both", "absent"):
                peer = ca.issue("peer", eku=LISTS[leaf])
                yield f"ca:eku={eku},policies={policies},leaf={leaf}", Case(peer, root, here=here)
    for name in ("server", "client", "both", "any"):
        here = _here(LISTS[name])
        limited = pki.root_authority(f"Root {name}", eku=LISTS[name])
        yield f"root:eku={name}", Case(limited.subordinate("Plain CA").issue("peer", eku=(S, C)), limited, here=here)
        limited = pki.root_authority(f"Policy root {name}", application_policies=LISTS[name])
        yield f"root:policies={name}", Case(limited.issue("peer", eku=(S, C)), limited, here=here)
        lone = pki.self_signed(f"lone {name}", eku=LISTS[name])
        yield f"self-signed:eku={name}", Case(lone, lone, here=here)


def _depths(root: pki.Authority, _plain: pki.Authority) -> Iterator[Named]:
    """Zero to three CAs below the root, and a limit at each of them."""
    for depth in range(4):
        for limited in range(depth + 1):
            for name in ("server", "client", "any"):
                ca = root
                for level in range(1, depth + 1):
                    ca = ca.subordinate(f"CA {level}", eku=LISTS[name] if level == limited else None)
                case = Case(ca.issue("peer", eku=(C,)), root, here=_here(LISTS[name]))
                if limited or name == "server":  # without a limit its kind makes no difference
                    yield f"depth={depth},limited={limited or 'none'},eku={name}", case


def _keys(root: pki.Authority, plain: pki.Authority) -> Iterator[Named]:
    """Other kinds of keys and signatures."""
    curve = ec.generate_private_key(ec.SECP256R1())
    curved_root = pki.root_authority("Curved root", key=curve)
    old_ca = root.subordinate("Old CA")
    old_ca = pki.Authority(_signed_with_sha1(old_ca, root.key), old_ca.key, old_ca.issuers)
    for name in ("server", "both"):
        peer = plain.issue("peer", eku=LISTS[name], key=curve)
        yield f"key:curved-leaf,eku={name}", Case(peer, root)
        below = curved_root.subordinate("Curved CA", eku=LISTS[name], key=curve)
        yield f"key:curved-chain,ca-eku={name}", Case(below.issue("peer", eku=(C,), key=curve), curved_root)
        peer = old_ca.issue("peer", eku=LISTS[name])
        peer = pki.Issued(_signed_with_sha1(peer, old_ca.key), peer.key, peer.issuers)
        yield f"key:sha1-chain,eku={name}", Case(peer, root)


def _lists(root: pki.Authority, plain: pki.Authority) -> Iterator[Named]:
    """Lists and names that look unusual and are not."""
    many = tuple(f"1.3.6.1.4.1.99999.{number}" for number in range(500))
    longest = ".".join(["1", "3", *["9999999999"] * 62])
    for name, usages in {
        "twice-each": (C, S, S, C),
        "500-others": many,
        "500-others-and-client": (*many, C),
        "longest-oid-and-client": (longest, C),
        "widest-oid-and-client": (f"2.25.{2**128 - 1}", C),
    }.items():
        yield f"list:{name}", Case(plain.issue("peer", eku=usages), root)
        yield f"list:{name}-in-policies", Case(plain.issue("peer", application_policies=usages), root)
    for name, usages in {"too-long-oid": (f"{longest}.1", C), "too-wide-oid": (f"2.25.{2**128}", C)}.items():
        yield f"list:{name}", Case(plain.issue("peer", eku=usages), root, here="unread")
    for name, value in {"server": (S,), "client": (C,)}.items():
        extension = pki.Extension(pki.EXTENDED_KEY_USAGE, pki.usage_list(value), critical=True)
        yield f"critical:eku={name}", Case(plain.issue("peer", eku=None, extensions=(extension,)), root)
        wildcard = plain.issue("*.contoso.example", dns_names=("*.contoso.example",), eku=value)
        yield f"wildcard:eku={name}", Case(wildcard, root)
        templated = root.issue("peer", eku=value, template="1.3.6.1.4.1.311.21.8.1.2")
        yield f"template:eku={name}", Case(templated, root)
        # Which usages a key may serve (Key Usage) is another matter than Extended Key Usage.
        key_usage = pki.Extension("2.5.29.15", b"\x03\x02\x05\x20", critical=True)
        yield f"key-usage:eku={name}", Case(plain.issue("peer", eku=value, extensions=(key_usage,)), root)
    qualifier = pki.der_element(0x30, pki.der_oid("1.3.6.1.5.5.7.2.1"), pki.der_element(0x16, b"http://x"))
    policy = pki.der_element(0x30, pki.der_oid(C), pki.der_element(0x30, qualifier))
    yield "list:qualified-policy", Case(plain.issue("peer", application_policies=pki.der_element(0x30, policy)), root)


def _oddities(root: pki.Authority, plain: pki.Authority) -> Iterator[Named]:
    """Extensions beside the usages: those that must not count, and those that only Windows knows."""
    issuance = pki.Extension(_POLICIES, pki.policy_list((C,)))
    yield "beside:certificate-policies", Case(plain.issue("peer", eku=(S,), extensions=(issuance,)), root)
    mapping = pki.der_element(0x30, pki.der_element(0x30, pki.der_oid(S), pki.der_oid(C)))
    constraint = pki.der_element(0x30, b"\x80\x01\x00")
    for name, usages in {"server": (S,), "both": (S, C)}.items():
        for what, oid, value in (
            ("mappings", _MAPPINGS, mapping),
            ("constraints", _CONSTRAINTS, constraint),
            ("inhibit", _INHIBIT, b"\x02\x01\x00"),
        ):
            ca = root.subordinate("Odd CA", extensions=(pki.Extension(oid, value),))
            yield f"beside:{what},eku={name}", Case(ca.issue("peer", eku=usages), root)
    for what, oid in (("mappings", "1.3.6.1.4.1.311.21.11"), ("constraints", "1.3.6.1.4.1.311.21.12")):
        extension = pki.Extension(oid, mapping if what == "mappings" else constraint)
        ca = root.subordinate("Odd CA", extensions=(extension,))
        yield f"application-policy-{what}", Case(ca.issue("peer", eku=(S, C)), root, here="accepted")


def _broken(root: pki.Authority, plain: pki.Authority) -> Iterator[Named]:
    """What no CA issues."""
    eku, policies = pki.EXTENDED_KEY_USAGE, pki.APPLICATION_POLICIES

    def peer(oid: str, value: bytes, usages: Usages = None) -> pki.Issued:
        return plain.issue("peer", eku=usages, extensions=(pki.Extension(oid, value),))

    trailing, indefinite = b"\x05\x00", b"\x30\x80" + pki.der_oid(C) + b"\x00\x00"
    for name, issued, sendable in (
        ("eku", peer(eku, _BROKEN), False),
        ("eku-no-bytes", peer(eku, b""), False),
        ("eku-not-a-list", peer(eku, b"\x05\x00"), False),
        ("eku-and-more", peer(eku, pki.usage_list((C,)) + trailing), True),
        ("eku-indefinite-length", peer(eku, indefinite), True),
        ("policies", peer(policies, _BROKEN, (S, C)), True),
        ("policies-no-bytes", peer(policies, b"", (S, C)), True),
        ("policies-like-eku", peer(policies, pki.usage_list((C,)), (S, C)), True),
        ("policies-and-more", peer(policies, pki.policy_list((C,)) + trailing), True),
        ("certificate-policies", peer(_POLICIES, _BROKEN, (S, C)), True),
        ("certificate-policies,eku=server", peer(_POLICIES, _BROKEN, (S,)), True),
        ("mappings", peer(_MAPPINGS, _BROKEN, (S, C)), True),
        ("constraints", peer(_CONSTRAINTS, _BROKEN, (S, C)), True),
        ("inhibit", peer(_INHIBIT, b"\x05\x00", (S, C)), True),
    ):
        yield f"broken:{name}", Case(issued, root, here="unread", sendable=sendable)
    ca = root.subordinate("Odd CA", application_policies=_BROKEN)
    yield "broken:ca-policies", Case(ca.issue("peer", eku=(C,)), root, here="unread")
    ca = root.subordinate("Odd CA", extensions=(pki.Extension(_MAPPINGS, _BROKEN),))
    yield "broken:ca-mappings", Case(ca.issue("peer", eku=(C,)), root, here="unread")
    # .NET does not read this one, but OpenSSL below it gives the certificate up.
    issued = plain.issue("peer", eku=None, application_policies=(C,), extensions=(pki.Extension(eku, _BROKEN),))
    gave_up = frozenset({"PartialChain"})
    yield "broken:eku-beside-policies", Case(issued, root, here="accepted", faults=gave_up, sendable=False)
    # Of two lists .NET takes the last one. A certificate with two EKU extensions OpenSSL gives up as well.
    orders: tuple[tuple[str, str, str, Outcome], ...] = (("server", S, C, "accepted"), ("client", C, S, "refused"))
    for name, first, second, here in orders:
        issued = _twice(plain, pki.Extension(eku, pki.usage_list((first,))), pki.usage_list((second,)))
        yield f"twice:eku,first={name}", Case(issued, root, here=here, faults=gave_up, sendable=False)
        issued = _twice(plain, pki.Extension(policies, pki.policy_list((first,))), pki.policy_list((second,)))
        yield f"twice:policies,first={name}", Case(issued, root, here=here)


def _crossed(root: pki.Authority, _plain: pki.Authority) -> Iterator[Named]:
    """A CA with two certificates for its key, one of them limited: the chain can be built in two ways."""
    limited, free = root.subordinate("Renewed CA", eku=(S,)), root.subordinate("Renewed CA")
    issued = free.issue("peer", eku=(S, C))
    # .NET on Linux takes the one that is sent first.
    orders: tuple[tuple[str, pki.Issued, pki.Issued, Outcome], ...] = (
        ("limited", limited, free, "refused"),
        ("free", free, limited, "accepted"),
    )
    for name, first, second, here in orders:
        issuers = (first.certificate, second.certificate, root.certificate)
        yield f"crossed:first={name}", Case(pki.Issued(issued.certificate, issued.key, issuers), root, here=here)


def _faults(root: pki.Authority, plain: pki.Authority) -> Iterator[Named]:
    """What .NET refuses for another reason than the usage."""
    past = datetime.now(timezone.utc) - timedelta(days=1)
    critical = pki.Extension(_UNKNOWN_EXTENSION, b"\x05\x00", critical=True)
    for name, usages in {"server": (S,), "both": (S, C)}.items():
        expired = plain.issue("peer", eku=usages, not_before=past - timedelta(days=30), not_after=past)
        yield f"fault:expired,eku={name}", Case(expired, root, faults=frozenset({"NotTimeValid"}))
        untrusted = pki.self_signed("strange", eku=usages)
        yield f"fault:untrusted,eku={name}", Case(untrusted, root, faults=frozenset({"UntrustedRoot"}))
        peer = plain.issue("peer", eku=usages)
        lonely = pki.Issued(peer.certificate, peer.key, (root.certificate,))
        yield f"fault:no-intermediate,eku={name}", Case(lonely, root, faults=frozenset({"PartialChain"}))
        unknown = frozenset({"HasNotSupportedCriticalExtension"})
        peer = plain.issue("peer", eku=usages, extensions=(critical,))
        yield f"fault:critical-unknown,eku={name}", Case(peer, root, faults=unknown)
        policies = pki.Extension(pki.APPLICATION_POLICIES, pki.policy_list(usages), critical=True)
        peer = plain.issue("peer", eku=None, extensions=(policies,))
        yield f"fault:critical-policies={name}", Case(peer, root, faults=unknown)


def _here(deciding: Usages) -> Outcome:
    """What .NET on Linux makes of a list: of the three identifiers for "any" it knows but one."""
    return "accepted" if deciding is None or {C, ANY_POLICY} & set(deciding) else "refused"


def _signed_with_sha1(issued: pki.Issued, key: pki.PrivateKey) -> x509.Certificate:
    """The same certificate with the signature of old CAs, which `cryptography` does not make."""
    assert isinstance(key, rsa.RSAPrivateKey)
    sha256, sha1 = (pki.der_oid(f"1.2.840.113549.1.1.{number}") for number in (11, 5))
    body = issued.certificate.tbs_certificate_bytes
    changed = body.replace(sha256, sha1)
    signature = key.sign(changed, padding.PKCS1v15(), SHA1())
    der = issued.der.replace(body, changed).replace(sha256, sha1).replace(issued.certificate.signature, signature)
    return x509.load_der_x509_certificate(der)


def _twice(issuer: pki.Authority, extension: pki.Extension, second: bytes) -> pki.Issued:
    """A certificate that has an extension twice, which `cryptography` does not make either."""
    stand_in = extension.oid.rpartition(".")[0] + ".99"
    extensions: Sequence[pki.Extension] = (extension, pki.Extension(stand_in, second))
    single = issuer.issue("peer", eku=None, extensions=extensions)
    assert isinstance(issuer.key, rsa.RSAPrivateKey)
    der = pki.patched(single, pki.der_oid(stand_in), pki.der_oid(extension.oid), signer=issuer.key)
    return pki.Issued(x509.load_der_x509_certificate(der), single.key, single.issuers)
