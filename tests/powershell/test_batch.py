# Copyright (c) 2026, the sfb.kb4023993 contributors
# GNU General Public License v3.0-or-later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How a batch starts, travels and ends: bootstrap, data, reply, refusals."""

from __future__ import annotations

import base64
import gzip
import json
import textwrap

import pytest
from ansible_collections.sfb.kb4023993.plugins.plugin_utils.host import operations, wire
from powershell.runner import NONCE, Engine, Printed, batch_text, bootstrap_text, functions_text, pack

SYSTEM = operations.System()


def refused(word: str) -> Printed:
    return Printed(stdout=f"[[sfb.kb4023993!{word}]]\n", stderr="", exit_code=3)


def data(*lines: str) -> str:
    return "\n".join((f"batch\t1\t{NONCE}\t50\t0", *lines, ""))


def test_texts_fit_the_ways_to_a_server() -> None:
    assert batch_text().isascii()
    assert bootstrap_text().isascii()
    # cmd.exe bears 8,191 characters, which is about 3,000 of a script in base64 of UTF-16.
    assert len(bootstrap_text()) < 2500
    # One envelope of WinRM 2.0 holds 150 kB, and the data has to fit beside the script.
    assert len(base64.b64encode(gzip.compress(batch_text().encode()))) < 24_000


@pytest.mark.parametrize("width", [None, 76, 7])
def test_standard_input_may_be_wrapped(engine: Engine, width: int | None) -> None:
    payload = pack(batch_text(), wire.encode_batch([SYSTEM], nonce=NONCE, deadline_seconds=50))
    if width:
        text = payload.decode("ascii").strip()
        payload = "\r\n".join(text[start : start + width] for start in range(0, len(text), width)).encode("ascii")
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


def test_nothing_starts_after_the_deadline(engine: Engine) -> None:
    replies = engine.run(SYSTEM, SYSTEM, deadline_seconds=0)
    assert [reply.error.type for reply in replies if reply.error] == ["deadline", "deadline"]


def test_stop_on_error_skips_what_comes_after(engine: Engine) -> None:
    bad = operations.FileRead(path="")
    replies = engine.run(SYSTEM, bad, SYSTEM, SYSTEM, stop_on_error=True)
    assert [reply.error.type if reply.error else "" for reply in replies] == ["", "invalid", "skipped", "skipped"]


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
