# Copyright (c) 2026, the sfb.kb4023993 contributors
# GNU General Public License v3.0-or-later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""docs/variables.md names every variable that something reads, with the true default and playbooks, and nothing else."""

from __future__ import annotations

import pathlib
import re
from collections.abc import Iterator, Mapping
from typing import Any

import yaml
from ansible_collections.sfb.kb4023993.plugins.plugin_utils.task import inventory_facts, offline_days

ROOT = pathlib.Path(__file__).resolve().parents[2]
CHECK = ROOT / "playbooks" / "tasks" / "check_variables.yml"
PLAYBOOKS = sorted((ROOT / "playbooks").glob("*.yml"))
ROLE_FILES = sorted(path for path in (ROOT / "roles").glob("*/*/*.yml") if path.parent.name != "meta")
_NAME = re.compile(r"\bsfb_kb4023993_[a-z0-9_]+\b")
_DEFAULT = re.compile(r"\b(sfb_kb4023993_[a-z0-9_]+) \| default\(([^()]*)\)")


class _Recorder(Mapping[str, object]):
    """Variables of a host that remember which of them were looked up."""

    def __init__(self) -> None:
        self.names: set[str] = set()

    def __getitem__(self, name: str) -> object:
        self.names.add(name)
        raise KeyError(name)

    def __iter__(self) -> Iterator[str]:
        return iter(())

    def __len__(self) -> int:
        return 0


def _tables() -> list[dict[str, list[str]]]:
    """The tables of the page: cells after the first by the variable in the first."""
    found: list[dict[str, list[str]]] = []
    for line in (ROOT / "docs" / "variables.md").read_text("utf-8").splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if line.startswith("| variable |"):
            found.append({})
        elif line.startswith("| `"):
            found[-1][cells[0].strip("`")] = cells[1:]
    return found


def _sources(playbook: pathlib.Path) -> set[pathlib.Path]:
    """A playbook, and the task files of roles that it reaches: those of the entry points it names, and what they include."""
    reached: set[pathlib.Path] = set()
    left = [(playbook, task) for play in yaml.safe_load(playbook.read_text("utf-8")) for task in play["tasks"]]
    while left:
        file, task = left.pop()
        nested = (task[word] for word in ("block", "rescue", "always") if word in task)
        left += [(file, inner) for tasks in nested for inner in tasks]
        target = _target(file, task)
        # The check of the variables names them all, and reads none.
        if target and target != CHECK and target not in reached:
            reached.add(target)
            left += [(target, inner) for inner in yaml.safe_load(target.read_text("utf-8"))]
    return {playbook, *reached}


def _target(file: pathlib.Path, task: dict[str, Any]) -> pathlib.Path | None:
    """The task file that a task of this file includes or imports; None for any other task."""
    for word in ("import_role", "include_role"):
        if role := task.get(f"ansible.builtin.{word}"):
            folder = ROOT / "roles" / role["name"].removeprefix("sfb.kb4023993.")
            return folder / "tasks" / f"{role.get('tasks_from', 'main')}.yml"
    for word in ("import_tasks", "include_tasks"):
        if name := task.get(f"ansible.builtin.{word}"):
            return file.parent / name
    return None


def _code(path: pathlib.Path) -> str:
    return "\n".join(line for line in path.read_text("utf-8").splitlines() if not line.lstrip().startswith("#"))


def _read_by(playbook: pathlib.Path) -> set[str]:
    """What the files read themselves, and what the defaults of their roles read that they use, also one through another."""
    sources = _sources(playbook)
    text = "\n".join(map(_code, sources))
    defaults = {
        name: str(value)
        for role in {path.parents[1] for path in sources if path != playbook}
        for name, value in yaml.safe_load((role / "defaults" / "main.yml").read_text("utf-8")).items()
    }
    used: set[str] = set()
    while more := {name for name in defaults.keys() - used if re.search(rf"\b{name}\b", text)}:
        used |= more
        text += "\n".join(defaults[name] for name in more)
    return set(_NAME.findall(text))


def test_no_file_of_a_role_reads_a_variable_that_no_playbook_reaches() -> None:
    files = [*PLAYBOOKS, *ROLE_FILES]
    assert set.union(*map(_read_by, PLAYBOOKS)) == {name for path in files for name in _NAME.findall(_code(path))}


def test_every_playbook_variable_is_in_the_table_with_the_playbooks_that_read_it() -> None:
    documented = {name: set(cells[1].split(", ")) for name, cells in _tables()[0].items()}
    read: dict[str, set[str]] = {}
    for playbook in PLAYBOOKS:
        for name in _read_by(playbook):
            read.setdefault(name, set()).add(playbook.stem)
    assert documented == read


def test_the_defaults_in_the_table_are_those_that_apply() -> None:
    documented = {name: cells[0].replace("`", "") for name, cells in _tables()[0].items()}
    for path in [*PLAYBOOKS, *ROLE_FILES]:
        for name, text in _DEFAULT.findall(_code(path)):
            value = yaml.safe_load(text)
            shown = ", ".join(value) if isinstance(value, (list, dict)) else str(value)
            shown = shown.lower() if isinstance(value, bool) else shown
            assert documented[name] == (shown or "empty"), f"{name} in {path.relative_to(ROOT)}"


def test_the_playbooks_check_all_their_variables_before_anything_else() -> None:
    task = yaml.safe_load(CHECK.read_text("utf-8"))[0]
    assert set(task["ansible.builtin.validate_argument_spec"]["argument_spec"]) == set(_tables()[0])
    assert task["run_once"] is True
    for playbook in PLAYBOOKS:
        for play in yaml.safe_load(playbook.read_text("utf-8")):
            first, *others = play["tasks"]
            assert first["ansible.builtin.import_tasks"] == "tasks/check_variables.yml", playbook.name
            for role in (task["ansible.builtin.import_role"] for task in others):
                assert role["rolespec_validate"] is False, f"{playbook.name} would check {role['name']} for every host"


def test_every_host_variable_that_is_read_is_in_the_table() -> None:
    recorder = _Recorder()
    inventory_facts(recorder)
    offline_days(recorder)
    assert recorder.names == set(_tables()[1])


def test_plugins_name_only_variables_that_exist() -> None:
    known = {name for table in _tables() for name in table}
    for path in (ROOT / "plugins").rglob("*.py"):
        # Names of ours in messages: advice to set a variable that nothing reads would be useless.
        unknown = set(_NAME.findall(path.read_text("utf-8"))) - known
        assert not unknown, f"{path.relative_to(ROOT)} names {unknown}"
