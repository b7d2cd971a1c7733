# Copyright (c) 2026, the sfb.kb4023993 contributors
# GNU General Public License v3.0-or-later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Facts of one host: .NET, the updates that brought the EKU check, and whether it is in force."""

from __future__ import annotations

import typing as t

from ..plugin_utils.facts import dotnet_facts
from ..plugin_utils.reading import read_or_fail
from ..plugin_utils.task import Result, SfbAction


class ActionModule(SfbAction):
    SPEC: t.ClassVar[dict[str, t.Any]] = {}

    def perform(self, arguments: dict[str, t.Any], task_vars: dict[str, t.Any]) -> Result:
        del arguments
        evidence = read_or_fail(self, task_vars, sections=("dotnet", "opt_outs", "records"))
        return {"changed": False, "ansible_facts": {"sfb_dotnet_kb": dotnet_facts(evidence)}}
