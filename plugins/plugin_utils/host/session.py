# Copyright (c) 2026, the sfb.kb4023993 contributors
# GNU General Public License v3.0-or-later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Sends a batch over the play's own connection and gives typed replies back.

One low-level command a batch, which works over winrm, psrp and ssh on every ansible-core from 2.16 on, and down to PowerShell 2.0,
which Ansible's own Windows modules refuse. ``bootstrap.ps1`` is the command; ``batch.ps1`` (with ``changes.ps1`` only where something is
to be changed, and ``certificates.ps1`` only for workaround 1) and the operations travel on its standard input, each compressed, so that
nothing that comes from a variable or a server is ever part of a script.
"""

from __future__ import annotations

import base64
import dataclasses
import functools
import gzip
import pathlib
import re
import secrets
import typing as t

from ansible.errors import AnsibleAuthenticationFailure
from ansible.release import __version__ as ansible_version

from .certificate_operations import CERTIFICATE_OPERATIONS
from .limits import TooMuchError, alarm_that_repeats, close_within, is_timeout_of_task, memory_bound
from .operations import Operation
from .reasons import ConnectionKind, explain
from .wire import Reply, ReplyError, decode_reply, encode_batch

if t.TYPE_CHECKING:
    from ansible.plugins.action import ActionBase

_HERE: t.Final = pathlib.Path(__file__).parent
# psrp (up to ansible-core 2.20) only knows an encoded command by exactly this prefix.
_ENCODED: t.Final = "PowerShell -NoProfile -NonInteractive -ExecutionPolicy Unrestricted -EncodedCommand "
_MAX_REPLY: t.Final = 32 * 1024 * 1024
# One WS-Management envelope of WinRM 2.0 (Server 2008 R2) holds 150 kB, base64 included.
_MAX_PAYLOAD: t.Final = 110_000
# The 10 MB that batch.ps1 prints at most take half of it, over every connection.
_MAX_GROWTH: t.Final = 128 * 1024 * 1024
_PATIENCE_SECONDS: t.Final = 3.0
_TOO_MUCH: t.Final = "the server sent more than the controller can take as one answer."
_EARLY_END: t.Final = re.compile(r"\[\[sfb\.kb4023993!([a-z0-9_]+)\]\]")

FailureKind = t.Literal[
    "become",
    "delegated",
    "not_windows",
    "connection_type",
    ConnectionKind,
    "timed_out",
    "constrained_language",
    "powershell_too_old",
    "process_32_bit",
    "not_elevated",
    "reply_missing",
    "reply_cut",
    "reply_garbled",
    "reply_too_large",
    "failed",
]

_ADVICE: t.Final[dict[str, str]] = {
    "become": "Remove become for these hosts: Ansible ignores it for this kind of command, "
    "so connect with the account that is meant.",
    "delegated": "Remove delegate_to: the server to read is the host of the play, and what is found is kept under its name.",
    "not_windows": "Point sfb_kb4023993_hosts at your Windows servers, and set ansible_connection (winrm or psrp), "
    "or ansible_shell_type=powershell for ssh.",
    "connection_type": "Use the connection winrm, psrp or ssh.",
    "unreachable": "Check that the server is up, that WinRM listens there, and that the firewall lets this controller through.",
    "authentication": "Check user and password, and that this way of authentication is allowed on the server.",
    "denied": "Use a member of the server's local Administrators. For a local account other than the built-in Administrator this needs "
    "LocalAccountTokenFilterPolicy=1 on the server.",
    "tls": "Look at the certificate of the WinRM listener: its trust, name and end. The playbook controller_check says what is wrong "
    "with it, and the variables ansible_winrm_ca_trust_path and ansible_psrp_ca_cert name the CA to trust.",
    "connection_lost": "The server, or a firewall or proxy on the way, closed the connection. Look whether the server or its service "
    "WinRM was restarted (Event Viewer: System, and Windows Remote Management), and run again.",
    "shell_gone": "WinRM was restarted, or ended the shell for its time or its memory. On the server, winrm get winrm/config/winrs shows "
    "IdleTimeout and MaxMemoryPerShellMB. Run again.",
    "quota": "On the server, winrm get winrm/config shows the quotas, and Get-WSManInstance -ResourceURI shell -Enumerate what is open. End "
    "what is left over (restarting the service WinRM does it) or raise the quota, and run again.",
    "envelope_too_small": "On the server, winrm get winrm/config shows MaxEnvelopeSizekb. Set it to its default, "
    "500 (150 on Windows Server 2008 R2).",
    "winrm_error": "Look in the server's Event Viewer (Windows Remote Management) for what it did then, and run again; the number, "
    "if there is one, is one of WinRM's.",
    "timed_out": "Look at the load of the server and at its service WinRM, and run again. If it only needs longer, raise sfb_kb4023993_timeout.",
    "constrained_language": "An application control policy limits PowerShell for this account. "
    "Allow-list batch.ps1, or use an account that the policy exempts.",
    "powershell_too_old": "Install PowerShell 2.0 (Windows Management Framework) or later on the server.",
    "process_32_bit": "Use the 64-bit endpoint of the server: the 32-bit one sees another registry.",
    "not_elevated": "Use a local administrator with a full token. For a local account other than the built-in Administrator "
    "this needs LocalAccountTokenFilterPolicy=1 on the server.",
    "reply_missing": "PowerShell ended before it answered: often for the memory quota of WinRM (on the server, winrm get winrm/config/winrs "
    "shows MaxMemoryPerShellMB), or because somebody or security software ended it. Run again with -vvvv to see what it printed.",
    "reply_cut": "The connection ended early. Check the quotas of WinRM on the server (memory per shell) and run again.",
    "reply_garbled": "Something else prints into the session (a profile, a banner, security software). Run with -vvvv to see it.",
    "reply_too_large": "No answer of this collection is that large: something else prints without end into the session (a profile, a logon "
    "script, security software). Log on to the server with this account and look at what PowerShell prints.",
    "failed": "Read the message; run again with -vvvv for what the server printed.",
}


class SessionError(Exception):
    """A host that cannot be talked to. The text says what happened, where and at which stage, and what to do next."""

    def __init__(self, *, kind: FailureKind, host: str, stage: str, message: str) -> None:
        self.kind = kind
        self.host = host
        self.stage = stage
        self.message = message
        self.advice = _ADVICE[kind]
        super().__init__(f"{host}: {stage}: {message} {self.advice}")


@dataclasses.dataclass(frozen=True, kw_only=True)
class Script:
    """The fixed texts that reach a server: ``bootstrap`` without its comments, and one of the others on its standard input.

    ``reading`` is ``batch.ps1`` as it is. ``changing`` is ``changes.ps1`` and ``batch.ps1``, for batches that change something.
    ``certificates`` has ``certificates.ps1`` in front of both, for the operations of workaround 1.
    """

    bootstrap: str
    reading: bytes
    changing: bytes
    certificates: bytes

    def text_for(self, operations: t.Sequence[Operation]) -> bytes:
        """The smallest one that can run these operations."""
        if any(isinstance(operation, CERTIFICATE_OPERATIONS) for operation in operations):
            return self.certificates
        return self.changing if any(operation.CHANGES for operation in operations) else self.reading


@functools.cache
def script() -> Script:
    """Read the PowerShell once a process (the forked workers of a play inherit it)."""
    lines = (line.strip() for line in (_HERE / "bootstrap.ps1").read_text("utf-8").splitlines())
    bootstrap = "\n".join(line for line in lines if line and not line.startswith("#"))
    reading = (_HERE / "batch.ps1").read_bytes()
    changing = (_HERE / "changes.ps1").read_bytes() + reading
    certificates = (_HERE / "certificates.ps1").read_bytes() + changing
    return Script(bootstrap=bootstrap, reading=reading, changing=changing, certificates=certificates)


def pack_scripts() -> None:
    """Compress what every batch of an audit sends, before there are workers that would each do it."""
    _packed_script(script().reading)


class Session:
    """Batches to one host, over the connection of the task that ``action`` runs."""

    def __init__(self, action: ActionBase, *, host: str, delegated: bool = False) -> None:
        """``delegated``: the task is meant for the host of its ``delegate_to``, as asking a CA is."""
        self._action = action
        self._host = host
        self._delegated = delegated
        self._plain = self._check_connection()
        self._given_up = ""
        self.batches = 0

    def run(
        self,
        operations: t.Sequence[Operation],
        *,
        stage: str,
        deadline_seconds: int = 90,
        stop_on_error: bool = False,
    ) -> tuple[Reply, ...]:
        """Run one batch and return the replies in the order of ``operations``.

        :param stage: words for messages: what this batch is for.
        :param deadline_seconds: after this time the host starts no further operation of the batch.
        :param stop_on_error: operations after the first that fails or is refused are not run.
        :raises SessionError: the host cannot be reached, refuses the batch, or its answer cannot be read.
        """
        nonce = secrets.token_hex(8)
        data = encode_batch(operations, nonce=nonce, deadline_seconds=deadline_seconds, stop_on_error=stop_on_error)
        payload = _packed_script(script().text_for(operations)) + b"." + _pack(data.encode("utf-8")) + b"\r\n"
        if len(payload) > _MAX_PAYLOAD:
            raise self._error("failed", stage, f"the batch is too large for old servers ({len(payload)} bytes).")
        self.batches += 1
        result = self._execute(payload, stage)
        printed = result.get("stdout") or ""
        if len(printed) > _MAX_REPLY:
            raise self._error("reply_too_large", stage, f"the server printed {len(printed) // 1024} kB.")
        early = _EARLY_END.search(printed)
        if early:
            raise self._early_end(early.group(1), stage)
        try:
            replies, failure = decode_reply(printed, operations, nonce=nonce)
        except ReplyError as error:
            kind: FailureKind = f"reply_{error.kind}"  # type: ignore[assignment]
            raise self._error(kind, stage, f"{error}{_other_output(result)}.") from None
        if failure:
            kind = failure.type if failure.type in _ADVICE else "failed"  # type: ignore[assignment]
            raise self._error(kind, stage, f"the server refused the batch: {_clean(failure.message)}.")
        return replies

    def _check_connection(self) -> bool:
        """Whether the connection plugin itself wraps a plain command into ``PowerShell -EncodedCommand``."""
        connection = self._action._connection
        stage = "before connecting"
        if self._action._task.delegate_to and not self._delegated:
            raise self._error("delegated", stage, "delegate_to is set.")
        if getattr(connection, "become", None):
            raise self._error("become", stage, "become is set.")
        if not getattr(connection._shell, "_IS_WINDOWS", False):
            raise self._error("not_windows", stage, "the connection of this host is not one to a Windows server.")
        transport = str(connection.transport).rsplit(".", 1)[-1]
        if transport not in ("winrm", "psrp", "ssh"):
            raise self._error("connection_type", stage, f"the connection {transport} is not supported.")
        version = tuple(int(part) for part in ansible_version.split(".")[:2])
        return transport == "winrm" or (transport == "ssh" and version < (2, 18))

    def _execute(self, payload: bytes, stage: str) -> dict[str, t.Any]:
        bootstrap = script().bootstrap
        command = (
            bootstrap if self._plain else _ENCODED + base64.b64encode(bootstrap.encode("utf-16-le")).decode("ascii")
        )
        if self._given_up:
            raise self._error("timed_out", stage, self._given_up)
        failure: tuple[FailureKind, str] = "reply_too_large", _TOO_MUCH
        try:
            with alarm_that_repeats(_PATIENCE_SECONDS), memory_bound(_MAX_GROWTH):
                result = self._action._low_level_execute_command(command, sudoable=False, in_data=payload)
                return t.cast("dict[str, t.Any]", result)
        except TooMuchError:
            # Raised outside, so that what was received is let go.
            pass
        except AnsibleAuthenticationFailure as error:
            raise self._error("authentication", stage, f"{_clean(str(error))}.") from None
        except Exception as error:
            # Connection plugins let the exceptions of their libraries through (winrm, requests, pypsrp, xml), so there is no
            # narrower class to name; whatever it is, this host could not be asked.
            kind, message = explain(error, _line(str(error)))
            raise self._error(kind, stage, f"{_clean(message) or type(error).__name__}.") from None
        except BaseException as error:
            if not is_timeout_of_task(error):
                raise
            failure = "timed_out", self._give_up()
        raise self._error(failure[0], stage, failure[1])

    def _give_up(self) -> str:
        """The task has no time left: end the connection, whose server may not even answer to that, and send nothing any more."""
        connection = self._action._connection
        close_within(_PATIENCE_SECONDS, connection.close)
        # Ansible closes it again, and would wait for the server without end.
        connection.close = _nothing
        self._given_up = f"the server did not answer within {self._action._task.timeout} seconds."
        return self._given_up

    def _early_end(self, word: str, stage: str) -> SessionError:
        if word == "constrained_language":
            return self._error("constrained_language", stage, "PowerShell runs in constrained language mode there.")
        if word == "powershell_too_old":
            return self._error("powershell_too_old", stage, "the server has PowerShell 1.0 or none.")
        if word == "bad_data":
            return self._error("failed", stage, "the data did not arrive whole.")
        return self._error("failed", stage, "PowerShell could not run the script to its end.")

    def _error(self, kind: FailureKind, stage: str, message: str) -> SessionError:
        return SessionError(kind=kind, host=self._host, stage=stage, message=message)


@functools.cache
def _packed_script(text: bytes) -> bytes:
    return _pack(text)


def _pack(data: bytes) -> bytes:
    return base64.b64encode(gzip.compress(data, mtime=0))


def _line(text: str) -> str:
    """One line of printable characters; of a text without end the beginning."""
    return " ".join("".join(c if c.isprintable() else " " for c in text[:20_000]).split())


def _clean(text: str) -> str:
    """One bounded line of printable characters, without a full stop at its end."""
    line = _line(text)
    return (line[:300] + "..." if len(line) > 300 else line).rstrip(".")


def _nothing() -> None:
    pass


def _other_output(result: dict[str, t.Any]) -> str:
    """What the command printed instead of a reply, for people."""
    other = _clean(result.get("stderr") or "") or _clean(result.get("stdout") or "")
    return f" (exit code {result.get('rc')}{'; it printed: ' + other if other else ''})"
