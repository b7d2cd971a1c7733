# Copyright (c) 2026, the sfb.kb4023993 contributors
# GNU General Public License v3.0-or-later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Documentation of sfb_cert_eku_facts; the code is the action plugin of the same name."""

from __future__ import annotations

DOCUMENTATION = r"""
---
module: sfb_cert_eku_facts
short_description: Read certificates of a Lync or Skype for Business server and judge their usages
version_added: 0.1.0
description:
  - Reads the certificates of the computer's personal store with their issuers, what each is used for in Lync Server or Skype for
    Business Server, and judges each for clientAuth as the check of Microsoft KB4023993 does.
  - Judges by OIDs, never by display names, so servers of any language give the same answer. A missing extension is good for all
    usages, Application Policies replace Extended Key Usage, and CA certificates of the chain limit what is below them.
  - The chain is judged as this server has it. What counts in the end is how a Front End builds the chain of its peer; the playbook
    C(sfb.kb4023993.audit) asks the Front Ends themselves.
  - Nothing on the server is changed. At most 100 certificates are returned.
options: {}
notes:
  - What C(Get-CsCertificate) and C(Get-CsTopology) tell needs an account of the domain that is also in RTCUniversalServerAdmins (on
    an Edge, a local administrator). They read local data only. Where they are missing, denied or too slow, nothing fails. The
    certificate is then the one that the server presents on its own ports, RV(ansible_facts.sfb_cert_eku.certificate.known_by) says V(presented)
    and C(uses) is empty.
seealso:
  - module: sfb.kb4023993.sfb_facts
  - module: sfb.kb4023993.sfb_dotnet_kb_facts
  - module: ansible.windows.win_certificate_info
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
- name: Read and judge the certificates
  sfb.kb4023993.sfb_cert_eku_facts:

- name: Name what has to be reissued
  ansible.builtin.debug:
    msg: "{{ item.thumbprint }} ({{ item.uses | join(', ') }}): {{ item.reason }}"
  loop: "{{ ansible_facts.sfb_cert_eku.certificates }}"
  loop_control:
    label: "{{ item.subject }}"
  when:
    - item.client_auth != 'good'
    - item.uses | intersect(['Internal', 'Default']) | length > 0

- name: Fail where the certificate that counts is not good
  ansible.builtin.assert:
    that: ansible_facts.sfb_cert_eku.certificate.client_auth | default('unknown') == 'good'
    fail_msg: "{{ ansible_facts.sfb_cert_eku.certificate.reason | default('The certificate is not known.') }}"
  when: ansible_facts.sfb_cert_eku.role in ['front_end', 'edge']
"""

RETURN = r"""
---
ansible_facts:
  description: Facts of the server.
  type: dict
  returned: always
  contains:
    sfb_cert_eku:
      description: The certificates and their judgement.
      type: dict
      returned: always
      contains:
        role:
          description: V(front_end), V(edge), V(none) (no server of this problem) or V(unknown) (its services could not be read).
          type: str
          returned: always
          sample: edge
        certificate:
          description:
            - The certificate that Web Conferencing judges (C(Internal) of an Edge, C(Default) of a Front End); none on other servers,
              and where it is not known.
          type: dict
          returned: always
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
        certificates:
          description: All certificates of the computer's personal store.
          type: list
          elements: dict
          returned: always
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
            issuer:
              description: Issuer; none when the certificate cannot be parsed.
              type: str
              returned: always
              sample: CN=Contoso Issuing CA 1
            dns_names:
              description: DNS names of Subject Alternative Name.
              type: list
              elements: str
              returned: always
              sample: [edgepool.contoso.example]
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
            template:
              description: Name or OID of the AD CS template it was issued from; none when the certificate does not tell.
              type: str
              returned: always
              sample: null
            has_private_key:
              description: Whether the server has its private key.
              type: bool
              returned: always
              sample: true
            uses:
              description: What it is assigned to in the product, as C(Get-CsCertificate) names it.
              type: list
              elements: str
              returned: always
              sample: [Internal]
            store_restriction:
              description:
                - OIDs that an administrator left enabled for this certificate in this server's store, none when nothing is
                  restricted. It stays in this store, so peers do not see it, and it is not part of C(client_auth).
              type: list
              elements: str
              returned: always
              sample: null
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
        truncated:
          description: Whether there are more certificates than were returned.
          type: bool
          returned: always
          sample: false
        problems:
          description: What could not be read, one line each with section, operation, type and message; empty when all was read.
          type: list
          elements: str
          returned: always
          sample: []
"""
