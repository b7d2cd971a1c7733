# Copyright (c) 2026, the sfb.kb4023993 contributors
# GNU General Public License v3.0-or-later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The CSV is read by Python's own reader, and by what an Excel of another country makes of it; nothing in it becomes a formula."""

from __future__ import annotations

import csv
import dataclasses
import io
import typing as t
import unicodedata

import pytest
from ansible_collections.sfb.kb4023993.plugins.plugin_utils.report.csv import COLUMNS, report_csv
from ansible_collections.sfb.kb4023993.plugins.plugin_utils.report.document import Report
from builders import reports as r
from hypothesis import given
from hypothesis import strategies as st

BOM: t.Final = "\ufeff"


def rows(report: Report, delimiter: str = ",") -> list[list[str]]:
    text = report_csv(report)
    assert text.startswith(BOM)
    return list(csv.reader(io.StringIO(text.removeprefix(BOM), newline=""), delimiter=delimiter))


def table(report: Report) -> list[dict[str, str]]:
    header, *others = rows(report)
    return [dict(zip(header, row, strict=True)) for row in others]


def is_formula(cell: str) -> bool:
    first = cell.lstrip(' \t\r\n"')[:1]
    return bool(first) and unicodedata.normalize("NFKC", first) in "=+-@" and not cell.lstrip("-").isdigit()


def test_every_server_and_every_finding_of_the_run_has_its_line() -> None:
    report = r.audit()
    lines = table(report)
    assert {line["server"]: line["verdict"] for line in lines} == {h.name: h.verdict for h in report.before.hosts}
    found = [(line["server"], line["finding_id"]) for line in lines if line["finding_id"]]
    in_run = {host.name for host in report.before.hosts if host.in_run}
    assert sorted(found) == sorted((str(item.host), item.id) for item in report.before.findings if item.host in in_run)
    assert [line["finding_id"] for line in lines if line["server"] == "fe03"] == [""]


def test_a_line_says_what_a_filter_needs() -> None:
    line = next(line for line in table(r.audit()) if line["finding_id"] == "KB4023993-CONNECTION-BROKEN")
    assert line["server"] == "fe01"
    assert line["pool"] == "pool01.contoso.example"
    assert (line["certificate_usage"], line["certificate_days_left"], line["in_run"]) == ("bad", "815", "yes")
    assert (line["finding_severity"], line["dotnet_check"]) == ("critical", "present")
    assert "to edge01 (8057)" in line["finding_evidence"]


def test_a_change_shows_before_after_and_result() -> None:
    lines = {line["server"]: line for line in table(r.remediation())}
    assert (lines["fe01"]["verdict_before"], lines["fe01"]["verdict"]) == ("broken", "mitigated")
    assert lines["fe01"]["result"] == "done: Verified."
    assert lines["fe02"]["result"] == "failed: Stuck."


def test_the_lines_end_as_rfc_4180_says_and_excel_knows_the_encoding() -> None:
    text = report_csv(r.audit())
    assert text.encode("utf-8").startswith(b"\xef\xbb\xbf")
    assert text.count("\r\n") == text.count("\n") == len(rows(r.audit()))


@pytest.mark.parametrize("attack", r.ATTACKS)
@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_no_cell_begins_a_formula(attack: str, delimiter: str) -> None:
    cells = [cell for row in rows(r.hostile(r.ATTACKS[attack]), delimiter) for cell in row]
    assert [cell for cell in cells if is_formula(cell)] == []


@pytest.mark.parametrize("attack", r.ATTACKS)
def test_a_name_adds_no_line_and_no_cell(attack: str) -> None:
    hostile, benign = rows(r.hostile(r.ATTACKS[attack])), rows(r.hostile("benign"))
    assert [len(row) for row in hostile] == [len(COLUMNS)] * len(benign)
    assert all(cell.isprintable() for row in hostile for cell in row)


def test_a_defused_text_is_still_there() -> None:
    server = table(r.hostile("=1+1"))[0]["server"]
    assert server == "'=1+1"


def test_a_number_below_zero_stays_a_number() -> None:
    report = r.audit()
    host = next(host for host in report.before.hosts if host.certificate)
    expired = dataclasses.replace(host, certificate=dataclasses.replace(host.certificate, days_left=-5))
    before = dataclasses.replace(report.before, hosts=(expired,), findings=())
    assert table(dataclasses.replace(report, before=before))[0]["certificate_days_left"] == "-5"


def test_a_megabyte_of_name_stays_a_bounded_file() -> None:
    assert len(report_csv(r.hostile("x" * 1_000_000))) < 200_000


@given(st.text())
def test_any_name_stays_in_its_cell_and_is_no_formula(name: str) -> None:
    report = r.audit()
    host = dataclasses.replace(report.before.hosts[0], name=name)
    renamed = dataclasses.replace(report, before=dataclasses.replace(report.before, hosts=(host,), findings=()))
    for delimiter in ",;":
        assert not [cell for row in rows(renamed, delimiter) for cell in row if is_formula(cell)]
    assert [len(row) for row in rows(renamed)] == [len(COLUMNS)] * 2
    report_csv(renamed).encode("utf-8")
