# Copyright (c) 2026, the sfb.kb4023993 contributors
# GNU General Public License v3.0-or-later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The part of HTTP/1.1 that WinRM clients use: requests with Content-Length on connections that stay open."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from http import HTTPStatus
from urllib.parse import unquote, urlsplit

_MAX_BODY = 64 * 1024 * 1024


class BadRequestError(Exception):
    """The bytes are not a request that this server takes; ``status`` says why. The connection cannot go on."""

    def __init__(self, status: HTTPStatus, message: str) -> None:
        super().__init__(message)
        self.status = status


@dataclass(frozen=True, kw_only=True)
class HttpRequest:
    """One request. ``path`` is decoded and without query; header names are lower-case; ``size`` counts all bytes."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes
    size: int


@dataclass(frozen=True, kw_only=True)
class HttpResponse:
    """One response; Content-Length is added when it is written."""

    status: int
    headers: Sequence[tuple[str, str]] = ()
    body: bytes = b""
    close: bool = False

    def encode(self, *, length: int | None = None) -> bytes:
        """The bytes of the response; ``length`` is what its header says instead of the truth."""
        lines = [f"HTTP/1.1 {self.status} {HTTPStatus(self.status).phrase}", "Server: Microsoft-HTTPAPI/2.0"]
        lines += [f"{name}: {value}" for name, value in self.headers]
        lines.append(f"Content-Length: {len(self.body) if length is None else length}")
        if self.close:
            lines.append("Connection: close")
        return "\r\n".join([*lines, "", ""]).encode("latin-1") + self.body


async def read_request(reader: asyncio.StreamReader) -> HttpRequest | None:
    """The next request, or None when the client closed the connection between two requests.

    :raises BadRequestError: for anything else that is not a complete, acceptable request.
    """
    try:
        first = await reader.readexactly(1)
        if not first.isalpha():
            # The handshake of TLS on a plain port: Windows answers at once, and waits for no header.
            raise BadRequestError(HTTPStatus.BAD_REQUEST, "This is not HTTP.")
        head = first + await reader.readuntil(b"\r\n\r\n")
    except asyncio.IncompleteReadError as error:
        if not error.partial:
            return None
        raise BadRequestError(HTTPStatus.BAD_REQUEST, "The request ended inside its header.") from error
    except asyncio.LimitOverrunError as error:
        raise BadRequestError(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE, "The header is too long.") from error
    request_line, *header_lines = head[:-4].decode("latin-1").split("\r\n")
    parts = request_line.split(" ")
    if len(parts) != 3 or not parts[2].startswith("HTTP/1."):
        raise BadRequestError(HTTPStatus.BAD_REQUEST, f"This is not an HTTP/1.1 request line: {request_line[:80]!r}")
    headers: dict[str, str] = {}
    for line in header_lines:
        name, colon, value = line.partition(":")
        if not colon or not name or name != name.strip():
            raise BadRequestError(HTTPStatus.BAD_REQUEST, f"This is not a header line: {line[:80]!r}")
        headers[name.lower()] = value.strip()
    try:
        path = unquote(urlsplit(parts[1]).path)
    except ValueError as error:
        raise BadRequestError(HTTPStatus.BAD_REQUEST, f"This is not a request target: {parts[1][:80]!r}") from error
    body = await _read_body(reader, headers)
    return HttpRequest(
        method=parts[0],
        path=path,
        headers=headers,
        body=body,
        size=len(head) + len(body),
    )


async def _read_body(reader: asyncio.StreamReader, headers: dict[str, str]) -> bytes:
    if "transfer-encoding" in headers:
        raise BadRequestError(HTTPStatus.LENGTH_REQUIRED, "Send the request's length; chunks are not taken here.")
    length = headers.get("content-length", "0")
    if not length.isascii() or not length.isdigit() or len(length) > 18:
        raise BadRequestError(HTTPStatus.BAD_REQUEST, f"This is not a Content-Length: {length[:80]!r}")
    if int(length) > _MAX_BODY:
        raise BadRequestError(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"A body of {length} bytes is too long.")
    try:
        return await reader.readexactly(int(length))
    except asyncio.IncompleteReadError as error:
        raise BadRequestError(HTTPStatus.BAD_REQUEST, "The request ended inside its body.") from error


def bad_request_response(error: BadRequestError) -> HttpResponse:
    """What the client is told; the connection closes, as nobody knows where the next request would begin."""
    return HttpResponse(
        status=error.status,
        headers=[("Content-Type", "text/plain; charset=utf-8")],
        body=str(error).encode(),
        close=True,
    )
