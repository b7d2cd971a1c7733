# Copyright (c) 2026, the sfb.kb4023993 contributors
# GNU General Public License v3.0-or-later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The filter in front of the rulebooks: which events pass, and what it takes from the inventory for them."""

from __future__ import annotations

import importlib.util
import json
import pathlib
import re
import subprocess
import sys
import typing as t

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

ROOT = pathlib.Path(__file__).resolve().parents[3]
EDA = ROOT / "extensions" / "eda"


def _load(kind: str, name: str) -> t.Any:
    # By its path, as ansible-rulebook does.
    spec = importlib.util.spec_from_file_location(f"eda_{name}", EDA / "plugins" / kind / f"{name}.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


FILTER = _load("event_filter", "data_mcu_event")
WEBHOOK = _load("event_source", "data_mcu_webhook")
TOKEN = "a" * 32


def _body(**changes: t.Any) -> dict[str, t.Any]:
    event = {"event_id": 41026, "provider": "LS Data MCU", "log": "Lync Server", "computer": "fe01.contoso.example"}
    return {"payload": {**event, **changes}, "meta": {"headers": {}}}


def _host(pool: t.Any = "pool01.contoso.example", edge: t.Any = None, **more: t.Any) -> dict[str, t.Any]:
    pools = {"sfb_kb4023993_pool": pool, "sfb_kb4023993_edge_pool": edge}
    return {name: value for name, value in {**pools, **more}.items() if value is not None}


FLEET: dict[str, dict[str, t.Any]] = {
    "fe01.contoso.example": _host(edge="edge.contoso.example"),
    "fe02": _host("POOL01.contoso.example.", "Edge.contoso.example"),
    "fe11.contoso.example": _host("pool02.contoso.example", "none"),
    "edge01": _host("edge.contoso.example", ansible_host="edge01.dmz.example"),
    "files01": {},
}


def _find(computer: str, fleet: dict[str, dict[str, t.Any]] | None = None) -> t.Any:
    return FILTER.find(computer, FILTER.servers_of({"_meta": {"hostvars": fleet or FLEET}}))


# ---- what passes


def test_the_events_are_failures_of_the_source_that_the_knowledge_names() -> None:
    knowledge = yaml.safe_load((ROOT / "plugins" / "plugin_utils" / "knowledge" / "events.yml").read_text("utf-8"))
    assert knowledge["event_sources"] == [
        {"log": FILTER.LOG, "provider": FILTER.PROVIDER, "confidence": "verified", "source": "article"}
    ]
    outcomes = {event["id"]: event["outcome"] for event in knowledge["events"]}
    assert outcomes.keys() >= FILTER.EVENT_IDS
    assert "success" not in {outcomes[number] for number in FILTER.EVENT_IDS}
    assert {number for number, outcome in outcomes.items() if outcome == "failure"} <= FILTER.EVENT_IDS


def test_an_event_passes_as_its_id_and_the_computer_in_lower_case() -> None:
    assert FILTER.checked(_body(computer="FE01.Contoso.example", message="x", event_id=41031)) == (
        41031,
        "fe01.contoso.example",
    )


@given(
    event=st.recursive(st.none() | st.booleans() | st.integers() | st.text(), lambda x: st.dictionaries(st.text(), x))
)
def test_anything_else_is_dropped_without_an_error(event: t.Any) -> None:
    assert FILTER.main(event) == []
    assert FILTER.main({"payload": event}, use_inventory=False) == []


@given(name=st.text())
def test_a_name_that_passes_is_made_of_letters_digits_dots_and_hyphens(name: str) -> None:
    try:
        _number, computer = FILTER.checked(_body(computer=name))
    except FILTER.RefusedError:
        return
    assert set(computer) <= set("abcdefghijklmnopqrstuvwxyz0123456789.-")
    assert not computer.startswith(("-", "."))


# ---- what the inventory says


@pytest.mark.parametrize("computer", ["fe01.contoso.example", "fe01", "fe02", "fe02.contoso.example"])
def test_a_server_of_the_pool_stands_for_the_pool_and_its_edge(computer: str) -> None:
    answer = _find(computer)
    assert answer.pool == "pool01.contoso.example"
    assert set(answer.hosts) == {"fe01.contoso.example", "fe02", "edge01"}
    assert not answer.remediate


def test_a_pool_without_an_edge_is_read_alone() -> None:
    assert _find("fe11").hosts == ("fe11.contoso.example",)


@pytest.mark.parametrize(
    ("computer", "reason"),
    [
        ("fe01.fabrikam.example", "no server of the inventory"),
        ("fe03", "no server of the inventory"),
        ("files01", "no sfb_kb4023993_pool"),
        ("edge01", "no sfb_kb4023993_edge_pool"),
        ("edge01.dmz.example", "no sfb_kb4023993_edge_pool"),
    ],
)
def test_what_the_inventory_does_not_tell_is_refused_by_name(computer: str, reason: str) -> None:
    with pytest.raises(FILTER.RefusedError, match=reason):
        _find(computer)


def test_a_short_name_that_fits_two_servers_is_refused() -> None:
    fleet = {"fe01.a.example": FLEET["fe02"], "fe01.b.example": FLEET["fe02"]}
    with pytest.raises(FILTER.RefusedError, match="several servers"):
        _find("fe01", fleet)
    assert set(_find("fe01.a.example", fleet).hosts) == set(fleet)


@pytest.mark.parametrize("pool", ["{{ lookup('pipe', 'id') }}", "", 7, ["pool01"], "pool 01", None])
def test_a_pool_that_is_no_name_is_none(pool: t.Any) -> None:
    with pytest.raises(FILTER.RefusedError, match="no sfb_kb4023993_pool"):
        _find("fe01", {"fe01": _host(pool, "none")})


@pytest.mark.parametrize("name", ["fe01:5986", "!fe01", "fe01,fe02", "~fe", "fe[01]", "@fe01", "-fe01", "fe 01"])
def test_an_inventory_name_that_would_be_a_pattern_is_refused(name: str) -> None:
    fleet = {name: _host(edge="none"), "fe02": _host(edge="none")}
    with pytest.raises(FILTER.RefusedError, match="cannot be a limit"):
        _find("fe02", fleet)


# ---- permission


@pytest.mark.parametrize("value", [True, "true", "True", "yes"])
def test_a_pool_may_be_remediated_where_all_its_front_ends_say_so(value: t.Any) -> None:
    allowed = _host(edge="none", sfb_kb4023993_eda_remediate=value)
    assert _find("fe01", {"fe01": allowed, "fe02": allowed, "fe03": _host("other", "none")}).remediate
    assert not _find("fe01", {"fe01": allowed, "fe02": _host(edge="none")}).remediate


@pytest.mark.parametrize("value", [None, False, "false", "no", 1, "1", "", "{{ true }}", ["true"], {"true": True}])
def test_nothing_else_is_a_permission(value: t.Any) -> None:
    assert not _find("fe01", {"fe01": _host(edge="none", sfb_kb4023993_eda_remediate=value)}).remediate


def test_an_allowed_pool_gets_an_audit_and_then_a_remediation(monkeypatch: pytest.MonkeyPatch) -> None:
    fleet = {"fe01": _host(edge="none", sfb_kb4023993_eda_remediate=True)}
    monkeypatch.setattr(FILTER, "_servers", lambda: FILTER.servers_of({"_meta": {"hostvars": fleet}}))
    events = FILTER.main(_body(message="{{ 1 }}"))
    assert [event["data_mcu"]["run"] for event in events] == ["audit", "remediate"]
    known = {"id": 41026, "server": "fe01", "pool": "pool01.contoso.example"}
    for event in events:
        assert event == {"data_mcu": {**known, "run": event["data_mcu"]["run"]}, "meta": {"hosts": ["fe01"]}}


def test_without_an_inventory_an_event_asks_for_an_audit_and_names_nothing() -> None:
    assert FILTER.main(_body(message="x"), use_inventory=False) == [{"data_mcu": {"id": 41026, "run": "audit"}}]


# ---- reading the inventory


def test_a_reading_that_fails_is_named_and_not_repeated_for_each_event(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    asked = []

    def run(*_arguments: t.Any, **_options: t.Any) -> t.NoReturn:
        asked.append(1)
        raise subprocess.CalledProcessError(1, "ansible-inventory", stderr="no such file")

    monkeypatch.setenv("ANSIBLE_INVENTORY", "/nowhere")
    monkeypatch.setattr(FILTER, "_kept", None)
    monkeypatch.setattr(FILTER.subprocess, "run", run)
    assert FILTER.main(_body()) == FILTER.main(_body()) == []
    assert len(asked) == 1
    assert "ansible-inventory cannot read the inventory: no such file" in caplog.text


def test_the_inventory_is_read_again_after_a_minute(monkeypatch: pytest.MonkeyPatch) -> None:
    now, fleets = [1000.0], [FLEET, {}]
    monkeypatch.setattr(FILTER, "_kept", None)
    monkeypatch.setattr(FILTER.time, "monotonic", lambda: now[0])
    monkeypatch.setattr(FILTER, "_read_inventory", lambda: {"_meta": {"hostvars": fleets.pop(0)}})
    assert FILTER.main(_body())
    now[0] += 59
    assert FILTER.main(_body())
    now[0] += 2
    assert FILTER.main(_body()) == []


# ---- the webhook's settings


def test_settings_that_are_empty_are_not_given_and_the_address_is_this_machine() -> None:
    given_args = {"token": TOKEN, "port": 5000, "host": "", "certfile": "", "keyfile": None}
    assert WEBHOOK.checked(given_args) == {"token": TOKEN, "port": 5000, "host": "127.0.0.1"}


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"token": ""}, "token"),
        ({"token": "a" * 31}, "token"),
        ({"token": 10**40}, "token"),
        ({"token": "a b" * 20}, "token"),
        ({"token": "ä" * 40}, "token"),
        ({"port": 0}, "port"),
        ({"port": "5000x"}, "port"),
        ({"port": True}, "port"),
        ({"host": "0.0.0.0"}, "TLS"),
        ({"host": "::"}, "TLS"),
        ({"host": "localhost"}, "TLS"),
        ({"host": "192.0.2.1"}, "TLS"),
        ({"keyfile": "/k"}, "certfile"),
        ({"cafile": "/c"}, "certfile"),
        ({"hmac_secret": "x"}, "no option hmac_secret"),
    ],
)
def test_settings_under_which_it_may_not_start(changes: dict[str, t.Any], reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        WEBHOOK.checked({"token": TOKEN, "port": 5000, **changes})


def test_the_inventory_is_one_that_filter_and_playbooks_see_alike(tmp_path: pathlib.Path) -> None:
    file = tmp_path / "hosts.yml"
    file.write_text("all:\n", "utf-8")
    WEBHOOK.check_inventory(str(file))
    (tmp_path / "group_vars").mkdir()
    WEBHOOK.check_inventory(str(tmp_path))
    with pytest.raises(ValueError, match="name the directory that holds all of them"):
        WEBHOOK.check_inventory(str(file))
    with pytest.raises(ValueError, match="ANSIBLE_INVENTORY is not set"):
        WEBHOOK.check_inventory("")


def test_with_tls_it_may_listen_for_others() -> None:
    settings = {"token": TOKEN, "port": 5000, "host": "0.0.0.0", "certfile": "/c", "keyfile": "/k"}
    assert WEBHOOK.checked(settings) == settings


# ---- the rulebooks


def test_the_rulebooks_may_run_two_things_at_no_time_and_pass_nothing_unfiltered() -> None:
    for path in sorted((EDA / "rulebooks").glob("*.yml")):
        (ruleset,) = yaml.safe_load(path.read_text("utf-8"))
        assert ruleset["execution_strategy"] == "sequential"
        for source in ruleset["sources"]:
            assert [next(iter(entry)) for entry in source["filters"]] == ["sfb.kb4023993.data_mcu_event"]
        for rule in ruleset["rules"]:
            assert "once_within" in rule["throttle"]
            # What is put into a playbook's variables or a template comes from the settings, and never from an event.
            assert "event" not in json.dumps(rule["action"]).replace('"include_events"', ""), path.name


def test_the_page_has_every_setting_with_its_default_and_no_other() -> None:
    page = (ROOT / "docs" / "event-driven.md").read_text("utf-8")
    documented = dict(re.findall(r"^\| `(sfb_kb4023993_\w+)` \| `?([^|`]+)`? \|", page, re.MULTILINE))
    rulebooks = "".join(path.read_text("utf-8") for path in (EDA / "rulebooks").glob("*.yml"))
    templates = re.findall(r"\{\{ (sfb_kb4023993_\w+)(?: \| default\(([^(),]*)[^()]*\))? \}\}", rulebooks)
    defaults = {name: default.strip("'") or "empty" for name, default in templates if default}
    # Without it the webhook refuses to start.
    defaults["sfb_kb4023993_eda_token"] = "required"  # noqa: S105
    assert {name for name, _default in templates} == set(defaults)
    assert documented == {**defaults, FILTER._REMEDIATE: "false"}
