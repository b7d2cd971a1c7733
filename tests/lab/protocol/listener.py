# Copyright (c) 2026, the sfb.kb4023993 contributors
# GNU General Public License v3.0-or-later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A WinRM listener: takes HTTP(S) connections for all hosts, the last element of the path says which."""

from __future__ import annotations

import asyncio
import logging
import socket
import ssl
import struct
from dataclasses import dataclass
from http import HTTPStatus
from typing import cast

from lab.protocol import soap
from lab.protocol.auth import ConnectionAuth
from lab.protocol.faults import Fault, Stage
from lab.protocol.handler import ConnectionLostError
from lab.protocol.hosts import HostState, HostTable
from lab.protocol.http import BadRequestError, HttpRequest, HttpResponse, bad_request_response, read_request
from lab.protocol.ntlm import BadMessageError
from lab.protocol.runner import Runner
from lab.protocol.soap import WsmanFaultError
from lab.protocol.wsman import answer

_log = logging.getLogger(__name__)

_STAGES = ("create", "command", "send", "receive", "signal", "delete")


# What the header of a trickling answer promises.
_LONG = 1_000_000_000
_DROP = 16


class _RefusedError(Exception):
    """A fault wants the connection to end here, without an answer."""

    def __init__(self, *, reset: bool = False) -> None:
        super().__init__()
        self.reset = reset


class Listener:
    """One port. ``tls`` and ``channel_binding`` come together, or not at all."""

    def __init__(
        self,
        hosts: HostTable,
        runner: Runner,
        *,
        tls: ssl.SSLContext | None = None,
        channel_binding: bytes | None = None,
    ) -> None:
        self._hosts = hosts
        self._runner = runner
        self._tls = tls
        self._channel_binding = channel_binding
        self._server: asyncio.Server | None = None

    async def open(self, address: str, port: int) -> int:
        """Listen; port 0 takes a free one. Returns the port."""
        self._server = await asyncio.start_server(self._connected, address, port, ssl=self._tls, backlog=1024)
        return int(self._server.sockets[0].getsockname()[1])

    def close(self) -> None:
        """Take no more connections; those that are open end with their tasks."""
        if self._server is not None:
            self._server.close()

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await _Connection(
                reader, writer, hosts=self._hosts, runner=self._runner, channel_binding=self._channel_binding
            ).serve()
        except (_RefusedError, ConnectionLostError, ConnectionError, ssl.SSLError) as error:
            if isinstance(error, _RefusedError) and error.reset:
                # Lingering for no time: closing sends a reset.
                linger = struct.pack("ii", 1, 0)
                writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
            writer.transport.abort()
        finally:
            writer.close()


@dataclass(frozen=True, kw_only=True)
class _Peer:
    """The host that a connection is for, and who the client is."""

    host: HostState
    auth: ConnectionAuth


class _Connection:
    def __init__(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        *,
        hosts: HostTable,
        runner: Runner,
        channel_binding: bytes | None,
    ) -> None:
        self._reader = reader
        self._writer = writer
        self._hosts = hosts
        self._runner = runner
        self._channel_binding = channel_binding
        self._peer: _Peer | None = None
        self._disconnect = False
        self._trickle: Fault | None = None

    async def serve(self) -> None:
        closing = False
        while not closing:
            try:
                request = await read_request(self._reader)
            except BadRequestError as error:
                self._writer.write(bad_request_response(error).encode())
                await self._writer.drain()
                return
            if request is None:
                return
            response = await self._answer(request)
            if self._trickle is not None:
                await self._send_drops(response, seconds=self._trickle.seconds)
            data = response.encode()
            unsent = max(len(response.body) // 2, 1) if self._disconnect else 0
            if self._peer is not None:
                self._peer.host.counters.http_bytes_down += len(data) - unsent
                self._peer.host.counters.body_bytes_down += max(len(response.body) - unsent, 0)
            self._writer.write(data[: len(data) - unsent])
            await self._writer.drain()
            closing = self._disconnect or request.headers.get("connection", "").lower() == "close"

    async def _send_drops(self, response: HttpResponse, *, seconds: float) -> None:
        """Send an answer that has no end, until the client goes away.

        :raises ConnectionError: it has.
        """
        self._writer.write(response.encode(length=_LONG)[: -len(response.body) or None])
        while not self._writer.is_closing():
            self._writer.write(b" " * _DROP)
            await self._writer.drain()
            await asyncio.sleep(seconds)
        raise ConnectionAbortedError

    async def _answer(self, request: HttpRequest) -> HttpResponse:
        folder, _, name = request.path.rpartition("/")
        host = self._hosts.find(name) if folder == "/wsman" else None
        if host is None:
            return _plain(404, f"There is no host at {request.path} in this lab.")
        peer, is_first = self._peer, False
        if peer is None or peer.host is not host:
            auth = ConnectionAuth(host.settings, channel_binding=self._channel_binding)
            peer, is_first = _Peer(host=host, auth=auth), True
            self._peer = peer
            host.counters.connections += 1
        host.counters.http_requests += 1
        host.counters.http_bytes_up += request.size
        host.counters.body_bytes_up += len(request.body)
        if is_first:
            failure = await self._strike(peer, "connect")
            if failure is not None:
                return HttpResponse(status=500, headers=_SOAP_TYPE, body=failure)
        if request.method != "POST":
            return _plain(405, "WS-Management takes POST requests only.")
        challenge = peer.auth.challenge(request)
        if challenge is not None:
            return challenge
        try:
            message = peer.auth.open(request)
        except BadMessageError as error:
            return _plain(400, str(error))
        if not message:
            # The handshake of clients that encrypt: an empty request, whose answer is empty too.
            return HttpResponse(status=200)
        host.counters.wsman_requests += 1
        status, body = await self._converse(peer, message)
        if status == HTTPStatus.UNAUTHORIZED:
            return peer.auth.unauthorized()
        return peer.auth.seal(request, status=status, message=body)

    async def _converse(self, peer: _Peer, message: bytes) -> tuple[int, bytes]:
        """The HTTP status and envelope that answer an authenticated message."""
        host, message_id = peer.host, ""
        try:
            if len(message) > host.settings.envelope_bytes:
                raise WsmanFaultError(
                    soap.ENVELOPE_TOO_LARGE,
                    f"The request has {len(message)} bytes, which exceeds the configured MaxEnvelopeSize quota of "
                    f"{host.settings.envelope_bytes}.",
                )
            request = soap.parse_request(message)
            message_id = request.message_id
            if request.action in _STAGES:
                failure = await self._strike(peer, cast("Stage", request.action), relates_to=message_id)
                if failure is not None:
                    return 500, failure
                if peer.auth.refuses_all:
                    return HTTPStatus.UNAUTHORIZED, b""
            return 200, await answer(host, self._runner, request)
        except (_RefusedError, ConnectionLostError):
            raise
        except WsmanFaultError as fault:
            return 500, soap.fault(fault.code, str(fault), machine=host.name, relates_to=message_id)
        except Exception as error:
            _log.exception("The lab could not answer for host %s", host.name)
            reason = f"The lab could not answer for host {host.name}: {type(error).__name__}: {error}"
            return 500, soap.fault(soap.INTERNAL_ERROR, reason, machine=host.name, relates_to=message_id)

    async def _strike(self, peer: _Peer, stage: Stage, *, relates_to: str = "") -> bytes | None:
        """Let the host's faults of this stage happen; returns the fault envelope to answer with, if any."""
        host = peer.host
        if delay := host.strikes(stage, "delay"):
            await asyncio.sleep(delay.seconds)
        if host.strikes(stage, "refuse"):
            raise _RefusedError
        if host.strikes(stage, "reset"):
            raise _RefusedError(reset=True)
        if host.strikes(stage, "auth"):
            peer.auth.refuse_all()
        if host.strikes(stage, "disconnect"):
            self._disconnect = True
        self._trickle = self._trickle or host.strikes(stage, "trickle")
        if error := host.strikes(stage, "http_error"):
            return soap.fault(error.code, error.text, machine=host.name, relates_to=relates_to)
        return None


_SOAP_TYPE = [("Content-Type", "application/soap+xml;charset=UTF-8")]


def _plain(status: int, text: str) -> HttpResponse:
    return HttpResponse(status=status, headers=[("Content-Type", "text/plain; charset=utf-8")], body=text.encode())
