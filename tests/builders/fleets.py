# Copyright (c) 2026, the sfb.kb4023993 contributors
# GNU General Public License v3.0-or-later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Fleets of evidence, and the short ways from there to a judgement and a plan."""

from __future__ import annotations

import datetime
import typing as t

from ansible_collections.sfb.kb4023993.plugins.plugin_utils.evaluate import Assessment, evaluate
from ansible_collections.sfb.kb4023993.plugins.plugin_utils.evidence import Evidence, Failure, InventoryFacts
from ansible_collections.sfb.kb4023993.plugins.plugin_utils.findings import ConnectionJudgement, HostJudgement
from ansible_collections.sfb.kb4023993.plugins.plugin_utils.fleet import InventoryHost
from ansible_collections.sfb.kb4023993.plugins.plugin_utils.host_plan import Goal, HostPlan, Policy, Restart
from ansible_collections.sfb.kb4023993.plugins.plugin_utils.plan import Plan, make_plan

NOW: t.Final = datetime.datetime(2026, 3, 8, 12, 0, 10, tzinfo=datetime.timezone.utc)
UNREACHABLE: t.Final = Failure(
    kind="unreachable", stage="reading the server", message="It did not answer.", advice="Check that it is up."
)


def read(evidence: Evidence) -> InventoryHost:
    """A host that this run read."""
    return InventoryHost(name=evidence.inventory_name, in_run=True, inventory=evidence.inventory, evidence=evidence)


def outside(evidence: Evidence) -> InventoryHost:
    """A host that --limit left out; its saved evidence speaks for it."""
    return InventoryHost(name=evidence.inventory_name, in_run=False, inventory=evidence.inventory, evidence=evidence)


def unread(name: str, *, pool: str | None = None, saved: Evidence | None = None, in_run: bool = True) -> InventoryHost:
    """A host that could not be read, with or without evidence of an earlier day."""
    return InventoryHost(
        name=name,
        in_run=in_run,
        inventory=saved.inventory if saved else InventoryFacts(pool=pool),
        evidence=saved,
        failure=UNREACHABLE if in_run else None,
    )


def judge(*hosts: InventoryHost | Evidence) -> Assessment:
    return evaluate(
        [read(host) if isinstance(host, Evidence) else host for host in hosts],
        now=NOW,
        run_id="20260308T120010Z-abcdef",
        collection_version="0.0.0",
    )


def verdict(assessment: Assessment, name: str) -> str:
    return host(assessment, name).verdict


def host(assessment: Assessment, name: str) -> HostJudgement:
    found = assessment.judgement.host(name)
    assert found is not None, f"{name} is not in the judgement"
    return found


def connection(assessment: Assessment, validator: str, peer: str) -> ConnectionJudgement:
    found = [c for c in assessment.judgement.connections if (c.validator, c.peer) == (validator, peer)]
    assert len(found) == 1, f"{len(found)} connections from {validator} to {peer}"
    return found[0]


def peers(assessment: Assessment, validator: str) -> dict[str, str]:
    """Verdict by peer of one Front End."""
    return {c.peer: c.verdict for c in assessment.judgement.connections if c.validator == validator}


def finding_ids(assessment: Assessment, name: str) -> set[str]:
    """The findings of a host, without what they have in common."""
    return {f.id.removeprefix("KB4023993-") for f in assessment.judgement.findings if f.host == name}


def plan(assessment: Assessment, goal: Goal = "override", *, restart: Restart = "now", latent: bool = False) -> Plan:
    return make_plan(assessment, Policy(goal=goal, restart=restart, override_latent=latent))


def planned(assessment: Assessment, name: str = "fe01", goal: Goal = "override", **policy: t.Any) -> HostPlan:
    """The part of one host, which has to have one."""
    found = plan(assessment, goal, **policy).host(name)
    assert found is not None, f"the plan has nothing for {name}"
    return found


def refusals(assessment: Assessment, goal: Goal = "override", **policy: t.Any) -> dict[str, str]:
    return {refusal.host: refusal.reason for refusal in plan(assessment, goal, **policy).refused}


def steps(plan: HostPlan) -> list[tuple[str, str, str, str, str]]:
    """The changes of a host: key, value name, view, before, after."""
    return [(x.path, x.name, x.view, str(x.expect), str(x.write)) for x in plan.changes]


def left_alone(evidence: Evidence, goal: Goal = "override", **policy: t.Any) -> bool:
    """Whether a server gets nothing, not even a refusal."""
    found = plan(judge(evidence), goal, **policy)
    return not found.hosts and not found.refused
