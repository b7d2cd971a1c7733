# Copyright (c) 2026, the sfb.kb4023993 contributors
# GNU General Public License v3.0-or-later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The INF file says what was meant: a parser that knows nothing of the writer reads subject and names back."""

from __future__ import annotations

import dataclasses
import re
import typing as t

import pytest
from ansible_collections.sfb.kb4023993.plugins.plugin_utils.renewal.inf import InfError, friendly_name, request_inf
from ansible_collections.sfb.kb4023993.plugins.plugin_utils.renewal.subject import Subject, unfit
from builders import renewal as r
from hypothesis import given
from hypothesis import strategies as st

RUN_ID: t.Final = "20260308T120010Z-abcdef"
FRIENDLY: t.Final = friendly_name("Internal", RUN_ID)


def parse_inf(text: str) -> list[tuple[str, str, str]]:
    """Section, key and value of each line, by the published rules: quoted text, ``""`` for a quotation mark, ``%%`` for a percent sign,
    a semicolon outside of quotation marks begins a comment."""
    section, found = "", []
    for line in text.split("\r\n"):
        assert "\n" not in line
        assert "\r" not in line
        if re.fullmatch(r"\[\w+\]", line):
            section = line[1:-1]
        elif line:
            key, value = re.fullmatch(r'([\w.]+) = ("(?:[^"]|"")*"|[^";,%]+)', line).groups()  # type: ignore[union-attr]
            if value.startswith('"'):
                assert "%" not in value.replace("%%", "")
                value = value[1:-1].replace('""', '"').replace("%%", "%")
            found.append((section, key, value))
    return found


def parse_name(text: str) -> dict[str, str]:
    """A name as CertStrToName reads it: parts with commas between, a value with separators in quotation marks."""
    parts = re.findall(r'([A-Z]+)=("[^"]*"|[^",+;<>#=]*)(?:,|\Z)', text)
    assert ",".join(f"{key}={value}" for key, value in parts) == text, "something is left over"
    return {key: value.strip('"') for key, value in parts}


def settings(text: str, section: str) -> dict[str, str]:
    return {key: value for place, key, value in parse_inf(text) if place == section}


def alternative_names(text: str) -> list[str]:
    lines = [(key, value) for place, key, value in parse_inf(text) if place == "Extensions"]
    assert lines[0] == ("2.5.29.17", "{text}")
    assert {key for key, _value in lines[1:]} == {"_continue_"}
    names = "".join(value for _key, value in lines[1:]).split("&")
    assert all(name.startswith("dns=") for name in names)
    return [name.removeprefix("dns=") for name in names]


# ---- what the product wants


def test_the_request_is_what_the_product_would_make() -> None:
    text = request_inf(r.replacement(exportable=True), friendly_name=FRIENDLY, key_size=4096)
    assert text.startswith('[Version]\r\nSignature = "$Windows NT$"\r\n')
    assert settings(text, "NewRequest") == {
        "Subject": "CN=server.contoso.example",
        "FriendlyName": FRIENDLY,
        "KeySpec": "1",
        "KeyLength": "4096",
        "Exportable": "TRUE",
        "MachineKeySet": "TRUE",
        "SMIME": "FALSE",
        "PrivateKeyArchive": "FALSE",
        "UserProtected": "FALSE",
        "UseExistingKeySet": "FALSE",
        "ProviderName": "Microsoft RSA SChannel Cryptographic Provider",
        "ProviderType": "12",
        "RequestType": "PKCS10",
        "KeyUsage": "0xa0",
    }
    usages = [
        value for section, key, value in parse_inf(text) if (section, key) == ("EnhancedKeyUsageExtension", "OID")
    ]
    assert usages == ["1.3.6.1.5.5.7.3.1", "1.3.6.1.5.5.7.3.2"]


def test_a_key_may_leave_its_server_only_where_an_edge_pool_shares_it() -> None:
    text = request_inf(r.replacement(exportable=False), friendly_name=FRIENDLY, key_size=2048)
    assert settings(text, "NewRequest")["Exportable"] == "FALSE"


def test_friendly_names_differ_by_use_and_by_run_and_are_short_and_plain() -> None:
    uses = ("Internal", "Default", "WebServicesInternal", "WebServicesExternal")
    names = {friendly_name(use, run) for use in uses for run in (RUN_ID, "20260308T120010Z-abcdee")}
    assert len(names) == 8
    # A second try of one run puts something behind it.
    assert all(len(name) <= 60 and name.isascii() for name in names)


# ---- nothing is lost, nothing can break out

TEXTS = st.text(st.characters(codec="utf-8", exclude_categories=["C"]), max_size=64)
LABELS = st.from_regex(r"[a-z0-9_]([a-z0-9_-]{0,10}[a-z0-9_])?", fullmatch=True)
NAMES = st.lists(LABELS, min_size=1, max_size=4).map(".".join)
SUBJECTS = st.builds(
    Subject,
    common_name=NAMES,
    organization=TEXTS,
    unit=TEXTS,
    city=TEXTS,
    state=TEXTS,
    country=st.sampled_from(["", "DE", "us", "Jp"]),
)
_KEYS: t.Final = {"CN": "common_name", "OU": "unit", "O": "organization", "L": "city", "S": "state", "C": "country"}


@given(SUBJECTS, st.lists(NAMES, min_size=1, max_size=40, unique=True))
def test_whatever_is_accepted_survives(subject: Subject, names: list[str]) -> None:
    wanted = dataclasses.replace(r.replacement(*names), subject=subject)
    if unfit(subject, names):
        with pytest.raises(InfError):
            request_inf(wanted, friendly_name=FRIENDLY, key_size=2048)
        return
    text = request_inf(wanted, friendly_name=FRIENDLY, key_size=2048)
    found = parse_name(settings(text, "NewRequest")["Subject"])
    assert {_KEYS[key]: value for key, value in found.items()} == {
        key: value for key, value in dataclasses.asdict(subject).items() if value
    }
    assert alternative_names(text) == names


@pytest.mark.parametrize(
    "text", ["Contoso, Inc.", "A + B", "100% Contoso; GmbH", "#1 <Contoso>", "a=b", "O'Neil", "München"]
)
def test_ordinary_names_of_companies_are_accepted(text: str) -> None:
    subject = Subject(common_name="a.example", organization=text)
    inf = request_inf(r.replacement(subject=subject), friendly_name=FRIENDLY, key_size=2048)
    assert parse_name(settings(inf, "NewRequest")["Subject"])["O"] == text


def test_the_quoting_is_the_documented_one() -> None:
    subject = Subject(common_name="a.example", organization="Contoso, 100%")
    inf = request_inf(r.replacement(subject=subject), friendly_name=FRIENDLY, key_size=2048)
    assert 'Subject = "CN=a.example,O=""Contoso, 100%%"""' in inf


@pytest.mark.parametrize(
    "wanted",
    [
        r.replacement("a.example", 'b.example"\r\nKeyLength = 512'),
        r.replacement("a.example", "b.example&upn=admin@contoso.example"),
        r.replacement("*.contoso.example"),
        r.replacement("a.example", "ip:10.0.0.1"),
        r.replacement("a.example", ".b.example"),
        r.replacement("a.example", "a" * 64 + ".example"),
        r.replacement(subject=Subject(common_name="")),
        r.replacement(subject=Subject(common_name="a.example", organization='x"y')),
        r.replacement(subject=Subject(common_name="a.example", organization="x\r\n[Extensions]")),
        r.replacement(subject=Subject(common_name="a.example", organization="x\\")),
        r.replacement(subject=Subject(common_name="a.example", city=" x")),
        r.replacement(subject=Subject(common_name="a.example", unit="x" * 65)),
        r.replacement(subject=Subject(common_name="a.example", country="DEU")),
        r.replacement(subject=Subject(common_name="a.example", country="1,")),
    ],
)
def test_what_has_no_safe_form_is_refused_with_the_certificates_name(wanted: t.Any) -> None:
    with pytest.raises(InfError, match=r"^edge01 Internal: its certificate has "):
        request_inf(wanted, friendly_name=FRIENDLY, key_size=2048)


@pytest.mark.parametrize("name", ["", "x" * 65, 'a"b', "a\r\nb", "a%b", "ä", " a"])
def test_a_friendly_name_is_plain(name: str) -> None:
    with pytest.raises(InfError, match="friendly name"):
        request_inf(r.replacement(), friendly_name=name, key_size=2048)
