# Copyright (c) 2026, the sfb.kb4023993 contributors
# GNU General Public License v3.0-or-later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Documentation of sfb_run; the code is the action plugin of the same name."""

from __future__ import annotations

DOCUMENTATION = r"""
---
module: sfb_run
short_description: Begin a run over a fleet
version_added: 0.1.0
description:
  - Gives a run its name and checks that its state directory on the controller can be written, before any server is asked.
  - The other steps of a run are M(sfb.kb4023993.sfb_facts) with O(sfb.kb4023993.sfb_facts#module:run), M(sfb.kb4023993.sfb_evaluate),
    M(sfb.kb4023993.sfb_apply) and M(sfb.kb4023993.sfb_report). The playbooks of this collection put them together; use the modules
    only to build a playbook of your own.
options:
  state_dir:
    description:
      - The directory on the controller that keeps evidence, plans and reports. It is created for its owner alone if need be.
      - When empty, it is C(sfb_kb4023993) below C($XDG_STATE_HOME), by default below C(~/.local/state). In a job of AWX or the
        automation controller, whose container does not outlive the job, it is a temporary directory instead, with a warning.
    type: str
    default: ''
  waivers:
    description:
      - A file of waivers (YAML) for the report of the run. It is read and checked here, once, and kept with the run. Anything wrong in
        it is an error, also a host that is not in the inventory. When empty there are none.
    type: str
    default: ''
  reads:
    description:
      - Whether the hosts of this play are read next. It is noted, so that later reports from saved evidence know whom the run has missed if
        it is killed.
    type: bool
    default: false
seealso:
  - module: sfb.kb4023993.sfb_facts
  - module: sfb.kb4023993.sfb_evaluate
  - module: sfb.kb4023993.sfb_apply
  - module: sfb.kb4023993.sfb_report
author:
  - sfb.kb4023993 contributors (!UNKNOWN)
attributes:
  idempotent:
    description: When run twice in a row outside check mode, with the same arguments, the second invocation changes nothing.
    support: partial
    details:
      - Every call begins a new run with a name of its own. Nothing else changes.
extends_documentation_fragment:
  - sfb.kb4023993.controller
  - ansible.builtin.action_common_attributes
  - ansible.builtin.action_common_attributes.actiongroups
  - ansible.builtin.action_common_attributes.conn
  - ansible.builtin.action_common_attributes.flow
"""

EXAMPLES = r"""
---
# The audit as a playbook of your own: begin, read, ask the Front Ends about their peers, judge, report.
- name: Audit the fleet
  hosts: all
  gather_facts: false
  strategy: ansible.builtin.linear
  tasks:
    - name: Begin
      sfb.kb4023993.sfb_run:
        state_dir: "{{ playbook_dir }}/state"
      run_once: true
      register: run

    - name: Read the servers
      sfb.kb4023993.sfb_facts:
        run:
          state_dir: "{{ run.state_dir }}"
          run_id: "{{ run.run_id }}"

    - name: Find out what to ask the Front Ends about their peers
      sfb.kb4023993.sfb_evaluate:
        state_dir: "{{ run.state_dir }}"
        run_id: "{{ run.run_id }}"
        hosts: "{{ groups.all }}"
        stage: peers
      run_once: true
      register: questions

    - name: Ask the Front Ends about their peers
      sfb.kb4023993.sfb_facts:
        run:
          state_dir: "{{ run.state_dir }}"
          run_id: "{{ run.run_id }}"
          peers: true
      when: inventory_hostname in questions.hosts

    - name: Judge the fleet
      sfb.kb4023993.sfb_evaluate:
        state_dir: "{{ run.state_dir }}"
        run_id: "{{ run.run_id }}"
        hosts: "{{ groups.all }}"
      run_once: true

    - name: Report
      sfb.kb4023993.sfb_report:
        state_dir: "{{ run.state_dir }}"
        run_id: "{{ run.run_id }}"
      run_once: true
"""

RETURN = r"""
---
run_id:
  description: The name of the run, to be given to its other steps. It begins with the time in UTC.
  type: str
  returned: success
  sample: 20261122T195033Z-cb7819
state_dir:
  description: The state directory, absolute.
  type: str
  returned: success
  sample: /home/admin/.local/state/sfb_kb4023993
temporary:
  description: Whether the state directory ends with the run.
  type: bool
  returned: success
  sample: false
waivers:
  description: How many waivers the run has.
  type: int
  returned: with O(waivers), if there are any
  sample: 3
"""
