# Copyright (c) 2026, the sfb.kb4023993 contributors
# GNU General Public License v3.0-or-later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Documentation of sfb_datamcu_eku_override; the code is the action plugin of the same name."""

from __future__ import annotations

DOCUMENTATION = r"""
---
module: sfb_datamcu_eku_override
short_description: Turn the certificate check of .NET off for Web Conferencing of one Front End
version_added: 0.1.0
description:
  - Writes or removes workaround 2 of Microsoft KB4023993 on a Front End. It is a registry value named like the executable of
    Web Conferencing (C(DataMCUSvc.exe)), C(REG_DWORD) 0, below
    C(HKLM\SOFTWARE\Microsoft\.NETFramework\VERSION\System.Net.ServicePointManager.RequireCertificateEKUs) in the 64-bit view.
    V(v2.0.50727) for Lync Server 2010, V(v4.0.30319) for all later products. The path comes from the service itself.
  - This lowers security and is meant to be temporary. The lasting fix is certificates with serverAuth and clientAuth.
  - Values of the override that .NET does not read (other CLR, 32-bit view, quoted or short path, wrong kind) are removed as well.
    Values of other programs are never touched. A key that this collection created is removed again with its last value.
  - Before each change what was there before is recorded below C(HKLM\SOFTWARE\sfb.kb4023993) on the server, readable for
    administrators only; O(state=absent) puts that back.
  - A value that somebody changed in between is left alone, and the task fails.
  - Web Conferencing reads the value only when it starts. This module restarts nothing; use M(sfb.kb4023993.sfb_service), one Front
    End of a pool at a time. The playbook C(sfb.kb4023993.remediate) does both for a whole fleet, and only where it is needed.
options:
  state:
    description:
      - V(present) makes sure that the override is there.
      - V(absent) puts back what this collection recorded as the state before, and without such a record removes the override.
    type: str
    choices: [present, absent]
    default: present
notes:
  - Fails on servers without the service RTCDATAMCU, and where its executable or product cannot be told.
seealso:
  - module: sfb.kb4023993.sfb_service
  - module: sfb.kb4023993.sfb_dotnet_kb_facts
  - name: Microsoft KB4023993
    description: The problem that this collection is about.
    link: https://support.microsoft.com/help/4023993
author:
  - sfb.kb4023993 contributors (!UNKNOWN)
attributes:
  check_mode:
    support: full
  diff_mode:
    support: full
extends_documentation_fragment:
  - sfb.kb4023993.server
  - ansible.builtin.action_common_attributes
  - ansible.builtin.action_common_attributes.actiongroups
  - ansible.builtin.action_common_attributes.conn
  - ansible.builtin.action_common_attributes.flow
"""

EXAMPLES = r"""
---
- name: Turn the check off for Web Conferencing
  sfb.kb4023993.sfb_datamcu_eku_override:
    state: present
  register: override

- name: Restart Web Conferencing, so that it takes effect
  sfb.kb4023993.sfb_service:
  when: override.restart_required
  throttle: 1

- name: Show what would be put back
  sfb.kb4023993.sfb_datamcu_eku_override:
    state: absent
  check_mode: true
  diff: true

- name: Put back what was there before
  sfb.kb4023993.sfb_datamcu_eku_override:
    state: absent
"""

RETURN = r"""
---
product:
  description: Product, by the version of the service's executable.
  type: str
  returned: success
  sample: Lync Server 2013
key:
  description: The registry key of the override.
  type: str
  returned: success
  sample: HKLM\SOFTWARE\Microsoft\.NETFramework\v4.0.30319\System.Net.ServicePointManager.RequireCertificateEKUs
value_name:
  description: The name of the value, which is the full path of the executable.
  type: str
  returned: success
  sample: D:\Program Files\Microsoft Lync Server 2013\Web Conferencing\DataMCUSvc.exe
restart_required:
  description:
    - Whether Web Conferencing has to be restarted for the asked state to take effect. With O(state=present) also true when nothing
      had to be written but the running process may not have read the override yet.
  type: bool
  returned: success
  sample: true
msg:
  description: What was written, in words; or that nothing had to be, or that this was check mode.
  type: str
  returned: success
  sample: Turn the check off for DataMCUSvc.exe (absent -> REG_DWORD 0); RTCDATAMCU has to be restarted.
diff:
  description: Values before and after, as text.
  type: dict
  returned: in diff mode, when something changes
  contains:
    before:
      description: The values found.
      type: str
      returned: always
    after:
      description: The values written.
      type: str
      returned: always
"""
