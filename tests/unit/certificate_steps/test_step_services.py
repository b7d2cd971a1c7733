# Copyright (c) 2026, the sfb.kb4023993 contributors
# GNU General Public License v3.0-or-later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Restarting everything on a simulated server: gates, draining, FailOver, deadlines, and what is left for the next run."""

from __future__ import annotations

import dataclasses
import typing as t

import pytest
from ansible_collections.sfb.kb4023993.plugins.plugin_utils.certificate_records import ServicesRecord
from ansible_collections.sfb.kb4023993.plugins.plugin_utils.certificate_steps.common import SERVICES
from ansible_collections.sfb.kb4023993.plugins.plugin_utils.host import certificate_operations as cop
from ansible_collections.sfb.kb4023993.plugins.plugin_utils.host import operations as op
from ansible_collections.sfb.kb4023993.plugins.plugin_utils.host.session import Session
from ansible_collections.sfb.kb4023993.plugins.plugin_utils.records import KEY, NOW, record_text
from builders.roll_out import HURRIED, LIMITS, RUN_ID, RollOut, changes_of, fleet
from lab import client, renewing, trust

GATED: t.Final = ("lync2013", "sfb2015")


def gates(session: t.Any) -> int:
    return sum(isinstance(operation, cop.LyncGate) for operation in session.done)


def began(found: RollOut, name: str, *, failover: bool) -> None:
    """The record of a restart that a run had written when it died, before anything else of it."""
    running = tuple(s for s, row in found.outside.services(name).items() if row["status"] == "running")
    record = ServicesRecord(failover=failover, running=running, begun_utc=NOW, run_id=RUN_ID)
    write = op.RegistrySet(
        path=KEY, name=record.value_name, kind="string", data=(record_text(record),), private=True, stamp=True
    )
    client.ask(found.deployment, name, write)


# ---- the gate


@pytest.mark.parametrize("product", GATED)
@pytest.mark.parametrize("state", ["Busy", "InsufficientActiveFrontEnds", "Bereit", "ready"])
def test_a_pool_that_does_not_say_ready_stops_the_server_before_anything_is_assigned(product: str, state: str) -> None:
    found = fleet(product, servers={"fe01": {"quirks": {"gate_state": state}}})
    target = found.imported("fe01")
    before = found.state("fe01")
    session = found.session("fe01")
    outcome = found.install(target, session=t.cast(Session, session))
    assert outcome.status == "refused"
    assert f"says {state} instead of Ready" in outcome.message
    assert gates(session) == (4 if state == "Busy" else 1)
    assert changes_of(session) == ["lync_gate"] * gates(session)
    assert found.state("fe01") == before


@pytest.mark.parametrize(
    "quirks",
    [
        {"denied_cmdlets": ["Get-CsPoolUpgradeReadinessState"]},
        {"failing_cmdlets": {"Get-CsPoolUpgradeReadinessState": "No."}},
        {"endless_cmdlets": {"Get-CsPoolUpgradeReadinessState": "before"}},
    ],
    ids=["denied", "failing", "endless"],
)
def test_an_unknown_gate_stops_the_server_too(quirks: dict[str, t.Any]) -> None:
    found = fleet(servers={"fe01": {"quirks": quirks}})
    target = found.imported("fe01")
    before = found.state("fe01")
    assert found.install(target).status in ("refused", "failed")
    assert found.state("fe01") == before


def test_a_busy_pool_that_becomes_ready_is_waited_for() -> None:
    found = fleet()
    target = found.imported("fe01")
    born = found.deployment.surroundings.born
    assert born is not None
    found.host().quirks.gate_busy_seconds = (found.deployment.clock.now() - born).total_seconds() + 150
    session = found.session("fe01")
    assert found.install(target, session=t.cast(Session, session)).status == "changed"
    assert 2 <= gates(session) <= 4


def test_the_second_front_end_of_a_pool_waits_for_the_first() -> None:
    found = fleet("lync2013", front_ends=3, settling_seconds=240)
    targets = [found.imported(name) for name in ("fe01", "fe02", "fe03")]
    for target in targets:
        session = found.session(target.host)
        outcome = found.install(target, session=t.cast(Session, session))
        assert outcome.status == "changed", outcome
        assert (gates(session) > 1) == (target.host != "fe01")
        for name in found.names[:3]:
            assert found.outside.services(name)["RTCSRV"]["status"] == "running"


def test_a_server_whose_own_upgrade_domain_is_not_ready_stays_up_whatever_its_name_looks_like() -> None:
    class Answering:
        """A pool that is ready, but for the domain of this server."""

        def __init__(self, found: RollOut) -> None:
            self.session = found.session("fe01")

        def run(self, operations: t.Sequence[op.Operation], **options: t.Any) -> t.Any:
            replies = self.session.run(operations, **options)
            domains = (cop.UpgradeDomain(name="UD7", front_ends=("FE01.contoso.example",), ready=False),)
            return tuple(
                dataclasses.replace(reply, value=dataclasses.replace(reply.value, domains=domains))
                if isinstance(reply.value, cop.LyncGateReply)
                else reply
                for reply in replies
            )

    found = fleet()
    target = found.imported("fe01")
    for computer in (target.computer, target.computer.upper()):
        asked = Answering(found)
        session = t.cast(Session, asked)
        outcome = found.install(dataclasses.replace(target, computer=computer), session=session)
        assert outcome.status == "refused"
        assert "UD7" in outcome.message
        assert changes_of(asked.session) == ["lync_gate"]


def test_a_restart_that_was_recorded_and_not_begun_asks_the_pool_again() -> None:
    found = fleet("lync2013")
    target = found.imported("fe01")
    began(found, "fe01", failover=False)
    # Meanwhile the other one went down, so this one must not.
    renewing.services(found.deployment, "fe02", "stop")
    found.settle(30)
    session = found.session("fe01")
    outcome = found.install(target, session=t.cast(Session, session))
    assert outcome.status == "refused"
    assert "InsufficientActiveFrontEnds" in outcome.message
    assert changes_of(session) == ["lync_gate"]
    assert {row["status"] for row in found.outside.services("fe01").values()} == {"running"}


@pytest.mark.parametrize("product", GATED)
def test_a_server_that_is_down_already_is_brought_up_without_asking_its_pool(product: str) -> None:
    found = fleet(product)
    target = found.imported("fe01")
    if product == "sfb2015":
        found.host().quirks.failing_cmdlets = {"Invoke-CsComputerFailBack": "No."}
    else:
        found.host().quirks.failing_cmdlets = {"Start-CsWindowsService": "No."}
    assert found.install(target, limits=dataclasses.replace(HURRIED, stop=3)).status == "failed"
    assert {row["status"] for row in found.outside.services("fe01").values()} == {"stopped"}
    found.host().quirks.failing_cmdlets = {}
    session = found.session("fe01")
    assert found.install(target, session=t.cast(Session, session)).status == "changed"
    assert gates(session) == 0
    assert {row["status"] for row in found.outside.services("fe01").values()} == {"running"}


# ---- going down


def test_sessions_may_end_by_themselves_and_are_ended_when_they_do_not() -> None:
    slow = {"services": {"RTCSRV": {"drain_seconds": 100_000}}}
    found = fleet("lync2010", front_ends=1, servers={"fe01": slow})
    target = found.imported("fe01")
    session = found.session("fe01")
    outcome = found.install(target, session=t.cast(Session, session), limits=HURRIED)
    # The lab's service goes on draining once it was asked to: what counts is that the hard stop was asked for, and told.
    assert [o.action for o in session.done if isinstance(o, cop.LyncServices)][:3] == ["stop_graceful", "stop", "start"]
    assert outcome.status == "failed"
    assert "do not stop" in outcome.message
    assert found.records("fe01").services is not None
    found.settle(100_000)
    assert found.install(target).status == "changed"


def test_a_stop_in_time_needs_no_hard_one() -> None:
    found = fleet("lync2010", front_ends=1, servers={"fe01": {"services": {"RTCSRV": {"drain_seconds": 120}}}})
    session = found.session("fe01")
    assert found.install(found.imported("fe01"), session=t.cast(Session, session)).status == "changed"
    assert [o.action for o in session.done if isinstance(o, cop.LyncServices)] == ["stop_graceful", "start"]


def test_a_service_that_never_stops_ends_the_step_with_its_record() -> None:
    found = fleet("lync2010", front_ends=1, servers={"fe01": {"services": {"RTCIMMCU": {"stuck": True}}}})
    target = found.imported("fe01")
    outcome = found.install(target, limits=HURRIED)
    assert outcome.status == "failed"
    assert "do not stop" in outcome.message
    record = found.records("fe01").services
    assert record is not None
    assert "RTCIMMCU" in record.running


def test_a_stop_that_the_cmdlet_refuses_leaves_everything_running_and_no_record() -> None:
    found = fleet("lync2010", front_ends=1)
    target = found.imported("fe01")
    services = found.outside.services("fe01")
    found.host().quirks.denied_cmdlets = ("Stop-CsWindowsService",)
    outcome = found.install(target)
    assert outcome.status == "refused"
    assert "Nothing was stopped" in outcome.message
    assert found.records("fe01").services is None
    assert found.outside.services("fe01") == services
    found.host().quirks.denied_cmdlets = ()
    assert found.install(target).status == "changed"


def test_a_pool_that_refuses_to_take_over_leaves_everything_running_and_no_record() -> None:
    found = fleet()
    target = found.imported("fe01")
    services = found.outside.services("fe01")
    found.host().quirks.failing_cmdlets = {"Invoke-CsComputerFailOver": "Too few."}
    outcome = found.install(target)
    assert outcome.status == "refused"
    assert "nothing was stopped: Too few." in outcome.message
    assert found.records("fe01").services is None
    assert found.outside.services("fe01") == services


def test_a_server_with_nothing_running_is_refused_and_not_started() -> None:
    found = fleet("lync2010", front_ends=1)
    target = found.imported("fe01")
    renewing.services(found.deployment, "fe01", "stop")
    found.settle(60)
    outcome = found.install(target)
    assert outcome.status == "refused"
    assert "None of the product's services runs" in outcome.message
    assert {row["status"] for row in found.outside.services("fe01").values()} == {"stopped"}


# ---- coming up


@pytest.mark.parametrize("product", ["lync2010", "lync2013", "sfb2015"])
def test_what_was_disabled_or_stopped_by_somebody_stays_so_and_what_ran_runs_again(product: str) -> None:
    entries = {"fe01": {"services": {"RTCASMCU": {"start_mode": "disabled"}}, "process_age": "1h"}}
    found = fleet(product, front_ends=1 if product == "lync2010" else 2, servers=entries)
    found.host().services.begin_stop("RTCASMCU")
    found.settle(60)
    target = found.imported("fe01")
    assert found.install(target).status == "changed"
    after = found.outside.services("fe01")
    asmcu = after.pop("RTCASMCU")
    assert (asmcu["status"], asmcu["start_mode"]) == ("stopped", "disabled")
    assert {(row["status"], row["start_mode"]) for row in after.values()} == {("running", "automatic")}
    assert found.install(target).status == "unchanged"


def test_a_failover_that_was_not_begun_is_done_also_where_a_service_is_disabled_for_good() -> None:
    found = fleet(servers={"fe01": {"services": {"RTCASMCU": {"start_mode": "disabled"}}}})
    found.host().services.begin_stop("RTCASMCU")
    found.settle(60)
    target = found.imported("fe01")
    began(found, "fe01", failover=True)
    outcome = found.install(target)
    assert outcome.status == "changed", outcome
    assert set(found.outside.presented("fe01").values()) == {trust.thumbprint(target.certificate)}


def test_a_service_that_does_not_come_up_ends_the_step_and_the_next_run_brings_it_up() -> None:
    found = fleet("lync2010", front_ends=1)
    target = found.imported("fe01")
    service = found.host().services.get("RTCIMMCU")
    assert service is not None
    service.behaviour.fails_to_start = True
    outcome = found.install(target)
    assert outcome.status == "failed"
    assert "Starting the services failed" in outcome.message
    assert found.records("fe01").services is not None
    service.behaviour.fails_to_start = False
    found.settle()
    assert found.install(target).status == "changed"
    assert {row["status"] for row in found.outside.services("fe01").values()} == {"running"}


def test_a_start_that_takes_too_long_is_told_and_taken_up_again() -> None:
    found = fleet("lync2010", front_ends=1, servers={"fe01": {"services": {"RTCSRV": {"start_seconds": 5000}}}})
    target = found.imported("fe01")
    outcome = found.install(target, limits=dataclasses.replace(LIMITS, start=0))
    assert outcome.status == "failed"
    assert "run again" in outcome.message
    assert found.records("fe01").services is not None
    found.settle(6000)
    assert found.install(target).status == "changed"


def test_a_failback_that_fails_says_so_and_the_next_run_fails_back_alone() -> None:
    found = fleet()
    target = found.imported("fe01")
    found.host().quirks.failing_cmdlets = {"Invoke-CsComputerFailBack": "Not now."}
    outcome = found.install(target)
    assert outcome.status == "failed"
    assert "disabled: Not now." in outcome.message
    assert f"Invoke-CsComputerFailBack -ComputerName {found.host().fqdn}" in outcome.message
    assert {row["start_mode"] for row in found.outside.services("fe01").values()} == {"disabled"}
    record = found.records("fe01").services
    assert record is not None
    assert record.failover
    found.host().quirks.failing_cmdlets = {}
    session = found.session("fe01")
    assert found.install(target, session=t.cast(Session, session)).status == "changed"
    assert [o.action for o in session.done if isinstance(o, cop.LyncFailover)] == ["failback"]
    assert {(row["status"], row["start_mode"]) for row in found.outside.services("fe01").values()} == {
        ("running", "automatic")
    }
    assert found.records("fe01").services is None


@pytest.mark.parametrize("cmdlet", ["Invoke-CsComputerFailOver", "Invoke-CsComputerFailBack"])
@pytest.mark.parametrize("when", ["before", "after"])
def test_a_failover_that_does_not_end_is_finished_by_the_next_run(cmdlet: str, when: str) -> None:
    found = fleet()
    target = found.imported("fe01")
    found.host().quirks.endless_cmdlets = {cmdlet: when}
    assert found.install(target).status == "failed"
    assert found.records("fe01").services is not None
    found.host().quirks.endless_cmdlets = {}
    found.settle()
    assert found.install(target).status == "changed"
    assert {(row["status"], row["start_mode"]) for row in found.outside.services("fe01").values()} == {
        ("running", "automatic")
    }
    assert set(found.outside.presented("fe01").values()) == {trust.thumbprint(target.certificate)}


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("cmdlet", ["Stop-CsWindowsService", "Start-CsWindowsService"])
def test_a_cmdlet_for_all_services_that_does_not_end_is_finished_by_the_next_run(cmdlet: str, when: str) -> None:
    found = fleet("lync2013")
    target = found.imported("fe01")
    found.host().quirks.endless_cmdlets = {cmdlet: when}
    assert found.install(target).status == "failed"
    found.host().quirks.endless_cmdlets = {}
    found.settle()
    assert found.install(target).status == "changed"
    assert {row["status"] for row in found.outside.services("fe01").values()} == {"running"}


def test_what_a_restart_concerns_is_known_by_name() -> None:
    assert {"RTCSRV", "RTCDATAMCU", "RTCDATAPROXY", "REPLICA"} <= set(SERVICES)
