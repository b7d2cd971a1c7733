# Copyright (c) 2026, the sfb.kb4023993 contributors
# GNU General Public License v3.0-or-later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A running lab: reached over WinRM, looked at through its control port, started from the command line."""

from __future__ import annotations

import base64
import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
import typing as t
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
import winrm
import yaml
from ansible_collections.sfb.kb4023993.plugins.plugin_utils.host import operations as op
from ansible_collections.sfb.kb4023993.plugins.plugin_utils.host import wire
from lab import client
from lab.protocol import Fault
from lab.running import Lab
from lab.scenario import parse

NONCE = "00112233445566ff"
TESTS = Path(__file__).parents[1]


@pytest.fixture
def lab(tmp_path: Path) -> Iterator[Lab]:
    with Lab("small", run_directory=tmp_path / "run") as running:
        yield running


def over_winrm(variables: dict[str, t.Any], operations: tuple[op.Operation, ...]) -> tuple[wire.Reply, ...]:
    """One batch as pywinrm sends it, with the variables of an inventory."""
    command = client.invocation("any", operations, nonce=NONCE)
    encoded = base64.b64encode(command.script.encode("utf-16-le")).decode("ascii")
    scheme, port = variables["ansible_winrm_scheme"], variables["ansible_port"]
    protocol = winrm.Protocol(
        f"{scheme}://{variables['ansible_host']}:{port}{variables['ansible_winrm_path']}",
        transport=variables["ansible_winrm_transport"],
        username=variables["ansible_user"],
        password=variables["ansible_password"],
        ca_trust_path=variables.get("ansible_winrm_ca_trust_path"),
    )
    shell = protocol.open_shell(codepage=65001)
    command_line = f"PowerShell -NoProfile -NonInteractive -EncodedCommand {encoded}"
    number = protocol.run_command(shell, command_line, console_mode_stdin=False)
    protocol.send_command_input(shell, number, command.stdin.encode("ascii"), end=True)
    stdout, _stderr, code = protocol.get_command_output(shell, number)
    protocol.cleanup_command(shell, number)
    protocol.close_shell(shell)
    assert code == 0
    replies, failure = wire.decode_reply(stdout.decode("ascii"), operations, nonce=NONCE)
    assert failure is None
    return replies


def hosts(inventory: Path) -> dict[str, dict[str, t.Any]]:
    return t.cast("dict[str, dict[str, t.Any]]", yaml.safe_load(inventory.read_text())["all"]["hosts"])


def control(port: int, path: str, body: object = None) -> t.Any:
    data = None if body is None else json.dumps(body).encode()
    with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", data=data, timeout=10) as answer:
        return json.load(answer)


def test_servers_answer_over_winrm_with_the_variables_of_the_inventory(lab: Lab, tmp_path: Path) -> None:
    found = hosts(lab.inventory(tmp_path))
    assert (found["fe01"]["ansible_winrm_scheme"], found["edge01"]["ansible_winrm_scheme"]) == ("http", "https")
    for name, variables in found.items():
        system, services = over_winrm(variables, (op.System(), op.Services(names=("RTCDATAMCU",))))
        assert system.value.computer_name == name.upper()
        assert services.value.services[0].exists is name.startswith("fe")
    assert lab.counters()["fe01"]["commands"] == 1
    lab.reset_counters()
    assert lab.counters()["fe01"]["commands"] == 0


def test_a_change_shows_in_the_registry_of_the_control_port(lab: Lab, tmp_path: Path) -> None:
    port = lab.server.endpoints.control_port
    before = control(port, "/hosts/fe01/registry")
    others = lab.registries()
    write = op.RegistrySet(path=r"SOFTWARE\Contoso", name="x", kind="dword", data=("1",))
    over_winrm(hosts(lab.inventory(tmp_path))["fe01"], (write,))
    after = control(port, "/hosts/fe01/registry")
    assert after.pop(r"SOFTWARE\Contoso") == {"x": ["dword", 1]}
    assert after == before
    assert {name for name, dump in lab.registries().items() if dump != others[name]} == {"fe01"}


def test_the_clock_can_be_advanced_from_outside(lab: Lab) -> None:
    host = lab.host("fe01")
    before = host.now()
    control(lab.server.endpoints.control_port, "/clock/advance", {"seconds": 3600})
    assert 3600 <= (host.now() - before).total_seconds() < 3660
    with pytest.raises(urllib.error.HTTPError) as caught:
        control(lab.server.endpoints.control_port, "/clock/advance", {"seconds": -1})
    with caught.value as answer:
        assert "only goes forward" in json.load(answer)["error"]


def test_faults_reach_the_protocol(lab: Lab, tmp_path: Path) -> None:
    variables = hosts(lab.inventory(tmp_path))["fe01"]
    lab.set_faults("fe01", [Fault(stage="receive", kind="cut", keep_bytes=100, times=1)])
    with pytest.raises(wire.ReplyError, match="without its end marker"):
        over_winrm(variables, (op.System(),))
    assert over_winrm(variables, (op.System(),))[0].error is None


def test_the_inventory_holds_groups_and_what_the_scenario_tells_of_the_topology(tmp_path: Path) -> None:
    scenario = parse(
        {
            "pools": {
                "p": {"edge_pool": "e", "paired_pool": "q", "each": {"product": "sfb2015", "os": "server2016"}},
                "q": {"paired_pool": "p", "each": {"product": "lync2013", "os": "server2012", "inventory": False}},
                "e": {"each": {"product": "sfb2015", "os": "server2016", "role": "edge"}},
            },
            "servers": {
                "a": {"pool": "p"},
                "b": {"pool": "q"},
                "c": {"pool": "e", "quirks": {"unreachable": True}},
                "d": {"role": "none", "os": "server2016", "connection": "psrp https ntlm"},
            },
        }
    )
    with Lab(scenario) as lab:
        path = lab.inventory(tmp_path)
        assert path.stat().st_mode & 0o077 == 0
        document = yaml.safe_load(path.read_text())["all"]
        groups = {name: sorted(group["hosts"]) for name, group in document["children"].items()}
        assert groups == {
            "sfb2015": ["a", "c"],
            "lync2013": ["b"],
            "front_ends": ["a", "b"],
            "edges": ["c"],
            "others": ["d"],
            "pool_p": ["a"],
            "pool_q": ["b"],
            "pool_e": ["c"],
        }
        ours = {n: {k: v for k, v in row.items() if k.startswith("sfb_")} for n, row in document["hosts"].items()}
        assert ours == {
            "a": {
                "sfb_kb4023993_pool": "p.contoso.example",
                "sfb_kb4023993_edge_pool": "e.contoso.example",
                "sfb_kb4023993_paired_pool": "q.contoso.example",
            },
            "b": {},
            "c": {"sfb_kb4023993_pool": "e.contoso.example"},
            "d": {},
        }
        assert document["hosts"]["d"]["ansible_connection"] == "psrp"
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.1", document["hosts"]["c"]["ansible_port"]), timeout=5)
        overridden = hosts(lab.inventory(tmp_path, connection="psrp", scheme="http", auth="basic"))
        assert {row["ansible_connection"] for row in overridden.values()} == {"psrp"}


def run_module(*arguments: str) -> subprocess.Popen[str]:
    paths = os.pathsep.join((str(TESTS), str(TESTS.parent / "playbooks" / "collections")))
    return subprocess.Popen(
        [sys.executable, "-m", "lab", *arguments],
        env={**os.environ, "PYTHONPATH": paths},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_the_command_runs_until_it_is_told_to_end(tmp_path: Path, number: signal.Signals) -> None:
    ready = tmp_path / "ready"
    directory = tmp_path / "lab"
    process = run_module("--scenario", "small", "--directory", str(directory), "--background-ready-file", str(ready))
    try:
        end = time.monotonic() + 60
        while not ready.exists() and process.poll() is None and time.monotonic() < end:
            time.sleep(0.05)
        assert ready.exists()
        assert set(hosts(directory / "inventory.yml")) == {"fe01", "fe02", "edge01"}
        inventory, control = ready.read_text("utf-8").splitlines()
        assert inventory == str(directory / "inventory.yml")
        process.send_signal(number)
        stdout, stderr = process.communicate(timeout=30)
    finally:
        process.kill()
    assert process.returncode == 0
    assert stderr == ""
    assert str(directory / "inventory.yml") in stdout
    assert re.search(rf"^ +control +{re.escape(control)}$", stdout, re.MULTILINE)
    assert "SIGTERM" in stdout


def test_the_command_explains_a_scenario_that_it_cannot_play(tmp_path: Path) -> None:
    scenario = tmp_path / "mine.yml"
    scenario.write_text("servers: {a: {os: server2003, role: none}}\n")
    process = run_module("--scenario", str(scenario), "--directory", str(tmp_path))
    _stdout, stderr = process.communicate(timeout=60)
    assert process.returncode == 2
    assert "mine: server a: os cannot be 'server2003'; choose one of server2008r2" in stderr
