# Copyright (c) 2026, the sfb.kb4023993 contributors
# GNU General Public License v3.0-or-later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Decides the next stage of workaround 1 for the fleet, by the files of a run. Runs on the controller, once a fleet."""

from __future__ import annotations

import typing as t

from ..plugin_utils.judging import judge, refuse_different_settings
from ..plugin_utils.renewal.replacements import RenewalPolicy
from ..plugin_utils.renewal_flow import Flow, refusals_by_host
from ..plugin_utils.run import Run
from ..plugin_utils.task import (
    PREFIX,
    Result,
    SfbAction,
    collection_version,
    controller_now,
    fleet_hosts,
    progress,
)
from ..plugin_utils.words import counted


class ActionModule(SfbAction):
    ENDS_RUN = True
    SPEC: t.ClassVar[dict[str, t.Any]] = {
        "state_dir": {"type": "path", "required": True},
        "run_id": {"type": "str", "required": True},
        "hosts": {"type": "list", "elements": "str", "required": True},
        "stage": {
            "type": "str",
            "required": True,
            "choices": ["plan", "requested", "trust", "trusted", "waves", "put_back", "results"],
        },
        "reading": {"type": "str", "choices": ["before", "after"], "default": "before"},
        "trusted_elsewhere": {"type": "list", "elements": "str", "default": []},
        "sign_failure": {"type": "str", "default": ""},
    }

    def perform(self, arguments: dict[str, t.Any], task_vars: dict[str, t.Any]) -> Result:
        run = Run(arguments["state_dir"], arguments["run_id"])
        hosts = fleet_hosts(arguments["hosts"], task_vars)
        refuse_different_settings(hosts, task_vars["hostvars"], prefix=PREFIX)
        now = controller_now()
        assessment = judge(run, hosts, arguments["reading"], now=now, version=collection_version())
        flow = Flow(run=run, state_dir=arguments["state_dir"], assessment=assessment, now=now)
        stage: t.Callable[[Flow, dict[str, t.Any]], Result] = getattr(self, f"_{arguments['stage']}")
        return {"changed": False, **stage(flow, arguments)}

    def _plan(self, flow: Flow, arguments: dict[str, t.Any]) -> Result:
        policy = RenewalPolicy(hosts_trusted_elsewhere=tuple(arguments["trusted_elsewhere"]))
        plan = flow.plan(policy, write=not self.check_mode)
        todo = [chosen.servers[0] for chosen in plan.replacements if chosen.step == "planned"]
        progress(
            "plan",
            f"{counted(len(plan.replacements), 'certificate')} to replace, {counted(len(todo), 'request')} to make",
        )
        for refusal in plan.refused:
            progress(refusal.host, f"refused: {refusal.reason}")
        return {
            "requests": todo,
            "certificates": {chosen.id: chosen.step for chosen in plan.replacements},
            "refused": refusals_by_host(plan.refused),
        }

    def _requested(self, flow: Flow, arguments: dict[str, t.Any]) -> Result:
        del arguments
        return {"hand_in": [] if self.check_mode else flow.requested(), "led": _led(flow)}

    def _trust(self, flow: Flow, arguments: dict[str, t.Any]) -> Result:
        del arguments
        return {"ask": flow.ask_trust()}

    def _trusted(self, flow: Flow, arguments: dict[str, t.Any]) -> Result:
        judgement = flow.judge_trust(trusted_elsewhere=arguments["trusted_elsewhere"])
        return {"install": sorted(host for host, missing in judgement.install.items() if missing)}

    def _waves(self, flow: Flow, arguments: dict[str, t.Any]) -> Result:
        judgement = flow.judge_trust(trusted_elsewhere=arguments["trusted_elsewhere"])
        for problem in judgement.problems:
            progress(problem.host, f"does not accept the new chain: {problem.text}")
        number = flow.waves(judgement)
        planned = flow.renewal.installations()
        targets = planned.hosts if planned else ()
        shared = sorted({target.record_id for target in targets if not target.lead})
        records = flow.records()
        return {
            "waves": number,
            "hosts": [target.host for target in targets],
            "leads": sorted({records[target.record_id].servers[0] for target in targets}),
            "sharing": {
                name: records[target.record_id].servers[0]
                for target in targets
                if not target.lead
                for name in [target.host]
            },
            "shared_from": sorted({records[name].servers[0] for name in shared}),
        }

    def _put_back(self, flow: Flow, arguments: dict[str, t.Any]) -> Result:
        del arguments
        number = flow.put_back()
        planned = flow.renewal.installations()
        return {"waves": number, "hosts": [target.host for target in planned.hosts] if planned else []}

    def _results(self, flow: Flow, arguments: dict[str, t.Any]) -> Result:
        results = flow.results(sign_failure=arguments["sign_failure"])
        return {"waiting": list(results.waiting), "refused": refusals_by_host(results.refused)}


def _led(flow: Flow) -> list[str]:
    """The servers that hold the record of a request."""
    return sorted({record.servers[0] for record in flow.records().values() if record.csr})
