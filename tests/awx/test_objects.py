# Copyright (c) 2026, the sfb.kb4023993 contributors
# GNU General Public License v3.0-or-later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The objects for AWX: what extensions/awx/apply.yml makes, through the real modules of awx.awx, in a stand-in for AWX's API.

The modules check every argument by their own specifications. No AWX was there.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import typing as t
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml
from awx.api import Api, survey_problems
from integration.fleet import ROOT

EXTENSION = ROOT / "extensions" / "awx"
SETTINGS = {"awx_project_url": "https://git.contoso.example/kb4023993.git", "awx_image": "contoso/kb4023993-ee:1"}
PASSWORDS = {"vault_front_end_password": "front end's own", "vault_edge_password": "edge's own"}
THEIRS = "Branch office key"
TOKEN = "a token of the stand-in"  # noqa: S105
_RECAP = re.compile(r"localhost\s+: ok=(\d+)\s+changed=(\d+)\s+unreachable=0\s+failed=(\d+)")
_PLAYBOOKS_TASK = yaml.safe_load((ROOT / "playbooks" / "tasks" / "check_variables.yml").read_text("utf-8"))[0]
SPEC: dict[str, dict[str, t.Any]] = _PLAYBOOKS_TASK["ansible.builtin.validate_argument_spec"]["argument_spec"]
# How the types of a survey's answers look to the playbooks' own check.
_FITS = {
    "multiselect": {"list"},
    "multiplechoice": {"str", "bool"},
    "text": {"str", "path", "list"},
    "integer": {"int"},
}


class _Loader(yaml.SafeLoader):
    """Reads Ansible's !unsafe as plain text."""


_Loader.add_constructor("!unsafe", lambda loader, node: loader.construct_scalar(t.cast("yaml.ScalarNode", node)))


def read(name: str) -> dict[str, t.Any]:
    return t.cast("dict[str, t.Any]", yaml.load((EXTENSION / name).read_text("utf-8"), _Loader))


@dataclass(frozen=True, kw_only=True)
class Applied:
    code: int
    output: str

    @property
    def numbers(self) -> tuple[int, int, int]:
        """ok, changed, failed."""
        match = _RECAP.search(self.output)
        assert match, self.output
        return int(match[1]), int(match[2]), int(match[3])


@pytest.fixture(scope="module")
def apply(programs: Path, tmp_path_factory: pytest.TempPathFactory) -> t.Callable[..., Applied]:
    home = tmp_path_factory.mktemp("home")

    def run(api: Api, variables: dict[str, t.Any]) -> Applied:
        clean = {key: value for key, value in os.environ.items() if not key.startswith(("ANSIBLE_", "CONTROLLER_"))}
        done = subprocess.run(
            [programs / "ansible-playbook", EXTENSION / "apply.yml", "-e", json.dumps(variables)],
            cwd=home,
            env={
                **clean,
                "PATH": f"{programs}{os.pathsep}{os.environ.get('PATH', os.defpath)}",
                "HOME": str(home),
                "ANSIBLE_LOCALHOST_WARNING": "false",
                "ANSIBLE_INVENTORY_UNPARSED_WARNING": "false",
                "ANSIBLE_NOCOLOR": "1",
                "ANSIBLE_PIPELINING": "1",
                "CONTROLLER_HOST": api.address,
                "CONTROLLER_OAUTH_TOKEN": TOKEN,
            },
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            encoding="utf-8",
            timeout=180,
            check=False,
        )
        return Applied(code=done.returncode, output=done.stdout)

    return run


@dataclass(frozen=True, kw_only=True)
class Twice:
    api: Api
    first: Applied
    changed_later: list[tuple[str, str]]
    second: Applied


@pytest.fixture(scope="module")
def applied(apply: t.Callable[..., Applied]) -> t.Iterator[Twice]:
    """Once with passwords and a claim, once more without passwords, as somebody who only looks whether all is as it should be."""
    more = {"awx_state_claim": "kb4023993-state", "awx_more_credentials": [THEIRS]}
    with Api(TOKEN) as api:
        _, machine = api.answer("POST", "/api/v2/credential_types/", {}, {"name": "Machine"})
        api.answer("POST", "/api/v2/credentials/", {}, {"name": THEIRS, "credential_type": machine["id"]})
        first = apply(api, {**SETTINGS, **PASSWORDS, **more})
        asked = len(api.requests)
        nobody = dict.fromkeys(PASSWORDS, "")
        second = apply(api, {**SETTINGS, **nobody, **more})
        later = [request for request in api.requests[asked:] if request[0] != "GET"]
        yield Twice(api=api, first=first, changed_later=later, second=second)


def test_everything_is_made_by_the_modules(applied: Twice, record_property: t.Callable[[str, object], None]) -> None:
    assert applied.first.code == 0, applied.first.output
    assert "[WARNING]" not in applied.first.output
    assert "[DEPRECATION" not in applied.first.output
    objects = read("objects.yml")
    made = {
        endpoint: {item.get("name") for item in found} - {"Machine", THEIRS}
        for endpoint, found in applied.api.objects.items()
    }
    for endpoint, key in (
        ("credential_types", "awx_credential_types"),
        ("credentials", "awx_credentials"),
        ("execution_environments", "awx_execution_environments"),
        ("instance_groups", "awx_container_groups"),
        ("projects", "awx_projects"),
        ("inventories", "awx_inventories"),
        ("inventory_sources", "awx_inventory_sources"),
        ("job_templates", "awx_job_templates"),
        ("workflow_job_templates", "awx_workflows"),
        ("schedules", "awx_schedules"),
    ):
        assert made[endpoint] == {entry["name"] for entry in objects[key]}, endpoint
    number = sum(map(len, applied.api.objects.values())) - 2
    record_property("figure", f"{number} objects for AWX made by the modules of awx.awx in a stand-in for its API")


def test_a_second_run_changes_nothing(applied: Twice) -> None:
    assert applied.second.code == 0, applied.second.output
    assert applied.second.numbers[1:] == (0, 0), applied.second.output
    assert applied.changed_later == []


def test_templates_run_what_is_there(applied: Twice) -> None:
    for template in applied.api.objects["job_templates"]:
        assert (ROOT / template["playbook"]).is_file(), template
        assert template["job_type"] in ("run", "check")
        # A slice or a second job would know only a part of the fleet, or write the same files.
        assert (template["job_slice_count"], template["allow_simultaneous"]) == (1, False)
        assert template["ask_limit_on_launch"] is True
        assert set(applied.api.associated(template, "credentials")) == {"KB4023993 servers", THEIRS}
        assert applied.api.associated(template, "instance_groups") == ["KB4023993"]
        variables = json.loads(template["extra_vars"])
        assert variables.pop("sfb_kb4023993_state_dir") == "/var/lib/sfb_kb4023993"
        assert set(variables) <= set(SPEC)


def test_only_the_plan_is_a_check(applied: Twice) -> None:
    kinds = {template["name"]: template["job_type"] for template in applied.api.objects["job_templates"]}
    assert {name for name, kind in kinds.items() if kind == "check"} == {"KB4023993 plan"}


def test_surveys_ask_for_variables_that_exist_in_their_own_types(applied: Twice) -> None:
    questions = {question["variable"]: question for question in read("surveys.yml")["awx_questions"]}
    asked: set[str] = set()
    for template in (*applied.api.objects["job_templates"], *applied.api.objects["workflow_job_templates"]):
        survey = applied.api.survey(template)
        assert survey_problems(survey) == []
        asked |= {question["variable"] for question in survey["spec"]}
    assert asked == set(questions), "a question that no template asks, or one that is not there"
    for variable, question in questions.items():
        known = SPEC[variable]
        assert known["type"] in _FITS[question["type"]], variable
        if known["type"] == "bool":
            assert question["choices"] == ["false", "true"]
        elif "choices" in known:
            assert question["choices"] == known["choices"], variable


def test_defaults_of_the_surveys_are_those_of_the_playbooks() -> None:
    documented = dict(
        re.findall(r"^\| `(sfb_kb4023993_\w+)` \| ([^|]+) \|", (ROOT / "docs/variables.md").read_text("utf-8"), re.M)
    )
    for question in read("surveys.yml")["awx_questions"]:
        words = [] if question.get("default") in (None, "") else question["default"].split("\n")
        said = documented[question["variable"]]
        assert words == ([] if said == "empty" else re.findall(r"`([^`]+)`", said)), question["variable"]


def test_each_template_asks_only_what_its_playbook_takes() -> None:
    text = (ROOT / "docs/variables.md").read_text("utf-8")
    used = {row[0]: row[1].split(", ") for row in re.findall(r"^\| `(sfb_\w+)` \| [^|]+ \| ([^|]+) \|", text, re.M)}
    for template in read("objects.yml")["awx_job_templates"]:
        for variable in [*template["survey"], *template.get("variables", {})]:
            assert Path(template["playbook"]).stem in used[variable], (template["name"], variable)


def test_the_workflow_is_bound_to_the_approved_plan(applied: Twice) -> None:
    api = applied.api
    nodes = {node["identifier"]: node for node in api.objects["workflow_job_template_nodes"]}
    templates = {item["id"]: item["name"] for item in api.objects["job_templates"]}
    runs = {name: templates.get(node["unified_job_template"]) for name, node in nodes.items()}
    assert runs == {
        "compliance": "KB4023993 compliance",
        "plan": "KB4023993 plan",
        "approval": None,
        "remediate": "KB4023993 remediate by plan",
        "verify": "KB4023993 compliance",
    }
    links = {
        (name, kind): followers
        for name, node in nodes.items()
        for kind in ("success_nodes", "failure_nodes", "always_nodes")
        if (followers := api.followers(node, kind))
    }
    assert links == {
        ("compliance", "failure_nodes"): ["plan"],
        ("plan", "always_nodes"): ["approval"],
        ("approval", "success_nodes"): ["remediate"],
        ("remediate", "always_nodes"): ["verify"],
    }
    (approval,) = api.objects["workflow_approval_templates"]
    assert nodes["approval"]["unified_job_template"] == approval["id"]
    assert approval["timeout"] == 72 * 3600
    # A workflow's own variables win over artifacts: it must not ask for the plan.
    (workflow,) = api.objects["workflow_job_templates"]
    assert not {question["variable"] for question in api.survey(workflow)["spec"]} & {
        "sfb_kb4023993_plan",
        "sfb_kb4023993_plan_sha256",
    }


def test_the_credential_carries_the_passwords_and_nothing_shows_them(applied: Twice) -> None:
    credential = applied.api.named("credentials", "KB4023993 servers")
    assert credential["inputs"] == {"front_end_password": "front end's own", "edge_password": "edge's own"}
    kind = applied.api.named("credential_types", "KB4023993 servers")
    assert all(field["secret"] for field in kind["inputs"]["fields"])
    # AWX fills these in; Ansible must leave them as they are.
    assert kind["injectors"]["extra_vars"] == {
        "vault_front_end_password": "{{ front_end_password }}",
        "vault_edge_password": "{{ edge_password }}",
    }
    for secret in PASSWORDS.values():
        assert secret not in applied.first.output
        assert secret not in json.dumps({k: v for k, v in applied.api.objects.items() if k != "credentials"})


def test_pods_get_the_claim_at_the_state_directory(applied: Twice) -> None:
    (group,) = applied.api.objects["instance_groups"]
    assert group["is_container_group"] is True
    pod = json.loads(group["pod_spec_override"])["spec"]
    (container,) = pod["containers"]
    mounts = {mount["name"]: mount["mountPath"] for mount in container["volumeMounts"]}
    claims = {volume["name"]: volume["persistentVolumeClaim"]["claimName"] for volume in pod["volumes"]}
    assert (mounts, claims) == ({"state": "/var/lib/sfb_kb4023993"}, {"state": "kb4023993-state"})


def test_the_schedule_is_a_rule_that_awx_takes(applied: Twice) -> None:
    (schedule,) = applied.api.objects["schedules"]
    assert schedule["unified_job_template"] == applied.api.named("job_templates", "KB4023993 compliance")["id"]
    # AWX demands one start with a time zone and one rule with an interval.
    assert re.fullmatch(
        r"DTSTART;TZID=[\w/]+:\d{8}T\d{6} RRULE:FREQ=\w+;INTERVAL=\d+(;[A-Z]+=[\w,]+)*", schedule["rrule"]
    )


def test_the_page_names_every_object() -> None:
    text = (ROOT / "docs" / "awx.md").read_text("utf-8")
    objects = read("objects.yml")
    lists = (entries for name, entries in objects.items() if isinstance(entries, list))
    names = {entry["name"] for entries in lists for entry in entries} - {"KB4023993"}
    assert set(re.findall(r"`(KB4023993 [^`]+)`", text)) == names
    for path in re.findall(r"`((?:extensions|docs|playbooks|meta)/[\w./-]+)`", text):
        assert (ROOT / path).exists(), path


@pytest.mark.parametrize(
    ("variables", "reason"),
    [
        (PASSWORDS, "Set awx_project_url and awx_image"),
        ({**SETTINGS, **PASSWORDS, "vault_edge_password": ""}, "Give both passwords, or leave both empty"),
    ],
)
def test_what_is_missing_is_said_before_awx_is_asked(
    apply: t.Callable[..., Applied], variables: dict[str, t.Any], reason: str
) -> None:
    with Api(TOKEN) as api:
        refused = apply(api, variables)
        assert refused.code != 0
        assert reason in refused.output
        assert api.requests == []
