# Copyright (c) 2026, the sfb.kb4023993 contributors
# GNU General Public License v3.0-or-later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Nothing is hidden: whatever is wrong with one host is said of that host, and all others are judged."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, field

import pytest
import yaml
from integration.fleet import Fleet, Played
from lab.protocol import Fault
from lab.scenario import parse


@dataclass(frozen=True, kw_only=True)
class Case:
    """One host with something wrong, and what has to be said of it."""

    reason: str
    advice: str
    quirks: dict[str, t.Any] = field(default_factory=dict)
    faults: tuple[Fault, ...] = ()
    variables: dict[str, t.Any] = field(default_factory=dict)
    connection: str = "winrm http basic"


_UP = "Check that the server is up"
_LOST = "Look whether the server or its service WinRM was restarted"
_LOGIN = "Check user and password"
_OTHER_OUTPUT = "Something else prints into the session"

# By host name. Each has the same bad certificate, so each would be "broken" if it could be read.
ILL = {
    "unreachable": Case(quirks={"unreachable": True}, reason="Connection refused", advice=_UP),
    "refuses": Case(faults=(Fault(stage="connect", kind="refuse"),), reason="closed in the middle", advice=_LOST),
    "error-500": Case(
        faults=(Fault(stage="create", kind="http_error"),),
        reason="MaxShellsPerUser (error 2150859173)",
        advice="raise the quota",
    ),
    "error-500-psrp": Case(
        faults=(Fault(stage="create", kind="http_error"),),
        reason="MaxShellsPerUser (error 2150859173)",
        advice="raise the quota",
        connection="psrp http basic",
    ),
    "goes-away": Case(faults=(Fault(stage="receive", kind="disconnect"),), reason="closed in the middle", advice=_LOST),
    "cut": Case(
        faults=(Fault(stage="receive", kind="cut", keep_bytes=3000),),
        reason="without its end marker",
        advice="Check the quotas of WinRM",
    ),
    "silent": Case(
        faults=(Fault(stage="receive", kind="cut", keep_bytes=0),), reason="exit code 0", advice="again with -vvvv"
    ),
    "garbled": Case(
        faults=(Fault(stage="receive", kind="garble", garbling="inside"),),
        reason="reading the server",
        advice=_OTHER_OUTPUT,
    ),
    "twice": Case(
        faults=(Fault(stage="receive", kind="garble", garbling="twice"),),
        reason="more than one reply",
        advice=_OTHER_OUTPUT,
    ),
    "locked-out": Case(faults=(Fault(stage="connect", kind="auth"),), reason="credentials", advice=_LOGIN),
    "wrong-password": Case(variables={"ansible_password": "not it"}, reason="credentials", advice=_LOGIN),
    "wrong-password-psrp": Case(
        variables={"ansible_password": "not it"}, reason="authenticate", advice=_LOGIN, connection="psrp http basic"
    ),
    "constrained": Case(
        quirks={"constrained_language": True}, reason="constrained language mode", advice="Allow-list batch.ps1"
    ),
    "too-old": Case(quirks={"powershell_too_old": True}, reason="PowerShell 1.0", advice="Install PowerShell 2.0"),
    "in-32-bit": Case(quirks={"process_32_bit": True}, reason="32-bit", advice="Use the 64-bit endpoint"),
    "not-elevated": Case(
        quirks={"not_elevated": True}, reason="administrator", advice="LocalAccountTokenFilterPolicy=1"
    ),
    "become": Case(
        variables={"ansible_become": True, "ansible_become_method": "runas", "ansible_become_user": "SYSTEM"},
        reason="become is set",
        advice="Remove become",
    ),
    "linux": Case(
        variables={"ansible_connection": "local"},
        reason="not one to a Windows server",
        advice="Point sfb_kb4023993_hosts at your Windows servers",
    ),
}
WELL = {"well", "well-psrp", "noise-before"}
# Something else prints, but the answer is there whole.
DISTURBED = {"noise-before": Fault(stage="receive", kind="garble", garbling="before")}
EACH = {"product": "sfb2015", "os": "server2012r2", "dotnet": {"version": "4.5.2", "update": "KB4014512"}}


@dataclass(frozen=True, kw_only=True)
class Audited:
    played: Played
    counters: dict[str, dict[str, int]]


@pytest.fixture(scope="module")
def audited(start: t.Callable[..., Fleet]) -> Audited:
    servers: dict[str, t.Any] = {name: {**EACH, "pool": name, "connection": "winrm http basic"} for name in WELL}
    servers["well-psrp"]["connection"] = "psrp http basic"
    for name, case in ILL.items():
        servers[name] = {**EACH, "pool": name, "connection": case.connection, "quirks": case.quirks}
    fleet = start(parse({"pools": {name: {} for name in servers}, "servers": servers}))
    inventory = yaml.safe_load(fleet.inventory.read_text("utf-8"))
    for name, case in ILL.items():
        fleet.lab.set_faults(name, case.faults)
        inventory["all"]["hosts"][name].update(case.variables)
    for name, fault in DISTURBED.items():
        fleet.lab.set_faults(name, [fault])
    fleet.inventory.write_text(yaml.safe_dump(inventory), "utf-8")
    return Audited(played=fleet.play("audit"), counters=fleet.lab.counters())


@pytest.mark.matrix
def test_one_ill_host_does_not_end_the_run(audited: Audited) -> None:
    assert audited.played.code == 0, audited.played.output
    assert audited.played.failed == set()
    assert set(audited.played.hosts) == set(ILL) | WELL


@pytest.mark.matrix
@pytest.mark.parametrize("name", sorted(WELL))
def test_all_others_are_judged(audited: Audited, name: str) -> None:
    assert audited.played.verdicts[name] == "broken"


@pytest.mark.matrix
@pytest.mark.parametrize("name", ILL)
def test_ill_host_is_not_assessed_with_its_own_reason_and_advice(audited: Audited, name: str) -> None:
    assert audited.played.verdicts[name] == "not_assessed"
    (finding,) = audited.played.findings(name).values()
    assert finding["id"] == "KB4023993-NOT-ASSESSED"
    assert ILL[name].reason in " ".join(finding["evidence"])
    assert ILL[name].advice in finding["next_step"]


def test_text_report_names_every_host_that_was_not_assessed(audited: Audited) -> None:
    section = audited.played.output.partition("Not assessed\n")[2]
    missing = {name for name, verdict in audited.played.verdicts.items() if verdict == "not_assessed"}
    assert len(missing) > 10
    assert [name for name in missing if f"\n  {name}: " not in f"\n{section}"] == []


def test_no_python_traceback_reaches_the_user(audited: Audited) -> None:
    assert "Traceback" not in audited.played.output
    assert "MODULE FAILURE" not in audited.played.output


def test_become_and_foreign_hosts_are_refused_before_anything_is_sent(audited: Audited) -> None:
    # Many other hosts were asked in vain; these were not asked at all.
    assert audited.counters["not-elevated"]["connections"] > 0
    for name in ("become", "linux"):
        assert set(audited.counters[name].values()) == {0}


@pytest.fixture(scope="module")
def cmdlets(start: t.Callable[..., Fleet]) -> Played:
    """Front Ends and an Edge whose product does not tell its certificates, each for another reason."""
    edge = {**EACH, "role": "edge", "pool": "edge"}
    servers: dict[str, t.Any] = {
        "denied": {**EACH, "pool": "denied", "quirks": {"denied_cmdlets": ["Get-CsCertificate", "Get-CsTopology"]}},
        "missing": {**EACH, "pool": "missing", "quirks": {"no_lync_module": True}},
        "dies": {**EACH, "pool": "dies"},
        "fine": {**EACH, "pool": "fine"},
        "edge-denied": {**edge, "quirks": {"denied_cmdlets": ["Get-CsCertificate"]}},
        "deaf": {**EACH, "pool": "deaf", "quirks": {"no_lync_module": True, "closed_ports": [5061]}},
    }
    pools = {server["pool"]: {"edge_pool": "edge"} for server in servers.values() if server["pool"] != "edge"}
    fleet = start(parse({"pools": {**pools, "edge": {}}, "servers": servers}))
    _let_the_second_command_die(fleet, "dies")
    return fleet.play("audit")


def _let_the_second_command_die(fleet: Fleet, name: str) -> None:
    """The shell's process ends while the product's module loads, as under a small memory quota: after the first batch."""
    host = fleet.lab.host(name)
    system = host.services.processes

    def processes() -> t.Any:
        # The first batch asks for processes; its own command is past the stage that fails from now on.
        fleet.lab.set_faults(name, [Fault(stage="command", kind="http_error", times=1)])
        return system()

    host.services.processes = processes  # type: ignore[method-assign]


NO_ASSIGNMENT = {
    "denied": "Get-CsCertificate was denied to this account",
    "missing": "the product's PowerShell module is not on the server",
    "dies": "Get-CsCertificate was not asked or did not answer",
    "edge-denied": "Get-CsCertificate was denied to this account",
}


@pytest.mark.parametrize("name", NO_ASSIGNMENT)
def test_without_cmdlets_the_presented_certificate_is_judged_and_that_is_said(cmdlets: Played, name: str) -> None:
    host = cmdlets.hosts[name]
    assert host["verdict"] == "broken"
    assert host["certificate"]["source"] == "presented"
    assert host["certificate"]["usage"] == "bad"
    found = cmdlets.findings(name)
    assert found["KB4023993-CERT-PRESENTED"]["evidence"][0].startswith(NO_ASSIGNMENT[name])
    assert "KB4023993-CERT-UNKNOWN" not in found


def test_batch_of_cmdlets_that_dies_is_named(cmdlets: Played) -> None:
    (line,) = cmdlets.findings("dies")["KB4023993-EVIDENCE-MISSING"]["evidence"]
    assert line.startswith("lync, batch: ")
    assert "a quota is used up: MaxShellsPerUser" in line


def test_assigned_certificate_is_judged_where_the_cmdlet_answers(cmdlets: Played) -> None:
    assert cmdlets.hosts["fine"]["certificate"]["source"] == "assigned"
    assert "KB4023993-CERT-PRESENTED" not in cmdlets.findings("fine")


def test_certificate_that_nothing_tells_is_a_finding_and_never_a_pass(cmdlets: Played) -> None:
    assert cmdlets.hosts["deaf"]["certificate"] is None
    assert "KB4023993-CERT-UNKNOWN" in cmdlets.findings("deaf")
    own = [c for c in cmdlets.judgement["connections"] if (c["validator"], c["peer"]) == ("deaf", "deaf")]
    assert [c["verdict"] for c in own] == ["not_assessed"]
