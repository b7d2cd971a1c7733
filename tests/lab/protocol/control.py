# Copyright (c) 2026, the sfb.kb4023993 contributors
# GNU General Public License v3.0-or-later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The control port: JSON over HTTP on the local machine, for tests, for people and for the ssh stand-in."""

from __future__ import annotations

import asyncio
import inspect
import json
import logging
from collections.abc import Awaitable, Callable
from concurrent.futures import Executor
from http import HTTPStatus
from typing import Any, cast

from lab.protocol.http import BadRequestError, HttpRequest, HttpResponse, bad_request_response, read_request

_log = logging.getLogger(__name__)

Route = Callable[[dict[str, Any]], Any]
"""Takes the request's JSON object ({} if there is none), returns what can be written as JSON; may be a coroutine
function, which runs on the server's event loop. Others run in a worker thread."""


class ControlError(Exception):
    """To be raised by a route: the request cannot be done, ``status`` says in what way."""

    def __init__(self, message: str, *, status: HTTPStatus = HTTPStatus.BAD_REQUEST) -> None:
        super().__init__(message)
        self.status = status


class Control:
    """Routes, and the port that serves them. Routes can be added before and after it is opened."""

    def __init__(self, executor: Executor) -> None:
        self._executor = executor
        self._routes: dict[tuple[str, str], Route] = {}
        self._server: asyncio.Server | None = None

    def route(self, method: str, path: str, function: Route) -> None:
        """Serve ``function`` at ``path``.

        :raises ValueError: if something is served there already.
        """
        if (method, path) in self._routes:
            raise ValueError(f"The control port already serves {method} {path}.")
        self._routes[method, path] = function

    async def open(self, port: int) -> int:
        """Listen on 127.0.0.1; port 0 takes a free one. Returns the port."""
        self._server = await asyncio.start_server(self._connected, "127.0.0.1", port, backlog=1024)
        return int(self._server.sockets[0].getsockname()[1])

    def close(self) -> None:
        """Take no more connections; those that are open end with their tasks."""
        if self._server is not None:
            self._server.close()

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while (request := await read_request(reader)) is not None:
                writer.write((await self._answer(request)).encode())
                await writer.drain()
        except BadRequestError as error:
            writer.write(bad_request_response(error).encode())
        except ConnectionError:
            pass
        finally:
            writer.close()

    async def _answer(self, request: HttpRequest) -> HttpResponse:
        try:
            status, result = HTTPStatus.OK, await self._call(request)
        except ControlError as error:
            status, result = error.status, {"error": str(error)}
        except Exception as error:
            _log.exception("The control port could not do %s %s", request.method, request.path)
            status, result = HTTPStatus.INTERNAL_SERVER_ERROR, {"error": f"{type(error).__name__}: {error}"}
        return HttpResponse(
            status=status, headers=[("Content-Type", "application/json")], body=json.dumps(result).encode()
        )

    async def _call(self, request: HttpRequest) -> Any:
        function = self._routes.get((request.method, request.path))
        if function is None:
            routes = ", ".join(" ".join(route) for route in sorted(self._routes))
            raise ControlError(
                f"There is no {request.method} {request.path}; there are: {routes}.", status=HTTPStatus.NOT_FOUND
            )
        try:
            body = json.loads(request.body or b"{}")
        except ValueError as error:
            raise ControlError(f"The body is not JSON: {error}") from error
        if not isinstance(body, dict):
            raise ControlError("The body must be a JSON object.")
        if inspect.iscoroutinefunction(function):
            return await cast("Callable[[dict[str, Any]], Awaitable[Any]]", function)(body)
        return await asyncio.get_running_loop().run_in_executor(self._executor, function, body)
