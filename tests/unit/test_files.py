# Copyright (c) 2026, the sfb.kb4023993 contributors
# GNU General Public License v3.0-or-later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Files on the controller: private, replaced in one step, and never outside their directory."""

from __future__ import annotations

import datetime
import os
import pathlib
import re
import stat

import pytest
from ansible_collections.sfb.kb4023993.plugins.plugin_utils import files
from ansible_collections.sfb.kb4023993.plugins.plugin_utils.files import (
    StateError,
    check_state_directory,
    default_state_directory,
    file_name,
    new_run_id,
    remove_temporary,
    run_directory,
    temporary_state_directory,
    write_private,
)
from hypothesis import given
from hypothesis import strategies as st

HOSTILE = [
    "../../etc/passwd",
    "..",
    ".",
    ".hidden",
    "a/b",
    "a\\b",
    "a\nb",
    "a\x00b",
    "%2e",
    "*",
    "~root",
    "-rf",
    "ü",
    "a b",
    "con",
]
NAMES = st.text(st.characters(codec="utf-8"), min_size=1, max_size=30)


def mode(path: pathlib.Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_host_name_stays_one_visible_file_of_the_directory(name: str, tmp_path: pathlib.Path) -> None:
    path = tmp_path / "evidence" / file_name(name)
    write_private(path, "x")
    assert [p.name for p in (tmp_path / "evidence").iterdir()] == [path.name]
    assert path.parent == tmp_path / "evidence"
    assert not path.name.startswith(".")


@given(NAMES, NAMES)
def test_two_hosts_never_share_a_file(one: str, two: str) -> None:
    assert (file_name(one) == file_name(two)) == (one == two)


@pytest.mark.parametrize("name", ["", "\ud800", "\udfff" * 100])
def test_names_that_are_no_text_have_a_file_too(name: str) -> None:
    assert re.fullmatch(r"%[A-Za-z0-9%-]*\.json", file_name(name))


@given(NAMES)
def test_a_file_name_is_one_plain_component(name: str) -> None:
    assert re.fullmatch(r"[A-Za-z0-9_.~%-]+\.json", file_name(name))
    assert not file_name(name).startswith(".")


def test_directories_are_made_0700_and_files_0600_whatever_the_umask(tmp_path: pathlib.Path) -> None:
    old = os.umask(0)
    try:
        path = tmp_path / "a" / "b" / "c.json"
        write_private(path, "x")
    finally:
        os.umask(old)
    assert [mode(p) for p in (path.parent.parent, path.parent, path)] == [0o700, 0o700, 0o600]


def test_a_directory_that_was_there_keeps_its_mode(tmp_path: pathlib.Path) -> None:
    own = tmp_path / "shared"
    own.mkdir(mode=0o750)
    own.chmod(0o750)
    write_private(own / "x", "x")
    assert mode(own) == 0o750


def test_writing_replaces_the_file_and_leaves_no_other(tmp_path: pathlib.Path) -> None:
    path = tmp_path / "x.json"
    path.write_text("old")
    path.chmod(0o644)
    write_private(path, "new")
    assert path.read_text() == "new"
    assert mode(path) == 0o600
    assert list(tmp_path.iterdir()) == [path]


def test_a_reader_of_the_old_file_keeps_the_whole_old_text(tmp_path: pathlib.Path) -> None:
    path = tmp_path / "x.json"
    path.write_text("old")
    with path.open() as reader:
        write_private(path, "new")
        assert reader.read() == "old"


def test_a_write_that_fails_keeps_the_old_file_and_leaves_nothing_behind(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "x.json"
    path.write_text("old")

    def no_room(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(pathlib.Path, "replace", no_room)
    with pytest.raises(StateError, match=r"x\.json cannot be written: No space left on device\. Make room"):
        write_private(path, "new")
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_text_that_cannot_be_written_keeps_the_old_file(tmp_path: pathlib.Path) -> None:
    path = tmp_path / "x.json"
    path.write_text("old")
    with pytest.raises(UnicodeEncodeError):
        write_private(path, "half \ud800")
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_state_directory_that_cannot_be_used_is_named_with_the_variable_to_set(tmp_path: pathlib.Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StateError, match="Set sfb_kb4023993_state_dir") as caught:
        check_state_directory(tmp_path / "file" / "below")
    assert str(tmp_path / "file" / "below") in str(caught.value)


def test_a_state_directory_is_made_private(tmp_path: pathlib.Path) -> None:
    check_state_directory(tmp_path / "new" / "state")
    assert mode(tmp_path / "new" / "state") == 0o700
    assert list((tmp_path / "new" / "state").iterdir()) == []


def test_the_default_follows_the_users_own_state_directory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", "/x/state")
    assert default_state_directory() == pathlib.Path("/x/state/sfb_kb4023993")
    monkeypatch.delenv("XDG_STATE_HOME")
    monkeypatch.setenv("HOME", "/home/somebody")
    assert default_state_directory() == pathlib.Path("/home/somebody/.local/state/sfb_kb4023993")


def test_run_ids_sort_by_time_and_are_each_their_own() -> None:
    zone = datetime.timezone(datetime.timedelta(hours=9))
    first = new_run_id(datetime.datetime(2026, 1, 1, 8, 59, 59, tzinfo=zone))
    second = new_run_id(datetime.datetime(2026, 1, 1, 0, 0, tzinfo=datetime.timezone.utc))
    assert re.fullmatch(r"20251231T235959Z-[0-9a-f]{6}", first)
    assert first < second
    assert new_run_id(datetime.datetime.now(zone)) != new_run_id(datetime.datetime.now(zone))


@pytest.mark.parametrize(
    "run_id",
    [
        "",
        "..",
        "../x",
        "20260101T000000Z-abcdeg",
        "20260101T000000Z-abcdef/..",
        "20260101T000000Z-abcdef\n",
        "99999999T999999Z-abcdef",
        "٢٠٢٦٠١٠١T000000Z-abcdef",
    ],
)
def test_a_run_id_from_outside_never_becomes_another_path(run_id: str) -> None:
    with pytest.raises(StateError, match="is not of the form"):
        run_directory("/state", run_id)


def test_only_a_temporary_directory_of_ours_is_removed(tmp_path: pathlib.Path) -> None:
    own = temporary_state_directory()
    assert mode(own) == 0o700
    (own / "x").write_text("")
    remove_temporary(own)
    assert not own.exists()
    (tmp_path / "sfb_kb4023993-x").mkdir()
    for other in (tmp_path, tmp_path / "sfb_kb4023993-x"):
        remove_temporary(other)
        assert other.exists()
    assert files.evidence_directory("/state") == pathlib.Path("/state/evidence")
