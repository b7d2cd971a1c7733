# Copyright (c) 2026, the sfb.kb4023993 contributors
# GNU General Public License v3.0-or-later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the errors of Ansible's connections mean: a kind, and one plain sentence.

Messages of a server are in its language, so its faults are known by number alone (wsmerror.h). The libraries (pywinrm, pypsrp, requests,
OpenSSH) write English, on every system.
"""

from __future__ import annotations

import re
import typing as t

ConnectionKind = t.Literal[
    "unreachable",
    "authentication",
    "denied",
    "tls",
    "connection_lost",
    "shell_gone",
    "quota",
    "envelope_too_small",
    "winrm_error",
]
"""Kinds of errors that come from a connection; what a server refuses or prints has others."""

CONNECTION_KINDS: t.Final[frozenset[str]] = frozenset(t.get_args(ConnectionKind))

DENIED: t.Final = frozenset({5, 0x80070005})
ENVELOPE: t.Final = 0x80338111
_SHELL_GONE: t.Final = 0x8033805B
# By number the name of the quota. Those from 0x803381E4 on belong to the plugin of PowerShell.
QUOTAS: t.Final[dict[int, str]] = {
    0x803381A5: "MaxShellsPerUser",
    0x803381A6: "MaxConcurrentOperationsPerUser",
    0x803381A7: "what one user may have open at once",
    0x803381A8: "what all users together may have open at once",
    0x803381AB: "MaxConcurrentUsers",
    0x803381E4: "MaxShellsPerUser",
    0x803381E5: "MaxConcurrentUsers",
    0x803381E6: "MaxShells",
    0x803381E7: "the operations of the plugin at once",
    0x803381E8: "MaxConcurrentOperationsPerUser",
    0x803381E9: "MaxConcurrentCommandsPerShell",
}

# An error of WMI comes through pypsrp, and pywinrm before 0.5, without its number.
_QUOTA_WORDS: t.Final = (
    (re.compile(r"\d+ concurrent shells|maximum number of concurrent shells"), 0x803381A5),
    (re.compile(r"\d+ concurrent operations|maximum number of concurrent operations"), 0x803381A6),
    (re.compile(r"maximum number of concurrent commands per shell"), 0x803381E9),
)
_CODE: t.Final = re.compile(r"(?:wsmanfault_code'?: ?'?|\bCode: ?'?|WSManFault Code=')(\d{1,10})")
_ADDRESS: t.Final = re.compile(r"host='([^']+)', port=(\d+)")
_REASON: t.Final = re.compile(r"((?<=\] )[A-Z][a-z ]+|(?:Read )?timed out)")
_TLS: t.Final = re.compile(r"\bSSLError\(|\[SSL[:\]]|certificate verify failed|SSLEOFError|\bSSLCertVerificationError")
_TLS_REASONS: t.Final = (
    re.compile(r"(certificate verify failed: [A-Za-z0-9' .,-]+)"),
    re.compile(r"\] ([A-Za-z][A-Za-z0-9 ]+)"),
)
_LOST: t.Final = (
    (re.compile(r"Connection reset by peer"), "the connection was reset"),
    (
        re.compile(r"RemoteDisconnected|without response|IncompleteRead|Broken pipe|Connection aborted"),
        "the connection was closed in the middle",
    ),
    (
        re.compile(r"Connection to \S+ closed|Connection closed by|client_loop: send disconnect"),
        "ssh lost the connection",
    ),
    (
        re.compile(r"winrm send_input failed"),
        "the input of the command could not be sent; Ansible's warning above says why",
    ),
)
# What pywinrm adds for programs.
_EXTENDED: t.Final = re.compile(
    r"\s*\(extended fault data: .*?\}\)|^(?:basic|plaintext|ntlm|kerberos|credssp|certificate|ssl): "
)
_PSRP: t.Final = re.compile(r"^Failed to connect to the host via PSRP: |^Received a WSManFault message\. ")


def fault_number(error: BaseException | None, text: str) -> int:
    """The number of the WS-Management fault that an error tells of, 0 if there is none.

    :param text: what the error says, whole.
    """
    for name in ("wsman_fault_code", "wmierror_code"):
        number = getattr(error, name, None)
        if isinstance(number, int):
            return number
    found = _CODE.search(text)
    return int(found.group(1)) if found else 0


def explain(error: BaseException, text: str) -> tuple[ConnectionKind, str]:
    """What went wrong, for people.

    :param text: what the error says, whole, as one line.
    """
    number = fault_number(error, text)
    number = next((code for words, code in _QUOTA_WORDS if words.search(text)), number)
    if number in QUOTAS:
        return "quota", f"WinRM of the server refuses it, because a quota is used up: {QUOTAS[number]} (error {number})"
    if number == ENVELOPE:
        return (
            "envelope_too_small",
            f"the message is larger than WinRM of the server takes: MaxEnvelopeSizekb (error {number})",
        )
    if number == _SHELL_GONE:
        return "shell_gone", f"the shell on the server was gone before the answer came (error {number})"
    if number in DENIED:
        return "denied", f"the server took the account and denies it access to WinRM (error {number})"
    if "credentials were rejected" in text or "Failed to authenticate the user" in text:
        return "authentication", shown(text)
    if "Permission denied (" in text:
        return "authentication", shown(text)
    if number or "Bad HTTP response" in text:
        said = shown(text)
        told = f" (error {number})" if number and str(number) not in said else ""
        return "winrm_error", f"WinRM of the server answered with an error: {said}{told}"
    where = _ADDRESS.search(text)
    place = f"{where.group(1)} port {where.group(2)}: " if where else ""
    if _TLS.search(text):
        found = [match.group(1) for match in (pattern.search(text) for pattern in _TLS_REASONS) if match]
        return "tls", f"{place}TLS failed{': ' + found[0].strip(' .') if found else ''}"
    for pattern, message in _LOST:
        if pattern.search(text):
            return "connection_lost", message
    reason = _REASON.search(text)
    return "unreachable", f"{place}{reason.group(1).strip()}" if where and reason else shown(text)


def shown(text: str) -> str:
    """What a library said, without what it says for programs."""
    return _PSRP.sub("", _EXTENDED.sub("", text)).strip()
