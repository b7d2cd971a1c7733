# Copyright (c) 2026, the sfb.kb4023993 contributors
# GNU General Public License v3.0-or-later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Carries out one host's part of the plan of a run: the registry values, the restart of its wave, or giving its pool back."""

from __future__ import annotations

import typing as t

from ..plugin_utils import run_lock
from ..plugin_utils.host.session import Session
from ..plugin_utils.plan import PlanError, describe_changes
from ..plugin_utils.plan_work import PlanWork, carry_out
from ..plugin_utils.run import Run, RunError
from ..plugin_utils.task import Result, SfbAction, controller_name, other_runs, progress


class ActionModule(SfbAction):
    SPEC: t.ClassVar[dict[str, t.Any]] = {
        "state_dir": {"type": "path", "required": True},
        "run_id": {"type": "str", "required": True},
        "plan_sha256": {"type": "str", "required": True},
        "step": {"type": "str", "choices": ["write", "restart", "release"], "required": True},
        "wave": {"type": "int", "default": 0},
        "restart_timeout": {"type": "int", "default": 300},
        "take_over": {"type": "bool", "default": False},
    }

    def perform(self, arguments: dict[str, t.Any], task_vars: dict[str, t.Any]) -> Result:
        run = Run(arguments["state_dir"], arguments["run_id"])
        host, step = str(task_vars["inventory_hostname"]), arguments["step"]
        found = run.plan(around=host)
        if found is None:
            raise RunError(f"There is no plan in {run.directory}. Run sfb_evaluate with a goal first.")
        if found[1] != arguments["plan_sha256"]:
            raise PlanError(f"{run.plan_path} was changed since it was made. Nothing was done; run the playbook again.")
        plan, own = found[0], found[0].host(host)
        nothing: Result = {
            "changed": False,
            "skipped": True,
            "skip_reason": "The plan has nothing for this host in this step.",
        }
        if own is None or (step == "restart" and own.wave != arguments["wave"]):
            return nothing
        if self.check_mode:
            before, after = describe_changes(own)
            return {"changed": step == "write", "diff": {"before": before, "after": after} if step == "write" else []}
        run_lock.sign_of_life(arguments["state_dir"])
        work = PlanWork(
            run=run,
            plan=plan,
            own=own,
            restart_timeout=arguments["restart_timeout"],
            controller=controller_name(),
            others=other_runs(arguments["state_dir"], take_over=arguments["take_over"]),
        )
        outcome = carry_out(work, step, lambda: Session(self, host=host))
        if outcome is None:
            return nothing
        progress(host, f"{outcome.status}: {outcome.message}")
        result: Result = {"changed": outcome.status == "changed", "status": outcome.status, "msg": outcome.message}
        if self.diff_mode and step == "write":
            before, after = describe_changes(own)
            result["diff"] = {"before": before, "after": after}
        return result
