# Copyright (c) 2026, the sfb.kb4023993 contributors
# GNU General Public License v3.0-or-later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A process that has too little memory, or is ended by somebody: an operation fails, or the batch gives no answer, and never half of one."""

from __future__ import annotations

import base64
import os
import socket
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest
from ansible_collections.sfb.kb4023993.plugins.plugin_utils.host import operations, wire
from powershell.runner import NONCE, Engine, bootstrap_text, pack, reading_text

# .NET's own limit of its heap, in hexadecimal: enough for a batch, but not for a reply of 12 MB; and too little to run at all.
_SMALL = {"DOTNET_GCHeapHardLimit": "0x3000000"}
_TOO_SMALL = {"DOTNET_GCHeapHardLimit": "0x100000"}


def _batch(*asked: operations.Operation) -> bytes:
    data = wire.encode_batch(asked, nonce=NONCE, deadline_seconds=50, stop_on_error=False)
    return pack(reading_text(), data)


def test_operation_that_runs_out_of_memory_is_an_error_of_its_own(engine: Engine, tmp_path: Path) -> None:
    path = tmp_path / "large.bin"
    path.write_bytes(b"")
    os.truncate(path, 9_000_000)
    small = replace(engine, variables={**engine.variables, **_SMALL})
    before, large, after = small.run(
        operations.System(),
        operations.FileRead(path=str(path), limit=9_000_000),
        operations.FileInfo(path=str(path)),
    )
    assert before.value is not None
    assert large.error is not None
    assert "OutOfMemoryException" in large.error.message
    assert isinstance(after.value, operations.FileInfoReply)


def test_process_that_cannot_have_its_memory_gives_no_reply(engine: Engine) -> None:
    too_small = replace(engine, variables={**engine.variables, **_TOO_SMALL})
    printed = too_small.execute(_batch(operations.System()))
    assert printed.exit_code != 0
    with pytest.raises(wire.ReplyError) as caught:
        wire.decode_reply(printed.stdout, (operations.System(),), nonce=NONCE)
    assert caught.value.kind == "missing"


def test_process_that_is_killed_in_the_middle_of_a_batch_gives_no_half_reply(engine: Engine) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(50)
        # The second operation waits for this server, so the first has its reply and the third was never begun.
        asked = (
            operations.System(),
            operations.TlsPeer(host="127.0.0.1", port=server.getsockname()[1]),
            operations.System(),
        )
        program = (engine.program,) if isinstance(engine.program, str) else engine.program
        encoded = base64.b64encode(bootstrap_text().encode("utf-16-le")).decode("ascii")
        with subprocess.Popen(
            [*program, "-NoProfile", "-NonInteractive", "-ExecutionPolicy", "Unrestricted", "-EncodedCommand", encoded],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env={**os.environ, **engine.variables},
        ) as process:
            assert process.stdin is not None
            assert process.stdout is not None
            process.stdin.write(_batch(*asked))
            process.stdin.close()
            connection, _address = server.accept()
            process.kill()
            connection.close()
            stdout = process.stdout.read().decode("ascii")
    with pytest.raises(wire.ReplyError) as caught:
        wire.decode_reply(stdout, asked, nonce=NONCE)
    assert caught.value.kind == "missing"
