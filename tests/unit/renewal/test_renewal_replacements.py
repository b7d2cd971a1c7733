# Copyright (c) 2026, the sfb.kb4023993 contributors
# GNU General Public License v3.0-or-later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which certificates are replaced, for which servers and uses; and that everything else is refused with what to do."""

from __future__ import annotations

import dataclasses
import json
import typing as t

import pytest
from ansible_collections.sfb.kb4023993.plugins.plugin_utils.codec import decode, encode
from ansible_collections.sfb.kb4023993.plugins.plugin_utils.evidence import Evidence
from ansible_collections.sfb.kb4023993.plugins.plugin_utils.fleet import InventoryHost
from ansible_collections.sfb.kb4023993.plugins.plugin_utils.renewal.replacements import RenewalPlan, Replacement
from ansible_collections.sfb.kb4023993.plugins.plugin_utils.signing.records import new_record
from builders import certificates as c
from builders import evidence as e
from builders import fleets as f
from builders import renewal as r
from lab import pki

GOOD: t.Final = c.certificate("both")
POOL: t.Final = "pool01.contoso.example"
OLD_FE: t.Final = r.issued(POOL, e.full("fe01"), "sip.contoso.example")
OLD: t.Final = r.old()
NEW: t.Final = r.new()


def front_end(cert: pki.Issued = OLD_FE, name: str = "fe01", **words: t.Any) -> Evidence:
    return e.front_end(name, cert=cert, edge_pool=r.EDGE_POOL, **words)


def edge(name: str = "edge01", cert: pki.Issued = OLD, **words: t.Any) -> Evidence:
    return e.edge(name, cert=cert, **words)


def plan(*hosts: InventoryHost | Evidence, records: t.Sequence[t.Any] = ()) -> RenewalPlan:
    return r.replacements(f.judge(*hosts), *records)


def only(found: RenewalPlan) -> Replacement:
    assert r.refusals(found) == {}
    assert len(found.replacements) == 1
    return found.replacements[0]


# ---- what is replaced


def test_a_bad_front_end_certificate_is_replaced_with_its_names_and_subject() -> None:
    found = only(plan(front_end(), edge(cert=GOOD)))
    assert (found.id, found.servers, found.uses, found.role) == ("fe01 Default", ("fe01",), ("Default",), "front_end")
    assert (found.certificate, found.thumbprint) == (OLD_FE.der, c.mark(OLD_FE))
    assert found.names == (POOL, "fe01.contoso.example", "sip.contoso.example")
    assert found.subject.common_name == POOL
    assert (found.exportable, found.pool, found.step) == (False, POOL, "planned")
    assert (found.method, found.modules) == ("cmdlet", ("SkypeForBusiness", "Lync"))
    assert found.machine_guid == "guid-of-fe01"
    assert "client authentication" in found.reason


def test_the_id_is_that_of_the_record_that_will_be_made() -> None:
    for found in plan(front_end(), edge("edge01"), edge("edge02")).replacements:
        record = new_record(servers=found.servers, uses=found.uses, replaces=found.certificate, at=f.NOW)
        assert found.id == record.id


def test_good_certificates_are_left_alone() -> None:
    found = plan(front_end(GOOD), edge(cert=GOOD), e.front_end("med01", services=()))
    assert (found.replacements, found.refused) == ((), ())


def test_the_subject_is_kept_in_its_parts_and_what_cannot_be_kept_is_said() -> None:
    subject = [("C", "DE"), ("S", "Bayern"), ("L", "München"), ("O", "Contoso, Inc."), ("OU", "IT"), ("CN", POOL)]
    whole = only(plan(front_end(r.issued(POOL, subject=subject)), edge(cert=GOOD)))
    assert dataclasses.asdict(whole.subject) == {
        "common_name": POOL,
        "organization": "Contoso, Inc.",
        "unit": "IT",
        "city": "München",
        "state": "Bayern",
        "country": "DE",
    }
    assert "will not have" not in whole.reason
    more = [*subject, ("OU", "Second"), ("E", "a@contoso.example")]
    partly = only(plan(front_end(r.issued(POOL, subject=more)), edge(cert=GOOD)))
    assert partly.subject.unit == "IT"
    assert "will not have OU=Second, 1.2.840.113549.1.9.1=a@contoso.example" in partly.reason


@pytest.mark.parametrize(
    ("others", "uses"),
    [
        (
            (("WebServicesInternal", OLD_FE), ("WebServicesExternal", OLD_FE)),
            ("WebServicesInternal", "WebServicesExternal"),
        ),
        ((("WebServicesInternal", OLD_FE), ("WebServicesExternal", GOOD)), ("WebServicesInternal",)),
        ((("OAuthTokenIssuer", OLD_FE), ("AudioVideoAuthentication", OLD_FE)), ()),
        ((("AccessEdgeExternal", OLD_FE), ("XmppServer", OLD_FE)), ()),
    ],
)
def test_of_a_shared_certificate_only_default_and_the_web_uses_move(others: t.Any, uses: tuple[str, ...]) -> None:
    assigned = e.assignments(*others, ("Default", OLD_FE))
    own = front_end(lync_certificates=assigned, certificates=e.store(OLD_FE, GOOD))
    assert only(plan(own, edge(cert=GOOD))).uses == ("Default", *uses)


def test_each_front_end_has_its_own() -> None:
    found = plan(front_end(), front_end(r.issued(POOL, e.full("fe02")), "fe02"), edge(cert=GOOD))
    assert [x.servers for x in found.replacements] == [("fe01",), ("fe02",)]


@pytest.mark.parametrize("members", [["edge01"], ["edge02", "edge01", "edge03"]])
def test_an_edge_pool_has_one_for_all_members_exportable_only_if_there_are_several(members: list[str]) -> None:
    found = only(plan(front_end(GOOD), *(edge(name) for name in members)))
    assert found.id == "edge01 Internal"
    assert (found.servers, found.uses) == (tuple(sorted(members)), ("Internal",))
    assert found.exportable is (len(members) > 1)


def test_one_bad_member_is_enough_for_the_whole_edge_pool() -> None:
    found = only(plan(front_end(GOOD), edge("edge01", NEW), edge("edge02", OLD)))
    assert found.servers == ("edge01", "edge02")


def test_the_assigned_certificate_decides_also_before_the_services_have_it() -> None:
    pending = front_end(GOOD, lync_certificates=e.assignments(("Default", OLD_FE)), certificates=e.store(OLD_FE, GOOD))
    assert only(plan(pending, edge(cert=GOOD))).thumbprint == c.mark(OLD_FE)


def test_without_working_cmdlets_an_edge_is_served_by_certreq() -> None:
    for reply in (e.NO_MODULE, e.DENIED):
        assert only(plan(front_end(GOOD), edge(lync_certificates=reply))).method == "certreq"


def test_the_plan_goes_through_json() -> None:
    found = plan(front_end(), edge("edge01"), f.unread("edge02", pool=r.EDGE_POOL))
    assert found.refused
    assert found.replacements
    assert decode(RenewalPlan, json.loads(json.dumps(encode(found)))) == found


# ---- records under way


@pytest.mark.parametrize("step", ["planned", "requested", "submitting", "pending", "denied", "refused", "verified"])
def test_a_replacement_under_way_keeps_its_record_and_step(step: t.Any) -> None:
    record = r.record("edge02", "edge01", replaces=OLD, step=step, by=NEW if step == "verified" else None)
    found = only(plan(front_end(GOOD), edge("edge01"), edge("edge02"), records=[record]))
    assert (found.id, found.servers, found.step) == ("edge02 Internal", ("edge02", "edge01"), step)
    assert f"What comes after {step}." in found.reason


def test_what_was_in_use_when_it_began_is_what_is_replaced() -> None:
    own = edge(cert=NEW, certificates=e.store(NEW, OLD))
    found = only(plan(front_end(GOOD), own, records=[r.record("edge01", replaces=OLD, by=NEW, step="assigned")]))
    assert (found.thumbprint, found.certificate, found.step) == (c.mark(OLD), OLD.der, "assigned")


def test_when_it_is_done_it_is_done() -> None:
    own = edge(cert=NEW)
    found = plan(front_end(GOOD), own, records=[r.record("edge01", replaces=OLD, by=NEW, step="done")])
    assert (found.replacements, found.refused) == ((), ())


def test_after_a_rollback_a_new_one_is_planned_with_the_same_lead() -> None:
    record = r.record("edge02", "edge01", replaces=OLD, by=NEW, step="done")
    found = only(plan(front_end(GOOD), edge("edge01"), edge("edge02"), records=[record]))
    assert (found.id, found.servers, found.step) == ("edge02 Internal", ("edge02", "edge01"), "planned")


def test_an_early_record_of_another_certificate_is_left_behind() -> None:
    record = r.record("edge01", replaces=r.old("other.contoso.example"), step="requested")
    assert only(plan(front_end(GOOD), edge(), records=[record])).step == "planned"
    assert plan(front_end(GOOD), edge(cert=GOOD), records=[record]).replacements == ()


def test_another_certificate_in_use_stops_a_later_step() -> None:
    record = r.record("edge01", replaces=r.old("other.contoso.example"), step="pending")
    assert "somebody changed it" in r.refusals(plan(front_end(GOOD), edge(), records=[record]))["edge01"]


def test_without_the_old_certificate_there_is_no_way_back_and_no_way_on() -> None:
    record = r.record("edge01", replaces=OLD, by=NEW, step="installed")
    assert "no way back" in r.refusals(plan(front_end(GOOD), edge(cert=NEW), records=[record]))["edge01"]


def test_two_records_for_one_server_are_refused_with_both_names() -> None:
    records = [r.record("edge01", "edge02", replaces=OLD), r.record("edge02", "edge01", replaces=OLD)]
    found = plan(front_end(GOOD), edge("edge01"), edge("edge02"), records=records)
    assert found.replacements == ()
    assert "edge01 Internal, edge02 Internal" in r.refusals(found)["edge01"]
    assert set(r.refusals(found)) == {"edge01", "edge02"}


def test_a_record_for_other_members_than_the_pool_has_is_refused() -> None:
    found = plan(front_end(GOOD), edge("edge01"), edge("edge02"), records=[r.record("edge01", replaces=OLD)])
    assert "is for edge01, but the pool is edge01, edge02 now" in r.refusals(found)["edge02"]


@pytest.mark.parametrize(
    ("hosts", "why"),
    [
        ([], "no Front End or Edge"),
        ([f.unread("edge09")], "could not be read"),
        ([f.outside(edge("edge09", pool="nine.contoso.example"))], "not in this run|--limit|certificate_kit"),
    ],
    ids=["not in the inventory", "unread", "outside"],
)
def test_a_record_under_way_is_never_silently_forgotten(hosts: list[t.Any], why: str) -> None:
    record = r.record("edge09", replaces=OLD)
    refused = r.refusals(plan(front_end(GOOD), edge(cert=GOOD), *hosts, records=[record]))
    assert any(word in refused["edge09"] for word in why.split("|"))


# ---- refusals


@pytest.mark.parametrize(
    ("host", "why"),
    [
        (f.unread("fe01", pool=POOL), "could not be read: It did not answer"),
        (f.unread("fe01", saved=front_end()), "could not be read"),
        (f.outside(front_end()), "not in this run"),
        (dataclasses.replace(f.read(front_end()), offline=True), "certificate_kit"),
        (f.read(front_end(services=None)), "its role is not known"),
        (f.read(front_end(lync_certificates=e.NO_MODULE)), "module is not on the server"),
        (f.read(front_end(lync_certificates=e.DENIED)), "RTCUniversalServerAdmins"),
        (f.read(front_end(lync_certificates=None)), "was not asked"),
        (f.read(front_end(lync_certificates=e.NO_MODULE, presented=())), "which certificate it uses is not known"),
        (
            f.read(front_end(lync_certificates=e.assignments(("Default", GOOD)))),
            " for Default, but the services present",
        ),
        (f.read(front_end(c.certificate("any"))), "cannot be told"),
        (f.read(front_end(r.issued("*.contoso.example"))), "wildcard"),
        (f.read(front_end(r.issued(POOL, "*.contoso.example"))), "wildcard"),
        (f.read(front_end(r.issued(POOL, "10.0.0.1"))), "not a name of DNS"),
        (f.read(front_end(r.issued("Our Front End", subject=[("CN", "Our Front End")]))), "not a name of DNS"),
        (f.read(front_end(r.issued(POOL, subject=[("O", "Contoso")]))), "no CN"),
        (f.read(front_end(r.issued(POOL, subject=[("O", 'A "B" C'), ("CN", POOL)]))), "cannot carry safely"),
        (f.read(front_end(r.issued(POOL, subject=[("O", "A\nB"), ("CN", POOL)]))), "cannot carry safely"),
        (f.read(front_end(r.issued(POOL, subject=[("O", "A\\B"), ("CN", POOL)]))), "cannot carry safely"),
    ],
)
def test_a_front_end_that_cannot_be_served_is_refused_with_the_reason(host: InventoryHost, why: str) -> None:
    found = plan(host, edge(cert=GOOD))
    assert found.replacements == ()
    assert why in r.refusals(found)["fe01"]


def test_an_unreadable_certificate_is_refused() -> None:
    broken = e.shown(OLD_FE)
    broken = dataclasses.replace(broken, reply=dataclasses.replace(broken.reply, certificate=b"0\x82garbage"))
    own = front_end(presented=(broken,), lync_certificates=e.NO_MODULE)
    assert "cannot be read" in r.refusals(plan(own, edge(cert=GOOD)))["fe01"]


def test_a_good_certificate_that_waits_for_a_restart_is_not_replaced() -> None:
    own = front_end(
        presented=(e.shown(OLD_FE),),
        lync_certificates=e.assignments(("Default", GOOD)),
        certificates=e.store(GOOD, OLD_FE),
    )
    found = plan(own, edge(cert=GOOD))
    assert found.replacements == ()
    assert "restart the services" in r.refusals(found)["fe01"]


def test_a_host_out_of_the_run_is_refused_only_if_it_needs_something() -> None:
    found = plan(front_end(GOOD), edge(cert=GOOD), f.outside(front_end(GOOD, "fe02")), f.unread("fe03", in_run=False))
    assert found.refused == ()


@pytest.mark.parametrize(
    "away",
    [
        f.unread("edge02", pool=r.EDGE_POOL),
        f.outside(edge("edge02")),
        dataclasses.replace(f.read(edge("edge02")), offline=True),
    ],
)
def test_an_edge_pool_with_a_member_away_is_refused_with_both_ways_out(away: InventoryHost) -> None:
    found = plan(front_end(GOOD), edge("edge01"), away)
    assert found.replacements == ()
    assert "edge02 of its Edge pool" in r.refusals(found)["edge01"]
    assert "make all of them readable" in r.refusals(found)["edge01"]
    assert "by hand (PFX)" in r.refusals(found)["edge01"]


def test_a_good_edge_is_not_blamed_for_an_unread_one_of_its_pool() -> None:
    found = plan(front_end(GOOD), edge("edge01", NEW), f.unread("edge02", pool=r.EDGE_POOL))
    assert set(r.refusals(found)) == {"edge02"}


def test_a_single_edge_without_access_gets_the_offline_kit() -> None:
    seen = front_end(GOOD, presented=(e.shown(GOOD), e.shown(OLD, host=r.EDGE_POOL)))
    assert "certificate_kit" in r.refusals(plan(seen))[r.EDGE_POOL]
    shows_good = front_end(
        GOOD,
        presented=(e.shown(GOOD), e.shown(NEW, host=r.EDGE_POOL, whole_chain=True)),
        chain_checks=(e.chain_check(NEW), e.chain_check(GOOD)),
    )
    assert plan(shows_good).refused == ()


def test_members_with_different_names_are_not_given_one_certificate() -> None:
    found = plan(front_end(GOOD), edge("edge01"), edge("edge02", r.issued(r.EDGE_POOL, "more.contoso.example")))
    assert found.replacements == ()
    assert "different names" in r.refusals(found)["edge01"]


def test_one_problem_of_a_member_stops_its_pool_and_names_the_member() -> None:
    nothing = edge("edge02", lync_certificates=e.NO_MODULE, presented=())
    found = r.refusals(plan(front_end(GOOD), edge("edge01"), nothing))
    assert found["edge02"].startswith("which certificate it uses is not known")
    assert found["edge01"].startswith("edge02 of its Edge pool: which certificate")


def test_one_machine_under_two_names_is_refused_under_both() -> None:
    own = front_end()
    found = plan(own, front_end(name="fe01-again", system=own.system), edge(cert=GOOD))
    assert found.replacements == ()
    assert "same machine" in r.refusals(found)["fe01"]
