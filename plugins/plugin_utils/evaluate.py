# Copyright (c) 2026, the sfb.kb4023993 contributors
# GNU General Public License v3.0-or-later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Fleet evidence to findings and verdicts. Pure: no I/O, and the clock is a parameter, so saved evidence can be judged again anywhere.

The rules themselves are in ``rules/`` (one subject a file) and ``connections.py``; this module applies them to a fleet and puts the
result together. ``host_findings.py`` turns what they say of a host into findings.
"""

from __future__ import annotations

import dataclasses
import datetime
import typing as t

from .certificates import EkuVerdict, expiry
from .connections import ConnectionJudge
from .findings import (
    CertificateJudgement,
    ConnectionJudgement,
    DotnetJudgement,
    Finding,
    HostJudgement,
    Judgement,
    OptOutJudgement,
    PoolJudgement,
    Severity,
)
from .fleet import Fleet, HostView, InventoryHost, build_fleet
from .host_findings import host_findings, unasked_findings
from .knowledge import loader as knowledge
from .rules.enforcement import dotnet_version
from .rules.pools import WORDS
from .rules.restart import opt_out_awaits_restart, recorded_restart_is_pending
from .rules.times import format_time
from .rules.verdict import Verdict, worst

_SEVERITIES: t.Final[tuple[Severity, ...]] = ("critical", "warning", "info")


@dataclasses.dataclass(frozen=True, kw_only=True)
class Assessment:
    """A judgement together with the fleet it was made of, for the plan."""

    judgement: Judgement
    fleet: Fleet


def evaluate(
    hosts: t.Sequence[InventoryHost],
    *,
    now: datetime.datetime,
    run_id: str,
    collection_version: str,
    in_parts: bool = False,
) -> Assessment:
    """Judge a fleet.

    :param hosts: every host of the inventory pattern, also those outside ``--limit`` and those that could not be read.
    :param now: the controller's clock; used for expiry and the age of evidence only.
    :param in_parts: the evidence may be of several runs, each of which read a part of the fleet.
    """
    fleet = build_fleet(hosts)
    judge = ConnectionJudge(fleet)
    connections = judge.judge_all()
    by_host = _by_host(connections)
    judged = tuple(_judge_host(view, fleet, judge, by_host.get(name, ()), now) for name, view in fleet.views.items())
    findings: list[Finding] = []
    for host in judged:
        findings.extend(host_findings(fleet, judge, host, by_host.get(host.name, ()), now=now))
    if in_parts:
        findings.extend(unasked_findings(fleet))
    findings.sort(key=lambda f: (_SEVERITIES.index(f.severity), f.id, f.pool or "", f.host or ""))
    judgement = Judgement(
        run_id=run_id,
        judged_utc=format_time(now),
        collection_version=collection_version,
        hosts=judged,
        pools=_judge_pools(fleet, judged),
        connections=connections,
        findings=tuple(findings),
    )
    return Assessment(judgement=judgement, fleet=fleet)


def _by_host(connections: t.Sequence[ConnectionJudgement]) -> dict[str, list[ConnectionJudgement]]:
    found: dict[str, list[ConnectionJudgement]] = {}
    for connection in connections:
        found.setdefault(connection.validator, []).append(connection)
        if connection.peer != connection.validator:
            found.setdefault(connection.peer, []).append(connection)
    return found


def _judge_host(
    view: HostView,
    fleet: Fleet,
    judge: ConnectionJudge,
    connections: t.Sequence[ConnectionJudgement],
    now: datetime.datetime,
) -> HostJudgement:
    verdict, reason = _host_verdict(view, connections)
    evidence = view.source.evidence
    role, product = view.role, view.role.product
    basic = HostJudgement(
        name=view.name,
        full_name=view.full_name,
        role=role.role,
        product=product.name if product else None,
        version=role.version,
        os_build=evidence.system.os_build if evidence and evidence.system else None,
        pool=fleet.pools.pool_of.get(view.name) if role.role in ("front_end", "edge") else view.source.inventory.pool,
        in_run=view.source.in_run,
        evidence_utc=evidence.collected_utc if evidence else None,
        verdict=verdict,
        reason=reason,
        certificate=_certificate(view, judge, now),
        executable=role.executable if role.role == "front_end" else None,
        clr=role.clr if role.role == "front_end" else None,
        duration_ms=evidence.duration_ms if evidence else None,
    )
    if not (view.enforcement and view.opt_outs and view.failures):
        return basic
    return dataclasses.replace(
        basic,
        dotnet=DotnetJudgement(
            version=dotnet_version(evidence.dotnet.release if evidence and evidence.dotnet else None),
            check=view.enforcement.check,
            loaded=view.enforcement.loaded,
            signs=view.enforcement.signs,
        ),
        opt_outs=tuple(OptOutJudgement(id=o.id, where=o.where, in_effect=o.in_effect) for o in view.opt_outs.valid),
        wrong_overrides=tuple(str(wrong) for wrong in view.opt_outs.wrong),
        process_started_utc=role.process.started_utc if role.process else None,
        failures_since_start=sum(view.failures.since_start.values()),
        failures_older=sum(view.failures.older.values()),
        restart_pending=restart_is_due(view, connections),
    )


def _host_verdict(view: HostView, connections: t.Sequence[ConnectionJudgement]) -> tuple[Verdict, str]:
    """The worst of the host's connections, unless the host itself could not be read or has nothing to do with it."""
    source = view.source
    if source.failure:
        return "not_assessed", f"{source.failure.message} {source.failure.advice}"
    if source.problem:
        return "not_assessed", source.problem
    if source.evidence is None:
        return "not_assessed", "It is outside this run (--limit), and there is no saved evidence of it."
    if view.role.role == "unknown":
        return "not_assessed", f"Its role is not known: {view.role.reason}."
    if view.role.role == "none":
        return "not_applicable", f"Not a Front End or Edge: {view.role.reason}."
    verdict = worst(connection.verdict for connection in connections)
    if not connections:
        # An Edge that no Front End of the fleet connects to: nothing is known of its connections.
        return "not_assessed", "No Front End of this inventory is known to connect to it."
    decisive = [connection for connection in connections if connection.verdict == verdict]
    return verdict, f"{len(decisive)} of {len(connections)} connections: {decisive[0].reason}"


def restart_is_due(view: HostView, connections: t.Sequence[ConnectionJudgement]) -> bool:
    """Whether something waits for a restart: a recorded change, or an opt-out that a connection of this host needs."""
    needed = any(c.verdict != "compliant" for c in connections if c.validator == view.name)
    return recorded_restart_is_pending(view) or (needed and opt_out_awaits_restart(view))


def _certificate(view: HostView, judge: ConnectionJudge, now: datetime.datetime) -> CertificateJudgement | None:
    shown = view.certificate
    held = shown.current if shown else None
    if shown is None or held is None:
        return None
    usage = judge.usage(held, view)
    facts = held.facts
    return CertificateJudgement(
        use=next(u.use for u in knowledge.certificate_uses() if u.role == view.role.role and u.handling == "judged"),
        source=shown.source,
        thumbprint=held.thumbprint,
        subject=facts.subject if facts else "",
        issuer=facts.issuer if facts else "",
        not_after_utc=facts.not_after_utc if facts else "",
        days_left=expiry(facts.not_after_utc, now=now).days_left if facts else 0,
        template=facts.template if facts else None,
        usage=str(usage.usage) if isinstance(usage, EkuVerdict) else "unreadable",
        reason=usage.reason if isinstance(usage, EkuVerdict) else usage,
        pending=shown.assigned.thumbprint if shown.assigned else None,
    )


def _judge_pools(fleet: Fleet, hosts: t.Sequence[HostJudgement]) -> tuple[PoolJudgement, ...]:
    verdicts = {host.name: host.verdict for host in hosts}
    judged = []
    for pool in fleet.pools.pools.values():
        edge = fleet.pools.edges.get(pool.name)
        members: list[Verdict] = [verdicts[name] for name in pool.members]
        if pool.missing:
            members.append("not_assessed")
        judged.append(
            PoolJudgement(
                name=pool.name,
                role=pool.role,
                members=pool.members,
                missing=pool.missing,
                source=WORDS[pool.source],
                edge_pools=edge.pools if edge else (),
                edge_source=WORDS[edge.source] if edge else None,
                paired_pool=fleet.pools.paired.get(pool.name),
                verdict=worst(members),
            )
        )
    return tuple(sorted(judged, key=lambda pool: (pool.role != "front_end", pool.name)))
