# Copyright (c) 2026, the sfb.kb4023993 contributors
# GNU General Public License v3.0-or-later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Documentation of sfb_certificate_kit; the code is the action plugin of the same name."""

from __future__ import annotations

DOCUMENTATION = r"""
---
module: sfb_certificate_kit
short_description: Renew the certificate of an Edge by hand, one step a run
version_added: 0.1.0
description:
  - Workaround 1 for an Edge that Ansible may not reach. Takes up what came back into the folder of each server, and writes what is to be carried
    there next, as readable scripts with instructions.
  - Without a request, writes the folder C(1-request). A request that came back becomes part of the record of the certificate, which
    M(sfb.kb4023993.sfb_certificate_request) has signed. With a good certificate, writes the folder C(3-install). When imported evidence shows
    the new certificate assigned and presented, the record is done.
  - Works with evidence that M(sfb.kb4023993.sfb_offline_import) took up. No connection is opened.
options:
  state_dir:
    description:
      - The state directory on the controller, as M(sfb.kb4023993.sfb_run) returned it (RV(sfb.kb4023993.sfb_run#module:state_dir)).
    type: path
    required: true
  directory:
    description:
      - The directory on the controller with one folder a server.
    type: path
    required: true
  hosts:
    description:
      - The inventory names of all servers of the fleet.
    type: list
    elements: str
    required: true
  chosen:
    description:
      - The servers to renew. By default those of O(hosts) that the inventory marks with C(sfb_kb4023993_offline). All members of an Edge pool
        have to be among them.
    type: list
    elements: str
  trusted_elsewhere:
    description:
      - Front Ends that trust the root of the new certificate although their evidence does not show it, because somebody has looked there. The
        installation is only written when all Front Ends that check the Edge trust it.
    type: list
    elements: str
    default: []
seealso:
  - module: sfb.kb4023993.sfb_offline_kit
  - module: sfb.kb4023993.sfb_offline_import
  - module: sfb.kb4023993.sfb_certificate_request
author:
  - sfb.kb4023993 contributors (!UNKNOWN)
attributes:
  check_mode:
    support: full
    details:
      - Nothing is written in check mode, only shown.
  idempotent:
    description: When run twice in a row outside check mode, with the same arguments, the second invocation changes nothing.
    support: full
    details:
      - Each run does what is due; where nothing came back, nothing changes.
extends_documentation_fragment:
  - sfb.kb4023993.controller
  - ansible.builtin.action_common_attributes
  - ansible.builtin.action_common_attributes.actiongroups
  - ansible.builtin.action_common_attributes.conn
  - ansible.builtin.action_common_attributes.flow
"""

EXAMPLES = r"""
---
- name: Take the renewal of the Edges that are read by hand one step further
  sfb.kb4023993.sfb_certificate_kit:
    state_dir: /srv/state
    directory: /srv/offline
    hosts: "{{ groups.all }}"
  run_once: true
"""

RETURN = r"""
---
msg:
  description: What was refused, if anything.
  type: str
  returned: always
  sample: Every server has its next step.
hosts:
  description: The servers.
  type: list
  elements: dict
  returned: always
  contains:
    host:
      description: The server's inventory name.
      type: str
      returned: always
      sample: edge02
    answer:
      description:
        - V(request) (carry the folder of the request), V(requested) (the request came back), V(waiting) (for the CA, or for another member of
          the pool), V(install) (carry the folder of the installation), V(done), V(nothing) (its certificate is good) or V(refused).
      type: str
      returned: always
      sample: request
    message:
      description: What to do now, or why not.
      type: str
      returned: always
      sample: Carry /srv/offline/edge02/1-request to it and start request.ps1.
"""
