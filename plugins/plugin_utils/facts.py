# Copyright (c) 2026, the sfb.kb4023993 contributors
# GNU General Public License v3.0-or-later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Compact facts of one host, as modules return them: plain values, no certificates, nothing of the rest of the fleet."""

from __future__ import annotations

import dataclasses
import datetime
import typing as t

from .certificates import CertificateError, EkuVerdict, expiry, parse_usage_property
from .connections import ConnectionJudge
from .evidence import Evidence
from .fleet import Fleet, HostView, InventoryHost, build_fleet
from .rules.enforcement import dotnet_version, installed_updates
from .rules.opt_outs import opt_out_facts, sightings
from .rules.role_certificate import held, thumbprint
from .rules.roles import role_facts

Facts = dict[str, t.Any]
_MOST_CERTIFICATES: t.Final = 100


def single_host(evidence: Evidence) -> tuple[HostView, Fleet]:
    """One host's evidence interpreted on its own."""
    host = InventoryHost(name=evidence.inventory_name, in_run=True, inventory=evidence.inventory, evidence=evidence)
    fleet = build_fleet([host])
    return fleet.views[host.name], fleet


def with_sightings(evidence: Evidence, earlier: t.Callable[[], Evidence | None]) -> Evidence:
    """New evidence with what earlier evidence of the same host says of its opt-outs."""
    role = role_facts(evidence)
    if role.role != "front_end":
        return evidence
    found = opt_out_facts(evidence, role)
    # Most have none, and reading what was known earlier is not cheap.
    return dataclasses.replace(evidence, sightings=sightings(evidence, found, earlier())) if found.valid else evidence


def host_facts(evidence: Evidence, *, now: datetime.datetime) -> Facts:
    """Role, product and the state of everything that was read; what was not asked for or not readable has no entry."""
    view, fleet = single_host(evidence)
    role = view.role
    facts: Facts = {
        "role": role.role,
        "role_reason": role.reason,
        "full_name": view.full_name,
        "product": role.product.name if role.product else None,
        "product_version": role.version,
        "executable": role.executable,
        "clr": role.clr,
        "process_started_utc": role.process.started_utc if role.process else None,
        "os_build": evidence.system.os_build if evidence.system else None,
        "powershell_version": evidence.system.powershell_version if evidence.system else None,
        "problems": [f"{p.section}, {p.operation}: {p.type}: {p.message}" for p in evidence.problems],
    }
    if view.certificate and evidence.certificates:
        facts["certificate"] = _role_certificate(view, fleet, now)
    if view.enforcement and evidence.dotnet:
        facts["dotnet"] = _dotnet(evidence, view)
    if view.opt_outs and evidence.opt_outs:
        facts["opt_outs"] = _opt_outs(view)
    if view.failures and evidence.events:
        facts["failure_events"] = {
            "since_start": dict(view.failures.since_start),
            "older": dict(view.failures.older),
            "last_utc": view.failures.last_utc,
        }
    return facts


def certificate_facts(evidence: Evidence, *, now: datetime.datetime) -> Facts:
    """Every certificate of the computer's store with its uses in the product and its clientAuth verdict."""
    view, fleet = single_host(evidence)
    judge = ConnectionJudge(fleet)
    uses = _uses(evidence)
    found = evidence.certificates
    issuers = {thumbprint(issuer.certificate): issuer.certificate for issuer in found.issuers} if found else {}
    certificates = []
    for entry in (found.certificates if found else ())[:_MOST_CERTIFICATES]:
        certificate = held(entry.certificate, (issuers[mark] for mark in entry.chain if mark in issuers))
        facts = certificate.facts
        usage = judge.usage(certificate, view)
        certificates.append(
            {
                "thumbprint": certificate.thumbprint,
                "subject": facts.subject if facts else None,
                "issuer": facts.issuer if facts else None,
                "dns_names": list(facts.dns_names) if facts else [],
                "not_after_utc": facts.not_after_utc if facts else None,
                "days_left": expiry(facts.not_after_utc, now=now).days_left if facts else None,
                "template": facts.template if facts else None,
                "has_private_key": entry.has_private_key,
                "uses": uses.get(certificate.thumbprint, []),
                "store_restriction": _restriction(entry.usage_property),
                **_usage(usage),
            }
        )
    return {
        "role": view.role.role,
        "certificate": _role_certificate(view, fleet, now) if view.certificate else None,
        "certificates": certificates,
        "truncated": bool(found and (found.truncated or len(found.certificates) > _MOST_CERTIFICATES)),
        "problems": [f"{p.section}, {p.operation}: {p.type}: {p.message}" for p in evidence.problems],
    }


def dotnet_facts(evidence: Evidence) -> Facts:
    """The .NET of the host, and for a Front End whether the check is present, loaded and turned off."""
    view, _fleet = single_host(evidence)
    dotnet = evidence.dotnet
    return {
        "role": view.role.role,
        "product": view.role.product.name if view.role.product else None,
        "clr": view.role.clr,
        "framework_version": dotnet_version(dotnet.release) if dotnet else None,
        "framework_release": dotnet.release if dotnet else None,
        "system_dlls": [
            {
                "clr": dll.clr,
                "path": dll.path,
                "version": dll.version,
                "has_check": dll.marker_utf16 or dll.marker_ascii,
            }
            for dll in (dotnet.system_dlls if dotnet else ())
            if dll.exists
        ],
        "updates": {
            clr: list(installed_updates(dotnet, clr)) for clr in sorted({dll.clr for dll in dotnet.system_dlls})
        }
        if dotnet
        else {},
        "check": _dotnet(evidence, view) if view.enforcement else None,
        "opt_outs": _opt_outs(view) if view.opt_outs else None,
        "problems": [f"{p.section}, {p.operation}: {p.type}: {p.message}" for p in evidence.problems],
    }


def _uses(evidence: Evidence) -> dict[str, list[str]]:
    uses: dict[str, list[str]] = {}
    for entry in evidence.lync_certificates.objects if evidence.lync_certificates else ():
        mark = "".join(entry.get("Thumbprint", ())).replace(" ", "").upper()
        uses.setdefault(mark, []).extend(entry.get("Use", ()))
    return uses


def _restriction(data: bytes | None) -> list[str] | None:
    if data is None:
        return None
    try:
        return list(parse_usage_property(data))
    except CertificateError:
        return []


def _usage(usage: EkuVerdict | str) -> Facts:
    if isinstance(usage, str):
        return {
            "client_auth": "unreadable",
            "rule": "unreadable",
            "reason": usage,
            "eku": None,
            "application_policies": None,
        }
    return {
        "client_auth": str(usage.usage),
        "rule": usage.rule,
        "reason": usage.reason,
        "eku": None if usage.eku_oids is None else list(usage.eku_oids),
        "application_policies": None if usage.application_policies is None else list(usage.application_policies),
    }


def _role_certificate(view: HostView, fleet: Fleet, now: datetime.datetime) -> Facts | None:
    shown = view.certificate
    if shown is None or shown.current is None:
        return None
    facts = shown.current.facts
    return {
        "thumbprint": shown.current.thumbprint,
        "subject": facts.subject if facts else None,
        "not_after_utc": facts.not_after_utc if facts else None,
        "days_left": expiry(facts.not_after_utc, now=now).days_left if facts else None,
        "known_by": shown.source,
        "note": shown.note,
        **_usage(ConnectionJudge(fleet).usage(shown.current, view)),
    }


def _dotnet(evidence: Evidence, view: HostView) -> Facts:
    facts = view.enforcement
    if facts is None:
        return {}
    return {
        "framework_version": dotnet_version(evidence.dotnet.release if evidence.dotnet else None),
        "check_in_dotnet": facts.check,
        "loaded": facts.loaded,
        "signs": list(facts.signs),
        "disagreement": facts.disagreement,
    }


def _opt_outs(view: HostView) -> Facts:
    facts = view.opt_outs
    if facts is None:
        return {}
    return {
        "readable": not facts.unreadable,
        "in_effect": facts.in_effect,
        "unproven": facts.unproven,
        "valid": [{"id": o.id, "where": o.where, "in_effect": o.in_effect} for o in facts.valid],
        "wrong": [str(wrong) for wrong in facts.wrong],
    }
