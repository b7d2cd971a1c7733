# Copyright (c) 2026, the sfb.kb4023993 contributors
# GNU General Public License v3.0-or-later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What decides about a template knows no connection, and what needs a library beside ansible-core says so when it is used."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

_ROOT = Path(__file__).parents[3]
_FOLDER = _ROOT / "plugins" / "plugin_utils" / "directory"
_PURE = ("_ber", "messages", "descriptor", "permissions", "template", "instructions", "errors")
_TALKING = {"socket", "ssl", "time", "secrets", "spnego", "ldap", "forest", "security", "steps", "template_state"}


def _imports(name: str) -> set[str]:
    found: set[str] = set()
    for node in ast.walk(ast.parse((_FOLDER / f"{name}.py").read_text("utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            found |= {alias.name for alias in node.names} if not node.module else {node.module.split(".")[0]}
    return found


@pytest.mark.parametrize("name", _PURE)
def test_what_decides_knows_no_connection(name: str) -> None:
    assert not _imports(name) & _TALKING


def test_the_reader_of_imports_sees_what_is_there() -> None:
    assert {"socket", "ssl", "security"} <= _imports("ldap")
    assert "spnego" in _imports("security")


def test_without_pyspnego_the_module_loads_and_says_what_to_install() -> None:
    code = """
import sys
sys.modules["spnego"] = None
from ansible_collections.sfb.kb4023993.plugins.action import sfb_certificate_template
from ansible_collections.sfb.kb4023993.plugins.plugin_utils.directory.security import Security
try:
    Security(method="ntlm", user="a", password="b", host="c", sealed=True, binding=None)
except Exception as error:
    print(type(error).__name__, error)
"""
    done = subprocess.run(
        [sys.executable, "-c", code], env={"PYTHONPATH": ":".join(sys.path)}, capture_output=True, text=True, check=True
    )
    assert done.stdout == "SecurityError the Python package pyspnego is not there (pip install pyspnego)\n"
