# Copyright (c) 2026, the sfb.kb4023993 contributors
# GNU General Public License v3.0-or-later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a server prints as the answer to a batch, up to evidence that is kept: by the session, the wire and the codec."""

from __future__ import annotations

import functools
import json
import secrets
import types
import typing as t
from unittest import mock

from ansible_collections.sfb.kb4023993.plugins.plugin_utils.codec import encode
from ansible_collections.sfb.kb4023993.plugins.plugin_utils.evidence import InventoryFacts, from_text, to_text
from ansible_collections.sfb.kb4023993.plugins.plugin_utils.host.operations import Operation
from ansible_collections.sfb.kb4023993.plugins.plugin_utils.host.session import Session, SessionError
from ansible_collections.sfb.kb4023993.plugins.plugin_utils.host.wire import Reply, markers
from ansible_collections.sfb.kb4023993.plugins.plugin_utils.sections import (
    SECTIONS,
    Batch,
    Header,
    cmdlet_batch,
    first_batch,
    first_evidence,
    needs_topology,
    with_cmdlets,
)
from atheris import FuzzedDataProvider
from lab import client
from lab.deployment import Deployment
from lab.scenario import parse

from fuzz.harness import Target, check_words
from fuzz.mutation import Path, changed, places, some_bytes

_NONCE: t.Final = "0123456789abcdef"
_BEGIN, _END = markers(_NONCE)
_HEADER: t.Final = Header(
    collection_version="0.0.0",
    run_id="20260308T120010Z-abcdef/before",
    inventory_name="fe01",
    collected_utc="2026-03-08T12:00:10Z",
    inventory=InventoryFacts(),
)
_EACH: t.Final = {"product": "sfb2015", "os": "server2012r2", "dotnet": [{"version": "4.5.2"}]}
_SCENARIO: t.Final = {
    "description": "a pool and its Edge",
    "pools": {
        "pool01": {"edge_pool": "edgepool", "each": {**_EACH, "role": "front_end"}},
        "edgepool": {"each": {**_EACH, "role": "edge"}},
    },
    "servers": {"fe01": {"pool": "pool01"}, "edge01": {"pool": "edgepool"}},
}


class _Printing(Session):
    """A session whose server has printed this."""

    printed = ""

    def __init__(self) -> None:
        shell = types.SimpleNamespace(_IS_WINDOWS=True)
        action = types.SimpleNamespace(
            _task=types.SimpleNamespace(delegate_to=None),
            _connection=types.SimpleNamespace(become=None, transport="winrm", _shell=shell),
        )
        super().__init__(t.cast(t.Any, action), host="fe01")

    def _execute(self, payload: bytes, stage: str) -> dict[str, t.Any]:
        del payload, stage
        return {"stdout": self.printed, "stderr": self.printed[:100], "rc": 0}


@functools.cache
def _batches() -> tuple[Batch, Batch]:
    return first_batch(SECTIONS), cmdlet_batch(topology=True)


@functools.cache
def _good() -> tuple[tuple[dict[str, t.Any], list[Path]], ...]:
    """What a server of the lab answers to the two batches, and every place in it."""
    deployment = Deployment(parse(_SCENARIO))
    found = []
    for batch in _batches():
        values = [
            {"ok": True, "ms": 3, "value": encode(client.ask(deployment, "fe01", asked))} for asked in batch.operations
        ]
        document = {"failure": None, "replies": values}
        found.append((document, list(places(document))))
    return tuple(found)


def _printed(document: t.Any) -> str:
    return _BEGIN + json.dumps(document, separators=(",", ":")).replace(" ", "\\u0020") + _END


def _seeds() -> t.Iterator[bytes]:
    yield b"\0" + _printed({"failure": None, "replies": []}).encode("ascii")
    yield b"\0" + _printed({"failure": {"type": "denied", "message": "x"}, "replies": []}).encode("ascii")
    yield b"\0[[sfb.kb4023993!constrained_language]]\r\n"
    yield b"\0" + _printed(_good()[0][0]).encode("ascii")
    yield from (b"\1" + data for data in some_bytes())


def _ask(printed: str, operations: t.Sequence[Operation]) -> tuple[Reply, ...]:
    session = _Printing()
    session.printed = printed
    try:
        with mock.patch.object(secrets, "token_hex", return_value=_NONCE):
            return session.run(operations, stage="reading")
    except SessionError as error:
        check_words(str(error))
        raise


def _read(data: bytes) -> None:
    first, cmdlets = _batches()
    if data[:1] != b"\1":
        _ask(data[1:].decode("utf-8", "surrogateescape"), first.operations)
        return
    provider = FuzzedDataProvider(data[1:])
    documents = [changed(provider, document, ways, most=6) for document, ways in _good()]
    evidence = first_evidence(_HEADER, first, _ask(_printed(documents[0]), first.operations), SECTIONS)
    needs_topology(evidence)
    evidence = with_cmdlets(evidence, cmdlets, _ask(_printed(documents[1]), cmdlets.operations))
    # What was accepted can be kept, and comes back as it went in.
    text = to_text(evidence)
    text.encode("utf-8")
    assert to_text(from_text(text, where="here")) == text


TARGET: t.Final = Target(
    read=_read,
    seeds=_seeds,
    refusals=(SessionError,),
    words=(_BEGIN.encode("ascii"), _END.encode("ascii"), b'"ok":true', b'"replies":[', b"[[sfb.kb4023993!"),
)
