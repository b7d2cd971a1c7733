# Copyright (c) 2026, the sfb.kb4023993 contributors
# GNU General Public License v3.0-or-later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Blocks of data in the documentation can be read, and tasks in them use only what exists."""

from __future__ import annotations

import configparser
import importlib
import json
import re
import typing as t

import pytest
import yaml
from documentation.pages import ROOT, Block, all_blocks

OUR = "sfb.kb4023993."
# How a block that is only indented begins when it is YAML.
_YAML = re.compile(r"\s*(?:[a-z_0-9]+:(?:\s|\Z)|- name: )")


def _language(block: Block) -> str:
    return block.language or ("yaml" if _YAML.match(block.text) else "")


def _of(*languages: str) -> list[t.Any]:
    return [pytest.param(block, id=block.where) for block in all_blocks() if _language(block) in languages]


@pytest.mark.parametrize("block", _of("yaml", "json", "ini"))
def test_data_can_be_read_and_its_tasks_use_what_exists(block: Block) -> None:
    if block.language == "ini":
        configparser.ConfigParser(allow_no_value=True).read_string(block.text)
        return
    data = json.loads(block.text) if block.language == "json" else yaml.safe_load(block.text)
    assert data, block.where
    _check(data, block.where)


def test_languages_are_those_that_are_checked_or_need_no_check() -> None:
    known = {"yaml", "json", "ini", "console", "powershell", "text", "{toctree}", ""}
    assert {(block.where, block.language) for block in all_blocks() if block.language not in known} == set()


def _check(data: t.Any, where: str) -> None:
    if isinstance(data, list):
        for entry in data:
            _check(entry, where)
    elif isinstance(data, dict):
        for key, value in data.items():
            if str(key).startswith(OUR):
                _check_task(str(key).removeprefix(OUR), value or {}, where)
            elif key in ("ansible.builtin.import_role", "ansible.builtin.include_role"):
                role = ROOT / "roles" / value["name"].removeprefix(OUR) / "tasks"
                assert (role / f"{value.get('tasks_from', 'main')}.yml").is_file(), f"{where}: {value}"
            elif key in ("ansible.builtin.import_playbook", "import_playbook"):
                assert (ROOT / "playbooks" / f"{value.removeprefix(OUR)}.yml").is_file(), f"{where}: {value}"
            else:
                _check(value, where)


def _check_task(module: str, arguments: dict[str, t.Any], where: str) -> None:
    action = importlib.import_module(f"ansible_collections.sfb.kb4023993.plugins.action.{module}")
    assert set(arguments) <= set(action.ActionModule.SPEC), f"{where}: {module} {sorted(arguments)}"
    for name, value in arguments.items():
        assert value in action.ActionModule.SPEC[name].get("choices", [value]), f"{where}: {name}: {value}"
