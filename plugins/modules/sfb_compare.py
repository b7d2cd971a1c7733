# Copyright (c) 2026, the sfb.kb4023993 contributors
# GNU General Public License v3.0-or-later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Documentation of sfb_compare; the code is the action plugin of the same name."""

from __future__ import annotations

DOCUMENTATION = r"""
---
module: sfb_compare
short_description: Compare two judgements of a fleet
version_added: 0.1.0
description:
  - Says what is new, fixed and unchanged between two runs, and above all what got worse; a certificate that was renewed from the wrong
    template, an opt-out that is gone while connections need it, connections with a worse verdict.
  - Findings are matched by their id and host. A host that is not assessed now is not comparable; nothing of it counts as fixed. Findings
    that only inform are left out.
  - Reads files on the controller. No server is asked.
options:
  earlier:
    description:
      - The earlier judgement; a C(report.json), or a state directory, of which the newest run counts.
      - When empty it is the run before the later one that read the same hosts, in the later one's state directory.
    type: str
    default: ''
  later:
    description: The later judgement, in the same way. When empty it is the newest run of O(state_dir).
    type: str
    default: ''
  state_dir:
    description:
      - The state directory on the controller. When empty it is C(sfb_kb4023993) below C($XDG_STATE_HOME), by default below
        C(~/.local/state).
    type: str
    default: ''
  report_dir:
    description:
      - Where C(compare.txt), C(compare.md) and C(compare.json) go. When empty the comparison is only shown on the screen.
    type: str
    default: ''
seealso:
  - module: sfb.kb4023993.sfb_report
  - module: sfb.kb4023993.sfb_what_if
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
- name: Compare the two newest runs
  sfb.kb4023993.sfb_compare:
    state_dir: /srv/sfb/state
  run_once: true

- name: Compare a report that was kept with the newest run, for a ticket
  sfb.kb4023993.sfb_compare:
    earlier: /srv/sfb/reports/2026-10/report.json
    state_dir: /srv/sfb/state
    report_dir: /srv/sfb/reports/change
  run_once: true
  register: comparison

- name: Fail if anything got worse
  ansible.builtin.assert:
    that: comparison.counts.regressed == 0
    fail_msg: "{{ comparison.regressions | map(attribute='text') | join(' ') }}"
"""

RETURN = r"""
---
counts:
  description: >-
    How many regressions there are (C(regressed)), and how many findings are C(new), C(fixed), C(unchanged) and C(not_comparable).
  type: dict
  returned: success
  sample: {regressed: 3, new: 3, fixed: 0, not_comparable: 0, unchanged: 3}
regressions:
  description: What got worse.
  type: list
  elements: dict
  returned: success
  contains:
    host:
      description: The host by its inventory name.
      type: str
      returned: always
      sample: edge01
    kind:
      description: C(certificate), C(opt_out), C(connection) or C(verdict).
      type: str
      returned: always
      sample: certificate
    text:
      description: What got worse, in a sentence.
      type: str
      returned: always
      sample: >-
        Its Internal certificate was good for clientAuth and was renewed, as it seems from the wrong template:
        C5B417B2B7A09FD4E9C3B3C1E0F3B2A6D4D7A4F1 before, 2D1BA811AE75EC8690FC827C757EE2750806A497, template WebServer now. The certificate
        "CN=edge01.contoso.example" (2D1BA811AE75EC8690FC827C757EE2750806A497) does not list client authentication (1.3.6.1.5.5.7.3.2) in
        Extended Key Usage.
files:
  description: The files that were written.
  type: list
  elements: str
  returned: success
  sample: [/srv/sfb/reports/change/compare.txt, /srv/sfb/reports/change/compare.md, /srv/sfb/reports/change/compare.json]
"""
