# Copyright (c) 2026, the sfb.kb4023993 contributors
# GNU General Public License v3.0-or-later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Cause and effect in the lab: a fix helps there exactly where .NET and the product would let it help."""

from __future__ import annotations

import copy
import typing as t
from datetime import datetime, timedelta, timezone

import pytest
import yaml
from ansible_collections.sfb.kb4023993.plugins.plugin_utils.host import operations as op
from lab import client, pki, trust
from lab.clock import Clock
from lab.deployment import Deployment
from lab.install import _write_system_dll
from lab.mechanism import Outcome
from lab.scenario import SCENARIOS, parse

KEY = r"SOFTWARE\Microsoft\.NETFramework\v4.0.30319\System.Net.ServicePointManager.RequireCertificateEKUs"
EXECUTABLE = r"C:\Program Files\Skype for Business Server 2015\Web Conferencing\DataMCUSvc.exe"
EDGE = ("edge01.contoso.example", 8057)
OTHER = ("fe02.contoso.example", 8060)


def build(changes: dict[str, dict[str, t.Any]] | None = None) -> Deployment:
    """The small scenario with entries of its servers added or replaced, on a clock that stands still."""
    data = yaml.safe_load((SCENARIOS / "small.yml").read_text(encoding="utf-8"))
    for name, entries in (changes or {}).items():
        data["servers"][name].update(copy.deepcopy(entries))
    return Deployment(parse(data), clock=Clock(start=datetime.now(timezone.utc)))


def front_end(**entries: t.Any) -> Deployment:
    return build({"fe01": entries})


def to_edge(deployment: Deployment) -> Outcome:
    return deployment.mechanism.outcomes(deployment.hosts["fe01"])[EDGE]


def restart(deployment: Deployment, host: str = "fe01", service: str = "RTCDATAMCU") -> None:
    reply = client.ask(deployment, host, op.ServiceRestart(name=service, stop=True))
    assert reply.phase == "done"


def events(deployment: Deployment, *ids: int, seconds: int = 10 * 86400, host: str = "fe01") -> list[op.Event]:
    operation = op.Events(log="Lync Server", provider="LS Data MCU", ids=ids, seconds=seconds, limit=10_000)
    reply: op.EventsReply = client.ask(deployment, host, operation)
    assert reply.log_exists
    return sorted(reply.events, key=lambda event: event.record_id)


def test_an_enforcing_process_rejects_web_server_certificates() -> None:
    deployment = front_end()
    outcomes = deployment.mechanism.outcomes(deployment.hosts["fe01"])
    assert outcomes == {EDGE: Outcome.REJECTED, OTHER: Outcome.REJECTED, (OTHER[0], 8061): Outcome.REJECTED}


EFFECTIVE: list[dict[str, t.Any]] = [
    {"where": "application"},
    {"where": "application", "name": EXECUTABLE.upper()},
    {"where": "global"},
]


@pytest.mark.parametrize("opt_out", EFFECTIVE)
def test_each_opt_out_turns_the_check_off(opt_out: dict[str, t.Any]) -> None:
    assert to_edge(front_end(opt_outs=[opt_out])) is Outcome.CONNECTED


@pytest.mark.parametrize("where", ["appcontext", "config"])
def test_the_app_context_switch_is_known_to_4_6_and_later_only(where: str) -> None:
    later = {"version": "4.6.2", "update": "KB4014507"}
    opt_outs = [{"where": where}]
    assert to_edge(front_end(opt_outs=opt_outs, dotnet=later)) is Outcome.CONNECTED
    assert to_edge(front_end(opt_outs=opt_outs)) is Outcome.REJECTED
    assert to_edge(front_end(opt_outs=[{"where": where, "data": "false"}], dotnet=later)) is Outcome.REJECTED


@pytest.mark.parametrize(
    "opt_out",
    [
        {"where": "application", "kind": "string", "data": "0"},
        {"where": "application", "kind": "qword"},
        {"where": "application", "data": 1},
        {"where": "application", "clr": "v2.0.50727"},
        {"where": "application", "view": 32},
        {"where": "application", "name": '"{executable}"'},
        {"where": "application", "name": "DataMCUSvc.exe"},
        {"where": "application", "name": EXECUTABLE.replace("C:", "D:")},
        {"where": "application", "name": r"C:\Program Files\Contoso\Gateway.exe"},
        {"where": "global", "kind": "string", "data": "0"},
        {"where": "global", "clr": "v2.0.50727"},
        {"where": "global", "view": 32},
        {"where": "appcontext", "kind": "dword", "data": 1},
    ],
)
def test_a_wrong_opt_out_has_no_effect(opt_out: dict[str, t.Any]) -> None:
    later = {"version": "4.6.2", "update": "KB4014507"}
    assert to_edge(front_end(opt_outs=[opt_out], dotnet=later)) is Outcome.REJECTED


def test_one_opt_out_suffices_whatever_the_others_say() -> None:
    opt_outs = [{"where": "application", "data": 1}, {"where": "global"}]
    assert to_edge(front_end(opt_outs=opt_outs)) is Outcome.CONNECTED


def test_lync_2010_reads_the_key_of_clr_2() -> None:
    old = {
        "product": "lync2010",
        "os": "server2008r2",
        "dotnet": [{"version": "3.5.1", "update": "KB4014504", "odd_offset": True}, {"version": "4.5.2"}],
    }
    assert to_edge(front_end(**old)) is Outcome.REJECTED
    assert to_edge(front_end(**old, opt_outs=[{"clr": "v4.0.30319"}])) is Outcome.REJECTED
    assert to_edge(front_end(**old, opt_outs=[{}])) is Outcome.CONNECTED
    unpatched = {**old, "dotnet": [{"version": "3.5.1"}, {"version": "4.5.2", "update": "KB4014514"}]}
    assert to_edge(front_end(**unpatched)) is Outcome.CONNECTED


@pytest.mark.parametrize("form", ["plain", "arguments", "short", "variable"])
def test_the_value_has_the_long_path_however_the_service_was_registered(form: str) -> None:
    assert to_edge(front_end(image_path=form, opt_outs=[{"name": EXECUTABLE}])) is Outcome.CONNECTED


def test_an_opt_out_needs_a_restart_in_both_directions() -> None:
    deployment = front_end()
    client.ask(deployment, "fe01", op.RegistrySet(path=KEY, name=EXECUTABLE, kind="dword", data=("0",)))
    assert to_edge(deployment) is Outcome.REJECTED
    restart(deployment)
    assert to_edge(deployment) is Outcome.CONNECTED
    client.ask(deployment, "fe01", op.RegistryDelete(path=KEY, name=EXECUTABLE))
    assert to_edge(deployment) is Outcome.CONNECTED
    restart(deployment)
    assert to_edge(deployment) is Outcome.REJECTED


def test_a_value_written_after_the_process_started_was_not_read() -> None:
    assert to_edge(front_end(process_age="2d", opt_outs=[{"age": "1d"}])) is Outcome.REJECTED
    assert to_edge(front_end(process_age="2d", opt_outs=[{"age": "3d"}])) is Outcome.CONNECTED


def test_an_update_works_from_the_next_start_on() -> None:
    update = {"version": "4.5.2", "update": "KB4014512"}
    deployment = front_end(process_age="5d", dotnet={**update, "installed": "1d"})
    assert to_edge(deployment) is Outcome.CONNECTED
    assert not events(deployment, 41026)
    restart(deployment)
    assert to_edge(deployment) is Outcome.REJECTED


def test_system_dll_replaced_under_a_running_process_changes_nothing_until_its_restart() -> None:
    deployment = front_end()
    release = deployment.scenario.by_name["fe01"].dotnet[0]
    _write_system_dll(deployment.hosts["fe01"], release, check=False, modified=deployment.clock.now())
    assert to_edge(deployment) is Outcome.REJECTED
    restart(deployment)
    assert to_edge(deployment) is Outcome.CONNECTED


@pytest.mark.parametrize(
    ("template", "outcome"),
    [
        ("webserver", Outcome.REJECTED),
        ("both", Outcome.CONNECTED),
        ("no_eku", Outcome.CONNECTED),
        ("policies_both", Outcome.CONNECTED),
        ("policies_server", Outcome.REJECTED),
        ("policies_any", Outcome.CONNECTED),
        ("limited_ca", Outcome.REJECTED),
        ("any_eku", Outcome.REJECTED),
        ("expired", Outcome.REJECTED),
        ("other_root", Outcome.REJECTED),
        ("wildcard", Outcome.CONNECTED),
    ],
)
def test_which_certificates_of_a_peer_are_accepted(template: str, outcome: Outcome) -> None:
    assert to_edge(build({"edge01": {"certificate": template}})) is outcome


def test_purposes_limited_on_the_validators_own_copy_of_the_authority_count() -> None:
    good = {"edge01": {"certificate": "both"}}
    assert to_edge(build({**good, "fe01": {"ca_purposes": ["server"]}})) is Outcome.REJECTED
    assert to_edge(build({"edge01": {"certificate": "both", "ca_purposes": ["server"]}})) is Outcome.CONNECTED
    assert to_edge(build({**good, "fe01": {"ca_purposes": ["server", "client"]}})) is Outcome.CONNECTED


def test_purposes_and_extension_of_an_authority_both_limit() -> None:
    data = yaml.safe_load((SCENARIOS / "small.yml").read_text(encoding="utf-8"))
    data["servers"]["edge01"]["certificate"] = "both"
    for usages, purposes, outcome in [
        (["server", "client"], ["server"], Outcome.REJECTED),
        (["server"], ["server", "client"], Outcome.REJECTED),
        (["server", "client"], ["client"], Outcome.CONNECTED),
    ]:
        data["authorities"] = {"issuing": {"common_name": "Contoso Issuing CA 1", "usages": usages}}
        data["servers"]["fe01"]["ca_purposes"] = purposes
        assert to_edge(Deployment(parse(data))) is outcome


def test_a_property_on_the_peers_own_certificate_does_not_travel() -> None:
    deployment = build({"edge01": {"certificate": "both"}})
    edge = deployment.hosts["edge01"]
    leaf = next(
        e.certificate
        for e in edge.stores.entries("My")
        if trust.thumbprint(e.certificate) == edge.lync.assigned["Internal"]
    )
    edge.stores.set_usage_property("My", leaf, pki.usage_list([pki.SERVER_AUTH]))
    restart(deployment, "edge01", "RTCDATAPROXY")
    restart(deployment)
    assert to_edge(deployment) is Outcome.CONNECTED


def test_an_assigned_certificate_is_presented_after_the_restart_of_its_service() -> None:
    deployment = front_end()
    deployment.assign("edge01", "both")
    assert to_edge(deployment) is Outcome.REJECTED
    restart(deployment, "edge01", "RTCSRV")
    assert to_edge(deployment) is Outcome.REJECTED
    restart(deployment, "edge01", "RTCDATAPROXY")
    assert to_edge(deployment) is Outcome.CONNECTED


def test_a_rejected_connection_opens_and_is_lost_in_the_same_second_again_and_again() -> None:
    deployment = front_end(process_age="2h")
    found = events(deployment, 41025, 41026, seconds=7200)
    assert len(found) in (238, 240)
    assert {event.strings for event in found if event.id == 41025} == {("edge01.contoso.example", "8057")}
    for opened, lost in zip(found[::2], found[1::2], strict=True):
        assert (opened.id, lost.id) == (41025, 41026)
        assert timedelta() <= _time(lost) - _time(opened) < timedelta(seconds=1)
    assert {event.strings for event in events(deployment, 41029, 41031)} == {(OTHER[0], "8060"), (OTHER[0], "8061")}


def test_events_stop_with_the_cause_and_one_success_is_logged() -> None:
    deployment = front_end()
    client.ask(deployment, "fe01", op.RegistrySet(path=KEY, name=EXECUTABLE, kind="dword", data=("0",)))
    restart(deployment)
    deployment.clock.advance(3600)
    assert [event.id for event in events(deployment, 41024, 41025, 41026, 41029, 41031, seconds=3590)] == []
    recent = [event.id for event in events(deployment, 41024, 41025, 41026, 41029, 41031, seconds=3600)]
    assert recent == [41025, 41029, 41029]
    assert len(events(deployment, 41026)) > 4000


def test_history_is_what_was_true_at_the_time() -> None:
    """The Edge got a good certificate an hour ago: failures before, none after, and the past does not change later."""
    deployment = build({"edge01": {"renewed": {"certificate": "both", "age": "3h"}, "process_age": "1h"}})
    failures = events(deployment, 41026)
    assert timedelta(minutes=59) < deployment.clock.now() - _time(failures[-1]) < timedelta(minutes=62)
    deployment.assign("edge01", "webserver")
    restart(deployment, "edge01", "RTCDATAPROXY")
    deployment.clock.advance(1800)
    later = events(deployment, 41026)
    assert later[: len(failures)] == failures
    assert 29 <= len(later) - len(failures) <= 31


def test_one_bad_edge_of_two_is_reported_every_twenty_minutes_and_is_not_all() -> None:
    data = yaml.safe_load((SCENARIOS / "small.yml").read_text(encoding="utf-8"))
    data["servers"]["edge02"] = {"pool": "edge01", "certificate": "both"}
    data["servers"]["fe01"]["process_age"] = "61m"
    deployment = Deployment(parse(data), clock=Clock(start=datetime.now(timezone.utc)))
    assert events(deployment, 41026) == []
    lost = events(deployment, 41024)
    assert [event.strings for event in lost] == [EDGE_STRINGS] * 4
    assert _time(lost[1]) - _time(lost[0]) == timedelta(minutes=20)
    good = [
        event
        for event in events(deployment, 41025, seconds=3700)
        if event.strings == ("edge02.contoso.example", "8057")
    ]
    assert len(good) == 1


EDGE_STRINGS = ("edge01.contoso.example", "8057")


def test_looking_often_does_not_put_off_what_happens() -> None:
    deployment = build({"edge01": {"certificate": "both"}})
    assert to_edge(deployment) is Outcome.CONNECTED
    deployment.assign("edge01", "webserver")
    restart(deployment, "edge01", "RTCDATAPROXY")
    for _ in range(40):
        deployment.clock.advance(3)
        deployment.mechanism.settle(deployment.hosts["fe01"])
    assert len(events(deployment, 41026)) == 2


def test_an_edge_that_is_off_is_lost_without_having_been_reached() -> None:
    deployment = build({"edge01": {"certificate": "both", "quirks": {"down": True}}})
    assert events(deployment, 41025) == []
    assert events(deployment, 41026)


def test_a_stopped_process_logs_nothing() -> None:
    deployment = front_end(services={"RTCDATAMCU": {"stopped": True}})
    deployment.clock.advance(86400)
    assert events(deployment, 41025, 41026, 41029, 41031) == []
    assert events(deployment, 41031, host="fe02")


def test_record_numbers_count_the_events_and_old_ones_are_overwritten() -> None:
    deployment = front_end(process_age="20d")
    found = events(deployment, 41025, 41026, 41029, 41031, seconds=30 * 86400)
    numbers = [event.record_id for event in found]
    assert len(numbers) == 30_000
    assert numbers == list(range(numbers[0], numbers[0] + 30_000))
    assert [event.time_utc for event in found] == sorted(event.time_utc for event in found)


def test_a_skewed_clock_shows_in_all_times_alike() -> None:
    deployment = front_end(quirks={"clock_skew_seconds": 7200})
    shown = _parse(client.ask(deployment, "fe01", op.System()).time_utc)
    assert shown - deployment.clock.now() > timedelta(hours=1, minutes=59)
    newest = events(deployment, 41026, seconds=300)[-1]
    assert timedelta() <= shown - _time(newest) < timedelta(seconds=61)
    process = client.ask(deployment, "fe01", op.Processes(names=("DataMCUSvc",))).processes[0]
    assert timedelta(days=2, hours=23) < shown - _parse(process.started_utc) < timedelta(days=3, hours=1)


def _time(event: op.Event) -> datetime:
    return _parse(event.time_utc)


def _parse(text: str) -> datetime:
    return datetime.fromisoformat(text.replace("Z", "+00:00"))
