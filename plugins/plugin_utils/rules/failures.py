# Copyright (c) 2026, the sfb.kb4023993 contributors
# GNU General Public License v3.0-or-later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the events of a Front End say, judged by time: those since its process started apart from older ones.

Events support a verdict; that there are none proves nothing. A host fixed an hour ago must not look sick because of yesterday.
"""

from __future__ import annotations

import dataclasses
import datetime
import re
import typing as t

from ..evidence import Evidence
from ..host.operations import Event
from ..knowledge import loader as knowledge
from .roles import RoleFacts
from .times import is_after, parse_time

# 41024 is logged again after 20 minutes while a connection stays lost; a longer silence after a success is a recovery.
QUIET: t.Final = datetime.timedelta(minutes=21)
_FQDN: t.Final = re.compile(
    r"(?=.{4,255}\Z)(?:[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?\.)+[a-z][a-z0-9-]{1,62}\Z", re.IGNORECASE
)


@dataclasses.dataclass(frozen=True, kw_only=True)
class FailureFacts:
    """By kind of connection (``edge``, ``front_end``): failures since the start that still stand, and older ones.

    ``lost``: peers that failures since the start name; ``lost_all``: kinds with a failure that names nobody, so means every peer.
    ``named``: all Edge names seen in events, whether failures or not.
    """

    readable: bool
    since_start: dict[str, int]
    older: dict[str, int]
    lost: dict[str, frozenset[str]]
    lost_all: frozenset[str]
    named: frozenset[str]
    last_utc: str | None

    def failing(self, kind: str, *names: str) -> bool:
        """Whether a connection of this kind to a peer of one of these names has failed since the process started."""
        if kind in self.lost_all:
            return True
        return any(name.lower() in self.lost.get(kind, frozenset()) for name in names)


def failure_facts(evidence: Evidence, role: RoleFacts) -> FailureFacts:
    """Sort the events of a Front End."""
    replies = evidence.events
    started = role.process.started_utc if role.process else None
    kinds = {event.id: event for event in knowledge.events()}
    since: dict[str, list[Event]] = {}
    before: dict[str, list[Event]] = {}
    named: set[str] = set()
    for event in replies.events if replies else ():
        if event.id not in kinds:
            continue
        kind = kinds[event.id].connection
        if kind == "edge":
            named.update(_names(event))
        recent = started is None or is_after(event.time_utc, started)
        (since if recent else before).setdefault(kind, []).append(event)
    now = evidence.system.time_utc if evidence.system else None
    failing = {kind: found for kind, events in since.items() if (found := _standing_failures(events, kinds, now))}
    return FailureFacts(
        readable=replies is not None,
        since_start={kind: len(events) for kind, events in failing.items()},
        older={kind: len(found) for kind, events in before.items() if (found := _failures(events, kinds))},
        lost={kind: frozenset(name for event in events for name in _names(event)) for kind, events in failing.items()},
        lost_all=frozenset(kind for kind, events in failing.items() if any(not tuple(_names(e)) for e in events)),
        named=frozenset(named),
        last_utc=max((event.time_utc for events in failing.values() for event in events), default=None),
    )


def _standing_failures(events: list[Event], kinds: dict[int, knowledge.Event], now: str | None) -> list[Event]:
    """The failures, unless the last word was a success that has stood for the quiet time.

    In the fault itself a success is followed by the failure at once, so a fresh success proves nothing.
    """
    failures = _failures(events, kinds)
    successes = [event.time_utc for event in events if kinds[event.id].outcome == "success"]
    last_success = parse_time(max(successes, default=None))
    last_failure = parse_time(max((event.time_utc for event in failures), default=None))
    moment = parse_time(now)
    if last_success and last_failure and moment and last_success > last_failure and moment - last_success > QUIET:
        return []
    return failures


def _failures(events: list[Event], kinds: dict[int, knowledge.Event]) -> list[Event]:
    """The events that mean a failure.

    Of 41029 and 41031 it is not known which one is the loss; only both together, in the same time, mean one.
    """
    failures = [event for event in events if kinds[event.id].outcome == "failure"]
    undirected = [event for event in events if kinds[event.id].outcome == "undirected"]
    wanted = {e.id for e in kinds.values() if e.outcome == "undirected"}
    if wanted and {event.id for event in undirected} == wanted:
        failures.extend(undirected)
    return failures


def _names(event: Event) -> t.Iterator[str]:
    """Names of servers among the insertion strings, in lower case. The strings' order is not documented, so all are looked at."""
    for text in event.strings:
        if _FQDN.match(text.strip()):
            yield text.strip().lower()
