# Copyright (c) 2026, the sfb.kb4023993 contributors
# GNU General Public License v3.0-or-later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The way to a host, asked from Ansible's own connection plugins with their options set as the executor sets them."""

from __future__ import annotations

import pathlib
import typing as t

import pytest
import yaml
from ansible.playbook.play_context import PlayContext
from ansible.plugins.loader import connection_loader
from ansible_collections.sfb.kb4023993.plugins.plugin_utils.controller_check.check import Check
from ansible_collections.sfb.kb4023993.plugins.plugin_utils.controller_check.fleet import Host, Signing, check_fleet
from ansible_collections.sfb.kb4023993.plugins.plugin_utils.controller_check.variables import check_way
from ansible_collections.sfb.kb4023993.plugins.plugin_utils.controller_check.way import Way, way_of
from ansible_collections.sfb.kb4023993.plugins.plugin_utils.task import inventory_facts

EXAMPLE: t.Final = pathlib.Path(__file__).parents[3] / "docs" / "examples" / "inventory.yml"
PASSWORD: t.Final = {"password": "any"}
PROXIES: t.Final = (
    "http_proxy",
    "https_proxy",
    "HTTP_PROXY",
    "HTTPS_PROXY",
    "no_proxy",
    "NO_PROXY",
    "all_proxy",
    "ALL_PROXY",
)


@pytest.fixture(autouse=True)
def _no_proxies(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in PROXIES:
        monkeypatch.delenv(name, raising=False)


def way(**variables: t.Any) -> Way:
    """The way of a host with these variables, without ``ansible_`` in their names."""
    given = {
        "inventory_hostname": "fe01.contoso.example",
        **{f"ansible_{key}": value for key, value in variables.items()},
    }
    context = PlayContext()
    context.shell = variables.get("shell_type", context.shell)
    connection = connection_loader.get(variables.get("connection", "ssh"), context, "/dev/null")
    extras = {key: value for key, value in given.items() if key.startswith(("ansible_winrm_", "ansible_psrp_"))}
    connection.set_options(var_options={**given, "_extras": extras})
    return way_of(connection, given)


def test_winrm_by_its_defaults() -> None:
    found = way(connection="winrm", host="fe01", user="Administrator", **PASSWORD)
    assert (found.address, found.port, found.scheme, found.path) == ("fe01", 5986, "https", "/wsman")
    assert found.methods == ("ssl",)
    assert found.windows
    assert found.verifies
    assert found.has_password
    assert (found.operation_timeout, found.read_timeout) == (20, 30)
    assert not found.delegates
    assert not found.managed_ticket
    assert {"ntlm", "kerberos", "credssp", "basic", "certificate"} <= found.known_methods


def test_winrm_takes_the_address_of_the_inventory_name_and_the_scheme_of_its_port() -> None:
    found = way(connection="winrm", port=5985, user="a")
    assert (found.address, found.scheme, found.methods) == ("fe01.contoso.example", "http", ("plaintext",))
    assert found.place == ("fe01.contoso.example", 5985, "wsman")


def test_winrm_takes_kerberos_for_a_principal() -> None:
    found = way(connection="winrm", user="a@CONTOSO.EXAMPLE", **PASSWORD)
    assert found.methods == ("kerberos",)
    assert found.managed_ticket
    assert found.ticket_program == "kinit"
    assert not way(connection="winrm", user="a@CONTOSO.EXAMPLE").managed_ticket
    assert not way(connection="winrm", user="a@B", **PASSWORD, winrm_kinit_mode="manual").managed_ticket


def test_what_winrm_hands_to_pywinrm() -> None:
    found = way(
        connection="winrm",
        winrm_transport="kerberos",
        winrm_server_cert_validation="ignore",
        winrm_ca_trust_path="/etc/ca.pem",
        winrm_kerberos_delegation="yes",
        winrm_message_encryption="never",
        winrm_read_timeout_sec="25",
        winrm_operation_timeout_sec=40,
        winrm_cert_pem="/a.pem",
        winrm_cert_key_pem="/a.key",
        winrm_server_cert_validaton="ignore",
    )
    assert not found.verifies
    assert found.ca_file == "/etc/ca.pem"
    assert found.delegates
    assert found.encryption == "never"
    assert (found.operation_timeout, found.read_timeout) == (40, 25)
    assert found.client_certificate == ("/a.pem", "/a.key")
    assert found.unknown == ("ansible_winrm_server_cert_validaton",)


def test_one_timeout_of_winrm_sets_both() -> None:
    found = way(connection="winrm", winrm_connection_timeout=60, winrm_read_timeout_sec=5)
    assert (found.operation_timeout, found.read_timeout) == (60, 70)


@pytest.mark.parametrize("options", [{"winrm_transport": "credssp"}, {"winrm_transport": "credssp,ntlm"}])
def test_credssp_delegates(options: dict[str, str]) -> None:
    assert way(connection="winrm", **options).delegates


def test_delegation_of_kerberos_counts_for_kerberos_alone() -> None:
    assert not way(connection="winrm", winrm_transport="ntlm", winrm_kerberos_delegation=True).delegates


@pytest.mark.parametrize(
    ("options", "name"),
    [
        ({"winrm_transport": "kerberos", "winrm_kerberos_delegation": "perhaps"}, "ansible_winrm_kerberos_delegation"),
        ({"winrm_read_timeout_sec": "half a minute"}, "read_timeout_sec"),
    ],
)
def test_values_that_no_connection_can_be_made_with(options: dict[str, str], name: str) -> None:
    with pytest.raises(ValueError, match=name):
        way(connection="winrm", **options)


def test_psrp_by_its_defaults() -> None:
    found = way(connection="psrp", user="a")
    assert (found.port, found.scheme, found.path, found.methods) == (5986, "https", "wsman", ("negotiate",))
    assert (found.operation_timeout, found.read_timeout) == (20, 30)
    assert found.windows
    assert found.verifies
    assert found.unknown == ()


def test_options_of_psrp() -> None:
    found = way(
        connection="psrp",
        port=5985,
        **PASSWORD,
        psrp_auth="credssp",
        psrp_cert_validation="ignore",
        psrp_ca_cert="/etc/ca.pem",
        psrp_message_encryption="always",
        psrp_read_timeout=10,
        psrp_reed_timeout=10,
    )
    assert (found.port, found.scheme, found.methods) == (5985, "http", ("credssp",))
    assert not found.verifies
    assert found.ca_file == "/etc/ca.pem"
    assert found.encryption == "always"
    assert found.read_timeout == 10
    assert found.delegates
    assert found.has_password
    assert found.unknown == ("ansible_psrp_reed_timeout",)
    assert way(connection="psrp", psrp_negotiate_delegate=True).delegates


def test_ssh_with_and_without_a_windows_shell() -> None:
    unix, windows = way(), way(connection="ssh", shell_type="powershell", host="se01", port=2222, user="a")
    assert (unix.connection, unix.windows, "ansible_connection" in unix.sets) == ("ssh", False, False)
    assert (windows.connection, windows.windows, windows.address, windows.port) == ("ssh", True, "se01", 2222)


def test_local_is_what_it_is() -> None:
    found = way(connection="local")
    assert (found.connection, found.windows) == ("local", False)


def test_a_proxy_of_the_environment_counts_unless_the_host_is_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", "http://proxy.contoso.example:3128")
    assert way(connection="winrm", port=5985).proxy == "http://proxy.contoso.example:3128"
    assert way(connection="psrp", port=5985).proxy == "http://proxy.contoso.example:3128"
    assert not way(connection="winrm", port=5985).over_http
    assert not way(connection="winrm", port=5986).proxy
    assert not way(connection="winrm", port=5985, winrm_proxy=None).proxy
    assert not way(connection="psrp", port=5985, psrp_ignore_proxy=True).proxy
    monkeypatch.setenv("no_proxy", ".contoso.example")
    assert not way(connection="winrm", port=5985).proxy


def test_a_proxy_of_the_connection_counts() -> None:
    assert (
        way(connection="psrp", psrp_proxy="http://p:1").proxy == way(connection="winrm", winrm_proxy="http://p:1").proxy
    )


def _example() -> dict[str, dict[str, t.Any]]:
    """The variables of each host of the example in the documentation."""
    found: dict[str, dict[str, t.Any]] = {}

    def walk(group: dict[str, t.Any], inherited: dict[str, t.Any]) -> None:
        variables = {**inherited, **(group.get("vars") or {})}
        for name, own in (group.get("hosts") or {}).items():
            found[name] = {"inventory_hostname": name, **variables, **(own or {})}
        for child in (group.get("children") or {}).values():
            walk(child, variables)

    walk(yaml.safe_load(EXAMPLE.read_text("utf-8"))["all"], {})
    return found


def test_the_example_of_the_documentation_is_sound() -> None:
    hosts, checks = [], list[Check]()
    for name, variables in _example().items():
        ours = {key.removeprefix("ansible_"): value for key, value in variables.items() if key.startswith("ansible_")}
        found = way(**{"host": name, **ours})
        checks += check_way(name, found, exists=lambda _path: True)
        hosts.append(
            Host(
                name=name,
                facts=inventory_facts(variables),
                names=frozenset(variables),
                place=found.place,
                delegates=found.delegates,
            )
        )
    assert len(hosts) >= 8
    assert [*checks, *check_fleet(hosts, Signing())] == []
