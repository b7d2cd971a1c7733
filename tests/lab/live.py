# Copyright (c) 2026, the sfb.kb4023993 contributors
# GNU General Public License v3.0-or-later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Servers whose commands a PowerShell engine really runs, each started in the way in which Windows starts it.

* winrm: the shell starts the command line as a process, with the bytes of standard input;
* ssh: sshd starts its default shell, PowerShell, with the text after ``-Command``; what the text starts is a process of its own;
* psrp: the text runs inside one runspace, and the input objects are the input of its pipeline (live_pipeline.ps1).

Nothing is decoded on the way: engine and script see what Ansible sent.
"""

from __future__ import annotations

import base64
import os
import re
import shlex
import signal
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

from lab.protocol.handler import Execution, Handler, Invocation
from lab.protocol.powershell import not_recognized

TIMED_OUT = 124
"""The exit code of a command that was ended by its time limit."""

_OPTIONS = ("-NoProfile", "-NonInteractive", "-ExecutionPolicy", "Unrestricted")
_INPUT = re.compile(r"\$\{?input\b", re.IGNORECASE)
# Names the file that holds standard input for the programs that a command starts.
_KEPT = "SFB_LAB_STANDARD_INPUT"
_PIPELINE = Path(__file__).with_name("live_pipeline.ps1")
# A run of backslashes, and the character after it (none at the end of the line).
_PIECE = re.compile(r"(\\*)([^\\]?)")


@dataclass(frozen=True, kw_only=True)
class Program:
    """A PowerShell engine: its command (for Wine ``("wine", "/path/pwsh.exe")``), and what is added to its environment.

    A command that takes more than ``seconds`` is ended together with what it started.

    Commands that start ``PowerShell`` by its name (all over ssh) need a system where a script on PATH is a program, so not Wine.
    """

    command: tuple[str, ...]
    variables: Mapping[str, str] = field(default_factory=dict)
    seconds: float = 60.0


class LiveServers:
    """The handler for the hosts in ``programs``; every other host is left to ``others``.

    ``directory`` receives what the commands find on PATH.
    """

    def __init__(self, programs: Mapping[str, Program], *, others: Handler, directory: Path) -> None:
        self._programs = dict(programs)
        self._others = others
        self._paths = {name: _write_path(directory / name, program) for name, program in programs.items()}

    def execute(self, invocation: Invocation) -> Execution:
        """Run one command to its end, or to the time limit."""
        program = self._programs.get(invocation.host)
        if program is None:
            return self._others.execute(invocation)
        path = self._paths[invocation.host]
        if isinstance(invocation.input, tuple):
            lines = [base64.b64encode(text.encode("utf-8")) for text in (invocation.command, *invocation.input)]
            return _run(program, path, _pipeline_arguments(), stdin=b"\n".join(lines) + b"\n")
        if invocation.transport == "ssh":
            return _run(program, path, ["-Command", invocation.command], stdin=invocation.input)
        name, *arguments = split_command_line(invocation.command)
        if name.lower().removesuffix(".exe") != "powershell":
            return not_recognized(invocation.command)
        return _run(program, path, arguments, stdin=invocation.input)


def split_command_line(line: str) -> list[str]:
    """The arguments of a Windows command line, the program first, by the rules of the C runtime.

    Blanks separate, double quotes hold together. Backslashes are themselves, except before a double quote: there two stand for one,
    and one that is left over makes the quote a plain character.
    """
    arguments: list[str] = []
    current: str | None = None
    quoted = False
    for slashes, letter in _PIECE.findall(line):
        if letter == '"':
            current = (current or "") + slashes[: len(slashes) // 2]
            if len(slashes) % 2:
                current += letter
            else:
                quoted = not quoted
        elif letter and (quoted or letter not in " \t"):
            current = (current or "") + slashes + letter
        else:
            if slashes:
                current = (current or "") + slashes
            if current is not None:
                arguments.append(current)
            current = None
    return arguments


def _run(program: Program, path: Path, arguments: Sequence[str], *, stdin: bytes) -> Execution:
    # Files instead of pipes: what a command leaves running in the background cannot hold up its end.
    with (
        tempfile.NamedTemporaryFile() as standard_input,
        tempfile.TemporaryFile() as stdout,
        tempfile.TemporaryFile() as stderr,
    ):
        standard_input.write(stdin)
        standard_input.flush()
        standard_input.seek(0)
        environment = {**os.environ, **program.variables}
        environment["PATH"] = f"{path}{os.pathsep}{environment.get('PATH', os.defpath)}"
        # powershell.exe leaves standard input to the programs that it starts unless the script itself uses $input (ConsoleHost.cs
        # asks the syntax tree). An engine may read it in any case, so here it is kept for them out of its reach.
        reads = _uses_input(arguments)
        if not reads:
            environment[_KEPT] = standard_input.name
        with subprocess.Popen(
            [*program.command, *arguments],
            stdin=standard_input if reads else subprocess.DEVNULL,
            stdout=stdout,
            stderr=stderr,
            env=environment,
            cwd=path,
            start_new_session=True,
        ) as process:
            try:
                exit_code = process.wait(timeout=program.seconds)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
                exit_code = TIMED_OUT
                stderr.write(f"Ended by the lab after {program.seconds} seconds.\r\n".encode())
        stdout.seek(0)
        stderr.seek(0)
        return Execution(exit_code=exit_code, stdout=stdout.read(), stderr=stderr.read())


def _uses_input(arguments: Sequence[str]) -> bool:
    """Whether the script of these arguments takes standard input for itself."""
    options = [argument.lower() for argument in arguments]
    if "-encodedcommand" in options:
        encoded = arguments[options.index("-encodedcommand") + 1]
        text = base64.b64decode(encoded).decode("utf-16-le")
    else:
        text = " ".join(arguments)
    return _INPUT.search(text) is not None


@cache
def _pipeline_arguments() -> tuple[str, ...]:
    text = _PIPELINE.read_text(encoding="utf-8")
    return (*_OPTIONS, "-EncodedCommand", base64.b64encode(text.encode("utf-16-le")).decode("ascii"))


def _write_path(directory: Path, program: Program) -> Path:
    """Write the programs that Ansible's commands call by their names, and give their folder."""
    directory.mkdir(parents=True)
    engine = f'[ -z "${_KEPT}" ] || exec < "${_KEPT}"\nexec {shlex.join(program.command)} "$@"\n'
    # Over ssh, ansible-core 2.16 and 2.17 set the code page of the console first; there is none here.
    texts = {"PowerShell": engine, "powershell": engine, "chcp.com": 'echo "Active code page: $1"\n'}
    for name, text in texts.items():
        file = directory / name
        file.write_text(f"#!/bin/sh\n{text}", encoding="utf-8")
        file.chmod(0o755)
    return directory
