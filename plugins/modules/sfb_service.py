# Copyright (c) 2026, the sfb.kb4023993 contributors
# GNU General Public License v3.0-or-later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Documentation of sfb_service; the code is the action plugin of the same name."""

from __future__ import annotations

DOCUMENTATION = r"""
---
module: sfb_service
short_description: Restart Web Conferencing of a Front End where a change waits for it
version_added: 0.1.0
description:
  - Restarts the service C(RTCDATAMCU) of a Front End, if the record of this collection on the server says that a change waits for a
    restart, or with O(force=true) in any case. Waits until the service really runs again.
  - Stopping and starting are asked for in short batches, so that no connection has to bear a long wait. Services that depend on it
    and ran before are started again.
  - A restart is recorded on the server before it begins. If the run or the connection dies in between, the next run of this module or
    of a playbook finishes it.
  - A disabled service is never started; the task fails and says so.
  - Running whiteboards, polls and PowerPoint sharing on this Front End end. Restart one Front End of a pool at a time.
options:
  force:
    description: Restart even if no change waits for it. Every run restarts then.
    type: bool
    default: false
  timeout:
    description: Seconds until a service that does not stop or start counts as failed.
    type: int
    default: 300
seealso:
  - module: sfb.kb4023993.sfb_datamcu_eku_override
  - module: ansible.windows.win_service
author:
  - sfb.kb4023993 contributors (!UNKNOWN)
attributes:
  check_mode:
    support: full
  diff_mode:
    support: none
    details:
      - A restart has no before and after to show.
  idempotent:
    support: partial
    details:
      - Not with O(force=true).
extends_documentation_fragment:
  - sfb.kb4023993.server
  - ansible.builtin.action_common_attributes
  - ansible.builtin.action_common_attributes.actiongroups
  - ansible.builtin.action_common_attributes.conn
  - ansible.builtin.action_common_attributes.flow
"""

EXAMPLES = r"""
---
- name: Restart Web Conferencing where a change waits for it, one server after the other
  sfb.kb4023993.sfb_service:
  throttle: 1

- name: See whether a change waits for a restart
  sfb.kb4023993.sfb_service:
  check_mode: true
  register: service

- name: Restart in any case, and give up after a minute
  sfb.kb4023993.sfb_service:
    force: true
    timeout: 60
"""

RETURN = r"""
---
msg:
  description: What happened, in words.
  type: str
  returned: outside check mode
  sample: RTCDATAMCU was restarted and runs since 2026-11-22T19:50:21.447Z.
pending:
  description: Whether a change waits for a restart.
  type: bool
  returned: in check mode
  sample: true
"""
