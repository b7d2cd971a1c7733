# Copyright (c) 2026, the sfb.kb4023993 contributors
# GNU General Public License v3.0-or-later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Restarts: only where something changed, never two servers of a pool at once, and what fails stops its own pool only."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

import pytest
from integration.fleet import OWN_KEY, Fleet, Played
from lab.world.host import WEB_CONFERENCING, Host
from lab.world.services import Behaviour

POOLS = {"a": {"a1", "a2", "a3"}, "b": {"b1", "b2"}, "c": {"c1", "c2"}}
PARTNER = {"a": "b", "b": "a"}
LEFT_ALONE = {"a2", "a3", "c2"}


@dataclass(frozen=True, kw_only=True)
class Stop:
    """The moment that Web Conferencing of a host was told to stop, and where it did not run just then."""

    host: str
    down: frozenset[str]


class Observer:
    """Writes down every stop of Web Conferencing in a fleet, with the state of all other servers at that moment."""

    def __init__(self, fleet: Fleet) -> None:
        self.stops: list[Stop] = []
        self._hosts = {name: fleet.lab.host(name) for name in fleet.names}
        for host in self._hosts.values():
            self._watch(host)

    def take(self) -> list[Stop]:
        """What happened since the last call."""
        seen, self.stops = self.stops, []
        return seen

    def _watch(self, host: Host) -> None:
        begin_stop = host.services.begin_stop

        def observed(name: str) -> None:
            if name == WEB_CONFERENCING and self._runs(host):
                down = frozenset(other for other, each in self._hosts.items() if not self._runs(each))
                self.stops.append(Stop(host=host.name, down=down))
            begin_stop(name)

        host.services.begin_stop = observed  # type: ignore[method-assign]

    @staticmethod
    def _runs(host: Host) -> bool:
        service = host.services.get(WEB_CONFERENCING)
        return service is not None and service.status == "running"


@dataclass(frozen=True, kw_only=True)
class Stage:
    played: Played
    process_ids: dict[str, int | None]
    stops: list[Stop]


@dataclass(frozen=True, kw_only=True)
class Story:
    """A remediation with a1 stuck and c1 failing to start, the next one after both were repaired, and a rollback."""

    fleet: Fleet
    process_ids: dict[str, int | None]
    broken: Stage
    repaired: Stage
    rollback: Stage


@pytest.fixture(scope="module")
def story(start: t.Callable[..., Fleet]) -> Story:
    fleet = start("pools")
    observer = Observer(fleet)
    stuck, failing = (fleet.lab.host(name).services.get(WEB_CONFERENCING) for name in ("a1", "c1"))
    assert stuck is not None
    assert failing is not None
    process_ids = fleet.process_ids()

    def stage(playbook: str, **variables: t.Any) -> Stage:
        played = fleet.play(playbook, variables=variables)
        return Stage(played=played, process_ids=fleet.process_ids(), stops=observer.take())

    stuck.behaviour, failing.behaviour = Behaviour(stuck=True), Behaviour(fails_to_start=True)
    broken = stage("remediate", sfb_kb4023993_restart_timeout=1)
    with fleet.lab.deployment.lock:
        stuck.behaviour = failing.behaviour = Behaviour(stop_seconds=30.0)
        # An administrator ended the process that would not end.
        stuck.due = fleet.lab.deployment.clock.now()
    repaired = stage("remediate")
    return Story(fleet=fleet, process_ids=process_ids, broken=broken, repaired=repaired, rollback=stage("rollback"))


def new_processes(before: dict[str, int | None], after: dict[str, int | None]) -> set[str]:
    return {name for name, pid in after.items() if pid is not None and pid != before[name]}


def test_failed_restart_stops_the_later_waves_of_its_own_pool_only(story: Story) -> None:
    stopped = [stop.host for stop in story.broken.stops]
    assert sorted(stopped) == ["a1", "b1", "b2", "c1"]
    assert new_processes(story.process_ids, story.broken.process_ids) == {"b1", "b2"}
    assert {name: story.broken.process_ids[name] for name in LEFT_ALONE} == {
        name: story.process_ids[name] for name in LEFT_ALONE
    }


def test_failed_restart_does_not_end_the_play(story: Story) -> None:
    assert set(story.broken.played.hosts) == set(story.fleet.names)
    assert {name: story.broken.played.verdicts[name] for name in POOLS["b"]} == {"b1": "mitigated", "b2": "mitigated"}


def test_failed_restart_fails_the_run_and_the_report_names_why(story: Story) -> None:
    played = story.broken.played
    assert played.code == 2, played.output
    assert played.failed == {"a1", "a2", "a3", "c1", "c2"}
    results = {name: (result["result"], result["message"]) for name, result in played.results.items()}
    assert results["a1"][0] == results["c1"][0] == "failed"
    assert "still stopping" in results["a1"][1]
    assert "run the same playbook again" in results["a1"][1]
    assert "Cannot start service RTCDATAMCU" in results["c1"][1]
    for name, culprit in (("a2", "a1"), ("a3", "a1"), ("c2", "c1")):
        assert results[name] == ("failed", f"Not restarted, because the restart of {culprit} in its pool failed.")
    assert {results[name][0] for name in POOLS["b"]} == {"done"}


def test_next_run_finishes_what_was_interrupted(story: Story) -> None:
    played = story.repaired.played
    assert played.code == 0, played.output
    assert set(played.verdicts.values()) == {"mitigated"}
    assert new_processes(story.broken.process_ids, story.repaired.process_ids) == {"a1", "a2", "a3", "c1", "c2"}
    registries = [values for values in story.fleet.registries().values() if "restart|rtcdatamcu" in str(values).lower()]
    assert registries == []


def test_server_that_is_down_comes_up_before_the_next_one_of_its_pool_goes_down(story: Story) -> None:
    # c1 was down before and is only started; a1 and c1 had to run when their pools went on.
    assert sorted(stop.host for stop in story.repaired.stops) == ["a2", "a3", "c2"]
    for stop in story.repaired.stops:
        assert stop.down & POOLS[stop.host[0]] == set()


def test_rollback_restarts_every_server_once(story: Story) -> None:
    assert sorted(stop.host for stop in story.rollback.stops) == sorted(story.fleet.names)
    assert new_processes(story.repaired.process_ids, story.rollback.process_ids) == set(story.fleet.names)


@pytest.mark.parametrize("stage", ["broken", "repaired", "rollback"])
def test_never_two_front_ends_of_a_pool_are_down_at_once(story: Story, stage: str) -> None:
    stops: list[Stop] = getattr(story, stage).stops
    assert stops
    overlaps = [(stop.host, stop.down) for stop in stops if stop.down & POOLS[stop.host[0]]]
    assert overlaps == []


@pytest.mark.parametrize("stage", ["repaired", "rollback"])
def test_paired_pools_are_not_restarted_at_the_same_time(story: Story, stage: str) -> None:
    stops: list[Stop] = getattr(story, stage).stops
    pairs = [stop for stop in stops if stop.host[0] in PARTNER]
    assert pairs
    assert [stop for stop in pairs if stop.down & POOLS[PARTNER[stop.host[0]]]] == []
    # Nor do they take turns: one pool is through before the other begins.
    order = [stop.host[0] for stop in pairs]
    assert order == sorted(order)


def test_pools_that_do_not_concern_each_other_do_not_wait(story: Story) -> None:
    order = [stop.host for stop in story.rollback.stops]
    assert order.index("c1") < order.index("a2")
    assert story.rollback.played.report["plan"]["waves"] == 5


@dataclass(frozen=True, kw_only=True)
class Later:
    fleet: Fleet
    process_ids: dict[str, int | None]
    archiver: int
    later: Stage
    now: Stage


def dependent_process(fleet: Fleet, service: str) -> int | None:
    with fleet.lab.deployment.lock:
        found = fleet.lab.host("base").services.get(service)
        return found.process.pid if found and found.process else None


@pytest.fixture(scope="module")
def put_off(start: t.Callable[..., Fleet]) -> Later:
    fleet = start("services")
    process_ids, archiver = fleet.process_ids(), dependent_process(fleet, "CONTOSOARCHIVER")
    assert archiver is not None
    later = fleet.play("remediate", variables={"sfb_kb4023993_restart": "later"})
    after_later = fleet.process_ids()
    now = fleet.play("remediate")
    return Later(
        fleet=fleet,
        process_ids=process_ids,
        archiver=archiver,
        later=Stage(played=later, process_ids=after_later, stops=[]),
        now=Stage(played=now, process_ids=fleet.process_ids(), stops=[]),
    )


def test_restart_later_writes_and_leaves_the_restart_pending(put_off: Later) -> None:
    assert put_off.later.process_ids == put_off.process_ids
    assert put_off.later.played.changed == set(put_off.fleet.names)
    for name in ("plain", "base"):
        assert put_off.later.played.results[name]["result"] == "pending"
        assert "KB4023993-RESTART-PENDING" in put_off.later.played.findings(name)
        # Not in effect yet, so nothing better is claimed.
        assert put_off.later.played.verdicts[name] == "broken"
    # Put off as asked for: that fails nobody.
    assert put_off.later.played.failed.isdisjoint({"plain", "base"})


def test_later_run_with_restart_now_finishes(put_off: Later) -> None:
    assert put_off.now.played.changed == {"plain", "base"}
    for name in ("plain", "base"):
        assert put_off.now.process_ids[name] not in (None, put_off.process_ids[name])
        assert put_off.now.played.results[name]["result"] == "done"
        assert put_off.now.played.verdicts[name] == "mitigated"
        assert "KB4023993-RESTART-PENDING" not in put_off.now.played.findings(name)


@pytest.mark.parametrize("name", ["disabled", "stopped"])
def test_service_that_did_not_run_is_not_started(put_off: Later, name: str) -> None:
    assert put_off.fleet.service_status(name) == "stopped"
    assert put_off.now.process_ids[name] is None
    assert "KB4023993-SERVICE-STOPPED" in put_off.now.played.findings(name)
    # Its override is there for the next start.
    assert put_off.later.played.results[name]["result"] == "done"
    assert OWN_KEY in put_off.fleet.registries()[name]


def test_disabled_service_that_runs_is_not_stopped(put_off: Later) -> None:
    name = "disabled-running"
    assert put_off.fleet.service_status(name) == "running"
    assert put_off.now.process_ids[name] == put_off.process_ids[name]
    assert put_off.now.played.verdicts[name] == "broken"
    assert put_off.now.played.code == 2
    assert put_off.now.played.failed == {name}
    (planned,) = [host for host in put_off.later.played.report["plan"]["hosts"] if host["host"] == name]
    assert planned["restart"] is False
    assert "disabled" in planned["note"]


def test_dependent_services_run_again_and_only_those_that_ran(put_off: Later) -> None:
    assert put_off.fleet.service_status("base", "CONTOSOARCHIVER") == "running"
    assert dependent_process(put_off.fleet, "CONTOSOARCHIVER") != put_off.archiver
    assert put_off.fleet.service_status("base", "CONTOSOIDLE") == "stopped"
