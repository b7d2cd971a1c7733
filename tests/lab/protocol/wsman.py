# Copyright (c) 2026, the sfb.kb4023993 contributors
# GNU General Public License v3.0-or-later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""WS-Management shells of a simulated host: opens them, and leads each request to the shell that it names."""

from __future__ import annotations

import base64
import uuid
from xml.sax.saxutils import escape

from lab.protocol import soap
from lab.protocol.hosts import HostState
from lab.protocol.psrp import PsrpShell
from lab.protocol.runner import Runner
from lab.protocol.shell import Shell, decode, no_such
from lab.protocol.soap import WsmanFaultError, WsmanRequest
from lab.protocol.winrs import WinrsShell

_ENVELOPE_OVERHEAD = 4096
_DONE = f"{soap.SHELL}/CommandState/Done"
_RUNNING = f"{soap.SHELL}/CommandState/Running"


async def answer(host: HostState, runner: Runner, request: WsmanRequest) -> bytes:
    """Do what an authenticated request asks for, and return the answer's envelope.

    :raises WsmanFaultError: to be answered with a fault.
    """
    if request.action == "create":
        return _create(host, runner, request)
    shell = host.shells.get(request.shell_id)
    if shell is None:
        raise no_such("shell", request.shell_id)
    if request.action == "command":
        return _respond(request, "Command", f"<rsp:CommandId>{shell.command(request)}</rsp:CommandId>")
    if request.action == "send":
        return _send(shell, request)
    if request.action == "receive":
        return await _receive(shell, request)
    if request.action == "signal":
        signal = request.find("Signal")
        shell.signal(signal.get("CommandId", "").upper() if signal is not None else "")
        return _respond(request, "Signal", "")
    if request.action == "delete":
        del host.shells[request.shell_id]
        return soap.response(request, action=f"{soap.TRANSFER}/DeleteResponse", body="")
    raise WsmanFaultError(soap.INVALID_REQUEST, f"The action {request.action!r} is not supported.")


def _create(host: HostState, runner: Runner, request: WsmanRequest) -> bytes:
    element = request.find("Shell")
    wanted_id = element.get("ShellId") if element is not None else None
    try:
        shell_id = str(uuid.UUID(wanted_id) if wanted_id else uuid.uuid4()).upper()
    except ValueError as error:
        raise WsmanFaultError(soap.INVALID_REQUEST, "A ShellId must be a GUID.") from error
    shell: Shell
    if request.resource_uri == f"{soap.SHELL}/cmd":
        shell = WinrsShell(host, runner, shell_id, codepage=request.options.get("WINRS_CODEPAGE", "437"))
    elif request.resource_uri.startswith(f"{soap.POWERSHELL}/"):
        creation = request.body.findtext(f".//{{{soap.POWERSHELL}}}creationXml", "")
        shell = PsrpShell(host, runner, shell_id, creation=decode(creation))
    else:
        raise WsmanFaultError(soap.INVALID_REQUEST, f"There is no shell of kind {request.resource_uri!r}.")
    host.shells[shell_id] = shell
    body = (
        f"<x:ResourceCreated><a:Address>{soap.ADDRESSING}/role/anonymous</a:Address><a:ReferenceParameters>"
        f"<w:ResourceURI>{escape(request.resource_uri)}</w:ResourceURI><w:SelectorSet>"
        f'<w:Selector Name="ShellId">{shell_id}</w:Selector></w:SelectorSet></a:ReferenceParameters>'
        f"</x:ResourceCreated><rsp:Shell><rsp:ShellId>{shell_id}</rsp:ShellId>"
        f"<rsp:ResourceUri>{escape(request.resource_uri)}</rsp:ResourceUri><rsp:Owner>{escape(host.settings.user)}</rsp:Owner>"
        "<rsp:IdleTimeOut>PT7200.000S</rsp:IdleTimeOut><rsp:InputStreams>stdin</rsp:InputStreams>"
        "<rsp:OutputStreams>stdout stderr</rsp:OutputStreams></rsp:Shell>"
    )
    return soap.response(request, action=f"{soap.TRANSFER}/CreateResponse", body=body)


def _send(shell: Shell, request: WsmanRequest) -> bytes:
    for stream in request.body.iter(f"{{{soap.SHELL}}}Stream"):
        shell.send(
            stream.get("CommandId", "").upper(),
            decode(stream.text or ""),
            end=stream.get("End", "").lower() == "true",
        )
    return _respond(request, "Send", "")


async def _receive(shell: Shell, request: WsmanRequest) -> bytes:
    desired = request.find("DesiredStream")
    command_id = desired.get("CommandId", "").upper() if desired is not None else ""
    envelope = min(request.max_envelope, shell.host.settings.envelope_bytes)
    room = max(envelope - _ENVELOPE_OVERHEAD, 1024) * 3 // 4
    output = await shell.receive(command_id, timeout=request.timeout, room=room)
    of_command = f' CommandId="{command_id}"' if command_id else ""
    body = "".join(
        f'<rsp:Stream Name="{name}"{of_command}>{base64.b64encode(data).decode()}</rsp:Stream>'
        for name, data in output.streams
    )
    if output.exit_code is not None:
        body += (
            f'<rsp:CommandState{of_command} State="{_DONE}"><rsp:ExitCode>{output.exit_code}</rsp:ExitCode>'
            "</rsp:CommandState>"
        )
    elif command_id:
        body += f'<rsp:CommandState{of_command} State="{_RUNNING}"/>'
    return _respond(request, "Receive", body)


def _respond(request: WsmanRequest, name: str, body: str) -> bytes:
    return soap.response(
        request, action=f"{soap.SHELL}/{name}Response", body=f"<rsp:{name}Response>{body}</rsp:{name}Response>"
    )
