# Copyright (c) 2026, the sfb.kb4023993 contributors
# GNU General Public License v3.0-or-later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Files of evidence, and a fleet of them on the way through judgement and plan into every form of report."""

from __future__ import annotations

import csv
import functools
import html.parser
import io
import json
import typing as t
import unicodedata
from xml.etree import ElementTree

from ansible_collections.sfb.kb4023993.plugins.plugin_utils.codec import encode
from ansible_collections.sfb.kb4023993.plugins.plugin_utils.evidence import Evidence, EvidenceError, from_text, to_text
from ansible_collections.sfb.kb4023993.plugins.plugin_utils.facts import certificate_facts, dotnet_facts, host_facts
from ansible_collections.sfb.kb4023993.plugins.plugin_utils.host_plan import Goal
from ansible_collections.sfb.kb4023993.plugins.plugin_utils.plan import plan_hash, plan_text, read_plan
from ansible_collections.sfb.kb4023993.plugins.plugin_utils.report.document import Report, make_report
from ansible_collections.sfb.kb4023993.plugins.plugin_utils.report.formats import FORMATS
from atheris import FuzzedDataProvider
from builders import evidence as e
from builders import fleets as f
from builders import reports as r

from fuzz.harness import Target
from fuzz.mutation import Path, changed, places, some_bytes

_GOALS: t.Final[tuple[Goal, ...]] = ("override", "bridge", "retire", "rollback")
_POOL: t.Final = "edgepool.contoso.example"


@functools.cache
def _fleet() -> tuple[Evidence, ...]:
    events = e.events(e.event(41024, e.EARLIER, "edge01", "8057"), e.event(41025, e.LATER, "edge01"))
    kept = e.records(e.change_record(), e.restart_record())
    return (
        e.front_end("fe01", edge_pool=_POOL, opt_outs=e.opt_outs(e.Value(), config=e.config_switch())),
        e.front_end("fe02", edge_pool=_POOL, records=kept, events=events),
        e.edge("edge01"),
    )


@functools.cache
def _documents() -> tuple[tuple[t.Any, list[Path]], ...]:
    found = []
    for evidence in _fleet():
        document = json.loads(to_text(evidence))
        ways = [way for way in places(document) if way[0] not in ("schema", "inventory_name")]
        found.append((document, ways))
    return tuple(found)


def _seeds() -> t.Iterator[bytes]:
    # The report's own template is compiled when it is first used; from then on nothing may be.
    _report(_fleet(), "override")
    yield from (b"\0" + to_text(evidence).encode("utf-8") for evidence in _fleet())
    yield from (b"\1" + data for data in some_bytes(64))
    yield from (b"\2" + attack.encode("utf-8", "surrogatepass") for attack in r.ATTACKS.values())


def _read(data: bytes) -> None:
    if data[:1] == b"\2":
        # Every text of a report is this one.
        _render(r.hostile(data[1:60].decode("utf-8", "surrogateescape")))
        return
    if data[:1] != b"\1":
        evidence = from_text(data[1:].decode("utf-8", "surrogateescape"), where="here")
        assert to_text(from_text(to_text(evidence), where="here")) == to_text(evidence)
        return
    provider = FuzzedDataProvider(data[1:])
    goal = _GOALS[provider.ConsumeIntInRange(0, 3)]
    documents = [changed(provider, document, ways) for document, ways in _documents()]
    fleet = [from_text(json.dumps(document), where="here") for document in documents]
    for evidence, document in zip(fleet, documents, strict=True):
        assert _holds(encode(evidence), document), "what was read is not what is kept"
        for facts in (host_facts(evidence, now=f.NOW), certificate_facts(evidence, now=f.NOW), dotnet_facts(evidence)):
            json.dumps(facts)
    _report(fleet, goal)


def _report(fleet: t.Sequence[Evidence], goal: Goal) -> None:
    assessment = f.judge(*fleet)
    plan = f.plan(assessment, goal)
    text = plan_text(plan)
    assert plan_text(read_plan(text, where="here")) == text
    report = make_report(
        playbook="remediate", check_mode=True, before=assessment.judgement, plan=plan, plan_sha256=plan_hash(text)
    )
    _render(report)


def _render(report: Report) -> None:
    for name, form in FORMATS.items():
        rendered = form.render(report)
        rendered.encode("utf-8")
        assert len(rendered) < 4_000_000, name
        _CHECKS.get(name, _is_plain)(rendered)


def _holds(kept: t.Any, given: t.Any) -> bool:
    """Whether all that was given is kept as it was; what was not given has its default."""
    if isinstance(given, dict):
        return isinstance(kept, dict) and all(name in kept and _holds(kept[name], given[name]) for name in given)
    if isinstance(given, list):
        return isinstance(kept, list) and len(kept) == len(given) and all(map(_holds, kept, given))
    return bool(kept == given)


class _Page(html.parser.HTMLParser):
    """No element, no attribute and no script but the report's own."""

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        assert tag not in ("img", "iframe", "object", "embed"), tag
        for name, value in attributes:
            assert not name.startswith("on"), name
            assert "javascript:" not in (value or "").lower() or name in ("title", "aria-label", "data-search"), value


def _check_html(text: str) -> None:
    page = _Page()
    page.feed(text)
    page.close()
    # Its own script alone; every text from outside stands behind entities.
    assert text.count("<script") == 1, "a second script"


def _check_csv(text: str) -> None:
    rows = list(csv.reader(io.StringIO(text.removeprefix("\ufeff"), newline="")))
    assert len({len(row) for row in rows}) == 1, "rows of different lengths"
    for cell in (cell for row in rows for cell in row):
        first = unicodedata.normalize("NFKC", cell.lstrip(' \t\r\n"')[:1])
        assert not first or first[0] not in "=+-@" or cell.lstrip("-").isdigit(), cell[:100]


def _check_json(text: str) -> None:
    json.loads(text, parse_constant=lambda word: (_ for _ in ()).throw(AssertionError(f"{word} is not JSON")))


def _check_xml(text: str) -> None:
    ElementTree.fromstring(text)


def _is_plain(text: str) -> None:
    """For terminals, and for readers that go line by line."""
    for character in "\x1b\x07\x00\x9b\u202e":
        assert character not in text, repr(character)


_CHECKS: t.Final[dict[str, t.Callable[[str], None]]] = {
    "html": _check_html,
    "csv": _check_csv,
    "json": _check_json,
    "sarif": _check_json,
    "junit": _check_xml,
}
TARGET: t.Final = Target(
    read=_read, seeds=_seeds, refusals=(EvidenceError,), words=(b'{"schema": 1', b"null", b'"inventory_name": ')
)
