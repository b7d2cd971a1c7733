# Copyright (c) 2026, the sfb.kb4023993 contributors
# GNU General Public License v3.0-or-later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Change over time, waivers and forecasts in words, once for all forms: headings with lines below. The forms only put them in place.

The lines hold text from servers as it is; each form makes it harmless in its own way.
"""

from __future__ import annotations

import dataclasses
import typing as t

from ..compare import Comparison, ConnectionChange, FindingChange, Moment
from ..rules.verdict import Verdict
from ..waivers import WaiverUse, place
from ..what_if import Forecast
from ..words import counted
from .marks import WORD

_NAMES: t.Final = 10
_LINES: t.Final = 40


@dataclasses.dataclass(frozen=True, kw_only=True)
class Part:
    """A heading and its lines; ``bad``: something that somebody has to look at."""

    title: str
    lines: tuple[str, ...]
    bad: bool = False


def since_title(comparison: Comparison) -> str:
    """``Since the last run (2026-03-08T12:00:10Z, run 20260308T120000Z-abcdef)``."""
    return f"Since the last run ({_moment(comparison.earlier)})"


def compared_title(comparison: Comparison) -> str:
    """The same where any two runs are compared."""
    return f"From {_moment(comparison.earlier)} to {_moment(comparison.later)}"


def since_sentence(comparison: Comparison) -> str:
    """All in one line."""
    counts = comparison.counts
    said = [
        counted(counts["regressed"], "regression"),
        f"{counted(counts['new'], 'finding')} new",
        f"{counts['fixed']} fixed",
        f"{counts['unchanged']} unchanged",
    ]
    if counts["not_comparable"]:
        said.append(f"{counts['not_comparable']} not comparable")
    return f"{', '.join(said)}."


def since_parts(comparison: Comparison) -> tuple[Part, ...]:
    """What got worse first."""
    by_kind: dict[str, list[FindingChange]] = {}
    for change in comparison.findings:
        by_kind.setdefault(change.change, []).append(change)
    verdicts = [f"{change.host}: {WORD[change.earlier]} -> {WORD[change.later]}" for change in comparison.verdicts]
    parts = (
        Part(title="Regressed", lines=tuple(f"{r.host}: {r.text}" for r in comparison.regressions), bad=True),
        Part(title="New", lines=_by_id(by_kind.get("new", ())), bad=True),
        Part(title="Fixed", lines=_by_id(by_kind.get("fixed", ()))),
        Part(title="Verdicts that changed", lines=tuple(verdicts)),
        Part(
            title="Not comparable",
            lines=(
                *(f"{each.host}: {each.reason}" for each in comparison.not_comparable),
                *_by_id(by_kind.get("not_comparable", ())),
            ),
        ),
        Part(title="Servers that are new", lines=_names_line(comparison.appeared)),
        Part(title="Servers that are no longer there", lines=_names_line(comparison.vanished)),
    )
    return tuple(_bounded(part) for part in parts if part.lines)


def waiver_parts(uses: t.Sequence[WaiverUse]) -> tuple[Part, ...]:
    """The waivers of a run, those that need somebody first."""
    titles = {
        "expired": "Expired: these count again",
        "ends_soon": "End within 30 days",
        "in_force": "In force",
    }
    parts = [
        Part(
            title=title,
            lines=tuple(_waiver_line(use) for use in uses if use.state == state),
            bad=state == "expired",
        )
        for state, title in titles.items()
    ]
    return tuple(_bounded(part) for part in parts if part.lines)


def forecast_parts(forecast: Forecast) -> tuple[Part, ...]:
    """The connections by what would become of them, and by host."""
    titles: dict[Verdict, str] = {
        "broken": "Would break",
        "not_assessed": "Could not be told any more",
        "latent": "Would become latent",
        "mitigated": "Would depend on an opt-out",
        "compliant": "Would be well",
    }
    parts = [
        Part(
            title=title,
            lines=tuple(_connection(change) for change in forecast.connections if change.later == verdict),
            bad=verdict in ("broken", "not_assessed"),
        )
        for verdict, title in titles.items()
    ]
    parts.append(Part(title="To be known", lines=forecast.notes))
    return tuple(part for part in parts if part.lines)


def _moment(moment: Moment) -> str:
    return f"{moment.judged_utc}, run {moment.run_id}"


def _waiver_line(use: WaiverUse) -> str:
    waiver = use.waiver
    ended = {
        "expired": f"expired on {waiver.expires}",
        "ends_soon": f"until {waiver.expires}, {counted(use.days_left, 'day')} left",
        "in_force": f"until {waiver.expires}",
    }[use.state]
    unused = "" if use.findings else " It is about no finding of this run."
    return f"{waiver.finding}, {place(waiver)}: waived by {waiver.owner}, {ended}: {waiver.reason.rstrip('.')}.{unused}"


def _connection(change: ConnectionChange) -> str:
    ports = "/".join(map(str, change.ports))
    to = "itself" if change.peer == change.validator else change.peer
    return f"{change.validator}: to {to} ({ports}), {WORD[change.earlier]} now: {change.reason}"


def _by_id(changes: t.Sequence[FindingChange]) -> tuple[str, ...]:
    """One line a finding, with its servers."""
    groups: dict[tuple[str, str, str], list[str]] = {}
    for change in changes:
        groups.setdefault((change.id, change.severity, change.title), []).append(change.host or change.pool or "")
    return tuple(
        f"{identifier} ({severity}): {title}: {', '.join(_names_line(names))}"
        for (identifier, severity, title), names in groups.items()
    )


def _names_line(names: t.Sequence[str]) -> tuple[str, ...]:
    if not names:
        return ()
    more = f" and {len(names) - _NAMES} more" if len(names) > _NAMES else ""
    return (", ".join(names[:_NAMES]) + more,)


def _bounded(part: Part) -> Part:
    """A report is read; the JSON report has all of it."""
    if len(part.lines) <= _LINES:
        return part
    more = f"and {len(part.lines) - _LINES} more, in the JSON report"
    return dataclasses.replace(part, lines=(*part.lines[:_LINES], more))
