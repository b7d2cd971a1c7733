# Copyright (c) 2026, the sfb.kb4023993 contributors
# GNU General Public License v3.0-or-later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Waivers: findings that somebody accepts until a day. Read and checked here, and what they do to a judgement. Pure.

A waiver hides nothing: the finding stays in every report and is marked. It changes only which hosts an audit or a compliance run fails,
and only for what it names: the finding's id on its own host or pool.
"""

from __future__ import annotations

import collections
import dataclasses
import datetime
import re
import typing as t

import yaml

from .findings import CATALOGUE, ConnectionJudgement, Finding, HostJudgement, Judgement, Waiver
from .rules.times import parse_time
from .words import one_line

MAX_BYTES: t.Final = 1024 * 1024
SOON_DAYS: t.Final = 30
_MAX_WAIVERS: t.Final = 5000
_MAX_PROBLEMS: t.Final = 10
# Values of YAML: the list, and of each waiver itself and its entries, each with its name.
_MAX_VALUES: t.Final = 1 + _MAX_WAIVERS * 20
_LENGTHS: t.Final = {"finding": 100, "host": 300, "pool": 300, "reason": 500, "owner": 200, "expires": 10}
_ALWAYS: t.Final = ("finding", "reason", "owner", "expires")
_DATE: t.Final = re.compile(r"\d{4}-\d\d-\d\d\Z")
_NOT_ASSESSED: t.Final = "KB4023993-NOT-ASSESSED"
# Under which id a validator's finding names its connections of a verdict.
_CONNECTION: t.Final = {
    "broken": "KB4023993-CONNECTION-BROKEN",
    "not_assessed": "KB4023993-CONNECTION-NOT-ASSESSED",
    "latent": "KB4023993-CONNECTION-LATENT",
    "mitigated": "KB4023993-OVERRIDE-ACTIVE",
}
# Under which ids a peer's own findings say what is wrong with its certificate.
_CERTIFICATE: t.Final = ("KB4023993-CERT-EDGE-INTERNAL", "KB4023993-CERT-FRONT-END", "KB4023993-CERT-UNKNOWN")

# Finding, host, pool; one of the last two is None.
_Key = tuple[str, str | None, str | None]
State = t.Literal["in_force", "ends_soon", "expired"]


class WaiverError(ValueError):
    """A file of waivers that cannot be used; the text says where and why."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class WaiverUse:
    """A waiver in a run. ``days_left``: whole days after today on which it counts, negative once expired.

    ``findings``: how many findings of the run it is about, none for one that nothing needs (any more).
    """

    waiver: Waiver
    state: State
    days_left: int
    findings: int


class _Loader(yaml.BaseLoader):
    """Every scalar is text and no tag means anything. Without references, which make a small file large, and repeated keys."""

    values = 0

    def compose_node(self, parent: t.Any, index: t.Any) -> t.Any:
        self.values += 1
        if self.values > _MAX_VALUES:
            raise yaml.MarkedYAMLError(problem=f"there is more in it than {_MAX_WAIVERS} waivers can have")
        if self.check_event(yaml.AliasEvent):
            raise yaml.MarkedYAMLError(problem="references (*name) are not allowed")
        return super().compose_node(parent, index)

    def construct_mapping(self, node: t.Any, deep: bool = False) -> t.Any:
        names: set[str] = set()
        for key, _value in node.value:
            if not isinstance(key, yaml.ScalarNode) or key.value in names:
                raise yaml.MarkedYAMLError(
                    problem=f"an entry is there twice, or has no plain name, at line {key.start_mark.line + 1}"
                )
            names.add(key.value)
        return super().construct_mapping(node, deep)


def parse_waivers(text: str, *, where: str, hosts: t.Collection[str]) -> tuple[Waiver, ...]:
    """Read and check a file of waivers.

    :param where: the file, for errors.
    :param hosts: all inventory names. A waiver for another host matches nothing, so it is a slip.
    :raises WaiverError: anything in it is not as it has to be; the first ten problems are named.
    """
    data = _load(text, where)
    if not isinstance(data, list):
        raise WaiverError(f"{where}: expected a list of waivers. An empty list is [].")
    if len(data) > _MAX_WAIVERS:
        raise WaiverError(f"{where}: {len(data)} waivers are more than {_MAX_WAIVERS}.")
    waivers: list[Waiver] = []
    problems: list[str] = []
    seen: dict[tuple[str, str | None, str | None], int] = {}
    for number, entry in enumerate(data, 1):
        found = _waiver(entry, hosts)
        if isinstance(found, str):
            problems.append(f"waiver {number}: {found}")
            continue
        key = (found.finding, found.host, found.pool)
        if key in seen:
            problems.append(
                f"waiver {number}: {_shown(found.finding)} of {_shown(place(found))} stands in waiver {seen[key]} already"
            )
        seen.setdefault(key, number)
        waivers.append(found)
    if problems:
        more = f" And {len(problems) - _MAX_PROBLEMS} more." if len(problems) > _MAX_PROBLEMS else ""
        raise WaiverError(f"{where} cannot be used: {'; '.join(problems[:_MAX_PROBLEMS])}.{more}")
    return tuple(waivers)


def place(waiver: Waiver) -> str:
    """What the waiver is for: a host, or ``pool NAME``."""
    return waiver.host if waiver.host is not None else f"pool {waiver.pool}"


def waiver_words(waiver: Waiver) -> str:
    """A waiver in force, for people: ``waived by OWNER until 2026-12-31: REASON``."""
    return f"waived by {waiver.owner} until {waiver.expires}: {waiver.reason}"


def mark_findings(judgement: Judgement, waivers: t.Sequence[Waiver]) -> Judgement:
    """The judgement with waivers at its findings; one that has expired becomes the first line of the finding's evidence."""
    if not waivers:
        return judgement
    day, index = _day(judgement), _index(waivers)
    return dataclasses.replace(judgement, findings=tuple(_marked(item, index, day) for item in judgement.findings))


def waiver_uses(judgement: Judgement, waivers: t.Sequence[Waiver]) -> tuple[WaiverUse, ...]:
    """All waivers in a run, those first that have expired or end soonest."""
    day = _day(judgement)
    needed = collections.Counter(key for item in judgement.findings for key in _keys(item.id, item.host, item.pool))
    uses = []
    for waiver in waivers:
        left = (datetime.date.fromisoformat(waiver.expires) - day).days
        state: State = "expired" if left < 0 else "ends_soon" if left <= SOON_DAYS else "in_force"
        uses.append(WaiverUse(waiver=waiver, state=state, days_left=left, findings=needed[_key(waiver)]))
    return tuple(sorted(uses, key=lambda use: (use.days_left, use.waiver.finding, place(use.waiver))))


def waived_hosts(judgement: Judgement, waivers: t.Sequence[Waiver]) -> tuple[str, ...]:
    """Hosts whose verdict is wholly waived: nothing that gives them this verdict is without a waiver in force."""
    day = _day(judgement)
    return _excused(judgement, [waiver for waiver in waivers if not _expired(waiver, day)])


def expired_words(judgement: Judgement, waivers: t.Sequence[Waiver]) -> dict[str, str]:
    """By host what has to be said where its verdict would be waived, had no waiver expired."""
    day = _day(judgement)
    expired = [waiver for waiver in waivers if _expired(waiver, day)]
    if not expired:
        return {}
    lost = set(_excused(judgement, waivers)) - set(waived_hosts(judgement, waivers))
    hosts = {host.name: host for host in judgement.hosts}
    found = {}
    for name in sorted(lost):
        # It was waived by its own waivers, or by those of the Front Ends that check it.
        validators = {link.validator for link in judgement.connections if link.peer == name}
        near = [hosts[other] for other in (name, *sorted(validators - {name})) if other in hosts]
        places = {(host.name, None) for host in near} | {(None, _pool(host.pool)) for host in near}
        ours = [waiver for waiver in expired if (waiver.host, waiver.pool) in places]
        found[name] = " ".join(dict.fromkeys(map(_expired_sentence, ours)))
    return found


def _load(text: str, where: str) -> t.Any:
    try:
        loader = _Loader(text)
        try:
            return loader.get_single_data()
        finally:
            loader.dispose()
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        at = f", line {mark.line + 1}" if mark else ""
        raise WaiverError(f"{where}{at}: {one_line(error.problem or 'this is not YAML', 200)}.") from None
    except (yaml.YAMLError, ValueError, OverflowError, RecursionError) as error:
        reason = "it is nested too deeply" if isinstance(error, RecursionError) else one_line(str(error), 200)
        raise WaiverError(f"{where} is not YAML: {reason}.") from None


def _waiver(entry: t.Any, hosts: t.Collection[str]) -> Waiver | str:
    """One entry of the list, or what is wrong with it."""
    if not isinstance(entry, dict):
        return f"expected entries like finding, host, reason; found {'a list' if isinstance(entry, list) else 'text'}"
    unknown = [name for name in entry if name not in _LENGTHS]
    if unknown:
        return f"there is no entry {_shown(unknown[0])}; there are {', '.join(_LENGTHS)}"
    for name, value in entry.items():
        if not isinstance(value, str):
            return f"{name} is not text"
        if not value.strip():
            return f"{name} is empty"
        if len(value) > _LENGTHS[name]:
            return f"{name} is longer than {_LENGTHS[name]} characters"
    missing = [name for name in _ALWAYS if name not in entry]
    if missing:
        return f"{missing[0]} is missing"
    if ("host" in entry) == ("pool" in entry):
        return "expected exactly one of host and pool"
    words = {name: value.strip() for name, value in entry.items()}
    return _wrong(words, hosts) or Waiver(
        finding=words["finding"],
        host=words.get("host"),
        pool=_pool(words.get("pool")),
        reason=words["reason"],
        owner=words["owner"],
        expires=words["expires"],
    )


def _wrong(words: t.Mapping[str, str], hosts: t.Collection[str]) -> str | None:
    if words["finding"] not in CATALOGUE:
        return f"there is no finding {_shown(words['finding'])}"
    if "host" in words and words["host"] not in hosts:
        return (
            f"there is no host {_shown(words['host'])} in the inventory (one host by its inventory name, no patterns)"
        )
    if "*" in words.get("pool", ""):
        return "pool is the FQDN of one pool, there are no patterns"
    try:
        if not _DATE.match(words["expires"]):
            raise ValueError
        datetime.date.fromisoformat(words["expires"])
    except ValueError:
        return f"expires is {_shown(words['expires'])}; expected a date like 2026-12-31"
    return None


def _shown(text: str) -> str:
    return f'"{one_line(text, 80)}"'


def _pool(name: str | None) -> str | None:
    return name.lower().rstrip(".") if name is not None else None


def _day(judgement: Judgement) -> datetime.date:
    moment = parse_time(judgement.judged_utc)
    if moment is None:
        raise WaiverError(f"The judgement has no usable time ({one_line(judgement.judged_utc, 40)}). Run again.")
    return moment.date()


def _expired(waiver: Waiver, day: datetime.date) -> bool:
    return datetime.date.fromisoformat(waiver.expires) < day


def _expired_sentence(waiver: Waiver) -> str:
    return f"The waiver of {waiver.owner} expired on {waiver.expires}."


def _key(waiver: Waiver) -> _Key:
    return waiver.finding, waiver.host, waiver.pool


def _keys(identifier: str, host: str | None, pool: str | None) -> tuple[_Key, _Key]:
    """What a waiver of this finding may stand under: the host, or its pool."""
    return (identifier, host, None), (identifier, None, _pool(pool))


def _index(waivers: t.Iterable[Waiver]) -> dict[_Key, Waiver]:
    return {_key(waiver): waiver for waiver in waivers}


def _marked(item: Finding, index: t.Mapping[_Key, Waiver], day: datetime.date) -> Finding:
    ours = [index[key] for key in _keys(item.id, item.host, item.pool) if key in index]
    last = max(ours, key=lambda waiver: waiver.expires, default=None)
    if last is None:
        return item
    if _expired(last, day):
        return dataclasses.replace(item, evidence=(_expired_sentence(last), *item.evidence))
    return dataclasses.replace(item, waiver=last)


def _excused(judgement: Judgement, waivers: t.Sequence[Waiver]) -> tuple[str, ...]:
    """Hosts of which every cause of their verdict has one of these waivers."""
    if not waivers:
        return ()
    index = _index(waivers)
    hosts = {host.name: host for host in judgement.hosts}
    by_host: dict[str, list[ConnectionJudgement]] = {}
    for connection in judgement.connections:
        for name in dict.fromkeys((connection.validator, connection.peer)):
            by_host.setdefault(name, []).append(connection)
    unread = {item.host for item in judgement.findings if item.id == _NOT_ASSESSED}

    def is_waived(host: HostJudgement | None, *identifiers: str) -> bool:
        return host is not None and any(
            key in index for identifier in identifiers for key in _keys(identifier, host.name, host.pool)
        )

    def is_excused(host: HostJudgement) -> bool:
        if host.name in unread:
            return is_waived(host, _NOT_ASSESSED)
        causes = [connection for connection in by_host.get(host.name, ()) if connection.verdict == host.verdict]
        own = _CONNECTION.get(host.verdict)
        if own is None:
            return False
        if is_waived(host, own) or (host.verdict == "not_assessed" and is_waived(host, _NOT_ASSESSED)):
            return True
        # Of the others' findings the validator's speaks for the connection; the host's own certificate is its own matter.
        return bool(causes) and all(
            is_waived(hosts.get(cause.validator), own) or (cause.peer == host.name and is_waived(host, *_CERTIFICATE))
            for cause in causes
        )

    return tuple(host.name for host in judgement.hosts if is_excused(host))
