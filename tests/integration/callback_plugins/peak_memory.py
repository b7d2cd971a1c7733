# Copyright (c) 2026, the sfb.kb4023993 contributors
# GNU General Public License v3.0-or-later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Writes the memory that the largest worker of ansible-playbook had, in bytes, into the file that the variable SFB_PEAK_MEMORY names."""

from __future__ import annotations

import os
import resource
import typing as t
from pathlib import Path

from ansible.plugins.callback import CallbackBase

DOCUMENTATION = """
name: peak_memory
type: aggregate
short_description: Measure the workers
description:
  - Writes the memory of the largest worker into the file that C(SFB_PEAK_MEMORY) names.
"""


class CallbackModule(CallbackBase):
    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "aggregate"
    CALLBACK_NAME = "peak_memory"
    CALLBACK_NEEDS_ENABLED = True

    def v2_playbook_on_stats(self, stats: t.Any) -> None:
        del stats
        peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * 1024
        Path(os.environ["SFB_PEAK_MEMORY"]).write_text(str(peak), "utf-8")
