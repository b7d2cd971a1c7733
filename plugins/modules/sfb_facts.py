# Copyright (c) 2026, the sfb.kb4023993 contributors
# GNU General Public License v3.0-or-later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Documentation of sfb_facts; the code is the action plugin of the same name."""

from __future__ import annotations

DOCUMENTATION = r"""
---
module: sfb_facts
short_description: Read all evidence of KB4023993 from a Lync or Skype for Business server
version_added: 0.1.0
description:
  - Reads in one trip what is needed to judge a server for Microsoft KB4023993, and a second trip on servers of the product for
    their own cmdlets. Returns role, product, judged certificate, .NET, opt-outs and failure events as facts.
  - Works on any Windows server; one without Lync Server or Skype for Business Server has the role V(none).
  - Nothing on the server is changed.
options:
  gather_subset:
    description:
      - Sections to read. V(system) (Windows, PowerShell, clock) and V(services) (services of the product, processes) are always read.
      - V(dotnet) is System.dll, .NET versions and updates. V(opt_outs) is registry keys and the configuration file that turn the
        check off. V(certificates) is the computer's personal store with issuers, and what the server presents on its own ports.
        V(events) is the last week of Web Conferencing's events. V(records) is this collection's own record of changes. V(lync)
        is the product's cmdlets.
      - Facts of a section that was not read are left out.
    type: list
    elements: str
    choices: [system, services, dotnet, opt_outs, certificates, events, records, lync]
    default: [system, services, dotnet, opt_outs, certificates, events, records, lync]
  evidence_dir:
    description:
      - A directory on the controller where the evidence is also saved, as C(HOST.json), readable for its owner alone. It is
        created if need be.
      - Saved evidence of earlier runs proves since when an opt-out has been there. Not used together with O(run).
    type: path
  run:
    description:
      - Makes this task a step of a run over a fleet, as the playbooks of this collection do. The evidence goes to the run's files
        instead of the facts, and a server that cannot be read does not fail, so that the report can name it.
    type: dict
    suboptions:
      state_dir:
        description: The state directory, as M(sfb.kb4023993.sfb_run) returned it.
        type: path
        required: true
      run_id:
        description: The name of the run, as M(sfb.kb4023993.sfb_run) returned it.
        type: str
        required: true
      reading:
        description: Whether this is the reading V(before) changes or the one V(after) them.
        type: str
        choices: [before, after]
        default: before
      peers:
        description:
          - Instead of reading the server, ask a Front End what it thinks of its peers' certificates. What to ask it comes from
            M(sfb.kb4023993.sfb_evaluate) with O(sfb.kb4023993.sfb_evaluate#module:stage=peers).
        type: bool
        default: false
notes:
  - What C(Get-CsCertificate) and C(Get-CsTopology) tell needs an account of the domain that is also in RTCUniversalServerAdmins (on
    an Edge, a local administrator). They read local data only. Where they are missing, denied or too slow, nothing fails. The
    certificate is then the one that the server presents on its own ports, RV(ansible_facts.sfb_kb4023993.certificate.known_by) says V(presented),
    and the pools are what the inventory says.
  - The host variables C(sfb_kb4023993_pool), C(sfb_kb4023993_edge_pool) and C(sfb_kb4023993_paired_pool) become part of the
    evidence. With the first two set on a Front End, C(Get-CsTopology) is not called.
seealso:
  - module: sfb.kb4023993.sfb_cert_eku_facts
  - module: sfb.kb4023993.sfb_dotnet_kb_facts
  - module: sfb.kb4023993.sfb_evaluate
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
- name: Read a server
  sfb.kb4023993.sfb_facts:

- name: Tell where a bad certificate meets a .NET that checks it
  ansible.builtin.debug:
    msg: "{{ facts.product }}: {{ facts.certificate.reason }}"
  vars:
    facts: "{{ ansible_facts.sfb_kb4023993 }}"
  when:
    - facts.role == 'front_end'
    - facts.certificate.client_auth | default('') == 'bad'
    - facts.dotnet.check_in_dotnet == 'present'

- name: Read the events of the last week, and whether Web Conferencing lost connections since it started
  sfb.kb4023993.sfb_facts:
    gather_subset: [events]

- name: Read a server and keep the evidence on the controller
  sfb.kb4023993.sfb_facts:
    evidence_dir: "{{ playbook_dir }}/evidence"
"""

RETURN = r"""
---
ansible_facts:
  description: Facts of the server; not returned with O(run).
  type: dict
  returned: when O(run) is not set
  contains:
    sfb_kb4023993:
      description: What was read, judged as far as one server alone can be.
      type: dict
      returned: always
      contains:
        role:
          description: V(front_end), V(edge), V(none) (no server of this problem) or V(unknown) (its services could not be read).
          type: str
          returned: always
          sample: front_end
        role_reason:
          description: Why it has no role, or why that is not known; empty for Front Ends and Edges.
          type: str
          returned: always
          sample: ''
        full_name:
          description: The server's own full name.
          type: str
          returned: always
          sample: sfb-fe01.contoso.example
        product:
          description: Product, by the version of the service's executable; none when it is not known.
          type: str
          returned: always
          sample: Skype for Business Server 2015
        product_version:
          description: File version of the executable of Web Conferencing (on an Edge, of Web Conferencing Edge).
          type: str
          returned: always
          sample: 6.0.9319.0
        executable:
          description: Full path of that executable, as the service has it.
          type: str
          returned: always
          sample: C:\Program Files\Skype for Business Server 2015\Web Conferencing\DataMCUSvc.exe
        clr:
          description: The CLR that Web Conferencing of this product runs in, so the one whose registry key counts.
          type: str
          returned: always
          sample: v4.0.30319
        process_started_utc:
          description: When its process started, by the server's clock; none when it does not run.
          type: str
          returned: always
          sample: '2026-11-19T19:48:24.917Z'
        os_build:
          description: Build number of Windows.
          type: int
          returned: always
          sample: 14393
        powershell_version:
          description: Version of the PowerShell engine that answered.
          type: str
          returned: always
          sample: 5.1.14393.693
        problems:
          description: What could not be read, one line each with section, operation, type and message; empty when all was read.
          type: list
          elements: str
          returned: always
          sample: []
        certificate:
          description: The certificate that Web Conferencing judges (C(Internal) of an Edge, C(Default) of a Front End); none when it is not known.
          type: dict
          returned: on Front Ends and Edges
          contains:
            thumbprint:
              description: SHA-1 of the certificate in upper-case hex, as Windows shows it.
              type: str
              returned: always
              sample: 6699C5B2B3ADB2A3E33BD050CD61F164D5BC45D2
            subject:
              description: Subject; none when the certificate cannot be parsed.
              type: str
              returned: always
              sample: CN=edgepool.contoso.example
            not_after_utc:
              description: End of validity.
              type: str
              returned: always
              sample: '2027-11-21T19:50:04Z'
            days_left:
              description: Whole days until then by the controller's clock; negative when it has expired.
              type: int
              returned: always
              sample: 363
            known_by:
              description:
                - V(assigned) when C(Get-CsCertificate) names it, V(presented) when it is what the server shows on its own ports.
              type: str
              returned: always
              sample: assigned
            note:
              description: Why the assignment could not be read; empty when it was.
              type: str
              returned: always
              sample: ''
            client_auth:
              description:
                - Whether the certificate is good for clientAuth (1.3.6.1.5.5.7.3.2), by its own extensions and its chain as read on this server.
                - V(undecided) where nobody has proved what Windows does (for example "any usage" alone), V(unreadable) where it is no
                  certificate that can be parsed. Neither counts as good.
              type: str
              returned: always
              sample: bad
            rule:
              description:
                - The rule that decided, a stable word; V(no_eku), V(eku_lists_usage), V(eku_lacks_usage), V(application_policies), V(any_eku),
                  V(ca_constraint), V(store_restriction), V(policy_translation), V(paths_differ), V(chain_unreadable), V(chain_too_large)
                  or V(unreadable).
              type: str
              returned: always
              sample: eku_lacks_usage
            reason:
              description: The same in a sentence for people.
              type: str
              returned: always
              sample: >-
                The certificate "CN=edgepool.contoso.example" (6699C5B2B3ADB2A3E33BD050CD61F164D5BC45D2) does not list client authentication
                (1.3.6.1.5.5.7.3.2) in Extended Key Usage.
            eku:
              description:
                - OIDs of the certificate's own Extended Key Usage extension; none when it has no such extension, which means
                  good for every usage.
              type: list
              elements: str
              returned: always
              sample: [1.3.6.1.5.5.7.3.1]
            application_policies:
              description:
                - OIDs of Microsoft's Application Policies extension (1.3.6.1.4.1.311.21.10), which replaces Extended Key Usage where it is
                  present; none when it is not.
              type: list
              elements: str
              returned: always
              sample: null
        dotnet:
          description: Whether .NET checks the usages.
          type: dict
          returned: on Front Ends, when the section was asked for and readable
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
          description: What turns the check off for Web Conferencing.
          type: dict
          returned: on Front Ends, when the section was asked for and readable
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
        failure_events:
          description: Events of failed Web Conferencing connections. That there are none proves nothing.
          type: dict
          returned: on Front Ends, when the section was asked for and readable
          contains:
            since_start:
              description: Number since the process started, by kind of connection (C(edge), C(front_end)).
              type: dict
              returned: always
              sample: {edge: 100, front_end: 200}
            older:
              description: The same for events before that.
              type: dict
              returned: always
              sample: {}
            last_utc:
              description: Time of the last of those since the start.
              type: str
              returned: always
              sample: '2026-11-22T19:48:30.117Z'
readable:
  description: Whether the server could be read.
  type: bool
  returned: with O(run), without O(run.peers)
  sample: true
asked:
  description: How many certificates of its peers the server was asked about.
  type: int
  returned: with O(run.peers=true)
  sample: 3
"""
