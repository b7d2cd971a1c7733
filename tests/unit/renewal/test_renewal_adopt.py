# Copyright (c) 2026, the sfb.kb4023993 contributors
# GNU General Public License v3.0-or-later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Records that another controller left on simulated servers: taken up at the right step, and believed no more than they deserve."""

from __future__ import annotations

import dataclasses
import typing as t

import pytest
from ansible_collections.sfb.kb4023993.plugins.plugin_utils.certificate_records import CertificateRecord, HandedIn
from ansible_collections.sfb.kb4023993.plugins.plugin_utils.certificate_steps.common import write_record
from ansible_collections.sfb.kb4023993.plugins.plugin_utils.certificate_steps.request import note_submission
from ansible_collections.sfb.kb4023993.plugins.plugin_utils.renewal.adopt import adopt
from ansible_collections.sfb.kb4023993.plugins.plugin_utils.renewal.trust import (
    TrustAnswer,
    TrustResult,
    judge_trust,
    trust_questions,
)
from ansible_collections.sfb.kb4023993.plugins.plugin_utils.signing.bundle import read_bundle
from ansible_collections.sfb.kb4023993.plugins.plugin_utils.signing.csr import read_csr
from ansible_collections.sfb.kb4023993.plugins.plugin_utils.signing.records import Record
from builders.roll_out import CA, RollOut, fleet
from lab import pki, trust
from lab.world.keys import HeldKey

HANDED_IN: t.Final = HandedIn(
    method="certreq", ca=CA, template="WebServerClientandServer", at_utc="2026-03-08T12:00:00Z", request_id=17
)


def adopted(found: RollOut, **known: Record) -> dict[str, Record]:
    return adopt(found.judge(), known, now=found.deployment.clock.now())


def note(found: RollOut, name: str, csr: str, step: t.Any, handed_in: HandedIn | None) -> None:
    assert (
        note_submission(found.talk(name), use=found.use(name), csr_pem=csr, step=step, handed_in=handed_in).status
        == "changed"
    )


def forge(found: RollOut, name: str, **changes: t.Any) -> CertificateRecord:
    record = found.record(name)
    assert record is not None
    return write_record(found.talk(name), record, **changes)


def test_a_server_without_a_record_has_nothing_to_take_up() -> None:
    assert adopted(fleet()) == {}


@pytest.mark.parametrize("name", ["fe01", "edge01"])
def test_a_request_that_waits_on_its_server_is_taken_up_with_everybody_it_is_for(name: str) -> None:
    found = fleet(edges=2)
    wanted = found.replacement(name)
    csr = found.requested(name)
    (record,) = adopted(found).values()
    assert record.id == wanted.id
    assert (record.servers, record.uses, record.step) == (wanted.servers, wanted.uses, "requested")
    assert read_csr(record.csr or "").sha256 == read_csr(csr).sha256
    assert record.current is not None
    assert record.current.thumbprint == wanted.thumbprint
    assert (record.submission, record.new) == (None, None)


def test_what_this_controller_knows_is_not_taken_up_again() -> None:
    found = fleet(edges=2)
    found.requested("edge01")
    (record,) = adopted(found).values()
    assert adopted(found, one=record) == {}
    # Also where its own record has another member of the pool first.
    assert adopted(found, one=dataclasses.replace(record, id="x", servers=("edge02", "edge01"))) == {}


def test_a_request_at_a_ca_is_asked_for_there_under_its_id() -> None:
    found = fleet()
    note(found, "fe01", found.requested("fe01"), "pending", HANDED_IN)
    (record,) = adopted(found).values()
    assert record.step == "pending"
    assert record.submission is not None
    assert (record.submission.ca, record.submission.request_id) == (CA, 17)
    assert "as 17" in record.next_step


@pytest.mark.parametrize(
    ("step", "handed_in"),
    [
        ("submitting", None),
        ("pending", None),
        ("submitting", dataclasses.replace(HANDED_IN, request_id=None)),
        ("pending", dataclasses.replace(HANDED_IN, request_id=None)),
    ],
    ids=["about to be", "pending nowhere", "no answer", "no id"],
)
def test_a_request_that_a_ca_may_have_is_never_one_to_hand_in(step: t.Any, handed_in: HandedIn | None) -> None:
    found = fleet()
    note(found, "fe01", found.requested("fe01"), step, handed_in)
    (record,) = adopted(found).values()
    assert record.step == "submitting"
    assert "submit_again" in record.next_step
    assert "request_ids" in record.next_step


def test_each_step_on_the_server_is_the_right_one_here() -> None:
    found = fleet("lync2010", front_ends=1)
    target = found.imported("fe01")
    mark = trust.thumbprint(target.certificate)

    def step() -> str:
        (record,) = adopted(found).values()
        assert record.new is not None
        assert record.new.thumbprint == mark
        assert read_bundle(record.new.certificate.encode())[0] == target.certificate
        assert record.current is not None
        assert record.current.thumbprint == target.replaces
        return record.step

    # A certificate in the store is believed no further than that: everybody is asked about its chain again.
    assert step() == "verified"
    found.host().quirks.denied_cmdlets = ("Stop-CsWindowsService",)
    assert found.install(target).status == "refused"
    found.host().quirks.denied_cmdlets = ()
    assert step() == "assigned"
    assert found.install(target).status == "changed"
    assert step() == "done"


def test_a_certificate_that_is_not_in_the_store_any_more_is_not_taken_up() -> None:
    found = fleet()
    target = found.imported("fe01")
    found.host().stores.remove("My", target.certificate)
    assert adopted(found) == {}
    found = fleet()
    old = found.current("fe01")
    found.requested("fe01")
    found.host().stores.remove("My", old)
    assert adopted(found) == {}


def test_text_that_is_no_request_is_not_gone_on_with() -> None:
    found = fleet()
    found.requested("fe01")
    forge(found, "fe01", csr="-----BEGIN NEW CERTIFICATE REQUEST-----\nAAAA\n-----END NEW CERTIFICATE REQUEST-----\n")
    assert adopted(found) == {}


def test_names_of_a_request_that_differ_are_not_accepted_because_it_lay_on_a_server() -> None:
    found = fleet()
    found.requested("fe01")
    other = fleet()
    forged = other.requested("edge01")
    forge(found, "fe01", csr=forged)
    (record,) = adopted(found).values()
    assert record.name_changes_accepted is False


def test_a_root_certificate_of_an_intruder_is_offered_to_nobody() -> None:
    """One server, in the DMZ, is somebody else's: its store has a chain that ends at a root of its own."""
    found = fleet(edges=1)
    found.requested("edge01")
    evil_root = pki.root_authority("Contoso Root CA")
    evil = evil_root.subordinate("Contoso Issuing CA 1").issue(
        "edgepool.contoso.example",
        dns_names=["edgepool.contoso.example"],
        eku=(pki.SERVER_AUTH, pki.CLIENT_AUTH),
    )
    host = found.host("edge01")
    for der in evil.chain:
        host.stores.add("Root" if trust.is_self_issued(der) else "CA", der)
    host.stores.add("My", evil.der, key=HeldKey(private=t.cast(t.Any, evil.key), exportable=True))
    forge(found, "edge01", step="imported", new=trust.thumbprint(evil.der))
    assessment = found.judge()
    records = adopt(assessment, {}, now=found.deployment.clock.now())
    (record,) = records.values()
    questions = trust_questions(assessment, records)
    assert {"edge01", "fe01", "fe02"} <= set(questions)
    answers = {
        name: TrustAnswer(
            host=name,
            results=tuple(
                TrustResult(record_id=record.id, usage_oid=oid, statuses=("UntrustedRoot",), chain=())
                for oid in (pki.SERVER_AUTH, pki.CLIENT_AUTH)
            ),
        )
        for name in questions
        if name != "edge01"
    }
    judgement = judge_trust(questions, answers, records, trusted_elsewhere=())
    offered = [ca for each in judgement.install.values() for ca in each]
    assert [ca for ca in offered if ca.store == "Root"] == []
    assert trust.thumbprint(evil_root.der) not in {ca.thumbprint for ca in offered}
    assert record.id not in judgement.ok_records
    assert {problem.host for problem in judgement.problems} >= {"fe01", "fe02"}
