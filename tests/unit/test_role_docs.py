# Copyright (c) 2026, the sfb.kb4023993 contributors
# GNU General Public License v3.0-or-later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The argument specs of the roles say what their files do, and the READMEs say what the argument specs do."""

from __future__ import annotations

import pathlib
import re
import subprocess
import sys
from typing import Any

import pytest
import yaml
from jinja2.nativetypes import NativeEnvironment

ROOT = pathlib.Path(__file__).resolve().parents[2]
ROLES = sorted(path.name for path in (ROOT / "roles").iterdir() if path.is_dir())

every_role = pytest.mark.parametrize("role", ROLES)


def _yaml(role: str, path: str) -> Any:
    return yaml.safe_load((ROOT / "roles" / role / path).read_text("utf-8"))


def _specs(role: str) -> dict[str, Any]:
    specs: dict[str, Any] = _yaml(role, "meta/argument_specs.yml")["argument_specs"]
    return specs


@every_role
def test_every_task_file_is_an_entry_point_with_a_spec(role: str) -> None:
    assert set(_specs(role)) == {path.stem for path in (ROOT / "roles" / role / "tasks").glob("*.yml")}


@every_role
def test_every_default_is_in_the_spec_with_its_value(role: str) -> None:
    options = {name: facts for spec in _specs(role).values() for name, facts in spec["options"].items()}
    for name, default in _yaml(role, "defaults/main.yml").items():
        if "default" in options[name]:
            value = default
            if isinstance(default, str):
                # With no playbook variable set.
                rendered = NativeEnvironment(autoescape=False).from_string(default).render()
                value = "" if rendered is None else rendered
            assert value == options[name]["default"], name


@every_role
def test_every_variable_of_the_spec_is_read_and_carries_the_name_of_its_role(role: str) -> None:
    text = "\n".join(path.read_text("utf-8") for path in (ROOT / "roles" / role / "tasks").glob("*.yml"))
    for spec in _specs(role).values():
        for name in spec["options"]:
            assert name.startswith(f"{role}_")
            assert re.search(rf"\b{name}\b", text), name


def test_the_readmes_are_generated_from_the_specs() -> None:
    command = [sys.executable, str(ROOT / "tests" / "tools" / "role_readmes.py"), "--check"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
