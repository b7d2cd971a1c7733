# Copyright (c) 2026, the sfb.kb4023993 contributors
# GNU General Public License v3.0-or-later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Findings and policy to actions for a fleet. Pure: a plan says what will be written where, what is expected to be found there, and in
which order services restart; it is also the readable record of what was there before. ``host_plan.py`` chooses for each host."""

from __future__ import annotations

import collections
import dataclasses
import hashlib
import json
import typing as t

from .claims import Others, obstacle
from .codec import CodecError, decode, encode
from .evaluate import Assessment
from .findings import ConnectionJudgement
from .fleet import Fleet, HostView
from .host_plan import (
    Goal,
    HostPlan,
    Policy,
    Restart,
    plan_for_override,
    plan_for_rollback,
    plan_override,
    plan_to_finish,
    plan_to_forget_claim,
)
from .pool_warnings import Elsewhere, restart_warnings
from .records import CLAIM, SERVICE, is_override_target
from .renewal.retire import Retirement, plan_retirement
from .rules.restart import restart_is_begun
from .rules.times import parse_time
from .waves import arrange_waves, restart_groups
from .words import one_line

SCHEMA: t.Final = 1


class PlanError(ValueError):
    """A plan file that cannot be used; the text says why and what to do."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Refusal:
    """A host that needs something this plan does not do, and why."""

    host: str
    reason: str


@dataclasses.dataclass(frozen=True, kw_only=True)
class Plan:
    """``notes``: why something is left as it is. ``wait_seconds``: goal ``retire``, how long to wait after this plan before the rest.

    ``warnings``: what is to be known of the pools in which it restarts something.
    """

    schema: int = SCHEMA
    run_id: str
    created_utc: str
    goal: Goal
    restart: Restart
    hosts: tuple[HostPlan, ...]
    refused: tuple[Refusal, ...]
    waves: int
    notes: tuple[str, ...] = ()
    wait_seconds: int = 0
    warnings: tuple[str, ...] = ()

    def host(self, name: str) -> HostPlan | None:
        return next((host for host in self.hosts if host.host == name), None)


def make_plan(
    assessment: Assessment, policy: Policy, *, others: Others | None = None, elsewhere: Elsewhere | None = None
) -> Plan:
    """Choose the actions for every host of this run. With the goal ``retire`` the clock is that of the judgement.

    :param others: what is known of other runs, whose claims on servers keep this one out of their pools.
    :param elsewhere: members of pools that only other runs see.
    """
    judgement, fleet = assessment.judgement, assessment.fleet
    plans: list[HostPlan] = []
    refused: list[Refusal] = []
    same = twins(fleet.views)
    groups = restart_groups(fleet)
    pairs = paired_groups(fleet.pools.paired, fleet.pools.pool_of, groups)
    busy = busy_groups(assessment, groups, pairs, others or Others())
    retirement = _retirement(assessment, policy)
    retired = {plan.host: plan for plan in retirement.hosts} if retirement else {}
    unassessed = {host.name for host in judgement.hosts if host.verdict == "not_assessed"}
    # Looked up, not searched for: ten thousand servers would each search tens of thousands of connections.
    own: dict[str, list[ConnectionJudgement]] = collections.defaultdict(list)
    for connection in judgement.connections:
        own[connection.validator].append(connection)
    found: dict[str | None, set[str]] = collections.defaultdict(set)
    for finding in judgement.findings:
        found[finding.host].add(finding.id)
    for name, view in fleet.views.items():
        if not _is_concerned(view, policy):
            continue
        chosen: HostPlan | str | None
        if name in same:
            chosen = f"it is the same machine as {same[name]}: take one of the two out of the inventory"
        elif policy.goal == "rollback":
            chosen = plan_for_rollback(view)
        elif policy.goal == "retire":
            chosen = retired.get(name) or plan_to_finish(view)
        elif policy.goal == "bridge":
            peers = [connection.peer for connection in own[name]]
            chosen = plan_override(view, present=True) if _put_back_soon(fleet, {name, *peers}) else None
        elif view.name in unassessed:
            chosen = plan_to_finish(view)
        else:
            chosen = plan_for_override(view, own[name], policy)
        if isinstance(chosen, str):
            refused.append(Refusal(host=name, reason=chosen))
            chosen = plan_to_finish(view) if name not in same else None
        if chosen is None and _claims(view):
            chosen = plan_to_forget_claim(view)
        reason = busy.get(groups.get(name, name)) if chosen is not None else None
        if reason:
            refused.append(Refusal(host=name, reason=reason))
        elif chosen is not None:
            findings = tuple(sorted(found[name]))
            pool = fleet.pools.pool_of.get(name, name)
            plans.append(dataclasses.replace(chosen, pool=pool, group=groups.get(name, name), findings=findings))
    begun = [name for name, view in fleet.views.items() if restart_is_begun(view)]
    # What this collection stopped, it starts again, whatever the policy.
    waves = arrange_waves(
        [(plan.host, plan.group) for plan in plans if plan.restart and (policy.restart == "now" or plan.host in begun)],
        paired=pairs,
        first=begun,
    )
    return Plan(
        run_id=judgement.run_id,
        created_utc=judgement.judged_utc,
        goal=policy.goal,
        restart=policy.restart,
        hosts=tuple(
            dataclasses.replace(
                plan,
                wave=waves.get(plan.host),
                # A server with a wave is claimed by this run, and released at the end.
                clear=plan.clear if plan.host in waves else _cleared(plan, fleet.views[plan.host]),
            )
            for plan in plans
        ),
        refused=tuple(refused),
        waves=max(waves.values(), default=-1) + 1,
        notes=_notes(retirement) if retirement else (),
        wait_seconds=retirement.wait_seconds if retirement else 0,
        warnings=restart_warnings(fleet, waves, elsewhere or {}),
    )


def _is_concerned(view: HostView, policy: Policy) -> bool:
    """Hosts that were read in this run: Front Ends; for a rollback, also any other host that has records of ours."""
    if not view.read_now:
        return False
    recorded = bool(view.records.changes or view.records.invalid or view.records.restart or view.records.claim)
    return view.role.role == "front_end" or (policy.goal == "rollback" and recorded)


def _retirement(assessment: Assessment, policy: Policy) -> Retirement | None:
    """Which Front Ends lose their override now, with the goal ``retire``."""
    now = parse_time(assessment.judgement.judged_utc)
    if policy.goal != "retire" or now is None:
        return None
    return plan_retirement(assessment, quiet_minutes=policy.quiet_minutes, now=now)


def _notes(retirement: Retirement) -> tuple[str, ...]:
    notes = [f"The override stays everywhere. {reason}" for reason in retirement.reasons]
    if retirement.quiet_until_utc:
        notes.append(
            f"{retirement.canary} runs without the override first. The others follow when it was quiet until "
            f"{retirement.quiet_until_utc}: run again after that."
        )
    return (*notes, *retirement.remarks)


def _put_back_soon(fleet: Fleet, names: t.Collection[str]) -> bool:
    """Whether one of these servers is to get its old certificate back: then whoever checks it needs the override before that."""
    views = (fleet.views[name] for name in names if name in fleet.views)
    return any(record.before for view in views for record in view.records.certificates)


def twins(views: t.Mapping[str, HostView]) -> dict[str, str]:
    """Hosts of this run that are one machine under two inventory names, each with the other's name."""
    machines: dict[tuple[str, str], list[str]] = collections.defaultdict(list)
    for name, view in views.items():
        system = view.source.evidence.system if view.source.evidence else None
        if view.source.in_run and system and system.machine_guid:
            machines[(system.machine_guid.lower(), view.full_name)].append(name)
    return {
        name: next(n for n in names if n != name) for names in machines.values() if len(names) > 1 for name in names
    }


def _claims(view: HostView) -> tuple[str, ...]:
    """The name of the claim that stands on a server, if one does; by whom, and whether it counts, says :func:`busy_groups`."""
    standing = view.records.claim is not None or CLAIM in (name.lower() for name in view.records.invalid)
    return (CLAIM,) if standing else ()


def _cleared(plan: HostPlan, view: HostView) -> tuple[str, ...]:
    return tuple(dict.fromkeys((*plan.clear, *_claims(view))))


def busy_groups(
    assessment: Assessment,
    groups: t.Mapping[str, str],
    paired: t.Collection[tuple[str, str]],
    others: Others,
) -> dict[str, str]:
    """Groups in which another run is at work, and their paired groups, each with the reason in words."""
    found: dict[str, str] = {}
    for name, view in assessment.fleet.views.items():
        system = view.source.evidence.system if view.source.evidence else None
        if view.read_now:
            now_utc = system.time_utc if system else None
            reason = obstacle(view.records, run_id=assessment.judgement.run_id, now_utc=now_utc, others=others)
            if reason:
                found.setdefault(groups.get(name, name), f"claimed on {name}: {reason}")
    both_ways = [*paired, *((other, one) for one, other in paired)]
    partners = {other: f"its paired pool is {found[one]}" for one, other in both_ways if one in found}
    return {**partners, **found}


def paired_groups(
    paired: t.Mapping[str, str], pool_of: t.Mapping[str, str], groups: t.Mapping[str, str]
) -> list[tuple[str, str]]:
    """Pairs of groups that must not restart at the same time."""
    of_pool: dict[str, set[str]] = collections.defaultdict(set)
    for host, group in groups.items():
        of_pool[pool_of.get(host, host)].add(group)
    return sorted({(a, b) for one, other in paired.items() for a in of_pool[one] for b in of_pool[other] if a != b})


def shared_waves(plan: Plan) -> list[str]:
    """The servers that share their pool's waves with others. One that is alone gives its pool back right after its restart."""
    sizes = collections.Counter(host.group for host in plan.hosts if host.wave is not None)
    return [host.host for host in plan.hosts if host.wave is not None and sizes[host.group] > 1]


def plan_text(plan: Plan) -> str:
    return json.dumps(encode(plan), indent=1, ensure_ascii=True) + "\n"


def plan_hash(text: str) -> str:
    """The fingerprint that an approval names: SHA-256 of the plan file, in hex."""
    return hashlib.sha256(text.encode("utf-8")).hexdigest()


def read_plan(text: str, *, where: str, around: str | None = None) -> Plan:
    """Read a saved plan; a plan that holds anything but changes of the override is refused.

    :param around: read only this host and the other members of its group. Each of a thousand servers would read a thousand entries.
    :raises PlanError: damaged, of another schema, or with foreign targets.
    """
    advice = "Make a new plan with the playbook remediate and --check."
    try:
        data = json.loads(text)
    except (ValueError, RecursionError):
        raise PlanError(f"{where} is not a plan: it is not JSON. {advice}") from None
    if not isinstance(data, dict) or data.get("schema") != SCHEMA:
        raise PlanError(f"{where} is not a plan of this version. {advice}")
    if around is not None:
        data["hosts"] = _around(data.get("hosts"), around)
    try:
        plan = decode(Plan, data, where="plan")
    except (CodecError, RecursionError) as error:
        raise PlanError(f"{where} is damaged: {error}. {advice}") from None
    for change in (change for host in plan.hosts for change in host.changes):
        if not is_override_target(change.path, change.name):
            raise PlanError(f"{where} asks for a change of {change.path[:120]}, which is not an override. {advice}")
    return plan


def _around(hosts: t.Any, name: str) -> t.Any:
    """The entries of a host and its group, as they stand in the file: what does not look like an entry is left for the check."""
    if not isinstance(hosts, list) or not all(isinstance(host, dict) for host in hosts):
        return hosts
    groups = [host.get("group") for host in hosts if host.get("host") == name]
    return [host for host in hosts if host.get("group") in groups]


def describe_changes(plan: HostPlan) -> tuple[str, str]:
    """Before and after of one host as text, for ``--diff``."""
    before, after = [], []
    for change in plan.changes:
        view = " (32-bit view)" if change.view == "32" else ""
        before.append(f"HKLM\\{change.path}{view}: {one_line(change.name, 300)} = {change.expect}\n")
        after.append(f"HKLM\\{change.path}{view}: {one_line(change.name, 300)} = {change.write}\n")
    if plan.restart:
        before.append(f"{SERVICE}: not restarted\n")
        after.append(f"{SERVICE}: {'needs a restart' if plan.wave is None else f'restarted in wave {plan.wave + 1}'}\n")
    return "".join(before), "".join(after)
