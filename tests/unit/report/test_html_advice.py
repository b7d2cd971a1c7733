# Copyright (c) 2026, the sfb.kb4023993 contributors
# GNU General Public License v3.0-or-later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Every finding says what people notice, why, how it is mended and taken back; and its commands are right and harmless to copy."""

from __future__ import annotations

import dataclasses
import pathlib
import re
import shlex
import typing as t

import pytest
import yaml
from ansible_collections.sfb.kb4023993.plugins.plugin_utils.findings import CATALOGUE, HostJudgement
from ansible_collections.sfb.kb4023993.plugins.plugin_utils.report import advice as a
from ansible_collections.sfb.kb4023993.plugins.plugin_utils.rules.opt_outs import override_path
from builders import evidence as e
from builders import fleets as f

ROOT: t.Final = pathlib.Path(__file__).parents[3]
STEPS: t.Final = {
    step.id: step for entry in a.advice().values() for way in (*entry.fix, *entry.rollback) for step in way.steps
}
COMMANDS: t.Final = [(step, command) for step in STEPS.values() for command in step.commands]


def front_end(**words: t.Any) -> HostJudgement:
    return f.host(f.judge(e.front_end(**words)), words.get("name", "fe01"))


def shown(step: str, *hosts: HostJudgement) -> list[str]:
    return [command for block in a.blocks(STEPS[step], hosts) for command in block.commands]


# ---- nothing is missing


def test_there_is_advice_for_every_finding_and_for_nothing_else() -> None:
    assert set(a.advice()) == set(CATALOGUE)


@pytest.mark.parametrize("identifier", sorted(CATALOGUE))
def test_a_finding_has_symptom_cause_fix_and_rollback(identifier: str) -> None:
    entry = a.advice()[identifier]
    assert len(entry.symptom) >= 5
    assert len(entry.cause) > 20
    assert len(entry.fix) == 1 or all(way.title for way in entry.fix)
    assert len(entry.rollback) == 1 or all(way.title for way in entry.rollback)
    assert all(way.steps for way in (*entry.fix, *entry.rollback))
    assert entry.rollback


def test_every_step_is_used_and_every_sentence_ends() -> None:
    written = yaml.safe_load((ROOT / "plugins/plugin_utils/report/advice.yml").read_text("utf-8"))
    assert set(written["steps"]) == set(STEPS)
    texts = [entry[key] for entry in written["findings"] for key in ("symptom", "cause")]
    texts += [step.text for step in STEPS.values()]
    assert not [text for text in texts if not text.endswith(".")]


def test_commands_say_where_they_are_typed() -> None:
    assert all((step.where is None) == (not step.commands) for step in STEPS.values())
    assert {step.where for step in STEPS.values()} == {"controller", "server", "ca", None}


# ---- commands are right


@pytest.mark.parametrize(("step", "command"), COMMANDS)
def test_a_command_names_only_what_exists(step: a.Step, command: str) -> None:
    assert step.placeholders <= {"executable", "clr", "use", "thumbprint", "limit"}
    assert command.isascii(), "typographic quotes break when they are copied"
    for playbook in re.findall(r"ansible-playbook sfb\.kb4023993\.(\w+)", command):
        assert (ROOT / "playbooks" / f"{playbook}.yml").is_file()
    for module in re.findall(r"-m sfb\.kb4023993\.(\w+)", command):
        assert (ROOT / "plugins" / "modules" / f"{module}.py").is_file()
    variables = (ROOT / "docs" / "variables.md").read_text("utf-8")
    for variable in re.findall(r"sfb_kb4023993_\w+", command):
        assert f"| `{variable}` |" in variables
    if step.where == "controller":
        assert shlex.split(command)[0] in ("ansible", "ansible-playbook")
    if command.startswith("reg "):
        assert "/reg:64" in command or "NET Framework Setup" in command


def test_words_that_a_step_explains_are_variables() -> None:
    variables = (ROOT / "docs" / "variables.md").read_text("utf-8")
    for text in (step.text for step in STEPS.values()):
        for variable in re.findall(r"sfb_kb4023993_\w+", text):
            assert f"`{variable}`" in variables
        for page in re.findall(r"docs/[\w-]+\.md", text):
            assert (ROOT / page).is_file()


@pytest.mark.parametrize("product", ["lync2010", "lync2013", "sfb2015"])
def test_by_hand_it_is_the_value_that_the_collection_would_write(product: t.Any) -> None:
    dotnet = e.dotnet(*e.copies(e.CLR2 if product == "lync2010" else e.CLR4))
    assessment = f.judge(e.front_end(product=product, dotnet=dotnet))
    (change,) = [c for c in f.planned(assessment).changes if str(c.write) == "REG_DWORD 0"]
    query, add, restart = shown("override_by_hand", f.host(assessment, "fe01"))
    assert add == f'reg add "HKLM\\{change.path}" /v "{change.name}" /t REG_DWORD /d 0 /f /reg:64'
    assert query == f'reg query "HKLM\\{change.path}" /reg:64'
    assert restart == "Restart-Service -Name RTCDATAMCU -Force"
    delete, _restart = shown("rollback_override_by_hand", f.host(assessment, "fe01"))
    assert delete == f'reg delete "HKLM\\{change.path}" /v "{change.name}" /f /reg:64'


def test_servers_with_the_same_values_share_their_commands() -> None:
    assessment = f.judge(
        e.front_end("fe01"),
        e.front_end("fe02"),
        e.front_end("fe03", folder=r"D:\Program Files\Skype for Business Server 2015"),
    )
    found = a.blocks(STEPS["override_by_hand"], assessment.judgement.hosts)
    assert [block.hosts for block in found] == [("fe01", "fe02"), ("fe03",)]
    assert r'"D:\Program Files\Skype for Business Server 2015' in found[1].commands[1]
    assert not any(block.hints for block in found)


def test_a_rollback_of_a_certificate_names_the_present_one() -> None:
    edge = f.host(f.judge(e.edge()), "edge01")
    assert edge.certificate
    command = shown("rollback_certificate", edge)[0]
    assert command == f"Set-CsCertificate -Type Internal -Thumbprint {edge.certificate.thumbprint}"


def test_many_servers_with_values_of_their_own_get_one_block_with_open_words() -> None:
    hosts = [dataclasses.replace(front_end(), name=f"fe{n}", executable=rf"D:\{n}\DataMCUSvc.exe") for n in range(13)]
    (block,) = a.blocks(STEPS["override_by_hand"], hosts)
    assert r"FULL-PATH\DataMCUSvc.exe" in block.commands[1]
    assert any("ImagePath" in hint for hint in block.hints)


# ---- commands are harmless

EVIL: t.Final = (
    r'C:\x" & calc & "\DataMCUSvc.exe',
    r"C:\$(calc)\DataMCUSvc.exe",
    r"C:\%COMSPEC%\DataMCUSvc.exe",
    r"C:\`calc`\DataMCUSvc.exe",
    "C:\\x\u201d & calc & \u201c\\DataMCUSvc.exe",
    "C:\\x\ncalc\\DataMCUSvc.exe",
    "C:\\x;calc\\DataMCUSvc.exe",
    "C:\\{thumbprint}\\DataMCUSvc.exe",
    r"\\server\share\DataMCUSvc.exe",
    "C:\\x\\DataMCUSvc.exe\\",
    "C:\\x\\DataMCUSvc.exe\n",
)


@pytest.mark.parametrize("path", EVIL)
def test_a_path_that_a_shell_could_misread_is_left_to_the_reader(path: str) -> None:
    commands = shown("override_by_hand", dataclasses.replace(front_end(), executable=path))
    assert commands[1].count(r'"FULL-PATH\DataMCUSvc.exe"') == 1
    assert "calc" not in " ".join(commands)


@pytest.mark.parametrize(
    "path", [r"C:\Program Files (x86)\Lync\DataMCUSvc.exe", r"D:\プログラム\Größe, neu\DataMCUSvc.exe"]
)
def test_a_path_of_letters_is_shown(path: str) -> None:
    assert f'"{path}"' in shown("override_by_hand", dataclasses.replace(front_end(), executable=path))[1]


@pytest.mark.parametrize(
    "name", ["fe01; reboot", "-e@/etc/shadow", "$(reboot)", "fe01'", "fe 01", "!fe01", "fe01\n", "@file"]
)
def test_a_name_that_a_shell_could_misread_is_left_to_the_reader(name: str) -> None:
    host = dataclasses.replace(front_end(), name=name)
    (block,) = a.blocks(STEPS["rollback_override"], [host])
    assert all("--limit SERVERS" in command for command in block.commands)
    assert any("SERVERS" in hint for hint in block.hints)


def test_a_few_servers_are_named_and_many_are_not() -> None:
    hosts = [dataclasses.replace(front_end(), name=f"fe{n}") for n in range(9)]
    assert "--limit fe0,fe1 " in shown("rollback_override", *hosts[:2])[0]
    assert "--limit SERVERS" in shown("rollback_override", *hosts)[0]


def test_the_key_is_that_of_the_rules() -> None:
    assert f"HKLM\\{override_path('v4.0.30319')}" in shown("override_by_hand", front_end())[1]
