# Copyright (c) 2026, the sfb.kb4023993 contributors
# GNU General Public License v3.0-or-later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The documentation of the modules says what their action plugins take, and its examples can work."""

from __future__ import annotations

import functools
import importlib
import importlib.util
import json
import os
import pathlib
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest
import yaml
from ansible.playbook.task import Task

ROOT = pathlib.Path(__file__).resolve().parents[2]
COLLECTION = "sfb.kb4023993"
ACTIONS = sorted(path.stem for path in (ROOT / "plugins" / "action").glob("sfb_*.py"))
_KEYWORDS = frozenset(Task.fattributes)

every_action = pytest.mark.parametrize("name", ACTIONS)


def _ansible_doc(*arguments: str) -> str:
    """ansible-doc for all modules at once, as a user calls it; it merges the fragments."""
    program = pathlib.Path(sys.executable).parent / "ansible-doc"
    names = [f"{COLLECTION}.{name}" for name in ACTIONS]
    environment = os.environ | {
        "ANSIBLE_COLLECTIONS_PATH": str(ROOT / "playbooks" / "collections"),
        "ANSIBLE_NOCOLOR": "1",
    }
    done = subprocess.run(
        [program, "-t", "module", *arguments, *names], env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert "Traceback" not in done.stderr
    return done.stdout


@functools.cache
def _documents() -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = json.loads(_ansible_doc("--json"))
    return {name.rpartition(".")[2]: document for name, document in found.items()}


def _spec(name: str) -> dict[str, Any]:
    action = importlib.import_module(f"ansible_collections.{COLLECTION}.plugins.action.{name}")
    spec: dict[str, Any] = action.ActionModule.SPEC
    return spec


def _of_spec(options: dict[str, Any]) -> dict[str, Any]:
    """What a user has to know of an argument spec; values that are not set as Ansible assumes them."""
    return {
        name: {
            "type": option.get("type", "str"),
            "elements": option.get("elements"),
            "required": option.get("required", False),
            "choices": option.get("choices"),
            "default": option.get("default"),
            "options": _of_spec(option["options"]) if "options" in option else None,
        }
        for name, option in options.items()
    }


def _of_documentation(options: dict[str, Any]) -> dict[str, Any]:
    return _of_spec(
        {
            name: {**option, "options": option["suboptions"]} if "suboptions" in option else option
            for name, option in options.items()
        }
    )


def test_every_action_has_a_module_and_every_module_an_action() -> None:
    assert sorted(path.stem for path in (ROOT / "plugins" / "modules").glob("*.py")) == ACTIONS
    groups = yaml.safe_load((ROOT / "meta" / "runtime.yml").read_text("utf-8"))["action_groups"]
    assert sorted(groups["sfb"]) == ACTIONS


def test_ansible_doc_renders_all() -> None:
    text = _ansible_doc()
    for name in ACTIONS:
        assert f"MODULE {COLLECTION}.{name} " in text


@every_action
def test_options_are_those_of_the_action(name: str) -> None:
    assert _of_documentation(_documents()[name]["doc"].get("options", {})) == _of_spec(_spec(name))


@every_action
def test_attributes_tell_what_a_user_asks_first(name: str) -> None:
    attributes = _documents()[name]["doc"]["attributes"]
    for attribute in ("check_mode", "diff_mode", "platform", "become", "connection", "idempotent", "action_group"):
        assert attributes[attribute]["support"] in ("full", "partial", "none", "N/A"), attribute
    assert attributes["check_mode"]["support"] == "full"
    assert attributes["action_group"]["membership"] == [f"{COLLECTION}.sfb"]
    assert attributes["platform"]["platforms"] in ("windows", "posix")


@every_action
def test_returned_values_are_described(name: str) -> None:
    _check_returned(_documents()[name]["return"], name)


def _check_returned(values: dict[str, Any], where: str) -> None:
    for key, value in values.items():
        place = f"{where}.{key}"
        assert {"description", "type", "returned"} <= set(value), place
        if "contains" in value:
            _check_returned(value["contains"], place)
        elif not place.endswith((".diff.before", ".diff.after")):
            assert "sample" in value, place


@every_action
def test_examples_use_only_what_exists(name: str) -> None:
    tasks = list(_tasks(yaml.safe_load(_documents()[name]["examples"])))
    used = [_check_task(task) for task in tasks]
    assert f"{COLLECTION}.{name}" in used


def _tasks(examples: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    for entry in examples:
        yield from entry["tasks"] if "hosts" in entry else [entry]


def _check_task(task: dict[str, Any]) -> str:
    """The full name of the module that a task calls."""
    assert "name" in task
    modules = [key for key in task if key not in _KEYWORDS]
    assert len(modules) == 1, f"{task['name']}: {modules} should be one module"
    collection, _dot, module = modules[0].rpartition(".")
    if collection == COLLECTION:
        _check_arguments(task[modules[0]] or {}, _spec(module), task["name"])
    else:
        assert collection == "ansible.builtin", f"{task['name']}: {modules[0]} is not in ansible-core"
        assert importlib.util.find_spec(f"ansible.modules.{module}"), task["name"]
    return modules[0]


def _check_arguments(arguments: dict[str, Any], spec: dict[str, Any], where: str) -> None:
    assert set(arguments) <= set(spec), where
    assert {option for option, facts in spec.items() if facts.get("required")} <= set(arguments), where
    for option, value in arguments.items():
        if "options" in spec[option]:
            for entry in value if isinstance(value, list) else [value]:
                _check_arguments(entry, spec[option]["options"], f"{where}, {option}")
        if "choices" in spec[option]:
            assert set(value if isinstance(value, list) else [value]) <= set(spec[option]["choices"]), where
