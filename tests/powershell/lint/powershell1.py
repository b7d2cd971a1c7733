# Copyright (c) 2026, the sfb.kb4023993 contributors
# GNU General Public License v3.0-or-later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Language that is new in PowerShell 2.0: bootstrap.ps1 must be readable by 1.0, so that it can say that 1.0 is too old.

* ``powershell-1``: ``try``, ``data``, ``dynamicparam``, ``-join``, ``-split``, splatting, block comments, attributes, a statement as
  the value of an assignment, numbers in TB and PB.

Only the reading counts: before the check of the version a few lines run, and after it 2.0 is there.

To be looked up in: "What's New in Windows PowerShell 2.0" (about_Windows_PowerShell_2.0) and the about topics of 2.0 that it names.
"""

from __future__ import annotations

from collections.abc import Iterator

from .tree import Node, Problem, Script

_NODES = {
    "TryStatement": "try is new in 2.0",
    "DataStatement": "data is new in 2.0",
    "Attribute": "attributes are new in 2.0",
}
_OPERATORS = ("Join", "Isplit", "Csplit")
_EXPRESSIONS_ONLY = ("CommandExpression", "Pipeline", "AssignmentStatement", "Command")


def check(script: Script) -> Iterator[Problem]:
    for node in script.root.walk():
        message = _NODES.get(node.type) or _message(node)
        if message:
            yield Problem(node.line, "powershell-1", message)
    for token in script.tokens:
        if token.kind == "Comment" and token.text.startswith("<#"):
            yield Problem(token.line, "powershell-1", "block comments are new in 2.0")


def _message(node: Node) -> str:
    if node.get("Operator") in _OPERATORS or node.get("TokenKind") in _OPERATORS:
        return "-join and -split are new in 2.0"
    if node.is_set("Splatted"):
        return "splatting is new in 2.0"
    if node.type == "NamedBlock" and node.get("BlockKind") == "Dynamicparam":
        return "dynamicparam is new in 2.0"
    if node.type == "ConstantExpression" and node.text.lower().endswith(("tb", "pb")):
        return "TB and PB are new in 2.0"
    if (
        node.role == "Right"
        and node.parent
        and node.parent.type == "AssignmentStatement"
        and node.type not in _EXPRESSIONS_ONLY
    ):
        return "a statement as value is new in 2.0"
    return ""
