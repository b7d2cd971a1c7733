# Copyright (c) 2026, the sfb.kb4023993 contributors
# GNU General Public License v3.0-or-later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The override goes only when nothing needs it any more, first from one Front End, and nothing is taken that is not ours to take."""

from __future__ import annotations

import dataclasses
import datetime
import typing as t

import pytest
from ansible_collections.sfb.kb4023993.plugins.plugin_utils.evidence import Evidence, OfflineReading
from ansible_collections.sfb.kb4023993.plugins.plugin_utils.fleet import InventoryHost
from ansible_collections.sfb.kb4023993.plugins.plugin_utils.host_plan import Policy
from ansible_collections.sfb.kb4023993.plugins.plugin_utils.plan import make_plan
from ansible_collections.sfb.kb4023993.plugins.plugin_utils.records import ABSENT, ValueState
from ansible_collections.sfb.kb4023993.plugins.plugin_utils.renewal.retire import Retirement, plan_retirement
from ansible_collections.sfb.kb4023993.plugins.plugin_utils.verify import verify
from builders import certificates as c
from builders import evidence as e
from builders import fleets as f
from builders import renewal as r

GOOD: t.Final = c.certificate("both")
BAD: t.Final = c.certificate("server_only")
ON: t.Final = e.Value()
SEEN: t.Final = (e.sighted(ON, e.EARLIER),)
QUIET: t.Final = "2026-03-08T11:39:59.000Z"
"""A start of the process, 20 minutes and a second before the server was read."""
FRESH: t.Final = "2026-03-08T11:40:00.000Z"


def front_end(name: str = "fe01", *values: e.Value, **words: t.Any) -> Evidence:
    """A Front End with good certificates around it, asked about all of them; with an override unless told otherwise."""
    checks = (e.chain_check(GOOD), e.chain_check(BAD, "NotValidForUsage"))
    words = {"cert": GOOD, "edge_pool": r.EDGE_POOL, "chain_checks": checks, "sightings": SEEN, **words}
    return e.front_end(name, opt_outs=words.pop("opt_outs", None) or e.opt_outs(*values), **words)


def covered(name: str = "fe01", **words: t.Any) -> Evidence:
    return front_end(name, ON, **words)


def edge(name: str = "edge01", **words: t.Any) -> Evidence:
    return e.edge(name, **{"cert": GOOD, **words})


def retire(*hosts: InventoryHost | Evidence, minutes: int = 20) -> Retirement:
    return plan_retirement(f.judge(*hosts), quiet_minutes=minutes, now=f.NOW)


def names(found: Retirement) -> list[str]:
    return [plan.host for plan in found.hosts]


# ---- when nothing needs it


def test_one_goes_first_and_the_others_wait() -> None:
    found = retire(covered("fe01"), covered("fe02"), edge())
    assert (found.allowed, found.reasons) == (True, ())
    assert (found.canary, names(found)) == ("fe01", ["fe01"])
    assert found.wait_seconds == 20 * 60 + 1
    assert found.quiet_until_utc == "2026-03-08T12:20:11Z"


def test_a_single_one_goes_and_nobody_waits() -> None:
    found = retire(covered(), edge())
    assert (names(found), found.wait_seconds, found.quiet_until_utc) == (["fe01"], 0, None)


def test_the_others_follow_after_more_than_the_quiet_time() -> None:
    found = retire(front_end("fe01", started=QUIET), covered("fe02"), covered("fe03"), edge())
    assert (found.canary, names(found), found.wait_seconds) == ("fe01", ["fe02", "fe03"], 0)


@pytest.mark.parametrize(("started", "left"), [(FRESH, 1), ("2026-03-08T11:59:00.000Z", 19 * 60 + 1)])
def test_until_then_nothing_is_done(started: str, left: int) -> None:
    found = retire(front_end("fe01", started=started), covered("fe02"), edge())
    assert (found.allowed, found.canary, found.hosts, found.wait_seconds) == (True, "fe01", (), left)


def test_the_quiet_time_is_a_setting() -> None:
    fleet = (front_end("fe01", started=QUIET), covered("fe02"), edge())
    assert names(retire(*fleet, minutes=0)) == ["fe02"]
    assert names(retire(*fleet, minutes=21)) == []


def test_a_front_end_that_never_had_an_opt_out_has_proved_it_already() -> None:
    assert names(retire(front_end("fe01", sightings=()), covered("fe02"), edge())) == ["fe02"]


def test_where_no_override_is_there_is_nothing_to_do() -> None:
    found = retire(front_end(), edge())
    assert (found.allowed, found.hosts, found.canary) == (True, (), None)


@pytest.mark.parametrize(
    ("fleet", "canary"),
    [
        ([("fe01", "big"), ("fe02", "big"), ("fe11", "small")], "fe11"),
        ([("fe01", "small"), ("fe02", "small"), ("fe11", "big"), ("fe12", "big"), ("fe13", "big")], "fe11"),
        ([("fe02", "one"), ("fe03", "one")], "fe02"),
    ],
    ids=["Standard Edition", "most members", "by name"],
)
def test_the_first_is_a_standard_edition_or_of_the_largest_pool(fleet: list[tuple[str, str]], canary: str) -> None:
    found = retire(*(covered(name, pool=f"{pool}.contoso.example") for name, pool in fleet), edge())
    assert found.canary == canary


def test_the_first_is_one_that_can_prove_something() -> None:
    stopped = covered("fe01", started=None)
    not_checking = covered("fe02", dotnet=e.UNCHECKED)
    global_too = covered("fe03", opt_outs=e.opt_outs(ON, everything=e.dword("RequireCertificateEKUs", 0)))
    found = retire(stopped, not_checking, global_too, covered("fe04"), edge())
    assert found.canary == "fe04"
    stuck = retire(stopped, not_checking, global_too, edge())
    assert (stuck.allowed, stuck.hosts) == (False, ())
    assert [reason.split(":")[0] for reason in stuck.reasons] == ["fe01", "fe02", "fe03"]


def test_where_no_dotnet_checks_anything_every_front_end_may_be_first() -> None:
    assert retire(covered(dotnet=e.UNCHECKED), edge()).canary == "fe01"


def test_one_that_has_lost_it_but_not_restarted_is_gone_on_with_and_proves_nothing_yet() -> None:
    half = front_end("fe02", records=e.records(e.restart_record(since=e.LATER)))
    found = retire(covered("fe01"), half, edge())
    assert (found.canary, names(found)) == ("fe02", ["fe02"])
    assert (found.hosts[0].changes, found.hosts[0].restart) == ((), True)


def test_a_process_from_before_the_removal_proves_nothing() -> None:
    gone = e.change_record(before=ValueState(kind="dword", data=0), written=ABSENT, time_utc=e.LATER)
    old_process = front_end("fe01", records=e.records(gone), started=e.STARTED)
    assert names(retire(old_process, covered("fe02"), edge())) == ["fe02"]
    assert retire(old_process, covered("fe02"), covered("fe03"), edge()).canary == "fe02"
    new_process = front_end("fe01", records=e.records(gone), started=QUIET)
    assert names(retire(new_process, covered("fe02"), covered("fe03"), edge())) == ["fe02", "fe03"]


def test_without_its_events_nobody_knows_whether_it_was_quiet() -> None:
    silent = front_end("fe01", started=QUIET, events=None)
    assert retire(silent, covered("fe02"), covered("fe03"), edge()).canary == "fe02"


# ---- what keeps it


def at_edge(**words: t.Any) -> list[InventoryHost]:
    return [f.read(covered()), f.read(edge(**words))]


@pytest.mark.parametrize(
    ("fleet", "who", "why"),
    [
        (at_edge(cert=BAD), "edge01", "certificate"),
        ([f.read(covered(cert=BAD)), f.read(edge())], "fe01", "certificate"),
        (at_edge(cert=c.certificate("any")), "edge01", "certificate"),
        ([f.read(covered()), f.unread("edge01", saved=edge())], "edge01", "did not answer"),
        ([f.read(covered()), f.outside(edge())], "edge01", "--limit"),
        ([f.read(covered()), f.read(edge()), f.unread("srv09")], "srv09", "did not answer"),
        ([f.read(covered()), f.read(edge()), f.unread("srv09", in_run=False)], "srv09", "--limit"),
        ([f.read(covered(edge_pool=None))], "fe01", "only assumed"),
        (at_edge(pool="other.contoso.example"), "edge01", "could not be judged"),
        ([f.read(covered(chain_checks=())), f.read(edge())], "fe01", "did not say"),
        (
            [f.read(covered(chain_checks=(e.chain_check(GOOD, "UntrustedRoot"),))), f.read(edge())],
            "fe01",
            "UntrustedRoot",
        ),
        (
            [f.read(covered(chain_checks=(e.chain_check(GOOD, "NotValidForUsage"),))), f.read(edge())],
            "fe01",
            "NotValidForUsage",
        ),
        (
            at_edge(lync_certificates=e.assignments(("Internal", r.new())), certificates=e.store(GOOD, r.new())),
            "edge01",
            "restart",
        ),
        (
            [
                f.read(covered()),
                f.read(edge()),
                f.read(front_end("fe02", started=QUIET, events=e.events(e.event(41026, "2026-03-08T11:50:00.000Z")))),
            ],
            "fe02",
            "failures",
        ),
        (
            [f.read(covered(opt_outs=e.opt_outs(ON, unreadable=[(e.CLR4, "64")]))), f.read(edge())],
            "fe01",
            "could not be read",
        ),
    ],
    ids=[
        "an Edge",
        "itself",
        "undecided",
        "unread",
        "outside",
        "nobody knows what it is",
        "unread and outside",
        "unknown Edges",
        "an Edge of nobody",
        "not asked",
        "not trusted",
        "not accepted",
        "not picked up",
        "one that fails without",
        "unreadable keys",
    ],
)
def test_one_doubt_keeps_it_everywhere_and_is_named(fleet: list[InventoryHost], who: str, why: str) -> None:
    found = retire(*fleet)
    assert (found.allowed, found.hosts, found.wait_seconds) == (False, (), 0)
    assert [reason for reason in found.reasons if reason.startswith(f"{who}:") and why in reason], found.reasons


def test_a_pool_member_that_is_not_in_the_inventory_keeps_it() -> None:
    fact = e.pool_fact("pool01.contoso.example", e.full("fe01"), e.full("fe02"), edge_pool=r.EDGE_POOL)
    found = retire(covered(pool=None, edge_pool=None, topology=(fact,)), edge())
    assert any(reason.startswith("fe02.contoso.example: ") for reason in found.reasons)


def test_an_assumed_edge_pool_keeps_it() -> None:
    found = retire(covered(edge_pool=None), edge(), edge("edge11", pool="eleven.contoso.example"))
    assert any("only assumed" in reason for reason in found.reasons), found.reasons


def test_what_is_wrong_with_a_server_is_said_once() -> None:
    found = retire(*(covered(f"fe{n:02}") for n in range(8)), edge(cert=BAD))
    assert len(found.reasons) == 1


def test_other_servers_do_not_matter() -> None:
    assert retire(covered(), edge(), e.front_end("med01", services=())).allowed


@pytest.mark.parametrize(("collected", "allowed"), [("2026-03-07T13:00:00Z", True), ("2026-03-07T12:00:00Z", False)])
def test_a_reading_by_hand_counts_for_a_day(collected: str, allowed: bool) -> None:
    kit = OfflineReading(kit="k", read_utc=collected, imported_utc=collected)
    by_hand = dataclasses.replace(f.read(edge(offline=kit, collected_utc=collected)), offline=True)
    found = retire(covered(), by_hand)
    assert found.allowed is allowed
    assert allowed or found.reasons == ("edge01: it is read by hand, and that was more than a day ago: read it again",)


def test_failures_of_a_front_end_that_does_not_check_have_another_cause() -> None:
    failing = e.events(e.event(41026, "2026-03-08T11:50:00.000Z"))
    latent = front_end("fe02", started=QUIET, dotnet=e.UNCHECKED, events=failing)
    assert retire(covered(), latent, edge()).canary == "fe01"


# ---- what is taken away


def changes(evidence: Evidence) -> list[tuple[str, str, str, str, str]]:
    (plan,) = retire(evidence, edge()).hosts
    return f.steps(plan)


@pytest.mark.parametrize(
    ("records", "write", "prune"),
    [
        ((), "absent", False),
        ((e.change_record(),), "absent", False),
        ((e.change_record(key_existed=False),), "absent", True),
        ((e.change_record(before=ValueState(kind="dword", data=0)),), "absent", False),
        ((e.change_record(before=ValueState(kind="string", data="0")),), "absent", False),
        ((e.change_record(before=ValueState(kind="dword", data=1)),), "REG_DWORD 1", False),
    ],
    ids=[
        "of somebody else",
        "ours",
        "ours with its key",
        "adopted",
        "in place of a text",
        "in place of an explicit yes",
    ],
)
def test_the_override_goes_whoever_wrote_it(records: t.Any, write: str, prune: bool) -> None:
    (plan,) = retire(covered(records=e.records(*records)), edge()).hosts
    assert f.steps(plan) == [(e.opt_out_key(), e.executable(), "64", "REG_DWORD 0", write)]
    assert (plan.changes[0].prune, plan.restart) == (prune, True)


def test_values_that_were_meant_as_one_go_with_it_and_those_of_others_stay() -> None:
    wrong = (e.Value(view="32"), e.Value(name=f'"{e.executable()}"'), e.Value(clr=e.CLR2))
    strangers = (e.Value(name=r"C:\Other\Service.exe"), e.Value(name=r"C:\Other\Service.exe", view="32"))
    found = changes(front_end("fe01", ON, *wrong, *strangers))
    assert {(path, name, view) for path, name, view, _from, _to in found} == {
        (e.opt_out_key(), e.executable(), "64"),
        *((e.opt_out_key(value.clr), value.name, value.view) for value in wrong),
    }
    assert {to for *_rest, to in found} == {"absent"}


def test_an_explicit_yes_to_the_check_stays() -> None:
    assert retire(front_end("fe01", e.Value(data=1)), edge()).hosts == ()


def test_a_global_switch_stays_and_is_remarked() -> None:
    both = e.opt_outs(ON, everything=e.dword("RequireCertificateEKUs", 0))
    found = retire(front_end("fe02", started=QUIET), covered("fe01", opt_outs=both), edge())
    assert [name for _path, name, *_rest in f.steps(found.hosts[0])] == [e.executable()]
    assert len(found.remarks) == 1
    assert found.remarks[0].startswith("fe01: ")
    assert "remove it by hand" in found.hosts[0].note


# ---- as a plan that act and the waves carry out


def test_the_plan_has_the_hosts_of_the_retirement_with_their_waves() -> None:
    own = c.certificate("both", "two.contoso.example")
    other_pool = covered(
        "fe11", cert=own, pool="two.contoso.example", chain_checks=(e.chain_check(own), e.chain_check(GOOD))
    )
    fleet = [front_end("fe01", started=QUIET), covered("fe02"), covered("fe03"), other_pool]
    found = make_plan(f.judge(*fleet, edge()), Policy(goal="retire"))
    assert {plan.host: plan.wave for plan in found.hosts} == {"fe02": 0, "fe03": 1, "fe11": 0}
    assert (found.goal, found.refused, found.waves) == ("retire", (), 2)


def test_a_plan_of_a_fleet_with_doubts_is_empty() -> None:
    found = make_plan(f.judge(covered(), edge(cert=BAD)), Policy(goal="retire"))
    assert (found.hosts, found.refused) == ((), ())


def test_the_quiet_time_of_the_policy_counts() -> None:
    fleet = f.judge(front_end("fe01", started=QUIET), covered("fe02"), edge())
    assert make_plan(fleet, Policy(goal="retire", quiet_minutes=21)).hosts == ()
    assert make_plan(fleet, Policy(goal="retire", quiet_minutes=19)).hosts


def test_a_restart_that_was_begun_is_finished_although_the_rest_waits() -> None:
    begun = covered("fe02", records=e.records(e.restart_record(e.LATER)), started=e.STARTED)
    found = make_plan(f.judge(covered("fe01"), begun, edge(cert=BAD)), Policy(goal="retire"))
    assert [(plan.host, plan.finish, plan.changes) for plan in found.hosts] == [("fe02", True, ())]


def test_the_end_of_the_wait_is_by_the_controllers_clock() -> None:
    fleet = f.judge(front_end("fe01", started=FRESH), covered("fe02"), edge())
    later = f.NOW + datetime.timedelta(hours=1)
    assert plan_retirement(fleet, quiet_minutes=20, now=later).quiet_until_utc == "2026-03-08T13:00:11Z"


# ---- verified by a new reading


@pytest.mark.parametrize(
    ("after", "result", "why"),
    [
        ([front_end("fe01", started="2026-03-08T11:59:00.000Z"), edge()], "done", "compliant"),
        ([front_end("fe01", started="2026-03-08T11:59:00.000Z"), edge(cert=BAD)], "failed", "Still broken, to edge01"),
        (
            [
                front_end(
                    "fe01",
                    started="2026-03-08T11:59:00.000Z",
                    events=e.events(e.event(41026, "2026-03-08T11:59:30.000Z")),
                ),
                edge(),
            ],
            "failed",
            "1 failure since its restart",
        ),
        ([front_end("fe01"), edge()], "failed", "still runs in the process"),
        ([covered("fe01", started="2026-03-08T11:59:00.000Z"), edge()], "failed", "not absent"),
    ],
    ids=["good", "a bad certificate", "failures", "not restarted", "still there"],
)
def test_it_is_done_when_the_front_end_runs_well_without(after: list[Evidence], result: str, why: str) -> None:
    plan = make_plan(f.judge(covered(), edge()), Policy(goal="retire"))
    (found,) = verify(plan, f.judge(*after), {})
    assert found.result == result
    assert why in found.message
