# Copyright (c) 2026, the sfb.kb4023993 contributors
# GNU General Public License v3.0-or-later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The forms of a report: the name of each, its file, and what writes it. This table is the one place that knows them all."""

from __future__ import annotations

import dataclasses
import typing as t

from .csv import report_csv
from .document import Report, report_json
from .html import report_html
from .junit import report_junit
from .markdown import report_markdown
from .prometheus import report_prometheus
from .sarif import report_sarif
from .text import report_text


@dataclasses.dataclass(frozen=True)
class Format:
    """``file``: its name in the directory of the report."""

    file: str
    render: t.Callable[[Report], str]


FORMATS: t.Final[dict[str, Format]] = {
    "json": Format("report.json", report_json),
    "text": Format("report.txt", report_text),
    "html": Format("report.html", report_html),
    "csv": Format("report.csv", report_csv),
    "junit": Format("report.junit.xml", report_junit),
    "markdown": Format("report.md", report_markdown),
    "prometheus": Format("sfb_kb4023993.prom", report_prometheus),
    "sarif": Format("report.sarif", report_sarif),
}
DEFAULT_FORMATS: t.Final = ("json", "text", "html")
