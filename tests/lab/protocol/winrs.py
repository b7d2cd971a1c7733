# Copyright (c) 2026, the sfb.kb4023993 contributors
# GNU General Public License v3.0-or-later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The cmd.exe shell of WinRM (``windows/shell/cmd``): runs command lines, as Ansible's winrm connection does."""

from __future__ import annotations

import asyncio
import codecs
import uuid
from dataclasses import dataclass, field

from lab.protocol import powershell, soap
from lab.protocol.handler import Execution, Invocation
from lab.protocol.hosts import HostState
from lab.protocol.runner import Runner
from lab.protocol.shell import Output, Shell, finished, no_such, noise
from lab.protocol.soap import WsmanFaultError, WsmanRequest


@dataclass(kw_only=True)
class _Command:
    line: str
    stdin: bytearray = field(default_factory=bytearray)
    run: asyncio.Future[Execution] | None = None
    unread: list[tuple[str, bytes]] | None = None


class WinrsShell(Shell):
    """A command starts when its input is complete: at the Send with End, or at once with WINRS_CONSOLEMODE_STDIN."""

    def __init__(self, host: HostState, runner: Runner, shell_id: str, *, codepage: str) -> None:
        super().__init__(host, runner, shell_id)
        self._encoding = _encoding(codepage)
        self._commands: dict[str, _Command] = {}

    def command(self, request: WsmanRequest) -> str:
        arguments = [element.text or "" for element in request.body.iter(f"{{{soap.SHELL}}}Arguments")]
        command = _Command(line=" ".join([request.text("Command"), *arguments]))
        command_id = str(uuid.uuid4()).upper()
        self._commands[command_id] = command
        self.host.counters.commands += 1
        if request.options.get("WINRS_CONSOLEMODE_STDIN", "TRUE").upper() == "TRUE":
            command.run = asyncio.ensure_future(self._execute(command))
        return command_id

    def send(self, command_id: str, data: bytes, *, end: bool) -> None:
        command = self._find(command_id)
        self.host.counters.stdin_bytes += len(data)
        command.stdin += data
        if end and command.run is None:
            command.run = asyncio.ensure_future(self._execute(command))

    async def receive(self, command_id: str, *, timeout: float, room: int) -> Output:
        command = self._find(command_id)
        if endless := self.host.strikes("receive", "endless"):
            return Output(streams=[("stdout", await noise(endless, room=room))], exit_code=None)
        execution = await finished(command.run, timeout=timeout)
        if command.unread is None:
            streams = [("stdout", execution.stdout), ("stderr", execution.stderr)]
            command.unread = [(name, data) for name, data in streams if data]
        pieces = _take(command.unread, room)
        ends_later = bool(command.unread) or (self.host.settings.separate_done and bool(pieces))
        return Output(streams=pieces, exit_code=None if ends_later else execution.exit_code)

    def signal(self, command_id: str) -> None:
        self._find(command_id)
        del self._commands[command_id]

    def _find(self, command_id: str) -> _Command:
        command = self._commands.get(command_id)
        if command is None:
            raise no_such("command", command_id)
        return command

    async def _execute(self, command: _Command) -> Execution:
        if len(command.line) > powershell.CMD_LINE_LIMIT:
            return powershell.command_line_too_long()
        try:
            unwrapped = powershell.unwrap(command.line)
        except powershell.BadEncodedCommandError:
            return powershell.bad_encoded_command()
        if not unwrapped.wrappers:
            return powershell.not_recognized(command.line)
        invocation = Invocation(
            host=self.host.name,
            transport="winrm",
            script=unwrapped.script,
            stdin=powershell.input_lines(bytes(command.stdin), encoding=self._encoding),
            processes=unwrapped.wrappers,
            command=command.line,
            input=bytes(command.stdin),
        )
        return await self.runner.run(self.host, invocation)


def _take(unread: list[tuple[str, bytes]], room: int) -> list[tuple[str, bytes]]:
    """Take at most ``room`` bytes off the front of ``unread``."""
    taken = []
    while unread and room:
        name, data = unread.pop(0)
        taken.append((name, data[:room]))
        if len(data) > room:
            unread.insert(0, (name, data[room:]))
        room -= len(taken[-1][1])
    return taken


def _encoding(codepage: str) -> str:
    """:raises WsmanFaultError: for a code page that does not exist."""
    name = "utf-8" if codepage == "65001" else f"cp{codepage}"
    try:
        return codecs.lookup(name).name
    except LookupError as error:
        raise WsmanFaultError(soap.INVALID_REQUEST, f"There is no code page {codepage}.") from error
