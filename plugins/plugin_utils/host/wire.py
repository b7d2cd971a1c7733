# Copyright (c) 2026, the sfb.kb4023993 contributors
# GNU General Public License v3.0-or-later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How a batch travels: operations to lines of text, the printed reply to typed replies.

The data part of a batch is text in UTF-8, lines of TAB-separated fields, which a few lines of PowerShell 2.0 read::

    batch<TAB>1<TAB>NONCE<TAB>DEADLINE SECONDS<TAB>STOP ON ERROR
    op<TAB>registry_read
    path<TAB>SOFTWARE\\\\Microsoft\\\\.NETFramework
    names<TAB>RTCDATAMCU
    names<TAB>RTCDATAPROXY

Every field of an operation is a line ``name<TAB>value``; a list is the same name again, an empty list no line. Values: text with
backslash, TAB, CR and LF as ``\\\\ \\t \\r \\n`` and halves of surrogate pairs as ``\\uD800`` (``Regex.Unescape`` of .NET reads these);
numbers in decimal; true and false as 1 and 0; bytes as base64.

The reply is ASCII between two markers that hold the nonce. Line breaks between the markers are not part of it (consoles wrap lines);
blanks are written as ``\\u0020``, so that any blank is a sign of something foreign::

    [[sfb.kb4023993-NONCE[{"failure":null,"replies":[{"ok":true,"ms":3,"value":{...}},
                           {"ok":false,"ms":0,"error":{"type":"denied","message":"..."}}]}]NONCE]]

With ``STOP ON ERROR`` 1, operations after one that failed, or that was refused (a value ``refused`` true), are not run and answer
with the error ``skipped``. All replies of a batch together have room for 10 MB; one that is larger than what is left of it answers with
the error ``too_large``, and others after it still have that room. ``failure`` is set when the whole batch was refused: ``{"type": ..., "message": ...}``.
"""

from __future__ import annotations

import base64
import dataclasses
import json
import re
import typing as t

from ..codec import CodecError, decode
from .operations import Operation

VERSION: t.Final = 1
_FOREIGN: t.Final = re.compile(r"[^\x21-\x7e]")
_ESCAPES: t.Final = str.maketrans({"\\": r"\\", "\t": r"\t", "\r": r"\r", "\n": r"\n"})
# Names in the registry may hold halves of surrogate pairs, which UTF-8 has no form for.
_LONE: t.Final = re.compile("[\ud800-\udfff]")
_NONCE: t.Final = re.compile(r"[0-9a-f]{16}\Z")

_MOST_MILLISECONDS: t.Final = 2**31 - 1

ErrorType = t.Literal[
    "not_found", "denied", "deadline", "invalid", "unsupported", "too_large", "disabled", "skipped", "failed"
]
BatchFailureType = t.Literal[
    "constrained_language", "powershell_too_old", "process_32_bit", "not_elevated", "bad_data", "failed"
]


class ReplyError(ValueError):
    """The printed reply cannot be used. ``kind``: ``missing``, ``cut`` or ``garbled``."""

    def __init__(self, kind: t.Literal["missing", "cut", "garbled"], message: str) -> None:
        super().__init__(message)
        self.kind = kind


@dataclasses.dataclass(frozen=True, kw_only=True)
class OperationError:
    """Why one operation failed. ``message`` is the host's own text, possibly localised: for people, never compared."""

    type: ErrorType
    message: str


@dataclasses.dataclass(frozen=True, kw_only=True)
class BatchFailure:
    type: BatchFailureType
    message: str


@dataclasses.dataclass(frozen=True, kw_only=True)
class Reply:
    """The reply to one operation: ``value`` of the operation's ``REPLY`` type, or ``error``. ``ms``: time it took on the host."""

    operation: Operation
    ms: int
    value: t.Any = None
    error: OperationError | None = None


def markers(nonce: str) -> tuple[str, str]:
    """The two markers around a reply. They come without blanks, so that a wrapped line cannot hide them."""
    return f"[[sfb.kb4023993-{nonce}[", f"]{nonce}]]"


def encode_batch(
    operations: t.Sequence[Operation], *, nonce: str, deadline_seconds: int, stop_on_error: bool = False
) -> str:
    """The data part of a batch. After ``deadline_seconds`` the host starts no further operation of it."""
    if not _NONCE.match(nonce):
        raise ValueError("a nonce is 16 hexadecimal digits")
    lines = [f"batch\t{VERSION}\t{nonce}\t{deadline_seconds}\t{_encode_value(stop_on_error)}"]
    for operation in operations:
        lines.append(f"op\t{operation.NAME}")
        for field in dataclasses.fields(operation):
            value = getattr(operation, field.name)
            items = value if isinstance(value, tuple) else (value,)
            lines.extend(f"{field.name}\t{_encode_value(item)}" for item in items)
    return "\n".join(lines) + "\n"


def _encode_value(value: str | int | bool | bytes) -> str:
    if isinstance(value, bool):
        return "1" if value else "0"
    if isinstance(value, bytes):
        return base64.b64encode(value).decode("ascii")
    return _LONE.sub(lambda found: rf"\u{ord(found.group()):04X}", str(value).translate(_ESCAPES))


def decode_reply(
    printed: str, operations: t.Sequence[Operation], *, nonce: str
) -> tuple[tuple[Reply, ...], BatchFailure | None]:
    """Find and read the reply in everything that the command printed.

    :raises ReplyError: no reply, a cut one, two of them, or one that does not fit the operations. A single value of a shape that its
        operation does not have is the error of that operation.
    """
    begin, end = markers(nonce)
    # Line by line: one regular expression for it would take a day for a megabyte of blanks.
    text = "".join(map(str.strip, printed.replace("\r", "\n").split("\n")))
    start = text.find(begin)
    if start < 0:
        raise ReplyError("missing", "the command printed no reply")
    stop = text.find(end, start)
    if stop < 0:
        raise ReplyError("cut", f"the reply ends after {len(text) - start} characters without its end marker")
    if text.find(begin, start + 1) >= 0:
        raise ReplyError("garbled", "the command printed more than one reply")
    document = text[start + len(begin) : stop]
    if _FOREIGN.search(document):
        # The script writes neither blanks nor anything beyond ASCII: something else wrote into its reply.
        raise ReplyError("garbled", "something else was printed into the reply")
    return _decode_document(document, operations)


def _decode_document(text: str, operations: t.Sequence[Operation]) -> tuple[tuple[Reply, ...], BatchFailure | None]:
    try:
        document = json.loads(text)
    except (ValueError, RecursionError):
        raise ReplyError("garbled", "the reply between the markers is not JSON") from None
    if not isinstance(document, dict) or not isinstance(document.get("replies"), list):
        raise ReplyError("garbled", "the reply has no list of replies")
    try:
        if document.get("failure") is not None:
            return (), decode(BatchFailure, document["failure"], where="failure")
        if len(document["replies"]) != len(operations):
            raise ReplyError("garbled", f"the reply answers {len(document['replies'])} of {len(operations)} operations")
        return tuple(map(_decode_one, operations, document["replies"], range(len(operations)))), None
    except CodecError as error:
        raise ReplyError("garbled", f"the reply does not fit the operations: {error}") from None


def _decode_one(operation: Operation, data: t.Any, index: int) -> Reply:
    where = f"reply {index} ({operation.NAME})"
    if not isinstance(data, dict):
        raise CodecError(f"{where}: expected an object")
    if data.get("ok") is not True:
        error = decode(OperationError, data.get("error"), where=where)
        return Reply(operation=operation, ms=_milliseconds(data, where), error=error)
    ms = _milliseconds(data, where)
    try:
        value: t.Any = decode(operation.REPLY, data.get("value"), where=where)
    except CodecError as error:
        # What somebody put into the server's registry may be of a kind that no product writes; that must hide no other answer.
        return Reply(
            operation=operation, ms=ms, error=OperationError(type="invalid", message=f"unexpected answer: {error}")
        )
    return Reply(operation=operation, ms=ms, value=value)


def _milliseconds(data: dict[str, t.Any], where: str) -> int:
    ms = data.get("ms")
    if isinstance(ms, bool) or not isinstance(ms, int) or not 0 <= ms <= _MOST_MILLISECONDS:
        raise CodecError(f"{where}: expected the time taken")
    return ms
