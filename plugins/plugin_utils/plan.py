# Copyright (c) 2026, the sfb.kb4023993 contributors
# GNU General Public License v3.0-or-later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Findings and policy to actions. Pure: a plan says what will be written where, what is expected to be found there, and in which
order services restart; it is also the readable record of what was there before."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import typing as t

from .codec import CodecError, decode, encode
from .evaluate import Assessment
from .findings import ConnectionJudgement
from .fleet import HostView
from .host.operations import View
from .records import ABSENT, SERVICE, ChangeRecord, ValueState, is_override_target, target_name
from .rules.opt_outs import override_path
from .rules.restart import opt_out_awaits_restart, recorded_restart_is_pending, restart_is_unfinished
from .rules.times import is_after
from .waves import arrange_waves

SCHEMA: t.Final = 1
Goal = t.Literal["override", "rollback"]
Restart = t.Literal["now", "later"]
OVERRIDE: t.Final = ValueState(kind="dword", data=0)


class PlanError(ValueError):
    """A plan file that cannot be used; the text says why and what to do."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Policy:
    """``override_latent``: also write the override where .NET does not have the check yet. ``restart``: ``later`` leaves it pending."""

    goal: Goal
    restart: Restart = "now"
    override_latent: bool = False


@dataclasses.dataclass(frozen=True, kw_only=True)
class ValueChange:
    """One registry value to change: from ``expect`` (anything else is a refusal) to ``write`` (absent: delete).

    ``prune``: delete the key too when it is empty afterwards, because this collection created it.
    """

    path: str
    name: str
    view: View
    expect: ValueState
    write: ValueState
    prune: bool
    reason: str


@dataclasses.dataclass(frozen=True, kw_only=True)
class HostPlan:
    """What one host gets. ``clear``: records on the server that have nothing left to undo. ``wave`` None: no restart now."""

    host: str
    pool: str
    machine_guid: str | None
    findings: tuple[str, ...]
    changes: tuple[ValueChange, ...]
    clear: tuple[str, ...]
    restart: bool
    wave: int | None
    note: str


@dataclasses.dataclass(frozen=True, kw_only=True)
class Refusal:
    """A host that needs something this plan does not do, and why."""

    host: str
    reason: str


@dataclasses.dataclass(frozen=True, kw_only=True)
class Plan:
    schema: int = SCHEMA
    run_id: str
    created_utc: str
    goal: Goal
    restart: Restart
    hosts: tuple[HostPlan, ...]
    refused: tuple[Refusal, ...]
    waves: int

    def host(self, name: str) -> HostPlan | None:
        return next((host for host in self.hosts if host.host == name), None)


def make_plan(assessment: Assessment, policy: Policy) -> Plan:
    """Choose the actions for every host of this run."""
    judgement, fleet = assessment.judgement, assessment.fleet
    plans: list[HostPlan] = []
    refused: list[Refusal] = []
    for name, view in fleet.views.items():
        host = judgement.host(name)
        if host is None or not view.source.in_run or not view.readable or view.role.role != "front_end":
            continue
        own = [connection for connection in judgement.connections if connection.validator == name]
        findings = tuple(sorted({f.id for f in judgement.findings if f.host == name}))
        chosen = _rollback(view) if policy.goal == "rollback" else _override(view, own, policy)
        if isinstance(chosen, str):
            refused.append(Refusal(host=name, reason=chosen))
        elif chosen is not None:
            pool = fleet.pools.pool_of.get(name, name)
            plans.append(dataclasses.replace(chosen, pool=pool, findings=findings))
    waves = arrange_waves(
        [(plan.host, plan.pool) for plan in plans if plan.restart and policy.restart == "now"],
        paired=fleet.pools.paired,
        first=[name for name, view in fleet.views.items() if restart_is_unfinished(view)],
    )
    return Plan(
        run_id=judgement.run_id,
        created_utc=judgement.judged_utc,
        goal=policy.goal,
        restart=policy.restart,
        hosts=tuple(dataclasses.replace(plan, wave=waves.get(plan.host)) for plan in plans),
        refused=tuple(refused),
        waves=max(waves.values(), default=-1) + 1,
    )


def plan_text(plan: Plan) -> str:
    return json.dumps(encode(plan), indent=1, ensure_ascii=True) + "\n"


def plan_hash(text: str) -> str:
    """The fingerprint that an approval names: SHA-256 of the plan file, in hex."""
    return hashlib.sha256(text.encode("utf-8")).hexdigest()


def read_plan(text: str, *, where: str) -> Plan:
    """Read a saved plan; a plan that holds anything but changes of the override is refused.

    :raises PlanError: damaged, of another schema, or with foreign targets.
    """
    advice = "Make a new plan with the playbook remediate and --check."
    try:
        data = json.loads(text)
        if not isinstance(data, dict) or data.get("schema") != SCHEMA:
            raise PlanError(f"{where} is not a plan of this version. {advice}")
        plan = decode(Plan, data, where="plan")
    except (CodecError, RecursionError) as error:
        raise PlanError(f"{where} is damaged: {error}. {advice}") from None
    except json.JSONDecodeError:
        raise PlanError(f"{where} is not a plan: it is not JSON. {advice}") from None
    for change in (change for host in plan.hosts for change in host.changes):
        if not is_override_target(change.path, change.name):
            raise PlanError(f"{where} asks for a change of {change.path[:120]}, which is not an override. {advice}")
    return plan


def describe_changes(plan: HostPlan) -> tuple[str, str]:
    """Before and after of one host as text, for ``--diff``."""
    before, after = [], []
    for change in plan.changes:
        view = " (32-bit view)" if change.view == "32" else ""
        before.append(f"HKLM\\{change.path}{view}: {change.name} = {change.expect}\n")
        after.append(f"HKLM\\{change.path}{view}: {change.name} = {change.write}\n")
    if plan.restart:
        before.append(f"{SERVICE}: not restarted\n")
        after.append(f"{SERVICE}: {'needs a restart' if plan.wave is None else f'restarted in wave {plan.wave + 1}'}\n")
    return "".join(before), "".join(after)


def _override(view: HostView, own: t.Sequence[ConnectionJudgement], policy: Policy) -> HostPlan | str | None:
    """The plan of a Front End for the override, a refusal in words, or None when there is nothing to do."""
    facts = view.opt_outs
    if facts is None:
        return None
    wanted = {"broken", "latent"} if policy.override_latent else {"broken"}
    causes = [connection for connection in own if connection.verdict in wanted]
    needed = [connection for connection in causes if not connection.assumed]
    if causes and not needed:
        return "the only reason for a change is an assumption about its Edge pool: set sfb_kb4023993_edge_pool"
    if needed and all(c.by_events for c in needed) and view.enforcement and view.enforcement.enforcement == "unknown":
        return "it has failure events, but whether .NET enforces the check is not known"
    if needed and (facts.unreadable or view.role.executable is None or view.role.clr is None):
        return f"the service {SERVICE}, its executable or the opt-out keys could not be read"
    changes = _removals(view, keep_in_place=bool(needed))
    restart = recorded_restart_is_pending(view) or (bool(needed) and opt_out_awaits_restart(view))
    if needed and not facts.valid:
        changes.append(_write_override(view))
        restart = True
    return _host_plan(view, changes=changes, clear=(), restart=restart)


def plan_override(view: HostView, *, present: bool) -> HostPlan | str | None:
    """The plan of one host for the override alone, because the user asks for it: no verdicts, no fleet.

    Absent undoes what this collection recorded, and removes an override that somebody else wrote.
    """
    facts, role = view.opt_outs, view.role
    if role.role != "front_end":
        return f"{SERVICE} is not on this server ({role.reason or role.role}); the override belongs on Front Ends only"
    if facts is None or facts.unreadable or role.executable is None or role.clr is None:
        return f"the service {SERVICE}, its executable, its product or the opt-out keys could not be read"
    if present:
        changes = _removals(view, keep_in_place=True)
        if facts.override is None:
            changes.append(_write_override(view))
        restart = bool(changes) or opt_out_awaits_restart(view) or recorded_restart_is_pending(view)
        return _host_plan(view, changes=changes, clear=(), restart=restart)
    if view.records.changes:
        return _rollback(view)
    if facts.override is None:
        return _host_plan(view, changes=[], clear=(), restart=recorded_restart_is_pending(view))
    path, name = override_path(role.clr), role.executable
    change = ValueChange(
        path=path, name=name, view="64", expect=OVERRIDE, write=ABSENT, prune=False, reason="remove the override"
    )
    return _host_plan(view, changes=[change], clear=(), restart=role.running)


def _write_override(view: HostView) -> ValueChange:
    role, facts = view.role, view.opt_outs
    in_place = next((wrong for wrong in (facts.wrong if facts else ()) if wrong.in_place), None)
    return ValueChange(
        path=override_path(role.clr or ""),
        name=in_place.name if in_place else role.executable or "",
        view="64",
        expect=in_place.value if in_place else ABSENT,
        write=OVERRIDE,
        prune=False,
        reason="turn the check off for DataMCUSvc.exe",
    )


def _removals(view: HostView, *, keep_in_place: bool) -> list[ValueChange]:
    """Deletions of overrides that .NET does not read. A value in the right place is replaced instead where one is needed;
    one that says explicitly that the check is on (a number other than 0) is somebody's will and stays where none is needed."""
    facts = view.opt_outs
    return [
        ValueChange(
            path=wrong.path,
            name=wrong.name,
            view=wrong.view,
            expect=wrong.value,
            write=ABSENT,
            prune=False,
            reason="remove an override that .NET does not read",
        )
        for wrong in (facts.wrong if facts else ())
        if not (wrong.in_place and (keep_in_place or wrong.reason == "data"))
    ]


def _rollback(view: HostView) -> HostPlan | str | None:
    """The plan that puts back what the server's own record says was there before."""
    changes: list[ValueChange] = []
    clear: list[str] = []
    for record in view.records.changes:
        current = current_state(view, record)
        if current == record.before:
            clear.append(record.value_name)
        elif current is None:
            return f"the value {record.name!r} could not be read"
        elif current != record.written:
            return (
                f"the value {record.name!r} is {current}, not {record.written} as this collection left it: somebody changed it "
                "since, so it is not touched"
            )
        else:
            changes.append(
                ValueChange(
                    path=record.path,
                    name=record.name,
                    view=record.view,
                    expect=record.written,
                    write=record.before,
                    prune=not record.key_existed,
                    reason="put back what was there before",
                )
            )
    restart = any(_has_read(view, change) for change in changes) or restart_is_unfinished(view)
    return _host_plan(view, changes=changes, clear=tuple(clear), restart=restart)


def current_state(view: HostView, target: ChangeRecord | ValueChange) -> ValueState | None:
    """What the evidence says of a value of an opt-out key; None when the key could not be read."""
    evidence = view.source.evidence
    for key in evidence.opt_outs.keys if evidence and evidence.opt_outs else ():
        if key.executables is None or key.view != target.view or override_path(key.clr).lower() != target.path.lower():
            continue
        found = next((v for v in key.executables.values if v.name.lower() == target.name.lower()), None)
        return ValueState.of(found)
    return None


def _has_read(view: HostView, change: ValueChange) -> bool:
    """Whether the running process may hold the state that this change undoes, so that only a restart takes it back."""
    if not view.role.running:
        return False
    own = target_name(override_path(view.role.clr or ""), view.role.executable or "", "64")
    name = target_name(change.path, change.name, change.view)
    if name != own:
        return False
    record = next(r for r in view.records.changes if r.value_name == name)
    # A process from before the change never read it.
    return not is_after(record.time_utc, view.role.process.started_utc if view.role.process else None)


def _host_plan(view: HostView, *, changes: list[ValueChange], clear: tuple[str, ...], restart: bool) -> HostPlan | None:
    record = view.records.restart
    if record and not restart:
        # The restart that it asked for has happened, or is not needed any more.
        clear = (*clear, record.value_name)
    if not changes and not clear and not restart:
        return None
    evidence = view.source.evidence
    service = evidence.service(SERVICE) if evidence else None
    note = ""
    if restart and service and service.start_mode == "disabled":
        restart, note = False, f"{SERVICE} is disabled and is not started; the change takes effect when it is"
    elif restart and not view.role.running and not restart_is_unfinished(view):
        restart, note = False, f"{SERVICE} is not running; the change takes effect at its next start"
    return HostPlan(
        host=view.name,
        pool="",
        machine_guid=evidence.system.machine_guid if evidence and evidence.system else None,
        findings=(),
        changes=tuple(changes),
        clear=clear,
        restart=restart,
        wave=None,
        note=note,
    )
