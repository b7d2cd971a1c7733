# Copyright (c) 2026, the sfb.kb4023993 contributors
# GNU General Public License v3.0-or-later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The JUnit XML, read by Python's XML parser as a CI system would read it."""

from __future__ import annotations

import dataclasses
import typing as t
import xml.etree.ElementTree as ElementTree

import pytest
from ansible_collections.sfb.kb4023993.plugins.plugin_utils.report.document import Report
from ansible_collections.sfb.kb4023993.plugins.plugin_utils.report.junit import report_junit
from builders import reports as r
from hypothesis import given
from hypothesis import strategies as st

ENDS: t.Final = ("failure", "error", "skipped", "system-out")


def parsed(report: Report) -> ElementTree.Element:
    return ElementTree.fromstring(report_junit(report).encode("utf-8"))


def cases(report: Report) -> dict[tuple[str, str], str]:
    """How each case ended, by suite and case."""
    found: dict[tuple[str, str], str] = {}
    for suite in parsed(report):
        for case in suite:
            key = (suite.get("name", ""), case.get("name", ""))
            assert key not in found
            found[key] = "".join(end.tag for end in case)
    return found


def test_a_server_is_a_suite_and_its_verdict_and_findings_are_cases() -> None:
    ended = cases(r.audit())
    assert ended["fe01", "verdict"] == "failure"
    assert ended["fe01", "KB4023993-CONNECTION-BROKEN"] == "failure"
    assert ended["edge01", "KB4023993-CERT-EDGE-INTERNAL"] == "failure"
    assert ended["fe03", "verdict"] == "system-out"
    assert ended["fe04", "verdict"] == "failure"
    assert ended["fe05", "verdict"] == "error"
    assert ended["fe05", "KB4023993-NOT-ASSESSED"] == "error"
    assert ended["db01", "verdict"] == "skipped"
    # A server that --limit left out is no result of this run.
    assert ended["fe06", "verdict"] == "skipped"
    assert {suite for suite, _case in ended} == {host.name for host in r.audit().before.hosts}


def test_what_only_informs_passes() -> None:
    ended = cases(r.remediation())
    assert ended["fe01", "KB4023993-OVERRIDE-ACTIVE"] == "system-out"


def test_the_numbers_are_those_of_the_cases() -> None:
    top = parsed(r.audit())
    for element in (top, *top):
        assert element.get("tests") == str(len(list(element.iter("testcase"))))
        for attribute, tag in (("failures", "failure"), ("errors", "error"), ("skipped", "skipped")):
            assert element.get(attribute) == str(len(list(element.iter(tag))))
    assert int(top.get("failures", "0")) > 5


def test_a_failure_says_why_and_what_to_do() -> None:
    failure = parsed(r.audit()).find(".//testcase[@name='KB4023993-CONNECTION-BROKEN']/failure")
    assert failure is not None
    assert failure.get("type") == "critical"
    assert failure.get("message") == "Web Conferencing on this server refuses connections"
    assert "to edge01 (8057)" in str(failure.text)
    assert "\nNext: Run the playbook sfb.kb4023993.remediate" in str(failure.text)


def test_a_finding_of_a_pool_alone_is_not_lost() -> None:
    report = r.audit()
    item = dataclasses.replace(report.before.findings[0], host=None, pool="pool09")
    alone = dataclasses.replace(report, before=dataclasses.replace(report.before, findings=(item,)))
    assert cases(alone)["pool09", item.id] == "failure"


@pytest.mark.parametrize("attack", r.ATTACKS)
def test_a_hostile_name_breaks_nothing_and_adds_no_case(attack: str) -> None:
    hostile, benign = parsed(r.hostile(r.ATTACKS[attack])), parsed(r.hostile("benign"))
    assert [element.tag for element in hostile.iter()] == [element.tag for element in benign.iter()]
    texts = [text for element in hostile.iter() for text in (element.text or "", *element.attrib.values())]
    assert all(line.isprintable() for text in texts for line in text.split("\n"))


def test_what_xml_can_carry_arrives_as_it_was() -> None:
    name = "<&>\"']]>é中😀"
    assert next(iter(parsed(r.hostile(name)))).get("name") == name


def test_a_megabyte_of_name_stays_a_bounded_file() -> None:
    assert len(report_junit(r.hostile("x" * 1_000_000))) < 200_000


@given(st.text(alphabet=st.characters()))
def test_any_name_gives_xml_that_can_be_read(name: str) -> None:
    report = r.audit()
    host = dataclasses.replace(report.before.hosts[0], name=name, reason=name)
    renamed = dataclasses.replace(report, before=dataclasses.replace(report.before, hosts=(host,), findings=()))
    assert len(parsed(renamed)) == 1
