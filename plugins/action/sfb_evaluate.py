# Copyright (c) 2026, the sfb.kb4023993 contributors
# GNU General Public License v3.0-or-later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Judges the hosts of a run from their evidence, and plans changes. Runs on the controller, once a fleet."""

from __future__ import annotations

import typing as t

from ..plugin_utils.host_plan import Goal, Policy
from ..plugin_utils.judging import (
    Hosts,
    check_results,
    find_questions,
    judge,
    judge_saved,
    plan_changes,
    plan_facts,
    refuse_unfit_run,
)
from ..plugin_utils.report.document import verdict_counts
from ..plugin_utils.run import Run
from ..plugin_utils.task import (
    PREFIX,
    Result,
    SfbAction,
    collection_version,
    controller_now,
    fleet_hosts,
    hold_for_changes,
    other_runs,
    progress,
)
from ..plugin_utils.words import counted


class ActionModule(SfbAction):
    ENDS_RUN = True
    SPEC: t.ClassVar[dict[str, t.Any]] = {
        "state_dir": {"type": "path", "required": True},
        "run_id": {"type": "str", "required": True},
        "hosts": {"type": "list", "elements": "str", "required": True},
        "reading": {"type": "str", "choices": ["before", "after"], "default": "before"},
        "stage": {"type": "str", "choices": ["peers", "judge", "saved"], "default": "judge"},
        "merge_state_dirs": {"type": "list", "elements": "path", "default": []},
        "goal": {"type": "str", "choices": list(t.get_args(Goal))},
        "restart": {"type": "str", "choices": ["now", "later"], "default": "now"},
        "override_latent": {"type": "bool", "default": False},
        "quiet_minutes": {"type": "int", "default": 25},
        "plan": {"type": "path"},
        "plan_sha256": {"type": "str", "default": ""},
        "take_over": {"type": "bool", "default": False},
    }

    def perform(self, arguments: dict[str, t.Any], task_vars: dict[str, t.Any]) -> Result:
        run = Run(arguments["state_dir"], arguments["run_id"])
        hosts = fleet_hosts(arguments["hosts"], task_vars)
        reading = arguments["reading"]
        if arguments["goal"]:
            refuse_unfit_run(hosts, prefix=PREFIX)
        if arguments["stage"] == "peers":
            return {"changed": False, "hosts": find_questions(run, hosts, reading)}
        if arguments["stage"] == "saved":
            # A survey of AWX that nobody answered gives an empty text, which is a list of one empty name.
            return self._saved(run, hosts, [place for place in arguments["merge_state_dirs"] if place])
        assessment = judge(run, hosts, reading, now=controller_now(), version=collection_version())
        result: Result = {"changed": False, "counts": verdict_counts(assessment.judgement)}
        if reading == "after":
            found = run.plan()
            if found:
                check_results(run, found[0], assessment)
        elif arguments["goal"]:
            settings = ("goal", "restart", "override_latent", "quiet_minutes")
            policy = Policy(**{name: arguments[name] for name in settings})
            approved = (arguments["plan"], arguments["plan_sha256"]) if arguments["plan"] else None
            others = other_runs(arguments["state_dir"], take_over=arguments["take_over"])
            plan, sha256 = plan_changes(run, assessment, policy, approved=approved, others=others)
            if plan.hosts and not self.check_mode:
                hold_for_changes(run, arguments["state_dir"])
            servers, waves = counted(len(plan.hosts), "server"), counted(plan.waves, "wave")
            progress("plan", f"{servers} to change, {waves} of restarts")
            result["plan"] = {"path": str(run.plan_path), "sha256": sha256, **plan_facts(plan)}
            result.update({"warnings": list(plan.warnings)} if plan.warnings else {})
        return result

    def _saved(self, run: Run, hosts: Hosts, state_dirs: list[str]) -> Result:
        assessment, conflicts = judge_saved(run, hosts, state_dirs, now=controller_now(), version=collection_version())
        for host, reason in conflicts.items():
            progress(host, reason)
        return {"changed": False, "counts": verdict_counts(assessment.judgement), "conflicts": conflicts}
