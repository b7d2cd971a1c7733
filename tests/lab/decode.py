# Copyright (c) 2026, the sfb.kb4023993 contributors
# GNU General Public License v3.0-or-later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The host's end of the wire: a payload back to its parts, and the data part to typed operations (see wire.py).

It takes what batch.ps1 takes, which is more than the product sends: what is odd in one operation is an error of that operation.
"""

from __future__ import annotations

import base64
import binascii
import dataclasses
import gzip
import re
import typing as t
import zlib

from ansible_collections.sfb.kb4023993.plugins.plugin_utils.host.certificate_operations import CERTIFICATE_OPERATIONS
from ansible_collections.sfb.kb4023993.plugins.plugin_utils.host.operations import OPERATIONS, Operation

from lab.convert import INT32, base64_bytes

_BY_NAME: dict[str, type[Operation]] = {
    operation.NAME: operation for operation in (*OPERATIONS, *CERTIFICATE_OPERATIONS)
}
# A backslash at the end is nothing.
_ESCAPES = {"\\": "", r"\\": "\\", r"\t": "\t", r"\r": "\r", r"\n": "\n"}
# A backslash at the end is nothing.
_ESCAPES = {"\\": "", r"\\": "\\", r"\t": "\t", r"\r": "\r", r"\n": "\n"}
_ESCAPE = re.compile(r"\\(?:[\\trn]|u([0-9A-Fa-f]{4})|.?)", re.DOTALL)
_VERSION = 1
_HEADER = re.compile(rf"batch\t{_VERSION}\t(?P<nonce>[0-9a-f]{{16}})\t(?P<deadline>[0-9]{{1,6}})\t(?P<stop>[01])\Z")
_NUMBER = re.compile(r"-?[0-9]+\Z")
_NOTHING = {str: "", int: 0, bool: False, bytes: b""}


class PayloadError(ValueError):
    """What arrived is no payload, or its data does not begin with a batch line; there is nothing to answer to."""


class BadDataError(ValueError):
    """The lines of a batch are not names and values: the whole batch is refused."""

    def __init__(self, nonce: str, message: str) -> None:
        super().__init__(message)
        self.nonce = nonce


@dataclasses.dataclass(frozen=True, kw_only=True)
class Payload:
    """The two parts that travel on standard input, unpacked."""

    script: bytes
    data: str


@dataclasses.dataclass(frozen=True, kw_only=True)
class Malformed:
    """An operation that does not exist, or whose fields cannot be read."""

    message: str


@dataclasses.dataclass(frozen=True, kw_only=True)
class Batch:
    """The data part, read."""

    nonce: str
    deadline_seconds: int
    stop_on_error: bool
    operations: tuple[Operation | Malformed, ...]


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

    :raises PayloadError: for another version or another first line.
    :raises BadDataError: for lines that are not a name and a value, or belong to no operation.
    """
    first, *lines = data.split("\n")
    header = _HEADER.match(first)
    if header is None:
        raise PayloadError(f"The data does not begin with a batch line of version {_VERSION}.")
    operations: list[tuple[str, dict[str, list[str]]]] = []
    for index, line in enumerate(lines, start=2):
        fields = line.split("\t")
        if not line:
            continue
        if len(fields) != 2:
            raise BadDataError(header["nonce"], f"Line {index} of the data does not have two fields.")
        try:
            name, value = fields[0], _plain(fields[1])
        except ValueError as error:
            raise BadDataError(header["nonce"], f"Line {index} of the data: {error}") from None
        if name == "op":
            operations.append((value, {}))
        elif not operations:
            raise BadDataError(header["nonce"], f"Line {index} of the data comes before the first operation.")
        else:
            operations[-1][1].setdefault(name.lower(), []).append(value)
    return Batch(
        nonce=header["nonce"],
        deadline_seconds=int(header["deadline"]),
        stop_on_error=header["stop"] == "1",
        operations=tuple(_operation(name, values) for name, values in operations),
    )


def _operation(name: str, values: dict[str, list[str]]) -> Operation | Malformed:
    if name not in _BY_NAME:
        return Malformed(message=f"There is no operation {name!r}.")
    kind = _BY_NAME[name]
    hints = t.get_type_hints(kind)
    arguments: dict[str, t.Any] = {}
    try:
        for field in dataclasses.fields(kind):
            where = f"{kind.NAME}.{field.name}"
            hint, texts = hints[field.name], values.get(field.name, [])
            if t.get_origin(hint) is tuple:
                item = t.get_args(hint)[0]
                arguments[field.name] = tuple(_value(item, text, where) for text in texts)
            else:
                # What is missing is empty; what is there twice is one text, and no number.
                arguments[field.name] = _value(hint, " ".join(texts), where) if texts else _NOTHING.get(hint, "")
    except ValueError as error:
        return Malformed(message=str(error))
    return kind(**arguments)


def _value(hint: t.Any, text: str, where: str) -> t.Any:
    if hint in (int, bool):
        # PowerShell takes more for numbers than this, such as 0x10; nobody sends that.
        if (text and not _NUMBER.match(text)) or not INT32[0] <= int(text or "0") <= INT32[1]:
            raise ValueError(f"{where} cannot be {text[:60]!r}.")
        return hint(int(text or "0"))
    if hint is bytes:
        return base64_bytes(text)
    if t.get_origin(hint) is t.Literal:
        # Words are compared without case. What is none of them, the operation has to judge.
        return {word.lower(): word for word in t.get_args(hint)}.get(text.lower(), text)
    return text


def _plain(text: str) -> str:
    """Regex.Unescape of .NET, as far as wire.py uses it."""

    def one(match: re.Match[str]) -> str:
        if match[1]:
            return chr(int(match[1], 16))
        if match[0] not in _ESCAPES:
            raise ValueError(f"there is no escape {match[0]!r}")
        return _ESCAPES[match[0]]

    return _ESCAPE.sub(one, text)
