# Copyright (c) 2026, the sfb.kb4023993 contributors
# GNU General Public License v3.0-or-later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Decides the next stage of workaround 1 for the fleet, by the files of a run. Runs on the controller, once a fleet."""

from __future__ import annotations

import typing as t

from ..plugin_utils.judging import judge, refuse_unfit_run
from ..plugin_utils.renewal_flow import Flow
from ..plugin_utils.renewal_stages import STAGES
from ..plugin_utils.run import Run
from ..plugin_utils.task import (
    PREFIX,
    Result,
    SfbAction,
    collection_version,
    controller_now,
    fleet_hosts,
    hold_for_changes,
    progress,
)


class ActionModule(SfbAction):
    ENDS_RUN = True
    SPEC: t.ClassVar[dict[str, t.Any]] = {
        "state_dir": {"type": "path", "required": True},
        "run_id": {"type": "str", "required": True},
        "hosts": {"type": "list", "elements": "str", "required": True},
        "stage": {
            "type": "str",
            "required": True,
            "choices": list(STAGES),
        },
        "reading": {"type": "str", "choices": ["before", "after"], "default": "before"},
        "request_again": {"type": "list", "elements": "str", "default": []},
        "trusted_elsewhere": {"type": "list", "elements": "str", "default": []},
        "sign_failure": {"type": "str", "default": ""},
    }

    def perform(self, arguments: dict[str, t.Any], task_vars: dict[str, t.Any]) -> Result:
        run = Run(arguments["state_dir"], arguments["run_id"])
        hosts = fleet_hosts(arguments["hosts"], task_vars)
        refuse_unfit_run(hosts, prefix=PREFIX)
        if not self.check_mode:
            hold_for_changes(run, arguments["state_dir"])
        now = controller_now()
        assessment = judge(run, hosts, arguments["reading"], now=now, version=collection_version())
        flow = Flow(run=run, state_dir=arguments["state_dir"], assessment=assessment, now=now)
        stage = STAGES[arguments["stage"]](flow, arguments, preview=self.check_mode)
        for host, text in stage.lines:
            progress(host, text)
        warnings = {"warnings": list(stage.warnings)} if stage.warnings else {}
        return {"changed": False, **warnings, **stage.result}
