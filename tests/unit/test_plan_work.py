# Copyright (c) 2026, the sfb.kb4023993 contributors
# GNU General Public License v3.0-or-later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What keeps a server from being restarted: its own values, the servers before it, and another run anywhere in its pool."""

from __future__ import annotations

import typing as t
from pathlib import Path

import pytest
from ansible_collections.sfb.kb4023993.plugins.plugin_utils.claims import Others
from ansible_collections.sfb.kb4023993.plugins.plugin_utils.files import StateError
from ansible_collections.sfb.kb4023993.plugins.plugin_utils.host import operations as op
from ansible_collections.sfb.kb4023993.plugins.plugin_utils.host.session import Session, SessionError
from ansible_collections.sfb.kb4023993.plugins.plugin_utils.outcome import Outcome
from ansible_collections.sfb.kb4023993.plugins.plugin_utils.plan import Plan, shared_waves
from ansible_collections.sfb.kb4023993.plugins.plugin_utils.plan_work import PlanStep, PlanWork, carry_out
from ansible_collections.sfb.kb4023993.plugins.plugin_utils.records import KEY, read_records
from ansible_collections.sfb.kb4023993.plugins.plugin_utils.run import Run
from builders.simulated import CutSession, Simulated
from lab import client

POOL: t.Final = ("fe01", "fe02")


class Controller:
    """One run of one controller, with a state directory of its own."""

    def __init__(self, simulated: Simulated, state: Path) -> None:
        self.simulated = simulated
        self.plan: Plan = simulated.plan()
        self.run = Run(str(state), simulated.run_id)
        self.sessions: list[CutSession] = []

    def do(self, step: PlanStep, host: str, *, operations: int | None = None) -> Outcome | None:
        own = self.plan.host(host)
        assert own is not None
        work = PlanWork(
            run=self.run,
            plan=self.plan,
            own=own,
            restart_timeout=60,
            controller=self.simulated.controller,
            others=Others(),
        )

        def connect() -> Session:
            self.sessions.append(self.simulated.session(host, operations=operations))
            return t.cast(Session, self.sessions[-1])

        outcome = carry_out(work, step, connect)
        self.simulated.deployment.clock.advance(5)
        return outcome

    def restarted(self) -> bool:
        return any(isinstance(each, op.ServiceRestart) for session in self.sessions for each in session.done)


@pytest.fixture
def both(tmp_path: Path) -> tuple[Controller, Controller]:
    """Two controllers that have planned the same, and done nothing yet."""
    first = Simulated(fe02={})
    second = Simulated(deployment=first.deployment, controller="awx-1")
    return Controller(first, tmp_path / "one"), Controller(second, tmp_path / "two")


def claimed(controller: Controller, host: str) -> str | None:
    """The run that has claimed a server."""
    claim = read_records(client.ask(controller.simulated.deployment, host, op.RegistryList(path=KEY))).claim
    return claim.run_id if claim else None


def told(outcome: Outcome | None) -> Outcome:
    assert outcome is not None
    return outcome


def test_a_pool_in_which_each_of_two_runs_has_claimed_one_server_is_restarted_by_neither(
    both: tuple[Controller, Controller],
) -> None:
    one, two = both
    assert told(one.do("write", "fe01")).ok
    assert told(two.do("write", "fe02")).ok
    assert told(one.do("write", "fe02")).busy
    assert told(two.do("write", "fe01")).busy
    for controller, own, other in ((one, "fe01", "fe02"), (two, "fe02", "fe01")):
        for host in POOL:
            assert told(controller.do("restart", host)).status == "refused"
        assert f"another run is at work on {other}" in told(controller.run.outcome(own, "restart")).message
        assert not controller.restarted()
    for controller in both:
        for host in POOL:
            controller.do("release", host)
    assert [claimed(one, host) for host in POOL] == [None, None]
    # A next run finds both values written and both restarts due.
    _plan, outcomes = one.simulated.run()
    assert {outcome.status for outcome in outcomes} == {"unchanged", "changed"}
    assert one.simulated.plan().hosts == ()


def test_the_servers_of_a_pool_are_released_once(both: tuple[Controller, Controller]) -> None:
    one, _two = both
    assert shared_waves(one.plan) == list(POOL)
    for host in POOL:
        assert told(one.do("write", host)).ok
    for host in POOL:
        assert told(one.do("restart", host)).ok
    assert [claimed(one, host) for host in POOL] == [one.run.run_id, None]
    assert told(one.do("release", "fe01")).ok
    assert one.do("release", "fe02") is None, "nothing is sent to a server that has no claim any more"
    assert [claimed(one, host) for host in POOL] == [None, None]


def test_a_server_that_is_lost_in_its_restart_is_released_when_it_answers_again(
    both: tuple[Controller, Controller],
) -> None:
    one, _two = both
    for host in POOL:
        one.do("write", host)
    assert told(one.do("restart", "fe01", operations=1)).status == "failed"
    assert told(one.do("restart", "fe02")).status == "refused"
    for host in POOL:
        assert told(one.do("release", host)).ok
    assert [claimed(one, host) for host in POOL] == [None, None]


def test_a_server_that_cannot_be_released_keeps_its_claim_and_that_is_said(both: tuple[Controller, Controller]) -> None:
    one, _two = both
    for host in POOL:
        one.do("write", host)
        one.do("restart", host)
    outcome = told(one.do("release", "fe01", operations=0))
    assert outcome.status == "failed"
    assert "Until its time is over, other controllers leave this pool as it is" in outcome.message
    assert claimed(one, "fe01") == one.run.run_id


def test_a_step_that_lost_its_server_is_an_outcome(both: tuple[Controller, Controller]) -> None:
    one, _two = both
    outcome = told(one.do("write", "fe01", operations=2))
    assert (outcome.status, outcome.claim) == ("failed", None)
    assert told(one.do("restart", "fe01")).message == "Not restarted, because its values were not written."
    with pytest.raises(SessionError):
        one.sessions[0].run([op.System()], stage="again")


def test_a_step_that_cannot_be_noted_is_an_error_and_the_next_run_goes_on(both: tuple[Controller, Controller]) -> None:
    """As with a full disk: the server is as planned, the controller does not know it."""
    one, _two = both
    outcomes = one.run.directory / "outcomes"
    outcomes.parent.mkdir(parents=True, exist_ok=True)
    outcomes.write_text("no directory", "utf-8")
    with pytest.raises(StateError, match=r"cannot be written: .*Make room or change the directory"):
        one.do("write", "fe01")
    assert claimed(one, "fe01") == one.run.run_id
    outcomes.unlink()
    assert told(one.do("restart", "fe01")).message == "Not restarted, because its values were not written."
    assert not one.restarted()
    _plan, ended = one.simulated.run()
    assert all(outcome.ok for outcome in ended)
    assert one.simulated.plan().hosts == ()
