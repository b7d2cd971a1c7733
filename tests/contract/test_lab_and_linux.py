# Copyright (c) 2026, the sfb.kb4023993 contributors
# GNU General Public License v3.0-or-later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The table in the lab and in the PowerShell engine on Linux."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from ansible_collections.sfb.kb4023993.plugins.plugin_utils.host import wire
from ansible_collections.sfb.kb4023993.plugins.plugin_utils.host.operations import FileRead, System
from powershell.runner import Engine, Printed

from contract import check, lab_runner, linux_runner
from contract.case import NONCE, Agreement, Asked, Case, Raw, Step, batch_data, typed
from contract.cases_batch import REFUSED, Refused
from contract.table import cases
from contract.world import File, World, folder


def test_the_lab_answers_as_the_table_says() -> None:
    wanted = [case for case in cases() if lab_runner.reason(case) is None]
    found = [text for group in check.groups(wanted) for text in check.differences(group, lab_runner.run(group))]
    assert not found, "\n".join(found)


def test_the_engine_on_linux_answers_as_the_table_says(engine: Engine, tmp_path: Path) -> None:
    batches = linux_runner.batches([case for case in cases() if linux_runner.reason(case) is None])
    folders = [tmp_path / str(number) for number in range(len(batches))]
    for place in folders:
        place.mkdir()
    with ThreadPoolExecutor(max_workers=2) as pool:
        replies = list(pool.map(lambda batch, place: linux_runner.run(engine, batch, place), batches, folders))
    found = [text for batch, given in zip(batches, replies, strict=True) for text in check.differences(batch, given)]
    assert not found, "\n".join(found)


def test_the_lab_refuses_the_same_batches() -> None:
    found = []
    for refused in REFUSED:
        execution = lab_runner.execute(World(), refused.data)
        found += _refusal(refused, Printed(execution.stdout.decode("ascii"), "", execution.exit_code))
    assert not found, "\n".join(found)


def test_the_engine_on_linux_refuses_the_same_batches(engine: Engine) -> None:
    with ThreadPoolExecutor(max_workers=2) as pool:
        printed = list(pool.map(lambda refused: linux_runner.execute(engine, refused.data), REFUSED))
    found = [text for refused, one in zip(REFUSED, printed, strict=True) for text in _refusal(refused, one)]
    assert not found, "\n".join(found)


_STOPPING: dict[str, tuple[tuple[Asked, ...], int, bool, list[str | None]]] = {
    "goes on": ((System(), Raw("none"), System()), 50, False, [None, "invalid", None]),
    "stops at an error": (
        (System(), Raw("none"), System(), Raw("none")),
        50,
        True,
        [None, "invalid", "skipped", "skipped"],
    ),
    "stops at odd fields": ((FileRead(path="", limit=1), System()), 50, True, ["invalid", "skipped"]),
    "no time": ((System(), Raw("none")), 0, False, ["deadline", "deadline"]),
    "no time and stops": ((System(), Raw("none")), 0, True, ["deadline", "deadline"]),
}


@pytest.mark.parametrize("name", _STOPPING)
def test_which_operations_of_a_batch_run(engine: Engine, name: str) -> None:
    asked, deadline, stop, errors = _STOPPING[name]
    data = batch_data(asked, deadline_seconds=deadline, stop_on_error=stop)
    for printed in (
        lab_runner.execute(World(), data).stdout.decode("ascii"),
        linux_runner.execute(engine, data).stdout,
    ):
        replies, failure = wire.decode_reply(printed, list(map(typed, asked)), nonce=NONCE)
        assert failure is None
        assert [reply.error and reply.error.type for reply in replies] == errors


def test_what_has_no_room_in_a_reply(engine: Engine, tmp_path: Path) -> None:
    """Ten MB for all good replies of a batch; one that is too large takes no other with it."""
    path = folder("room", "large.bin")
    asked = tuple(FileRead(path=path, limit=limit) for limit in (7_700_000, 9_000_000, 100_000, 100_000, 1_000))
    large = Case(
        name="room",
        world=World(files=(File(path=path, padding=9_000_000),)),
        steps=tuple(Step(each, Agreement()) for each in asked),
    )
    for replies in (lab_runner.run([large]), linux_runner.run(engine, [large], tmp_path)):
        assert [reply.error and reply.error.type for reply in replies] == [None, "too_large", None, "too_large", None]


def _refusal(refused: Refused, printed: Printed) -> list[str]:
    """What is wrong with what was printed for such data."""
    text, code = "".join(printed.stdout.split()), printed.exit_code
    if refused.failure is None:
        right = (text, code) == ("[[sfb.kb4023993!bad_data]]", 3)
    else:
        right = code == 0 and text.startswith(f"[[sfb.kb4023993-{NONCE}[") and f'"type":"{refused.failure}"' in text
        right = right and '"replies":[]' in text
    return [] if right else [f"{refused.name}: exit code {code}, {text[:300]}"]
