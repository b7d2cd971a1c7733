# Copyright (c) 2026, the sfb.kb4023993 contributors
# GNU General Public License v3.0-or-later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""An installation may die after any single operation: the next run comes to the end of one that nobody disturbed."""

from __future__ import annotations

import typing as t

import pytest
from ansible_collections.sfb.kb4023993.plugins.plugin_utils.certificate_steps import install as steps
from ansible_collections.sfb.kb4023993.plugins.plugin_utils.host.session import Session, SessionError
from ansible_collections.sfb.kb4023993.plugins.plugin_utils.outcome import Outcome
from ansible_collections.sfb.kb4023993.plugins.plugin_utils.renewal.installation import Installation
from builders.roll_out import LATER_RUN, LIMITS, RollOut, State, cut_everywhere, fleet
from lab import trust

CASES: t.Final = (("lync2010", "fe01"), ("lync2013", "fe01"), ("sfb2015", "fe01"), ("sfb2015", "edge01"))


def state(found: RollOut, target: Installation) -> State:
    return found.state(target.host, old=target.replaces, new=trust.thumbprint(target.certificate))


def install(found: RollOut, target: Installation, session: Session) -> Outcome:
    return found.install(target, session=session)


@pytest.mark.parametrize(
    ("product", "name", "settled"),
    [*((*case, True) for case in CASES), ("lync2013", "fe01", False), ("sfb2015", "edge01", False)],
)
def test_an_installation_that_dies_anywhere_comes_to_the_same_end(product: str, name: str, settled: bool) -> None:
    def prepare() -> tuple[RollOut, Installation]:
        found = fleet(product, front_ends=1 if product == "lync2010" else 2)
        return found, found.imported(name)

    whole, target = prepare()
    assert whole.install(target).status == "changed"
    goal = state(whole, target)
    assert goal.usable >= {"old", "new"}
    for where, found, target in cut_everywhere(prepare, install, name):
        if settled:
            found.settle()
        outcome = steps.install(found.talk(name), target, run_id=LATER_RUN, limits=LIMITS)
        assert outcome.ok, (where, outcome)
        assert state(found, target) == goal, where
        assert found.install(target).status == "unchanged", where


@pytest.mark.parametrize("name", ["fe01", "edge01"])
def test_where_no_port_tells_it_comes_to_the_same_end_too(name: str) -> None:
    def prepare() -> tuple[RollOut, Installation]:
        found = fleet("lync2010", front_ends=1, servers={name: {"quirks": {"closed_ports": [5061, 4443]}}})
        target = found.imported(name)
        return found, found.target(name, target.certificate, ports=())

    whole, target = prepare()
    assert whole.install(target).status == "changed"
    goal = state(whole, target)
    for where, found, target in cut_everywhere(prepare, install, name):
        found.settle()
        assert found.install(target).ok, where
        assert state(found, target) == goal, where
        assert found.install(target).status == "unchanged", where


def test_a_run_that_dies_again_and_again_still_comes_to_the_end_and_keeps_what_was_there_at_first() -> None:
    found = fleet("lync2010", front_ends=1)
    target = found.imported("fe01")
    for operations in range(1, 40):
        try:
            outcome = found.install(target, session=found.talk("fe01", operations=operations))
        except SessionError:
            found.settle(300)
            continue
        assert outcome.ok, outcome
        break
    else:
        pytest.fail("it never came to an end")
    record = found.record("fe01")
    assert record is not None
    assert (record.step, record.before) == ("done", dict.fromkeys(target.uses, target.replaces))
    assert {row["status"] for row in found.outside.services("fe01").values()} == {"running"}
