# Copyright (c) 2026, the sfb.kb4023993 contributors
# GNU General Public License v3.0-or-later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The picture of a fleet: pools as boxes, connections between them as arrows from the one that checks to the one that is checked.

Pure geometry: numbers and words, no markup; the template draws them. Pools that have to do with each other are one drawing, so that
drawings can flow over pages. Above a size servers are counted instead of named, and of drawings that look the same one stands for all.
"""

from __future__ import annotations

import collections
import dataclasses
import math
import typing as t
import unicodedata

from ..findings import ConnectionJudgement, HostJudgement, Judgement, PoolJudgement
from ..rules.verdict import ORDER, Verdict, worst
from ..words import counted
from .marks import SYMBOL, USAGE, WORD

WIDTH: t.Final = 1040
NAMED: t.Final = 40
DRAWN: t.Final = 30
_LEFT_WIDTH: t.Final = 400
_RIGHT_WIDTH: t.Final = 340
_RIGHT: t.Final = WIDTH - _RIGHT_WIDTH - 1
_HEAD: t.Final = 50
_ROW: t.Final = 20
_GAP: t.Final = 14
_ARROW_GAP: t.Final = 26
_PAD: t.Final = 8
# How wide a character is in the widest of the usual fonts.
_TITLE: t.Final = 8.9
_CHARACTER: t.Final = 7.6
_WORD: t.Final = 7.4


@dataclasses.dataclass(frozen=True, kw_only=True)
class Row:
    """A line in a box: a server with its verdict, or what its servers say of each other. ``room`` is the width for ``text``."""

    y: float
    verdict: Verdict
    text: str
    words: str
    room: float


@dataclasses.dataclass(frozen=True, kw_only=True)
class Box:
    x: float
    y: float
    width: float
    height: float
    verdict: Verdict
    title: str
    subtitle: str
    rows: tuple[Row, ...]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Arrow:
    """``path`` is SVG path data of numbers alone."""

    path: str
    head: str
    verdict: Verdict
    assumed: bool
    words: str
    x: float
    y: float


@dataclasses.dataclass(frozen=True, kw_only=True)
class Drawing:
    """Pools that are connected with each other, as one drawing. ``description`` says the same in words.

    ``pools``: their names. ``alike``: the pools of further drawings that would differ in nothing but names.
    """

    height: float
    boxes: tuple[Box, ...]
    arrows: tuple[Arrow, ...]
    verdict: Verdict
    description: tuple[str, ...]
    pools: tuple[str, ...]
    alike: tuple[tuple[str, ...], ...] = ()


@dataclasses.dataclass(frozen=True, kw_only=True)
class PoolLink:
    """All connections from a Front End pool to another pool, or among its own servers (``among``)."""

    validators: str
    peers: str
    among: bool
    ports: str
    verdict: Verdict
    counts: tuple[tuple[Verdict, int], ...]
    source: str
    assumed: bool
    reason: str

    @property
    def words(self) -> str:
        return ", ".join(f"{SYMBOL[verdict]} {number} {WORD[verdict]}" for verdict, number in self.counts)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Picture:
    """``left_out``: how many groups of connected pools of each verdict are not drawn. ``named``: servers have their names."""

    drawings: tuple[Drawing, ...]
    left_out: tuple[tuple[Verdict, int], ...]
    named: bool
    links: tuple[PoolLink, ...]


def draw(judgement: Judgement) -> Picture:
    """The picture of a judgement."""
    links = pool_links(judgement)
    names = {pool.name for pool in judgement.pools}
    pools = {pool.name: pool for pool in judgement.pools}
    drawings: list[Drawing] = []
    servers = sum(len(pool.members) + len(pool.missing) for pool in judgement.pools)
    named = servers <= NAMED
    hosts = {host.name: host for host in judgement.hosts}
    for group in _groups(names, links):
        drawings.append(_drawing(group, pools, [link for link in links if link.validators in group], hosts, named))
    if named:
        return Picture(drawings=tuple(drawings), left_out=(), named=True, links=links)
    merged = sorted(_merged(drawings), key=lambda drawing: ORDER.index(drawing.verdict))
    left = collections.Counter[Verdict]()
    for drawing in merged[DRAWN:]:
        left[drawing.verdict] += 1 + len(drawing.alike)
    left_out = tuple((verdict, left[verdict]) for verdict in ORDER if left[verdict])
    return Picture(drawings=tuple(merged[:DRAWN]), left_out=left_out, named=False, links=links)


def _merged(drawings: t.Sequence[Drawing]) -> list[Drawing]:
    """Drawings that differ in nothing but names become one."""
    alike: dict[t.Any, list[Drawing]] = {}
    for drawing in drawings:
        boxes = tuple(dataclasses.replace(box, title="") for box in drawing.boxes)
        alike.setdefault((boxes, drawing.arrows), []).append(drawing)
    return [
        dataclasses.replace(first, alike=tuple(other.pools for other in others)) for first, *others in alike.values()
    ]


def pool_links(judgement: Judgement) -> tuple[PoolLink, ...]:
    """The connections of a fleet, summed up by pools, in the order of the judgement's pools."""
    pool_of = {name: pool.name for pool in judgement.pools for name in (*pool.missing, *pool.members)}
    order = {pool.name: number for number, pool in enumerate(judgement.pools)}
    found: dict[tuple[str, str, str], list[ConnectionJudgement]] = collections.defaultdict(list)
    for connection in judgement.connections:
        validators = pool_of.get(connection.validator, connection.validator)
        peers = validators if connection.kind == "front_end" else pool_of.get(connection.peer, connection.peer)
        found[(validators, peers, connection.kind)].append(connection)
    keys = sorted(found, key=lambda key: (order.get(key[0], len(order)), key[0], key[2] == "edge", key[1]))
    return tuple(_pool_link(*key, found[key]) for key in keys)


def _pool_link(validators: str, peers: str, kind: str, connections: list[ConnectionJudgement]) -> PoolLink:
    counts = collections.Counter(connection.verdict for connection in connections)
    verdict = worst(counts)
    decisive = next(connection for connection in connections if connection.verdict == verdict)
    sources = dict.fromkeys(c.source for c in connections if c.source != "its own certificate")
    return PoolLink(
        validators=validators,
        peers=peers,
        among=kind == "front_end",
        ports="/".join(map(str, decisive.ports)),
        verdict=verdict,
        counts=tuple((v, counts[v]) for v in ORDER if counts[v]),
        source=", ".join(sources) or "a server of its own",
        assumed=any(connection.assumed for connection in connections),
        reason=decisive.reason,
    )


def _groups(names: t.Collection[str], links: t.Sequence[PoolLink]) -> list[frozenset[str]]:
    """Pools that are connected, directly or through others; in a stable order."""
    near: dict[str, set[str]] = {name: set() for name in sorted(names)}
    for link in links:
        near.setdefault(link.validators, set()).add(link.peers)
        near.setdefault(link.peers, set()).add(link.validators)
    groups: list[frozenset[str]] = []
    seen: set[str] = set()
    for start in near:
        group, waiting = set[str](), [start]
        while waiting:
            name = waiting.pop()
            if name not in seen:
                seen.add(name)
                group.add(name)
                waiting.extend(near[name])
        if group:
            groups.append(frozenset(group))
    return groups


def _drawing(
    group: frozenset[str],
    pools: t.Mapping[str, PoolJudgement],
    links: t.Sequence[PoolLink],
    hosts: t.Mapping[str, HostJudgement],
    named: bool,
) -> Drawing:
    among = {link.validators: link for link in links if link.among}
    outgoing = [link for link in links if not link.among]
    left = sorted(n for n in group if n in {link.validators for link in links} or _role(n, pools) == "front_end")
    right = sorted(group - set(left))
    lefts = [_box(n, pools, hosts, named, among.get(n), [o for o in outgoing if o.validators == n], 1) for n in left]
    rights = [_box(n, pools, hosts, named, None, [o for o in outgoing if o.peers == n], _RIGHT) for n in right]
    height = max(_stacked(lefts), _stacked(rights)) + 2
    lefts, rights = _placed(lefts, height), _placed(rights, height)
    by_name = dict(zip([*left, *right], [*lefts, *rights], strict=True))
    description = [_sentence(link) for link in links]
    description += [f"{name}: no connection is known." for name in sorted(group) if not links]
    return Drawing(
        height=height,
        boxes=(*lefts, *rights),
        arrows=tuple(_arrows(outgoing, by_name)),
        verdict=worst([*(link.verdict for link in links), *(box.verdict for box in (*lefts, *rights))]),
        description=tuple(description),
        pools=(*left, *right),
    )


def _role(name: str, pools: t.Mapping[str, PoolJudgement]) -> str:
    return pools[name].role if name in pools else "edge"


def _sentence(link: PoolLink) -> str:
    whom = "each other" if link.among else link.peers
    return f"{link.validators} checks {whom} on {link.ports}{' (assumed)' if link.assumed else ''}: {link.words}."


def _box(
    name: str,
    pools: t.Mapping[str, PoolJudgement],
    hosts: t.Mapping[str, HostJudgement],
    named: bool,
    among: PoolLink | None,
    links: t.Sequence[PoolLink],
    x: float,
) -> Box:
    """A box at the top of its column; :func:`_placed` moves it."""
    pool = pools.get(name)
    rows: list[Row] = []
    width = _LEFT_WIDTH if x < _RIGHT else _RIGHT_WIDTH
    if pool and named:
        for member in pool.members:
            host = hosts[member]
            usage = f" · {USAGE[host.certificate.usage]}" if host.certificate else ""
            rows.append(_row(rows, host.verdict, member, WORD[host.verdict] + usage, width))
        for member in pool.missing:
            rows.append(_row(rows, "not_assessed", member, "not read", width))
    if among:
        rows.append(_row(rows, among.verdict, f"↻ each other, {among.ports}", among.words, width))
    height = max(_HEAD + len(rows) * _ROW + _PAD, len(links) * _ARROW_GAP + 16)
    return Box(
        x=x,
        y=0,
        width=width,
        height=height,
        verdict=pool.verdict if pool else worst(link.verdict for link in links),
        title=fit(name, (width - 24) / _TITLE - 2),
        subtitle=fit(_subtitle(pool), (width - 24) / _CHARACTER),
        rows=tuple(rows),
    )


def _row(rows: t.Sequence[Row], verdict: Verdict, text: str, words: str, width: float) -> Row:
    words = fit(words, (width - 40) * 0.75 / _WORD)
    room = round(width - 32 - columns(words) * _WORD, 1)
    return Row(
        y=_HEAD + len(rows) * _ROW + 10, verdict=verdict, text=fit(text, room / _CHARACTER - 2), words=words, room=room
    )


def _subtitle(pool: PoolJudgement | None) -> str:
    if pool is None:
        return "not in this inventory"
    role = "Front End pool" if pool.role == "front_end" else "Edge pool"
    parts = [f"{role}, {counted(len(pool.members) + len(pool.missing), 'server')}: {WORD[pool.verdict]}"]
    if pool.role == "front_end" and not pool.edge_pools:
        parts.append("no Edge pool")
    return ", ".join(parts)


def _stacked(boxes: t.Sequence[Box]) -> float:
    return sum(box.height for box in boxes) + _GAP * max(len(boxes) - 1, 0)


def _placed(boxes: t.Sequence[Box], height: float) -> list[Box]:
    """The boxes of a column below each other, spread evenly over the height."""
    space = (height - 2 - sum(box.height for box in boxes)) / (len(boxes) or 1)
    y, placed = 1 + space / 2, []
    for box in boxes:
        moved = tuple(dataclasses.replace(row, y=row.y + y) for row in box.rows)
        placed.append(dataclasses.replace(box, y=y, rows=moved))
        y += box.height + space
    return placed


def _arrows(links: t.Sequence[PoolLink], boxes: t.Mapping[str, Box]) -> t.Iterator[Arrow]:
    leaving, arriving = collections.Counter[str](), collections.Counter[str]()
    outgoing = collections.Counter(link.validators for link in links)
    incoming = collections.Counter(link.peers for link in links)
    for link in links:
        start, end = boxes[link.validators], boxes[link.peers]
        y1 = _port(start, leaving[link.validators], outgoing[link.validators])
        y2 = _port(end, arriving[link.peers], incoming[link.peers])
        leaving[link.validators] += 1
        arriving[link.peers] += 1
        x1, x2 = start.x + start.width, end.x
        words = fit(f"{link.ports}: {link.words}" + (" (assumed)" if link.assumed else ""), 37)
        bend = min(x1 + 14 + columns(words) * _WORD, x2 - 40)
        middle = (bend + x2 - 8) / 2
        yield Arrow(
            path=f"M{x1:g} {y1:.1f}H{bend:.1f}C{middle:.1f} {y1:.1f} {middle:.1f} {y2:.1f} {x2 - 8:g} {y2:.1f}",
            head=f"M{x2 - 9:g} {y2 - 5:.1f}L{x2 - 1:g} {y2:.1f}L{x2 - 9:g} {y2 + 5:.1f}Z",
            verdict=link.verdict,
            assumed=link.assumed,
            words=words,
            x=x1 + 7,
            y=round(y1 - 6, 1),
        )


def _port(box: Box, number: int, of: int) -> float:
    """Where an arrow touches a box: spread over its side."""
    return box.y + box.height * (number + 1) / (of + 1)


def columns(text: str) -> int:
    """About how many columns a text takes: characters of East Asia are two wide, capitals and the like wider than the rest."""
    return math.ceil(sum(map(_breadth, text)))


def _breadth(character: str) -> float:
    if unicodedata.east_asian_width(character) in "WF":
        return 2
    return 1.6 if character in "MW@%" else 1.2 if character.isupper() else 1


def fit(text: str, room: float) -> str:
    """A text that is too long for its place loses its middle: names differ at both ends."""
    if columns(text) <= room:
        return text
    keep = max(int(room) - 1, 2)
    while columns(text[: keep - keep // 2]) + columns(text[-(keep // 2) :]) + 1 > room and keep > 2:
        keep -= 1
    return f"{text[: keep - keep // 2]}…{text[-(keep // 2) :]}"
