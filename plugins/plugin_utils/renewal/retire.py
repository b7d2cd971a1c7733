# Copyright (c) 2026, the sfb.kb4023993 contributors
# GNU General Public License v3.0-or-later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""When the override may go, and where first. Pure.

Only when every server of the fleet was read and every certificate passes, by our own rules and by the validators' own chain checks. Then
one Front End goes first; the others follow when one has run without any opt-out, and without a failure, for the quiet time.
"""

from __future__ import annotations

import dataclasses
import datetime
import math
import typing as t

from ..connections import NO_FAULT, WRONG_USAGE
from ..evaluate import Assessment
from ..findings import ConnectionJudgement, HostJudgement
from ..fleet import HostView
from ..host_plan import HostPlan, plan_to_retire
from ..records import ABSENT, target_name
from ..rules.opt_outs import override_path
from ..rules.restart import recorded_restart_is_pending
from ..rules.times import format_time, is_after, parse_time

# Of a server that is read by hand, what counts as a reading of now.
_FRESH: t.Final = datetime.timedelta(days=1)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Retirement:
    """``hosts``: the Front Ends that may lose their override now. ``reasons``: why it may not go, each naming its server.

    ``canary``: the Front End that goes, or went, first. ``quiet_until_utc`` and ``wait_seconds``: until when, and how long from now, nothing
    more is to be done (None and 0: not waiting; with ``hosts``: after they were restarted). ``remarks``: opt-outs that stay.
    """

    allowed: bool
    reasons: tuple[str, ...]
    canary: str | None
    quiet_until_utc: str | None
    wait_seconds: int
    hosts: tuple[HostPlan, ...]
    remarks: tuple[str, ...]


def plan_retirement(assessment: Assessment, *, quiet_minutes: int, now: datetime.datetime) -> Retirement:
    """Decide by one reading of the fleet.

    :param now: the controller's clock, for the age of readings by hand and the end of the quiet time.
    """
    front_ends = [v for v in assessment.fleet.views.values() if v.role.role == "front_end" and v.read_now]
    plans = {view.name: plan_to_retire(view) for view in front_ends}
    wanted = {
        name: plan for name, plan in plans.items() if isinstance(plan, HostPlan) and (plan.changes or plan.restart)
    }
    remarks = tuple(remark for view in front_ends for remark in _remarks(view))
    quiet = datetime.timedelta(minutes=quiet_minutes)
    reasons = [
        *_obstacles(assessment, now),
        *(f"{name}: {plan}" for name, plan in plans.items() if isinstance(plan, str)),
        *(reason for view in front_ends for reason in _failing(view, quiet)),
    ]
    none = Retirement(
        allowed=not reasons,
        reasons=tuple(reasons),
        canary=None,
        quiet_until_utc=None,
        wait_seconds=0,
        hosts=(),
        remarks=remarks,
    )
    if reasons or not wanted:
        return none
    enforcing = any(_enforces(view) for view in front_ends)
    trials = {
        v.name: ran for v in front_ends if (_enforces(v) or not enforcing) and (ran := _ran_without(v)) is not None
    }
    if trials:
        first = max(sorted(trials), key=lambda name: trials[name])
        left = quiet - trials[first]
        if left < datetime.timedelta(0):
            return dataclasses.replace(
                none, canary=first, hosts=tuple(_noted(plan, remarks) for plan in wanted.values())
            )
        return _waiting(none, first, (), left, now)
    able = [view for view in front_ends if view.name in wanted and not _why_not_first(view, enforcing)]
    if not able:
        stuck = (view for view in front_ends if view.name in wanted)
        why = tuple(
            f"{v.name}: it cannot be the first without the override: {_why_not_first(v, enforcing)}" for v in stuck
        )
        return dataclasses.replace(none, allowed=False, reasons=why)
    canary = min(able, key=lambda view: _rank(assessment, view, wanted[view.name])).name
    hosts = (_noted(wanted[canary], remarks),)
    if len(wanted) == 1:
        return dataclasses.replace(none, canary=canary, hosts=hosts)
    return _waiting(none, canary, hosts, quiet, now)


def _waiting(
    none: Retirement, canary: str, hosts: tuple[HostPlan, ...], left: datetime.timedelta, now: datetime.datetime
) -> Retirement:
    # More than the quiet time: the whole second after it.
    seconds = math.floor(left.total_seconds()) + 1
    until = format_time(now + datetime.timedelta(seconds=seconds))
    return dataclasses.replace(none, canary=canary, hosts=hosts, quiet_until_utc=until, wait_seconds=seconds)


# ---- what keeps the override


def _obstacles(assessment: Assessment, now: datetime.datetime) -> t.Iterator[str]:
    judgement, views = assessment.judgement, assessment.fleet.views
    named: set[str] = set()
    for host in judgement.hosts:
        why = _obstacle(views[host.name], host, now)
        if why:
            named.add(host.name)
            yield f"{host.name}: {why}"
    for pool in assessment.fleet.pools.pools.values():
        for machine in pool.missing:
            if machine not in named:
                named.add(machine)
                yield f"{machine}: it belongs to the pool {pool.name} and was not read in this run"
    for connection in judgement.connections:
        why = _connection_obstacle(views[connection.validator], connection)
        # What is wrong with a server itself is said once, not once for each of its connections.
        if why and not named & {connection.validator, connection.peer}:
            yield f"{connection.validator}: {why}"


def _obstacle(view: HostView, host: HostJudgement, now: datetime.datetime) -> str:
    """Why one server keeps the override; empty if it does not."""
    source = view.source
    if source.evidence is not None and view.role.role == "none":
        return ""
    if source.offline and view.readable:
        read = parse_time(source.evidence.collected_utc if source.evidence else None)
        if read is None or now - read > _FRESH:
            return "it is read by hand, and that was more than a day ago: read it again"
    elif not view.read_now:
        return "it was not read in this run: " + (
            source.failure.message if source.failure else source.problem or "see --limit"
        )
    if view.role.role == "unknown" or host.verdict == "not_assessed":
        return f"it could not be judged: {host.reason}"
    certificate = host.certificate
    if certificate is None or certificate.usage != "good":
        return f"its certificate is not known to be good: {certificate.reason if certificate else 'it is not known'}"
    if certificate.pending:
        return (
            f"its services still hold another certificate than the one assigned ({certificate.pending}): restart them"
        )
    return ""


def _connection_obstacle(validator: HostView, connection: ConnectionJudgement) -> str:
    if connection.assumed:
        return f"that it connects to {connection.peer} is only assumed: set sfb_kb4023993_edge_pool"
    evidence = validator.source.evidence
    checks = [c.reply for c in (evidence.chain_checks if evidence else ()) if c.thumbprint == connection.certificate]
    faults = sorted(set(checks[0].statuses) - (NO_FAULT - {WRONG_USAGE})) if checks else []
    if faults:
        return f"its own chain check does not accept the certificate of {connection.peer}: {', '.join(faults)}"
    if connection.verdict != "compliant":
        return f"its connection to {connection.peer} is {connection.verdict}: {connection.reason}"
    return "" if checks else f"it did not say whether it accepts the certificate of {connection.peer}"


def _failing(view: HostView, quiet: datetime.timedelta) -> t.Iterator[str]:
    """A Front End that checks, has no opt-out and fails shows what would happen to the others.

    A failure before the quiet time may come from a peer that was restarted; one that lasts is logged again within 20 minutes.
    """
    without = _enforces(view) and _ran_without(view, watched=False) is not None
    if without and view.failures and sum(view.failures.since_start.values()) and not _is_over(view, quiet):
        yield f"{view.name}: it runs without the override and has logged failures since its start, the last at {view.failures.last_utc}"


def _is_over(view: HostView, quiet: datetime.timedelta) -> bool:
    """Whether the last failure is longer ago than the quiet time, by the server's own clock."""
    system = view.source.evidence.system if view.source.evidence else None
    last = parse_time(view.failures.last_utc if view.failures else None)
    now = parse_time(system.time_utc if system else None)
    return bool(last and now and now - last > quiet)


# ---- who goes first


def _ran_without(view: HostView, *, watched: bool = True) -> datetime.timedelta | None:
    """How long the running process of a Front End has known no opt-out, by the server's own clock; None if it may know one.

    :param watched: only if its events could be read, so that no failure in that time went unseen.
    """
    facts, role, evidence = view.opt_outs, view.role, view.source.evidence
    if facts is None or facts.unreadable or facts.valid or not role.running or recorded_restart_is_pending(view):
        return None
    if watched and not (view.failures and view.failures.readable):
        return None
    started = role.process.started_utc if role.process else None
    own = target_name(override_path(role.clr or ""), role.executable or "", "64")
    removed = [r.time_utc for r in view.records.changes if r.value_name == own and r.written == ABSENT]
    if not all(is_after(started, moment) for moment in removed):
        return None
    begin, end = parse_time(started), parse_time(evidence.system.time_utc if evidence and evidence.system else None)
    return end - begin if begin and end else None


def _enforces(view: HostView) -> bool:
    return view.enforcement is not None and view.enforcement.enforcement == "enforces"


def _why_not_first(view: HostView, enforcing: bool) -> str:
    """Why nothing could be learned from this Front End; empty if it can go first."""
    if view.opt_outs and any(opt_out.id != "executable" for opt_out in view.opt_outs.valid):
        return "another opt-out stays in effect there; remove it by hand"
    if not view.role.running or view.role.process is None or view.role.process.started_utc is None:
        return "its Web Conferencing does not run, or since when it runs cannot be read"
    if enforcing and not _enforces(view):
        return "its .NET does not check usages"
    return ""


def _rank(assessment: Assessment, view: HostView, plan: HostPlan) -> tuple[bool, bool, int, str]:
    """One that was begun; a Standard Edition, which is a pool of its own; the largest pool; the name."""
    pool = assessment.fleet.pools.pools.get(assessment.fleet.pools.pool_of.get(view.name, ""))
    size = len(pool.members) + len(pool.missing) if pool else 1
    return bool(plan.changes), size > 1, -size, view.name


def _remarks(view: HostView) -> t.Iterator[str]:
    for opt_out in view.opt_outs.valid if view.opt_outs else ():
        if opt_out.id != "executable":
            yield f"{view.name}: {opt_out.where} turns the check off as well and is not touched; remove it by hand"


def _noted(plan: HostPlan, remarks: t.Iterable[str]) -> HostPlan:
    own = [remark for remark in remarks if remark.startswith(f"{plan.host}: ")]
    return dataclasses.replace(plan, note=" ".join([*([plan.note] if plan.note else []), *own]))
