# Copyright (c) 2026, the sfb.kb4023993 contributors
# GNU General Public License v3.0-or-later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Starting real commands for live servers. Real engines are started in tests/integration/test_live_transports.py."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from lab.live import TIMED_OUT, LiveServers, Program, split_command_line
from lab.protocol.handler import Execution, Invocation


class Model:
    def execute(self, invocation: Invocation) -> Execution:
        return Execution(exit_code=0, stdout=f"model of {invocation.host}".encode())


def invocation(command: str, *, host: str = "live", given: bytes = b"") -> Invocation:
    return Invocation(host=host, transport="winrm", script="", stdin="", processes=1, command=command, input=given)


@pytest.mark.parametrize(
    ("line", "arguments"),
    [
        ("", []),
        (
            "PowerShell -NoProfile  -EncodedCommand\tQQBCAA==",
            ["PowerShell", "-NoProfile", "-EncodedCommand", "QQBCAA=="],
        ),
        (' "a b"  c" d"e ', ["a b", "c de"]),
        ('"" x ""', ["", "x", ""]),
        (r"c:\a\ \\b\c", ["c:\\a\\", r"\\b\c"]),
        (r'"a\\" "b\"c" d\\\"e', ["a\\", 'b"c', 'd\\"e']),
        (r'"open end\ ', ["open end\\ "]),
    ],
)
def test_command_lines_come_apart_as_on_windows(line: str, arguments: list[str]) -> None:
    assert split_command_line(line) == arguments


def test_a_command_that_takes_too_long_is_ended_with_all_it_started(tmp_path: Path) -> None:
    late = tmp_path / "late"
    program = Program(command=("sh", "-c", f"echo begun; (sleep 2; touch {late}) & sleep 60"), seconds=1)
    servers = LiveServers({"live": program}, others=Model(), directory=tmp_path / "live")
    started = time.monotonic()
    execution = servers.execute(invocation("PowerShell"))
    assert (execution.exit_code, execution.stdout) == (TIMED_OUT, b"begun\n")
    assert b"Ended by the lab" in execution.stderr
    assert time.monotonic() - started < 20
    time.sleep(2)
    assert not late.exists()


def test_only_programs_that_are_there_are_started(tmp_path: Path) -> None:
    servers = LiveServers({"live": Program(command=("false",))}, others=Model(), directory=tmp_path / "live")
    assert b"'cscript' is not recognized" in servers.execute(invocation("cscript x.vbs")).stderr
    assert servers.execute(invocation("PowerShell")).exit_code == 1
    assert servers.execute(invocation("PowerShell", host="other")).stdout == b"model of other"


def test_a_script_without_input_leaves_standard_input_to_what_it_starts(tmp_path: Path) -> None:
    """As powershell.exe does, so that ssh's outer PowerShell does not take the data away from the inner one."""
    read = Program(command=("sh", "-c", 'echo "own: $(cat)"; [ "$1" = again ] || PowerShell again', "sh"))
    servers = LiveServers({"live": read}, others=Model(), directory=tmp_path / "live")
    assert servers.execute(invocation("PowerShell x", given=b"data")).stdout == b"own: \nown: data\n"
    taken = servers.execute(invocation("PowerShell $input", given=b"data"))
    assert taken.stdout == b"own: data\nown: \n"
