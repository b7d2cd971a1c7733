# Copyright (c) 2026, the sfb.kb4023993 contributors
# GNU General Public License v3.0-or-later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The published schema is that of the records, and real reports fit it; one with a fault does not."""

from __future__ import annotations

import json
import pathlib
import subprocess
import sys
import typing as t

import jsonschema
import pytest
import yaml
from ansible_collections.sfb.kb4023993.plugins.action.sfb_report import ActionModule
from ansible_collections.sfb.kb4023993.plugins.plugin_utils.report.document import Report, report_json
from ansible_collections.sfb.kb4023993.plugins.plugin_utils.report.formats import DEFAULT_FORMATS, FORMATS
from builders import reports as r

ROOT: t.Final = pathlib.Path(__file__).resolve().parents[3]
SCHEMA: t.Final = json.loads((ROOT / "docs" / "report.schema.json").read_text("utf-8"))
REPORTS: t.Final[dict[str, t.Callable[[], Report]]] = {
    "audit": r.audit,
    "remediation": r.remediation,
    "waived": r.waived,
    "later": r.later,
    "hostile": lambda: r.hostile("\ud800\x00<x>"),
}


def validator() -> jsonschema.Draft202012Validator:
    jsonschema.Draft202012Validator.check_schema(SCHEMA)
    return jsonschema.Draft202012Validator(SCHEMA)


def test_the_published_schema_is_generated_from_the_records() -> None:
    command = [sys.executable, str(ROOT / "tests" / "tools" / "report_schema.py"), "--check"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("name", REPORTS)
def test_a_report_fits_the_schema(name: str) -> None:
    validator().validate(json.loads(report_json(REPORTS[name]())))


@pytest.mark.parametrize(
    "fault",
    [
        lambda data: data.pop("sentence"),
        lambda data: data.update(schema=2),
        lambda data: data.update(playbook="format"),
        lambda data: data["counts"].update(broken="3"),
        lambda data: data["before"]["hosts"][0].update(verdict="fine"),
        lambda data: data["before"]["hosts"][0].update(more=1),
        lambda data: data["before"]["findings"][0].update(evidence="one line"),
        lambda data: data["plan"]["hosts"][0]["changes"][0].update(view="16"),
        lambda data: data["results"][0].pop("host"),
    ],
)
def test_a_report_with_a_fault_does_not_fit(fault: t.Callable[[dict[str, t.Any]], t.Any]) -> None:
    data = json.loads(report_json(r.remediation()))
    validator().validate(data)
    fault(data)
    assert not validator().is_valid(data)


# ---- the table of formats


@pytest.mark.parametrize("name", FORMATS)
@pytest.mark.parametrize("report", REPORTS)
def test_the_same_report_gives_the_same_bytes_in_every_form(name: str, report: str) -> None:
    first, second = (FORMATS[name].render(REPORTS[report]()).encode("utf-8") for _ in range(2))
    assert first == second
    assert len(first) > 100


def test_every_form_has_a_file_of_its_own() -> None:
    assert len({each.file for each in FORMATS.values()}) == len(FORMATS)


def test_everything_that_names_the_forms_names_the_same() -> None:
    check = yaml.safe_load((ROOT / "playbooks" / "tasks" / "check_variables.yml").read_text("utf-8"))[0]
    variables = check["ansible.builtin.validate_argument_spec"]["argument_spec"]
    role = yaml.safe_load((ROOT / "roles" / "report" / "meta" / "argument_specs.yml").read_text("utf-8"))
    option = role["argument_specs"]["main"]["options"]["report_formats"]
    assert variables["sfb_kb4023993_report_formats"]["choices"] == list(FORMATS)
    assert option["choices"] == ActionModule.SPEC["formats"]["choices"] == list(FORMATS)
    assert option["default"] == ActionModule.SPEC["formats"]["default"] == list(DEFAULT_FORMATS)
    page = (ROOT / "docs" / "reports.md").read_text("utf-8")
    assert [name for name, each in FORMATS.items() if f"| `{name}` | `{each.file}` |" not in page] == []
