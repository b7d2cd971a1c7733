# Copyright (c) 2026, the sfb.kb4023993 contributors
# GNU General Public License v3.0-or-later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Sends batches through the collection's own session, and keeps what came back for the test to look at.

``batches`` is a JSON file, ``{name: {"hosts": [name, ...], "operations": [[name, fields], ...], "payload": how it travels}}``. For
each host a file ``HOST.json`` is written in ``results``: by name of the batch the replies or the error that a user would see, the exit
code, and the number of bytes of the payload.
"""

from __future__ import annotations

import base64
import json
import pathlib
import textwrap
import typing as t

from ansible.plugins.action import ActionBase
from ansible_collections.sfb.kb4023993.plugins.plugin_utils.codec import decode, encode
from ansible_collections.sfb.kb4023993.plugins.plugin_utils.host.operations import OPERATIONS, Operation
from ansible_collections.sfb.kb4023993.plugins.plugin_utils.host.session import Session, SessionError

_OPERATIONS = {operation.NAME: operation for operation in OPERATIONS}


def _with_other_length(payload: bytes) -> bytes:
    """Data that can be unpacked and is not as long as its last four bytes say.

    .NET Framework takes a cut gzip stream for a whole one; later ones notice that themselves, but not this.
    """
    script, data = payload.split(b".")
    return script + b"." + base64.b64encode(base64.b64decode(data) + b"\0\0\0\0") + b"\r\n"


_PAYLOADS: dict[str, t.Callable[[bytes], bytes]] = {
    "as_it_is": lambda payload: payload,
    "in_lines": lambda payload: "\r\n".join(textwrap.wrap(payload.decode("ascii"), 76)).encode("ascii") + b"\r\n",
    "half": lambda payload: payload[: len(payload) // 2],
    "other_length": _with_other_length,
}


class _Session(Session):
    payload = "as_it_is"
    payload_bytes = 0
    exit_code: int | None = None

    def _execute(self, payload: bytes, stage: str) -> dict[str, t.Any]:
        payload = _PAYLOADS[self.payload](payload)
        self.payload_bytes = len(payload)
        result = super()._execute(payload, stage)
        self.exit_code = result["rc"]
        return result


class ActionModule(ActionBase):  # type: ignore[misc]
    TRANSFERS_FILES = False

    def run(self, tmp: t.Any = None, task_vars: dict[str, t.Any] | None = None) -> dict[str, t.Any]:
        result: dict[str, t.Any] = super().run(tmp, task_vars)
        host = (task_vars or {})["inventory_hostname"]
        session = _Session(self, host=host)
        batches = json.loads(pathlib.Path(self._task.args["batches"]).read_text("utf-8"))
        answers = {name: _answer(session, batch) for name, batch in batches.items() if host in batch["hosts"]}
        (pathlib.Path(self._task.args["results"]) / f"{host}.json").write_text(json.dumps(answers), "utf-8")
        return result


def _answer(session: _Session, batch: dict[str, t.Any]) -> dict[str, t.Any]:
    operations: list[Operation] = [decode(_OPERATIONS[name], fields) for name, fields in batch["operations"]]
    session.payload = batch["payload"]
    try:
        replies = session.run(operations, stage="testing")
        found = [{"value": encode(reply.value), "error": encode(reply.error)} for reply in replies]
        answer: dict[str, t.Any] = {"replies": found}
    except SessionError as error:
        answer = {"kind": error.kind, "error": str(error)}
    return {**answer, "exit_code": session.exit_code, "payload_bytes": session.payload_bytes}
