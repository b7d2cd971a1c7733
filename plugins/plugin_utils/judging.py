# Copyright (c) 2026, the sfb.kb4023993 contributors
# GNU General Public License v3.0-or-later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Judges and plans a run: the files of the run in, judgement, plan and results out."""

from __future__ import annotations

import dataclasses
import datetime
import functools
import typing as t

from .claims import Others
from .elsewhere import seen_elsewhere
from .evaluate import Assessment, evaluate
from .evidence import Evidence, Failure, InventoryFacts
from .files import new_run_id
from .fleet import InventoryHost, build_fleet, peer_questions
from .host_plan import Policy
from .offline.age import why_not_used
from .plan import Plan, PlanError, Refusal, make_plan, shared_waves
from .pool_warnings import restart_warnings
from .questions import PeerQuestion
from .renewal_run import RenewalRun
from .run import Reading, Run, approved_plan
from .saved import SavedEvidence
from .verify import verify
from .what_if import Forecast, Supposition, WhatIfError, forecast, suppose
from .words import one_line

_SETTINGS: t.Final = (
    "restart",
    "restart_timeout",
    "override_latent",
    "state_dir",
    "plan",
    "plan_sha256",
    "take_over",
    "fail_on",
)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Hosts:
    """The hosts of the inventory pattern, those of this run among them, and what the inventory says of each.

    ``offline``: of a host that is read by hand, how many days its evidence counts; None for the others. ``variables``: all of a host.
    """

    all: tuple[str, ...]
    in_run: frozenset[str]
    inventory: t.Callable[[str], InventoryFacts]
    offline: t.Callable[[str], int | None] = lambda _name: None
    variables: t.Callable[[str], t.Mapping[str, t.Any]] = lambda _name: {}


def refuse_unfit_run(hosts: Hosts, *, prefix: str) -> None:
    """Let no run change servers that has been cut out of a larger one, or that has no policy of its own.

    :raises PlanError: it is a slice of a job of AWX, or a setting of the run differs between its hosts.
    """
    if hosts.in_run:
        refuse_slice(hosts.variables(min(hosts.in_run)))
    refuse_different_settings(hosts, prefix=prefix)


def refuse_slice(variables: t.Mapping[str, t.Any]) -> None:
    """A slice of a job knows only its own hosts, and its sisters restart others of the same pools at the same time.

    AWX has no variable for it. But it runs slices in a workflow job that has the name of the job template, as nothing else does
    (``JobTemplate.create_unified_job``, ``UnifiedJob.awx_meta_vars``). A slice that is launched again alone has no workflow any more, and
    cannot be told from a whole job.

    :raises PlanError: these variables of a host are those of a slice.
    """
    for prefix in ("awx", "tower"):
        template = variables.get(f"{prefix}_job_template_name")
        workflow = variables.get(f"{prefix}_workflow_job_name")
        if template and template == workflow and variables.get(f"{prefix}_job_launch_type") == "workflow":
            raise PlanError(
                f"This job is a slice: AWX runs it in a workflow job that has the name of its own job template, {one_line(str(template))!r}. "
                "A slice sees only some members of a pool, and two slices could restart two of them at once. Nothing was changed. "
                "Set the number of slices (job_slice_count) of the template to 1. Where it is no slice but a workflow of that name, give the "
                "workflow another name."
            )


def refuse_different_settings(hosts: Hosts, *, prefix: str) -> None:
    """A run has one policy, read once; a host that seems to have another one must not be changed by it.

    :raises PlanError: a setting of the run differs between its hosts.
    """
    for name in _SETTINGS:
        values = {host: str(hosts.variables(host).get(prefix + name, "not set")) for host in sorted(hosts.in_run)}
        first = next(iter(values), "")
        other = next((host for host in values if values[host] != values[first]), None)
        if other:
            raise PlanError(
                f"{prefix}{name} is {values[first]} for {first} and {values[other]} for {other}, but it holds for the whole run. "
                "Set it once, with -e or for the group all, or run the hosts apart with --limit."
            )


def find_questions(run: Run, hosts: Hosts, reading: Reading) -> dict[str, int]:
    """Save what Front Ends are still to be asked about their peers; returns how many questions by host, where there are any.

    What an earlier run asked a Front End was asked again when it was read, so in most runs nothing is left.
    """
    fleet = build_fleet(_load(run, hosts, reading))
    left: dict[str, PeerQuestion] = {}
    for name, question in peer_questions(fleet).items():
        evidence = fleet.views[name].source.evidence
        answered = {check.thumbprint for check in evidence.chain_checks} if evidence else set()
        known = run.known_peers(name)
        open_question = question.without(known, answered=answered)
        if not open_question.is_empty:
            left[name] = open_question
        if question.certificates != known.certificates:
            run.remember_peers(name, dataclasses.replace(question, names=()))
    run.save_questions(left, reading)
    return {name: len(question.certificates) + len(question.names) for name, question in sorted(left.items())}


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
    assessment = evaluate(loaded, now=now, run_id=run.run_id, collection_version=version, in_parts=True)
    run.save_judgement(assessment.judgement, "before")
    for name, question in peer_questions(assessment.fleet).items():
        # Slices of a fleet do not know the peers of each other. The next ones ask their Front Ends about them at once.
        if question.certificates != run.known_peers(name).certificates:
            run.remember_peers(name, dataclasses.replace(question, names=()))
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
    run: Run, assessment: Assessment, policy: Policy, *, approved: tuple[str, str] | None, others: Others | None = None
) -> tuple[Plan, str]:
    """Make and save the plan of this run, or take over an approved one; returns it with its fingerprint.

    :param approved: path and SHA-256 of a plan file that somebody approved.
    :param others: what is known of other runs, whose claims keep this one out of their pools.
    """
    elsewhere = seen_elsewhere(run.evidence_directory, assessment.fleet)
    if approved is None:
        plan = make_plan(assessment, policy, others=others, elsewhere=elsewhere)
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
    chosen = tuple(host for host in plan.hosts if host.host in readable)
    restarting = [host.host for host in chosen if host.wave is not None]
    plan = dataclasses.replace(
        plan,
        hosts=chosen,
        refused=(*plan.refused, *left_out),
        # What was true of the pools on the day of the approval is of no use today.
        warnings=restart_warnings(assessment.fleet, restarting, elsewhere),
    )
    return plan, run.save_plan(plan)


def plan_facts(plan: Plan) -> dict[str, t.Any]:
    """What the next tasks of a play need of a plan."""
    return {
        "hosts": {host.host: host.wave for host in plan.hosts},
        "waves": plan.waves,
        "release": shared_waves(plan),
        "wait_seconds": plan.wait_seconds,
        "notes": list(plan.notes),
        "warnings": list(plan.warnings),
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
