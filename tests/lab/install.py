# Copyright (c) 2026, the sfb.kb4023993 contributors
# GNU General Public License v3.0-or-later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Sets one simulated server up: Windows, .NET, the product, and what a scenario says is odd about it."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Any

from lab import catalog, dotnet
from lab.answers.system import CBS_PACKAGES, CURRENT_VERSION, MSI_UPDATES
from lab.clock import Clock
from lab.scenario import Dotnet, OptOut, Server
from lab.world.host import WEB_CONFERENCING, Host, SystemFacts
from lab.world.services import SERVICES, START_MODES

_NDP = r"SOFTWARE\Microsoft\NET Framework Setup\NDP"
_CBS_INSTALLED, _CBS_SUPERSEDED = 112, 80
_CORE = r"SOFTWARE\Microsoft\Real-Time Communications\{A766C25B-A1D1-4711-A726-AC3E7CA4AAB3}"
_UNINSTALL = r"SOFTWARE\Microsoft\Windows\CurrentVersion\Uninstall"
_OFFSETS = {"en-US": 0, "de-DE": 60, "ja-JP": 540}
_NAMESPACE = uuid.UUID("6f1c3d52-8f0b-4f6e-9c3c-5c7a4d0b2a11")


@dataclass(frozen=True, kw_only=True)
class Change:
    """Something that happens to a server at a time of its past."""

    time: datetime
    apply: Callable[[], object]


def new_host(server: Server, domain: str, clock: Clock, changing: Callable[[Host], None]) -> Host:
    """The server with nothing on it but its name and language."""
    os = catalog.table("operating_systems")[server.os]
    facts = SystemFacts(
        computer_name=server.fqdn.partition(".")[0].upper(),
        dns_domain=server.fqdn.partition(".")[2] or domain,
        culture=server.culture,
        ui_culture=server.culture,
        powershell_version=os["powershell"],
        clr_version=os["clr"],
        utc_offset_minutes=_OFFSETS[server.culture],
    )
    return Host(
        name=server.name,
        fqdn=server.fqdn,
        role=server.role,
        facts=facts,
        clock=clock,
        quirks=server.quirks,
        changing=changing,
    )


def install(host: Host, server: Server, built: datetime) -> list[Change]:
    """Windows, .NET and the product as they were first; gives what happened to them later, in no particular order."""
    _install_windows(host, server)
    changes = []
    for release in server.dotnet:
        _install_dotnet(host, server, release, built)
        if release.update or release.check:
            time = built - timedelta(seconds=release.installed)
            changes.append(Change(time=time, apply=_updater(host, server, release, time)))
    if server.product:
        _install_product(host, server, built - timedelta(days=900))
    for opt_out in server.opt_outs:
        time = built - timedelta(seconds=opt_out.age)
        changes.append(Change(time=time, apply=_opter(host, server, opt_out, time)))
    host.registry.denied.update(server.registry_denied)
    return changes


def _install_windows(host: Host, server: Server) -> None:
    os, registry = catalog.table("operating_systems")[server.os], host.registry
    registry.write(CURRENT_VERSION, "ProductName", "string", os["name"])
    registry.write(CURRENT_VERSION, "CurrentBuild", "string", str(os["build"]))
    registry.write(CURRENT_VERSION, "CurrentBuildNumber", "string", str(os["build"]))
    registry.write(
        CURRENT_VERSION, "CurrentVersion", "string", "6.3" if os["ubr"] else ".".join(os["version"].split(".")[:2])
    )
    if os["ubr"]:
        registry.write(CURRENT_VERSION, "UBR", "dword", os["ubr"])
        registry.write(CURRENT_VERSION, "CurrentMajorVersionNumber", "dword", 10)
        registry.write(CURRENT_VERSION, "CurrentMinorVersionNumber", "dword", 0)
    guid = str(uuid.uuid5(_NAMESPACE, server.fqdn))
    registry.write(r"SOFTWARE\Microsoft\Cryptography", "MachineGuid", "string", guid)
    registry.write(r"SYSTEM\CurrentControlSet\Control\ProductOptions", "ProductType", "string", "ServerNT")
    for path in (CBS_PACKAGES, _UNINSTALL, r"SOFTWARE\Wow6432Node\Microsoft", "SYSTEM\\CurrentControlSet\\Services"):
        registry.create(path)
    _package(host, "Package_for_KB2919355", os, _CBS_INSTALLED)


def _install_dotnet(host: Host, server: Server, release: Dotnet, built: datetime) -> None:
    row, registry = catalog.table("dotnet")[release.version], host.registry
    registry.create(rf"SOFTWARE\Microsoft\.NETFramework\{row['clr']}")
    number = row["release"].get(server.os, row["release"].get("any"))
    if number is None:
        registry.write(rf"{_NDP}\v3.5", "Install", "dword", 1)
        registry.write(rf"{_NDP}\v3.5", "Version", "string", "3.5.30729.5420")
    else:
        for view in ("64", "32"):
            registry.write(rf"{_NDP}\v4\Full", "Install", "dword", 1, view=view)
            registry.write(rf"{_NDP}\v4\Full", "Release", "dword", number, view=view)
            registry.write(rf"{_NDP}\v4\Full", "Version", "string", f"{release.version}.0", view=view)
    always = row["check"] == "always"
    _write_system_dll(host, release, check=always, modified=built - timedelta(days=600))


def _write_system_dll(host: Host, release: Dotnet, *, check: bool, modified: datetime) -> None:
    row = catalog.table("dotnet")[release.version]
    content = _system_dll(check, release.odd_offset, row["app_context"])
    for path in dotnet.SYSTEM_DLL[row["clr"]]:
        host.files.add(path, content, modified=modified, version=row["system_dll"][1 if check else 0])


@lru_cache
def _system_dll(check: bool, odd_offset: bool, app_context: bool) -> bytes:
    return dotnet.system_dll(check=check, odd_offset=odd_offset, app_context=app_context)


def _updater(host: Host, server: Server, release: Dotnet, time: datetime) -> Callable[[], None]:
    def apply() -> None:
        if release.superseded_update:
            _record_update(host, server, release.superseded_update, release.version, _CBS_SUPERSEDED)
        if release.update:
            _record_update(host, server, release.update, release.version, _CBS_INSTALLED)
        if release.check:
            _write_system_dll(host, release, check=True, modified=time)

    return apply


def _record_update(host: Host, server: Server, kb: str, version: str, state: int) -> None:
    """What Windows writes down about an update: its package, or the MSI's own key, or the revision of the build."""
    update, os = catalog.table("updates")[server.os][kb], catalog.table("operating_systems")[server.os]
    if update["record"] == "msi":
        path = rf"{MSI_UPDATES}\Microsoft .NET Framework {version}\{kb}"
        host.registry.write(path, "ThisVersionInstalled", "string", "Y", view="32")
    elif update["record"] == "lcu":
        host.registry.write(CURRENT_VERSION, "UBR", "dword", update["ubr"])
        _package(host, "Package_for_RollupFix", {"cbs": f"{os['build']}.{update['ubr']}.1.6"}, state)
    else:
        _package(host, f"Package_for_{kb}", os, state)


def _package(host: Host, name: str, os: Any, state: int) -> None:
    path = rf"{CBS_PACKAGES}\{name}~31bf3856ad364e35~amd64~~{os['cbs']}"
    host.registry.write(path, "CurrentState", "dword", state)


def _install_product(host: Host, server: Server, time: datetime) -> None:
    product, role = catalog.table("products")[server.product or ""], catalog.table("roles")[server.role]
    host.registry.write(_CORE, "InstallDir", "string", server.install_directory + "\\")
    host.registry.write(_CORE, "Version", "string", product["version"])
    for number, component in enumerate(role["display"]):
        key = rf"{_UNINSTALL}\{{00000000-0000-0000-0000-{number:012d}}}"
        host.registry.write(key, "DisplayName", "string", f"{product['name']}, {component}")
        host.registry.write(key, "DisplayVersion", "string", server.build)
        host.registry.write(key, "InstallLocation", "string", server.install_directory + "\\")
    host.lync.product = server.product or ""
    host.lync.modules = tuple(product["modules"])
    host.lync.services = tuple(row["name"] for row in role["services"])
    for row in role["services"]:
        path = rf"{server.install_directory}\{row['image']}"
        clr = product["clr"] if row.get("clr") else None
        host.files.add(path, b"MZ" + bytes(4096), modified=time, version=server.build, clr=clr)
        host.services.install(row["name"], _image_path(host, path, server.image_path))
    for name in server.dependents:
        path = rf"{server.install_directory}\Server\{name}.exe"
        host.files.add(path, b"MZ" + bytes(64), modified=time, version=server.build)
        host.services.install(name, f'"{path}"', depends_on=(WEB_CONFERENCING,))
    for name, behaviour in server.behaviours.items():
        service = host.services.get(name)
        if service is not None:
            service.behaviour = behaviour
            start = START_MODES.index(server.start_modes[name])
            host.registry.write(f"{SERVICES}\\{name}", "Start", "dword", start)


def _image_path(host: Host, path: str, form: str) -> str:
    if form == "short":
        return host.files.short_path(path)
    if form == "variable" and path.startswith("C:\\Program Files\\"):
        return '"%ProgramFiles%' + path.removeprefix("C:\\Program Files") + '"'
    return {"plain": path, "arguments": f'"{path}" -service'}.get(form, f'"{path}"')


def _opter(host: Host, server: Server, opt_out: OptOut, time: datetime) -> Callable[[], None]:
    def apply() -> None:
        product = catalog.table("products")[server.product or "sfb2015"]
        executable = host.services.executable(WEB_CONFERENCING) or ""
        name = (opt_out.name or "{executable}").replace("{executable}", executable)
        framework = r"SOFTWARE\Microsoft\.NETFramework"
        key = rf"{framework}\{opt_out.clr or product['clr']}"
        number = opt_out.kind in ("dword", "qword")
        data = int(opt_out.data) if number else opt_out.data
        switch = "Switch.System.Net.DontCheckCertificateEKUs"
        if opt_out.where == "application":
            key += r"\System.Net.ServicePointManager.RequireCertificateEKUs"
            host.registry.write(key, name, opt_out.kind, data, view=opt_out.view)
        elif opt_out.where == "global":
            host.registry.write(key, "RequireCertificateEKUs", opt_out.kind, data, view=opt_out.view)
        elif opt_out.where == "appcontext":
            host.registry.write(rf"{framework}\AppContext", switch, opt_out.kind, data, view=opt_out.view)
        else:
            overrides = f'<AppContextSwitchOverrides value="{switch}={opt_out.data}"/>'
            text = f'<?xml version="1.0"?><configuration><runtime>{overrides}</runtime></configuration>'
            host.files.add(executable + ".config", text.encode("utf-8"), modified=time)

    return apply
