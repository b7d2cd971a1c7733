# Copyright (c) 2026, the sfb.kb4023993 contributors
# GNU General Public License v3.0-or-later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Evidence is what a server says, and a server may say anything: it is refused as damaged, or judged, planned and reported like any other."""

from __future__ import annotations

import copy
import json
import typing as t

import pytest
from ansible_collections.sfb.kb4023993.plugins.plugin_utils.certificates import (
    CertificateError,
    judge_usage,
    read_certificate,
)
from ansible_collections.sfb.kb4023993.plugins.plugin_utils.evidence import Evidence, EvidenceError, from_text, to_text
from ansible_collections.sfb.kb4023993.plugins.plugin_utils.host_plan import Goal
from ansible_collections.sfb.kb4023993.plugins.plugin_utils.report.document import make_report
from ansible_collections.sfb.kb4023993.plugins.plugin_utils.report.formats import FORMATS
from builders import certificates as c
from builders import evidence as e
from builders import fleets as f
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

GOALS: t.Final[tuple[Goal, ...]] = ("override", "bridge", "retire", "rollback")
FLEET: t.Final = (
    e.front_end("fe01", edge_pool="edgepool.contoso.example", opt_outs=e.opt_outs(e.Value())),
    e.front_end(
        "fe02",
        edge_pool="edgepool.contoso.example",
        records=e.records(e.change_record(), e.restart_record()),
        events=e.events(e.event(41024, e.EARLIER, "edge01", "8057"), e.event(41025, e.LATER, "edge01")),
    ),
    e.edge("edge01"),
)
TEXTS: t.Final = (
    *(
        "",
        " ",
        "\0",
        "\ud800",
        "{{ 7 * 7 }}",
        "{% raw %}",
        "=1+1",
        "'; exit 9 #",
        "<script>alert(1)</script>",
        "\x1b[31m",
        "\u202e",
    ),
    *(
        "..\\..\\x",
        "a" * 100_000,
        "\r\nHost: x",
        "9999-99-99T99:99:99Z",
        "2026-03-01T08:00:00Z",
        "AAAA",
        "MIIC",
        "255.255.255.255.255",
    ),
)
NUMBERS: t.Final = (0, -1, 1, 2**31, 2**64, 10**40, -(10**40), 41024, 0.5)
OTHER: t.Final = (None, True, [], {}, 0, "x")


def leaves(data: t.Any, path: tuple[t.Any, ...] = ()) -> t.Iterator[tuple[tuple[t.Any, ...], t.Any]]:
    """The way to every place where a value stands, and the value."""
    inner = data.items() if isinstance(data, dict) else enumerate(data) if isinstance(data, list) else ()
    yield path, data
    for key, value in inner:
        yield from leaves(value, (*path, key))


DOCUMENTS: t.Final = tuple(json.loads(to_text(evidence)) for evidence in FLEET)
# What says which evidence this is stays: another one is refused before anything is judged.
PLACES: t.Final = tuple(
    (index, path, value)
    for index, data in enumerate(DOCUMENTS)
    for path, value in leaves(data)
    if path and path[0] not in ("schema", "inventory_name")
)


@st.composite
def change(draw: st.DrawFn) -> tuple[int, tuple[t.Any, ...], t.Any]:
    """A place and what stands there instead: mostly something of the same kind, which the reader of evidence lets pass."""
    index, path, value = draw(st.sampled_from(PLACES))
    if isinstance(value, str) and draw(st.integers(0, 9)):
        return index, path, draw(st.sampled_from(TEXTS))
    if isinstance(value, int) and not isinstance(value, bool) and draw(st.integers(0, 9)):
        return index, path, draw(st.sampled_from(NUMBERS))
    if isinstance(value, list) and value and draw(st.integers(0, 9)):
        return index, path, draw(st.sampled_from((value * 40, value[:1], value[::-1], [])))
    return index, path, draw(st.sampled_from(OTHER))


def harmed(changes: t.Sequence[tuple[int, tuple[t.Any, ...], t.Any]]) -> list[Evidence] | None:
    """The fleet with other values in some places, None where that is no evidence any more."""
    documents = copy.deepcopy(list(DOCUMENTS))
    for index, path, value in changes:
        place = documents[index]
        try:
            for key in path[:-1]:
                place = place[key]
            place[path[-1]] = value
        except (KeyError, IndexError, TypeError):
            continue  # an earlier change took the place away
    try:
        return [from_text(json.dumps(data), where="a test") for data in documents]
    except EvidenceError:
        return None


# What is refused as damaged does not count: as many fleets as this go all the way.
@settings(max_examples=400, suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much])
@given(changes=st.lists(change(), min_size=1, max_size=2), goal=st.sampled_from(GOALS))
def test_whatever_a_server_says_ends_in_a_report(changes: t.Any, goal: Goal) -> None:
    fleet = harmed(changes)
    assume(fleet is not None)
    assessment = f.judge(*fleet)
    plan = f.plan(assessment, goal)
    report = make_report(playbook="audit", check_mode=True, before=assessment.judgement, plan=plan)
    for kind, form in FORMATS.items():
        text = form.render(report)
        assert text.encode("utf-8", "strict"), kind
        assert len(text) < 4_000_000, kind


@settings(max_examples=600)
@given(data=st.data())
def test_a_certificate_with_changed_bytes_is_read_or_refused(data: st.DataObject) -> None:
    der = bytearray(c.certificate("both").der)
    for _ in range(data.draw(st.integers(1, 6))):
        at = data.draw(st.integers(0, len(der) - 1))
        match data.draw(st.sampled_from(("change", "drop", "insert"))):
            case "change":
                der[at] = data.draw(st.integers(0, 255))
            case "drop":
                del der[at : at + data.draw(st.integers(1, 40))]
            case _:
                der[at:at] = data.draw(st.binary(max_size=40))
    try:
        certificate = read_certificate(bytes(der))
    except CertificateError:
        with pytest.raises(CertificateError, match=r"\.$"):
            judge_usage(bytes(der), [])
        return
    judge_usage(bytes(der), [])
    assert len(certificate.thumbprint) == 40


def test_deep_der_is_refused() -> None:
    deep = b"\x05\x00"
    for _ in range(3000):
        length = len(deep)
        size = (
            bytes([length])
            if length < 0x80
            else b"\x82" + length.to_bytes(2, "big")
            if length > 0xFF
            else b"\x81" + bytes([length])
        )
        deep = b"\x30" + size + deep
    with pytest.raises(CertificateError):
        read_certificate(deep)
