# Copyright (c) 2026, the sfb.kb4023993 contributors
# GNU General Public License v3.0-or-later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether a plan was carried out, by a new reading of the hosts; never by the memory of what was done. Pure."""

from __future__ import annotations

import dataclasses
import typing as t

from .evaluate import Assessment
from .findings import HostJudgement
from .fleet import HostView
from .host_plan import HostPlan, current_state
from .plan import Plan
from .records import SERVICE
from .rules.times import is_after
from .words import counted, quoted

Result = t.Literal["done", "pending", "failed"]


@dataclasses.dataclass(frozen=True, kw_only=True)
class HostResult:
    """The end of one planned host: ``pending`` waits for a restart that was put off on purpose."""

    host: str
    result: Result
    message: str


def verify(
    plan: Plan, after: Assessment, outcomes: t.Mapping[str, t.Sequence[tuple[str, str]]]
) -> tuple[HostResult, ...]:
    """Judge each planned host by the evidence collected after the change.

    :param outcomes: by host, pairs of status and message of the steps that were tried; a failed step explains a failed host.
    """
    return tuple(_verify(host, plan, after, outcomes.get(host.host, ())) for host in plan.hosts)


def _verify(host: HostPlan, plan: Plan, after: Assessment, outcomes: t.Sequence[tuple[str, str]]) -> HostResult:
    view, judged = after.fleet.views.get(host.host), after.judgement.host(host.host)
    bad = [message for status, message in outcomes if status in ("refused", "failed")]
    if view is None or judged is None or not view.readable:
        reason = bad[0] if bad else judged.reason if judged else "it is not in the inventory any more"
        return HostResult(host=host.host, result="failed", message=f"It could not be read after the change: {reason}")
    if bad:
        return HostResult(host=host.host, result="failed", message=bad[0])
    wrong = [change for change in host.changes if current_state(view, change) != change.write]
    if wrong:
        found = current_state(view, wrong[0])
        message = (
            f"The value {quoted(wrong[0].name)} is {found or 'unreadable'} after the change, not {wrong[0].write}."
        )
        return HostResult(host=host.host, result="failed", message=message)
    if host.wave is not None:
        failure = _restart_failure(host, view)
        if failure:
            return HostResult(host=host.host, result="failed", message=failure)
    if host.restart and judged.restart_pending:
        if plan.restart == "later":
            message = f"Written; {SERVICE} still has to be restarted, as asked for (restart=later)."
            return HostResult(host=host.host, result="pending", message=message)
        message = f"{SERVICE} was not restarted, so the change is not in effect."
        return HostResult(host=host.host, result="failed", message=message)
    own = [
        c for c in after.judgement.connections if c.validator == host.host and c.verdict == "broken" and not c.assumed
    ]
    if plan.goal in ("override", "retire") and own and not host.finish:
        return HostResult(host=host.host, result="failed", message=f"Still broken, to {own[0].peer}: {own[0].reason}")
    if plan.goal == "retire" and host.changes and host.wave is not None and judged.failures_since_start:
        message = (
            f"It has logged {counted(judged.failures_since_start, 'failure')} since its restart without the override. Look at its events; "
            "the module sfb_datamcu_eku_override with state=present puts the override back."
        )
        return HostResult(host=host.host, result="failed", message=message)
    return HostResult(host=host.host, result="done", message=_success(host, plan, judged))


def _restart_failure(host: HostPlan, view: HostView) -> str | None:
    """Why the restart of a host cannot be called done: the service must run, in a process that started after the plan."""
    if not view.role.running:
        return f"{SERVICE} does not run after its restart. Look at it on the server."
    started = view.role.process.started_utc if view.role.process else None
    if host.started_utc and not host.finish and not is_after(started, host.started_utc):
        return f"{SERVICE} still runs in the process of {host.started_utc}, so the change is not in effect. Run again."
    return None


def _success(host: HostPlan, plan: Plan, judged: HostJudgement) -> str:
    started = f"; {SERVICE} runs since {judged.process_started_utc}" if host.restart else ""
    if plan.goal == "rollback":
        if not host.changes:
            return f"Old records were removed{started}. {host.note}".strip()
        verb = "is" if len(host.changes) == 1 else "are"
        return f"{counted(len(host.changes), 'value')} {verb} back as before{started}. {host.note}".strip()
    return f"Verified by a new reading: {judged.verdict}{started}. {host.note}".strip()
