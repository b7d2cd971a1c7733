# Copyright (c) 2026, the sfb.kb4023993 contributors
# GNU General Public License v3.0-or-later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Two controllers on one pool: the servers keep them apart, whatever dies, and nothing is left behind."""

from __future__ import annotations

import json
import typing as t

import pytest
from ansible_collections.sfb.kb4023993.plugins.plugin_utils.claims import LONGEST_SECONDS
from ansible_collections.sfb.kb4023993.plugins.plugin_utils.host import operations as op
from ansible_collections.sfb.kb4023993.plugins.plugin_utils.host.session import SessionError
from ansible_collections.sfb.kb4023993.plugins.plugin_utils.outcome import Outcome
from ansible_collections.sfb.kb4023993.plugins.plugin_utils.plan import Plan
from ansible_collections.sfb.kb4023993.plugins.plugin_utils.records import CLAIM, KEY, ClaimRecord, read_records
from builders import fleets as f
from builders.remediation import broken, cut_everywhere, settle, value
from builders.simulated import CLAIM_SECONDS, Simulated
from lab import client

POOL: t.Final = ("fe01", "fe02")


def pool() -> Simulated:
    """Two broken Front Ends of one pool."""
    return Simulated(fe02={})


def second(first: Simulated) -> Simulated:
    """Another controller, with evidence of its own."""
    return Simulated(deployment=first.deployment, controller="awx-1")


def claim_on(simulated: Simulated, name: str = "fe01") -> ClaimRecord | None:
    return read_records(client.ask(simulated.deployment, name, op.RegistryList(path=KEY))).claim


def put_claim(simulated: Simulated, text: str, name: str = "fe01", kind: str = "string") -> None:
    simulated.host(name).registry.write(KEY, CLAIM, t.cast(t.Any, kind), text)


def down(simulated: Simulated) -> set[str]:
    """Members of the pool whose Web Conferencing does not run."""
    states = {name: simulated.host(name).services.get("RTCDATAMCU") for name in POOL}
    return {name for name, service in states.items() if service is None or service.status != "running"}


def written(simulated: Simulated) -> Plan:
    """A run that has written its values everywhere, and has not restarted anything yet."""
    plan = simulated.plan()
    assert [simulated.write(host).status for host in plan.hosts] == ["changed"] * len(plan.hosts)
    return plan


# ---- one run alone


def test_a_run_claims_each_server_first_and_leaves_no_claim() -> None:
    simulated = pool()
    before = {name: simulated.dump(name) for name in POOL}
    plan = simulated.plan()
    for host in plan.hosts:
        session = simulated.session(host.host)
        simulated.write(host, session=session)
        first = next(operation for operation in session.done if operation.CHANGES)
        assert (getattr(first, "path", ""), getattr(first, "name", "")) == (KEY, CLAIM)
    for name in POOL:
        claim = claim_on(simulated, name)
        assert claim is not None
        assert (claim.controller, claim.run_id, claim.seconds) == ("laptop", simulated.run_id, CLAIM_SECONDS)
        assert simulated.host(name).registry.is_private(KEY)
    # The last of the pool is released with its restart, the first stays claimed until then.
    simulated.restart("fe01")
    assert claim_on(simulated, "fe01") is not None
    simulated.restart("fe02")
    assert claim_on(simulated, "fe02") is None
    assert simulated.release("fe02") is None
    released = simulated.release("fe01")
    assert released is not None
    assert released.status == "unchanged"
    assert claim_on(simulated, "fe01") is None
    settle(simulated, "rollback")
    assert {name: simulated.dump(name) for name in POOL} == before


def test_a_server_that_is_alone_costs_no_more_batches_than_without_claims() -> None:
    simulated = broken()
    plan = simulated.plan()
    writing, restarting = simulated.session(), simulated.session()
    simulated.write(plan.hosts[0], session=writing)
    simulated.restart(session=restarting)
    # Reading and writing; reading, restarting, and clearing the record.
    assert (writing.batches, restarting.batches) == (2, 3)
    assert claim_on(simulated) is None


def test_what_is_written_without_a_restart_claims_nothing() -> None:
    simulated = pool()
    simulated.run(restart="later")
    assert [claim_on(simulated, name) for name in POOL] == [None, None]


def test_a_batch_that_fails_takes_its_claim_back() -> None:
    simulated = broken()
    plan = simulated.plan()
    session = simulated.session()

    def between() -> None:
        if session.batches == 2:
            simulated.host().registry.denied.add(plan.hosts[0].changes[0].path)

    session.before_batch = between
    outcome = simulated.write(plan.hosts[0], session=session)
    assert (outcome.status, outcome.claim) == ("failed", None)
    assert [type(operation) for operation in session.done[-2:]] == [op.RegistryDelete] * 2
    left = read_records(client.ask(simulated.deployment, "fe01", op.RegistryList(path=KEY)))
    # What was meant to be changed stays on record for the next run; nothing is going to be restarted by this one.
    assert (left.claim, left.restart, [record.state for record in left.changes]) == (None, None, ["intent"])


@pytest.mark.parametrize("last", [True, False])
def test_a_failed_restart_gives_the_pool_back(last: bool) -> None:
    simulated = pool()
    plan = written(simulated)
    name = "fe02" if last else "fe01"
    service = simulated.host(name).services.get("RTCDATAMCU")
    assert service is not None
    service.behaviour = type(service.behaviour)(fails_to_start=True)
    if last:
        simulated.restart("fe01")
    assert simulated.restart(name).status == "failed"
    for host in plan.hosts:
        simulated.release(host.host)
    assert [claim_on(simulated, each) for each in POOL] == [None, None]


# ---- two at once


def test_a_run_that_comes_later_leaves_the_whole_pool_and_says_who_is_at_work() -> None:
    first = pool()
    plan = first.plan()
    # Only one server of the pool is claimed yet.
    first.write(plan.hosts[1])
    later = second(first)
    before = {name: first.dump(name) for name in POOL}
    for goal in ("override", "rollback"):
        found = later.plan(t.cast(t.Any, goal))
        assert found.hosts == ()
        reasons = {refusal.host: refusal.reason for refusal in found.refused}
        assert set(reasons) == (set(POOL) if goal == "override" else {"fe02"})
        for reason in reasons.values():
            assert reason.startswith(
                f"claimed on fe02: The run {first.run_id} of the controller laptop is changing servers"
            )
    assert {name: first.dump(name) for name in POOL} == before


def test_a_plan_from_before_the_claim_is_refused_on_every_server_that_has_one() -> None:
    first = pool()
    later = second(first)
    stale = later.plan()
    written(first)
    before = {name: first.dump(name) for name in POOL}
    outcomes = [later.write(host) for host in stale.hosts]
    assert [(o.status, o.busy, o.claim) for o in outcomes] == [("refused", True, None)] * 2
    assert all(f"The run {first.run_id} of the controller laptop" in o.message for o in outcomes)
    assert {name: first.dump(name) for name in POOL} == before


def test_of_two_that_write_at_the_same_moment_one_is_refused_and_changes_nothing() -> None:
    """Between the later one's reading and its writing, the first one writes."""
    first, later = pool(), None
    later = second(first)
    plan, stale = first.plan(), later.plan()
    session = later.session("fe01")
    calls: list[Outcome] = []

    def between() -> None:
        if session.batches == 2:
            calls.append(first.write(plan.hosts[0]))

    session.before_batch = between
    refused = later.write(stale.hosts[0], session=session)
    assert [o.status for o in calls] == ["changed"]
    assert (refused.status, refused.busy) == ("refused", True)
    assert f"The run {first.run_id} of the controller laptop is changing servers" in refused.message
    claim = claim_on(first)
    assert claim is not None
    assert claim.run_id == first.run_id
    # The restart that the first one asked for is still on record.
    assert first.restart("fe01").status == "changed"


def test_a_run_whose_claim_was_taken_over_stops_before_its_next_change() -> None:
    first = pool()
    written(first)
    later = second(first)
    later.take_over = True
    plan = later.plan()
    outcome = later.write(plan.hosts[0])
    assert f"The claim of run {first.run_id} of the controller laptop was taken over, as asked for" in outcome.message
    session = first.session("fe01")
    refused = first.restart("fe01", session=session)
    assert (refused.status, refused.busy) == ("refused", True)
    assert f"The run {later.run_id} of the controller awx-1" in refused.message
    assert not any(isinstance(reply, op.ServiceRestart) for reply in session.done[:-1])
    assert down(first) == set()
    # Nor does it take the other run's claim away.
    assert first.release("fe01") is None


def test_a_claim_that_was_taken_over_is_not_released_by_the_one_who_had_it() -> None:
    first = pool()
    written(first)
    later = second(first)
    later.take_over = True
    later.write(later.plan().hosts[0])
    released = first.release("fe01")
    assert released is not None
    assert released.status == "refused"
    claim = claim_on(first)
    assert claim is not None
    assert claim.run_id == later.run_id


def test_a_claim_that_went_between_looking_and_restarting_keeps_the_service_up() -> None:
    first = pool()
    written(first)
    session = first.session("fe01")

    def between() -> None:
        if session.batches == 2:
            put_claim(first, "another")

    session.before_batch = between
    outcome = first.restart("fe01", session=session)
    assert (outcome.status, outcome.busy) == ("refused", True)
    assert down(first) == set()


def test_a_module_for_one_server_waits_for_a_run_too() -> None:
    first = pool()
    written(first)
    alone = second(first)
    assert alone.restart("fe02", force=True).busy
    assert down(first) == set()


def test_an_audit_says_who_is_at_work_and_what_was_left() -> None:
    first = pool()
    written(first)
    later = second(first)
    found = {x.id: x for x in later.judge().judgement.findings if x.host == "fe01"}["KB4023993-RUN-UNDERWAY"]
    assert found.severity == "info"
    assert first.run_id in found.evidence[0]
    first.deployment.clock.advance(CLAIM_SECONDS)
    found = {x.id: x for x in later.judge().judgement.findings if x.host == "fe01"}["KB4023993-RUN-UNDERWAY"]
    assert found.severity == "warning"
    assert "did not come to its end" in found.evidence[1]


# ---- what died


def test_another_controller_goes_on_when_the_time_is_over() -> None:
    first = pool()
    written(first)
    later = second(first)
    assert later.plan().hosts == ()
    first.deployment.clock.advance(CLAIM_SECONDS)
    _plan, outcomes = later.run()
    assert any(
        f"claim of run {first.run_id} of the controller laptop is over: its time ended at" in o.message
        for o in outcomes
    )
    assert later.plan().hosts == ()
    assert [claim_on(first, name) for name in POOL] == [None, None]
    assert {f.verdict(later.judge(), name) for name in POOL} == {"mitigated"}


@pytest.mark.parametrize("step", ["write", "restart"])
@pytest.mark.parametrize("how", ["the same controller", "time", "take over"])
def test_a_run_that_died_anywhere_is_finished_and_leaves_no_claim(step: str, how: str) -> None:
    before = broken().dump()
    for operations, dead in cut_everywhere(broken, "override", step):
        claimed = claim_on(dead)
        nxt = dead if how == "the same controller" else second(dead)
        if how == "time":
            dead.deployment.clock.advance(CLAIM_SECONDS)
        nxt.take_over = how == "take over"
        if how == "take over" and claimed is not None:
            assert second(dead).plan().hosts == (), f"cut after {operations}: a live claim was not minded"
        settle(nxt, "override")
        assert claim_on(dead) is None, f"cut after {operations}"
        assert value(dead) == ("dword", 0), f"cut after {operations}"
        settle(nxt, "rollback")
        assert dead.dump() == before, f"cut after {operations}"


def test_a_release_that_died_is_made_up_for_by_the_next_run_though_nothing_else_is_to_be_done() -> None:
    first = pool()
    written(first)
    for name in POOL:
        first.restart(name)
    with pytest.raises(SessionError):
        # It dies before the claim goes.
        first.release("fe01", session=first.session("fe01", operations=0))
    assert claim_on(first) is not None
    plan = first.plan()
    assert [(host.host, host.changes, host.restart, host.clear) for host in plan.hosts] == [
        ("fe01", (), False, (CLAIM,))
    ]
    assert first.write(plan.hosts[0]).status == "changed"
    assert claim_on(first) is None
    assert first.plan().hosts == ()


def test_what_a_dead_run_claimed_is_forgotten_by_a_run_that_restarts_nothing() -> None:
    first = broken()
    written(first)
    assert claim_on(first) is not None
    first.run(restart="later")
    assert claim_on(first) is None
    assert first.plan().host("fe01") is not None, "its restart is still due"


def test_a_claim_that_is_left_is_removed_only_as_it_was_found() -> None:
    first = pool()
    written(first)
    for name in POOL:
        first.restart(name)
    plan = first.plan()
    session = first.session("fe01")

    def between() -> None:
        if session.batches == 2:
            put_claim(first, "another")

    session.before_batch = between
    assert first.write(plan.hosts[0], session=session).busy
    assert claim_on(first) is None
    assert first.host().registry.read(KEY, CLAIM) is not None


# ---- what stands there is data from outside


@pytest.mark.parametrize("kind", ["late by years", "for ever", "from the future"])
def test_a_claim_that_cannot_be_true_holds_nobody_up(kind: str) -> None:
    simulated = broken()
    before = simulated.dump()
    since = {"late by years": "2001-01-01T00:00:00Z", "from the future": "2031-01-01T00:00:00Z"}.get(
        kind, "2026-03-08T12:00:00Z"
    )
    seconds = LONGEST_SECONDS + 1 if kind == "for ever" else 600
    record = {
        "schema": 1,
        "type": "claim",
        "controller": "x",
        "since_utc": since,
        "seconds": seconds,
        "run_id": "20260308T100000Z-0123ab",
    }
    put_claim(simulated, json.dumps(record))
    settle(simulated, "override")
    assert value(simulated) == ("dword", 0)
    settle(simulated, "rollback")
    assert simulated.dump() == before


@pytest.mark.parametrize("text", ["", "{}", '{"schema": 2, "type": "claim"}', "x" * 30_000])
def test_a_claim_that_cannot_be_read_waits_for_a_person_and_not_for_ever(text: str) -> None:
    simulated = broken()
    before = simulated.dump()
    put_claim(simulated, text)
    found = simulated.plan()
    assert found.hosts == ()
    assert "cannot read" in found.refused[0].reason
    simulated.take_over = True
    settle(simulated, "override")
    simulated.take_over = False
    settle(simulated, "rollback")
    assert simulated.dump() == before
