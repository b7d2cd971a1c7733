# Copyright (c) 2026, the sfb.kb4023993 contributors
# GNU General Public License v3.0-or-later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Every operation in a real PowerShell engine, as far as this system has what it reads."""

from __future__ import annotations

import dataclasses
import json
import random
import resource
import shutil
import subprocess
import textwrap
import time
import typing as t
from collections.abc import Callable, Iterator
from datetime import datetime, timezone
from pathlib import Path

import pytest
from ansible_collections.sfb.kb4023993.plugins.plugin_utils import codec
from ansible_collections.sfb.kb4023993.plugins.plugin_utils.host import certificate_operations as c
from ansible_collections.sfb.kb4023993.plugins.plugin_utils.host import operations as o
from cryptography.hazmat.primitives import hashes
from lab import pki
from powershell.runner import Engine, functions_text

R = t.TypeVar("R")
Record = Callable[[str, object], None]


def value(reply: t.Any, kind: type[R]) -> R:
    assert reply.error is None, reply.error
    assert isinstance(reply.value, kind)
    return reply.value


def thumbprint(issued: pki.Issued) -> str:
    return issued.certificate.fingerprint(hashes.SHA1()).hex().upper()


def test_every_operation_answers(engine: Engine) -> None:
    """What needs Windows gets as far as that: to classes that only work there, or to a registry that is not there."""
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
    errors = {reply.operation.NAME: reply.error for reply in replies if reply.error}
    no_registry = "You cannot call a method on a null-valued expression."
    assert {name for name, error in errors.items() if error.message == no_registry} == {
        *("registry_read", "registry_list", "registry_set", "registry_delete", "file_info", "updates")
    }
    assert {name for name, error in errors.items() if error.type == "unsupported"} == {
        *("services", "service_restart", "certificates", "events")
    }


def test_every_operation_of_workaround_1_answers(engine: Engine, tmp_path: Path) -> None:
    """What needs Windows or the product gets as far as that. What they do with it is tried in test_c*.py, with stand-ins."""
    certificate = pki.root_authority("Contoso Root").issue("fe01.contoso.com")
    modules, config = ("SkypeForBusiness", "Lync"), "ca01.contoso.com\\Contoso CA"
    lync: tuple[o.Operation, ...] = (
        c.LyncRequest(
            modules=modules, use="Default", friendly_name="x", names=("fe01",), key_size=2048, exportable=False
        ),
        c.LyncImport(modules=modules, certificate=certificate.der, exportable=False),
        c.LyncAssign(modules=modules, uses=("Default",), thumbprint=thumbprint(certificate)),
        c.LyncServices(modules=modules, action="stop"),
        c.LyncFailover(modules=modules, action="failback", computer="fe01"),
        c.LyncGate(modules=modules),
    )
    other: dict[o.Operation, str] = {
        c.CertreqNew(inf=""): "not_found",
        c.PfxExport(thumbprint="0" * 40, password=""): "unsupported",
        c.PfxImport(pfx=b"", password="", exportable=False, friendly_name=""): "failed",
        c.StoreAdd(store="CA", certificate=certificate.der): "unsupported",
    }
    asked = (
        c.CaSubmit(config=config, attributes="", csr=""),
        c.CaRetrieve(config=config, request_id=1),
        c.CaChain(config=config),
    )
    assert {type(operation) for operation in (*lync, *other, *asked)} == set(c.CERTIFICATE_OPERATIONS)
    alone = Engine(engine.program, {"PATH": str(tmp_path), "PSModulePath": str(tmp_path)})
    replies = alone.run(*lync, *other, *asked)
    assert [reply.error for reply in replies[: len(lync)]] == [None] * len(lync)
    assert [reply.value.module for reply in replies[: len(lync)]] == [None] * len(lync)
    assert [reply.error and reply.error.type for reply in replies[len(lync) : -len(asked)]] == list(other.values())
    messages = [reply.error.message if reply.error else "" for reply in replies[-len(asked) :]]
    assert all("CertificateAuthority" in message or "ComObject" in message for message in messages), messages


def test_parameters_are_the_fields_of_the_operations(engine: Engine) -> None:
    """A field that a function does not know would be dropped without a word."""
    operations = (*o.OPERATIONS, *c.CERTIFICATE_OPERATIONS)
    names = ", ".join(f"'{operation.NAME}'" for operation in operations)
    tail = f"""
    $found = @{{}}
    foreach ($name in {names}) {{
        $found[$name] = @{{}}
        foreach ($parameter in (Get-Command $name).Parameters.Values) {{
            $label = @(@($parameter.Aliases) + $parameter.Name)[0]
            $found[$name][$label] = $parameter.ParameterType.Name
        }}
    }}
    ConvertTo-JsonText $found
    """
    words = {str: "String", int: "Int32", bool: "Int32", bytes: "String"}

    def type_name(hint: t.Any) -> str:
        if t.get_origin(hint) is tuple:
            return type_name(t.get_args(hint)[0]) + "[]"
        return words[str if t.get_origin(hint) is t.Literal else hint]

    expected = {}
    for operation in operations:
        hints = t.get_type_hints(operation)
        expected[operation.NAME] = {field.name: type_name(hints[field.name]) for field in dataclasses.fields(operation)}
    assert json.loads(engine.text(functions_text() + textwrap.dedent(tail))) == expected


def test_what_an_operation_may_not_be_asked(engine: Engine) -> None:
    replies = engine.run(
        o.RegistryRead(path="SECURITY\\Policy", name=""),
        o.RegistrySet(path="SOFTWARE", name="x", kind="dword", data=("0",)),
        o.RegistrySet(path="SOFTWARE\\x", name="x", kind="dword", data=("4294967296",)),
        o.RegistrySet(path="SOFTWARE\\x", name="x", kind="dword", data=("0", "0")),
        o.RegistrySet(path="SOFTWARE\\x", name="x", kind="binary", data=("?",)),
        o.RegistrySet(path="SOFTWARE\\x", name="x", kind="unknown", data=("",)),
        o.Certificates(store="..\\My"),
        o.Certificates(store=""),
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


def test_bytes_are_found_wherever_they_are(cultural: Engine, tmp_path: Path) -> None:
    """As Python finds them: at both ends, overlapping, across every power of two, and never by what a language thinks of text."""
    filler = bytes(index * 7 % 251 for index in range(70_000))
    mark = b"\xad\x00\x80\x9f~mark"
    files = {
        "empty": b"",
        "short": b"aab",
        "overlapping": b"aaabaaab\x00\x00",
        "foreign": b"a\xadb co-op \xdf ss I i \xfd",
        **{f"at{edge}": filler[: edge - 4] + mark + filler for edge in (256, 4096, 8192, 16384, 32768, 65536)},
        "end": filler + mark,
        "cut": filler + mark[:-1],
    }
    patterns = (
        b"aab",
        b"aabaaab\x00",
        b"aaaa",
        b"ab",
        b"coop",
        b"\xde",
        b"\xdf",
        b"ss",
        b"i",
        b"I i",
        mark,
        mark[:-1],
        b"x" * 80_000,
        b"\x00",
    )
    for name, content in files.items():
        (tmp_path / name).write_bytes(content)
    replies = cultural.run(*(o.FileSearch(path=str(tmp_path / name), patterns=patterns) for name in files))
    for reply, content in zip(replies, files.values(), strict=True):
        expected = tuple(pattern in content for pattern in patterns)
        assert value(reply, o.FileSearchReply) == o.FileSearchReply(exists=True, found=expected)


def test_the_largest_file_that_is_searched(engine: Engine, tmp_path: Path, record_property: Record) -> None:
    largest = tmp_path / "largest.bin"
    block = random.Random(1).randbytes(1 << 20)
    content = block * 64
    largest.write_bytes(content[:-10] + b"at the end")
    (reply,) = engine.run(
        o.FileSearch(path=str(largest), patterns=(b"at the end", b"at the end.", "at".encode("utf-16-le") * 9))
    )
    assert value(reply, o.FileSearchReply).found == (True, False, False)
    assert reply.ms < 20_000
    record_property(
        "figure", f"Three patterns were searched in a file of 64 MB in {reply.ms} ms (PowerShell engine on Linux)."
    )


def test_a_reply_that_is_too_large_takes_no_other_with_it(engine: Engine, tmp_path: Path) -> None:
    """10 MB of JSON a batch, so 7.8 MB of bytes; what still has room after a refused reply is given."""
    file = tmp_path / "file.bin"
    file.write_bytes(b"\xff" * 9_000_000)
    read = [o.FileRead(path=str(file), limit=limit) for limit in (7_700_000, 9_000_000, 100_000, 100_000, 1_000)]
    started = time.monotonic()
    replies = engine.run(*read)
    assert [reply.error and reply.error.type for reply in replies] == [None, "too_large", None, "too_large", None]
    assert value(replies[0], o.FileReadReply).content == b"\xff" * 7_700_000
    assert time.monotonic() - started < 30
    # kB; no process of these tests came near what an old server cannot give.
    assert resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss < 800_000


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


_EVENT_LOG = """
class Property { $Value; Property($value) { $this.Value = $value } }
class Record {
    [object[]]$Properties; [long]$RecordId; [DateTime]$TimeCreated
    Record([int]$number, $values) {
        $this.RecordId = $number
        $this.TimeCreated = [DateTime]::new(2026, 1, 31, 23, 59, 59, $number, [DateTimeKind]::Utc)
        $this.Properties = @(foreach ($value in $values) { [Property]::new($value) })
    }
}
class Query { [string]$Text; [bool]$ReverseDirection }
class Reader {
    [Collections.Queue]$Left
    [object] ReadEvent([TimeSpan]$wait) { if ($this.Left.Count) { return $this.Left.Dequeue() } else { return $null } }
    [void] Dispose() { }
}
$asked = [Collections.ArrayList]::new()
function New-Object($type, $arguments) {
    if ($type -like '*EventLogQuery') { return [Query]@{ Text = $arguments -join ' | ' } }
    [void]$asked.Add("$($arguments.Text) newest first: $($arguments.ReverseDirection)")
    $id = [int]($arguments.Text -replace '.*EventID=([0-9]+).*', '$1')
    $left = [Collections.Queue]::new()
    foreach ($number in 1..$id) { $left.Enqueue([Record]::new($number, @(('x' * 501), 'fe01', 8057, $null) + @('y') * 30)) }
    return [Reader]@{ Left = $left }
}
$fields = @{ log = 'Lync Server'; provider = 'LS Data MCU'; ids = @('2', '3', '4'); seconds = '604800'; limit = '3' }
ConvertTo-JsonText @{ reply = (events @fields); asked = $asked }
"""


def test_events_of_a_log_that_is_played(engine: Engine) -> None:
    """No engine of these tests has an event log, so its classes are played: what is asked for, bounds, and what becomes a text."""
    script = functions_text().replace("[Diagnostics.EventLog]::Exists($log)", "$true")
    assert script != functions_text()
    answer = json.loads(engine.text(script + _EVENT_LOG))
    reply = codec.decode(o.EventsReply, answer["reply"])
    assert reply.truncated_ids == (4,)
    assert [(event.id, event.record_id) for event in reply.events] == [
        (2, 1),
        (2, 2),
        *((i, n) for i in (3, 4) for n in (1, 2, 3)),
    ]
    assert reply.events[0].time_utc == "2026-01-31T23:59:59.001Z"
    assert reply.events[0].strings == ("x" * 500, "fe01", "8057", "", *("y",) * 16)
    condition = "TimeCreated[timediff(@SystemTime) <= 604800000]"
    assert answer["asked"] == [
        f"Lync Server | LogName | *[System[Provider[@Name='LS Data MCU'] and (EventID={number}) and {condition}]] newest first: True"
        for number in (2, 3, 4)
    ]


_LARGE_LOG = """
class Record {
    [object[]]$Properties = @(); [long]$RecordId; [DateTime]$TimeCreated = [DateTime]::UtcNow
    Record([long]$number) { $this.RecordId = $number }
}
class Reader {
    static [int]$Read = 0; static [int]$Disposed = 0
    [long]$Left = 100000
    [object] ReadEvent([TimeSpan]$wait) { [Reader]::Read++; return [Record]::new($this.Left--) }
    [void] Dispose() { [Reader]::Disposed++ }
}
function New-Object($type, $arguments) { if ($type -like '*EventLogQuery') { return @{} } else { return [Reader]::new() } }
$fields = @{ log = 'Lync Server'; provider = 'LS Data MCU'; ids = @('1', '2'); seconds = '604800'; limit = '100' }
$reply = events @fields
ConvertTo-JsonText @{ events = $reply.events.Count; truncated = $reply.truncated_ids; read = [Reader]::Read; disposed = [Reader]::Disposed }
"""


def test_a_log_of_a_hundred_thousand_events_costs_as_many_as_are_asked_for(engine: Engine) -> None:
    script = functions_text().replace("[Diagnostics.EventLog]::Exists($log)", "$true")
    answer = json.loads(engine.text(script + _LARGE_LOG))
    # One more for each id, which tells that there are more.
    assert answer == {"events": 200, "truncated": [1, 2], "read": 202, "disposed": 2}
