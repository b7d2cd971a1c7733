# Copyright (c) 2026, the sfb.kb4023993 contributors
# GNU General Public License v3.0-or-later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Names of hosts, which become names of files and folders, and values that become part of a script or of an INF file."""

from __future__ import annotations

import re
import typing as t
import urllib.parse

from ansible_collections.sfb.kb4023993.plugins.plugin_utils.files import StateError, file_name, run_directory
from ansible_collections.sfb.kb4023993.plugins.plugin_utils.offline.collecting import folder_name, result_name
from ansible_collections.sfb.kb4023993.plugins.plugin_utils.offline.literals import Kind, LiteralError, literal
from ansible_collections.sfb.kb4023993.plugins.plugin_utils.renewal.inf import InfError, request_inf
from ansible_collections.sfb.kb4023993.plugins.plugin_utils.renewal.subject import Subject
from atheris import FuzzedDataProvider
from builders import renewal

from fuzz.harness import Target, check_words
from fuzz.mutation import some_bytes, text

_KINDS: t.Final[tuple[Kind, ...]] = t.get_args(Kind)
_SAFE: t.Final = re.compile(r"[A-Za-z0-9_.~%-]+\Z")
# Longer ones end with a hash.
_WHOLE: t.Final = 180
_FIELDS: t.Final = ("common_name", "organization", "unit", "city", "state", "country")


def _seeds() -> t.Iterator[bytes]:
    yield from some_bytes(32)
    yield b"fe01.contoso.example"


def _read(data: bytes) -> None:
    provider = FuzzedDataProvider(data)
    one, other = text(provider), text(provider)
    _check_files(one, other)
    _check_script(one, provider)
    _check_inf(provider)


def _check_files(one: str, other: str) -> None:
    for make in (file_name, folder_name, result_name):
        name = make(one)
        assert _SAFE.match(name), name
        assert not name.startswith(".")
        assert len(name.encode("utf-8")) < 250
        assert one == other or make(other).lower() != name.lower() or one.lower() == other.lower()
    if one and len(file_name(one, "")) < _WHOLE:
        given = urllib.parse.unquote(file_name(one, ""), errors="surrogatepass")
        assert given == one
    try:
        found = run_directory("/state", one)
    except StateError:
        return
    assert found.parent.as_posix() == "/state/runs"


def _check_script(value: str, provider: FuzzedDataProvider) -> None:
    """PowerShell ends a text at any of its quotation marks, and takes what follows for code."""
    try:
        written = literal(value, provider.PickValueInList(list(_KINDS)))
    except LiteralError:
        return
    assert written == f"'{value}'"
    assert not re.search("['\u2018\u2019\u201a\u201b\r\n\0]", value)
    assert value.isascii()


def _check_inf(provider: FuzzedDataProvider) -> None:
    """A line of an INF file is one setting: what comes from a certificate makes no others, and is read back as it was."""
    subject = Subject(**{name: text(provider) if provider.ConsumeBool() else "" for name in _FIELDS})
    names = tuple(text(provider) for _ in range(provider.ConsumeIntInRange(1, 3)))
    replacement = renewal.replacement(*names, subject=subject)
    try:
        inf = request_inf(replacement, friendly_name="KB4023993 Internal", key_size=2048)
    except InfError as error:
        check_words(str(error))
        return
    lines = inf.split("\r\n")
    plain = request_inf(renewal.replacement(*["a"] * len(names)), friendly_name="x", key_size=2048).split("\r\n")
    assert len(lines) == len(plain)
    assert [line.partition(" = ")[0] for line in lines] == [line.partition(" = ")[0] for line in plain]
    (written,) = (line for line in lines if line.startswith("Subject = "))
    read = written.removeprefix('Subject = "')[:-1].replace('""', '"').replace("%%", "%")
    parts = re.findall(r'([A-Z]+)=("[^"]*"|[^",]*)(?:,|\Z)', read)
    given = [
        value
        for value in (
            subject.common_name,
            subject.unit,
            subject.organization,
            subject.city,
            subject.state,
            subject.country,
        )
        if value
    ]
    assert [value.strip('"') for _key, value in parts] == given, read


TARGET: t.Final = Target(read=_read, seeds=_seeds, longest=600, stretched=0)
