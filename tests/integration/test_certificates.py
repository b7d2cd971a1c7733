# Copyright (c) 2026, the sfb.kb4023993 contributors
# GNU General Public License v3.0-or-later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Workaround 1 from broken to compliant, over the shipped playbooks and the lab's real protocols."""

from __future__ import annotations

import typing as t
from collections.abc import Iterator
from pathlib import Path

import pytest

from integration.fleet import Fleet, Played
from lab.ca.enterprise import UNDER_SUBMISSION

CA = r"ca01.contoso.example\Contoso Issuing CA 2"
VARIABLES: dict[str, t.Any] = {
    "sfb_kb4023993_strategy": "certificates",
    "sfb_kb4023993_ca_host": "pki01",
    "sfb_kb4023993_ca_config": CA,
    # Of the lab's time passes what a look at it takes; of ours as little as possible.
    "sfb_kb4023993_poll_interval": 0,
    "sfb_kb4023993_gate_pause": 0,
    "sfb_kb4023993_quiet_wait": False,
}


@pytest.fixture
def fleet(tmp_path: Path) -> Iterator[Fleet]:
    with Fleet("renewal", tmp_path) as running:
        yield running


def play(fleet: Fleet, playbook: str = "remediate", *arguments: str, **more: t.Any) -> Played:
    return fleet.play(playbook, *arguments, variables={**VARIABLES, **more})


def approve_all(fleet: Fleet) -> int:
    pending = [row for row in fleet.lab.outside.requests() if row["disposition"] == UNDER_SUBMISSION]
    for row in pending:
        fleet.lab.outside.approve(row["config"], row["request_id"])
    return len(pending)


def test_from_broken_to_compliant(fleet: Fleet) -> None:
    first = play(fleet)
    print(first.output)
    assert approve_all(fleet)
    second = play(fleet)
    print(second.output)
    assert second.code == 0
