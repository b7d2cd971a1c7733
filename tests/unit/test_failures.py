# Copyright (c) 2026, the sfb.kb4023993 contributors
# GNU General Public License v3.0-or-later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Events support a verdict, by time and by name; that there are none proves nothing."""

from __future__ import annotations

import typing as t

import pytest
from ansible_collections.sfb.kb4023993.plugins.plugin_utils.host import operations as op
from ansible_collections.sfb.kb4023993.plugins.plugin_utils.host.operations import Event
from ansible_collections.sfb.kb4023993.plugins.plugin_utils.rules.failures import FailureFacts, failure_facts
from ansible_collections.sfb.kb4023993.plugins.plugin_utils.rules.roles import role_facts
from builders import evidence as e
from builders import fleets as f
from builders.certificates import certificate

EDGE: t.Final = "edge01.contoso.example"


def facts(*found: Event, **more: t.Any) -> FailureFacts:
    evidence = e.front_end(events=e.events(*found), **more)
    return failure_facts(evidence, role_facts(evidence))


def test_only_events_after_the_start_of_the_process_count() -> None:
    found = facts(e.event(41026, e.LATER), e.event(41026, e.STARTED), e.event(41026, e.EARLIER))
    assert (found.since_start, found.older) == ({"edge": 1}, {"edge": 2})
    assert found.failing("edge")
    assert found.last_utc == e.LATER


def test_a_host_fixed_an_hour_ago_does_not_look_sick_because_of_yesterday() -> None:
    old = [e.event(41026, e.EARLIER) for _ in range(100)]
    assessment = f.judge(
        e.front_end(edge_pool="edgepool.contoso.example", events=e.events(*old), cert=certificate("both"))
    )
    assert f.peers(assessment, "fe01")["edgepool.contoso.example"] == "not_assessed"


def test_with_an_unknown_start_every_event_counts() -> None:
    hidden = op.ProcessState(name="DataMCUSvc", pid=1, path=None, started_utc=None)
    assert facts(e.event(41026, e.EARLIER), processes=(hidden,)).failing("edge")


@pytest.mark.parametrize("identifier", [41032, 41033, 41034, 41061, 41999, 42001, 1])
def test_other_events_of_the_log_say_nothing(identifier: int) -> None:
    found = facts(e.event(identifier, e.LATER, EDGE))
    assert not found.failing("edge", EDGE)
    assert not found.failing("front_end", EDGE)
    assert found.named == frozenset()


def test_no_events_and_an_unreadable_log_are_both_no_failure() -> None:
    assert facts().readable
    assert not facts().failing("edge", EDGE)
    unread = e.front_end(events=None)
    assert not failure_facts(unread, role_facts(unread)).readable


def test_a_failure_that_names_a_server_is_about_that_server_alone() -> None:
    found = facts(e.event(41024, e.LATER, EDGE.upper(), "8057"))
    assert found.failing("edge", EDGE)
    assert not found.failing("edge", "edge02.contoso.example")
    assert not found.failing("front_end", EDGE)


def test_a_failure_that_names_nobody_is_about_all_of_its_kind() -> None:
    found = facts(e.event(41026, e.LATER, "8057", "no name here"))
    assert found.failing("edge", "anybody.contoso.example")
    assert not found.failing("front_end", "anybody.contoso.example")


@pytest.mark.parametrize(
    ("identifiers", "failing"), [((41029,), False), ((41031,), False), ((41029, 41031), True), ((41031, 41029), True)]
)
def test_of_the_two_front_end_events_only_both_together_mean_a_failure(
    identifiers: tuple[int, ...], failing: bool
) -> None:
    found = facts(*(e.event(identifier, e.LATER) for identifier in identifiers))
    assert found.failing("front_end", "x") is failing


def test_the_two_front_end_events_count_together_only_when_both_came_since_the_start() -> None:
    assert not facts(e.event(41029, e.EARLIER), e.event(41031, e.LATER)).failing("front_end")


@pytest.mark.parametrize(
    ("success", "failing"),
    [
        ("2026-03-08T11:38:00.000Z", False),
        ("2026-03-08T11:40:00.000Z", True),
        ("2026-03-08T11:59:59.999Z", True),
        ("2026-03-08T11:00:00.000Z", True),
    ],
    ids=["quiet for 22 minutes", "quiet for 20 minutes", "just now", "before the failure"],
)
def test_a_success_is_a_recovery_only_after_the_quiet_time(success: str, failing: bool) -> None:
    found = facts(e.event(41026, "2026-03-08T11:30:00.000Z"), e.event(41025, success, EDGE))
    assert found.failing("edge", EDGE) is failing


def test_the_signature_of_the_fault_is_a_failure_although_every_second_event_is_a_success() -> None:
    pairs = [
        event
        for minute in range(10)
        for event in (
            e.event(41025, f"2026-03-08T11:{minute:02}:00.100Z", EDGE),
            e.event(41026, f"2026-03-08T11:{minute:02}:00.200Z"),
        )
    ]
    assert facts(*pairs).failing("edge", EDGE)


def test_names_of_servers_are_found_whatever_string_holds_them() -> None:
    found = facts(
        e.event(41025, e.EARLIER, "8057", " Edge01.Contoso.Example "),
        e.event(41024, e.LATER, "x", "edge02.contoso.example"),
    )
    assert found.named == {EDGE, "edge02.contoso.example"}


@pytest.mark.parametrize(
    "text",
    [
        "",
        "8057",
        "no connection to edge01.contoso.example",
        "edge01",
        "x" * 300 + ".com",
        "edge01.contoso.example\n\x1b[2J;",
        "*.contoso.example",
    ],
)
def test_other_strings_are_no_names(text: str) -> None:
    assert facts(e.event(41024, e.LATER, text)).named == frozenset()


@pytest.mark.parametrize("text", ["10.0.0.5", "6.0.9319.0", "a..b"])
def test_addresses_version_numbers_and_empty_labels_are_no_names(text: str) -> None:
    assert facts(e.event(41024, e.LATER, text)).named == frozenset()
