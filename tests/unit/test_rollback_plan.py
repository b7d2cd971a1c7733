# Copyright (c) 2026, the sfb.kb4023993 contributors
# GNU General Public License v3.0-or-later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a plan takes back, by the server's own record or for one host alone."""

from __future__ import annotations

import dataclasses
import typing as t

import pytest
from ansible_collections.sfb.kb4023993.plugins.plugin_utils.evidence import Evidence
from ansible_collections.sfb.kb4023993.plugins.plugin_utils.facts import single_host
from ansible_collections.sfb.kb4023993.plugins.plugin_utils.host.operations import (
    RegistryValue,
)
from ansible_collections.sfb.kb4023993.plugins.plugin_utils.host_plan import HostPlan, plan_override
from ansible_collections.sfb.kb4023993.plugins.plugin_utils.records import (
    ABSENT,
    ChangeRecord,
    ValueState,
)
from builders import certificates as c
from builders import evidence as e
from builders import fleets as f

TEXT_ZERO: t.Final = ValueState(kind="string", data="0")
GOOD: t.Final = c.certificate("both")
SEEN: t.Final = (e.sighted(e.Value(), e.EARLIER),)
OTHERS: t.Final = (
    e.Value(name=r"C:\Windows\System32\inetsrv\w3wp.exe"),
    e.Value(name=r"C:\Other\Service.exe", kind="string", data="0"),
    e.Value(name=r"C:\Other\Service.exe", view="32"),
    e.Value(name=r"C:\x\DataMCUSvc.exe.old", clr=e.CLR2),
)


# ---- rollback


@pytest.mark.parametrize(
    ("record", "now", "write", "prune"),
    [
        (e.change_record(), e.Value(), ABSENT, False),
        (e.change_record(key_existed=False), e.Value(), ABSENT, True),
        (e.change_record(before=TEXT_ZERO), e.Value(), TEXT_ZERO, False),
        (e.change_record(before=ValueState(kind="dword", data=1)), e.Value(), ValueState(kind="dword", data=1), False),
        (e.change_record(e.Value(view="32"), before=TEXT_ZERO, written=ABSENT), None, TEXT_ZERO, False),
        (e.change_record(name=e.executable().upper()), e.Value(), ABSENT, False),
    ],
    ids=["absent", "key made by us", "text", "another number", "removed by us", "other spelling"],
)
def test_rollback_puts_back_what_the_record_says(
    record: ChangeRecord, now: e.Value | None, write: ValueState, prune: bool
) -> None:
    own = e.front_end(opt_outs=e.opt_outs(*([now] if now else [])), records=e.records(record))
    plan = f.planned(f.judge(own), goal="rollback")
    assert [(x.name, x.view, x.expect, x.write, x.prune) for x in plan.changes] == [
        (record.name, record.view, record.written, write, prune)
    ]


@pytest.mark.parametrize("now", [e.Value(data=1), e.Value(kind="string", data="0"), None])
def test_rollback_refuses_when_somebody_changed_the_value_since(now: e.Value | None) -> None:
    record = e.change_record(before=ValueState(kind="dword", data=5))
    own = e.front_end(opt_outs=e.opt_outs(*([now] if now else [])), records=e.records(record))
    assert f.plan(f.judge(own), "rollback").hosts == ()
    assert "somebody changed it" in f.refusals(f.judge(own), "rollback")["fe01"]


def test_rollback_refuses_when_the_value_cannot_be_read() -> None:
    own = e.front_end(opt_outs=e.opt_outs(unreadable=[(e.CLR4, "64")]), records=e.records(e.change_record()))
    assert "could not be read" in f.refusals(f.judge(own), "rollback")["fe01"]


def test_a_value_that_is_already_back_only_loses_its_record() -> None:
    plan = f.planned(f.judge(e.front_end(records=e.records(e.change_record()))), goal="rollback")
    assert (plan.changes, plan.restart, plan.clear) == ((), False, (e.change_record().value_name,))


@pytest.mark.parametrize(
    ("record", "started", "restarts"),
    [
        (e.change_record(), e.STARTED, True),
        (e.change_record(time_utc=e.LATER), e.STARTED, False),
        (e.change_record(), None, False),
        (e.change_record(e.Value(view="32")), e.STARTED, False),
    ],
    ids=["read by the process", "written after its start", "service stopped", "never read"],
)
def test_rollback_restarts_only_a_process_that_has_read_the_value(
    record: ChangeRecord, started: str | None, restarts: bool
) -> None:
    own = e.front_end(opt_outs=e.opt_outs(e.Value(), e.Value(view="32")), records=e.records(record), started=started)
    assert f.planned(f.judge(own), goal="rollback").restart is restarts


def test_rollback_without_records_does_nothing_whatever_stands_there() -> None:
    assert f.left_alone(e.front_end(opt_outs=e.opt_outs(e.Value(), *OTHERS)), "rollback")


def test_rollback_of_a_change_that_was_never_read_drops_the_restart_that_it_asked_for() -> None:
    own = e.front_end(
        opt_outs=e.opt_outs(e.Value()),
        records=e.records(e.change_record(time_utc=e.LATER), e.restart_record(since=e.LATER)),
    )
    plan = f.planned(f.judge(own), goal="rollback")
    assert (plan.restart, plan.clear) == (False, ("restart|RTCDATAMCU",))


def test_rollback_does_not_lose_a_restart_that_an_earlier_rollback_left_pending() -> None:
    # The first rollback deleted the value and its record, and recorded the restart; then the run ended, or restart was 'later'.
    plan = f.planned(f.judge(e.front_end(records=e.records(e.restart_record(since=e.LATER)))), goal="rollback")
    assert plan.restart


@pytest.mark.parametrize("goal", ["override", "rollback"])
@pytest.mark.parametrize(
    "hostile",
    [
        RegistryValue(name="change|64|software\\microsoft\\windows\\currentversion\\run|x", kind="string", data="{}"),
        RegistryValue(name="restart|LSASS", kind="string", data='{"type": "restart"}'),
        RegistryValue(name="x", kind="string", data="[" * 10_000),
        RegistryValue(name="x", kind="binary", data="AA=="),
        RegistryValue(name=e.change_record().value_name, kind="string", data="{" * 60_000),
    ],
    ids=range(5),
)
def test_hostile_records_never_lead_to_a_change(goal: t.Any, hostile: RegistryValue) -> None:
    own = e.front_end(cert=GOOD, opt_outs=e.opt_outs(e.Value()), records=e.records(hostile))
    assert f.plan(f.judge(own), goal).hosts == ()
    if goal == "rollback":
        assert "not ours" in f.refusals(f.judge(own), goal)["fe01"]
    assert "RECORD-INVALID" in f.finding_ids(f.judge(own), "fe01")


# ---- one host alone, as the module has it


def alone(evidence: Evidence, *, present: bool) -> HostPlan | str | None:
    return plan_override(single_host(evidence)[0], present=present)


def test_present_writes_the_override_whatever_the_verdict_and_is_idempotent() -> None:
    plan = alone(e.front_end(cert=GOOD), present=True)
    assert isinstance(plan, HostPlan)
    assert f.steps(plan) == [(e.opt_out_key(), e.executable(), "64", "absent", "REG_DWORD 0")]
    assert alone(e.front_end(opt_outs=e.opt_outs(e.Value()), sightings=SEEN), present=True) is None


@pytest.mark.parametrize("records", [(), (e.change_record(),)], ids=["somebody else's", "ours"])
def test_absent_removes_the_override(records: tuple[ChangeRecord, ...]) -> None:
    plan = alone(e.front_end(opt_outs=e.opt_outs(e.Value(), *OTHERS), records=e.records(*records)), present=False)
    assert isinstance(plan, HostPlan)
    assert f.steps(plan) == [(e.opt_out_key(), e.executable(), "64", "REG_DWORD 0", "absent")]
    assert alone(e.front_end(), present=False) is None


@pytest.mark.parametrize("present", [True, False])
def test_the_override_of_a_server_that_is_no_front_end_is_refused(present: bool) -> None:
    assert "Front Ends only" in str(alone(e.edge(), present=present))
    assert "could not be read" in str(alone(dataclasses.replace(e.front_end(), opt_outs=None), present=present))
