# Copyright (c) 2026, the sfb.kb4023993 contributors
# GNU General Public License v3.0-or-later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The controller check against the lab: each failure of a first contact is really there, and is said at its stage with its remedy."""

from __future__ import annotations

import contextlib
import datetime
import json
import socket
import threading
import typing as t
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import yaml
from integration.fleet import Fleet, Played
from lab.protocol import Fault
from lab.protocol.tls import ServerCertificate, make_certificate
from lab.scenario import parse

PREFIX: t.Final = "KB4023993-CTRL-"
_WRONG: t.Final = "Another-Password-4711"
EACH: t.Final = {"product": "sfb2015", "os": "server2012r2", "dotnet": {"version": "4.5.2", "update": "KB4014512"}}


@dataclass(frozen=True, kw_only=True)
class Case:
    """One host with something wrong: the check that fails, and words of what is said and of what is to be done."""

    check: str
    what: str
    step: str
    connection: str = "winrm http ntlm"
    quirks: dict[str, t.Any] = field(default_factory=dict)
    faults: tuple[Fault, ...] = ()
    variables: dict[str, t.Any] = field(default_factory=dict)
    without: tuple[str, ...] = ()


# What stands in braces is filled in by the fixture: ports and files of the running lab.
ILL: t.Final = {
    "no-name": Case(
        variables={"ansible_host": "fe01.invalid"}, check="CONTACT-NAME", what="fe01.invalid", step="set ansible_host"
    ),
    "closed": Case(quirks={"unreachable": True}, check="CONTACT-PORT", what="refuses connections", step="quickconfig"),
    "other-path": Case(
        variables={"ansible_winrm_path": "/nowhere"}, check="CONTACT-PORT", what="HTTP 404", step="ansible_winrm_path"
    ),
    "wrong-port": Case(
        variables={"ansible_port": "{silent_port}"}, check="CONTACT-TLS", what="is not WinRM", step="Check the port"
    ),
    "http-on-https": Case(
        variables={"ansible_port": "{http_port}"},
        connection="winrm https ntlm",
        check="CONTACT-TLS",
        what="speaks plain HTTP, and the connection is set to https",
        step="ansible_winrm_scheme to http",
    ),
    "https-on-http": Case(
        variables={"ansible_port": "{https_port}"},
        check="CONTACT-TLS",
        what="speaks HTTPS, and the connection is set to http",
        step="ansible_winrm_scheme to https",
    ),
    "untrusted": Case(
        without=("ansible_winrm_ca_trust_path",),
        connection="winrm https ntlm",
        check="CONTACT-TLS",
        what="self-signed",
        step="ansible_winrm_ca_trust_path",
    ),
    "untrusted-psrp": Case(
        without=("ansible_psrp_ca_cert",),
        connection="psrp https ntlm",
        check="CONTACT-TLS",
        what="self-signed",
        step="ansible_psrp_ca_cert",
    ),
    "expired": Case(
        variables={"ansible_port": "{expired_port}", "ansible_winrm_ca_trust_path": "{expired_file}"},
        connection="winrm https ntlm",
        check="CONTACT-TLS",
        what="is over, since",
        step="new certificate",
    ),
    "other-name": Case(
        variables={"ansible_port": "{other_port}", "ansible_winrm_ca_trust_path": "{other_file}"},
        connection="winrm https ntlm",
        check="CONTACT-TLS",
        what="not for 127.0.0.1, but for other.contoso.example",
        step="Set ansible_host to a name of the certificate",
    ),
    "wrong-password": Case(
        variables={"ansible_password": _WRONG},
        check="CONTACT-AUTH",
        what="refuses the account",
        step="ansible_password",
    ),
    "wrong-password-psrp": Case(
        variables={"ansible_password": _WRONG},
        connection="psrp http ntlm",
        check="CONTACT-AUTH",
        what="refuses the account",
        step="ansible_password",
    ),
    "no-basic": Case(
        connection="winrm http basic",
        quirks={"no_basic": True},
        # An account without a domain, as Basic needs it.
        variables={"ansible_user": "Administrator"},
        check="CONTACT-AUTH",
        what="Basic authentication is not allowed over HTTP",
        step="ansible_winrm_transport to ntlm",
    ),
    "ssh-user": Case(
        connection="ssh",
        variables={"ansible_user": "somebody"},
        check="CONTACT-AUTH",
        what="sshd of the host refuses",
        step="administrators_authorized_keys",
    ),
    "ssh-refused": Case(
        connection="ssh",
        faults=(Fault(stage="connect", kind="refuse"),),
        check="CONTACT-PORT",
        what="Nothing listens on the port of sshd",
        step="Start the service sshd",
    ),
    "too-many-shells": Case(
        faults=(Fault(stage="create", kind="http_error"),),
        check="CONTACT-POWERSHELL",
        what="quota",
        step="MaxShellsPerUser",
    ),
    "too-many-shells-psrp": Case(
        connection="psrp http ntlm",
        faults=(Fault(stage="create", kind="http_error"),),
        check="CONTACT-POWERSHELL",
        what="quota",
        step="MaxShellsPerUser",
    ),
    "denied": Case(
        faults=(Fault(stage="create", kind="http_error", code=5),),
        check="CONTACT-RIGHTS",
        what="denies it access to WinRM",
        step="LocalAccountTokenFilterPolicy",
    ),
    "constrained": Case(
        quirks={"constrained_language": True},
        check="CONTACT-POWERSHELL",
        what="constrained language mode",
        step="Allow-list batch.ps1",
    ),
    "too-old": Case(
        quirks={"powershell_too_old": True},
        check="CONTACT-POWERSHELL",
        what="PowerShell 1.0",
        step="Install PowerShell 2.0",
    ),
    "in-32-bit": Case(
        quirks={"process_32_bit": True}, check="CONTACT-POWERSHELL", what="32-bit", step="64-bit endpoint"
    ),
    "cut": Case(
        faults=(Fault(stage="receive", kind="cut", keep_bytes=300),),
        check="CONTACT-POWERSHELL",
        what="ends in the middle",
        step="MaxMemoryPerShellMB",
    ),
    "garbled": Case(
        faults=(Fault(stage="receive", kind="garble", garbling="inside"),),
        check="CONTACT-POWERSHELL",
        what="",
        step="Something else prints",
    ),
    "not-elevated": Case(
        quirks={"not_elevated": True},
        check="CONTACT-RIGHTS",
        what="no full administrator's token",
        step="LocalAccountTokenFilterPolicy=1",
    ),
    "become": Case(
        variables={"ansible_become": True, "ansible_become_method": "runas", "ansible_become_user": "SYSTEM"},
        check="BECOME",
        what="become is set",
        step="Remove ansible_become",
    ),
    "local": Case(
        variables={"ansible_connection": "local"}, check="CONNECTION", what="is local", step="Set ansible_connection"
    ),
    "no-connection": Case(
        without=("ansible_connection",),
        check="CONNECTION",
        what="ansible_connection is not set",
        step="Set ansible_connection to winrm or psrp",
    ),
    "misspelt-way": Case(
        variables={"ansible_winrm_transport": "nltm"}, check="TRANSPORT", what="ntlm may be meant", step="ntlm"
    ),
    "misspelt-connection": Case(
        variables={"ansible_connection": "winrn"}, check="CONTACT-LEFT-OUT", what="winrn", step="Correct"
    ),
    "no-library": Case(
        variables={"ansible_winrm_transport": "credssp"},
        check="LIBRARY",
        what="requests-credssp, needed for winrm with credssp, is not there",
        step="pywinrm[credssp]",
    ),
    "timeouts": Case(
        variables={"ansible_winrm_read_timeout_sec": 20, "ansible_winrm_operation_timeout_sec": 30},
        check="TIMEOUTS",
        what="is not longer than the operation timeout",
        step="ansible_winrm_read_timeout_sec",
    ),
}
WELL: t.Final = {
    "well": "winrm http ntlm",
    "well-psrp": "psrp https ntlm",
    "well-ssh": "ssh",
    "noise": "winrm http ntlm",
}
STAGES: t.Final = (
    "CONTACT-NAME",
    "CONTACT-PORT",
    "CONTACT-TLS",
    "CONTACT-AUTH",
    "CONTACT-POWERSHELL",
    "CONTACT-RIGHTS",
)


@dataclass(frozen=True, kw_only=True)
class Checked:
    """The run over hosts of which each has something wrong, but for a few."""

    played: Played
    checks: list[dict[str, t.Any]]
    unchanged: bool
    asked: dict[str, dict[str, int]]

    def of(self, host: str, *statuses: str) -> list[dict[str, t.Any]]:
        return [check for check in self.checks if host in check["where"] and check["status"] in statuses]


def checks_in(directory: Path) -> list[dict[str, t.Any]]:
    found: list[dict[str, t.Any]] = json.loads((directory / "controller_check.json").read_text("utf-8"))["checks"]
    return found


@pytest.fixture(scope="module")
def silent_port() -> t.Iterator[int]:
    """A port that takes connections and closes them, as a service that is not WinRM."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            with contextlib.suppress(OSError):
                while True:
                    server.accept()[0].close()

        threading.Thread(target=serve, daemon=True).start()
        yield server.getsockname()[1]


@pytest.fixture(scope="module")
def checked(start: t.Callable[..., Fleet], silent_port: int) -> Checked:
    cases: dict[str, tuple[str, dict[str, t.Any]]] = {
        name: (case.connection, case.quirks) for name, case in ILL.items()
    }
    cases |= {name: (connection, {}) for name, connection in WELL.items()}
    servers = {
        name: {**EACH, "pool": name, "connection": connection, "quirks": quirks}
        for name, (connection, quirks) in cases.items()
    }
    fleet = start(parse({"pools": {name: {} for name in servers}, "servers": servers}))
    places = _places(fleet, silent_port)
    inventory = yaml.safe_load(fleet.inventory.read_text("utf-8"))
    hosts = inventory["all"]["hosts"]
    for name, case in ILL.items():
        fleet.lab.set_faults(name, case.faults)
        filled = {
            key: value.format(**places) if isinstance(value, str) else value for key, value in case.variables.items()
        }
        hosts[name] = {key: value for key, value in {**hosts[name], **filled}.items() if key not in case.without}
    fleet.lab.set_faults("noise", [Fault(stage="receive", kind="garble", garbling="before")])
    hosts["by-hand"] = {"sfb_kb4023993_offline": True}
    fleet.inventory.write_text(yaml.safe_dump(inventory), "utf-8")
    before = fleet.registries()
    directory = fleet.directory / "report"
    played = fleet.play(
        "controller_check", variables={"sfb_kb4023993_report_dir": str(directory)}, environment={"ANSIBLE_FORKS": "20"}
    )
    return Checked(
        played=played,
        checks=checks_in(directory),
        unchanged=fleet.registries() == before,
        asked=fleet.lab.counters(),
    )


def _places(fleet: Fleet, silent_port: int) -> dict[str, t.Any]:
    """Where a host of the lab can be sent to find trouble."""
    server = fleet.lab.server
    endpoints = server.endpoints

    def listener(folder: str, **options: t.Any) -> tuple[int, ServerCertificate]:
        directory = fleet.directory / folder
        directory.mkdir()
        certificate = make_certificate(directory, **options)
        return server.add_https(certificate), certificate

    expired_port, expired = listener("expired", address="127.0.0.1", ended=datetime.timedelta(days=3))
    other_port, other = listener("other", address="", name="other.contoso.example")
    return {
        "silent_port": silent_port,
        "http_port": endpoints.http_port,
        "https_port": endpoints.https_port,
        "expired_port": expired_port,
        "expired_file": expired.certificate_path,
        "other_port": other_port,
        "other_file": other.certificate_path,
    }


@pytest.mark.matrix
@pytest.mark.parametrize("name", ILL)
def test_each_failure_is_said_at_its_stage_with_its_remedy(checked: Checked, name: str) -> None:
    case = ILL[name]
    (check,) = checked.of(name, "failed")
    assert check["id"] == PREFIX + case.check, check
    assert case.what in check["what"]
    assert case.step in check["next_step"]


@pytest.mark.parametrize("name", [name for name, case in ILL.items() if case.check in STAGES])
def test_no_stage_after_the_one_that_failed_is_called_good(checked: Checked, name: str) -> None:
    failed = STAGES.index(ILL[name].check)
    passed = {check["id"].removeprefix(PREFIX) for check in checked.of(name, "ok")}
    assert not passed & set(STAGES[failed:]), passed


@pytest.mark.matrix
@pytest.mark.parametrize("name", WELL)
def test_hosts_with_nothing_wrong_pass_every_stage(checked: Checked, name: str) -> None:
    assert not checked.of(name, "failed", "warning")
    passed = {check["id"].removeprefix(PREFIX) for check in checked.of(name, "ok")}
    assert {"CONTACT-AUTH", "CONTACT-POWERSHELL", "CONTACT-RIGHTS", "CLOCK"} <= passed


@pytest.mark.matrix
def test_exactly_the_hosts_with_a_failed_check_fail_after_the_report(
    checked: Checked, record_property: t.Callable[[str, object], None]
) -> None:
    assert checked.played.code == 2
    assert checked.played.failed == set(ILL)
    report, _task, after = checked.played.output.partition("Fail the hosts with a failed check")
    assert f"Controller check: {len(_failed(checked))} failed" in report
    assert after
    record_property(
        "figure", f"controller_check named {len(ILL)} hosts with something wrong each, all at the right stage"
    )


def _failed(checked: Checked) -> list[dict[str, t.Any]]:
    return [check for check in checked.checks if check["status"] == "failed"]


def test_the_report_reads_like_the_results(checked: Checked) -> None:
    words = " ".join(checked.played.output.split())
    for check in checked.checks:
        assert check["id"] in words
        assert " ".join(check["what"].split()) in words
        assert not check["next_step"] or f"Next: {' '.join(check['next_step'].split())}" in words


def test_no_password_and_no_traceback_is_shown(checked: Checked) -> None:
    assert "Traceback" not in checked.played.output
    assert _WRONG not in json.dumps(checked.checks) + checked.played.output


def test_nothing_on_a_host_is_changed(checked: Checked) -> None:
    assert checked.unchanged
    assert checked.played.changed == set()


def test_a_host_that_is_read_by_hand_is_left_out(checked: Checked) -> None:
    (left_out,) = [check for check in checked.of("by-hand", "ok") if check["id"] == f"{PREFIX}CONTACT-LEFT-OUT"]
    assert "no connection is made" in left_out["what"]


def test_hosts_with_a_wrong_variable_are_not_asked(checked: Checked) -> None:
    for name in ("become", "misspelt-way", "timeouts"):
        assert checked.asked.get(name, {}).get("connections", 0) == 0


@pytest.fixture(scope="module")
def healthy(start: t.Callable[..., Fleet]) -> tuple[Played, list[dict[str, t.Any]], set[str]]:
    """The fleet of the demonstration: all products, several languages, and a server without the product."""
    fleet = start("demo")
    directory = fleet.directory / "report"
    # One of its Edge servers is out of reach on purpose.
    limit = ("--limit", "!sfb-edge02")
    played = fleet.play("controller_check", *limit, variables={"sfb_kb4023993_report_dir": str(directory)})
    return played, checks_in(directory), set(fleet.names) - {"sfb-edge02"}


def test_a_healthy_fleet_has_no_failed_check(healthy: tuple[Played, list[dict[str, t.Any]], set[str]]) -> None:
    played, checks, names = healthy
    assert played.code == 0, played.output
    assert played.failed == played.changed == set()
    assert {check["status"] for check in checks} <= {"ok", "warning"}
    reached = {name for check in checks if check["id"] == f"{PREFIX}CONTACT-RIGHTS" for name in check["where"]}
    assert reached == names


def test_a_host_that_hangs_is_given_up_and_named(start: t.Callable[..., Fleet]) -> None:
    servers = {name: {**EACH, "pool": name} for name in ("hangs", "well")}
    fleet = start(parse({"pools": {name: {} for name in servers}, "servers": servers}))
    fleet.lab.set_faults("hangs", [Fault(stage="receive", kind="delay", seconds=60)])
    directory = fleet.directory / "report"
    played = fleet.play(
        "controller_check",
        variables={"sfb_kb4023993_report_dir": str(directory), "controller_check_timeout": 3},
    )
    assert played.failed == {"hangs"}
    (check,) = [check for check in checks_in(directory) if check["status"] == "failed"]
    assert check["id"] == f"{PREFIX}CONTACT-POWERSHELL"
    assert check["where"] == ["hangs"]
    assert "hung" in check["what"]
    assert "within 3 seconds" in check["what"]
