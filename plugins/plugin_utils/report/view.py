# Copyright (c) 2026, the sfb.kb4023993 contributors
# GNU General Public License v3.0-or-later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The rows of the page: servers, what was changed, what comes. Words only; ``page.html.j2`` puts them in place."""

from __future__ import annotations

import dataclasses
import statistics
import typing as t

from ..findings import Finding, HostJudgement, Judgement, PoolJudgement
from ..host_plan import HostPlan
from ..knowledge import loader as knowledge
from ..rules.pools import ASSUMED, INVENTORY
from ..rules.verdict import ORDER, Verdict, worst
from ..words import counted
from .document import Report, findings_of_run, verdict_counts
from .marks import MEANING, ROLE, SYMBOL, USAGE, WORD

NOT_ASSESSED: t.Final = "KB4023993-NOT-ASSESSED"
_RENEWAL: t.Final = "KB4023993-CERT-RENEWAL"
_NOT_LOADED: t.Final = "KB4023993-ENFORCEMENT-NOT-LOADED"
_CHECK: t.Final = {"present": "checks usages", "absent": "does not check", "unknown": "not known whether it checks"}
_OPT_OUT: t.Final = {
    "executable": "override",
    "global": "global registry value",
    "appcontext_registry": "AppContext switch (registry)",
    "appcontext_config": "AppContext switch (configuration file)",
}
SOON_DAYS: t.Final = 30
LATER_DAYS: t.Final = 60


@dataclasses.dataclass(frozen=True, kw_only=True)
class Count:
    """How many servers have a verdict, now and before the run (None where nothing was read twice)."""

    verdict: Verdict
    symbol: str
    word: str
    meaning: str
    number: int
    before: int | None


@dataclasses.dataclass(frozen=True, kw_only=True)
class ServerRow:
    """A row of the matrix. Each cell is its lines."""

    host: HostJudgement
    server: tuple[str, ...]
    verdict: tuple[str, ...]
    product: tuple[str, ...]
    dotnet: tuple[str, ...]
    opt_outs: tuple[str, ...]
    certificate: tuple[str, ...]
    failures: tuple[str, ...]
    changed: tuple[str, ...]

    @property
    def cells(self) -> tuple[tuple[str, ...], ...]:
        return (self.product, self.dotnet, self.opt_outs, self.certificate, self.failures, self.changed)


@dataclasses.dataclass(frozen=True, kw_only=True)
class ServerGroup:
    """A pool with its servers. ``notes``: how it is known, its Edge pool, who was not read."""

    title: str
    notes: tuple[str, ...]
    verdict: Verdict
    rows: tuple[ServerRow, ...]


@dataclasses.dataclass(frozen=True, kw_only=True)
class ChangeRow:
    """One planned host: what was or would be written, and how it ended (None: not carried out)."""

    host: str
    verdicts: str
    changes: tuple[tuple[str, str, str], ...]
    steps: tuple[str, ...]
    result: str | None
    message: str


@dataclasses.dataclass(frozen=True, kw_only=True)
class ExpiryRow:
    when: str
    days: int
    host: str
    use: str
    until: str
    subject: str
    issuer: str


def verdict_table(report: Report) -> tuple[Count, ...]:
    """The six verdicts, worst first."""
    before = verdict_counts(report.before) if report.after else None
    return tuple(
        Count(
            verdict=verdict,
            symbol=SYMBOL[verdict],
            word=WORD[verdict],
            meaning=MEANING[verdict],
            number=report.counts.get(verdict, 0),
            before=before[verdict] if before else None,
        )
        for verdict in ORDER
    )


def server_groups(report: Report) -> tuple[ServerGroup, ...]:
    """The matrix: a group a pool, and one for the servers that are in none."""
    judgement = report.latest
    hosts = {host.name: host for host in judgement.hosts}
    by_any_name = {name.lower(): host.name for host in judgement.hosts for name in (host.full_name, host.name)}
    unread = {item.host for item in judgement.findings if item.id == NOT_ASSESSED}
    waived = frozenset(report.waived_hosts)
    old = {host.name: host.verdict for host in report.before.hosts} if report.after else {}
    changed = _changed(report)
    grouped: set[str] = set()
    groups = []
    for pool in judgement.pools:
        known = dict.fromkeys((*pool.members, *(by_any_name.get(name.lower(), "") for name in pool.missing)))
        names = [name for name in known if name and name not in grouped]
        grouped.update(names)
        rows = tuple(_server(hosts[name], old, changed, unread, waived) for name in names)
        title = f"{ROLE[pool.role]} pool {pool.name}"
        groups.append(ServerGroup(title=title, notes=_pool_notes(pool), verdict=pool.verdict, rows=rows))
    rest = [host for host in judgement.hosts if host.name not in grouped]
    if rest:
        rows = tuple(_server(host, old, changed, unread, waived) for host in rest)
        verdict = worst(host.verdict for host in rest)
        groups.append(ServerGroup(title="Servers in no pool", notes=(), verdict=verdict, rows=rows))
    return tuple(groups)


def _pool_notes(pool: PoolJudgement) -> tuple[str, ...]:
    notes = []
    if pool.role == "front_end":
        names = ", ".join(pool.edge_pools) or ("none" if pool.edge_source != ASSUMED else "not known")
        known = "" if pool.edge_source in (INVENTORY, None) else f" ({pool.edge_source})"
        notes.append(f"Edge pool: {names}{known}")
    if pool.paired_pool:
        notes.append(f"paired with {pool.paired_pool}")
    if pool.source != INVENTORY:
        notes.append(f"pool known: {pool.source}")
    if pool.missing:
        notes.append(f"not read: {', '.join(pool.missing)}")
    return tuple(notes)


def _server(
    host: HostJudgement,
    old: t.Mapping[str, Verdict],
    changed: t.Mapping[str, tuple[str, ...]],
    unread: t.Collection[str | None],
    waived: t.Collection[str],
) -> ServerRow:
    before = old.get(host.name, host.verdict)
    lines = [f"{WORD[before]} → {WORD[host.verdict]}"] if before != host.verdict else []
    return ServerRow(
        host=host,
        server=_identity(host),
        verdict=(*(("waived",) if host.name in waived else ()), *_reason(host, unread)),
        product=_product(host),
        dotnet=_dotnet(host),
        opt_outs=_opt_outs(host),
        certificate=_certificate(host),
        failures=_failures(host),
        changed=(*lines, *changed.get(host.name, ())) or ("nothing",),
    )


def _reason(host: HostJudgement, unread: t.Collection[str | None]) -> tuple[str, ...]:
    """Why, where no connection says it."""
    if host.name in unread:
        return ("why: see Not assessed below",)
    return (host.reason,) if host.role not in ("front_end", "edge") else ()


def _identity(host: HostJudgement) -> tuple[str, ...]:
    lines = [] if host.role in ("front_end", "edge") else [ROLE[host.role]]
    if host.full_name.lower() != host.name.lower():
        lines.append(host.full_name)
    if not host.in_run:
        seen = f"saved evidence of {host.evidence_utc[:10]}" if host.evidence_utc else "no evidence"
        lines.append(f"outside this run: {seen}")
    return tuple(lines)


def _product(host: HostJudgement) -> tuple[str, ...]:
    lines = [f"{host.product} {host.version or ''}".strip()] if host.product else []
    if host.os_build is not None:
        name = next((os.name for os in knowledge.operating_systems() if os.build == host.os_build), "Windows")
        lines.append(f"{name}, build {host.os_build}")
    return tuple(lines) or ("–",)


def _dotnet(host: HostJudgement) -> tuple[str, ...]:
    if host.dotnet is None:
        return ("–",)
    version = f".NET {host.dotnet.version}" if host.dotnet.version else ".NET before 4.5"
    loaded = () if host.dotnet.loaded else ("not loaded yet: from the next restart on",)
    return (version, _CHECK.get(host.dotnet.check, host.dotnet.check), *loaded)


def _opt_outs(host: HostJudgement) -> tuple[str, ...]:
    if host.role != "front_end":
        return ("–",)
    lines = [
        f"{_OPT_OUT.get(o.id, o.id)}: {'in effect' if o.in_effect else 'not proven to be in effect'}"
        for o in host.opt_outs
    ]
    if host.wrong_overrides:
        lines.append(f"{counted(len(host.wrong_overrides), 'override')} that .NET does not read")
    if host.restart_pending:
        lines.append("restart pending")
    return tuple(lines) or ("none",)


def _certificate(host: HostJudgement) -> tuple[str, ...]:
    held = host.certificate
    if held is None:
        return ("–",)
    lines = [f"{held.use}: {USAGE.get(held.usage, held.usage)}", f"{ends(held.days_left)} ({held.not_after_utc[:10]})"]
    lines.append(f"by {held.issuer}")
    if held.template:
        lines.append(f"template {held.template}")
    lines.append(held.thumbprint)
    if held.pending:
        lines.append(f"assigned, not yet picked up: {held.pending}")
    return tuple(lines)


def ends(days: int) -> str:
    return f"ended {counted(-days, 'day')} ago" if days < 0 else f"{counted(days, 'day')} left"


def _failures(host: HostJudgement) -> tuple[str, ...]:
    if host.process_started_utc is None and not (host.failures_since_start or host.failures_older):
        return ("–",)
    lines = [str(host.failures_since_start)]
    if host.failures_older:
        lines.append(f"{host.failures_older} older")
    return tuple(lines)


def _changed(report: Report) -> dict[str, tuple[str, ...]]:
    """What this run did to each host, or would do, in a few words."""
    if report.plan is None:
        return {}
    results = {result.host: result.result for result in report.results}
    found = {}
    for host in report.plan.hosts:
        would = report.check_mode or host.host not in results
        lines = [("would: " if would else "") + step for step in _steps(host)]
        found[host.host] = (*lines, *([f"result: {results[host.host]}"] if host.host in results else []))
    for refusal in report.plan.refused:
        found[refusal.host] = (*found.get(refusal.host, ()), f"not changed: {refusal.reason}")
    return found


def _steps(host: HostPlan) -> tuple[str, ...]:
    steps = list(dict.fromkeys(change.reason for change in host.changes))
    if host.clear:
        steps.append("old records removed")
    if host.restart:
        steps.append("restart of RTCDATAMCU" + (" later" if host.wave is None else f" in wave {host.wave + 1}"))
    return tuple(steps)


def change_rows(report: Report) -> tuple[ChangeRow, ...]:
    """Before and after of each planned host."""
    if report.plan is None:
        return ()
    results = {result.host: result for result in report.results}
    rows = []
    for host in report.plan.hosts:
        result = results.get(host.host)
        old, new = report.before.host(host.host), report.latest.host(host.host)
        verdicts = dict.fromkeys(WORD[judged.verdict] for judged in (old, new) if judged)
        changes = tuple(
            (
                f"HKLM\\{change.path}{' (32-bit view)' if change.view == '32' else ''}, value {change.name}",
                str(change.expect),
                str(change.write),
            )
            for change in host.changes
        )
        rows.append(
            ChangeRow(
                host=host.host,
                verdicts=" → ".join(verdicts),
                changes=changes,
                steps=_steps(host),
                result=result.result if result else None,
                message=result.message if result else host.note,
            )
        )
    return tuple(rows)


def moved(report: Report) -> tuple[tuple[str, str], ...]:
    """Servers whose verdict changed from the first reading to the second, beside those of the plan: a peer may become well too."""
    if report.after is None:
        return ()
    planned = {host.host for host in report.plan.hosts} if report.plan else set()
    pairs = ((host, report.before.host(host.name)) for host in report.after.hosts if host.name not in planned)
    return tuple(
        (host.name, f"{WORD[old.verdict]} → {WORD[host.verdict]}")
        for host, old in pairs
        if old and old.verdict != host.verdict
    )


def expiry_rows(judgement: Judgement) -> tuple[ExpiryRow, ...]:
    """All judged certificates, the next to end first."""
    rows = []
    for host in judgement.hosts:
        held = host.certificate
        if held is None or not held.not_after_utc:
            continue
        when = "ended" if held.days_left < 0 else f"within {SOON_DAYS} days"
        if held.days_left >= SOON_DAYS:
            when = f"within {LATER_DAYS} days" if held.days_left < LATER_DAYS else "later"
        rows.append(
            ExpiryRow(
                when=when,
                days=held.days_left,
                host=host.name,
                use=held.use,
                until=held.not_after_utc,
                subject=held.subject,
                issuer=held.issuer,
            )
        )
    return tuple(sorted(rows, key=lambda row: (row.days, row.host)))


def prospects(judgement: Judgement) -> tuple[tuple[str, tuple[str, ...]], ...]:
    """What will break without anybody doing wrong: a sentence, and the servers it is about."""
    latent = tuple(h.name for h in judgement.hosts if h.verdict == "latent" and h.role == "front_end")
    found = (
        ("The next .NET update turns the check on, and connections break:", latent),
        ("The next restart of Web Conferencing turns the check on:", _hosts(judgement, _NOT_LOADED)),
        ("The next renewal by a public CA loses clientAuth:", _hosts(judgement, _RENEWAL)),
    )
    return tuple((sentence, names) for sentence, names in found if names)


def _hosts(judgement: Judgement, identifier: str) -> tuple[str, ...]:
    return tuple(item.host for item in judgement.findings if item.id == identifier and item.host)


def finding_groups(report: Report) -> tuple[tuple[Finding, ...], ...]:
    """The findings of the servers of this run, those of one kind together, worst first."""
    groups: dict[str, list[Finding]] = {}
    for item in findings_of_run(report):
        groups.setdefault(item.id, []).append(item)
    return tuple(tuple(items) for items in groups.values())


def durations(judgement: Judgement) -> str | None:
    """How long the reading of a server took, in words; None where the report does not know."""
    known = sorted((h.duration_ms, h.name) for h in judgement.hosts if h.in_run and h.duration_ms is not None)
    if not known:
        return None
    middle = statistics.median(milliseconds for milliseconds, _name in known)
    slowest, name = known[-1]
    return f"median {middle / 1000:.1f} s, longest {slowest / 1000:.1f} s ({name})"
