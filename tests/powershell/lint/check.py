# Copyright (c) 2026, the sfb.kb4023993 contributors
# GNU General Public License v3.0-or-later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The lint: everything that PowerShell 2.0 on .NET Framework 3.5 would not run as the engine of the tests does.

It judges the syntax tree of a PowerShell 7 engine. The rules are in syntax.py, powershell1.py, variables.py, commands.py and
members.py; the docstring of each lists them. No rule can be switched off for a line.
"""

from __future__ import annotations

from dataclasses import dataclass

from . import commands, members, powershell1, syntax, variables
from .tree import Problem, Script


@dataclass(frozen=True)
class Report:
    """What the lint found in a script, and how much it looked at."""

    problems: tuple[Problem, ...]
    nodes: int
    types: int
    commands: int
    members_with_type: int
    members_by_name: int


def check(script: Script, *, readable_by_powershell_1: bool = False) -> Report:
    counted_members, counted_commands = members.Counts(), commands.Counts()
    problems = [
        *syntax.check(script),
        *(powershell1.check(script) if readable_by_powershell_1 else ()),
        *variables.check(script),
        *commands.check(script, counted_commands),
        *members.check(script, counted_members),
    ]
    return Report(
        problems=tuple(sorted(set(problems), key=lambda problem: (problem.line, problem.rule, problem.message))),
        nodes=sum(1 for _ in script.root.walk()),
        types=counted_members.types,
        commands=counted_commands.commands,
        members_with_type=counted_members.known,
        members_by_name=counted_members.by_name,
    )
