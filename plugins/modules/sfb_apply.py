# Copyright (c) 2026, the sfb.kb4023993 contributors
# GNU General Public License v3.0-or-later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Documentation of sfb_apply; the code is the action plugin of the same name."""

from __future__ import annotations

DOCUMENTATION = r"""
---
module: sfb_apply
short_description: Carry out one step of the plan of a run on a server
version_added: 0.1.0
description:
  - Does on this host what the plan of the run says, for one step; V(write) (registry values), V(restart) (Web Conferencing) or V(release).
    A host that the plan does not name is skipped.
  - In front of everything else V(write) records on each server that is going to be restarted which run of which controller is at work in its
    pool, and until when at most. Where another run stands there, nothing is changed in that pool. The last server of a pool loses the claim
    with its restart, V(release) takes it from the others.
  - Every value is changed only if it is what the plan expects, and recorded on the server below C(HKLM\SOFTWARE\sfb.kb4023993) before
    it is changed. A server with another machine identity than the one that was read is refused.
  - A step that fails or is refused does not fail the task; RV(status) tells, later restarts of the same pool are refused, and the
    verification and the report of the run name it. Other pools go on.
options:
  plan_sha256:
    description:
      - The fingerprint of the plan, as M(sfb.kb4023993.sfb_evaluate) returned it. A plan file that was changed since is refused.
    type: str
    required: true
  step:
    description: The step to do. Write on all hosts first, then restart wave by wave, then release those that the plan names for it.
    type: str
    choices: [write, restart, release]
    required: true
  wave:
    description: For O(step=restart), the wave to restart, from 0. Hosts of other waves are skipped.
    type: int
    default: 0
  restart_timeout:
    description: Seconds until a service that does not stop or start counts as failed. For O(step=write), to say until when the run is at work.
    type: int
    default: 300
  take_over:
    description: For O(step=write), go on where another run says that it is at work. That run stops before its next change.
    type: bool
    default: false
seealso:
  - module: sfb.kb4023993.sfb_evaluate
  - module: sfb.kb4023993.sfb_report
  - module: sfb.kb4023993.sfb_datamcu_eku_override
  - module: sfb.kb4023993.sfb_service
author:
  - sfb.kb4023993 contributors (!UNKNOWN)
attributes:
  check_mode:
    support: full
    details:
      - Shows the plan of the host without asking the server.
  diff_mode:
    support: full
    details:
      - For O(step=write).
extends_documentation_fragment:
  - sfb.kb4023993.server
  - sfb.kb4023993.run
  - ansible.builtin.action_common_attributes
  - ansible.builtin.action_common_attributes.actiongroups
  - ansible.builtin.action_common_attributes.conn
  - ansible.builtin.action_common_attributes.flow
"""

EXAMPLES = r"""
---
# These follow tasks that began the run (registered as run), read the servers and made a plan (registered as planned), as in the
# examples of sfb.kb4023993.sfb_run and sfb.kb4023993.sfb_evaluate.
- name: Write the values
  sfb.kb4023993.sfb_apply:
    state_dir: "{{ run.state_dir }}"
    run_id: "{{ run.run_id }}"
    plan_sha256: "{{ judged.plan.sha256 }}"
    step: write

- name: Restart Web Conferencing on the first server of each pool
  sfb.kb4023993.sfb_apply:
    state_dir: "{{ run.state_dir }}"
    run_id: "{{ run.run_id }}"
    plan_sha256: "{{ judged.plan.sha256 }}"
    step: restart
    wave: 0
    restart_timeout: 120
  register: restarted
  failed_when: restarted.status | default('') in ['failed', 'refused']

# After the last wave.
- name: Let other runs work in these pools again
  sfb.kb4023993.sfb_apply:
    state_dir: "{{ run.state_dir }}"
    run_id: "{{ run.run_id }}"
    plan_sha256: "{{ judged.plan.sha256 }}"
    step: release
  when: inventory_hostname in judged.plan.release
"""

RETURN = r"""
---
status:
  description: V(changed), V(unchanged), V(refused) (it was not safe) or V(failed).
  type: str
  returned: outside check mode, when the plan has this host in this step
  sample: changed
msg:
  description: What happened, in words.
  type: str
  returned: outside check mode, when the plan has this host in this step
  sample: Turn the check off for DataMCUSvc.exe (absent -> REG_DWORD 0); RTCDATAMCU has to be restarted in wave 1.
diff:
  description: Values before and after, as text.
  type: dict
  returned: with O(step=write), in diff mode and in check mode
  contains:
    before:
      description: The values found.
      type: str
      returned: always
    after:
      description: The values to write.
      type: str
      returned: always
"""
