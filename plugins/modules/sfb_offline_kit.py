# Copyright (c) 2026, the sfb.kb4023993 contributors
# GNU General Public License v3.0-or-later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Documentation of sfb_offline_kit; the code is the action plugin of the same name."""

from __future__ import annotations

DOCUMENTATION = r"""
---
module: sfb_offline_kit
short_description: Write folders for reading servers by hand
version_added: 0.1.0
description:
  - For a server that Ansible may not reach, writes a folder to carry there. Its F(README.txt) says how to start F(collect.ps1), what is read,
    and what to bring back. M(sfb.kb4023993.sfb_offline_import) takes that up.
  - What is read is what an audit reads in its first two batches, by the same F(batch.ps1). Nothing on the server is changed.
  - No connection is opened.
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
      - The servers to write folders for. By default those of O(hosts) that the inventory marks with C(sfb_kb4023993_offline).
    type: list
    elements: str
seealso:
  - module: sfb.kb4023993.sfb_offline_import
  - module: sfb.kb4023993.sfb_facts
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
      - A folder that was carried away stays the one to answer until its answer was imported or it is older than the evidence may be.
extends_documentation_fragment:
  - sfb.kb4023993.controller
  - ansible.builtin.action_common_attributes
  - ansible.builtin.action_common_attributes.actiongroups
  - ansible.builtin.action_common_attributes.conn
  - ansible.builtin.action_common_attributes.flow
"""

EXAMPLES = r"""
---
- name: Write a folder for each server that is read by hand
  sfb.kb4023993.sfb_offline_kit:
    state_dir: /srv/state
    directory: /srv/offline
    hosts: "{{ groups.all }}"
  run_once: true

- name: Write one for two Edges
  sfb.kb4023993.sfb_offline_kit:
    state_dir: /srv/state
    directory: /srv/offline
    hosts: "{{ groups.all }}"
    chosen: [edge01, edge02]
  run_once: true
"""

RETURN = r"""
---
kits:
  description: The folders.
  type: list
  elements: dict
  returned: always
  contains:
    host:
      description: The server's inventory name.
      type: str
      returned: always
      sample: edge02
    folder:
      description: The folder to carry to the server.
      type: str
      returned: always
      sample: /srv/offline/edge02
    bring_back:
      description: The name of the file that has to come back into it.
      type: str
      returned: always
      sample: evidence-edge02.txt
    sums_sha256:
      description: SHA-256 of its F(SHA256SUMS), which stands for all its files.
      type: str
      returned: always
      sample: 46ec17c0460d732e4d8c3a4dfeef8612f035f0ee4db968830312737461c25d4d
    changed:
      description: Whether something was written.
      type: bool
      returned: always
      sample: true
"""
