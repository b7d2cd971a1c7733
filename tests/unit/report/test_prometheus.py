# Copyright (c) 2026, the sfb.kb4023993 contributors
# GNU General Public License v3.0-or-later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The metrics, read by the parser of Prometheus' own client library."""

from __future__ import annotations

import dataclasses

import pytest
from ansible_collections.sfb.kb4023993.plugins.plugin_utils.report.document import Report
from ansible_collections.sfb.kb4023993.plugins.plugin_utils.report.prometheus import report_prometheus
from builders import reports as r
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client.parser import text_string_to_metric_families

Series = tuple[tuple[str, str], ...]


def metrics(report: Report) -> dict[str, dict[Series, float]]:
    """Values by metric and labels; a series that is there twice fails, as it does in the collector."""
    found: dict[str, dict[Series, float]] = {}
    for family in text_string_to_metric_families(report_prometheus(report)):
        assert (family.type, bool(family.documentation)) == ("gauge", True)
        assert family.name not in found
        series = found.setdefault(family.name.removeprefix("sfb_kb4023993_"), {})
        for sample in family.samples:
            labels = tuple(sample.labels.items())
            assert labels not in series
            assert sample.timestamp is None
            series[labels] = sample.value
    return found


def test_the_servers_are_counted_by_verdict() -> None:
    found = metrics(r.audit())["servers"]
    assert {dict(labels)["verdict"]: value for labels, value in found.items()} == r.audit().counts


def test_findings_name_server_pool_and_severity() -> None:
    labels = {
        "id": "KB4023993-CONNECTION-BROKEN",
        "severity": "critical",
        "server": "fe01",
        "pool": "pool01.contoso.example",
        "waived": "false",
    }
    assert metrics(r.audit())["finding"][tuple(labels.items())] == 1


def test_connections_are_there_by_pair_with_their_verdict() -> None:
    report = r.audit()
    found = [dict(labels) for labels in metrics(report)["connection_verdict"]]
    assert [(c["validator"], c["peer"], c["kind"], c["verdict"]) for c in found] == [
        (c.validator, c.peer, c.kind, c.verdict) for c in report.before.connections
    ]
    assert {"validator": "fe01", "peer": "edge01", "kind": "edge", "verdict": "broken"} in found


def test_times_are_seconds_of_unix() -> None:
    found = metrics(r.audit())
    # 2026-03-08T12:00:10Z, 2028-06-01T00:00:00Z, 2026-03-08T12:00:05Z
    assert found["run_timestamp_seconds"] == {(): 1772971210}
    assert found["certificate_expiry_timestamp_seconds"][("server", "edge01"), ("use", "Internal")] == 1843430400
    assert found["evidence_timestamp_seconds"][(("server", "fe01"),)] == 1772971205
    # Nothing is known of a server that was never read.
    assert not [labels for labels in found["evidence_timestamp_seconds"] if ("server", "fe05") in labels]


def test_the_version_is_a_label() -> None:
    assert metrics(r.remediation())["info"] == {(("version", "0.0.0"), ("playbook", "remediate")): 1}


@pytest.mark.parametrize("attack", r.ATTACKS)
def test_a_hostile_name_adds_no_series(attack: str) -> None:
    hostile, benign = metrics(r.hostile(r.ATTACKS[attack])), metrics(r.hostile("benign"))
    assert {name: list(series.values()) for name, series in hostile.items()} == {
        name: list(series.values()) for name, series in benign.items()
    }
    assert all(value.isprintable() for series in hostile.values() for labels in series for _name, value in labels)


def test_names_that_look_the_same_are_one_series() -> None:
    report = r.audit()
    host = next(host for host in report.before.hosts if host.certificate)
    twins = tuple(dataclasses.replace(host, name=name) for name in ("fe\x01", "fe\x02"))
    metrics(dataclasses.replace(report, before=dataclasses.replace(report.before, hosts=twins)))


def test_a_megabyte_of_name_stays_a_bounded_file() -> None:
    assert len(report_prometheus(r.hostile("x" * 1_000_000))) < 50_000


@given(st.text())
def test_any_name_gives_metrics_that_can_be_read(name: str) -> None:
    report = r.audit()
    host = dataclasses.replace(report.before.hosts[1], name=name, pool=name)
    renamed = dataclasses.replace(report, before=dataclasses.replace(report.before, hosts=(host,), findings=()))
    assert len(metrics(renamed)["server_verdict"]) == 1
