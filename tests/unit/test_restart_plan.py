# Copyright (c) 2026, the sfb.kb4023993 contributors
# GNU General Public License v3.0-or-later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""When a plan restarts Web Conferencing, and in which order."""

from __future__ import annotations

import typing as t

import pytest
from ansible_collections.sfb.kb4023993.plugins.plugin_utils.records import (
    KEY,
)
from ansible_collections.sfb.kb4023993.plugins.plugin_utils.waves import arrange_waves
from builders import certificates as c
from builders import evidence as e
from builders import fleets as f
from hypothesis import given
from hypothesis import strategies as st

GOOD: t.Final = c.certificate("both")


# ---- restarts


def test_an_unproven_override_of_somebody_else_is_recorded_as_it_stands_and_restarted_once() -> None:
    plan = f.planned(f.judge(e.front_end(opt_outs=e.opt_outs(e.Value()))))
    assert f.steps(plan) == [(e.opt_out_key(), e.executable(), "64", "REG_DWORD 0", "REG_DWORD 0")]
    assert (plan.restart, plan.wave) == (True, 0)


def test_restart_later_leaves_it_pending_and_without_a_wave() -> None:
    found = f.plan(f.judge(e.front_end()), restart="later")
    assert (found.hosts[0].restart, found.hosts[0].wave, found.waves) == (True, None, 0)


def test_a_recorded_restart_that_has_not_happened_is_planned() -> None:
    own = e.front_end(cert=GOOD, records=e.records(e.restart_record(since=e.LATER)))
    assert f.planned(f.judge(own)).restart
    assert "RESTART-PENDING" in f.finding_ids(f.judge(own), "fe01")


def test_a_recorded_restart_that_has_happened_only_loses_its_record() -> None:
    plan = f.planned(f.judge(e.front_end(cert=GOOD, records=e.records(e.restart_record(since=e.EARLIER)))))
    assert (plan.restart, plan.changes, plan.clear) == (False, (), ("restart|RTCDATAMCU",))


def test_an_unfinished_restart_is_finished_although_the_service_is_down() -> None:
    own = e.front_end(started=None, cert=GOOD, records=e.records(e.restart_record(begun=e.LATER)))
    for goal in ("override", "rollback"):
        assert f.planned(f.judge(own), goal=t.cast(t.Any, goal)).wave == 0
    assert "RESTART-UNFINISHED" in f.finding_ids(f.judge(own), "fe01")


@pytest.mark.parametrize(
    ("goal", "restart_policy", "words"),
    [
        ("override", "later", {"cert": GOOD}),
        ("override", "now", {"edge_pool": None, "cert": GOOD, "events": e.events(e.event(41026, e.LATER))}),
        ("rollback", "now", {"opt_outs": e.opt_outs(e.Value(data=1)), "changes": (e.change_record(),)}),
    ],
    ids=["restart later", "refused for an assumption", "refused for a changed value"],
)
def test_an_unfinished_restart_is_finished_by_any_run(
    goal: t.Any, restart_policy: t.Any, words: dict[str, t.Any]
) -> None:
    changes = words.pop("changes", ())
    own = e.front_end(started=None, records=e.records(e.restart_record(begun=e.LATER), *changes), **words)
    found = f.plan(f.judge(own), goal, restart=restart_policy)
    assert [host.wave for host in found.hosts] == [0]


@pytest.mark.parametrize("mode", ["disabled", "automatic", "manual"])
def test_a_stopped_service_gets_its_value_and_is_not_started(mode: t.Any) -> None:
    state = e.service("RTCDATAMCU", e.executable(), status="stopped", start_mode=mode)
    plan = f.planned(f.judge(e.front_end(started=None, services=(state,))))
    assert (len(plan.changes), plan.restart, plan.wave) == (1, False, None)
    assert "next start" in plan.note or "disabled" in plan.note


def test_a_disabled_service_is_never_started_not_even_to_finish_a_restart() -> None:
    state = e.service("RTCDATAMCU", e.executable(), status="stopped", start_mode="disabled")
    own = e.front_end(started=None, services=(state,), records=e.records(e.restart_record(begun=e.LATER)))
    assert not any(host.restart for host in f.plan(f.judge(own)).hosts)


@pytest.mark.parametrize("processes", [None, ()], ids=["processes not read", "process not seen"])
def test_a_running_service_whose_process_was_not_seen_is_restarted_or_refused(processes: t.Any) -> None:
    found = f.plan(f.judge(e.front_end(processes=processes)))
    assert found.refused or found.hosts[0].restart


# ---- waves


def test_one_front_end_of_a_pool_at_a_time_and_pools_side_by_side() -> None:
    hosts = [(f"{pool}-fe{n}", pool) for pool in ("a", "b") for n in (1, 2, 3)]
    waves = arrange_waves(hosts)
    assert waves == {f"{pool}-fe{n}": n - 1 for pool in ("a", "b") for n in (1, 2, 3)}


def test_paired_pools_are_not_restarted_at_the_same_time() -> None:
    hosts = [("a1", "a"), ("a2", "a"), ("b1", "b"), ("b2", "b"), ("c1", "c")]
    assert arrange_waves(hosts, paired=[("a", "b")]) == {"a1": 0, "a2": 1, "b1": 2, "b2": 3, "c1": 0}
    assert arrange_waves([("b1", "b")], paired=[("a", "b")]) == {"b1": 0}


def test_a_service_that_is_already_down_comes_first_in_its_pool() -> None:
    assert arrange_waves([("fe1", "p"), ("fe2", "p")], first=["fe2"]) == {"fe2": 0, "fe1": 1}


PAIRS = st.lists(st.tuples(st.sampled_from("abcd"), st.sampled_from("abcd")).filter(lambda p: p[0] != p[1]), max_size=2)


@given(st.lists(st.integers(0, 4), min_size=4, max_size=4), PAIRS)
def test_whatever_the_fleet_no_pool_and_no_pair_has_two_restarts_in_one_wave(
    sizes: list[int], pairs: list[tuple[str, str]]
) -> None:
    paired: dict[str, str] = {}
    for one, other in pairs:
        if one not in paired and other not in paired:
            paired |= {one: other, other: one}
    hosts = [(f"{pool}{n}", pool) for pool, size in zip("abcd", sizes, strict=True) for n in range(size)]
    waves = arrange_waves(hosts, paired=tuple((a, b) for a, b in paired.items() if a < b))
    assert set(waves) == {host for host, _pool in hosts}
    for host, pool in hosts:
        together = [p for h, p in hosts if h != host and waves[h] == waves[host]]
        assert pool not in together
        assert paired.get(pool) not in together


def test_the_waves_of_a_plan_follow_the_pairing_of_the_inventory_of_either_side() -> None:
    one, two = "pool01.contoso.example", "pool02.contoso.example"
    for sides in ((two, None), (None, one), (two, one)):
        assessment = f.judge(
            e.front_end("fe01", pool=one, paired_pool=sides[0]), e.front_end("fe02", pool=two, paired_pool=sides[1])
        )
        found = f.plan(assessment)
        assert ([host.wave for host in found.hosts], found.waves) == ([0, 1], 2)


def test_records_below_our_own_key_are_the_only_thing_that_is_cleared() -> None:
    plan = f.planned(f.judge(e.front_end(records=e.records(e.change_record()))), goal="rollback")
    assert KEY == r"SOFTWARE\sfb.kb4023993"
    assert plan.clear == (e.change_record().value_name,)
