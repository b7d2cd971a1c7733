# Copyright (c) 2026, the sfb.kb4023993 contributors
# GNU General Public License v3.0-or-later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The options that name a run over a fleet, and its files on the controller."""

from __future__ import annotations


class ModuleDocFragment:
    DOCUMENTATION = r"""
options:
  state_dir:
    description:
      - The state directory on the controller, as M(sfb.kb4023993.sfb_run) returned it (RV(sfb.kb4023993.sfb_run#module:state_dir)).
    type: path
    required: true
  run_id:
    description:
      - The name of the run, as M(sfb.kb4023993.sfb_run) returned it (RV(sfb.kb4023993.sfb_run#module:run_id)). Any other form is refused.
    type: str
    required: true
notes:
  - A step of the playbooks of this collection. Results of one step reach the next through files of the run below O(state_dir), not
    through variables, so that a large fleet stays fast. A run that stopped anywhere is started again from its first step.
"""
