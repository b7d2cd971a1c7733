# Copyright (c) 2026, the sfb.kb4023993 contributors
# GNU General Public License v3.0-or-later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a plan says of members of a pool that the run does not see, and of a restart while nobody else of the pool is known to run."""

from __future__ import annotations

import pathlib
import typing as t

import pytest
from ansible_collections.sfb.kb4023993.plugins.plugin_utils.elsewhere import seen_elsewhere
from ansible_collections.sfb.kb4023993.plugins.plugin_utils.evidence import Evidence, save
from ansible_collections.sfb.kb4023993.plugins.plugin_utils.fleet import InventoryHost
from ansible_collections.sfb.kb4023993.plugins.plugin_utils.judging import refuse_slice
from ansible_collections.sfb.kb4023993.plugins.plugin_utils.plan import PlanError
from ansible_collections.sfb.kb4023993.plugins.plugin_utils.pool_warnings import restart_warnings
from builders import evidence as e
from builders import fleets as f

POOL: t.Final = "pool01.contoso.example"
UNSEEN: t.Final = "This run does not see "
ALONE: t.Final = "fe01 is the only member of pool01.contoso.example that is known to run"
INCOMPLETE: t.Final = "POOL-INCOMPLETE"


def stopped(name: str) -> Evidence:
    return e.front_end(name, started=None)


def warnings(*hosts: InventoryHost | Evidence, **how: t.Any) -> tuple[str, ...]:
    return f.plan(f.judge(*hosts), **how).warnings


def with_topology(name: str, *machines: str, **how: t.Any) -> Evidence:
    """A Front End that tells the members of its pool."""
    return e.front_end(name, topology=(e.pool_fact(POOL, *map(e.full, machines)),), **how)


# ---- members that this run does not see


def test_a_member_that_only_the_topology_names_is_warned_of_and_is_a_finding() -> None:
    fleet = (with_topology("fe01", "fe01", "fe02", "fe03"), e.front_end("fe02"))
    assert {name: INCOMPLETE in f.finding_ids(f.judge(*fleet), name) for name in ("fe01", "fe02")} == {
        "fe01": True,
        "fe02": True,
    }
    (said,) = warnings(*fleet)
    assert said.startswith(f"{UNSEEN}fe03.contoso.example, but it is a member of {POOL}.")
    assert "another run may restart a member at the same time" in said


@pytest.mark.parametrize(
    "third",
    [
        e.front_end("fe03"),
        f.outside(e.front_end("fe03")),
        f.unread("fe03"),
        f.unread("FE03.other.example"),
        f.unread("fe03.contoso.example"),
        f.unread("fe03", in_run=False),
        f.unread("fe03", saved=e.front_end("fe03")),
        # The inventory puts it elsewhere, but has it.
        e.front_end("fe03", pool="pool02.contoso.example"),
    ],
    ids=["read", "saved", "not read", "other domain", "full name", "outside", "not read today", "another pool"],
)
def test_a_member_that_the_inventory_has_is_seen_whatever_became_of_it(third: InventoryHost | Evidence) -> None:
    fleet = (with_topology("fe01", "fe01", "fe02", "fe03"), e.front_end("fe02"), third)
    assert INCOMPLETE not in f.finding_ids(f.judge(*fleet), "fe01")
    assert warnings(*fleet) == ()


def test_members_of_other_pools_and_edge_servers_are_none_of_it() -> None:
    facts = (
        e.pool_fact("pool02.contoso.example", "fe08.contoso.example", "fe09.contoso.example"),
        e.pool_fact("edgepool.contoso.example", "edge09.contoso.example", edge=True),
    )
    fleet = (e.front_end("fe01", topology=facts), e.front_end("fe02"))
    assert INCOMPLETE not in f.finding_ids(f.judge(*fleet), "fe01")
    assert warnings(*fleet) == ()


def test_what_an_edge_says_of_the_pool_of_a_front_end_is_not_believed() -> None:
    fact = e.pool_fact(POOL, "fe01.contoso.example", "evil.contoso.example")
    assert warnings(e.front_end("fe01", edge_pool="edgepool.contoso.example"), e.edge(topology=(fact,))) == ()


def test_nothing_is_said_where_nothing_restarts() -> None:
    fleet = (with_topology("fe01", "fe01", "fe02"),)
    assert warnings(*fleet)
    assert warnings(*fleet, restart="later") == ()


def test_a_name_from_a_server_cannot_write_lines_of_its_own() -> None:
    fact = e.pool_fact(POOL, "fe01.contoso.example", "x\n\x1b[31mALL IS WELL")
    assert all(text.isprintable() for text in warnings(e.front_end("fe01", topology=(fact,))))


# ---- members that another run has read into the same state directory


def test_servers_with_evidence_beside_the_own_are_members_that_this_run_does_not_see(tmp_path: pathlib.Path) -> None:
    for name in ("fe01", "fe02", "fe03", "old name"):
        save(e.front_end(name), tmp_path)
    save(e.front_end("fe04", pool="pool02.contoso.example"), tmp_path)
    save(e.edge("edge01", pool=POOL), tmp_path)
    (tmp_path / "damaged.json").write_text("{")
    # One machine that has changed its inventory name is no second one.
    renamed = e.front_end("fe01", system=e.system("old name"))
    fleet = f.judge(renamed, f.unread("fe03")).fleet
    found = seen_elsewhere(tmp_path, fleet)
    assert found[POOL] == {"fe02.contoso.example": e.READ}
    said = restart_warnings(fleet, ["fe01"], found)
    assert said[0].startswith(f"{UNSEEN}fe02.contoso.example (read by another run at {e.READ}), but it is a member of")
    assert len(said) == 2


# ---- nobody else runs


@pytest.mark.parametrize(
    ("other", "state"),
    [
        (stopped("fe02"), "fe02: stopped"),
        (f.outside(stopped("fe02")), "fe02: stopped"),
        (f.unread("fe02", saved=e.front_end("fe02")), "fe02: not read"),
        (f.unread("fe02", pool=POOL), "fe02: not read"),
    ],
    ids=["stopped", "stopped when it was read", "not read today", "never read"],
)
def test_a_restart_while_nobody_else_is_known_to_run_is_warned_of(other: InventoryHost | Evidence, state: str) -> None:
    (said,) = warnings(e.front_end("fe01"), other)
    assert said == f"{ALONE} ({state}), so nobody of the pool has Web Conferencing during its restart."


@pytest.mark.parametrize("other", [e.front_end("fe02"), f.outside(e.front_end("fe02"))], ids=["read", "saved"])
def test_one_member_that_runs_is_enough(other: InventoryHost | Evidence) -> None:
    assert warnings(e.front_end("fe01"), other, stopped("fe03"), f.unread("fe04", pool=POOL)) == ()


def test_a_standard_edition_server_needs_no_warning() -> None:
    assert warnings(e.front_end("fe01")) == ()
    assert (
        warnings(e.front_end("fe01", pool=None, topology=(e.pool_fact("fe01.contoso.example", e.full("fe01")),))) == ()
    )


def test_a_server_that_is_down_already_loses_nothing_by_its_restart() -> None:
    begun = e.front_end("fe01", started=None, records=e.records(e.restart_record(e.EARLIER)))
    assert f.plan(f.judge(begun, stopped("fe02"))).host("fe01")
    assert warnings(begun, stopped("fe02")) == ()


# ---- slices of AWX


SLICE: t.Final = {
    "awx_job_launch_type": "workflow",
    "awx_job_template_name": "KB4023993 remediate",
    "awx_workflow_job_name": "KB4023993 remediate",
}


@pytest.mark.parametrize("prefix", ["awx", "tower"])
def test_a_slice_is_refused_and_told_what_to_set(prefix: str) -> None:
    with pytest.raises(PlanError, match=r"This job is a slice.*Nothing was changed.*job_slice_count"):
        refuse_slice({name.replace("awx", prefix): value for name, value in SLICE.items()})


@pytest.mark.parametrize(
    "variables",
    [
        {},
        {"awx_job_launch_type": "manual", "awx_job_template_name": "KB4023993 remediate"},
        {**SLICE, "awx_workflow_job_name": "KB4023993 remediate with approval"},
        {**SLICE, "awx_job_launch_type": "relaunch"},
        {"awx_job_launch_type": "workflow", "awx_workflow_job_name": None, "awx_job_template_name": None},
    ],
    ids=["no AWX", "a job", "a node of a workflow", "launched again", "no names"],
)
def test_any_other_job_is_not(variables: dict[str, t.Any]) -> None:
    refuse_slice(variables)
