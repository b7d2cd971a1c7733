# Copyright (c) 2026, the sfb.kb4023993 contributors
# GNU General Public License v3.0-or-later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One run through its files: what was read, judged, planned, approved, done and verified."""

from __future__ import annotations

import dataclasses
import pathlib
import typing as t

import pytest
from ansible_collections.sfb.kb4023993.plugins.plugin_utils import judging
from ansible_collections.sfb.kb4023993.plugins.plugin_utils.evidence import Evidence, InventoryFacts, save
from ansible_collections.sfb.kb4023993.plugins.plugin_utils.files import StateError
from ansible_collections.sfb.kb4023993.plugins.plugin_utils.host_plan import Policy
from ansible_collections.sfb.kb4023993.plugins.plugin_utils.judging import Hosts, judge, plan_changes
from ansible_collections.sfb.kb4023993.plugins.plugin_utils.outcome import Outcome
from ansible_collections.sfb.kb4023993.plugins.plugin_utils.plan import PlanError, plan_hash, plan_text
from ansible_collections.sfb.kb4023993.plugins.plugin_utils.run import Reading, Run, RunError, approved_plan
from ansible_collections.sfb.kb4023993.plugins.plugin_utils.verify import HostResult
from builders import certificates as c
from builders import evidence as e
from builders import fleets as f
from builders import reports as r

RUN_ID: t.Final = "20260308T120010Z-abcdef"
EARLIER_RUN: t.Final = "20260301T120010Z-abcdef/before"
GOOD: t.Final = c.certificate("both")
OVERRIDE: t.Final = Policy(goal="override")


@pytest.fixture
def run(tmp_path: pathlib.Path) -> Run:
    return Run(str(tmp_path), RUN_ID)


def keep(run: Run, *evidence: Evidence, reading: Reading = "before") -> None:
    for each in evidence:
        save(dataclasses.replace(each, run_id=run.reading_id(reading)), run.evidence_directory)


def hosts(*names: str, in_run: t.Collection[str] | None = None, **inventory: InventoryFacts) -> Hosts:
    return Hosts(
        all=names,
        in_run=frozenset(names if in_run is None else in_run),
        inventory=lambda name: inventory.get(name, InventoryFacts()),
    )


def verdicts(run: Run, found: Hosts, reading: Reading = "before") -> dict[str, str]:
    assessment = judge(run, found, reading, now=f.NOW, version="0")
    return {host.name: host.verdict for host in assessment.judgement.hosts}


# ---- evidence in


def test_hosts_of_the_run_are_judged_by_what_this_run_read(run: Run) -> None:
    keep(run, e.front_end(cert=GOOD))
    assert verdicts(run, hosts("fe01")) == {"fe01": "compliant"}


def test_saved_evidence_never_speaks_for_a_host_that_this_run_should_have_read(run: Run) -> None:
    save(dataclasses.replace(e.front_end(cert=GOOD), run_id=EARLIER_RUN), run.evidence_directory)
    assert verdicts(run, hosts("fe01")) == {"fe01": "not_assessed"}
    assert verdicts(run, hosts("fe01", in_run=())) == {"fe01": "compliant"}


def test_what_another_run_has_read_meanwhile_is_as_good_until_the_host_is_changed(run: Run) -> None:
    """An audit may run beside a remediation, and evidence is one file a host."""
    other = "20260308T120011Z-123456/before"
    meanwhile = dataclasses.replace(e.front_end(cert=GOOD), run_id=other, collected_utc="2026-03-08T12:00:10.000Z")
    save(meanwhile, run.evidence_directory)
    assert verdicts(run, hosts("fe01")) == {"fe01": "compliant"}
    before = dataclasses.replace(meanwhile, collected_utc="2026-03-08T12:00:09.999Z")
    save(before, run.evidence_directory)
    assert verdicts(run, hosts("fe01")) == {"fe01": "not_assessed"}
    assert not run._is_fresh(meanwhile, "after")


def test_a_failure_of_this_run_counts_more_than_evidence(run: Run) -> None:
    keep(run, e.front_end(cert=GOOD))
    run.save_failure("fe01", f.UNREACHABLE, "before")
    assert verdicts(run, hosts("fe01")) == {"fe01": "not_assessed"}


def test_every_inventory_host_is_in_the_judgement_also_when_none_answers(run: Run) -> None:
    assert verdicts(run, hosts("fe01", "edge01", "x", in_run=("fe01",))) == dict.fromkeys(
        ("fe01", "edge01", "x"), "not_assessed"
    )


def test_a_damaged_file_of_a_host_outside_the_run_is_said_and_hides_nobody(run: Run) -> None:
    keep(run, e.front_end(cert=GOOD))
    path = save(dataclasses.replace(e.front_end("fe02"), run_id="x"), run.evidence_directory)
    path.write_text("{")
    assert verdicts(run, hosts("fe01", "fe02", in_run=("fe01",))) == {"fe01": "compliant", "fe02": "not_assessed"}


def test_what_the_inventory_says_now_counts_more_than_what_it_said_then(run: Run) -> None:
    keep(run, e.front_end(cert=GOOD, edge_pool="none"))
    now = InventoryFacts(pool="pool01.contoso.example", edge_pool="edgepool.contoso.example")
    assert verdicts(run, hosts("fe01", fe01=now)) == {"fe01": "not_assessed"}


def test_after_the_change_only_the_changed_hosts_need_a_second_reading(run: Run) -> None:
    keep(run, e.front_end("fe01"), e.front_end("fe02", pool="pool02.contoso.example", cert=GOOD))
    found = hosts("fe01", "fe02")
    assessment = judge(run, found, "before", now=f.NOW, version="0")
    plan, _sha = plan_changes(run, assessment, OVERRIDE, approved=None)
    assert [host.host for host in plan.hosts] == ["fe01"]
    assert verdicts(run, found, "after") == {"fe01": "not_assessed", "fe02": "compliant"}
    keep(run, e.front_end("fe01", cert=GOOD), reading="after")
    assert verdicts(run, found, "after") == {"fe01": "compliant", "fe02": "compliant"}


def test_questions_come_back_as_asked(run: Run) -> None:
    keep(run, e.front_end(cert=GOOD, edge_pool="edgepool.contoso.example"), e.edge(pool="other.contoso.example"))
    found = judging.find_questions(run, hosts("fe01", "edge01"), "before")
    question = run.question("fe01", "before")
    assert question is not None
    assert found == {"fe01": len(question.certificates) + len(question.names)}
    assert [mark for mark, _der, _issuers in question.certificates] == [c.mark(GOOD)]
    assert ("edgepool.contoso.example", 5061) in question.names
    assert run.question("edge01", "before") is None


def test_what_a_front_end_has_answered_already_is_not_asked_again(run: Run) -> None:
    """An audit asks it at once about the peers that an earlier one knew."""
    peer, renewed = c.certificate("server_only"), c.certificate("no_eku")
    inside = e.edge(pool="edgepool.contoso.example", cert=peer)
    own = e.front_end(cert=GOOD, edge_pool="edgepool.contoso.example")
    found = hosts("fe01", "edge01")
    keep(run, own, inside)
    assert judging.find_questions(run, found, "before") == {"fe01": 2}
    assert run.known_peers("fe01").certificates == _asked(run)

    keep(run, dataclasses.replace(own, chain_checks=(e.chain_check(GOOD), e.chain_check(peer))))
    assert judging.find_questions(run, found, "before") == {}
    keep(run, dataclasses.replace(own, chain_checks=(e.chain_check(GOOD),)))
    assert judging.find_questions(run, found, "before") == {"fe01": 1}
    keep(run, dataclasses.replace(own, chain_checks=(e.chain_check(GOOD), e.chain_check(peer))))
    keep(run, e.edge(pool="edgepool.contoso.example", cert=renewed))
    assert judging.find_questions(run, found, "before") == {"fe01": 1}
    assert [mark for mark, _der, _issuers in _asked(run)] == [c.mark(renewed)]
    assert c.mark(renewed) in {mark for mark, _der, _issuers in run.known_peers("fe01").certificates}


def test_damaged_knowledge_of_peers_costs_a_question_and_nothing_else(run: Run, tmp_path: pathlib.Path) -> None:
    keep(run, e.front_end(cert=GOOD))
    judging.find_questions(run, hosts("fe01"), "before")
    (tmp_path / "peers" / "fe01.json").write_text("{")
    assert run.known_peers("fe01").is_empty
    assert judging.find_questions(run, hosts("fe01"), "before") == {"fe01": 1}
    assert not run.known_peers("fe01").is_empty


def _asked(run: Run) -> tuple[tuple[str, bytes, tuple[bytes, ...]], ...]:
    question = run.question("fe01", "before")
    assert question is not None
    return question.certificates


# ---- plan


def test_an_approved_plan_is_taken_over_exactly(run: Run, tmp_path: pathlib.Path) -> None:
    keep(run, e.front_end())
    assessment = judge(run, hosts("fe01"), "before", now=f.NOW, version="0")
    text = plan_text(f.plan(assessment))
    path = tmp_path / "approved.json"
    path.write_text(text)
    plan, sha = plan_changes(run, assessment, OVERRIDE, approved=(str(path), plan_hash(text).upper() + " "))
    assert plan_text(plan) == text
    assert sha == plan_hash(text)
    assert run.plan() == (plan, sha)


@pytest.mark.parametrize(
    ("change", "sha", "message"),
    [
        (lambda text: text.replace("fe01", "fe02"), None, "is not the approved one"),
        (lambda text: text + "\n", None, "is not the approved one"),
        (lambda text: text, "", "needs its fingerprint"),
        (lambda text: text, "0" * 64, "is not the approved one"),
    ],
)
def test_a_plan_that_is_not_the_approved_one_is_refused(
    change: t.Callable[[str], str], sha: str | None, message: str, tmp_path: pathlib.Path
) -> None:
    text = plan_text(f.plan(f.judge(e.front_end())))
    path = tmp_path / "plan.json"
    path.write_text(change(text))
    with pytest.raises(PlanError, match=message):
        approved_plan(str(path), plan_hash(text) if sha is None else sha)


def test_an_approved_plan_that_cannot_be_read_is_refused(tmp_path: pathlib.Path) -> None:
    with pytest.raises(PlanError, match="Check sfb_kb4023993_plan"):
        approved_plan(str(tmp_path / "missing.json"), "0" * 64)
    (tmp_path / "x").write_bytes(b"\xff\xff")
    with pytest.raises(PlanError, match="cannot be read"):
        approved_plan(str(tmp_path / "x"), "0" * 64)


def test_an_approved_plan_of_the_other_goal_is_refused(run: Run, tmp_path: pathlib.Path) -> None:
    keep(run, e.front_end())
    assessment = judge(run, hosts("fe01"), "before", now=f.NOW, version="0")
    text = plan_text(f.plan(assessment))
    (tmp_path / "plan.json").write_text(text)
    with pytest.raises(PlanError, match="not for rollback"):
        plan_changes(run, assessment, Policy(goal="rollback"), approved=(str(tmp_path / "plan.json"), plan_hash(text)))


@pytest.mark.parametrize("how", ["outside the run", "not read"])
def test_hosts_of_an_approved_plan_that_this_run_did_not_read_are_refused(
    how: str, run: Run, tmp_path: pathlib.Path
) -> None:
    both = f.judge(e.front_end("fe01"), e.front_end("fe02"))
    text = plan_text(f.plan(both))
    (tmp_path / "plan.json").write_text(text)
    keep(run, e.front_end("fe01"))
    if how == "outside the run":
        keep(run, e.front_end("fe02"))
    found = hosts("fe01", "fe02", in_run=("fe01",) if how == "outside the run" else ("fe01", "fe02"))
    assessment = judge(run, found, "before", now=f.NOW, version="0")
    plan, _sha = plan_changes(run, assessment, OVERRIDE, approved=(str(tmp_path / "plan.json"), plan_hash(text)))
    assert [host.host for host in plan.hosts] == ["fe01"]
    assert [refusal.host for refusal in plan.refused] == ["fe02"]


# ---- outcomes and results


def test_outcomes_and_results_come_back(run: Run) -> None:
    run.save_outcome("fe/01", "write", Outcome(status="changed", message="w"))
    run.save_outcome("fe/01", "restart", Outcome(status="failed", message="r"))
    assert run.outcomes("fe/01") == (("changed", "w"), ("failed", "r"))
    assert run.outcomes("fe02") == ()
    assert run.results() == ()
    run.save_results((HostResult(host="fe01", result="done", message="m"),))
    assert run.results() == (HostResult(host="fe01", result="done", message="m"),)


def test_the_plan_is_verified_by_the_second_reading(run: Run) -> None:
    keep(run, e.front_end())
    found = hosts("fe01")
    before = judge(run, found, "before", now=f.NOW, version="0")
    plan, _sha = plan_changes(run, before, OVERRIDE, approved=None)
    run.save_outcome("fe01", "write", Outcome(status="changed", message="all is well"))
    keep(run, e.front_end(), reading="after")
    judging.check_results(run, plan, judge(run, found, "after", now=f.NOW, version="0"))
    assert [result.result for result in run.results()] == ["failed"]


def test_judgements_come_back_and_are_none_before(run: Run) -> None:
    assert run.judgement("before") is None
    assert run.plan() is None
    keep(run, e.front_end())
    assessment = judge(run, hosts("fe01"), "before", now=f.NOW, version="0")
    assert run.judgement("before") == assessment.judgement


@pytest.mark.parametrize("text", ["", "{", "[]", '{"x": 1}', "[" * 100_000, "9" * 5000])
def test_a_damaged_file_of_a_run_is_named_with_what_to_do(text: str, run: Run) -> None:
    path = run.directory / "before" / "judgement.json"
    path.parent.mkdir(parents=True)
    path.write_text(text)
    with pytest.raises(RunError, match=r"judgement\.json cannot be used: .*Run the playbook again"):
        run.judgement("before")


def test_a_run_of_a_made_up_id_is_refused(tmp_path: pathlib.Path) -> None:
    with pytest.raises(StateError):
        Run(str(tmp_path), "../../etc")


def test_a_plan_that_is_no_text_is_named_with_what_to_do(run: Run) -> None:
    run.plan_path.parent.mkdir(parents=True)
    run.plan_path.write_bytes(b"\x80\x81")
    with pytest.raises(PlanError, match=r"plan\.json cannot be read: .*Run the playbook again"):
        run.plan()


def test_a_saved_waiver_without_a_day_is_named_with_what_to_do(run: Run) -> None:
    run.save_waivers((r.waiver("NOT-ASSESSED", expires="some day"),))
    with pytest.raises(RunError, match=r"waivers\.json cannot be used: .*Run the playbook again"):
        run.waivers()
