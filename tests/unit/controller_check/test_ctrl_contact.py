# Copyright (c) 2026, the sfb.kb4023993 contributors
# GNU General Public License v3.0-or-later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The logon of a first contact: what the host answers, or what the connection says when it breaks, by stage."""

from __future__ import annotations

import dataclasses
import datetime
import json
import types
import typing as t

import pytest
from ansible.errors import AnsibleAuthenticationFailure, AnsibleConnectionFailure
from ansible_collections.sfb.kb4023993.plugins.plugin_utils.controller_check.check import Check
from ansible_collections.sfb.kb4023993.plugins.plugin_utils.controller_check.contact import contact
from ansible_collections.sfb.kb4023993.plugins.plugin_utils.controller_check.way import Way
from ansible_collections.sfb.kb4023993.plugins.plugin_utils.host.operations import SystemReply
from ansible_collections.sfb.kb4023993.plugins.plugin_utils.host.wire import markers
from lab.decode import decode_batch, unpack
from winrm.exceptions import WSManFaultError

NOW: t.Final = datetime.datetime(2026, 6, 1, 12, 0, tzinfo=datetime.timezone.utc)
# Through a proxy nothing is asked before the logon.
WAY: t.Final = Way(
    connection="winrm",
    windows=True,
    address="fe01",
    port=5985,
    scheme="http",
    methods=("ntlm",),
    known_methods=frozenset({"ntlm"}),
    user="Administrator",
    has_password=True,
    proxy="http://proxy:3128",
)
SYSTEM: t.Final = SystemReply(
    computer_name="fe01",
    dns_domain="contoso.example",
    machine_guid=None,
    os_version="6.3",
    os_build=9600,
    os_ubr=None,
    product_type="ServerNT",
    culture="de-DE",
    ui_culture="de-DE",
    powershell_version="4.0",
    clr_version="4.0.30319.42000",
    time_utc="2026-06-01T12:00:01.000Z",
    utc_offset_minutes=120,
)


class Action:
    """The part of an action that a session uses; it prints a reply, or raises what a connection plugin raises."""

    def __init__(self, reply: dict[str, t.Any] | Exception) -> None:
        self._task = types.SimpleNamespace(delegate_to=None)
        shell = types.SimpleNamespace(_IS_WINDOWS=True)
        self._connection = types.SimpleNamespace(become=None, transport="winrm", _shell=shell)
        self._reply = reply
        self.sent = 0

    def _low_level_execute_command(self, _command: str, *, sudoable: bool, in_data: bytes) -> dict[str, t.Any]:
        assert not sudoable
        self.sent += 1
        if isinstance(self._reply, Exception):
            raise self._reply
        nonce = decode_batch(unpack(in_data.decode("ascii")).data).nonce
        answer = json.dumps({"failure": None, "replies": [self._reply]}, separators=(",", ":"))
        return {"stdout": answer.join(markers(nonce)), "stderr": "", "rc": 0}


def good(**changes: t.Any) -> dict[str, t.Any]:
    return {"ok": True, "ms": 1, "value": dataclasses.asdict(dataclasses.replace(SYSTEM, **changes))}


def go(reply: dict[str, t.Any] | Exception, way: Way = WAY) -> dict[str, Check]:
    """The checks of the stages and the clock by their short ids."""
    found = contact(t.cast(t.Any, Action(reply)), "fe01", way, now=lambda: NOW)
    return {check.id.removeprefix("KB4023993-CTRL-"): check for check in found if "LIBRARY" not in check.id}


def statuses(found: dict[str, Check]) -> dict[str, str]:
    return {name: check.status for name, check in found.items() if name != "PROXY"}


def test_all_is_well() -> None:
    good_ones = ("CONTACT-AUTH", "CONTACT-RIGHTS", "CONTACT-POWERSHELL", "CLOCK")
    assert statuses(go(good())) == dict.fromkeys(good_ones, "ok")


@pytest.mark.parametrize(("version", "words"), [("2.0", "150 MB"), ("3.0", "KB2842230")])
def test_an_old_powershell_is_a_warning(version: str, words: str) -> None:
    check = go(good(powershell_version=version))["CONTACT-POWERSHELL"]
    assert check.status == "warning"
    assert words in check.what


def test_a_clock_that_is_wrong_is_a_warning() -> None:
    found = go(good(time_utc="2026-06-01T13:00:00.000Z"))
    assert found["CLOCK"].status == "warning"
    assert "60 minutes ahead of" in found["CLOCK"].what


def test_a_host_that_cannot_say_what_it_is() -> None:
    found = go({"ok": False, "ms": 1, "error": {"type": "failed", "message": "kaputt"}})
    assert statuses(found)["CONTACT-POWERSHELL"] == "failed"
    assert "kaputt" in found["CONTACT-POWERSHELL"].what


def test_the_number_of_a_fault_counts_even_behind_a_long_text_in_another_language() -> None:
    reason = "Der WS-Verwaltungsdienst kann die Anforderung nicht verarbeiten. " * 8
    fault = WSManFaultError(500, "Code 500", "", reason, wsman_fault_code=2150859173)
    found = go(AnsibleConnectionFailure(f"ntlm: {fault}"))
    assert statuses(found) == {"CONTACT-AUTH": "ok", "CONTACT-POWERSHELL": "failed"}
    assert "MaxShellsPerUser" in found["CONTACT-POWERSHELL"].next_step


def test_an_account_that_is_refused() -> None:
    found = go(AnsibleAuthenticationFailure("ntlm: the specified credentials were rejected by the server"))
    assert statuses(found) == {"CONTACT-AUTH": "failed"}


def test_what_nobody_knows_is_passed_on() -> None:
    found = go(AnsibleConnectionFailure("the flux is broken"))
    assert statuses(found) == {"CONTACT-PORT": "failed"}
    assert "the flux is broken" in found["CONTACT-PORT"].what.lower()


def test_a_host_of_which_something_is_wrong_before_is_not_asked() -> None:
    action = Action(good())
    found = contact(t.cast(t.Any, action), "fe01", dataclasses.replace(WAY, has_password=False), now=lambda: NOW)
    assert [check.status for check in found if check.id.endswith("CREDENTIALS")] == ["failed"]
    assert action.sent == 0
