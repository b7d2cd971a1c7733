# Copyright (c) 2026, the sfb.kb4023993 contributors
# GNU General Public License v3.0-or-later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Changing a simulated server: what is written and recorded, what is taken back, what is refused."""

from __future__ import annotations

import dataclasses
import typing as t

import pytest
from ansible_collections.sfb.kb4023993.plugins.plugin_utils.records import ABSENT, KEY
from ansible_collections.sfb.kb4023993.plugins.plugin_utils.verify import verify
from builders import evidence as e
from builders import fleets as f
from builders.remediation import (
    EXE,
    OPT_OUTS,
    STRANGERS,
    WRONG,
    broken,
    enforces,
    planned,
    records,
    value,
)
from builders.simulated import Simulated

# ---- the way through


def test_the_override_is_written_recorded_read_by_the_process_and_planned_once() -> None:
    simulated = broken()
    plan, outcomes = simulated.run()
    assert [o.status for o in outcomes] == ["changed", "changed"]
    assert value(simulated) == ("dword", 0)
    assert not enforces(simulated)
    found = records(simulated)
    assert [(r.state, str(r.before), str(r.written), r.key_existed) for r in found.changes] == [
        ("applied", "absent", "REG_DWORD 0", True)
    ]
    assert found.restart is None
    assert simulated.plan().hosts == ()
    assert f.verdict(simulated.judge(), "fe01") == "mitigated"
    assert [r.result for r in verify(plan, simulated.judge(), {})] == ["done"]


def test_without_evidence_of_earlier_runs_the_servers_own_record_proves_the_override() -> None:
    simulated = broken()
    simulated.run()
    simulated.forget()
    assert f.verdict(simulated.judge(), "fe01") == "mitigated"
    simulated.forget()
    assert simulated.plan().hosts == ()


@pytest.mark.parametrize(
    "wrong", [(), *((w,) for w in WRONG), WRONG], ids=["none", "text", "32-bit view", "quoted", "other CLR", "all"]
)
@pytest.mark.parametrize("strangers", [True, False], ids=["key shared", "key not there"])
def test_rollback_gives_back_exactly_the_registry_that_was_there(wrong: tuple[t.Any, ...], strangers: bool) -> None:
    simulated = broken(*wrong, strangers=strangers)
    before = simulated.dump()
    simulated.run()
    assert not enforces(simulated)
    _plan, outcomes = simulated.run("rollback")
    assert {o.status for o in outcomes} == {"changed"}
    assert simulated.dump() == before
    assert enforces(simulated)
    assert simulated.plan("rollback").hosts == ()


def test_values_of_other_executables_stay_as_they_are_through_everything() -> None:
    simulated = broken(*WRONG)
    for goal in ("override", "rollback"):
        simulated.run(t.cast(t.Any, goal))
        for path, name, kind, data in STRANGERS:
            assert value(simulated, name, path) == (kind, data)


def test_a_key_that_others_have_moved_into_is_not_removed_by_the_rollback() -> None:
    simulated = broken(strangers=False)
    simulated.run()
    simulated.host().registry.write(OPT_OUTS, r"C:\Other\New.exe", "dword", 0)
    simulated.run("rollback")
    assert value(simulated) is None
    assert value(simulated, r"C:\Other\New.exe") == ("dword", 0)


def test_the_records_are_for_administrators_alone_and_go_with_the_last_change() -> None:
    simulated = broken()
    simulated.run()
    assert simulated.host().registry.is_private(KEY)
    simulated.run("rollback")
    assert not simulated.host().registry.exists(KEY)


def test_records_that_asked_for_no_restart_leave_nothing_behind_either() -> None:
    simulated = Simulated(
        fe01={"certificate": "both", "opt_outs": [{"view": 32, "age": "90m"}]}, edge01={"certificate": "both"}
    )
    before = simulated.dump()
    process = simulated.host().web_conferencing()
    simulated.run()
    assert value(simulated, view="32") is None
    simulated.run("rollback")
    assert simulated.dump() == before
    assert simulated.host().web_conferencing() is process


@pytest.mark.parametrize("product", ["lync2010", "lync2013"])
def test_each_product_gets_the_value_that_its_own_process_reads(product: t.Any) -> None:
    update = (
        {"version": "3.5.1", "update": "KB4014504", "installed": "2h"}
        if product == "lync2010"
        else {"version": "4.5.2", "update": "KB4014514", "installed": "2h"}
    )
    simulated = Simulated(
        fe01={
            "product": product,
            "os": "server2008r2",
            "dotnet": update,
            "install_directory": r"D:\Lync",
            "image_path": "short",
        }
    )
    assert enforces(simulated)
    simulated.run()
    assert not enforces(simulated)
    clr = e.CLR2 if product == "lync2010" else e.CLR4
    assert value(simulated, r"D:\Lync\Web Conferencing\DataMCUSvc.exe", e.opt_out_key(clr)) == ("dword", 0)


# ---- compare and set


@pytest.mark.parametrize("change", [("string", "0"), ("dword", 1), ("qword", 0)])
def test_a_value_that_somebody_changed_since_the_plan_refuses_everything(change: tuple[str, t.Any]) -> None:
    simulated = broken(WRONG[1])
    plan = planned(simulated)
    simulated.host().registry.write(OPT_OUTS, EXE, *change)
    before = simulated.dump()
    outcome = simulated.write(plan)
    assert outcome.status == "refused"
    assert "Nothing was written" in outcome.message
    assert simulated.dump() == before


def test_a_value_that_somebody_changes_between_reading_and_writing_is_left_alone() -> None:
    simulated = broken()
    session = simulated.session()
    plan = planned(simulated)

    def interfere() -> None:
        if session.batches == 2:
            simulated.host().registry.write(OPT_OUTS, EXE, "dword", 1)

    session.before_batch = interfere
    outcome = simulated.write(plan, session=session)
    assert outcome.status == "refused"
    assert "somebody changed" in outcome.message
    assert value(simulated) == ("dword", 1)


def test_after_a_refused_change_the_rest_of_the_batch_is_not_carried_out() -> None:
    simulated = broken(WRONG[1])
    session = simulated.session()
    plan = planned(simulated)
    assert [change.view for change in plan.changes] == ["32", "64"]

    def interfere() -> None:
        if session.batches == 2:
            simulated.host().registry.write(OPT_OUTS, EXE, "dword", 1, view="32")

    session.before_batch = interfere
    assert simulated.write(plan, session=session).status == "refused"
    assert value(simulated) is None
    assert not [record for record in records(simulated).changes if record.state == "applied"]


def test_a_change_that_is_refused_leaves_no_restart_behind() -> None:
    simulated = broken()
    session = simulated.session()
    plan = planned(simulated)

    def interfere() -> None:
        if session.batches == 2:
            simulated.host().registry.write(OPT_OUTS, EXE, "dword", 1)

    session.before_batch = interfere
    assert simulated.write(plan, session=session).status == "refused"
    assert records(simulated).restart is None


def test_a_value_that_is_already_as_planned_is_not_written_again() -> None:
    simulated = broken()
    plan = planned(simulated)
    simulated.host().registry.write(OPT_OUTS, EXE, "dword", 0)
    assert simulated.write(plan).ok
    assert records(simulated).changes == ()


def test_another_machine_under_the_same_name_is_refused() -> None:
    simulated = broken()
    plan = dataclasses.replace(planned(simulated), machine_guid="guid-of-another")
    before = simulated.dump()
    outcome = simulated.write(plan)
    assert (outcome.status, simulated.dump() == before) == ("refused", True)
    assert "not the machine" in outcome.message


def test_a_key_that_may_not_be_written_fails_with_the_stage_and_restarts_nothing() -> None:
    simulated = broken()
    plan = planned(simulated)
    simulated.host().registry.denied.add(OPT_OUTS)
    outcome = simulated.write(plan)
    assert outcome.status == "failed"
    assert "denied" in outcome.message
    assert records(simulated).restart is None


def test_the_oldest_before_is_kept_through_our_own_later_changes() -> None:
    simulated = broken(WRONG[0])
    before = simulated.dump()
    plan = planned(simulated)
    simulated.run()
    simulated.deployment.clock.advance(60)
    (change,) = plan.changes
    again = dataclasses.replace(change, expect=change.write, write=ABSENT)
    assert simulated.write(dataclasses.replace(plan, changes=(again,))).ok
    assert [(str(r.before), str(r.written)) for r in records(simulated).changes] == [("REG_SZ 0", "absent")]
    simulated.run("rollback")
    assert simulated.dump() == before


def test_what_somebody_else_wrote_in_between_is_what_comes_back() -> None:
    simulated = broken(WRONG[0])
    simulated.run()
    simulated.host().registry.write(OPT_OUTS, EXE, "string", "00")
    simulated.deployment.clock.advance(60)
    simulated.run()
    assert value(simulated) == ("dword", 0)
    simulated.run("rollback")
    assert value(simulated) == ("string", "00")


def test_nothing_to_do_writes_nothing() -> None:
    simulated = broken()
    plan = dataclasses.replace(planned(simulated), changes=(), restart=False, wave=None)
    before = simulated.dump()
    assert simulated.write(plan).status == "unchanged"
    assert simulated.dump() == before


def test_an_outcome_is_one_printable_line_whatever_stands_in_the_registry() -> None:
    simulated = broken()
    plan = planned(simulated)
    simulated.host().registry.write(OPT_OUTS, EXE, "string", "\x1b[2Jx\nfe99: changed: all is well")
    assert simulated.write(plan).message.isprintable()
