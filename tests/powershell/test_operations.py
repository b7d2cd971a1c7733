# Copyright (c) 2026, the sfb.kb4023993 contributors
# GNU General Public License v3.0-or-later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Every operation in a real PowerShell engine, as far as this system has what it reads."""

from __future__ import annotations

import shutil
import subprocess
import time
import typing as t
from collections.abc import Iterator
from datetime import datetime, timezone
from pathlib import Path

import pytest
from ansible_collections.sfb.kb4023993.plugins.plugin_utils.host import operations as o
from cryptography.hazmat.primitives import hashes
from lab import pki
from powershell.runner import Engine

R = t.TypeVar("R")


def value(reply: t.Any, kind: type[R]) -> R:
    assert reply.error is None, reply.error
    assert isinstance(reply.value, kind)
    return reply.value


def thumbprint(issued: pki.Issued) -> str:
    return issued.certificate.fingerprint(hashes.SHA1()).hex().upper()


def test_every_operation_answers(engine: Engine) -> None:
    """Names and fields fit on both sides; what needs Windows says so instead of failing in some other way."""
    key = "SOFTWARE\\Microsoft\\.NETFramework"
    needs_windows = (
        o.RegistryRead(path=key, name="InstallRoot"),
        o.RegistryList(path=key, view="32"),
        o.RegistrySet(path=key, name="x", kind="dword", data=("0",)),
        o.RegistryDelete(path=key, name="x"),
        o.FileInfo(path=".config", service="RTCDATAMCU"),
        o.Services(names=("RTCDATAMCU",)),
        o.ServiceRestart(name="RTCDATAMCU", stop=True),
        o.Certificates(store="My"),
        o.Events(log="Lync Server", provider="LS Data MCU", ids=(41025, 41026), seconds=60),
        o.Updates(kbs=("KB4014512",)),
    )
    elsewhere = {
        o.System,
        o.FileInfo,
        o.FileRead,
        o.FileSearch,
        o.Processes,
        o.ChainCheck,
        o.TlsPeer,
        o.LyncCommand,
    }
    assert {type(operation) for operation in needs_windows} | elsewhere == set(o.OPERATIONS)
    replies = engine.run(*needs_windows)
    assert {reply.operation.NAME: reply.error and reply.error.type for reply in replies} == {
        operation.NAME: "unsupported" for operation in needs_windows
    }


def test_what_an_operation_may_not_be_asked(engine: Engine) -> None:
    replies = engine.run(
        o.RegistryRead(path="SECURITY\\Policy", name=""),
        o.RegistrySet(path="SOFTWARE", name="x", kind="dword", data=("0",)),
        o.RegistrySet(path="SOFTWARE\\x", name="x", kind="dword", data=("4294967296",)),
        o.RegistrySet(path="SOFTWARE\\x", name="x", kind="dword", data=("0", "0")),
        o.RegistrySet(path="SOFTWARE\\x", name="x", kind="binary", data=("?",)),
        o.RegistrySet(path="SOFTWARE\\x", name="x", kind="unknown", data=("",)),
        o.Services(names=("..\\RTCDATAMCU",)),
        o.Certificates(store="..\\My"),
        o.ChainCheck(certificate=b"no certificate", issuers=(), oid=pki.CLIENT_AUTH),
        o.Events(log="Lync Server", provider="x' or '1'='1", ids=(1,), seconds=60),
        o.Updates(kbs=("KB4014512", ".*")),
        o.LyncCommand(command="Get-CsTopology", modules=("/tmp/evil.psm1",)),
        o.LyncCommand(command=t.cast("o.LyncCommandName", "Set-CsCertificate"), modules=("Lync",)),
    )
    assert [reply.error.type if reply.error else reply for reply in replies] == ["invalid"] * len(replies)


def test_system(engine: Engine) -> None:
    before = datetime.now(timezone.utc)
    system = value(engine.run(o.System())[0], o.SystemReply)
    stamp = datetime.strptime(system.time_utc, "%Y-%m-%dT%H:%M:%S.%fZ").replace(tzinfo=timezone.utc)
    assert abs((stamp - before).total_seconds()) < 30
    assert system.computer_name
    assert int(system.powershell_version.split(".")[0]) >= 2
    assert -14 * 60 <= system.utc_offset_minutes <= 14 * 60


def test_files(engine: Engine, tmp_path: Path) -> None:
    odd = tmp_path / "会議 \U0001f512 'a' \"b\" 100%25 `x`\t$(exit 9)\n.txt"
    odd.write_bytes(bytes(range(256)))
    large = tmp_path / "large.bin"
    marker = "RequireCertificateEKUs".encode("utf-16-le")
    large.write_bytes(b"\xff" * 3_000_001 + marker + b"\0" * 1_000_000)
    huge = tmp_path / "huge.bin"
    with huge.open("wb") as stream:
        stream.truncate(64 * 1024 * 1024 + 1)
    missing = str(tmp_path / "no" / "such.file")
    started = time.monotonic()
    replies = engine.run(
        o.FileInfo(path=str(odd)),
        o.FileInfo(path=missing),
        o.FileInfo(path=str(tmp_path)),
        o.FileRead(path=str(odd)),
        o.FileRead(path=str(odd), limit=256),
        o.FileRead(path=str(odd), limit=255),
        o.FileRead(path=missing),
        o.FileRead(path=str(large), limit=4_000_000),
        o.FileSearch(path=str(large), patterns=(marker, b"DisableCertificateEKUs", b"\xff\xff" + marker[:3])),
        o.FileSearch(path=missing, patterns=(b"a", b"b")),
        o.FileSearch(path=str(huge), patterns=(b"a",)),
        o.FileInfo(path=""),
    )
    # A reply of more than 5 MB has to pass in seconds, not minutes.
    assert time.monotonic() - started < 20
    info = value(replies[0], o.FileInfoReply)
    assert (info.path, info.exists, info.size, info.version) == (str(odd), True, 256, None)
    written = datetime.fromtimestamp(odd.stat().st_mtime, timezone.utc)
    assert info.modified_utc == written.strftime("%Y-%m-%dT%H:%M:%S.") + f"{written.microsecond // 1000:03}Z"
    for reply in replies[1:3]:
        assert value(reply, o.FileInfoReply).exists is False
    whole = bytes(range(256))
    reads = [value(reply, o.FileReadReply) for reply in replies[3:7]]
    assert [(read.content, read.truncated) for read in reads] == [
        (whole, False),
        (whole, False),
        (whole[:255], True),
        (None, False),
    ]
    assert value(replies[7], o.FileReadReply).content == large.read_bytes()[:4_000_000]
    assert value(replies[8], o.FileSearchReply) == o.FileSearchReply(exists=True, found=(True, False, True))
    assert value(replies[9], o.FileSearchReply) == o.FileSearchReply(exists=False, found=(False, False))
    assert [reply.error and reply.error.type for reply in replies[10:]] == ["too_large", "invalid"]


@pytest.fixture
def probe(tmp_path: Path) -> Iterator[tuple[Path, int]]:
    """A running program with a name of its own."""
    program = tmp_path / "sfbprobe"
    shutil.copy(shutil.which("sleep") or "/bin/sleep", program)
    with subprocess.Popen([program, "60"]) as process:
        yield program, process.pid
        process.kill()


def test_processes(engine: Engine, probe: tuple[Path, int]) -> None:
    path, pid = probe
    (reply,) = engine.run(o.Processes(names=("nobody", "sfbprobe")))
    (process,) = value(reply, o.ProcessesReply).processes
    assert (process.name, process.pid, process.path) == ("sfbprobe", pid, str(path))
    assert process.started_utc is not None
    started = datetime.strptime(process.started_utc, "%Y-%m-%dT%H:%M:%S.%fZ").replace(tzinfo=timezone.utc)
    assert abs((datetime.now(timezone.utc) - started).total_seconds()) < 30


def test_chain_check(engine: Engine) -> None:
    root = pki.root_authority("Contoso Root")
    issuing = root.subordinate("Contoso Issuing CA")
    limited = root.subordinate("Contoso Server CA", eku=(pki.SERVER_AUTH,))
    both = (pki.SERVER_AUTH, pki.CLIENT_AUTH)
    cases = [
        (issuing.issue("fe01.contoso.com"), True),
        (issuing.issue("fe01.contoso.com", eku=both), False),
        (issuing.issue("fe01.contoso.com", eku=None), False),
        (issuing.issue("fe01.contoso.com", application_policies=both), False),
        (limited.issue("fe01.contoso.com", eku=both), True),
    ]
    checks = [o.ChainCheck(certificate=peer.der, issuers=tuple(peer.chain), oid=pki.CLIENT_AUTH) for peer, _ in cases]
    alone = o.ChainCheck(certificate=cases[0][0].der, issuers=(), oid=pki.SERVER_AUTH)
    *replies, last = (value(reply, o.ChainCheckReply) for reply in engine.run(*checks, alone))
    for (peer, wrong_usage), reply in zip(cases, replies, strict=True):
        assert ("NotValidForUsage" in reply.statuses) is wrong_usage
        assert "UntrustedRoot" in reply.statuses
        above = limited if peer is cases[4][0] else issuing
        assert reply.chain == (thumbprint(peer), thumbprint(above), thumbprint(root))
    assert last.chain == (thumbprint(cases[0][0]),)
    assert "PartialChain" in last.statuses
    assert "NotValidForUsage" not in last.statuses
