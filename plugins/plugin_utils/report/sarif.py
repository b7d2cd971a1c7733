# Copyright (c) 2026, the sfb.kb4023993 contributors
# GNU General Public License v3.0-or-later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The report as SARIF 2.1.0 (OASIS), for trackers of security findings. Pure: the same report gives the same text.

Only findings are results, no server that is in order. They stand at logical locations (the server, in its pool), because there is no
source file; ``partialFingerprints`` are made of the finding's id and the server alone, so that a tracker knows the same finding in the
next run.
"""

from __future__ import annotations

import hashlib
import json
import typing as t

from ..findings import CATALOGUE, Finding, Kind
from ..waivers import waiver_words
from ..words import one_line
from .document import Report, findings_of_run

_SCHEMA: t.Final = "https://json.schemastore.org/sarif-2.1.0.json"
_ARTICLE: t.Final = "https://support.microsoft.com/help/4023993"
_LEVEL: t.Final = {"critical": "error", "warning": "warning", "info": "note"}
_LINE: t.Final = 1000
_Object = dict[str, t.Any]


def report_sarif(report: Report) -> str:
    """The whole report, in ASCII."""
    latest = report.latest
    rules = sorted(CATALOGUE)
    run = {
        "tool": {
            "driver": {
                "name": "sfb.kb4023993",
                "version": latest.collection_version,
                "informationUri": _ARTICLE,
                "rules": [_rule(identifier, CATALOGUE[identifier]) for identifier in rules],
            }
        },
        "automationDetails": {"id": f"KB4023993/{report.playbook}/{latest.run_id}"},
        "invocations": [{"executionSuccessful": True, "endTimeUtc": latest.judged_utc}],
        "results": [_result(item, rules) for item in findings_of_run(report)],
    }
    return json.dumps({"$schema": _SCHEMA, "version": "2.1.0", "runs": [run]}, indent=1, ensure_ascii=True) + "\n"


def _rule(identifier: str, kind: Kind) -> _Object:
    # The names of rules are one word by convention.
    name = "".join(word.capitalize() for word in identifier.removeprefix("KB4023993-").split("-"))
    advice = kind.next_step or "The reason and the advice stand with the result."
    return {
        "id": identifier,
        "name": name,
        "shortDescription": {"text": f"{kind.title}."},
        "help": {"text": f"{advice} More stands in docs/findings/{identifier}.md of the collection."},
        "defaultConfiguration": {"level": _LEVEL[kind.severity]},
    }


def _result(item: Finding, rules: t.Sequence[str]) -> _Object:
    lines = [f"{item.title}.", *map(_plain, item.evidence), f"Next: {_plain(item.next_step)}"]
    return {
        "ruleId": item.id,
        "ruleIndex": rules.index(item.id),
        "level": _LEVEL[item.severity],
        "message": {"text": "\n".join(lines)},
        "locations": [{"logicalLocations": _places(item)}],
        "partialFingerprints": {"findingAndServer/v1": _fingerprint(item)},
        "suppressions": _suppressions(item),
    }


def _suppressions(item: Finding) -> list[_Object]:
    """A waiver. The standard wants the entry in all results or in none (3.27.23); empty means that nothing is suppressed."""
    if item.waiver is None:
        return []
    return [{"kind": "external", "status": "accepted", "justification": _plain(waiver_words(item.waiver))}]


def _places(item: Finding) -> list[_Object]:
    """The server and its pool. The standard's kinds are of programs, and a text of its own is allowed."""
    places = []
    if item.host is not None:
        server = _plain(item.host)
        name = f"{_plain(item.pool)}/{server}" if item.pool else server
        places.append({"name": server, "fullyQualifiedName": name, "kind": "server"})
    if item.pool is not None:
        places.append({"name": _plain(item.pool), "fullyQualifiedName": _plain(item.pool), "kind": "pool"})
    return places


def _fingerprint(item: Finding) -> str:
    where = item.host if item.host is not None else f"pool:{item.pool}"
    return hashlib.sha256(f"{item.id}\n{where}".encode("utf-8", "surrogatepass")).hexdigest()


def _plain(text: str) -> str:
    return one_line(text, _LINE)
