# Copyright (c) 2026, the sfb.kb4023993 contributors
# GNU General Public License v3.0-or-later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Documentation of sfb_controller_check; the code is the action plugin of the same name."""

from __future__ import annotations

DOCUMENTATION = r"""
---
module: sfb_controller_check
short_description: Say what is missing or misconfigured between controller and hosts
version_added: 0.1.0
description:
  - With O(stage=contact), goes the way to a host stage by stage; variables and libraries of its connection, name, port, TLS,
    authentication, PowerShell, rights. Stops at the first stage that fails, with one sentence and the remedy. It never fails itself.
  - With O(stage=report), once for a fleet, checks the controller and the inventory as a whole, puts the contacts of all hosts beside that
    and shows the report.
  - What the connection plugin made of inventory, configuration and command line is checked, wherever a value was set.
  - Each check has a stable id, C(KB4023993-CTRL-...), which C(docs/troubleshooting.md) explains.
  - Nothing on a host is changed, and nothing of Lync Server or Skype for Business Server is needed there.
options:
  stage:
    description:
      - V(contact) is for each host, V(report) once for the fleet.
    type: str
    choices: [contact, report]
    default: contact
  contacts:
    description:
      - For the report, the name of the variable in which the task with O(stage=contact) was registered.
    type: str
    default: controller_check_contact
  state_dir:
    description:
      - For the report, the state directory on the controller that runs will take. It is created for its owner alone if need be, to prove
        that it can be written. When empty it is C(sfb_kb4023993) below C($XDG_STATE_HOME), by default below C(~/.local/state).
    type: str
    default: ''
  report_dir:
    description:
      - For the report, the directory on the controller for C(controller_check.txt) and C(controller_check.json). When empty the report is
        only shown on the screen.
    type: str
    default: ''
  ca_host:
    description:
      - For the report, the inventory name of the Windows host that asks the CA. Its connection has to delegate. When empty no host does.
    type: str
    default: ''
  strategy:
    description:
      - For the report, what remediation will do. With V(override) no host needs delegation.
    type: str
    choices: [override, certificates, auto]
    default: override
notes:
  - Before it logs on, WinRM's port is asked with one empty request and without an account, which counts as no failed logon. With the connection
    P(ansible.builtin.ssh#connection), and through a proxy, the stages before the logon are left to the connection.
  - A wrong password counts as one failed logon for each host.
seealso:
  - module: sfb.kb4023993.sfb_facts
author:
  - sfb.kb4023993 contributors (!UNKNOWN)
attributes:
  action:
    support: full
  action_group:
    support: full
    membership:
      - sfb.kb4023993.sfb
  async:
    support: none
  become:
    support: none
    details:
      - A host with C(become) is not contacted; the check says so.
  bypass_host_loop:
    support: none
    details:
      - Use O(stage=report) with C(run_once=true) in a play over the fleet.
  check_mode:
    support: full
    details:
      - Reads only; the same in check mode.
  connection:
    support: full
    details:
      - O(stage=contact) tries any connection and says what is wrong with it. O(stage=report) opens none.
  delegation:
    support: none
    details:
      - The host to check is that of the play.
  diff_mode:
    support: N/A
    details:
      - Nothing is changed.
  idempotent:
    description: When run twice in a row outside check mode, with the same arguments, the second invocation changes nothing.
    support: full
  platform:
    support: full
    platforms: windows
extends_documentation_fragment:
  - ansible.builtin.action_common_attributes
  - ansible.builtin.action_common_attributes.actiongroups
  - ansible.builtin.action_common_attributes.conn
  - ansible.builtin.action_common_attributes.flow
"""

EXAMPLES = r"""
---
- name: Go the way to each host
  sfb.kb4023993.sfb_controller_check:
  register: controller_check_contact

- name: Report
  sfb.kb4023993.sfb_controller_check:
    stage: report
    state_dir: /srv/sfb/state
  run_once: true
  register: controller_check

- name: Stop where something would not work
  ansible.builtin.assert:
    that: controller_check.counts.failed == 0
    fail_msg: "{{ controller_check.failing.values() | join(' ') }}"
"""

RETURN = r"""
---
checks:
  description: The checks; in the report sorted, those that failed first, and what is said of several hosts once.
  type: list
  elements: dict
  returned: success
  contains:
    id:
      description: Which check it is.
      type: str
      returned: always
      sample: KB4023993-CTRL-CONTACT-PORT
    status:
      description: C(ok), C(warning) or C(failed).
      type: str
      returned: always
      sample: failed
    what:
      description: What was found, in a sentence.
      type: str
      returned: always
      sample: "Port 5986 of fe01.contoso.example refuses connections: nothing listens there."
    where:
      description: Inventory names of hosts, or C(controller).
      type: list
      elements: str
      returned: always
      sample: [fe01.contoso.example]
    next_step:
      description: What to do; empty where all is well.
      type: str
      returned: always
      sample: "On the host: winrm enumerate winrm/config/listener shows what listens; winrm quickconfig makes the HTTP listener."
place:
  description: Address, port and path under which the host is reached; none where the connection has none.
  type: list
  elements: raw
  returned: with O(stage=contact)
  sample: [fe01.contoso.example, 5986, wsman]
delegates:
  description: Whether the connection hands the credentials on to the host; none where it was not found out.
  type: bool
  returned: with O(stage=contact)
  sample: false
counts:
  description: How many checks of the report are C(failed), C(warning) and C(ok).
  type: dict
  returned: with O(stage=report)
  sample: {failed: 1, warning: 0, ok: 24}
failing:
  description: For each host of the play with a failed check, of its own or of the controller, the first one in a sentence.
  type: dict
  returned: with O(stage=report)
  sample:
    fe01.contoso.example: >-
      KB4023993-CTRL-CONTACT-PORT: Port 5986 of fe01.contoso.example refuses connections: nothing listens there.
files:
  description: The files that were written.
  type: list
  elements: str
  returned: with O(stage=report)
  sample: [/srv/sfb/reports/controller_check.txt, /srv/sfb/reports/controller_check.json]
"""
