# Copyright (c) 2026, the sfb.kb4023993 contributors
# GNU General Public License v3.0-or-later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The names that the product computes for a certificate from its topology (reference/sfb.md, section 2.3)."""

from __future__ import annotations

from collections.abc import Mapping

from lab.scenario import Scenario, Server

FRONT_END_USES = ("Default", "WebServicesInternal", "WebServicesExternal")
EDGE_OUTSIDE = ("AccessEdgeExternal", "DataEdgeExternal", "AudioVideoAuthentication")


def computed(scenario: Scenario, server: Server) -> Mapping[str, tuple[str, ...]]:
    """By use, and only for uses of the server's role: the subject's name, then the others. What is global or external has none."""
    pool = server.pool or server.fqdn
    domains = scenario.sip_domains
    sip = tuple(f"sip.{domain}" for domain in domains)
    simple = tuple(f"{site}.{domain}" for domain in domains for site in ("meet", "dialin"))
    names: dict[str, tuple[str, ...]] = {}
    if server.role == "edge":
        names["Internal"] = (pool,)
        names.update(dict.fromkeys(EDGE_OUTSIDE, ()))
    elif server.role in ("front_end", "director"):
        names["Default"] = (pool, server.fqdn, *sip)
        names["WebServicesInternal"] = (pool, *simple, *(f"lyncdiscoverinternal.{domain}" for domain in domains))
        names["WebServicesExternal"] = (pool, *simple, *(f"lyncdiscover.{domain}" for domain in domains))
        if server.product != "lync2010":
            names["OAuthTokenIssuer"] = ()
    elif server.product:
        names["Default"] = (server.fqdn,)
    if server.computed_names:
        names[main_use(server)] = server.computed_names
    return {use: tuple(dict.fromkeys(found)) for use, found in names.items()}


def main_use(server: Server) -> str:
    """The use that this fault is about."""
    return "Internal" if server.role == "edge" else "Default"
