# Copyright (c) 2026, the sfb.kb4023993 contributors
# GNU General Public License v3.0-or-later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The lab's side of the ssh stand-in: sshd of a simulated host, whose default shell is Windows PowerShell."""

from __future__ import annotations

import asyncio
import dataclasses
import shlex
import sys
from pathlib import Path

from lab.protocol import powershell, ssh_client
from lab.protocol.faults import Stage
from lab.protocol.handler import ConnectionLostError, Execution, Invocation
from lab.protocol.hosts import HostState, HostTable
from lab.protocol.runner import Runner

_DEFAULT_SHELL = 'c:\\windows\\system32\\windowspowershell\\v1.0\\powershell.exe -c "" '


class _ConnectionLostError(Exception):
    """What the ssh program says when the connection cannot be made or breaks."""


async def execute(
    hosts: HostTable, runner: Runner, *, host_name: str, user: str, command: str, stdin: bytes
) -> Execution:
    """Run ``command`` as sshd does: its default shell, PowerShell, gets the text with ``-c``.

    Failures of the connection end with ssh's own exit code, 255. Keys are not looked at: a client that gives the
    host's user is let in.
    """
    host = hosts.find(host_name)
    if host is None:
        return _failed(f"ssh: Could not resolve hostname {host_name}: Name or service not known")
    host.counters.connections += 1
    try:
        await _strike(host, "connect", user=user)
        if user.lower() != host.settings.user.lower():
            raise _permission_denied(host, user)
        await _strike(host, "command", user=user)
        host.counters.commands += 1
        if stdin:
            await _strike(host, "send", user=user)
            host.counters.stdin_bytes += len(stdin)
        execution = await _run(host, runner, command=command, stdin=stdin)
        await _strike(host, "receive", user=user)
    except _ConnectionLostError as error:
        return _failed(str(error))
    return execution


async def _run(host: HostState, runner: Runner, *, command: str, stdin: bytes) -> Execution:
    if len(_DEFAULT_SHELL) + len(command) > powershell.CREATE_PROCESS_LIMIT:
        return _failed("exec request failed on channel 0")
    try:
        unwrapped = powershell.unwrap(command)
    except powershell.BadEncodedCommandError:
        return powershell.bad_encoded_command()
    invocation = Invocation(
        host=host.name,
        transport="ssh",
        script=unwrapped.script,
        stdin=powershell.input_lines(stdin, encoding="utf-8"),
        processes=1 + unwrapped.wrappers,
        command=command,
        input=stdin,
    )
    try:
        execution = await runner.run(host, invocation)
    except ConnectionLostError:
        raise _ConnectionLostError(f"Connection to {host.name} closed by remote host.") from None
    if unwrapped.wrappers and execution.exit_code:
        # What the handler played is a program that the default shell ran: powershell -c ends with 1 for any that failed.
        return dataclasses.replace(execution, exit_code=1)
    return execution


async def _strike(host: HostState, stage: Stage, *, user: str) -> None:
    if delay := host.strikes(stage, "delay"):
        await asyncio.sleep(delay.seconds)
    if host.strikes(stage, "refuse"):
        if stage == "connect":
            raise _ConnectionLostError(f"ssh: connect to host {host.name} port 22: Connection refused")
        raise _ConnectionLostError(f"Connection to {host.name} closed by remote host.")
    if any(host.strikes(stage, kind) for kind in ("reset", "disconnect", "http_error")):
        raise _ConnectionLostError(f"Connection to {host.name} closed by remote host.")
    if host.strikes(stage, "auth"):
        raise _permission_denied(host, user)


def _permission_denied(host: HostState, user: str) -> _ConnectionLostError:
    return _ConnectionLostError(f"{user}@{host.name}: Permission denied (publickey,password,keyboard-interactive).")


def _failed(message: str) -> Execution:
    return Execution(exit_code=255, stdout=b"", stderr=message.encode() + b"\r\n")


def write_program(directory: Path) -> Path:
    """Write the program that Ansible is to run instead of ssh."""
    program = directory / "ssh"
    interpreter, script = shlex.quote(sys.executable), shlex.quote(str(Path(ssh_client.__file__).resolve()))
    program.write_text(f'#!/bin/sh\nexec {interpreter} -I {script} "$@"\n', encoding="utf-8")
    program.chmod(0o755)
    return program
