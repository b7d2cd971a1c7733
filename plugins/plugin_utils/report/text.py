# Copyright (c) 2026, the sfb.kb4023993 contributors
# GNU General Public License v3.0-or-later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The report as plain text, for a terminal, an AWX job and a ticket. Pure: the same report gives the same text."""

from __future__ import annotations

import textwrap
import typing as t

from ..findings import Finding, HostJudgement, PoolJudgement
from ..host_plan import HostPlan
from ..rules.pools import ASSUMED, INVENTORY
from ..rules.verdict import ORDER
from ..waivers import waiver_words
from ..words import one_line
from .certificates import certificates_text
from .document import PAGES, Report, saved_note
from .marks import MEANING, ROLE, USAGE, check_words, opt_out_words
from .parts import Part, since_parts, since_sentence, since_title, waiver_parts

_WIDTH: t.Final = 118
_EVIDENCE_LINES: t.Final = 4
_HOSTS: t.Final = 25


def report_text(report: Report) -> str:
    """The whole report."""
    parts = [_heading(report), _table(report)]
    if report.plan is not None:
        parts.append(_plan(report))
    if report.renewal is not None:
        parts.append(certificates_text(report.renewal))
    if report.since is not None:
        parts.append(parts_text(since_title(report.since), since_sentence(report.since), since_parts(report.since)))
    parts.extend([_findings(report), _not_assessed(report)])
    if report.waivers:
        parts.append(parts_text("Waivers", "", waiver_parts(report.waivers)))
    parts.append(_foot(report))
    return "\n\n".join(part for part in parts if part) + "\n"


def parts_text(title: str, sentence: str, parts: t.Sequence[Part]) -> str:
    """A section of headings with lines."""
    lines = [title, *([_wrapped("  ", one_line(sentence, 900))] if sentence else [])]
    for part in parts:
        lines.append(f"  {part.title}")
        lines.extend(_wrapped("    ", one_line(line, 900)) for line in part.lines)
    return "\n".join(lines)


def _heading(report: Report) -> str:
    lines = [line for line in (report.sentence, saved_note(report)) if line]
    if report.after is not None:
        lines.append(f"Before this run: {_counts(report.before.hosts)}")
        lines.append(f"After this run:  {_counts(report.after.hosts)}")
    return "\n".join(lines)


def _counts(hosts: t.Sequence[HostJudgement]) -> str:
    in_run = [host.verdict for host in hosts if host.in_run]
    return ", ".join(f"{in_run.count(verdict)} {verdict}" for verdict in ORDER if verdict in in_run) or "no servers"


def _table(report: Report) -> str:
    judgement = report.latest
    if not judgement.hosts:
        return ""
    old = {host.name: host.verdict for host in report.before.hosts} if report.after else {}
    header = ("SERVER", "ROLE", "PRODUCT", "CERTIFICATE", "CHECK IN .NET", "OPT-OUT", "VERDICT")
    blocks: list[tuple[str, list[tuple[str, ...]]]] = []
    grouped: set[str] = set()
    for pool in judgement.pools:
        members = [host for host in judgement.hosts if host.name in pool.members]
        grouped.update(pool.members)
        blocks.append((_pool_title(pool), [_row(host, old, report.waived_hosts) for host in members]))
    rest = [host for host in judgement.hosts if host.name not in grouped]
    if rest:
        blocks.append(("Other servers", [_row(host, old, report.waived_hosts) for host in rest]))
    widths = [max(len(row[i]) for _title, rows in blocks for row in (header, *rows)) for i in range(len(header))]
    lines = [_columns(header, widths)]
    for title, rows in blocks:
        lines.append(
            textwrap.fill(title, _WIDTH, subsequent_indent="  ", break_long_words=False, break_on_hyphens=False)
        )
        lines.extend(_columns(row, widths) for row in rows)
    used = [verdict for verdict in ORDER if any(host.verdict == verdict for host in judgement.hosts)]
    lines.append("")
    lines.extend(f"  {verdict:<14} {MEANING[verdict]}" for verdict in used)
    return "\n".join(lines)


def _pool_title(pool: PoolJudgement) -> str:
    """The pool in words; how it is known is said where that is not the inventory."""
    parts = [f"{ROLE[pool.role]} pool {one_line(pool.name)}"]
    if pool.source != INVENTORY:
        parts[0] += f" ({pool.source})"
    if pool.role == "front_end":
        names = ", ".join(map(one_line, pool.edge_pools)) or ("none" if pool.edge_source != ASSUMED else "not known")
        known = "" if pool.edge_source == INVENTORY else f" ({pool.edge_source})"
        parts.append(f"Edge pool {names}{known}")
    if pool.missing:
        parts.append(f"not read: {', '.join(map(one_line, pool.missing))}")
    return ", ".join(parts)


def _columns(cells: t.Sequence[str], widths: t.Sequence[int]) -> str:
    return "  " + "  ".join(cell.ljust(width) for cell, width in zip(cells, widths, strict=True)).rstrip()


def _row(host: HostJudgement, old: t.Mapping[str, str], waived: t.Collection[str]) -> tuple[str, ...]:
    certificate = host.certificate
    verdict: str = host.verdict
    if old.get(host.name, verdict) != verdict:
        verdict = f"{verdict} (was {old[host.name]})"
    if host.name in waived:
        verdict += ", waived"
    if not host.in_run:
        verdict += f" (saved evidence of {host.evidence_utc[:10]})" if host.evidence_utc else " (outside this run)"
    return (
        one_line(host.name, 40),
        ROLE[host.role],
        one_line(host.product or "-", 34),
        f"{USAGE[certificate.usage]}, {certificate.days_left} days left" if certificate else "-",
        check_words(host),
        opt_out_words(host),
        verdict,
    )


def _plan(report: Report) -> str:
    plan = report.plan
    if plan is None or not (plan.hosts or plan.refused or plan.notes):
        return "Plan: nothing has to be changed."
    done = {result.host: result for result in report.results}
    lines = ["Plan (check mode: nothing was changed):" if report.check_mode else "What was done:"]
    lines.extend(_wrapped("  WARNING: ", one_line(warning, 1200)) for warning in plan.warnings)
    for host in plan.hosts:
        result = done.get(host.host)
        state = f"{result.result.upper()}: {one_line(result.message, 300)}" if result else _steps(host)
        lines.append(_wrapped(f"  {one_line(host.host)}: ", state))
        if result:
            lines.append(_wrapped("    ", _steps(host)))
    lines.extend(
        _wrapped(f"  {one_line(refusal.host)}: ", f"not changed: {one_line(refusal.reason, 600)}.")
        for refusal in plan.refused
    )
    lines.extend(_wrapped("  ", one_line(note, 600)) for note in plan.notes)
    if report.plan_sha256:
        lines.append(f"  SHA-256 of the plan file: {report.plan_sha256}")
    return "\n".join(lines)


def _steps(host: HostPlan) -> str:
    steps = [
        f"{change.reason}: HKLM\\{change.path}{' (32-bit view)' if change.view == '32' else ''}, value {one_line(change.name, 200)}: "
        f"{one_line(str(change.expect))} -> {change.write}"
        for change in host.changes
    ]
    if host.restart:
        steps.append("restart of RTCDATAMCU" + (" later" if host.wave is None else f" in wave {host.wave + 1}"))
    if host.note:
        steps.append(host.note)
    return "; ".join(steps) or "old records removed"


def _findings(report: Report) -> str:
    groups: dict[str, list[Finding]] = {}
    in_run = {host.name for host in report.latest.hosts if host.in_run}
    for item in report.latest.findings:
        if item.id != "KB4023993-NOT-ASSESSED" and (item.host in in_run or item.host is None):
            groups.setdefault(item.id, []).append(item)
    if not groups:
        return "Findings: none." if report.counts["compliant"] else ""
    lines = ["Findings"]
    for identifier, items in groups.items():
        lines.append(f"  {items[0].severity.upper():<8} {identifier}: {items[0].title}")
        for item in items[:_HOSTS]:
            first, *more = item.evidence[:_EVIDENCE_LINES] or ("",)
            lines.append(_wrapped(f"    {one_line(item.host or item.pool or '', 60)}: ", one_line(first, 400)))
            lines.extend(_wrapped("      ", one_line(line, 400)) for line in more)
            if item.waiver is not None:
                lines.append(_wrapped("      WAIVED: ", one_line(waiver_words(item.waiver), 900)))
            if len(item.evidence) > _EVIDENCE_LINES:
                lines.append(f"      and {len(item.evidence) - _EVIDENCE_LINES} more lines in the JSON report")
        if len(items) > _HOSTS:
            lines.append(f"    and {len(items) - _HOSTS} more servers in the JSON report")
        lines.append(_wrapped("    Next: ", items[0].next_step))
    return "\n".join(lines)


def _not_assessed(report: Report) -> str:
    lines = [
        _wrapped(
            f"  {one_line(item.host or '')}: ",
            one_line(f"{_waived(item)}{' '.join(item.evidence)[:600]} {item.next_step}", 1600),
        )
        for item in report.latest.findings
        if item.id == "KB4023993-NOT-ASSESSED"
    ]
    return "\n".join(["Not assessed", *lines]) if lines else ""


def _waived(item: Finding) -> str:
    return f"WAIVED: {waiver_words(item.waiver)}: " if item.waiver else ""


def _foot(report: Report) -> str:
    latest = report.latest
    run = f"Run {latest.run_id}, judged at {latest.judged_utc}, sfb.kb4023993 {latest.collection_version}."
    return f"{PAGES}\n{run}" if latest.findings else run


def _wrapped(prefix: str, text: str) -> str:
    indent = " " * (len(prefix) - len(prefix.lstrip()) + 2)
    return textwrap.fill(
        prefix + text,
        _WIDTH,
        subsequent_indent=indent,
        break_long_words=False,
        break_on_hyphens=False,
        drop_whitespace=True,
    )
