# Copyright (c) 2026, the sfb.kb4023993 contributors
# GNU General Public License v3.0-or-later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The picture: every connection is in it, nothing lies on anything else, and words stay inside their boxes."""

from __future__ import annotations

import itertools
import re
import typing as t

import pytest
from ansible_collections.sfb.kb4023993.plugins.plugin_utils.findings import Judgement
from ansible_collections.sfb.kb4023993.plugins.plugin_utils.report import picture as p
from ansible_collections.sfb.kb4023993.plugins.plugin_utils.rules.verdict import ORDER
from builders import certificates as c
from builders import evidence as e
from builders import fleets as f
from hypothesis import given
from hypothesis import strategies as st
from unit.report import html_fleet

LONG: t.Final = "a-very-long-name-of-a-server-that-somebody-once-thought-of.with.many.levels.contoso.example"


def meshed() -> Judgement:
    """Pools that share Edge pools, a pool without one, an Edge pool that nobody uses, names too long, an Edge that was not read."""
    return f.judge(
        e.front_end("fe01", pool="pool01.contoso.example", edge_pool="edge1.contoso.example"),
        e.front_end("fe02", pool="pool01.contoso.example", edge_pool="edge2.contoso.example"),
        e.front_end("fe03", pool=LONG, edge_pool="edge2.contoso.example", cert=c.certificate("both")),
        e.front_end(
            "日本語のサーバー名がとても長い場合、もっと長くてもよい",
            pool="pool04.contoso.example",
            edge_pool="unread.contoso.example",
            cert=c.certificate("server_only"),
        ),
        e.front_end("fe05", pool="pool05.contoso.example", edge_pool="none"),
        e.edge("edge01", pool="edge1.contoso.example"),
        e.edge(LONG, pool="edge2.contoso.example", cert=c.certificate("server_only")),
        e.edge("edge09", pool="lonely.contoso.example"),
    ).judgement


JUDGEMENTS: t.Final[dict[str, t.Callable[[], Judgement]]] = {
    "nothing": lambda: f.judge().judgement,
    "one": lambda: f.judge(e.front_end()).judgement,
    "two": lambda: f.judge(e.front_end(edge_pool="edgepool.contoso.example"), e.edge()).judgement,
    "assumed": lambda: (
        f.judge(
            e.front_end("fe01", edge_pool=None),
            e.front_end("fe02", pool="pool02.contoso.example", edge_pool=None),
            e.edge(),
        ).judgement
    ),
    "meshed": meshed,
    "forty": lambda: html_fleet.fleet(40).judgement,
    "many": lambda: html_fleet.fleet(200).judgement,
}


@pytest.fixture(scope="module", params=list(JUDGEMENTS))
def judgement(request: pytest.FixtureRequest) -> Judgement:
    return JUDGEMENTS[request.param]()


def test_every_connection_is_counted_once(judgement: Judgement) -> None:
    links = p.pool_links(judgement)
    assert sum(number for link in links for _verdict, number in link.counts) == len(judgement.connections)
    for verdict in ORDER:
        counted = sum(number for link in links for found, number in link.counts if found == verdict)
        assert counted == sum(connection.verdict == verdict for connection in judgement.connections)


def test_every_pool_is_drawn_or_said_to_look_like_one_that_is(judgement: Judgement) -> None:
    picture = p.draw(judgement)
    drawn = [name for drawing in picture.drawings for pools in (drawing.pools, *drawing.alike) for name in pools]
    assert len(drawn) == len(set(drawn))
    assert {pool.name for pool in judgement.pools} <= set(drawn)
    assert not picture.left_out


def test_an_arrow_leaves_the_pool_that_checks_and_ends_at_the_one_that_is_checked() -> None:
    drawing = p.draw(JUDGEMENTS["two"]()).drawings[0]
    left, right = drawing.boxes
    assert (left.title, right.title) == ("pool01.contoso.example", "edgepool.contoso.example")
    (arrow,) = drawing.arrows
    start, end = re.match(r"M([\d.]+) .* ([\d.]+) [\d.]+$", arrow.path).groups()  # type: ignore[union-attr]
    assert float(start) == left.x + left.width
    assert right.x - 9 < float(end) < right.x
    assert arrow.words == "8057: ✕ 1 broken"
    assert drawing.description[-1] == "pool01.contoso.example checks edgepool.contoso.example on 8057: ✕ 1 broken."


def test_an_assumption_looks_like_one() -> None:
    arrows = [arrow for drawing in p.draw(JUDGEMENTS["assumed"]()).drawings for arrow in drawing.arrows]
    assert arrows
    assert all(arrow.assumed and arrow.words.endswith("(assumed)") for arrow in arrows)


def test_nothing_lies_on_anything_else(judgement: Judgement) -> None:
    for drawing in p.draw(judgement).drawings:
        _check(drawing)


@given(
    st.lists(
        st.tuples(st.integers(0, 4), st.sampled_from(["none", "e0", "e1", "e2", "e3"]), st.booleans()),
        min_size=1,
        max_size=9,
    )
)
def test_nothing_lies_on_anything_else_in_any_fleet(servers: list[tuple[int, str, bool]]) -> None:
    hosts = [
        e.front_end(f"fe{n}", pool=f"p{pool}.example", edge_pool=edge if edge == "none" else f"{edge}.example")
        if front
        else e.edge(f"edge{n}", pool=f"{edge}.example")
        for n, (pool, edge, front) in enumerate(servers)
    ]
    judgement = f.judge(*hosts).judgement
    test_every_connection_is_counted_once(judgement)
    test_every_pool_is_drawn_or_said_to_look_like_one_that_is(judgement)
    test_nothing_lies_on_anything_else(judgement)


def _check(drawing: p.Drawing) -> None:
    for box in drawing.boxes:
        assert box.x >= 0
        assert box.x + box.width <= p.WIDTH
        assert box.y >= 0
        assert box.y + box.height <= drawing.height + 0.1
        assert p.columns(box.title) * 8.7 + 28 <= box.width
        assert p.columns(box.subtitle) * 7.4 + 14 <= box.width
        for row in box.rows:
            assert box.y + 44 < row.y < box.y + box.height
            assert (p.columns(row.text) + p.columns(row.words) + 2) * 7.2 + 24 <= box.width
        heights = [row.y for row in box.rows]
        assert all(lower - upper >= 18 for upper, lower in itertools.pairwise(heights))
    for one, other in itertools.combinations(drawing.boxes, 2):
        apart = (
            one.x + one.width + 6 <= other.x
            or other.x + other.width + 6 <= one.x
            or one.y + one.height + 6 <= other.y
            or other.y + other.height + 6 <= one.y
        )
        assert apart, (one.title, other.title)
    for first, second in itertools.combinations(drawing.arrows, 2):
        assert abs(first.y - second.y) >= 16, "two labels lie on each other"
    for arrow in drawing.arrows:
        assert arrow.x + p.columns(arrow.words) * 7.2 < 1040 - 340


@pytest.mark.parametrize(
    ("text", "room", "shown"),
    [
        ("edge01", 6, "edge01"),
        ("edge01.contoso.example", 10, "edge0…mple"),
        ("日本語の名前", 12, "日本語の名前"),
        ("日本語の名前", 8, "日本…前"),
    ],
)
def test_a_long_name_loses_its_middle(text: str, room: int, shown: str) -> None:
    assert p.fit(text, room) == shown
    assert p.columns(p.fit(text, room)) <= room


def test_look_alikes_become_one_only_above_forty_servers() -> None:
    few, many = p.draw(JUDGEMENTS["forty"]()), p.draw(JUDGEMENTS["many"]())
    assert few.named
    assert len(few.drawings) == 8
    assert not many.named
    assert sum(1 + len(drawing.alike) for drawing in many.drawings) == 40
    assert len(many.drawings) < 10
    verdicts = [ORDER.index(drawing.verdict) for drawing in many.drawings]
    assert verdicts == sorted(verdicts), "the worst first"
