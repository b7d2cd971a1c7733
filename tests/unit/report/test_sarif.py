# Copyright (c) 2026, the sfb.kb4023993 contributors
# GNU General Public License v3.0-or-later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The SARIF file, checked against what the standard demands of the objects in it (SARIF 2.1.0, section 3)."""

from __future__ import annotations

import dataclasses
import json
import typing as t

import jsonschema
import pytest
from ansible_collections.sfb.kb4023993.plugins.plugin_utils.findings import CATALOGUE
from ansible_collections.sfb.kb4023993.plugins.plugin_utils.report.document import Report
from ansible_collections.sfb.kb4023993.plugins.plugin_utils.report.sarif import report_sarif
from builders import reports as r

_TEXT: t.Final = {
    "type": "object",
    "required": ["text"],
    "properties": {"text": {"type": "string", "minLength": 1}},
    "additionalProperties": False,
}
_LEVEL: t.Final = {"enum": ["none", "note", "warning", "error"]}


def _object(required: list[str], **properties: t.Any) -> dict[str, t.Any]:
    return {"type": "object", "required": required, "properties": properties, "additionalProperties": False}


# Names and types as the standard has them, and nothing beside: a misspelt property would be one that nobody reads.
STRUCTURE: t.Final = _object(
    ["version", "runs", "$schema"],
    **{"$schema": {"type": "string", "format": "uri"}},
    version={"const": "2.1.0"},
    runs={
        "type": "array",
        "minItems": 1,
        "items": _object(
            ["tool", "results"],
            tool=_object(
                ["driver"],
                driver=_object(
                    ["name", "rules"],
                    name={"type": "string"},
                    version={"type": "string"},
                    informationUri={"type": "string", "format": "uri"},
                    rules={
                        "type": "array",
                        "uniqueItems": True,
                        "items": _object(
                            ["id", "shortDescription", "help"],
                            id={"type": "string"},
                            name={"type": "string", "pattern": "^[A-Za-z0-9]+$"},
                            shortDescription=_TEXT,
                            help=_TEXT,
                            defaultConfiguration=_object(["level"], level=_LEVEL),
                        ),
                    },
                ),
            ),
            automationDetails=_object(["id"], id={"type": "string"}),
            invocations={
                "type": "array",
                "items": _object(
                    ["executionSuccessful"],
                    executionSuccessful={"type": "boolean"},
                    endTimeUtc={"type": "string", "pattern": r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$"},
                ),
            },
            results={
                "type": "array",
                "items": _object(
                    ["message", "ruleId", "level", "locations", "partialFingerprints", "suppressions"],
                    ruleId={"type": "string"},
                    ruleIndex={"type": "integer", "minimum": 0},
                    level=_LEVEL,
                    message=_TEXT,
                    locations={
                        "type": "array",
                        "items": _object(
                            ["logicalLocations"],
                            logicalLocations={
                                "type": "array",
                                "minItems": 1,
                                "uniqueItems": True,
                                "items": _object(
                                    ["name"],
                                    name={"type": "string"},
                                    fullyQualifiedName={"type": "string"},
                                    kind={"type": "string"},
                                ),
                            },
                        ),
                    },
                    partialFingerprints={"type": "object", "additionalProperties": {"type": "string"}},
                    suppressions={
                        "type": "array",
                        "items": _object(
                            ["kind"],
                            kind={"enum": ["inSource", "external"]},
                            status={"enum": ["accepted", "underReview", "rejected"]},
                            justification={"type": "string"},
                        ),
                    },
                ),
            },
        ),
    },
)


def run(report: Report) -> dict[str, t.Any]:
    text = report_sarif(report)
    assert text.isascii()
    data = json.loads(text)
    jsonschema.Draft202012Validator(STRUCTURE).validate(data)
    return t.cast("dict[str, t.Any]", data["runs"][0])


def results(report: Report) -> dict[tuple[str, str], dict[str, t.Any]]:
    """By finding and server."""
    found = {}
    for result in run(report)["results"]:
        found[result["ruleId"], result["locations"][0]["logicalLocations"][0]["name"]] = result
    return found


def test_every_finding_of_the_run_is_a_result_and_nothing_else() -> None:
    report = r.audit()
    in_run = {host.name for host in report.before.hosts if host.in_run}
    assert list(results(report)) == [(item.id, item.host) for item in report.before.findings if item.host in in_run]


def test_the_rules_are_the_catalogue_with_its_help() -> None:
    rules = {rule["id"]: rule for rule in run(r.audit())["tool"]["driver"]["rules"]}
    assert set(rules) == set(CATALOGUE)
    override = rules["KB4023993-OVERRIDE-RETIRE"]
    assert "sfb.kb4023993.certificate_retire" in override["help"]["text"]
    assert override["defaultConfiguration"] == {"level": "note"}


def test_a_result_names_its_rule_its_level_and_its_place() -> None:
    report = r.audit()
    result = results(report)["KB4023993-CONNECTION-BROKEN", "fe01"]
    assert result["level"] == "error"
    assert run(report)["tool"]["driver"]["rules"][result["ruleIndex"]]["id"] == result["ruleId"]
    assert "to edge01 (8057)" in result["message"]["text"]
    assert result["locations"][0]["logicalLocations"] == [
        {"name": "fe01", "fullyQualifiedName": "pool01.contoso.example/fe01", "kind": "server"},
        {"name": "pool01.contoso.example", "fullyQualifiedName": "pool01.contoso.example", "kind": "pool"},
    ]


def test_the_fingerprint_is_that_of_the_next_run_and_of_no_other_finding() -> None:
    report = r.audit()
    later = dataclasses.replace(
        report.before,
        run_id="20260309T120010Z-abcdef",
        judged_utc="2026-03-09T12:00:10Z",
        findings=tuple(
            dataclasses.replace(f, evidence=("another thing",), severity="info") for f in report.before.findings
        ),
    )
    first, second = results(report), results(dataclasses.replace(report, before=later))
    prints = {key: result["partialFingerprints"] for key, result in first.items()}
    assert prints == {key: result["partialFingerprints"] for key, result in second.items()}
    assert len({str(value) for value in prints.values()}) == len(prints)


def test_a_finding_of_a_pool_alone_has_its_place() -> None:
    report = r.audit()
    item = dataclasses.replace(report.before.findings[0], host=None, pool="pool09")
    alone = dataclasses.replace(report, before=dataclasses.replace(report.before, findings=(item,)))
    assert results(alone)[item.id, "pool09"]["locations"][0]["logicalLocations"][0]["kind"] == "pool"


@pytest.mark.parametrize("attack", r.ATTACKS)
def test_a_hostile_name_is_text_and_no_control_character(attack: str) -> None:
    hostile, benign = run(r.hostile(r.ATTACKS[attack])), run(r.hostile("benign"))
    assert [result["ruleId"] for result in hostile["results"]] == [result["ruleId"] for result in benign["results"]]
    for result, other in zip(hostile["results"], benign["results"], strict=True):
        texts = [result["message"]["text"], *(place["name"] for place in result["locations"][0]["logicalLocations"])]
        texts += [each["justification"] for each in result["suppressions"]]
        assert all(line.isprintable() for text in texts for line in text.split("\n"))
        assert len(result["message"]["text"].split("\n")) == len(other["message"]["text"].split("\n"))


def test_a_megabyte_of_name_stays_a_bounded_file() -> None:
    assert len(report_sarif(r.hostile("x" * 1_000_000))) < 100_000
