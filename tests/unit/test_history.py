# Copyright (c) 2026, the sfb.kb4023993 contributors
# GNU General Public License v3.0-or-later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which earlier judgement is compared with, and what is said where there is none."""

from __future__ import annotations

import dataclasses
import json
import pathlib
import typing as t

import pytest
from ansible_collections.sfb.kb4023993.plugins.plugin_utils.files import StateError
from ansible_collections.sfb.kb4023993.plugins.plugin_utils.findings import Judgement
from ansible_collections.sfb.kb4023993.plugins.plugin_utils.history import (
    read_waivers,
    run_before,
    since_last_run,
    two_judgements,
)
from ansible_collections.sfb.kb4023993.plugins.plugin_utils.report.document import make_report, report_json
from ansible_collections.sfb.kb4023993.plugins.plugin_utils.run import Reading, Run
from builders import certificates as c
from builders import evidence as e
from builders import fleets as f

GOOD: t.Final = c.certificate("both")


def judged(*names: str, outside: tuple[str, ...] = (), good: bool = False) -> Judgement:
    made = [
        e.front_end(name, pool=f"{name}pool.contoso.example", cert=GOOD if good else None)
        for name in (*names, *outside)
    ]
    return f.judge(*(f.outside(x) if x.inventory_name in outside else f.read(x) for x in made)).judgement


def run_id(day: int) -> str:
    return f"202603{day:02}T120000Z-abcdef"


def keep(state: pathlib.Path, day: int, judgement: Judgement, reading: Reading = "before") -> Judgement:
    kept = dataclasses.replace(judgement, run_id=run_id(day))
    Run(str(state), run_id(day)).save_judgement(kept, reading)
    return kept


def test_the_last_run_over_the_same_hosts_counts(tmp_path: pathlib.Path) -> None:
    keep(tmp_path, 1, judged("fe01", "fe02"))
    wanted = keep(tmp_path, 2, judged("fe01", "fe02"))
    keep(tmp_path, 3, judged("fe01", outside=("fe02",)))
    now = keep(tmp_path, 4, judged("fe01", "fe02"))
    keep(tmp_path, 5, judged("fe01", "fe02"))
    assert run_before(str(tmp_path), now) == wanted


def test_of_a_run_that_changed_something_its_second_reading_counts(tmp_path: pathlib.Path) -> None:
    keep(tmp_path, 1, judged("fe01"))
    after = keep(tmp_path, 1, judged("fe01", good=True), "after")
    assert run_before(str(tmp_path), dataclasses.replace(judged("fe01"), run_id=run_id(2))) == after


def test_a_limited_run_is_compared_by_its_own_hosts(tmp_path: pathlib.Path) -> None:
    keep(tmp_path, 1, judged("fe01", "fe02", good=True))
    now = keep(tmp_path, 2, judged("fe01", outside=("fe02",)))
    found = since_last_run(str(tmp_path), now)
    assert found is not None
    assert {each.host for each in found.regressions} == {"fe01"}


def test_runs_that_cannot_be_read_and_what_else_lies_there_do_not_matter(tmp_path: pathlib.Path) -> None:
    wanted = keep(tmp_path, 1, judged("fe01"))
    keep(tmp_path, 2, judged("fe01"))
    (tmp_path / "runs" / run_id(2) / "before" / "judgement.json").write_text('{"schema": 9}')
    (tmp_path / "runs" / run_id(3)).mkdir()
    (tmp_path / "runs" / "zz-notes").mkdir()
    (tmp_path / "runs" / "README").write_text("x")
    assert run_before(str(tmp_path), dataclasses.replace(judged("fe01"), run_id=run_id(4))) == wanted


def test_without_an_earlier_run_nothing_is_said(tmp_path: pathlib.Path) -> None:
    now = keep(tmp_path, 4, judged("fe01"))
    assert since_last_run(str(tmp_path), now) is None
    assert since_last_run(str(tmp_path / "missing"), now) is None
    keep(tmp_path, 1, judged("fe09"))
    assert since_last_run(str(tmp_path), now) is None


# ---- two that somebody names


def report_file(path: pathlib.Path, judgement: Judgement) -> str:
    path.write_text(report_json(make_report(playbook="audit", check_mode=False, before=judgement)))
    return str(path)


def test_without_names_the_two_newest_runs_are_compared(tmp_path: pathlib.Path) -> None:
    first, second = keep(tmp_path, 1, judged("fe01")), keep(tmp_path, 2, judged("fe01", good=True))
    assert two_judgements("", "", state_dir=str(tmp_path)) == (first, second)


def test_a_report_file_and_a_state_directory_in_any_place(tmp_path: pathlib.Path) -> None:
    kept = keep(tmp_path / "state", 2, judged("fe01"))
    before = dataclasses.replace(judged("fe01", good=True), run_id=run_id(1))
    file = report_file(tmp_path / "report.json", before)
    assert two_judgements(file, str(tmp_path / "state"), state_dir="nowhere") == (before, kept)
    assert two_judgements(file, "", state_dir=str(tmp_path / "state")) == (before, kept)
    assert two_judgements(str(tmp_path / "state"), file, state_dir="nowhere") == (kept, before)


@pytest.mark.parametrize(
    ("earlier", "later", "message"),
    [
        ("", "empty", "holds no judged run"),
        ("", "one", "holds no run before 20260301T120000Z-abcdef that read the same servers"),
        ("", "report.json", "so the earlier one has to be named as well"),
        ("missing", "one", "cannot be read: No such file"),
        ("broken.json", "one", "is not a report.json of this version"),
        ("text.json", "one", "is not JSON"),
        ("binary.json", "one", "it is not text"),
    ],
)
def test_what_cannot_be_compared_is_named(tmp_path: pathlib.Path, earlier: str, later: str, message: str) -> None:
    (tmp_path / "empty").mkdir()
    keep(tmp_path / "one", 1, judged("fe01"))
    report_file(tmp_path / "report.json", judged("fe01"))
    (tmp_path / "broken.json").write_text('{"schema": 1, "playbook": "audit"}')
    (tmp_path / "text.json").write_text("hello")
    (tmp_path / "binary.json").write_bytes(b"\xff\xfe\x00")
    names = [str(tmp_path / name) if name else "" for name in (earlier, later)]
    with pytest.raises(StateError, match=message):
        two_judgements(*names, state_dir="nowhere")


def test_a_report_of_before_waivers_is_read_too(tmp_path: pathlib.Path) -> None:
    """What came later has a default."""
    text = report_json(make_report(playbook="audit", check_mode=False, before=judged("fe01")))
    data = json.loads(text)
    for name in ("waivers", "waived_hosts", "late_waivers", "since"):
        del data[name]
    for item in data["before"]["findings"]:
        del item["waiver"]
    (tmp_path / "report.json").write_text(json.dumps(data))
    assert two_judgements(str(tmp_path / "report.json"), str(tmp_path / "report.json"), state_dir="")[0] == judged(
        "fe01"
    )


# ---- files of waivers


def test_a_file_of_waivers_that_cannot_be_read_is_named(tmp_path: pathlib.Path) -> None:
    cases = {
        "missing.yml": "cannot be read: No such file",
        "folder": "cannot be read",
        "big.yml": "too large",
        "binary.yml": "not text",
    }
    (tmp_path / "folder").mkdir()
    (tmp_path / "big.yml").write_text("# x\n" * 300_000)
    (tmp_path / "binary.yml").write_bytes(b"\xff\xff")
    for name, message in cases.items():
        with pytest.raises(StateError, match=message):
            read_waivers(str(tmp_path / name), ["fe01"])


def test_a_byte_order_mark_of_notepad_does_not_matter(tmp_path: pathlib.Path) -> None:
    (tmp_path / "w.yml").write_bytes(b"\xef\xbb\xbf[]\r\n")
    assert read_waivers(str(tmp_path / "w.yml"), ["fe01"]) == ()
