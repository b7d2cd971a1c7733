# Copyright (c) 2026, the sfb.kb4023993 contributors
# GNU General Public License v3.0-or-later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Edges before Front Ends, one server of a pool at a time, and what is down comes up first."""

from __future__ import annotations

import collections

import pytest
from ansible_collections.sfb.kb4023993.plugins.plugin_utils.evaluate import Assessment
from ansible_collections.sfb.kb4023993.plugins.plugin_utils.evidence import Evidence
from ansible_collections.sfb.kb4023993.plugins.plugin_utils.renewal.order import install_waves
from builders import evidence as e
from builders import fleets as f
from hypothesis import given, settings
from hypothesis import strategies as st


def waves(*hosts: Evidence, first: tuple[str, ...] = ()) -> dict[str, int]:
    return install_waves(f.judge(*hosts), [host.inventory_name for host in hosts], first=first)


def test_edges_come_first_one_of_a_pool_at_a_time_and_front_ends_after_the_last() -> None:
    assert waves(
        e.front_end("fe01"),
        e.front_end("fe02"),
        e.edge("edge01"),
        e.edge("edge02"),
        e.edge("edge11", pool="eleven.contoso.example"),
        e.front_end("fe11", pool="pool02.contoso.example"),
    ) == {"edge01": 0, "edge02": 1, "edge11": 0, "fe01": 2, "fe02": 3, "fe11": 2}


def test_without_edges_front_ends_start_at_once() -> None:
    assert waves(e.front_end("fe01"), e.front_end("fe02")) == {"fe01": 0, "fe02": 1}
    assert waves() == {}


def test_paired_pools_never_go_down_together() -> None:
    found = waves(
        e.front_end("fe01", paired_pool="pool02.contoso.example"),
        e.front_end("fe02"),
        e.front_end("fe11", pool="pool02.contoso.example"),
    )
    assert found == {"fe01": 0, "fe02": 1, "fe11": 2}


def test_what_may_be_down_comes_first_in_its_pool() -> None:
    hosts = [*(e.edge(f"edge0{n}") for n in (1, 2, 3)), *(e.front_end(f"fe0{n}") for n in (1, 2, 3))]
    found = waves(*hosts, first=("edge03", "fe02"))
    assert found == {"edge03": 0, "edge01": 1, "edge02": 2, "fe02": 3, "fe01": 4, "fe03": 5}


@pytest.mark.parametrize("kind", [e.edge, e.front_end])
def test_servers_whose_pools_nobody_knows_go_one_after_the_other(kind: object) -> None:
    assert callable(kind)
    found = waves(*(kind(name, pool=None) for name in ("a", "b", "c")))
    assert sorted(found.values()) == [0, 1, 2]


def test_an_edge_pool_spelled_in_two_ways_is_one_pool() -> None:
    found = waves(e.edge("edge01"), e.edge("edge02", pool="edgepool"))
    assert sorted(found.values()) == [0, 1]


@st.composite
def fleets(draw: st.DrawFn) -> tuple[Assessment, dict[str, str], list[str], list[str]]:
    """A judged fleet, the pool of each server, the servers to work on, and those that may be down."""
    hosts: list[Evidence] = []
    pools: dict[str, str] = {}
    for kind, make in (("edge", e.edge), ("pool", e.front_end)):
        for pool in range(draw(st.integers(0, 3))):
            for member in range(draw(st.integers(1, 3))):
                name = f"{kind}{pool}{member}"
                pools[name] = f"{kind}{pool}.contoso.example"
                hosts.append(make(name, pool=pools[name]))
    names = sorted(pools)
    wanted = draw(st.lists(st.sampled_from(names), unique=True)) if names else []
    first = draw(st.lists(st.sampled_from(wanted), unique=True)) if wanted else []
    return f.judge(*hosts), pools, wanted, first


@given(fleets())
@settings(max_examples=60)
def test_never_two_of_a_pool_in_one_wave_and_never_a_front_end_before_an_edge(
    drawn: tuple[Assessment, dict[str, str], list[str], list[str]],
) -> None:
    assessment, pools, wanted, first = drawn
    found = install_waves(assessment, wanted, first=first)
    assert set(found) == set(wanted)
    assert max(collections.Counter((pools[name], wave) for name, wave in found.items()).values(), default=1) == 1
    last_edge = max((wave for name, wave in found.items() if name.startswith("edge")), default=-1)
    assert all(wave > last_edge for name, wave in found.items() if name.startswith("pool"))
    # No wave is empty: nobody waits for nothing.
    assert set(found.values()) == set(range(max(found.values(), default=-1) + 1))
    for name, wave in found.items():
        rivals = [found[other] for other in wanted if pools[other] == pools[name] and other in first]
        assert name in first or all(wave > rival for rival in rivals)
