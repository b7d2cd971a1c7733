# Copyright (c) 2026, the sfb.kb4023993 contributors
# GNU General Public License v3.0-or-later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Compares two judgements of a fleet. Runs on the controller, once a fleet; asks no server."""

from __future__ import annotations

import typing as t

from ansible.utils.display import Display

from ..plugin_utils.codec import encode
from ..plugin_utils.compare import compare
from ..plugin_utils.files import default_state_directory, write_files
from ..plugin_utils.history import two_judgements
from ..plugin_utils.report.sections import comparison_forms
from ..plugin_utils.task import Result, SfbAction


class ActionModule(SfbAction):
    SPEC: t.ClassVar[dict[str, t.Any]] = {
        "state_dir": {"type": "str", "default": ""},
        "earlier": {"type": "str", "default": ""},
        "later": {"type": "str", "default": ""},
        "report_dir": {"type": "str", "default": ""},
    }

    def perform(self, arguments: dict[str, t.Any], task_vars: dict[str, t.Any]) -> Result:
        del task_vars
        state_dir = arguments["state_dir"] or str(default_state_directory())
        earlier, later = two_judgements(arguments["earlier"], arguments["later"], state_dir=state_dir)
        comparison = compare(earlier, later)
        forms = comparison_forms(comparison)
        files = write_files(arguments["report_dir"], forms)
        Display().display("\n" + forms["compare.txt"] + "".join(f"{path}\n" for path in files))
        return {
            "changed": False,
            "counts": comparison.counts,
            "regressions": encode(comparison.regressions),
            "files": files,
        }
