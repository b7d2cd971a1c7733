# Copyright (c) 2026, the sfb.kb4023993 contributors
# GNU General Public License v3.0-or-later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The exit contract, and remediation that is bound to an approved plan."""

from __future__ import annotations

import hashlib
import json
import typing as t
from dataclasses import dataclass
from pathlib import Path

import pytest
from integration.fleet import Fleet, Played, Registry
from lab.scenario import parse

EACH = {"os": "server2012r2", "product": "sfb2015", "dotnet": {"version": "4.5.2", "update": "KB4014512"}}
NO_UPDATE = {**EACH, "dotnet": {"version": "4.5.2"}}

# Standard Edition servers without Edge: each is judged by its own certificate alone.
MIXED = {
    "pools": {name: {} for name in ("good", "bad", "future")},
    "servers": {
        "good": {**EACH, "pool": "good", "certificate": "both"},
        "bad": {**EACH, "pool": "bad"},
        "future": {**NO_UPDATE, "pool": "future"},
        "silent": {"os": "server2012r2", "role": "none", "quirks": {"unreachable": True}},
    },
}


@dataclass(frozen=True, kw_only=True)
class Compliance:
    default: Played
    on_latent: Played
    on_nothing: Played
    audit: Played


@pytest.fixture(scope="module")
def mixed(start: t.Callable[..., Fleet]) -> Compliance:
    fleet = start(parse(MIXED))
    return Compliance(
        default=fleet.play("compliance"),
        on_latent=fleet.play("compliance", variables={"sfb_kb4023993_fail_on": ["latent"]}),
        on_nothing=fleet.play("compliance", variables={"sfb_kb4023993_fail_on": []}),
        audit=fleet.play("audit"),
    )


def test_compliance_fails_what_is_broken_or_not_assessed(mixed: Compliance) -> None:
    assert mixed.default.verdicts == {
        "good": "compliant",
        "bad": "broken",
        "future": "latent",
        "silent": "not_assessed",
    }
    assert mixed.default.code == 2
    assert mixed.default.failed == {"bad", "silent"}


def test_compliance_reports_before_it_fails(mixed: Compliance) -> None:
    report, _, failures = mixed.default.output.partition("Fail | Fail the hosts that the report names")
    assert "KB4023993: 1 of 4 servers takes part in connections that are broken" in report
    assert "fatal: [bad]" in failures
    assert "fatal:" not in report


def test_failed_host_says_why(mixed: Compliance) -> None:
    assert "broken: 1 of 1 connections: " in mixed.default.output
    assert "not_assessed: " in mixed.default.output


def test_fail_on_decides_which_verdicts_fail(mixed: Compliance) -> None:
    assert (mixed.on_latent.code, mixed.on_latent.failed) == (2, {"future"})
    assert (mixed.on_nothing.code, mixed.on_nothing.failed) == (0, set())


def test_audit_alone_never_fails_on_a_verdict(mixed: Compliance) -> None:
    assert (mixed.audit.code, mixed.audit.failed) == (0, set())
    assert mixed.audit.verdicts == mixed.default.verdicts


def test_compliant_fleet_ends_with_0(start: t.Callable[..., Fleet]) -> None:
    played = start("closed").play("compliance")
    assert (played.code, played.failed) == (0, set()), played.output
    assert played.report["sentence"] == "KB4023993: nothing is wrong on 3 servers."


def test_verdict_that_does_not_exist_is_refused_in_plain_words(start: t.Callable[..., Fleet]) -> None:
    played = start("closed").play("compliance", variables={"sfb_kb4023993_fail_on": ["brokn"]})
    assert played.code != 0
    assert "brokn" in played.output
    assert "not_assessed" in played.output
    assert "Traceback" not in played.output


@pytest.mark.parametrize(
    "variable",
    [{"sfb_kb4023993_restart": "sometime"}, {"sfb_kb4023993_restart_timeout": "long"}],
    ids=lambda v: next(iter(v)),
)
def test_wrong_variable_ends_the_run_before_any_server_is_asked(
    start: t.Callable[..., Fleet], variable: dict[str, t.Any]
) -> None:
    fleet = start("small")
    played = fleet.play("remediate", variables=variable)
    assert played.code == 2
    (name, value), *_ = variable.items()
    assert name in played.output
    assert value in played.output
    assert fleet.lab.counters() == {}


@dataclass(frozen=True, kw_only=True)
class Approval:
    """A plan made in check mode, and the attempts to run it."""

    fleet: Fleet
    before: dict[str, Registry]
    check: Played
    path: Path
    sha256: str


@pytest.fixture(scope="module")
def approval(start: t.Callable[..., Fleet]) -> Approval:
    names = ("se1", "se2", "se3")
    fleet = start(parse({"pools": {name: {} for name in names}, "servers": {n: {**EACH, "pool": n} for n in names}}))
    before = fleet.registries()
    check = fleet.play("remediate", "--check")
    assert check.run_directory is not None
    path = check.run_directory / "plan.json"
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    return Approval(fleet=fleet, before=before, check=check, path=path, sha256=digest)


def approved(approval: Approval, path: Path | None = None, sha256: str | None = None, *more: str) -> Played:
    variables = {
        "sfb_kb4023993_plan": str(path or approval.path),
        "sfb_kb4023993_plan_sha256": approval.sha256 if sha256 is None else sha256,
    }
    return approval.fleet.play("remediate", *more, variables=variables)


def test_report_names_the_fingerprint_to_approve(approval: Approval) -> None:
    assert approval.check.report["plan_sha256"] == approval.sha256
    assert f"SHA-256 of the plan file: {approval.sha256}" in approval.check.output


@pytest.mark.parametrize(
    ("path", "sha256", "message"),
    [
        (None, "0" * 64, "is not the approved one"),
        (None, "", "A plan file needs its fingerprint"),
        (Path("/nonexistent/plan.json"), "0" * 64, "cannot be read"),
    ],
    ids=["wrong hash", "no hash", "no file"],
)
def test_plan_that_was_not_approved_touches_nothing(
    approval: Approval, path: Path | None, sha256: str, message: str
) -> None:
    before, process_ids = approval.fleet.registries(), approval.fleet.process_ids()
    played = approved(approval, path, sha256)
    assert played.code == 2, played.output
    assert message in played.output
    assert played.changed == set()
    assert approval.fleet.registries() == before
    assert approval.fleet.process_ids() == process_ids


def test_plan_changed_after_its_approval_is_refused(approval: Approval) -> None:
    changed = approval.fleet.directory / "changed.json"
    plan = json.loads(approval.path.read_text())
    plan["hosts"][0]["changes"][0]["name"] = r"C:\Program Files\Other\DataMCUSvc.exe"
    changed.write_text(json.dumps(plan))
    before = approval.fleet.registries()
    played = approved(approval, changed)
    assert played.code == 2
    assert "is not the approved one" in played.output
    assert approval.fleet.registries() == before


def test_plan_with_a_foreign_target_is_refused_even_when_approved(approval: Approval) -> None:
    foreign = approval.fleet.directory / "foreign.json"
    plan = json.loads(approval.path.read_text())
    plan["hosts"][0]["changes"][0]["path"] = r"SOFTWARE\Microsoft\Windows\CurrentVersion\Run"
    foreign.write_text(json.dumps(plan))
    before = approval.fleet.registries()
    played = approved(approval, foreign, hashlib.sha256(foreign.read_bytes()).hexdigest())
    assert played.code == 2
    assert "which is not an override" in played.output
    assert approval.fleet.registries() == before


def test_approved_plan_does_exactly_that_and_refuses_what_somebody_changed_since(approval: Approval) -> None:
    """The last test of this fleet: it writes."""
    fleet, (changed, *others) = approval.fleet, ["se1", "se2", "se3"]
    target = json.loads(approval.path.read_text())["hosts"][0]["changes"][0]
    with fleet.lab.deployment.lock:
        fleet.lab.host(changed).registry.write(target["path"], target["name"], "dword", 7)
    before, process_ids = fleet.registries(), fleet.process_ids()
    played = approved(approval)
    assert played.code == 2, played.output
    assert played.failed == {changed}
    assert played.changed == set(others)
    assert played.report["plan"]["hosts"] == json.loads(approval.path.read_text())["hosts"]
    result = played.results[changed]
    assert result["result"] == "failed"
    assert (
        "is REG_DWORD 7, the plan expected absent. Nothing was written; run again to make a new plan."
        in result["message"]
    )
    after = fleet.registries()
    assert after[changed] == before[changed]
    assert fleet.process_ids()[changed] == process_ids[changed]
    for name in others:
        assert after[name][target["path"]][target["name"]] == ("dword", 0)
        assert played.verdicts[name] == "mitigated"


def test_approved_plan_of_remediation_is_no_plan_for_a_rollback(approval: Approval) -> None:
    before = approval.fleet.registries()
    variables = {"sfb_kb4023993_plan": str(approval.path), "sfb_kb4023993_plan_sha256": approval.sha256}
    played = approval.fleet.play("rollback", variables=variables)
    assert played.code == 2
    assert "is one for override, not for rollback" in played.output
    assert approval.fleet.registries() == before
