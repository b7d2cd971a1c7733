# Copyright (c) 2026, the sfb.kb4023993 contributors
# GNU General Public License v3.0-or-later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Writes a folder for each server that is read by hand. Runs on the controller; no server is asked."""

from __future__ import annotations

import typing as t

from ..plugin_utils.offline.setting import chosen_hosts, setting_of
from ..plugin_utils.offline.work import write_kit
from ..plugin_utils.task import Result, SfbAction, progress


class ActionModule(SfbAction):
    SPEC: t.ClassVar[dict[str, t.Any]] = {
        "state_dir": {"type": "path", "required": True},
        "directory": {"type": "path", "required": True},
        "hosts": {"type": "list", "elements": "str", "required": True},
        "chosen": {"type": "list", "elements": "str"},
    }

    def perform(self, arguments: dict[str, t.Any], task_vars: dict[str, t.Any]) -> Result:
        setting = setting_of(arguments, task_vars)
        chosen = chosen_hosts(arguments, task_vars)
        kits = [write_kit(setting, host, preview=self.check_mode) for host in chosen]
        for kit in kits:
            progress(kit.host, f"{kit.folder} {'written' if kit.changed else 'is as it was'}; bring back {kit.result}")
        return {
            "changed": any(kit.changed for kit in kits),
            "kits": [
                {
                    "host": kit.host,
                    "folder": str(kit.folder),
                    "bring_back": kit.result,
                    "sums_sha256": kit.sums_sha256,
                    "changed": kit.changed,
                }
                for kit in kits
            ],
        }
