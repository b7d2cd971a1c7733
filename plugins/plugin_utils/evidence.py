# Copyright (c) 2026, the sfb.kb4023993 contributors
# GNU General Public License v3.0-or-later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The record of one host: what was read, with no judgement in it, and its form as a file.

A section that was not asked for, or could not be read, is None; why is in ``problems``. A host that could not be talked to at all has
a ``failure`` and nothing else. Everything that came from a server is data from outside: it is checked by type when a file is read.
"""

from __future__ import annotations

import dataclasses
import json
import pathlib
import typing as t

from .codec import CodecError, decode, encode
from .files import file_name, write_private
from .host.operations import (
    CertificatesReply,
    ChainCheckReply,
    EventsReply,
    FileInfoReply,
    FileReadReply,
    LyncCommandReply,
    ProcessState,
    RegistryListReply,
    RegistryReadReply,
    ServiceState,
    SystemReply,
    TlsPeerReply,
    UpdatesReply,
    View,
)

SCHEMA: t.Final = 1
_MAX_FILE: t.Final = 64 * 1024 * 1024


class EvidenceError(ValueError):
    """A file that is not usable evidence; the text names the file and the reason."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class InventoryFacts:
    """What the inventory says of the host: pool FQDNs, None where it says nothing."""

    pool: str | None = None
    edge_pool: str | None = None
    paired_pool: str | None = None


@dataclasses.dataclass(frozen=True, kw_only=True)
class Failure:
    """Why nothing could be read: ``kind`` is a stable word (see ``session.FailureKind``), the rest is for people."""

    kind: str
    stage: str
    message: str
    advice: str


@dataclasses.dataclass(frozen=True, kw_only=True)
class Problem:
    """One thing that could not be read. ``type`` is a stable word, ``message`` may be in the server's language."""

    section: str
    operation: str
    type: str
    message: str


@dataclasses.dataclass(frozen=True, kw_only=True)
class SystemDll:
    """One copy of System.dll. ``marker_utf16`` and ``marker_ascii``: the EKU check's names occur in its bytes."""

    clr: str
    path: str
    exists: bool
    version: str | None
    created_utc: str | None
    modified_utc: str | None
    marker_utf16: bool
    marker_ascii: bool


@dataclasses.dataclass(frozen=True, kw_only=True)
class RebootSigns:
    """Whether Windows waits for a reboot: None where it could not be read.

    ``servicing``, ``updates``: the keys that Component Based Servicing and Windows Update make for it are there. ``renames``: how many
    names of files wait to be replaced or removed at the next start; ``dotnet_files`` are those of .NET among them, at most 20.
    """

    servicing: bool | None
    updates: bool | None
    renames: int | None
    dotnet_files: tuple[str, ...] = ()


@dataclasses.dataclass(frozen=True, kw_only=True)
class DotnetEvidence:
    """``release``: number of .NET 4.5 and later. ``updates``: what Windows records of the updates that brought the check.

    ``reboot`` is None in evidence of a version that did not ask for it.
    """

    release: int | None
    system_dlls: tuple[SystemDll, ...]
    updates: UpdatesReply | None
    reboot: RebootSigns | None = None


@dataclasses.dataclass(frozen=True, kw_only=True)
class OptOutKey:
    """One registry key where opt-outs of one CLR can stand; ``values`` None when it could not be read."""

    clr: str
    view: View
    executables: RegistryListReply | None
    everything: RegistryReadReply | None


@dataclasses.dataclass(frozen=True, kw_only=True)
class OptOutEvidence:
    keys: tuple[OptOutKey, ...]
    app_context: RegistryReadReply | None
    config: FileReadReply | None


@dataclasses.dataclass(frozen=True, kw_only=True)
class Presented:
    """What a TLS server showed on a port. ``host`` is empty for the host itself."""

    host: str
    port: int
    reply: TlsPeerReply


@dataclasses.dataclass(frozen=True, kw_only=True)
class TopologyFact:
    """One pool as the product's own topology has it. ``edge_pool``: the Edge pool its conferencing depends on.

    ``names_edge``: it depends on some Edge, so that no ``edge_pool`` is a doubt and not a no.
    """

    pool: str
    machines: tuple[str, ...]
    front_end: bool
    edge: bool
    edge_pool: str | None
    names_edge: bool


@dataclasses.dataclass(frozen=True, kw_only=True)
class ChainCheckFact:
    """The host's own chain check of a peer's certificate (SHA-1 thumbprint) for clientAuth."""

    thumbprint: str
    reply: ChainCheckReply


@dataclasses.dataclass(frozen=True, kw_only=True)
class Sighting:
    """An opt-out that earlier evidence already held. ``since_utc``: the host's clock when it was first seen."""

    opt_out: str
    since_utc: str


@dataclasses.dataclass(frozen=True, kw_only=True)
class OfflineReading:
    """That the host was read by hand with a kit, and its file imported later. ``read_utc``: by the host's own clock."""

    kit: str
    read_utc: str
    imported_utc: str


@dataclasses.dataclass(frozen=True, kw_only=True)
class Evidence:
    """Everything read from one host. ``duration_ms`` is the host's time over all batches.

    ``collected_utc``: when, by the controller's clock. Of an offline reading the controller knows only that it lies between making the
    kit and importing the file: the host's own clock where it says so too, else the time of the kit. ``misplaced_roots``: certificates of
    the store ``Root`` that somebody else issued.
    """

    schema: int = SCHEMA
    collection_version: str
    run_id: str
    inventory_name: str
    collected_utc: str
    inventory: InventoryFacts
    failure: Failure | None = None
    system: SystemReply | None = None
    services: tuple[ServiceState, ...] | None = None
    processes: tuple[ProcessState, ...] | None = None
    executables: dict[str, FileInfoReply] | None = None
    dotnet: DotnetEvidence | None = None
    opt_outs: OptOutEvidence | None = None
    certificates: CertificatesReply | None = None
    misplaced_roots: CertificatesReply | None = None
    presented: tuple[Presented, ...] = ()
    lync_certificates: LyncCommandReply | None = None
    topology: tuple[TopologyFact, ...] | None = None
    events: EventsReply | None = None
    records: RegistryListReply | None = None
    chain_checks: tuple[ChainCheckFact, ...] = ()
    sightings: tuple[Sighting, ...] = ()
    offline: OfflineReading | None = None
    problems: tuple[Problem, ...] = ()
    batches: int = 0
    duration_ms: int = 0

    @property
    def full_name(self) -> str:
        """The host's own FQDN in lower case, or the inventory name where it is not known."""
        if self.system is None:
            return self.inventory_name.lower()
        domain = self.system.dns_domain
        return (f"{self.system.computer_name}.{domain}" if domain else self.system.computer_name).lower()

    def service(self, name: str) -> ServiceState | None:
        """The state of a service that exists on the host, else None."""
        return next((s for s in self.services or () if s.exists and s.name.lower() == name.lower()), None)


def to_text(evidence: Evidence) -> str:
    """The evidence as JSON text; the same evidence gives the same text."""
    # A line for each section. Indented throughout it would be written by Python's slow encoder, once or twice for every host.
    lines = (f"{json.dumps(name)}: {json.dumps(value)}" for name, value in encode(evidence).items())
    return "{\n" + ",\n".join(lines) + "\n}\n"


def from_text(text: str, *, where: str) -> Evidence:
    """Read evidence and check it.

    :raises EvidenceError: the text is damaged, of another schema, or something else than evidence.
    """
    try:
        data = json.loads(text)
    except (ValueError, RecursionError):
        raise EvidenceError(
            f"{where} is not evidence: it is not JSON, or it is cut. Delete it and run the audit again."
        ) from None
    schema = data.get("schema") if isinstance(data, dict) else None
    if schema != SCHEMA:
        found = f"schema {schema}" if isinstance(schema, int) else "no schema"
        raise EvidenceError(
            f"{where} is not evidence of this version ({found}, {SCHEMA} is needed). Delete it and run the audit again."
        )
    try:
        return decode(Evidence, data, where="evidence")
    except CodecError as error:
        raise EvidenceError(f"{where} is damaged: {error}. Delete it and run the audit again.") from None


def save(evidence: Evidence, directory: pathlib.Path) -> pathlib.Path:
    """Write one host's evidence atomically, readable by its owner alone; returns the file."""
    path = directory / file_name(evidence.inventory_name)
    write_private(path, to_text(evidence))
    return path


def load(directory: pathlib.Path, inventory_name: str) -> Evidence | None:
    """The saved evidence of a host, None when there is none.

    :raises EvidenceError: there is a file, but it is no usable evidence of this host.
    """
    path = directory / file_name(inventory_name)
    try:
        if path.stat().st_size > _MAX_FILE:
            raise EvidenceError(f"{path} is too large to be evidence. Delete it and run the audit again.")
        text = path.read_text("utf-8")
    except FileNotFoundError:
        return None
    except UnicodeDecodeError:
        raise EvidenceError(f"{path} is not evidence: it is not text. Delete it and run the audit again.") from None
    except OSError as error:
        raise EvidenceError(f"{path} cannot be read: {error.strerror}. Check its owner and mode.") from None
    evidence = from_text(text, where=str(path))
    if evidence.inventory_name != inventory_name:
        raise EvidenceError(
            f"{path} is evidence of another host ({evidence.inventory_name[:80]}). Delete it and run the audit again."
        )
    return evidence
