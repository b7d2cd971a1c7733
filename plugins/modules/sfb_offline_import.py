# Copyright (c) 2026, the sfb.kb4023993 contributors
# GNU General Public License v3.0-or-later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Documentation of sfb_offline_import; the code is the action plugin of the same name."""

from __future__ import annotations

DOCUMENTATION = r"""
---
module: sfb_offline_import
short_description: Take up evidence that was read by hand
version_added: 0.1.0
description:
  - Reads the files that were brought back into the folders of M(sfb.kb4023993.sfb_offline_kit), checks them, and makes them the evidence of
    their servers, as if an audit had read them.
  - Refused, with the reason, is what is damaged, cut, edited, of another kit, of another server, older than the evidence that is there, or
    older than C(sfb_kb4023993_offline_max_age_days) allows. The others are still imported; the task fails then.
  - The SHA-256 at the end of a file shows damage and careless edits. It is no signature. Who can write the file and the hash, an administrator of
    the server above all, can make it say anything.
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
seealso:
  - module: sfb.kb4023993.sfb_offline_kit
  - module: sfb.kb4023993.sfb_evaluate
author:
  - sfb.kb4023993 contributors (!UNKNOWN)
attributes:
  check_mode:
    support: full
    details:
      - Nothing is written in check mode, only checked.
  idempotent:
    description: When run twice in a row outside check mode, with the same arguments, the second invocation changes nothing.
    support: full
    details:
      - A file that was imported before is left alone.
extends_documentation_fragment:
  - sfb.kb4023993.controller
  - ansible.builtin.action_common_attributes
  - ansible.builtin.action_common_attributes.actiongroups
  - ansible.builtin.action_common_attributes.conn
  - ansible.builtin.action_common_attributes.flow
"""

EXAMPLES = r"""
---
- name: Take up what was brought back
  sfb.kb4023993.sfb_offline_import:
    state_dir: /srv/state
    directory: /srv/offline
    hosts: "{{ groups.all }}"
  run_once: true
"""

RETURN = r"""
---
msg:
  description: How many were imported, and what was refused.
  type: str
  returned: always
  sample: Evidence of 1 server imported.
hosts:
  description: Every server that has a kit.
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
      description: V(imported), V(unchanged) (was imported before), V(waiting) (nothing came back yet) or V(refused).
      type: str
      returned: always
      sample: imported
    message:
      description: What was imported, or why not.
      type: str
      returned: always
      sample: evidence of edge02.contoso.com, read at 2026-11-22T19:50:33Z
"""
