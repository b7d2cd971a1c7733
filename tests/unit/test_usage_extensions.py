# Copyright (c) 2026, the sfb.kb4023993 contributors
# GNU General Public License v3.0-or-later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How the extensions are read that .NET reads when it judges usages; `tests/powershell/test_eku_rules.py` asks .NET itself."""

from __future__ import annotations

from functools import cache

import pytest
from ansible_collections.sfb.kb4023993.plugins.plugin_utils.certificates import (
    CertificateError,
    EkuVerdict,
    Usage,
    judge_usage,
    parse_usage_property,
)
from lab import pki

S, C, ANY_POLICY = pki.SERVER_AUTH, pki.CLIENT_AUTH, "2.5.29.32.0"
BOTH = (S, C)


@cache
def root() -> pki.Authority:
    return pki.root_authority("Contoso Root")


def judge(peer: pki.Issued) -> EkuVerdict:
    return judge_usage(peer.der, peer.chain)


@pytest.mark.parametrize(
    ("oid", "value"),
    [
        ("2.5.29.32", b"\x30\x02\x06\x00"),
        ("2.5.29.33", pki.usage_list((S, C))),
        ("2.5.29.33", pki.der_element(0x30, pki.usage_list((S, C, S)))),
        ("2.5.29.36", pki.der_element(0x30, b"\x82\x01\x00")),
        ("2.5.29.36", pki.der_element(0x30, b"\x80\x00")),
        ("2.5.29.54", b"\x02\x00"),
        ("2.5.29.54", b"\x05\x00"),
        ("2.5.29.37", b"\x05\x00"),
    ],
)
@pytest.mark.parametrize("place", ["leaf", "ca"])
def test_what_dotnet_reads_with_the_usages_has_to_be_readable(oid: str, value: bytes, place: str) -> None:
    broken = (pki.Extension(oid, value),)
    issuing = root().subordinate("Issuing", application_policies=BOTH, extensions=broken if place == "ca" else ())
    for policies, usage in ((BOTH, Usage.UNDECIDED), ((S,), Usage.BAD)):
        extensions = broken if place == "leaf" else ()
        peer = issuing.issue("edge1", eku=None, application_policies=policies, extensions=extensions)
        verdict = judge(peer)
        assert verdict.usage is usage
        assert usage is Usage.BAD or (verdict.rule == "unreadable" and f"({oid})" in verdict.reason)


@pytest.mark.parametrize(
    ("oid", "value"),
    [
        ("2.5.29.32", pki.policy_list(("1.2.3", ANY_POLICY))),
        ("2.5.29.33", pki.der_element(0x30, pki.usage_list((S, C)))),
        ("2.5.29.36", pki.der_element(0x30, b"\x80\x01\x00\x81\x01\x05")),
        ("2.5.29.54", b"\x02\x01\x00"),
    ],
)
def test_policies_of_issuance_are_no_usages(oid: str, value: bytes) -> None:
    issuing = root().subordinate("Issuing", extensions=(pki.Extension(oid, value),))
    assert judge(issuing.issue("edge1", eku=BOTH)).usage is Usage.GOOD
    assert judge(issuing.issue("edge1", eku=(S,))).usage is Usage.BAD


@pytest.mark.parametrize(
    ("oid", "readable"),
    [
        (".".join(["1", "3", *["7"] * 62]), True),
        (".".join(["1", "3", *["7"] * 63]), False),
        (f"2.25.{2**128 - 1}", True),
        (f"2.25.{2**128}", False),
    ],
    ids=["64 numbers", "65 numbers", "128 bits", "129 bits"],
)
def test_identifiers_are_read_as_far_as_dotnet_reads_them(oid: str, readable: bool) -> None:
    usages = pki.usage_list((oid,))
    if readable:
        assert parse_usage_property(usages) == (oid,)
    else:
        with pytest.raises(CertificateError, match="identifier is too long"):
            parse_usage_property(usages)
