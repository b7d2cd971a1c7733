# Copyright (c) 2026, the sfb.kb4023993 contributors
# GNU General Public License v3.0-or-later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The operation lync_command with modules of the product's names, made for each test."""

from __future__ import annotations

import json
import time
import typing as t
from pathlib import Path

import pytest
from ansible_collections.sfb.kb4023993.plugins.plugin_utils.host import operations as o
from powershell.runner import Engine

MODULES = ("SkypeForBusiness", "Lync")
_ERROR = """
function Write-Problem($exception) {
    $PSCmdlet.WriteError([Management.Automation.ErrorRecord]::new($exception, 'Problem', 'NotSpecified', $null))
}
"""
_CERTIFICATES = (
    _ERROR
    + """
function Get-CsCertificate {
    [CmdletBinding()] param()
    foreach ($use in @('Default', 'WebServicesInternal')) {
        $object = [PSObject]::new()
        $table = @{
            Use = $use; Thumbprint = 'AB' * 20; AlternativeNames = @('fe01.contoso.com', '会議 "x"')
            NotAfter = [DateTime]::new(2027, 1, 2, 3, 4, 5, [DateTimeKind]::Utc); Empty = $null; None = @()
        }
        foreach ($entry in $table.GetEnumerator()) {
            $object.PSObject.Properties.Add([Management.Automation.PSNoteProperty]::new($entry.Key, $entry.Value))
        }
        $object
    }
    Write-Problem ([InvalidOperationException]::new('Zertifikat nicht gefunden'))
}
"""
)


@pytest.fixture
def product(engine: Engine, tmp_path: Path) -> t.Callable[..., Engine]:
    """An engine that has these modules (name and text)."""

    def make(**modules: str) -> Engine:
        for name, text in modules.items():
            folder = tmp_path / name
            folder.mkdir()
            (folder / f"{name}.psm1").write_text(text, encoding="utf-8-sig")
        return Engine(engine.program, {"PSModulePath": str(tmp_path)})

    return make


Product = t.Callable[..., Engine]


def ask(engine: Engine, command: o.LyncCommandName, *, seconds: int = 40, properties: tuple[str, ...] = ()) -> t.Any:
    (reply,) = engine.run(
        o.LyncCommand(command=command, modules=MODULES, properties=properties, seconds=seconds), deadline_seconds=50
    )
    return reply


def test_no_module(product: Product) -> None:
    reply = ask(product(), "Get-CsCertificate")
    assert reply.value == o.LyncCommandReply(module=None, denied=False, failure=None, objects=(), text=None)


def test_certificates_are_texts_and_an_error_takes_none_away(product: Product) -> None:
    asked = ("Use", "Thumbprint", "AlternativeNames", "NotAfter", "Empty", "None", "NoSuchProperty")
    reply = ask(product(Lync=_CERTIFICATES), "Get-CsCertificate", properties=asked)
    common: dict[str, tuple[str, ...]] = {
        "Thumbprint": ("AB" * 20,),
        "AlternativeNames": ("fe01.contoso.com", '会議 "x"'),
        "NotAfter": ("2027-01-02T03:04:05.000Z",),
        "Empty": (),
        "None": (),
    }
    assert reply.value == o.LyncCommandReply(
        module="Lync",
        denied=False,
        failure="Zertifikat nicht gefunden",
        objects=({"Use": ("Default",), **common}, {"Use": ("WebServicesInternal",), **common}),
        text=None,
    )


@pytest.mark.parametrize(
    ("exception", "denied"),
    [("UnauthorizedAccessException", True), ("Security.SecurityException", True), ("IO.IOException", False)],
)
def test_refused_by_the_product(product: Product, exception: str, denied: bool) -> None:
    body = f"[CmdletBinding()] param() throw [{exception}]::new('Zugriff verweigert')"
    text = f"function Get-CsCertificate {{ {body} }}"
    reply = ask(product(SkypeForBusiness=text, Lync="throw 'the second one must not be asked'"), "Get-CsCertificate")
    assert reply.value == o.LyncCommandReply(
        module="SkypeForBusiness", denied=denied, failure="Zugriff verweigert", objects=(), text=None
    )


def test_a_module_that_does_not_load(product: Product) -> None:
    reply = ask(product(SkypeForBusiness="throw 'broken on loading'"), "Get-CsCertificate")
    assert (reply.value.module, reply.value.denied) == ("SkypeForBusiness", False)
    assert "broken on loading" in reply.value.failure


@pytest.mark.parametrize("output", ["[xml]$text", "$text"])
def test_topology_is_one_text(product: Product, output: str) -> None:
    xml = "<Topology><Name>会議 &amp; more</Name></Topology>"
    body = f"[CmdletBinding()] param([switch]$LocalStore, [switch]$AsXml) $text = '{xml}'; "
    body += f"if ($LocalStore -and $AsXml) {{ {output} }}"
    reply = ask(product(Lync=f"function Get-CsTopology {{ {body} }}"), "Get-CsTopology")
    assert reply.value == o.LyncCommandReply(module="Lync", denied=False, failure=None, objects=(), text=xml)


def test_topology_of_megabytes(product: Product) -> None:
    """10 MB of JSON is what a reply may have."""
    body = "[CmdletBinding()] param([switch]$LocalStore, [switch]$AsXml) ("
    text = '<MachineId ordinal="1" name="会議" comment="ä" x="yyyyyyyyyyyyy"/> \r\n'
    size = len(json.dumps(text).replace(" ", "\\u0020").replace("\\r\\n", "\\u000d\\u000a")) - 2
    fitting, above = 10 * 2**20 // size - 2, 10 * 2**20 // size + 1
    started = time.monotonic()
    reply = ask(product(Lync=f"function Get-CsTopology {{ {body}'{text}' * {fitting}) }}"), "Get-CsTopology")
    assert reply.value.text == text * fitting
    assert time.monotonic() - started < 30
    command = o.LyncCommand(command="Get-CsTopology", modules=MODULES)
    large, after = product(SkypeForBusiness=f"function Get-CsTopology {{ {body}'{text}' * {above}) }}").run(
        command, o.System()
    )
    assert large.error is not None
    assert large.error.type == "too_large"
    assert after.error is None


@pytest.mark.parametrize("body", ["exit 7", "break", "$Host.SetShouldExit(7)"])
def test_a_command_cannot_end_the_batch(product: Product, body: str) -> None:
    command = o.LyncCommand(command="Get-CsCertificate", modules=MODULES, properties=("Use",))
    text = f"function Get-CsCertificate {{ [CmdletBinding()] param() {body} }}"
    ended, after = product(Lync=text).run(command, o.System())
    assert after.error is None
    assert ended.error is not None or ended.value.objects == ()


def test_a_command_that_does_not_end_is_given_up(product: Product) -> None:
    body = "[CmdletBinding()] param() [Threading.Thread]::Sleep(600000)"
    engine = product(Lync=f"function Get-CsCertificate {{ {body} }}")
    command = o.LyncCommand(command="Get-CsCertificate", modules=MODULES, seconds=3)
    hung, after = engine.run(command, o.System())
    assert hung.error is not None
    assert hung.error.type == "deadline"
    assert after.error is None
