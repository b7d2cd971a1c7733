# Copyright (c) 2026, the sfb.kb4023993 contributors
# GNU General Public License v3.0-or-later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A run may die after any single operation: the next one comes to the same end, and the rollback to the beginning."""

from __future__ import annotations

import typing as t

import pytest
from ansible_collections.sfb.kb4023993.plugins.plugin_utils.host import operations as op
from ansible_collections.sfb.kb4023993.plugins.plugin_utils.records import KEY
from builders.remediation import (
    WRONG,
    broken,
    cut_everywhere,
    enforces,
    planned,
    records,
    settle,
)
from builders.simulated import Simulated

# ---- a run may die anywhere


@pytest.mark.parametrize("step", ["write", "restart"])
@pytest.mark.parametrize(
    ("wrong", "strangers"), [((), False), (WRONG[:2], True)], ids=["no key before", "wrong overrides"]
)
def test_a_remediation_that_dies_anywhere_is_finished_by_the_next_run_and_can_be_rolled_back(
    step: str, wrong: tuple[dict[str, t.Any], ...], strangers: bool
) -> None:
    def prepare() -> Simulated:
        return broken(*wrong, strangers=strangers)

    untouched = prepare()
    before = untouched.dump()
    untouched.run()
    goal_values = {path: keys for path, keys in untouched.dump().items() if not path.startswith(KEY)}
    for operations, simulated in cut_everywhere(prepare, "override", step):
        settle(simulated, "override")
        found = {path: keys for path, keys in simulated.dump().items() if not path.startswith(KEY)}
        assert found == goal_values, f"cut after {operations}"
        assert not enforces(simulated), f"cut after {operations}"
        settle(simulated, "rollback")
        assert simulated.dump() == before, f"cut after {operations}"
        assert enforces(simulated), f"cut after {operations}"


def test_after_a_death_a_run_without_saved_evidence_comes_to_rest_too() -> None:
    for _operations, simulated in cut_everywhere(broken, "override", "write"):
        simulated.forget()
        settle(simulated, "override")
        simulated.forget()
        assert simulated.plan().hosts == ()


@pytest.mark.parametrize("step", ["write", "restart"])
def test_a_rollback_that_dies_anywhere_is_finished_by_the_next_one(step: str) -> None:
    before = broken(WRONG[1]).dump()

    def remediated() -> Simulated:
        simulated = broken(WRONG[1])
        simulated.run()
        return simulated

    for operations, simulated in cut_everywhere(remediated, "rollback", step):
        settle(simulated, "rollback")
        assert simulated.dump() == before, f"cut after {operations}"
        assert enforces(simulated), f"cut after {operations}: the process still has the opt-out"


def test_a_rollback_may_follow_a_remediation_that_died_anywhere() -> None:
    before = broken(WRONG[0]).dump()
    for operations, simulated in cut_everywhere(lambda: broken(WRONG[0]), "override", "write"):
        settle(simulated, "rollback")
        assert simulated.dump() == before, f"cut after {operations}"
        assert enforces(simulated)


@pytest.mark.parametrize("goal", ["override", "rollback"])
def test_the_record_is_on_the_server_before_what_it_describes(goal: t.Any) -> None:
    simulated = broken(*WRONG)
    if goal == "rollback":
        simulated.run()
    before = records(simulated).changes
    session = simulated.session()
    simulated.write(planned(simulated, goal), session=session)
    recorded = {found.value_name for found in before}
    for operation in session.done:
        if isinstance(operation, (op.RegistrySet, op.RegistryDelete)) and operation.path == KEY:
            recorded.add(operation.name)
        elif operation.CHANGES:
            changed = t.cast(op.RegistrySet, operation)
            assert f"change|{changed.view}|{changed.path}|{changed.name}".lower() in recorded


def test_every_write_to_an_opt_out_key_carries_what_it_expects_to_find() -> None:
    simulated = broken(*WRONG)
    session = simulated.session()
    simulated.write(planned(simulated), session=session)
    writes = [x for x in session.done if isinstance(x, (op.RegistrySet, op.RegistryDelete)) and x.path != KEY]
    assert len(writes) == 4
    assert {x.expect for x in writes} == {"absent", "value"} - (
        {"absent"} if all(w.expect == "value" for w in writes) else set()
    )
    assert all(x.expect != "anything" for x in writes)
