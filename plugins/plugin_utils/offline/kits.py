# Copyright (c) 2026, the sfb.kb4023993 contributors
# GNU General Public License v3.0-or-later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Kits for reading a server by hand: what a kit asks, and the record of each by which its answer is known again.

The records lie in ``offline/`` below the state directory, one a host. A kit asks what the first two batches of an audit ask, each under a
nonce of its own.
"""

from __future__ import annotations

import dataclasses
import datetime
import hashlib
import json
import pathlib
import secrets
import typing as t

from ..codec import CodecError, decode, encode
from ..evidence import Evidence, InventoryFacts
from ..files import StateError, file_name, write_private
from ..host.wire import encode_batch
from ..rules.times import format_time, parse_time
from ..sections import CMDLET_DEADLINE_SECONDS, SECTIONS, Batch, cmdlet_batch, first_batch

SCHEMA: t.Final = 1
_BATCH: t.Final = pathlib.Path(__file__).parents[1] / "host" / "batch.ps1"
# Nobody waits at a connection, and chains that want a download may take their time.
_FIRST_DEADLINE_SECONDS: t.Final = 240
_MAX_RECORD: t.Final = 65536


@dataclasses.dataclass(frozen=True, kw_only=True)
class Kit:
    """One kit. ``id``: nonce of its first batch. ``topology``: it asks for the topology too. The hashes are of what it asks and of ``batch.ps1``."""

    schema: int = SCHEMA
    host: str
    id: str
    cmdlet_nonce: str
    topology: bool
    made_utc: str
    operations_sha256: str
    batch_sha256: str


def batch_script() -> bytes:
    """The reading script as it is sent to servers."""
    return _BATCH.read_bytes()


def make_kit(host: str, inventory: InventoryFacts, *, now: datetime.datetime) -> Kit:
    """A new kit for a host."""
    topology = inventory.pool is None or inventory.edge_pool is None
    return Kit(
        host=host,
        id=secrets.token_hex(8),
        cmdlet_nonce=secrets.token_hex(8),
        topology=topology,
        made_utc=format_time(now),
        operations_sha256=_operations_sha256(topology=topology),
        batch_sha256=hashlib.sha256(batch_script()).hexdigest(),
    )


def is_still_good(
    kit: Kit, inventory: InventoryFacts, evidence: Evidence | None, *, max_age_days: int, now: datetime.datetime
) -> bool:
    """Whether a kit that somebody may have carried away stays the one to answer: it asks what a new one would, and is not answered yet."""
    fresh = make_kit(kit.host, inventory, now=now)
    same = (kit.topology, kit.operations_sha256, kit.batch_sha256) == (
        fresh.topology,
        fresh.operations_sha256,
        fresh.batch_sha256,
    )
    answered = evidence is not None and evidence.offline is not None and evidence.offline.kit == kit.id
    made = parse_time(kit.made_utc)
    return same and not answered and made is not None and now - made <= datetime.timedelta(days=max_age_days)


def questions(kit: Kit) -> tuple[Batch, Batch]:
    """The two batches of a kit.

    :raises StateError: this version of the collection asks something else.
    """
    if kit.operations_sha256 != _operations_sha256(topology=kit.topology):
        raise StateError("its kit was made by another version of this collection. Make a new kit and start that one.")
    return first_batch(SECTIONS), cmdlet_batch(topology=kit.topology)


def data(kit: Kit) -> tuple[str, str]:
    """What goes to ``batch.ps1`` for the two batches."""
    first, cmdlets = questions(kit)
    return (
        encode_batch(first.operations, nonce=kit.id, deadline_seconds=_FIRST_DEADLINE_SECONDS),
        encode_batch(cmdlets.operations, nonce=kit.cmdlet_nonce, deadline_seconds=CMDLET_DEADLINE_SECONDS),
    )


def directory(state_dir: str | pathlib.Path) -> pathlib.Path:
    """Where records of kits lie."""
    return pathlib.Path(state_dir) / "offline"


def save_kit(state_dir: str, kit: Kit) -> None:
    """Write the record of a kit in one step.

    :raises StateError: it cannot be written.
    """
    write_private(directory(state_dir) / file_name(kit.host), json.dumps(encode(kit), indent=1) + "\n")


def load_kit(state_dir: str, host: str) -> Kit | None:
    """The newest kit of a host; None when there is none.

    :raises StateError: its record cannot be used.
    """
    path = directory(state_dir) / file_name(host)
    try:
        with path.open(encoding="utf-8") as stream:
            kit = decode(Kit, json.loads(stream.read(_MAX_RECORD)))
    except FileNotFoundError:
        return None
    except (OSError, ValueError, RecursionError) as error:
        reason = str(error) if isinstance(error, CodecError) else type(error).__name__
        raise StateError(f"{path} cannot be used: {reason}. Delete it and make a new kit.") from None
    if kit.host != host or kit.schema != SCHEMA:
        raise StateError(f"{path} is the record of another kit. Delete it and make a new kit.")
    return kit


def _operations_sha256(*, topology: bool) -> str:
    texts = (
        encode_batch(batch.operations, nonce="0" * 16, deadline_seconds=0)
        for batch in (first_batch(SECTIONS), cmdlet_batch(topology=topology))
    )
    return hashlib.sha256("".join(texts).encode("utf-8")).hexdigest()
