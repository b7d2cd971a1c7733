# Copyright (c) 2026, the sfb.kb4023993 contributors
# GNU General Public License v3.0-or-later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Writes or removes the override on one Front End, with its record on the server. Restarts nothing."""

from __future__ import annotations

import typing as t

from ansible.errors import AnsibleActionFail

from ..plugin_utils.act import write_changes
from ..plugin_utils.facts import single_host
from ..plugin_utils.files import new_run_id
from ..plugin_utils.host.session import Session
from ..plugin_utils.host_plan import plan_override
from ..plugin_utils.plan import describe_changes
from ..plugin_utils.reading import read_or_fail
from ..plugin_utils.rules.opt_outs import override_path
from ..plugin_utils.task import Result, SfbAction, controller_now


class ActionModule(SfbAction):
    SPEC: t.ClassVar[dict[str, t.Any]] = {
        "state": {"type": "str", "choices": ["present", "absent"], "default": "present"}
    }

    def perform(self, arguments: dict[str, t.Any], task_vars: dict[str, t.Any]) -> Result:
        evidence = read_or_fail(self, task_vars, sections=("dotnet", "opt_outs", "records"))
        host = evidence.inventory_name
        view, _fleet = single_host(evidence)
        plan = plan_override(view, present=arguments["state"] == "present")
        if isinstance(plan, str):
            raise AnsibleActionFail(f"{host}: {plan}. Nothing was changed.")
        result: Result = {
            "changed": False,
            "product": view.role.product.name if view.role.product else None,
            "key": f"HKLM\\{override_path(view.role.clr or '')}",
            "value_name": view.role.executable,
            "restart_required": bool(plan and plan.restart),
        }
        if plan is None or not (plan.changes or plan.clear):
            return {**result, "msg": "Nothing had to be written."}
        if self.diff_mode:
            before, after = describe_changes(plan)
            result["diff"] = {"before": before, "after": after}
        if self.check_mode:
            return {**result, "changed": True, "msg": "Check mode: nothing was written."}
        outcome = write_changes(Session(self, host=host), plan, run_id=new_run_id(controller_now()))
        if not outcome.ok:
            raise AnsibleActionFail(f"{host}: {outcome.message}")
        return {**result, "changed": outcome.status == "changed", "msg": outcome.message}
