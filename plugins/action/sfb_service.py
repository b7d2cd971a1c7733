# Copyright (c) 2026, the sfb.kb4023993 contributors
# GNU General Public License v3.0-or-later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Restarts the Web Conferencing service of one Front End where a change asks for it, and waits until it really runs."""

from __future__ import annotations

import typing as t

from ansible.errors import AnsibleActionFail

from ..plugin_utils.facts import single_host
from ..plugin_utils.files import new_run_id
from ..plugin_utils.host.session import Session
from ..plugin_utils.reading import read_or_fail
from ..plugin_utils.records import SERVICE
from ..plugin_utils.restart_service import restart_service
from ..plugin_utils.rules.restart import recorded_restart_is_pending
from ..plugin_utils.task import Result, SfbAction, controller_now


class ActionModule(SfbAction):
    SPEC: t.ClassVar[dict[str, t.Any]] = {
        "force": {"type": "bool", "default": False},
        "timeout": {"type": "int", "default": 300},
    }

    def perform(self, arguments: dict[str, t.Any], task_vars: dict[str, t.Any]) -> Result:
        host = str(task_vars["inventory_hostname"])
        if self.check_mode:
            view, _fleet = single_host(read_or_fail(self, task_vars, sections=("records",)))
            if view.role.role != "front_end":
                raise AnsibleActionFail(f"{host}: there is no service {SERVICE} on this server.")
            pending = recorded_restart_is_pending(view)
            return {"changed": pending or arguments["force"], "pending": pending}
        outcome = restart_service(
            Session(self, host=host),
            run_id=new_run_id(controller_now()),
            timeout_seconds=arguments["timeout"],
            only_if_recorded=not arguments["force"],
        )
        if not outcome.ok:
            raise AnsibleActionFail(f"{host}: {outcome.message}")
        return {"changed": outcome.status == "changed", "msg": outcome.message}
