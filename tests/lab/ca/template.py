# Copyright (c) 2026, the sfb.kb4023993 contributors
# GNU General Public License v3.0-or-later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Certificate templates, with the attributes that decide what a CA issues (MS-CRTD)."""

from __future__ import annotations

import datetime
from collections.abc import Iterable
from dataclasses import dataclass

from lab import pki


@dataclass(frozen=True, kw_only=True)
class Template:
    """One template. ``oid`` is None for a version 1 template, which is marked by its name.

    ``enroll``: accounts with the Enroll right, in lower case. ``supplies_subject``: names come from the request; else they are
    the account's. ``application_policies``: None leaves the extension out.
    """

    name: str
    enroll: frozenset[str]
    eku: tuple[str, ...]
    oid: str | None = None
    application_policies: tuple[str, ...] | None = None
    supplies_subject: bool = True
    manager_approval: bool = False
    minimum_key_bits: int = 2048
    validity: datetime.timedelta = datetime.timedelta(days=730)


def web_server(enroll: Iterable[str]) -> Template:
    """The shipped Web Server template: server authentication alone, which is the fault this collection is about."""
    return Template(name="WebServer", enroll=frozenset(enroll), eku=(pki.SERVER_AUTH,))


def both_usages(enroll: Iterable[str], *, manager_approval: bool = False) -> Template:
    """A duplicate of Web Server with both usages, as workaround 1 makes it."""
    usages = (pki.SERVER_AUTH, pki.CLIENT_AUTH)
    return Template(
        name="WebServerClientandServer",
        enroll=frozenset(enroll),
        oid="1.3.6.1.4.1.311.21.8.1234567.7654321.2345678.8765432.3456789.99.11111111.22222222",
        eku=usages,
        application_policies=usages,
        manager_approval=manager_approval,
    )
