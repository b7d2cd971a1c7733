# Copyright (c) 2026, the sfb.kb4023993 contributors
# GNU General Public License v3.0-or-later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What one host needs: the choice of its changes. Pure. ``plan.py`` puts the hosts of a fleet together."""

from __future__ import annotations

import dataclasses
import typing as t

from .findings import ConnectionJudgement
from .fleet import HostView
from .host.operations import View
from .records import ABSENT, CLAIM, NOW, SERVICE, ChangeRecord, ValueState, can_be_read_back, target_name
from .rules.opt_outs import override_path
from .rules.restart import (
    opt_out_awaits_restart,
    recorded_restart_is_pending,
    restart_is_begun,
)
from .rules.times import is_after
from .words import quoted

Goal = t.Literal["override", "rollback", "bridge", "retire"]
Restart = t.Literal["now", "later"]
OVERRIDE: t.Final = ValueState(kind="dword", data=0)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Policy:
    """``override_latent``: also write the override where .NET does not have the check yet. ``restart``: ``later`` leaves it pending.

    ``quiet_minutes``: how long one Front End has to run without the override before the others lose theirs (goal ``retire``).
    """

    goal: Goal
    restart: Restart = "now"
    override_latent: bool = False
    quiet_minutes: int = 20


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
    """What one host gets. ``clear``: records on the server that have nothing left to undo.

    ``restart``: needed; ``finish``: only to end one that was begun. ``group``: hosts of one group never restart together.
    ``wave`` None: no restart now. ``started_utc``: start of the process that the plan saw, by the host's clock.
    """

    host: str
    pool: str
    group: str
    machine_guid: str | None
    started_utc: str | None
    findings: tuple[str, ...]
    changes: tuple[ValueChange, ...]
    clear: tuple[str, ...]
    restart: bool
    finish: bool
    wave: int | None
    note: str


def plan_for_override(view: HostView, own: t.Sequence[ConnectionJudgement], policy: Policy) -> HostPlan | str | None:
    """The plan of a Front End for the override, a refusal in words, or None when there is nothing to do.

    :param own: the connections in which the host is the validator.
    """
    facts = view.opt_outs
    if facts is None:
        return None
    wanted = {"broken", "latent"} if policy.override_latent else {"broken"}
    causes = [connection for connection in own if connection.verdict in wanted]
    needed = [connection for connection in causes if not connection.assumed]
    if causes and not needed:
        return "the only reason for a change is an assumption about its Edge pool: set sfb_kb4023993_edge_pool"
    enforces = view.enforcement is not None and view.enforcement.enforcement == "enforces"
    if needed and all(connection.by_events for connection in needed) and not enforces:
        return "it has failure events, but .NET there is not known to enforce the check: the override would not help"
    if needed and (facts.unreadable or view.role.executable is None or view.role.clr is None):
        return f"the service {SERVICE}, its executable or the opt-out keys could not be read"
    changes = _removals(view, keep_in_place=bool(needed))
    restart = recorded_restart_is_pending(view)
    if needed and not facts.valid:
        changes.append(_write_override(view))
        restart = True
    elif needed and opt_out_awaits_restart(view):
        if view.role.process is None or view.role.process.started_utc is None:
            return "an opt-out stands, but when its process started cannot be read, so no restart could prove that it is in effect"
        changes.extend(_adopt_override(view))
        restart = True
    hidden = next((change for change in changes if not _can_be_recorded(change)), None)
    if hidden:
        return f"what stands in the value {quoted(hidden.name)} ({hidden.expect}) cannot be recorded, so it could not be put back"
    return _host_plan(view, changes=changes, clear=(), restart=restart)


def plan_for_rollback(view: HostView) -> HostPlan | str | None:
    """The plan that puts back what the server's own record says was there before, or why that cannot be done."""
    evidence = view.source.evidence
    if evidence is None or evidence.records is None:
        return "the record of changes on the server could not be read"
    # What a claim is worth is judged before (claims.py).
    if evidence.records.truncated or any(name.lower() != CLAIM for name in view.records.invalid):
        return "the record of changes on the server holds something that is not ours; look at HKLM\\SOFTWARE\\sfb.kb4023993"
    changes: list[ValueChange] = []
    clear: list[str] = []
    for record in view.records.changes:
        current = current_state(view, record)
        if current == record.before:
            clear.append(record.value_name)
        elif current is None:
            return f"the value {quoted(record.name)} could not be read"
        elif current != record.written:
            return (
                f"the value {quoted(record.name)} is {current}, not {record.written} as this collection left it: somebody changed it "
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
    # With values to put back, it is known whether the process has read them; without, only the record of a restart is left.
    restart = any(_has_read(view, change) for change in changes) if changes else recorded_restart_is_pending(view)
    return _host_plan(view, changes=changes, clear=tuple(clear), restart=restart)


def plan_to_finish(view: HostView) -> HostPlan | None:
    """The plan that only ends a restart that was begun, whatever else is refused."""
    return _host_plan(view, changes=[], clear=(), restart=False) if restart_is_begun(view) else None


def plan_to_forget_claim(view: HostView) -> HostPlan | None:
    """The plan that only takes away the claim of a run that is over, where nothing else is to be done."""
    return _host_plan(view, changes=[], clear=(CLAIM,), restart=False)


def plan_to_retire(view: HostView) -> HostPlan | str | None:
    """The plan that takes the override of a Front End away, whoever wrote it, and values that were meant as one.

    Whether it may go now is for ``renewal/retire.py`` to say. A rollback puts back what somebody else wrote; what this collection wrote is
    undone, with its record.
    """
    facts, role = view.opt_outs, view.role
    if facts is None:
        return None
    if facts.unreadable or role.executable is None or role.clr is None:
        return f"the service {SERVICE}, its executable or the opt-out keys could not be read"
    changes = _removals(view, keep_in_place=False)
    if facts.override is not None:
        changes.append(_retire_override(view))
    hidden = next((change for change in changes if not _can_be_recorded(change)), None)
    if hidden:
        return f"what stands in the value {quoted(hidden.name)} ({hidden.expect}) cannot be recorded, so it could not be put back"
    restart = facts.override is not None or recorded_restart_is_pending(view)
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
        return plan_for_rollback(view)
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


def _retire_override(view: HostView) -> ValueChange:
    path, name = override_path(view.role.clr or ""), view.role.executable or ""
    target = target_name(path, name, "64")
    record = next((record for record in view.records.changes if record.value_name == target), None)
    # A number other than 0 says that the check is on: that was somebody's will.
    kept = record.before if record and record.before.kind == "dword" and record.before.data != 0 else ABSENT
    return ValueChange(
        path=path,
        name=name,
        view="64",
        expect=OVERRIDE,
        write=kept,
        prune=record is not None and not record.key_existed and kept == ABSENT,
        reason="take the override away, because all certificates are good",
    )


def _can_be_recorded(change: ValueChange) -> bool:
    """Whether the record of a change will be accepted when it is read, so that the change can be undone."""
    record = ChangeRecord(
        path=change.path,
        name=change.name,
        view=change.view,
        key_existed=True,
        before=change.expect,
        written=change.write,
        state="applied",
        time_utc=NOW,
        run_id="0" * 40,
    )
    return can_be_read_back(record)


def _adopt_override(view: HostView) -> list[ValueChange]:
    """The same value once more: so the server's record says since when it stands, and one restart is proof enough for good.

    A rollback leaves it, because it was there before.
    """
    facts = view.opt_outs
    if facts is None or facts.override is None:
        return []
    return [
        ValueChange(
            path=override_path(view.role.clr or ""),
            name=view.role.executable or "",
            view="64",
            expect=OVERRIDE,
            write=OVERRIDE,
            prune=False,
            reason="record since when the override stands that somebody else wrote",
        )
    ]


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
    evidence, record = view.source.evidence, view.records.restart
    begun = restart_is_begun(view)
    finish = begun and not restart
    if record and not restart and not begun:
        # The restart that it asked for has happened, or is not needed any more.
        clear = (*clear, record.value_name)
    if not (changes or clear or restart or begun):
        return None
    service = evidence.service(SERVICE) if evidence else None
    note = ""
    if (restart or begun) and service and service.start_mode == "disabled":
        restart, finish = False, False
        note = f"{SERVICE} is disabled and is not started; the change takes effect when it is"
    elif restart and not view.role.running and not begun:
        restart, note = False, f"{SERVICE} is not running; the change takes effect at its next start"
    return HostPlan(
        host=view.name,
        pool="",
        group="",
        machine_guid=evidence.system.machine_guid if evidence and evidence.system else None,
        started_utc=view.role.process.started_utc if view.role.process else None,
        findings=(),
        changes=tuple(changes),
        clear=clear,
        restart=restart or finish,
        finish=finish,
        wave=None,
        note=note,
    )
