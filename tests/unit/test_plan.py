# Copyright (c) 2026, the sfb.kb4023993 contributors
# GNU General Public License v3.0-or-later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a plan changes for the override, and what it leaves alone."""

from __future__ import annotations

import dataclasses
import typing as t

import pytest
from ansible_collections.sfb.kb4023993.plugins.plugin_utils.act import _change_operations
from ansible_collections.sfb.kb4023993.plugins.plugin_utils.evidence import Evidence
from ansible_collections.sfb.kb4023993.plugins.plugin_utils.host.operations import (
    RegistryReadReply,
    RegistrySet,
    RegistryValue,
)
from ansible_collections.sfb.kb4023993.plugins.plugin_utils.records import (
    NO_RECORDS,
    ValueState,
    read_records,
)
from builders import certificates as c
from builders import evidence as e
from builders import fleets as f

ON: t.Final = ValueState(kind="dword", data=0)
TEXT_ZERO: t.Final = ValueState(kind="string", data="0")
GOOD: t.Final = c.certificate("both")
EDGES: t.Final = "edgepool.contoso.example"
SEEN: t.Final = (e.sighted(e.Value(), e.EARLIER),)
OTHERS: t.Final = (
    e.Value(name=r"C:\Windows\System32\inetsrv\w3wp.exe"),
    e.Value(name=r"C:\Other\Service.exe", kind="string", data="0"),
    e.Value(name=r"C:\Other\Service.exe", view="32"),
    e.Value(name=r"C:\x\DataMCUSvc.exe.old", clr=e.CLR2),
)


# ---- the override where it is needed


def test_a_broken_front_end_gets_exactly_the_override_and_a_restart() -> None:
    plan = f.planned(f.judge(e.front_end()))
    assert f.steps(plan) == [(e.opt_out_key(), e.executable(), "64", "absent", "REG_DWORD 0")]
    assert (plan.restart, plan.wave, plan.clear, plan.machine_guid) == (True, 0, (), "guid-of-fe01")
    assert "KB4023993-CONNECTION-BROKEN" in plan.findings


@pytest.mark.parametrize(
    ("product", "folder", "clr"),
    [("lync2010", None, e.CLR2), ("lync2013", r"D:\Lync Server 2013", e.CLR4), ("sfb2019", None, e.CLR4)],
)
def test_the_override_goes_to_the_key_of_the_clr_with_the_services_own_path(
    product: e.Product, folder: str | None, clr: str
) -> None:
    dotnet = e.dotnet(*e.copies(e.CLR2), *e.copies())
    plan = f.planned(f.judge(e.front_end(product=product, folder=folder, dotnet=dotnet)))
    assert [(x.path, x.name) for x in plan.changes] == [(e.opt_out_key(clr), e.executable(product, folder=folder))]


def test_a_front_end_broken_by_events_alone_gets_it_when_its_dotnet_enforces_the_check() -> None:
    own = e.front_end(cert=GOOD, edge_pool=EDGES, events=e.events(e.event(41026, e.LATER)))
    assert f.planned(f.judge(own)).changes
    unknown = dataclasses.replace(own, dotnet=None)
    assert "not known" in f.refusals(f.judge(unknown))["fe01"]


@pytest.mark.parametrize("dotnet", [e.UNCHECKED, e.dotnet(*e.copies(changed=e.LATER))], ids=["no check", "not loaded"])
def test_a_front_end_broken_by_events_alone_gets_nothing_while_its_dotnet_does_not_check(dotnet: t.Any) -> None:
    own = e.front_end(cert=GOOD, edge_pool=EDGES, dotnet=dotnet, events=e.events(e.event(41026, e.LATER)))
    assert not f.plan(f.judge(own)).hosts


def test_latent_gets_certificates_and_not_the_override_unless_the_user_asks() -> None:
    latent = e.front_end(dotnet=e.UNCHECKED)
    assert f.verdict(f.judge(latent), "fe01") == "latent"
    assert f.left_alone(latent)
    assert f.planned(f.judge(latent), latent=True).changes


@pytest.mark.parametrize(
    "evidence",
    [
        e.front_end(cert=GOOD),
        e.front_end(opt_outs=e.opt_outs(e.Value()), sightings=SEEN),
        e.front_end(dotnet=None),
        e.front_end(cert=GOOD, edge_pool=EDGES),
        e.front_end(services=()),
        dataclasses.replace(e.front_end(), services=None),
        e.edge(),
    ],
    ids=["compliant", "mitigated", "enforcement unknown", "Edge unknown", "not applicable", "role unknown", "Edge"],
)
def test_every_other_host_is_left_alone(evidence: Evidence) -> None:
    for goal in ("override", "rollback"):
        assert f.left_alone(evidence, goal, latent=True)


@pytest.mark.parametrize("host", [f.outside(e.front_end()), f.unread("fe01", saved=e.front_end()), f.unread("fe01")])
def test_a_host_that_this_run_did_not_read_is_never_changed(host: t.Any) -> None:
    assert f.plan(f.judge(host)).hosts == ()


@pytest.mark.parametrize(
    "unreadable",
    [{"opt_outs": e.opt_outs(unreadable=[(e.CLR4, "64")])}, {"services": (e.service("RTCDATAMCU", r"C:\nssm.exe"),)}],
)
def test_without_the_keys_or_the_executable_the_change_is_refused_with_the_reason(unreadable: dict[str, t.Any]) -> None:
    assessment = f.judge(e.front_end(**unreadable))
    assert f.plan(assessment).hosts == ()
    assert "could not be read" in f.refusals(assessment)["fe01"]


# ---- wrong overrides


@pytest.mark.parametrize(("kind", "data"), [("string", "0"), ("qword", 0), ("dword", 1), ("multi_string", ("0",))])
def test_a_wrong_value_in_the_right_place_is_replaced_in_one_step(kind: t.Any, data: t.Any) -> None:
    name = e.executable().upper()
    plan = f.planned(f.judge(e.front_end(opt_outs=e.opt_outs(e.Value(name=name, kind=kind, data=data)))))
    assert [(x.name, x.expect, x.write) for x in plan.changes] == [(name, ValueState(kind=kind, data=data), ON)]


@pytest.mark.parametrize(
    "value",
    [
        e.Value(view="32"),
        e.Value(clr=e.CLR2),
        e.Value(name=f'"{e.executable()}"'),
        e.Value(name=r"C:\PROGRA~1\X\DataMCUSvc.exe"),
    ],
)
def test_a_wrong_value_in_another_place_is_removed_and_the_right_one_written(value: e.Value) -> None:
    plan = f.planned(f.judge(e.front_end(opt_outs=e.opt_outs(value))))
    assert f.steps(plan) == [
        (e.opt_out_key(value.clr), value.name, value.view, "REG_DWORD 0", "absent"),
        (e.opt_out_key(), e.executable(), "64", "absent", "REG_DWORD 0"),
    ]
    assert not any(x.prune for x in plan.changes)


def test_where_no_override_is_needed_wrong_ones_are_removed_without_a_restart() -> None:
    own = e.front_end(cert=GOOD, opt_outs=e.opt_outs(e.Value(kind="string", data="0"), e.Value(view="32")))
    plan = f.planned(f.judge(own))
    assert sorted(str(x.write) for x in plan.changes) == ["absent", "absent"]
    assert not plan.restart


def test_an_explicit_1_is_somebodys_will_and_stays_where_no_override_is_needed() -> None:
    assert f.left_alone(e.front_end(cert=GOOD, opt_outs=e.opt_outs(e.Value(data=1))))


def test_a_host_that_could_not_be_assessed_is_not_touched_at_all() -> None:
    own = e.front_end(dotnet=None, opt_outs=e.opt_outs(e.Value(kind="string", data="0")))
    assert f.verdict(f.judge(own), "fe01") == "not_assessed"
    assert f.left_alone(own)


@pytest.mark.parametrize("goal", ["override", "rollback"])
def test_values_of_other_executables_are_in_no_plan(goal: t.Any) -> None:
    own = e.front_end(
        opt_outs=e.opt_outs(*OTHERS, e.Value(view="32")),
        records=e.records(e.change_record(e.Value(view="32"), before=TEXT_ZERO)),
    )
    for plan in f.plan(f.judge(own), goal).hosts:
        assert {x.name.rpartition("\\")[2].lower() for x in plan.changes} == {"datamcusvc.exe"}


@pytest.mark.parametrize(
    "value",
    [
        e.Value(kind="string", data="0"),
        e.Value(kind="binary", data="AAAAAA=="),
        e.Value(kind="multi_string", data=()),
        e.Value(data=2**32 - 1),
        e.Value(kind="none", data=""),
        e.Value(kind="unknown", data=""),
        e.Value(kind="string", data="x" * 20_000),
    ],
    ids=lambda v: f"{v.kind} {str(v.data)[:9]}",
)
def test_every_change_that_a_plan_makes_can_be_undone_from_its_own_record(value: e.Value) -> None:
    for planned in f.plan(f.judge(e.front_end(opt_outs=e.opt_outs(value)))).hosts:
        for step in planned.changes:
            found = RegistryReadReply(key_exists=True, value=value.stored)
            written = next(o for o in _change_operations(step, found, NO_RECORDS, "r") if o.NAME == "registry_set")
            assert isinstance(written, RegistrySet)
            stored = RegistryValue(name=written.name, kind="string", data=written.data[0].replace("@now@", e.LATER))
            assert read_records(e.records(stored)).changes
