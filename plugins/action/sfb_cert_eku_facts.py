# Copyright (c) 2026, the sfb.kb4023993 contributors
# GNU General Public License v3.0-or-later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Facts of one host: certificates, their uses in the product and their clientAuth verdicts."""

from __future__ import annotations

import typing as t

from ..plugin_utils.facts import certificate_facts
from ..plugin_utils.reading import read_or_fail
from ..plugin_utils.task import Result, SfbAction, controller_now


class ActionModule(SfbAction):
    SPEC: t.ClassVar[dict[str, t.Any]] = {}

    def perform(self, arguments: dict[str, t.Any], task_vars: dict[str, t.Any]) -> Result:
        del arguments
        evidence = read_or_fail(self, task_vars, sections=("certificates", "lync"))
        return {"changed": False, "ansible_facts": {"sfb_cert_eku": certificate_facts(evidence, now=controller_now())}}
