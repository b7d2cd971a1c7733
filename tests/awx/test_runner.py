# Copyright (c) 2026, the sfb.kb4023993 contributors
# GNU General Public License v3.0-or-later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Jobs of the templates in extensions/awx, as ansible-runner runs them for AWX, against the lab.

The variables of a job are put together in AWX's order: template, defaults of its survey, artifacts of earlier nodes, answers.
"""

from __future__ import annotations

import base64
import typing as t
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from awx.runner import MAX_EVENT_RESULT, Controller, Job, password_of
from awx.test_objects import read
from integration.fleet import Fleet, Registry, without_record
from lab.generate import generate

NOT_KEPT = "sfb_kb4023993_state_dir is not set, so nothing outlives this job"
# AWX shows the output of a job up to this size (its setting STDOUT_MAX_BYTES_DISPLAY).
MAX_OUTPUT = 1024 * 1024


@dataclass(kw_only=True)
class Company:
    """A fleet, what AWX has mounted for its jobs, and how templates are launched."""

    fleet: Fleet
    controller: Controller
    state: Path

    def launch(
        self,
        name: str,
        *,
        answers: dict[str, t.Any] | None = None,
        artifacts: dict[str, t.Any] | None = None,
        mounted: bool = True,
        limit: str = "",
        verbosity: int = 0,
    ) -> Job:
        (template,) = [
            entry for entry in read("objects.yml")["awx_job_templates"] if entry["name"] == f"KB4023993 {name}"
        ]
        questions = {question["variable"]: question for question in read("surveys.yml")["awx_questions"]}
        asked = [questions[variable] for variable in template["survey"]]
        # The text of several defaults is no list, so AWX does not take it where nobody answers.
        defaults = {q["variable"]: q["default"] for q in asked if "default" in q and q["type"] != "multiselect"}
        return self.controller.run(
            self.fleet,
            Path(template["playbook"]).stem,
            variables={**template.get("variables", {}), **defaults, **(artifacts or {}), **(answers or {})},
            state=self.state if mounted else None,
            check=template.get("job_type") == "check",
            limit=limit,
            verbosity=verbosity,
        )

    def registries(self) -> dict[str, Registry]:
        return self.fleet.registries()


@dataclass(kw_only=True)
class Story:
    """A day in a company: each job, and the registries of the servers after it."""

    company: Company
    jobs: dict[str, Job] = field(default_factory=dict)
    registries: dict[str, dict[str, Registry]] = field(default_factory=dict)

    def launch(self, word: str, name: str, **how: t.Any) -> None:
        self.jobs[word] = self.company.launch(name, **how)
        self.registries[word] = self.company.registries()


@pytest.fixture(scope="module")
def story(start: t.Callable[..., Fleet], controller: Controller, tmp_path_factory: pytest.TempPathFactory) -> Story:
    company = Company(fleet=start("demo"), controller=controller, state=tmp_path_factory.mktemp("mounted") / "state")
    told = Story(company=company)
    told.registries["start"] = company.registries()
    told.launch("blind", "audit", mounted=False, verbosity=4)
    told.launch("compliance", "compliance")
    told.launch("by nothing", "remediate by plan")
    told.launch("plan", "plan")
    artifacts = told.jobs["plan"].artifacts
    told.launch("by another", "remediate by plan", artifacts={**artifacts, "sfb_kb4023993_plan_sha256": "0" * 64})
    told.launch("by plan", "remediate by plan", artifacts=artifacts, verbosity=4)
    told.launch("verify", "compliance", artifacts=artifacts)
    told.launch("report", "report", answers={"sfb_kb4023993_report_formats": ["json", "csv"]})
    told.launch("rollback", "rollback", verbosity=4)
    return told


def test_an_audit_ends_well_and_tells_its_counts(story: Story) -> None:
    job = story.jobs["blind"]
    assert (job.code, job.status, job.failed_hosts) == (0, "successful", set())
    stats = job.artifacts["sfb_kb4023993"]
    assert stats["sentence"] in job.text
    assert sum(stats[verdict] for verdict in ("broken", "latent", "not_assessed", "mitigated", "compliant")) == 13
    assert set(job.artifacts) == {"sfb_kb4023993"}


def test_without_a_mounted_path_it_says_what_is_not_kept(story: Story) -> None:
    assert story.jobs["blind"].text.count(NOT_KEPT) == 1
    assert NOT_KEPT not in story.jobs["compliance"].text


def test_failing_servers_fail_the_job_and_leave_the_others(story: Story) -> None:
    job = story.jobs["compliance"]
    assert (job.status, job.code != 0) == ("failed", True)
    stats = job.artifacts["sfb_kb4023993"]
    assert len(job.failed_hosts) == stats["broken"] + stats["not_assessed"] < 13
    assert "sfb-edge02" in job.failed_hosts, "the one that nobody can reach"
    assert not {"se01", "se02", "ly10-edge01"} <= job.failed_hosts
    # None is lost for AWX by being unreachable: that would end its part before the report.
    (last,) = [event for event in job.events if event["event"] == "playbook_on_stats"]
    assert last["event_data"]["dark"] == {}
    assert stats["sentence"] in job.text


def test_only_remediation_and_rollback_change_servers(story: Story) -> None:
    for word in ("blind", "compliance", "by nothing", "plan", "by another"):
        assert story.registries[word] == story.registries["start"], word
    assert story.registries["by plan"] != story.registries["start"]
    for word in ("verify", "report"):
        assert story.registries[word] == story.registries["by plan"], word


def test_without_a_handed_over_plan_the_bound_job_is_refused(story: Story) -> None:
    job = story.jobs["by nothing"]
    assert job.status == "failed"
    assert "The plan /no/plan/was/handed/over cannot be read" in job.text


def test_with_another_fingerprint_the_bound_job_is_refused(story: Story) -> None:
    job = story.jobs["by another"]
    assert job.status == "failed"
    assert "is not the approved one" in job.text


def test_a_plan_travels_by_its_file_and_fingerprint(story: Story) -> None:
    plan = story.jobs["plan"]
    artifacts = plan.artifacts
    assert set(artifacts) == {"sfb_kb4023993", "sfb_kb4023993_plan", "sfb_kb4023993_plan_sha256"}
    path = Path(artifacts["sfb_kb4023993_plan"])
    assert path.is_relative_to(story.company.state)
    assert path.is_file()
    # An approver sees the same fingerprint in the output.
    assert f"SHA-256 of the plan file: {artifacts['sfb_kb4023993_plan_sha256']}" in plan.text
    done = story.jobs["by plan"]
    assert artifacts["sfb_kb4023993_plan_sha256"] in done.text
    # What was carried out is none to approve.
    assert set(done.artifacts) == {"sfb_kb4023993"}


def test_the_bound_job_does_what_the_plan_showed(story: Story) -> None:
    planned = {_host(event) for event in _results(story.jobs["plan"], "Write the values") if _changed(event)}
    changed = {_host(event) for event in _results(story.jobs["by plan"], "Write the values") if _changed(event)}
    assert planned == changed != set()
    differing = {
        name
        for name, registry in story.registries["by plan"].items()
        if without_record(registry) != without_record(story.registries["start"][name])
    }
    assert differing <= changed
    assert (
        story.jobs["verify"].artifacts["sfb_kb4023993"]["broken"]
        < story.jobs["plan"].artifacts["sfb_kb4023993"]["broken"]
    )


def test_rollback_puts_the_registries_back(story: Story) -> None:
    for name, registry in story.registries["rollback"].items():
        assert registry == story.registries["start"][name], name


def test_a_report_needs_no_server_and_writes_what_was_asked_for(story: Story) -> None:
    job = story.jobs["report"]
    assert job.status == "successful", job.text
    runs = max((story.company.state / "runs").glob("*/report.csv"), key=lambda path: path.stat().st_mtime).parent
    assert {path.name for path in runs.glob("report.*")} == {"report.json", "report.csv"}


@pytest.mark.parametrize("word", ["blind", "by plan", "rollback"])
def test_no_password_is_in_anything_that_awx_keeps(story: Story, word: str) -> None:
    job = story.jobs[word]
    secrets = _forms(password_of(story.company.fleet))
    # The search finds what is there: the file of the credential, beside the artifacts, has it.
    given = (job.directory.parents[1] / "env" / "credential").read_bytes()
    assert any(secret in given for secret in secrets)
    files = job.files()
    assert len(files) > 20
    for file in files:
        content = file.read_bytes()
        assert not [secret for secret in secrets if secret in content], file


def test_nothing_is_left_in_the_container(story: Story) -> None:
    for word, job in story.jobs.items():
        assert not list((job.directory.parents[1] / "tmp").glob("sfb_kb4023993-*")), word


def test_the_output_of_a_fleet_fits_what_awx_keeps(
    start: t.Callable[..., Fleet],
    controller: Controller,
    tmp_path: Path,
    record_property: t.Callable[[str, object], None],
) -> None:
    """All broken, so that there is most to say. The largest event, and the text, grow with the servers."""
    company = Company(fleet=start(generate(36)), controller=controller, state=tmp_path / "state")
    servers = len(company.fleet.names)
    job = company.launch("compliance")
    assert len(job.failed_hosts) >= servers * 2 // 3
    results = max(len(str(event["event_data"].get("res", ""))) for event in job.events)
    assert results < MAX_EVENT_RESULT / 10
    output = len(job.text.encode())
    assert output / servers * 500 < MAX_OUTPUT
    record_property(
        "figure",
        f"an AWX job of compliance on {servers} servers: {len(job.events)} events, {output // 1024} KiB of output, "
        f"{results / 1024:.1f} KiB in its largest result",
    )


def _results(job: Job, task: str) -> list[dict[str, t.Any]]:
    return [e for e in job.events if e["event"] == "runner_on_ok" and e["event_data"]["task"].endswith(task)]


def _host(event: dict[str, t.Any]) -> str:
    return str(event["event_data"]["host"])


def _changed(event: dict[str, t.Any]) -> bool:
    return bool(event["event_data"]["res"]["changed"])


def _forms(password: str) -> list[bytes]:
    """A password as it is, and as protocols carry it."""
    plain = [password.encode(), password.encode("utf-16-le")]
    plain_with_user = [f"{user}:{password}".encode() for user in (r"CONTOSO\sfb-admin", "Administrator")]
    return [*plain, *(base64.b64encode(form) for form in (*plain, *plain_with_user))]
