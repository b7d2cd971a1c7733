# Copyright (c) 2026, the sfb.kb4023993 contributors
# GNU General Public License v3.0-or-later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Cases in the PowerShell engine under Wine: a real registry and service manager, real stores and files, none of them Windows' own."""

from __future__ import annotations

import contextlib
import dataclasses
import os
import typing as t
from pathlib import Path

from ansible_collections.sfb.kb4023993.plugins.plugin_utils.host import operations as op
from ansible_collections.sfb.kb4023993.plugins.plugin_utils.host import wire
from lab.world.stores import StoreEntry
from powershell.runner import batch_text, pack
from wine import programs
from wine.prefix import Prefix
from wine.registry_file import Raw, dword, multi_string, string
from wine.store_blob import store_keys

from contract import tls, wine_registry
from contract.case import NONCE, Asked, Case, batch_data, typed, with_field
from contract.world import PROGRAM, Service, World, merged

_SERVICES = r"SYSTEM\CurrentControlSet\Services"
_LACKS = {
    "events": "Wine's event log is empty whatever is written into it",
    "certreq_new": "Wine's certreq does nothing",
    "pfx_import": "private keys cannot be used under Wine",
    "pfx_export": "private keys cannot be used under Wine",
}
_STAND_INS = {
    "lync_": "a stand-in module is no more the product's under Wine than on Linux, where it runs",
    "ca_": "a stand-in object is no more that of Windows under Wine than on Linux, where it runs",
}
_STATES = ("stopped", "running")


def reason(case: Case) -> str | None:
    """Why a case cannot run here; None when it can."""
    if case.left_out.get("wine"):
        return case.left_out["wine"]
    if any(key.denied for key in case.world.keys):
        return "each denied key takes two more starts of the engine; tests/wine has playbooks and readings with denied keys"
    if any(service.status not in _STATES for service in case.world.services):
        return "the program of the tests cannot be held in this state"
    if case.alone:
        return "each host of its own would take a minute"
    for step in case.steps:
        if step.operation in _LACKS:
            return _LACKS[step.operation]
        for beginning, why in _STAND_INS.items():
            if step.operation.startswith(beginning):
                return why
    return None


def run(prefix: Prefix, cases: t.Sequence[Case], folder: Path) -> list[wire.Reply]:
    """The replies of all steps of these cases, in one start of the engine."""
    world = merged([each.world for each in cases])
    put(prefix, world)
    with contextlib.ExitStack() as stack:
        ports = stack.enter_context(tls.servers(world.tls, folder))
        asked = [_there(step.asked, ports) for each in cases for step in each.steps]
        printed = prefix.engine().execute(pack(batch_text(), batch_data(asked)))
    assert (printed.stderr, printed.exit_code) == ("", 0)
    replies, failure = wire.decode_reply(printed.stdout, list(map(typed, asked)), nonce=NONCE)
    assert failure is None, failure
    return list(map(_back, replies))


def put(prefix: Prefix, world: World) -> None:
    """Write a world into a running prefix."""
    keys: dict[str, dict[str, Raw]] = {}
    for key in world.keys:
        keys.setdefault(key.path, {}).update(
            {value.name: Raw(kind=value.type, data=value.data) for value in key.values}
        )
    for store in dict.fromkeys(stored.store for stored in world.stored):
        entries = tuple(
            StoreEntry(
                certificate=stored.certificate, has_private_key=stored.private_key, usage_property=stored.usage_property
            )
            for stored in world.stored
            if stored.store == store
        )
        keys |= store_keys(store, entries)
    for service in world.services:
        keys |= _service_keys(service)
    for number, process in enumerate(world.processes):
        prefix.write(process.path, programs.service_program("1.0.0.0"))
        keys |= _service_keys(Service(name=f"Process{number}", image_path=f'"{process.path}"', status="running"))
    for folder in world.folders:
        prefix.path(folder.path).mkdir(parents=True, exist_ok=True)
    for file in world.files:
        # What is to run as a service has to be a program.
        content = programs.service_program("1.0.0.0") if file.content == PROGRAM else file.content
        # Wine has made this folder, in small letters.
        path = prefix.write(file.path.replace("C:\\Windows\\", "C:\\windows\\"), content)
        with path.open("r+b") as stream:
            stream.truncate(len(content) + file.padding)
        os.utime(path, (file.modified.timestamp(), file.modified.timestamp()))
    wine_registry.write(prefix, keys)
    if world.services or world.processes:
        prefix.restart()


def _service_keys(service: Service) -> dict[str, dict[str, Raw]]:
    start = 2 if service.status == "running" else service.start
    values = {
        "Start": dword(start),
        "Type": dword(0x10),
        "ErrorControl": dword(1),
        "DisplayName": string(f"{service.name} Display"),
        "ObjectName": string("LocalSystem"),
    }
    if service.image_path is not None:
        values["ImagePath"] = string(service.image_path, kind=service.image_type)
    if service.depends_on:
        values["DependOnService"] = multi_string(*service.depends_on)
    parameters = {"StopSeconds": dword(100_000 if service.stuck else 0), "StartError": dword(int(service.fails))}
    return {f"{_SERVICES}\\{service.name}": values, f"{_SERVICES}\\{service.name}\\Parameters": parameters}


def _there(asked: Asked, ports: t.Mapping[int, int]) -> Asked:
    if isinstance(asked, op.TlsPeer):
        return with_field(asked, "port", lambda port: ports.get(port, port))
    return asked


def _back(reply: wire.Reply) -> wire.Reply:
    """Wine writes the folder of Windows in small letters."""

    def windows(path: str | None) -> str | None:
        return path and path.replace("C:\\windows", "C:\\Windows")

    value = reply.value
    if isinstance(value, op.FileInfoReply | op.FileReadReply):
        value = dataclasses.replace(value, path=windows(value.path) or "")
    if isinstance(value, op.ServicesReply):
        states = (dataclasses.replace(state, executable=windows(state.executable)) for state in value.services)
        value = op.ServicesReply(services=tuple(states))
    return dataclasses.replace(reply, value=value)
