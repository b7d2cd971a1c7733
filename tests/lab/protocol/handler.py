# Copyright (c) 2026, the sfb.kb4023993 contributors
# GNU General Public License v3.0-or-later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the protocol server hands to the model of a server, and what it gets back."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, Protocol

Transport = Literal["winrm", "psrp", "ssh"]


@dataclass(frozen=True, kw_only=True)
class Invocation:
    """One command that a client ran on one simulated host.

    ``script`` is the innermost PowerShell text: every ``PowerShell ... -EncodedCommand X`` around it is taken off.

    ``stdin`` is what the script would see in ``$input``, its elements joined by line feeds. Over winrm and ssh the
    elements are the lines of standard input; over psrp they are the pipeline's input objects as PowerShell would
    turn them into strings (so ``byte[]`` objects read ``System.Byte[]``, as on a real host).

    ``processes`` is how many PowerShell processes a real host starts for this command:

    * winrm: one for each ``PowerShell -EncodedCommand``, nested ones counted too (``cmd.exe`` is not PowerShell);
    * ssh: the default shell of sshd is PowerShell, so one more than the wrappers in the command;
    * psrp: none, as the script runs in the runspace; only wrappers inside the script count. The process that hosts
      the runspace is counted once, when the shell is created, and appears in the host's counters, not here.

    ``command`` and ``input`` are what arrived, unchanged, for a handler that really runs it:

    * winrm: the command line as the shell got it, and the bytes of standard input;
    * ssh: the text that sshd gives to its default shell, and the bytes of standard input;
    * psrp: the text of the pipeline, and its input objects in order, as strings.
    """

    host: str
    transport: Transport
    script: str
    stdin: str
    processes: int
    command: str = ""
    input: bytes | tuple[str, ...] = b""


@dataclass(frozen=True, kw_only=True)
class Execution:
    """How a command ended: exit code, and the bytes it wrote to its two output streams."""

    exit_code: int
    stdout: bytes
    stderr: bytes = b""


class ConnectionLostError(Exception):
    """The server goes away while it runs a command: the client's connection closes without an answer."""


class Handler(Protocol):
    """Plays the servers. It is called in a worker thread, several at a time, and may block."""

    def execute(self, invocation: Invocation) -> Execution:
        """:raises ConnectionLostError: to close the connection instead of answering."""
        ...
