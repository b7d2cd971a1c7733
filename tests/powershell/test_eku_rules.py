# Copyright (c) 2026, the sfb.kb4023993 contributors
# GNU General Public License v3.0-or-later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Our usage rules against .NET's own: every case is a TLS connection to a real SslStream that judges the peer.

It is .NET on the machine of the tests, not .NET Framework on Windows; the two share these rules by design of .NET.
"""

from __future__ import annotations

import os
import shutil
import socket
import ssl
import subprocess
import threading
from dataclasses import dataclass
from pathlib import Path

import pytest
from ansible_collections.sfb.kb4023993.plugins.plugin_utils.certificates import Usage, judge_usage
from cryptography.hazmat.primitives.serialization import NoEncryption, pkcs12
from lab import pki

_SERVER = Path(__file__).with_name("eku_rules.ps1")
_TIME_LIMIT = 60.0

S, C, OTHER = pki.SERVER_AUTH, pki.CLIENT_AUTH, "1.3.6.1.5.5.7.3.4"
ANY, ANY_MS = pki.ANY_USAGE, pki.ANY_APPLICATION_POLICY
LISTS: dict[str, tuple[str, ...] | None] = {
    "absent": None,
    "empty": (),
    "server": (S,),
    "client": (C,),
    "both": (S, C),
    "other": (OTHER,),
    "any": (ANY,),
    "any-ms": (ANY_MS,),
    "any+server": (ANY, S),
    "any+client": (ANY, C),
}
BROKEN = b"\x30\x05\x06\x03\x55"


@dataclass(frozen=True)
class Case:
    """A peer and the root it leads to."""

    peer: pki.Issued
    root: pki.Authority


def cases() -> dict[str, Case]:
    """Every kind of leaf below a plain CA, every kind of CA above good leaves, and what is rare or broken."""
    root = pki.root_authority("Root")
    plain = root.subordinate("Plain CA")
    found: dict[str, Case] = {}

    def add(name: str, peer: pki.Issued, above: pki.Authority = root) -> None:
        assert name not in found
        found[name] = Case(peer, above)

    for eku in LISTS:
        for policies in LISTS:
            peer = plain.issue("peer", eku=LISTS[eku], application_policies=LISTS[policies])
            add(f"leaf:eku={eku},policies={policies}", peer)
    for eku in ("absent", "empty", "server", "both", "any", "any+client"):
        for policies in ("absent", "server", "client", "any-ms"):
            ca = root.subordinate("Limited CA", eku=LISTS[eku], application_policies=LISTS[policies])
            add(f"ca:eku={eku},policies={policies}", ca.issue("peer", eku=(S, C)))
            add(f"ca:eku={eku},policies={policies},open-leaf", ca.issue("peer", eku=None))
    for name in ("server", "client", "both", "any"):
        limited_root = pki.root_authority(f"Root {name}", eku=LISTS[name])
        add(f"root:eku={name}", limited_root.subordinate("Below").issue("peer", eku=(S, C)), limited_root)
        policy_root = pki.root_authority(f"Policy root {name}", application_policies=LISTS[name])
        add(f"root:policies={name}", policy_root.issue("peer", eku=(S, C)), policy_root)
        upper = root.subordinate("Upper", eku=LISTS[name])
        add(f"upper:eku={name}", upper.subordinate("Lower", eku=(S, C)).issue("peer", eku=(C,)))
        lower = root.subordinate("Upper open").subordinate("Lower limited", eku=LISTS[name])
        add(f"lower:eku={name}", lower.issue("peer", eku=(C,)))
        lone = pki.self_signed(f"lone {name}", eku=LISTS[name])
        add(f"self-signed:eku={name}", lone, pki.Authority(lone.certificate, lone.key))
    direct = root.issue("peer", eku=(C,), extensions=(pki.template_extension("1.3.6.1.4.1.311.21.8.1.2"),))
    add("direct", direct)
    for name, value in {"client": pki.usage_list((C,)), "server": pki.usage_list((S,))}.items():
        extension = pki.Extension(pki.EXTENDED_KEY_USAGE, value, critical=True)
        add(f"critical:eku={name}", plain.issue("peer", eku=None, extensions=(extension,)))
    qualifier = pki.der_element(0x30, pki.der_oid("1.3.6.1.5.5.7.2.1"), pki.der_element(0x16, b"http://x"))
    policy = pki.der_element(0x30, pki.der_oid(C), pki.der_element(0x30, qualifier))
    add("qualified-policy", plain.issue("peer", application_policies=pki.der_element(0x30, policy)))
    add("broken:policies", plain.issue("peer", eku=(S, C), application_policies=BROKEN))
    add("broken:ca-policies", root.subordinate("B", application_policies=BROKEN).issue("peer", eku=(C,)))
    return found


def ask_dotnet(program: str, asked: dict[str, Case], folder: Path) -> dict[str, str]:
    """What .NET says of each case: "<policy errors>|<chain status, ...>"."""
    own = pki.root_authority("Root").issue("localhost")
    (folder / "own.pfx").write_bytes(
        pkcs12.serialize_key_and_certificates(b"own", own.key, own.certificate, None, NoEncryption())
    )
    (folder / "roots.pem").write_bytes(b"".join({case.root.pem for case in asked.values()}))
    environment = {**os.environ, "SSL_CERT_FILE": str(folder / "roots.pem"), "SSL_CERT_DIR": str(folder / "none")}
    arguments = ["-NoProfile", "-NonInteractive", "-File", str(_SERVER), str(folder / "own.pfx"), str(len(asked))]
    with subprocess.Popen(
        [program, *arguments],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env=environment,
    ) as server:
        watchdog = threading.Timer(_TIME_LIMIT, server.kill)
        watchdog.start()
        try:
            assert server.stdout is not None
            first = server.stdout.readline().strip()
            assert first.isdigit(), f"the TLS server did not start: {first} {server.stdout.read()}"
            answers: dict[str, str] = {}
            for name, case in asked.items():
                _connect(int(first), case.peer, folder / "peer.pem")
                answers[name] = server.stdout.readline().strip()
            return answers
        finally:
            watchdog.cancel()
            server.kill()


def _connect(port: int, peer: pki.Issued, file: Path) -> None:
    file.write_bytes(peer.chain_pem + peer.key_pem)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    context.load_cert_chain(file)
    with socket.create_connection(("127.0.0.1", port), timeout=10) as plain, context.wrap_socket(plain):
        pass


def test_rules_are_those_of_dotnet(tmp_path: Path) -> None:
    program = os.environ.get("SFB_PWSH") or shutil.which("pwsh")
    if program is None:
        pytest.skip("no PowerShell engine: set SFB_PWSH to one, or install pwsh")
    asked = cases()
    answers = ask_dotnet(program, asked, tmp_path)
    verdicts = {name: judge_usage(case.peer.der, case.peer.chain) for name, case in asked.items()}
    differences = [
        f"{name}: ours {verdict.usage}, {verdict.reason} .NET: {answers[name]}"
        for name, verdict in verdicts.items()
        if not answers[name].startswith(expected_answer(name, verdict.usage))
    ]
    assert not differences, "\n".join(differences)
    # Nothing but the cases that Windows may judge differently is left undecided.
    undecided = [name for name, verdict in verdicts.items() if verdict.usage is Usage.UNDECIDED]
    assert [name for name in undecided if "any" not in name and "broken" not in name] == []
    assert len(asked) - len(undecided) > 100


def expected_answer(name: str, usage: Usage) -> str:
    """How .NET here answers; it refuses what we leave undecided, the broken ones because it fails to read them."""
    if usage is Usage.GOOD:
        return "None|"
    return "failed|" if "broken" in name else "RemoteCertificateChainErrors|NotValidForUsage"
