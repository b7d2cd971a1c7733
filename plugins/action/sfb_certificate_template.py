# Copyright (c) 2026, the sfb.kb4023993 contributors
# GNU General Public License v3.0-or-later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Duplicates and publishes the certificate template of workaround 1 over LDAP. Touches no host of the play."""

from __future__ import annotations

import typing as t

from ansible.errors import AnsibleActionFail

from ..plugin_utils.directory.ldap import Server
from ..plugin_utils.directory.template import Wanted
from ..plugin_utils.directory.template_state import Request
from ..plugin_utils.directory.template_task import Mode, TemplateTaskError, run
from ..plugin_utils.task import Result, SfbAction


class ActionModule(SfbAction):
    SPEC: t.ClassVar[dict[str, t.Any]] = {
        "name": {"type": "str", "required": True},
        "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
        "display_name": {"type": "str"},
        "source": {"type": "str", "default": "WebServer"},
        "enrol_group": {"type": "str"},
        "manager_approval": {"type": "bool", "default": True},
        "exportable_key": {"type": "bool", "default": False},
        "validity_days": {"type": "int"},
        "renewal_overlap_days": {"type": "int"},
        "publish_on": {"type": "list", "elements": "str", "default": []},
        "unpublish_on": {"type": "list", "elements": "str", "default": []},
        "accept_that_wide_groups_can_impersonate_anybody": {"type": "bool", "default": False},
        "server": {"type": "str"},
        "tls": {"type": "bool", "default": True},
        "port": {"type": "int"},
        "ca_file": {"type": "path"},
        "auth": {"type": "str", "choices": ["simple", "ntlm", "kerberos"], "default": "simple"},
        "user": {"type": "str"},
        "password": {"type": "str", "no_log": True},
        "timeout": {"type": "int", "default": 30},
    }

    def perform(self, arguments: dict[str, t.Any], task_vars: dict[str, t.Any]) -> Result:
        del task_vars
        try:
            return run(_request(arguments), _server(arguments), Mode(check=self.check_mode, diff=self.diff_mode))
        except TemplateTaskError as error:
            raise AnsibleActionFail(str(error), result=error.result) from None


def _request(arguments: dict[str, t.Any]) -> Request:
    return Request(
        wanted=Wanted(
            name=arguments["name"],
            display_name=arguments["display_name"],
            manager_approval=arguments["manager_approval"],
            exportable_key=arguments["exportable_key"],
            validity_days=arguments["validity_days"],
            renewal_overlap_days=arguments["renewal_overlap_days"],
        ),
        present=arguments["state"] == "present",
        source=arguments["source"],
        enrol_group=arguments["enrol_group"] or "",
        publish_on=tuple(arguments["publish_on"]),
        unpublish_on=tuple(arguments["unpublish_on"]),
        accept_wide=arguments["accept_that_wide_groups_can_impersonate_anybody"],
    )


def _server(arguments: dict[str, t.Any]) -> Server | None:
    if not arguments["server"]:
        return None
    return Server(
        host=arguments["server"],
        method=arguments["auth"],
        user=arguments["user"] or "",
        password=arguments["password"] or "",
        tls=arguments["tls"],
        port=arguments["port"],
        ca_file=arguments["ca_file"],
        timeout=arguments["timeout"],
    )
