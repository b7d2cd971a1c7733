# Copyright (c) 2026, the sfb.kb4023993 contributors
# GNU General Public License v3.0-or-later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The controller itself, what is merged and shown, and that each id is explained in the documentation."""

from __future__ import annotations

import dataclasses
import datetime
import importlib.metadata
import json
import pathlib
import re
import typing as t

import pytest
from ansible.errors import AnsibleError
from ansible_collections.sfb.kb4023993.plugins.plugin_utils.controller_check import controller, gather, libraries
from ansible_collections.sfb.kb4023993.plugins.plugin_utils.controller_check.check import (
    CONTROLLER,
    SUBJECTS,
    Check,
    failed,
    merged,
    ok,
    warning,
    with_good_ones,
)
from ansible_collections.sfb.kb4023993.plugins.plugin_utils.controller_check.libraries import Found, Library
from ansible_collections.sfb.kb4023993.plugins.plugin_utils.controller_check.report import counts, failing, places, text
from ansible_collections.sfb.kb4023993.plugins.plugin_utils.controller_check.way import Way

ROOT: t.Final = pathlib.Path(__file__).parents[3]
WAY: t.Final = Way(connection="winrm", windows=True)
IDS: t.Final = {subject.id for subject in SUBJECTS.values()}


# ---- controller


@pytest.mark.parametrize(("version", "status"), [((3, 9, 18), "failed"), ((3, 10, 0), "ok"), ((3, 14, 1), "ok")])
def test_python(version: tuple[int, ...], status: str) -> None:
    assert controller.check_python(version, ".".join(map(str, version))).status == status


@pytest.mark.parametrize(
    ("version", "status"), [("2.15.13", "failed"), ("2.16.0", "ok"), ("2.22.0.dev0", "ok"), ("3.0", "ok")]
)
def test_core(version: str, status: str) -> None:
    assert controller.check_core(version).status == status


def test_state_directory(tmp_path: pathlib.Path) -> None:
    assert controller.check_state(tmp_path / "new" / "state").status == "ok"
    full = controller.check_state(tmp_path, free=lambda _path: 5 * 1024 * 1024)
    assert full.status == "warning"
    assert "5 MB left" in full.what
    assert controller.check_state(None).status == "warning"
    (tmp_path / "file").write_text("")
    taken = controller.check_state(tmp_path / "file" / "state")
    assert taken.status == "failed"
    assert str(tmp_path / "file") in taken.what
    assert "sfb_kb4023993_state_dir" in taken.next_step


def test_the_clock_of_the_controller() -> None:
    installed = datetime.datetime(2026, 6, 1, tzinfo=datetime.timezone.utc)
    assert controller.check_controller_clock(installed, installed=installed) is None
    check = controller.check_controller_clock(installed - datetime.timedelta(days=400), installed=installed)
    assert check is not None
    assert check.status == "failed"
    assert "2025-04-27" in check.what


def test_where_the_state_directory_is() -> None:
    assert gather.state_directory("~/x", {}) == pathlib.Path.home() / "x"
    assert gather.state_directory("", {"awx_job_id": 1}) is None
    assert gather.state_directory("/srv", {"awx_job_id": 1}) == pathlib.Path("/srv")
    assert gather.state_directory("", {}) is not None


# ---- libraries


def names(connection: str, *methods: str) -> list[str]:
    way = dataclasses.replace(WAY, connection=connection, methods=methods)
    return [library.name for library in libraries.needed(way)]


def test_which_libraries_a_connection_needs() -> None:
    assert names("winrm", "basic") == names("winrm", "certificate") == ["pywinrm"]
    assert names("winrm", "ntlm") == ["pywinrm", "requests-ntlm"]
    assert names("winrm", "credssp") == ["pywinrm", "requests-credssp"]
    assert names("winrm", "kerberos") == ["pywinrm", "pykerberos"]
    assert names("psrp", "negotiate") == names("psrp", "ntlm") == ["pypsrp", "pyspnego"]
    assert names("psrp", "kerberos") == ["pypsrp", "pyspnego", "gssapi", "krb5"]
    assert names("psrp", "credssp") == ["pypsrp", "pyspnego", "requests-credssp"]
    assert names("ssh") == names("local") == []


LIBRARY: t.Final = Library(name="pywinrm", module="winrm", purpose="for the connection winrm", oldest="0.4.3")


@pytest.mark.parametrize(
    ("found", "status", "what"),
    [
        (Found(problem="is not there"), "failed", "pywinrm, needed for the connection winrm, is not there"),
        (Found(version="0.4.2"), "failed", "0.4.3 is the oldest that does"),
        (Found(version="0.4.3"), "ok", "pywinrm 0.4.3"),
        (Found(version="0.10.0"), "ok", "pywinrm 0.10.0"),
        (Found(version="of my own"), "warning", "cannot be compared"),
        (Found(), "ok", "pywinrm is there"),
    ],
)
def test_versions_of_libraries(found: Found, status: str, what: str) -> None:
    check = libraries.check(LIBRARY, ("fe01",), found=found)
    assert check.status == status
    assert what in check.what
    assert (status == "ok") == (not check.next_step)


def test_a_library_is_really_looked_for() -> None:
    assert libraries.look(LIBRARY) == Found(version=importlib.metadata.version("pywinrm"))
    missing = libraries.look(Library(name="no-such", module="no_such_module_of_kb", purpose="for nothing"))
    assert missing.problem == "is not there"


def test_a_library_that_is_there_and_does_not_load(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "half_there.py").write_text("import no_such_module_of_kb\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    found = libraries.look(Library(name="half", module="half_there", purpose="for nothing"))
    assert found.problem.startswith("cannot be loaded (No module named 'no_such_module_of_kb'")


# ---- putting together


def test_the_same_said_of_several_hosts_is_one_check() -> None:
    checks = [
        ok("CONTACT-PORT", ("fe02",)),
        warning("PLAIN-HTTP", ("fe01",), "w", "n"),
        ok("CONTACT-PORT", ("fe01", "fe02")),
        failed("CONTACT-PORT", ("fe03",), "f", "n"),
        failed("BECOME", ("fe03",), "f", "n"),
    ]
    found = merged(checks)
    assert [(check.status, check.id.removeprefix("KB4023993-CTRL-"), check.where) for check in found] == [
        ("failed", "BECOME", ("fe03",)),
        ("failed", "CONTACT-PORT", ("fe03",)),
        ("warning", "PLAIN-HTTP", ("fe01",)),
        ("ok", "CONTACT-PORT", ("fe02", "fe01")),
    ]


def test_only_what_nothing_was_said_of_is_good() -> None:
    found = with_good_ones([warning("PLAIN-HTTP", ("fe01",), "w", "n")], ("fe01", "fe02"))
    good = {check.id for check in found if check.status == "ok"}
    assert good == {s.id for s in SUBJECTS.values() if s.part != "contact"} - {SUBJECTS["PLAIN-HTTP"].id}
    assert {check.where for check in found if check.id == SUBJECTS["POOL"].id} == {("fe01", "fe02")}
    assert {check.where for check in found if check.id == SUBJECTS["PYTHON"].id} == {(CONTROLLER,)}


def test_a_contact_travels_through_the_result_of_its_task() -> None:
    way = dataclasses.replace(WAY, address="FE01.", port=5985, path="/wsman", delegates=True)
    check = failed("CONTACT-PORT", ("fe01",), "what", "next")
    found = gather.contact_of("fe01", json.loads(json.dumps(gather.result_of([check], way))))
    assert found == gather.Contact(checks=(check,), place=("fe01", 5985, "wsman"), delegates=True)


@pytest.mark.parametrize(
    ("result", "what"),
    [
        ({"failed": True, "msg": "Timed out", "timedout": {"period": 3}}, "hung"),
        ({"failed": True, "msg": "The action failed to execute in the expected time frame (3)"}, "hung"),
        ({"failed": True, "msg": "the connection plugin 'winrn' was not found"}, "'winrn' was not found"),
        (None, "its task did not run"),
    ],
)
def test_a_host_without_a_contact_is_named(result: dict[str, t.Any] | None, what: str) -> None:
    (check,) = gather.contact_of("fe01", result).checks
    assert check.id == SUBJECTS["CONTACT-LEFT-OUT"].id
    assert check.status == "failed"
    assert what in check.what


class _Broken(dict[str, t.Any]):
    def get(self, *names: t.Any) -> t.Any:
        raise AnsibleError(f"{names[0]}: 'site' is undefined")


def test_hosts_of_the_inventory() -> None:
    hostvars: dict[str, t.Any] = {
        "fe01": {"sfb_kb4023993_pool": "pool01", "sfb_kb4023993_strategy": "auto", "x": 1},
        "fe02": {"sfb_kb4023993_pool": "pool01"},
        "linux": {"x": 1},
        "broken": _Broken(),
    }
    contacts = {name: gather.Contact(checks=()) for name in ("fe01", "broken")}
    hosts, problems = gather.hosts_of(hostvars, contacts, hostvars, extra=["sfb_kb4023993_strategy"])
    assert [host.name for host in hosts] == ["fe01", "broken", "fe02"]
    assert hosts[0].names == {"sfb_kb4023993_pool", "x"}
    (problem,) = problems
    assert problem.where == ("broken",)
    assert "'site' is undefined" in problem.what


# ---- shown


CHECKS: t.Final[tuple[Check, ...]] = merged(
    [
        failed("CONTACT-PORT", ("fe03",), "It refuses.", "Listen."),
        failed("BECOME", ("fe03", "fe04"), "It is set.", "Remove it."),
        warning("PLAIN-HTTP", tuple(f"fe{number:02}" for number in range(1, 12)), "It is plain.", "Use HTTPS."),
        ok("POOL", tuple(f"fe{number:02}" for number in range(1, 13))),
    ]
)


def test_text() -> None:
    shown = text(CHECKS, hosts=12)
    assert shown.startswith("Controller check: 2 failed, 1 warning, 1 ok.\n")
    assert "Failed\n  KB4023993-CTRL-BECOME: fe03, fe04\n    It is set.\n    Next: Remove it.\n" in shown
    assert "KB4023993-CTRL-PLAIN-HTTP: fe01, fe02, fe03, fe04, fe05, fe06, fe07, fe08 and 3 more\n" in shown
    assert "(all 12 hosts)" in shown
    assert shown.index("\nFailed\n") < shown.index("\nWarnings\n") < shown.index("\nOK\n")
    assert counts(CHECKS) == {"failed": 2, "warning": 1, "ok": 1}


def test_a_fleet_of_a_few_is_named() -> None:
    assert places(("fe01", "fe02"), 2) == "fe01, fe02"


def test_control_characters_of_a_name_do_not_reach_the_terminal() -> None:
    shown = text([failed("POOL", ("fe\x1b[31m",), "a\x1b]0;b\x07", "c")], hosts=1)
    assert "\x1b" not in shown
    assert "\x07" not in shown


def test_who_fails() -> None:
    found = failing(CHECKS, ["fe02", "fe03", "fe04"], controller=CONTROLLER)
    assert set(found) == {"fe03", "fe04"}
    assert found["fe04"] == "KB4023993-CTRL-BECOME: It is set. Remove it."
    assert "1 more failed check" in found["fe03"]


def test_all_fail_with_the_controller() -> None:
    bad = [failed("STATE-DIR", (CONTROLLER,), "It is full.", "Make room.")]
    assert set(failing(bad, ["fe01", "fe02"], controller=CONTROLLER)) == {"fe01", "fe02"}


# ---- documentation


def test_each_id_has_cause_and_remedy_in_the_documentation_and_no_other_is_there() -> None:
    page = (ROOT / "docs" / "troubleshooting.md").read_text("utf-8")
    sections = dict(re.findall(r"^### (KB4023993-CTRL-[A-Z-]+)\n(.*?)(?=^#|\Z)", page, re.MULTILINE | re.DOTALL))
    assert list(sections) == [subject.id for subject in SUBJECTS.values()]
    for name, section in sections.items():
        assert re.search(r"^\*\*Cause\.\*\* \S", section, re.MULTILINE), name
        assert re.search(r"^\*\*Remedy\.\*\* \S", section, re.MULTILINE), name
    assert set(re.findall(r"KB4023993-CTRL-[A-Z-]*[A-Z]", page)) == IDS


def test_links_within_the_page_lead_somewhere() -> None:
    page = (ROOT / "docs" / "troubleshooting.md").read_text("utf-8")
    assert {link.upper() for link in re.findall(r"\(#([a-z0-9-]+)\)", page)} <= IDS


def test_every_subject_is_said_somewhere_in_the_code() -> None:
    folder = ROOT / "plugins" / "plugin_utils" / "controller_check"
    sources = "".join(path.read_text("utf-8") for path in folder.glob("*.py") if path.name != "check.py")
    assert [name for name in SUBJECTS if f'"{name}"' not in sources] == []
