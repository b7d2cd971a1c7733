# Copyright (c) 2026, the sfb.kb4023993 contributors
# GNU General Public License v3.0-or-later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Starts a batch in a PowerShell engine in the way that Ansible starts it on a server."""

from __future__ import annotations

import base64
import gzip
import os
import subprocess
from dataclasses import dataclass, field

from ansible_collections.sfb.kb4023993.plugins.plugin_utils.host import operations, session, wire

NONCE = "00112233aabbccdd"
_TIME_LIMIT = 60.0
_LAST_PART = "# ---- the batch ---"


def bootstrap_text() -> str:
    """The bootstrap as it is sent: without comments, and stripped as older releases of Ansible strip it."""
    return session.script().bootstrap


def batch_text() -> str:
    """The script with all operations, also those that change something."""
    return session.script().certificates.decode("utf-8")


def changing_text() -> str:
    """The script as a batch that changes something sends it, if it is none of workaround 1."""
    return session.script().changing.decode("utf-8")


def reading_text() -> str:
    """The script as an audit sends it."""
    return session.script().reading.decode("utf-8")


def functions_text() -> str:
    """The functions of batch.ps1 without the part that runs a batch."""
    head, mark, _ = batch_text().partition(_LAST_PART)
    assert mark, "batch.ps1 has lost the heading of its last part"
    return head


def pack(*texts: str) -> bytes:
    """Texts as the bootstrap takes them from standard input."""
    return b".".join(base64.b64encode(gzip.compress(text.encode("utf-8"))) for text in texts) + b"\r\n"


@dataclass(frozen=True)
class Printed:
    """What the command left."""

    stdout: str
    stderr: str
    exit_code: int


@dataclass(frozen=True)
class Engine:
    """A PowerShell program, or the words of a command that starts one; ``variables`` are added to its environment."""

    program: str | tuple[str, ...]
    variables: dict[str, str] = field(default_factory=dict)

    def execute(self, stdin: bytes, *, command: str | None = None) -> Printed:
        """Run the bootstrap (or another command) with that standard input."""
        encoded = base64.b64encode((command or bootstrap_text()).encode("utf-16-le")).decode("ascii")
        options = ("-NoProfile", "-NonInteractive", "-ExecutionPolicy", "Unrestricted", "-EncodedCommand", encoded)
        program = (self.program,) if isinstance(self.program, str) else self.program
        done = subprocess.run(
            [*program, *options],
            input=stdin,
            capture_output=True,
            timeout=_TIME_LIMIT,
            check=False,
            env={**os.environ, **self.variables},
        )
        # Bytes outside ASCII would be read in some code page on the way from a server.
        return Printed(done.stdout.decode("ascii"), done.stderr.decode("utf-8", "replace"), done.returncode)

    def text(self, script: str, data: str = "", *, command: str | None = None) -> str:
        """Run a script that must end well, and give what it printed as one line."""
        printed = self.execute(pack(script, data), command=command)
        assert (printed.stderr, printed.exit_code) == ("", 0)
        return printed.stdout.replace("\n", "")

    def run(
        self, *batch: operations.Operation, deadline_seconds: int = 50, stop_on_error: bool = False
    ) -> tuple[wire.Reply, ...]:
        """Run a batch that must be accepted, with the script that is sent for it, and give its replies."""
        return self.run_script(
            session.script().text_for(batch).decode("utf-8"),
            *batch,
            deadline_seconds=deadline_seconds,
            stop_on_error=stop_on_error,
        )

    def run_script(
        self, script: str, *batch: operations.Operation, deadline_seconds: int = 50, stop_on_error: bool = False
    ) -> tuple[wire.Reply, ...]:
        """The same with a script that a test has changed."""
        data = wire.encode_batch(batch, nonce=NONCE, deadline_seconds=deadline_seconds, stop_on_error=stop_on_error)
        printed = self.execute(pack(script, data))
        assert (printed.stderr, printed.exit_code) == ("", 0)
        replies, failure = wire.decode_reply(printed.stdout, batch, nonce=NONCE)
        assert failure is None
        return replies
