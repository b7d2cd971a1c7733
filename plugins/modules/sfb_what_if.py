# Copyright (c) 2026, the sfb.kb4023993 contributors
# GNU General Public License v3.0-or-later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Documentation of sfb_what_if; the code is the action plugin of the same name."""

from __future__ import annotations

DOCUMENTATION = r"""
---
module: sfb_what_if
short_description: Foresee which connections a change would break
version_added: 0.1.0
description:
  - Judges saved evidence as it is, and as it would be after a change, and says which connections would break, become latent or be well.
    What is supposed is altered in the evidence, and judged by the same rules as an audit.
  - At least one of O(override_gone), O(certificates), O(update_installed) and O(public_renewal) is needed. Several are supposed together.
  - Reads files on the controller. No server is asked, and nothing is changed.
options:
  hosts:
    description: All inventory hosts of the fleet.
    type: list
    elements: str
    required: true
  state_dir:
    description:
      - The state directory on the controller with the evidence. When empty it is C(sfb_kb4023993) below C($XDG_STATE_HOME), by default
        below C(~/.local/state).
    type: str
    default: ''
  merge_state_dirs:
    description: Other state directories whose evidence counts beside that of O(state_dir).
    type: list
    elements: path
    default: []
  override_gone:
    description:
      - Front Ends where the override is removed and Web Conferencing is restarted, as inventory names, or V(all). Other opt-outs stay.
    type: list
    elements: str
    default: []
  certificates:
    description:
      - Hosts that present another certificate; an Edge for C(Internal), a Front End for C(Default).
      - Whether the Front Ends trust it is not known, because they never saw it. Its usages are judged.
    type: list
    elements: dict
    default: []
    suboptions:
      host:
        description: The inventory name.
        type: str
        required: true
      file:
        description: A PEM file on the controller with the certificate, and below it those of its CAs. A private key in it is not looked at.
        type: path
        required: true
  update_installed:
    description:
      - Front Ends where .NET gets the check and Web Conferencing is restarted, as inventory names, or V(all).
    type: list
    elements: str
    default: []
  public_renewal:
    description:
      - Whether the certificates of public CAs that stop issuing clientAuth are renewed, with serverAuth alone.
    type: bool
    default: false
  report_dir:
    description:
      - Where C(what_if.txt), C(what_if.md) and C(what_if.json) go. When empty the answer is only shown on the screen.
    type: str
    default: ''
seealso:
  - module: sfb.kb4023993.sfb_evaluate
  - module: sfb.kb4023993.sfb_compare
author:
  - sfb.kb4023993 contributors (!UNKNOWN)
attributes:
  idempotent:
    description: When run twice in a row outside check mode, with the same arguments, the second invocation changes nothing.
    support: full
extends_documentation_fragment:
  - sfb.kb4023993.controller
  - ansible.builtin.action_common_attributes
  - ansible.builtin.action_common_attributes.actiongroups
  - ansible.builtin.action_common_attributes.conn
  - ansible.builtin.action_common_attributes.flow
"""

EXAMPLES = r"""
---
- name: What breaks if the override goes now
  sfb.kb4023993.sfb_what_if:
    state_dir: /srv/sfb/state
    hosts: "{{ groups.all }}"
    override_gone: [all]
  run_once: true

- name: What the new certificate of an Edge would mend
  sfb.kb4023993.sfb_what_if:
    state_dir: /srv/sfb/state
    hosts: "{{ groups.all }}"
    certificates:
      - {host: edge01, file: /srv/sfb/edge01.pem}
  run_once: true

- name: What the next patch day and the next public renewals do together
  sfb.kb4023993.sfb_what_if:
    state_dir: /srv/sfb/state
    hosts: "{{ groups.all }}"
    update_installed: [all]
    public_renewal: true
    report_dir: /srv/sfb/reports/patch-day
  run_once: true
"""

RETURN = r"""
---
sentence:
  description: The answer in one sentence.
  type: str
  returned: success
  sample: "KB4023993: if the override were gone everywhere, and Web Conferencing restarted, 6 of 6 connections would break."
counts:
  description: >-
    How many connections would have each verdict that have another now, and how many are broken already and would stay so
    (C(broken_already)).
  type: dict
  returned: success
  sample: {broken: 6, not_assessed: 0, latent: 0, mitigated: 0, compliant: 0, broken_already: 0}
connections:
  description: The connections with another verdict than now, worst first.
  type: list
  elements: dict
  returned: success
  contains:
    validator:
      description: The Front End that checks.
      type: str
      returned: always
      sample: fe01
    peer:
      description: The server whose certificate is checked.
      type: str
      returned: always
      sample: edge01
    ports:
      description: The ports of the connection.
      type: list
      elements: int
      returned: always
      sample: [8057]
    earlier:
      description: Its verdict now.
      type: str
      returned: always
      sample: mitigated
    later:
      description: Its verdict after the change.
      type: str
      returned: always
      sample: broken
    reason:
      description: Why, after the change.
      type: str
      returned: always
      sample: >-
        The certificate "CN=edge01.contoso.example" (2D1BA811AE75EC8690FC827C757EE2750806A497) does not list client authentication
        (1.3.6.1.5.5.7.3.2) in Extended Key Usage.
notes:
  description: What the answer does not know, and what was supposed without effect.
  type: list
  elements: str
  returned: success
  sample: ["edge01: it is no Front End, so it checks nobody."]
files:
  description: The files that were written.
  type: list
  elements: str
  returned: success
  sample: []
"""
