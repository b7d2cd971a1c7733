# Copyright (c) 2026, the sfb.kb4023993 contributors
# GNU General Public License v3.0-or-later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Jobs as AWX starts them: ansible-runner on a private data directory, with a copy of the project as git would give it.

What AWX does around that (the database, the queue, the container) is not played. The layout of the directory, the extra variables and the
environment follow AWX's own ``awx/main/tasks/jobs.py``, the slices of an inventory ``Inventory.get_script_data`` in
``awx/main/models/inventory.py``.
"""

from __future__ import annotations

import contextlib
import itertools
import json
import os
import shutil
import signal
import subprocess
import time
import typing as t
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import yaml
from integration.fleet import PLAYBOOK, ROOT, Fleet

SECRET = "vault_server_password"  # noqa: S105 - the name of the variable, as a credential of AWX injects it
MAX_EVENT_RESULT = 700_000
"""Bytes of a result that AWX keeps of one event (its setting MAX_EVENT_RES_DATA); what is longer is left out of the event."""

_INVENTORY = "#! /usr/bin/env python3\n# -*- coding: utf-8 -*-\nprint({!r})\n"


@dataclass(frozen=True, kw_only=True)
class Job:
    """How a job ended. ``events`` are in their order, ``text`` is the output that AWX shows."""

    code: int
    status: str
    directory: Path

    @cached_property
    def text(self) -> str:
        return (self.directory / "stdout").read_text("utf-8")

    @cached_property
    def events(self) -> list[dict[str, t.Any]]:
        files = [path for path in (self.directory / "job_events").iterdir() if path.suffix == ".json"]
        events = [json.loads(path.read_text("utf-8")) for path in files]
        return sorted(events, key=lambda event: int(event["counter"]))

    @property
    def artifacts(self) -> dict[str, t.Any]:
        """What AWX keeps with the job and gives to the next nodes of a workflow."""
        (last,) = [event for event in self.events if event["event"] == "playbook_on_stats"]
        return t.cast("dict[str, t.Any]", last["event_data"]["artifact_data"])

    @property
    def failed_hosts(self) -> set[str]:
        """Hosts that AWX shows as failed."""
        (last,) = [event for event in self.events if event["event"] == "playbook_on_stats"]
        return {*last["event_data"]["failures"], *last["event_data"]["dark"]}

    def files(self) -> list[Path]:
        """Everything that the job left where AWX takes it from."""
        return [path for path in self.directory.rglob("*") if path.is_file()]


@dataclass(frozen=True, kw_only=True)
class Part:
    """A slice of a sliced job: AWX deals out the hosts in the order of their names, so this one has every ``count``-th.

    AWX gives it no variable of its own, but runs it in a workflow job that has the name of the job template. ``again``: it was launched again
    by itself, so there is no workflow.
    """

    number: int
    count: int
    again: bool = False

    def variables(self, template: str) -> dict[str, t.Any]:
        if self.again:
            return {"awx_job_launch_type": "relaunch", "awx_job_template_name": template}
        return {
            "awx_job_launch_type": "workflow",
            "awx_job_template_name": template,
            "awx_workflow_job_id": 4711,
            "awx_workflow_job_name": template,
        }


class Controller:
    """Where jobs are started: one project, one private data directory a job."""

    def __init__(self, programs: Path, directory: Path) -> None:
        self._programs = programs
        self._directory = directory
        self._numbers = itertools.count(1)
        self.project = directory / "project"
        _clone(self.project)

    def run(
        self,
        fleet: Fleet,
        playbook: str,
        *,
        variables: Mapping[str, t.Any] | None = None,
        state: Path | None = None,
        check: bool = False,
        limit: str = "",
        verbosity: int = 0,
        part: Part | None = None,
    ) -> Job:
        """Run a playbook of the project as a job.

        :param variables: the extra variables of the job template, its survey, and the artifacts of earlier nodes.
        :param state: the mounted state directory, None when nothing is mounted.
        :param part: of a sliced job, which slice.
        """
        started, artifacts = self._start(
            fleet,
            playbook,
            variables={**(part.variables(f"KB4023993 {playbook}") if part else {}), **(variables or {})},
            state=state,
            words=[
                *(["--check", "--diff"] if check else []),
                *([f"-l {limit}"] if limit else []),
                *(["-" + "v" * verbosity] if verbosity else []),
            ],
            part=part,
        )
        output, _errors = started.communicate(timeout=180)
        assert (artifacts / "status").is_file(), output
        return Job(code=started.returncode, status=(artifacts / "status").read_text("utf-8"), directory=artifacts)

    def kill(self, fleet: Fleet, playbook: str, *, state: Path, part: Part, when: t.Callable[[], bool]) -> None:
        """Run a slice until ``when``, then end all its processes at once, as a node of AWX that goes down does."""
        template = part.variables(f"KB4023993 {playbook}")
        started, _artifacts = self._start(fleet, playbook, variables=template, state=state, words=[], part=part)
        try:
            end = time.monotonic() + 60
            while not when():
                assert started.poll() is None, "it ended before it could be killed"
                assert time.monotonic() < end
                time.sleep(0.02)
        finally:
            for process in [started.pid, *_descendants(started.pid)]:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(process, signal.SIGKILL)
            started.communicate(timeout=60)

    def _start(
        self,
        fleet: Fleet,
        playbook: str,
        *,
        variables: Mapping[str, t.Any],
        state: Path | None,
        words: t.Sequence[str],
        part: Part | None,
    ) -> tuple[subprocess.Popen[str], Path]:
        number = next(self._numbers)
        private = self._directory / f"job_{number}"
        secrets = self._prepare(private, fleet, part)
        extra = {
            "awx_job_id": number,
            "awx_job_launch_type": "manual",
            "awx_user_name": "admin",
            "awx_inventory_name": "KB4023993 servers",
            **({"sfb_kb4023993_state_dir": str(state)} if state else {}),
            **variables,
        }
        (private / "env" / "extravars").write_text(json.dumps(extra), "utf-8")
        (private / "env" / "cmdline").write_text(" ".join(["--forks 10", f"-e @{secrets}", *words]), "utf-8")
        command = [self._programs / "ansible-runner", "run", private, "-p", f"playbooks/{playbook}.yml", "-q"]
        path = f"{PLAYBOOK.parent}{os.pathsep}{os.environ.get('PATH', os.defpath)}"
        clean = {key: value for key, value in os.environ.items() if not key.startswith(("ANSIBLE_", "XDG_"))}
        started = subprocess.Popen(
            [*map(str, command), "--ident", str(number)],
            env={**clean, "PATH": path, "TMPDIR": str(private / "tmp")},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            encoding="utf-8",
        )
        return started, private / "artifacts" / str(number)

    def _prepare(self, private: Path, fleet: Fleet, part: Part | None) -> Path:
        for name in ("env", "inventory", "tmp"):
            (private / name).mkdir(parents=True)
        shutil.copytree(self.project, private / "project", symlinks=True)
        hosts, password = _without_password(yaml.safe_load(fleet.inventory.read_text("utf-8")))
        inventory = private / "inventory" / "hosts"
        inventory.write_text(_INVENTORY.format(json.dumps(_listing(hosts, part))), "utf-8")
        inventory.chmod(0o700)
        secrets = private / "env" / "credential"
        secrets.write_text(json.dumps({SECRET: password}), "utf-8")
        variables = {
            "ANSIBLE_FORCE_COLOR": "True",
            "ANSIBLE_HOST_KEY_CHECKING": "False",
            "ANSIBLE_INVENTORY_UNPARSED_FAILED": "True",
            "ANSIBLE_PARAMIKO_RECORD_HOST_KEYS": "False",
            "ANSIBLE_RETRY_FILES_ENABLED": "False",
            "ANSIBLE_LOCALHOST_WARNING": "False",
            "HOME": str(private),
            "MAX_EVENT_RES": str(MAX_EVENT_RESULT),
        }
        (private / "env" / "envvars").write_text(json.dumps(variables), "utf-8")
        return secrets


def _descendants(process: int) -> list[int]:
    """The processes that a process started, and theirs."""
    children: list[int] = []
    for file in Path("/proc").glob(f"{process}/task/*/children"):
        with contextlib.suppress(OSError):
            children += map(int, file.read_text("ascii").split())
    return [*children, *(below for child in children for below in _descendants(child))]


def password_of(fleet: Fleet) -> str:
    """The password of the lab's accounts."""
    return _without_password(yaml.safe_load(fleet.inventory.read_text("utf-8")))[1]


def _clone(target: Path) -> None:
    """What git would give AWX: the versioned files, links as links."""
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    listed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    for name in filter(None, listed.split("\0")):
        source = ROOT / name
        # The tests are no part of what a job needs, and most of the files.
        if name.startswith("tests/") or not (source.exists() or source.is_symlink()):
            continue
        (target / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(source, target / name, follow_symlinks=False)


def _without_password(inventory: dict[str, t.Any]) -> tuple[dict[str, t.Any], str]:
    """The lab's inventory with the password as a variable that a credential gives, and the password."""
    passwords = {v.pop("ansible_password") for v in inventory["all"]["hosts"].values() if "ansible_password" in v}
    (password,) = passwords
    inventory["all"]["vars"] = {"ansible_password": f"{{{{ {SECRET} }}}}"}
    return inventory, password


def _listing(inventory: dict[str, t.Any], part: Part | None) -> dict[str, t.Any]:
    """As the inventory script of AWX prints it: of a slice every group is there, with its variables, but only the hosts of the slice."""
    variables = inventory["all"]["hosts"]
    names = sorted(variables)
    if part is not None:
        names = names[part.number - 1 :: part.count]
    groups = inventory["all"]["children"]
    members = {name: [host for host in group["hosts"] if host in names] for name, group in groups.items()}
    grouped = {host for hosts in members.values() for host in hosts}
    return {
        "all": {
            "hosts": [host for host in names if host not in grouped],
            "children": list(groups),
            "vars": inventory["all"]["vars"],
        },
        **{name: {"hosts": hosts} for name, hosts in members.items() if hosts},
        "_meta": {"hostvars": {name: variables[name] for name in names}},
    }
