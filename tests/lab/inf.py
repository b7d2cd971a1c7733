# Copyright (c) 2026, the sfb.kb4023993 contributors
# GNU General Public License v3.0-or-later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The INF file of ``certreq -new``: sections, strings, continued extensions.

From Microsoft's pages on certreq, on INF files and on certificates for LDAP over SSL (section EnhancedKeyUsageExtension). Sections and
keys that this lab does not model are refused, so that nothing passes here that nobody has thought about. The page on certreq shows two
forms of several names in one extension; only the one with "&" between them is taken.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

_SECTION = re.compile(r"\[([^\]]+)\]\Z")
_STRING = re.compile(r"%([^%\s]+)%")
_SIGNATURES = ("$windows nt$", "$chicago$")
_USAGES = "enhancedkeyusageextension"
_SECTIONS = ("version", "strings", "newrequest", "extensions", _USAGES)

Lines = list[tuple[str, str]]


class InfError(ValueError):
    """certreq would refuse this file."""


@dataclass(frozen=True, kw_only=True)
class Inf:
    """``request``: section NewRequest, keys in lower case. ``extensions``: by OID the text behind ``{text}``.

    ``usages``: the OIDs of the section EnhancedKeyUsageExtension, another way to ask for that extension.
    """

    request: Mapping[str, str]
    extensions: Mapping[str, str]
    usages: tuple[str, ...]


def parse(text: str) -> Inf:
    """:raises InfError: for what certreq would refuse, and for what the lab does not know."""
    sections = _sections(text)
    for name in sections:
        if name not in _SECTIONS:
            raise InfError(f"the lab knows no section [{name}]")
    if "newrequest" not in sections:
        raise InfError("there is no section [NewRequest]")
    if "version" in sections:
        version = dict(sections["version"])
        if version.get("signature", "").lower() not in _SIGNATURES:
            raise InfError("the signature in [Version] is not that of an INF file")
    strings = dict(sections.get("strings", []))
    request: dict[str, str] = {}
    for name, value in sections["newrequest"]:
        if name in request:
            raise InfError(f"{name} stands twice in [NewRequest]")
        request[name] = _expand(value, strings)
    for name, _ in sections.get(_USAGES, []):
        if name != "oid":
            raise InfError(f"{name} is not the OID of a usage")
    return Inf(
        request=request,
        extensions=_extensions(sections.get("extensions", []), strings),
        usages=tuple(_expand(value, strings) for _, value in sections.get(_USAGES, [])),
    )


def _sections(text: str) -> dict[str, Lines]:
    sections: dict[str, Lines] = {}
    lines: Lines | None = None
    for number, raw in enumerate(text.removeprefix("\ufeff").splitlines(), start=1):
        line = _without_comment(raw).strip()
        if not line:
            continue
        if found := _SECTION.match(line):
            lines = sections.setdefault(found[1].strip().lower(), [])
        elif lines is None or "=" not in line:
            raise InfError(f"line {number} is neither a section nor a name with a value")
        else:
            name, _, value = line.partition("=")
            lines.append((_unquoted(name.strip()).lower(), _unquoted(value.strip())))
    return sections


def _without_comment(line: str) -> str:
    """What stands before a semicolon outside of quotation marks."""
    quoted = False
    for position, character in enumerate(line):
        if character == '"':
            quoted = not quoted
        elif character == ";" and not quoted:
            return line[:position]
    if quoted:
        raise InfError("a quotation mark is not closed")
    return line


def _unquoted(value: str) -> str:
    """Quotation marks around a value, and doubled ones inside of it."""
    if not value.startswith('"'):
        if '"' in value:
            raise InfError(f"quotation marks stand in the middle of {value}")
        return value
    inner = value[1:-1]
    if len(value) < 2 or not value.endswith('"') or '"' in inner.replace('""', ""):
        raise InfError(f"the quotation marks of {value} do not fit")
    return inner.replace('""', '"')


def _expand(value: str, strings: Mapping[str, str]) -> str:
    def one(found: re.Match[str]) -> str:
        name = found[1].lower()
        if name not in strings:
            raise InfError(f"there is no string %{found[1]}%")
        return strings[name]

    return "%".join(_STRING.sub(one, part) for part in value.split("%%"))


def _extensions(lines: Lines, strings: Mapping[str, str]) -> dict[str, str]:
    found: dict[str, str] = {}
    last: str | None = None
    for raw_name, raw_value in lines:
        name, value = _expand(raw_name, strings), _expand(raw_value, strings)
        if name == "_continue_":
            if last is None:
                raise InfError("_continue_ continues nothing")
            found[last] += value
            continue
        if not value.lower().startswith("{text}"):
            raise InfError(f"the lab knows extensions as {{text}} only, not {value}")
        if name in found:
            raise InfError(f"the extension {name} stands there twice")
        last, found[name] = name, value[len("{text}") :]
    return found
