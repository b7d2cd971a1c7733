# Copyright (c) 2026, the sfb.kb4023993 contributors
# GNU General Public License v3.0-or-later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Requests on simulated servers: by the product's cmdlet or by certreq, with the old names, and never two where one is enough."""

from __future__ import annotations

import typing as t

import pytest
from ansible_collections.sfb.kb4023993.plugins.plugin_utils.certificate_records import HandedIn
from ansible_collections.sfb.kb4023993.plugins.plugin_utils.certificate_steps.request import (
    Made,
    make_request,
    note_submission,
)
from ansible_collections.sfb.kb4023993.plugins.plugin_utils.host.session import Session
from ansible_collections.sfb.kb4023993.plugins.plugin_utils.signing.csr import read_csr
from builders.roll_out import CA, FRONT_END_USES, LATER_RUN, RUN_ID, RollOut, changes_of, cut_everywhere, fleet
from lab import trust

HANDED_IN: t.Final = HandedIn(
    method="certreq", ca=CA, template="WebServerClientandServer", at_utc="2026-03-08T12:00:00Z", request_id=17
)


def make(
    found: RollOut,
    name: str = "fe01",
    *,
    session: t.Any = None,
    run_id: str = RUN_ID,
    size: int = 2048,
    **changes: t.Any,
) -> Made:
    return make_request(
        t.cast(Session, session or found.session(name)),
        found.replacement(name, **changes),
        machine_guid=found.guid(name),
        run_id=run_id,
        key_size=size,
    )


def waiting(found: RollOut, name: str = "fe01") -> list[dict[str, t.Any]]:
    return found.outside.stores(name)["REQUEST"]


# ---- how it is made


@pytest.mark.parametrize("name", ["fe01", "edge01"])
@pytest.mark.parametrize("method", ["cmdlet", "certreq"])
def test_a_request_has_the_names_of_the_old_certificate_and_a_key_that_waits_on_the_server(
    name: str, method: str
) -> None:
    found = fleet(edges=2)
    wanted = found.replacement(name)
    made = make(found, name, method=method, size=4096)
    assert made.outcome.status == "changed", made
    assert ("certreq" in made.outcome.message) == (method == "certreq")
    assert made.csr is not None
    csr = read_csr(made.csr)
    assert csr.key_bits == 4096
    assert csr.names.all >= set(wanted.names)
    assert csr.names.common_name == wanted.subject.common_name
    (key,) = waiting(found, name)
    assert key["friendly_name"] == f"KB4023993 {found.use(name)} {RUN_ID}"
    # Only the one certificate of an Edge pool has to be carried to other servers.
    assert key["exportable"] == (name == "edge01")
    record = found.record(name)
    assert record is not None
    assert (record.step, record.csr, record.replaces) == ("requested", made.csr, wanted.thumbprint)
    assert record.uses == (FRONT_END_USES if name == "fe01" else ("Internal",))
    assert (record.before, record.new, record.handed_in) == ({}, None, None)


def test_what_the_product_computes_beyond_the_old_names_is_no_reason_against_its_cmdlet() -> None:
    found = fleet(servers={"fe01": {"computed_names": ["pool01", "fe01", "sip", "added"]}})
    made = make(found)
    assert "Request-CsCertificate" in made.outcome.message
    assert made.csr is not None
    assert "added.contoso.example" in read_csr(made.csr).names.all


@pytest.mark.parametrize(
    ("entries", "why"),
    [
        ({"computed_names": ["pool-new", "fe01"]}, "has the CN pool-new.contoso.example instead of pool01"),
        ({"quirks": {"no_lync_module": True}}, "PowerShell module is not on the server"),
        ({"quirks": {"denied_cmdlets": ["Request-CsCertificate"]}}, "may not use this cmdlet"),
        ({"quirks": {"failing_cmdlets": {"Request-CsCertificate": "Kein Zugriff auf\nCMS"}}}, "Kein Zugriff auf"),
    ],
    ids=["other names", "no module", "denied", "failing"],
)
def test_where_the_cmdlet_does_not_serve_certreq_makes_the_request_and_the_reason_is_told(
    entries: dict[str, t.Any], why: str
) -> None:
    found = fleet(servers={"fe01": entries})
    made = make(found)
    assert made.outcome.status == "changed"
    assert "by certreq (Request-CsCertificate was not used: " in made.outcome.message
    assert why in made.outcome.message
    assert "\n" not in made.outcome.message
    assert made.csr is not None
    assert read_csr(made.csr).names.all >= set(found.replacement("fe01").names)
    # The key of an unfit request stays with its name, so that certreq needs another one.
    assert waiting(found)[-1]["friendly_name"] == f"KB4023993 Default {RUN_ID} 2"


def test_names_that_have_no_safe_form_are_refused_before_certreq() -> None:
    found = fleet()
    session = found.session("fe01")
    made = make(found, session=session, method="certreq", names=("pool01.contoso.example", "a b"))
    assert made.outcome.status == "refused"
    assert changes_of(session) == []


def test_certreq_that_makes_nothing_is_a_failure_with_its_exit_code() -> None:
    found = fleet()
    made = make(found, method="certreq", size=511)
    assert made.outcome.status == "failed"
    assert "exit code" in made.outcome.message
    assert made.csr is None


# ---- what is refused


def test_another_machine_under_the_same_name_gets_no_key() -> None:
    found = fleet()
    session = found.session("fe01")
    made = make_request(
        t.cast(Session, session), found.replacement("fe01"), machine_guid="other", run_id=RUN_ID, key_size=2048
    )
    assert made.outcome.status == "refused"
    assert "not the machine" in made.outcome.message
    assert [operation for operation in session.done if operation.CHANGES] == []


def test_a_certificate_that_is_not_in_the_store_any_more_is_not_replaced() -> None:
    found = fleet()
    wanted = found.replacement("fe01")
    found.host().stores.remove("My", wanted.certificate)
    made = make_request(found.talk("fe01"), wanted, machine_guid=wanted.machine_guid, run_id=RUN_ID, key_size=2048)
    assert (made.outcome.status, made.csr) == ("refused", None)
    assert wanted.thumbprint in made.outcome.message
    assert waiting(found) == []


def test_a_request_that_no_later_run_could_read_from_the_server_is_not_called_made() -> None:
    found = fleet()
    names = (
        *found.replacement("fe01").names,
        *(f"host{number:03}.{'x' * 40}.contoso.example" for number in range(300)),
    )
    made = make(found, names=names)
    assert (made.outcome.status, made.csr) == ("refused", None)
    assert "too many names" in made.outcome.message
    assert found.records("fe01").invalid == ()


# ---- what is there is used


@pytest.mark.parametrize("method", ["cmdlet", "certreq"])
def test_a_request_that_is_there_is_taken_up_by_another_run_also_of_another_method(method: str) -> None:
    found = fleet()
    first = make(found)
    session = found.session("fe01")
    again = make(found, session=session, run_id=LATER_RUN, method=method)
    assert again.outcome.status == "unchanged"
    assert again.csr == first.csr
    assert changes_of(session) == []
    assert len(waiting(found)) == 1


def test_a_request_for_another_certificate_is_not_used() -> None:
    found = fleet()
    first = make(found)
    other = found.deployment.issue(found.deployment.scenario.by_name["fe01"], "webserver")
    found.deployment._give(found.deployment.scenario.by_name["fe01"], other, FRONT_END_USES)
    again = make(found, run_id=LATER_RUN)
    assert again.outcome.status == "changed"
    assert again.csr != first.csr
    record = found.record("fe01")
    assert record is not None
    assert (record.replaces, record.csr) == (trust.thumbprint(other.der), again.csr)


def test_a_request_that_lacks_a_name_or_is_none_is_not_used() -> None:
    found = fleet()
    first = make(found)
    more = (*found.replacement("fe01").names, "new.contoso.example")
    again = make(found, run_id=LATER_RUN, names=more)
    assert again.outcome.status == "changed"
    assert again.csr is not None
    assert again.csr != first.csr
    assert "new.contoso.example" in read_csr(again.csr).names.all


def test_the_next_round_after_a_finished_one_makes_a_new_key() -> None:
    found = fleet()
    target = found.installed("fe01")
    record = found.record("fe01")
    assert record is not None
    assert record.step == "done"
    found.settle()
    found.outside.assign("fe01", target.replaces, *FRONT_END_USES)
    again = make(found, run_id=LATER_RUN)
    assert again.outcome.status == "changed"
    assert again.csr != record.csr


# ---- a run may die anywhere


@pytest.mark.parametrize("name", ["fe01", "edge01"])
@pytest.mark.parametrize("method", ["cmdlet", "certreq"])
def test_a_request_that_dies_anywhere_is_finished_by_the_next_run(name: str, method: str) -> None:
    def prepare() -> tuple[RollOut, None]:
        return fleet(edges=2), None

    def step(found: RollOut, _given: None, session: Session) -> t.Any:
        return make(found, name, session=session, method=method).outcome

    seen: dict[int, str] = {}
    for where, found, _given in cut_everywhere(prepare, step, name):
        noted = found.record(name)
        made = make(found, name, run_id=LATER_RUN, method=method)
        assert made.outcome.ok, (where, made)
        assert made.csr is not None
        record = found.record(name)
        assert record is not None
        assert (record.step, record.csr) == ("requested", made.csr), where
        keys = len(waiting(found, name))
        seen[keys] = where
        # A second key only where the first one's request is known to nobody.
        assert keys == (2 if where.endswith(("lync_request", "certreq_new")) else 1), where
        names = [entry["friendly_name"] for entry in waiting(found, name)]
        assert len(set(names)) == len(names), where
        if noted and noted.csr:
            assert made.csr == noted.csr
    assert set(seen) == {1, 2}


@pytest.mark.parametrize("when", ["before", "after"])
def test_a_cmdlet_that_does_not_end_fails_the_step_and_the_next_run_makes_a_request(when: str) -> None:
    found = fleet()
    found.host().quirks.endless_cmdlets = {"Request-CsCertificate": when}
    made = make(found)
    assert made.outcome.status == "failed"
    assert "deadline" in made.outcome.message
    found.host().quirks.endless_cmdlets = {}
    assert make(found, run_id=LATER_RUN).outcome.status == "changed"


# ---- where the request is


def test_where_a_request_is_gets_noted_once_and_only_of_this_request() -> None:
    found = fleet()
    csr = found.requested("fe01")

    def note(pem: str = csr, step: t.Any = "pending", handed_in: HandedIn | None = HANDED_IN) -> str:
        return note_submission(found.talk("fe01"), use="Default", csr_pem=pem, step=step, handed_in=handed_in).status

    assert note("another") == "unchanged"
    assert note(step="submitting", handed_in=None) == "changed"
    assert note(step="submitting", handed_in=None) == "unchanged"
    assert note() == "changed"
    assert note() == "unchanged"
    record = found.record("fe01")
    assert record is not None
    assert (record.step, record.handed_in, record.csr) == ("pending", HANDED_IN, csr)


def test_what_is_in_the_store_already_is_not_called_pending_again() -> None:
    found = fleet()
    found.imported("fe01")
    record = found.record("fe01")
    assert record is not None
    outcome = note_submission(
        found.talk("fe01"), use="Default", csr_pem=record.csr or "", step="pending", handed_in=HANDED_IN
    )
    assert outcome.status == "unchanged"
    assert found.record("fe01") == record


def test_a_note_that_dies_anywhere_is_written_by_the_next_run() -> None:
    def prepare() -> tuple[RollOut, str]:
        found = fleet()
        return found, found.requested("fe01")

    def step(_found: RollOut, csr: str, session: Session) -> t.Any:
        return note_submission(session, use="Default", csr_pem=csr, step="pending", handed_in=HANDED_IN)

    for where, found, csr in cut_everywhere(prepare, step, "fe01"):
        assert step(found, csr, found.talk("fe01")).ok
        record = found.record("fe01")
        assert record is not None
        assert (record.step, record.handed_in) == ("pending", HANDED_IN), where
