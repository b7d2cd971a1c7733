# Copyright (c) 2026, the sfb.kb4023993 contributors
# GNU General Public License v3.0-or-later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What tests see of a running lab, and do to it, from outside: by methods, and by the same names on the control port.

By host, ``GET /hosts/NAME/...``: ``uses``, ``presented``, ``services``, ``events``, ``stores``, ``enforces``, ``connections``;
``POST /hosts/NAME/...``: ``kill`` with ``{"number", "operation", "ending"}``, ``renew`` with ``{"template"}``, ``restart`` with
``{"service"}``, ``remove_value`` with ``{"path", "value"}``. ``GET /hosts``: all of this of all servers, and their registries.
Of CAs: ``GET /ca/requests``; ``POST /ca/approve`` and ``/ca/deny`` with ``{"config", "request_id"}``.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timezone
from functools import partial
from typing import Any, TypeVar, cast, get_args

from lab import trust
from lab.answers.certificate_work import assign
from lab.answers.context import Done
from lab.ca.enterprise import EnterpriseCa, Request
from lab.deployment import Deployment
from lab.mechanism import PROVIDER
from lab.protocol import Control, ControlError
from lab.world.errors import WorldError
from lab.world.host import PORTS, Host
from lab.world.killing import Ending
from lab.world.stores import STORES

_EVENT_IDS = (41024, 41025, 41026, 41029, 41031)
_EVENTS = 100
_LOOKS = ("uses", "presented", "services", "events", "stores", "enforces", "connections")

_Result = TypeVar("_Result")


class Outside:
    """One deployment as its tests see it. Everything is as of now: what is due has happened before anything is told."""

    def __init__(self, deployment: Deployment) -> None:
        self._deployment = deployment

    def add_routes(self, control: Control) -> None:
        """Serve all of this on the control port."""
        for name in self._deployment.hosts:
            for word in _LOOKS:
                look = cast("Callable[[str], Any]", getattr(self, word))
                control.route("GET", f"/hosts/{name}/{word}", partial(_look, look, name))
            control.route("POST", f"/hosts/{name}/kill", partial(self._post_kill, name))
            by_hand = {"renew": self.renew, "restart": self.restart, "remove_value": self.remove_value}
            for word, do in by_hand.items():
                control.route("POST", f"/hosts/{name}/{word}", partial(_do, cast("Callable[..., None]", do), name))
        control.route("GET", "/hosts", lambda _: self.everything())
        control.route("GET", "/ca/requests", lambda _: self.requests())
        control.route("POST", "/ca/approve", partial(self._post_decision, self.approve))
        control.route("POST", "/ca/deny", partial(self._post_decision, self.deny))

    def everything(self) -> dict[str, dict[str, Any]]:
        """By server all that can be seen of it: ``registry``, and the rest by the names of the methods."""
        with self._deployment.lock:
            return {
                name: {"registry": host.registry.dump(), **{word: getattr(self, word)(name) for word in _LOOKS}}
                for name, host in self._deployment.hosts.items()
            }

    def uses(self, name: str) -> dict[str, str]:
        """By use the thumbprint of the certificate that is assigned on a server."""
        return self._now(name, lambda host: dict(host.lync.assigned))

    def presented(self, name: str) -> dict[str, str | None]:
        """By port of TLS (as text) the thumbprint of what answers there, None where nothing does."""

        def look(host: Host) -> dict[str, str | None]:
            answers = {port: host.presents(port) for port in PORTS.get(host.role, {})}
            return {
                str(port): trust.thumbprint(each[1].certificate) if each else None for port, each in answers.items()
            }

        return self._now(name, look)

    def services(self, name: str) -> dict[str, dict[str, Any]]:
        """By service ``status``, ``start_mode`` and ``pid`` (None where it does not run)."""

        def look(host: Host) -> dict[str, dict[str, Any]]:
            found = {}
            for service_name in host.services.names():
                service = host.services.get(service_name)
                assert service is not None
                found[service_name] = {
                    "status": service.status,
                    "start_mode": host.services.start_mode(service_name),
                    "pid": service.process.pid if service.process else None,
                }
            return found

        return self._now(name, look)

    def events(self, name: str) -> list[dict[str, Any]]:
        """The newest events of Web Conferencing, at most 100 of each id, oldest first: ``id``, ``record_id``, ``time``, ``strings``."""

        def look(host: Host) -> list[dict[str, Any]]:
            since = datetime.min.replace(tzinfo=timezone.utc)
            found = [e for number in _EVENT_IDS for e in host.log.read(PROVIDER, number, since, _EVENTS)[0]]
            return [
                {"id": e.id, "record_id": e.record_id, "time": e.time.isoformat(), "strings": list(e.strings)}
                for e in sorted(found, key=lambda event: event.record_id)
            ]

        return self._now(name, look)

    def stores(self, name: str) -> dict[str, list[dict[str, Any]]]:
        """By store its certificates: ``thumbprint``, ``subject``, ``issuer``, ``has_private_key``, ``exportable``, ``friendly_name``."""

        def look(host: Host) -> dict[str, list[dict[str, Any]]]:
            return {
                store: [
                    {
                        "thumbprint": trust.thumbprint(entry.certificate),
                        "subject": trust.parse(entry.certificate).subject.rfc4514_string(),
                        "issuer": trust.parse(entry.certificate).issuer.rfc4514_string(),
                        "has_private_key": entry.has_private_key,
                        "exportable": entry.key is not None and entry.key.exportable,
                        "friendly_name": entry.friendly_name,
                    }
                    for entry in host.stores.entries(store)
                ]
                for store in STORES
            }

        return self._now(name, look)

    def assign(self, name: str, thumbprint: str, *uses: str) -> None:
        """What an administrator does by hand with Set-CsCertificate, also to uses that the operations leave alone.

        :raises CmdletError: where the cmdlet refuses it.
        """
        with self._deployment.lock:
            assign(self._deployment.hosts[name], uses, thumbprint, tuple(self._deployment.hosts.values()))

    def enforces(self, name: str) -> bool | None:
        """Whether the running process of Web Conferencing checks the usages; None where none runs."""

        def look(host: Host) -> bool | None:
            process = host.web_conferencing()
            return host.loaded(process).enforces if process else None

        return self._now(name, look)

    def connections(self, name: str) -> dict[str, str]:
        """By ``PEER:PORT`` how a connection of a Front End's Web Conferencing would end now: ``connected``, ``rejected``, ``unreachable``.

        Empty for all other servers.
        """
        server = self._deployment.scenario.by_name[name]
        if server.role != "front_end" or not server.pool:
            return {}
        found = self._now(name, self._deployment.mechanism.outcomes)
        return {f"{peer}:{port}": outcome.value for (peer, port), outcome in found.items()}

    def renew(self, name: str, *, template: str) -> None:
        """Somebody renews the server's certificate from a template and restarts all its services.

        :raises KeyError: if there is no such template.
        """
        with self._deployment.lock:
            self._deployment.assign(name, template)
            services = self._deployment.hosts[name].services
            for service in services.names():
                services.start_now(service)

    def restart(self, name: str, *, service: str) -> None:
        """Somebody restarts a service.

        :raises WorldError: if there is no such service.
        """
        with self._deployment.lock:
            self._deployment.hosts[name].services.start_now(service)

    def remove_value(self, name: str, *, path: str, value: str) -> None:
        """Somebody deletes a value of the registry; running processes do not notice.

        :raises KeyError: if there is no such value.
        """
        with self._deployment.lock:
            registry = self._deployment.hosts[name].registry
            if registry.read(path, value) is None:
                raise KeyError(f"{path} has no value {value}")
            registry.remove(path, value)

    def kill(self, name: str, *, number: int, operation: str | None = None, ending: Ending = "silent") -> None:
        """End the next process of a server after so many operations (0: before the first; of one name only, if one is given).

        What these operations did stays done, and no reply comes back. ``disconnect`` also breaks the connection.
        """
        with self._deployment.lock:
            self._deployment.hosts[name].kill_point.set(number=number, operation=operation, ending=ending)

    def journal(self) -> list[Done]:
        """All operations that can change a server, in the order in which servers carried them out; with the secrets in them."""
        with self._deployment.lock:
            return list(self._deployment.surroundings.journal)

    def ca(self, config: str) -> EnterpriseCa:
        """:raises KeyError: if there is no such CA."""
        return self._deployment.cas[config.casefold()]

    def requests(self) -> list[dict[str, Any]]:
        """Everything that was handed in to a CA: ``config``, ``request_id``, ``account``, ``attributes``, ``disposition``."""
        return [
            {
                "config": row.config,
                "request_id": request.id,
                "account": request.account,
                "attributes": request.attributes,
                "disposition": request.disposition,
            }
            for row in self._deployment.scenario.enterprise_cas
            for request in self.ca(row.config).requests
        ]

    def approve(self, config: str, request_id: int) -> Request:
        """A CA manager issues a pending request.

        :raises KeyError: if there is no such CA or request.
        :raises ValueError: if it is not pending.
        """
        return self.ca(config).approve(request_id)

    def deny(self, config: str, request_id: int) -> Request:
        """A CA manager denies a pending request; raises as :meth:`approve`."""
        return self.ca(config).deny(request_id)

    def _now(self, name: str, look: Callable[[Host], _Result]) -> _Result:
        with self._deployment.lock:
            self._deployment.settle()
            return look(self._deployment.hosts[name])

    def _post_kill(self, name: str, body: dict[str, Any]) -> dict[str, Any]:
        ending = body.get("ending", "silent")
        if ending not in get_args(Ending):
            raise ControlError(f"A process ends {' or '.join(get_args(Ending))}, not {ending}.")
        try:
            self.kill(name, number=int(body["number"]), operation=body.get("operation"), ending=ending)
        except (KeyError, TypeError, ValueError) as error:
            raise ControlError(f"number has to be a number of operations: {error}") from error
        return {}

    def _post_decision(self, decide: Callable[[str, int], Request], body: dict[str, Any]) -> dict[str, Any]:
        try:
            row = decide(str(body["config"]), int(body["request_id"]))
        except (KeyError, TypeError, ValueError) as error:
            raise ControlError(f"There is no such pending request: {error}") from error
        return {"disposition": row.disposition}


def _look(look: Callable[[str], Any], name: str, _: dict[str, Any]) -> Any:
    return look(name)


def _do(do: Callable[..., None], name: str, body: dict[str, Any]) -> dict[str, Any]:
    try:
        do(name, **body)
    except (KeyError, TypeError, WorldError) as error:
        raise ControlError(f"This cannot be done on {name}: {error}") from error
    return {}
