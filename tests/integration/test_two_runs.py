# Copyright (c) 2026, the sfb.kb4023993 contributors
# GNU General Public License v3.0-or-later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Two runs at once: the second one changes nothing and says why, whether it shares a state directory with the first or only the servers; an
audit may always run."""

from __future__ import annotations

import hashlib
import json
import os
import signal
import time
import typing as t
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from integration.fleet import OWN_KEY, Fleet, Played
from integration.test_restart import Observer
from lab.world.host import WEB_CONFERENCING
from lab.world.services import Behaviour

_SECONDS: t.Final = 60


def holder(state: Path) -> dict[str, t.Any] | None:
    """Who holds the lock, None for nobody."""
    path = state / "changing.json"
    text = path.read_text("utf-8") if path.exists() else ""
    return json.loads(text) if text else None


def wait_for_holder(state: Path) -> dict[str, t.Any]:
    end = time.monotonic() + _SECONDS
    while time.monotonic() < end:
        found = holder(state)
        if found:
            return found
        time.sleep(0.02)
    raise AssertionError(f"no run changed servers within {_SECONDS} s")


@pytest.fixture(scope="module")
def runs(start: t.Callable[..., Fleet]) -> tuple[Fleet, dict[str, t.Any], Played, Played, Played]:
    """A remediation that is held still as soon as it may change servers; another one and an audit meanwhile; then it goes on."""
    fleet = start("small")
    with ThreadPoolExecutor(max_workers=1) as pool:
        first = pool.submit(fleet.play, "remediate")
        found = wait_for_holder(fleet.state)
        os.kill(found["process"], signal.SIGSTOP)
        try:
            second = fleet.play("remediate")
            audit = fleet.play("audit")
        finally:
            os.kill(found["process"], signal.SIGCONT)
        return fleet, found, first.result(), second, audit


def test_the_second_run_says_who_is_at_work_and_changes_nothing(runs: tuple[t.Any, ...]) -> None:
    _fleet, found, _first, second, _audit = runs
    assert second.code != 0
    assert f"Another run, {found['run_id']}, is changing servers" in second.output.replace("\n", " ")
    assert "Wait until it has ended, then run again" in second.output.replace("\n", " ")
    assert not second.changed


def test_an_audit_is_not_held_up(runs: tuple[t.Any, ...]) -> None:
    assert runs[4].code == 0


def test_the_first_run_comes_to_its_end_and_gives_the_lock_back(runs: tuple[t.Any, ...]) -> None:
    fleet, _found, first, _second, _audit = runs
    assert first.code == 0, first.output
    assert holder(fleet.state) is None
    assert set(fleet.play("remediate").verdicts.values()) == {"mitigated"}


def claims(fleet: Fleet) -> dict[str, dict[str, t.Any]]:
    """By server the claim that stands on it."""
    values = {name: registry.get(OWN_KEY, {}).get("claim|pool") for name, registry in fleet.registries().items()}
    return {name: json.loads(value[1]) for name, value in values.items() if value}


def wait_for_claims(fleet: Fleet, *names: str) -> dict[str, dict[str, t.Any]]:
    end = time.monotonic() + _SECONDS
    while time.monotonic() < end:
        found = claims(fleet)
        if set(names) <= set(found):
            return found
        time.sleep(0.02)
    raise AssertionError(f"no run claimed {names} within {_SECONDS} s")


def test_a_killed_run_holds_nobody_up_who_has_its_state_directory(start: t.Callable[..., Fleet]) -> None:
    fleet = start("small")
    before = fleet.registries()
    with ThreadPoolExecutor(max_workers=1) as pool:
        first = pool.submit(fleet.play, "remediate")
        wait_for_claims(fleet, "fe01", "fe02")
        found = holder(fleet.state)
        assert found is not None
        os.kill(found["process"], signal.SIGKILL)
        assert first.result().code == -signal.SIGKILL
    second = fleet.play("remediate")
    assert second.code == 0, second.output
    assert f"run {found['run_id']} did not come to its end" in second.output
    assert set(second.verdicts.values()) == {"mitigated"}
    assert claims(fleet) == {}
    assert fleet.play("rollback").code == 0
    assert fleet.registries() == before


class Controllers(t.NamedTuple):
    """One controller is held still while it changes a pool. Meanwhile another one runs with a new plan and with one from before; then the
    first is killed, and the other one is told to take over."""

    fleet: Fleet
    observer: Observer
    claimed: dict[str, dict[str, t.Any]]
    registries: list[dict[str, t.Any]]
    newly_planned: Played
    planned_before: Played
    taken_over: Played


@pytest.fixture(scope="module")
def controllers(start: t.Callable[..., Fleet]) -> Controllers:
    fleet = start("pools")
    observer = Observer(fleet)
    other = fleet.directory / "other"
    limit = ("--limit", "c1,c2")

    def elsewhere(*arguments: str, **variables: t.Any) -> Played:
        return fleet.play(*arguments, *limit, state=other, variables=variables)

    check = elsewhere("remediate", "--check")
    assert check.run_directory is not None
    approved = check.run_directory / "plan.json"
    sha256 = hashlib.sha256(approved.read_bytes()).hexdigest()
    with ThreadPoolExecutor(max_workers=1) as pool:
        first = pool.submit(fleet.play, "remediate", *limit)
        claimed = wait_for_claims(fleet, "c1", "c2")
        process = holder(fleet.state)
        assert process is not None
        os.kill(process["process"], signal.SIGSTOP)
        try:
            registries = [fleet.registries()]
            newly_planned = elsewhere("remediate")
            planned_before = elsewhere("remediate", sfb_kb4023993_plan=str(approved), sfb_kb4023993_plan_sha256=sha256)
            registries.append(fleet.registries())
        finally:
            os.kill(process["process"], signal.SIGKILL)
        assert first.result().code == -signal.SIGKILL
    return Controllers(
        fleet=fleet,
        observer=observer,
        claimed=claimed,
        registries=registries,
        newly_planned=newly_planned,
        planned_before=planned_before,
        taken_over=elsewhere("remediate", sfb_kb4023993_take_over=True),
    )


def test_another_controller_is_told_who_is_at_work(controllers: Controllers) -> None:
    claim = controllers.claimed["c1"]
    who = f"The run {claim['run_id']} of the controller {claim['controller']} is changing servers of this pool"
    for played in (controllers.newly_planned, controllers.planned_before):
        assert played.code == 2
        assert played.failed == {"c1", "c2"}
        text = json.dumps(played.report)
        assert who in text
        assert "sfb_kb4023993_take_over=true" in text
        assert not played.changed
    assert {r["host"] for r in controllers.newly_planned.report["plan"]["refused"]} == {"c1", "c2"}
    # That plan was there before the other run was, so only the servers themselves could say it.
    assert {r["result"] for r in controllers.planned_before.results.values()} == {"failed"}


def test_another_controller_changes_nothing_in_the_pool(controllers: Controllers) -> None:
    before, after = ({name: each[name].get(OWN_KEY) for name in ("c1", "c2")} for each in controllers.registries)
    assert {
        name: {v: d for v, d in values.items() if v.startswith("c")} for name, values in before.items() if values
    } == {name: {v: d for v, d in values.items() if v.startswith("c")} for name, values in after.items() if values}


def test_whoever_reads_the_servers_reports_it(controllers: Controllers) -> None:
    assert "KB4023993-RUN-UNDERWAY" in controllers.newly_planned.findings("c2")


def test_a_person_may_say_that_the_other_one_is_dead(controllers: Controllers) -> None:
    assert controllers.taken_over.code == 0, controllers.taken_over.output
    assert {controllers.taken_over.verdicts[name] for name in ("c1", "c2")} == {"mitigated"}
    assert claims(controllers.fleet) == {}


def test_never_were_two_members_of_the_pool_down(controllers: Controllers) -> None:
    stops = controllers.observer.take()
    assert {stop.host for stop in stops} == {"c1", "c2"}
    assert [stop for stop in stops if stop.down & {"c1", "c2"}] == []


def test_while_one_controller_waits_for_a_server_another_one_takes_no_second_one_down(
    start: t.Callable[..., Fleet],
) -> None:
    """The other one is told to work on a server that is up, by a run that never reads the one that is down."""
    fleet = start("pools")
    observer = Observer(fleet)
    stuck = fleet.lab.host("c1").services.get(WEB_CONFERENCING)
    assert stuck is not None
    stuck.behaviour = Behaviour(stuck=True)
    with ThreadPoolExecutor(max_workers=1) as pool:
        # Waiting costs a simulated server no time, but its clock goes on: a claim has to last.
        patient = {"sfb_kb4023993_restart_timeout": 86_400}
        first = pool.submit(fleet.play, "remediate", "--limit", "c1,c2", variables=patient)
        end = time.monotonic() + _SECONDS
        while fleet.service_status("c1") == "running" and time.monotonic() < end:
            time.sleep(0.02)
        second = fleet.play("remediate", "--limit", "c2", state=fleet.directory / "other")
        with fleet.lab.deployment.lock:
            # An administrator ended the process that would not end.
            stuck.behaviour, stuck.due = Behaviour(), fleet.lab.deployment.clock.now()
        ended = first.result()
    assert second.code == 2, second.output
    assert "is changing servers of this pool" in json.dumps(second.report["plan"]["refused"])
    assert not second.changed
    assert ended.code == 0, ended.output
    assert [(stop.host, stop.down & {"c1", "c2"}) for stop in observer.take()] == [("c1", set()), ("c2", set())]
    assert claims(fleet) == {}
