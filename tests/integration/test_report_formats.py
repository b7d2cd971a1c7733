# Copyright (c) 2026, the sfb.kb4023993 contributors
# GNU General Public License v3.0-or-later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The forms of the report as the playbooks write them, and the playbook report, which judges saved evidence while no server is up."""

from __future__ import annotations

import csv
import io
import json
import shutil
import typing as t
import xml.etree.ElementTree as ElementTree
from dataclasses import dataclass
from pathlib import Path

import jsonschema
import pytest
from integration.fleet import ROOT, Fleet, Played
from prometheus_client.parser import text_string_to_metric_families

FORMATS: t.Final = {
    "json": "report.json",
    "text": "report.txt",
    "html": "report.html",
    "csv": "report.csv",
    "junit": "report.junit.xml",
    "markdown": "report.md",
    "prometheus": "sfb_kb4023993.prom",
    "sarif": "report.sarif",
}
ALL: t.Final = {"sfb_kb4023993_report_formats": list(FORMATS)}
VERDICTS: t.Final = {"fe01": "broken", "fe02": "broken", "edge01": "broken"}


@dataclass(frozen=True, kw_only=True)
class Stopped:
    """A fleet that was audited, whole and in two slices, and whose servers are all down since.

    ``whole``: the audit of all. ``lost``: a later one that did not reach edge01, on a copy of its state. ``slices``: state directories.
    """

    fleet: Fleet
    whole: Played
    lost: Played
    lost_state: Path
    slices: tuple[Path, Path]

    def report(self, state: Path | None = None, *merged: Path, **variables: t.Any) -> Played:
        if merged:
            variables["sfb_kb4023993_merge_state_dirs"] = [str(path) for path in merged]
        return self.fleet.play("report", state=state, variables=variables)


@pytest.fixture(scope="module")
def stopped(start: t.Callable[..., Fleet]) -> Stopped:
    fleet = start("small")
    whole = fleet.play("audit", variables=ALL)
    slices = fleet.directory / "slice1", fleet.directory / "slice2"
    for state, hosts in zip(slices, ("fe01", "fe02:edge01"), strict=True):
        assert fleet.play("audit", "--limit", hosts, state=state).code == 0
    lost_state = Path(shutil.copytree(fleet.state, fleet.directory / "lost"))
    lost = fleet.play("audit", "--limit", "edge01", "-e", "ansible_port=1", state=lost_state)
    fleet.lab.stop()
    return Stopped(fleet=fleet, whole=whole, lost=lost, lost_state=lost_state, slices=slices)


@pytest.fixture
def files(stopped: Stopped) -> dict[str, str]:
    """The files of the live run, by format."""
    assert stopped.whole.run_directory is not None
    return {kind: (stopped.whole.run_directory / name).read_bytes().decode("utf-8") for kind, name in FORMATS.items()}


def judged(played: Played) -> tuple[dict[str, str], dict[str, set[str]], set[tuple[str, str, str]]]:
    """What a run says: verdicts, findings, connections."""
    connections = {(c["validator"], c["peer"], c["verdict"]) for c in played.judgement["connections"]}
    return played.verdicts, played.finding_ids, connections


# ---- the forms


def test_every_form_is_written_for_its_owner_alone_and_named_on_the_screen(stopped: Stopped) -> None:
    assert stopped.whole.code == 0, stopped.whole.output
    directory = stopped.whole.run_directory
    assert directory is not None
    for name in FORMATS.values():
        assert oct((directory / name).stat().st_mode & 0o777) == "0o600"
        assert str(directory / name) in stopped.whole.output


def test_every_form_can_be_read_and_says_the_same(stopped: Stopped, files: dict[str, str]) -> None:
    findings = {(item["host"], item["id"]) for item in stopped.whole.judgement["findings"]}
    assert len(findings) > 5
    rows = list(csv.DictReader(io.StringIO(files["csv"].removeprefix("\ufeff"), newline="")))
    assert {(row["server"], row["finding_id"]) for row in rows} == findings
    cases = ElementTree.fromstring(files["junit"].encode("utf-8")).iter("testcase")
    assert {(case.get("classname"), case.get("name")) for case in cases} == {
        *findings,
        *((host, "verdict") for host in VERDICTS),
    }
    metrics = {family.name: family.samples for family in text_string_to_metric_families(files["prometheus"])}
    samples = metrics["sfb_kb4023993_finding"]
    assert {(sample.labels["server"], sample.labels["id"]) for sample in samples} == findings
    results = json.loads(files["sarif"])["runs"][0]["results"]
    places = [result["locations"][0]["logicalLocations"][0]["name"] for result in results]
    assert {(place, result["ruleId"]) for place, result in zip(places, results, strict=True)} == findings
    for identifier in {identifier for _host, identifier in findings}:
        assert f"`{identifier}`" in files["markdown"]
    assert files["html"].startswith("<!DOCTYPE html>")
    assert files["text"] in stopped.whole.output.replace("\r\n", "\n")


def test_the_json_of_a_live_run_fits_the_published_schema(stopped: Stopped) -> None:
    schema = json.loads((ROOT / "docs" / "report.schema.json").read_text("utf-8"))
    for played in (stopped.whole, stopped.lost, stopped.report()):
        jsonschema.Draft202012Validator(schema).validate(played.report)


def test_the_reports_of_the_demo_fleet_fit_it_too(start: t.Callable[..., Fleet]) -> None:
    """Servers of all products in several languages, some damaged, before and after a remediation."""
    played = start("demo").play("remediate")
    assert played.report["after"] is not None
    assert len(played.hosts) > 10
    schema = json.loads((ROOT / "docs" / "report.schema.json").read_text("utf-8"))
    jsonschema.Draft202012Validator(schema).validate(played.report)


def test_only_the_forms_that_were_asked_for_are_written(stopped: Stopped, tmp_path: Path) -> None:
    # As text with commas, which is what -e and a survey give.
    stopped.report(sfb_kb4023993_report_dir=str(tmp_path), sfb_kb4023993_report_formats="csv,junit")
    assert {path.name for path in tmp_path.iterdir()} == {"report.csv", "report.junit.xml"}


@pytest.mark.parametrize("playbook", ["audit", "report"])
def test_a_form_that_does_not_exist_is_refused_before_anything_else(stopped: Stopped, playbook: str) -> None:
    played = stopped.fleet.play(playbook, variables={"sfb_kb4023993_report_formats": ["json", "pdf"]})
    assert played.code == 2
    assert played.run_directory is None
    assert "sfb_kb4023993_report_formats" in played.output
    assert "pdf" in played.output
    assert "markdown" in played.output


# ---- from saved evidence


@pytest.mark.matrix
def test_saved_evidence_gives_what_the_live_run_gave_with_all_servers_down(stopped: Stopped) -> None:
    played = stopped.report()
    assert played.code == 0, played.output
    assert judged(played) == judged(stopped.whole)
    assert played.verdicts == VERDICTS
    assert played.report["counts"] == stopped.whole.report["counts"]
    assert played.report["playbook"] == "report"
    assert played.changed == played.failed == set()
    assert "Made from saved evidence from " in played.output or "Made from saved evidence of " in played.output


def test_no_task_of_it_runs_once_for_every_server(stopped: Stopped) -> None:
    """So that a thousand servers take no longer than one."""
    assert max(numbers["ok"] for numbers in stopped.report().recap.values()) == 4
    assert len([host for host, numbers in stopped.report().recap.items() if numbers["ok"]]) == 1


def test_a_server_that_could_not_be_read_the_last_time_is_not_judged_by_older_evidence(stopped: Stopped) -> None:
    assert stopped.lost.verdicts["edge01"] == "not_assessed"
    played = stopped.report(stopped.lost_state)
    assert played.verdicts["edge01"] == "not_assessed"
    assert played.hosts["edge01"]["reason"] == stopped.lost.hosts["edge01"]["reason"]


def test_without_any_evidence_every_server_is_listed_as_such(stopped: Stopped, tmp_path: Path) -> None:
    played = stopped.report(tmp_path / "empty")
    assert played.code == 0, played.output
    assert set(played.verdicts.values()) == {"not_assessed"}
    assert "There is no saved evidence of this server." in played.hosts["fe01"]["reason"]
    assert "Made from saved evidence, and there is none." in played.output


# ---- slices


def test_the_slices_together_say_what_the_whole_run_said(stopped: Stopped, tmp_path: Path) -> None:
    alone = stopped.report(stopped.slices[0])
    assert alone.verdicts["edge01"] == "not_assessed"
    sources = {path: path.read_bytes() for place in stopped.slices for path in place.rglob("*.json") if path.is_file()}
    played = stopped.report(tmp_path / "merged", *stopped.slices)
    assert played.code == 0, played.output
    assert judged(played) == judged(stopped.whole)
    after = {path: path.read_bytes() for place in stopped.slices for path in place.rglob("*.json") if path.is_file()}
    assert after == sources


def test_the_newest_evidence_of_a_server_counts(stopped: Stopped) -> None:
    """The slices were read after the whole fleet."""
    times = {name: host["evidence_utc"] for name, host in stopped.report(None, *stopped.slices).hosts.items()}
    for place in stopped.slices:
        for path in (place / "evidence").glob("*.json"):
            assert times[path.stem] == json.loads(path.read_text("utf-8"))["collected_utc"]


def test_a_conflict_is_named_and_neither_side_is_believed(stopped: Stopped, tmp_path: Path) -> None:
    other = Path(shutil.copytree(stopped.slices[0], tmp_path / "other"))
    file = other / "evidence" / "fe01.json"
    evidence = json.loads(file.read_text("utf-8"))
    evidence["system"]["machine_guid"] = "00000000-0000-0000-0000-000000000001"
    file.write_text(json.dumps(evidence))
    played = stopped.report(None, other)
    assert played.code == 0, played.output
    assert played.verdicts["fe01"] == "not_assessed"
    assert "two machines, MachineGuid" in played.hosts["fe01"]["reason"]
    for path in (file, stopped.fleet.state / "evidence" / "fe01.json"):
        assert str(path) in played.hosts["fe01"]["reason"]
        assert str(path) in played.output
    assert set(played.findings("fe01")) == {"KB4023993-NOT-ASSESSED"}


def test_a_directory_that_is_no_state_directory_is_refused(stopped: Stopped, tmp_path: Path) -> None:
    played = stopped.report(None, tmp_path)
    assert played.code == 2
    assert f"{tmp_path} is not a state directory of this collection" in played.output
    assert "Traceback" not in played.output


def test_on_awx_the_slices_of_a_job_can_be_merged_without_a_state_dir(stopped: Stopped) -> None:
    played = stopped.report(None, *stopped.slices, awx_job_id=1, sfb_kb4023993_state_dir=None)
    assert played.code == 0, played.output
    assert stopped.whole.report["sentence"] in played.output
    left = [path.name for path in (stopped.fleet.directory / "tmp").iterdir() if path.name.startswith("sfb")]
    assert left == []
