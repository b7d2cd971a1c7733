# Copyright (c) 2026, the sfb.kb4023993 contributors
# GNU General Public License v3.0-or-later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A server that waits for a reboot: what is read of it, and when it matters."""

from __future__ import annotations

import dataclasses
import typing as t

import pytest
from ansible_collections.sfb.kb4023993.plugins.plugin_utils.evidence import InventoryFacts, from_text, to_text
from ansible_collections.sfb.kb4023993.plugins.plugin_utils.findings import Finding
from ansible_collections.sfb.kb4023993.plugins.plugin_utils.host.operations import (
    RegistryRead,
    RegistryReadReply,
    RegistryValue,
)
from ansible_collections.sfb.kb4023993.plugins.plugin_utils.host.wire import Reply
from ansible_collections.sfb.kb4023993.plugins.plugin_utils.sections import Batch, Header, first_evidence
from builders.simulated import Simulated

SERVICING: t.Final = r"SOFTWARE\Microsoft\Windows\CurrentVersion\Component Based Servicing\RebootPending"
UPDATES: t.Final = r"SOFTWARE\Microsoft\Windows\CurrentVersion\WindowsUpdate\Auto Update\RebootRequired"
SESSION_MANAGER: t.Final = r"SYSTEM\CurrentControlSet\Control\Session Manager"
SYSTEM_DLL: t.Final = r"C:\Windows\Microsoft.NET\Framework64\v4.0.30319\System.dll"
SPOOLER: t.Final = (r"\??\C:\Windows\System32\spool\V4Dirs\1.gpd", "")
NEW_DLL: t.Final = (r"\??\C:\Windows\Temp\new.dll", rf"!\??\{SYSTEM_DLL}")
FACTS: t.Final = InventoryFacts()
OLD_DOTNET: t.Final = {"version": "4.5.2"}


def server(*, dotnet: dict[str, t.Any] | None = None) -> Simulated:
    return Simulated(fe01={"dotnet": dotnet} if dotnet else {})


def reboot(simulated: Simulated, host: str = "fe01") -> Finding | None:
    found = (x for x in simulated.judge().judgement.findings if x.host == host)
    return next((x for x in found if x.id == "KB4023993-REBOOT-PENDING"), None)


def renames(simulated: Simulated, *names: str) -> None:
    simulated.host().registry.write(SESSION_MANAGER, "PendingFileRenameOperations", "multi_string", names)


def test_a_server_that_waits_for_nothing_says_nothing() -> None:
    simulated = server()
    assert reboot(simulated) is None
    evidence = simulated.judge().fleet.views["fe01"].source.evidence
    assert evidence is not None
    assert evidence.dotnet is not None
    signs = evidence.dotnet.reboot
    assert signs is not None
    assert (signs.servicing, signs.updates, signs.renames, signs.dotnet_files) == (False, False, 0, ())


@pytest.mark.parametrize(
    ("key", "words"), [(SERVICING, "Component Based Servicing waits"), (UPDATES, "Windows Update waits")]
)
def test_the_key_of_an_update_is_enough(key: str, words: str) -> None:
    simulated = server()
    simulated.host().registry.create(key)
    found = reboot(simulated)
    assert found is not None
    assert words in found.evidence[0]
    # This server checks already: a reboot brings nothing worse.
    assert found.severity == "info"


def test_files_of_others_alone_say_nothing() -> None:
    simulated = server()
    renames(simulated, *SPOOLER)
    assert reboot(simulated) is None
    simulated.host().registry.create(UPDATES)
    found = reboot(simulated)
    assert found is not None
    assert found.evidence[1] == "1 name of files to be replaced or removed at the next start, none of .NET"


def test_a_new_system_dll_that_waits_is_a_warning_where_net_does_not_check_yet() -> None:
    simulated = server(dotnet=OLD_DOTNET)
    renames(simulated, *SPOOLER, *NEW_DLL)
    found = reboot(simulated)
    assert found is not None
    assert found.severity == "warning"
    assert found.evidence == (f"{SYSTEM_DLL} is replaced or removed at the next start",)


def test_a_server_without_the_check_is_warned_about_an_update_that_waits() -> None:
    simulated = server(dotnet=OLD_DOTNET)
    simulated.host().registry.create(UPDATES)
    found = reboot(simulated)
    assert found is not None
    assert found.severity == "info", "Windows Update alone may wait for anything"
    simulated.host().registry.create(SERVICING)
    found = reboot(simulated)
    assert found is not None
    assert found.severity == "warning"


def test_what_the_server_writes_there_is_bounded_and_shown_as_text() -> None:
    simulated = server()
    hostile = [rf"\??\C:\Windows\Microsoft.NET\{number}" + "\x1b[2J<b>" * 50 for number in range(500)]
    renames(simulated, *hostile)
    found = reboot(simulated)
    assert found is not None
    assert len(found.evidence) == 12
    assert all(line.isprintable() and len(line) < 300 for line in found.evidence)


def test_what_may_not_be_read_is_named_and_no_answer() -> None:
    simulated = server()
    simulated.host().registry.denied.update({SERVICING, UPDATES, SESSION_MANAGER})
    evidence = simulated.judge().fleet.views["fe01"].source.evidence
    assert evidence is not None
    assert evidence.dotnet is not None
    assert evidence.dotnet.reboot is not None
    assert (evidence.dotnet.reboot.servicing, evidence.dotnet.reboot.updates, evidence.dotnet.reboot.renames) == (
        None,
        None,
        None,
    )
    assert len([p for p in evidence.problems if p.section == "dotnet"]) == 3
    assert reboot(simulated) is None


def test_evidence_from_before_this_was_asked_is_still_evidence() -> None:
    evidence = server().judge().fleet.views["fe01"].source.evidence
    assert evidence is not None
    assert evidence.dotnet is not None
    old = dataclasses.replace(evidence, dotnet=dataclasses.replace(evidence.dotnet, reboot=None))
    text = to_text(old).replace(', "reboot": null', "")
    assert '"reboot"' not in text
    assert from_text(text, where="x") == old


@pytest.mark.parametrize("value", ["dword", "multi_string", "binary"])
def test_values_that_are_not_of_their_kind_leave_evidence_that_can_be_read_again(value: t.Any) -> None:
    # A REG_DWORD of more bytes than a number has is handed out as bytes; a server in other hands says anything.
    for data in (7, "AAAAAAAAAAAAAAAA", ("x", "")):
        found = RegistryReadReply(key_exists=True, value=RegistryValue(name="Release", kind=value, data=data))
        batch = Batch()
        operation = RegistryRead(path=r"SOFTWARE\x", name="y")
        for key in ("release", "reboot renames"):
            batch.ask("dotnet", key, operation)
        replies = [Reply(operation=operation, ms=1, value=found)] * 2
        header = Header(collection_version="0", run_id="x", inventory_name="fe01", collected_utc="x", inventory=FACTS)
        evidence = first_evidence(header, batch, replies, ["dotnet"])
        assert from_text(to_text(evidence), where="x") == evidence
        assert evidence.dotnet is not None
        assert evidence.dotnet.release == (7 if (value, data) == ("dword", 7) else None)
