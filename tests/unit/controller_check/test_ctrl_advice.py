# Copyright (c) 2026, the sfb.kb4023993 contributors
# GNU General Public License v3.0-or-later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the connection libraries say, in their own exceptions where they can be made here, and what is told of it."""

from __future__ import annotations

import dataclasses
import typing as t

import pytest
from ansible_collections.sfb.kb4023993.plugins.plugin_utils.controller_check import advice
from ansible_collections.sfb.kb4023993.plugins.plugin_utils.controller_check.advice import refusal, told
from ansible_collections.sfb.kb4023993.plugins.plugin_utils.controller_check.probe import Offer
from ansible_collections.sfb.kb4023993.plugins.plugin_utils.controller_check.way import Way
from pypsrp.exceptions import WSManFaultError as PsrpFaultError
from winrm.exceptions import WSManFaultError as WinrmFaultError

NTLM: t.Final = Way(connection="winrm", windows=True, scheme="http", methods=("ntlm",))
KERBEROS: t.Final = dataclasses.replace(NTLM, methods=("kerberos",))
BASIC: t.Final = dataclasses.replace(NTLM, methods=("basic",))
PSRP: t.Final = dataclasses.replace(NTLM, connection="psrp", methods=("negotiate",))
GSS: t.Final = "kerberos: authGSSClientStep() failed: (('Unspecified GSS failure.  Minor code may provide more information', 851968), ('{}', -1765328377))"
GERMAN: t.Final = "Der WS-Verwaltungsdienst kann die Anforderung nicht verarbeiten. " * 5


def offer(*methods: str) -> Offer:
    return Offer(status=401, methods=frozenset(methods))


def by_winrm(code: int) -> str:
    return str(
        WinrmFaultError(500, "Bad HTTP response returned from server. Code 500", "", GERMAN, wsman_fault_code=code)
    )


def by_psrp(code: int) -> str:
    return str(PsrpFaultError(code, "fe01", GERMAN, None, None, None))


TEXTS: t.Final[tuple[tuple[str, str, str], ...]] = (
    (GSS.format("Server not found in Kerberos database"), "CONTACT-AUTH", "no service for the name"),
    ("Server HTTP/fe01@B not found in Kerberos database", "CONTACT-AUTH", "no service for the name"),
    (GSS.format("Clock skew too great"), "CONTACT-AUTH", "clocks"),
    (
        GSS.format("No Kerberos credentials available (default cache: FILE:/tmp/krb5cc_0)"),
        "CONTACT-AUTH",
        "no valid Kerberos ticket",
    ),
    (GSS.format("Ticket expired"), "CONTACT-AUTH", "no valid Kerberos ticket"),
    (
        "Kerberos auth failure for principal a@B: kinit: Preauthentication failed while getting initial credentials",
        "CONTACT-AUTH",
        "refuses the password",
    ),
    ("kinit: Password incorrect while getting initial credentials", "CONTACT-AUTH", "refuses the password"),
    (
        "kinit: Client 'a@B' not found in Kerberos database while getting initial credentials",
        "CONTACT-AUTH",
        "no account of this name",
    ),
    (
        "kinit: Clients credentials have been revoked while getting initial credentials",
        "CONTACT-AUTH",
        "locked or disabled",
    ),
    ("kinit: KDC reply did not match expectations while getting initial credentials", "CONTACT-AUTH", "realm"),
    (
        'kinit: Cannot find KDC for realm "B" while getting initial credentials',
        "CONTACT-AUTH",
        "No domain controller answers",
    ),
    (
        "kinit: Cannot contact any KDC for realm 'B' while getting initial credentials",
        "CONTACT-AUTH",
        "No domain controller answers",
    ),
    ("requested auth method is kerberos, but pykerberos is not installed", "LIBRARY", "is not there"),
    ("requests auth method is credssp, but requests-credssp is not installed", "LIBRARY", "is not there"),
    (
        "credssp: Server did not response with a CredSSP token after step Step 1. TLS Handshake - actual 'Negotiate'",
        "CONTACT-AUTH",
        "CredSSP",
    ),
    (
        "The server did not response CredSSP being an available authentication method - actual: 'Negotiate'",
        "CONTACT-AUTH",
        "CredSSP",
    ),
    ("Failed to connect to the host via ssh: Host key verification failed.", "CONTACT-AUTH", "key"),
    ("@ WARNING: REMOTE HOST IDENTIFICATION HAS CHANGED! @", "CONTACT-AUTH", "key"),
    (
        "a@fe01: Permission denied (publickey,password,keyboard-interactive).",
        "CONTACT-AUTH",
        "sshd of the host refuses",
    ),
    ("to use the 'ssh' connection type with passwords, you must install the sshpass program", "CREDENTIALS", "sshpass"),
    ("ssh: Could not resolve hostname fe01: Name or service not known", "CONTACT-NAME", "does not know the name"),
    ("ssh: connect to host fe01 port 22: Connection refused", "CONTACT-PORT", "Nothing listens"),
    ("ssh: connect to host fe01 port 22: Connection timed out", "CONTACT-PORT", "firewall"),
    (
        "HTTPSConnectionPool(...): certificate verify failed: unable to get local issuer certificate",
        "CONTACT-TLS",
        "not accepted",
    ),
    (
        "HTTPConnectionPool(host='fe01', port=5985): Read timed out. (read timeout=30)",
        "CONTACT-POWERSHELL",
        "no answer in time",
    ),
    ("Bad HTTP response returned from server. Code 502", "CONTACT-POWERSHELL", "no answer in time"),
)


@pytest.mark.parametrize(("text", "subject", "what"), TEXTS, ids=[text[:60] for text, _subject, _what in TEXTS])
def test_well_known_texts(text: str, subject: str, what: str) -> None:
    found = told(text, KERBEROS, None, refused=False)
    assert found is not None
    assert found[0] == subject
    assert what in found[1]
    assert found[2]


def test_every_text_that_is_known_is_tried_here() -> None:
    said = {found[1] for text, _subject, _what in TEXTS if (found := told(text, KERBEROS, None, refused=False))}
    assert said == {what for _pattern, _subject, what, _step in advice._KNOWN}


@pytest.mark.parametrize("by", [by_winrm, by_psrp])
@pytest.mark.parametrize(
    ("code", "subject", "step"),
    [
        (5, "CONTACT-RIGHTS", "LocalAccountTokenFilterPolicy"),
        (2147942405, "CONTACT-RIGHTS", "LocalAccountTokenFilterPolicy"),
        (2150859173, "CONTACT-POWERSHELL", "MaxShellsPerUser"),
        (2150859174, "CONTACT-POWERSHELL", "MaxShellsPerUser"),
        (2150859179, "CONTACT-POWERSHELL", "MaxConcurrentUsers"),
        (2150859236, "CONTACT-POWERSHELL", "MaxShellsPerUser"),
        (2150859180, "CONTACT-POWERSHELL", "AllowRemoteShellAccess"),
        (2150859025, "CONTACT-POWERSHELL", "MaxEnvelopeSizekb"),
    ],
)
def test_faults_of_a_server_are_known_by_number_in_any_language(
    by: t.Callable[[int], str], code: int, subject: str, step: str
) -> None:
    found = told(by(code), NTLM, None, refused=False)
    assert found is not None
    assert found[0] == subject
    assert step in found[2]


def test_what_is_not_known_is_not_guessed() -> None:
    assert told("Something nobody has seen", NTLM, None, refused=False) is None
    assert told(by_psrp(2150858843), NTLM, None, refused=False) is None


def test_basic_that_is_not_allowed_is_told_from_a_wrong_password() -> None:
    what, step = refusal(BASIC, offer("negotiate", "kerberos"))
    assert "Basic authentication is not allowed over HTTP" in what
    assert "kerberos, negotiate" in what
    assert "ansible_winrm_transport to ntlm" in step
    assert "user or password is wrong" in refusal(BASIC, offer("negotiate", "basic"))[0]
    assert "user or password is wrong" in refusal(NTLM, offer("negotiate"))[0]


def test_basic_over_https_is_not_said_to_need_unencrypted_messages() -> None:
    what, _step = refusal(dataclasses.replace(BASIC, scheme="https"), offer("negotiate"))
    assert "on the host" in what
    assert "AllowUnencrypted" not in what


@pytest.mark.parametrize(
    ("way", "offered", "what"),
    [
        (dataclasses.replace(NTLM, methods=("credssp",)), ("negotiate",), "CredSSP is not allowed"),
        (NTLM, ("basic",), "Neither NTLM nor Kerberos is allowed"),
        (
            dataclasses.replace(NTLM, methods=("certificate",), client_certificate=("a", "b")),
            ("negotiate",),
            "client certificate",
        ),
        (PSRP, ("negotiate",), "neither NTLM nor Kerberos is possible"),
    ],
)
def test_other_refusals(way: Way, offered: tuple[str, ...], what: str) -> None:
    found = told("the specified credentials were rejected by the server", way, offer(*offered), refused=True)
    assert found is not None
    assert found[0] == "CONTACT-AUTH"
    assert what in found[1]
