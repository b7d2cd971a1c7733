# Copyright (c) 2026, the sfb.kb4023993 contributors
# GNU General Public License v3.0-or-later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The scripts for the servers hold nothing that PowerShell 2.0 or .NET Framework 3.5 lacks, and the lint that says so would notice."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
from powershell.lint.check import check
from powershell.lint.commands import CODE_OF_TEXT, COMMANDS, DYNAMIC
from powershell.lint.examples import EXAMPLES, Example
from powershell.lint.inference import command_name
from powershell.lint.tree import Script, parse
from powershell.runner import Engine

_HOST = Path(__file__).parents[2] / "plugins" / "plugin_utils" / "host"
# The largest script that is sent holds the others, as its end.
_BATCH, _BOOTSTRAP = "certificates.ps1 and changes.ps1 and batch.ps1", "bootstrap.ps1"
_FILES = ("bootstrap.ps1", "batch.ps1", "changes.ps1", "certificates.ps1")
# What examples refer to. A first and a last line, so that a line number that is off by some is noticed.
_BEFORE = "param($unknown, $flag, [string]$text, [string[]]$texts, [IO.Stream]$stream)\nfunction Get-It { 1 }\n"
_AFTER = "\n$last = 1\n"
_FIRST_LINE = 3

# All are put into one copy of the shipped script, each as a line of its own, at the start of the function "system": text, rules.
_FAULTS = {
    "$x = [Environment]::Is64BitProcess": "member",
    "$x = [ordered]@{ a = 1 }": "cast",
    "$x = @($clock).Where({ $_ })": "method",
    "$x = Get-Date": "command",
    "$x = $clock.Elapsed.TotalSeconds -in @(1)": "operator",
    "$clock.Restart()": "member",
    "$x = New-Object Collections.Generic.HashSet[string]": "type",
    "$x = $PSScriptRoot": "variable",
    "$x = & $operationNames[0]": "dynamic-code",
}


@dataclass(frozen=True)
class Parsed:
    """All scripts of this module, parsed in one start of the engine."""

    shipped: dict[str, Script]
    bad: dict[Example, Script]
    good: dict[Example, Script]
    changed: Script


def _text(name: str) -> str:
    return "".join((_HOST / part).read_text(encoding="utf-8") for part in name.split(" and "))


def _start_of_a_function(text: str) -> int:
    """How many lines stand before the first one in the function "system"."""
    return next(number for number, line in enumerate(text.splitlines(), 1) if line.startswith("function system"))


def _with_faults(text: str) -> str:
    lines = text.splitlines(keepends=True)
    start = _start_of_a_function(text)
    return "".join([*lines[:start], *(f"{fault}\n" for fault in _FAULTS), *lines[start:]])


@pytest.fixture(scope="module")
def parsed(engine: Engine) -> Parsed:
    names = (_BATCH, _BOOTSTRAP)
    texts = [
        *map(_text, names),
        *(_BEFORE + example.bad + _AFTER for example in EXAMPLES),
        *(_BEFORE + example.good + _AFTER for example in EXAMPLES),
        _with_faults(_text(_BATCH)),
    ]
    scripts = iter(parse(engine, texts))
    return Parsed(
        shipped=dict(zip(names, scripts, strict=False)),
        bad=dict(zip(EXAMPLES, scripts, strict=False)),
        good=dict(zip(EXAMPLES, scripts, strict=False)),
        changed=next(scripts),
    )


def _name(example: Example) -> str:
    return f"{example.rule}: {example.bad.splitlines()[0][:60]}"


@pytest.mark.parametrize("name", [_BATCH, _BOOTSTRAP])
def test_the_shipped_scripts_hold_nothing_newer_than_powershell_2(parsed: Parsed, name: str) -> None:
    report = check(parsed.shipped[name], readable_by_powershell_1=name == _BOOTSTRAP)
    assert [str(problem) for problem in report.problems] == []


@pytest.mark.parametrize("example", EXAMPLES, ids=_name)
def test_what_is_newer_is_reported_with_its_line(parsed: Parsed, example: Example) -> None:
    report = check(parsed.bad[example], readable_by_powershell_1=example.powershell_1)
    offset = next(number for number, line in enumerate(example.bad.splitlines()) if example.at in line)
    assert (example.rule, _FIRST_LINE + offset) in {(problem.rule, problem.line) for problem in report.problems}


@pytest.mark.parametrize("example", EXAMPLES, ids=_name)
def test_what_powershell_2_has_is_not_reported(parsed: Parsed, example: Example) -> None:
    report = check(parsed.good[example], readable_by_powershell_1=example.powershell_1)
    assert [str(problem) for problem in report.problems] == []


def test_faults_put_into_the_shipped_script_are_reported(parsed: Parsed) -> None:
    first = _start_of_a_function(_text(_BATCH)) + 1
    found = {(problem.line, problem.rule) for problem in check(parsed.changed).problems}
    assert set(enumerate(_FAULTS.values(), first)) <= found


def test_what_is_allowed_is_also_used(parsed: Parsed) -> None:
    """An entry that nothing needs any more would only be a hole."""
    texts = {node.text for script in parsed.shipped.values() for node in script.root.walk()}
    assert set(COMMANDS) <= {
        command_name(node) for script in parsed.shipped.values() for node in script.find("Command")
    }
    assert DYNAMIC.union(*CODE_OF_TEXT.values()) <= texts


def test_figures(engine: Engine, parsed: Parsed, record_property: Callable[[str, object], None]) -> None:
    lines = {
        name: script.code_lines()
        for name, script in zip(_FILES, parse(engine, [_text(name) for name in _FILES]), strict=True)
    }
    assert all(lines.values())
    assert sum(lines.values()) == sum(script.code_lines() for script in parsed.shipped.values())
    audit = lines["bootstrap.ps1"] + lines["batch.ps1"]
    override = audit + lines["changes.ps1"]
    record_property(
        "figure",
        f"{audit} lines of PowerShell code reach a server in an audit, {override} where something is changed (goal: at most 600), "
        f"{override + lines['certificates.ps1']} where certificates are replaced",
    )
    reports = [check(script) for script in parsed.shipped.values()]
    nodes, types, commands = (
        sum(getattr(report, name) for report in reports) for name in ("nodes", "types", "commands")
    )
    known, by_name = (
        sum(getattr(report, name) for report in reports) for name in ("members_with_type", "members_by_name")
    )
    # More than that by name only would be too weak a check of them.
    assert by_name < known / 4
    record_property(
        "figure",
        f"the PowerShell 2.0 lint looked at {nodes:,} nodes of their syntax trees: {commands} commands, {types} names of types, "
        f"{known + by_name} uses of members ({known} by the type of the object, {by_name} by name only)",
    )


def test_lines_of_code_are_neither_blank_nor_only_a_comment(engine: Engine) -> None:
    text = "# one\n\n$a = 1 # two\n<#\nthree\n#>\n$b = @'\n# four\n\n'@\n  # five\nif ($a) {\n}\n"
    assert parse(engine, [text])[0].code_lines() == len(["$a", "$b", "# four", "", "'@", "if", "}"])


def test_every_rule_has_an_example() -> None:
    folder = Path(__file__).parent / "lint"
    named = set(
        itertools.chain.from_iterable(
            line.split("``")[1::2][:1]
            for path in folder.glob("*.py")
            for line in path.read_text(encoding="utf-8").splitlines()
            if line.startswith("* ``")
        )
    )
    assert len(named) > 15
    assert named <= {example.rule for example in EXAMPLES}
