# Copyright (c) 2026, the sfb.kb4023993 contributors
# GNU General Public License v3.0-or-later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""PowerShell command lines: which script finally runs, and how many processes a real host starts for it."""

from __future__ import annotations

import base64
import binascii
import re
from dataclasses import dataclass

from lab.protocol.handler import Execution

CMD_LINE_LIMIT = 8191
"""Characters that cmd.exe accepts in one command line (Microsoft KB830473)."""

CREATE_PROCESS_LIMIT = 32767
"""Characters that CreateProcess accepts in one command line."""

# Whole text = one wrapper: ansible-core may put the code page in front (ssh, 2.16 and 2.17) and the exit code behind.
_WRAPPER = re.compile(
    r"""\A\s*(?:chcp(?:\.com)?\s+\d+\s*>\s*\$null\s*;\s*)?(?:&\s*)?"?PowerShell(?:\.exe)?"?
        (?:\s+-(?!e(?:c|n\w*)?\s)\w+(?:\s+(?!-)[^\s;|]+)?)*
        \s+-e(?:c|n\w*)?\s+(?P<encoded>[A-Za-z0-9+/=]+)
        \s*;?\s*(?:exit\s+\$LASTEXITCODE|if\s*\(-not\s+\$\?\)\s*\{[^;|]*\})?\s*\Z""",
    re.IGNORECASE | re.VERBOSE,
)


class BadEncodedCommandError(ValueError):
    """The argument of -EncodedCommand is not base64 of UTF-16LE text."""


@dataclass(frozen=True, kw_only=True)
class Unwrapped:
    """The innermost script of a command, and the number of wrappers (each one a process) that were around it."""

    script: str
    wrappers: int


def unwrap(text: str) -> Unwrapped:
    """Take off every ``PowerShell ... -EncodedCommand X`` that is the whole of ``text``, from outside to inside.

    :raises BadEncodedCommandError: where PowerShell itself would refuse the argument.
    """
    wrappers = 0
    while match := _WRAPPER.match(text):
        try:
            text = base64.b64decode(match["encoded"], validate=True).decode("utf-16-le")
        except (binascii.Error, UnicodeDecodeError) as error:
            raise BadEncodedCommandError(match["encoded"][:40]) from error
        wrappers += 1
    return Unwrapped(script=text, wrappers=wrappers)


def input_lines(stdin: bytes, *, encoding: str) -> str:
    """Standard input as ``$input`` shows it: decoded, cut into lines, the lines joined by line feeds."""
    text = stdin.decode(encoding, errors="replace").replace("\r\n", "\n")
    return text.removesuffix("\n")


def command_line_too_long() -> Execution:
    """What cmd.exe answers above :data:`CMD_LINE_LIMIT`."""
    return Execution(exit_code=1, stdout=b"", stderr=b"The command line is too long.\r\n")


def not_recognized(command_line: str) -> Execution:
    """What cmd.exe answers to a program that the simulated host does not have (it has PowerShell only)."""
    program = (command_line.split() or [""])[0]
    message = (
        f"'{program}' is not recognized as an internal or external command,\r\noperable program or batch file.\r\n"
    )
    return Execution(exit_code=1, stdout=b"", stderr=message.encode())


def bad_encoded_command() -> Execution:
    """What powershell.exe answers to an -EncodedCommand that it cannot decode."""
    message = (
        "Cannot process the command because the value specified with -EncodedCommand is not properly encoded. "
        "The value must be Base64 encoded.\r\n"
    )
    return Execution(exit_code=-196608, stdout=b"", stderr=message.encode())
