# Copyright (c) 2026, the sfb.kb4023993 contributors
# GNU General Public License v3.0-or-later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Carries out one server's part of workaround 1 in a run: request, trust, import, installation, or the way back."""

from __future__ import annotations

import typing as t

from ..plugin_utils import run_lock
from ..plugin_utils.certificate_steps.limits import limits_of
from ..plugin_utils.certificate_work import Work, WorkStep, export, preview, work_on
from ..plugin_utils.host.session import Session
from ..plugin_utils.task import Result, SfbAction, other_runs, progress

_SECONDS = {"type": "int"}


class ActionModule(SfbAction):
    SPEC: t.ClassVar[dict[str, t.Any]] = {
        "state_dir": {"type": "path", "required": True},
        "run_id": {"type": "str", "required": True},
        "step": {
            "type": "str",
            "required": True,
            "choices": list(t.get_args(WorkStep)),
        },
        "wave": {"type": "int", "default": 0},
        "key_size": {"type": "int", "default": 2048},
        "shared": {"type": "dict", "no_log": True},
        "poll_interval": {**_SECONDS, "default": 5},
        "gate_pause": {**_SECONDS, "default": 600},
        "drain_timeout": {**_SECONDS, "default": 900},
        "services_timeout": {**_SECONDS, "default": 2400},
        "take_over": {"type": "bool", "default": False},
    }

    def perform(self, arguments: dict[str, t.Any], task_vars: dict[str, t.Any]) -> Result:
        host, step = str(task_vars["inventory_hostname"]), arguments["step"]
        work = Work(
            state_dir=arguments["state_dir"],
            run_id=arguments["run_id"],
            host=host,
            step=step,
            wave=arguments["wave"],
            key_size=arguments["key_size"],
            limits=limits_of(arguments),
            others=other_runs(arguments["state_dir"], take_over=arguments["take_over"]),
        )
        if self.check_mode:
            return preview(work)
        run_lock.sign_of_life(arguments["state_dir"])
        if step == "export":
            return {"changed": False, "shared": export(work, Session(self, host=host))}
        outcome = work_on(work, lambda: Session(self, host=host), shared=arguments["shared"])
        if outcome is None:
            return {"changed": False, "skipped": True, "skip_reason": "The run has nothing for this host in this step."}
        if outcome.status != "unchanged" and step not in ("hand_over", "note"):
            progress(host, f"{outcome.status}: {outcome.message}")
        return {"changed": outcome.status == "changed", "status": outcome.status, "msg": outcome.message}
