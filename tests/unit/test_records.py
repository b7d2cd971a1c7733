# Copyright (c) 2026, the sfb.kb4023993 contributors
# GNU General Public License v3.0-or-later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The records on a server are hostile data: only changes that this collection could have made itself come back."""

from __future__ import annotations

import dataclasses
import json
import typing as t

import pytest
from ansible_collections.sfb.kb4023993.plugins.plugin_utils.host.operations import RegistryListReply, RegistryValue
from ansible_collections.sfb.kb4023993.plugins.plugin_utils.records import (
    ABSENT,
    NO_RECORDS,
    ChangeRecord,
    RestartRecord,
    ValueState,
    is_override_target,
    is_own_executable,
    read_records,
    record_text,
)
from builders import evidence as e
from hypothesis import given
from hypothesis import strategies as st

CHANGE: t.Final = ChangeRecord(
    path=e.opt_out_key(),
    name=e.executable(),
    view="64",
    key_existed=True,
    before=ABSENT,
    written=ValueState(kind="dword", data=0),
    state="applied",
    time_utc=e.EARLIER,
    run_id="20260308T120010Z-abcdef",
)
RESTART: t.Final = RestartRecord(since_utc=e.EARLIER, run_id="20260308T120010Z-abcdef")


def stored(record: ChangeRecord | RestartRecord, **changes: t.Any) -> RegistryValue:
    """The registry value of a record with entries of its text changed."""
    data = {**json.loads(record_text(record)), **changes}
    return RegistryValue(name=record.value_name, kind="string", data=json.dumps(data))


def is_accepted(value: RegistryValue) -> bool:
    found = read_records(e.records(value))
    if not found.changes and found.restart is None:
        assert found.invalid == (value.name[:200],), "what is not accepted is named"
        return False
    return True


def test_records_come_back_as_written() -> None:
    restart = dataclasses.replace(RESTART, begun_utc=e.LATER, dependents=("RTCIMMCU",))
    found = read_records(e.records(CHANGE, restart))
    assert (found.changes, found.restart, found.invalid) == ((CHANGE,), restart, ())


def test_no_key_means_no_records() -> None:
    assert read_records(None) == NO_RECORDS
    assert read_records(RegistryListReply(key_exists=False, values=(), subkeys=(), truncated=False)) == NO_RECORDS


@pytest.mark.parametrize(
    "path",
    [
        r"SOFTWARE\Microsoft\Windows\CurrentVersion\Run",
        r"SOFTWARE\Microsoft\.NETFramework\v4.0.30319",
        r"SOFTWARE\Microsoft\.NETFramework\v1.1.4322\System.Net.ServicePointManager.RequireCertificateEKUs",
        r"SOFTWARE\Microsoft\.NETFramework\v4.0.30319\System.Net.ServicePointManager.SchSendAuxRecord",
        r"SYSTEM\CurrentControlSet\Services\RTCDATAMCU",
        e.opt_out_key() + "\\",
        e.opt_out_key() + "\\..\\Run",
        e.opt_out_key() + "\n",
        "\\" + e.opt_out_key(),
        e.opt_out_key().replace(".NET", "xNET"),
        "",
    ],
)
def test_a_record_of_another_key_is_never_followed(path: str) -> None:
    assert not is_override_target(path, e.executable())
    assert not is_accepted(stored(dataclasses.replace(CHANGE, path=path)))


@pytest.mark.parametrize(
    "name",
    [
        r"C:\Windows\System32\lsass.exe",
        r"C:\x\DataMCUSvc.exe.bak",
        r"C:\x\MyDataMCUSvc.exe",
        "RequireCertificateEKUs",
        "",
        "C:\\" + "x" * 2000 + "\\DataMCUSvc.exe",
    ],
)
def test_a_record_of_another_executable_is_never_followed(name: str) -> None:
    assert not is_own_executable(name)
    assert not is_accepted(stored(dataclasses.replace(CHANGE, name=name)))


@pytest.mark.parametrize(
    "name",
    [
        e.executable(),
        e.executable().upper(),
        f'"{e.executable()}"',
        r"D:\Lync\DATAMCUSVC.EXE",
        "DataMCUSvc.exe",
        "C:/x/DataMCUSvc.exe",
    ],
)
def test_every_spelling_of_our_own_executable_is_known(name: str) -> None:
    assert is_own_executable(name)
    assert is_override_target(e.opt_out_key().upper(), name)


@pytest.mark.parametrize(
    "changes",
    [
        {"schema": 2},
        {"schema": True},
        {"type": "restart"},
        {"type": "delete"},
        {"type": None},
        {"view": "128"},
        {"state": "maybe"},
        {"key_existed": "yes"},
        {"before": {"kind": "dword", "data": "0"}},
        {"before": {"kind": "dword", "data": -1}},
        {"before": {"kind": "dword", "data": 2**64}},
        {"before": {"kind": "dword", "data": True}},
        {"before": {"kind": None, "data": 0}},
        {"before": {"kind": "string", "data": 5}},
        {"before": {"kind": "multi_string", "data": "x"}},
        {"before": {"kind": "none", "data": "AA=="}},
        {"before": {"kind": "unknown", "data": ""}},
        {"before": {"kind": "link", "data": "x"}},
        {"before": None},
        {"written": {"kind": "string"}},
        {"time_utc": "yesterday"},
        {"time_utc": "@now@"},
        {"time_utc": e.EARLIER + "\n"},
        {"extra": 1},
        {"name": r"C:\other\DataMCUSvc.exe"},
        {"view": "32"},
    ],
    ids=str,
)
def test_a_record_that_we_could_not_have_written_is_named_and_not_followed(changes: dict[str, t.Any]) -> None:
    assert not is_accepted(stored(CHANGE, **changes))


def test_a_record_of_a_number_that_no_dword_holds_is_not_followed() -> None:
    assert not is_accepted(stored(CHANGE, before={"kind": "dword", "data": 2**32}))


@pytest.mark.parametrize(
    "changes",
    [
        {"service": "LSASS"},
        {"begun_utc": "now"},
        {"since_utc": ""},
        {"dependents": ["a b"]},
        {"dependents": ["x&del"]},
        {"dependents": "RTCIMMCU"},
        {"dependents": ["x" * 81]},
        {"dependents": ["x\n"]},
    ],
    ids=str,
)
def test_a_restart_record_names_only_our_service_and_plain_service_names(changes: dict[str, t.Any]) -> None:
    assert not is_accepted(stored(RESTART, **changes))


@pytest.mark.parametrize(
    "value",
    [
        RegistryValue(name="x", kind="dword", data=0),
        RegistryValue(name="x", kind="string", data=""),
        RegistryValue(name="x", kind="string", data="not JSON"),
        RegistryValue(name="x", kind="string", data="[" * 15_000),
        RegistryValue(name="x", kind="string", data="[]"),
        RegistryValue(name="x", kind="string", data='"text"'),
        RegistryValue(name="x", kind="string", data='{"type": "change", "schema": ' + "9" * 5000 + "}"),
        RegistryValue(name=CHANGE.value_name, kind="multi_string", data=(record_text(CHANGE),)),
        RegistryValue(name=CHANGE.value_name, kind="expand_string", data=record_text(CHANGE)),
        RegistryValue(name=CHANGE.value_name, kind="string", data=record_text(CHANGE) + " " * 20_001),
        RegistryValue(name="x" * 5000, kind="string", data=record_text(CHANGE)),
        RegistryValue(name="restart|RTCDATAMCU", kind="string", data=record_text(CHANGE)),
        RegistryValue(name=CHANGE.value_name, kind="string", data=record_text(RESTART)),
    ],
    ids=lambda value: f"{value.kind} {str(value.data)[:20]}",
)
def test_what_is_no_record_is_named_and_not_followed(value: RegistryValue) -> None:
    assert not is_accepted(value)


@given(st.text(max_size=60), st.text(max_size=200))
def test_no_text_makes_a_record_of_a_foreign_target(name: str, data: str) -> None:
    assert not is_accepted(RegistryValue(name=name, kind="string", data=data))


def test_one_bad_record_does_not_hide_the_good_ones() -> None:
    found = read_records(e.records(RegistryValue(name="bad", kind="dword", data=1), CHANGE, RESTART))
    assert (found.changes, found.restart, found.invalid) == ((CHANGE,), RESTART, ("bad",))


def test_one_registry_value_has_one_record_however_it_is_spelled() -> None:
    other = dataclasses.replace(CHANGE, path=CHANGE.path.upper(), name=CHANGE.name.upper())
    assert other.value_name == CHANGE.value_name
    assert dataclasses.replace(CHANGE, view="32").value_name != CHANGE.value_name


HOSTILE: t.Final = "\x1b[2J\x1b]0;owned\x07\r\nfe99: done\n"


@pytest.mark.parametrize(
    ("state", "text"),
    [
        (ABSENT, "absent"),
        (ValueState(kind="dword", data=0), "REG_DWORD 0"),
        (ValueState(kind="string", data="0"), "REG_SZ 0"),
        (ValueState(kind="multi_string", data=("a", "b")), "REG_MULTI_STRING a, b"),
    ],
)
def test_a_value_is_said_in_the_words_of_the_registry_editor(state: ValueState, text: str) -> None:
    assert str(state) == text


@pytest.mark.parametrize(
    "state", [ValueState(kind="string", data=HOSTILE), ValueState(kind="multi_string", data=(HOSTILE,))]
)
def test_a_value_in_words_is_one_printable_line(state: ValueState) -> None:
    assert str(state).isprintable()


def test_a_value_in_words_is_bounded() -> None:
    assert len(str(ValueState(kind="string", data="x" * 1_000_000))) < 200


@pytest.mark.parametrize(
    ("state", "data"),
    [
        (ABSENT, ()),
        (ValueState(kind="dword", data=0), ("0",)),
        (ValueState(kind="string", data=""), ("",)),
        (ValueState(kind="multi_string", data=("a", "")), ("a", "")),
        (ValueState(kind="multi_string", data=()), ()),
    ],
)
def test_the_data_travels_as_texts(state: ValueState, data: tuple[str, ...]) -> None:
    assert state.wire_data() == data
