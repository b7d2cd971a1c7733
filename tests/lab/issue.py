# Copyright (c) 2026, the sfb.kb4023993 contributors
# GNU General Public License v3.0-or-later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The certificates of a scenario: its authorities, and what its templates give."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta, timezone
from functools import cached_property
from typing import Any

from lab import pki
from lab.reader import ScenarioError
from lab.scenario import Scenario, Server
from lab.world.stores import Stores

_USAGES = {
    "server": pki.SERVER_AUTH,
    "client": pki.CLIENT_AUTH,
    "any": pki.ANY_USAGE,
    "any_policy": pki.ANY_APPLICATION_POLICY,
}


class Issuer:
    """Makes certificates by template name; authorities are made when they are first needed."""

    def __init__(self, scenario: Scenario) -> None:
        self._scenario = scenario
        self._authorities: dict[str, pki.Authority] = {}
        self._issued: dict[bytes, pki.Issued] = {}

    @cached_property
    def root(self) -> pki.Authority:
        return pki.root_authority("Contoso Root CA")

    @cached_property
    def outside(self) -> pki.Issued:
        """The certificate of everything external: from a public authority, serverAuth only."""
        domain = self._scenario.domain
        return self.authority("issuing").issue(f"sip.{domain}", dns_names=[f"sip.{domain}", f"webconf.{domain}"])

    @cached_property
    def oauth(self) -> pki.Issued:
        """The certificate of OAuthTokenIssuer, the same on all Front Ends."""
        return self.authority("issuing").issue(self._scenario.domain, dns_names=[self._scenario.domain])

    def authority(self, name: str) -> pki.Authority:
        if name not in self._authorities:
            row = self._authority_row(name)
            own_root = row.get("own_root")
            above = pki.root_authority(str(own_root)) if own_root else self.root
            self._authorities[name] = above.subordinate(
                str(row.get("common_name", name)),
                eku=usages(row, "usages"),
                application_policies=usages(row, "policies"),
            )
        return self._authorities[name]

    def issue(self, template: str, *, pool: str, names: Sequence[str]) -> pki.Issued:
        """A certificate for a member of a pool: the pool's name is the subject, as the product requests it."""
        row = self._scenario.templates[template]
        domain = self._scenario.domain
        wildcard = row.get("subject") == "wildcard"
        common_name = f"*.{domain}" if wildcard else pool
        now = datetime.now(timezone.utc)
        expired = bool(row.get("expired"))
        issued = self.authority(str(row.get("authority", "issuing"))).issue(
            common_name,
            dns_names=[common_name] if wildcard else list(dict.fromkeys([pool, *names])),
            eku=usages(row, "usages"),
            application_policies=usages(row, "policies"),
            not_before=now - timedelta(days=400 if expired else 1),
            not_after=now - timedelta(days=1) if expired else now + timedelta(days=364),
        )
        self._issued[issued.der] = issued
        return issued

    def issued(self, certificate: bytes) -> pki.Issued:
        """A certificate that came from a template, with its key and chain.

        :raises KeyError: if none of the templates gave it.
        """
        return self._issued[certificate]

    def trust(self, stores: Stores, server: Server) -> None:
        """Put the authorities that a server of the deployment knows into its stores: roots, and those below them."""
        stores.add("Root", self.root.der)
        purposes = server.ca_purposes
        limited = None if purposes is None else pki.usage_list(_oid(usage, "ca_purposes") for usage in purposes)
        wanted = {"issuing", *(str(row.get("authority", "issuing")) for row in self._used_templates())}
        for name in sorted(wanted | {ca.authority for ca in self._scenario.enterprise_cas}):
            trusted = self._authority_row(name).get("trusted", True)
            if server.name in trusted if isinstance(trusted, list) else trusted:
                authority = self.authority(name)
                stores.add("CA", authority.der, usage_property=limited if name == "issuing" else None)
                stores.add("Root", authority.chain[-1])

    def _used_templates(self) -> list[Mapping[str, Any]]:
        names = {server.certificate for server in self._scenario.servers}
        names |= {server.renewed.template for server in self._scenario.servers if server.renewed}
        names |= {server.web_certificate for server in self._scenario.servers}
        return [self._scenario.templates[name] for name in names if name]

    def _authority_row(self, name: str) -> Mapping[str, Any]:
        rows = self._scenario.authorities
        if name not in rows:
            raise ScenarioError(f"There is no authority {name!r}; choose one of {', '.join(sorted(rows))}.")
        return rows[name]


def usages(row: Mapping[str, Any], key: str) -> list[str] | None:
    """A list of usages by word or OID; None where the row has none."""
    found = row.get(key)
    return None if found is None else [_oid(usage, key) for usage in found]


def _oid(usage: Any, key: str) -> str:
    text = str(usage)
    if text in _USAGES:
        return _USAGES[text]
    if not text.replace(".", "").isdigit() or "." not in text:
        words = ", ".join(_USAGES)
        raise ScenarioError(f"{key}: {text!r} is no usage; write one of {words}, or an OID such as {pki.CLIENT_AUTH}.")
    return text
