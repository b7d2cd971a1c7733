# Copyright (c) 2026, the sfb.kb4023993 contributors
# GNU General Public License v3.0-or-later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The lab's protocol server as a whole: listeners and control port, in a thread of their own."""

from __future__ import annotations

import asyncio
import base64
import binascii
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from http import HTTPStatus
from pathlib import Path
from types import TracebackType
from typing import Any, TypeVar, cast

from lab.protocol import inventory, ssh
from lab.protocol.control import Control, ControlError
from lab.protocol.faults import Fault
from lab.protocol.handler import Handler, Transport
from lab.protocol.hosts import HostSettings, HostTable
from lab.protocol.listener import Listener
from lab.protocol.runner import Runner
from lab.protocol.tls import ServerCertificate, make_certificate

_Result = TypeVar("_Result")


class LabServer:
    """Serves ``hosts`` on one HTTP port, one HTTPS port and a control port; port 0 takes a free one.

    ``run_directory`` receives the listener's key and certificate and the ssh program. ``handler`` plays the hosts, in
    at most ``workers`` threads at a time. More routes may be added to ``control`` at any time. A server can be
    started once; all methods may be called from any thread.
    """

    def __init__(
        self,
        *,
        handler: Handler,
        hosts: Iterable[HostSettings],
        run_directory: Path,
        faults: Mapping[str, Sequence[Fault]] | None = None,
        address: str = "127.0.0.1",
        http_port: int = 0,
        https_port: int = 0,
        control_port: int = 0,
        workers: int = 64,
    ) -> None:
        self._hosts = HostTable(hosts, faults or {})
        self._runner = Runner(handler, workers=workers)
        self._run_directory = run_directory
        self._address = address
        self._wanted_ports = (http_port, https_port, control_port)
        self._endpoints: inventory.Endpoints | None = None
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="lab-server", daemon=True)
        self._open: list[Listener | Control] = []
        self.control = Control(self._runner.pool)
        self.control.route("GET", "/counters", self._get_counters)
        self.control.route("POST", "/counters/reset", self._post_reset)
        self.control.route("POST", "/faults", self._post_faults)
        self.control.route("POST", "/execute", self._post_execute)

    def __enter__(self) -> LabServer:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    @property
    def endpoints(self) -> inventory.Endpoints:
        """:raises RuntimeError: before the start."""
        if self._endpoints is None:
            raise RuntimeError("The lab server is not started; call start() first.")
        return self._endpoints

    def start(self) -> None:
        """Listen, and return when all ports answer.

        :raises OSError: if a port is taken or the run directory cannot be written; nothing is left open then.
        """
        self._thread.start()
        try:
            asyncio.run_coroutine_threadsafe(self._start(), self._loop).result()
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        """Close all ports and connections; commands that still run are left to end by themselves."""
        if not self._thread.is_alive():
            return
        asyncio.run_coroutine_threadsafe(self._stop(), self._loop).result()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()
        self._runner.close()

    async def _start(self) -> None:
        self._run_directory.mkdir(parents=True, exist_ok=True)
        certificate = make_certificate(self._run_directory, address=self._address)
        http = Listener(self._hosts, self._runner)
        https = Listener(
            self._hosts, self._runner, tls=certificate.context, channel_binding=certificate.channel_binding
        )
        self._open = [http, https, self.control]
        http_port, https_port, control_port = self._wanted_ports
        self._endpoints = inventory.Endpoints(
            address=self._address,
            http_port=await http.open(self._address, http_port),
            https_port=await https.open(self._address, https_port),
            control_port=await self.control.open(control_port),
            certificate_path=certificate.certificate_path,
            ssh_program=ssh.write_program(self._run_directory),
        )

    def add_https(self, certificate: ServerCertificate) -> int:
        """One more HTTPS port for all hosts, with this certificate. Returns the port."""

        async def add() -> int:
            binding = certificate.channel_binding
            listener = Listener(self._hosts, self._runner, tls=certificate.context, channel_binding=binding)
            self._open.append(listener)
            return await listener.open(self._address, 0)

        return asyncio.run_coroutine_threadsafe(add(), self._loop).result()

    async def _stop(self) -> None:
        for server in self._open:
            server.close()
        tasks = asyncio.all_tasks() - {cast("asyncio.Task[None]", asyncio.current_task())}
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def counters(self) -> dict[str, dict[str, int]]:
        """The counters of every host that was used, by name; fields as in :class:`~lab.protocol.counters.Counters`."""
        return self._on_loop(self._hosts.counters)

    def reset_counters(self) -> None:
        self._on_loop(self._hosts.reset_counters)

    def set_faults(self, host: str, faults: Iterable[Fault]) -> None:
        """Replace the faults of a host.

        :raises KeyError: if there is no such host.
        """
        self._on_loop(lambda: self._hosts.set_faults(host, faults))

    def inventory_variables(
        self,
        host: str,
        connection: Transport = "winrm",
        *,
        scheme: inventory.Scheme = "http",
        auth: inventory.Auth = "basic",
    ) -> inventory.Variables:
        """The Ansible variables that reach ``host`` over ``connection``.

        :raises KeyError: if there is no such host.
        """
        settings = self._hosts.settings(host)
        return inventory.variables(settings, self.endpoints, connection=connection, scheme=scheme, auth=auth)

    def _on_loop(self, function: Callable[[], _Result]) -> _Result:
        """Call ``function`` in the server's thread, to which all state of the hosts belongs."""

        async def call() -> _Result:
            return function()

        return asyncio.run_coroutine_threadsafe(call(), self._loop).result()

    async def _get_counters(self, _: dict[str, Any]) -> dict[str, dict[str, int]]:
        return self._hosts.counters()

    async def _post_reset(self, _: dict[str, Any]) -> dict[str, Any]:
        self._hosts.reset_counters()
        return {}

    async def _post_faults(self, body: dict[str, Any]) -> dict[str, Any]:
        """``{"host": name, "faults": [{"stage": ..., "kind": ..., ...}, ...]}`` replaces the host's faults."""
        try:
            self._hosts.set_faults(str(body["host"]), [Fault.from_json(fault) for fault in body["faults"]])
        except KeyError as error:
            raise ControlError(f"Not given, or no such host: {error}", status=HTTPStatus.NOT_FOUND) from error
        except (TypeError, ValueError) as error:
            raise ControlError(str(error)) from error
        return {}

    async def _post_execute(self, body: dict[str, Any]) -> dict[str, Any]:
        """What the ssh program asks: ``{"host", "user", "command", "stdin"}``, stdin in base64.

        ``endless`` in the answer: the program has to print for ever instead.
        """
        try:
            arguments = {key: str(body[key]) for key in ("host", "user", "command", "stdin")}
            stdin = base64.b64decode(arguments["stdin"], validate=True)
        except (KeyError, binascii.Error) as error:
            raise ControlError(f"Missing, or not base64: {error}") from error
        execution = await ssh.execute(
            self._hosts,
            self._runner,
            host_name=arguments["host"],
            user=arguments["user"],
            command=arguments["command"],
            stdin=stdin,
        )
        host = self._hosts.find(arguments["host"])
        endless = host.strikes("receive", "endless") if host is not None else None
        return {
            "exit_code": execution.exit_code,
            "endless": {"bytes": endless.keep_bytes, "seconds": endless.seconds} if endless else None,
            "stdout": base64.b64encode(execution.stdout).decode(),
            "stderr": base64.b64encode(execution.stderr).decode(),
        }
