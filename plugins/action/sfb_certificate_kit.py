# Copyright (c) 2026, the sfb.kb4023993 contributors
# GNU General Public License v3.0-or-later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Takes the renewal of Edges by hand one step further. Runs on the controller; no server is asked."""

from __future__ import annotations

import typing as t

from ansible.errors import AnsibleActionFail

from ..plugin_utils.offline.certificate_work import CertificateWork
from ..plugin_utils.offline.setting import chosen_hosts, setting_of
from ..plugin_utils.signing.responses import SigningError
from ..plugin_utils.task import Result, SfbAction, progress


class ActionModule(SfbAction):
    SPEC: t.ClassVar[dict[str, t.Any]] = {
        "state_dir": {"type": "path", "required": True},
        "directory": {"type": "path", "required": True},
        "hosts": {"type": "list", "elements": "str", "required": True},
        "chosen": {"type": "list", "elements": "str"},
        "trusted_elsewhere": {"type": "list", "elements": "str", "default": []},
    }

    def perform(self, arguments: dict[str, t.Any], task_vars: dict[str, t.Any]) -> Result:
        setting = setting_of(arguments, task_vars)
        chosen = chosen_hosts(arguments, task_vars)
        try:
            work = CertificateWork(setting, arguments["hosts"], chosen, preview=self.check_mode)
            advanced = work.advance(trusted_elsewhere=arguments["trusted_elsewhere"])
        except SigningError as error:
            raise AnsibleActionFail(str(error)) from None
        for found in advanced:
            progress(found.host, f"{found.answer}: {found.message}")
        refused = [f"{found.host}: {found.message}" for found in advanced if found.answer == "refused"]
        result: Result = {
            "changed": any(found.changed for found in advanced),
            "msg": " ".join(refused) or "Every server has its next step.",
            "hosts": [{"host": f.host, "answer": f.answer, "message": f.message} for f in advanced],
        }
        if refused:
            result["failed"] = True
        return result
