# Copyright (c) 2026, the sfb.kb4023993 contributors
# GNU General Public License v3.0-or-later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The product's PowerShell module for tests: stand-ins of its commands with exactly the parameters that their reference documents.

A parameter that a version does not have, a missing mandatory one, a wrong type and two sets at once end a call as they would there. All
commands that change something ask for confirmation unless they are told not to, and nobody is there to answer.
"""

from __future__ import annotations

import base64
import functools
import itertools
import typing as t
from dataclasses import dataclass
from pathlib import Path

_HERE = Path(__file__).parent / "product"
MODULES: t.Final = {"2010": "Lync", "2013": "Lync", "2015": "SkypeForBusiness", "2019": "SkypeForBusiness"}
_BODIES: t.Final = {
    "Request-CsCertificate": "Make-Request $PSBoundParameters",
    "Import-CsCertificate": "Take-Certificate $PSBoundParameters",
    "Get-CsPoolUpgradeReadinessState": "Get-Pool",
    "Get-CsUpgradeDomainInfo": "Get-Pool",
}


@dataclass(frozen=True)
class Parameter:
    """One row of cmdlets.tsv."""

    command: str
    name: str
    type: str
    sets: tuple[str, ...]
    mandatory: bool
    aliases: tuple[str, ...]
    versions: tuple[str, ...]


Given = tuple[str, tuple[str, ...]]
"""What a parameter was given: the name of the type, and the texts of the items."""


@dataclass(frozen=True)
class Call:
    """A call as a stand-in saw it."""

    command: str
    parameters: dict[str, Given]


@functools.cache
def documented() -> tuple[Parameter, ...]:
    rows = (_HERE / "cmdlets.tsv").read_text(encoding="utf-8").splitlines()
    return tuple(_parameter(row.split("\t")) for row in rows if not row.startswith("#"))


def _parameter(row: list[str]) -> Parameter:
    command, name, kind, sets, mandatory, aliases, versions = row
    return Parameter(
        command=command,
        name="" if name == "-" else name,
        type=kind,
        sets=() if sets == "*" else tuple(sets.split()),
        mandatory=mandatory == "yes",
        aliases=() if aliases == "-" else tuple(aliases.split()),
        versions=tuple(versions.split()),
    )


def commands(version: str) -> tuple[str, ...]:
    """The commands that this version has."""
    return tuple(row.command for row in documented() if not row.name and version in row.versions)


def module_text(version: str) -> str:
    """The commands of a version, and what they need."""
    rows = itertools.groupby(
        (row for row in documented() if row.name and version in row.versions), key=lambda row: row.command
    )
    parameters = {command: list(group) for command, group in rows}
    functions = [_function(command, parameters.get(command, [])) for command in commands(version)]
    return (_HERE / "bodies.ps1").read_text(encoding="utf-8") + "\n".join(functions)


def write_module(version: str, folder: Path) -> str:
    """Write the module of a version into a folder for modules; gives its name."""
    name = MODULES[version]
    exports = f"Export-ModuleMember -Function {', '.join(commands(version))}\n"
    place = folder / name
    place.mkdir(parents=True)
    (place / f"{name}.psm1").write_text(module_text(version) + exports, encoding="utf-8-sig")
    return name


def _function(command: str, parameters: list[Parameter]) -> str:
    impact = "Medium" if command.startswith("Get-") else "High"
    default = next((f", DefaultParameterSetName = '{row.sets[0]}'" for row in parameters if row.sets), "")
    # Request-CsCertificate has no default set; each of its sets has a mandatory switch.
    default = "" if command == "Request-CsCertificate" else default
    lines = [
        f"function {command} {{",
        f"    [CmdletBinding(SupportsShouldProcess = $true, ConfirmImpact = '{impact}'{default})]",
        "    param(",
        ",\n".join(_declaration(row) for row in parameters),
        "    )",
        f"    Write-Call '{command}' $PSBoundParameters",
        "    if (-not $PSCmdlet.ShouldProcess('this computer')) { throw 'nobody confirmed this' }",
        f"    Enter-Trouble $PSCmdlet '{command}'",
        f"    {_BODIES.get(command, '')}",
        f"    Exit-Trouble '{command}'",
        "}",
    ]
    return "\n".join(lines) + "\n"


def _declaration(row: Parameter) -> str:
    mandatory = f"Mandatory = ${str(row.mandatory).lower()}"
    sets = [f"[Parameter(ParameterSetName = '{name}', {mandatory})]" for name in row.sets]
    aliases = f"[Alias('{row.aliases[0]}')]" if row.aliases else ""
    return f"        {''.join(sets) or f'[Parameter({mandatory})]'}{aliases}[{row.type}]${row.name}"


def read_calls(file: Path) -> list[Call]:
    """What the stand-ins were called with, in this order."""
    found: list[Call] = []
    for line in file.read_text(encoding="utf-8").splitlines() if file.exists() else ():
        if not line.startswith("\t"):
            found.append(Call(line, {}))
            continue
        _, name, kind, items = line.split("\t")
        texts = tuple(base64.b64decode(item).decode("utf-8") for item in items.split(","))
        found[-1].parameters[name] = (kind, texts)
    return found
