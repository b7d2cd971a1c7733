# Copyright (c) 2026, the sfb.kb4023993 contributors
# GNU General Public License v3.0-or-later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Prepares a run over a fleet: its id and its state directory, checked before any server is asked."""

from __future__ import annotations

import pathlib
import typing as t

from ..plugin_utils.files import (
    check_state_directory,
    default_state_directory,
    new_run_id,
    temporary_state_directory,
)
from ..plugin_utils.history import read_waivers
from ..plugin_utils.run import Run
from ..plugin_utils.task import Result, SfbAction, controller_now


class ActionModule(SfbAction):
    SPEC: t.ClassVar[dict[str, t.Any]] = {
        "state_dir": {"type": "str", "default": ""},
        "waivers": {"type": "str", "default": ""},
        "reads": {"type": "bool", "default": False},
    }

    def perform(self, arguments: dict[str, t.Any], task_vars: dict[str, t.Any]) -> Result:
        wanted: str = arguments["state_dir"]
        # Before anything is made that would have to be removed again.
        waivers = read_waivers(arguments["waivers"], task_vars["groups"]["all"]) if arguments["waivers"] else ()
        on_awx = "awx_job_id" in task_vars or "tower_job_id" in task_vars
        result: Result = {"changed": False, "run_id": new_run_id(controller_now()), "temporary": False}
        if wanted:
            directory = pathlib.Path(wanted).expanduser().absolute()
        elif on_awx:
            # The container of a job is thrown away, so a default below its home would only look as if it kept something.
            directory = temporary_state_directory()
            result["temporary"] = True
            result["warnings"] = [
                "sfb_kb4023993_state_dir is not set, so nothing outlives this job: no saved evidence for runs with a limit, no "
                "proof over time that an opt-out is in effect, no plan and no report files. Mount a path into the execution "
                "environment and name it there."
            ]
        else:
            directory = default_state_directory()
        check_state_directory(directory)
        run = Run(str(directory), result["run_id"])
        if arguments["reads"]:
            run.save_hosts(task_vars["ansible_play_hosts_all"])
        if waivers:
            run.save_waivers(waivers)
            result["waivers"] = len(waivers)
        return {**result, "state_dir": str(directory)}
