# Copyright (c) 2026, the sfb.kb4023993 contributors
# GNU General Public License v3.0-or-later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Records of workaround 1 that live on the server itself, beside those of the override (``records.py`` reads and bounds all of them).

With them any controller can go on with a replacement that another one began, finish a restart that was cut, and put back what was
assigned before. Nothing in them is secret.
"""

from __future__ import annotations

import dataclasses
import re
import typing as t

from .host.certificate_operations import CaStore, CertificateUse

_SCHEMA: t.Final = 1
_THUMBPRINT: t.Final = re.compile(r"[0-9A-F]{40}\Z")
_SERVICE: t.Final = re.compile(r"[\w.$-]{1,80}\Z")
_TIME: t.Final = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,7})?Z\Z")
_FRONT_END: t.Final = ("Default", "WebServicesInternal", "WebServicesExternal")
_METHODS: t.Final = ("certreq", "web", "files")
_MAX_TEXT: t.Final = 500
_MAX_REQUEST_ID: t.Final = 2**32

ServerStep = t.Literal["requesting", "requested", "submitting", "pending", "imported", "assigned", "done"]
"""How far one server is. requesting: about to make a key. requested: key and request are there. submitting, pending: the request was
handed to a CA, with or without a known answer. imported: the certificate is in the store, not in use. assigned: its uses have it, the
services may still hold the old one. done: the services were restarted and present it."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class HandedIn:
    """To which CA the request went. ``request_id`` None: not known."""

    method: str
    ca: str
    template: str | None
    at_utc: str
    request_id: int | None


@dataclasses.dataclass(frozen=True, kw_only=True)
class CertificateRecord:
    """The replacement of one certificate on one server. ``use`` names the record, ``uses`` are all uses that change.

    ``replaces``: thumbprint of the certificate to replace. ``before``: by use what was assigned right before the first change, empty
    until then; a rollback puts exactly this back. ``new``: thumbprint of the new certificate, None until it is imported.
    """

    schema: int = _SCHEMA
    type: t.Literal["certificate"] = "certificate"
    use: CertificateUse
    uses: tuple[CertificateUse, ...]
    replaces: str
    step: ServerStep
    friendly_name: str = ""
    csr: str | None = None
    handed_in: HandedIn | None = None
    before: dict[str, str] = dataclasses.field(default_factory=dict)
    new: str | None = None
    time_utc: str
    run_id: str

    @property
    def value_name(self) -> str:
        return f"certificate|{self.use}".lower()


@dataclasses.dataclass(frozen=True, kw_only=True)
class ServicesRecord:
    """A restart of all services of the product that was begun. ``running``: what ran before it, and has to run after it.

    ``failover``: the services were taken down by FailOver, which leaves them disabled until FailBack.
    """

    schema: int = _SCHEMA
    type: t.Literal["services"] = "services"
    failover: bool
    running: tuple[str, ...]
    begun_utc: str
    run_id: str

    @property
    def value_name(self) -> str:
        return "services|all"


@dataclasses.dataclass(frozen=True, kw_only=True)
class TrustRecord:
    """A CA certificate that was added to a store of the machine, and was not there before."""

    schema: int = _SCHEMA
    type: t.Literal["trust"] = "trust"
    store: CaStore
    thumbprint: str
    time_utc: str
    run_id: str

    @property
    def value_name(self) -> str:
        return f"trust|{self.store}|{self.thumbprint}".lower()


def is_plausible(record: CertificateRecord | ServicesRecord | TrustRecord) -> bool:
    """Whether this collection could have written such a record: what stands on a server is data from outside."""
    if isinstance(record, ServicesRecord):
        return bool(_TIME.match(record.begun_utc)) and all(_SERVICE.match(name) for name in record.running)
    if isinstance(record, TrustRecord):
        return bool(_TIME.match(record.time_utc) and _THUMBPRINT.match(record.thumbprint))
    marks = (record.replaces, *record.before.values(), *([] if record.new is None else [record.new]))
    return bool(
        _TIME.match(record.time_utc)
        and _is_possible(record.uses)
        and record.use == record.uses[0]
        and (not record.before or set(record.before) == set(record.uses))
        and all(_THUMBPRINT.match(mark) for mark in marks)
        and (record.handed_in is None or _is_likely(record.handed_in))
    )


def _is_possible(uses: tuple[CertificateUse, ...]) -> bool:
    """Whether these uses move together: that of an Edge alone, or Default with Web uses."""
    return uses == ("Internal",) or (
        uses[:1] == ("Default",) and set(uses) <= set(_FRONT_END) and len(set(uses)) == len(uses)
    )


def _is_likely(handed_in: HandedIn) -> bool:
    texts = (handed_in.ca, handed_in.template or "")
    return bool(
        handed_in.method in _METHODS
        and _TIME.match(handed_in.at_utc)
        and all(len(text) <= _MAX_TEXT and text.isprintable() for text in texts)
        and (handed_in.request_id is None or 0 < handed_in.request_id < _MAX_REQUEST_ID)
    )
