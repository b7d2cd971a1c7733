# Copyright (c) 2026, the sfb.kb4023993 contributors
# GNU General Public License v3.0-or-later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Documentation of sfb_dotnet_kb_facts; the code is the action plugin of the same name."""

from __future__ import annotations

DOCUMENTATION = r"""
---
module: sfb_dotnet_kb_facts
short_description: Read whether .NET on a server has the certificate check of KB4023993
version_added: 0.1.0
description:
  - Reads .NET Framework versions, the copies of System.dll, the installed updates that brought the check by every way that Windows
    records them, and the opt-outs. For a Front End it says whether its Web Conferencing service has the check, has loaded it, and
    whether it is turned off.
  - Certain from .NET Framework 4.7.2, and from KB4019472 on Windows Server 2016; before that the bytes of System.dll decide, because
    lists of installed updates mislead in both directions (superseded rollups, other ways of recording). Where signs contradict each
    other the cautious answer is taken, and RV(ansible_facts.sfb_dotnet_kb.check.disagreement) says so.
  - Nothing on the server is changed.
options: {}
notes:
  - An opt-out read once, without evidence of earlier runs, counts as in effect only if this collection wrote it. The playbooks keep
    evidence and know more.
seealso:
  - module: sfb.kb4023993.sfb_facts
  - module: sfb.kb4023993.sfb_cert_eku_facts
  - module: sfb.kb4023993.sfb_datamcu_eku_override
  - name: Microsoft KB4023993
    description: The problem that this collection is about.
    link: https://support.microsoft.com/help/4023993
author:
  - sfb.kb4023993 contributors (!UNKNOWN)
extends_documentation_fragment:
  - sfb.kb4023993.server
  - sfb.kb4023993.server.reading
  - ansible.builtin.action_common_attributes
  - ansible.builtin.action_common_attributes.actiongroups
  - ansible.builtin.action_common_attributes.conn
  - ansible.builtin.action_common_attributes.facts
  - ansible.builtin.action_common_attributes.flow
"""

EXAMPLES = r"""
---
- name: Read .NET and its updates
  sfb.kb4023993.sfb_dotnet_kb_facts:

- name: Tell what the answer rests on
  ansible.builtin.debug:
    msg: "{{ ansible_facts.sfb_dotnet_kb.check.check_in_dotnet }}: {{ ansible_facts.sfb_dotnet_kb.check.signs | join('; ') }}"
  when: ansible_facts.sfb_dotnet_kb.role == 'front_end'

- name: List the updates of May 2017 that Windows records
  ansible.builtin.debug:
    msg: "{{ ansible_facts.sfb_dotnet_kb.updates }}"
"""

RETURN = r"""
---
ansible_facts:
  description: Facts of the server.
  type: dict
  returned: always
  contains:
    sfb_dotnet_kb:
      description: .NET and the check.
      type: dict
      returned: always
      contains:
        role:
          description: V(front_end), V(edge), V(none) (no server of this problem) or V(unknown) (its services could not be read).
          type: str
          returned: always
          sample: front_end
        product:
          description: Product, by the version of the service's executable; none when it is not known.
          type: str
          returned: always
          sample: Skype for Business Server 2015
        clr:
          description: The CLR that Web Conferencing of this product runs in, so the one whose registry key counts.
          type: str
          returned: always
          sample: v4.0.30319
        framework_version:
          description: Version of .NET Framework 4.5 or later that is installed; none below that.
          type: str
          returned: always
          sample: 4.6.2
        framework_release:
          description: The number C(Release) that it comes from.
          type: int
          returned: always
          sample: 394802
        system_dlls:
          description: The copies of System.dll that exist.
          type: list
          elements: dict
          returned: always
          contains:
            clr:
              description: The CLR it belongs to.
              type: str
              returned: always
              sample: v4.0.30319
            path:
              description: Path.
              type: str
              returned: always
              sample: C:\Windows\Microsoft.NET\Framework64\v4.0.30319\System.dll
            version:
              description: File version.
              type: str
              returned: always
              sample: 4.6.1649.0
            has_check:
              description: Whether the names that belong to the check occur in it.
              type: bool
              returned: always
              sample: true
        updates:
          description: By CLR, the updates of May 2017 that Windows records as installed. A later update that replaced them is not listed.
          type: dict
          returned: always
          sample: {v2.0.50727: [KB4014504], v4.0.30319: [KB4014514]}
        check:
          description: Whether Web Conferencing has the check; none on servers that are not Front Ends.
          type: dict
          returned: always
          contains:
            framework_version:
              description: Version of .NET Framework 4.5 or later that is installed; none below that.
              type: str
              returned: always
              sample: 4.6.2
            check_in_dotnet:
              description:
                - Whether the .NET on disk that Web Conferencing uses has the check; V(present), V(absent) or V(unknown).
              type: str
              returned: always
              sample: present
            loaded:
              description: False when the running process is older than the System.dll on disk, so the check comes with the next restart.
              type: bool
              returned: always
              sample: true
            signs:
              description: What the answer rests on, in words.
              type: list
              elements: str
              returned: always
              sample:
                - Windows Server 2016 with KB4019472 or a later cumulative update
                - C:\Windows\Microsoft.NET\Framework64\v4.0.30319\System.dll 4.6.1649.0 holds the check
            disagreement:
              description: Set when the signs contradict each other; the cautious answer (present) is taken then.
              type: str
              returned: always
              sample: null
        opt_outs:
          description: What turns the check off for Web Conferencing; none on servers that are not Front Ends.
          type: dict
          returned: always
          contains:
            readable:
              description: Whether the registry keys could be read; if not, nothing follows from an empty list.
              type: bool
              returned: always
              sample: true
            in_effect:
              description: Whether the running process is known to have read a valid opt-out.
              type: bool
              returned: always
              sample: false
            unproven:
              description:
                - There is a valid opt-out, but nothing proves that it was there before the process started. This collection's own record on
                  the server proves it, and so does evidence saved earlier; an opt-out set by hand and read once stays unproven.
              type: bool
              returned: always
              sample: true
            valid:
              description: The opt-outs that .NET honours for this process.
              type: list
              elements: dict
              returned: always
              contains:
                id:
                  description: V(executable) (the override), V(global), V(appcontext_registry) or V(appcontext_config).
                  type: str
                  returned: always
                  sample: executable
                where:
                  description: Registry key or file.
                  type: str
                  returned: always
                  sample: HKLM\SOFTWARE\Microsoft\.NETFramework\v4.0.30319\System.Net.ServicePointManager.RequireCertificateEKUs
                in_effect:
                  description: Whether the running process is known to have read this one.
                  type: bool
                  returned: always
                  sample: false
            wrong:
              description: Values that were meant as override and that .NET does not read, each with the reason, in words.
              type: list
              elements: str
              returned: always
              sample:
                - "HKLM\\SOFTWARE\\Microsoft\\.NETFramework\\v2.0.50727\\System.Net.ServicePointManager.RequireCertificateEKUs, value
                  \"D:\\Program Files\\Microsoft Lync Server 2013\\Web Conferencing\\DataMCUSvc.exe\" = REG_DWORD 0: it stands under the key of
                  another CLR, which this process does not read"
        problems:
          description: What could not be read, one line each with section, operation, type and message; empty when all was read.
          type: list
          elements: str
          returned: always
          sample: []
"""
