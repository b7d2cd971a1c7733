# Copyright (c) 2026, the sfb.kb4023993 contributors
# GNU General Public License v3.0-or-later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What somebody brings back from a server that was read by hand."""

from __future__ import annotations

import datetime
import functools
import json
import re
import typing as t

from ansible_collections.sfb.kb4023993.plugins.plugin_utils.evidence import InventoryFacts, from_text, to_text
from ansible_collections.sfb.kb4023993.plugins.plugin_utils.files import StateError
from ansible_collections.sfb.kb4023993.plugins.plugin_utils.host.wire import markers
from ansible_collections.sfb.kb4023993.plugins.plugin_utils.offline import kits
from ansible_collections.sfb.kb4023993.plugins.plugin_utils.offline.collecting import collecting_files
from ansible_collections.sfb.kb4023993.plugins.plugin_utils.offline.importing import Known, OfflineError, import_file
from atheris import FuzzedDataProvider
from builders.by_hand import start_kit, with_hash
from lab.clock import Clock
from lab.deployment import Deployment
from lab.scenario import parse

from fuzz.harness import Target, check_words, scratch_file
from fuzz.mutation import Path, changed, places, some_bytes

_NOW: t.Final = datetime.datetime(2026, 3, 8, 12, 0, tzinfo=datetime.timezone.utc)
_EACH: t.Final = {"product": "sfb2015", "os": "server2016", "role": "edge", "dotnet": [{"version": "4.6.2"}]}
_SCENARIO: t.Final = {
    "description": "one Edge",
    "pools": {"edgepool": {"each": _EACH}},
    "servers": {"edge01": {"pool": "edgepool"}},
}
_KNOWN: t.Final = Known(
    inventory=InventoryFacts(),
    earlier=None,
    machines={},
    max_age_days=7,
    now=_NOW + datetime.timedelta(hours=1),
    collection_version="0.0.0",
)


@functools.cache
def _kit() -> kits.Kit:
    return kits.make_kit("edge01", InventoryFacts(), now=_NOW)


@functools.cache
def _brought() -> bytes:
    """The file of a server of the lab."""
    for name, data in collecting_files(_kit()).items():
        folder = scratch_file(f"kit/{name}", data).parent
    return start_kit(Deployment(parse(_SCENARIO), clock=Clock(start=_NOW)), "edge01", folder).read_bytes()


@functools.cache
def _documents() -> tuple[tuple[str, t.Any, list[Path]], ...]:
    """The replies in the file: each as it stands there, what it says, and every place in it."""
    text, found = _brought().decode("ascii"), []
    for nonce in (_kit().id, _kit().cmdlet_nonce):
        begin, end = markers(nonce)
        inside = text.partition(begin)[2].partition(end)[0]
        document = json.loads("".join(inside.split()))
        found.append((inside, document, list(places(document))))
    return tuple(found)


def _seeds() -> t.Iterator[bytes]:
    yield _brought()
    yield _brought().replace(b"\n", b"\r\n")
    yield from (b"\1" + data for data in some_bytes(120))


def _changed(provider: FuzzedDataProvider) -> bytes:
    """The file with other values in its replies, half of the time in that which says of which server it is, and when."""
    text = _brought().decode("ascii")
    system = provider.ConsumeBool()
    for number, (inside, document, ways) in enumerate(_documents()):
        if system and number:
            break
        first = [way for way in ways if way[:3] == ("replies", 0, "value")]
        other = changed(provider, document, first if system else ways, most=2)
        text = text.replace(inside, json.dumps(other, separators=(",", ":")).replace(" ", "\\u0020"))
    return text.encode("ascii")


def _read(data: bytes) -> None:
    if data[:1] == b"\1":
        data = _changed(FuzzedDataProvider(data[1:]))
    # As it came; and with a hash that fits and the marks of the kit, as anybody who knows how can write them.
    body = re.sub(rb"sha256 [0-9a-f]{64}\s*\Z", b"", data).decode("ascii", "replace").replace("\ufffd", "?")
    lines = body.split("\n")
    head = [lines[0], f"kit {_kit().id}", f"batch {_kit().batch_sha256}"]
    for raw in (data, with_hash("\n".join([*head, *lines[3:]]))):
        try:
            imported = import_file(raw, _kit(), _KNOWN)
        except (OfflineError, StateError) as error:
            check_words(str(error))
            continue
        assert imported is not None
        kept = to_text(imported.evidence)
        assert to_text(from_text(kept, where="here")) == kept
        assert imported.note.isprintable()


TARGET: t.Final = Target(
    read=_read,
    seeds=_seeds,
    longest=60_000,
    words=(
        b'"ok":true',
        b'"value":null',
        b"\\u0020",
        b'"kind":"dword"',
        b"9999-12-31T23:59:59Z",
        b'"error":{"type":"denied","message":""}',
    ),
)
