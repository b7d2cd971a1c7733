# Copyright (c) 2026, the sfb.kb4023993 contributors
# GNU General Public License v3.0-or-later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""PowerShell that takes the place of what Linux does not have: services, the product's module, and objects of COM."""

from __future__ import annotations

import base64
import typing as t
from pathlib import Path

from cryptography.hazmat.primitives.serialization import Encoding, pkcs7
from powershell.com_object import com_object
from powershell.product_module import module_text

from contract.world import POOL, Ca, Product, Service

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
    text += module_text("2015" if product.module == "SkypeForBusiness" else "2013") + _pool(product)
    place = folder / product.module
    place.mkdir(parents=True)
    (place / f"{product.module}.psm1").write_text(text, encoding="utf-8-sig")
    return folder


def product_variables(product: Product, folder: Path) -> dict[str, str]:
    """What the commands of the module read from the environment."""
    trouble = "* denied" if product.denied else "* fails" if product.failing else ""
    return {"PRODUCT_TROUBLE": trouble, "PRODUCT_CALLS": str(folder / "calls")}


def _pool(product: Product) -> str:
    """What the commands of the module say of a pool here, in place of what they say in other tests."""
    if product.pool is None:
        return "function Get-Pool { throw 'this computer is in no pool' }\n"
    runs = product.pool == "other runs"
    domains = ", ".join(
        f"(New-Thing @{{ Name = 'UpgradeDomain{number}'; FrontEnds = @('{name}'); ReadyforUpgrade = ${str(runs).lower()} }})"
        for number, name in enumerate(POOL, start=1)
    )
    state = "Ready" if runs else "InsufficientActiveFrontEnds"
    return f"function Get-Pool {{ New-Thing @{{ PoolUpgradeState = '{state}'; UpgradeDomains = @({domains}) }} }}\n"


_CA = """
class CaObject {
    static $Requests = @{}; [int]$Id; [int]$Status
    [void] Reach() {
        if ('REACH' -eq 'not_delegated') { throw [UnauthorizedAccessException]::new('no') }
        if ('REACH' -eq 'none') { throw [Runtime.InteropServices.COMException]::new('no', 0x800706BA) }
    }
    [int] Submit([int]$flags, [string]$request, [string]$attributes, [string]$config) {
        $this.Reach()
        $this.Id = 17 + [CaObject]::Requests.Count
        [CaObject]::Requests[$this.Id] = 3
        if ($attributes -ne 'CertificateTemplate:TEMPLATE') { $this.Status = 0x80094800; [CaObject]::Requests[$this.Id] = 2 }
        return [CaObject]::Requests[$this.Id]
    }
    [int] RetrievePending([int]$id, [string]$config) {
        $this.Reach()
        $this.Id = $id
        if ([CaObject]::Requests.ContainsKey($id)) { return [CaObject]::Requests[$id] }
        $this.Status = 0x80094004
        return 1
    }
    [int] GetRequestId() { return $this.Id }
    [int] GetLastStatus() { return $this.Status }
    [string] GetCertificate([int]$flags) { return 'BUNDLE' }
    [string] GetCACertificate([int]$exchange, [string]$config, [int]$flags) { $this.Reach(); return 'BUNDLE' }
}
"""


def ca_object(ca: Ca) -> str:
    """Text to stand before the script: the object that asks this CA."""
    bundle = base64.b64encode(pkcs7.serialize_certificates([ca.authority.certificate], Encoding.DER)).decode("ascii")
    text = _CA.replace("REACH", ca.reach).replace("TEMPLATE", ca.template).replace("BUNDLE", bundle)
    return com_object("CertificateAuthority.Request", "CaObject", text)


def _object(reference: t.Mapping[str, str]) -> str:
    notes = "".join(
        f"$object.PSObject.Properties.Add([Management.Automation.PSNoteProperty]::new('{name}', '{text}'))\n"
        for name, text in reference.items()
    )
    return f"$object = [PSObject]::new()\n{notes}$object\n"
