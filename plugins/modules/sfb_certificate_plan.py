# Copyright (c) 2026, the sfb.kb4023993 contributors
# GNU General Public License v3.0-or-later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Documentation of sfb_certificate_plan; the code is the action plugin of the same name."""

from __future__ import annotations

DOCUMENTATION = r"""
---
module: sfb_certificate_plan
short_description: Decide the next step of the replacement of certificates for a fleet
version_added: 0.1.0
description:
  - Judges the fleet by the evidence of a run and by the records of certificates, and says which servers do what next in workaround 1. What is
    decided are files of the run, which M(sfb.kb4023993.sfb_certificate) then carries out on each server.
  - Keeps the records of certificates in C(certificates/) below O(state_dir), one for each certificate, which a person can read. What another
    controller began is taken up from the records on the servers.
options:
  hosts:
    description: All inventory hosts of the fleet, also those that this play leaves out.
    type: list
    elements: str
    required: true
  stage:
    description:
      - What to decide. The stages belong together in this order; V(put_back) is the way back, and replaces all before V(returned).
      - V(plan) chooses the certificates to replace, and names the servers that have to make a request. A certificate is chosen if it is not good
        for client authentication, or if its replacement is under way.
      - V(requested) takes the requests that servers made into records.
      - V(handed_over) names the servers that could not be told that their request goes to a CA, so that it is held back.
      - V(trust) finds out which servers have to build the chain of a new certificate before it is used anywhere.
      - V(trusted) finds the CA certificates that they lack, by their answers.
      - V(waves) chooses the certificates that everybody accepts, and the order of the servers.
      - V(put_back) chooses the servers whose record says that this collection assigned a certificate there, and their order.
      - V(results) writes down how far each certificate is, by O(reading).
      - V(returned) does the same at the end of the way back.
    type: str
    choices: [plan, requested, handed_over, trust, trusted, waves, put_back, results, returned]
    required: true
  reading:
    description: The reading to judge by. V(after) is for O(stage=results), when servers were changed and read again.
    type: str
    choices: [before, after]
    default: before
  request_again:
    description:
      - Ids of records that get a new key and request, because the CA denied the earlier one, what came back was refused, or its key is not on the
        server any more. Records in any other step are left as they are.
      - Used with O(stage=plan).
    type: list
    elements: str
    default: []
  trusted_elsewhere:
    description:
      - Servers that cannot be asked about the new chain, and where somebody saw by hand that they trust it, as the report names them; the
        inventory name, or the full name of a server that is not in the inventory. Without that, a certificate that they meet is assigned
        nowhere. The answer of a server that can be asked counts more.
      - Used with O(stage=trusted) and O(stage=waves).
    type: list
    elements: str
    default: []
  sign_failure:
    description: For O(stage=results), why no request could be handed to the CA. Empty if that did not happen.
    type: str
    default: ''
seealso:
  - module: sfb.kb4023993.sfb_certificate
  - module: sfb.kb4023993.sfb_certificate_request
  - module: sfb.kb4023993.sfb_evaluate
  - module: sfb.kb4023993.sfb_report
author:
  - sfb.kb4023993 contributors (!UNKNOWN)
attributes:
  check_mode:
    support: full
    details:
      - No server is touched. The files of the run are written in check mode too. Records of certificates are neither made nor taken up;
        O(stage=results) notes in them what the reading shows.
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
- name: Choose the certificates to replace
  sfb.kb4023993.sfb_certificate_plan:
    state_dir: "{{ run.state_dir }}"
    run_id: "{{ run.run_id }}"
    hosts: "{{ groups.all }}"
    stage: plan
  run_once: true
  register: planned

- name: Find the order in which servers get their new certificate
  sfb.kb4023993.sfb_certificate_plan:
    state_dir: "{{ run.state_dir }}"
    run_id: "{{ run.run_id }}"
    hosts: "{{ groups.all }}"
    stage: waves
    trusted_elsewhere: [edge09.contoso.example]
  run_once: true
  register: waves
"""

RETURN = r"""
---
requests:
  description: The servers that have to make a key and a request.
  type: list
  elements: str
  returned: with O(stage=plan)
  sample: [edge01, fe01, fe02]
certificates:
  description: The chosen certificates by the id of their record, each with its step; V(planned) if nothing is under way.
  type: dict
  returned: with O(stage=plan)
  sample: {edge01 Internal: pending, fe01 Default: planned, fe02 Default: planned}
refused:
  description: Servers that should have a new certificate and cannot get it in this run, with the reason.
  type: dict
  returned: with O(stage=plan) or O(stage=results)
  sample: {fe09: "its certificate has the wildcard name *.contoso.example, which these uses do not take: request the new certificate by hand"}
hand_in:
  description: The servers whose request no CA has yet. Empty in check mode.
  type: list
  elements: str
  returned: with O(stage=requested)
  sample: [fe01, fe02]
led:
  description: The servers that hold the key of a request.
  type: list
  elements: str
  returned: with O(stage=requested)
  sample: [edge01, fe01, fe02]
ask:
  description: The servers that have to say whether they accept the new chain. Not all of them need be in this play.
  type: list
  elements: str
  returned: with O(stage=trust)
  sample: [edge01, edge02, fe01, fe02]
install:
  description: The servers that lack CA certificates.
  type: list
  elements: str
  returned: with O(stage=trusted)
  sample: [edge01, edge02]
waves:
  description: The number of waves.
  type: int
  returned: with O(stage=waves) or O(stage=put_back)
  sample: 4
hosts:
  description: The servers that get a certificate, or their old one back, each with its wave, counted from 0.
  type: dict
  returned: with O(stage=waves) or O(stage=put_back)
  sample: {edge01: 0, edge02: 1, fe01: 2, fe02: 3}
involved:
  description: Those, and servers that have theirs and still share it with another member of their Edge pool.
  type: list
  elements: str
  returned: with O(stage=waves)
  sample: [edge01, edge02, fe01, fe02]
leads:
  description: Of those, the servers with the key, where the certificate is imported.
  type: list
  elements: str
  returned: with O(stage=waves)
  sample: [edge01, fe01, fe02]
sharing:
  description: The further members of Edge pools, each with the server that shares certificate and key with it.
  type: dict
  returned: with O(stage=waves)
  sample: {edge02: edge01}
shared_from:
  description: The servers that share a certificate and its key with other members of their Edge pool.
  type: list
  elements: str
  returned: with O(stage=waves)
  sample: [edge01]
complete:
  description: Whether every certificate that was to be replaced is in use, by the reading, and nothing waits or was refused.
  type: bool
  returned: with O(stage=results)
  sample: false
waiting:
  description: The servers whose certificate waits for a CA, which is no failure.
  type: list
  elements: str
  returned: with O(stage=results)
  sample: [edge01, edge02]
"""
