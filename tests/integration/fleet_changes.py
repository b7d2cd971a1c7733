# Copyright (c) 2026, the sfb.kb4023993 contributors
# GNU General Public License v3.0-or-later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What people do to servers behind the collection's back, and what the lab's own mechanism makes of it."""

from __future__ import annotations

from integration.fleet import Fleet
from lab.mechanism import Outcome
from lab.world.host import WEB_CONFERENCING

_KEY = r"\System.Net.ServicePointManager.RequireCertificateEKUs"


def renew(fleet: Fleet, host: str, template: str, *, restart: bool = True) -> None:
    """Assign a new certificate of a template; its services take it only when they start again."""
    with fleet.lab.deployment.lock:
        fleet.lab.deployment.assign(host, template)
        services = fleet.lab.host(host).services
        for name in services.names() if restart else ():
            services.start_now(name)


def remove_override(fleet: Fleet, host: str) -> int:
    """Delete every opt-out value of DataMCUSvc.exe and restart Web Conferencing; returns how many values there were."""
    with fleet.lab.deployment.lock:
        server = fleet.lab.host(host)
        found = [
            (path, name)
            for path, values in server.registry.dump().items()
            for name in values
            if path.endswith(_KEY) and name.lower().endswith("datamcusvc.exe")
        ]
        for path, name in found:
            server.registry.remove(path, name)
        server.services.start_now(WEB_CONFERENCING)
    return len(found)


def connections(fleet: Fleet) -> dict[tuple[str, str], set[Outcome]]:
    """How the connections of all Front Ends end now: by validator and by the peer's full name, over all ports."""
    fleet.lab.advance(120)
    found: dict[tuple[str, str], set[Outcome]] = {}
    for server in fleet.lab.scenario.servers:
        if server.role == "front_end" and server.pool:
            with fleet.lab.deployment.lock:
                outcomes = fleet.lab.deployment.mechanism.outcomes(fleet.lab.host(server.name))
            for (peer, _port), outcome in outcomes.items():
                found.setdefault((server.name, peer), set()).add(outcome)
    return found
