# Copyright (c) 2026, the sfb.kb4023993 contributors
# GNU General Public License v3.0-or-later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a CA administrator does by hand where the account of this run may not: exact steps, with the wanted values."""

from __future__ import annotations

import typing as t
from collections.abc import Sequence

from .template import CLIENT_AUTH, SERVER_AUTH, Wanted

_SHIPPED: t.Final = {"webserver": "Web Server"}


def steps_to_create(wanted: Wanted, *, source: str, enrol_group: str, publish_on: Sequence[str]) -> list[str]:
    """How to make the template, or to check one that is there, with the consoles of Windows."""
    shown = wanted.display_name or wanted.name
    usual = _SHIPPED.get(source.lower())
    original = f"the template {usual or source}" + (f" (template name {source})" if usual else "")
    cas = [f"the CA {name}" for name in publish_on] or ["the CA that is to issue the certificates"]
    return [
        "Log on as a member of Enterprise Admins, on a computer with the AD CS tools, and start certtmpl.msc.",
        f"Right-click {original} and choose Duplicate Template. Where {wanted.name} exists already, open its "
        "properties instead and compare all that follows.",
        "Tab Compatibility: Certification Authority Windows Server 2003, certificate recipient Windows XP / Server "
        "2003. (Later ones are not offered by the web pages of a CA.)",
        f"Tab General: Template display name {shown!r}; Template name {wanted.name!r}, exactly so. "
        + _periods(wanted)
        + "Publish certificate in Active Directory: not ticked.",
        "Tab Request Handling: Purpose Signature and encryption; Allow private key to be exported: "
        + ("ticked" if wanted.exportable_key else "not ticked")
        + "; Archive subject's encryption private key: not ticked.",
        "Tab Cryptography: Minimum key size 2048 or more.",
        "Tab Subject Name: Supply in the request. (The servers ask for the names of their pools.)",
        "Tab Issuance Requirements: CA certificate manager approval: "
        + ("ticked" if wanted.manager_approval else "not ticked")
        + "; This number of authorized signatures: not ticked.",
        "Tab Extensions, Application Policies, Edit: exactly two entries, Server Authentication "
        f"({SERVER_AUTH}) and Client Authentication ({CLIENT_AUTH}).",
        f"Tab Security: the group {enrol_group} has Read and Enroll; Authenticated Users has Read and nothing else; "
        "only Domain Admins and Enterprise Admins have Write or Full Control; nobody has Autoenroll, and no other "
        "group has Enroll.",
        f"On {' and '.join(cas)}: start certsrv.msc, right-click Certificate Templates, choose New, Certificate "
        f"Template to Issue, and pick {shown!r}.",
        f"Go on with the template name {wanted.name}.",
    ]


def _periods(wanted: Wanted) -> str:
    texts = [
        f"{label} {days} days. "
        for label, days in (
            ("Validity period", wanted.validity_days),
            ("Renewal period", wanted.renewal_overlap_days),
        )
        if days is not None
    ]
    return "".join(texts)


def steps_to_remove(wanted: Wanted) -> list[str]:
    """How to remove the template."""
    return [
        "On every CA that issues by the template: start certsrv.msc, Certificate Templates, right-click the entry "
        f"{(wanted.display_name or wanted.name)!r} and choose Delete. (This only ends issuing.)",
        "Log on as a member of Enterprise Admins, start certtmpl.msc, right-click the template with the template name "
        f"{wanted.name} and choose Delete.",
    ]
