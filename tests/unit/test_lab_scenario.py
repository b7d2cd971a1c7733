# Copyright (c) 2026, the sfb.kb4023993 contributors
# GNU General Public License v3.0-or-later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Scenario files: all that ship can be built, and what is wrong in one is told in plain English with the place."""

from __future__ import annotations

import typing as t

import pytest
from lab.deployment import Deployment
from lab.generate import generate
from lab.reader import ScenarioError
from lab.scenario import SCENARIOS, load, parse

SERVER = {"product": "sfb2015", "os": "server2012r2", "pool": "p"}


@pytest.mark.parametrize("path", sorted(SCENARIOS.glob("*.yml")), ids=lambda path: path.stem)
def test_every_scenario_that_ships_can_be_built(path: t.Any) -> None:
    scenario = load(path)
    deployment = Deployment(scenario)
    assert set(deployment.hosts) == set(scenario.by_name)
    assert scenario.description != path.stem


def test_the_demo_shows_what_it_promises() -> None:
    scenario = load("demo")
    assert 12 <= len(scenario.servers) <= 16
    assert {server.product for server in scenario.servers} == {"lync2010", "lync2013", "sfb2015", "sfb2019", None}
    assert {server.culture for server in scenario.servers} == {"en-US", "de-DE", "ja-JP"}
    assert {len(scenario.members(pool)) for pool in scenario.pools} == {1, 2, 3}
    assert sum(server.quirks.unreachable for server in scenario.servers) == 1
    assert {(server.scheme, server.auth) for server in scenario.servers} == {
        ("http", "basic"),
        ("http", "ntlm"),
        ("https", "ntlm"),
    }


@pytest.mark.parametrize(
    ("server", "message"),
    [
        ({"product": "sfb2016"}, "server a: product cannot be 'sfb2016'; choose one of lync2010"),
        ({"product": None}, "server a: product has to be a text"),
        ({"colour": "red"}, "server a: there is no entry 'colour'; possible are"),
        ({"pool": "q"}, "server a: pool names 'q', which is not among the pools"),
        ({"pool": None}, "server a: pool is missing: a server of the role front_end belongs to a pool"),
        (
            {"role": "director", "pool": "p", "certificate": "gold"},
            "certificate cannot be 'gold'; choose one of any_eku",
        ),
        ({"process_age": "3 days"}, "process_age has to be a time like 90s, 15m, 3h or 10d, not '3 days'"),
        ({"dotnet": {"version": "4.8.1"}}, "server a: dotnet: version cannot be '4.8.1'"),
        ({"dotnet": {"version": "4.7"}}, "whether .NET 4.7 has the EKU check is not known, so say true or false"),
        ({"dotnet": {"version": "4.5.2", "update": "KB1"}}, "update cannot be 'KB1'; choose one of KB4014512"),
        ({"dotnet": "4.5.2"}, "server a: dotnet: this has to be a mapping .name: value., not a text"),
        ({"quirks": {"denied_cmdlets": "Get-Process"}}, "denied_cmdlets has to be a list of Get-CsCertificate"),
        ({"connection": "telnet"}, "connection cannot be 'telnet'; it is like 'winrm https ntlm'"),
        ({"opt_outs": [{"where": "everywhere"}]}, "opt_outs: where cannot be 'everywhere'"),
        ({"services": {"X": {"stuck": "yes"}}}, "stuck has to be true or false, not a text"),
    ],
)
def test_what_is_wrong_in_a_server_is_told(server: dict[str, t.Any], message: str) -> None:
    with pytest.raises(ScenarioError, match=message):
        parse({"pools": {"p": {}}, "servers": {"a": {**SERVER, **server}}})


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (None, "a scenario needs at least one server"),
        ([], "has to be a mapping"),
        ({"servers": {}}, "a scenario needs at least one server"),
        (
            {"pools": {"p": {"edge_pool": "q"}}, "servers": {"a": SERVER}},
            "pool p.contoso.example: edge_pool q.contoso.example is not a pool of servers of the role edge",
        ),
        (
            {"pools": {"p": {"edge_pool": "p"}}, "servers": {"a": SERVER}},
            "edge_pool p.contoso.example is not a pool of servers of the role edge",
        ),
        ({"pools": {"p": {}}, "servers": {"a": SERVER}, "sites": 1}, "there is no entry 'sites'"),
    ],
)
def test_what_is_wrong_in_a_scenario_is_told(data: t.Any, message: str) -> None:
    with pytest.raises(ScenarioError, match=message):
        parse(data)


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ({"usages": ["servers"]}, "usages: 'servers' is no usage; write one of server, client"),
        ({"usages": ["server"], "authority": "nobody"}, "There is no authority 'nobody'; choose one of issuing"),
    ],
)
def test_what_is_wrong_in_a_template_is_told(row: dict[str, t.Any], message: str) -> None:
    data = {"templates": {"own": row}, "pools": {"p": {}}, "servers": {"a": {**SERVER, "certificate": "own"}}}
    with pytest.raises(ScenarioError, match=message):
        Deployment(parse(data))


def test_a_scenario_file_that_is_not_there_names_those_that_are() -> None:
    with pytest.raises(ScenarioError, match=r"There is no scenario file .*The lab brings: .*demo.*small"):
        load("smal")


def test_a_generated_fleet_has_the_size_that_was_asked_for() -> None:
    scenario = generate(7, front_ends_per_pool=3, edges_per_pool=2)
    assert sum(server.role == "front_end" for server in scenario.servers) == 7
    assert sum(server.role == "edge" for server in scenario.servers) == 6
    with pytest.raises(ValueError, match="at least one Front End"):
        generate(0)
