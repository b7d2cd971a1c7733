# Copyright (c) 2026, the sfb.kb4023993 contributors
# GNU General Public License v3.0-or-later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Restarting whole servers in the lab: services, FailOver, and what happens to a pool that loses too many of its Front Ends."""

from __future__ import annotations

import pytest
from ansible_collections.sfb.kb4023993.plugins.plugin_utils.host import certificate_operations as cop
from ansible_collections.sfb.kb4023993.plugins.plugin_utils.host import operations as op
from lab import client
from lab.deployment import Deployment
from lab.renewing import MODULES, advance, build, failover, gate, registrar, services, states
from lab.scenario import parse

POOL = ("fe13a", "fe13b", "fe13c")


def stop(deployment: Deployment, *hosts: str) -> None:
    for host in hosts:
        assert services(deployment, host, "stop").failure is None
    advance(deployment, 1)


def start(deployment: Deployment, *hosts: str, seconds: float = 310) -> None:
    for host in hosts:
        assert services(deployment, host, "start").failure is None
    advance(deployment, seconds)


def test_nobody_waits_for_the_services() -> None:
    deployment = build(top={"poll_seconds": 0})
    before = deployment.clock.now()
    assert services(deployment, "fe13a", "stop").failure is None
    advance(deployment, 1)
    assert {state for state, _ in states(deployment, "fe13a").values()} == {"stopped"}
    services(deployment, "fe13a", "start")
    assert (deployment.clock.now() - before).total_seconds() == 1
    advance(deployment, 100)
    found = states(deployment, "fe13a")
    assert found.pop("RTCSRV")[0] == "start_pending"
    assert {state for state, _ in found.values()} == {"running"}
    advance(deployment, 210)
    assert registrar(deployment, "fe13a") == "running"


def test_a_look_at_the_services_lets_time_pass() -> None:
    deployment = build()
    services(deployment, "edge15", "stop")
    services(deployment, "edge15", "start")
    before = deployment.clock.now()
    states(deployment, "edge15")
    assert (deployment.clock.now() - before).total_seconds() == deployment.scenario.poll_seconds


def test_a_graceful_stop_lets_sessions_end() -> None:
    deployment = build(top={"poll_seconds": 0})
    services(deployment, "fe15a", "stop_graceful")
    advance(deployment, 60)
    assert registrar(deployment, "fe15a") == "stop_pending"
    advance(deployment, 70)
    assert registrar(deployment, "fe15a") == "stopped"


def test_disabled_services_and_others_that_depend_stay_down() -> None:
    deployment = build(
        {"fe10": {"services": {"RTCASMCU": {"start_mode": "disabled"}}, "dependents": ["ARCHIVER"]}},
        top={"poll_seconds": 0},
    )
    stop(deployment, "fe10")
    archiver: op.ServicesReply = client.ask(deployment, "fe10", op.Services(names=("ARCHIVER",)))
    assert archiver.services[0].status == "stopped"
    start(deployment, "fe10")
    found = states(deployment, "fe10")
    assert found.pop("RTCASMCU") == ("stopped", "disabled")
    assert set(found.values()) == {("running", "automatic")}
    archiver = client.ask(deployment, "fe10", op.Services(names=("ARCHIVER",)))
    assert archiver.services[0].status == "stopped"


def test_a_service_that_does_not_start_is_told_and_the_others_run() -> None:
    deployment = build({"fe10": {"services": {"RTCIMMCU": {"fails_to_start": True}}}})
    stop(deployment, "fe10")
    assert "RTCIMMCU" in (services(deployment, "fe10", "start").failure or "")
    advance(deployment, 10)
    found = states(deployment, "fe10")
    assert (found.pop("RTCIMMCU")[0], {state for state, _ in found.values()}) == ("stopped", {"running"})


@pytest.mark.parametrize(
    ("total", "needed", "voters"),
    [(2, 1, 2), (3, 2, 3), (4, 2, 4), (5, 3, 5), (6, 3, 6), (7, 4, 7), (8, 4, 7), (9, 4, 7), (10, 5, 9), (12, 5, 9)],
)
def test_how_many_have_to_run(total: int, needed: int, voters: int) -> None:
    """In large pools only the first servers count."""
    each = {"product": "sfb2015", "os": "server2012r2", "pool": "p"}
    deployment = Deployment(parse({"pools": {"p": {}}, "servers": {f"s{n:02d}": each for n in range(total)}}))
    stop(deployment, *(f"s{n:02d}" for n in range(voters - needed)))
    last = f"s{voters - 1:02d}"
    assert registrar(deployment, last) == "running"
    stop(deployment, f"s{voters - needed:02d}")
    advance(deployment, 1)
    assert registrar(deployment, last) == "stopped"


def test_a_pool_that_loses_too_many_stops_itself() -> None:
    deployment = build()
    stop(deployment, "fe13a")
    assert {registrar(deployment, name) for name in POOL[1:]} == {"running"}
    stop(deployment, "fe13b")
    assert registrar(deployment, "fe13c") == "stopped"
    assert set(states(deployment, "fe13c").values()) == {("stopped", "automatic")}
    # Another pool has nothing to do with it.
    assert registrar(deployment, "fe15a") == "running"


def test_a_pool_comes_up_again_only_with_enough_servers() -> None:
    deployment = build()
    stop(deployment, "fe13a", "fe13b")
    start(deployment, "fe13a", seconds=3000)
    assert registrar(deployment, "fe13a") == "start_pending"
    start(deployment, "fe13b")
    assert [registrar(deployment, name) for name in POOL] == ["running", "running", "stopped"]


def test_restarting_web_conferencing_alone_costs_no_vote() -> None:
    deployment = build()
    for name in POOL:
        client.ask(deployment, name, op.ServiceRestart(name="RTCDATAMCU", stop=True))
    assert {registrar(deployment, name) for name in POOL} == {"running"}


def test_servers_of_lync_2010_stand_alone() -> None:
    each = {"product": "lync2010", "os": "server2008r2", "pool": "p"}
    deployment = Deployment(parse({"pools": {"p": {}}, "servers": {"a": each, "b": each, "c": each}}))
    stop(deployment, "a", "b")
    assert registrar(deployment, "c") == "running"


def test_failover_disables_until_failback() -> None:
    deployment = build({"fe15a": {"services": {"REPLICA": {"start_mode": "manual"}}}})
    before = deployment.clock.now()
    modes = {name: mode for name, (_, mode) in states(deployment, "fe15a").items()}
    assert failover(deployment, "fe15a") == cop.LyncOutcome(module="SkypeForBusiness", denied=False, failure=None)
    assert (deployment.clock.now() - before).total_seconds() > 600
    assert set(states(deployment, "fe15a").values()) == {("stopped", "disabled")}
    assert services(deployment, "fe15a", "start").failure is None
    advance(deployment, 1000)
    assert registrar(deployment, "fe15a") == "stopped"
    assert registrar(deployment, "fe15b") == "running"
    assert failover(deployment, "fe15a", "failback").failure is None
    assert states(deployment, "fe15a") == {name: ("running", mode) for name, mode in modes.items()}


def test_failover_that_is_cut_by_its_time_has_done_it_anyway() -> None:
    deployment = build()
    operation = cop.LyncFailover(modules=MODULES, action="failover", computer="fe15a.contoso.example", seconds=100)
    error = client.replies(deployment, "fe15a", operation)[0].error
    assert error is not None
    assert error.type == "deadline"
    assert registrar(deployment, "fe15a") == "stopped"


def test_failover_is_refused_where_nobody_is_left() -> None:
    deployment = build()
    stop(deployment, "fe15b")
    assert "too few" in (failover(deployment, "fe15a").failure or "")
    assert registrar(deployment, "fe15a") == "running"


@pytest.mark.parametrize("host", ["fe10", "fe13a"])
def test_older_products_have_no_failover(host: str) -> None:
    assert "is not recognized" in (failover(build(), host).failure or "")


def test_the_gate_follows_the_pool() -> None:
    deployment = build(top={"poll_seconds": 0})
    assert gate(deployment, "fe13a").state == "Ready"
    assert [each.front_ends for each in gate(deployment, "fe13a").domains] == [(f"{n}.contoso.example",) for n in POOL]
    stop(deployment, "fe13b")
    reply = gate(deployment, "fe13a")
    assert (reply.state, {each.ready for each in reply.domains}) == ("InsufficientActiveFrontEnds", {False})
    start(deployment, "fe13b")
    assert gate(deployment, "fe13a").state == "Busy"
    advance(deployment, 130)
    reply = gate(deployment, "fe13a")
    assert (reply.state, {each.ready for each in reply.domains}) == ("Ready", {True})


@pytest.mark.parametrize(
    ("host", "failure"), [("fe10", "is not recognized"), ("edge15", "not a Front End Server of an Enterprise")]
)
def test_servers_without_a_fabric_have_no_gate(host: str, failure: str) -> None:
    reply = gate(build(), host)
    assert failure in (reply.failure or "")
    assert (reply.state, reply.domains) == (None, ())


def test_what_the_gate_says_can_be_odd() -> None:
    deployment = build(
        {"fe13a": {"quirks": {"gate_state": "Undecided"}}, "fe13b": {"quirks": {"gate_busy": "30m"}}},
        top={"poll_seconds": 60},
    )
    assert gate(deployment, "fe13a").state == "Undecided"
    words = [gate(deployment, "fe13b").state for _ in range(40)]
    assert words == ["Busy"] * words.index("Ready") + ["Ready"] * (40 - words.index("Ready"))
    assert 25 <= words.index("Ready") <= 30


@pytest.mark.parametrize(("host", "stays_down"), [("fe13a", True), ("fe15a", True), ("fe10", False), ("edge15", False)])
def test_a_foreign_certificate_among_the_roots_keeps_the_front_end_service_down(host: str, stays_down: bool) -> None:
    deployment = build({host: {"misplaced_roots": ["issuing"]}})
    assert registrar(deployment, host) == "running"
    stop(deployment, host)
    start(deployment, host, seconds=3000)
    assert registrar(deployment, host) == ("start_pending" if stays_down else "running")
    wrong = deployment.issuer.authority("issuing").der
    deployment.hosts[host].stores.remove("Root", wrong)
    advance(deployment, 1)
    assert registrar(deployment, host) == "running"
