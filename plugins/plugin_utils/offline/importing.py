# Copyright (c) 2026, the sfb.kb4023993 contributors
# GNU General Public License v3.0-or-later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The file that a kit wrote, back on the controller: checked, and made into evidence. Pure.

What stands in it comes from a server that nobody talked to. Its hash shows damage, not lies.
"""

from __future__ import annotations

import dataclasses
import datetime
import hashlib
import re
import typing as t

from ..evidence import Evidence, InventoryFacts, OfflineReading
from ..facts import with_sightings
from ..host.operations import Operation, SystemReply
from ..host.wire import Reply, ReplyError, decode_reply
from ..rules.times import format_time, parse_time
from ..sections import SECTIONS, Header, cmdlet_batch, first_evidence, needs_cmdlets, needs_topology, with_cmdlets
from ..words import one_line
from .age import why_not_used
from .kits import Kit, questions

MAX_BYTES: t.Final = 32 * 1024 * 1024
_FORM: t.Final = re.compile(
    r"sfb\.kb4023993 offline evidence 1\n(kit ([0-9a-f]{16})\nbatch ([0-9a-f]{64})\n.*)sha256 ([0-9a-f]{64})\s*\Z",
    re.DOTALL,
)
_FIRST_LINE: t.Final = "sfb.kb4023993 offline evidence "
# So far the clock of a server may be wrong without anybody noticing.
_CLOCK: t.Final = datetime.timedelta(minutes=10)
_AGAIN: t.Final = "Start collect.ps1 on the server again and bring its file back as it is."


Machine = tuple[str, str]


class OfflineError(ValueError):
    """A file that does not become evidence; the text says why and what to do."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Imported:
    """``note``: what a person should know of it, empty if nothing."""

    evidence: Evidence
    note: str


@dataclasses.dataclass(frozen=True, kw_only=True)
class Known:
    """What the controller knows beside the file. ``machines``: other hosts by :func:`machine`."""

    inventory: InventoryFacts
    earlier: Evidence | None
    machines: t.Mapping[Machine, str]
    max_age_days: int
    now: datetime.datetime
    collection_version: str


def machine(system: SystemReply | None) -> Machine | None:
    """By what a machine is known again, None where it cannot be: clones may share their MachineGuid, so its name counts too."""
    if system is None or not system.machine_guid:
        return None
    return system.machine_guid.lower(), f"{system.computer_name}.{system.dns_domain}".lower()


def import_file(raw: bytes, kit: Kit, known: Known) -> Imported | None:
    """The evidence of a file that answers this kit; None when it was imported before.

    :raises OfflineError: it is damaged, cut, edited, of another kit or machine, or too old.
    :raises StateError: the kit is one of another version of this collection.
    """
    text = _content(raw, kit)
    first_batch, cmdlets = questions(kit)
    replies = _replies(text, first_batch.operations, kit.id)
    answered = _replies(text, cmdlets.operations, kit.cmdlet_nonce)
    system = replies[0].value
    if not isinstance(system, SystemReply):
        raise OfflineError(f"It does not say which server it is of ({_reason(replies[0])}). {_AGAIN}")
    read = parse_time(system.time_utc)
    if read is None:
        raise OfflineError(f"It does not say when it was read. {_AGAIN}")
    _check_machine(system, kit, known)
    offline = OfflineReading(kit=kit.id, read_utc=system.time_utc, imported_utc=format_time(known.now))
    before = known.earlier.offline if known.earlier else None
    if before is not None and (before.kit, before.read_utc) == (offline.kit, offline.read_utc):
        return None
    collected, note = _time(read, kit, known)
    header = Header(
        collection_version=known.collection_version,
        run_id=f"offline/{kit.id}",
        inventory_name=kit.host,
        collected_utc=format_time(collected),
        inventory=known.inventory,
    )
    evidence = first_evidence(header, first_batch, replies, SECTIONS)
    if needs_cmdlets(evidence):
        # The kit asked for the topology where it could be needed; an audit would not have asked for more than this.
        topology = kit.topology and needs_topology(evidence)
        asked = cmdlet_batch(topology=topology)
        evidence = with_cmdlets(evidence, asked, answered[: len(asked.operations)])
    evidence = dataclasses.replace(evidence, offline=offline)
    _check_age(evidence, known)
    return Imported(evidence=with_sightings(evidence, lambda: known.earlier), note=note)


def _content(raw: bytes, kit: Kit) -> str:
    """The text between the head and the hash of the file."""
    if len(raw) > MAX_BYTES:
        raise OfflineError(f"It has {len(raw)} bytes, more than any reading has. Is this the right file?")
    if raw[:2] in (b"\xff\xfe", b"\xfe\xff") or raw[:3] == b"\xef\xbb\xbf":
        raise OfflineError(f"An editor has saved it in another encoding. {_AGAIN}")
    try:
        # A transfer as text may have changed the line ends, which means nothing.
        text = raw.decode("ascii").replace("\r\n", "\n")
    except UnicodeDecodeError:
        raise OfflineError(f"It holds bytes that no reading has, so it is damaged or another file. {_AGAIN}") from None
    if not text.startswith(_FIRST_LINE):
        raise OfflineError("It is not a file that collect.ps1 wrote. Bring back the one that its last line names.")
    form = _FORM.match(text)
    if not form:
        raise OfflineError(f"It is cut or of another form: its end or its head is missing. {_AGAIN}")
    content, kit_id, batch, stated = form.groups()
    counted = hashlib.sha256(text[: form.start(4) - len("sha256 ")].encode("ascii")).hexdigest()
    if counted != stated:
        raise OfflineError(f"Its content does not fit its SHA-256, so it was edited or damaged on the way. {_AGAIN}")
    if kit_id != kit.id:
        raise OfflineError(
            f"It answers the kit {kit_id}, and the newest kit of {one_line(kit.host)} is {kit.id} (made at {kit.made_utc}): it is of an "
            "older kit or of another server. Carry the newest folder to the server and start that one."
        )
    if batch != kit.batch_sha256:
        raise OfflineError(
            "It was made with another batch.ps1 than that of its kit. Copy the whole folder to the server again."
        )
    return content


def _replies(text: str, operations: t.Sequence[Operation], nonce: str) -> tuple[Reply, ...]:
    try:
        replies, failure = decode_reply(text, operations, nonce=nonce)
    except ReplyError as error:
        raise OfflineError(f"It does not hold what the kit asked for: {error}. {_AGAIN}") from None
    if failure:
        raise OfflineError(f"The reading was refused on the server: {one_line(failure.message, 300)}. {_AGAIN}")
    return replies


def _reason(reply: Reply) -> str:
    return one_line(reply.error.message, 300) if reply.error else "no answer"


def _check_machine(system: SystemReply, kit: Kit, known: Known) -> None:
    guid = (system.machine_guid or "").lower()
    own = machine(system)
    other = known.machines.get(own) if own else None
    if other is not None:
        raise OfflineError(
            f"It was read on the server that the inventory calls {one_line(other)}, not on {one_line(kit.host)} (the same name and "
            "MachineGuid). Start each folder on its own server."
        )
    before = known.earlier.system.machine_guid if known.earlier and known.earlier.system else None
    if before and guid and before.lower() != guid:
        raise OfflineError(
            f"It was read on another machine ({one_line(system.computer_name)}) than the evidence that is there (MachineGuid "
            f"{one_line(guid, 40)} and {one_line(before, 40)}). If {one_line(kit.host)} was installed anew, delete its old evidence from "
            "the state directory and import again."
        )


def _time(read: datetime.datetime, kit: Kit, known: Known) -> tuple[datetime.datetime, str]:
    """When it was read, as far as the controller can know, and a remark where the clocks disagree."""
    made = parse_time(kit.made_utc)
    if made is None:
        raise OfflineError("The record of its kit is damaged. Make a new kit.")
    if made - _CLOCK <= read <= known.now + _CLOCK:
        return min(max(read, made), known.now), ""
    return made, (
        f"The clock of the server said {format_time(read)}, which cannot be: the kit was made at {kit.made_utc}, and now it is "
        f"{format_time(known.now)}. The evidence counts as of the time of the kit. Set the clock of the server right."
    )


def _check_age(evidence: Evidence, known: Known) -> None:
    failure = why_not_used(evidence, max_age_days=known.max_age_days, now=known.now)
    if failure:
        raise OfflineError(f"It is too old. {failure.message} {failure.advice}")
    earlier = parse_time(known.earlier.collected_utc) if known.earlier else None
    mine = parse_time(evidence.collected_utc)
    if earlier and mine and earlier > mine:
        raise OfflineError(
            f"It is of {evidence.collected_utc}, and newer evidence of this server is there already, of "
            f"{format_time(earlier)}. {_AGAIN}"
        )
