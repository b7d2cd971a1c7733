# Copyright (c) 2026, the sfb.kb4023993 contributors
# GNU General Public License v3.0-or-later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Operations on the system, files, events and updates."""

from __future__ import annotations

import re
from datetime import timedelta

from ansible_collections.sfb.kb4023993.plugins.plugin_utils.host import operations as op

from lab.answers.context import Surroundings
from lab.clock import utc_text
from lab.world.errors import WorldError
from lab.world.events import LoggedEvent
from lab.world.host import LYNC_LOG, Host
from lab.world.registry import Registry

CURRENT_VERSION = r"SOFTWARE\Microsoft\Windows NT\CurrentVersion"
CBS_PACKAGES = r"SOFTWARE\Microsoft\Windows\CurrentVersion\Component Based Servicing\Packages"
MSI_UPDATES = r"SOFTWARE\Microsoft\Updates"
_MAX_SEARCHED = 64 * 1024 * 1024
_MAX_STRINGS, _MAX_STRING = 20, 500
_KB = re.compile(r"(?i)(?<![0-9A-Z])KB[0-9]+(?![0-9])")
_ASKED_KB = re.compile(r"(?i)KB[0-9]+\Z")
_VIEWS: tuple[op.View, ...] = ("64", "32")


def system(host: Host, _asked: op.System, _: Surroundings) -> op.SystemReply:
    facts = host.facts
    build = int(_text(host.registry, CURRENT_VERSION, "CurrentBuild") or 0)
    major, minor = (
        _number(host.registry, CURRENT_VERSION, f"Current{part}VersionNumber") for part in ("Major", "Minor")
    )
    release = _text(host.registry, CURRENT_VERSION, "CurrentVersion") if major is None else f"{major}.{minor}"
    return op.SystemReply(
        computer_name=facts.computer_name,
        dns_domain=facts.dns_domain,
        machine_guid=_text(host.registry, r"SOFTWARE\Microsoft\Cryptography", "MachineGuid"),
        os_version=f"{release}.{build}",
        os_build=build,
        os_ubr=_number(host.registry, CURRENT_VERSION, "UBR"),
        product_type=_text(host.registry, r"SYSTEM\CurrentControlSet\Control\ProductOptions", "ProductType"),
        culture=facts.culture,
        ui_culture=facts.ui_culture,
        powershell_version=facts.powershell_version,
        clr_version=facts.clr_version,
        time_utc=utc_text(host.now()),
        utc_offset_minutes=facts.utc_offset_minutes,
    )


def file_info(host: Host, asked: op.FileInfo, _: Surroundings) -> op.FileInfoReply:
    path = _path(host, asked.path, asked.service)
    file = host.files.get(path)
    return op.FileInfoReply(
        path=path,
        exists=file is not None,
        size=file.size if file else None,
        version=file.version if file else None,
        created_utc=host.shown_text(file.created) if file else None,
        modified_utc=host.shown_text(file.modified) if file else None,
    )


def file_read(host: Host, asked: op.FileRead, _: Surroundings) -> op.FileReadReply:
    path = _path(host, asked.path, asked.service)
    file = host.files.get(path)
    if file is not None and asked.limit < 0:
        raise WorldError("invalid", "Non-negative number required.")
    return op.FileReadReply(
        path=path,
        exists=file is not None,
        content=file.content[: asked.limit] if file else None,
        truncated=file is not None and file.size > asked.limit,
    )


def file_search(host: Host, asked: op.FileSearch, _: Surroundings) -> op.FileSearchReply:
    file = host.files.get(_path(host, asked.path, ""))
    if file is None:
        return op.FileSearchReply(exists=False, found=(False,) * len(asked.patterns))
    if file.size > _MAX_SEARCHED:
        raise WorldError("too_large", f"{file.path} has {file.size} bytes")
    return op.FileSearchReply(exists=True, found=tuple(pattern in file.content for pattern in asked.patterns))


def events(host: Host, asked: op.Events, around: Surroundings) -> op.EventsReply:
    if not asked.provider or "'" in asked.provider:
        raise WorldError("invalid", "this is not the name of a provider")
    if asked.log.casefold() != LYNC_LOG.casefold() or host.quirks.no_lync_log:
        return op.EventsReply(log_exists=False, events=(), truncated_ids=())
    around.mechanism.settle(host)
    since = host.clock.now() - timedelta(seconds=asked.seconds)
    found: list[op.Event] = []
    truncated = []
    for event_id in asked.ids:
        logged, more = host.log.read(asked.provider, event_id, since, asked.limit)
        found += [_event(host, event) for event in logged]
        if more:
            truncated.append(event_id)
    return op.EventsReply(log_exists=True, events=tuple(found), truncated_ids=tuple(truncated))


def updates(host: Host, asked: op.Updates, _: Surroundings) -> op.UpdatesReply:
    if not all(_ASKED_KB.match(kb) for kb in asked.kbs):
        raise WorldError("invalid", "an update is KB and a number")
    wanted = {kb.upper() for kb in asked.kbs}
    cbs, msi = [], []
    for package in host.registry.subkeys(CBS_PACKAGES):
        if kb := _named(package, wanted):
            state = _number(host.registry, f"{CBS_PACKAGES}\\{package}", "CurrentState")
            cbs.append(op.CbsPackage(kb=kb, name=package, state=state or 0))
    for view in _VIEWS:
        for product in host.registry.subkeys(MSI_UPDATES, view=view):
            for name in host.registry.subkeys(f"{MSI_UPDATES}\\{product}", view=view):
                if kb := _named(name, wanted):
                    path = f"{MSI_UPDATES}\\{product}\\{name}"
                    value = host.registry.read(path, "ThisVersionInstalled", view=view)
                    installed = str(value.data) if value else None
                    msi.append(op.MsiUpdate(kb=kb, product=product, view=view, installed=installed))
    return op.UpdatesReply(cbs=tuple(cbs), msi=tuple(msi))


def _named(text: str, kbs: set[str]) -> str | None:
    """The first of these updates that a package's name holds."""
    for match in _KB.finditer(text):
        if match[0].upper() in kbs:
            return match[0].upper()
    return None


def _event(host: Host, event: LoggedEvent) -> op.Event:
    strings = tuple(text[:_MAX_STRING] for text in event.strings[:_MAX_STRINGS])
    return op.Event(id=event.id, record_id=event.record_id, time_utc=host.shown_text(event.time), strings=strings)


def _path(host: Host, path: str, service: str) -> str:
    """The full path that is meant; "" for the executable of a service that has none."""
    if not service:
        return host.files.long_path(path)
    executable = host.services.executable(service)
    return "" if executable is None else executable + path


def _text(registry: Registry, path: str, name: str) -> str | None:
    value = registry.read(path, name)
    return str(value.data) if value is not None and value.kind == "string" else None


def _number(registry: Registry, path: str, name: str) -> int | None:
    value = registry.read(path, name)
    return value.data if value is not None and isinstance(value.data, int) else None
