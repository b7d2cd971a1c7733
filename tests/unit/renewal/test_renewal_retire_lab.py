# Copyright (c) 2026, the sfb.kb4023993 contributors
# GNU General Public License v3.0-or-later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The override retired on simulated servers by the product's own steps: one Front End, the quiet time, the rest; and put back again."""

from __future__ import annotations

import datetime
import typing as t

import pytest
from ansible_collections.sfb.kb4023993.plugins.plugin_utils.plan import Plan
from ansible_collections.sfb.kb4023993.plugins.plugin_utils.records import ABSENT
from ansible_collections.sfb.kb4023993.plugins.plugin_utils.verify import HostResult, verify
from builders.remediation import EXE, OPT_OUTS, enforces, records, settle
from builders.simulated import Simulated

QUIET_SECONDS: t.Final = 20 * 60
_RENEWED: t.Final = {"renewed": {"certificate": "both", "age": "30m"}}
_FOUND: t.Final = {"opt_outs": [{"age": "90m"}]}


def fleet(*, found: bool, renew: t.Collection[str] = ("fe01", "fe02", "edge01")) -> Simulated:
    """Two Front Ends with an override in effect, found there or written by this collection, and good certificates since then."""
    names = ("fe01", "fe02", "edge01")
    entries = {
        name: {**(_RENEWED if name in renew else {}), **(_FOUND if found and name != "edge01" else {})}
        for name in names
    }
    simulated = Simulated(
        fe01=entries["fe01"],
        fe02=entries["fe02"],
        edge01=entries["edge01"],
        start=datetime.datetime.now(datetime.timezone.utc).replace(microsecond=0),
    )
    if not found:
        settle(simulated, "override")
    for name in renew:
        restart_everything(simulated, name)
    return simulated


def restart_everything(simulated: Simulated, name: str) -> None:
    services, clock = simulated.host(name).services, simulated.deployment.clock
    for begin in (services.begin_stop, services.begin_start):
        for service in services.names():
            begin(service)
        clock.advance(30)
        assert all(services.get(service) for service in services.names())
    clock.advance(30)


def value(simulated: Simulated, name: str) -> t.Any:
    found = simulated.host(name).registry.read(OPT_OUTS, EXE, view="64")
    return None if found is None else (found.kind, found.data)


def retire(simulated: Simulated) -> tuple[Plan, tuple[HostResult, ...]]:
    """One run, verified by a new reading."""
    plan, outcomes = simulated.run("retire")
    assert all(outcome.ok for outcome in outcomes), outcomes
    return plan, verify(plan, simulated.judge(), {})


@pytest.mark.parametrize("found", [True, False], ids=["found there", "written by us"])
def test_one_goes_first_and_after_the_quiet_time_the_rest(found: bool) -> None:
    simulated = fleet(found=found)
    plan, results = retire(simulated)
    assert [(host.host, host.wave) for host in plan.hosts] == [("fe01", 0)]
    assert [result.result for result in results] == ["done"], results
    assert (value(simulated, "fe01"), value(simulated, "fe02")) == (None, ("dword", 0))
    assert (enforces(simulated, "fe01"), enforces(simulated, "fe02")) == (True, False)
    simulated.deployment.clock.advance(QUIET_SECONDS - 60)
    assert retire(simulated)[0].hosts == ()
    simulated.deployment.clock.advance(60)
    plan, results = retire(simulated)
    assert [(host.host, results[0].result) for host in plan.hosts] == [("fe02", "done")]
    assert enforces(simulated, "fe02")
    assert retire(simulated)[0].hosts == ()
    assert {host.verdict for host in simulated.judge().judgement.hosts} == {"compliant"}


def test_one_certificate_still_bad_keeps_it_everywhere() -> None:
    simulated = fleet(found=True, renew=("fe01", "fe02"))
    assert retire(simulated)[0].hosts == ()
    assert value(simulated, "fe01") == ("dword", 0)


def test_a_rollback_puts_back_what_was_found_there_and_not_what_was_ours() -> None:
    simulated = fleet(found=True)
    retire(simulated)
    assert [(str(x.before), x.written) for x in records(simulated).changes] == [("REG_DWORD 0", ABSENT)]
    simulated.run("rollback")
    assert value(simulated, "fe01") == ("dword", 0)
    assert not enforces(simulated, "fe01")
    simulated = fleet(found=False)
    retire(simulated)
    assert records(simulated).changes == ()
    assert records(simulated).restart is None
    assert simulated.run("rollback")[0].host("fe01") is None


def test_a_run_that_died_between_value_and_restart_is_gone_on_with() -> None:
    simulated = fleet(found=True)
    plan = simulated.plan("retire")
    assert simulated.write(plan.hosts[0]).ok
    assert (value(simulated, "fe01"), enforces(simulated, "fe01")) == (None, False)
    simulated.deployment.clock.advance(2 * QUIET_SECONDS)
    plan, results = retire(simulated)
    assert [(host.host, host.changes) for host in plan.hosts] == [("fe01", ())]
    assert results[0].result == "done"
    assert enforces(simulated, "fe01")


def test_a_front_end_that_fails_without_it_is_no_success_and_stops_the_rest() -> None:
    simulated = fleet(found=True)
    edge = simulated.host("edge01")
    # The old certificate, between the reading of the plan and the restart.
    plan = simulated.plan("retire")
    old = next(
        entry.certificate for entry in edge.stores.entries("My") if entry.certificate != current(simulated, "edge01")
    )
    edge.assign(("Internal",), old)
    restart_everything(simulated, "edge01")
    assert simulated.write(plan.hosts[0]).ok
    assert simulated.restart().ok
    simulated.deployment.clock.advance(60)
    (result,) = verify(plan, simulated.judge(), {})
    assert result.result == "failed", result
    simulated.deployment.clock.advance(2 * QUIET_SECONDS)
    assert retire(simulated)[0].hosts == ()


def current(simulated: Simulated, name: str) -> bytes:
    shown = simulated.host(name).presents(5061)
    assert shown is not None
    return shown[1].certificate
