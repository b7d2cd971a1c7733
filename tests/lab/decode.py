# Copyright (c) 2026, the sfb.kb4023993 contributors
# GNU General Public License v3.0-or-later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The host's end of the wire: a payload back to its parts, and the data part to typed operations (see wire.py)."""

from __future__ import annotations

import base64
import binascii
import dataclasses
import gzip
import re
import typing as t
import zlib

from ansible_collections.sfb.kb4023993.plugins.plugin_utils.host.operations import OPERATIONS, Operation

_BY_NAME: dict[str, type[Operation]] = {operation.NAME: operation for operation in OPERATIONS}
_ESCAPES = {"%25": "%", "%09": "\t", "%0D": "\r", "%0A": "\n"}
_ESCAPE = re.compile(r"%(?:25|09|0D|0A|u([0-9A-F]{4}))")
_VERSION = 1
_HEADER = re.compile(rf"batch\t{_VERSION}\t(?P<nonce>[0-9a-f]{{16}})\t(?P<deadline>[0-9]+)\t(?P<stop>[01])\n")


class PayloadError(ValueError):
    """What arrived is no payload, or its data part is not in the form of wire.py; the message names the place."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Payload:
    """The two parts that travel on standard input, unpacked."""

    script: bytes
    data: str


@dataclasses.dataclass(frozen=True, kw_only=True)
class Batch:
    """The data part, read."""

    nonce: str
    deadline_seconds: int
    stop_on_error: bool
    operations: tuple[Operation, ...]


def unpack(stdin: str) -> Payload:
    """Take ``b64(gzip(script)).b64(gzip(data))`` apart; white space may stand anywhere.

    :raises PayloadError: if it is anything else.
    """
    parts = "".join(stdin.split()).split(".")
    if len(parts) != 2:
        raise PayloadError(f"The payload has {len(parts)} parts instead of two.")
    try:
        script, data = (gzip.decompress(base64.b64decode(part, validate=True)) for part in parts)
        return Payload(script=script, data=data.decode("utf-8"))
    except (binascii.Error, OSError, EOFError, zlib.error, UnicodeDecodeError) as error:
        raise PayloadError(f"The payload cannot be unpacked: {error}.") from error


def decode_batch(data: str) -> Batch:
    """Read the data part of a batch.

    :raises PayloadError: for another version, an unknown operation or field, a missing or malformed value.
    """
    lines = [line.split("\t") for line in data.split("\n") if line]
    header = _HEADER.match(data)
    if header is None:
        raise PayloadError(f"The data does not begin with a batch line of version {_VERSION}.")
    operations: list[tuple[type[Operation], dict[str, list[str]]]] = []
    for number, fields in enumerate(lines[1:], start=2):
        if len(fields) != 2:
            raise PayloadError(f"Line {number} of the data does not have two fields.")
        name, value = fields
        if name == "op":
            if value not in _BY_NAME:
                raise PayloadError(f"Line {number} of the data: there is no operation {value!r}.")
            operations.append((_BY_NAME[value], {}))
        elif not operations:
            raise PayloadError(f"Line {number} of the data comes before the first operation.")
        else:
            operations[-1][1].setdefault(name, []).append(value)
    return Batch(
        nonce=header["nonce"],
        deadline_seconds=int(header["deadline"]),
        stop_on_error=header["stop"] == "1",
        operations=tuple(_operation(kind, values) for kind, values in operations),
    )


def _operation(kind: type[Operation], values: dict[str, list[str]]) -> Operation:
    hints = t.get_type_hints(kind)
    arguments: dict[str, t.Any] = {}
    for field in dataclasses.fields(kind):
        where = f"{kind.NAME}.{field.name}"
        hint, texts = hints[field.name], values.pop(field.name, [])
        if t.get_origin(hint) is tuple:
            item = t.get_args(hint)[0]
            arguments[field.name] = tuple(_value(item, text, where) for text in texts)
        elif len(texts) == 1:
            arguments[field.name] = _value(hint, texts[0], where)
        else:
            raise PayloadError(f"{where} is there {len(texts)} times instead of once.")
    if values:
        raise PayloadError(f"{kind.NAME} has no field {min(values)!r}.")
    return kind(**arguments)


def _value(hint: t.Any, text: str, where: str) -> t.Any:
    if hint is bool and text in ("0", "1"):
        return text == "1"
    if hint is int and re.fullmatch(r"-?[0-9]+", text):
        return int(text)
    if hint is bytes:
        try:
            return base64.b64decode(text, validate=True)
        except binascii.Error:
            pass
    if hint is str:
        return _ESCAPE.sub(lambda match: chr(int(match[1], 16)) if match[1] else _ESCAPES[match[0]], text)
    if t.get_origin(hint) is t.Literal and text in t.get_args(hint):
        return text
    raise PayloadError(f"{where} cannot be {text[:60]!r}.")
