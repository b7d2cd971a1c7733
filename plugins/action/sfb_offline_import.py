# Copyright (c) 2026, the sfb.kb4023993 contributors
# GNU General Public License v3.0-or-later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Takes up what servers that are read by hand answered. Runs on the controller; no server is asked."""

from __future__ import annotations

import typing as t

from ..plugin_utils.offline.setting import setting_of
from ..plugin_utils.offline.work import take_up
from ..plugin_utils.task import Result, SfbAction, progress
from ..plugin_utils.words import counted


class ActionModule(SfbAction):
    SPEC: t.ClassVar[dict[str, t.Any]] = {
        "state_dir": {"type": "path", "required": True},
        "directory": {"type": "path", "required": True},
        "hosts": {"type": "list", "elements": "str", "required": True},
    }

    def perform(self, arguments: dict[str, t.Any], task_vars: dict[str, t.Any]) -> Result:
        setting = setting_of(arguments, task_vars)
        taken = take_up(setting, sorted(set(arguments["hosts"])), preview=self.check_mode)
        for found in taken:
            progress(found.host, f"{found.answer}: {found.message}")
        refused = [f"{found.host}: {found.message}" for found in taken if found.answer == "refused"]
        number = sum(found.answer == "imported" for found in taken)
        result: Result = {
            "changed": number > 0,
            "msg": " ".join([f"Evidence of {counted(number, 'server')} imported.", *refused]),
            "hosts": [{"host": found.host, "answer": found.answer, "message": found.message} for found in taken],
        }
        notes = [f"{found.host}: {found.note}" for found in taken if found.note]
        if notes:
            result["warnings"] = notes
        if refused:
            # What could be imported was; the others must not look as if they had been.
            result["failed"] = True
        return result
