# Copyright (c) 2026, the sfb.kb4023993 contributors
# GNU General Public License v3.0-or-later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Everything that one run found and did, in one record: the JSON report, and what all other forms are made from."""

from __future__ import annotations

import collections
import dataclasses
import json
import typing as t

from ..codec import encode
from ..compare import Comparison
from ..findings import Finding, Judgement, Waiver
from ..plan import Plan
from ..rules.verdict import ORDER
from ..verify import HostResult
from ..waivers import WaiverUse, expired_words, mark_findings, waived_hosts, waiver_uses
from .certificates import Renewal

SCHEMA: t.Final = 1
Playbook = t.Literal["audit", "compliance", "remediate", "certificates", "retire", "rollback", "report"]
# There is no published site: a person finds the pages where the collection is.
PAGES: t.Final = "Every finding has a page in the collection: docs/findings/ID.md."
# Where waivers say which hosts fail. What changes servers has to say what it could not do, whoever accepts it.
_WAIVED_IN: t.Final = ("audit", "compliance", "report")


@dataclasses.dataclass(frozen=True, kw_only=True)
class Report:
    """``after`` is the judgement of a second reading, None where nothing was changed. ``plan_sha256`` names the plan file.

    ``renewal``: the certificates of workaround 1, None where the run had nothing to do with them.
    ``waivers``: all of the run, also those that have expired; ``waived_hosts``: hosts whose verdict is wholly waived; ``late_waivers``: by
    host what is to be said of waivers that have expired. ``since``: what changed since the last run over the same hosts.
    """

    schema: int = SCHEMA
    playbook: Playbook
    check_mode: bool
    sentence: str
    counts: dict[str, int]
    before: Judgement
    after: Judgement | None
    plan: Plan | None
    plan_sha256: str | None
    results: tuple[HostResult, ...]
    renewal: Renewal | None = None
    waivers: tuple[WaiverUse, ...] = ()
    waived_hosts: tuple[str, ...] = ()
    late_waivers: dict[str, str] = dataclasses.field(default_factory=dict)
    since: Comparison | None = None

    @property
    def latest(self) -> Judgement:
        return self.after or self.before


def make_report(
    *,
    playbook: Playbook,
    check_mode: bool,
    before: Judgement,
    after: Judgement | None = None,
    plan: Plan | None = None,
    plan_sha256: str | None = None,
    results: tuple[HostResult, ...] = (),
    renewal: Renewal | None = None,
    waivers: t.Sequence[Waiver] = (),
    since: Comparison | None = None,
) -> Report:
    latest = after or before
    counts = verdict_counts(latest)
    waived = waived_hosts(latest, waivers)
    return Report(
        playbook=playbook,
        check_mode=check_mode,
        sentence=_sentence(counts, _waived_counts(latest, waived)),
        counts=counts,
        before=mark_findings(before, waivers),
        after=mark_findings(after, waivers) if after else None,
        plan=plan,
        plan_sha256=plan_sha256,
        results=results,
        renewal=renewal,
        waivers=waiver_uses(latest, waivers),
        waived_hosts=waived,
        late_waivers=expired_words(latest, waivers),
        since=since,
    )


def waived_counts(report: Report) -> dict[str, int]:
    """How many hosts of this run have each verdict and are waived with it."""
    return _waived_counts(report.latest, report.waived_hosts)


def _waived_counts(judgement: Judgement, waived: t.Collection[str]) -> dict[str, int]:
    hosts = [host.verdict for host in judgement.hosts if host.in_run and host.name in waived]
    return {verdict: hosts.count(verdict) for verdict in ORDER}


def verdict_counts(judgement: Judgement) -> dict[str, int]:
    """How many hosts of this run have each verdict, worst first."""
    counted = collections.Counter(host.verdict for host in judgement.hosts if host.in_run)
    return {verdict: counted[verdict] for verdict in ORDER}


def report_json(report: Report) -> str:
    """The whole report as JSON; the same report gives the same text."""
    return json.dumps(encode(report), indent=1, ensure_ascii=True) + "\n"


def findings_of_run(report: Report) -> list[Finding]:
    """The findings on hosts of this run, and those on a pool; hosts that ``--limit`` left out are not what the run is about."""
    in_run = {host.name for host in report.latest.hosts if host.in_run}
    return [item for item in report.latest.findings if item.host in in_run or item.host is None]


def saved_note(report: Report) -> str:
    """What has to be said of a report made from saved evidence: how old it is. Empty for any other."""
    if report.playbook != "report":
        return ""
    times = sorted(host.evidence_utc for host in report.latest.hosts if host.evidence_utc)
    if not times:
        return "Made from saved evidence, and there is none. No server was asked."
    span = f"of {times[0]}" if times[0] == times[-1] else f"from {times[0]} to {times[-1]}"
    return f"Made from saved evidence {span}. No server was asked."


def failing_hosts(report: Report, fail_on: t.Collection[str]) -> dict[str, str]:
    """Hosts of this run that the exit contract fails, with the reason: by verdict, or because their part of the plan failed or was
    refused.

    Not failed is what the shown plan would mend (check mode), a restart that was put off as asked for, and in a run that changes nothing a
    verdict that is waived.
    """
    spared = set(_mended_soon(report))
    if report.playbook in _WAIVED_IN:
        spared.update(report.waived_hosts)
    failing = {
        host.name: " ".join([f"{host.verdict}: {host.reason}", report.late_waivers.get(host.name, "")]).strip()
        for host in report.latest.hosts
        if host.in_run and host.verdict in fail_on and host.name not in spared
    }
    if report.plan:
        failing.update({refusal.host: f"not changed: {refusal.reason}" for refusal in report.plan.refused})
    failing.update({result.host: result.message for result in report.results if result.result == "failed"})
    if report.renewal:
        failing.update({refusal.host: f"not replaced: {refusal.reason}" for refusal in report.renewal.refused})
        failing.update({r.host: r.message for r in report.renewal.results if r.result == "failed"})
    return failing


def _mended_soon(report: Report) -> frozenset[str]:
    """Broken hosts of which every broken connection has a validator that will be mended: by the plan of a preview, or by a restart."""
    mending = {result.host for result in report.results if result.result == "pending"}
    if report.check_mode and report.plan:
        mending.update(host.host for host in report.plan.hosts)
    # A certificate that waits for its CA mends every connection to its server.
    waiting = set(report.renewal.waiting) if report.renewal else set()
    unmended: set[str] = set()
    for connection in report.latest.connections:
        if connection.verdict == "broken" and connection.validator not in mending and connection.peer not in waiting:
            unmended.update((connection.validator, connection.peer))
    return frozenset(
        host.name for host in report.latest.hosts if host.verdict == "broken" and host.name not in unmended
    )


def _sentence(counts: t.Mapping[str, int], waived: t.Mapping[str, int]) -> str:
    everyone = sum(counts.values())
    affected = everyone - counts["not_applicable"]
    servers = "server" if affected == 1 else "servers"
    if not everyone:
        return "KB4023993: no server was in this run."
    if not affected:
        return "KB4023993: no Front End and no Edge among the servers of this run."
    clauses = []
    if counts["broken"]:
        verb = "takes" if counts["broken"] == 1 else "take"
        clauses.append(
            f"{counts['broken']} of {affected} {servers} {verb} part in connections that are broken{_of_them(waived['broken'])}"
        )
    elif counts["compliant"] == affected:
        clauses.append(f"nothing is wrong on {affected} {servers}")
    elif counts["not_assessed"] < affected:
        clauses.append(f"nothing is known to be broken on {affected} {servers}")
    if counts["mitigated"]:
        verb = "depends" if counts["mitigated"] == 1 else "depend"
        clauses.append(f"{counts['mitigated']} {verb} on the check being turned off")
    if counts["latent"]:
        clauses.append(f"{counts['latent']} will break with the next .NET update")
    if counts["not_assessed"]:
        of = f" of {affected} {servers}" if not clauses else ""
        clauses.append(f"{counts['not_assessed']}{of} could not be assessed{_of_them(waived['not_assessed'])}")
    return f"KB4023993: {'; '.join(clauses)}."


def _of_them(waived: int) -> str:
    return f" ({waived} waived)" if waived else ""
