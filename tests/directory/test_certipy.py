# Copyright (c) 2026, the sfb.kb4023993 contributors
# GNU General Public License v3.0-or-later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Certipy, a tool of attackers and auditors, as an outside judge: what can an ordinary user do with our templates?

It demands other versions of libraries than this collection, so it lives in an environment of its own. The variable
SFB_CERTIPY names its program.
"""

from __future__ import annotations

import functools
import json
import os
import shutil
import subprocess
import typing as t
from pathlib import Path

import pytest
from ansible_collections.sfb.kb4023993.plugins.plugin_utils.directory.template_report import describe
from ansible_collections.sfb.kb4023993.plugins.plugin_utils.directory.template_state import Directory
from directory.asking import FIRST_CA, ensure, wanted_request
from directory.domain import LDAPS, PASSWORD, DomainController

Audit = t.Callable[[str], dict[str, list[str]]]
_TEMPLATES: t.Final[dict[str, dict[str, t.Any]]] = {
    "Ours": {},
    "OursWithoutApproval": {"manager_approval": False},
    "OursForEdgePools": {"exportable_key": True},
    "Wide": {"enrol_group": "Domain Users", "manager_approval": False, "accept_wide": True},
    "WideApproval": {"enrol_group": "Domain Users", "accept_wide": True},
}


@pytest.fixture(scope="module")
def certipy() -> str:
    found = os.environ.get("SFB_CERTIPY") or shutil.which("certipy")
    if not found:
        pytest.skip(
            "Certipy is not here, so no outside judge looked at the templates. It needs Python 3.12 or later and an "
            "environment of its own: python3.12 -m venv ENV; ENV/bin/pip install 'certipy-ad>=5.1'; then set "
            "SFB_CERTIPY=ENV/bin/certipy"
        )
    return found


@pytest.fixture(scope="module")
def audit(certipy: str, controller: DomainController, tmp_path_factory: pytest.TempPathFactory) -> Audit:
    """Vulnerabilities that Certipy finds in each template, as one user sees them."""
    if controller.port(LDAPS) != LDAPS:
        pytest.skip("Certipy asks port 636 only, and here Samba is reached by another one. Run the tests as root.")

    @functools.cache
    def audited(user: str) -> dict[str, list[str]]:
        folder: Path = tmp_path_factory.mktemp("certipy")
        options = {
            "-u": f"{user}@lab.example",
            "-p": PASSWORD,
            "-dc-ip": controller.address,
            "-target-ip": controller.address,
            "-ns": controller.address,
            "-ldap-scheme": "ldaps",
            "-output": "found",
        }
        words = [word for pair in options.items() for word in pair]
        command = [certipy, "find", *words, "-ldap-simple-auth", "-dc-only", "-json"]
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False, timeout=120)
        results = list(folder.glob("*.json"))
        assert len(results) == 1, done.stdout + done.stderr
        found = json.loads(results[0].read_text("utf-8"))["Certificate Templates"]
        return {
            template["Template Name"]: sorted(template.get("[!] Vulnerabilities", {})) for template in found.values()
        }

    return audited


@pytest.fixture(scope="module", autouse=True)
def templates(certipy: str, controller: DomainController, server: t.Callable[..., t.Any]) -> dict[str, t.Any]:
    """The templates that are judged, with our own judgement of each."""
    from ansible_collections.sfb.kb4023993.plugins.plugin_utils.directory.ldap import Connection

    del certipy, controller
    with Connection(server()) as connection:
        directory = Directory(connection)
        return {
            name: describe(directory, ensure(directory, wanted_request(name, publish_on=(FIRST_CA,), **options)))[
                "judgement"
            ]
            for name, options in _TEMPLATES.items()
        }


@pytest.mark.parametrize("template", ["Ours", "OursWithoutApproval", "OursForEdgePools"])
def test_an_ordinary_user_can_do_nothing_with_ours(audit: Audit, template: str) -> None:
    assert audit("alice")[template] == []


def test_a_member_of_the_group_needs_the_approval(audit: Audit) -> None:
    found = audit("bob")
    assert found["Ours"] == found["OursForEdgePools"] == []
    assert "ESC1" in found["OursWithoutApproval"]


def test_the_judge_sees_what_is_wide(audit: Audit) -> None:
    assert "ESC1" in audit("alice")["Wide"]
    assert audit("alice")["WideApproval"] == []


@pytest.mark.parametrize("template", _TEMPLATES)
def test_our_judgement_is_that_of_the_judge(audit: Audit, templates: dict[str, t.Any], template: str) -> None:
    for user, group in (("alice", "Domain Users"), ("bob", "SfB Certificate Requesters")):
        ours = group in templates[template]["abusable_by"] or "Domain Users" in templates[template]["abusable_by"]
        assert ours == ("ESC1" in audit(user)[template]), user
