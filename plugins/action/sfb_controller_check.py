# Copyright (c) 2026, the sfb.kb4023993 contributors
# GNU General Public License v3.0-or-later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Says what is missing or misconfigured between the controller and the hosts: first contact with each, then all of it as a report."""

from __future__ import annotations

import json
import typing as t

from ansible.utils.display import Display
from ansible.utils.vars import load_extra_vars

from ..plugin_utils.controller_check.check import CONTROLLER, failed, ok
from ..plugin_utils.controller_check.contact import contact
from ..plugin_utils.controller_check.fleet import Signing
from ..plugin_utils.controller_check.gather import (
    all_checks,
    contact_of,
    controller_checks,
    hosts_of,
    result_of,
    state_directory,
)
from ..plugin_utils.controller_check.report import counts, failing, text
from ..plugin_utils.controller_check.way import way_of
from ..plugin_utils.files import write_files
from ..plugin_utils.task import Result, SfbAction, controller_now, offline_days


class ActionModule(SfbAction):
    # Whether it is there is one of the questions.
    NEEDS_CRYPTOGRAPHY: t.ClassVar[bool] = False
    SPEC: t.ClassVar[dict[str, t.Any]] = {
        "stage": {"type": "str", "choices": ["contact", "report"], "default": "contact"},
        "contacts": {"type": "str", "default": "controller_check_contact"},
        "state_dir": {"type": "str", "default": ""},
        "report_dir": {"type": "str", "default": ""},
        "ca_host": {"type": "str", "default": ""},
        "strategy": {"type": "str", "choices": ["override", "certificates", "auto"], "default": "override"},
    }

    def perform(self, arguments: dict[str, t.Any], task_vars: dict[str, t.Any]) -> Result:
        return self._report(arguments, task_vars) if arguments["stage"] == "report" else self._contact(task_vars)

    def _contact(self, task_vars: dict[str, t.Any]) -> Result:
        host = str(task_vars["inventory_hostname"])
        if offline_days(task_vars) is not None:
            return result_of([ok("CONTACT-LEFT-OUT", (host,), "Read by hand, so no connection is made.")], None)
        try:
            way = way_of(self._connection, task_vars["hostvars"][host])
        except ValueError as error:
            return result_of([failed("CONNECTION", (host,), str(error), "Correct its value.")], None)
        return result_of(contact(self, host, way, now=controller_now), way)

    def _report(self, arguments: dict[str, t.Any], task_vars: dict[str, t.Any]) -> Result:
        hostvars, name = task_vars["hostvars"], arguments["contacts"]
        in_play: list[str] = list(task_vars["ansible_play_hosts_all"])
        contacts = {host: contact_of(host, hostvars[host].get(name)) for host in in_play}
        extra = frozenset(load_extra_vars(self._loader))
        hosts, problems = hosts_of(hostvars, contacts, task_vars["groups"]["all"], extra=extra)
        more = (*controller_checks(state_directory(arguments["state_dir"], task_vars)), *problems)
        signing = Signing(ca_host=arguments["ca_host"], certificates=arguments["strategy"] != "override")
        checks = all_checks(hosts, contacts, more, signing, extra=extra)
        found = [{**vars(check), "where": list(check.where)} for check in checks]
        shown = text(checks, hosts=len(in_play))
        data = json.dumps({"counts": counts(checks), "checks": found}, indent=2) + "\n"
        files = write_files(arguments["report_dir"], {"controller_check.txt": shown, "controller_check.json": data})
        Display().display("\n" + shown + "".join(f"{path}\n" for path in files))
        failed_hosts = failing(checks, in_play, controller=CONTROLLER)
        return {"changed": False, "checks": found, "counts": counts(checks), "failing": failed_hosts, "files": files}
