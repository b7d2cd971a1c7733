# Copyright (c) 2026, the sfb.kb4023993 contributors
# GNU General Public License v3.0-or-later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The way back on simulated servers: exactly what was assigned before, from wherever the way there has ended."""

from __future__ import annotations

import dataclasses
import typing as t

import pytest
from ansible_collections.sfb.kb4023993.plugins.plugin_utils.certificate_steps.common import write_record
from ansible_collections.sfb.kb4023993.plugins.plugin_utils.host import certificate_operations as cop
from ansible_collections.sfb.kb4023993.plugins.plugin_utils.host.session import Session
from ansible_collections.sfb.kb4023993.plugins.plugin_utils.outcome import Outcome
from ansible_collections.sfb.kb4023993.plugins.plugin_utils.records import KEY
from ansible_collections.sfb.kb4023993.plugins.plugin_utils.renewal.installation import Installation
from builders.roll_out import RollOut, changes_of, cut_everywhere, fleet
from lab import renewing, trust

CASES: t.Final = (("lync2010", "fe01"), ("lync2013", "fe01"), ("sfb2015", "fe01"), ("sfb2015", "edge01"))


def small(product: str) -> RollOut:
    return fleet(product, front_ends=1 if product == "lync2010" else 2)


def is_as_before(found: RollOut, target: Installation, uses: dict[str, str]) -> None:
    name = target.host
    assert found.assigned(name) == uses
    assert set(found.outside.presented(name).values()) == {target.replaces}
    assert {(row["status"], row["start_mode"]) for row in found.outside.services(name).values()} == {
        ("running", "automatic")
    }
    assert not found.host(name).registry.exists(KEY)
    # The new certificate stays in the store: a next run installs it again.
    marks = {e["thumbprint"] for e in found.outside.stores(name)["My"] if e["has_private_key"]}
    assert {target.replaces, trust.thumbprint(target.certificate)} <= marks


@pytest.mark.parametrize(("product", "name"), CASES)
def test_the_old_certificate_has_its_uses_again_and_is_presented(product: str, name: str) -> None:
    found = small(product)
    uses = found.assigned(name)
    target = found.installed(name)
    found.settle()
    session = found.session(name)
    assert found.put_back(target, session=t.cast(Session, session)).status == "changed"
    is_as_before(found, target, uses)
    assigned = [o.uses for o in session.done if isinstance(o, cop.LyncAssign)]
    assert assigned == [target.uses]
    assert found.put_back(target).status == "unchanged"


def test_uses_that_had_different_certificates_get_each_its_own_again() -> None:
    found = fleet()
    target = found.installed("fe01")
    found.settle()
    record = found.record("fe01")
    assert record is not None
    other = found.deployment.issue(found.deployment.scenario.by_name["fe01"], "both")
    found.host().stores.add("My", other.der, has_private_key=True)
    before = {**record.before, "WebServicesExternal": trust.thumbprint(other.der)}
    changed = dataclasses.replace(record, before=before)
    write_record(found.talk("fe01"), changed)
    session = found.session("fe01")
    assert found.put_back(target, session=t.cast(Session, session)).status == "changed"
    assert {use: mark for use, mark in found.assigned("fe01").items() if use in before} == before
    assert len([o for o in session.done if isinstance(o, cop.LyncAssign)]) == 2


def test_a_server_where_nothing_was_assigned_has_no_way_back() -> None:
    found = fleet()
    target = found.imported("fe01")
    session = found.session("fe01")
    outcome = found.put_back(target, session=t.cast(Session, session))
    assert (outcome.status, changes_of(session)) == ("unchanged", [])
    assert found.record("fe01") is not None, "what is under way is not forgotten"


def test_an_old_certificate_that_is_gone_is_told_before_anything_is_changed() -> None:
    found = fleet()
    old = found.current("fe01")
    target = found.installed("fe01")
    found.host().stores.remove("My", old)
    found.host().stores.add("My", old)
    before = found.state("fe01")
    outcome = found.put_back(target)
    assert outcome.status == "refused"
    assert target.replaces in outcome.message
    assert found.state("fe01") == before


def test_what_somebody_assigned_since_is_not_overwritten() -> None:
    found = fleet()
    target = found.installed("fe01")
    found.settle()
    other = found.deployment.issue(found.deployment.scenario.by_name["fe01"], "both")
    found.deployment._give(found.deployment.scenario.by_name["fe01"], other, ("Default",))
    before = found.assigned("fe01")
    outcome = found.put_back(target)
    assert outcome.status == "refused"
    assert found.assigned("fe01") == before


def test_another_machine_is_left_alone() -> None:
    found = fleet()
    target = dataclasses.replace(found.installed("fe01"), machine_guid="other")
    before = found.state("fe01")
    assert found.put_back(target).status == "refused"
    assert found.state("fe01") == before


@pytest.mark.parametrize("product", ["lync2013", "sfb2015"])
def test_a_pool_that_does_not_bear_it_keeps_the_new_certificate(product: str) -> None:
    found = fleet(product)
    target = found.installed("fe01")
    renewing.services(found.deployment, "fe02", "stop")
    found.settle()
    before = found.state("fe01")
    assert found.put_back(target).status == "refused"
    assert found.state("fe01") == before


def test_without_ports_the_services_are_restarted_once() -> None:
    found = fleet("lync2010", front_ends=1, servers={"fe01": {"quirks": {"closed_ports": [5061]}}})
    target = found.imported("fe01")
    target = dataclasses.replace(target, ports=())
    assert found.install(target).ok
    services = found.outside.services("fe01")
    assert found.put_back(target).status == "changed"
    after = found.outside.services("fe01")
    assert all(after[name]["pid"] != services[name]["pid"] for name in after)
    assert found.put_back(target).status == "unchanged"
    assert found.outside.services("fe01") == after


# ---- from everywhere


@pytest.mark.parametrize(("product", "name"), CASES)
def test_from_wherever_an_installation_died_there_is_a_way_back(product: str, name: str) -> None:
    def prepare() -> tuple[RollOut, tuple[Installation, dict[str, str]]]:
        found = small(product)
        uses = found.assigned(name)
        return found, (found.imported(name), uses)

    def step(found: RollOut, given: tuple[Installation, dict[str, str]], session: Session) -> Outcome:
        return found.install(given[0], session=session)

    ways = set()
    for where, found, (target, uses) in cut_everywhere(prepare, step, name):
        found.settle()
        record = found.record(name)
        assert record is not None
        outcome = found.put_back(target)
        assert outcome.status == ("changed" if record.before else "unchanged"), (where, outcome)
        ways.add(outcome.status)
        assert found.assigned(name) == uses, where
        assert set(found.outside.presented(name).values()) == {target.replaces}, where
        assert {(row["status"], row["start_mode"]) for row in found.outside.services(name).values()} == {
            ("running", "automatic")
        }, where
        assert found.records(name).services is None, where
        if record.before:
            is_as_before(found, target, uses)
    assert ways == {"changed", "unchanged"}


@pytest.mark.parametrize(("product", "name"), CASES)
def test_a_way_back_that_dies_anywhere_is_finished_by_the_next_run(product: str, name: str) -> None:
    def prepare() -> tuple[RollOut, tuple[Installation, dict[str, str]]]:
        found = small(product)
        uses = found.assigned(name)
        target = found.installed(name)
        found.settle()
        return found, (target, uses)

    def step(found: RollOut, given: tuple[Installation, dict[str, str]], session: Session) -> Outcome:
        return found.put_back(given[0], session=session)

    for where, found, (target, uses) in cut_everywhere(prepare, step, name):
        found.settle()
        assert found.put_back(target).ok, where
        is_as_before(found, target, uses)
