# Copyright (c) 2026, the sfb.kb4023993 contributors
# GNU General Public License v3.0-or-later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Bootstrap and batches as each ansible-core really sends them over each connection, run by a PowerShell engine.

The lab only carries: it starts the engine with the command and the input that arrived. The engine runs on Linux, where most
operations answer that they need Windows; what is proven here is the way to the script and back.
"""

from __future__ import annotations

import json
import os
import random
import shutil
import socket
import subprocess
import typing as t
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
from ansible_collections.sfb.kb4023993.plugins.plugin_utils.codec import decode, encode
from ansible_collections.sfb.kb4023993.plugins.plugin_utils.host import operations as o
from integration.fleet import COLLECTIONS, Fleet, Played
from lab.live import LiveServers, Program
from lab.protocol.handler import Execution, Invocation

R = t.TypeVar("R")

pytestmark = pytest.mark.matrix

LIVE = ("winrm-http-basic", "winrm-https-ntlm", "psrp-http-ntlm", "by-ssh")
ACTIONS = Path(__file__).parent / "live" / "action_plugins"
ODD_NAME = "会議 \U0001f512 'a' \"b\" 100%25 %u0041 \\u0041\\\\t `x`\t$(exit 9)\r\n.txt"
HALF_A_PAIR = "half a pair \ud83d.txt"
ODD_TEXT = "日本語 ü \U0001f512 \r\n\t\0".encode()
LARGE = 1_200_000
SLICE, SLICES = 5_000, 12
PLAY = """
- hosts: all
  gather_facts: false
  tasks:
    - sfb.kb4023993.sfb_facts:
        evidence_dir: "{{ results }}/evidence"
    - live_batches:
        batches: "{{ batches }}"
        results: "{{ results }}/answers"
      when: inventory_hostname != 'modelled'
"""


class Nobody:
    """Plays no hosts."""

    def execute(self, invocation: Invocation) -> Execution:
        raise AssertionError(invocation.host)


@dataclass(frozen=True, kw_only=True)
class Ran:
    """One playbook over all hosts: what they answered, by host and name of the batch."""

    played: Played
    answers: dict[str, dict[str, dict[str, t.Any]]]
    evidence: dict[str, dict[str, t.Any]]
    counters: dict[str, dict[str, int]]
    odd_file: Path
    large_file: Path

    def answer(self, host: str, batch: str) -> dict[str, t.Any]:
        assert host in self.answers, self.played.output
        return self.answers[host][batch]

    def reply(self, host: str, batch: str, index: int, kind: type[R]) -> R:
        """One reply, which must be a value."""
        answer = self.answer(host, batch)
        assert "replies" in answer, answer
        assert answer["replies"][index]["error"] is None, answer["replies"][index]
        return decode(kind, answer["replies"][index]["value"])


@pytest.fixture(scope="module")
def engine() -> str:
    program = os.environ.get("SFB_PWSH") or shutil.which("pwsh")
    if not program:
        pytest.skip("no PowerShell engine: set SFB_PWSH to one, or install pwsh")
    return program


@pytest.fixture(scope="module")
def ran(engine: str, start: Callable[..., Fleet], tmp_path_factory: pytest.TempPathFactory) -> Ran:
    directory = tmp_path_factory.mktemp("live")
    odd, large = directory / ODD_NAME, directory / "large.bin"
    odd.write_bytes(ODD_TEXT)
    content = random.Random(4023993).randbytes(LARGE)
    large.write_bytes(content)
    slices = [content[start : start + SLICE] for start in range(0, SLICE * SLICES, SLICE)]
    batches = {
        "odd": batch(
            o.System(),
            o.FileInfo(path=str(odd)),
            o.FileRead(path=str(odd)),
            o.FileInfo(path=str(directory / HALF_A_PAIR)),
            o.RegistryRead(path="SECURITY\\Policy", name=""),
            o.FileRead(path=str(large), limit=LARGE),
        ),
        "large": batch(o.FileSearch(path=str(large), patterns=(*slices, slices[0] + b"\0")), payload="in_lines"),
        "half": batch(o.System(), payload="half"),
        # Not a matter of the connection, so one will do.
        "other_length": batch(o.System(), payload="other_length", hosts=("winrm-http-basic",)),
    }
    (directory / "answers").mkdir()
    (directory / "batches.json").write_text(json.dumps(batches), "utf-8")
    (directory / "play.yml").write_text(PLAY, "utf-8")
    fleet = start("live", live=dict.fromkeys(LIVE, Program(command=(engine,))))
    played = fleet.play(
        directory / "play.yml",
        variables={"batches": str(directory / "batches.json"), "results": str(directory)},
        environment={"ANSIBLE_ACTION_PLUGINS": str(ACTIONS), "ANSIBLE_COLLECTIONS_PATH": str(COLLECTIONS)},
    )
    return Ran(
        played=played,
        answers=read_all(directory / "answers"),
        evidence=read_all(directory / "evidence"),
        counters=fleet.lab.counters(),
        odd_file=odd,
        large_file=large,
    )


@pytest.fixture(scope="module")
def version(engine: str) -> str:
    command = [engine, "-NoProfile", "-Command", "$PSVersionTable.PSVersion.ToString()"]
    return subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=True).stdout.strip()


def batch(*operations: o.Operation, payload: str = "as_it_is", hosts: tuple[str, ...] = LIVE) -> dict[str, t.Any]:
    """A batch as the action live_batches takes it."""
    return {"hosts": hosts, "operations": [[each.NAME, encode(each)] for each in operations], "payload": payload}


def read_all(directory: Path) -> dict[str, dict[str, t.Any]]:
    """The JSON files of a folder, by host."""
    return {path.stem: json.loads(path.read_text("utf-8")) for path in directory.glob("*.json")}


@pytest.mark.parametrize("host", LIVE)
def test_the_shipped_module_reads_the_engine(ran: Ran, version: str, host: str) -> None:
    assert host in ran.evidence, ran.played.output
    system = ran.evidence[host]["system"]
    assert ran.evidence[host]["failure"] is None
    assert (system["computer_name"].partition(".")[0], system["powershell_version"]) == (
        socket.gethostname().partition(".")[0],
        version,
    )
    # One batch of the module, and those of the test.
    assert ran.counters[host]["commands"] == 1 + len(ran.answers[host])


def test_hosts_that_are_not_live_stay_with_the_model(ran: Ran, version: str) -> None:
    assert "modelled" in ran.evidence, ran.played.output
    system = ran.evidence["modelled"]["system"]
    assert system["computer_name"].lower() == "modelled"
    assert system["powershell_version"] != version


@pytest.mark.parametrize("host", LIVE)
def test_data_arrives_whole_and_replies_come_back_whole(ran: Ran, version: str, host: str) -> None:
    assert ran.reply(host, "odd", 0, o.SystemReply).powershell_version == version
    info = ran.reply(host, "odd", 1, o.FileInfoReply)
    assert (info.path, info.exists, info.size) == (str(ran.odd_file), True, len(ODD_TEXT))
    assert ran.reply(host, "odd", 2, o.FileReadReply).content == ODD_TEXT
    assert Path(ran.reply(host, "odd", 3, o.FileInfoReply).path).name == HALF_A_PAIR
    assert ran.answer(host, "odd")["replies"][4]["error"]["type"] == "invalid"
    # A reply of 1.6 MB, in lines of 4,000 characters.
    assert ran.reply(host, "odd", 5, o.FileReadReply).content == ran.large_file.read_bytes()
    assert ran.answer(host, "odd")["exit_code"] == 0


@pytest.mark.parametrize("host", LIVE)
def test_a_large_payload_in_lines_arrives_whole(ran: Ran, host: str) -> None:
    assert ran.answer(host, "large")["payload_bytes"] > 64 * 1024
    assert ran.reply(host, "large", 0, o.FileSearchReply).found == (*[True] * SLICES, False)


@pytest.mark.parametrize("host", LIVE)
def test_a_payload_that_is_cut_is_refused(ran: Ran, host: str) -> None:
    answer = ran.answer(host, "half")
    assert answer["kind"] == "failed"
    assert "the data did not arrive whole." in answer["error"]
    # PowerShell as sshd's default shell ends with 0 or 1, whatever the exit code of the program was that it ran.
    assert answer["exit_code"] == (1 if host == "by-ssh" else 3)


def test_data_shorter_or_longer_than_it_was_is_refused(ran: Ran) -> None:
    assert "the data did not arrive whole." in ran.answer("winrm-http-basic", "other_length")["error"]


def test_a_runspace_has_input_objects_and_an_exit_code_and_no_console(engine: str, tmp_path: Path) -> None:
    """What the lab itself adds for psrp: one process that plays the runspace."""
    script = (
        "[Console]::Out.WriteLine('lost'); $all = @($input); $all.Length; $all[1].Length; \"kept $($all[0])\"; exit 5"
    )
    invocation = Invocation(
        host="live", transport="psrp", script="", stdin="", processes=0, command=script, input=("日本語", "a\nb", "")
    )
    servers = LiveServers({"live": Program(command=(engine,))}, others=Nobody(), directory=tmp_path / "live")
    execution = servers.execute(invocation)
    assert execution == Execution(exit_code=5, stdout="3\n3\nkept 日本語\n".encode(), stderr=b"")
