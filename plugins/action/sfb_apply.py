# Copyright (c) 2026, the sfb.kb4023993 contributors
# GNU General Public License v3.0-or-later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Carries out one host's part of the plan of a run: the registry values, or the restart of its wave."""

from __future__ import annotations

import typing as t

from ..plugin_utils import run_lock
from ..plugin_utils.act import restart_service, write_changes
from ..plugin_utils.host.session import Session, SessionError
from ..plugin_utils.host_plan import HostPlan
from ..plugin_utils.outcome import Outcome
from ..plugin_utils.plan import Plan, PlanError, describe_changes
from ..plugin_utils.run import Run, RunError, Step
from ..plugin_utils.task import Result, SfbAction, progress


class ActionModule(SfbAction):
    SPEC: t.ClassVar[dict[str, t.Any]] = {
        "state_dir": {"type": "path", "required": True},
        "run_id": {"type": "str", "required": True},
        "plan_sha256": {"type": "str", "required": True},
        "step": {"type": "str", "choices": ["write", "restart"], "required": True},
        "wave": {"type": "int", "default": 0},
        "restart_timeout": {"type": "int", "default": 300},
    }

    def perform(self, arguments: dict[str, t.Any], task_vars: dict[str, t.Any]) -> Result:
        run = Run(arguments["state_dir"], arguments["run_id"])
        found = run.plan()
        if found is None:
            raise RunError(f"There is no plan in {run.directory}. Run sfb_evaluate with a goal first.")
        if found[1] != arguments["plan_sha256"]:
            raise PlanError(f"{run.plan_path} was changed since it was made. Nothing was done; run the playbook again.")
        host, step = str(task_vars["inventory_hostname"]), arguments["step"]
        plan, own = found[0], found[0].host(host)
        if own is None or (step == "restart" and own.wave != arguments["wave"]):
            return {
                "changed": False,
                "skipped": True,
                "skip_reason": "The plan has nothing for this host in this step.",
            }
        if self.check_mode:
            before, after = describe_changes(own)
            return {"changed": step == "write", "diff": {"before": before, "after": after} if step == "write" else []}
        blocked = _blocked(run, plan, own, step)
        outcome = blocked or self._act(run, own, step, host, arguments)
        run.save_outcome(host, step, outcome)
        progress(host, f"{outcome.status}: {outcome.message}")
        result: Result = {"changed": outcome.status == "changed", "status": outcome.status, "msg": outcome.message}
        if self.diff_mode and step == "write":
            before, after = describe_changes(own)
            result["diff"] = {"before": before, "after": after}
        return result

    def _act(self, run: Run, own: HostPlan, step: Step, host: str, arguments: dict[str, t.Any]) -> Outcome:
        run_lock.sign_of_life(arguments["state_dir"])
        # A failure is an outcome, not the end of this host's play: verification and the report still have to name it.
        try:
            session = Session(self, host=host)
            if step == "write":
                return write_changes(session, own, run_id=run.run_id)
            return restart_service(session, run_id=run.run_id, timeout_seconds=arguments["restart_timeout"])
        except SessionError as error:
            return Outcome(status="failed", message=f"{error.stage}: {error.message} {error.advice}")


def _blocked(run: Run, plan: Plan, own: HostPlan, step: Step) -> Outcome | None:
    """Why a restart must not happen: this host's values were not written, or an earlier host of its pool failed."""
    if step == "write":
        return None
    written = run.outcome(own.host, "write")
    if written is None or not written.ok:
        return Outcome(status="refused", message="Not restarted, because its values were not written.")
    for other in plan.hosts:
        if other.group != own.group or other.wave is None or own.wave is None or other.wave >= own.wave:
            continue
        earlier = run.outcome(other.host, "restart")
        if earlier is None or not earlier.ok:
            return Outcome(
                status="refused", message=f"Not restarted, because the restart of {other.host} in its pool failed."
            )
    return None
