# Copyright (c) 2026, the sfb.kb4023993 contributors
# GNU General Public License v3.0-or-later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Generated worlds in the lab and in the PowerShell engine on Linux."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from powershell.runner import Engine

from contract import check, generated, lab_runner, linux_runner

Record = Callable[[str, object], None]


def test_the_lab_and_the_engine_on_linux_agree(engine: Engine, tmp_path: Path, record_property: Record) -> None:
    cases = [*generated.files(60), *generated.chains(60), *generated.restarts(15)]
    replies = lab_runner.run(cases)
    found = check.disagreements(cases, replies, linux_runner.run(engine, cases, tmp_path))
    assert not found, f"{len(found)} of {len(replies)} answers differ, the simplest:\n" + "\n".join(found[:3])
    record_property("figure", f"contract: {len(replies)} generated operations answered alike by the lab and on Linux")
