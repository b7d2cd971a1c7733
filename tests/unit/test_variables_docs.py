# Copyright (c) 2026, the sfb.kb4023993 contributors
# GNU General Public License v3.0-or-later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""docs/variables.md names every variable that something reads, with the true default and playbooks, and nothing else."""

from __future__ import annotations

import pathlib
import re
from collections.abc import Iterator, Mapping

import yaml
from ansible_collections.sfb.kb4023993.plugins.plugin_utils.task import inventory_facts

ROOT = pathlib.Path(__file__).resolve().parents[2]
CHECK = ROOT / "playbooks" / "tasks" / "check_variables.yml"
PLAYBOOKS = sorted((ROOT / "playbooks").glob("*.yml"))
_NAME = re.compile(r"\bsfb_kb4023993_[a-z0-9_]+\b")
_ROLE = re.compile(r"\bsfb\.kb4023993\.(\w+)$", re.MULTILINE)
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


def _sources(playbook: pathlib.Path) -> list[pathlib.Path]:
    """A playbook and all files of the roles that it uses."""
    roles = set(_ROLE.findall(playbook.read_text("utf-8")))
    return [playbook, *(path for role in sorted(roles) for path in (ROOT / "roles" / role).glob("*/*.yml"))]


def _code(path: pathlib.Path) -> str:
    return "\n".join(line for line in path.read_text("utf-8").splitlines() if not line.lstrip().startswith("#"))


def _read_by(playbook: pathlib.Path) -> set[str]:
    return {name for path in _sources(playbook) if path.parent.name != "meta" for name in _NAME.findall(_code(path))}


def test_every_playbook_variable_is_in_the_table_with_the_playbooks_that_read_it() -> None:
    documented = {name: set(cells[1].split(", ")) for name, cells in _tables()[0].items()}
    read: dict[str, set[str]] = {}
    for playbook in PLAYBOOKS:
        for name in _read_by(playbook):
            read.setdefault(name, set()).add(playbook.stem)
    assert documented == read


def test_the_defaults_in_the_table_are_those_that_apply() -> None:
    documented = {name: cells[0].replace("`", "") for name, cells in _tables()[0].items()}
    for path in {path for playbook in PLAYBOOKS for path in _sources(playbook)}:
        for name, text in _DEFAULT.findall(_code(path)):
            value = yaml.safe_load(text)
            shown = ", ".join(value) if isinstance(value, list) else str(value)
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
    assert recorder.names == set(_tables()[1])


def test_plugins_name_only_variables_that_exist() -> None:
    known = {name for table in _tables() for name in table}
    for path in (ROOT / "plugins").rglob("*.py"):
        # Names of ours in messages: advice to set a variable that nothing reads would be useless.
        unknown = set(_NAME.findall(path.read_text("utf-8"))) - known
        assert not unknown, f"{path.relative_to(ROOT)} names {unknown}"
