# Copyright (c) 2026, the sfb.kb4023993 contributors
# GNU General Public License v3.0-or-later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What all shells of WS-Management have in common."""

from __future__ import annotations

import asyncio
import base64
import binascii
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import TypeVar

from lab.protocol import soap
from lab.protocol.faults import NOISE_LINE, Fault
from lab.protocol.hosts import HostState
from lab.protocol.runner import Runner
from lab.protocol.soap import WsmanFaultError, WsmanRequest

_Result = TypeVar("_Result")


@dataclass(frozen=True, kw_only=True)
class Output:
    """What one Receive brings: pieces of streams by name, and the exit code if this is the end."""

    streams: list[tuple[str, bytes]]
    exit_code: int | None


class Shell(ABC):
    """An open shell of a host. Methods raise WsmanFaultError for requests that a host would refuse."""

    def __init__(self, host: HostState, runner: Runner, shell_id: str) -> None:
        self.host = host
        self.runner = runner
        self.shell_id = shell_id

    @abstractmethod
    def command(self, request: WsmanRequest) -> str:
        """Start a command; returns its id."""

    @abstractmethod
    def send(self, command_id: str, data: bytes, *, end: bool) -> None:
        """Input for a command, or for the shell itself if ``command_id`` is empty."""

    @abstractmethod
    async def receive(self, command_id: str, *, timeout: float, room: int) -> Output:
        """The next output, at most ``room`` bytes of it; waits ``timeout`` seconds for it to come."""

    @abstractmethod
    def signal(self, command_id: str) -> None:
        """The client is done with a command."""


async def noise(endless: Fault, *, room: int) -> bytes:
    """The next piece of an output that has no end, at most ``room`` bytes of it."""
    await asyncio.sleep(endless.seconds)
    size = min(endless.keep_bytes or room, room)
    return (NOISE_LINE * (size // len(NOISE_LINE) + 1))[:size]


def timed_out() -> WsmanFaultError:
    return WsmanFaultError(
        soap.OPERATION_TIMEOUT,
        "The WS-Management service cannot complete the operation within the time specified in OperationTimeout.",
    )


def no_such(what: str, identity: str) -> WsmanFaultError:
    return WsmanFaultError(
        soap.SHELL_NOT_FOUND, f"The request for the Windows Remote Shell failed: there is no {what} {identity}."
    )


async def finished(run: asyncio.Future[_Result] | None, *, timeout: float) -> _Result:
    """The result of a command, waited for as long as a request may take; None is a command without its input yet.

    :raises WsmanFaultError: when the time is over.
    """
    if run is None:
        await asyncio.sleep(timeout)
        raise timed_out()
    await asyncio.wait({run}, timeout=timeout)
    if not run.done():
        raise timed_out()
    return run.result()


def decode(text: str) -> bytes:
    """:raises WsmanFaultError: if ``text`` is not base64."""
    try:
        return base64.b64decode(text, validate=True)
    except binascii.Error as error:
        raise WsmanFaultError(soap.INVALID_REQUEST, f"A stream of the request is not base64: {error}") from error
