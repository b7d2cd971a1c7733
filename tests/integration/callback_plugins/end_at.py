# Copyright (c) 2026, the sfb.kb4023993 contributors
# GNU General Public License v3.0-or-later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Ends ansible-playbook before the task that the environment variable SFB_END_AT names, as a lost machine would: no clean-up, no report."""

from __future__ import annotations

import os
import signal
import typing as t

from ansible.plugins.callback import CallbackBase

DOCUMENTATION = """
name: end_at
type: aggregate
short_description: Kill ansible-playbook before a task
description:
  - Kills its own process before the task that C(SFB_END_AT) names.
"""


class CallbackModule(CallbackBase):
    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "aggregate"
    CALLBACK_NAME = "end_at"
    CALLBACK_NEEDS_ENABLED = True

    def v2_playbook_on_task_start(self, task: t.Any, is_conditional: bool) -> None:
        del is_conditional
        if task.get_name().strip() == os.environ["SFB_END_AT"]:
            os.kill(os.getpid(), signal.SIGKILL)
