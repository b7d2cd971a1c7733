# Copyright (c) 2026, the sfb.kb4023993 contributors
# GNU General Public License v3.0-or-later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What PowerShell 2.0 finds in .NET: names of types, and their members with versions, out of net35.tsv, powershell2.tsv and com.tsv."""

from __future__ import annotations

import functools
import re
import typing as t
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

UNKNOWN = "?"
NULL = "null"
COM: t.Final = "com.tsv"
_OLD = ("2.0", "3.5")
_HERE = Path(__file__).parent

# The short names of PowerShell 2.0. All later ones (ordered, pscustomobject, cimsession, ...) are left out; what 2.0 finds as a class
# of the namespace System (datetime, uint32, guid, ...) needs none.
_ACCELERATORS = {
    "adsi": "System.DirectoryServices.DirectoryEntry",
    "adsisearcher": "System.DirectoryServices.DirectorySearcher",
    "array": "System.Array",
    "bool": "System.Boolean",
    "byte": "System.Byte",
    "char": "System.Char",
    "decimal": "System.Decimal",
    "double": "System.Double",
    "float": "System.Single",
    "hashtable": "System.Collections.Hashtable",
    "int": "System.Int32",
    "ipaddress": "System.Net.IPAddress",
    "long": "System.Int64",
    "powershell": "System.Management.Automation.PowerShell",
    "psmoduleinfo": "System.Management.Automation.PSModuleInfo",
    "psobject": "System.Management.Automation.PSObject",
    "ref": "System.Management.Automation.PSReference",
    "regex": "System.Text.RegularExpressions.Regex",
    "runspace": "System.Management.Automation.Runspaces.Runspace",
    "runspacefactory": "System.Management.Automation.Runspaces.RunspaceFactory",
    "scriptblock": "System.Management.Automation.ScriptBlock",
    "single": "System.Single",
    "string": "System.String",
    "switch": "System.Management.Automation.SwitchParameter",
    "type": "System.Type",
    "wmi": "System.Management.ManagementObject",
    "wmiclass": "System.Management.ManagementClass",
    "wmisearcher": "System.Management.ManagementObjectSearcher",
    "xml": "System.Xml.XmlDocument",
}
_KEYWORDS = {
    "bool": "Boolean",
    "byte": "Byte",
    "char": "Char",
    "decimal": "Decimal",
    "double": "Double",
    "float": "Single",
    "int": "Int32",
    "long": "Int64",
    "object": "Object",
    "sbyte": "SByte",
    "short": "Int16",
    "string": "String",
    "uint": "UInt32",
    "ulong": "UInt64",
    "ushort": "UInt16",
    "void": "Void",
}


@dataclass(frozen=True)
class Member:
    """One member, or one overload of a method. ``parameters`` are names of types; ``open_ended``: the last one may be repeated."""

    type: str
    name: str
    kind: str
    static: bool
    returns: str
    parameters: tuple[str, ...]
    open_ended: bool
    settable: bool
    version: str

    @property
    def is_old(self) -> bool:
        """Whether CLR 2.0 or .NET Framework 3.5 (or PowerShell 2.0) has it."""
        return self.version in _OLD

    def takes(self, count: int) -> bool:
        if self.open_ended:
            return count >= len(self.parameters) - 1
        return count == len(self.parameters)


@functools.cache
def _facts() -> tuple[dict[str, tuple[str, str]], dict[str, list[Member]]]:
    types: dict[str, tuple[str, str]] = {}
    members: dict[str, list[Member]] = {}
    for name in ("net35.tsv", "powershell2.tsv", COM):
        for row in (_HERE / name).read_text(encoding="utf-8").splitlines():
            if row.startswith("#"):
                continue
            owner, member, kind, static, signature, version = row.split("\t")
            if kind == "Type":
                types[owner] = (signature, version)
            else:
                members.setdefault(owner, []).append(
                    _member(owner, member, kind, static == "static", signature, version)
                )
    return types, members


def _member(owner: str, name: str, kind: str, static: bool, signature: str, version: str) -> Member:
    parameters: tuple[str, ...] = ()
    open_ended = False
    found = re.search(r"[(\[](?P<inner>[^()]*)[)\]](?: \{|$)", signature)
    if kind in ("Method", "Constructor") and found and found["inner"]:
        texts = re.split(r",\s*(?![^<]*>)", found["inner"])
        open_ended = texts[-1].startswith("params ")
        parameters = tuple(_full_name(re.sub(r"^(params|out|ref) ", "", text).rsplit(" ", 1)[0]) for text in texts)
    returns = (
        owner if kind in ("Constructor", "Field") and " " not in signature else _full_name(signature.split(" ")[0])
    )
    settable = kind == "Field" or bool(re.search(r"(?<!protected) set;", signature))
    return Member(owner, name, kind, static, returns, parameters, open_ended, settable, version)


def _full_name(name: str) -> str:
    """The full name of a type as C# writes it. A nullable type counts as what it holds, as PowerShell sees it."""
    name = name.removesuffix("?")
    base, bracket, rank = name.partition("[")
    base = _KEYWORDS.get(base, base)
    return (base if "." in base else f"System.{base}") + bracket + rank


def resolve(name: str) -> str | None:
    """The full name of the type that PowerShell 2.0 finds by that name; None when nothing is known of it."""
    name = name.strip()
    if name.endswith("[]"):
        element = resolve(name[:-2])
        return f"{element}[]" if element else None
    known = _names()
    return (
        known.get(_ACCELERATORS.get(name.lower(), "").lower())
        or known.get(name.lower())
        or known.get(f"system.{name}".lower())
    )


@functools.cache
def _names() -> dict[str, str]:
    return {name.lower(): name for name in _facts()[0]}


@functools.cache
def com_objects() -> frozenset[str]:
    """The names of objects that New-Object makes with -ComObject, and only so."""
    rows = (_HERE / COM).read_text(encoding="utf-8").splitlines()
    return frozenset(row.split("\t")[0] for row in rows if not row.startswith("#"))


def is_old_type(name: str) -> bool:
    return name.endswith("[]") or _facts()[0][name][1] in _OLD


def is_enum(name: str) -> bool:
    return not name.endswith("[]") and _facts()[0][name][0] == "System.Enum"


def is_known(name: str) -> bool:
    return name.endswith("[]") or name in _facts()[0]


def lineage(name: str) -> Iterator[str]:
    """A type and its base types."""
    if name.endswith("[]"):
        name = "System.Array"
    while name in _facts()[0]:
        yield name
        if name == "System.Object":
            return
        name = _facts()[0][name][0]


def is_a(name: str, base: str) -> bool:
    return name == base or base in lineage(name)


def members(owner: str, name: str, *, static: bool | None = None) -> list[Member]:
    """The members of that name, declared or inherited; names are compared without case, as PowerShell does."""
    return [
        member
        for place in lineage(owner)
        for member in _facts()[1].get(place, ())
        if member.name.lower() == name.lower() and (static is None or member.static == static)
    ]


def by_name(name: str) -> list[Member]:
    """The instance members of that name of all types."""
    return [
        member
        for listed in _facts()[1].values()
        for member in listed
        if member.name.lower() == name.lower() and not member.static and member.kind != "Constructor"
    ]


def element_of(name: str) -> str:
    """What a loop over such a value yields, or an index takes out of it."""
    if name in (UNKNOWN, "System.Object[]", "System.Array", "System.Collections.IEnumerable"):
        return UNKNOWN
    if name == "System.Collections.IDictionaryEnumerator":
        return "System.Collections.DictionaryEntry"
    if name.endswith("[]"):
        return name[:-2]
    generic = re.search(r"<([^<>,]+)>$", name)
    if generic:
        return _full_name(generic[1])
    if is_known(name):
        if is_a(name, "System.Collections.Hashtable"):
            return name
        found = next((member for member in members(name, "Item") if member.kind == "Property"), None)
        if found:
            return UNKNOWN if found.returns == "System.Object" else found.returns
    return name
