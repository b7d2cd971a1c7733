# Copyright (c) 2026, the sfb.kb4023993 contributors
# GNU General Public License v3.0-or-later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The playbooks from anywhere: another directory, an installed collection, and the way AWX calls them."""

from __future__ import annotations

import json
import re
import shutil
import typing as t
from pathlib import Path

import pytest
from integration.fleet import COLLECTIONS, ROOT, Fleet, Played

ON_AWX = {"awx_job_id": 1, "sfb_kb4023993_state_dir": None}
NOT_KEPT = "sfb_kb4023993_state_dir is not set, so nothing outlives this job"


@pytest.fixture(scope="module")
def small(start: t.Callable[..., Fleet]) -> Fleet:
    return start("small")


@pytest.fixture(scope="module")
def on_awx(small: Fleet) -> Played:
    return small.play("audit", variables=ON_AWX, environment={"ANSIBLE_SHOW_CUSTOM_STATS": "true"})


def plain(output: str) -> str:
    """Output without the line breaks that Ansible puts into warnings."""
    return " ".join(output.split())


def left_behind(fleet: Fleet) -> list[str]:
    """Temporary directories of the collection; Ansible's own are none of our business."""
    return [path.name for path in (fleet.directory / "tmp").iterdir() if path.name.startswith("sfb")]


def test_awx_without_a_state_dir_is_warned_what_is_not_kept(on_awx: Played) -> None:
    assert on_awx.code == 0, on_awx.output
    assert "[WARNING]" in on_awx.output
    assert NOT_KEPT in plain(on_awx.output)
    assert "Mount a path into the execution environment" in plain(on_awx.output)


def test_awx_gets_the_report_on_the_screen(on_awx: Played) -> None:
    assert "KB4023993: 3 of 3 servers take part in connections that are broken." in on_awx.output
    assert "KB4023993-CONNECTION-BROKEN" in on_awx.output
    # No file is promised that is gone when somebody looks for it.
    assert "report.json" not in on_awx.output


def test_awx_leaves_no_temporary_directory(small: Fleet, on_awx: Played) -> None:
    assert on_awx.code == 0
    assert left_behind(small) == []


def test_custom_stats_carry_the_counts(on_awx: Played) -> None:
    match = re.search(r"CUSTOM STATS: \*+\s+RUN: (\{.*\})", on_awx.output, re.DOTALL)
    assert match, on_awx.output
    stats = json.loads(match.group(1))
    assert stats == {
        "sfb_kb4023993": {
            "sentence": "KB4023993: 3 of 3 servers take part in connections that are broken.",
            "broken": 3,
            "not_assessed": 0,
            "latent": 0,
            "mitigated": 0,
            "compliant": 0,
            "not_applicable": 0,
        }
    }


def test_awx_remediation_without_a_state_dir_works_and_leaves_nothing(small: Fleet) -> None:
    """Both readings, the plan and the verification need the temporary directory until the report."""
    played = small.play("remediate", variables=ON_AWX)
    assert played.code == 0, played.output
    assert "After this run:  3 mitigated" in played.output
    assert left_behind(small) == []
    back = small.play("rollback", variables=ON_AWX)
    assert back.code == 0, back.output
    assert left_behind(small) == []


def test_awx_failure_after_the_report_still_leaves_nothing(small: Fleet) -> None:
    played = small.play("compliance", variables=ON_AWX)
    assert played.code == 2
    assert played.failed == {"fe01", "fe02", "edge01"}
    assert left_behind(small) == []


def test_awx_failure_before_the_report_leaves_nothing_either(small: Fleet, tmp_path: Path) -> None:
    refused = {"sfb_kb4023993_plan": "/nonexistent/plan.json", "sfb_kb4023993_plan_sha256": "0" * 64}
    played = small.play("remediate", variables={**ON_AWX, **refused}, environment={"TMPDIR": str(tmp_path)})
    assert played.code == 2
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith("sfb")] == []


def test_awx_with_a_state_dir_is_not_warned(small: Fleet) -> None:
    played = small.play("audit", variables={"awx_job_id": 1})
    assert NOT_KEPT not in plain(played.output)
    assert played.verdicts == {"fe01": "broken", "fe02": "broken", "edge01": "broken"}


def test_report_dir_is_kept_on_awx(small: Fleet, tmp_path: Path) -> None:
    small.play("audit", variables={**ON_AWX, "sfb_kb4023993_report_dir": str(tmp_path / "kept")})
    assert json.loads((tmp_path / "kept" / "report.json").read_text("utf-8"))["playbook"] == "audit"
    assert left_behind(small) == []


@pytest.mark.parametrize("playbook", ["audit", "compliance", "remediate", "rollback"])
def test_playbooks_work_from_any_directory(small: Fleet, tmp_path: Path, playbook: str) -> None:
    played = small.play(playbook, "--check", directory=tmp_path)
    assert set(played.hosts) == {"fe01", "fe02", "edge01"}
    assert played.report["playbook"] == playbook
    assert list(tmp_path.iterdir()) == []


@pytest.mark.matrix
def test_playbooks_of_an_installed_collection_run_by_their_full_name(small: Fleet, tmp_path: Path) -> None:
    """A copy of what is shipped, in a collections path, with nothing of the clone beside it."""
    installed = tmp_path / "ansible_collections" / "sfb" / "kb4023993"
    for name in ("meta", "plugins", "roles"):
        shutil.copytree(ROOT / name, installed / name, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copytree(ROOT / "playbooks", installed / "playbooks", ignore=shutil.ignore_patterns("collections"))
    shutil.copy(ROOT / "galaxy.yml", installed)
    played = small.play("sfb.kb4023993.audit", environment={"ANSIBLE_COLLECTIONS_PATH": str(tmp_path)})
    assert played.code == 0, played.output
    assert played.verdicts == {"fe01": "broken", "fe02": "broken", "edge01": "broken"}


def test_full_name_works_through_the_clone_too(small: Fleet) -> None:
    played = small.play("sfb.kb4023993.compliance", environment={"ANSIBLE_COLLECTIONS_PATH": str(COLLECTIONS)})
    assert (played.code, played.report["playbook"]) == (2, "compliance")


def test_hosts_variable_chooses_the_fleet(small: Fleet) -> None:
    played = small.play("audit", variables={"sfb_kb4023993_hosts": "front_ends"})
    assert set(played.recap) == {"fe01", "fe02"}
    assert set(played.hosts) == {"fe01", "fe02"}


def test_fleet_of_which_nobody_answers_still_gets_its_report(small: Fleet) -> None:
    played = small.play("audit", "-e", "ansible_port=1", state=small.directory / "dark")
    assert played.code == 0, played.output
    assert set(played.verdicts.values()) == {"not_assessed"}
    assert set(played.verdicts) == {"fe01", "fe02", "edge01"}
    assert "3 of 3 servers could not be assessed" in played.output
