# Copyright (c) 2026, the sfb.kb4023993 contributors
# GNU General Public License v3.0-or-later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The plan as a file that somebody approves."""

from __future__ import annotations

import typing as t

import pytest
from ansible_collections.sfb.kb4023993.plugins.plugin_utils.plan import (
    PlanError,
    describe_changes,
    plan_hash,
    plan_text,
    read_plan,
)
from builders import evidence as e
from builders import fleets as f

# ---- the plan as a file


def test_the_plan_is_its_text_and_its_text_has_one_hash() -> None:
    plan = f.plan(f.judge(e.front_end(opt_outs=e.opt_outs(e.Value(kind="string", data="日本")))))
    text = plan_text(plan)
    assert text == plan_text(f.plan(f.judge(e.front_end(opt_outs=e.opt_outs(e.Value(kind="string", data="日本"))))))
    assert read_plan(text, where="x") == plan
    assert text.isascii()
    assert plan_hash(text) == plan_hash(plan_text(read_plan(text, where="x")))
    assert plan_hash(text) != plan_hash(text + " ")
    assert len(plan_hash(text)) == 64


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("System.Net.ServicePointManager.RequireCertificateEKUs", "System.Net.ServicePointManager.SchSendAuxRecord"),
        ("SOFTWARE\\\\Microsoft\\\\.NETFramework", "SOFTWARE\\\\Microsoft\\\\Windows"),
        ("DataMCUSvc.exe", "lsass.exe"),
        ("v4.0.30319", "v1.0.3705"),
    ],
)
def test_a_plan_with_a_foreign_target_is_refused(old: str, new: str) -> None:
    text = plan_text(f.plan(f.judge(e.front_end())))
    assert old in text
    with pytest.raises(PlanError, match="which is not an override"):
        read_plan(text.replace(old, new), where="/x/plan.json")


@pytest.mark.parametrize(
    "damage",
    [
        lambda text: text[:-20],
        lambda _text: "",
        lambda _text: "[" * 100_000,
        lambda _text: "[]",
        lambda text: text.replace('"schema": 1', '"schema": 2'),
        lambda text: text.replace('"schema": 1', '"schema": true'),
        lambda text: text.replace('"restart": "now"', '"restart": "never"'),
        lambda text: text.replace('"prune": false', '"prune": "no"'),
        lambda text: text.replace('"hosts"', '"host"'),
        lambda text: text.replace('"waves": 1', '"waves": ' + "9" * 5000),
    ],
    ids=range(10),
)
def test_a_damaged_plan_is_refused_by_name_with_advice(damage: t.Callable[[str], str]) -> None:
    text = plan_text(f.plan(f.judge(e.front_end())))
    with pytest.raises(PlanError, match=r"^/x/plan\.json .*Make a new plan"):
        read_plan(damage(text), where="/x/plan.json")


def test_the_difference_names_key_value_before_and_after() -> None:
    before, after = describe_changes(f.planned(f.judge(e.front_end(opt_outs=e.opt_outs(e.Value(view="32"))))))
    assert before.splitlines() == [
        f"HKLM\\{e.opt_out_key()} (32-bit view): {e.executable()} = REG_DWORD 0",
        f"HKLM\\{e.opt_out_key()}: {e.executable()} = absent",
        "RTCDATAMCU: not restarted",
    ]
    assert after.splitlines() == [
        f"HKLM\\{e.opt_out_key()} (32-bit view): {e.executable()} = absent",
        f"HKLM\\{e.opt_out_key()}: {e.executable()} = REG_DWORD 0",
        "RTCDATAMCU: restarted in wave 1",
    ]


@pytest.mark.parametrize(
    "value",
    [
        pytest.param(e.Value(kind="string", data="x\n+HKLM\\forged = REG_DWORD 0\x1b[2J"), id="data"),
        pytest.param(e.Value(name="x\nforged\x1b[2J\\DataMCUSvc.exe"), id="name"),
    ],
)
def test_the_difference_has_one_printable_line_for_each_change(value: e.Value) -> None:
    plan = f.planned(f.judge(e.front_end(opt_outs=e.opt_outs(value))))
    for text in describe_changes(plan):
        assert len(text.splitlines()) == len(plan.changes) + 1
        assert all(line.isprintable() for line in text.splitlines())
