# Copyright (c) 2026, the sfb.kb4023993 contributors
# GNU General Public License v3.0-or-later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The report as JUnit XML for Jenkins, GitLab, Azure DevOps and the like: a server is a suite, a finding a case. Pure.

The first case of a suite is the server's verdict. Findings of severity critical or warning are failures, a server that could not be
assessed is an error, one without Web Conferencing is skipped, and a finding that only informs passes with its text as output. What is
waived is skipped, with the waiver as the message.
"""

from __future__ import annotations

import io
import typing as t
from xml.etree import ElementTree

from ..findings import Finding, HostJudgement
from ..waivers import waiver_words
from ..words import one_line
from .document import Report, findings_of_run

_FAILS: t.Final = ("broken", "latent")
_LINE: t.Final = 2000
_Outcome = t.Literal["failure", "error", "skipped", "passed"]


def report_junit(report: Report) -> str:
    """The whole report. Characters that XML 1.0 cannot carry, and others that nobody can see, are question marks."""
    by_host: dict[str | None, list[Finding]] = {}
    for item in findings_of_run(report):
        by_host.setdefault(item.host, []).append(item)
    top = ElementTree.Element("testsuites", {"name": "KB4023993"})
    for host in report.latest.hosts:
        suite = _suite(top, report, host.name)
        _verdict(suite, host, waived=host.name in report.waived_hosts)
        for item in by_host.get(host.name, []):
            _finding(suite, item, host.name)
    for item in by_host.get(None, []):
        _finding(_suite(top, report, item.pool or "fleet"), item, item.pool or "fleet")
    for suite in top:
        _count(suite, suite)
    _count(top, top)
    ElementTree.indent(top, " ")
    stream = io.BytesIO()
    ElementTree.ElementTree(top).write(stream, encoding="utf-8", xml_declaration=True)
    return stream.getvalue().decode("utf-8") + "\n"


def _suite(top: ElementTree.Element, report: Report, name: str) -> ElementTree.Element:
    # The form asks for a time without a zone; it is UTC.
    words = {"name": _plain(name), "hostname": _plain(name), "timestamp": report.latest.judged_utc.removesuffix("Z")}
    return ElementTree.SubElement(top, "testsuite", words)


def _verdict(suite: ElementTree.Element, host: HostJudgement, *, waived: bool) -> None:
    if not host.in_run:
        _case(suite, host.name, "verdict", "skipped", f"not part of this run; by saved evidence: {host.verdict}", "")
    elif waived:
        _case(suite, host.name, "verdict", "skipped", f"{host.verdict}, waived: {host.reason}", "")
    elif host.verdict in _FAILS:
        _case(suite, host.name, "verdict", "failure", host.verdict, host.reason)
    elif host.verdict == "not_assessed":
        _case(suite, host.name, "verdict", "error", host.verdict, host.reason)
    elif host.verdict == "not_applicable":
        _case(suite, host.name, "verdict", "skipped", host.reason, "")
    else:
        _case(suite, host.name, "verdict", "passed", host.verdict, host.reason)


def _finding(suite: ElementTree.Element, item: Finding, name: str) -> None:
    outcome: _Outcome = "passed" if item.severity == "info" else "failure"
    if item.id == "KB4023993-NOT-ASSESSED":
        outcome = "error"
    if item.waiver is not None:
        _case(suite, name, item.id, "skipped", f"{waiver_words(item.waiver)} ({item.title})", "")
        return
    _case(
        suite, name, item.id, outcome, item.title, "\n".join([*item.evidence, f"Next: {item.next_step}"]), item.severity
    )


def _case(
    suite: ElementTree.Element, name: str, case: str, outcome: _Outcome, message: str, body: str, kind: str = "verdict"
) -> None:
    made = ElementTree.SubElement(suite, "testcase", {"classname": _plain(name), "name": case, "time": "0"})
    text = "\n".join(one_line(line, _LINE) for line in body.split("\n"))
    if outcome == "passed":
        ElementTree.SubElement(made, "system-out").text = f"{_plain(message)}\n{text}"
    elif outcome == "skipped":
        ElementTree.SubElement(made, "skipped", {"message": _plain(message)})
    else:
        ElementTree.SubElement(made, outcome, {"message": _plain(message), "type": kind}).text = text


def _count(element: ElementTree.Element, cases: ElementTree.Element) -> None:
    element.set("tests", str(len(list(cases.iter("testcase")))))
    for attribute, tag in (("failures", "failure"), ("errors", "error"), ("skipped", "skipped")):
        element.set(attribute, str(len(list(cases.iter(tag)))))


def _plain(text: str) -> str:
    return one_line(text, _LINE)
