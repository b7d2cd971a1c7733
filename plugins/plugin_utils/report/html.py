# Copyright (c) 2026, the sfb.kb4023993 contributors
# GNU General Public License v3.0-or-later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The report as one HTML file that needs nothing else. Pure: the same report gives the same bytes.

``page.html.j2`` is the page, its style and its script. Whatever comes from a server or an inventory reaches it through
:func:`_shown` and the template's escaping, and the page's own policy lets a browser run nothing but the one script in it.
"""

from __future__ import annotations

import base64
import dataclasses
import functools
import hashlib
import pathlib
import re
import typing as t
import unicodedata

import jinja2
import markupsafe

from ..findings import Finding, HostJudgement
from ..rules.verdict import ORDER
from ..waivers import waiver_words
from ..words import counted, one_line
from . import view
from .advice import Block, Step, Way, advice, blocks
from .certificates import certificate_parts
from .document import PAGES, Report, saved_note
from .marks import SYMBOL, WORD
from .parts import since_parts, since_sentence, since_title, waiver_parts
from .picture import WIDTH, draw

_TEMPLATE: t.Final = pathlib.Path(__file__).with_name("page.html.j2")
_LONGEST: t.Final = 4000
_STACKED: t.Final = 3
_FOLDED: t.Final = 12


@dataclasses.dataclass(frozen=True, kw_only=True)
class StepView:
    """A step with its commands. ``seen``: the anchor where the same commands already stand."""

    step: Step
    anchor: str | None
    seen: str | None
    blocks: tuple[Block, ...]


@dataclasses.dataclass(frozen=True, kw_only=True)
class WayView:
    title: str
    steps: tuple[StepView, ...]


@dataclasses.dataclass(frozen=True, kw_only=True)
class FindingView:
    """All findings of one kind. ``folded``: the evidence is long and begins closed; ``waived``: how many have a waiver."""

    anchor: str
    id: str
    severity: str
    title: str
    symptom: str
    cause: str
    next_step: str
    items: tuple[Finding, ...]
    folded: bool
    waived: int
    fix: tuple[WayView, ...]
    rollback: tuple[WayView, ...]


def report_html(report: Report) -> str:
    """The whole page."""
    judgement = report.latest
    findings = _findings(report)
    rows = view.expiry_rows(judgement)
    return _template().render(
        report=report,
        saved_note=saved_note(report),
        pages=PAGES,
        judgement=judgement,
        counts=view.verdict_table(report),
        worst=next((verdict for verdict in ORDER if report.counts.get(verdict)), "not_applicable"),
        picture=draw(judgement),
        picture_width=WIDTH,
        groups=view.server_groups(report),
        findings=[finding for finding in findings if finding.id != view.NOT_ASSESSED],
        unread=next((finding for finding in findings if finding.id == view.NOT_ASSESSED), None),
        since_title=since_title(report.since) if report.since else None,
        since_sentence=since_sentence(report.since) if report.since else "",
        since=since_parts(report.since) if report.since else (),
        certificates=certificate_parts(report.renewal) if report.renewal else (),
        waivers=waiver_parts(report.waivers),
        changes=view.change_rows(report),
        moved=view.moved(report),
        ending=[row for row in rows if row.when != "later"],
        next_to_end=rows[0] if rows else None,
        prospects=view.prospects(judgement),
        durations=view.durations(judgement),
        in_run=sum(host.in_run for host in judgement.hosts),
    )


def _findings(report: Report) -> list[FindingView]:
    hosts = {host.name: host for host in report.latest.hosts}
    seen: dict[str, str] = {}
    return [_finding(items, hosts, seen) for items in view.finding_groups(report)]


def _finding(items: tuple[Finding, ...], hosts: t.Mapping[str, HostJudgement], seen: dict[str, str]) -> FindingView:
    first = items[0]
    anchor = "finding-" + re.sub(r"[^A-Za-z0-9-]", "-", first.id)
    # A report of another version may hold a kind that is not known here; its own words are still shown.
    known = advice().get(first.id)
    concerned = [hosts[item.host] for item in items if item.host and item.host in hosts]
    return FindingView(
        anchor=anchor,
        id=first.id,
        severity=first.severity,
        title=first.title,
        symptom=known.symptom if known else "",
        cause=known.cause if known else "",
        next_step=first.next_step,
        items=items,
        folded=len(items) > _FOLDED,
        waived=sum(item.waiver is not None for item in items),
        fix=_ways(known.fix if known else (), concerned, seen),
        rollback=_ways(known.rollback if known else (), concerned, seen),
    )


def _ways(ways: t.Sequence[Way], hosts: t.Sequence[HostJudgement], seen: dict[str, str]) -> tuple[WayView, ...]:
    return tuple(
        WayView(title=way.title, steps=tuple(_step(step, hosts=hosts, seen=seen) for step in way.steps)) for way in ways
    )


def _step(step: Step, *, hosts: t.Sequence[HostJudgement], seen: dict[str, str]) -> StepView:
    """A step whose commands are the same for everybody stands on the page once; later ones point there."""
    common = bool(step.commands) and not step.placeholders
    if common and step.id in seen:
        return StepView(step=step, anchor=None, seen=seen[step.id], blocks=())
    anchor = None
    if common:
        anchor = seen[step.id] = f"step-{step.id}"
    return StepView(step=step, anchor=anchor, seen=None, blocks=blocks(step, hosts))


@functools.cache
def _template() -> jinja2.Template:
    environment = jinja2.Environment(
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        finalize=_shown,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["csp_hash"] = _csp_hash
    environment.filters["counted"] = counted
    environment.filters["waiver_words"] = waiver_words
    environment.globals.update(SYMBOL=SYMBOL, WORD=WORD)
    return environment.from_string(_TEMPLATE.read_text("utf-8"))


def _shown(value: t.Any) -> t.Any:
    """What an expression of the template becomes, before it is escaped: one bounded line without control characters.

    That includes the characters that turn the direction of a line around, and heaps of accents that would cover other lines.
    """
    if isinstance(value, markupsafe.Markup) or not isinstance(value, str):
        return value
    line = one_line(value, _LONGEST)
    return line if line.isascii() else _without_heaps(line)


def _without_heaps(text: str) -> str:
    kept, run = [], 0
    for character in text:
        run = run + 1 if unicodedata.combining(character) else 0
        if run <= _STACKED:
            kept.append(character)
    return "".join(kept)


def _csp_hash(text: str) -> str:
    """The hash by which a Content-Security-Policy names a piece of the page."""
    return "sha256-" + base64.b64encode(hashlib.sha256(str(text).encode("utf-8")).digest()).decode("ascii")
