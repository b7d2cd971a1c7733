# Copyright (c) 2026, the sfb.kb4023993 contributors
# GNU General Public License v3.0-or-later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Waivers: checked before any server is asked, marked in every form, and spared by compliance; remediate fixes all the same."""

from __future__ import annotations

import json
import typing as t
from pathlib import Path

import jsonschema
import pytest
import yaml
from integration.fleet import ROOT, Fleet, Played

POOL: t.Final = "pool01.contoso.example"
FORMATS: t.Final = {
    "sfb_kb4023993_report_formats": ["json", "text", "html", "csv", "junit", "markdown", "prometheus", "sarif"]
}


@pytest.fixture(scope="module")
def small(start: t.Callable[..., Fleet]) -> Fleet:
    return start("small")


@pytest.fixture
def waivers(tmp_path: Path) -> t.Callable[..., dict[str, t.Any]]:
    """Writes a file of waivers; gives the variable that names it."""

    def write(*entries: t.Mapping[str, t.Any] | str) -> dict[str, t.Any]:
        path = tmp_path / "waivers.yml"
        path.write_text(entries[0] if isinstance(entries[0], str) else yaml.safe_dump(list(entries)))
        return {"sfb_kb4023993_waivers": str(path)}

    return write


def waiver(finding: str = "CONNECTION-BROKEN", **words: t.Any) -> dict[str, t.Any]:
    place = {} if "pool" in words else {"host": "fe01"}
    made = {"finding": f"KB4023993-{finding}", "reason": "The pool moves", "owner": "Team UC", "expires": "2099-12-31"}
    return {**made, **place, **words}


@pytest.mark.matrix
def test_what_is_waived_does_not_fail_and_is_still_broken(
    small: Fleet, waivers: t.Callable[..., dict[str, t.Any]]
) -> None:
    played = small.play("compliance", variables=waivers(waiver(pool=POOL)))
    assert played.code == 0, played.output
    assert set(played.verdicts.values()) == {"broken"}
    assert sorted(played.report["waived_hosts"]) == ["edge01", "fe01", "fe02"]
    assert "3 of 3 servers take part in connections that are broken (3 waived)." in played.output
    assert "WAIVED: waived by Team UC until 2099-12-31: The pool moves" in played.output


def test_one_waived_host_of_a_pool_does_not_spare_the_others(
    small: Fleet, waivers: t.Callable[..., dict[str, t.Any]]
) -> None:
    played = small.play("compliance", variables=waivers(waiver()))
    assert played.code == 2
    assert played.failed == {"fe02", "edge01"}


def test_an_expired_waiver_counts_no_longer_and_says_so(
    small: Fleet, waivers: t.Callable[..., dict[str, t.Any]]
) -> None:
    played = small.play("compliance", variables=waivers(waiver(pool=POOL, expires="2020-02-29", owner="Security")))
    assert played.failed == {"fe01", "fe02", "edge01"}
    assert played.output.count("The waiver of Security expired on 2020-02-29.") >= 3
    assert (
        played.findings("fe01")["KB4023993-CONNECTION-BROKEN"]["evidence"][0]
        == "The waiver of Security expired on 2020-02-29."
    )


def test_every_form_marks_it_and_the_json_fits_its_schema(
    small: Fleet, waivers: t.Callable[..., dict[str, t.Any]]
) -> None:
    played = small.play("audit", variables={**waivers(waiver()), **FORMATS})
    assert played.code == 0, played.output
    assert played.run_directory is not None
    schema = json.loads((ROOT / "docs" / "report.schema.json").read_text("utf-8"))
    jsonschema.Draft202012Validator(schema).validate(played.report)
    for name in (
        "report.html",
        "report.txt",
        "report.md",
        "report.csv",
        "report.junit.xml",
        "report.sarif",
        "sfb_kb4023993.prom",
    ):
        assert "Team UC" in (played.run_directory / name).read_text("utf-8"), name


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        (waiver("CONNECTION-BROKE"), "there is no finding"),
        (waiver(host="fe09"), "there is no host"),
        (waiver(expires="soon"), "expected a date like 2026-12-31"),
        (waiver(ticket="CHG1"), "there is no entry"),
        ("- &a [x]\n- *a\n", "references"),
    ],
)
@pytest.mark.parametrize("playbook", ["audit", "remediate", "report"])
def test_a_slip_ends_the_run_before_any_server_is_asked(
    small: Fleet, waivers: t.Callable[..., dict[str, t.Any]], entry: t.Any, message: str, playbook: str
) -> None:
    small.lab.reset_counters()
    played = small.play(playbook, variables=waivers(entry))
    assert played.code == 2
    assert played.run_directory is None
    assert message in played.output
    assert "waivers.yml" in played.output
    assert "Traceback" not in played.output
    assert {each["http_requests"] for each in small.lab.counters().values()} == {0}


def test_a_missing_file_is_named(small: Fleet, tmp_path: Path) -> None:
    played = small.play("audit", variables={"sfb_kb4023993_waivers": str(tmp_path / "none.yml")})
    assert played.code == 2
    assert "none.yml, a file of waivers, cannot be read: No such file or directory." in played.output


def test_on_awx_a_slip_leaves_no_temporary_directory(small: Fleet, waivers: t.Callable[..., dict[str, t.Any]]) -> None:
    variables = {**waivers(waiver(host="fe09")), "awx_job_id": 1, "sfb_kb4023993_state_dir": None}
    assert small.play("audit", variables=variables).code == 2
    assert [path.name for path in (small.directory / "tmp").iterdir() if path.name.startswith("sfb")] == []


def test_a_pool_that_does_not_exist_waives_nothing_and_is_named(
    small: Fleet, waivers: t.Callable[..., dict[str, t.Any]]
) -> None:
    played = small.play("compliance", variables=waivers(waiver(pool="pool99.contoso.example")))
    assert played.failed == {"fe01", "fe02", "edge01"}
    assert "It is about no finding of this run." in " ".join(played.output.split())


def test_a_report_from_saved_evidence_marks_it_too(small: Fleet, waivers: t.Callable[..., dict[str, t.Any]]) -> None:
    assert small.play("audit").code == 0
    played = small.play("report", variables=waivers(waiver(pool=POOL)))
    assert played.findings("fe01")["KB4023993-CONNECTION-BROKEN"]["waiver"]["owner"] == "Team UC"


def test_remediate_fixes_what_is_waived(
    start: t.Callable[..., Fleet], waivers: t.Callable[..., dict[str, t.Any]]
) -> None:
    fleet = start("small")
    played: Played = fleet.play("remediate", variables=waivers(waiver(pool=POOL)))
    assert played.code == 0, played.output
    assert played.changed == {"fe01", "fe02"}
    assert set(played.verdicts.values()) == {"mitigated"}
    assert not fleet.enforces("fe01")
