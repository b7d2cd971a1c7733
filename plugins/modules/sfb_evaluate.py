# Copyright (c) 2026, the sfb.kb4023993 contributors
# GNU General Public License v3.0-or-later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Documentation of sfb_evaluate; the code is the action plugin of the same name."""

from __future__ import annotations

DOCUMENTATION = r"""
---
module: sfb_evaluate
short_description: Judge a fleet by the evidence of a run, and plan changes
version_added: 0.1.0
description:
  - Judges every connection from a Front End to an Edge or another Front End, and gives each host a verdict; C(broken),
    C(not_assessed), C(latent), C(mitigated), C(compliant) or C(not_applicable), worst first. With O(goal) it also makes the plan
    of the run. The judgement and the plan are files of the run.
  - Hosts that are not in this play (C(--limit)) are judged by the evidence that the state directory has of them.
options:
  hosts:
    description: All inventory hosts of the fleet, also those that this play leaves out.
    type: list
    elements: str
    required: true
  reading:
    description:
      - The reading to judge. With V(after) the plan is verified too, and hosts that the plan does not change keep their first reading.
    type: str
    choices: [before, after]
    default: before
  stage:
    description:
      - V(judge) judges. V(peers) only finds out what each Front End is to be asked about its peers, which
        M(sfb.kb4023993.sfb_facts) then does with O(sfb.kb4023993.sfb_facts#module:run.peers=true).
      - V(saved) judges by saved evidence, without any reading of this run. O(reading) and O(goal) have no effect then, because nothing
        is planned by what may be old.
    type: str
    choices: [peers, judge, saved]
    default: judge
  merge_state_dirs:
    description:
      - Other state directories whose evidence counts beside that of O(state_dir). Nothing in them is changed. Used with
        O(stage=saved) only.
      - The newest that is known of a host counts, also that it could not be read. A host about which two directories contradict each
        other is not assessed, and is in RV(conflicts).
    type: list
    elements: path
    default: []
  goal:
    description:
      - Make a plan. V(override) turns the check off where connections are broken; V(rollback) puts back what was there before.
      - V(bridge) turns the check off where old certificates are about to be put back, on their servers and on those that check them.
      - V(retire) takes the override away, whoever wrote it, when no certificate needs it any more; first on one Front End, and on the others
        after a quiet time. Where it may not go yet, the plan has nothing, and RV(plan.notes) says why.
      - Used for the reading V(before) only.
    type: str
    choices: [override, rollback, bridge, retire]
  restart:
    description: Whether the plan restarts Web Conferencing V(now), wave by wave, or leaves that for V(later).
    type: str
    choices: [now, later]
    default: now
  override_latent:
    description: Also plan the override where a certificate is bad but .NET does not check it yet.
    type: bool
    default: false
  quiet_minutes:
    description:
      - For O(goal=retire), minutes that one Front End has to run without the override and without a failure, before the others lose theirs.
        The product logs a lost Edge again after 20 minutes, so it should be longer than that.
    type: int
    default: 25
  plan:
    description:
      - A plan file that somebody approved, to be used instead of a new plan. Hosts that are not in this play or could not be read are
        left out and named in the report.
    type: path
  plan_sha256:
    description: The SHA-256 of that file in hex, as the run that made it reported it (RV(plan.sha256)). Required with O(plan).
    type: str
    default: ''
  take_over:
    description:
      - Also plan for a pool where a run of another controller says on the servers that it is at work. Without it the plan leaves that pool
        as it is, and RV(plan.refused) says who is at work. A claim whose time is over never counts.
    type: bool
    default: false
seealso:
  - module: sfb.kb4023993.sfb_run
  - module: sfb.kb4023993.sfb_apply
  - module: sfb.kb4023993.sfb_report
author:
  - sfb.kb4023993 contributors (!UNKNOWN)
attributes:
  idempotent:
    description: When run twice in a row outside check mode, with the same arguments, the second invocation changes nothing.
    support: full
extends_documentation_fragment:
  - sfb.kb4023993.controller
  - sfb.kb4023993.run
  - ansible.builtin.action_common_attributes
  - ansible.builtin.action_common_attributes.actiongroups
  - ansible.builtin.action_common_attributes.conn
  - ansible.builtin.action_common_attributes.flow
"""

EXAMPLES = r"""
---
# These follow tasks that began the run (registered as run) and read the servers, as in the example of sfb.kb4023993.sfb_run.
- name: Judge the fleet
  sfb.kb4023993.sfb_evaluate:
    state_dir: "{{ run.state_dir }}"
    run_id: "{{ run.run_id }}"
    hosts: "{{ groups.all }}"
  run_once: true
  register: judged

- name: Judge and plan the override, to be restarted in a maintenance window
  sfb.kb4023993.sfb_evaluate:
    state_dir: "{{ run.state_dir }}"
    run_id: "{{ run.run_id }}"
    hosts: "{{ groups.all }}"
    goal: override
    restart: later
  run_once: true
  register: planned

- name: Judge by the evidence that the slices of a job left, without asking any server
  sfb.kb4023993.sfb_evaluate:
    state_dir: "{{ run.state_dir }}"
    run_id: "{{ run.run_id }}"
    hosts: "{{ groups.all }}"
    stage: saved
    merge_state_dirs: [/srv/state/slice1, /srv/state/slice2]
  run_once: true

- name: Take exactly the plan that was approved
  sfb.kb4023993.sfb_evaluate:
    state_dir: "{{ run.state_dir }}"
    run_id: "{{ run.run_id }}"
    hosts: "{{ groups.all }}"
    goal: override
    plan: "{{ planned.plan.path }}"
    plan_sha256: "{{ planned.plan.sha256 }}"
  run_once: true
"""

RETURN = r"""
---
counts:
  description: How many hosts of this run have each verdict, worst first.
  type: dict
  returned: with O(stage=judge) or O(stage=saved)
  sample: {broken: 10, not_assessed: 1, latent: 1, mitigated: 0, compliant: 1, not_applicable: 1}
conflicts:
  description: Hosts whose saved evidence contradicts itself, each with the reason and both files.
  type: dict
  returned: with O(stage=saved)
  sample:
    fe01: >-
      Its saved evidence contradicts itself: both were read at 2026-11-22T19:50:33Z, and are not the same
      (/srv/state/slice1/evidence/fe01.json and /srv/state/slice2/evidence/fe01.json). Delete the file that is not of this server.
hosts:
  description: The Front Ends that are still to be asked about their peers, each with the number of questions.
  type: dict
  returned: with O(stage=peers)
  sample: {"sfb-fe01": 4, "sfb-fe02": 4}
plan:
  description: The plan of the run.
  type: dict
  returned: with O(goal), for O(reading=before)
  contains:
    path:
      description: The plan file.
      type: str
      returned: always
      sample: /home/admin/.local/state/sfb_kb4023993/runs/20261122T195238Z-a81f0f/plan.json
    sha256:
      description: Its SHA-256, which an approval names.
      type: str
      returned: always
      sample: 46ec17c0460d732e4d8c3a4dfeef8612f035f0ee4db968830312737461c25d4d
    hosts:
      description: The hosts that it changes, each with the number of its wave from 0 on; none where nothing is to be restarted.
      type: dict
      returned: always
      sample: {"jp-fe01": 0, "ly10-fe01": 0, "sfb-fe01": 1}
    waves:
      description: Number of waves of restarts; one host of a pool in each.
      type: int
      returned: always
      sample: 4
    release:
      description: Hosts whose pool M(sfb.kb4023993.sfb_apply) has to give back after the last wave, with O(sfb.kb4023993.sfb_apply#module:step=release).
      type: list
      elements: str
      returned: always
      sample: [fe01, fe02]
    wait_seconds:
      description: With O(goal=retire), how long to wait after this plan before the others can lose their override; else 0.
      type: int
      returned: always
      sample: 1501
    notes:
      description: With O(goal=retire), why something is left as it is.
      type: list
      elements: str
      returned: always
      sample: ["The override stays everywhere. edge02: it was not read in this run: see --limit"]
    warnings:
      description:
        - What is to be known of the pools in which something is restarted. Members that this run does not see, and Front Ends during whose
          restart nobody of their pool is known to run Web Conferencing.
      type: list
      elements: str
      returned: always
      sample:
        - "fe01 is the only member of pool01.contoso.example that is known to run (fe02: stopped), so nobody of the pool has Web Conferencing
          during its restart."
    refused:
      description: Hosts that would need a change which the plan does not make, with the reason.
      type: dict
      returned: always
      sample: {}
"""
