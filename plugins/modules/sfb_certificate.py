# Copyright (c) 2026, the sfb.kb4023993 contributors
# GNU General Public License v3.0-or-later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Documentation of sfb_certificate; the code is the action plugin of the same name."""

from __future__ import annotations

DOCUMENTATION = r"""
---
module: sfb_certificate
short_description: Carry out one step of a certificate's replacement on a server
version_added: 0.1.0
description:
  - Does on this host what the files of the run and the records of certificates say, for one O(step) of workaround 1. A host that they do not
    name for this step is skipped.
  - What is about to be done is recorded on the server below C(HKLM\SOFTWARE\sfb.kb4023993) before it is done. A part that is done already
    is left as it is, so a run that was ended anywhere is simply repeated. A server with another machine identity than the one that
    was read is refused.
  - A step that fails or is refused does not fail the task; RV(status) tells, later servers of the same pool are not touched, and the report of
    the run names it. Other pools go on.
options:
  step:
    description:
      - V(request) has the server make a key and a certificate request, with the names of the certificate that it replaces. By
        C(Request-CsCertificate -New -Output), or by C(certreq -new) where that cmdlet does not work or asks for other names. Nothing uses
        them yet.
      - V(hand_over) notes on the server that its request is about to be handed to a CA, V(note) where the request is afterwards. So
        no other controller hands it in a second time.
      - V(ask) asks the server's own C(X509Chain) about the new certificates, for both usages. It changes nothing.
      - V(trust) adds CA certificates of a new chain that the server lacks. Only self-signed ones go into C(Root), others into C(CA).
      - V(import) gives the waiting key its certificate, by C(Import-CsCertificate). Nothing uses it yet.
      - V(export) takes the certificate of an Edge pool with its private key out of the server that made the key, under a random
        password; V(receive) imports it on another member of the pool. Use both with C(no_log=true).
      - V(install) assigns the certificate to exactly the planned uses by C(Set-CsCertificate), restarts the services of the product, and
        waits until they present it.
      - V(put_back) assigns what the server's record says was assigned before, restarts the services, and removes the record.
    type: str
    choices: [request, hand_over, note, ask, trust, import, export, receive, install, put_back]
    required: true
  wave:
    description: For O(step=install) and O(step=put_back), the wave to work on, from 0. Hosts of other waves are skipped.
    type: int
    default: 0
  key_size:
    description: For O(step=request), the length of the RSA key in bits.
    type: int
    default: 2048
  shared:
    description:
      - For O(step=receive), what O(step=export) returned on the first member of the pool (RV(shared)). It holds a private key and is never
        shown.
    type: dict
  poll_interval:
    description: Seconds between two looks at services that stop or start, and at the certificate that they present.
    type: int
    default: 5
  gate_pause:
    description:
      - Seconds between two questions to a pool that says it is busy. It is asked four times at most.
    type: int
    default: 600
  drain_timeout:
    description:
      - Seconds that conferences have to end by themselves. After that the services are stopped without waiting for them. Without effect where
        the pool takes the server over (C(Invoke-CsComputerFailOver)), which has its own time limit of an hour.
    type: int
    default: 900
  services_timeout:
    description:
      - Seconds until services that do not run again count as failed. For services that do not stop it is 600 at most, and for the port
        that has to present the new certificate 300.
    type: int
    default: 2400
  take_over:
    description:
      - For O(step=install) and O(step=put_back), go on where a run of another controller says that it is restarting Web Conferencing in this
        pool. Only where that run is known to be dead.
    type: bool
    default: false
notes:
  - "Rights. O(step=request), O(step=trust), O(step=import), O(step=export), O(step=receive), O(step=ask) and the notes need a local
    administrator. O(step=install) and O(step=put_back) also call C(Get-CsCertificate), C(Stop-CsWindowsService) and
    C(Start-CsWindowsService): on a Front End the account has to be in C(RTCUniversalServerAdmins) as well; on an Edge, which is not in the
    domain, a local administrator should be enough (no source says so). C(Invoke-CsComputerFailOver) and C(Invoke-CsComputerFailBack) need
    an administrator of every server of the pool."
  - "Second hop. On Front Ends of a pool from Lync Server 2013 on, O(step=install) and O(step=put_back) have the pool asked and, from Skype
    for Business Server 2015 on, taken over. From there other servers are reached in the account's name, so connect with Kerberos and
    C(ansible_winrm_kerberos_delegation), or with CredSSP. Where they fail, nothing is stopped, but the certificate is assigned by then; the
    next run goes on from there. Edge Servers, Standard Edition servers and Lync Server 2010 need no second hop. C(Request-CsCertificate) may
    need one on a Front End; where it fails, C(certreq -new) takes its place, which needs none."
  - C(Request-CsCertificate) and C(certreq) write files. They are in a folder of their own below the temporary folder of the account, which only
    administrators may open, and which is removed at once. No private key is in them.
  - C(docs/certificate-request.md) and C(docs/certificate-install.md) of the collection say what each step does on the server, what users
    notice, and how to do and undo it by hand.
seealso:
  - module: sfb.kb4023993.sfb_certificate_plan
  - module: sfb.kb4023993.sfb_certificate_request
  - module: sfb.kb4023993.sfb_certificate_template
  - module: sfb.kb4023993.sfb_report
author:
  - sfb.kb4023993 contributors (!UNKNOWN)
attributes:
  check_mode:
    support: full
    details:
      - Says what the step would change, by the files of the run and without asking the server.
  diff_mode:
    support: partial
    details:
      - In check mode, for O(step=request), O(step=trust), O(step=install) and O(step=put_back).
extends_documentation_fragment:
  - sfb.kb4023993.server
  - sfb.kb4023993.run
  - ansible.builtin.action_common_attributes
  - ansible.builtin.action_common_attributes.actiongroups
  - ansible.builtin.action_common_attributes.conn
  - ansible.builtin.action_common_attributes.flow
"""

EXAMPLES = r"""
---
# These follow tasks that began the run (registered as run), read the servers, and decided what is next (sfb.kb4023993.sfb_certificate_plan).
- name: Make key and request where a certificate is to be replaced
  sfb.kb4023993.sfb_certificate:
    state_dir: "{{ run.state_dir }}"
    run_id: "{{ run.run_id }}"
    step: request
    key_size: 4096
  when: inventory_hostname in planned.requests

- name: Assign the new certificates and restart, first server of each pool
  sfb.kb4023993.sfb_certificate:
    state_dir: "{{ run.state_dir }}"
    run_id: "{{ run.run_id }}"
    step: install
    wave: 0
    drain_timeout: 1800
  timeout: 14400
  register: installed
  failed_when: installed.status | default('') in ['failed', 'refused']
"""

RETURN = r"""
---
status:
  description: V(changed), V(unchanged), V(refused) (it was not safe) or V(failed).
  type: str
  returned: outside check mode, when the run has this host in this step; not for O(step=export)
  sample: changed
msg:
  description: What happened, in words.
  type: str
  returned: outside check mode, when the run has this host in this step; not for O(step=export)
  sample: Default, WebServicesInternal, WebServicesExternal have the new certificate; the services were failed over and back.
shared:
  description:
    - The certificate of an Edge pool with its private key (C(pfx), base64) and the password that protects it. Empty where the host has none to
      share. It is a secret; use C(no_log=true).
  type: dict
  returned: for O(step=export), outside check mode
  sample: {}
diff:
  description: What is there and what would be, as text.
  type: dict
  returned: in check mode, when the run has this host in this step
  contains:
    before:
      description: As it is.
      type: str
      returned: always
    after:
      description: As it would be.
      type: str
      returned: always
"""
