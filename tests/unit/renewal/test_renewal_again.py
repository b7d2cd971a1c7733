# Copyright (c) 2026, the sfb.kb4023993 contributors
# GNU General Public License v3.0-or-later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A new request where the first one came to nothing, and only there."""

from __future__ import annotations

import dataclasses
import typing as t

import pytest
from ansible_collections.sfb.kb4023993.plugins.plugin_utils.certificate_records import CertificateRecord
from ansible_collections.sfb.kb4023993.plugins.plugin_utils.certificate_steps.request import make_request
from ansible_collections.sfb.kb4023993.plugins.plugin_utils.evidence import Evidence
from ansible_collections.sfb.kb4023993.plugins.plugin_utils.host.session import Session
from ansible_collections.sfb.kb4023993.plugins.plugin_utils.renewal.again import ask_again
from ansible_collections.sfb.kb4023993.plugins.plugin_utils.signing.records import Record, RecordError
from builders import certificates as c
from builders import evidence as e
from builders import fleets as f
from builders import renewal as r
from builders.roll_out import LATER_RUN, RUN_ID, fleet

OLD: t.Final = r.old()
NEW: t.Final = r.new()
_CSR: t.Final = "-----BEGIN CERTIFICATE REQUEST-----"


def fleet_of(edge: Evidence | None = None) -> t.Any:
    return f.judge(e.front_end(cert=c.certificate("both"), edge_pool=r.EDGE_POOL), edge or e.edge("edge01", cert=OLD))


def record(step: t.Any) -> Record:
    found = r.record("edge01", replaces=OLD, step=step, by=NEW if step == "verified" else None)
    return dataclasses.replace(found, csr=_CSR)


def again(found: Record, *wanted: str, edge: Evidence | None = None) -> dict[str, Record]:
    return ask_again(fleet_of(edge), {found.id: found}, wanted or (found.id,), now=f.NOW)


@pytest.mark.parametrize("step", ["denied", "refused", "verified"])
def test_what_came_to_nothing_is_planned_again_and_its_request_is_not_used(step: t.Any) -> None:
    found = again(record(step))["edge01 Internal"]
    assert (found.step, found.csr, found.submission, found.new, found.problems) == ("planned", _CSR, None, None, ())
    assert f"What comes after {step}." in found.next_step
    (chosen,) = r.replacements(fleet_of(), found).replacements
    assert (chosen.step, chosen.abandoned) == ("planned", _CSR)


@pytest.mark.parametrize("step", ["planned", "requested", "submitting", "pending", "installed", "assigned", "done"])
def test_what_is_under_way_is_left_as_it_is(step: t.Any) -> None:
    assert again(record(step)) == {}


def test_without_being_asked_nothing_is_abandoned() -> None:
    found = record("denied")
    assert ask_again(fleet_of(), {found.id: found}, (), now=f.NOW) == {}
    (chosen,) = r.replacements(fleet_of(), found).replacements
    assert (chosen.step, chosen.abandoned) == ("denied", None)


def test_a_record_that_is_not_there_is_told_with_those_that_are() -> None:
    with pytest.raises(RecordError, match=r"no record 'fe01 Default' .* edge01 Internal"):
        again(record("denied"), "fe01 Default")


def test_what_was_assigned_on_a_server_is_not_asked_for_again() -> None:
    own = CertificateRecord(
        use="Internal",
        uses=("Internal",),
        replaces=c.mark(OLD),
        step="assigned",
        before={"Internal": c.mark(OLD)},
        new=c.mark(NEW),
        time_utc="2026-03-08T12:00:00Z",
        run_id=RUN_ID,
    )
    edge = e.edge("edge01", cert=OLD, records=e.records(t.cast(t.Any, own)))
    with pytest.raises(RecordError, match="was assigned on edge01 before"):
        again(record("verified"), edge=edge)


def test_the_server_makes_another_key_and_takes_that_one_up_later() -> None:
    world = fleet()

    def make(run_id: str, **changes: t.Any) -> str:
        session = t.cast(Session, world.session("fe01"))
        wanted = world.replacement("fe01", **changes)
        made = make_request(session, wanted, machine_guid=world.guid("fe01"), run_id=run_id, key_size=2048)
        assert made.csr is not None, made
        return made.csr

    first = make(RUN_ID)
    assert make(LATER_RUN) == first
    second = make(LATER_RUN, abandoned=first)
    assert second != first
    # A run that was cut after that goes on with the new one.
    assert make("20260310T120010Z-abcdef", abandoned=first) == second
