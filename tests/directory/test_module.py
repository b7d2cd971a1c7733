# Copyright (c) 2026, the sfb.kb4023993 contributors
# GNU General Public License v3.0-or-later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The module and its playbook as a user runs them: ansible-playbook against a real directory."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import typing as t
from pathlib import Path

import pytest
import yaml
from directory.asking import FIRST_CA, GROUP
from directory.domain import LDAPS, PASSWORD, DomainController

ROOT: t.Final = Path(__file__).parents[2]
MODULE: t.Final = "sfb.kb4023993.sfb_certificate_template"
# Nobody listens there: a task that opened a connection to a host would fail.
_INVENTORY: t.Final = {
    "all": {
        "hosts": {"fe01": {}, "fe02": {}},
        "vars": {
            "ansible_connection": "winrm",
            "ansible_host": "127.0.0.1",
            "ansible_port": 1,
            "ansible_user": "nobody",
            "ansible_password": "nothing",
        },
    }
}
_RESULTS: t.Final = "results.json"


class Runner:
    """Runs plays in a folder of its own."""

    def __init__(self, folder: Path, controller: DomainController) -> None:
        self.folder = folder
        (folder / "inventory.yml").write_text(yaml.safe_dump(_INVENTORY))
        self.account = {
            "server": controller.address,
            "port": controller.port(LDAPS),
            "ca_file": controller.ca_file,
            "user": "Administrator@lab.example",
            "password": "{{ the_password }}",
        }

    def playbook(self, path: Path, *arguments: str, **variables: t.Any) -> subprocess.CompletedProcess[str]:
        program = os.environ.get("ANSIBLE_PLAYBOOK") or str(Path(sys.executable).parent / "ansible-playbook")
        extra = self.folder / "variables.json"
        extra.write_text(json.dumps({"the_password": PASSWORD, **variables}))
        environment = {
            **os.environ,
            "ANSIBLE_COLLECTIONS_PATH": str(ROOT / "playbooks" / "collections"),
            "ANSIBLE_NOCOLOR": "1",
            "ANSIBLE_LOG_PATH": str(self.folder / "log"),
            "ANSIBLE_HOME": str(self.folder / "home"),
            "ANSIBLE_LOCALHOST_WARNING": "0",
        }
        command = [program, "-i", str(self.folder / "inventory.yml"), "-e", f"@{extra}", *arguments, str(path)]
        return subprocess.run(
            command, env=environment, cwd=self.folder, capture_output=True, text=True, check=False, timeout=120
        )

    def tasks(self, *tasks: dict[str, t.Any], arguments: tuple[str, ...] = ()) -> tuple[list[dict[str, t.Any]], str]:
        """The result of each task, with the output of the run. A task that fails does not end it."""
        play = [
            {
                "hosts": "all",
                "gather_facts": False,
                "tasks": [
                    *(
                        {
                            "name": f"Task {number}",
                            MODULE: {**self.account, **task.pop("with", {})},
                            "run_once": True,
                            "register": f"result_{number}",
                            "ignore_errors": True,
                            **task,
                        }
                        for number, task in enumerate(tasks)
                    ),
                    {
                        "name": "Keep the results",
                        "ansible.builtin.copy": {
                            "content": "{{ [" + ", ".join(f"result_{n}" for n in range(len(tasks))) + "] | to_json }}",
                            "dest": str(self.folder / _RESULTS),
                        },
                        "delegate_to": "localhost",
                        "connection": "local",
                        "vars": {"ansible_python_interpreter": sys.executable},
                        "run_once": True,
                        "check_mode": False,
                        "diff": False,
                        "no_log": True,
                    },
                ],
            }
        ]
        path = self.folder / "play.yml"
        path.write_text(yaml.safe_dump(play, sort_keys=False))
        done = self.playbook(path, *arguments)
        assert done.returncode == 0, done.stdout + done.stderr
        return json.loads((self.folder / _RESULTS).read_text("utf-8")), done.stdout + done.stderr


@pytest.fixture
def runner(tmp_path: Path, controller: DomainController) -> Runner:
    return Runner(tmp_path, controller)


def test_the_life_of_a_template(runner: Runner, name: str) -> None:
    name = f"Module{name}"
    wanted = {"name": name, "enrol_group": GROUP, "publish_on": [FIRST_CA]}
    results, output = runner.tasks(
        {"with": wanted, "check_mode": True, "diff": True},
        {"with": wanted, "diff": True},
        {"with": wanted},
        {"with": {**wanted, "manager_approval": False, "unpublish_on": [FIRST_CA], "publish_on": []}, "diff": True},
        {"with": {"name": name, "state": "absent"}, "check_mode": True},
        {"with": {"name": name, "state": "absent"}},
        {"with": {"name": name, "state": "absent"}},
        arguments=("-vvvv",),
    )
    checked, made, again, changed, would_go, gone, still_gone = results
    assert [result["changed"] for result in results] == [True, True, False, True, True, True, False]
    assert not any(result["failed"] for result in results)
    assert (checked["oid"], checked["exists"], checked["published_on"]) == (None, True, [FIRST_CA])
    assert "certtmpl.msc" in checked["instructions"][0]
    assert checked["diff"]["before"] == f"template {name}: absent\npublished on: no CA\n"
    assert made["oid"].startswith("1.3.6.1.4.1.311.21.8.")
    assert "instructions" not in made
    # What the check promised is what was made, but for the identifier.
    lines = made["diff"]["after"].splitlines()
    assert [line for line in lines if "Template-OID" not in line] == checked["diff"]["after"].splitlines()
    assert f"may enrol: {GROUP}" in lines
    for key in ("dacl", "permissions", "judgement", "schema_version", "display_name"):
        assert made[key] == again[key]
        assert key == "dacl" or made[key] == checked[key]
    assert (made["schema_version"], made["revision"], made["published_on"]) == (2, "100.2", [FIRST_CA])
    assert (changed["revision"], changed["published_on"], changed["judgement"]["esc1"]) == ("100.3", [], True)
    assert "-msPKI-Enrollment-Flag: 0x2\n+msPKI-Enrollment-Flag: 0x0\n" in output
    assert (would_go["exists"], gone["exists"], still_gone["exists"]) == (False, False, False)
    assert PASSWORD not in output + json.dumps(results)
    assert PASSWORD not in (runner.folder / "log").read_text("utf-8")


def test_failures_say_what_to_do_and_how_to_go_on_by_hand(runner: Runner, name: str) -> None:
    name = f"Module{name}"
    wanted = {"name": name, "enrol_group": GROUP, "publish_on": [FIRST_CA]}
    alice = {"user": "alice@lab.example"}
    results, output = runner.tasks(
        {"with": {**wanted, **alice}},
        {"with": {**wanted, "enrol_group": "Domain Users"}},
        {"with": {**wanted, "publish_on": ["Nowhere CA"]}},
        {"with": {"name": name}},
        {"with": {**wanted, "name": "Web Server"}},
        {"with": {**wanted, "name": "WebServer"}},
        {"with": {**wanted, "password": "wrong-one"}},
        {"with": {**wanted, "tls": False}},
        {"with": {**wanted, "validity_days": 10, "renewal_overlap_days": 10}},
        {"with": {**wanted, "timeout": 0}},
        {"with": {**wanted, "port": 70000}},
        {"with": {**wanted, "server": "no..name"}},
        {"with": {**wanted, **alice}, "check_mode": True},
        {"with": {**wanted, "server": ""}},
    )
    for result, text in zip(
        results,
        (
            "insufficientAccessRights (50)",
            "too wide",
            "'Nowhere CA'",
            "enrol_group: name the group",
            "no template name",
            "source itself",
            "invalidCredentials (49)",
            "in the clear",
            "cannot be renewed 10 days",
            "timeout: 0",
            "port: 70000",
            "cannot be reached",
        ),
        strict=False,
    ):
        assert result["failed"], result
        assert result["changed"] is False
        assert text in result["msg"]
    assert f"Template name '{name}', exactly so" in " ".join(results[0]["instructions"])
    allowed, by_hand = results[12:]
    assert (allowed["failed"], allowed["changed"]) == (False, True)
    assert (by_hand["failed"], by_hand["changed"], by_hand["name"]) == (False, False, name)
    assert by_hand["instructions"] == results[0]["instructions"] == allowed["instructions"]
    assert "Traceback" not in output
    assert PASSWORD not in output + json.dumps(results)
    assert "wrong-one" not in output


def test_the_playbook(runner: Runner, controller: DomainController, name: str) -> None:
    variables = {
        "name": f"Playbook{name}",
        "enrol_group": GROUP,
        "publish_on": [FIRST_CA],
        "server": controller.address,
        "port": controller.port(LDAPS),
        "ca_file": controller.ca_file,
        "user": "Administrator@lab.example",
        "password": PASSWORD,
    }
    path = ROOT / "playbooks" / "certificate_template.yml"
    prefixed = {f"sfb_kb4023993_template_{key}": value for key, value in variables.items()}
    first, second = (runner.playbook(path, **prefixed) for _run in range(2))
    assert first.returncode == second.returncode == 0, first.stdout + first.stderr
    assert "changed=1" in first.stdout
    assert "changed=0" in second.stdout
    without = {key: value for key, value in prefixed.items() if not key.endswith("_server")}
    by_hand = runner.playbook(path, **without)
    assert by_hand.returncode == 0, by_hand.stdout
    assert "certtmpl.msc" in by_hand.stdout
    assert "Authenticated Users has Read and nothing else" in by_hand.stdout
    assert PASSWORD not in first.stdout + second.stdout + by_hand.stdout
