# Copyright (c) 2026, the sfb.kb4023993 contributors
# GNU General Public License v3.0-or-later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Servers whose clocks are wrong are judged as if they were right: each server's times are compared with its own, certificates by the
controller's clock."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

import pytest
from integration.fleet import Fleet, Played
from lab.scenario import parse
from lab.world.host import WEB_CONFERENCING

HOUR, YEAR = 3600, 365 * 24 * 3600
CLOCKS = {
    "right": 0,
    "hours-ahead": 5 * HOUR,
    "hours-behind": -5 * HOUR,
    "years-ahead": 10 * YEAR,
    "years-behind": -10 * YEAR,
}
EACH = {
    "product": "sfb2015",
    "os": "server2012r2",
    "dotnet": {"version": "4.5.2", "update": "KB4014512"},
    "connection": "winrm http basic",
}
# What a server has, and its verdict before and after its services restart.
KINDS: dict[str, tuple[dict[str, t.Any], str, str]] = {
    "bad": ({}, "broken", "broken"),
    # The value is newer than the process: it has no effect before a restart, and is known to have been there before that.
    "opted-out": ({"opt_outs": [{"where": "application", "age": "1h"}]}, "broken", "mitigated"),
    # A clock does not make a certificate valid.
    "expired": ({"certificate": "expired"}, "compliant", "compliant"),
    "good": ({"certificate": "both"}, "compliant", "compliant"),
}


@dataclass(frozen=True, kw_only=True)
class Audited:
    before: Played
    after: Played


@pytest.fixture(scope="module")
def audited(start: t.Callable[..., Fleet]) -> Audited:
    servers = {
        f"{kind}-{clock}": {
            **EACH,
            **entries,
            "pool": f"{kind}-{clock}",
            "quirks": {"clock_skew_seconds": seconds},
        }
        for kind, (entries, _before, _after) in KINDS.items()
        for clock, seconds in CLOCKS.items()
    }
    fleet = start(parse({"pools": {name: {} for name in servers}, "servers": servers}))
    before = fleet.play("audit")
    fleet.lab.advance(60)
    for name in servers:
        fleet.lab.outside.restart(name, service=WEB_CONFERENCING)
    fleet.lab.advance(60)
    return Audited(before=before, after=fleet.play("audit"))


@pytest.mark.parametrize("clock", CLOCKS)
@pytest.mark.parametrize("kind", KINDS)
def test_wrong_clock_changes_no_verdict(audited: Audited, kind: str, clock: str) -> None:
    _entries, before, after = KINDS[kind]
    assert audited.before.verdicts[f"{kind}-{clock}"] == before
    assert audited.after.verdicts[f"{kind}-{clock}"] == after


@pytest.mark.parametrize("clock", CLOCKS)
@pytest.mark.parametrize("kind", ["bad", "opted-out", "good"])
def test_wrong_clock_hides_no_finding(audited: Audited, kind: str, clock: str) -> None:
    # To a clock that is years off no certificate is valid: the server itself says so, and refuses its peers.
    more = {"KB4023993-CHAIN-UNTRUSTED"} if clock.startswith("years") else set()
    for played in (audited.before, audited.after):
        assert played.finding_ids[f"{kind}-{clock}"] == played.finding_ids[f"{kind}-right"] | more
        if more:
            found = played.findings(f"{kind}-{clock}")["KB4023993-CHAIN-UNTRUSTED"]
            assert "NotTimeValid" in " ".join(found["evidence"])
            assert "look at the clock of this server" in found["next_step"]


@pytest.mark.parametrize("clock", CLOCKS)
def test_certificate_that_has_expired_is_named_by_the_controllers_clock(audited: Audited, clock: str) -> None:
    assert "KB4023993-CERT-EXPIRY" in audited.after.finding_ids[f"expired-{clock}"]
