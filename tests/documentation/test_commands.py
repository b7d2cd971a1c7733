# Copyright (c) 2026, the sfb.kb4023993 contributors
# GNU General Public License v3.0-or-later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Every command in the documentation names playbooks, variables, modules and targets that exist, with values that are taken."""

from __future__ import annotations

import importlib
import re
import typing as t

import pytest
import yaml
from documentation.pages import ROOT, Command, all_blocks, commands

OUR = "sfb.kb4023993."
COMMANDS = commands()
CHECKED: dict[str, dict[str, t.Any]] = yaml.safe_load(
    (ROOT / "playbooks" / "tasks" / "check_variables.yml").read_text("utf-8")
)[0]["ansible.builtin.validate_argument_spec"]["argument_spec"]
_ROW = re.compile(r"^\| `(sfb_kb4023993_\w+)` \|(?: [^|]* \| ([\w, ]+) \|)? ", re.MULTILINE)
# By variable the playbooks that read it (tests/unit/test_variables_docs.py keeps that true), none for a host variable and for what only
# the rulebooks read (tests/unit/eda).
READ_BY = {
    **{name: frozenset() for name, _ in _ROW.findall((ROOT / "docs" / "event-driven.md").read_text("utf-8"))},
    **{
        name: frozenset(playbooks.split(", ")) if playbooks else frozenset()
        for name, playbooks in _ROW.findall((ROOT / "docs" / "variables.md").read_text("utf-8"))
    },
}


def _of(program: str) -> list[t.Any]:
    return [pytest.param(c, id=str(c)[:120]) for c in dict.fromkeys(COMMANDS) if c.words[0] == program]


def _playbook(command: Command) -> str:
    """The word that names the playbook."""
    options = {"-i", "-e", "-l", "--limit", "--forks", "--vault-password-file", "--extra-vars"}
    words = iter(command.words[2 if command.words[0] == "ansible-navigator" else 1 :])
    for word in words:
        if word in options:
            next(words)
        elif not word.startswith("-"):
            return word
    raise AssertionError(f"{command} names no playbook")


def _extra(command: Command) -> t.Iterator[tuple[str, str]]:
    """Name and value of each extra variable that stands on the command line itself."""
    for option, value in zip(command.words, command.words[1:], strict=False):
        if option in ("-e", "--extra-vars") and not value.startswith("@"):
            match = re.fullmatch(r"(\w+)=(.*)", value, re.DOTALL)
            assert match, f"{command}: -e {value}"
            yield match.group(1), match.group(2)


@pytest.mark.parametrize("command", [*_of("ansible-playbook"), *_of("ansible-navigator")])
def test_a_playbook_exists_and_reads_the_variables_that_it_is_given(command: Command) -> None:
    named = _playbook(command)
    path = ROOT / "playbooks" / f"{named.removeprefix(OUR)}.yml" if named.startswith(OUR) else ROOT / named
    assert path.is_file(), f"{command}: there is no {path.relative_to(ROOT)}"
    for name, value in _extra(command):
        assert name in CHECKED, f"{command}: {name} does not exist"
        assert path.stem in READ_BY[name], f"{command}: {path.stem} does not read {name}"
        _check_value(name, value, CHECKED[name], str(command))


def _check_value(name: str, value: str, spec: dict[str, t.Any], where: str) -> None:
    values = value.split(",") if spec["type"] == "list" else [value]
    for one in values:
        if "choices" in spec:
            assert one in map(str, spec["choices"]), f"{where}: {name} does not take {one}"
        if spec["type"] == "bool":
            assert one in ("true", "false"), f"{where}: {name} is true or false"
        if spec["type"] == "int":
            assert one.isdigit(), f"{where}: {name} is a number"


def test_something_was_checked() -> None:
    playbooks = {_playbook(c).removeprefix(OUR) for c in COMMANDS if c.words[0] == "ansible-playbook"}
    # The documentation shows how to start each playbook.
    assert playbooks >= {path.stem for path in (ROOT / "playbooks").glob("*.yml")}
    assert {name for command in COMMANDS if command.words[0] == "ansible-playbook" for name, _value in _extra(command)}


@pytest.mark.parametrize("command", _of("ansible"))
def test_a_module_exists_and_takes_its_arguments(command: Command) -> None:
    words = dict(zip(command.words, command.words[1:], strict=False))
    module = words.get("-m")
    if module is None:
        # It only asks Ansible of itself.
        assert command.words[1:] == ("--version",), command
        return
    if not module.startswith(OUR):
        assert module.startswith("ansible.builtin."), f"{command}: {module}"
        return
    action = importlib.import_module(f"ansible_collections.sfb.kb4023993.plugins.action.{module.removeprefix(OUR)}")
    for argument in words.get("-a", "").split():
        name, _equals, value = argument.partition("=")
        assert name in action.ActionModule.SPEC, f"{command}: {module} has no option {name}"
        assert value in action.ActionModule.SPEC[name].get("choices", [value]), f"{command}: {name}={value}"


@pytest.mark.parametrize("command", _of("make"))
def test_a_target_exists(command: Command) -> None:
    targets = set(re.findall(r"^([a-z]+):.*## ", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE))
    named = [word for word in command.words[1:] if "=" not in word]
    assert named, f"{command} names no target"
    assert set(named) <= targets, f"{command}: the Makefile has {sorted(targets)}"


def test_every_target_is_documented() -> None:
    shown = {word for command in COMMANDS if command.words[0] == "make" for word in command.words[1:]}
    for target in re.findall(r"^([a-z]+):.*## ", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE):
        assert target in shown | {"help", "environment"}, f"no page tells what make {target} does"


def test_variables_in_files_exist() -> None:
    """What stands as a key in a block: variables of an inventory, of an extra file, of a play."""
    seen = set()
    for block in all_blocks():
        for name in re.findall(r"^\s*(?:- )?(sfb_kb4023993_\w+):", block.text, re.MULTILINE):
            assert name in READ_BY, f"{block.where}: {name} does not exist"
            seen.add(name)
    assert {"sfb_kb4023993_pool", "sfb_kb4023993_edge_pool"} <= seen
