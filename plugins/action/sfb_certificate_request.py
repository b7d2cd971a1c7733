# Copyright (c) 2026, the sfb.kb4023993 contributors
# GNU General Public License v3.0-or-later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Has certificate requests signed by a CA, and goes on with those that a CA already has."""

from __future__ import annotations

import typing as t

from ansible.errors import AnsibleActionFail

from ..plugin_utils.host.session import Session
from ..plugin_utils.signing.arguments import SPEC, method_of, policy_of, resolutions_of, wanted_of
from ..plugin_utils.signing.ca_host import SessionCaHost
from ..plugin_utils.signing.files import FilesMethod
from ..plugin_utils.signing.responses import SigningError
from ..plugin_utils.signing.work import Work, check_ca, outcome_facts, preview, sign_all, summary
from ..plugin_utils.task import Result, SfbAction, controller_now, progress


class ActionModule(SfbAction):
    SPEC: t.ClassVar[dict[str, t.Any]] = SPEC

    def perform(self, arguments: dict[str, t.Any], task_vars: dict[str, t.Any]) -> Result:
        host = str(self._task.delegate_to or task_vars["inventory_hostname"])
        if arguments["method"] == "certreq" and host == "localhost":
            raise AnsibleActionFail(
                "Method certreq asks the CA through a domain-joined Windows host: name it by sfb_kb4023993_ca_host (in the inventory), or "
                "choose another way by sfb_kb4023993_ca_method (web, files)."
            )
        try:
            method = method_of(arguments, lambda: SessionCaHost(Session(self, host=host, delegated=True), host=host))
            if arguments["preflight"]:
                problems = check_ca(method, policy_of(arguments))
                if problems:
                    raise SigningError(problems)
                return {"changed": False, "msg": f"{method.ca} can be asked.", "certificates": []}
            wanted, resolutions = wanted_of(arguments), resolutions_of(arguments)
            if self.check_mode:
                work = preview(
                    arguments["state_dir"], method, wanted=wanted, resolutions=resolutions, clock=controller_now
                )
            else:
                work = sign_all(
                    arguments["state_dir"],
                    method,
                    policy_of(arguments),
                    wanted=wanted,
                    resolutions=resolutions,
                    hold=arguments["hold"],
                    clock=controller_now,
                    report=progress,
                )
        except SigningError as error:
            raise AnsibleActionFail(str(error)) from None
        result: Result = {
            "changed": work.changed,
            "msg": summary(work),
            "certificates": [outcome_facts(outcome) for outcome in work.outcomes],
        }
        if isinstance(method, FilesMethod) and method.unusable:
            result["warnings"] = method.unusable
        if self.diff_mode:
            result["diff"] = _diff(work)
        if work.failures:
            result.update(failed=True, msg=" ".join([result["msg"], *work.failures]))
        return result


def _diff(work: Work) -> dict[str, str]:
    """The step of each certificate before and after."""
    before, after = "", ""
    for outcome in work.outcomes:
        old = work.before[outcome.record.id]
        before += f"{outcome.record.id}: {old.step if old else 'absent'}\n"
        after += f"{outcome.record.id}: {outcome.record.step}\n"
    return {"before": before, "after": after}
