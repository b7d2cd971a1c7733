# Copyright (c) 2026, the sfb.kb4023993 contributors
# GNU General Public License v3.0-or-later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Workaround 1 from broken to compliant, over the shipped playbooks and the lab's real protocols."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from integration.fleet import Fleet
from integration.renewal import EDGES, FRONT_ENDS, approve_all, override_of, play, uses


@pytest.fixture
def fleet(tmp_path: Path) -> Iterator[Fleet]:
    with Fleet("renewal", tmp_path) as running:
        yield running


def test_from_broken_to_compliant_with_the_override_gone(fleet: Fleet) -> None:
    before = {name: uses(fleet, name) for name in (*EDGES, *FRONT_ENDS)}

    bridged = play(fleet, strategy="auto")
    # Pending approval is a normal state, and the override bridges until then.
    assert bridged.code == 0, bridged.output
    assert set(bridged.verdicts.values()) == {"mitigated"}
    assert all(override_of(fleet, name) == 0 for name in FRONT_ENDS)
    assert {name: uses(fleet, name) for name in before} == before

    assert approve_all(fleet) == 9
    installed = play(fleet, strategy="auto")
    assert installed.code == 0, installed.output
    for name in EDGES:
        assert {use for use, mark in uses(fleet, name).items() if mark != before[name][use]} == {"Internal"}
    for name in FRONT_ENDS:
        moved = {use for use, mark in uses(fleet, name).items() if mark != before[name][use]}
        assert moved == {use for use, mark in before[name].items() if mark == before[name]["Default"]} - {
            "OAuthTokenIssuer"
        }
    assert uses(fleet, "edge13a")["Internal"] == uses(fleet, "edge13b")["Internal"]
    without = [name for name in FRONT_ENDS if override_of(fleet, name) is None]
    assert len(without) == 1, installed.output

    fleet.lab.advance(26 * 60)
    retired = play(fleet, strategy="auto")
    assert retired.code == 0, retired.output
    assert all(override_of(fleet, name) is None for name in FRONT_ENDS)
    assert {retired.verdicts[name] for name in (*EDGES, *FRONT_ENDS)} == {"compliant"}

    again = play(fleet, strategy="auto")
    assert again.code == 0
    assert again.changed == set(), again.output
