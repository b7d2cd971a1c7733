# Copyright (c) 2026, the sfb.kb4023993 contributors
# GNU General Public License v3.0-or-later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Looks for secrets in what runs leave behind, in the forms that programs write them in.

A key is known by a part of one of its primes, which stands unchanged in PKCS #1, PKCS #8, PEM and XML. What was packed with gzip and written
in base64, as a batch travels, is unpacked first, and so is base64 of base64.
"""

from __future__ import annotations

import base64
import re
import zlib
from collections.abc import Iterable, Mapping
from pathlib import Path

from ansible_collections.sfb.kb4023993.plugins.plugin_utils.host import certificate_operations as cop
from lab.answers.context import Done
from lab.world.host import Host

# What stands between the lines of a text that was wrapped: white space, and the same escaped in JSON and in CLIXML.
_BREAKS = re.compile(rb"\s|\\+[rnt]|_x000[9AD]_")
_ENCODED = re.compile(rb"[A-Za-z0-9+/]{40,}={0,2}")
_HEX = re.compile(rb"[0-9A-Fa-f]{40,}")
_PACKED = re.compile(rb"H4sI[A-Za-z0-9+/]{20,}={0,2}")
_DEPTH = 2
_PART = 24


def secrets_of(hosts: Iterable[Host], journal: Iterable[Done]) -> dict[str, bytes]:
    """By a name for people: a part of every private key of the servers, and passwords and PFX files that they were given or gave."""
    found: dict[str, bytes] = {}
    for host in hosts:
        for store in ("My", "REQUEST"):
            for number, entry in enumerate(host.stores.entries(store)):
                if entry.key is not None:
                    prime = entry.key.private.private_numbers().p
                    found[f"key {number} in {store} of {host.name}"] = _middle(prime.to_bytes(512, "big").lstrip(b"\0"))
    for number, done in enumerate(journal):
        operation = done.operation
        if isinstance(operation, (cop.PfxExport, cop.PfxImport)):
            found[f"password {number} of {done.host}"] = operation.password.encode()
        if isinstance(operation, cop.PfxImport):
            found[f"PFX {number} for {done.host}"] = _middle(operation.pfx)
        if isinstance(done.value, cop.PfxExportReply):
            found[f"PFX {number} of {done.host}"] = _middle(done.value.pfx)
    return found


def files_of(*directories: Path) -> dict[str, bytes]:
    paths = [path for directory in directories for path in sorted(directory.rglob("*"))]
    return {str(path): path.read_bytes() for path in paths if path.is_file()}


def leaks(places: Mapping[str, bytes], secrets: Mapping[str, bytes]) -> list[str]:
    """Which secret stands in which place, and how it is written there."""
    forms = [(name, how, form) for name, secret in secrets.items() for how, form in _forms(secret)]
    found = []
    for place, data in places.items():
        whole = b"\n".join(_layers(data))
        found += [f"{name} in {place} ({how})" for name, how, form in forms if form in whole]
    return found


def _layers(data: bytes, depth: int = _DEPTH) -> list[bytes]:
    """The data, the same without line breaks, and what is packed in it."""
    joined = _BREAKS.sub(b"", data)
    layers = [data, joined, *([data.replace(b"\0", b"")] if b"\0" in data else ())]
    if not depth:
        return layers
    decoded = b"".join(_decoded(line) for line in _ENCODED.findall(_BREAKS.sub(b"\n", data)))
    # Letters of a word before it may look like digits, so both ways to pair them count.
    for shift in range(2):
        decoded += b"".join(_from_hex(text[shift:]) for text in _HEX.findall(joined))
    layers += _layers(decoded, depth - 1) if decoded else []
    for packed in _PACKED.findall(joined):
        try:
            layers += _layers(zlib.decompressobj(wbits=31).decompress(_decoded(packed)), depth - 1)
        except zlib.error:
            continue
    return layers


def _decoded(text: bytes) -> bytes:
    """As far as it is base64."""
    text = text.rstrip(b"=")
    text = text[: len(text) - (len(text) % 4 == 1)]
    return base64.b64decode(text + b"=" * (-len(text) % 4))


def _from_hex(text: bytes) -> bytes:
    return bytes.fromhex(text[: len(text) // 2 * 2].decode("ascii"))


def _forms(secret: bytes) -> list[tuple[str, bytes]]:
    wide = secret.decode("latin-1").encode("utf-16-le")
    forms = [("as it is", secret), ("UTF-16", wide)]
    for how, data in (("base64", secret), ("base64 of UTF-16", wide)):
        for shift in range(3):
            # Letters that also hold bits of what stands before and after are left out.
            encoded = base64.b64encode(b"\0" * shift + data)
            end = len(data) + shift
            forms.append((how, encoded[-(-shift * 8 // 6) : end * 8 // 6]))
    return forms


def _middle(data: bytes) -> bytes:
    start = len(data) // 2
    return data[start : start + _PART]
