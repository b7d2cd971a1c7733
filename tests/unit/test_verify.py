# Copyright (c) 2026, the sfb.kb4023993 contributors
# GNU General Public License v3.0-or-later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether a plan was carried out is told by a new reading, never by the memory of what was done."""

from __future__ import annotations

import dataclasses
import typing as t

import pytest
from ansible_collections.sfb.kb4023993.plugins.plugin_utils.evaluate import Assessment
from ansible_collections.sfb.kb4023993.plugins.plugin_utils.plan import Plan
from ansible_collections.sfb.kb4023993.plugins.plugin_utils.records import (
    ABSENT,
    ChangeRecord,
    RestartRecord,
    ValueState,
)
from ansible_collections.sfb.kb4023993.plugins.plugin_utils.verify import HostResult, verify
from builders import certificates as c
from builders import evidence as e
from builders import fleets as f

DONE: t.Final = (("changed", "written"), ("changed", "restarted"))
AFTER: t.Final = "2026-03-08T11:00:00.000Z"
RECORD: t.Final = ChangeRecord(
    path=e.opt_out_key(),
    name=e.executable(),
    view="64",
    key_existed=True,
    before=ABSENT,
    written=ValueState(kind="dword", data=0),
    state="applied",
    time_utc=e.LATER,
    run_id="r",
)
WAITING: t.Final = RestartRecord(since_utc=e.LATER, run_id="r")


def fixed(started: str = AFTER, *, restart: RestartRecord | None = None, **words: t.Any) -> Assessment:
    """The Front End after the override was written at LATER."""
    left = (RECORD, restart) if restart else (RECORD,)
    return f.judge(
        e.front_end(started=started, **{"opt_outs": e.opt_outs(e.Value()), "records": e.records(*left), **words})
    )


def override(**policy: t.Any) -> Plan:
    return f.plan(f.judge(e.front_end()), **policy)


def result(plan: Plan, after: Assessment, outcomes: tuple[tuple[str, str], ...] = DONE) -> HostResult:
    found = verify(plan, after, {"fe01": outcomes})
    assert [x.host for x in found] == ["fe01"]
    return found[0]


def test_what_a_new_reading_confirms_is_done() -> None:
    found = result(override(), fixed())
    assert found.result == "done"
    assert "mitigated" in found.message
    assert AFTER in found.message


@pytest.mark.parametrize(
    "opt_outs",
    [
        e.opt_outs(),
        e.opt_outs(e.Value(data=1)),
        e.opt_outs(e.Value(kind="string", data="0")),
        e.opt_outs(unreadable=[(e.CLR4, "64")]),
    ],
    ids=["gone", "1", "text", "unreadable"],
)
def test_good_outcomes_do_not_help_when_the_value_is_not_there(opt_outs: t.Any) -> None:
    assert result(override(), fixed(opt_outs=opt_outs)).result == "failed"


def test_a_process_that_was_not_restarted_is_a_failure_although_the_step_said_done() -> None:
    found = result(override(), fixed(e.STARTED))
    assert (found.result, "not in effect" in found.message) == ("failed", True)


def test_a_restart_put_off_on_purpose_is_pending() -> None:
    found = result(override(restart="later"), fixed(e.STARTED, restart=WAITING), (("changed", "written"),))
    assert (found.result, "restart=later" in found.message) == ("pending", True)


@pytest.mark.parametrize("status", ["refused", "failed"])
def test_a_step_that_failed_explains_the_host(status: str) -> None:
    assert result(override(), fixed(), (("changed", "x"), (status, "The reason."))) == HostResult(
        host="fe01", result="failed", message="The reason."
    )


@pytest.mark.parametrize(
    "after", [f.judge(f.unread("fe01", saved=e.front_end())), f.judge(f.unread("fe01")), f.judge(e.edge())]
)
def test_a_host_that_cannot_be_read_after_the_change_is_a_failure(after: Assessment) -> None:
    assert result(override(), after).result == "failed"


def test_a_connection_that_is_still_broken_is_a_failure() -> None:
    found = result(override(), f.judge(dataclasses.replace(e.front_end(), opt_outs=e.opt_outs(e.Value())), e.edge()))
    assert found.result == "failed"


def test_a_rollback_is_done_when_the_values_are_back_whatever_the_verdict() -> None:
    before = f.judge(
        e.front_end(opt_outs=e.opt_outs(e.Value()), records=e.records(dataclasses.replace(RECORD, time_utc=e.EARLIER)))
    )
    plan = f.plan(before, "rollback")
    assert result(plan, f.judge(e.front_end(started=AFTER))).result == "done"
    assert result(plan, fixed()).result == "failed"
    assert result(plan, f.judge(e.front_end(records=e.records(WAITING)))).result == "failed"


def test_a_host_outside_the_plan_has_no_result() -> None:
    good = e.front_end(cert=c.certificate("both"))
    assert verify(f.plan(f.judge(good)), f.judge(good), {}) == ()
