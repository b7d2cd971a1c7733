# Copyright (c) 2026, the sfb.kb4023993 contributors
# GNU General Public License v3.0-or-later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A new certificate is used nowhere before everybody who meets it builds its chain; and only the right things go into the right stores."""

from __future__ import annotations

import dataclasses
import json
import typing as t

import pytest
from ansible_collections.sfb.kb4023993.plugins.plugin_utils.certificates import CLIENT_AUTH, SERVER_AUTH
from ansible_collections.sfb.kb4023993.plugins.plugin_utils.codec import decode, encode
from ansible_collections.sfb.kb4023993.plugins.plugin_utils.evaluate import Assessment
from ansible_collections.sfb.kb4023993.plugins.plugin_utils.renewal.trust import (
    CaCertificate,
    TrustAnswer,
    TrustJudgement,
    TrustQuestion,
    judge_trust,
    trust_questions,
)
from ansible_collections.sfb.kb4023993.plugins.plugin_utils.signing.bundle import to_pem
from ansible_collections.sfb.kb4023993.plugins.plugin_utils.signing.records import Record
from builders import certificates as c
from builders import evidence as e
from builders import fleets as f
from builders import renewal as r
from lab import pki

POOL: t.Final = "pool01.contoso.example"
OTHERS: t.Final = "pool02.contoso.example"
OLD: t.Final = r.old()
# A root that nobody knows yet, with an issuing CA below it.
FRESH_ROOT: t.Final = pki.root_authority("Contoso Root CA 2", key=c.key("fresh root"))
FRESH: t.Final = FRESH_ROOT.subordinate("Contoso Issuing CA 2", key=c.key("fresh issuing"))
NEW: t.Final = r.issued(r.EDGE_POOL, eku=r.BOTH, authority=FRESH)
LEAF, ISSUING, ROOT = c.mark(NEW), c.thumbprint(FRESH.der), c.thumbprint(FRESH_ROOT.der)


def fleet(*more: t.Any) -> Assessment:
    """Two Front Ends and an Edge pool of two that belong together, and a pool that has nothing to do with them."""
    return f.judge(
        e.front_end("fe01", edge_pool=r.EDGE_POOL),
        e.front_end("fe02", edge_pool=r.EDGE_POOL),
        e.edge("edge01", cert=OLD),
        e.edge("edge02", cert=OLD),
        e.front_end("fe11", pool=OTHERS, edge_pool="none"),
        *more,
    )


def edges(step: t.Any = "verified", by: pki.Issued = NEW) -> Record:
    return r.record("edge01", "edge02", replaces=OLD, by=by, step=step)


def front_end(name: str = "fe01", by: pki.Issued = NEW, **words: t.Any) -> Record:
    return r.record(name, replaces=OLD, by=by, uses=("Default",), step="verified", **words)


def ask(assessment: Assessment, *records: Record) -> dict[str, TrustQuestion]:
    return trust_questions(assessment, {record.id: record for record in records})


def judge(
    questions: dict[str, TrustQuestion],
    records: t.Sequence[Record],
    answers: t.Mapping[str, TrustAnswer] | None = None,
    *,
    trusted_elsewhere: t.Sequence[str] = (),
) -> TrustJudgement:
    """By these answers; everybody else builds the chain without a fault."""
    given = {host: r.answer(question, chain=[LEAF, ISSUING, ROOT]) for host, question in questions.items()}
    given.update(answers or {})
    return judge_trust(questions, given, {record.id: record for record in records}, trusted_elsewhere=trusted_elsewhere)


# ---- who is asked


def test_everybody_who_meets_an_edge_certificate_is_asked() -> None:
    assert set(ask(fleet(), edges())) == {"edge01", "edge02", "fe01", "fe02"}


def test_everybody_who_meets_a_front_end_certificate_is_asked_in_either_direction() -> None:
    assert set(ask(fleet(), front_end())) == {"edge01", "edge02", "fe01", "fe02"}
    assert set(ask(fleet(), front_end("fe11"))) == {"fe11"}


def test_servers_that_cannot_be_read_are_among_the_asked() -> None:
    fact = e.pool_fact(POOL, e.full("fe01"), e.full("fe02"), e.full("fe03"))
    known = e.front_end("fe01", pool=None, edge_pool=r.EDGE_POOL, topology=(fact,))
    assessment = f.judge(known, e.edge("edge01", cert=OLD), f.unread("edge02", pool=r.EDGE_POOL))
    asked = set(ask(assessment, r.record("edge01", replaces=OLD, by=NEW, step="verified")))
    assert asked == {"edge01", "edge02", "fe01", e.full("fe02"), e.full("fe03")}


def test_edges_that_nobody_knows_keep_a_front_end_certificate_back_with_the_way_out() -> None:
    assessment = f.judge(e.front_end("fe01", edge_pool=None))
    record = front_end()
    questions = ask(assessment, record)
    answers = {host: r.answer(question) for host, question in questions.items() if host == "fe01"}
    found = judge_trust(questions, answers, {record.id: record}, trusted_elsewhere=[])
    assert found.ok_records == ()
    assert [refusal.host for refusal in found.unasked] == ["Edge servers that are not known"]
    assert "sfb_kb4023993_edge_pool" in found.unasked[0].reason


@pytest.mark.parametrize("step", ["planned", "requested", "pending", "denied", "refused", "assigned", "done"])
def test_only_certificates_that_are_there_and_not_yet_in_use_everywhere_are_asked_about(step: t.Any) -> None:
    assert (
        ask(fleet(), edges(step, NEW) if step in ("assigned", "done") else r.record("edge01", replaces=OLD, step=step))
        == {}
    )
    assert ask(fleet(), edges("installed"))


def test_a_server_is_asked_with_its_own_stores_and_the_others_with_what_it_will_send() -> None:
    questions = ask(fleet(), edges())
    assert questions["edge01"].certificates == (("edge01 Internal", NEW.der, ()),)
    assert questions["edge02"].certificates == (("edge01 Internal", NEW.der, ()),)
    assert questions["fe01"].certificates == (("edge01 Internal", NEW.der, (FRESH.der,)),)


def test_one_server_answers_for_all_certificates_that_it_meets() -> None:
    found = ask(fleet(), edges(), front_end("fe01"), front_end("fe02"))["fe01"]
    assert [record_id for record_id, _der, _issuers in found.certificates] == [
        "edge01 Internal",
        "fe01 Default",
        "fe02 Default",
    ]


def test_questions_and_answers_go_through_json() -> None:
    for question in ask(fleet(), edges()).values():
        assert decode(TrustQuestion, json.loads(json.dumps(encode(question)))) == question
        answer = r.answer(question, "UntrustedRoot")
        assert decode(TrustAnswer, json.loads(json.dumps(encode(answer)))) == answer
        judged = judge({question.host: question}, [edges()], {question.host: answer})
        assert decode(TrustJudgement, json.loads(json.dumps(encode(judged)))) == judged


# ---- what the answers allow


def test_when_all_build_the_chain_it_may_be_assigned() -> None:
    found = judge(ask(fleet(), edges()), [edges()])
    assert found == TrustJudgement(install={}, problems=(), unasked=(), ok_records=("edge01 Internal",))


def test_no_error_is_no_fault() -> None:
    questions = ask(fleet(), edges())
    assert judge(questions, [edges()], {"fe01": r.answer(questions["fe01"], "NoError")}).ok_records


@pytest.mark.parametrize("host", ["edge01", "edge02", "fe01", "fe02"])
def test_one_that_does_not_trust_is_enough_to_keep_it_back(host: str) -> None:
    questions = ask(fleet(), edges())
    found = judge(questions, [edges()], {host: r.answer(questions[host], "UntrustedRoot", chain=[LEAF, ISSUING, ROOT])})
    assert found.ok_records == ()
    assert [(problem.host, problem.record_id) for problem in found.problems] == [(host, "edge01 Internal")]
    assert set(found.install) == {host}


@pytest.mark.parametrize(
    ("statuses", "chain", "stores"),
    [
        (["PartialChain"], [LEAF], [("Root", FRESH_ROOT.der), ("CA", FRESH.der)]),
        (["PartialChain"], [LEAF, ISSUING], [("Root", FRESH_ROOT.der)]),
        (["UntrustedRoot"], [LEAF, ISSUING, ROOT], [("Root", FRESH_ROOT.der)]),
        (["PartialChain", "NotTimeValid"], [LEAF], [("Root", FRESH_ROOT.der), ("CA", FRESH.der)]),
        (["NotTimeValid"], [LEAF, ISSUING, ROOT], []),
        (["NotValidForUsage"], [LEAF, ISSUING, ROOT], []),
        (["Revoked"], [LEAF, ISSUING, ROOT], []),
        (["NotSignatureValid"], [LEAF], []),
        (["ExplicitDistrust"], [LEAF, ISSUING, ROOT], []),
    ],
)
def test_only_what_is_missing_is_installed_and_only_a_self_signed_one_as_root(
    statuses: list[str], chain: list[str], stores: list[tuple[str, bytes]]
) -> None:
    questions = ask(fleet(), edges())
    found = judge(questions, [edges()], {"edge01": r.answer(questions["edge01"], *statuses, chain=chain)})
    installed = found.install.get("edge01", ())
    assert [(ca.store, ca.certificate) for ca in installed] == stores
    assert all(ca.thumbprint == c.thumbprint(ca.certificate) for ca in installed)
    assert found.ok_records == ()
    assert statuses[0] in found.problems[0].text


def test_a_root_by_name_alone_never_becomes_a_root() -> None:
    """Issuer and subject are the same words, but another key has signed it."""
    false_root = pki.root_authority("Contoso Root CA 2", key=c.key("strange")).subordinate(
        "Contoso Root CA 2", key=c.key("false")
    )
    assert false_root.certificate.subject == false_root.certificate.issuer
    record = edges()
    assert record.new is not None
    record = dataclasses.replace(
        record, new=dataclasses.replace(record.new, chain=(to_pem(FRESH.der), to_pem(false_root.der)))
    )
    questions = ask(fleet(), record)
    found = judge(questions, [record], {"edge01": r.answer(questions["edge01"], "PartialChain", chain=[LEAF])})
    assert {ca.store for ca in found.install["edge01"]} == {"CA"}


def test_after_installing_the_same_question_is_judged_anew() -> None:
    questions = ask(fleet(), edges())
    before = {host: r.answer(question, "PartialChain", chain=[LEAF]) for host, question in questions.items()}
    assert set(judge(questions, [edges()], before).install) == set(questions)
    assert judge(questions, [edges()]).ok_records == ("edge01 Internal",)


def test_a_fault_of_one_usage_is_a_fault() -> None:
    questions = ask(fleet(), edges())
    whole = r.answer(questions["fe01"], chain=[LEAF, ISSUING, ROOT])
    for oid in (SERVER_AUTH, CLIENT_AUTH):
        results = tuple(
            dataclasses.replace(x, statuses=("NotValidForUsage",)) if x.usage_oid == oid else x for x in whole.results
        )
        found = judge(questions, [edges()], {"fe01": dataclasses.replace(whole, results=results)})
        assert found.ok_records == ()
        assert "limited to other usages" in found.problems[0].text


@pytest.mark.parametrize(
    "missing", [slice(0, 0), slice(0, 1), slice(1, 2)], ids=["none", "one usage", "the other usage"]
)
def test_an_answer_that_is_not_whole_is_none(missing: slice) -> None:
    questions = ask(fleet(), edges())
    whole = r.answer(questions["fe01"])
    found = judge(questions, [edges()], {"fe01": dataclasses.replace(whole, results=whole.results[missing])})
    assert found.ok_records == ()
    assert [refusal.host for refusal in found.unasked] == ["fe01"]
    assert "edge01 Internal" in found.unasked[0].reason


def test_somebody_may_vouch_for_a_server_that_cannot_be_asked_but_not_against_its_own_word() -> None:
    questions = ask(fleet(), edges())
    silent = {"fe01": TrustAnswer(host="fe01", results=())}
    found = judge(questions, [edges()], silent, trusted_elsewhere=["FE01"])
    assert (found.ok_records, found.unasked) == (("edge01 Internal",), ())
    against = {"fe01": r.answer(questions["fe01"], "UntrustedRoot", chain=[LEAF])}
    assert judge(questions, [edges()], against, trusted_elsewhere=["fe01"]).ok_records == ()


def test_certificates_are_judged_apart() -> None:
    records = [edges(), front_end("fe11", by=r.new())]
    questions = ask(fleet(), *records)
    found = judge(questions, records, {"fe01": r.answer(questions["fe01"], "UntrustedRoot", chain=[LEAF])})
    assert found.ok_records == ("fe11 Default",)


@pytest.mark.parametrize("step", ["assigned", "done"])
def test_what_is_in_use_already_is_not_held_up(step: t.Any) -> None:
    assert judge({}, [edges(step)]).ok_records == ("edge01 Internal",)


def test_several_certificates_of_one_ca_install_it_once() -> None:
    records = [edges(), front_end("fe01")]
    questions = ask(fleet(), *records)
    found = judge(questions, records, {"edge01": r.answer(questions["edge01"], "PartialChain", chain=[LEAF])})
    assert found.install["edge01"] == (
        CaCertificate(store="Root", certificate=FRESH_ROOT.der, thumbprint=ROOT, subject="CN=Contoso Root CA 2"),
        CaCertificate(store="CA", certificate=FRESH.der, thumbprint=ISSUING, subject="CN=Contoso Issuing CA 2"),
    )
