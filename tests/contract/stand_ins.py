# Copyright (c) 2026, the sfb.kb4023993 contributors
# GNU General Public License v3.0-or-later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""PowerShell that takes the place of what Linux does not have: services, and the product's module."""

from __future__ import annotations

import typing as t
from pathlib import Path

from contract.world import Product, Service

_CLASS = """
class ScriptedService {
    [string]$ServiceName; [string]$Status; [object[]]$DependentServices = @(); [string]$Next; [int]$Polls; [bool]$Stuck; [bool]$Fails
    [void] Refresh() { if ($this.Next -and --$this.Polls -lt 0) { $this.Status = $this.Next; $this.Next = '' } }
    [void] Move([string]$pending, [string]$final) {
        $this.Status = $pending
        $this.Polls = 1
        $this.Next = $final
        if ($this.Stuck) { $this.Next = '' }
    }
    [void] Start() {
        # What Windows does with a program that ends at once.
        if ($this.Fails) { throw [InvalidOperationException]::new("Cannot start service $($this.ServiceName).") }
        $this.Move('StartPending', 'Running')
    }
    [void] Stop() { $this.Move('StopPending', 'Stopped') }
    [void] Continue() { $this.Move('ContinuePending', 'Running') }
}
"""
_STATUS = {
    "stopped": "Stopped",
    "start_pending": "StartPending",
    "stop_pending": "StopPending",
    "running": "Running",
    "continue_pending": "ContinuePending",
    "pause_pending": "PausePending",
    "paused": "Paused",
}
_AFTER = {
    "start_pending": "Running",
    "stop_pending": "Stopped",
    "continue_pending": "Running",
    "pause_pending": "Paused",
}


def service_functions(services: t.Sequence[Service]) -> str:
    """Definitions that replace those of batch.ps1; they stand behind them."""
    lines = [_CLASS, "$scripted = @{}", "$modes = @{}", "$paths = @{}"]
    for service in services:
        lines += [
            "$one = [ScriptedService]::new()",
            f"$one.ServiceName = '{service.name}'",
            f"$one.Status = '{_STATUS[service.status]}'",
            f"$one.Next = '{'' if service.stuck else _AFTER.get(service.status, '')}'",
            f"$one.Stuck = ${service.stuck}",
            f"$one.Fails = ${service.fails}",
            f"$scripted['{service.name}'] = $one",
            f"$modes['{service.name}'] = {service.start}",
        ]
        if service.image_path is not None:
            lines.append(f"$paths['{service.name}'] = '{service.image_path}'")
    for service in services:
        names = ", ".join(f"$scripted['{name}']" for name in _dependents(service.name, services))
        lines.append(f"$scripted['{service.name}'].DependentServices = @({names})")
    lines += [
        "function Get-ServiceControl([string]$name) {",
        "    if ($name -eq '') { throw [ArgumentException]::new('a name is needed') }",
        "    return $scripted[$name]",
        "}",
        "function Get-MachineValue([string]$path, [string]$name) {",
        "    $service = $path.Split('\\')[-1]",
        "    if ($name -eq 'Start') { return $modes[$service] }",
        "    if ($name -eq 'ImagePath') { return $paths[$service] }",
        "}",
    ]
    return "\n".join(lines) + "\n"


def _dependents(name: str, services: t.Sequence[Service]) -> list[str]:
    """Services that depend on this one, the ones that have to stop first at the front (EnumDependentServices)."""
    found: list[str] = []
    for other in services:
        if name.lower() in (each.lower() for each in other.depends_on):
            found += [each for each in (*_dependents(other.name, services), other.name) if each not in found]
    return found


def product_module(product: Product, folder: Path) -> Path:
    """Write the product's module into a folder for modules, which it gives back."""
    refuse = "throw [UnauthorizedAccessException]::new('no')\n" if product.denied else ""
    rows = "".join(_object(reference) for reference in product.certificates)
    topology = "" if product.topology is None else f"'{product.topology}'\n"
    text = (
        f"function Get-CsCertificate {{\n[CmdletBinding()] param()\n{refuse}{rows}}}\n"
        f"function Get-CsTopology {{\n[CmdletBinding()] param([switch]$LocalStore, [switch]$AsXml)\n{refuse}{topology}}}\n"
    )
    place = folder / product.module
    place.mkdir(parents=True)
    (place / f"{product.module}.psm1").write_text(text, encoding="utf-8-sig")
    return folder


def _object(reference: t.Mapping[str, str]) -> str:
    notes = "".join(
        f"$object.PSObject.Properties.Add([Management.Automation.PSNoteProperty]::new('{name}', '{text}'))\n"
        for name, text in reference.items()
    )
    return f"$object = [PSObject]::new()\n{notes}$object\n"
