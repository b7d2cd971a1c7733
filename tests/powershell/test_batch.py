# Copyright (c) 2026, the sfb.kb4023993 contributors
# GNU General Public License v3.0-or-later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How a batch starts, travels and ends: bootstrap, data, reply, refusals."""

from __future__ import annotations

import base64
import itertools
import json
import textwrap
import time
import typing as t

import pytest
from ansible_collections.sfb.kb4023993.plugins.plugin_utils.host import operations, wire
from ansible_collections.sfb.kb4023993.plugins.plugin_utils.host.certificate_operations import CERTIFICATE_OPERATIONS
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from powershell.runner import (
    NONCE,
    Engine,
    Printed,
    batch_text,
    bootstrap_text,
    changing_text,
    functions_text,
    pack,
    reading_text,
)

SYSTEM = operations.System()
_LAST_PART = "# ---- the batch ---"


def refused(word: str) -> Printed:
    return Printed(stdout=f"[[sfb.kb4023993!{word}]]\n", stderr="", exit_code=3)


def data(*lines: str) -> str:
    return "\n".join((f"batch\t1\t{NONCE}\t50\t0", *lines, ""))


def test_texts_fit_the_ways_to_a_server(record_property: t.Callable[[str, object], None]) -> None:
    assert batch_text().isascii()
    assert bootstrap_text().isascii()
    # cmd.exe bears 8,191 characters, which is about 3,000 of a script in base64 of UTF-16.
    assert len(bootstrap_text()) < 2500
    # One envelope of WinRM 2.0 holds 150 kB; beside the script has to be room for the data, the largest of which is a PFX.
    sizes = [len(pack(text)) for text in (reading_text(), changing_text(), batch_text())]
    assert sizes == sorted(sizes)
    assert sizes[1] < 24_000
    assert sizes[2] < 30_000
    record_property(
        "figure",
        f"The scripts have {sizes[0]:,}, {sizes[1]:,} and {sizes[2]:,} bytes as they are sent (a batch has room for 110,000).",
    )


@pytest.mark.parametrize(("width", "end"), [(None, ""), (None, "\n\n"), (76, "\r\n"), (7, "\n")])
def test_standard_input_may_be_wrapped(engine: Engine, width: int | None, end: str) -> None:
    text = pack(batch_text(), wire.encode_batch([SYSTEM], nonce=NONCE, deadline_seconds=50)).decode("ascii").strip()
    step = width or len(text)
    payload = "".join(text[start : start + step] + end for start in range(0, len(text), step)).encode("ascii")
    printed = engine.execute(payload)
    assert (printed.stderr, printed.exit_code) == ("", 0)
    (reply,), failure = wire.decode_reply(printed.stdout, [SYSTEM], nonce=NONCE)
    assert failure is None
    assert reply.value.powershell_version


@pytest.mark.parametrize(
    "stdin",
    [
        b"",
        b"not base64!",
        pack(batch_text()),
        pack(batch_text(), data(), ""),
        pack(batch_text(), data())[:5000],
        base64.b64encode(b"not gzip") + b"." + base64.b64encode(b"neither"),
        pack(batch_text(), ""),
        pack(batch_text(), f"batch\t2\t{NONCE}\t50\t0\n"),
        pack(batch_text(), "batch\t1\t[[evil]]\t50\t0\n"),
        pack(batch_text(), f"batch\t1\t{NONCE}\t50\n"),
    ],
)
def test_what_cannot_be_read_is_bad_data(engine: Engine, stdin: bytes) -> None:
    assert engine.execute(stdin) == refused("bad_data")


@pytest.mark.parametrize("script", ["param($data) throw 'anything'", "param($data) if ("])
def test_a_script_that_fails_prints_a_mark(engine: Engine, script: str) -> None:
    assert engine.execute(pack(script, data())) == refused("failed")


def test_constrained_language_is_refused(engine: Engine) -> None:
    limit = "$ExecutionContext.SessionState.LanguageMode = 'ConstrainedLanguage'\n"
    printed = engine.execute(pack(batch_text(), data()), command=limit + bootstrap_text())
    assert printed == refused("constrained_language")


def test_powershell_1_is_refused(engine: Engine) -> None:
    # PowerShell 1.0 differs in that it has no such variable.
    command = bootstrap_text().replace("$PSVersionTable", "$TableOfNoVersion")
    assert engine.execute(pack(batch_text(), data()), command=command) == refused("powershell_too_old")


@pytest.mark.parametrize(
    "lines", [("path\tSOFTWARE",), ("op",), ("op\tsystem", "path"), ("op\tsystem", "path\ta\tb"), ("op\tsystem\t",)]
)
def test_lines_that_are_no_operations_fail_the_batch(engine: Engine, lines: tuple[str, ...]) -> None:
    printed = engine.execute(pack(batch_text(), data(*lines)))
    assert (printed.stderr, printed.exit_code) == ("", 0)
    replies, failure = wire.decode_reply(printed.stdout, (), nonce=NONCE)
    assert replies == ()
    assert failure is not None
    assert failure.type == "bad_data"


def test_one_failing_operation_hides_no_other(engine: Engine) -> None:
    lines = ("op\tsystem", "op\tno_such_operation", "op\tGet-Text", "op\tSYSTEM", "op\tfile_info", "op\tsystem")
    batch = [SYSTEM] * 6
    printed = engine.execute(pack(batch_text(), data(*lines)))
    replies, failure = wire.decode_reply(printed.stdout, batch, nonce=NONCE)
    assert failure is None
    assert [reply.error.type if reply.error else "" for reply in replies] == ["", *["invalid"] * 4, ""]


@pytest.mark.parametrize("text", ["audit", "override"])
def test_what_is_sent_has_no_operations_but_those_that_it_is_sent_for(engine: Engine, text: str) -> None:
    """An audit cannot change anything, and nothing but workaround 1 can touch a key, a certificate or all services."""
    changing = [operation.NAME for operation in operations.OPERATIONS if operation.CHANGES]
    foreign = [operation.NAME for operation in CERTIFICATE_OPERATIONS]
    assert (len(changing), len(foreign)) == (3, 13)
    script = changing_text()
    if text == "audit":
        script, foreign = reading_text(), changing + foreign
    lines = ("op\tsystem", *(f"op\t{name}" for name in foreign))
    printed = engine.execute(pack(script, data(*lines)))
    replies, failure = wire.decode_reply(printed.stdout, [SYSTEM] * len(lines), nonce=NONCE)
    assert failure is None
    errors = [reply.error.message if reply.error else "" for reply in replies]
    assert errors == ["", *["there is no such operation"] * len(foreign)]


def test_the_reading_script_calls_no_command_that_changes_anything(engine: Engine) -> None:
    """Whatever its functions were told: which commands may be called stands in the script that holds their operation."""
    tail = """
    foreach ($command in 'Set-CsCertificate', 'Stop-CsWindowsService', 'Remove-CsCertificate', 'Get-Command') {
        try { Invoke-LyncCommand @('Lync') @($command) @{} 5 } catch { (Get-Failure $_)['message'].Replace(' ', '_') }
    }
    """
    for script in (reading_text(), changing_text()):
        answer = engine.text(script.partition(_LAST_PART)[0] + textwrap.dedent(tail))
        assert answer == "this_command_is_not_allowed" * 4


def test_nothing_starts_after_the_deadline(engine: Engine) -> None:
    replies = engine.run(SYSTEM, SYSTEM, deadline_seconds=0)
    assert [reply.error.type for reply in replies if reply.error] == ["deadline", "deadline"]


def test_stop_on_error_skips_what_comes_after(engine: Engine) -> None:
    bad = operations.FileRead(path="")
    replies = engine.run(SYSTEM, bad, SYSTEM, SYSTEM, stop_on_error=True)
    assert [reply.error.type if reply.error else "" for reply in replies] == ["", "invalid", "skipped", "skipped"]


def with_operations(**bodies: str) -> str:
    """The script with other bodies in place of some operations."""
    made = "".join(f"function {name} {{\n{body}\n}}\n" for name, body in bodies.items())
    return batch_text().replace(_LAST_PART, f"{made}{_LAST_PART}", 1)


def ask(
    engine: Engine, script: str, *names: str, deadline_seconds: int = 50, stop_on_error: bool = False
) -> list[t.Any]:
    """The bare replies of operations without fields."""
    header = wire.encode_batch((), nonce=NONCE, deadline_seconds=deadline_seconds, stop_on_error=stop_on_error)
    printed = engine.text(script, header + "".join(f"op\t{name}\n" for name in names))
    begin, end = wire.markers(NONCE)
    assert printed.startswith(begin)
    assert printed.endswith(end)
    document = json.loads(printed[len(begin) : -len(end)])
    assert document["failure"] is None
    return t.cast("list[t.Any]", document["replies"])


def test_every_end_of_an_operation_is_a_reply(engine: Engine) -> None:
    wrapped = "(New-Object UnauthorizedAccessException ('Zugriff verweigert: ' + [char]228))"
    wrapped = f"New-Object Exception('middle', {wrapped})"
    bodies = {
        "system": "throw 'thrown'",
        "registry_read": f"throw (New-Object Exception('outer', ({wrapped})))",
        "registry_list": "[IO.File]::OpenRead('/no/such/folder/file')",
        "registry_set": "[No.Such.Class]::Method()",
        "registry_delete": "Get-NoSuchCommand",
        "file_info": "Import-Module NoSuchModule",
        "file_read": "throw ('long ' * 100000)",
        "file_search": "$nothing.Method()",
        "services": "'noise'; $null = 1; @{ last = $true }",
        "processes": "return",
        "certificates": "[ComponentModel.Win32Exception]$missing = 1060; throw $missing",
        "chain_check": "throw (New-Object ComponentModel.Win32Exception 1058)",
        "tls_peer": "[Enum]::Parse([DayOfWeek], 'Caturday')",
        "events": "[Convert]::FromBase64String('?')",
        "updates": "[int]'many'",
        "lync_command": "throw (New-Object NotSupportedException 'not here')",
    }
    replies = ask(engine, with_operations(**bodies), *bodies, "system")
    expected = {
        "system": "failed",
        "registry_read": "denied",
        "registry_list": "not_found",
        "registry_set": "unsupported",
        "registry_delete": "failed",
        "file_info": "not_found",
        "file_read": "failed",
        "file_search": "failed",
        "services": "",
        "processes": "failed",
        "certificates": "not_found",
        "chain_check": "disabled",
        "tls_peer": "invalid",
        "events": "invalid",
        "updates": "invalid",
        "lync_command": "unsupported",
    }
    found = {name: reply.get("error", {}).get("type", "") for name, reply in zip(bodies, replies[:-1], strict=True)}
    assert found == expected
    answers = dict(zip(bodies, replies[:-1], strict=True))
    assert answers["system"]["error"]["message"] == "thrown"
    assert answers["registry_read"]["error"]["message"] == "Zugriff verweigert: ä"
    assert answers["file_read"]["error"]["message"] == ("long " * 60)
    assert answers["services"]["value"] == {"last": True}
    assert replies[-1]["error"]["type"] == "failed"


def test_the_deadline_is_looked_at_before_every_operation(engine: Engine) -> None:
    script = with_operations(updates="[Threading.Thread]::Sleep(1500); @{ done = $true }", events="@{ done = $true }")
    replies = ask(engine, script, "events", "updates", "events", "events", deadline_seconds=1)
    assert [reply.get("error", {}).get("type", "") for reply in replies] == ["", "", "deadline", "deadline"]
    assert replies[1]["ms"] >= 1500


def test_a_refusal_stops_what_comes_after_only_when_asked(engine: Engine) -> None:
    script = with_operations(registry_set="@{ refused = $true }", events="@{ refused = $false }")
    names = ("events", "registry_set", "events")
    for stop, last in ((True, "skipped"), (False, "")):
        replies = ask(engine, script, *names, stop_on_error=stop)
        assert [reply.get("error", {}).get("type", "") for reply in replies] == ["", "", last]


def test_start_and_run_time(engine: Engine, record_property: t.Callable[[str, object], None]) -> None:
    payload = pack(reading_text(), wire.encode_batch([SYSTEM], nonce=NONCE, deadline_seconds=50))
    times: dict[str, list[float]] = {"alone": [], "batch": []}
    for _ in range(2):
        for name, command in (("alone", "exit 0"), ("batch", bootstrap_text())):
            started = time.monotonic()
            assert engine.execute(payload, command=command).exit_code == 0
            times[name].append(time.monotonic() - started)
    alone, batch = min(times["alone"]), min(times["batch"])
    assert batch < 10
    record_property(
        "figure",
        f"The PowerShell engine starts in {alone * 1000:.0f} ms, with bootstrap and a batch of one operation in {batch * 1000:.0f} ms.",
    )


# Every UTF-16 unit, also halves of surrogate pairs, with what the wire and JSON treat apart more often.
_TEXT = st.text(
    st.one_of(
        st.sampled_from("\\\t\r\n\0%\"'`$(){}[]/ u\u2019\u2028\ufeff\U0001f512\ud83d\udd12"),
        st.characters(exclude_categories=()),
    )
)


# Without shrinking, which would start the engine hundreds of times: the first failure is readable enough.
@settings(
    max_examples=6,
    deadline=None,
    derandomize=True,
    database=None,
    phases=(Phase.explicit, Phase.generate),
    suppress_health_check=list(HealthCheck),
)
@given(texts=st.lists(st.lists(_TEXT, max_size=6), min_size=60, max_size=120))
def test_any_text_comes_back_as_it_went(engine: Engine, texts: list[list[str]]) -> None:
    """Through our writer and the script's reader, then through the script's JSON; a list of none, one or many of them."""
    batch = [operations.Services(names=tuple(names)) for names in texts]
    sent = wire.encode_batch(batch, nonce=NONCE, deadline_seconds=50).partition("\n")[2]
    tail = """
    $text = ConvertTo-JsonText @(Read-Operations $data.Split([char]10))
    for ($start = 0; $start -lt $text.Length; $start += 4000) { $text.Substring($start, [Math]::Min(4000, $text.Length - $start)) }
    """
    printed = engine.text(functions_text() + textwrap.dedent(tail), sent)
    assert set(printed) <= set(map(chr, range(0x21, 0x7F)))
    for read, names in itertools.zip_longest(json.loads(printed), texts):
        assert read["name"] == "services"
        found = read["fields"].get("names", [])
        assert list(map(_units, [found] if isinstance(found, str) else found)) == list(map(_units, names))


_CULTURES = ("de-DE", "ar-SA", "th-TH", "tr-TR", "fa-IR", "ja-JP")
_IN_A_CULTURE = r"""
foreach ($name in @('') + $data.Split(',')) {
    [Threading.Thread]::CurrentThread.CurrentCulture = [Globalization.CultureInfo]::GetCultureInfo($name)
    $other = Test-SameValue @{ kind = 'string'; data = 'I' } 'string' @('i')
    $read = @(Read-Operations @("op`tfile_info", "path`tC:\\INDIGO\\ini.x"))
    ConvertTo-JsonText @{
        time = (Format-Time ([DateTime]::new(2026, 1, 31, 23, 59, 59, 7, [DateTimeKind]::Utc)))
        numbers = @(-1234567, [uint64]::MaxValue, [long]::MinValue, 0)
        words = @(foreach ($word in 'StartPending', 'Binary', 'MultiString', 'QWord', 'IIII') { Format-Word $word })
        key = (Get-KeyPath 'software\Microsoft\Internet' '32')
        same = @((Test-SameValue @{ kind = 'dword'; data = [uint32]4294967295 } 'DWORD' @('4294967295')), $other)
        dword = (ConvertTo-RegistryData 'dword' @('4294967295'))
        read = $read
        odd = "I$([char]0x130)$([char]0x131)"
        failure = (Get-Failure @{ Exception = (New-Object IO.FileNotFoundException 'IDIOM') })
    }
}
"""


def test_languages_change_nothing(cultural: Engine) -> None:
    """Calendars, digits and the Turkish i: the same JSON under every culture that servers have."""
    script = functions_text() + _IN_A_CULTURE
    printed = cultural.execute(pack(script, ",".join(_CULTURES)))
    assert (printed.stderr, printed.exit_code) == ("", 0)
    plain, *others = printed.stdout.split()
    assert len(others) == len(_CULTURES)
    assert set(others) == {plain}
    found = json.loads(plain)
    assert found["time"] == "2026-01-31T23:59:59.007Z"
    assert found["numbers"] == [-1234567, 2**64 - 1, -(2**63), 0]
    assert found["words"] == ["start_pending", "binary", "multi_string", "qword", "iiii"]
    assert found["same"] == [True, False]
    assert found["dword"] == -1
    assert found["failure"] == {"type": "not_found", "message": "IDIOM"}
    assert found["read"][0]["fields"] == {"path": "C:\\INDIGO\\ini.x"}


@pytest.mark.parametrize(("variable", "culture"), [("tr_TR.UTF-8", "tr-TR"), ("ar_SA.UTF-8", "ar-SA")])
def test_a_batch_on_a_server_of_another_language(cultural: Engine, variable: str, culture: str) -> None:
    there = Engine(cultural.program, {**cultural.variables, "LC_ALL": variable, "LANG": variable})
    missing = operations.FileRead(path="/no/such/file")
    system, read, bad, info = there.run(
        SYSTEM, missing, operations.FileRead(path=""), operations.FileInfo(path="/etc/passwd")
    )
    assert system.value.culture == culture
    assert system.value.time_utc.startswith("20")
    assert read.value.exists is False
    assert bad.error is not None
    assert bad.error.type == "invalid"
    assert info.value.modified_utc.startswith("20")


def test_values_arrive_whole(engine: Engine) -> None:
    """The JSON writer alone, with what no operation gives on this system."""
    texts = {
        "control": "".join(map(chr, range(0x20))) + "\x7f\x85\u2028",
        "quotes": "\"'`\u2018\u2019\u201c $(exit 9) \\ %25 {0} \\u0041",
        "japanese": "会議サーバー エラー",
        "astral": "a\U0001f512b",
        "lone": "\ud83d \udd12 \udc00\ud800",
        "clean": "x" * 100_000,
        "mixed": "<a b='ü'/>\r\n" * 5_000,
    }
    literals = "; ".join(
        f"'{name}' = -join [char[]]@({','.join(str(unit) for unit in _units(text))})"
        for name, text in texts.items()
        if len(text) < 1000
    )
    tail = f"""
    $value = @{{ {literals} }}
    $value['clean'] = 'x' * 100000
    $value['mixed'] = ("<a b='" + [char]0xFC + "'/>`r`n") * 5000
    $deep = 1
    for ($level = 0; $level -lt 60; $level++) {{ $deep = @{{ Keys = , $deep }} }}
    $value['deep'] = $deep
    $value['lists'] = @(@(), @(, @()), @('one'), (New-Object Collections.ArrayList), @{{}}, @($null))
    $value['numbers'] = @(0, -1, [uint32]::MaxValue, [long]::MinValue, [uint64]::MaxValue)
    $value['bools'] = @($true, $false, $null)
    $value['bytes'] = @((New-Object byte[] 0), (, [byte]255 -as [byte[]]))
    $text = ConvertTo-JsonText $value
    for ($start = 0; $start -lt $text.Length; $start += 4000) {{
        $text.Substring($start, [Math]::Min(4000, $text.Length - $start))
    }}
    """
    printed = engine.execute(pack(functions_text() + textwrap.dedent(tail), ""))
    assert (printed.stderr, printed.exit_code) == ("", 0)
    document = printed.stdout.replace("\n", "")
    assert not set(document) - set(map(chr, range(0x21, 0x7F)))
    value = json.loads(document)
    for name, text in texts.items():
        assert value[name] == text, name
    deep = value["deep"]
    for _ in range(60):
        (deep,) = deep["Keys"]
    assert deep == 1
    assert value["lists"] == [[], [[]], ["one"], [], {}, [None]]
    assert value["numbers"] == [0, -1, 2**32 - 1, -(2**63), 2**64 - 1]
    assert value["bools"] == [True, False, None]
    assert value["bytes"] == ["", "/w=="]


def _units(text: str) -> list[int]:
    raw = text.encode("utf-16-le", "surrogatepass")
    return [int.from_bytes(raw[at : at + 2], "little") for at in range(0, len(raw), 2)]
