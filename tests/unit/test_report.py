# Copyright (c) 2026, the sfb.kb4023993 contributors
# GNU General Public License v3.0-or-later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a user relies on in the report, and that nothing that a server or an inventory is called can break it."""

from __future__ import annotations

import dataclasses
import json
import re
import typing as t

import pytest
from ansible_collections.sfb.kb4023993.plugins.plugin_utils.evaluate import Assessment
from ansible_collections.sfb.kb4023993.plugins.plugin_utils.evidence import Evidence, Problem
from ansible_collections.sfb.kb4023993.plugins.plugin_utils.host import operations as op
from ansible_collections.sfb.kb4023993.plugins.plugin_utils.plan import plan_hash, plan_text
from ansible_collections.sfb.kb4023993.plugins.plugin_utils.records import ABSENT, ChangeRecord, ValueState
from ansible_collections.sfb.kb4023993.plugins.plugin_utils.report.document import (
    Report,
    failing_hosts,
    make_report,
    report_json,
    verdict_counts,
)
from ansible_collections.sfb.kb4023993.plugins.plugin_utils.report.text import report_text
from ansible_collections.sfb.kb4023993.plugins.plugin_utils.verify import HostResult
from ansible_collections.sfb.kb4023993.plugins.plugin_utils.words import one_line
from builders import certificates as c
from builders import evidence as e
from builders import fleets as f
from hypothesis import given
from hypothesis import strategies as st
from lab import pki

EDGES: t.Final = "edgepool.contoso.example"
HOSTILE: t.Final = "\x1b]0;owned\x07\x1b[2J\r\nfe99  Front End  compliant\x9b31m\u202e"
GOOD: t.Final = c.certificate("both")


def fleet() -> Assessment:
    """One of everything."""
    return f.judge(
        f.read(e.front_end("fe01", edge_pool=EDGES)),
        f.read(
            e.front_end(
                "fe02", edge_pool=EDGES, opt_outs=e.opt_outs(e.Value()), sightings=(e.sighted(e.Value(), e.EARLIER),)
            )
        ),
        f.read(e.front_end("fe03", pool="pool03.contoso.example", cert=GOOD)),
        f.read(e.front_end("fe04", pool="pool04.contoso.example", dotnet=e.UNCHECKED)),
        f.read(e.front_end("db01", pool=None, services=())),
        f.read(e.edge("edge01")),
        f.unread("fe05"),
        f.outside(e.front_end("fe06", pool="pool06.contoso.example", cert=GOOD)),
    )


def audit(assessment: Assessment, **words: t.Any) -> Report:
    return make_report(**{"playbook": "audit", "check_mode": False, "before": assessment.judgement, **words})


def remediation(
    before: Assessment,
    *,
    check_mode: bool = False,
    after: Assessment | None = None,
    results: tuple[HostResult, ...] = (),
    goal: t.Any = "override",
) -> Report:
    plan = f.plan(before, goal)
    return make_report(
        playbook="remediate" if goal == "override" else "rollback",
        check_mode=check_mode,
        before=before.judgement,
        after=after.judgement if after else None,
        plan=plan,
        plan_sha256=plan_hash(plan_text(plan)),
        results=results,
    )


def line(text: str, start: str) -> str:
    found = [row for row in text.splitlines() if row.strip().startswith(start)]
    assert found, f"no line begins with {start!r} in\n{text}"
    return found[0]


# ---- the same bytes


def test_the_same_report_gives_the_same_bytes() -> None:
    assert report_text(audit(fleet())) == report_text(audit(fleet()))
    assert report_json(audit(fleet())) == report_json(audit(fleet()))


def test_the_json_is_ascii_and_holds_the_whole_judgement() -> None:
    text = report_json(audit(fleet()))
    assert text.isascii()
    data = json.loads(text)
    assert data["schema"] == 1
    assert {host["name"]: host["verdict"] for host in data["before"]["hosts"]} == {
        "fe01": "broken",
        "fe02": "broken",
        "fe03": "compliant",
        "fe04": "latent",
        "db01": "not_applicable",
        "edge01": "broken",
        "fe05": "not_assessed",
        "fe06": "compliant",
    }
    assert data["counts"] == {
        "broken": 3,
        "not_assessed": 1,
        "latent": 1,
        "mitigated": 0,
        "compliant": 1,
        "not_applicable": 1,
    }


# ---- counts and the sentence


def test_the_counts_are_of_the_hosts_of_this_run_worst_first() -> None:
    counts = verdict_counts(fleet().judgement)
    assert list(counts) == ["broken", "not_assessed", "latent", "mitigated", "compliant", "not_applicable"]
    assert sum(counts.values()) == 7


@pytest.mark.parametrize(
    ("hosts", "sentence"),
    [
        ((), "no server was in this run."),
        ((f.outside(e.front_end()),), "no server was in this run."),
        ((e.front_end(services=()),), "no Front End and no Edge among the servers of this run."),
        ((e.front_end(),), "1 of 1 server takes part in connections that are broken."),
        ((e.front_end(cert=GOOD),), "nothing is wrong on 1 server."),
        ((e.front_end(cert=GOOD), e.front_end("db01", services=())), "nothing is wrong on 1 server."),
        ((f.unread("fe01"),), "1 of 1 server could not be assessed."),
        (
            (e.front_end(dotnet=e.UNCHECKED),),
            "nothing is known to be broken on 1 server; 1 will break with the next .NET update.",
        ),
        (
            (e.front_end(cert=GOOD), f.unread("fe09")),
            "nothing is known to be broken on 2 servers; 1 could not be assessed.",
        ),
    ],
)
def test_the_first_sentence_says_how_it_stands(hosts: t.Any, sentence: str) -> None:
    report = audit(f.judge(*hosts))
    assert report.sentence == f"KB4023993: {sentence}"
    assert report_text(report).startswith(report.sentence + "\n")


def test_nothing_is_called_fine_while_something_is_broken_or_unknown() -> None:
    assert "nothing" not in audit(fleet()).sentence


# ---- the exit contract


def test_failing_hosts_are_those_of_this_run_with_a_verdict_that_was_named() -> None:
    report = audit(fleet())
    assert set(failing_hosts(report, ["broken", "not_assessed"])) == {"fe01", "fe02", "edge01", "fe05"}
    assert set(failing_hosts(report, ["latent"])) == {"fe04"}
    assert failing_hosts(report, []) == {}
    assert "fe06" not in failing_hosts(report, ["compliant"])
    assert failing_hosts(report, ["broken"])["fe01"].startswith("broken: ")


def test_after_a_change_the_later_judgement_counts() -> None:
    report = remediation(f.judge(e.front_end()), after=f.judge(e.front_end(cert=GOOD)))
    assert failing_hosts(report, ["broken", "not_assessed"]) == {}
    assert report.counts["compliant"] == 1
    text = report_text(report)
    assert "Before this run: 1 broken" in text
    assert "After this run:  1 compliant" in text
    assert "compliant (was broken)" in text


@pytest.mark.parametrize(("result", "fails"), [("failed", True), ("done", False), ("pending", False)])
def test_a_host_whose_part_of_the_plan_failed_fails_whatever_its_verdict(result: t.Any, fails: bool) -> None:
    good = f.judge(e.front_end(cert=GOOD))
    report = remediation(
        f.judge(e.front_end()), after=good, results=(HostResult(host="fe01", result=result, message="Why."),)
    )
    assert failing_hosts(report, ["broken"]) == ({"fe01": "Why."} if fails else {})


def test_a_host_whose_change_was_refused_fails_the_run() -> None:
    record = ChangeRecord(
        path=e.opt_out_key(),
        name=e.executable(),
        view="64",
        key_existed=True,
        before=ABSENT,
        written=ValueState(kind="dword", data=0),
        state="applied",
        time_utc=e.EARLIER,
        run_id="r",
    )
    changed = f.judge(e.front_end(opt_outs=e.opt_outs(e.Value(data=1)), records=e.records(record)))
    assert "fe01" in f.refusals(changed, "rollback")
    assert set(failing_hosts(remediation(changed, goal="rollback"), ["not_assessed"])) == {"fe01"}


# ---- what is in the text


def test_every_host_of_the_inventory_is_in_the_table_with_its_verdict() -> None:
    text = report_text(audit(fleet()))
    for host in fleet().judgement.hosts:
        row = line(text, host.name + " ")
        assert host.verdict in row
    assert "saved evidence of 2026-03-08" in line(text, "fe06 ")


def test_the_table_says_what_the_verdict_rests_on() -> None:
    text = report_text(audit(fleet()))
    assert "no clientAuth" in line(text, "fe01 ")
    assert "Skype for Business Server 2015" in line(text, "fe01 ")
    assert "in effect" in line(text, "fe02 ")
    assert "both usages" in line(text, "fe03 ")
    assert re.search(r"\bno\b", line(text, "fe04 "))


def test_a_host_that_could_not_be_read_is_listed_with_reason_and_advice() -> None:
    text = report_text(audit(fleet()))
    section = text[text.index("Not assessed") :]
    assert "fe05: reading the server: It did not answer. Check that it is up." in section


def test_each_finding_is_there_once_with_its_servers_and_the_next_step() -> None:
    text = report_text(audit(fleet()))
    assert text.count("KB4023993-CONNECTION-BROKEN:") == 1
    assert "CRITICAL KB4023993-CONNECTION-BROKEN" in text
    assert "Next: " in text
    assert "sfb.kb4023993.remediate" in text


def test_an_assumption_is_marked() -> None:
    assert "assumed" in report_text(
        audit(f.judge(e.front_end(edge_pool=None, pool="p.x"), e.edge("e1", pool="a.x"), e.edge("e2", pool="b.x")))
    )


def test_check_mode_says_that_nothing_was_changed_and_shows_the_plan() -> None:
    text = report_text(remediation(f.judge(e.front_end()), check_mode=True))
    assert "Plan (check mode: nothing was changed):" in text
    assert "What was done" not in text
    assert "absent -> REG_DWORD 0" in text.replace("\n    ", " ")
    assert "restart of RTCDATAMCU in wave 1" in text.replace("\n    ", " ")
    assert re.search(r"SHA-256 of the plan file: [0-9a-f]{64}$", text, re.MULTILINE)


def test_what_was_done_is_told_with_its_result() -> None:
    report = remediation(
        f.judge(e.front_end()),
        after=f.judge(e.front_end(cert=GOOD)),
        results=(HostResult(host="fe01", result="failed", message="Stuck."),),
    )
    text = report_text(report)
    assert "What was done:" in text
    assert "fe01: FAILED: Stuck." in text
    assert "check mode" not in text


def test_a_plan_without_work_and_a_refusal_are_said() -> None:
    assert "Plan: nothing has to be changed." in report_text(remediation(f.judge(e.front_end(cert=GOOD))))
    hosts = (e.front_end(cert=GOOD, edge_pool=None), e.edge("e1", pool="a.x"), e.edge("e2", pool="b.x"))
    assert "fe01: not changed: the only reason" in report_text(remediation(f.judge(*hosts)))


def test_a_report_without_findings_says_so() -> None:
    assert "Findings: none." in report_text(audit(f.judge(e.front_end(cert=GOOD))))


def test_a_thousand_servers_give_a_report_that_can_be_read() -> None:
    hosts = [f.read(e.front_end(f"fe{n:04}", pool=f"pool{n:04}.x")) for n in range(60)]
    text = report_text(audit(f.judge(*hosts)))
    assert "and 35 more servers in the JSON report" in text


# ---- hostile names


def everywhere(name: str) -> Report:
    """A fleet in which every text that a server or an inventory gives is hostile."""
    cert = c.issuing().issue(
        "x", subject=pki.distinguished_name(name[:60]), key=c.key("server"), not_before=c.START, not_after=c.END
    )
    own: Evidence = e.front_end("fe01", cert=cert, pool=name, edge_pool=name + "edge", paired_pool=name)
    own = dataclasses.replace(
        own,
        inventory_name=name,
        system=e.system(name, domain=name),
        problems=(Problem(section=name, operation=name, type=name, message=name),),
        records=e.records(op.RegistryValue(name=name, kind="string", data=name)),
        events=e.events(e.event(41024, e.LATER, name)),
        opt_outs=e.opt_outs(
            e.Value(name=name.replace("\\", "")[:900] + "\\DataMCUSvc.exe", kind="string", data=name),
            e.Value(kind="string", data=name),
        ),
        lync_certificates=dataclasses.replace(e.DENIED, denied=False, failure=name),
    )
    edge = dataclasses.replace(
        e.edge("e"), inventory_name=name + "e", executables={"RTCDATAPROXY": e._program(name, "6.0" + name)}
    )
    lost = dataclasses.replace(
        f.unread(name + "lost"), failure=dataclasses.replace(f.UNREACHABLE, message=name, stage=name)
    )
    before = f.judge(
        f.read(own), f.read(edge), lost, dataclasses.replace(f.unread(name + "out", in_run=False), problem=name)
    )
    plan = f.plan(before)
    return make_report(
        playbook="remediate",
        check_mode=False,
        before=before.judgement,
        after=before.judgement,
        plan=plan,
        plan_sha256="0" * 64,
        results=(HostResult(host=name, result="failed", message=name),),
    )


def test_hostile_names_cannot_inject_terminal_escapes_or_lines() -> None:
    ordinary, hostile = report_text(everywhere("ordinary")), report_text(everywhere(HOSTILE))
    assert "fe99" in hostile, "the hostile text did not reach the report, so this test proves nothing"
    assert all(row.isprintable() for row in hostile.split("\n"))
    assert not [row for row in hostile.split("\n") if row.strip().startswith("fe99")]
    starts = [row for row in hostile.split("\n") if row and not row.startswith(" ")]
    assert len(starts) == len([row for row in ordinary.split("\n") if row and not row.startswith(" ")])


def test_hostile_names_stay_data_in_the_json() -> None:
    text = report_json(everywhere(HOSTILE))
    assert text.isascii()
    assert "\x1b" not in text
    assert json.loads(text)["before"]["schema"] == 1


def test_a_megabyte_of_name_stays_a_bounded_report() -> None:
    assert len(report_text(everywhere("x" * 1_000_000))) < 100_000


def refused(data: str) -> Report:
    record = ChangeRecord(
        path=e.opt_out_key(),
        name=e.executable(),
        view="64",
        key_existed=True,
        before=ValueState(kind="string", data=data),
        written=ValueState(kind="dword", data=0),
        state="applied",
        time_utc=e.EARLIER,
        run_id="r",
    )
    value = e.Value() if data == HOSTILE else e.Value(kind="string", data=data)
    return remediation(f.judge(e.front_end(opt_outs=e.opt_outs(value), records=e.records(record))), goal="rollback")


@pytest.mark.parametrize("data", [HOSTILE, HOSTILE + "2"], ids=["put back", "refused"])
def test_what_a_rollback_finds_in_the_registry_cannot_inject_terminal_escapes(data: str) -> None:
    text = report_text(refused(data))
    assert all(row.isprintable() for row in text.split("\n"))


@given(st.text())
def test_cleaned_text_is_one_bounded_printable_line(text: str) -> None:
    found = one_line(text, 50)
    assert found.isprintable()
    assert len(found) <= 50
