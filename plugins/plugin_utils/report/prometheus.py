# Copyright (c) 2026, the sfb.kb4023993 contributors
# GNU General Public License v3.0-or-later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The report in the text format of Prometheus, for the textfile collector of the node exporter. Pure: the same report gives the same text.

All metrics are gauges of the last run. Alert on the age of the run as well: no run is no good news.
"""

from __future__ import annotations

import typing as t

from ..rules.times import parse_time
from ..words import one_line
from .document import Report, findings_of_run, waived_counts

_PREFIX: t.Final = "sfb_kb4023993_"
_Labels = tuple[tuple[str, str], ...]


def report_prometheus(report: Report) -> str:
    """The whole report. No series is there twice, which the collector would refuse."""
    latest = report.latest
    verdicts = {_labels(verdict=verdict): count for verdict, count in report.counts.items()}
    hosts = {_labels(server=h.name, role=h.role, pool=h.pool, verdict=h.verdict): 1 for h in latest.hosts if h.in_run}
    findings = {
        _labels(
            id=item.id,
            severity=item.severity,
            server=item.host,
            pool=item.pool,
            waived="true" if item.waiver else "false",
        ): 1
        for item in findings_of_run(report)
    }
    waived = {_labels(verdict=verdict): count for verdict, count in waived_counts(report).items()}
    waivers = {
        _labels(id=use.waiver.finding, server=use.waiver.host, pool=use.waiver.pool, owner=use.waiver.owner): _seconds(
            f"{use.waiver.expires}T23:59:59Z"
        )
        for use in report.waivers
    }
    changes = {_labels(change=kind): count for kind, count in (report.since.counts if report.since else {}).items()}
    connections = {
        _labels(validator=c.validator, peer=c.peer, kind=c.kind, verdict=c.verdict): 1 for c in latest.connections
    }
    expiry = {
        _labels(server=host.name, use=host.certificate.use): _seconds(host.certificate.not_after_utc)
        for host in latest.hosts
        if host.certificate
    }
    read = {_labels(server=host.name): _seconds(host.evidence_utc) for host in latest.hosts}
    version = {_labels(version=latest.collection_version, playbook=report.playbook): 1}
    parts = (
        _metric("info", "Version of the collection and playbook of the run.", version),
        _metric("run_timestamp_seconds", "When the run was judged.", {(): _seconds(latest.judged_utc)}),
        _metric("servers", "Servers of the run by verdict.", verdicts),
        _metric("servers_waived", "Servers of the run by verdict, of which the verdict is waived.", waived),
        _metric("server_verdict", "The verdict of a server of the run, always 1.", hosts),
        _metric("finding", "A finding on a server of the run, always 1.", findings),
        _metric("connection_verdict", "The verdict of a connection from a Front End to a peer, always 1.", connections),
        _metric("certificate_expiry_timestamp_seconds", "End of the judged certificate of a server.", expiry),
        _metric("evidence_timestamp_seconds", "When a server was last read.", read),
        _metric("waiver_expiry_timestamp_seconds", "End of a waiver.", waivers),
        _metric("changes", "What changed since the last run over the same servers.", changes),
    )
    return "".join(parts)


def _seconds(time_utc: str | None) -> int | None:
    moment = parse_time(time_utc)
    return int(moment.timestamp()) if moment else None


def _labels(**values: str | None) -> _Labels:
    return tuple((name, one_line(value or "", 200)) for name, value in values.items())


def _metric(name: str, text: str, samples: t.Mapping[_Labels, int | None]) -> str:
    """One metric with its samples; those without a value are left out."""
    lines = [f"# HELP {_PREFIX}{name} {text}", f"# TYPE {_PREFIX}{name} gauge"]
    for labels, value in samples.items():
        if value is not None:
            written = ",".join(f'{label}="{_escaped(content)}"' for label, content in labels)
            lines.append(f"{_PREFIX}{name}{{{written}}} {value}" if written else f"{_PREFIX}{name} {value}")
    return "\n".join(lines) + "\n"


def _escaped(text: str) -> str:
    # A line feed would be the third; one_line left none.
    return text.replace("\\", "\\\\").replace('"', '\\"')
