# Copyright (c) 2026, the sfb.kb4023993 contributors
# GNU General Public License v3.0-or-later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Each rule about the connection of one host: what bites is said, and what is right is left alone."""

from __future__ import annotations

import dataclasses
import datetime
import typing as t

import pytest
from ansible_collections.sfb.kb4023993.plugins.plugin_utils.controller_check.check import Check
from ansible_collections.sfb.kb4023993.plugins.plugin_utils.controller_check.controller import (
    check_host_clock,
    check_ticket,
)
from ansible_collections.sfb.kb4023993.plugins.plugin_utils.controller_check.variables import check_way
from ansible_collections.sfb.kb4023993.plugins.plugin_utils.controller_check.way import Way

PREFIX: t.Final = "KB4023993-CTRL-"
WINRM_METHODS: t.Final = frozenset({"basic", "certificate", "ntlm", "kerberos", "credssp", "plaintext", "ssl"})
NTLM: t.Final = Way(
    connection="winrm",
    windows=True,
    address="fe01.contoso.example",
    port=5985,
    scheme="http",
    path="/wsman",
    methods=("ntlm",),
    known_methods=WINRM_METHODS,
    user="CONTOSO\\audit",
    has_password=True,
    sets=frozenset({"ansible_connection"}),
    known_variables=frozenset({"ansible_winrm_server_cert_validation"}),
)
PSRP: t.Final = dataclasses.replace(
    NTLM,
    connection="psrp",
    methods=("kerberos",),
    port=5986,
    scheme="https",
    user="a@CONTOSO.EXAMPLE",
    known_methods=frozenset(),
)
SSH: t.Final = Way(connection="ssh", windows=True, address="se01", port=22, user="a@contoso.example")
LOCAL: t.Final = dataclasses.replace(NTLM, user="Administrator")


def found(way: Way, *, exists: bool = True) -> list[Check]:
    return list(check_way("fe01", way, exists=lambda _path: exists))


@pytest.mark.parametrize(
    "way", [NTLM, PSRP, SSH, dataclasses.replace(LOCAL, methods=("basic",), scheme="https", port=5986)]
)
def test_a_sound_way_has_nothing_said_of_it(way: Way) -> None:
    assert found(way) == []


CASES: t.Final[dict[str, tuple[Way, dict[str, t.Any], str, str, str]]] = {
    "become": (NTLM, {"become": True}, "BECOME", "failed", "become is set"),
    "nothing set": (
        SSH,
        {"windows": False},
        "CONNECTION",
        "failed",
        "ansible_connection is not set",
    ),
    "ssh to a Unix shell": (
        SSH,
        {"windows": False, "sets": frozenset({"ansible_connection"})},
        "CONNECTION",
        "failed",
        "ansible_shell_type",
    ),
    "local": (SSH, {"connection": "local", "windows": False}, "CONNECTION", "failed", "ansible_connection is local"),
    "docker": (SSH, {"connection": "docker"}, "CONNECTION", "failed", "docker"),
    "no password": (NTLM, {"has_password": False}, "CREDENTIALS", "failed", "ansible_password is not set"),
    "nobody": (
        NTLM,
        {"user": "", "has_password": False},
        "CREDENTIALS",
        "failed",
        "ansible_user and ansible_password are",
    ),
    "certificate without key": (
        PSRP,
        {"methods": ("certificate",), "client_certificate": ("/a.pem",)},
        "CREDENTIALS",
        "failed",
        "certificate or key is not named",
    ),
    "unknown way": (NTLM, {"methods": ("nltm",)}, "TRANSPORT", "failed", "ntlm may be meant"),
    "several ways": (NTLM, {"methods": ("ntlm", "credssp")}, "TRANSPORT", "warning", "several ways"),
    "kerberos to an address": (PSRP, {"address": "192.0.2.4"}, "TRANSPORT", "failed", "the address 192.0.2.4"),
    "kerberos to an IPv6 address": (PSRP, {"address": "2001:db8::4"}, "TRANSPORT", "failed", "by name"),
    "basic for the domain": (
        NTLM,
        {"methods": ("basic",), "scheme": "https", "port": 5986},
        "TRANSPORT",
        "failed",
        "Basic authentication is for local accounts",
    ),
    "small realm": (PSRP, {"user": "a@contoso.example"}, "TRANSPORT", "warning", "not in capital letters"),
    "basic over http": (LOCAL, {"methods": ("plaintext",)}, "PLAIN-HTTP", "warning", "Basic over HTTP"),
    "not encrypted": (NTLM, {"encryption": "never"}, "PLAIN-HTTP", "warning", "message encryption is turned off"),
    "certificate over http": (
        NTLM,
        {"methods": ("certificate",), "client_certificate": ("/a.pem", "/a.key")},
        "PLAIN-HTTP",
        "failed",
        "over HTTPS only",
    ),
    "not verified": (PSRP, {"verifies": False}, "CERT-VALIDATION", "warning", "is not checked"),
    "https on 5985": (NTLM, {"scheme": "https"}, "PORT-SCHEME", "warning", "Port 5985 is that of http"),
    "http on 5986": (NTLM, {"port": 5986}, "PORT-SCHEME", "warning", "Port 5986 is that of https"),
    "read timeout": (NTLM, {"read_timeout": 20}, "TIMEOUTS", "failed", "not longer than the operation timeout"),
    "no time": (NTLM, {"operation_timeout": 0}, "TIMEOUTS", "failed", "0 s"),
    "misspelt": (
        NTLM,
        {"unknown": ("ansible_winrm_server_cert_validaton",)},
        "VARIABLE-NAME",
        "warning",
        "ansible_winrm_server_cert_validation may be meant",
    ),
    "proxy": (NTLM, {"proxy": "http://proxy:3128"}, "PROXY", "warning", "through a proxy"),
}


@pytest.mark.parametrize("name", CASES)
def test_what_bites_is_said_once_with_a_next_step(name: str) -> None:
    way, changes, check_id, status, what = CASES[name]
    (check,) = found(dataclasses.replace(way, **changes))
    assert (check.id, check.status) == (PREFIX + check_id, status)
    assert what in check.what
    assert check.next_step
    assert check.where == ("fe01",)


def test_files_that_are_not_there() -> None:
    way = dataclasses.replace(
        PSRP, ca_file="/etc/ca.pem", methods=("certificate",), client_certificate=("/a.pem", "/a.key")
    )
    assert found(way) == []
    whats = [check.what for check in found(way, exists=False)]
    assert [name for name in ("/etc/ca.pem", "/a.pem", "/a.key") if any(name in what for what in whats)] == [
        "/etc/ca.pem",
        "/a.pem",
        "/a.key",
    ]


@pytest.mark.parametrize(
    "way",
    [
        dataclasses.replace(PSRP, address="192.0.2.4", sets=frozenset({"ansible_psrp_negotiate_hostname_override"})),
        dataclasses.replace(NTLM, address="192.0.2.4"),
        dataclasses.replace(PSRP, has_password=False),
        dataclasses.replace(NTLM, port=8443, scheme="https"),
        dataclasses.replace(SSH, operation_timeout=0, read_timeout=0),
    ],
    ids=["named by an override", "ntlm to an address", "a ticket of the cache", "a port of one's own", "ssh"],
)
def test_what_only_looks_wrong_is_left_alone(way: Way) -> None:
    assert found(way) == []


# ---- tickets and clocks


def ticket(way: Way, *, programs: t.Collection[str] = ("kinit", "klist"), valid: bool = True) -> str | None:
    check = check_ticket("fe01", way, which=lambda name: name if name in programs else None, valid=lambda: valid)
    return check.status if check else None


def test_tickets() -> None:
    manual = dataclasses.replace(PSRP, has_password=False)
    managed = dataclasses.replace(NTLM, methods=("kerberos",), managed_ticket=True, ticket_program="kinit")
    assert ticket(NTLM) is None
    assert ticket(manual) == "ok"
    assert ticket(manual, valid=False) == "failed"
    assert ticket(PSRP, valid=False) == "ok"
    assert ticket(managed, valid=False) == "ok"
    assert ticket(managed, programs=()) == "failed"


def test_without_klist_nobody_knows_whether_there_is_a_ticket() -> None:
    check = check_ticket("fe01", dataclasses.replace(PSRP, has_password=False), which=lambda _name: None)
    assert check is not None
    assert check.status == "warning"


NOW: t.Final = datetime.datetime(2026, 6, 1, 12, 0, tzinfo=datetime.timezone.utc)


@pytest.mark.parametrize(
    ("way", "minutes", "status", "what"),
    [
        (NTLM, 5, "ok", "agree"),
        (NTLM, -5, "ok", "agree"),
        (NTLM, 6, "warning", "6 minutes ahead of"),
        (NTLM, -6, "warning", "6 minutes behind"),
        (PSRP, 6, "failed", "Kerberos bears five minutes"),
        (PSRP, 60 * 24, "failed", "24 hours ahead of"),
    ],
)
def test_clocks(way: Way, minutes: int, status: str, what: str) -> None:
    check = check_host_clock("fe01", way, theirs=NOW + datetime.timedelta(minutes=minutes), ours=NOW)
    assert check.status == status
    assert what in check.what
