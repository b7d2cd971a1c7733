# Copyright (c) 2026, the sfb.kb4023993 contributors
# GNU General Public License v3.0-or-later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A simulated company: a lab with a scenario, and the playbooks run against it as a user runs them."""

from __future__ import annotations

import json
import os
import pathlib
import re
import subprocess
import sys
import typing as t
import urllib.request

ROOT = pathlib.Path(__file__).resolve().parents[2]


class Company:
    """``place``: a new directory for the inventory, the state and the lab's files."""

    def __init__(self, scenario: str, place: pathlib.Path) -> None:
        self.place = place
        self.inventory = place / "inventory.yml"
        self.state = place / "state"
        place.mkdir(parents=True)
        self._lab, self.control = self._start(scenario)

    def __enter__(self) -> Company:
        return self

    def __exit__(self, *_: object) -> None:
        self._lab.terminate()
        self._lab.wait(timeout=20)

    def playbook(self, name: str, *arguments: str, quiet: bool = False) -> tuple[int, str]:
        """Run a playbook as a user would; the output is shown without the lines of hosts that are simply fine."""
        shown = f"ansible-playbook -i inventory.yml playbooks/{name} {' '.join(arguments)}".rstrip()
        print(f"$ {shown}\n", flush=True)
        environment = os.environ | {
            "ANSIBLE_DISPLAY_OK_HOSTS": "false",
            "ANSIBLE_DISPLAY_SKIPPED_HOSTS": "false",
            "ANSIBLE_NOCOWS": "1",
            "ANSIBLE_FORKS": "10",
            "ANSIBLE_LOCALHOST_WARNING": "false",
        }
        command = ["ansible-playbook", "-i", str(self.inventory), str(ROOT / "playbooks" / name)]
        command += ["-e", f"sfb_kb4023993_state_dir={self.state}", *arguments]
        with subprocess.Popen(
            command, cwd=self.place, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        ) as run:
            lines = []
            for line in t.cast("t.IO[str]", run.stdout):
                lines.append(line)
                if not quiet:
                    print(line, end="", flush=True)
        output = "".join(lines)
        if quiet:
            print(output[output.find("PLAY RECAP") :])
        return run.returncode, output

    def reports(self) -> list[pathlib.Path]:
        """The HTML reports of all runs, oldest first."""
        return sorted((self.state / "runs").glob("*/report.html"))

    def latest_hosts(self) -> list[dict[str, t.Any]]:
        """What the latest report says of each host."""
        report = max((self.state / "runs").glob("*/report.json"), key=lambda path: path.parent.name)
        judged = json.loads(report.read_text("utf-8"))
        return list((judged["after"] or judged["before"])["hosts"])

    def registries(self) -> dict[str, t.Any]:
        """The whole registry of every simulated server, from the lab itself."""
        return {host: self.ask(f"hosts/{host}/registry") for host in self.hosts_of("all")}

    def hosts_of(self, group: str) -> list[str]:
        command = ["ansible", group, "-i", str(self.inventory), "--list-hosts"]
        listed = subprocess.run(command, check=True, capture_output=True, text=True).stdout
        return [line.strip() for line in listed.splitlines()[1:]]

    def ask(self, path: str, body: dict[str, t.Any] | None = None) -> t.Any:
        """Ask the lab itself; with a body, tell it something."""
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(f"{self.control}/{path}", data=data)
        with urllib.request.urlopen(request) as reply:
            return json.load(reply)

    def _start(self, scenario: str) -> tuple[subprocess.Popen[str], str]:
        environment = os.environ | {
            "PYTHONPATH": os.pathsep.join([str(ROOT / "playbooks/collections"), str(ROOT / "tests")])
        }
        command = [sys.executable, "-m", "lab", "--scenario", scenario, "--directory", str(self.place)]
        lab = subprocess.Popen(command, env=environment, cwd=self.place, stdout=subprocess.PIPE, text=True)
        control = ""
        for line in t.cast("t.IO[str]", lab.stdout):
            found = re.search(r"control\s+(http://\S+)", line)
            control = found.group(1) if found else control
            if line.startswith("Stop it"):
                return lab, control
            print(line, end="", flush=True)
        raise SystemExit("The lab did not start; see its message above.")


def changed(output: str) -> int:
    return sum(int(number) for number in re.findall(r"changed=(\d+)", output))
