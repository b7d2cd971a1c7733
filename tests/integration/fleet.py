# Copyright (c) 2026, the sfb.kb4023993 contributors
# GNU General Public License v3.0-or-later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A lab with an inventory and a state directory, and the shipped playbooks run against it as a user runs them.

The environment variable ANSIBLE_PLAYBOOK names the program, so that the same tests can be run with other versions of ansible-core.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import typing as t
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from types import TracebackType

from lab.live import Program
from lab.protocol.handler import Transport
from lab.protocol.inventory import Auth, Scheme
from lab.running import Lab
from lab.scenario import Scenario
from lab.world.host import WEB_CONFERENCING

ROOT = Path(__file__).parents[2]
SCENARIOS = Path(__file__).parent / "scenarios"
COLLECTIONS = ROOT / "playbooks" / "collections"
PLAYBOOK = Path(os.environ.get("ANSIBLE_PLAYBOOK", Path(sys.executable).parent / "ansible-playbook")).absolute()

OWN_KEY = r"SOFTWARE\sfb.kb4023993"
"""Where the collection keeps its record on a server; no part of what it was asked to change."""

Registry = dict[str, dict[str, t.Any]]
_RECAP = re.compile(r"^(\S+)\s+: ok=(\d+)\s+changed=(\d+)\s+unreachable=(\d+)\s+failed=(\d+)", re.MULTILINE)
_ANSWER = re.compile(r"^(\S+) \| (\w+)!? => (\{.*?^\})", re.MULTILINE | re.DOTALL)


@dataclass(frozen=True, kw_only=True)
class Played:
    """How a run of ansible-playbook ended. ``run_directories``: of all its plays that kept one in the fleet's state directory."""

    code: int
    output: str
    run_directories: tuple[Path, ...]

    @property
    def run_directory(self) -> Path | None:
        """That of the last play, None when none made one."""
        return self.run_directories[-1] if self.run_directories else None

    @cached_property
    def recap(self) -> dict[str, dict[str, int]]:
        """By host the numbers of the play recap."""
        names = ("ok", "changed", "unreachable", "failed")
        rows = _RECAP.findall(self.output.partition("PLAY RECAP")[2])
        return {row[0]: dict(zip(names, map(int, row[1:]), strict=True)) for row in rows}

    @property
    def changed(self) -> set[str]:
        return {host for host, numbers in self.recap.items() if numbers["changed"]}

    @property
    def failed(self) -> set[str]:
        return {host for host, numbers in self.recap.items() if numbers["failed"] or numbers["unreachable"]}

    @cached_property
    def report(self) -> dict[str, t.Any]:
        """The JSON report of this run."""
        assert self.run_directory is not None, self.output
        return t.cast("dict[str, t.Any]", json.loads((self.run_directory / "report.json").read_text("utf-8")))

    @property
    def judgement(self) -> dict[str, t.Any]:
        """The newest reading that the report holds."""
        return t.cast("dict[str, t.Any]", self.report["after"] or self.report["before"])

    @property
    def hosts(self) -> dict[str, dict[str, t.Any]]:
        return {host["name"]: host for host in self.judgement["hosts"]}

    @property
    def verdicts(self) -> dict[str, str]:
        return {name: host["verdict"] for name, host in self.hosts.items()}

    @property
    def results(self) -> dict[str, dict[str, t.Any]]:
        """How the plan ended on each planned host."""
        return {result["host"]: result for result in self.report["results"]}

    def findings(self, host: str) -> dict[str, dict[str, t.Any]]:
        """The findings of one host by their id."""
        found = [finding for finding in self.judgement["findings"] if finding["host"] == host]
        assert len({finding["id"] for finding in found}) == len(found)
        return {finding["id"]: finding for finding in found}

    @property
    def finding_ids(self) -> dict[str, set[str]]:
        return {name: set(self.findings(name)) for name in self.hosts}

    @property
    def diffs(self) -> dict[str, tuple[set[str], set[str]]]:
        """What --diff showed, by host: the lines of before and those of after."""
        shown: dict[str, tuple[set[str], set[str]]] = {}
        before: set[str] = set()
        after: set[str] = set()
        for line in self.output.splitlines():
            if line.startswith(("--- ", "+++ ", "@@ ")):
                continue
            if line.startswith("-"):
                before.add(line[1:])
            elif line.startswith("+"):
                after.add(line[1:])
            elif (before or after) and (match := re.match(r"(?:changed|ok): \[([^\]]+)\]", line)):
                shown[match.group(1)] = (before, after)
                before, after = set(), set()
        assert not before | after, f"lines of a diff without a host: {before | after}"
        return shown


class Fleet:
    """A running lab and everything that a user has beside it. All its hosts are reached as the inventory says."""

    def __init__(
        self,
        scenario: Scenario | Path | str,
        directory: Path,
        *,
        connection: Transport | None = None,
        scheme: Scheme | None = None,
        auth: Auth | None = None,
        live: Mapping[str, Program] | None = None,
    ) -> None:
        if isinstance(scenario, str) and (SCENARIOS / f"{scenario}.yml").exists():
            scenario = SCENARIOS / f"{scenario}.yml"
        self.directory = directory
        self.state = directory / "state"
        self.lab = Lab(scenario, run_directory=directory / "lab", live=live).start()
        self.inventory = self.lab.inventory(directory, connection=connection, scheme=scheme, auth=auth)

    def __enter__(self) -> Fleet:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.lab.stop()

    @property
    def names(self) -> list[str]:
        return [server.name for server in self.lab.scenario.servers]

    def play(
        self,
        playbook: str | Path,
        *arguments: str,
        state: Path | None = None,
        variables: Mapping[str, t.Any] | None = None,
        environment: Mapping[str, str] | None = None,
        inventory: Path | None = None,
        directory: Path | None = None,
    ) -> Played:
        """Run a playbook of the collection by its name, or another one by its path, in ``directory``.

        :param state: the state directory, the fleet's own by default; a variable ``sfb_kb4023993_state_dir`` takes its place.
        """
        place = state or self.state
        extra = {"sfb_kb4023993_state_dir": str(place), **(variables or {})}
        known = _runs(place)
        path = ROOT / "playbooks" / f"{playbook}.yml" if isinstance(playbook, str) and "." not in playbook else playbook
        program = [str(PLAYBOOK), "-i", str(inventory or self.inventory), str(path)]
        # A variable of None is left out altogether: what is tested then is the default.
        extra = {name: value for name, value in extra.items() if value is not None}
        code, output = self._execute([*program, "-e", json.dumps(extra), *arguments], environment, directory)
        return Played(code=code, output=output, run_directories=tuple(sorted(_runs(place) - known)))

    def module(
        self, hosts: str, module: str, *arguments: str, environment: Mapping[str, str] | None = None
    ) -> dict[str, dict[str, t.Any]]:
        """Run one module of the collection from the command line; gives the result of each host, and ``status`` beside it."""
        program = [str(PLAYBOOK.with_name("ansible")), "-i", str(self.inventory), hosts]
        command = [*program, "-m", f"sfb.kb4023993.{module}", *arguments]
        more = {"ANSIBLE_COLLECTIONS_PATH": str(COLLECTIONS), **(environment or {})}
        _code, output = self._execute(command, more, None)
        found = {
            host: {**json.loads(text), "status": status, "output": output}
            for host, status, text in _ANSWER.findall(output)
        }
        assert found, output
        return found

    def registries(self) -> dict[str, Registry]:
        return self.lab.registries()

    def process_ids(self) -> dict[str, int | None]:
        """The process of Web Conferencing on each host, None where there is none."""
        with self.lab.deployment.lock:
            running = {name: self.lab.host(name).web_conferencing() for name in self.names}
        return {name: process.pid if process else None for name, process in running.items()}

    def enforces(self, host: str) -> bool:
        """Whether the running Web Conferencing process checks the usages: what it loaded, by the lab's own mechanism."""
        with self.lab.deployment.lock:
            process = self.lab.host(host).web_conferencing()
            return process is not None and self.lab.host(host).loaded(process).enforces

    def service_status(self, host: str, service: str = WEB_CONFERENCING) -> str:
        with self.lab.deployment.lock:
            found = self.lab.host(host).services.get(service)
        assert found is not None
        return found.status

    def _execute(
        self, command: list[str], environment: Mapping[str, str] | None, directory: Path | None
    ) -> tuple[int, str]:
        temporary = self.directory / "tmp"
        temporary.mkdir(exist_ok=True)
        clean = {key: value for key, value in os.environ.items() if not key.startswith(("ANSIBLE_", "XDG_"))}
        run = subprocess.run(
            command,
            cwd=directory or self.directory,
            env={
                **clean,
                "PATH": f"{PLAYBOOK.parent}{os.pathsep}{os.environ.get('PATH', os.defpath)}",
                "TMPDIR": str(temporary),
                "ANSIBLE_HOME": str(self.directory / "home"),
                "ANSIBLE_FORKS": "10",
                "ANSIBLE_NOCOLOR": "1",
                "ANSIBLE_HOST_KEY_CHECKING": "false",
                "ANSIBLE_LOCALHOST_WARNING": "false",
                **(environment or {}),
            },
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            encoding="utf-8",
            timeout=180,
            check=False,
        )
        return run.returncode, run.stdout


def without_record(registry: Registry) -> Registry:
    """A registry without the collection's own record."""
    return {path: values for path, values in registry.items() if not path.startswith(OWN_KEY)}


def written(before: Registry, after: Registry) -> tuple[set[str], set[str]]:
    """What differs between two dumps of a host (the collection's own record aside), in the words of --diff."""
    old, new = without_record(before), without_record(after)
    lines: tuple[set[str], set[str]] = (set(), set())
    for path in {*old, *new}:
        earlier, later = old.get(path, {}), new.get(path, {})
        for name in {*earlier, *later}:
            states = earlier.get(name), later.get(name)
            if states[0] != states[1]:
                for side, state in zip(lines, states, strict=True):
                    side.add(f"HKLM\\{_shown_path(path)}: {name} = {_shown_value(state)}")
    return lines


def _shown_path(path: str) -> str:
    native = path.replace("\\Wow6432Node", "")
    return native if native == path else f"{native} (32-bit view)"


def _shown_value(state: tuple[str, t.Any] | None) -> str:
    if state is None:
        return "absent"
    kinds = {"dword": "REG_DWORD", "string": "REG_SZ", "qword": "REG_QWORD"}
    return f"{kinds[state[0]]} {state[1]}"


def _runs(state: Path) -> set[Path]:
    return set((state / "runs").iterdir()) if (state / "runs").is_dir() else set()
