# Copyright (c) 2026, the sfb.kb4023993 contributors
# GNU General Public License v3.0-or-later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Makes a server of the lab real in a Wine prefix: one scenario describes both the model and what Wine runs.

Registry, certificates, service programs and System.dll of a simulated server are written into a prefix, and its services run there.
What Wine cannot hold is left out: the event log, files that nothing reads, a past (all processes start now).
"""

from __future__ import annotations

import base64
import os
from pathlib import Path

from lab import dotnet
from lab.answers.system import CURRENT_VERSION
from lab.live import Program
from lab.world.host import Host
from lab.world.registry import Data
from lab.world.services import SERVICES, Behaviour
from lab.world.stores import STORES

from wine import programs, registry_file
from wine.prefix import Prefix, ServerLook, WineError
from wine.registry_file import Raw, binary, dword, multi_string, qword, string
from wine.store_blob import store_keys

MODULES = r"C:\Program Files\Common Files\Contoso Stand-in\Modules"
_OWN_PROCESS, _NORMAL = 0x10, 1
_FOR_EVER = 100_000
_TIME_ZONES = {0: "Etc/UTC", 60: "Europe/Berlin", 540: "Asia/Tokyo"}


def look(host: Host) -> ServerLook:
    """The look of a simulated server."""

    def text(name: str) -> str:
        value = host.registry.read(CURRENT_VERSION, name)
        assert value is not None
        return str(value.data)

    ubr = host.registry.read(CURRENT_VERSION, "UBR")
    guid = host.registry.read(r"SOFTWARE\Microsoft\Cryptography", "MachineGuid")
    assert guid is not None
    return ServerLook(
        name=host.facts.computer_name,
        domain=host.facts.dns_domain,
        product=text("ProductName"),
        version=text("CurrentVersion"),
        build=int(text("CurrentBuild")),
        ubr=int(str(ubr.data)) if ubr else None,
        machine_guid=str(guid.data),
        language=host.facts.ui_culture.replace("-", "_"),
        time_zone=_TIME_ZONES[host.facts.utc_offset_minutes],
    )


def program(prefix: Prefix) -> Program:
    """The engine of a prefix with the product's module, for the servers of a lab."""
    return prefix.program(variables={"PSModulePath": MODULES})


def materialise(host: Host, prefix: Prefix, *, topology: str | None) -> None:
    """Write a server into a running prefix and boot it, so that its services run.

    ``topology``: the document that the product's module gives.

    :raises WineError: for a server that a prefix cannot be.
    """
    keys: dict[str, dict[str, Raw]] = {path: {} for path in host.registry.denied}
    keys |= {
        path: {name: _raw(kind, data) for name, (kind, data) in values.items()}
        for path, values in host.registry.dump().items()
    }
    for store in STORES:
        keys |= store_keys(store, host.stores.entries(store))
    for name in host.services.names():
        keys[f"{SERVICES}\\{name}"] |= _service(host, prefix, name)
    prefix.import_registry(keys)
    _write_files(host, prefix)
    _write_module(host, prefix, topology)
    prefix.restart()
    for path in host.registry.denied:
        prefix.deny(path, "QueryValues")
    for name in host.services.names():
        service = host.services.get(name)
        assert service is not None
        behave(prefix, name, service.behaviour)


def behave(prefix: Prefix, service: str, behaviour: Behaviour) -> None:
    """How a service answers from now on."""
    values = {
        "StartSeconds": round(behaviour.start_seconds),
        "StopSeconds": _FOR_EVER if behaviour.stuck else round(behaviour.stop_seconds),
        "StartError": 1 if behaviour.fails_to_start else 0,
    }
    prefix.import_registry({f"{SERVICES}\\{service}\\Parameters": {name: dword(n) for name, n in values.items()}})


def _service(host: Host, prefix: Prefix, name: str) -> dict[str, Raw]:
    """What the service manager needs beside what the lab writes; also writes the program."""
    service, path = host.services.get(name), host.services.executable(name)
    if service is None or path is None or (service.status, host.services.start_mode(name)) != ("running", "automatic"):
        raise WineError(f"{name} of {host.name} would not be running after the boot of a prefix.")
    if host.services.image_path(name) == host.files.short_path(path) != path:
        raise WineError(
            f"{host.name} has 8.3 names in an ImagePath: Wine makes other ones, and .NET cannot expand them there."
        )
    program = host.files.get(path)
    assert program is not None
    assert program.version
    _dated(prefix.write(path, programs.service_program(program.version)), program.modified.timestamp())
    return {
        "Type": dword(_OWN_PROCESS),
        "ErrorControl": dword(_NORMAL),
        "DisplayName": string(name),
        "ObjectName": string("LocalSystem"),
    }


def _write_files(host: Host, prefix: Prefix) -> None:
    for paths in dotnet.SYSTEM_DLL.values():
        for path in paths:
            file = host.files.get(path)
            if file is not None:
                assert file.version
                _dated(prefix.write(file.path, programs.library(file.content, file.version)), file.modified.timestamp())
    for name in host.services.names():
        config = host.files.get(f"{host.services.executable(name)}.config")
        if config is not None:
            _dated(prefix.write(config.path, config.content), config.modified.timestamp())


def _write_module(host: Host, prefix: Prefix, topology: str | None) -> None:
    """A stand-in for the product's PowerShell module, which nobody has without the product: two commands, the lab's answers."""
    rows = "\n".join(
        f"    [pscustomobject]@{{ Use = '{use}'; Thumbprint = '{mark}' }}" for use, mark in host.lync.assigned.items()
    )
    for module in host.lync.modules:
        folder = rf"{MODULES}\{module}"
        prefix.write(rf"{folder}\Topology.xml", (topology or "").encode("utf-8"))
        text = (
            f"function Get-CsCertificate {{\n    [CmdletBinding()] param()\n{rows}\n}}\n"
            "function Get-CsTopology {\n    [CmdletBinding()] param([switch]$LocalStore, [switch]$AsXml)\n"
            '    [IO.File]::ReadAllText("$PSScriptRoot\\Topology.xml")\n}\n'
        )
        prefix.write(rf"{folder}\{module}.psm1", text.encode("utf-8-sig"))


def _raw(kind: str, data: Data) -> Raw:
    if isinstance(data, int):
        return dword(data) if kind == "dword" else qword(data)
    if isinstance(data, tuple):
        return multi_string(*data)
    if kind in ("binary", "none"):
        return Raw(kind=binary(b"").kind if kind == "binary" else registry_file.NONE, data=base64.b64decode(data))
    return string(data, kind=registry_file.EXPAND_STRING if kind == "expand_string" else registry_file.STRING)


def _dated(file: Path, timestamp: float) -> None:
    os.utime(file, (timestamp, timestamp))
