# Copyright (c) 2026, the sfb.kb4023993 contributors
# GNU General Public License v3.0-or-later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Judges and plans a run: the files of the run in, judgement, plan and results out."""

from __future__ import annotations

import dataclasses
import datetime
import functools
import typing as t

from .evaluate import Assessment, evaluate
from .evidence import Evidence, Failure, InventoryFacts
from .files import new_run_id
from .fleet import InventoryHost, build_fleet, peer_questions
from .host_plan import Policy
from .offline.age import why_not_used
from .plan import Plan, PlanError, Refusal, make_plan
from .renewal_run import RenewalRun
from .run import Reading, Run, approved_plan
from .saved import SavedEvidence
from .verify import verify
from .what_if import Forecast, Supposition, WhatIfError, forecast, suppose

_SETTINGS: t.Final = ("restart", "restart_timeout", "override_latent", "state_dir", "plan", "plan_sha256", "fail_on")


@dataclasses.dataclass(frozen=True, kw_only=True)
class Hosts:
    """The hosts of the inventory pattern, those of this run among them, and what the inventory says of each.

    ``offline``: of a host that is read by hand, how many days its evidence counts; None for the others.
    """

    all: tuple[str, ...]
    in_run: frozenset[str]
    inventory: t.Callable[[str], InventoryFacts]
    offline: t.Callable[[str], int | None] = lambda _name: None


def refuse_different_settings(hosts: Hosts, variables: t.Mapping[str, t.Mapping[str, t.Any]], *, prefix: str) -> None:
    """A run has one policy, read once; a host that seems to have another one must not be changed by it.

    :raises PlanError: a setting of the run differs between its hosts.
    """
    for name in _SETTINGS:
        values = {host: str(variables[host].get(prefix + name, "not set")) for host in sorted(hosts.in_run)}
        first = next(iter(values), "")
        other = next((host for host in values if values[host] != values[first]), None)
        if other:
            raise PlanError(
                f"{prefix}{name} is {values[first]} for {first} and {values[other]} for {other}, but it holds for the whole run. "
                "Set it once, with -e or for the group all, or run the hosts apart with --limit."
            )


def find_questions(run: Run, hosts: Hosts, reading: Reading) -> list[str]:
    """Save what Front Ends are to be asked about their peers; returns the hosts with a question."""
    fleet = build_fleet(_load(run, hosts, reading))
    questions = peer_questions(fleet)
    run.save_questions(questions, reading)
    return sorted(questions)


def judge(run: Run, hosts: Hosts, reading: Reading, *, now: datetime.datetime, version: str) -> Assessment:
    """Judge the fleet by a reading and save the judgement."""
    assessment = evaluate(_load(run, hosts, reading), now=now, run_id=run.run_id, collection_version=version)
    run.save_judgement(assessment.judgement, reading)
    return assessment


def judge_saved(
    run: Run, hosts: Hosts, state_dirs: t.Sequence[str], *, now: datetime.datetime, version: str
) -> tuple[Assessment, dict[str, str]]:
    """Judge the fleet by what is saved, without any reading of this run, and save the judgement.

    :param state_dirs: state directories whose evidence counts beside that of the run's own.
    :returns: with it, by host, why evidence that contradicts itself was not believed.
    """
    saved = SavedEvidence(str(run.directory.parent.parent), state_dirs)
    loaded = _load_saved(saved, hosts, now)
    assessment = evaluate(loaded, now=now, run_id=run.run_id, collection_version=version)
    run.save_judgement(assessment.judgement, "before")
    return assessment, saved.conflicts


def foresee(
    state_dir: str,
    hosts: Hosts,
    state_dirs: t.Sequence[str],
    what: Supposition,
    *,
    now: datetime.datetime,
    version: str,
) -> Forecast:
    """Judge saved evidence as it is and as it would be after a change. Nothing is saved.

    :raises WhatIfError: there is no saved evidence at all, or the supposition cannot be made.
    """
    loaded = _load_saved(SavedEvidence(state_dir, state_dirs), hosts, now)
    if not any(host.evidence for host in loaded):
        raise WhatIfError(
            f"There is no saved evidence in {state_dir}, so nothing can be foreseen. Run the audit first, or set sfb_kb4023993_state_dir."
        )
    supposed = suppose(loaded, what)
    today, then = (
        evaluate(each, now=now, run_id=new_run_id(now), collection_version=version).judgement
        for each in (loaded, supposed.hosts)
    )
    return forecast(today, then, supposed)


def _load_saved(saved: SavedEvidence, hosts: Hosts, now: datetime.datetime) -> list[InventoryHost]:
    return [
        saved.host(
            name,
            in_run=name in hosts.in_run,
            inventory=hosts.inventory(name),
            offline=_reason(hosts.offline(name), now),
        )
        for name in hosts.all
    ]


def _reason(offline_days: int | None, now: datetime.datetime) -> t.Callable[[Evidence | None], Failure | None] | None:
    if offline_days is None:
        return None
    return functools.partial(why_not_used, max_age_days=offline_days, now=now)


def plan_changes(
    run: Run, assessment: Assessment, policy: Policy, *, approved: tuple[str, str] | None
) -> tuple[Plan, str]:
    """Make and save the plan of this run, or take over an approved one; returns it with its fingerprint.

    :param approved: path and SHA-256 of a plan file that somebody approved.
    """
    if approved is None:
        plan = make_plan(assessment, policy)
        return plan, run.save_plan(plan)
    plan = approved_plan(*approved)
    if plan.goal != policy.goal:
        raise PlanError(
            f"The plan {approved[0]} is one for {plan.goal}, not for {policy.goal}. Use the matching playbook."
        )
    readable = {name for name, view in assessment.fleet.views.items() if view.read_now}
    left_out = tuple(
        Refusal(host=host.host, reason="the approved plan has it, but it is not in this run or could not be read")
        for host in plan.hosts
        if host.host not in readable
    )
    plan = dataclasses.replace(
        plan,
        hosts=tuple(host for host in plan.hosts if host.host in readable),
        refused=(*plan.refused, *left_out),
    )
    return plan, run.save_plan(plan)


def plan_facts(plan: Plan) -> dict[str, t.Any]:
    """What the next tasks of a play need of a plan."""
    return {
        "hosts": [host.host for host in plan.hosts],
        "waves": plan.waves,
        "wait_seconds": plan.wait_seconds,
        "notes": list(plan.notes),
        "refused": {refusal.host: refusal.reason for refusal in plan.refused},
    }


def check_results(run: Run, plan: Plan, after: Assessment) -> None:
    """Verify the plan by the second reading and save the results."""
    outcomes = {host.host: run.outcomes(host.host) for host in plan.hosts}
    run.save_results(verify(plan, after, outcomes))


def _load(run: Run, hosts: Hosts, reading: Reading) -> list[InventoryHost]:
    planned: set[str] = set()
    if reading == "after":
        found = run.plan()
        planned = {host.host for host in found[0].hosts} if found else set()
        installed = RenewalRun(run).installations()
        if installed:
            planned.update(target.host for target in installed.hosts)
    loaded = []
    for name in hosts.all:
        # Hosts that were not changed are not read twice: their first reading still stands.
        own: Reading = "after" if name in planned else "before"
        in_run = name in hosts.in_run
        offline = hosts.offline(name) is not None
        inventory = hosts.inventory(name)
        loaded.append(run.inventory_host(name, in_run=in_run, inventory=inventory, reading=own, offline=offline))
    return loaded
