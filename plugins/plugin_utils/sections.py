# Copyright (c) 2026, the sfb.kb4023993 contributors
# GNU General Public License v3.0-or-later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Sections of evidence to operations, and replies back to evidence, without a way to a server.

An audit over the network and one by hand (``offline/``) ask the same and understand the answers the same way, because both do it here.
"""

from __future__ import annotations

import dataclasses
import typing as t

from .evidence import (
    DotnetEvidence,
    Evidence,
    InventoryFacts,
    OptOutEvidence,
    OptOutKey,
    Presented,
    Problem,
    RebootSigns,
    SystemDll,
    TopologyFact,
)
from .host import operations as op
from .host.wire import Reply
from .knowledge import loader as knowledge
from .records import KEY as RECORDS_KEY
from .topology import TopologyError, parse_topology

SECTIONS: t.Final = ("system", "services", "dotnet", "opt_outs", "certificates", "events", "records", "lync")
CMDLET_DEADLINE_SECONDS: t.Final = 240
_NDP4: t.Final = r"SOFTWARE\Microsoft\NET Framework Setup\NDP\v4\Full"
# What Windows and its updates leave when files can be replaced at the next start only.
_REBOOT_KEYS: t.Final = {
    "servicing": r"SOFTWARE\Microsoft\Windows\CurrentVersion\Component Based Servicing\RebootPending",
    "updates": r"SOFTWARE\Microsoft\Windows\CurrentVersion\WindowsUpdate\Auto Update\RebootRequired",
}
_SESSION_MANAGER: t.Final = r"SYSTEM\CurrentControlSet\Control\Session Manager"
_RENAMES: t.Final = "PendingFileRenameOperations"
_DOTNET_FOLDERS: t.Final = ("\\microsoft.net\\", "\\windows\\assembly\\")
_MOST_RENAMES: t.Final = 20
_VIEWS: t.Final[tuple[op.View, ...]] = ("64", "32")
# A week shows a problem that comes and goes; what counts is judged against the start of the process.
_EVENT_WINDOW_SECONDS: t.Final = 7 * 24 * 3600
# The first few are reason enough to look at the store.
_MOST_MISPLACED: t.Final = 20
_CERTIFICATE_PROPERTIES: t.Final = ("Use", "Thumbprint")


@dataclasses.dataclass(frozen=True, kw_only=True)
class Header:
    """What evidence says of itself: who collected it, when (controller's clock), of which inventory host."""

    collection_version: str
    run_id: str
    inventory_name: str
    collected_utc: str
    inventory: InventoryFacts


class Batch:
    """Operations under construction, each with the section it belongs to and the key of its answer."""

    def __init__(self) -> None:
        self.operations: list[op.Operation] = []
        self._labels: list[tuple[str, str]] = []

    def ask(self, section: str, key: str, operation: op.Operation) -> None:
        self._labels.append((section, key))
        self.operations.append(operation)

    def answers(self, replies: t.Sequence[Reply]) -> tuple[dict[str, t.Any], list[Problem], int]:
        """Values by key, problems, and the milliseconds spent."""
        values: dict[str, t.Any] = {}
        problems: list[Problem] = []
        for (section, key), reply in zip(self._labels, replies, strict=True):
            if reply.error is None:
                values[key] = reply.value
            else:
                error = reply.error
                problems.append(
                    Problem(
                        section=section, operation=reply.operation.NAME, type=error.type, message=error.message[:300]
                    )
                )
        return values, problems, sum(reply.ms for reply in replies)


def decisive_services() -> tuple[knowledge.Service, ...]:
    return tuple(service for service in knowledge.services() if service.decisive)


def no_evidence(header: Header) -> Evidence:
    """The evidence of a host of which nothing is known yet."""
    return Evidence(**{field.name: getattr(header, field.name) for field in dataclasses.fields(header)})


def first_evidence(header: Header, batch: Batch, replies: t.Sequence[Reply], sections: t.Collection[str]) -> Evidence:
    """The replies to :func:`first_batch` as evidence."""
    values, problems, spent = batch.answers(replies)
    return dataclasses.replace(
        no_evidence(header),
        **_first_sections(values, sections),
        problems=tuple(problems),
        batches=1,
        duration_ms=spent,
    )


def needs_cmdlets(evidence: Evidence) -> bool:
    """Whether the product's own cmdlets have something to say of this host."""
    return any(evidence.service(service.name) for service in decisive_services())


def needs_topology(evidence: Evidence) -> bool:
    """Whether the inventory leaves something open that the host's copy of the topology may tell."""
    inventory = evidence.inventory
    return inventory.pool is None or (inventory.edge_pool is None and _is_front_end(evidence))


def cmdlet_batch(*, topology: bool) -> Batch:
    """What is asked of the product itself, in a batch of its own."""
    batch = Batch()
    modules = tuple(dict.fromkeys(module for product in knowledge.products() for module in product.modules))[::-1]
    certificates = op.LyncCommand(command="Get-CsCertificate", modules=modules, properties=_CERTIFICATE_PROPERTIES)
    batch.ask("lync", "certificates", certificates)
    if topology:
        batch.ask("lync", "topology", op.LyncCommand(command="Get-CsTopology", modules=modules))
    return batch


def with_cmdlets(evidence: Evidence, batch: Batch, replies: t.Sequence[Reply]) -> Evidence:
    """The evidence with the replies to :func:`cmdlet_batch`."""
    values, problems, spent = batch.answers(replies)
    topology, topology_problem = _topology(values.get("topology"))
    return dataclasses.replace(
        evidence,
        lync_certificates=values.get("certificates"),
        topology=topology,
        problems=(*evidence.problems, *problems, *topology_problem),
        batches=evidence.batches + 1,
        duration_ms=evidence.duration_ms + spent,
    )


def first_batch(sections: t.Collection[str]) -> Batch:
    """Everything that needs no cmdlet, in one trip.

    :param sections: which of ``SECTIONS``; ``system`` and ``services`` are always asked.
    """
    batch = Batch()
    batch.ask("system", "system", op.System())
    batch.ask("services", "services", op.Services(names=tuple(s.name for s in knowledge.services())))
    images = tuple(s.image.rsplit(".", 1)[0] for s in decisive_services() if s.image)
    batch.ask("services", "processes", op.Processes(names=images))
    for service in decisive_services():
        batch.ask("services", f"executable {service.name}", op.FileInfo(path="", service=service.name))
    if "dotnet" in sections:
        _ask_dotnet(batch)
    if "opt_outs" in sections:
        _ask_opt_outs(batch)
    if "certificates" in sections:
        batch.ask("certificates", "certificates", op.Certificates(store="My"))
        misplaced = op.Certificates(store="Root", only="issued_by_others", limit=_MOST_MISPLACED)
        batch.ask("certificates", "misplaced_roots", misplaced)
        for port in _probe_ports():
            batch.ask("certificates", f"presented {port}", op.TlsPeer(host="", port=port))
    if "events" in sections:
        source = knowledge.event_sources()[0]
        ids = tuple(event.id for event in knowledge.events())
        events = op.Events(log=source.log, provider=source.provider, ids=ids, seconds=_EVENT_WINDOW_SECONDS)
        batch.ask("events", "events", events)
    if "records" in sections:
        batch.ask("records", "records", op.RegistryList(path=RECORDS_KEY))
    return batch


def _probe_ports() -> tuple[int, ...]:
    return tuple(dict.fromkeys(port.number for port in knowledge.ports() if port.purpose == "probe"))


def _ask_dotnet(batch: Batch) -> None:
    batch.ask("dotnet", "release", op.RegistryRead(path=_NDP4, name="Release"))
    for dll in knowledge.system_dlls():
        patterns = tuple(marker.text.encode(marker.encoding) for marker in _markers(dll.clr))
        batch.ask("dotnet", f"dll {dll.path}", op.FileInfo(path=dll.path))
        batch.ask("dotnet", f"search {dll.path}", op.FileSearch(path=dll.path, patterns=patterns))
    kbs = dict.fromkeys(f"KB{update.kb}" for update in knowledge.updates() if update.record != "none")
    batch.ask("dotnet", "updates", op.Updates(kbs=tuple(kbs)))
    for key, path in _REBOOT_KEYS.items():
        batch.ask("dotnet", f"reboot {key}", op.RegistryList(path=path, limit=1))
    batch.ask("dotnet", "reboot renames", op.RegistryRead(path=_SESSION_MANAGER, name=_RENAMES))


def _markers(clr: str) -> tuple[knowledge.Marker, ...]:
    return tuple(marker for marker in knowledge.markers() if clr in marker.clr)


def _opt_out(name: str) -> knowledge.OptOut:
    return next(opt_out for opt_out in knowledge.opt_outs() if opt_out.id == name)


def _clrs() -> tuple[str, ...]:
    return tuple(dict.fromkeys(product.clr for product in knowledge.products()))


def _ask_opt_outs(batch: Batch) -> None:
    executable, everything, context = _opt_out("executable"), _opt_out("global"), _opt_out("appcontext_registry")
    for clr in _clrs():
        for view in _VIEWS:
            path = executable.key.format(clr=clr)
            batch.ask("opt_outs", f"executables {clr} {view}", op.RegistryList(path=path, view=view))
            where = op.RegistryRead(path=everything.key.format(clr=clr), name=everything.name or "", view=view)
            batch.ask("opt_outs", f"global {clr} {view}", where)
    batch.ask("opt_outs", "app_context", op.RegistryRead(path=context.key, name=context.name or ""))
    front_end = next(service for service in decisive_services() if service.role == "front_end")
    batch.ask("opt_outs", "config", op.FileRead(path=".config", service=front_end.name))


def _first_sections(values: dict[str, t.Any], sections: t.Collection[str]) -> dict[str, t.Any]:
    found: dict[str, t.Any] = {
        "system": values.get("system"),
        "services": values["services"].services if "services" in values else None,
        "processes": values["processes"].processes if "processes" in values else None,
        "executables": {
            service.name: values[f"executable {service.name}"]
            for service in decisive_services()
            if f"executable {service.name}" in values
        },
        "certificates": values.get("certificates"),
        "misplaced_roots": values.get("misplaced_roots"),
        "presented": tuple(
            Presented(host="", port=port, reply=values[f"presented {port}"])
            for port in _probe_ports()
            if f"presented {port}" in values
        ),
        "events": values.get("events"),
        "records": values.get("records"),
    }
    if "dotnet" in sections:
        found["dotnet"] = _dotnet(values)
    if "opt_outs" in sections:
        found["opt_outs"] = _opt_outs(values)
    return found


def _dotnet(values: dict[str, t.Any]) -> DotnetEvidence:
    release = values.get("release")
    value = release.value if release and release.value and release.value.kind == "dword" else None
    dlls = tuple(
        _system_dll(dll, values[f"dll {dll.path}"], values[f"search {dll.path}"])
        for dll in knowledge.system_dlls()
        if f"dll {dll.path}" in values and f"search {dll.path}" in values
    )
    # One with more bytes than a number has is handed out as bytes.
    number = value.data if value and isinstance(value.data, int) else None
    return DotnetEvidence(release=number, system_dlls=dlls, updates=values.get("updates"), reboot=_reboot_signs(values))


def _reboot_signs(values: dict[str, t.Any]) -> RebootSigns:
    servicing, updates = (
        found.key_exists if (found := values.get(f"reboot {key}")) else None for key in ("servicing", "updates")
    )
    reply = values.get("reboot renames")
    if reply is None:
        return RebootSigns(servicing=servicing, updates=updates, renames=None)
    held = reply.value.data if reply.value and isinstance(reply.value.data, tuple) else ()
    # Pairs of a file and what it becomes; an empty one is a file that goes. NT names begin with \??\, one that takes the place of another
    # with !.
    files = [name.lstrip("!").removeprefix("\\??\\") for name in held if name]
    own = dict.fromkeys(name for name in files if any(folder in name.lower() for folder in _DOTNET_FOLDERS))
    return RebootSigns(
        servicing=servicing,
        updates=updates,
        renames=len(files),
        dotnet_files=tuple(own)[:_MOST_RENAMES],
    )


def _system_dll(dll: knowledge.SystemDll, info: op.FileInfoReply, search: op.FileSearchReply) -> SystemDll:
    by_encoding = {m.encoding: found for m, found in zip(_markers(dll.clr), search.found, strict=False)}
    return SystemDll(
        clr=dll.clr,
        path=info.path,
        exists=info.exists and search.exists,
        version=info.version,
        created_utc=info.created_utc,
        modified_utc=info.modified_utc,
        marker_utf16=by_encoding.get("utf-16-le", False),
        marker_ascii=by_encoding.get("ascii", False),
    )


def _opt_outs(values: dict[str, t.Any]) -> OptOutEvidence:
    keys = tuple(
        OptOutKey(
            clr=clr,
            view=view,
            executables=values.get(f"executables {clr} {view}"),
            everything=values.get(f"global {clr} {view}"),
        )
        for clr in _clrs()
        for view in _VIEWS
    )
    return OptOutEvidence(keys=keys, app_context=values.get("app_context"), config=values.get("config"))


def _is_front_end(evidence: Evidence) -> bool:
    return any(evidence.service(s.name) for s in decisive_services() if s.role == "front_end")


def _topology(reply: op.LyncCommandReply | None) -> tuple[tuple[TopologyFact, ...] | None, tuple[Problem, ...]]:
    if reply is None or reply.text is None:
        return None, ()
    try:
        parsed = parse_topology(reply.text)
    except TopologyError as error:
        problem = Problem(section="lync", operation="lync_command", type="invalid", message=str(error)[:300])
        return None, (problem,)
    facts = tuple(
        TopologyFact(
            pool=pool.fqdn.lower(),
            machines=tuple(machine.lower() for machine in pool.machines),
            front_end=pool.front_end,
            edge=pool.edge,
            edge_pool=pool.edge_pool.lower() if pool.edge_pool else None,
            names_edge=pool.names_edge,
        )
        for pool in parsed.pools
        if pool.front_end or pool.edge
    )
    return facts, ()
