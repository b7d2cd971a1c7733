# Copyright (c) 2026, the sfb.kb4023993 contributors
# GNU General Public License v3.0-or-later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""An object of COM for a script: a PowerShell class in its place, since only Windows has COM."""

from __future__ import annotations

_NEW_OBJECT = """
$script:realNewObject = $ExecutionContext.InvokeCommand.GetCommand('New-Object', 'Cmdlet')
function New-Object {{
    if ($args[0] -ne '-ComObject') {{ return & $script:realNewObject @args }}
    if ($args[1] -ne '{name}' -or $args.Count -ne 2) {{ throw "no COM object $args" }}
    return [{kind}]::new()
}}
"""


def com_object(name: str, kind: str, text: str) -> str:
    """Text to stand before a script: the class ``kind``, defined in ``text``, is what New-Object -ComObject gives for that name."""
    return text + _NEW_OBJECT.format(name=name, kind=kind)
