# Copyright (c) 2026, the sfb.kb4023993 contributors
# GNU General Public License v3.0-or-later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A run that sees only a part of a pool, whose other members do not run: said in the preview, in the plan and in the report, and still done."""

from __future__ import annotations

import json
import typing as t

import pytest
import yaml
from integration.fleet import Fleet, Played
from lab.scenario import parse

_FIXED: t.Final = {"product": "sfb2015", "os": "server2012r2", "dotnet": {"version": "4.6.2", "update": "KB4014507"}}
# The inventory tells no pools, so the servers are asked for the topology.
SCENARIO: t.Final = {
    "description": "a pool of three, one of which does not run Web Conferencing, and a Standard Edition server",
    "pools": {"pool01": {"each": {**_FIXED, "inventory": False}}, "se01": {"each": {**_FIXED, "inventory": False}}},
    "servers": {
        "fe01": {"pool": "pool01"},
        "fe02": {"pool": "pool01", "services": {"RTCDATAMCU": {"stopped": True}}},
        "fe03": {"pool": "pool01"},
        "se01": {"pool": "se01"},
    },
}
UNSEEN: t.Final = "This run does not see fe03.contoso.example, but it is a member of pool01.contoso.example."
ALONE: t.Final = (
    "fe01 is the only member of pool01.contoso.example that is known to run (fe02: stopped, fe03.contoso.example: not in this run), so nobody "
    "of the pool has Web Conferencing during its restart."
)


class Runs(t.NamedTuple):
    """``limited``: the whole inventory, and fe03 outside ``--limit``; the others have an inventory without it."""

    limited: Played
    preview: Played
    done: Played


@pytest.fixture(scope="module")
def runs(start: t.Callable[..., Fleet]) -> Runs:
    fleet = start(parse(SCENARIO))
    inventory = yaml.safe_load(fleet.inventory.read_text("utf-8"))
    del inventory["all"]["hosts"]["fe03"]
    for group in inventory["all"]["children"].values():
        group["hosts"].pop("fe03", None)
    without = fleet.directory / "without.yml"
    without.write_text(yaml.safe_dump(inventory), "utf-8")
    return Runs(
        limited=fleet.play("remediate", "--check", "--limit", "fe01,fe02", state=fleet.directory / "other"),
        preview=fleet.play("remediate", "--check", inventory=without),
        done=fleet.play("remediate", inventory=without),
    )


def warnings(played: Played) -> list[str]:
    assert played.run_directory is not None
    plan = json.loads((played.run_directory / "plan.json").read_text("utf-8"))
    assert played.report["plan"]["warnings"] == plan["warnings"]
    return t.cast("list[str]", plan["warnings"])


@pytest.mark.parametrize("which", ["preview", "done"])
def test_the_plan_the_output_and_the_report_say_what_this_run_does_not_see(runs: Runs, which: str) -> None:
    played: Played = getattr(runs, which)
    unseen, alone = warnings(played)
    assert unseen.startswith(UNSEEN)
    assert alone == ALONE
    output = " ".join(played.output.split())
    # Once as Ansible shows its own warnings, before anything is done, and once in the report.
    for warning in (unseen, alone):
        assert output.count(warning) == 2
    assert output.index("[WARNING]: " + unseen) < output.index("KB4023993: ")


def test_the_finding_stands_with_each_front_end_of_the_pool(runs: Runs) -> None:
    line = "fe03.contoso.example: a member by the product's topology, not in the inventory"
    for name in ("fe01", "fe02"):
        assert runs.done.findings(name)["KB4023993-POOL-INCOMPLETE"]["evidence"] == [line]
    assert "KB4023993-POOL-INCOMPLETE" not in runs.done.finding_ids["se01"]


def test_it_is_done_all_the_same(runs: Runs) -> None:
    assert runs.done.results["fe01"]["result"] == "done"
    assert runs.done.verdicts["se01"] == "mitigated"


def test_a_member_outside_the_limit_is_seen_though_nobody_knows_whether_it_runs(runs: Runs) -> None:
    (alone,) = warnings(runs.limited)
    assert alone.startswith(
        "fe01 is the only member of pool01.contoso.example that is known to run (fe02: stopped, fe03.contoso.example: not read)"
    )
    assert not [ids for ids in runs.limited.finding_ids.values() if "KB4023993-POOL-INCOMPLETE" in ids]
