# Copyright (c) 2026, the sfb.kb4023993 contributors
# GNU General Public License v3.0-or-later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A connection that breaks at any stage of its protocol costs what was asked there, of that server, and nothing else.

The numbers and texts of WinRM's own errors are those of wsmerror.h and of what Windows was seen to answer.
"""

from __future__ import annotations

import datetime
import socket
import threading
import typing as t
from dataclasses import dataclass, field

import pytest
import yaml
from integration.fleet import Fleet, Played
from lab.protocol import Fault
from lab.protocol.faults import QUOTA_MAX_SHELLS, Stage
from lab.protocol.soap import ENVELOPE_TOO_LARGE, QUOTA_MAX_OPERATIONS, SHELL_NOT_FOUND
from lab.protocol.tls import make_certificate
from lab.scenario import parse
from lab.world.killing import Ending

EACH = {"product": "sfb2015", "os": "server2012r2", "dotnet": {"version": "4.5.2", "update": "KB4014512"}}
ACCESS_DENIED = 5
# A command whose input did not arrive does not end; the client asks for its output once, for this long.
SHORT = {"ansible_winrm_operation_timeout_sec": 1, "ansible_winrm_read_timeout_sec": 4}

TOO_MANY_SHELLS = (
    "The WS-Management service cannot process the request. This user is allowed a maximum number of 5 concurrent shells, which has been "
    "exceeded. Close existing shells or raise the quota for this user. "
)
TOO_MANY_OPERATIONS = (
    "The WS-Management service cannot process the request. This user is allowed a maximum number of 15 concurrent operations, which has "
    "been exceeded. Close existing operations for this user, or raise the quota for this user. "
)
NO_SHELL = (
    "The request for the Windows Remote Shell with ShellId 3B8C3E1C failed because the shell was not found on the server. Possible causes "
    "are: the specified ShellId is incorrect or the shell no longer exists on the server."
)


@dataclass(frozen=True, kw_only=True)
class Case:
    """One server with trouble in its first batch, and what has to be said of it."""

    reason: str
    advice: str
    connection: str = "winrm http basic"
    faults: tuple[Fault, ...] = ()
    variables: dict[str, t.Any] = field(default_factory=dict)
    kill: Ending | None = None


@dataclass(frozen=True, kw_only=True)
class Later:
    """One server whose first batch is read: the stages at which the batch of the cmdlets, and then that about its peers, break."""

    cmdlets: Fault | None = None
    peers: Fault | None = None
    type: str = "connection_lost"
    connection: str = "winrm http basic"


_FIREWALL = "a firewall or proxy on the way"
_CERTIFICATE = "ansible_winrm_ca_trust_path"
_LOGIN = "Check user and password"


def _reset(connection: str, stage: Stage, reason: str = "the connection was reset") -> Case:
    fault = Fault(stage=stage, kind="reset")
    return Case(
        reason=reason, advice=_FIREWALL, connection=f"{connection} http basic", faults=(fault,), variables=SHORT
    )


def _error(stage: Stage, code: int, text: str, *, reason: str, advice: str, connection: str = "winrm") -> Case:
    fault = Fault(stage=stage, kind="http_error", code=code, text=text)
    return Case(reason=reason, advice=advice, connection=f"{connection} http basic", faults=(fault,), variables=SHORT)


def _breaks(stage: Stage, *, after: int, times: int | None = None) -> Fault:
    return Fault(stage=stage, kind="reset", after_commands=after, times=times)


# By host name. Each has the same bad certificate, so each would be "broken" if it could be read. psrp signals and deletes only what it
# has read to its end.
FIRST = {
    **{f"winrm-{stage}": _reset("winrm", stage) for stage in ("connect", "create", "command", "receive", "signal")},
    "winrm-send": _reset("winrm", "send", "the input of the command could not be sent"),
    **{f"psrp-{stage}": _reset("psrp", stage) for stage in ("connect", "create", "command", "send", "receive")},
    "psrp-closed": Case(
        reason="closed in the middle",
        advice=_FIREWALL,
        connection="psrp http basic",
        faults=(Fault(stage="create", kind="disconnect"),),
    ),
    "shells": _error(
        "create", QUOTA_MAX_SHELLS, TOO_MANY_SHELLS, reason="MaxShellsPerUser (error 2150859173)", advice="winrm get"
    ),
    "shells-psrp": _error(
        "create",
        QUOTA_MAX_SHELLS,
        "",
        reason="MaxShellsPerUser (error 2150859173)",
        advice="what is open",
        connection="psrp",
    ),
    "operations": _error(
        "create",
        QUOTA_MAX_OPERATIONS,
        TOO_MANY_OPERATIONS,
        reason="MaxConcurrentOperationsPerUser (error 2150859174)",
        advice="raise the quota",
    ),
    "operations-psrp": _error(
        "command",
        QUOTA_MAX_OPERATIONS,
        TOO_MANY_OPERATIONS,
        reason="MaxConcurrentOperationsPerUser (error 2150859174)",
        advice="raise the quota",
        connection="psrp",
    ),
    "envelope": _error(
        "command", ENVELOPE_TOO_LARGE, "", reason="MaxEnvelopeSizekb", advice="Set it to its default", connection="psrp"
    ),
    "no-shell": _error(
        "receive", SHELL_NOT_FOUND, NO_SHELL, reason="the shell on the server was gone", advice="IdleTimeout"
    ),
    "denied": _error(
        "create", ACCESS_DENIED, "Zugriff verweigert", reason="denies it access to WinRM", advice="LocalAccount"
    ),
    # The process of PowerShell ends in the middle of the batch.
    "killed": Case(reason="printed no reply", advice="MaxMemoryPerShellMB", kill="silent"),
    "killed-psrp": Case(
        reason="printed no reply", advice="MaxMemoryPerShellMB", kill="silent", connection="psrp http basic"
    ),
    "killed-with-connection": Case(reason="closed in the middle", advice=_FIREWALL, kill="disconnect"),
    "tls-untrusted": Case(
        reason="self-signed certificate",
        advice=_CERTIFICATE,
        connection="winrm https basic",
        variables={"_trust": "other"},
    ),
    "tls-untrusted-psrp": Case(
        reason="self-signed certificate",
        advice=_CERTIFICATE,
        connection="psrp https basic",
        variables={"_trust": "other"},
    ),
    "tls-expired": Case(
        reason="certificate has expired",
        advice=_CERTIFICATE,
        connection="winrm https basic",
        variables={"ansible_port": "expired", "_trust": "expired"},
    ),
    "tls-name": Case(
        reason="certificate verify failed",
        advice=_CERTIFICATE,
        connection="winrm https basic",
        variables={"ansible_port": "other", "_trust": "other"},
    ),
    "tls-no-tls": Case(
        reason="wrong version number",
        advice=_CERTIFICATE,
        connection="psrp https basic",
        variables={"ansible_port": "http"},
    ),
    "tls-cut": Case(
        reason="TLS failed: EOF occurred",
        advice=_CERTIFICATE,
        connection="winrm https basic",
        variables={"ansible_port": "cutting"},
    ),
}

# Numbers are those of commands that had begun: one by the end of the first batch, two by that of the cmdlets'.
LATER = {
    "winrm-a": Later(cmdlets=_breaks("command", after=1, times=1), peers=_breaks("connect", after=1)),
    "winrm-b": Later(cmdlets=_breaks("receive", after=2, times=1), peers=_breaks("create", after=2)),
    "winrm-c": Later(cmdlets=_breaks("signal", after=2, times=1), peers=_breaks("command", after=2)),
    "winrm-d": Later(cmdlets=_breaks("send", after=2, times=1), peers=_breaks("receive", after=3)),
    "winrm-e": Later(peers=_breaks("send", after=3)),
    "winrm-f": Later(peers=_breaks("signal", after=3)),
    "psrp-a": Later(
        cmdlets=_breaks("command", after=1, times=1), peers=_breaks("connect", after=1), connection="psrp http basic"
    ),
    "psrp-b": Later(
        cmdlets=_breaks("receive", after=2, times=1), peers=_breaks("create", after=2), connection="psrp http basic"
    ),
    "psrp-c": Later(
        cmdlets=_breaks("signal", after=1, times=1), peers=_breaks("command", after=1), connection="psrp http basic"
    ),
    "psrp-d": Later(
        cmdlets=_breaks("send", after=2, times=1), peers=_breaks("receive", after=3), connection="psrp http basic"
    ),
    "psrp-e": Later(peers=_breaks("send", after=3), connection="psrp http basic"),
    "expires": Later(cmdlets=Fault(stage="command", kind="auth", after_commands=1, times=1), type="authentication"),
    "expires-psrp": Later(
        cmdlets=Fault(stage="command", kind="auth", after_commands=1, times=1),
        type="authentication",
        connection="psrp http basic",
    ),
    "shell-ends": Later(
        cmdlets=Fault(
            stage="command", kind="http_error", code=SHELL_NOT_FOUND, text=NO_SHELL, after_commands=1, times=1
        ),
        type="shell_gone",
    ),
    "shell-ends-psrp": Later(
        cmdlets=Fault(
            stage="command", kind="http_error", code=SHELL_NOT_FOUND, text=NO_SHELL, after_commands=1, times=1
        ),
        type="shell_gone",
        connection="psrp http basic",
    ),
}
# Ansible has its answer by then, and does not mind.
WELL = {
    "well": Fault(stage="delete", kind="reset"),
    "well-psrp": Fault(stage="delete", kind="reset"),
    "edge": Fault(stage="delete", kind="http_error"),
}


@pytest.fixture(scope="module")
def audited(start: t.Callable[..., Fleet]) -> t.Iterator[Played]:
    cases: dict[str, Case | Later] = {**FIRST, **LATER}
    servers: dict[str, t.Any] = {
        name: {**EACH, "pool": name, "connection": case.connection} for name, case in cases.items()
    }
    for name in WELL:
        kind = {"role": "edge"} if name == "edge" else {}
        connection = "psrp http basic" if name.endswith("psrp") else "winrm http basic"
        servers[name] = {**EACH, **kind, "pool": name, "connection": connection}
    fleet = start(
        parse(
            {"pools": {name: {} if name == "edge" else {"edge_pool": "edge"} for name in servers}, "servers": servers}
        )
    )
    for name, case in FIRST.items():
        fleet.lab.set_faults(name, case.faults)
        if case.kill:
            fleet.lab.outside.kill(name, number=3, ending=case.kill)
    for name, later in LATER.items():
        fleet.lab.set_faults(name, [fault for fault in (later.cmdlets, later.peers) if fault])
    for name, fault in WELL.items():
        fleet.lab.set_faults(name, [fault])
    with socket.create_server(("127.0.0.1", 0)) as server:
        threading.Thread(target=_cut_each, args=(server,), daemon=True).start()
        _send_to_places(fleet, cutting=server.getsockname()[1])
        yield fleet.play("audit")


def _cut_each(server: socket.socket) -> None:
    """Let each connection begin, and close it at its first message."""
    try:
        while True:
            connection, _address = server.accept()
            with connection:
                connection.recv(65536)
    except OSError:
        # The server was closed.
        pass


def _send_to_places(fleet: Fleet, *, cutting: int) -> None:
    """Give the inventory the variables of the cases, with ports and files of this lab for the words that stand there."""
    server = fleet.lab.server
    ports: dict[t.Any, int] = {"http": server.endpoints.http_port, "cutting": cutting}
    files: dict[t.Any, str] = {}
    for word, address, ended in (("expired", "127.0.0.1", datetime.timedelta(days=3)), ("other", "", None)):
        directory = fleet.directory / word
        directory.mkdir()
        certificate = make_certificate(directory, address=address, name="other.contoso.example", ended=ended)
        ports[word] = server.add_https(certificate)
        files[word] = str(certificate.certificate_path)
    inventory = yaml.safe_load(fleet.inventory.read_text("utf-8"))
    for name in (*FIRST, *LATER):
        wanted = FIRST[name].variables if name in FIRST else SHORT
        variables = inventory["all"]["hosts"][name]
        for key, value in wanted.items():
            if key == "_trust":
                variables.update(ansible_winrm_ca_trust_path=files[value], ansible_psrp_ca_cert=files[value])
            else:
                variables[key] = ports[value] if key == "ansible_port" else value
    fleet.inventory.write_text(yaml.safe_dump(inventory), "utf-8")


@pytest.mark.matrix
def test_no_stage_ends_the_run(audited: Played) -> None:
    assert audited.code == 0, audited.output
    assert audited.failed == set()
    assert set(audited.hosts) == {*FIRST, *LATER, *WELL}
    assert "Traceback" not in audited.output


@pytest.mark.matrix
@pytest.mark.parametrize("name", WELL)
def test_all_others_are_judged_with_all_their_evidence(audited: Played, name: str) -> None:
    assert audited.verdicts[name] == "broken"
    assert audited.hosts[name]["certificate"]["source"] == "assigned"
    assert "KB4023993-EVIDENCE-MISSING" not in audited.findings(name)


@pytest.mark.matrix
@pytest.mark.parametrize("name", FIRST)
def test_trouble_in_the_first_batch_is_named_with_its_remedy(audited: Played, name: str) -> None:
    assert audited.verdicts[name] == "not_assessed"
    (finding,) = audited.findings(name).values()
    assert finding["id"] == "KB4023993-NOT-ASSESSED"
    (line,) = finding["evidence"]
    assert line.startswith("reading the server: ")
    assert FIRST[name].reason in line
    assert FIRST[name].advice in finding["next_step"]


@pytest.mark.matrix
@pytest.mark.parametrize("name", LATER)
def test_trouble_in_a_later_batch_leaves_what_was_read(audited: Played, name: str) -> None:
    later = LATER[name]
    # By the certificate that the port presents, which was read first.
    assert audited.verdicts[name] == "broken"
    assert audited.hosts[name]["certificate"]["usage"] == "bad"
    assert audited.hosts[name]["certificate"]["source"] == ("presented" if later.cmdlets else "assigned")
    lines = audited.findings(name)["KB4023993-EVIDENCE-MISSING"]["evidence"]
    sections = [section for section, fault in (("lync", later.cmdlets), ("peers", later.peers)) if fault]
    assert [line.partition(", ")[0] for line in lines] == sections
    for line in lines:
        assert f", batch: {later.type}: " in line
        # With what to do next.
        assert line.count(". ") >= 1


def test_messages_are_plain(audited: Played) -> None:
    """No names of Python, no numbers without a word, one bounded line each."""
    for name in FIRST:
        (finding,) = audited.findings(name).values()
        for text in (*finding["evidence"], finding["next_step"]):
            assert not [
                word for word in ("Error(", "Exception", "urllib3", "object at 0x", "('", "{'") if word in text
            ], text
            assert len(text) < 420
