# Copyright (c) 2026, the sfb.kb4023993 contributors
# GNU General Public License v3.0-or-later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The scripts for a person at a server, really started: what collect.ps1 reads is what an audit reads, and the others do what they say."""

from __future__ import annotations

import dataclasses
import datetime
import typing as t
from pathlib import Path

import pytest
from ansible_collections.sfb.kb4023993.plugins.plugin_utils.collect import collect
from ansible_collections.sfb.kb4023993.plugins.plugin_utils.evidence import Evidence, InventoryFacts
from ansible_collections.sfb.kb4023993.plugins.plugin_utils.host.operations import Operation, SystemReply
from ansible_collections.sfb.kb4023993.plugins.plugin_utils.host.session import Session
from ansible_collections.sfb.kb4023993.plugins.plugin_utils.host.wire import Reply, decode_reply
from ansible_collections.sfb.kb4023993.plugins.plugin_utils.offline import collecting, importing, kits
from ansible_collections.sfb.kb4023993.plugins.plugin_utils.sections import Header
from powershell.lint.check import check
from powershell.lint.tree import parse
from powershell.runner import Engine
from powershell.script_file import start

NOW: t.Final = datetime.datetime.now(datetime.timezone.utc)
# All that the lint of the sent scripts does not know, by script. Scripts for people call the product's commands and other files.
_ONLY_HERE: t.Final = {
    "collect_body.ps1": {"& $batchFile $operations.Replace(\"`r\", '')"},
    "request_body.ps1": {"Request-CsCertificate", '& "$env:SystemRoot\\System32\\certreq.exe" -new $inf $request'},
    "install_body.ps1": {
        *(
            "Get-CsCertificate",
            "Import-CsCertificate",
            "Set-CsCertificate",
            "Stop-CsWindowsService",
            "Start-CsWindowsService",
        ),
        *("Read-Host", "& $collect"),
    },
}
_VALUES: t.Final = {
    "collect_body.ps1": ("kit", "batchHash", "resultName", "firstOperations", "cmdletOperations"),
    "request_body.ps1": ("names", "friendlyName", "keySize", "exportable", "modules", "infHash"),
    "install_body.ps1": (
        *("thumbprint", "oldThumbprint", "certificateHash", "authorityFiles", "authorityHashes", "authorityStores"),
        *("exportable", "lead", "modules"),
    ),
}


@pytest.mark.parametrize("body", sorted(_VALUES))
def test_the_scripts_hold_nothing_newer_than_powershell_2(engine: Engine, body: str) -> None:
    parts = ("head.ps1", body) if body == "collect_body.ps1" else ("head.ps1", "product.ps1", body)
    text = collecting.script([f"${name} = 'x'" for name in _VALUES[body]], *parts).decode("ascii").replace("\r", "")
    problems = check(parse(engine, [text])[0]).problems
    found = {
        problem.message.split(":", 1)[0] if problem.rule == "dynamic-code" else problem.message.split()[0]
        for problem in problems
    }
    assert {problem.rule for problem in problems} <= {"command", "dynamic-code"}, list(map(str, problems))
    # A call by & is shown up to its first colon.
    assert found == {name.split(":", 1)[0] for name in _ONLY_HERE[body]}


@dataclasses.dataclass(frozen=True)
class Folder:
    kit: kits.Kit
    path: Path

    @property
    def result(self) -> Path:
        return self.path / collecting.result_name(self.kit.host)

    def evidence(self) -> Evidence:
        known = importing.Known(
            inventory=InventoryFacts(),
            earlier=None,
            machines={},
            max_age_days=7,
            now=datetime.datetime.now(datetime.timezone.utc),
            collection_version="0.0.0",
        )
        imported = importing.import_file(self.result.read_bytes(), self.kit, known)
        assert imported is not None
        return imported.evidence


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    """A folder as it was carried to the server, under a name with blanks and letters beyond ASCII."""
    kit = kits.make_kit("edge02", InventoryFacts(), now=NOW)
    path = tmp_path / "Lync Prüfung 会議 [1]"
    path.mkdir()
    for name, data in collecting.with_sums(collecting.collecting_files(kit)).items():
        (path / name).write_bytes(data)
    return Folder(kit, path)


class _Live:
    """The batches of an audit over a connection, in the engine."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self.batches = 0

    def run(self, operations: t.Sequence[Operation], *, stage: str, deadline_seconds: int = 90) -> tuple[Reply, ...]:
        del stage
        self.batches += 1
        return self._engine.run(*operations, deadline_seconds=deadline_seconds)


def _comparable(evidence: Evidence) -> Evidence:
    """Without what is never the same twice: times, and by whom it was read."""
    assert isinstance(evidence.system, SystemReply)
    return dataclasses.replace(
        evidence,
        system=dataclasses.replace(evidence.system, time_utc=""),
        run_id="",
        collected_utc="",
        duration_ms=0,
        offline=None,
    )


def test_what_collect_writes_becomes_the_evidence_of_a_live_reading(engine: Engine, folder: Folder) -> None:
    before = {path.name for path in folder.path.iterdir()}
    done = start(engine, folder.path / "collect.ps1")
    assert done.code == 0, done.output
    assert "Nothing on this server was changed" in done.output
    assert {path.name for path in folder.path.iterdir()} - before == {folder.result.name}
    header = Header(
        collection_version="0.0.0", run_id="", inventory_name="edge02", collected_utc="", inventory=InventoryFacts()
    )
    live = collect(t.cast(Session, _Live(engine)), header)
    found = folder.evidence()
    assert found.offline is not None
    assert found.dotnet is not None
    assert _comparable(found) == _comparable(live)


def test_both_batches_are_in_the_file(engine: Engine, folder: Folder, tmp_path: Path) -> None:
    """Whether the server has the product, nobody can ask a second time, so its commands are asked in any case."""
    module = tmp_path / "modules" / "Lync"
    module.mkdir(parents=True)
    thumbprint = "AB" * 20
    text = f"""
function Get-CsCertificate {{
    [CmdletBinding()] param()
    $object = [PSObject]::new()
    foreach ($entry in @{{ Use = 'Internal'; Thumbprint = '{thumbprint}' }}.GetEnumerator()) {{
        $object.PSObject.Properties.Add([Management.Automation.PSNoteProperty]::new($entry.Key, $entry.Value))
    }}
    $object
}}
function Get-CsTopology {{ [CmdletBinding()] param([switch]$LocalStore, [switch]$AsXml) '<Topology/>' }}
"""
    (module / "Lync.psm1").write_text(text, "utf-8")
    assert start(engine, folder.path / "collect.ps1", PSModulePath=str(module.parent)).code == 0
    _first, cmdlets = kits.questions(folder.kit)
    replies, failure = decode_reply(folder.result.read_text("ascii"), cmdlets.operations, nonce=folder.kit.cmdlet_nonce)
    assert failure is None
    assert replies[0].value.objects == ({"Use": ("Internal",), "Thumbprint": (thumbprint,)},)
    assert replies[1].value.text == "<Topology/>"


def test_another_batch_script_is_not_started(engine: Engine, folder: Folder) -> None:
    script = folder.path / "batch.ps1"
    script.write_bytes(script.read_bytes() + b"\n[IO.File]::WriteAllText(($batchFile + '.ran'), '')\n")
    done = start(engine, folder.path / "collect.ps1")
    assert (done.code, folder.result.exists()) == (1, False)
    assert "batch.ps1 is not the file that belongs to this kit" in done.output
    assert not (folder.path / "batch.ps1.ran").exists()
    script.unlink()
    assert "batch.ps1 is not beside this script" in start(engine, folder.path / "collect.ps1").output


def test_a_refused_batch_leaves_no_file(engine: Engine, folder: Folder) -> None:
    script = folder.path / "collect.ps1"
    script.write_bytes(script.read_bytes().replace(b"batch\t1\t", b"batch\t2\t", 1))
    done = start(engine, script)
    assert (done.code, folder.result.exists()) == (1, False)
    assert "the reading was refused: [[sfb.kb4023993!bad_data]]" in done.output


def test_a_result_that_cannot_be_written_is_named(engine: Engine, folder: Folder) -> None:
    folder.result.mkdir()
    done = start(engine, folder.path / "collect.ps1")
    assert done.code == 1
    assert "Stopped:" in done.output


def test_line_ends_that_a_transfer_changed_do_no_harm(engine: Engine, folder: Folder) -> None:
    script = folder.path / "collect.ps1"
    script.write_bytes(script.read_bytes().replace(b"\r\n", b"\n"))
    assert start(engine, script).code == 0
    folder.result.write_bytes(folder.result.read_bytes().replace(b"\n", b"\r\n"))
    assert folder.evidence().system is not None
