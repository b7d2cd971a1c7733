# Copyright (c) 2026, the sfb.kb4023993 contributors
# GNU General Public License v3.0-or-later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The report as Markdown, for tickets, merge requests and wikis. Pure: the same report gives the same text.

CommonMark with the tables of GitHub. Whatever comes from a server or an inventory is text and nothing else: no table cell, link, image,
HTML or mention of a person can come out of it.
"""

from __future__ import annotations

import re
import typing as t

from ..findings import ConnectionJudgement, Finding, HostJudgement
from ..rules.verdict import ORDER
from ..waivers import waiver_words
from ..words import counted, one_line
from .certificates import certificate_parts
from .document import PAGES, Report, findings_of_run, saved_note
from .marks import USAGE, check_words, opt_out_words
from .parts import Part, since_parts, since_sentence, since_title, waiver_parts

# A ticket has a limit (GitHub 65536 characters, GitLab 1000000); the JSON report has everything.
_SERVERS: t.Final = 200
_CONNECTIONS: t.Final = 60
_PER_FINDING: t.Final = 10
_EVIDENCE_LINES: t.Final = 3
_CELL: t.Final = 120
_LINE: t.Final = 300
_MARK: t.Final = {
    "broken": "❌",
    "not_assessed": "❔",
    "latent": "⚠️",
    "mitigated": "🔶",
    "compliant": "✅",
    "not_applicable": "➖",
}
_ENTITY: t.Final = {"<": "&lt;", ">": "&gt;", "&": "&amp;", "|": "&#124;"}
# What means something inside a line; an underscore between letters does not.
_SPECIAL: t.Final = re.compile(
    r"[\\`*\[\]~$<>&|]|(?<![A-Za-z0-9])_|_(?![A-Za-z0-9])|://|www\.|(?<![A-Za-z0-9])@(?=\w)", re.IGNORECASE
)
# What means something at the beginning of a line or of a list item.
_BEGINS_BLOCK: t.Final = re.compile(r"(\d*)([#+=.)-])")


def report_markdown(report: Report) -> str:
    """The whole report."""
    findings = findings_of_run(report)
    parts = [
        f"# {_text(report.sentence)}",
        _text(saved_note(report)),
        _counts(report),
        "## Servers",
        _servers(report),
        *_connections(report),
        *_plan(report),
        *(["## Certificates", *parts_markdown(certificate_parts(report.renewal))] if report.renewal else []),
        *_since(report),
        *_findings([item for item in findings if item.id != "KB4023993-NOT-ASSESSED"]),
        *_not_assessed([item for item in findings if item.id == "KB4023993-NOT-ASSESSED"]),
        *(["## Waivers", *parts_markdown(waiver_parts(report.waivers))] if report.waivers else []),
        *([_text(PAGES)] if report.latest.findings else []),
        _text(
            f"Run {report.latest.run_id}, judged at {report.latest.judged_utc}, "
            f"sfb.kb4023993 {report.latest.collection_version}."
        ),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def parts_markdown(parts: t.Sequence[Part], *, level: int = 3) -> t.Iterator[str]:
    """Headings with lists below."""
    for part in parts:
        yield f"{'#' * level} {_text(part.title)}"
        yield "\n".join(f"- {_text(line, 900)}" for line in part.lines)


def heading_markdown(title: str, sentence: str, *, level: int) -> t.Iterator[str]:
    yield f"{'#' * level} {_text(title)}"
    yield _text(sentence, 900)


def _since(report: Report) -> t.Iterator[str]:
    if report.since is not None:
        yield from heading_markdown(since_title(report.since), since_sentence(report.since), level=2)
        yield from parts_markdown(since_parts(report.since))


def _text(text: str, limit: int = _LINE) -> str:
    """Text from anywhere as one line that Markdown shows as it is."""
    written = _SPECIAL.sub(lambda match: _escape(match.group()), one_line(text, limit).strip())
    return f"{block[1]}\\{written[block.end(1) :]}" if (block := _BEGINS_BLOCK.match(written)) else written


def _escape(found: str) -> str:
    if found == "@":
        # Platforms look for mentions in the rendered text, where an entity would be no help.
        return "@\u200b"
    if found == "://":
        return "&#58;//"
    if len(found) > 1:
        return f"{found[:-1]}&#46;"
    return _ENTITY.get(found, f"\\{found}")


def _table(header: t.Sequence[str], rows: t.Iterable[t.Sequence[str]]) -> str:
    """A table; the cells are escaped already."""
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


def _verdict(verdict: str) -> str:
    """The verdict as a word, with a picture before it."""
    return f"{_MARK[verdict]} {_text(verdict)}"


def _counts(report: Report) -> str:
    used = [verdict for verdict in ORDER if report.counts[verdict]]
    header, row = [_verdict(verdict) for verdict in used], [str(report.counts[verdict]) for verdict in used]
    if report.after is None or not used:
        return _table(header, [row]) if used else ""
    old = [host.verdict for host in report.before.hosts if host.in_run]
    used = [verdict for verdict in ORDER if report.counts[verdict] or verdict in old]
    rows = [
        ["before", *(str(old.count(verdict)) for verdict in used)],
        ["after", *(str(report.counts[verdict]) for verdict in used)],
    ]
    return _table(["", *(_verdict(verdict) for verdict in used)], rows)


def _servers(report: Report) -> str:
    hosts = sorted(report.latest.hosts, key=lambda host: (ORDER.index(host.verdict), host.pool or "", host.name))
    old = {host.name: host.verdict for host in report.before.hosts} if report.after else {}
    header = ["Server", "Pool", "Product", "Certificate", "Check in .NET", "Opt-out", "Verdict"]
    more = (
        f"\n\nAnd {counted(len(hosts) - _SERVERS, 'more server')} in the JSON report." if len(hosts) > _SERVERS else ""
    )
    return (
        _table(header, [_server(host, old, report.waived_hosts) for host in hosts[:_SERVERS]]) + more
        if hosts
        else "None."
    )


def _server(host: HostJudgement, old: t.Mapping[str, str], waived: t.Collection[str]) -> list[str]:
    certificate = host.certificate
    verdict = _verdict(host.verdict)
    if old.get(host.name, host.verdict) != host.verdict:
        verdict += f" (was {_text(old[host.name])})"
    if host.name in waived:
        verdict += ", waived"
    if not host.in_run:
        verdict += " (not in this run)"
    return [
        _text(host.name, _CELL),
        _text(host.pool or "-", _CELL),
        _text(host.product or "-", _CELL),
        f"{USAGE.get(certificate.usage, _text(certificate.usage))}, {certificate.days_left} days left"
        if certificate
        else "-",
        check_words(host),
        opt_out_words(host),
        verdict,
    ]


def _connections(report: Report) -> t.Iterator[str]:
    """The connections that are not in order."""
    bad = [c for c in report.latest.connections if c.verdict not in ("compliant", "not_applicable")]
    bad.sort(key=lambda c: (ORDER.index(c.verdict), c.validator, c.peer, c.kind))
    if not bad:
        return
    yield "## Connections that are not compliant"
    yield _table(["From", "To", "Verdict", "Why"], [_connection(c) for c in bad[:_CONNECTIONS]])
    if len(bad) > _CONNECTIONS:
        yield f"And {counted(len(bad) - _CONNECTIONS, 'more connection')} in the JSON report."


def _connection(connection: ConnectionJudgement) -> list[str]:
    ports = ", ".join(map(str, connection.ports))
    peer = _text(connection.peer, _CELL) or "an Edge that is not known"
    verdict = _verdict(connection.verdict) + (" (assumed)" if connection.assumed else "")
    return [_text(connection.validator, _CELL), f"{peer} ({ports})", verdict, _text(connection.reason)]


def _plan(report: Report) -> t.Iterator[str]:
    plan = report.plan
    if plan is None:
        return
    yield "## Plan (check mode: nothing was changed)" if report.check_mode else "## What was done"
    done = {result.host: f"{result.result}: {result.message}" for result in report.results}
    lines = [
        f"- {_text(host.host)}: {_text(done.get(host.host) or counted(len(host.changes), 'value') + ' to change')}"
        for host in plan.hosts
    ]
    lines += [f"- {_text(refusal.host)}: not changed: {_text(refusal.reason)}" for refusal in plan.refused]
    yield from (f"**Warning:** {_text(warning)}" for warning in plan.warnings)
    yield "\n".join(lines[:_SERVERS]) or "Nothing has to be changed."
    if report.plan_sha256:
        yield f"SHA-256 of the plan file: `{report.plan_sha256}`"


def _findings(findings: t.Sequence[Finding]) -> t.Iterator[str]:
    groups: dict[str, list[Finding]] = {}
    for item in findings:
        groups.setdefault(item.id, []).append(item)
    if groups:
        yield "## Findings"
    for identifier, items in groups.items():
        yield f"### {items[0].severity}: {_text(items[0].title)} (`{identifier}`)"
        yield "\n".join(_finding(item) for item in items[:_PER_FINDING])
        if len(items) > _PER_FINDING:
            yield f"And {counted(len(items) - _PER_FINDING, 'more server')} in the JSON report."
        yield f"**Next:** {_text(items[0].next_step)}"


def _finding(item: Finding) -> str:
    lines = [f"- {_text(item.host or item.pool or '')}"]
    lines += [f"  - {_text(line)}" for line in item.evidence[:_EVIDENCE_LINES]]
    if len(item.evidence) > _EVIDENCE_LINES:
        lines.append(f"  - and {counted(len(item.evidence) - _EVIDENCE_LINES, 'more line')} in the JSON report")
    if item.waiver is not None:
        lines.append(f"  - **{_text(waiver_words(item.waiver), 900)}**")
    return "\n".join(lines)


def _waived(item: Finding) -> str:
    return f" **{_text(waiver_words(item.waiver), 900)}**" if item.waiver else ""


def _not_assessed(findings: t.Sequence[Finding]) -> t.Iterator[str]:
    if findings:
        yield "## Not assessed"
        yield "\n".join(
            f"- {_text(item.host or '')}: {_text(' '.join(item.evidence), 600)} {_text(item.next_step)}{_waived(item)}"
            for item in findings[:_SERVERS]
        )
