# Copyright (c) 2026, the sfb.kb4023993 contributors
# GNU General Public License v3.0-or-later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a .NET process takes from its machine when it starts: System.dll, and the switches of the EKU check.

Written from reference/dotnet-eku.md, section 2, without the product's own rules.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from xml.etree import ElementTree as ET

from lab.world.files import File, FileSystem
from lab.world.registry import Registry

SYSTEM_DLL = {
    "v2.0.50727": (
        r"%windir%\Microsoft.NET\Framework64\v2.0.50727\System.dll",
        r"%windir%\assembly\GAC_MSIL\System\2.0.0.0__b77a5c561934e089\System.dll",
    ),
    "v4.0.30319": (
        r"%windir%\Microsoft.NET\Framework64\v4.0.30319\System.dll",
        r"%windir%\Microsoft.NET\assembly\GAC_MSIL\System\v4.0_4.0.0.0__b77a5c561934e089\System.dll",
    ),
}
"""By CLR: the copy in the framework directory, and the one in the assembly cache, which processes load."""

_FRAMEWORK = r"SOFTWARE\Microsoft\.NETFramework"
_SWITCH = "Switch.System.Net.DontCheckCertificateEKUs"
_CHECK_MEMBER = b"LoadDisableCertificateEKUsConfiguration"
_SWITCH_BYTES = _SWITCH.encode("utf-16-le")


@dataclass(frozen=True, kw_only=True)
class Loaded:
    """What a process holds until it ends. ``opted_out_by``: the switches that were in effect when it read them."""

    check_present: bool
    opted_out_by: tuple[str, ...]

    @property
    def enforces(self) -> bool:
        return self.check_present and not self.opted_out_by


def system_dll(*, check: bool, odd_offset: bool, app_context: bool) -> bytes:
    """The bytes of a System.dll as far as they matter: with the check, its names are in it, else they are not.

    ``app_context``: .NET 4.6 or later, which also knows the AppContext switch. ``odd_offset``: the UTF-16 text begins
    at an odd offset, as it does in real assemblies about every other time.
    """
    parts = [b"MZ\x90\x00" + bytes(range(256)) * 8, b"\x00" * (1 if odd_offset else 2)]
    if check:
        names = ("RequireCertificateEKUs", "System.Net.ServicePointManager.RequireCertificateEKUs")
        parts.append(b"\x01".join(name.encode("utf-16-le") for name in names))
        parts.append(b"\x00get_DisableCertificateEKUs\x00DisableCertificateEKUs\x00" + _CHECK_MEMBER + b"\x00\x00")
        if app_context:
            parts.append(_SWITCH_BYTES)
    parts.append("System.Net.ServicePointManager.SchSendAuxRecord".encode("utf-16-le"))
    return b"".join(parts) + bytes(512)


def load(executable: File, registry: Registry, files: FileSystem) -> Loaded:
    """Start a managed executable: its CLR decides which System.dll it loads and which keys it reads, once."""
    clr = executable.clr or "v4.0.30319"
    library = files.get(SYSTEM_DLL[clr][1]) or files.get(SYSTEM_DLL[clr][0])
    content = library.content if library else b""
    if _CHECK_MEMBER not in content:
        return Loaded(check_present=False, opted_out_by=())
    opted_out = []
    if _SWITCH_BYTES in content and _app_context(executable, registry, files):
        opted_out.append("AppContext")
    per_application = rf"{_FRAMEWORK}\{clr}\System.Net.ServicePointManager.RequireCertificateEKUs"
    if _dword(registry, per_application, executable.path) == 0:
        opted_out.append("application")
    if _dword(registry, rf"{_FRAMEWORK}\{clr}", "RequireCertificateEKUs") == 0:
        opted_out.append("global")
    return Loaded(check_present=True, opted_out_by=tuple(opted_out))


def _dword(registry: Registry, path: str, name: str) -> int:
    """As .NET reads a switch: anything but a REG_DWORD of the process's own (64-bit) view counts as 1."""
    value = registry.read(path, name, view="64")
    if value is None or value.kind != "dword" or not isinstance(value.data, int):
        return 1
    return value.data


def _app_context(executable: File, registry: Registry, files: FileSystem) -> bool:
    value = registry.read(rf"{_FRAMEWORK}\AppContext", _SWITCH, view="64")
    in_registry = value is not None and value.kind == "string" and str(value.data).strip().casefold() == "true"
    return in_registry or _config_switch(files.get(executable.path + ".config"))


def _config_switch(config: File | None) -> bool:
    """``<runtime><AppContextSwitchOverrides value="Name=true;Other=false"/>``; a file that is no XML says nothing."""
    if config is None:
        return False
    try:
        root = ET.fromstring(config.content)
    except ET.ParseError:
        return False
    for element in root.iterfind("runtime/AppContextSwitchOverrides"):
        for entry in re.split(";", element.get("value", "")):
            name, _, state = entry.partition("=")
            if name.strip() == _SWITCH and state.strip().casefold() == "true":
                return True
    return False
