# Copyright (c) 2026, the sfb.kb4023993 contributors
# GNU General Public License v3.0-or-later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The record of one certificate's replacement: a file that a person can read, and from which any later run goes on.

They lie in ``certificates/`` below the state directory, one file each, mode 0600. Nothing in them is secret: requests and
certificates are public, private keys never leave their servers.
"""

from __future__ import annotations

import contextlib
import dataclasses
import datetime
import fcntl
import hashlib
import json
import pathlib
import typing as t

from .._certificate import Certificate
from ..certificates import CertificateError, read_certificate
from ..codec import CodecError, decode, encode
from ..files import StateError, check_state_directory, file_name, write_private
from ..words import one_line
from .answer import Problem, Verification
from .bundle import to_pem
from .csr import Csr
from .names import Names, NamesError, certificate_names, make_names

SCHEMA: t.Final = 1
_MAX_FILE: t.Final = 4 * 1024 * 1024
_MAX_HISTORY: t.Final = 200

Step = t.Literal[
    "planned",
    "requested",
    "submitting",
    "pending",
    "denied",
    "refused",
    "verified",
    "installed",
    "assigned",
    "done",
]
"""How far it is. planned: chosen. requested: the server made key and request. submitting: about to be, or just, handed to the CA, and
its answer is not known. pending: the CA has it. denied: the CA said no. refused: what came back is not good, by `problems`.
verified: a good certificate is here. installed, assigned, done: on the server, in use, and proved by a new reading."""

# From these a new request may take the place of the old one: nothing is under way at a CA or on a server.
_RESTARTABLE: t.Final = ("planned", "requested", "denied", "refused", "done")


class RecordError(StateError):
    """A record that cannot be used; the text names the file and says what to do."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Current:
    """The certificate that is to be replaced. ``names``: as `names.Names.all`, sorted."""

    thumbprint: str
    subject: str
    common_name: str | None
    names: tuple[str, ...]
    not_after_utc: str


@dataclasses.dataclass(frozen=True, kw_only=True)
class Submission:
    """That the request was handed to a CA, by which method, and under which id the CA has it (None: not known)."""

    method: str
    ca: str
    template: str | None
    csr_sha256: str
    at_utc: str
    request_id: int | None = None


@dataclasses.dataclass(frozen=True, kw_only=True)
class New:
    """The certificate that came back. ``certificate`` and ``chain`` (nearest first, the root last) are PEM."""

    thumbprint: str
    subject: str
    names: tuple[str, ...]
    not_after_utc: str
    template: str | None
    certificate: str
    chain: tuple[str, ...]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Event:
    at_utc: str
    step: Step
    note: str


@dataclasses.dataclass(frozen=True, kw_only=True)
class Record:
    """``servers``: inventory names, the one with the private key first. ``uses``: of Lync Server. ``next_step``: for people."""

    schema: int = SCHEMA
    id: str
    servers: tuple[str, ...]
    uses: tuple[str, ...]
    step: Step
    next_step: str
    problems: tuple[Problem, ...] = ()
    current: Current | None = None
    name_changes_accepted: bool = False
    submission: Submission | None = None
    history: tuple[Event, ...] = ()
    csr: str | None = None
    new: New | None = None

    def moved(self, step: Step, note: str, *, at: datetime.datetime, **changes: t.Any) -> Record:
        """This record one step further; ``note`` says what happened."""
        event = Event(at_utc=_utc(at), step=step, note=one_line(note, 1000))
        history = (*self.history, event)[-_MAX_HISTORY:]
        return dataclasses.replace(self, step=step, history=history, **{"next_step": note, **changes})


def new_record(
    *, servers: t.Sequence[str], uses: t.Sequence[str], replaces: bytes | None, at: datetime.datetime
) -> Record:
    """A record for the certificate of these uses. ``replaces``: the current certificate (DER), None if there is none.

    :raises RecordError: the current certificate or its names cannot be read.
    """
    identity = f"{servers[0]} {uses[0]}"
    try:
        current = None if replaces is None else _current(replaces)
    except (CertificateError, NamesError) as error:
        raise RecordError(f"{identity}: the certificate to replace cannot be read: {error}") from None
    empty = Record(id=identity, servers=tuple(servers), uses=tuple(uses), step="planned", next_step="", current=current)
    return empty.moved("planned", "Have the server make a key and a request.", at=at)


def with_request(record: Record, csr: Csr, *, at: datetime.datetime, name_changes_accepted: bool = False) -> Record:
    """The record with a new request; whatever an earlier request led to is left behind (its history stays).

    :raises RecordError: an earlier request is under way.
    """
    if record.step not in _RESTARTABLE:
        raise RecordError(
            f"{record.id}: another request is under way (step {record.step}), so a new one is not taken. Finish it first, or "
            "have the CA deny it and run the signing once more."
        )
    note = "Have the request signed."
    return record.moved(
        "requested",
        note,
        at=at,
        csr=csr.pem,
        submission=None,
        new=None,
        problems=(),
        name_changes_accepted=name_changes_accepted,
    )


def current_names(current: Current) -> Names:
    return make_names(current.common_name, current.names)


def new_certificate(certificate: bytes, verification: Verification) -> New | None:
    """What a record keeps of a returned certificate; None if it could not be read."""
    facts = verification.facts
    if facts is None:
        return None
    return New(
        thumbprint=facts.thumbprint,
        subject=facts.subject,
        names=tuple(sorted(verification.names.all)) if verification.names else (),
        not_after_utc=facts.not_after_utc,
        template=facts.template,
        certificate=to_pem(certificate),
        chain=tuple(map(to_pem, verification.chain)),
    )


def directory(state_dir: str | pathlib.Path) -> pathlib.Path:
    return pathlib.Path(state_dir) / "certificates"


def write_record(state_dir: str | pathlib.Path, record: Record) -> None:
    """Write it in one step.

    :raises StateError: it cannot be written.
    """
    text = json.dumps(encode(record), indent=1, ensure_ascii=True) + "\n"
    write_private(directory(state_dir) / file_name(record.id), text)


def read_records(state_dir: str | pathlib.Path) -> dict[str, Record]:
    """All records, by id. A directory that is not there holds none.

    :raises RecordError: one of them cannot be used. A run with only the others could ask a CA twice.
    """
    try:
        paths = sorted(directory(state_dir).glob("[!.]*.json"))
        return {record.id: record for record in map(_read, paths)}
    except OSError as error:
        raise RecordError(f"{directory(state_dir)} cannot be read: {error.strerror}.") from None


@contextlib.contextmanager
def locked(state_dir: str | pathlib.Path) -> t.Iterator[None]:
    """Keep other runs from signing with the same records until this ends; the lock ends with the process too.

    :raises StateError: another run has it, or the directory cannot be written.
    """
    check_state_directory(directory(state_dir))
    with (directory(state_dir) / ".lock").open("a", encoding="utf-8") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise StateError(
                f"Another run is signing with the records in {directory(state_dir)}. Wait until it has ended, then run again."
            ) from None
        yield


def fingerprint(record: Record) -> str:
    """What counts as a change of a record: everything but its history."""
    content = json.dumps(encode(dataclasses.replace(record, history=())), sort_keys=True)
    return hashlib.sha256(content.encode("utf-8")).hexdigest()


def _read(path: pathlib.Path) -> Record:
    advice = "Put back a copy of the file, or move it away; then first look on the CA whether it holds a request for this server."
    if path.stat().st_size > _MAX_FILE:
        raise RecordError(f"{path} is too large for a record. {advice}")
    try:
        data = json.loads(path.read_text("utf-8"))
    except (ValueError, RecursionError):
        raise RecordError(f"{path} is not a record: it is not JSON. {advice}") from None
    schema = data.get("schema") if isinstance(data, dict) else None
    if isinstance(schema, int) and schema > SCHEMA:
        raise RecordError(f"{path} was written by a newer version of this collection. Run with that version.")
    if schema != SCHEMA:
        raise RecordError(f"{path} is not a record of a certificate. {advice}")
    try:
        record = decode(Record, data, where="record")
    except (CodecError, RecursionError) as error:
        raise RecordError(f"{path} is damaged: {error}. {advice}") from None
    if path.name != file_name(record.id) or not record.servers or not record.uses:
        raise RecordError(
            f"{path} holds the record of {one_line(record.id)!r}, which belongs into another file. {advice}"
        )
    return record


def _current(der: bytes) -> Current:
    facts = read_certificate(der)
    names = certificate_names(Certificate(der), facts.subject_common_name)
    return Current(
        thumbprint=facts.thumbprint,
        subject=facts.subject,
        common_name=facts.subject_common_name,
        names=tuple(sorted(names.all)),
        not_after_utc=facts.not_after_utc,
    )


def _utc(moment: datetime.datetime) -> str:
    return moment.astimezone(datetime.timezone.utc).replace(tzinfo=None, microsecond=0).isoformat() + "Z"
