# Copyright (c) 2026, the sfb.kb4023993 contributors
# GNU General Public License v3.0-or-later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Restarting Web Conferencing on a simulated server: recorded, waited for, and finished by whoever comes next."""

from __future__ import annotations

import typing as t

import pytest
from ansible_collections.sfb.kb4023993.plugins.plugin_utils.host import operations as op
from ansible_collections.sfb.kb4023993.plugins.plugin_utils.host.session import SessionError
from ansible_collections.sfb.kb4023993.plugins.plugin_utils.records import CLAIM, KEY
from ansible_collections.sfb.kb4023993.plugins.plugin_utils.verify import verify
from builders import fleets as f
from builders.remediation import (
    broken,
    cut_everywhere,
    enforces,
    planned,
    records,
    settle,
    value,
)
from builders.simulated import MCU, Simulated
from lab import client

# ---- restarts


def test_a_restart_is_recorded_before_it_begins_and_the_record_goes_at_its_end() -> None:
    simulated = broken()
    simulated.write(planned(simulated))
    waiting = records(simulated).restart
    assert waiting is not None
    assert waiting.begun_utc is None
    session = simulated.session()
    assert simulated.restart(session=session).status == "changed"
    kinds = [x for x in session.done if x.CHANGES]
    begun = kinds[1]
    assert isinstance(begun, op.RegistrySet)
    assert '"begun_utc": "@now@"' in begun.data[0]
    # In front of it the run makes sure that its claim stands; at the end both records go.
    assert [getattr(x, "name", "") for x in kinds] == [CLAIM, begun.name, MCU, begun.name, CLAIM]
    assert [type(x) for x in kinds[2:]] == [op.ServiceRestart, op.RegistryDelete, op.RegistryDelete]
    assert records(simulated).restart is None


def test_without_a_record_nothing_is_restarted_unless_forced() -> None:
    simulated = broken()
    process = simulated.host().web_conferencing()
    assert simulated.restart().status == "unchanged"
    assert simulated.host().web_conferencing() is process
    assert simulated.restart(force=True).status == "changed"
    assert simulated.host().web_conferencing() is not process


def test_restart_later_writes_and_leaves_the_restart_to_a_later_run() -> None:
    simulated = broken()
    plan, outcomes = simulated.run(restart="later")
    assert [o.status for o in outcomes] == ["changed"]
    assert enforces(simulated)
    judged = simulated.judge()
    assert f.verdict(judged, "fe01") == "broken"
    assert "RESTART-PENDING" in f.finding_ids(judged, "fe01")
    assert [r.result for r in verify(plan, judged, {})] == ["pending"]
    simulated.run()
    assert not enforces(simulated)
    assert simulated.plan().hosts == ()


def test_a_restart_by_hand_is_not_made_again() -> None:
    simulated = broken()
    simulated.run(restart="later")
    client.ask(simulated.deployment, "fe01", op.ServiceRestart(name=MCU, stop=True))
    simulated.deployment.clock.advance(5)
    session = simulated.session()
    assert "already been restarted" in simulated.restart(session=session).message
    assert not any(isinstance(x, op.ServiceRestart) for x in session.done)
    assert records(simulated).restart is None


def test_a_restart_by_hand_ends_the_waiting() -> None:
    simulated = broken()
    simulated.run(restart="later")
    client.ask(simulated.deployment, "fe01", op.ServiceRestart(name=MCU, stop=True))
    simulated.deployment.clock.advance(5)
    process = simulated.host().web_conferencing()
    settle(simulated, "override")
    assert simulated.host().web_conferencing() is process
    assert records(simulated).restart is None


@pytest.mark.parametrize("left", ["restarted by hand", "died after the restart"])
def test_a_fulfilled_restart_record_does_not_swallow_the_restart_of_a_later_rollback(left: str) -> None:
    simulated = broken()
    if left == "restarted by hand":
        simulated.run(restart="later")
        client.ask(simulated.deployment, "fe01", op.ServiceRestart(name=MCU, stop=True))
    else:
        simulated.write(planned(simulated))
        session = simulated.session(operations=4 + 3)
        with pytest.raises(SessionError):
            simulated.restart(session=session)
        assert isinstance(session.done[-1], op.ServiceRestart)
    simulated.deployment.clock.advance(60)
    assert not enforces(simulated)
    simulated.run("rollback")
    assert value(simulated) is None
    assert enforces(simulated), "the process still has the opt-out that it read at its last start"


def test_a_restart_that_is_stuck_names_its_state_and_a_later_run_goes_on_from_there() -> None:
    simulated = broken(services={MCU: {"stuck": True}})
    outcomes = simulated.run(timeout=0)[1]
    assert [o.status for o in outcomes] == ["changed", "failed"]
    assert "still stopping (stop_pending)" in outcomes[1].message
    assert "run the same playbook again" in outcomes[1].message
    judged = simulated.judge()
    assert "RESTART-UNFINISHED" in f.finding_ids(judged, "fe01")
    service = simulated.host().services.get(MCU)
    assert service is not None
    service.behaviour.stuck, service.due = False, simulated.deployment.clock.now()
    settle(simulated, "override")
    assert not enforces(simulated)
    assert records(simulated).restart is None


def test_a_slow_service_is_waited_for_in_short_batches() -> None:
    simulated = broken(services={MCU: {"stop_seconds": 45, "start_seconds": 30}}, dependents=["RTCONE"])
    simulated.write(planned(simulated))
    session = simulated.session()
    assert simulated.restart(session=session, timeout=600).status == "changed"
    asked = [x for x in session.done if isinstance(x, op.ServiceRestart)]
    assert [x.stop for x in asked] == [True, True, True, False][: len(asked)]
    assert len(asked) > 2
    assert all(x.seconds <= 20 for x in asked)
    dependent = simulated.host().services.get("RTCONE")
    assert dependent is not None
    assert dependent.status == "running", "it was stopped by the first batch and is known to the last one by the record"


def test_a_service_that_does_not_start_is_said_and_started_by_the_next_run() -> None:
    simulated = broken(services={MCU: {"fails_to_start": True}})
    outcomes = simulated.run()[1]
    assert outcomes[1].status == "failed"
    service = simulated.host().services.get(MCU)
    assert service is not None
    assert service.status == "stopped"
    service.behaviour.fails_to_start = False
    settle(simulated, "override")
    assert service.status == "running"
    assert not enforces(simulated)


def test_dependents_that_ran_are_started_again_also_by_the_run_that_finishes_it() -> None:
    def prepare() -> Simulated:
        return broken(dependents=["RTCONE", "RTCTWO"], services={"RTCTWO": {"stopped": True}})

    def states(simulated: Simulated) -> list[str]:
        found = [simulated.host().services.get(name) for name in (MCU, "RTCONE", "RTCTWO")]
        return [service.status for service in found if service]

    whole = prepare()
    assert states(whole) == ["running", "running", "stopped"]
    whole.run()
    assert states(whole) == ["running", "running", "stopped"]
    for _operations, simulated in cut_everywhere(prepare, "override", "restart"):
        settle(simulated, "override")
        assert states(simulated) == ["running", "running", "stopped"]


def test_a_dependent_that_does_not_come_back_is_a_failure_with_its_name() -> None:
    simulated = broken(dependents=["RTCONE"], services={"RTCONE": {"fails_to_start": True}})
    outcome = simulated.run()[1][1]
    assert outcome.status == "failed"
    assert "RTCONE" in outcome.message


@pytest.mark.parametrize("mode", [3, 4], ids=["manual", "disabled"])
def test_a_service_disabled_since_the_plan_is_not_touched(mode: int) -> None:
    simulated = broken()
    simulated.write(planned(simulated))
    simulated.host().registry.write(rf"SYSTEM\CurrentControlSet\Services\{MCU}", "Start", "dword", mode)
    process = simulated.host().web_conferencing()
    outcome = simulated.restart()
    assert outcome.status == ("refused" if mode == 4 else "changed")
    assert (simulated.host().web_conferencing() is process) == (mode == 4)


def test_a_stopped_service_gets_the_value_and_stays_stopped() -> None:
    simulated = broken(services={MCU: {"stopped": True}})
    _plan, outcomes = simulated.run()
    assert [o.status for o in outcomes] == ["changed"]
    assert value(simulated) == ("dword", 0)
    assert simulated.host().web_conferencing() is None
    assert records(simulated).restart is None
    assert simulated.plan().hosts == ()


def test_a_pool_of_two_is_restarted_one_after_the_other_and_ends_mitigated() -> None:
    simulated = Simulated(fe02={})
    plan, outcomes = simulated.run()
    assert sorted((host.host, host.wave) for host in plan.hosts) == [("fe01", 0), ("fe02", 1)]
    assert {o.status for o in outcomes} == {"changed"}
    judged = simulated.judge()
    assert [f.verdict(judged, name) for name in ("fe01", "fe02", "edge01")] == ["mitigated"] * 3
    assert [r.result for r in verify(plan, judged, {})] == ["done", "done"]


def test_hostile_records_on_the_server_are_neither_followed_nor_removed() -> None:
    simulated = Simulated(fe01={"certificate": "both"}, edge01={"certificate": "both"})
    registry = simulated.host().registry
    for name, text in {
        "change|64|software\\microsoft\\windows\\currentversion\\run|evil": '{"type":"change"}',
        "restart|LSASS": '{"schema":1,"type":"restart","service":"LSASS","since_utc":"2026-03-08T11:59:00Z","run_id":"x"}',
        "x": "[" * 10_000,
    }.items():
        registry.write(KEY, name, "string", text)
    before = simulated.dump()
    for goal in ("override", "rollback"):
        assert simulated.run(t.cast(t.Any, goal))[0].hosts == ()
    assert simulated.dump() == before


@pytest.mark.parametrize(
    ("certificate", "verdict"), [("both", "compliant"), ("webserver", "broken"), ("limited_ca", "broken")]
)
def test_an_edge_that_nobody_may_log_on_to_is_judged_through_its_front_end(certificate: str, verdict: str) -> None:
    simulated = Simulated(
        fe01={"certificate": "both"}, edge01={"certificate": certificate, "quirks": {"unreachable": True}}
    )
    assert f.verdict(simulated.judge(), "fe01") == verdict


def test_a_dependent_that_does_not_come_back_is_tried_again_by_the_next_run() -> None:
    simulated = broken(dependents=["RTCONE"], services={"RTCONE": {"fails_to_start": True}})
    simulated.run()
    dependent = simulated.host().services.get("RTCONE")
    assert dependent is not None
    dependent.behaviour.fails_to_start = False
    simulated.run()
    service = simulated.host().services.get("RTCONE")
    assert service is not None
    assert service.status == "running"


def test_a_process_whose_start_is_hidden_is_not_restarted_by_every_run() -> None:
    simulated = broken(quirks={"hidden_processes": True})
    simulated.run()
    process = simulated.host().web_conferencing()
    simulated.run()
    assert simulated.host().web_conferencing() is process
