# Copyright (c) 2026, the sfb.kb4023993 contributors
# GNU General Public License v3.0-or-later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Ansible's own winrm, psrp and ssh connections against the lab's protocol server.

Each playbook run talks to many simulated hosts at once, one for each case. The environment variable ANSIBLE_PLAYBOOK
names the ansible-playbook to use, so that the same cases can be run with other versions of ansible-core.
"""

from __future__ import annotations

import base64
import gzip
import json
import os
import random
import socket
import subprocess
import sys
import textwrap
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from typing import Any, Literal

import pytest
from lab.protocol import ControlError, Execution, Fault, HostSettings, Invocation, LabServer
from lab.protocol.handler import Transport
from lab.protocol.inventory import Auth, Scheme
from lab.protocol.powershell import unwrap

PLAYBOOK = os.environ.get("ANSIBLE_PLAYBOOK", str(Path(sys.executable).parent / "ansible-playbook"))
PREFIX = "PowerShell -NoProfile -NonInteractive -ExecutionPolicy Unrestricted -EncodedCommand "
SCRIPT = "$b = @($input) -join ''\n'started by the test'"
LINE_LENGTH = 76

# Runs SCRIPT with a payload on stdin, by the recipe that works on every connection and version.
ACTION = f"""
import base64
from ansible.plugins.action import ActionBase
from ansible.release import __version__

PREFIX = {PREFIX!r}

class ActionModule(ActionBase):
    def run(self, tmp=None, task_vars=None):
        result = super().run(tmp, task_vars)
        script, payload = self._task.args["script"], self._task.args.get("payload")
        transport = self._connection.transport.rsplit(".", 1)[-1]
        core = tuple(int(part) for part in __version__.split(".")[:2])
        plain = transport == "winrm" or (transport == "ssh" and core < (2, 18))
        encoded = PREFIX + base64.b64encode(script.encode("utf-16-le")).decode()
        in_data = payload.encode() if payload else None
        result.update(self._low_level_execute_command(
            script if plain else encoded, sudoable=False, in_data=in_data
        ))
        return result
"""

# Writes down how each task ended, whatever the format of the screen output.
CALLBACK = """
import json, os
from ansible.plugins.callback import CallbackBase

class CallbackModule(CallbackBase):
    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "notification"
    CALLBACK_NAME = "outcomes"
    CALLBACK_NEEDS_ENABLED = False

    def _write(self, status, result):
        with open(os.environ["LAB_OUTCOMES"], "a") as file:
            host = result._host.get_name() if hasattr(result, "_host") else result.host.get_name()
            data = result._result if hasattr(result, "_result") else result.result
            file.write(json.dumps({"host": host, "status": status, "result": data}, default=str) + "\\n")

    def v2_runner_on_ok(self, result):
        self._write("ok", result)

    def v2_runner_on_failed(self, result, ignore_errors=False):
        self._write("failed", result)

    def v2_runner_on_unreachable(self, result):
        self._write("unreachable", result)
"""


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """How the task ended on one host."""

    status: str
    result: dict[str, Any]

    @property
    def invocation(self) -> dict[str, Any]:
        """What the handler got, as it says itself."""
        assert self.status == "ok", self.result
        data = json.loads(self.result["stdout"].strip())
        assert isinstance(data, dict)
        return data


@dataclass(frozen=True, kw_only=True)
class Case:
    """One host, and how it is reached."""

    host: str
    connection: Transport = "winrm"
    scheme: Scheme = "http"
    auth: Auth = "basic"
    script: str = SCRIPT
    request: tuple[tuple[str, Any], ...] = ()
    stdin: bool = True
    variables: tuple[tuple[str, Any], ...] = ()
    faults: tuple[Fault, ...] = ()
    settings: tuple[tuple[str, Any], ...] = ()


class EchoHandler:
    """Does what the JSON in its standard input says, and answers with the invocation that it got."""

    def execute(self, invocation: Invocation) -> Execution:
        stdin = invocation.stdin.replace("\n", "").strip()
        request = json.loads(gzip.decompress(base64.b64decode(stdin))) if stdin else {}
        if "raise" in request:
            raise RuntimeError(request["raise"])
        time.sleep(request.get("seconds", 0))
        answer = {
            "host": invocation.host,
            "transport": invocation.transport,
            "script": invocation.script,
            "processes": invocation.processes,
            "request": request,
            "stdin_length": len(invocation.stdin),
            **(arrived(invocation) if not request else {}),
            "filler": "x" * request.get("filler", 0),
        }
        return Execution(
            exit_code=request.get("exit_code", 0),
            stdout=json.dumps(answer).encode() + b"\r\n",
            stderr=request.get("stderr", "").encode(),
        )


def arrived(invocation: Invocation) -> dict[str, Any]:
    given = invocation.input
    return {"command": invocation.command, "input": given if isinstance(given, tuple) else given.decode("ascii")}


def payload(case: Case) -> str:
    """The request as it travels: gzip and base64 in lines."""
    if not case.stdin:
        return ""
    data = base64.b64encode(gzip.compress(json.dumps(dict(case.request)).encode(), mtime=0)).decode()
    return "".join(f"{line}\r\n" for line in textwrap.wrap(data, LINE_LENGTH))


def run_cases(cases: list[Case], lab: LabServer, directory: Path) -> dict[str, Outcome]:
    """One run of ansible-playbook over all cases."""
    directory.mkdir(parents=True, exist_ok=True)
    for name, text in (("action_plugins/lab_run.py", ACTION), ("callback_plugins/outcomes.py", CALLBACK)):
        (directory / name).parent.mkdir(exist_ok=True)
        (directory / name).write_text(text)
    hosts = {
        case.host: {
            **lab.inventory_variables(case.host, case.connection, scheme=case.scheme, auth=case.auth),
            "lab_arguments": {"script": case.script, "payload": payload(case)},
            **dict(case.variables),
        }
        for case in cases
    }
    (directory / "hosts.json").write_text(json.dumps({"all": {"hosts": hosts}}))
    (directory / "play.json").write_text(
        json.dumps([{"hosts": "all", "gather_facts": False, "tasks": [{"lab_run": "{{ lab_arguments }}"}]}])
    )
    outcomes = directory / "outcomes.jsonl"
    run = subprocess.run(
        [PLAYBOOK, "-i", "hosts.json", "--forks", "20", "play.json"],
        cwd=directory,
        env={
            **{key: value for key, value in os.environ.items() if not key.startswith("ANSIBLE_")},
            "PATH": f"{Path(PLAYBOOK).parent}:{os.environ['PATH']}",
            "LAB_OUTCOMES": str(outcomes),
            "ANSIBLE_HOME": str(directory / "home"),
            "ANSIBLE_HOST_KEY_CHECKING": "false",
            "ANSIBLE_INJECT_FACT_VARS": "false",
        },
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert outcomes.exists(), run.stdout + run.stderr
    lines = [json.loads(line) for line in outcomes.read_text().splitlines()]
    return {line["host"]: Outcome(status=line["status"], result=line["result"]) for line in lines}


def password(host: str) -> str:
    return f"{host}-Pa55!"


def start_lab(cases: list[Case], directory: Path) -> LabServer:
    lab = LabServer(
        handler=EchoHandler(),
        hosts=[HostSettings(name=case.host, password=password(case.host), **dict(case.settings)) for case in cases],
        faults={case.host: case.faults for case in cases if case.faults},
        run_directory=directory / "run",
    )
    lab.start()
    return lab


def incompressible(size: int) -> str:
    return base64.b64encode(random.Random(4023993).randbytes(size)).decode()


CONNECTIONS = [
    Case(host=f"{connection}-{scheme}-{auth}", connection=connection, scheme=scheme, auth=auth)
    for connection in ("winrm", "psrp")
    for scheme in ("http", "https")
    for auth in ("basic", "ntlm")
]
SSH = Case(host="by-ssh", connection="ssh")
WRONG_PASSWORDS = [
    Case(
        host=f"wrong-{case.host}",
        connection=case.connection,
        scheme=case.scheme,
        auth=case.auth,
        variables=(("ansible_password", "not it"),),
    )
    for case in CONNECTIONS
]
OTHERS = [
    Case(host="no-stdin", stdin=False),
    Case(host="separate-done", settings=(("separate_done", True),)),
    Case(host="big-answer", request=(("filler", 300_000),)),
    Case(host="big-answer-psrp", connection="psrp", request=(("filler", 900_000),)),
    Case(host="big-question", request=(("data", incompressible(150_000)),)),
    Case(host="big-question-old-host", request=(("data", incompressible(150_000)),),
         settings=(("envelope_bytes", 153_600),),
         variables=(("ansible_winrm_operation_timeout_sec", 1), ("ansible_winrm_read_timeout_sec", 4))),
    Case(host="exit-code", request=(("exit_code", 3), ("stderr", "it went wrong"))),
    Case(host="exit-code-psrp", connection="psrp", request=(("exit_code", 3), ("stderr", "it went wrong"))),
    Case(host="exit-code-ssh", connection="ssh", request=(("exit_code", 3), ("stderr", "it went wrong"))),
    Case(host="long-line", script="#" * 3_100),
    Case(host="almost-long-line", script="#" * 3_000),
    Case(host="japanese", script="'日本語 ü'"),
    Case(host="japanese-psrp", connection="psrp", script="'日本語 ü'"),
    Case(host="japanese-ssh", connection="ssh", script="'日本語 ü'"),
    Case(host="domain-user", scheme="https", auth="ntlm", settings=(("user", "LAB\\admin"),)),
    Case(host="upn-user", connection="psrp", auth="ntlm", settings=(("user", "admin@lab.example"),)),
    Case(host="no-such-host", variables=(("ansible_winrm_path", "/wsman/nobody"),)),
    Case(host="long-running", request=(("seconds", 2.5),), variables=(("ansible_winrm_operation_timeout_sec", 1),)),
    Case(host="long-running-psrp", connection="psrp", request=(("seconds", 2.5),),
         variables=(("ansible_psrp_operation_timeout", 1),)),
    Case(host="handler-fails", request=(("raise", "deliberately"),)),
    Case(host="ssh-wrong-user", connection="ssh", variables=(("ansible_user", "nobody"),)),
]  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Ran:
    cases: dict[str, Case]
    outcomes: dict[str, Outcome]
    counters: dict[str, dict[str, int]]


def run_all(cases: list[Case], directory: Path) -> Ran:
    lab = start_lab(cases, directory)
    try:
        outcomes = run_cases(cases, lab, directory)
        return Ran(cases={case.host: case for case in cases}, outcomes=outcomes, counters=lab.counters())
    finally:
        lab.stop()


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory) -> Ran:
    return run_all([*CONNECTIONS, SSH, *WRONG_PASSWORDS, *OTHERS], tmp_path_factory.mktemp("connections"))


@pytest.mark.parametrize("case", [*CONNECTIONS, SSH], ids=lambda case: case.host)
def test_script_and_stdin_arrive_whole(ran: Ran, case: Case) -> None:
    invocation = ran.outcomes[case.host].invocation
    assert invocation["host"] == case.host
    assert invocation["transport"] == case.connection
    assert invocation["script"] == SCRIPT
    assert invocation["request"] == {}
    assert ran.outcomes[case.host].result["rc"] == 0


@pytest.mark.parametrize("case", [*CONNECTIONS, SSH], ids=lambda case: case.host)
def test_command_and_input_are_handed_on_unchanged(ran: Ran, case: Case) -> None:
    invocation = ran.outcomes[case.host].invocation
    if case.connection == "psrp":
        # The script alone, and strings: one for all lines, or one a line (from ansible-core 2.19 on).
        assert invocation["command"] == SCRIPT
        assert "".join("".join(invocation["input"]).split()) == "".join(payload(case).split())
    else:
        # ansible-core may put a code page in front, and does not always write the name in the same way.
        assert PREFIX.lower() in invocation["command"].lower()
        assert unwrap(invocation["command"]).script == SCRIPT
        assert invocation["input"] == payload(case)


@pytest.mark.parametrize(
    ("host", "handshake"),
    [("winrm-http-basic", 0), ("winrm-http-ntlm", 3), ("winrm-https-basic", 0), ("winrm-https-ntlm", 2)],
)
def test_counters_of_winrm_are_exact(ran: Ran, host: str, handshake: int) -> None:
    counters = ran.counters[host]
    # Create, Command, Send, Receive, Signal, Delete.
    assert counters["wsman_requests"] == 6
    assert counters["http_requests"] == 6 + handshake
    assert counters["connections"] == 1
    assert counters["commands"] == 1
    assert counters["powershell_processes"] == 1
    assert counters["stdin_bytes"] == len(payload(ran.cases[host]))


@pytest.mark.parametrize(
    "case", [case for case in CONNECTIONS if case.connection == "psrp"], ids=lambda case: case.host
)
def test_counters_of_psrp_are_exact(ran: Ran, case: Case) -> None:
    counters = ran.counters[case.host]
    # Create, Receive, Command, Send, Receive, Delete.
    assert counters["wsman_requests"] == 6
    assert counters["commands"] == 1
    assert counters["connections"] == 1
    # The process that hosts the runspace, and none for the script.
    assert counters["powershell_processes"] == 1
    assert ran.outcomes[case.host].invocation["processes"] == 0


def test_counters_of_ssh_are_exact(ran: Ran) -> None:
    counters = ran.counters["by-ssh"]
    assert counters["http_requests"] == 0
    assert counters["connections"] == 1
    assert counters["commands"] == 1
    # The default shell of sshd, and the PowerShell in the command.
    assert counters["powershell_processes"] == 2
    assert counters["stdin_bytes"] == len(payload(SSH))


def test_command_without_stdin_needs_one_request_less(ran: Ran) -> None:
    assert ran.outcomes["no-stdin"].invocation["stdin_length"] == 0
    assert ran.counters["no-stdin"]["wsman_requests"] == 5


def test_separate_done_needs_one_request_more(ran: Ran) -> None:
    assert ran.outcomes["separate-done"].invocation["script"] == SCRIPT
    assert ran.counters["separate-done"]["wsman_requests"] == 7


@pytest.mark.parametrize("case", WRONG_PASSWORDS, ids=lambda case: case.host)
def test_wrong_password_is_unreachable(ran: Ran, case: Case) -> None:
    outcome = ran.outcomes[case.host]
    assert outcome.status == "unreachable"
    assert any(word in outcome.result["msg"] for word in ("credentials were rejected", "authenticate")), outcome.result
    assert ran.counters[case.host]["wsman_requests"] == 0
    assert ran.counters[case.host]["commands"] == 0


def test_ssh_lets_only_the_hosts_user_in(ran: Ran) -> None:
    outcome = ran.outcomes["ssh-wrong-user"]
    assert outcome.status == "unreachable"
    assert "Permission denied" in outcome.result["msg"]


@pytest.mark.parametrize("host", ["domain-user", "upn-user"])
def test_accounts_of_a_domain(ran: Ran, host: str) -> None:
    assert ran.outcomes[host].invocation["host"] == host


@pytest.mark.parametrize(
    ("host", "size"),
    [
        # pywinrm asks for envelopes of 150 kB.
        ("big-answer", 300_000),
        # pypsrp asks for 500 kB, once it knows that the host is not as old as PowerShell 2.0.
        ("big-answer-psrp", 900_000),
    ],
)
def test_answer_larger_than_an_envelope_comes_in_pieces(ran: Ran, host: str, size: int) -> None:
    assert ran.outcomes[host].invocation["filler"] == "x" * size
    # Three Receives instead of one.
    assert ran.counters[host]["wsman_requests"] == 6 + 2
    assert ran.counters[host]["body_bytes_down"] > size * 4 // 3


def test_input_larger_than_a_send_comes_in_pieces(ran: Ran) -> None:
    sent = payload(ran.cases["big-question"])
    assert 200_000 < len(sent) < 400_000
    assert ran.outcomes["big-question"].invocation["request"]["data"] == incompressible(150_000)
    # Two Sends; and two Receives, as the answer repeats the data.
    assert ran.counters["big-question"]["wsman_requests"] == 6 + 1 + 1
    assert ran.counters["big-question"]["stdin_bytes"] == len(sent)


def test_old_host_refuses_a_send_larger_than_its_envelope(ran: Ran) -> None:
    outcome = ran.outcomes["big-question-old-host"]
    assert outcome.status in ("failed", "unreachable")
    assert "send_input failed" in outcome.result["msg"]
    assert ran.counters["big-question-old-host"]["powershell_processes"] == 0


@pytest.mark.parametrize(("host", "exit_code"), [("exit-code", 3), ("exit-code-psrp", 3), ("exit-code-ssh", 1)])
def test_exit_code_and_stderr_reach_the_client(ran: Ran, host: str, exit_code: int) -> None:
    """sshd's default shell, PowerShell, ends with 1 whatever the exit code of the PowerShell in its command was."""
    result = ran.outcomes[host].result
    assert result["rc"] == exit_code
    assert "it went wrong" in result["stderr"]


def test_command_line_longer_than_cmd_takes(ran: Ran) -> None:
    result = ran.outcomes["long-line"].result
    assert result["rc"] == 1
    assert "The command line is too long." in result["stderr"]
    assert ran.counters["long-line"]["powershell_processes"] == 0
    assert ran.outcomes["almost-long-line"].invocation["script"] == "#" * 3_000


@pytest.mark.parametrize("host", ["japanese", "japanese-psrp", "japanese-ssh"])
def test_script_in_any_language(ran: Ran, host: str) -> None:
    assert ran.outcomes[host].invocation["script"] == "'日本語 ü'"


def test_unknown_host_is_unreachable(ran: Ran) -> None:
    assert ran.outcomes["no-such-host"].status == "unreachable"
    assert "404" in ran.outcomes["no-such-host"].result["msg"]


@pytest.mark.parametrize("host", ["long-running", "long-running-psrp"])
def test_client_asks_again_while_a_command_runs(ran: Ran, host: str) -> None:
    assert ran.outcomes[host].invocation["request"] == {"seconds": 2.5}
    # Each Receive waits one second at most.
    assert ran.counters[host]["wsman_requests"] >= 6 + 1
    assert ran.counters[host]["commands"] == 1


def test_handler_that_fails_is_seen(ran: Ran) -> None:
    outcome = ran.outcomes["handler-fails"]
    assert outcome.status in ("failed", "unreachable")
    assert "RuntimeError: deliberately" in json.dumps(outcome.result)


SHORT_TIMEOUTS = (("ansible_winrm_operation_timeout_sec", 1), ("ansible_winrm_read_timeout_sec", 4))
QUOTA = "The WS-Management service cannot process the request."
REJECTED = "credentials were rejected"


@dataclass(frozen=True, kw_only=True)
class FaultCase:
    """A host with one fault, and what the client makes of it."""

    case: Case
    status: str
    message: str = ""


def fault_case(
    host: str,
    stage: Any,
    kind: Any,
    *,
    status: Literal["ok", "failed", "unreachable"],
    message: str = "",
    connection: Transport = "winrm",
    scheme: Scheme = "http",
    auth: Auth = "basic",
    variables: tuple[tuple[str, Any], ...] = (),
    **details: Any,
) -> FaultCase:
    fault = Fault(stage=stage, kind=kind, **details)
    case = Case(host=host, connection=connection, scheme=scheme, auth=auth, faults=(fault,), variables=variables)
    return FaultCase(case=case, status=status, message=message)


FAULTS = [
    fault_case("refused", "connect", "refuse", status="unreachable", message="closed connection"),
    fault_case("refused-tls", "connect", "refuse", status="unreachable", scheme="https"),
    fault_case("refused-psrp", "connect", "refuse", status="unreachable", connection="psrp"),
    fault_case(
        "refused-ssh", "connect", "refuse", status="unreachable", message="Connection refused", connection="ssh"
    ),
    fault_case("refused-receive", "receive", "refuse", status="failed", message="closed connection"),
    fault_case("locked-out", "connect", "auth", status="unreachable", message=REJECTED),
    fault_case("locked-out-ntlm", "connect", "auth", status="unreachable", message=REJECTED, auth="ntlm"),
    fault_case("locked-out-ssh", "connect", "auth", status="unreachable", message="denied", connection="ssh"),
    fault_case("error-connect", "connect", "http_error", status="unreachable", message=QUOTA),
    fault_case("error-create", "create", "http_error", status="unreachable", message=QUOTA),
    fault_case("error-create-ntlm", "create", "http_error", status="unreachable", message=QUOTA, auth="ntlm"),
    fault_case(
        "error-create-psrp", "create", "http_error", status="unreachable", message="2150859173", connection="psrp"
    ),
    fault_case("error-command", "command", "http_error", status="failed", message=QUOTA),
    fault_case(
        "error-send", "send", "http_error", status="failed", message="send_input failed", variables=SHORT_TIMEOUTS
    ),
    fault_case("error-receive", "receive", "http_error", status="failed", message=QUOTA),
    fault_case("error-signal", "signal", "http_error", status="failed", message=QUOTA),
    # Ansible has its answer by then, and does not mind.
    fault_case("error-delete", "delete", "http_error", status="ok"),
    fault_case("gone-receive", "receive", "disconnect", status="failed", message="IncompleteRead"),
    fault_case("gone-receive-tls", "receive", "disconnect", status="failed", message="IncompleteRead", scheme="https"),
    fault_case(
        "gone-command-ssh", "command", "disconnect", status="unreachable", message="closed by", connection="ssh"
    ),
    fault_case(
        "slow",
        "receive",
        "delay",
        status="unreachable",
        message="Read timed out",
        variables=SHORT_TIMEOUTS,
        seconds=6.0,
    ),
]
DAMAGED = [
    fault_case(f"{name}-{connection}", "receive", kind, status="ok", connection=connection, **details)
    for connection in ("winrm", "psrp", "ssh")
    for name, kind, details in (
        ("cut", "cut", {"keep_bytes": 40}),
        ("before", "garble", {"garbling": "before"}),
        ("inside", "garble", {"garbling": "inside"}),
        ("twice", "garble", {"garbling": "twice"}),
        ("clixml", "garble", {"garbling": "clixml"}),
    )
]


@pytest.fixture(scope="module")
def faulty(tmp_path_factory: pytest.TempPathFactory) -> Ran:
    return run_all([fault.case for fault in [*FAULTS, *DAMAGED]], tmp_path_factory.mktemp("faults"))


@pytest.mark.parametrize("expected", FAULTS, ids=lambda expected: expected.case.host)
def test_client_sees_fault(faulty: Ran, expected: FaultCase) -> None:
    outcome = faulty.outcomes[expected.case.host]
    assert outcome.status == expected.status, outcome.result
    assert expected.message in outcome.result.get("msg", "")


@pytest.mark.parametrize("connection", ["winrm", "psrp", "ssh"])
def test_client_gets_damaged_answer(faulty: Ran, connection: str) -> None:
    def stdout(name: str) -> str:
        text = faulty.outcomes[f"{name}-{connection}"].result["stdout"]
        assert isinstance(text, str)
        return text.strip()

    assert stdout("cut") == f'{{"host": "cut-{connection}", "transport": "{connection}", '[:40].strip()
    assert json.loads(stdout("before").splitlines()[1])["host"] == f"before-{connection}"
    assert "tzliche Ausgabe" in stdout("before").splitlines()[0]
    assert len(stdout("inside").splitlines()) == 2
    assert "tzliche Ausgabe" in stdout("inside").splitlines()[0]
    first, second = stdout("twice").splitlines()
    assert first == second


@pytest.mark.parametrize("connection", ["winrm", "psrp", "ssh"])
def test_client_gets_clixml_with_oem_bytes(faulty: Ran, connection: str) -> None:
    outcome = faulty.outcomes[f"clixml-{connection}"]
    if outcome.status == "failed":
        # One byte that is not UTF-8, and the whole answer is dropped: by winrm before ansible-core 2.21, by ssh before
        # 2.18.
        assert connection in ("winrm", "ssh")
        assert "not well-formed" in outcome.result["msg"]
    else:
        assert "Der Vorgang ist ung" in outcome.result["stderr"]
        assert outcome.invocation["host"] == f"clixml-{connection}"


# The parts that need no Ansible.


@pytest.fixture
def lab(tmp_path: Path) -> Iterator[LabServer]:
    server = start_lab([Case(host="one"), Case(host="two")], tmp_path)
    yield server
    server.stop()


def control(lab: LabServer, method: str, path: str, body: object = None) -> Any:
    request = urllib.request.Request(
        f"http://127.0.0.1:{lab.endpoints.control_port}{path}",
        method=method,
        data=None if body is None else json.dumps(body).encode(),
    )
    with urllib.request.urlopen(request, timeout=10) as response:
        return json.load(response)


def control_refusal(lab: LabServer, method: str, path: str, body: object = None) -> tuple[int, str]:
    """Status and message of a request that the control port must not do."""
    with pytest.raises(urllib.error.HTTPError) as caught:
        control(lab, method, path, body)
    with caught.value as error:
        return error.code, json.load(error)["error"]


def talk(port: int, data: bytes) -> bytes:
    """Send bytes, say that there are no more, and return all that comes back."""
    with socket.create_connection(("127.0.0.1", port), timeout=10) as connection:
        connection.sendall(data)
        connection.shutdown(socket.SHUT_WR)
        return b"".join(iter(lambda: connection.recv(65536), b""))


def run_ssh(lab: LabServer, host: str, command: str, stdin: bytes = b"") -> subprocess.CompletedProcess[bytes]:
    options = ["-o", f"Port={lab.endpoints.control_port}", "-o", 'User="Administrator"']
    return subprocess.run(
        [str(lab.endpoints.ssh_program), *options, host, command],
        input=stdin,
        capture_output=True,
        timeout=20,
        check=False,
    )


@pytest.mark.parametrize(
    ("data", "status"),
    [
        (b"nonsense\r\n\r\n", HTTPStatus.BAD_REQUEST),
        (b"POST /wsman/one HTTP/1.1\r\nno colon\r\n\r\n", HTTPStatus.BAD_REQUEST),
        (b"POST /wsman/one HTTP/1.1\r\nContent-Length: many\r\n\r\n", HTTPStatus.BAD_REQUEST),
        (b"POST /wsman/one HTTP/1.1\r\nContent-Length: 10\r\n\r\nshort", HTTPStatus.BAD_REQUEST),
        (b"POST /wsman/one HTTP/1.1\r\nContent-Length: 99999999999\r\n\r\n", HTTPStatus.REQUEST_ENTITY_TOO_LARGE),
        (b"POST /wsman/one HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n", HTTPStatus.LENGTH_REQUIRED),
        (b"GET /" + b"a" * 70_000 + b" HTTP/1.1\r\n\r\n", HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE),
        (b"GET /wsman/one HTTP/1.1\r\n\r\n", HTTPStatus.METHOD_NOT_ALLOWED),
        (b"POST /wsman/three HTTP/1.1\r\n\r\n", HTTPStatus.NOT_FOUND),
        (b"POST /elsewhere/one HTTP/1.1\r\n\r\n", HTTPStatus.NOT_FOUND),
        (b"POST /wsman/one HTTP/1.1\r\n\r\n", HTTPStatus.UNAUTHORIZED),
    ],
)
def test_bad_requests_are_answered(lab: LabServer, data: bytes, status: HTTPStatus) -> None:
    answer = talk(lab.endpoints.http_port, data)
    assert answer.startswith(f"HTTP/1.1 {status.value} ".encode())
    # And the server goes on.
    assert talk(lab.endpoints.http_port, b"POST /wsman/one HTTP/1.1\r\n\r\n").startswith(b"HTTP/1.1 401 ")


def test_message_that_is_not_soap_gets_a_fault(lab: LabServer) -> None:
    credentials = base64.b64encode(f"Administrator:{password('one')}".encode()).decode()
    head = f"POST /wsman/one HTTP/1.1\r\nAuthorization: Basic {credentials}\r\nContent-Length: 5\r\n\r\n"
    answer = talk(lab.endpoints.http_port, head.encode() + b"<not>")
    assert answer.startswith(b"HTTP/1.1 500 ")
    assert b"The request is not well-formed XML" in answer


def test_bytes_are_counted_exactly(lab: LabServer) -> None:
    request = b"POST /wsman/one HTTP/1.1\r\nContent-Length: 10\r\n\r\n0123456789"
    answer = talk(lab.endpoints.http_port, request * 3)
    counters = lab.counters()["one"]
    assert counters["http_bytes_up"] == 3 * len(request)
    assert counters["body_bytes_up"] == 3 * 10
    assert counters["http_bytes_down"] == len(answer)
    assert counters["body_bytes_down"] == 0
    assert (counters["connections"], counters["http_requests"], counters["wsman_requests"]) == (1, 3, 0)


def test_counters_over_the_control_port(lab: LabServer) -> None:
    assert control(lab, "GET", "/counters") == {}
    talk(lab.endpoints.http_port, b"POST /wsman/two HTTP/1.1\r\n\r\n")
    assert control(lab, "GET", "/counters")["two"]["http_requests"] == 1
    control(lab, "POST", "/counters/reset")
    assert set(control(lab, "GET", "/counters")["two"].values()) == {0}


def test_fault_with_a_limit_strikes_that_often(lab: LabServer) -> None:
    faults = [{"stage": "connect", "kind": "auth", "times": 2}]
    control(lab, "POST", "/faults", {"host": "one", "faults": faults})
    codes = [run_ssh(lab, "one", "'hello'").returncode for _ in range(3)]
    assert codes == [255, 255, 0]


def test_delay_delays(lab: LabServer) -> None:
    lab.set_faults("one", [Fault(stage="connect", kind="delay", seconds=0.7)])
    before = time.monotonic()
    talk(lab.endpoints.http_port, b"POST /wsman/one HTTP/1.1\r\n\r\n")
    assert time.monotonic() - before >= 0.7


@pytest.mark.parametrize(
    ("body", "status", "message"),
    [
        ({"host": "three", "faults": []}, HTTPStatus.NOT_FOUND, "three"),
        ({"host": "one", "faults": [{"stage": "send", "kind": "cut"}]}, HTTPStatus.BAD_REQUEST, "possible: receive"),
        ({"host": "one", "faults": [{"stage": "send", "kind": "fire"}]}, HTTPStatus.BAD_REQUEST, "fire"),
        ({"host": "one", "faults": [{"stage": "send", "kind": "delay", "x": 1}]}, HTTPStatus.BAD_REQUEST, "'x'"),
    ],
)
def test_faults_that_make_no_sense_are_refused(
    lab: LabServer, body: dict[str, Any], status: HTTPStatus, message: str
) -> None:
    code, text = control_refusal(lab, "POST", "/faults", body)
    assert code == status
    assert message in text


def test_model_adds_routes(lab: LabServer) -> None:
    def breaks(_: dict[str, Any]) -> None:
        raise ControlError("There is no such registry key.", status=HTTPStatus.NOT_FOUND)

    lab.control.route("POST", "/model", lambda body: {"got": body})
    lab.control.route("GET", "/model/registry", breaks)
    assert control(lab, "POST", "/model", {"a": 1}) == {"got": {"a": 1}}
    refusal = control_refusal(lab, "GET", "/model/registry")
    assert refusal == (HTTPStatus.NOT_FOUND, "There is no such registry key.")
    with pytest.raises(ValueError, match="already serves POST /model"):
        lab.control.route("POST", "/model", lambda body: body)


def test_ssh_program_reports_what_ssh_reports(lab: LabServer) -> None:
    assert b"Could not resolve hostname three" in run_ssh(lab, "three", "'x'").stderr
    assert run_ssh(lab, "one", "'x'" * 20_000).returncode == 255
    lab.stop()
    assert run_ssh(lab, "one", "'x'").returncode == 255


def test_a_thousand_hosts_start_at_once(tmp_path: Path) -> None:
    hosts = [HostSettings(name=f"h{number:04}", password="x") for number in range(1000)]  # noqa: S106
    before = time.monotonic()
    with LabServer(handler=EchoHandler(), hosts=hosts, run_directory=tmp_path) as lab:
        assert time.monotonic() - before < 2
        assert lab.counters() == {}
        assert talk(lab.endpoints.http_port, b"POST /wsman/h0999 HTTP/1.1\r\n\r\n").startswith(b"HTTP/1.1 401 ")
        assert list(lab.counters()) == ["h0999"]


def encoded(script: str, program: str = PREFIX) -> str:
    return program + base64.b64encode(script.encode("utf-16-le")).decode()


@pytest.mark.parametrize(
    ("command", "script", "wrappers"),
    [
        ("Get-Date", "Get-Date", 0),
        (encoded("Get-Date"), "Get-Date", 1),
        (encoded(encoded("Get-Date")), "Get-Date", 2),
        (encoded("a", "powershell.exe -nop -ep bypass -Enc "), "a", 1),
        (encoded("a", "powershell -e "), "a", 1),
        ("chcp.com 65001 > $null ; " + encoded("a"), "a", 1),
        (encoded("a") + "\nexit $LASTEXITCODE", "a", 1),
        (encoded("a") + "; 'and more'", encoded("a") + "; 'and more'", 0),
        ("'" + encoded("a") + "'", "'" + encoded("a") + "'", 0),
    ],
)
def test_wrappers_are_taken_off(command: str, script: str, wrappers: int) -> None:
    unwrapped = unwrap(command)
    assert (unwrapped.script, unwrapped.wrappers) == (script, wrappers)
