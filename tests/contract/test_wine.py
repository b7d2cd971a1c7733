# Copyright (c) 2026, the sfb.kb4023993 contributors
# GNU General Public License v3.0-or-later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The table, and generated worlds, in the PowerShell engine under Wine."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from powershell.runner import functions_text
from wine.prefix import Prefix

from contract import check, generated, lab_runner, wine_runner
from contract.table import cases

Record = Callable[[str, object], None]

pytestmark = [pytest.mark.wine, pytest.mark.xdist_group("contract")]


def test_the_engine_under_wine_answers_as_the_table_says(prefix: Prefix, tmp_path: Path) -> None:
    wanted = [case for case in cases() if wine_runner.reason(case) is None]
    assert {case.alone for case in wanted} == {""}
    found = check.differences(wanted, wine_runner.run(prefix, wanted, tmp_path))
    assert not found, "\n".join(found)


_FOLDERS = """
function Get-Permissions([string]$path) {
    return [IO.FileSystemAclExtensions]::GetAccessControl((New-Object IO.DirectoryInfo $path)).GetSecurityDescriptorSddlForm('Access')
}
$found = @{ plain = (Get-Permissions ([IO.Directory]::CreateDirectory('C:\\plain').FullName)) }
$folder = Use-PrivateFolder {
    $found['private'] = Get-Permissions $folder
    [IO.File]::WriteAllText([IO.Path]::Combine($folder, 'a file'), 'x')
    $folder
}
$found['left'] = [IO.Directory]::Exists($folder)
ConvertTo-JsonText $found
"""


def test_a_folder_for_temporary_files_is_closed_to_others(prefix: Prefix) -> None:
    """What Wine makes of permissions is coarse, but it knows everyone (WD). The engine's newer .NET has that method elsewhere."""
    there, here = (
        "[IO.Directory]::CreateDirectory($folder, $security)",
        "[IO.FileSystemAclExtensions]::CreateDirectory($security, $folder)",
    )
    script = functions_text()
    assert there in script
    found = json.loads(prefix.engine().text(script.replace(there, here) + _FOLDERS))
    assert ";;;WD)" in found["plain"]
    assert ";;;WD)" not in found["private"]
    assert ";;;SY)" in found["private"]
    assert found["left"] is False


def test_the_lab_and_the_engine_under_wine_agree(prefix: Prefix, tmp_path: Path, record_property: Record) -> None:
    cases = [*generated.registry(150), *generated.image_paths(80), *generated.updates(60), *generated.files(15)]
    replies = lab_runner.run(cases)
    found = check.disagreements(cases, replies, wine_runner.run(prefix, cases, tmp_path))
    assert not found, f"{len(found)} of {len(replies)} answers differ, the simplest:\n" + "\n".join(found[:3])
    record_property("figure", f"contract: {len(replies)} generated operations answered alike by the lab and under Wine")
