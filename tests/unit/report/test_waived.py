# Copyright (c) 2026, the sfb.kb4023993 contributors
# GNU General Public License v3.0-or-later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is waived, and what changed since the last run, in every form of the report."""

from __future__ import annotations

import csv
import io
import json
import re
import typing as t
import xml.etree.ElementTree as ElementTree

import pytest
from ansible_collections.sfb.kb4023993.plugins.plugin_utils.codec import decode
from ansible_collections.sfb.kb4023993.plugins.plugin_utils.report.document import Report, report_json
from ansible_collections.sfb.kb4023993.plugins.plugin_utils.report.formats import FORMATS
from builders import reports as r
from prometheus_client.parser import text_string_to_metric_families

WAIVED: t.Final = "waived by Team UC until 2026-12-31: The pool moves in March"
EXPIRED: t.Final = "The waiver of Security expired on 2026-03-07."
BROKEN: t.Final = "KB4023993-CONNECTION-BROKEN"


def text(name: str, report: Report) -> str:
    """A form without the line breaks that only make it readable."""
    return re.sub(r"\s+", " ", FORMATS[name].render(report))


@pytest.mark.parametrize("name", ["text", "html", "markdown"])
def test_forms_for_people_say_who_accepts_what_and_until_when(name: str) -> None:
    shown = text(name, r.waived())
    assert WAIVED in shown
    assert EXPIRED in shown
    assert "Rebuilt" in shown
    assert "Expired: these count again" in shown
    assert "End within 30 days" in shown
    assert "12 days left" in shown
    assert "(1 waived)" in shown


@pytest.mark.parametrize("name", FORMATS)
def test_a_waived_finding_is_still_there(name: str) -> None:
    without = r.audit()
    assert text(name, without).count(BROKEN) <= text(name, r.waived()).count(BROKEN)
    assert "fe01" in text(name, r.waived())


@pytest.mark.parametrize("name", FORMATS)
def test_without_waivers_and_without_a_last_run_nothing_is_said_of_them(name: str) -> None:
    shown = text(name, r.audit())
    for word in ("Waivers", "waived by", "Since the last run"):
        assert word not in shown


def test_text_marks_the_verdict_and_the_finding() -> None:
    shown = FORMATS["text"].render(r.waived())
    assert re.search(r"^  fe01 .* broken, waived$", shown, re.MULTILINE)
    assert re.search(r"^  fe02 .* broken$", shown, re.MULTILINE)
    assert f"      WAIVED: {WAIVED}" in shown


def test_markdown_marks_the_verdict() -> None:
    rows = [line for line in FORMATS["markdown"].render(r.waived()).splitlines() if line.startswith("| fe0")]
    assert [("fe01" in row, row.endswith("broken, waived |")) for row in rows if "broken" in row][:2] == [
        (True, True),
        (False, False),
    ]


def test_html_marks_the_row_and_counts() -> None:
    page = FORMATS["html"].render(r.waived())
    rows = {
        host: row
        for row in re.findall(r"<tr data-item=.*?</tr>", page, re.DOTALL)
        for host in ("fe01", "fe02")
        if f"<bdi>{host}</bdi>" in row
    }
    assert "<small>waived</small>" in rows["fe01"]
    assert "<small>waived</small>" not in rows["fe02"]
    assert "2 servers, 1 waived" in page
    assert '<a href="#waivers">' in page


def test_json_has_the_waiver_at_the_finding_and_can_be_read_again() -> None:
    report = r.waived()
    data = json.loads(report_json(report))
    (item,) = [i for i in data["before"]["findings"] if (i["id"], i["host"]) == (BROKEN, "fe01")]
    assert item["waiver"] == {
        "finding": BROKEN,
        "host": "fe01",
        "pool": None,
        "reason": "The pool moves in March",
        "owner": "Team UC",
        "expires": "2026-12-31",
    }
    assert data["waived_hosts"] == ["fe01", "fe05"]
    assert [(use["state"], use["findings"]) for use in data["waivers"]] == [
        ("expired", 1),
        ("ends_soon", 1),
        ("in_force", 1),
    ]
    for made in (report, r.later()):
        assert decode(Report, json.loads(report_json(made))) == made


def test_csv_has_columns_for_it() -> None:
    table = list(csv.DictReader(io.StringIO(FORMATS["csv"].render(r.waived()).removeprefix("\ufeff"), newline="")))
    rows = {(row["server"], row["finding_id"]): row for row in table}
    waived = rows["fe01", BROKEN]
    columns = ("verdict_waived", "finding_waived_until", "finding_waived_by", "finding_waiver_reason")
    assert [waived[column] for column in columns] == ["yes", "2026-12-31", "Team UC", "The pool moves in March"]
    assert [rows["fe02", BROKEN][column] for column in columns] == ["no", "", "", ""]
    assert rows["fe01", "KB4023993-CERT-FRONT-END"]["finding_waived_by"] == ""


def test_junit_skips_it_with_the_reason() -> None:
    top = ElementTree.fromstring(FORMATS["junit"].render(r.waived()).encode("utf-8"))
    cases = {(case.get("classname"), case.get("name")): case for case in top.iter("testcase")}
    assert WAIVED in cases["fe01", BROKEN].find("skipped").get("message")  # type: ignore[union-attr,operator]
    assert cases["fe01", "verdict"].find("skipped").get("message").startswith("broken, waived")  # type: ignore[union-attr]
    assert cases["fe05", "KB4023993-NOT-ASSESSED"].find("skipped") is not None
    assert cases["fe05", "verdict"].find("skipped") is not None
    assert cases["fe02", BROKEN].find("failure") is not None
    expired = cases["edge01", "KB4023993-CERT-EDGE-INTERNAL"].find("failure")
    assert expired is not None
    assert EXPIRED in (expired.text or "")


def test_sarif_suppresses_it() -> None:
    results = json.loads(FORMATS["sarif"].render(r.waived()))["runs"][0]["results"]
    by_place = {
        (each["ruleId"], each["locations"][0]["logicalLocations"][0]["name"]): each["suppressions"] for each in results
    }
    assert by_place[BROKEN, "fe01"] == [{"kind": "external", "status": "accepted", "justification": WAIVED}]
    assert by_place[BROKEN, "fe02"] == []
    assert by_place["KB4023993-CERT-EDGE-INTERNAL", "edge01"] == []


def test_prometheus_has_a_label_and_metrics_of_its_own() -> None:
    families = {
        f.name.removeprefix("sfb_kb4023993_"): f.samples
        for f in text_string_to_metric_families(FORMATS["prometheus"].render(r.waived()))
    }
    waived = {(s.labels["id"], s.labels["server"]) for s in families["finding"] if s.labels["waived"] == "true"}
    assert waived == {(BROKEN, "fe01"), ("KB4023993-NOT-ASSESSED", "fe05")}
    counts = {s.labels["verdict"]: s.value for s in families["servers_waived"]}
    assert (counts["broken"], counts["not_assessed"], counts["compliant"]) == (1, 1, 0)
    ends = {s.labels["id"]: s.value for s in families["waiver_expiry_timestamp_seconds"]}
    # 2026-03-07 ends as 2026-03-08T00:00:00Z begins.
    assert ends["KB4023993-CERT-EDGE-INTERNAL"] == 1772927999
    assert families.get("changes", []) == []


# ---- since the last run


@pytest.mark.parametrize("name", ["text", "html", "markdown"])
def test_forms_for_people_say_what_got_worse(name: str) -> None:
    shown = text(name, r.later())
    assert "Since the last run (2026-03-08T12:00:10Z, run 20260308T120010Z" in shown.replace("\u200b", "")
    assert "as it seems from the wrong template" in shown
    assert "fe09" in shown
    assert "3 regressions" in shown or "4 regressions" in shown


def test_json_and_prometheus_count_it() -> None:
    counts = json.loads(report_json(r.later()))["since"]["counts"]
    assert counts["regressed"] >= 3
    families = {f.name: f.samples for f in text_string_to_metric_families(FORMATS["prometheus"].render(r.later()))}
    assert {s.labels["change"]: s.value for s in families["sfb_kb4023993_changes"]} == counts
