# Copyright (c) 2026, the sfb.kb4023993 contributors
# GNU General Public License v3.0-or-later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The same over every connection and every version of ansible-core: what is found, and the way there and back.

The tests marked ``matrix`` are the fast subset that runs with all versions.
"""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

import pytest
from integration.fleet import Fleet, Played, Registry
from lab.protocol.handler import Transport
from lab.protocol.inventory import Auth, Scheme

# The scenario `small`: both Front Ends check (update in), and all three certificates are bad.
VERDICTS = {"fe01": "broken", "fe02": "broken", "edge01": "broken"}
FRONT_END_FINDINGS = {
    "KB4023993-CONNECTION-BROKEN",
    "KB4023993-CERT-FRONT-END",
    "KB4023993-EVENTS-SINCE-START",
}
FINDINGS = {"fe01": FRONT_END_FINDINGS, "fe02": FRONT_END_FINDINGS, "edge01": {"KB4023993-CERT-EDGE-INTERNAL"}}

WAYS: list[tuple[Transport, Scheme, Auth]] = [
    ("winrm", "http", "basic"),
    ("winrm", "http", "ntlm"),
    ("winrm", "https", "ntlm"),
    ("psrp", "http", "basic"),
    ("psrp", "http", "ntlm"),
    ("psrp", "https", "ntlm"),
]


@pytest.fixture(scope="module")
def small(start: t.Callable[..., Fleet]) -> Fleet:
    return start("small")


def audit_over(fleet: Fleet, connection: Transport, scheme: Scheme | None = None, auth: Auth | None = None) -> Played:
    directory = fleet.directory / f"{connection}-{scheme}-{auth}"
    inventory = fleet.lab.inventory(directory, connection=connection, scheme=scheme, auth=auth)
    return fleet.play("audit", inventory=inventory, state=directory / "state")


def check_audit(played: Played) -> None:
    assert played.code == 0, played.output
    assert played.changed == played.failed == set()
    assert played.verdicts == VERDICTS
    assert played.finding_ids == FINDINGS
    assert {c["verdict"] for c in played.judgement["connections"]} == {"broken"}
    assert len(played.judgement["connections"]) == 6


@pytest.mark.parametrize(("connection", "scheme", "auth"), WAYS)
def test_audit_finds_the_same_over_every_connection(
    small: Fleet, connection: Transport, scheme: Scheme, auth: Auth
) -> None:
    check_audit(audit_over(small, connection, scheme, auth))


@pytest.mark.matrix
def test_audit_finds_the_same_over_ssh(small: Fleet) -> None:
    small.lab.reset_counters()
    check_audit(audit_over(small, "ssh"))
    # Nothing went over HTTP, so it really was ssh.
    assert {each["http_requests"] for each in small.lab.counters().values()} == {0}
    assert small.lab.counters()["fe01"]["commands"] == 3


@dataclass(frozen=True, kw_only=True)
class Story:
    fleet: Fleet
    before: dict[str, Registry]
    process_ids: dict[str, int | None]
    audit: Played
    check: Played
    after_check: dict[str, Registry]
    first: Played
    after_first: dict[str, Registry]
    new_process_ids: dict[str, int | None]
    again: Played
    after_again: dict[str, Registry]
    rollback: Played
    after_rollback: dict[str, Registry]


@pytest.fixture(scope="module", params=["winrm", "psrp"])
def story(request: pytest.FixtureRequest, start: t.Callable[..., Fleet]) -> Story:
    fleet = start("small", connection=request.param)
    before, process_ids = fleet.registries(), fleet.process_ids()
    audit = fleet.play("audit")
    check, after_check = fleet.play("remediate", "--check", "--diff"), fleet.registries()
    first, after_first, new_process_ids = fleet.play("remediate"), fleet.registries(), fleet.process_ids()
    again, after_again = fleet.play("remediate"), fleet.registries()
    rollback, after_rollback = fleet.play("rollback"), fleet.registries()
    return Story(
        fleet=fleet,
        before=before,
        process_ids=process_ids,
        audit=audit,
        check=check,
        after_check=after_check,
        first=first,
        after_first=after_first,
        new_process_ids=new_process_ids,
        again=again,
        after_again=after_again,
        rollback=rollback,
        after_rollback=after_rollback,
    )


@pytest.mark.matrix
def test_audit(story: Story) -> None:
    check_audit(story.audit)


@pytest.mark.matrix
def test_check_mode_shows_and_changes_nothing(story: Story) -> None:
    assert story.check.changed == {"fe01", "fe02"}
    assert story.after_check == story.before
    for host in ("fe01", "fe02"):
        before, after = story.check.diffs[host]
        assert any(line.endswith("DataMCUSvc.exe = absent") for line in before)
        assert any(line.endswith("DataMCUSvc.exe = REG_DWORD 0") for line in after)


@pytest.mark.matrix
def test_remediation_mitigates_and_restarts(story: Story) -> None:
    assert story.first.code == 0, story.first.output
    assert set(story.first.verdicts.values()) == {"mitigated"}
    assert story.first.changed == {"fe01", "fe02"}
    for host in ("fe01", "fe02"):
        assert story.after_first[host] != story.before[host]
        assert story.new_process_ids[host] not in (None, story.process_ids[host])
    assert story.after_first["edge01"] == story.before["edge01"]


@pytest.mark.matrix
def test_second_remediation_changes_nothing(story: Story) -> None:
    assert story.again.code == 0, story.again.output
    assert story.again.changed == set()
    assert story.after_again == story.after_first


@pytest.mark.matrix
def test_rollback_restores(story: Story) -> None:
    assert story.rollback.code == 0, story.rollback.output
    assert story.after_rollback == story.before
    assert story.rollback.verdicts == VERDICTS
