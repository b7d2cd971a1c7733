# Copyright (c) 2026, the sfb.kb4023993 contributors
# GNU General Public License v3.0-or-later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The new certificate into the stores of simulated servers: to its key, and from the first member of an Edge pool to the others."""

from __future__ import annotations

import dataclasses
import json
import typing as t

import pytest
from ansible_collections.sfb.kb4023993.plugins.plugin_utils.carry_out import StepError
from ansible_collections.sfb.kb4023993.plugins.plugin_utils.certificate_steps import install as steps
from ansible_collections.sfb.kb4023993.plugins.plugin_utils.certificate_steps.install import Shared
from ansible_collections.sfb.kb4023993.plugins.plugin_utils.host.session import Session
from ansible_collections.sfb.kb4023993.plugins.plugin_utils.outcome import Outcome
from ansible_collections.sfb.kb4023993.plugins.plugin_utils.renewal.installation import Installation
from builders.roll_out import NEW_CA, RUN_ID, RollOut, changes_of, cut_everywhere, fleet
from lab import trust


def accept(found: RollOut, target: Installation, session: t.Any = None) -> Outcome:
    return steps.import_certificate(session or found.talk(target.host), target, run_id=RUN_ID)


def receive(found: RollOut, target: Installation, shared: Shared | None, session: t.Any = None) -> Outcome:
    return steps.receive_shared(session or found.talk(target.host), target, shared, run_id=RUN_ID)


def entry(found: RollOut, target: Installation, name: str = "") -> dict[str, t.Any] | None:
    mark = trust.thumbprint(target.certificate)
    return next((e for e in found.outside.stores(name or target.host)["My"] if e["thumbprint"] == mark), None)


# ---- import


@pytest.mark.parametrize("name", ["fe01", "edge01"])
def test_a_certificate_meets_its_key_and_nothing_uses_it_yet(name: str) -> None:
    found = fleet()
    before = found.assigned(name)
    target = found.target(name, found.signed(name))
    outcome = accept(found, target)
    assert (outcome.status, "nothing uses it" in outcome.message) == ("changed", True)
    stored = entry(found, target)
    assert stored is not None
    assert stored["has_private_key"]
    assert stored["exportable"] is False
    assert found.assigned(name) == before
    record = found.record(name)
    assert record is not None
    assert (record.step, record.new) == ("imported", trust.thumbprint(target.certificate))
    session = found.session(name)
    assert accept(found, target, session).status == "unchanged"
    assert changes_of(session) == []
    assert found.record(name) == record


def test_the_key_of_an_edge_pool_stays_exportable() -> None:
    found = fleet(edges=2)
    stored = entry(found, found.imported("edge01"))
    assert stored is not None
    assert stored["exportable"] is True


def test_a_certificate_whose_key_is_elsewhere_is_a_clear_failure_each_time() -> None:
    found = fleet()
    target = found.target("fe02", found.signed("fe01"), replaces=trust.thumbprint(found.current("fe02")))
    for _run in range(2):
        outcome = accept(found, target)
        assert outcome.status == "failed"
        assert "without a private key" in outcome.message
        record = found.record("fe02")
        assert record is not None
        assert record.step != "imported"


@pytest.mark.parametrize(
    ("quirks", "words"),
    [
        ({"no_lync_module": True}, "module is not on the server"),
        ({"denied_cmdlets": ("Import-CsCertificate",)}, "may not use this cmdlet"),
        ({"failing_cmdlets": {"Import-CsCertificate": "No."}}, "Import-CsCertificate did not work: No."),
        ({"endless_cmdlets": {"Import-CsCertificate": "after"}}, "deadline"),
    ],
)
def test_a_cmdlet_that_does_not_import_is_told_and_the_next_run_goes_on(quirks: dict[str, t.Any], words: str) -> None:
    found = fleet()
    target = found.target("fe01", found.signed("fe01"))
    well = found.host().quirks
    found.host().quirks = dataclasses.replace(well, **quirks)
    outcome = accept(found, target)
    assert outcome.status == "failed"
    assert words in outcome.message
    found.host().quirks = well
    assert accept(found, target).ok
    record = found.record("fe01")
    assert record is not None
    assert record.step == "imported"


def test_a_chain_that_the_server_does_not_trust_is_not_imported() -> None:
    found = fleet(new_ca=True)
    target = found.target("edge01", found.signed("edge01", config=NEW_CA))
    outcome = accept(found, target)
    assert outcome.status == "failed"
    assert "trusted root" in outcome.message


def test_another_machine_gets_nothing() -> None:
    found = fleet()
    target = found.target("fe01", found.signed("fe01"), machine_guid="other")
    assert accept(found, target).status == "refused"
    assert entry(found, target) is None


# ---- export and receive


def test_all_members_of_an_edge_pool_have_the_same_certificate_with_its_key_then() -> None:
    found = fleet(edges=3)
    target = found.imported("edge01")
    for name in ("edge02", "edge03"):
        member = found.target(name, target.certificate, lead=False)
        shared = steps.export_shared(found.talk("edge01"), target)
        assert receive(found, member, shared).status == "changed"
        stored = entry(found, member)
        assert stored is not None
        assert (stored["has_private_key"], stored["exportable"]) == (True, True)
        record = found.record(name)
        assert record is not None
        assert (record.step, record.new, record.csr) == ("imported", trust.thumbprint(target.certificate), None)
        session = found.session(name)
        assert receive(found, member, None, session).status == "unchanged"
        assert changes_of(session) == []


def test_each_export_has_a_password_of_its_own_that_is_shown_nowhere() -> None:
    found = fleet(edges=2)
    target = found.imported("edge01")
    giving = found.session("edge01")
    first, second = (steps.export_shared(t.cast(Session, giving), target) for _time in range(2))
    assert first.password != second.password
    assert len(first.password) >= 32
    member = found.target("edge02", target.certificate, lead=False)
    session = found.session("edge02")
    outcomes = [receive(found, member, dataclasses.replace(first, password="wrong"), session)]  # noqa: S106
    outcomes.append(receive(found, member, first, session))
    assert [outcome.status for outcome in outcomes] == ["failed", "changed"]
    kept = [json.dumps(found.dump(name), default=str) for name in ("edge01", "edge02")]
    shown = repr((outcomes, first, giving.done, session.done)) + "".join(kept)
    for secret in (first.password, "'wrong'", repr(first.pfx)[2:-1]):
        assert secret not in shown


def test_a_key_that_may_not_leave_its_server_is_not_shared() -> None:
    found = fleet()
    target = found.imported("edge01")
    with pytest.raises(StepError, match="exporting the pool's certificate"):
        steps.export_shared(found.talk("edge01"), target)


def test_a_member_that_is_given_nothing_or_another_certificate_does_not_call_it_its_own() -> None:
    found = fleet(edges=2)
    target = found.imported("edge01")
    member = found.target("edge02", target.certificate, lead=False)
    outcome = receive(found, member, None)
    assert outcome.status == "failed"
    assert "did not give" in outcome.message
    other = dataclasses.replace(target, certificate=found.current("edge01"))
    outcome = receive(found, member, steps.export_shared(found.talk("edge01"), other))
    assert outcome.status == "failed"
    assert "did not arrive with its private key" in outcome.message
    assert entry(found, member) is None
    assert receive(found, dataclasses.replace(member, machine_guid="other"), None).status == "refused"


# ---- a run may die anywhere


@pytest.mark.parametrize("name", ["fe01", "edge01"])
def test_an_import_that_dies_anywhere_is_finished_by_the_next_run(name: str) -> None:
    def prepare() -> tuple[RollOut, Installation]:
        found = fleet()
        return found, found.target(name, found.signed(name))

    for where, found, target in cut_everywhere(prepare, accept, name):
        assert accept(found, target).ok, where
        stored, record = entry(found, target), found.record(name)
        assert stored is not None
        assert stored["has_private_key"], where
        assert record is not None
        assert (record.step, record.new) == ("imported", trust.thumbprint(target.certificate)), where
        assert found.outside.stores(name)["REQUEST"] == [], where


def test_a_parcel_that_dies_anywhere_is_sent_again_by_the_next_run() -> None:
    def prepare() -> tuple[RollOut, Installation]:
        found = fleet(edges=2)
        return found, found.imported("edge01")

    def step(found: RollOut, target: Installation, session: Session) -> Outcome:
        member = found.target("edge02", target.certificate, lead=False, replaces=target.replaces)
        return receive(found, member, steps.export_shared(found.talk("edge01"), target), session)

    for where, found, target in cut_everywhere(prepare, step, "edge02"):
        assert step(found, target, found.talk("edge02")).ok, where
        stored, record = entry(found, target, "edge02"), found.record("edge02")
        assert stored is not None
        assert stored["has_private_key"], where
        assert record is not None
        assert (record.step, record.new) == ("imported", trust.thumbprint(target.certificate)), where


def test_a_record_of_another_unfinished_replacement_is_not_overwritten() -> None:
    found = fleet()
    target = found.imported("fe01")
    found.host().quirks.failing_cmdlets = {"Invoke-CsComputerFailOver": "No."}
    assert found.install(target).status == "refused"
    record = found.record("fe01")
    assert record is not None
    assert record.step == "assigned"
    outcome = accept(found, dataclasses.replace(target, replaces="A" * 40, certificate=found.current("fe02")))
    assert outcome.status == "refused"
    assert target.replaces in outcome.message
    assert found.record("fe01") == record
