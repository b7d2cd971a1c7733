# Copyright (c) 2026, the sfb.kb4023993 contributors
# GNU General Public License v3.0-or-later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs a playbook against a lab and measures what it costs the controller."""

from __future__ import annotations

import dataclasses
import io
import json
import os
import subprocess
import sys
import time
import typing as t
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from lab.protocol import Fault
from lab.running import Lab
from lab.scenario import Scenario

from benchmark.canned import Canned

ROOT: t.Final = Path(__file__).parents[2]
HERE: t.Final = Path(__file__).parent
_ANSWER: t.Final = ": read in "
_PLAYBOOK: t.Final = Path(sys.executable).parent / "ansible-playbook"


@dataclasses.dataclass(frozen=True, kw_only=True)
class Cost:
    """Of one run of ansible-playbook and all its processes. ``memory_mb``: resident size of the largest of them.

    ``first_answer_seconds``: until the screen said that a first server was read, None where nothing says so.
    Of the wire: sums over all servers, as the lab counts them.
    """

    wall_seconds: float
    first_answer_seconds: float | None
    cpu_seconds: float
    memory_mb: float
    requests: int
    bytes_up: int
    bytes_down: int
    processes: int


class Company:
    """A lab and what its administrator has beside it."""

    def __init__(self, lab: Lab, directory: Path, inventory: Path) -> None:
        self.lab = lab
        self.directory = directory
        self._inventory = inventory

    def play(
        self, playbook: str | Path, *, forks: int, variables: Mapping[str, t.Any] | None = None, collections: str = ""
    ) -> Cost:
        """Run a playbook of the collection by its name, or another one by its path.

        :raises RuntimeError: it failed; a figure of a run that did not work is worth nothing.
        """
        path = ROOT / "playbooks" / f"{playbook}.yml" if isinstance(playbook, str) else playbook
        given = {
            "sfb_kb4023993_state_dir": str(self.directory / "state"),
            "sfb_kb4023993_quiet_wait": False,
            "sfb_kb4023993_poll_interval": 0,
            **(variables or {}),
        }
        # The lab counts until here, so that only this run is in its counters.
        self.lab.reset_counters()
        output = self.directory / "output.txt"
        started, first_answer = time.monotonic(), None
        process = subprocess.Popen(
            [_PLAYBOOK, "-i", self._inventory, path, "-f", str(forks), "-e", json.dumps(given)],
            cwd=self.directory,
            env=self._environment(collections),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        with process.stdout or io.StringIO() as lines, output.open("w", encoding="utf-8") as out:
            for line in lines:
                out.write(line)
                if first_answer is None and _ANSWER in line:
                    first_answer = time.monotonic() - started
        _pid, status, used = os.wait4(process.pid, 0)
        wall = time.monotonic() - started
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode:
            raise RuntimeError(f"{path.name} ended with {process.returncode}:\n{output.read_text('utf-8')[-3000:]}")
        each = self.lab.counters().values()
        return Cost(
            wall_seconds=wall,
            first_answer_seconds=first_answer,
            cpu_seconds=used.ru_utime + used.ru_stime,
            memory_mb=used.ru_maxrss / 1024,
            requests=sum(c["http_requests"] for c in each),
            bytes_up=sum(c["http_bytes_up"] for c in each),
            bytes_down=sum(c["http_bytes_down"] for c in each),
            processes=sum(c["powershell_processes"] for c in each),
        )

    def slow_down(self, seconds: float) -> None:
        """Let every server take that long for every command, as one that is far away or busy."""
        for name in self.lab.deployment.hosts:
            faults = [Fault(stage="command", kind="delay", seconds=seconds)] if seconds else []
            self.lab.set_faults(name, faults)

    def _environment(self, collections: str) -> dict[str, str]:
        clean = {key: value for key, value in os.environ.items() if not key.startswith("ANSIBLE_")}
        return {
            **clean,
            "ANSIBLE_HOME": str(self.directory / "home"),
            "ANSIBLE_NOCOLOR": "1",
            "ANSIBLE_LOCALHOST_WARNING": "false",
            **({"ANSIBLE_COLLECTIONS_PATH": collections} if collections else {}),
        }


@contextmanager
def company(scenario: Scenario, directory: Path, **connection: t.Any) -> Iterator[Company]:
    """A running lab with an inventory; ``connection`` as Lab.inventory takes it."""
    directory.mkdir(parents=True)
    with Lab(scenario, run_directory=directory / "lab", around=Canned) as lab:
        yield Company(lab, directory, lab.inventory(directory, **connection))
