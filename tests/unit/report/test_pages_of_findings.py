# Copyright (c) 2026, the sfb.kb4023993 contributors
# GNU General Public License v3.0-or-later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Reports name the page of a finding by its place in the collection, and each of these pages is there."""

from __future__ import annotations

import json
import pathlib
import re

import pytest
from ansible_collections.sfb.kb4023993.plugins.plugin_utils.findings import CATALOGUE
from ansible_collections.sfb.kb4023993.plugins.plugin_utils.report.html import report_html
from ansible_collections.sfb.kb4023993.plugins.plugin_utils.report.markdown import report_markdown
from ansible_collections.sfb.kb4023993.plugins.plugin_utils.report.sarif import report_sarif
from ansible_collections.sfb.kb4023993.plugins.plugin_utils.report.text import report_text
from unit.report import html_fleet

ROOT = pathlib.Path(__file__).resolve().parents[3]


def test_each_rule_names_its_own_page_and_that_is_there() -> None:
    rules = json.loads(report_sarif(html_fleet.audit(4)))["runs"][0]["tool"]["driver"]["rules"]
    named = {rule["id"]: re.findall(r"docs/findings/\S+\.md", rule["help"]["text"]) for rule in rules}
    assert named == {identifier: [f"docs/findings/{identifier}.md"] for identifier in CATALOGUE}
    for (place,) in named.values():
        text = (ROOT / place).read_text("utf-8")
        assert text.count("\n## ") == 5
        assert all(f"\n## {part}\n" in text for part in ("Symptom", "Cause", "Evidence", "Fix", "Rollback"))


@pytest.mark.parametrize("render", [report_text, report_markdown, report_html])
def test_the_reports_for_people_say_where_the_pages_are(render: object) -> None:
    assert callable(render)
    assert "docs/findings/ID.md" in render(html_fleet.audit(4))
