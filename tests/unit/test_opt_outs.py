# Copyright (c) 2026, the sfb.kb4023993 contributors
# GNU General Public License v3.0-or-later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which opt-outs .NET reads, which it does not, and which of them the running process is known to have read."""

from __future__ import annotations

import dataclasses
import time
import typing as t

import pytest
from ansible_collections.sfb.kb4023993.plugins.plugin_utils.evidence import Evidence, OptOutEvidence
from ansible_collections.sfb.kb4023993.plugins.plugin_utils.host import operations as op
from ansible_collections.sfb.kb4023993.plugins.plugin_utils.host.operations import RegistryValue
from ansible_collections.sfb.kb4023993.plugins.plugin_utils.records import ABSENT, ChangeRecord, ValueState
from ansible_collections.sfb.kb4023993.plugins.plugin_utils.rules.opt_outs import (
    OptOutFacts,
    opt_out_facts,
    override_path,
    sightings,
)
from ansible_collections.sfb.kb4023993.plugins.plugin_utils.rules.roles import role_facts
from builders import evidence as e
from builders import fleets as f

ON: t.Final = ValueState(kind="dword", data=0)


def facts(evidence: Evidence) -> OptOutFacts:
    return opt_out_facts(evidence, role_facts(evidence))


def of(found: OptOutEvidence, **more: t.Any) -> OptOutFacts:
    return facts(e.front_end(opt_outs=found, **more))


def reasons(found: OptOutEvidence, **more: t.Any) -> list[str]:
    return [wrong.reason for wrong in of(found, **more).wrong]


def record(value: e.Value = e.Value(), *, time: str = e.EARLIER, **changes: t.Any) -> ChangeRecord:  # noqa: B008
    made = ChangeRecord(
        path=e.opt_out_key(value.clr),
        name=value.name,
        view=value.view,
        key_existed=True,
        before=ABSENT,
        written=ON,
        state="applied",
        time_utc=time,
        run_id="r",
    )
    return dataclasses.replace(made, **changes)


# ---- the right key, name, kind and data


@pytest.mark.parametrize(
    ("product", "clr"),
    [("lync2010", e.CLR2), ("lync2013", e.CLR4), ("sfb2015", e.CLR4), ("sfb2019", e.CLR4)],
)
def test_the_clr_of_the_process_decides_the_key(product: e.Product, clr: str) -> None:
    name = e.executable(product)
    assert override_path(clr) == e.opt_out_key(clr)
    assert of(e.opt_outs(e.Value(name=name, clr=clr)), product=product).override is not None
    other = e.CLR4 if clr == e.CLR2 else e.CLR2
    assert reasons(e.opt_outs(e.Value(name=name, clr=other)), product=product) == ["other_clr"]


@pytest.mark.parametrize("clr", [e.CLR2, e.CLR4])
def test_a_value_in_the_32_bit_view_is_not_read(clr: str) -> None:
    found = of(e.opt_outs(e.Value(view="32", clr=clr)))
    assert found.override is None
    assert [wrong.reason for wrong in found.wrong] == ["view_32"]
    assert not found.wrong[0].in_place
    assert "Wow6432Node" in str(found.wrong[0])


@pytest.mark.parametrize("folder", [r"D:\Lync Server", r"C:\Program Files\Skype for Business Server 2015"])
def test_the_value_name_is_the_full_long_path_of_the_service_in_any_case(folder: str) -> None:
    path = e.executable(folder=folder)
    for name in (path, path.upper(), path.lower()):
        assert of(e.opt_outs(e.Value(name=name)), folder=folder).override is not None


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        (f'"{e.executable()}"', "quoted"),
        (r"C:\PROGRA~1\SKYPEF~1\WEBCON~1\DataMCUSvc.exe", "other_path"),
        (r"%ProgramFiles%\Skype for Business Server 2015\Web Conferencing\DataMCUSvc.exe", "other_path"),
        (e.executable("lync2013"), "other_path"),
        (e.executable().replace("C:", "D:"), "other_path"),
        ("DataMCUSvc.exe", "other_path"),
        (e.executable() + " ", "other_path"),
        (e.executable().replace("\\", "/"), "other_path"),
    ],
)
def test_a_name_that_dotnet_does_not_look_up_is_wrong_and_says_why(name: str, reason: str) -> None:
    found = of(e.opt_outs(e.Value(name=name)))
    assert found.override is None
    assert [wrong.reason for wrong in found.wrong] == [reason]
    assert not found.wrong[0].in_place


@pytest.mark.parametrize(
    ("kind", "data"),
    [
        ("string", "0"),
        ("expand_string", "0"),
        ("qword", 0),
        ("binary", "AAAAAA=="),
        ("multi_string", ("0",)),
        ("none", ""),
        ("unknown", ""),
    ],
)
def test_only_a_reg_dword_is_read(kind: t.Any, data: t.Any) -> None:
    found = of(e.opt_outs(e.Value(kind=kind, data=data)))
    assert found.override is None
    assert [(wrong.reason, wrong.in_place) for wrong in found.wrong] == [("kind", True)]


@pytest.mark.parametrize("data", [1, 2, 2**32 - 1])
def test_only_0_turns_the_check_off(data: int) -> None:
    found = of(e.opt_outs(e.Value(data=data)))
    assert found.override is None
    assert [(wrong.reason, wrong.in_place) for wrong in found.wrong] == [("data", True)]


def test_values_of_other_executables_are_none_of_our_business() -> None:
    others = [
        e.Value(name=r"C:\Windows\System32\inetsrv\w3wp.exe"),
        e.Value(name=r"C:\x\NotDataMCUSvc.exe", kind="string", data="0"),
        e.Value(name=r"C:\x\DataMCUSvc.exe.config"),
    ]
    found = of(e.opt_outs(*others))
    assert (found.valid, found.wrong) == ((), ())


def test_a_wrong_value_beside_the_right_one_changes_nothing_about_the_right_one() -> None:
    found = of(e.opt_outs(e.Value(), e.Value(view="32"), e.Value(clr=e.CLR2)))
    assert found.override is not None
    assert sorted(wrong.reason for wrong in found.wrong) == ["other_clr", "view_32"]


# ---- the other places


@pytest.mark.parametrize(
    ("value", "valid"),
    [
        (e.dword("RequireCertificateEKUs", 0), True),
        (e.dword("RequireCertificateEKUs", 1), False),
        (RegistryValue(name="RequireCertificateEKUs", kind="string", data="0"), False),
        (RegistryValue(name="RequireCertificateEKUs", kind="qword", data=0), False),
    ],
)
def test_the_global_switch_is_a_reg_dword_0_of_the_processes_own_clr(value: RegistryValue, valid: bool) -> None:
    found = e.opt_outs(everything=value)
    assert ["global"] * valid == [o.id for o in of(found).valid]
    assert of(found, product="lync2010").valid == ()


def test_a_per_executable_1_does_not_undo_a_global_0() -> None:
    found = of(e.opt_outs(e.Value(data=1), everything=e.dword("RequireCertificateEKUs", 0)), started=None)
    assert [o.id for o in found.valid] == ["global"]
    assert found.in_effect


@pytest.mark.parametrize(
    ("kind", "data", "release", "product", "valid"),
    [
        ("string", "true", 393295, "sfb2015", True),
        ("string", "TRUE", 528040, "lync2013", True),
        ("string", "false", 528040, "sfb2015", False),
        ("string", "1", 528040, "sfb2015", False),
        ("dword", 1, 528040, "sfb2015", False),
        ("string", "true", 379893, "sfb2015", False),
        ("string", "true", None, "sfb2015", False),
        ("string", "true", 528040, "lync2010", False),
    ],
)
def test_the_appcontext_switch_in_the_registry_needs_dotnet_4_6_and_the_text_true(
    kind: t.Any, data: t.Any, release: int | None, product: e.Product, valid: bool
) -> None:
    found = e.opt_outs(app_context=RegistryValue(name=e.SWITCH, kind=kind, data=data))
    judged = of(found, dotnet=e.dotnet(release=release), product=product)
    assert ["appcontext_registry"] * valid == [o.id for o in judged.valid]


@pytest.mark.parametrize(
    ("config", "valid"),
    [
        (e.config_switch(), True),
        (e.config_switch("True"), True),
        (e.config_switch().encode("utf-8-sig"), True),
        (e.config_switch().replace("utf-8", "utf-16").encode("utf-16"), True),
        (e.config_switch("false"), False),
        (e.config_switch(name="Switch.Other2"), False),
        ("<configuration/>", False),
        (e.config_switch()[:-5], False),
        (f"<!--{e.config_switch().partition('?>')[2]}-->", False),
        (e.config_switch().replace("runtime", "Runtime"), False),
        ('<!DOCTYPE x [<!ENTITY a "b">]>' + e.config_switch().partition("?>")[2], False),
        (b"\xff\xff\xff\x00", False),
        ("", False),
    ],
    ids=range(13),
)
def test_the_switch_in_the_configuration_file_is_read_as_dotnet_reads_it(config: str | bytes, valid: bool) -> None:
    judged = of(e.opt_outs(config=config), dotnet=e.dotnet(release=528040))
    assert ["appcontext_config"] * valid == [o.id for o in judged.valid]


def test_a_configuration_file_of_open_comments_is_read_quickly() -> None:
    started = time.process_time()
    for text in ("<!--" * 250_000, "<!---->" * 150_000 + e.config_switch().partition("?>")[2]):
        of(e.opt_outs(config=text), dotnet=e.dotnet(release=528040))
    assert time.process_time() - started < 5


# ---- what could not be read


def test_keys_that_could_not_be_read_prove_nothing() -> None:
    assert of(e.opt_outs(unreadable=[(e.CLR4, "64")])).unreadable
    assert not of(e.opt_outs(unreadable=[(e.CLR2, "64"), (e.CLR4, "32")])).unreadable
    assert facts(dataclasses.replace(e.front_end(), opt_outs=None)).unreadable
    assert facts(dataclasses.replace(e.front_end(), executables=None)).unreadable


# ---- read by the process or not


def test_an_opt_out_that_nobody_saw_before_is_unproven() -> None:
    found = of(e.opt_outs(e.Value()))
    assert found.unproven
    assert not found.in_effect


@pytest.mark.parametrize(
    ("change", "effective"),
    [
        (record(time=e.EARLIER), True),
        (record(time=e.STARTED), False),
        (record(time=e.LATER), False),
        (record(state="intent"), False),
        (record(written=ABSENT), False),
        (record(written=ValueState(kind="string", data="0")), False),
        (record(e.Value(view="32")), False),
        (record(e.Value(clr=e.CLR2)), False),
        (record(e.Value(name=r"D:\x\DataMCUSvc.exe")), False),
        (record(e.Value(name=e.executable().upper())), True),
    ],
    ids=range(10),
)
def test_our_own_record_proves_an_override_that_is_older_than_the_process(
    change: ChangeRecord, effective: bool
) -> None:
    assert of(e.opt_outs(e.Value()), records=e.records(change)).in_effect is effective


@pytest.mark.parametrize(("since", "effective"), [(e.EARLIER, True), (e.STARTED, False), (e.LATER, False), ("", False)])
def test_earlier_evidence_proves_an_opt_out_that_is_older_than_the_process(since: str, effective: bool) -> None:
    seen = e.sighted(e.Value(), since)
    assert of(e.opt_outs(e.Value()), sightings=(seen,)).in_effect is effective


def test_a_process_whose_start_is_hidden_proves_nothing() -> None:
    hidden = op.ProcessState(name="DataMCUSvc", pid=1, path=None, started_utc=None)
    assert of(e.opt_outs(e.Value()), processes=(hidden,), records=e.records(record())).unproven


def test_a_stopped_service_reads_the_opt_out_at_its_next_start() -> None:
    assert of(e.opt_outs(e.Value()), started=None).in_effect


@pytest.mark.parametrize(
    "processes",
    [
        None,
        (),
        (op.ProcessState(name="DataMCUSvc", pid=1, path=r"C:\PROGRA~1\x\DataMCUSvc.exe", started_utc=e.EARLIER),),
    ],
    ids=["processes not read", "service runs, process not seen", "process of another spelling"],
)
def test_an_opt_out_is_unproven_while_the_service_runs_and_its_process_is_not_known(processes: t.Any) -> None:
    evidence = e.front_end(opt_outs=e.opt_outs(e.Value()), processes=processes)
    assert f.verdict(f.judge(evidence), "fe01") == "broken"
    assert not facts(evidence).in_effect


def test_one_opt_out_in_effect_is_enough() -> None:
    found = of(e.opt_outs(e.Value(), everything=e.dword("RequireCertificateEKUs", 0)), records=e.records(record()))
    assert {o.id: o.in_effect for o in found.valid} == {"executable": True, "global": False}
    assert found.in_effect
    assert not found.unproven


def test_an_unproven_opt_out_leaves_the_verdict_as_it_is_and_asks_for_a_restart() -> None:
    with_it = f.judge(e.front_end(opt_outs=e.opt_outs(e.Value())))
    assert f.verdict(with_it, "fe01") == f.verdict(f.judge(e.front_end()), "fe01") == "broken"
    assert "RESTART-PENDING" in f.finding_ids(with_it, "fe01")
    assert f.host(with_it, "fe01").restart_pending


# ---- sightings


def test_a_sighting_is_carried_on_while_the_opt_out_stands_and_starts_anew_when_it_comes_back() -> None:
    bare, with_it = e.front_end(), e.front_end(opt_outs=e.opt_outs(e.Value()))
    first = sightings(with_it, facts(with_it), None)
    assert [s.since_utc for s in first] == [e.HOST_NOW]
    old = dataclasses.replace(with_it, sightings=(e.sighted(e.Value(), e.EARLIER),))
    assert [s.since_utc for s in sightings(with_it, facts(with_it), old)] == [e.EARLIER]
    gone = dataclasses.replace(bare, sightings=sightings(bare, facts(bare), old))
    assert gone.sightings == ()
    assert [s.since_utc for s in sightings(with_it, facts(with_it), gone)] == [e.HOST_NOW]


def test_a_sighting_on_another_machine_of_the_same_name_counts_for_nothing() -> None:
    now = e.front_end(opt_outs=e.opt_outs(e.Value()))
    before = e.front_end("fe01", sightings=(e.sighted(e.Value(), e.EARLIER),), system=e.system("other"))
    assert [s.since_utc for s in sightings(now, facts(now), before)] == [e.HOST_NOW]


def test_a_wrong_override_that_becomes_right_is_new() -> None:
    wrong = e.front_end(opt_outs=e.opt_outs(e.Value(kind="string", data="0")))
    assert sightings(wrong, facts(wrong), None) == ()


def test_a_process_start_later_than_the_clock_of_its_host_proves_nothing() -> None:
    value = e.Value()
    ahead = e.front_end(
        started="2099-01-01T00:00:00Z", opt_outs=e.opt_outs(value), sightings=(e.sighted(value, e.EARLIER),)
    )
    assert not f.host(f.judge(ahead), "fe01").opt_outs[0].in_effect
    right = e.front_end(opt_outs=e.opt_outs(value), sightings=(e.sighted(value, e.EARLIER),))
    assert f.host(f.judge(right), "fe01").opt_outs[0].in_effect
