# Copyright (c) 2026, the sfb.kb4023993 contributors
# GNU General Public License v3.0-or-later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""No room on the controller: what was there stays whole, what could not be kept is named, and no report is lost.

The system itself refuses to make a file longer than a limit (RLIMIT_FSIZE), as it does on a full disk.
"""

from __future__ import annotations

import contextlib
import resource
import typing as t
from pathlib import Path

import pytest
from integration.fleet import Fleet, Played

# Evidence of a Front End and the HTML report are longer, everything else is shorter.
_ROOM: t.Final = 20 * 1024


@contextlib.contextmanager
def room(size: int) -> t.Iterator[None]:
    """No file of this process and of those that it starts gets longer."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


class Full(t.NamedTuple):
    fleet: Fleet
    before: dict[str, bytes]
    played: Played


def evidence(fleet: Fleet) -> dict[str, bytes]:
    return {path.stem: path.read_bytes() for path in (fleet.state / "evidence").glob("*.json")}


@pytest.fixture(scope="module")
def full(start: t.Callable[..., Fleet]) -> Full:
    fleet = start("small")
    assert fleet.play("audit").code == 0
    before = evidence(fleet)
    assert {name for name, text in before.items() if len(text) > _ROOM} == {"fe01", "fe02"}
    with room(_ROOM):
        return Full(fleet=fleet, before=before, played=fleet.play("audit"))


def test_each_server_whose_evidence_has_no_room_fails_by_name_and_the_others_are_read(full: Full) -> None:
    assert full.played.code == 2
    assert {"fe01", "fe02"} <= full.played.failed
    text = " ".join(full.played.output.split())
    for name in ("fe01", "fe02"):
        path = full.fleet.state / "evidence" / f"{name}.json"
        assert f"{path} cannot be written: File too large. Make room or change the directory." in text
    assert "edge01: read in " in text
    assert "Traceback" not in text


def test_what_was_there_before_is_whole(full: Full) -> None:
    after = evidence(full.fleet)
    assert {name: after[name] for name in ("fe01", "fe02")} == {name: full.before[name] for name in ("fe01", "fe02")}
    assert after["edge01"] != full.before["edge01"]
    assert after.keys() == full.before.keys()


def test_nothing_half_written_is_left(full: Full) -> None:
    left = [path for path in full.fleet.state.rglob("*") if path.name.startswith(".new-") or path.suffix == ".tmp"]
    assert left == []


def test_the_report_is_shown_although_one_of_its_files_cannot_be_written(full: Full) -> None:
    (directory,) = full.played.run_directories
    text = " ".join(full.played.output.split())
    assert f"{directory / 'report.html'} cannot be written: File too large." in text
    assert "The server was not read in this run. Look at the error of its task." in text
    assert not (directory / "report.html").exists()
    assert Path(directory / "report.json").exists()


def test_the_next_run_with_room_is_as_if_nothing_had_been(full: Full) -> None:
    played = full.fleet.play("audit")
    assert played.code == 0, played.output
    assert set(played.verdicts.values()) == {"broken"}
