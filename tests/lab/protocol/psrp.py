# Copyright (c) 2026, the sfb.kb4023993 contributors
# GNU General Public License v3.0-or-later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The PowerShell shell of WinRM: a runspace pool that speaks PSRP, as Ansible's psrp connection uses it.

psrpcore does the protocol; this module runs the pipelines and carries the fragments in WS-Management.
"""

from __future__ import annotations

import asyncio
import uuid
from collections import deque
from dataclasses import dataclass, field
from typing import Any

import psrpcore
from psrpcore.types import HostMethodIdentifier, NETException

from lab.protocol import powershell, soap
from lab.protocol.handler import Execution, Invocation
from lab.protocol.hosts import HostState
from lab.protocol.runner import Runner
from lab.protocol.shell import Output, Shell, decode, finished, no_such, noise, timed_out
from lab.protocol.soap import WsmanFaultError, WsmanRequest

_FRAGMENT_BYTES = 32_768


@dataclass(kw_only=True)
class _Pipeline:
    pipeline: psrpcore.ServerPipeline
    script: str = ""
    input: list[str] = field(default_factory=list)
    run: asyncio.Future[int] | None = None


class PsrpShell(Shell):
    """One runspace pool. Opening it starts the process that hosts the runspace: one PowerShell process is counted."""

    def __init__(self, host: HostState, runner: Runner, shell_id: str, *, creation: bytes) -> None:
        super().__init__(host, runner, shell_id)
        self._pool = psrpcore.ServerRunspacePool()
        self._pipelines: dict[str, _Pipeline] = {}
        # Fragments that wait for a Receive, by command id; those of the pool itself under "".
        self._outgoing: dict[str, deque[bytes]] = {"": deque()}
        self._take_in(creation)
        host.counters.powershell_processes += 1

    def command(self, request: WsmanRequest) -> str:
        element = request.find("CommandLine")
        command_id = (element.get("CommandId", "") if element is not None else "").upper()
        try:
            pipeline = psrpcore.ServerPipeline(self._pool, uuid.UUID(command_id))
        except ValueError as error:
            raise WsmanFaultError(soap.INVALID_REQUEST, "A pipeline's CommandId must be a GUID.") from error
        self._pipelines[command_id] = _Pipeline(pipeline=pipeline)
        self._outgoing[command_id] = deque()
        self.host.counters.commands += 1
        self._take_in(decode(request.text("Arguments")))
        return command_id

    def send(self, command_id: str, data: bytes, *, end: bool) -> None:  # noqa: ARG002 - PSRP ends input itself
        if command_id:
            self._find(command_id)
        self._take_in(data)

    async def receive(self, command_id: str, *, timeout: float, room: int) -> Output:
        exit_code: int | None = None
        if command_id and (endless := self.host.strikes("receive", "endless")):
            self._find(command_id).pipeline.write_output((await noise(endless, room=room // 2)).decode())
            self._collect()
        elif command_id:
            exit_code = await finished(self._find(command_id).run, timeout=timeout)
        elif not self._outgoing[""]:
            await asyncio.sleep(timeout)
            raise timed_out()
        outgoing = self._outgoing[command_id]
        streams: list[tuple[str, bytes]] = []
        while outgoing and (not streams or len(outgoing[0]) <= room):
            fragment = outgoing.popleft()
            streams.append(("stdout", fragment))
            room -= len(fragment)
        return Output(streams=streams, exit_code=None if outgoing else exit_code)

    def signal(self, command_id: str) -> None:
        pipeline = self._find(command_id)
        del self._pipelines[command_id]
        self._pool.pipeline_table.pop(pipeline.pipeline.pipeline_id, None)

    def _find(self, command_id: str) -> _Pipeline:
        pipeline = self._pipelines.get(command_id)
        if pipeline is None:
            raise no_such("pipeline", command_id)
        return pipeline

    def _take_in(self, data: bytes) -> None:
        """Take in fragments from the client; start the pipelines whose input is complete."""
        try:
            self._pool.receive_data(psrpcore.PSRPPayload(data, psrpcore.StreamType.default, None))
            while (event := self._pool.next_event()) is not None:
                self._handle(event)
        except (psrpcore.PSRPCoreError, ValueError) as error:
            raise WsmanFaultError(soap.INVALID_REQUEST, f"The PSRP data is not valid: {error}") from error
        self._collect()

    def _handle(self, event: psrpcore.PSRPEvent[Any, Any]) -> None:
        if isinstance(event, psrpcore.CreatePipelineEvent):
            pipeline = self._find(str(event.pipeline_id).upper())
            pipeline.script = " | ".join(command.command_text for command in event.pipeline.commands)
            if event.pipeline.no_input:
                self._start(pipeline)
        elif isinstance(event, psrpcore.PipelineInputEvent):
            text = _as_powershell_string(event.data)
            self._find(str(event.pipeline_id).upper()).input.append(text)
            self.host.counters.stdin_bytes += len(text.encode())
        elif isinstance(event, psrpcore.EndOfPipelineInputEvent):
            self._start(self._find(str(event.pipeline_id).upper()))

    def _start(self, pipeline: _Pipeline) -> None:
        pipeline.pipeline.start()
        pipeline.run = asyncio.ensure_future(self._execute(pipeline))

    async def _execute(self, pipeline: _Pipeline) -> int:
        try:
            unwrapped = powershell.unwrap(pipeline.script)
        except powershell.BadEncodedCommandError:
            execution = powershell.bad_encoded_command()
        else:
            invocation = Invocation(
                host=self.host.name,
                transport="psrp",
                script=unwrapped.script,
                stdin="\n".join(pipeline.input),
                processes=unwrapped.wrappers,
                command=pipeline.script,
                input=tuple(pipeline.input),
            )
            execution = await self.runner.run(self.host, invocation)
        if self.host.strikes("receive", "endless"):
            return execution.exit_code
        self._write(pipeline.pipeline, execution)
        return execution.exit_code

    def _write(self, pipeline: psrpcore.ServerPipeline, execution: Execution) -> None:
        """The output as a pipeline gives it: one string for each line, an error record, the exit code for the host."""
        text = execution.stdout.decode("utf-8", errors="replace").replace("\r\n", "\n").removesuffix("\n")
        if text:
            for line in text.split("\n"):
                pipeline.write_output(line)
        if execution.stderr:
            message = execution.stderr.decode("utf-8", errors="replace")
            pipeline.write_error(NETException(Message=message))
        if execution.exit_code:
            pipeline.host_call(HostMethodIdentifier.SetShouldExit, [execution.exit_code])
        pipeline.complete()
        self._collect()

    def _collect(self) -> None:
        """Move what psrpcore has to say to the queues of those who will ask for it."""
        while (payload := self._pool.data_to_send(_FRAGMENT_BYTES)) is not None:
            target = str(payload.pipeline_id).upper() if payload.pipeline_id else ""
            self._outgoing.setdefault(target, deque()).append(payload.data)


def _as_powershell_string(value: object) -> str:
    """What ``-join`` makes of an input object."""
    return "System.Byte[]" if isinstance(value, (bytes, bytearray)) else str(value)
