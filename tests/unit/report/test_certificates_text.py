# Copyright (c) 2026, the sfb.kb4023993 contributors
# GNU General Public License v3.0-or-later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The part of the text report about certificates: every certificate, every failed and every refused server, in lines that can be read."""

from __future__ import annotations

import dataclasses
import typing as t

from ansible_collections.sfb.kb4023993.plugins.plugin_utils.plan import Refusal
from ansible_collections.sfb.kb4023993.plugins.plugin_utils.report.certificates import (
    Renewal,
    certificate_states,
    certificates_text,
)
from ansible_collections.sfb.kb4023993.plugins.plugin_utils.signing.answer import Problem
from ansible_collections.sfb.kb4023993.plugins.plugin_utils.signing.records import Record
from ansible_collections.sfb.kb4023993.plugins.plugin_utils.verify import HostResult
from builders import certificates as c
from builders import renewal as r
from builders.fleets import NOW


def renewal(*records: Record, **parts: t.Any) -> Renewal:
    empty: dict[str, t.Any] = {"results": (), "refused": (), "waiting": ()}
    return Renewal(certificates=certificate_states(records), **{**empty, **parts})


def failed(host: str, message: str = "It broke.") -> HostResult:
    return HostResult(host=host, result="failed", message=message)


def test_without_certificates_one_line_says_so() -> None:
    assert certificates_text(renewal()) == "Certificates: none has to be replaced."


def test_each_certificate_has_its_servers_its_step_and_what_comes_next() -> None:
    late = r.record("fe09", replaces=r.old(), by=r.new(), step="done", uses=("Default", "WebServicesInternal"))
    early = r.record("edge01", "edge02", replaces=r.old())
    text = certificates_text(renewal(late, early))
    assert text.splitlines()[:3] == [
        "Certificates",
        "  edge01, edge02, Internal: pending",
        "    What comes after pending.",
    ]
    assert text.index("edge01") < text.index("fe09, Default, WebServicesInternal: done")
    assert f"{c.mark(r.old())} -> {c.mark(r.new())}" in text


def test_what_is_wrong_stands_with_its_certificate_or_by_itself() -> None:
    problem = Problem(id="KB4023993-NO-CLIENT-AUTH", text="It is not good.", next_step="Change the template.")
    record = dataclasses.replace(r.record("fe01", replaces=r.old(), step="refused"), problems=(problem,))
    text = certificates_text(
        renewal(
            record,
            results=(
                failed("fe01"),
                failed("fe02", "No request was made."),
                HostResult(host="x", result="done", message="m"),
            ),
            refused=(Refusal(host="edge09", reason="nobody can log on there"),),
        )
    )
    for line in (
        "    KB4023993-NO-CLIENT-AUTH: It is not good. Change the template.",
        "    fe01: failed: It broke.",
        "    fe02: No request was made.",
        "    edge09: nobody can log on there",
    ):
        assert line in text.splitlines()


def test_text_from_outside_stays_on_its_line_and_lines_stay_short() -> None:
    record = r.record("fe01\nfe02", replaces=r.old()).moved("pending", "a\x1b[2Jb\n" + "word " * 300, at=NOW)
    text = certificates_text(renewal(record, results=(failed("fe01\nfe02", "x\ny"),)))
    assert "\x1b" not in text
    assert max(map(len, text.splitlines())) <= 118
    assert not [line for line in text.splitlines() if line.startswith(("fe02", "y"))]
