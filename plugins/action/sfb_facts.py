# Copyright (c) 2026, the sfb.kb4023993 contributors
# GNU General Public License v3.0-or-later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Reads one host: all sections in one trip, or its opinion of its peers in a second one."""

from __future__ import annotations

import pathlib
import typing as t

from ..plugin_utils.facts import host_facts
from ..plugin_utils.reading import ask_about_peers, read_for_run, read_or_fail
from ..plugin_utils.run import Run
from ..plugin_utils.sections import SECTIONS
from ..plugin_utils.task import Result, SfbAction, controller_now


class ActionModule(SfbAction):
    SPEC: t.ClassVar[dict[str, t.Any]] = {
        "gather_subset": {"type": "list", "elements": "str", "choices": list(SECTIONS), "default": list(SECTIONS)},
        "evidence_dir": {"type": "path"},
        "run": {
            "type": "dict",
            "options": {
                "state_dir": {"type": "path", "required": True},
                "run_id": {"type": "str", "required": True},
                "reading": {"type": "str", "choices": ["before", "after"], "default": "before"},
                "peers": {"type": "bool", "default": False},
            },
        },
    }

    def perform(self, arguments: dict[str, t.Any], task_vars: dict[str, t.Any]) -> Result:
        sections = arguments["gather_subset"]
        if arguments["run"]:
            return self._part_of_run(arguments["run"], sections, task_vars)
        directory = pathlib.Path(arguments["evidence_dir"]) if arguments["evidence_dir"] else None
        evidence = read_or_fail(self, task_vars, sections=sections, evidence_dir=directory)
        return {"changed": False, "ansible_facts": {"sfb_kb4023993": host_facts(evidence, now=controller_now())}}

    def _part_of_run(self, place: dict[str, t.Any], sections: list[str], task_vars: dict[str, t.Any]) -> Result:
        run = Run(place["state_dir"], place["run_id"])
        if place["peers"]:
            return {"changed": False, "asked": ask_about_peers(self, task_vars, run, place["reading"])}
        evidence = read_for_run(self, task_vars, run, place["reading"], sections=sections)
        # The play goes on with a host that could not be read: the report has to name it.
        return {"changed": False, "readable": evidence.failure is None}
