# Copyright (c) 2026, the sfb.kb4023993 contributors
# GNU General Public License v3.0-or-later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One run at a time changes servers with one state directory; what died holds nobody up."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
import typing as t
from collections.abc import Iterator
from pathlib import Path

import pytest
from ansible_collections.sfb.kb4023993.plugins.plugin_utils import run_lock
from ansible_collections.sfb.kb4023993.plugins.plugin_utils.files import StateError

RUN, NEXT = "20261123T100000Z-aaaaaa", "20261123T110000Z-bbbbbb"
HERE: t.Final = os.getpid()


@pytest.fixture
def other() -> Iterator[subprocess.Popen[bytes]]:
    """Another process, alive until the test ends it."""
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as process:
        yield process
        process.kill()


def elsewhere(state: Path, *, silent_seconds: float) -> Path:
    """A run of another controller holds the lock."""
    path = state / "changing.json"
    path.write_text(json.dumps({"controller": "awx-1", "process": HERE, "started": "1", "run_id": RUN}), "utf-8")
    seen = time.time() - silent_seconds
    os.utime(path, (seen, seen))
    return path


def test_a_second_run_is_refused_while_the_first_lives(tmp_path: Path, other: subprocess.Popen[bytes]) -> None:
    assert run_lock.hold(str(tmp_path), RUN, process=other.pid) is None
    with pytest.raises(StateError, match=rf"Another run, {RUN}, .*process {other.pid}.*Nothing was done\. Wait"):
        run_lock.hold(str(tmp_path), NEXT, process=HERE)


def test_the_same_run_takes_it_again_and_again(tmp_path: Path) -> None:
    for run in (RUN, RUN, NEXT):
        assert run_lock.hold(str(tmp_path), run, process=HERE) is None


def test_a_run_that_died_holds_nobody_up(tmp_path: Path, other: subprocess.Popen[bytes]) -> None:
    run_lock.hold(str(tmp_path), RUN, process=other.pid)
    other.kill()
    other.wait()
    dead = run_lock.hold(str(tmp_path), NEXT, process=HERE)
    assert dead is not None
    assert dead.run_id == RUN


def test_a_number_that_another_process_has_now_is_not_the_run(tmp_path: Path, other: subprocess.Popen[bytes]) -> None:
    run_lock.hold(str(tmp_path), RUN, process=other.pid)
    path = tmp_path / "changing.json"
    path.write_text(json.dumps({**json.loads(path.read_text("utf-8")), "started": "1"}), "utf-8")
    assert run_lock.hold(str(tmp_path), NEXT, process=HERE) is not None


def test_it_is_given_back_by_the_one_who_has_it(tmp_path: Path, other: subprocess.Popen[bytes]) -> None:
    run_lock.hold(str(tmp_path), RUN, process=other.pid)
    run_lock.release(str(tmp_path), process=HERE)
    with pytest.raises(StateError):
        run_lock.hold(str(tmp_path), NEXT, process=HERE)
    run_lock.release(str(tmp_path), process=other.pid)
    assert run_lock.hold(str(tmp_path), NEXT, process=HERE) is None


def test_giving_back_what_nobody_took_makes_no_file(tmp_path: Path) -> None:
    run_lock.release(str(tmp_path), process=HERE)
    assert not list(tmp_path.iterdir())


def test_another_controller_counts_as_alive_by_its_last_sign_of_life(tmp_path: Path) -> None:
    path = elsewhere(tmp_path, silent_seconds=run_lock.SILENT_SECONDS - 60)
    with pytest.raises(StateError, match=rf"from 'awx-1'.*119 minutes ago.*remove {path}.*after 120 minutes"):
        run_lock.hold(str(tmp_path), NEXT, process=HERE)
    elsewhere(tmp_path, silent_seconds=run_lock.SILENT_SECONDS + 60)
    run_lock.sign_of_life(str(tmp_path))
    with pytest.raises(StateError, match="was 0 minutes ago"):
        run_lock.hold(str(tmp_path), NEXT, process=HERE)
    elsewhere(tmp_path, silent_seconds=run_lock.SILENT_SECONDS + 60)
    dead = run_lock.hold(str(tmp_path), NEXT, process=HERE)
    assert dead is not None
    assert dead.controller == "awx-1"


@pytest.mark.parametrize("text", ["{", "[]", '{"controller": 1}', "\0" * 20_000, "[" * 9_000])
def test_what_nobody_can_read_holds_nobody_up(tmp_path: Path, text: str) -> None:
    (tmp_path / "changing.json").write_text(text, "utf-8")
    assert run_lock.hold(str(tmp_path), NEXT, process=HERE) is None
    assert json.loads((tmp_path / "changing.json").read_text("utf-8"))["run_id"] == NEXT


def test_a_run_is_known_to_be_over_by_the_state_directory_that_has_it(
    tmp_path: Path, other: subprocess.Popen[bytes]
) -> None:
    state = str(tmp_path)
    assert not run_lock.has_ended(state, RUN, process=HERE), "a run of another state directory: nobody here knows"
    (tmp_path / "runs" / RUN).mkdir(parents=True)
    assert run_lock.has_ended(state, RUN, process=HERE), "it is here, and nobody is at work"
    assert not (tmp_path / "changing.json").exists()
    run_lock.hold(state, RUN, process=other.pid)
    assert not run_lock.has_ended(state, RUN, process=HERE), "it is at work"
    # One play of an ansible-playbook has ended before its next one asks.
    assert run_lock.has_ended(state, RUN, process=other.pid)
    run_lock.hold(state, NEXT, process=other.pid)
    assert run_lock.has_ended(state, RUN, process=HERE), "another one is at work since then"
    assert not run_lock.has_ended(state, "20261123T120000Z-cccccc", process=HERE), (
        "that of another state directory still"
    )
    run_lock.hold(state, RUN, process=other.pid)
    other.kill()
    other.wait()
    assert run_lock.has_ended(state, RUN, process=HERE), "it died"
    elsewhere(tmp_path, silent_seconds=60)
    assert not run_lock.has_ended(state, RUN, process=HERE), "on another controller with this directory"
    assert not run_lock.has_ended(state, "../" + RUN, process=HERE)


def test_of_many_at_the_same_moment_one_gets_it(tmp_path: Path) -> None:
    script = (
        "import sys, os\n"
        "from ansible_collections.sfb.kb4023993.plugins.plugin_utils import run_lock\n"
        "sys.stdin.readline()\n"
        "try:\n"
        f"    run_lock.hold({str(tmp_path)!r}, {RUN!r}, process=os.getpid())\n"
        "    print('has it', flush=True)\n"
        "except ValueError:\n"
        "    print('refused', flush=True)\n"
        "sys.stdin.readline()\n"
    )
    paths = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    started = [
        subprocess.Popen(
            [sys.executable, "-c", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=paths
        )
        for _ in range(5)
    ]
    for process in started:
        assert process.stdin is not None
        process.stdin.write("go\n")
        process.stdin.flush()
    # None ends before all have answered: what has ended holds nobody up.
    said = [process.stdout.readline().strip() for process in started if process.stdout]
    for process in started:
        process.communicate("end\n")
    assert sorted(said) == ["has it", "refused", "refused", "refused", "refused"]


def test_a_link_in_its_place_is_refused(tmp_path: Path) -> None:
    (tmp_path / "changing.json").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(StateError, match=r"changing\.json cannot be used"):
        run_lock.hold(str(tmp_path), RUN, process=HERE)
    assert not (tmp_path / "elsewhere").exists()


def test_what_cannot_be_given_back_loses_no_report(tmp_path: Path) -> None:
    """It ends with the process; the report comes first."""
    (tmp_path / "changing.json").mkdir()
    run_lock.release(str(tmp_path), process=HERE)
