# Copyright (c) 2026, the sfb.kb4023993 contributors
# GNU General Public License v3.0-or-later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The report as a table for Excel: one line a finding, a server without findings has one line. Pure: the same report gives the same text.

RFC 4180 with commas and CRLF, every text in quotation marks, and a byte order mark so that Excel takes it for UTF-8. A text that a
spreadsheet would take for a formula gets an apostrophe before it.
"""

from __future__ import annotations

import re
import typing as t
import unicodedata

from ..findings import Finding, HostJudgement
from ..words import one_line
from .document import Report, findings_of_run

# Excel cuts a cell after 32767 characters; nobody reads half of that.
_LONGEST: t.Final = 2000
_STARTS_FORMULA: t.Final = "=+-@"
# After these an Excel of another country, whose separator is not the comma, may begin a new cell.
_PARTS: t.Final = re.compile(r"(;\s*)")
_Cell = str | int | bool | None
COLUMNS: t.Final = (
    "server",
    "full_name",
    "role",
    "product",
    "version",
    "pool",
    "in_run",
    "evidence_utc",
    "verdict_before",
    "verdict",
    "verdict_waived",
    "reason",
    "certificate_use",
    "certificate_thumbprint",
    "certificate_subject",
    "certificate_issuer",
    "certificate_template",
    "certificate_usage",
    "certificate_not_after_utc",
    "certificate_days_left",
    "dotnet_version",
    "dotnet_check",
    "dotnet_check_loaded",
    "opt_outs",
    "opt_out_in_effect",
    "restart_pending",
    "failures_since_start",
    "result",
    "finding_id",
    "finding_severity",
    "finding_title",
    "finding_evidence",
    "finding_next_step",
    "finding_waived_until",
    "finding_waived_by",
    "finding_waiver_reason",
)


def report_csv(report: Report) -> str:
    """The whole report, with a byte order mark at its beginning."""
    old = {host.name: host.verdict for host in report.before.hosts} if report.after else {}
    results = {result.host: f"{result.result}: {result.message}" for result in report.results}
    by_host: dict[str | None, list[Finding | None]] = {}
    for item in findings_of_run(report):
        by_host.setdefault(item.host, []).append(item)
    rows: list[list[_Cell]] = [list(COLUMNS)]
    for host in report.latest.hosts:
        waived = host.name in report.waived_hosts
        cells = [*_host(host, old.get(host.name), waived=waived), results.get(host.name)]
        rows.extend([*cells, *_finding(item)] for item in by_host.get(host.name) or [None])
    blank: list[_Cell] = [None] * (COLUMNS.index("result") + 1)
    for item in (item for item in findings_of_run(report) if item.host is None):
        rows.append([*blank, *_finding(item)])
        rows[-1][COLUMNS.index("pool")] = item.pool
    return "\ufeff" + "".join(",".join(map(_written, row)) + "\r\n" for row in rows)


def _host(host: HostJudgement, old: str | None, *, waived: bool) -> list[_Cell]:
    certificate, dotnet = host.certificate, host.dotnet
    front_end = host.role == "front_end"
    return [
        host.name,
        host.full_name,
        host.role,
        host.product,
        host.version,
        host.pool,
        host.in_run,
        host.evidence_utc,
        old,
        host.verdict,
        waived,
        host.reason,
        *(
            (
                certificate.use,
                certificate.thumbprint,
                certificate.subject,
                certificate.issuer,
                certificate.template,
                certificate.usage,
                certificate.not_after_utc,
                certificate.days_left,
            )
            if certificate
            else (None,) * 8
        ),
        *((dotnet.version, dotnet.check, dotnet.loaded) if dotnet else (None,) * 3),
        " | ".join([*(o.where for o in host.opt_outs), *(f"wrong: {wrong}" for wrong in host.wrong_overrides)]),
        any(o.in_effect for o in host.opt_outs) if front_end else None,
        host.restart_pending if front_end else None,
        host.failures_since_start if front_end else None,
    ]


def _finding(item: Finding | None) -> list[_Cell]:
    if item is None:
        return [None] * 8
    waiver = item.waiver
    waived = (waiver.expires, waiver.owner, waiver.reason) if waiver else (None,) * 3
    return [item.id, item.severity, item.title, " | ".join(item.evidence), item.next_step, *waived]


def _written(cell: _Cell) -> str:
    if cell is None or cell == "":
        return ""
    if isinstance(cell, bool):
        return "yes" if cell else "no"
    if isinstance(cell, int):
        return str(cell)
    text = "".join(_defused(part) for part in _PARTS.split(one_line(cell, _LONGEST)))
    return '"' + text.replace('"', '""') + '"'


def _defused(text: str) -> str:
    """With an apostrophe before a character that begins a formula, also in its full-width form, which some versions take for the same."""
    first = text.lstrip(" \"'")[:1]
    return f"'{text}" if first and unicodedata.normalize("NFKC", first) in _STARTS_FORMULA else text
