# Copyright (c) 2026, the sfb.kb4023993 contributors
# GNU General Public License v3.0-or-later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Front Ends that may share a pool, by whatever source, never restart together; and settings that hold for a whole run."""

from __future__ import annotations

import typing as t

import pytest
from ansible_collections.sfb.kb4023993.plugins.plugin_utils.evidence import InventoryFacts
from ansible_collections.sfb.kb4023993.plugins.plugin_utils.judging import Hosts, refuse_different_settings
from ansible_collections.sfb.kb4023993.plugins.plugin_utils.plan import PlanError
from builders import certificates as c
from builders import evidence as e
from builders import fleets as f

if t.TYPE_CHECKING:
    from ansible_collections.sfb.kb4023993.plugins.plugin_utils.evidence import Evidence


def waves(*fleet: Evidence) -> list[int | None]:
    return [host.wave for host in f.plan(f.judge(*fleet)).hosts]


def test_front_ends_whose_pools_nobody_knows_restart_one_after_the_other() -> None:
    assert sorted(map(str, waves(*(e.front_end(name, pool=None) for name in ("fe01", "fe02", "fe03"))))) == [
        "0",
        "1",
        "2",
    ]


@pytest.mark.parametrize("other", ["pool01", "pool01.contoso.example.", "POOL01.contoso.example"])
def test_one_pool_spelled_in_two_ways_is_one_group(other: str) -> None:
    assert sorted(map(str, waves(e.front_end("fe01"), e.front_end("fe02", pool=other)))) == ["0", "1"]


def test_a_pool_by_inventory_and_the_same_by_topology_are_one_group() -> None:
    fact = e.pool_fact("pool01.contoso.example", e.full("fe01"), e.full("fe02"))
    by_topology = e.front_end("fe02", pool=None, topology=(fact,))
    other_name = e.front_end("fe01", pool="alias.contoso.example")
    assert sorted(map(str, waves(other_name, by_topology))) == ["0", "1"]


def test_members_that_share_the_subject_of_their_certificate_are_one_group() -> None:
    shared = c.certificate("server_only", "pool01.contoso.example")
    one, two = (
        e.front_end("fe01", pool="one.contoso.example", cert=shared),
        e.front_end("fe02", pool="two.contoso.example", cert=shared),
    )
    assert sorted(map(str, waves(one, two))) == ["0", "1"]


def test_pools_that_the_inventory_tells_apart_restart_side_by_side() -> None:
    assert waves(e.front_end("fe01"), e.front_end("fe02", pool="pool02.contoso.example")) == [0, 0]


def test_one_machine_under_two_names_is_not_changed_under_either() -> None:
    own = e.front_end("fe01")
    twin = e.front_end("fe01-again", system=own.system)
    assert set(f.refusals(f.judge(own, twin))) == {"fe01", "fe01-again"}


@pytest.mark.parametrize("name", ["restart", "override_latent", "state_dir", "plan", "take_over", "fail_on"])
def test_a_setting_that_differs_between_hosts_is_refused_with_both_names(name: str) -> None:
    variables: dict[str, dict[str, t.Any]] = {"fe01": {}, "fe02": {f"sfb_kb4023993_{name}": "later"}}
    hosts = Hosts(
        all=("fe01", "fe02"),
        in_run=frozenset({"fe01", "fe02"}),
        inventory=lambda _host: InventoryFacts(),
        variables=variables.__getitem__,
    )
    with pytest.raises(PlanError, match=rf"sfb_kb4023993_{name} is not set for fe01 and later for fe02"):
        refuse_different_settings(hosts, prefix="sfb_kb4023993_")
    variables["fe01"] = variables["fe02"]
    refuse_different_settings(hosts, prefix="sfb_kb4023993_")
