# Copyright (c) 2026, the sfb.kb4023993 contributors
# GNU General Public License v3.0-or-later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The step of the demonstration that asks a real .NET SslStream about the certificates of the simulated servers."""

from __future__ import annotations

import json
import typing as t
import urllib.request

from cryptography import x509
from cryptography.x509.oid import ExtendedKeyUsageOID
from powershell.sslstream import Answer, SslStreamError, SslStreamServer, engine_program
from screen import expect

_USAGES = {ExtendedKeyUsageOID.SERVER_AUTH: "serverAuth", ExtendedKeyUsageOID.CLIENT_AUTH: "clientAuth"}


def ask_dotnet(control: str, hosts: list[dict[str, t.Any]], *, all_good: bool = False) -> None:
    """Compare the audit's word on every certificate with .NET's.

    :param control: address of the lab's control port.
    :param hosts: the hosts of the audit's report.
    :param all_good: whether all of them are to be accepted by now.
    """
    program = engine_program()
    if program is None:
        print(
            "  Left out: no PowerShell here to run it in. Install it (https://aka.ms/powershell), or set SFB_PWSH to a pwsh."
        )
        return
    judged = {host["name"]: host for host in hosts if host["certificate"]}
    identities = {name: _identity(control, name) for name in judged}
    trusted = "".join({identity["root"] for identity in identities.values()}).encode()
    try:
        with SslStreamServer(program, trusted=trusted) as server:
            answers = {
                name: server.connect(identity["certificates"].encode(), identity["key"].encode())
                for name, identity in identities.items()
            }
    except SslStreamError as error:
        raise SystemExit(f"  NOT as it should be: {error}") from error
    print(
        "  A TLS server of the class that the article is about. Each simulated server connects with its own certificate."
    )
    print("  This is .NET on this machine, not .NET Framework on Windows.\n")
    for name in (n for n in judged if judged[n]["role"] == "edge"):
        print(f"  {identities[name]['name']}: {_usages(identities[name])}: {_in_words(answers[name])}")
    refused = {name for name, answer in answers.items() if not answer.accepted}
    wrong = sorted(
        name for name, host in judged.items() if (host["certificate"]["usage"] == "bad") != (name in refused)
    )
    print()
    if all_good:
        expect(bool(answers) and not refused, f".NET accepts all {len(answers)} certificates")
        return
    expect(
        0 < len(refused) < len(answers),
        f".NET refuses {len(refused)} of {len(answers)} certificates, and accepts the others",
    )
    expect(
        not wrong, "these are the certificates that the audit calls bad" + (f"; differently: {wrong}" if wrong else "")
    )


def _identity(control: str, name: str) -> dict[str, str]:
    with urllib.request.urlopen(f"{control}/hosts/{name}/identity") as reply:
        return t.cast("dict[str, str]", json.load(reply))


def _usages(identity: dict[str, str]) -> str:
    """The certificate's Extended Key Usage in words."""
    certificate = x509.load_pem_x509_certificate(identity["certificates"].encode())
    usages = certificate.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    names = [_USAGES.get(usage, usage.dotted_string) for usage in usages]
    return f"{names[0]} only" if len(names) == 1 else " and ".join(names)


def _in_words(answer: Answer) -> str:
    if answer.accepted:
        return "accepted"
    return f"refused by SslStream, {', '.join(answer.statuses) or answer.failure}"
