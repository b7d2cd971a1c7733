# Copyright (c) 2026, the sfb.kb4023993 contributors
# GNU General Public License v3.0-or-later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Each module on its own: from the command line, in a play, in check mode, and what it says when it cannot."""

from __future__ import annotations

import re
import typing as t
from dataclasses import dataclass

import pytest
import yaml
from integration.fleet import COLLECTIONS, OWN_KEY, ROOT, Fleet, Registry, written
from lab.scenario import parse

EACH = {"os": "server2012r2", "product": "sfb2015", "dotnet": {"version": "4.5.2", "update": "KB4014512"}}
SCENARIO: dict[str, dict[str, t.Any]] = {
    "pools": {name: {} for name in ("fresh", "text", "foreign", "service", "edge")},
    "servers": {
        "fresh": {**EACH, "pool": "fresh"},
        "text": {**EACH, "pool": "text", "opt_outs": [{"kind": "string", "data": "0"}, {"view": 32}]},
        # Somebody else wrote a right override.
        "foreign": {**EACH, "pool": "foreign", "opt_outs": [{}]},
        "service": {**EACH, "pool": "service"},
        "edge": {**EACH, "pool": "edge", "role": "edge"},
        "files": {"os": "server2016", "role": "none"},
    },
}
FACTS = {
    "sfb_facts": "sfb_kb4023993",
    "sfb_cert_eku_facts": "sfb_cert_eku",
    "sfb_dotnet_kb_facts": "sfb_dotnet_kb",
}
KEY = r"SOFTWARE\Microsoft\.NETFramework\v4.0.30319\System.Net.ServicePointManager.RequireCertificateEKUs"
EXECUTABLE = r"C:\Program Files\Skype for Business Server 2015\Web Conferencing\DataMCUSvc.exe"

Result = dict[str, t.Any]


@pytest.fixture(scope="module")
def fleet(start: t.Callable[..., Fleet]) -> Fleet:
    return start(parse(SCENARIO))


def documented(module: str) -> Result:
    """RETURN of a module's documentation."""
    text = (ROOT / "plugins" / "modules" / f"{module}.py").read_text("utf-8")
    match = re.search(r'^RETURN = r"""(.*?)^"""', text, re.MULTILINE | re.DOTALL)
    assert match, f"{module} documents no results"
    return t.cast("Result", yaml.safe_load(match.group(1)))


def undocumented_or_missing(found: t.Any, rows: Result, where: str) -> t.Iterator[str]:
    """Keys that are returned and not documented, and keys that the documentation promises always and that are not there."""
    for key in found.keys() - rows.keys():
        yield f"{where}.{key} is not documented"
    for key, row in rows.items():
        if key not in found:
            if row.get("returned") == "always":
                yield f"{where}.{key} is not returned"
            continue
        values = found[key] if row.get("elements") == "dict" else [found[key]]
        for value in values or ():
            if "contains" in row and value is not None:
                yield from undocumented_or_missing(value, row["contains"], f"{where}.{key}")


@pytest.fixture(scope="module")
def facts(fleet: Fleet) -> dict[str, dict[str, Result]]:
    """By module and host what the facts modules say of the servers as the scenario made them."""
    before = fleet.registries()
    found = {module: fleet.module("all", module) for module in FACTS}
    assert fleet.registries() == before
    return found


@pytest.mark.parametrize("module", FACTS)
def test_facts_module_returns_what_it_documents_and_changes_nothing(
    facts: dict[str, dict[str, Result]], module: str
) -> None:
    results = facts[module]
    assert set(results) == set(SCENARIO["servers"])
    rows = documented(module)["ansible_facts"]["contains"]
    for host, result in results.items():
        assert (result["status"], result["changed"]) == ("SUCCESS", False)
        assert set(result["ansible_facts"]) == {FACTS[module]}
        assert list(undocumented_or_missing(result["ansible_facts"], rows, host)) == []
    roles = {host: result["ansible_facts"][FACTS[module]]["role"] for host, result in results.items()}
    assert roles == {**dict.fromkeys(roles, "front_end"), "edge": "edge", "files": "none"}


@pytest.mark.parametrize("module", FACTS)
def test_facts_module_says_the_same_in_check_mode(
    fleet: Fleet, facts: dict[str, dict[str, Result]], module: str
) -> None:
    # A server that no test of this file changes.
    check = fleet.module("edge", module, "--check")["edge"]
    assert check["changed"] is False
    assert check["ansible_facts"] == facts[module]["edge"]["ansible_facts"]


def test_gather_subset_leaves_sections_out(fleet: Fleet) -> None:
    fleet.lab.reset_counters()
    facts = fleet.module("fresh", "sfb_facts", "-a", "gather_subset=dotnet")["fresh"]["ansible_facts"]["sfb_kb4023993"]
    assert facts["dotnet"]["check_in_dotnet"] == "present"
    assert not facts.keys() & {"certificate", "opt_outs", "failure_events"}
    # The product's cmdlets, in a batch of their own, were not asked.
    assert fleet.lab.counters()["fresh"]["commands"] == 1


def test_wrong_section_is_refused_in_plain_words(fleet: Fleet) -> None:
    result = fleet.module("fresh", "sfb_facts", "-a", "gather_subset=registry")["fresh"]
    assert result["status"] == "FAILED"
    assert "opt_outs" in result["msg"]
    assert "registry" in result["msg"]


def test_evidence_dir_keeps_the_evidence(fleet: Fleet) -> None:
    place = fleet.directory / "offline"
    fleet.module("fresh", "sfb_facts", "-a", f"evidence_dir={place}")
    (file,) = place.iterdir()
    assert (file.name, file.stat().st_mode & 0o777, place.stat().st_mode & 0o777) == ("fresh.json", 0o600, 0o700)


PLAY = """
- hosts: fresh
  gather_facts: false
  tasks:
    - sfb.kb4023993.sfb_facts:
    - sfb.kb4023993.sfb_cert_eku_facts:
      register: certificates
    - sfb.kb4023993.sfb_dotnet_kb_facts:
    - ansible.builtin.assert:
        that:
          - ansible_facts.sfb_kb4023993.role == 'front_end'
          - ansible_facts.sfb_kb4023993.certificate.client_auth == 'bad'
          - ansible_facts.sfb_cert_eku.certificate.known_by == 'assigned'
          - certificates is not changed
          - "'Default' in (ansible_facts.sfb_cert_eku.certificates | map(attribute='uses') | flatten)"
          - ansible_facts.sfb_dotnet_kb.check.check_in_dotnet == 'present'
          - ansible_facts.sfb_dotnet_kb.updates['v4.0.30319'] == ['KB4014512']
"""


def test_facts_can_be_used_in_a_play(fleet: Fleet) -> None:
    path = fleet.directory / "facts.yml"
    path.write_text(PLAY)
    played = fleet.play(path, environment={"ANSIBLE_COLLECTIONS_PATH": str(COLLECTIONS)})
    assert played.code == 0, played.output
    assert played.recap["fresh"] == {"ok": 4, "changed": 0, "unreachable": 0, "failed": 0}


def override(fleet: Fleet, host: str, state: str, *arguments: str) -> tuple[Result, Registry, Registry]:
    """The result, and the host's registry before and after."""
    before = fleet.registries()[host]
    result = fleet.module(host, "sfb_datamcu_eku_override", "-a", f"state={state}", *arguments)[host]
    return result, before, fleet.registries()[host]


def shown(result: Result) -> tuple[set[str], set[str]]:
    """The registry's part of the diff that was printed."""
    lines = [line for line in result["output"].splitlines() if line[1:5] == "HKLM"]
    return {line[1:] for line in lines if line[0] == "-"}, {line[1:] for line in lines if line[0] == "+"}


@pytest.mark.parametrize("host", ["fresh", "text"])
def test_override_present_and_absent(fleet: Fleet, host: str) -> None:
    """There and back again, each step first in check mode, then done, then done again."""
    original = fleet.registries()[host]

    check, before, after = override(fleet, host, "present", "--check", "--diff")
    assert check["changed"] is True
    assert after == before
    done, before, after = override(fleet, host, "present", "--diff")
    assert done["changed"] is True
    assert done["restart_required"] is True
    assert (done["key"], done["value_name"]) == (f"HKLM\\{KEY}", EXECUTABLE)
    assert after[KEY][EXECUTABLE] == ("dword", 0)
    assert shown(check) == shown(done) == written(before, after)
    again, before, after = override(fleet, host, "present", "--diff")
    assert again["changed"] is False
    assert again["restart_required"] is True
    assert after == before
    assert shown(again) == (set(), set())

    check, before, after = override(fleet, host, "absent", "--check", "--diff")
    assert check["changed"] is True
    assert after == before
    done, before, after = override(fleet, host, "absent", "--diff")
    assert done["changed"] is True
    # The process never read it.
    assert done["restart_required"] is False
    assert after == original
    assert shown(check) == shown(done) == written(before, after)
    again, before, after = override(fleet, host, "absent", "--diff")
    assert again["changed"] is False
    assert after == before == original


def test_override_restarts_nothing_by_itself(fleet: Fleet) -> None:
    process_ids = fleet.process_ids()
    override(fleet, "fresh", "present")
    override(fleet, "fresh", "absent")
    assert fleet.process_ids() == process_ids


def test_absent_takes_away_what_somebody_else_wrote(fleet: Fleet) -> None:
    result, _, after = override(fleet, "foreign", "absent")
    assert result["changed"] is True
    assert result["restart_required"] is True
    assert EXECUTABLE not in after[KEY]
    # And that too can be taken back.
    assert OWN_KEY in after


@pytest.mark.parametrize("host", ["edge", "files"])
def test_override_is_refused_where_it_does_not_belong(fleet: Fleet, host: str) -> None:
    result, before, after = override(fleet, host, "present")
    assert result["status"] == "FAILED"
    assert "RTCDATAMCU is not on this server" in result["msg"]
    assert "Nothing was changed." in result["msg"]
    assert after == before


@dataclass(frozen=True, kw_only=True)
class Restarted:
    result: Result
    process: int | None


def test_service_restarts_what_is_pending_and_only_then(fleet: Fleet) -> None:
    def restart(*arguments: str) -> Restarted:
        result = fleet.module("service", "sfb_service", *arguments)["service"]
        return Restarted(result=result, process=fleet.process_ids()["service"])

    first = fleet.process_ids()["service"]
    idle_check, idle = restart("--check"), restart()
    assert (idle_check.result["changed"], idle_check.result["pending"]) == (False, False)
    assert (idle.result["changed"], idle.process) == (False, first)

    override(fleet, "service", "present")
    check = restart("--check")
    assert (check.result["changed"], check.result["pending"], check.process) == (True, True, first)
    done = restart()
    assert done.result["changed"] is True
    assert done.process not in (None, first)
    assert not fleet.enforces("service")
    again = restart()
    assert (again.result["changed"], again.process) == (False, done.process)

    forced_check, forced = restart("-a", "force=true", "--check"), restart("-a", "force=true")
    assert (forced_check.result["changed"], forced_check.process) == (True, done.process)
    assert forced.result["changed"] is True
    assert forced.process not in (None, done.process)

    result, _, _ = override(fleet, "service", "absent")
    assert (result["changed"], result["restart_required"]) == (True, True)
    last = restart()
    assert last.result["changed"] is True
    assert fleet.enforces("service")
    assert OWN_KEY not in fleet.registries()["service"]


@pytest.mark.parametrize("module", ["sfb_datamcu_eku_override", "sfb_service"])
def test_results_of_a_change_are_documented(fleet: Fleet, module: str) -> None:
    arguments = ("-a", "force=true") if module == "sfb_service" else ()
    result = fleet.module("fresh", module, *arguments, "--check")["fresh"]
    assert result.keys() - {"changed", "status", "output"} <= documented(module).keys()


def test_module_fails_in_plain_words_where_the_host_cannot_be_reached(fleet: Fleet) -> None:
    result = fleet.module("fresh", "sfb_facts", "-e", "ansible_password=wrong")["fresh"]
    assert result["status"] == "FAILED"
    assert "Check user and password" in result["msg"]
    assert "Traceback" not in result["output"]
