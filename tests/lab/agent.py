# Copyright (c) 2026, the sfb.kb4023993 contributors
# GNU General Public License v3.0-or-later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Plays the servers for the protocol server: takes a command as a server would, and prints what batch.ps1 would print.

Only the shipped texts run. A bootstrap that differs by more than white space, comments and blank lines, or a script that differs by
one byte, ends with exit code 1: a test that sends something else fails.
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Mapping
from datetime import timedelta
from functools import cache
from pathlib import Path
from typing import Any

from ansible_collections.sfb.kb4023993.plugins.plugin_utils import codec
from ansible_collections.sfb.kb4023993.plugins.plugin_utils.host import wire
from ansible_collections.sfb.kb4023993.plugins.plugin_utils.host.certificate_operations import CERTIFICATE_OPERATIONS
from ansible_collections.sfb.kb4023993.plugins.plugin_utils.host.operations import OPERATIONS, Operation

from lab.answers import answer
from lab.answers.context import Surroundings
from lab.decode import BadDataError, Batch, Malformed, PayloadError, decode_batch, unpack
from lab.protocol.handler import Execution, Invocation
from lab.world.errors import WorldError
from lab.world.host import Host

HOST_SCRIPTS = Path(__file__).parents[2] / "plugins" / "plugin_utils" / "host"

_LINE = 4000
_ROOM = 10 * 1024 * 1024
"""So many characters all good replies of a batch may have together."""

_LOCALISED = {
    "de": {
        "denied": "Der angeforderte Registrierungszugriff ist unzulässig.",
        "disabled": "Der Dienst ist deaktiviert.",
    },
    "ja": {"denied": "要求されたレジストリ アクセスは許可されていません。", "disabled": "サービスは無効です。"},
}


class Agent:
    """The handler of the protocol server. One lock for the whole lab: servers see each other, and operations are short."""

    def __init__(self, hosts: Mapping[str, Host], surroundings: Surroundings, lock: threading.RLock) -> None:
        self._hosts = hosts
        self._surroundings = surroundings
        self._lock = lock

    def execute(self, invocation: Invocation) -> Execution:
        """Answer one command."""
        host = self._hosts.get(invocation.host)
        if host is None:
            return _refused(f"The lab has no server {invocation.host}.")
        if _lines(invocation.script) != shipped_bootstrap():
            return _refused("This command is not the shipped bootstrap.ps1; the lab runs nothing else.")
        if host.quirks.powershell_too_old:
            return _marked("powershell_too_old")
        if host.quirks.constrained_language:
            return _marked("constrained_language")
        try:
            payload = unpack(invocation.stdin)
        except PayloadError:
            return _marked("bad_data")
        if payload.script not in _known():
            return _refused("The script on standard input is not the shipped batch.ps1; the lab runs nothing else.")
        try:
            batch = decode_batch(payload.data)
        except PayloadError:
            return _marked("bad_data")
        except BadDataError as error:
            return _failure(error.nonce, "bad_data", str(error))
        if host.quirks.slow_seconds:
            # Really slow: what is tested with it are the timeouts of the controller.
            time.sleep(host.quirks.slow_seconds)
        return self._run(host, batch, _known()[payload.script])

    def _run(self, host: Host, batch: Batch, known: frozenset[type[Operation]]) -> Execution:
        if host.quirks.process_32_bit:
            return _failure(batch.nonce, "process_32_bit", "This is a 32-bit process on a 64-bit Windows.")
        if host.quirks.not_elevated:
            return _failure(batch.nonce, "not_elevated", "The account has no administrator token.")
        room = _ROOM
        with self._lock:
            deadline = host.clock.now() + timedelta(seconds=batch.deadline_seconds)
            replies: list[dict[str, Any]] = []
            for operation in batch.operations:
                begin = host.clock.now()
                skipped = batch.stop_on_error and bool(replies) and _stops(replies[-1])
                if begin >= deadline:
                    reply = _error(host, "deadline", "the time of the batch was over before this could start")
                elif skipped:
                    reply = _error(host, "skipped", "an operation before this one failed or was refused")
                else:
                    reply = self._answer(host, operation, known)
                reply["ms"] = int((host.clock.now() - begin).total_seconds() * 1000)
                length = len(_json(reply))
                if reply["ok"] and length > room:
                    reply = {**_error(host, "too_large", f"the reply has {length} characters"), "ms": reply["ms"]}
                elif reply["ok"]:
                    room -= length
                replies.append(reply)
        return _printed(batch.nonce, {"failure": None, "replies": replies})

    def _answer(
        self, host: Host, operation: Operation | Malformed, known: frozenset[type[Operation]]
    ) -> dict[str, Any]:
        if isinstance(operation, Malformed):
            return _error(host, "invalid", operation.message)
        if type(operation) not in known:
            # The code that changes something travels only in batches that hold such an operation.
            return _error(host, "invalid", "there is no such operation")
        try:
            return {"ok": True, "value": codec.encode(answer(host, operation, self._surroundings))}
        except WorldError as error:
            return _error(host, error.kind, str(error))


def _stops(reply: dict[str, Any]) -> bool:
    """Whether a batch that stops on errors stops here: after a failed, refused or skipped operation."""
    return not reply["ok"] or reply["value"].get("refused") is True


@cache
def shipped_bootstrap() -> tuple[str, ...]:
    """The lines of bootstrap.ps1 that reach a server."""
    text = (HOST_SCRIPTS / "bootstrap.ps1").read_text(encoding="utf-8")
    return tuple(line for line in _lines(text) if not line.startswith("#"))


@cache
def shipped_batch(*, changing: bool, certificates: bool = False) -> bytes:
    """The script of a batch that only reads, of one that changes something, or of one of workaround 1 (which is also ``changing``)."""
    names = (("certificates.ps1",) if certificates else ()) + (("changes.ps1",) if changing else ()) + ("batch.ps1",)
    return b"".join((HOST_SCRIPTS / name).read_bytes() for name in names)


@cache
def _known() -> dict[bytes, frozenset[type[Operation]]]:
    """The scripts that may be sent, and which operations each of them has."""
    reading = frozenset(operation for operation in OPERATIONS if not operation.CHANGES)
    return {
        shipped_batch(changing=False): reading,
        shipped_batch(changing=True): frozenset(OPERATIONS),
        shipped_batch(changing=True, certificates=True): frozenset((*OPERATIONS, *CERTIFICATE_OPERATIONS)),
    }


def _lines(text: str) -> tuple[str, ...]:
    return tuple(line.strip() for line in text.splitlines() if line.strip())


def _printed(nonce: str, document: dict[str, Any]) -> Execution:
    begin, end = wire.markers(nonce)
    whole = f"{begin}{_json(document)}{end}"
    lines = [whole[start : start + _LINE] for start in range(0, len(whole), _LINE)]
    return Execution(exit_code=0, stdout=("\r\n".join(lines) + "\r\n").encode("ascii"))


def _json(document: dict[str, Any]) -> str:
    return json.dumps(document, ensure_ascii=True, separators=(",", ":")).replace(" ", "\\u0020")


def _failure(nonce: str, kind: wire.BatchFailureType, message: str) -> Execution:
    return _printed(nonce, {"failure": {"type": kind, "message": message}, "replies": []})


def _error(host: Host, kind: wire.ErrorType, message: str) -> dict[str, Any]:
    own_words = _LOCALISED.get(host.facts.ui_culture[:2], {}).get(kind, message)
    return {"ok": False, "error": {"type": kind, "message": own_words}}


def _marked(word: str) -> Execution:
    return Execution(exit_code=3, stdout=f"[[sfb.kb4023993!{word}]]\r\n".encode("ascii"))


def _refused(message: str) -> Execution:
    return Execution(exit_code=1, stdout=b"", stderr=(message + "\r\n").encode("utf-8"))
