# Copyright (c) 2026, the sfb.kb4023993 contributors
# GNU General Public License v3.0-or-later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The Markdown, parsed by markdown-it (CommonMark with GitHub's tables): what a reader sees, and that no name becomes anything but text."""

from __future__ import annotations

import dataclasses
import itertools
import typing as t

import pytest
from ansible_collections.sfb.kb4023993.plugins.plugin_utils.report.document import Report
from ansible_collections.sfb.kb4023993.plugins.plugin_utils.report.markdown import report_markdown
from ansible_collections.sfb.kb4023993.plugins.plugin_utils.words import one_line
from builders import evidence as e
from builders import fleets as f
from builders import reports as r
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt
from markdown_it.token import Token

_PARSER: t.Final = MarkdownIt("commonmark", {"html": True}).enable(["table", "strikethrough"])


def tokens(report: Report) -> list[Token]:
    """All tokens, those inside of lines too."""
    return [inner for token in _PARSER.parse(report_markdown(report)) for inner in (token, *(token.children or []))]


def kinds(report: Report) -> list[str]:
    """The structure of a page without its text."""
    return [token.type for token in tokens(report) if token.type not in ("inline", "text", "text_special")]


def shown(token: Token) -> str:
    return "".join(child.content for child in token.children or [])


def tables(report: Report) -> list[list[list[str]]]:
    """The cells that a reader sees."""
    found: list[list[list[str]]] = []
    for token in _PARSER.parse(report_markdown(report)):
        if token.type == "table_open":
            found.append([])
        elif token.type == "tr_open":
            found[-1].append([])
        elif token.type == "inline" and found and token.level > 3:
            found[-1][-1].append(shown(token))
    return found


def headings(report: Report) -> list[str]:
    all_tokens = _PARSER.parse(report_markdown(report))
    return [shown(inline) for opening, inline in itertools.pairwise(all_tokens) if opening.type == "heading_open"]


def test_the_first_heading_is_the_sentence() -> None:
    assert headings(r.audit())[0] == r.audit().sentence


def test_the_servers_stand_in_a_table_with_the_worst_first() -> None:
    servers = tables(r.audit())[1]
    assert [row[0] for row in servers[1:]] == ["edge01", "fe01", "fe02", "fe05", "fe04", "fe03", "fe06", "db01"]
    assert [row[-1].split(" ", 1)[1] for row in servers[1:]] == [
        "broken",
        "broken",
        "broken",
        "not_assessed",
        "latent",
        "compliant",
        "compliant (not in this run)",
        "not_applicable",
    ]


def test_connections_that_are_not_in_order_stand_in_a_table() -> None:
    report = r.audit()
    bad = [c for c in report.before.connections if c.verdict != "compliant"]
    assert len(tables(report)[2]) == 1 + len(bad)
    assert tables(report)[2][1][:2] == ["fe01", "edge01 (8057)"]


def test_every_kind_of_finding_has_its_heading_and_its_next_step() -> None:
    report = r.audit()
    in_run = {host.name for host in report.before.hosts if host.in_run}
    wanted = {item.id for item in report.before.findings if item.host in in_run} - {"KB4023993-NOT-ASSESSED"}
    assert len(wanted) >= 4
    assert {title.rpartition("(")[2].rstrip(")") for title in headings(report) if "(KB4023993-" in title} == wanted
    text = report_markdown(report)
    assert text.count("**Next:** ") == len(wanted)
    assert "- fe05: reading the server: It did not answer. Check that it is up." in text


def test_a_change_shows_before_after_and_result() -> None:
    counts = tables(r.remediation())[0]
    assert counts == [["", "❌ broken", "🔶 mitigated"], ["before", "2", "0"], ["after", "1", "1"]]
    assert "What was done" in headings(r.remediation())
    assert "- fe02: failed: Stuck." in report_markdown(r.remediation())
    assert "mitigated (was broken)" in report_markdown(r.remediation())


def test_saved_evidence_is_named_with_its_age() -> None:
    report = dataclasses.replace(r.audit(), playbook="report")
    assert "Made from saved evidence of 2026-03-08T12:00:05Z. No server was asked." in report_markdown(report)
    assert "saved evidence" not in report_markdown(r.audit())


@pytest.mark.parametrize("attack", r.ATTACKS)
def test_a_hostile_name_becomes_no_structure(attack: str) -> None:
    assert kinds(r.hostile(r.ATTACKS[attack])) == kinds(r.hostile("benign"))


@pytest.mark.parametrize("attack", r.ATTACKS)
def test_a_hostile_name_is_read_as_it_is(attack: str) -> None:
    name = one_line(r.ATTACKS[attack], 120).strip()
    cells = [cell.replace("\u200b", "") for row in tables(r.hostile(r.ATTACKS[attack]))[1] for cell in row]
    assert name in cells


def test_addresses_and_mentions_are_not_alive() -> None:
    text = report_markdown(r.hostile(r.ATTACKS["mention"]))
    assert "https://" not in text
    assert "www.evil" not in text
    assert "@everyone" not in text
    # An address of mail mentions nobody.
    assert "admin@contoso.example" in report_markdown(r.hostile("admin@contoso.example"))


def test_a_large_fleet_stays_a_ticket() -> None:
    report = r.audit()
    hosts = [f.read(e.front_end(f"fe{n:04}", pool=f"pool{n:04}.x")) for n in range(300)]
    large = dataclasses.replace(report, before=f.judge(*hosts).judgement)
    text = report_markdown(large)
    assert "And 100 more servers in the JSON report." in text
    assert "And 240 more connections in the JSON report." in text
    assert len(text) < 65_536


def test_a_megabyte_of_name_stays_a_bounded_page() -> None:
    assert len(report_markdown(r.hostile("x" * 1_000_000))) < 30_000


@given(st.text(alphabet=st.one_of(st.sampled_from("|\\`*_[]()<>&#-+=~$!1. \n@:/"), st.characters()), min_size=1))
def test_any_name_is_one_cell_of_text(name: str) -> None:
    report = r.audit()
    host = dataclasses.replace(report.before.hosts[0], name=name, pool="p")
    renamed = dataclasses.replace(
        report, before=dataclasses.replace(report.before, hosts=(host,), findings=(), connections=())
    )
    row = tables(renamed)[1][1]
    assert (row[0].replace("\u200b", ""), row[1]) == (one_line(name, 120).replace("\u200b", "").strip(), "p")
