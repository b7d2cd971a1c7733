# Copyright (c) 2026, the sfb.kb4023993 contributors
# GNU General Public License v3.0-or-later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who builds the new chain, by the servers' own chain checks, and CA certificates that are added where they were missing."""

from __future__ import annotations

import typing as t

import pytest
from ansible_collections.sfb.kb4023993.plugins.plugin_utils.certificate_steps.trust import ask_trust, install_trust
from ansible_collections.sfb.kb4023993.plugins.plugin_utils.certificates import CLIENT_AUTH, SERVER_AUTH
from ansible_collections.sfb.kb4023993.plugins.plugin_utils.host.session import Session
from ansible_collections.sfb.kb4023993.plugins.plugin_utils.outcome import Outcome
from ansible_collections.sfb.kb4023993.plugins.plugin_utils.renewal.trust import CaCertificate, TrustQuestion
from builders.roll_out import NEW_CA, RUN_ID, RollOut, changes_of, cut_everywhere, fleet
from lab import trust


def cas(found: RollOut) -> tuple[CaCertificate, ...]:
    """The chain of the new CA, the root first."""
    issuing, root = found.outside.ca(NEW_CA).chain

    def ca(store: t.Any, der: bytes) -> CaCertificate:
        return CaCertificate(store=store, certificate=der, thumbprint=trust.thumbprint(der), subject="CN=New")

    return (ca("Root", root), ca("CA", issuing))


def stored(found: RollOut, name: str = "fe01") -> set[tuple[str, str]]:
    stores = found.outside.stores(name)
    return {(store, e["thumbprint"]) for store in ("CA", "Root") for e in stores[store]}


def test_missing_ca_certificates_are_added_each_with_a_record_before_it() -> None:
    found = fleet(new_ca=True)
    wanted, before = cas(found), stored(found)
    session = found.session("fe01")
    outcome = install_trust(t.cast(Session, session), wanted, run_id=RUN_ID)
    assert outcome.status == "changed"
    assert outcome.message.startswith("2 CA certificates added: ")
    assert stored(found) - before == {(ca.store, ca.thumbprint) for ca in wanted}
    assert {(r.store, r.thumbprint) for r in found.records("fe01").trust} == {(c.store, c.thumbprint) for c in wanted}
    names = [o.NAME for o in session.done if o.CHANGES]
    assert names == ["registry_set", "store_add"] * 2
    again = found.session("fe01")
    assert install_trust(t.cast(Session, again), wanted, run_id=RUN_ID).status == "unchanged"
    assert len(found.records("fe01").trust) == 2
    assert stored(found) - before == {(ca.store, ca.thumbprint) for ca in wanted}


def test_what_was_there_before_is_left_as_it_is_and_not_called_ours() -> None:
    found = fleet(new_ca=True)
    wanted = cas(found)
    for ca in wanted:
        found.host().stores.add(ca.store, ca.certificate)
    before = stored(found)
    assert install_trust(found.talk("fe01"), wanted, run_id=RUN_ID).status == "unchanged"
    assert found.records("fe01").trust == ()
    assert stored(found) == before


def test_a_certificate_that_did_not_sign_itself_never_gets_into_root() -> None:
    found = fleet(new_ca=True)
    _root, issuing = cas(found)
    before = stored(found)
    wrong = CaCertificate(store="Root", certificate=issuing.certificate, thumbprint=issuing.thumbprint, subject="x")
    assert install_trust(found.talk("fe01"), [wrong], run_id=RUN_ID).status == "failed"
    assert stored(found) == before
    assert found.host().mistrusts_all is False


@pytest.mark.parametrize("name", ["fe01", "edge01"])
def test_adding_that_dies_anywhere_is_finished_by_the_next_run(name: str) -> None:
    def prepare() -> tuple[RollOut, tuple[CaCertificate, ...]]:
        found = fleet(new_ca=True)
        return found, cas(found)

    def step(_found: RollOut, wanted: tuple[CaCertificate, ...], session: Session) -> Outcome:
        return install_trust(session, wanted, run_id=RUN_ID)

    for where, found, wanted in cut_everywhere(prepare, step, name):
        assert step(found, wanted, found.talk(name)).ok, where
        ours = {(ca.store, ca.thumbprint) for ca in wanted}
        assert ours <= stored(found, name), where
        assert {(r.store, r.thumbprint) for r in found.records(name).trust} == ours, where


def test_each_server_answers_for_both_usages_with_its_own_stores() -> None:
    found = fleet(new_ca=True)
    certificate = found.signed("edge01", config=NEW_CA)
    issuing, _root = found.outside.ca(NEW_CA).chain
    question = TrustQuestion(host="fe01", certificates=(("edge01 Internal", certificate, (issuing,)),))

    def ask() -> list[tuple[str, str, tuple[str, ...]]]:
        session = found.session("fe01")
        answer = ask_trust(t.cast(Session, session), question)
        assert changes_of(session) == []
        assert answer.host == "fe01"
        return [(r.record_id, r.usage_oid, r.statuses) for r in answer.results]

    assert [(each[:2], "UntrustedRoot" in each[2] or "PartialChain" in each[2]) for each in ask()] == [
        (("edge01 Internal", SERVER_AUTH), True),
        (("edge01 Internal", CLIENT_AUTH), True),
    ]
    assert install_trust(found.talk("fe01"), cas(found), run_id=RUN_ID).status == "changed"
    assert [each[2] for each in ask()] == [(), ()]


def test_many_certificates_are_asked_about_in_batches_and_every_answer_finds_its_own() -> None:
    found = fleet(new_ca=True)
    good, untrusted = found.current("fe02"), found.signed("edge01", config=NEW_CA)
    certificates = tuple((f"record {number}", untrusted if number % 3 == 0 else good, ()) for number in range(20))
    session = found.session("fe01")
    answer = ask_trust(t.cast(Session, session), TrustQuestion(host="fe01", certificates=certificates))
    assert session.batches == 3
    bad = {result.record_id for result in answer.results if "PartialChain" in result.statuses}
    assert len(answer.results) == 40
    assert bad == {f"record {number}" for number in range(0, 20, 3)}
