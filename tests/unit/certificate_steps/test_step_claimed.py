# Copyright (c) 2026, the sfb.kb4023993 contributors
# GNU General Public License v3.0-or-later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A server whose pool another run is restarting gets no certificate and keeps its services, until that run has ended."""

from __future__ import annotations

import typing as t

import pytest
from ansible_collections.sfb.kb4023993.plugins.plugin_utils.certificate_steps import install as steps
from ansible_collections.sfb.kb4023993.plugins.plugin_utils.claims import Others
from ansible_collections.sfb.kb4023993.plugins.plugin_utils.outcome import Outcome
from ansible_collections.sfb.kb4023993.plugins.plugin_utils.records import CLAIM, KEY, ClaimRecord, record_text
from ansible_collections.sfb.kb4023993.plugins.plugin_utils.renewal.installation import Installation
from ansible_collections.sfb.kb4023993.plugins.plugin_utils.rules.times import format_time
from builders.roll_out import LIMITS, RUN_ID, RollOut, fleet

OTHER: t.Final = "20260308T110000Z-0123ab"
SECONDS: t.Final = 600


def claim(found: RollOut, name: str) -> None:
    record = ClaimRecord(
        controller="awx-1", since_utc=format_time(found.deployment.clock.now()), seconds=SECONDS, run_id=OTHER
    )
    found.host(name).registry.write(KEY, CLAIM, "string", record_text(record))


def do(found: RollOut, target: Installation, way: str, others: Others | None = None) -> Outcome:
    step: t.Any = steps.install if way == "install" else steps.put_back
    return t.cast(
        Outcome,
        step(found.talk(target.host), target, run_id=RUN_ID, limits=LIMITS, **({"others": others} if others else {})),
    )


@pytest.mark.parametrize("way", ["install", "put_back"])
@pytest.mark.parametrize("end", ["its time is over", "it is known to be over", "a person says so"])
def test_a_claimed_server_is_left_alone(way: str, end: str) -> None:
    found = fleet("sfb2015", front_ends=2)
    target = found.imported("fe01") if way == "install" else found.installed("fe01")
    claim(found, "fe01")
    before, services = found.assigned("fe01"), found.outside.services("fe01")
    refused = do(found, target, way)
    assert (refused.status, refused.busy) == ("refused", True)
    assert f"The run {OTHER} of the controller awx-1 is changing servers of this pool" in refused.message
    assert found.assigned("fe01") == before
    assert found.outside.services("fe01") == services
    others = None
    if end == "its time is over":
        found.deployment.clock.advance(SECONDS + 1)
    elif end == "it is known to be over":
        others = Others(ended=lambda run_id: run_id == OTHER)
    else:
        others = Others(take_over=True)
    assert do(found, target, way, others).status == "changed"
