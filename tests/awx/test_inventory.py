# Copyright (c) 2026, the sfb.kb4023993 contributors
# GNU General Public License v3.0-or-later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The example of an inventory: its variables are ones that something reads, and the lab is audited by it.

Of each server the lab changes only the address, the account and the file of its CA; Kerberos, which it does not speak, becomes NTLM.
"""

from __future__ import annotations

import inspect
import json
import re
import subprocess
import typing as t
from pathlib import Path

import pytest
import winrm.protocol
import yaml
from ansible.plugins.loader import connection_loader
from integration.fleet import PLAYBOOK, ROOT, Fleet, Played
from lab.protocol.handler import Transport
from lab.protocol.inventory import Scheme
from lab.scenario import Scenario, parse

EXAMPLE = ROOT / "docs" / "examples" / "inventory.yml"
HOST_VARIABLES = {"sfb_kb4023993_pool", "sfb_kb4023993_edge_pool", "sfb_kb4023993_paired_pool"}
# What a lab on this machine cannot have as the example has it.
_OF_THE_LAB = re.compile(r"ansible_(host|port|user|\w+_path|psrp_ca_cert|ssh_executable)$")


class _Host(t.NamedTuple):
    group: str
    pool: str
    variables: dict[str, t.Any]


def read() -> dict[str, _Host]:
    """The hosts of the example with their group and variables, merged as Ansible merges them: nearer groups win."""
    found: dict[str, _Host] = {}

    def walk(name: str, group: dict[str, t.Any], kind: str, inherited: dict[str, t.Any]) -> None:
        variables = {**inherited, **(group.get("vars") or {})}
        kind = name if name in ("front_ends", "edges") else kind
        for host, own in (group.get("hosts") or {}).items():
            merged = {**variables, **(own or {})}
            found[host] = _Host(kind, merged["sfb_kb4023993_pool"], merged)
        for child, entries in (group.get("children") or {}).items():
            walk(child, entries, kind, variables)

    walk("all", yaml.safe_load(EXAMPLE.read_text("utf-8"))["all"], "", {})
    return found


def scenario() -> Scenario:
    """The same company for the lab: all with Web Server certificates and the May 2017 update."""
    each = {"product": "sfb2015", "os": "server2012r2", "dotnet": {"version": "4.5.2", "update": "KB4014512"}}
    pools: dict[str, t.Any] = {}
    servers: dict[str, t.Any] = {}
    for name, host in read().items():
        pool = host.pool.partition(".")[0]
        edge_pool = str(host.variables.get("sfb_kb4023993_edge_pool", "none")).partition(".")[0]
        edges = {"edge_pool": edge_pool} if edge_pool != "none" else {}
        pools[pool] = {"each": {**each, **({"role": "edge"} if host.group == "edges" else {})}, **edges}
        # The example has to tell the pools itself.
        servers[name] = {"pool": pool, "fqdn": name, "inventory": False}
    return parse({"pools": pools, "servers": servers}, name="example")


@pytest.fixture(scope="module")
def audited(start: t.Callable[..., Fleet]) -> tuple[Fleet, Played]:
    fleet = start(scenario())
    passwords = set()
    changed: dict[str, dict[str, t.Any]] = {}
    for name, host in read().items():
        kind = t.cast("Transport", host.variables["ansible_connection"])
        auth = host.variables.get("ansible_winrm_transport", "ntlm")
        scheme: Scheme = "http"
        if "https" in (host.variables.get("ansible_winrm_scheme"), host.variables.get("ansible_psrp_protocol")):
            scheme = "https"
        needed = fleet.lab.server.inventory_variables(name, kind, scheme=scheme, auth=auth)
        passwords.add(needed.get("ansible_password"))
        changed[name] = {key: value for key, value in needed.items() if _OF_THE_LAB.match(key)}
        if host.variables.get("ansible_psrp_auth") == "kerberos":
            changed[name]["ansible_psrp_auth"] = "ntlm"
    (password,) = passwords - {None}
    second = fleet.directory / "lab.yml"
    second.write_text(yaml.safe_dump({"all": {"hosts": changed}}), "utf-8")
    secrets = {"vault_front_end_password": password, "vault_edge_password": password}
    return fleet, fleet.play("audit", "-i", str(second), inventory=EXAMPLE, variables=secrets)


def test_every_server_of_the_example_is_read_and_judged(audited: tuple[Fleet, Played]) -> None:
    fleet, played = audited
    assert played.code == 0, played.output
    assert set(played.hosts) == set(fleet.names) == set(read())
    assert set(played.verdicts.values()) == {"broken"}, played.verdicts


def test_pools_are_known_from_the_example(audited: tuple[Fleet, Played]) -> None:
    _, played = audited
    assert {name: host["pool"] for name, host in played.hosts.items()} == {n: h.pool for n, h in read().items()}
    pairs = {(c["validator"], c["peer"]) for c in played.judgement["connections"]}
    assert ("fe01.contoso.example", "edge02.contoso.example") in pairs
    assert ("fe11.contoso.example", "edge11.contoso.example") in pairs
    assert ("fe01.contoso.example", "edge11.contoso.example") not in pairs
    # No Edge is used by se01, and the file says so.
    assert {peer for validator, peer in pairs if validator.startswith("se01")} == {"se01.contoso.example"}


def test_each_way_to_connect_is_there_once() -> None:
    ways = {
        tuple(
            host.variables.get(key)
            for key in ("ansible_connection", "ansible_psrp_auth", "ansible_winrm_transport", "ansible_winrm_scheme")
        )
        for host in read().values()
    }
    assert ways == {
        ("psrp", "kerberos", None, None),
        ("winrm", None, "ntlm", "http"),
        ("winrm", None, "ntlm", "https"),
        ("winrm", None, "basic", "https"),
        ("ssh", None, None, None),
    }


def test_every_variable_is_one_that_something_reads() -> None:
    # Beside what winrm names, Ansible hands every other ansible_winrm_* to pywinrm.
    handed_on = set(inspect.signature(winrm.protocol.Protocol.__init__).parameters)
    for host, entry in read().items():
        known = _known_to(entry.variables["ansible_connection"])
        if entry.variables["ansible_connection"] == "winrm":
            known |= {f"ansible_winrm_{word}" for word in handed_on}
        unknown = set(entry.variables) - known - HOST_VARIABLES - {"ansible_connection", "ansible_shell_type"}
        assert not unknown, (host, unknown)


def test_no_password_is_in_the_file() -> None:
    for entry in read().values():
        password = entry.variables.get("ansible_password")
        assert password is None or re.fullmatch(r"\{\{ vault_(front_end|edge)_password \}\}", password)


def test_the_inventory_is_what_ansible_reads() -> None:
    program = str(PLAYBOOK.with_name("ansible-inventory"))
    done = subprocess.run([program, "-i", str(EXAMPLE), "--list"], capture_output=True, text=True, check=True)
    listed = json.loads(done.stdout)["_meta"]["hostvars"]
    assert done.stderr == ""
    assert listed == {name: host.variables for name, host in read().items()}


def _known_to(connection: str) -> set[str]:
    connection_loader.get(connection, class_only=True)
    plugin = connection_loader.find_plugin_with_context(connection).plugin_resolved_path
    source = Path(plugin).read_text("utf-8")
    return set(re.findall(r"- name: (ansible_\w+)", source)) | {
        "ansible_host",
        "ansible_port",
        "ansible_user",
        "ansible_password",
    }
