# Copyright (c) 2026, the sfb.kb4023993 contributors
# GNU General Public License v3.0-or-later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What errors of connections mean, by their numbers and the libraries' English."""

from __future__ import annotations

import pytest
from ansible_collections.sfb.kb4023993.plugins.plugin_utils.host.reasons import explain


class WmiError(Exception):
    """As pywinrm tells an error of WMI: the number beside the text."""

    wsman_fault_code = None
    wmierror_code = 2150859174


@pytest.mark.parametrize(
    ("error", "kind", "message"),
    [
        (
            Exception(
                "Zu viele Shells. (extended fault data: {'http_status_code': 500, 'wsmanfault_code': '2150859173'})"
            ),
            "quota",
            "WinRM of the server refuses it, because a quota is used up: MaxShellsPerUser (error 2150859173)",
        ),
        (
            WmiError("Zu viele Vorgänge."),
            "quota",
            "WinRM of the server refuses it, because a quota is used up: MaxConcurrentOperationsPerUser (error 2150859174)",
        ),
        (
            Exception("Received a WSManFault message. (Code: 2150859240, Machine: fe01, Reason: nein)"),
            "quota",
            "WinRM of the server refuses it, because a quota is used up: MaxConcurrentOperationsPerUser (error 2150859240)",
        ),
        (
            Exception(
                "Received a WSManFault message. (Code: w:InternalError, Reason: The WS-Management service cannot process the request. The "
                "maximum number of concurrent commands per shell has been exceeded.)"
            ),
            "quota",
            "WinRM of the server refuses it, because a quota is used up: MaxConcurrentCommandsPerShell (error 2150859241)",
        ),
        (
            Exception("Received a WSManFault message. (Code: 5, Machine: fe01, Reason: Zugriff verweigert)"),
            "denied",
            "the server took the account and denies it access to WinRM (error 5)",
        ),
        (
            Exception("Received a WSManFault message. (Code: 1234, Machine: fe01, Reason: etwas Neues)"),
            "winrm_error",
            "WinRM of the server answered with an error: (Code: 1234, Machine: fe01, Reason: etwas Neues)",
        ),
        (
            Exception("basic: Etwas Neues. (extended fault data: {'transport_message': 'x', 'wsmanfault_code': '77'})"),
            "winrm_error",
            "WinRM of the server answered with an error: Etwas Neues. (error 77)",
        ),
        (
            Exception(
                "HTTPSConnectionPool(host='fe01', port=5986): Max retries exceeded with url: /wsman (Caused by "
                'SSLError(SSLCertVerificationError(1, "[SSL: CERTIFICATE_VERIFY_FAILED] certificate verify failed: Hostname mismatch, '
                "certificate is not valid for 'fe01'. (_ssl.c:1006)\")))"
            ),
            "tls",
            "fe01 port 5986: TLS failed: certificate verify failed: Hostname mismatch, certificate is not valid for 'fe01'",
        ),
        (
            Exception(
                "HTTPConnectionPool(host='fe01', port=5985): Max retries exceeded with url: /wsman (Caused by "
                "NewConnectionError('<urllib3.connection.HTTPConnection object at 0x7f>: Failed to establish a new connection: [Errno 111] "
                "Connection refused'))"
            ),
            "unreachable",
            "fe01 port 5985: Connection refused",
        ),
        (
            Exception(
                "winrm connection error: HTTPConnectionPool(host='fe01', port=5985): Read timed out. (read timeout=30)"
            ),
            "unreachable",
            "fe01 port 5985: Read timed out",
        ),
        (
            Exception("ntlm: Bad HTTP response returned from server. Code 503"),
            "winrm_error",
            "WinRM of the server answered with an error: Bad HTTP response returned from server. Code 503",
        ),
        (ConnectionResetError(104, "Connection reset by peer"), "connection_lost", "the connection was reset"),
        (
            Exception("Failed to connect to the host via ssh: admin@fe01: Permission denied (publickey,password)."),
            "authentication",
            "Failed to connect to the host via ssh: admin@fe01: Permission denied (publickey,password).",
        ),
    ],
    ids=lambda value: value if isinstance(value, str) and value.isidentifier() else "",
)
def test_error_has_a_kind_and_one_plain_sentence(error: Exception, kind: str, message: str) -> None:
    assert explain(error, str(error)) == (kind, message)
