# Copyright (c) 2026, the sfb.kb4023993 contributors
# GNU General Public License v3.0-or-later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What may become part of a script for a person, and what may not."""

from __future__ import annotations

import re
import typing as t

import pytest
from ansible_collections.sfb.kb4023993.plugins.plugin_utils.offline.literals import (
    Kind,
    LiteralError,
    literal,
    literals,
)
from hypothesis import given
from hypothesis import strategies as st

KINDS: t.Final[tuple[Kind, ...]] = t.get_args(Kind)


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        ("dns_name", "edge01.contoso.com"),
        ("dns_name", "_sip._tls.contoso.com"),
        ("thumbprint", "AB" * 20),
        ("sha256", "ab" * 32),
        ("nonce", "00112233aabbccdd"),
        ("file_name", "evidence-edge%2001.txt"),
        ("friendly_name", "KB4023993 Internal AB12"),
        ("number", "2048"),
        ("module", "SkypeForBusiness"),
    ],
)
def test_a_value_of_its_kind_stands_in_single_quotes(kind: Kind, value: str) -> None:
    assert literal(value, kind) == f"'{value}'"


@pytest.mark.parametrize("kind", KINDS)
@given(
    value=st.one_of(st.text(max_size=60), st.from_regex(r"[a-z0-9.]{1,20}['\"$`;\n\u2019 ][a-z0-9]*", fullmatch=True))
)
def test_no_value_can_end_its_quotes_or_its_line(kind: Kind, value: str) -> None:
    try:
        text = literal(value, kind)
    except LiteralError:
        return
    # PowerShell takes typographic quotes for quotes too.
    assert re.fullmatch(r"'[A-Za-z0-9 ._~%:()-]*'", text)


@pytest.mark.parametrize(
    "value", ["*.contoso.com", "a'b.com", "a;b", "", "a..b", "-a.com", "a" * 64 + ".com", "ä.com", "a.com\n"]
)
def test_a_name_that_is_none_of_dns_is_refused(value: str) -> None:
    with pytest.raises(LiteralError, match="is not written into a script"):
        literals(["edge01.contoso.com", value], "dns_name")


def test_a_list_is_one_of_powershell() -> None:
    assert literals([], "dns_name") == "@()"
    assert literals(["a.com", "b.com"], "dns_name") == "@('a.com', 'b.com')"
