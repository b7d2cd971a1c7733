# Copyright (c) 2026, the sfb.kb4023993 contributors
# GNU General Public License v3.0-or-later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Documentation of sfb_report; the code is the action plugin of the same name."""

from __future__ import annotations

DOCUMENTATION = r"""
---
module: sfb_report
short_description: Report what a run found and did
version_added: 0.1.0
description:
  - Shows the report of a run on the screen and writes it on the controller in the forms of O(formats), readable for their owner alone.
    Sets the summary as statistics of the play (C(set_stats)), which AWX keeps as artifacts of the job, and in check mode the plan's
    file and fingerprint, so that a later job of a workflow can be bound to it.
  - Marks the findings that have a waiver of the run. With O(playbook=audit) and O(playbook=compliance) it also says what changed since the
    last run over the same hosts, where the state directory has one.
  - Fails nobody itself; RV(failing) says which hosts the exit contract fails, for a task after it.
options:
  report_dir:
    description: Where the files go; by default into the run's directory below O(state_dir). It is created if need be.
    type: path
  formats:
    description:
      - V(json) is everything, as C(report.json); its schema is C(docs/report.schema.json) of the collection. V(text) is what the screen
        shows, as C(report.txt). V(html) is one page for a browser and for paper (C(report.html)).
      - V(csv) is a table for Excel, a line for each finding (C(report.csv)). V(junit) is for CI systems, with a suite for each server and a
        case for each finding (C(report.junit.xml)). V(markdown) is for tickets (C(report.md)). V(prometheus) is for the textfile
        collector of the node exporter (C(sfb_kb4023993.prom)). V(sarif) is SARIF 2.1.0, for trackers of security findings
        (C(report.sarif)).
    type: list
    elements: str
    choices: [json, text, html, csv, junit, markdown, prometheus, sarif]
    default: [json, text, html]
  playbook:
    description:
      - What the report is of. V(certificates) is one of a single step of workaround 1, V(retire) one of taking the override away, V(report)
        one made from saved evidence.
    type: str
    choices: [audit, compliance, remediate, certificates, retire, rollback, report]
    default: audit
  fail_on:
    description:
      - Verdicts that put a host into RV(failing), unless the verdict is waived and O(playbook) is one that changes nothing. Hosts whose
        part of the plan could not be carried out are there in any case.
    type: list
    elements: str
    choices: [broken, not_assessed, latent, mitigated, compliant, not_applicable]
    default: []
  temporary:
    description:
      - Whether the state directory ends with this run, as M(sfb.kb4023993.sfb_run) said
        (RV(sfb.kb4023993.sfb_run#module:temporary)). It is removed then, and files are written only with O(report_dir).
    type: bool
    default: false
seealso:
  - module: sfb.kb4023993.sfb_run
  - module: sfb.kb4023993.sfb_evaluate
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
# These follow tasks that began the run (registered as run), read the servers and judged them, as in the example of
# sfb.kb4023993.sfb_run.
- name: Report
  sfb.kb4023993.sfb_report:
    state_dir: "{{ run.state_dir }}"
    run_id: "{{ run.run_id }}"
    report_dir: "{{ playbook_dir }}/reports"
    formats: [json, html, csv, junit]
    fail_on: [broken, not_assessed]
  run_once: true
  register: report

- name: Fail the hosts that the report names
  ansible.builtin.fail:
    msg: "{{ report.failing[inventory_hostname] }}"
  when: inventory_hostname in report.failing
"""

RETURN = r"""
---
sentence:
  description: The result in one sentence.
  type: str
  returned: success
  sample: >-
    KB4023993: 10 of 13 servers take part in connections that are broken; 1 will break with the next .NET update;
    1 could not be assessed.
counts:
  description: How many hosts of this run have each verdict, worst first; after changes, by the second reading.
  type: dict
  returned: success
  sample: {broken: 10, not_assessed: 1, latent: 1, mitigated: 0, compliant: 1, not_applicable: 1}
files:
  description: The files that were written, by format; empty when none were.
  type: dict
  returned: success
  sample:
    json: /home/admin/.local/state/sfb_kb4023993/runs/20261122T195238Z-a81f0f/report.json
    text: /home/admin/.local/state/sfb_kb4023993/runs/20261122T195238Z-a81f0f/report.txt
    html: /home/admin/.local/state/sfb_kb4023993/runs/20261122T195238Z-a81f0f/report.html
failing:
  description: The hosts that the exit contract fails, each with the reason.
  type: dict
  returned: success
  sample:
    ly10-edge02: >-
      broken: 1 of 1 connections: The certificate "CN=edgepool2010.contoso.example" (4248017AF146A5C3DE6ACF0B0A552E3BA8CDCE99) does not
      list client authentication (1.3.6.1.5.5.7.3.2) in Extended Key Usage; the validator has logged failures since it last started.
ansible_stats:
  description: >-
    RV(sentence) and RV(counts) as statistics of the play, under C(sfb_kb4023993). In check mode, where there is a plan that outlives the
    run, also C(sfb_kb4023993_plan) and C(sfb_kb4023993_plan_sha256): its file and the SHA-256 of that.
  type: dict
  returned: success
  sample:
    data: {sfb_kb4023993: {sentence: "KB4023993: nothing is wrong on 13 servers.", broken: 0, not_assessed: 0, latent: 0, mitigated: 0,
      compliant: 13, not_applicable: 0}}
    per_host: false
    aggregate: false
"""
