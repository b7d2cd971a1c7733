# Copyright (c) 2026, the sfb.kb4023993 contributors
# GNU General Public License v3.0-or-later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The state directory: where it is, what is in it, and what happens when it or a file in it cannot be used."""

from __future__ import annotations

import json
import shutil
import typing as t
from pathlib import Path

import pytest
from integration.fleet import Fleet


@pytest.fixture(scope="module")
def small(start: t.Callable[..., Fleet]) -> Fleet:
    """The scenario `small` after one audit."""
    fleet = start("small")
    assert fleet.play("audit").code == 0
    return fleet


@pytest.fixture
def state(small: Fleet, tmp_path: Path) -> Path:
    """A state directory with evidence of all hosts, to be damaged."""
    return Path(shutil.copytree(small.state, tmp_path / "state"))


def test_files_are_for_their_owner_alone(small: Fleet) -> None:
    files = [path for path in small.state.rglob("*") if path.is_file()]
    assert {path.name for path in small.state.glob("evidence/*")} == {"fe01.json", "fe02.json", "edge01.json"}
    assert {oct(path.stat().st_mode & 0o777) for path in files} == {"0o600"}
    directories = [small.state, *(path for path in small.state.rglob("*") if path.is_dir())]
    assert {oct(path.stat().st_mode & 0o777) for path in directories} == {"0o700"}


def test_no_password_is_kept(small: Fleet) -> None:
    inventory = small.inventory.read_text("utf-8")
    passwords = {line.split(":", 1)[1].strip() for line in inventory.splitlines() if "ansible_password" in line}
    assert passwords
    for path in small.state.rglob("*"):
        if path.is_file():
            assert not any(password in path.read_text("utf-8") for password in passwords), path


def test_default_is_below_the_users_own_state_directory(small: Fleet, tmp_path: Path) -> None:
    variables = {"sfb_kb4023993_state_dir": None}
    played = small.play("audit", variables=variables, environment={"XDG_STATE_HOME": str(tmp_path)})
    assert played.code == 0, played.output
    assert len(list(tmp_path.glob("sfb_kb4023993/runs/*/report.json"))) == 1
    assert "WARNING" not in played.output


def test_report_dir_takes_the_report(small: Fleet, tmp_path: Path) -> None:
    played = small.play("audit", variables={"sfb_kb4023993_report_dir": str(tmp_path / "reports")})
    assert {path.name for path in (tmp_path / "reports").iterdir()} >= {"report.json", "report.txt"}
    report = json.loads((tmp_path / "reports" / "report.json").read_text("utf-8"))
    assert {host["verdict"] for host in report["before"]["hosts"]} == {"broken"}
    assert str(tmp_path / "reports" / "report.txt") in played.output


# /sys takes no directory from anybody, root included.
@pytest.mark.parametrize("case", ["read-only", "file in the way"])
def test_directory_that_cannot_be_written_is_said_before_any_host_is_asked(
    small: Fleet, tmp_path: Path, case: str
) -> None:
    (tmp_path / "file").write_text("")
    place = Path("/sys/sfb_kb4023993") if case == "read-only" else tmp_path / "file" / "state"
    small.lab.reset_counters()
    played = small.play("audit", variables={"sfb_kb4023993_state_dir": str(place)})
    assert played.code == 2
    assert f"The state directory {place} cannot be written: " in played.output
    assert "Set sfb_kb4023993_state_dir to a directory that this account may write." in played.output
    assert "Traceback" not in played.output
    assert {each["http_requests"] for each in small.lab.counters().values()} == {0}


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ('{"schema": 1, "inventory', "is not evidence: it is not JSON, or it is cut"),
        ('{"schema": 99}', "is not evidence of this version (schema 99, 1 is needed)"),
        ('{"schema": 1, "inventory_name": 7}', "is damaged"),
        (None, "is evidence of another host (fe01)"),
    ],
    ids=["cut", "other version", "damaged", "foreign"],
)
def test_unusable_evidence_of_a_peer_is_named_and_not_fatal(
    small: Fleet, state: Path, content: str | None, message: str
) -> None:
    file = state / "evidence" / "fe02.json"
    file.write_text((state / "evidence" / "fe01.json").read_text() if content is None else content)
    played = small.play("audit", "--limit", "fe01", state=state)
    assert played.code == 0, played.output
    assert played.verdicts == {"fe01": "broken", "fe02": "not_assessed", "edge01": "broken"}
    assert message in played.hosts["fe02"]["reason"]
    assert str(file) in played.hosts["fe02"]["reason"]
    assert "run the audit again" in played.hosts["fe02"]["reason"]
    assert "KB4023993-NOT-ASSESSED" in played.findings("fe02")


def test_reading_a_host_again_heals_its_evidence(small: Fleet, state: Path) -> None:
    (state / "evidence" / "fe02.json").write_text("nonsense")
    played = small.play("audit", state=state)
    assert played.code == 0, played.output
    assert set(played.verdicts.values()) == {"broken"}
    assert json.loads((state / "evidence" / "fe02.json").read_text())["inventory_name"] == "fe02"


@pytest.mark.parametrize("host", ["fe02", "edge01"])
def test_evidence_that_cannot_be_saved_fails_its_host_only(small: Fleet, state: Path, host: str) -> None:
    file = state / "evidence" / f"{host}.json"
    file.unlink()
    # A directory of that name: nobody, not even root, can put a file in its place.
    file.mkdir()
    (file / "something").write_text("")
    played = small.play("audit", state=state)
    assert played.code == 2
    assert played.failed == {host}
    assert f"{file} cannot be " in played.output
    assert "Traceback" not in played.output
    others = set(small.names) - {host}
    assert {played.verdicts[name] for name in others} == {"broken"}
    assert played.verdicts[host] == "not_assessed"
