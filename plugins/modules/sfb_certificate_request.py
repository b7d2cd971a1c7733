# Copyright (c) 2026, the sfb.kb4023993 contributors
# GNU General Public License v3.0-or-later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Documentation of sfb_certificate_request; the code is the action plugin of the same name."""

from __future__ import annotations

DOCUMENTATION = r"""
---
module: sfb_certificate_request
short_description: Have certificate requests of Lync Server signed by a CA
version_added: 0.1.0
description:
  - Hands the requests that servers made to a CA, takes up those that the CA already has, and verifies what comes back before anything
    is installed. The key has to be the one of the request, server authentication and client authentication have to be possible along
    the whole chain, the names have to be those that were asked for, the chain has to reach a root with every signature right, and the
    certificate has to be valid long enough. What is wrong is named by stable ids.
  - Keeps one record per certificate in C(certificates/) below O(state_dir), which a person can read. What is about to be done is
    written there first, so that a run that was ended anywhere is simply repeated.
  - A CA never gets a request twice by itself. Where an answer of the CA was lost, the task fails, says what to look for on the CA,
    and goes on with O(request_ids) or O(submit_again).
  - A request that waits for the approval of a CA manager is a normal state. The task ends well, and a later run fetches the
    certificate.
  - Before the first request, the CA's own chain is read (with O(method=certreq) and O(method=web)); where it cannot issue for both usages,
    nothing is handed in.
options:
  state_dir:
    description: The state directory on the controller, as M(sfb.kb4023993.sfb_run) returned it.
    type: path
    required: true
  method:
    description:
      - The way to the CA. With V(certreq) a domain-joined Windows host asks it, by the COM object C(CertificateAuthority.Request); this is the
        host of C(delegate_to), or else the host of the task. Its answers are numbers, not texts in the language of the CA.
      - V(web) uses the pages of AD CS web enrolment (C(/certsrv)), over HTTPS only.
      - With V(files) the requests are written into O(directory), with a list of what each has to become, and certificates are picked up
        from there. This works with any CA.
    type: str
    choices: [certreq, web, files]
    required: true
  preflight:
    description:
      - Only see whether the CA can be asked, and whether it may issue for both usages. Nothing is handed in, no record is read or written,
        and the task fails where the answer is no. Asked in check mode too.
    type: bool
    default: false
  config:
    description:
      - The CA, as C(HOST\CA name) (C(certutil -config - -ping) shows the names). Required with O(method=certreq).
    type: str
  template:
    description:
      - The name of the certificate template (not its display name). Required with O(method=certreq) and O(method=web).
    type: str
    default: ""
  template_oid:
    description: The object identifier of the template. If given, a certificate from another template is refused.
    type: str
  minimum_days:
    description: A new certificate that ends in fewer days is refused.
    type: int
    default: 90
  url:
    description:
      - The address of the pages, for example V(https://ca01.contoso.example/certsrv). Required with O(method=web). Plain HTTP is
        refused, and no redirect is followed.
    type: str
  user:
    description:
      - The account that requests the certificates, as V(DOMAIN\\user), or V(user@REALM) with O(auth=kerberos). It needs the right to
        enrol for the template. Empty with O(auth=kerberos) to use the tickets that are there.
    type: str
    default: ""
  password:
    description: The password of O(user). It is kept nowhere.
    type: str
    default: ""
  auth:
    description:
      - How O(user) is proved to the pages. Both are bound to the TLS connection (extended protection). V(kerberos) needs the Python
        package C(pyspnego[kerberos]).
    type: str
    choices: [ntlm, kerberos]
    default: ntlm
  ca_file:
    description:
      - PEM file on the controller with the CA certificates to trust for the TLS connection to the pages, and no others. Without it,
        those of the system.
    type: path
  timeout:
    description: Seconds to wait for the pages. An answer takes three times as long at most.
    type: int
    default: 60
  directory:
    description:
      - The folder of O(method=files), on the controller. It gets C(index.txt), C(requests/) and C(certificates/). Certificates are put
        into the latter as PEM, DER or PKCS 7, under any file name.
    type: path
  requests:
    description:
      - Requests to take up into records. One that is there already is left as it is, so the task can be repeated. Records that are there
        without being named here are worked on all the same.
    type: list
    elements: dict
    default: []
    suboptions:
      server:
        description: The inventory name of the server that made the request and has the private key.
        type: str
        required: true
      members:
        description: Further servers that get the same certificate (the members of an Edge pool).
        type: list
        elements: str
        default: []
      uses:
        description: What the certificate is for in Lync Server, as C(Set-CsCertificate) names it; V(Internal) for an Edge.
        type: list
        elements: str
        required: true
      csr:
        description: The request, in any form that Windows writes.
        type: str
        required: true
      replaces:
        description:
          - The certificate that it replaces, in PEM or base64. If given, a request that lacks one of its names is not handed in.
        type: str
      allow_name_changes:
        description: Hand it in although names of the replaced certificate are missing.
        type: bool
        default: false
  request_ids:
    description:
      - Request ids found on the CA, by the id of the record (RV(certificates[].id)), for requests whose answer was lost.
    type: dict
    default: {}
  submit_again:
    description:
      - Ids of records whose request is to be handed in once more. Look on the CA first that it does not hold the request already.
    type: list
    elements: str
    default: []
  hold:
    description:
      - Servers whose request is not handed in, only those of others. A request that a CA has already is asked for all the same.
    type: list
    elements: str
    default: []
requirements:
  - "On the controller, with O(method=web): the Python package C(pyspnego), which comes with C(pypsrp)."
  - "For O(method=certreq): a Windows host in the domain, with PowerShell 2.0 or later, over a connection that delegates (Kerberos with
    C(ansible_winrm_kerberos_delegation), or CredSSP)."
notes:
  - The account that requests is recorded by the CA as the requester of all these certificates. What each method needs, and how to do
    the same by hand, is in C(docs/certificate-signing.md) of the collection.
  - With O(method=certreq) the account of the connection requests. It has to be a local administrator of the host, and needs the right to enrol.
    The CA is a second hop from there, which NTLM and Basic cannot make. That hop is tried before each request is handed in.
seealso:
  - module: sfb.kb4023993.sfb_run
author:
  - sfb.kb4023993 contributors (!UNKNOWN)
attributes:
  connection:
    support: partial
    details:
      - With O(method=certreq) over the connections P(ansible.builtin.winrm#connection), P(ansible.builtin.psrp#connection), and
        P(ansible.builtin.ssh#connection) with C(ansible_shell_type=powershell). The other methods open none.
  delegation:
    support: full
    details:
      - With O(method=certreq), C(delegate_to) names the Windows host that asks the CA. With the other methods use C(delegate_to=localhost), or
        nothing.
  check_mode:
    support: full
    details:
      - Says what would be done with each certificate. No CA is asked, but for O(preflight), and nothing is written.
  diff_mode:
    support: full
    details:
      - The step of each certificate before and after.
  idempotent:
    description: When run twice in a row outside check mode, with the same arguments, the second invocation changes nothing.
    support: full
    details:
      - If the CA decided meanwhile, the second run takes up its decision.
extends_documentation_fragment:
  - sfb.kb4023993.controller
  - ansible.builtin.action_common_attributes
  - ansible.builtin.action_common_attributes.actiongroups
  - ansible.builtin.action_common_attributes.conn
  - ansible.builtin.action_common_attributes.flow
"""

EXAMPLES = r"""
---
# These follow a task that began the run (registered as run), as in the example of sfb.kb4023993.sfb_run.
- name: Have the request of an Edge signed over the enrolment pages
  sfb.kb4023993.sfb_certificate_request:
    state_dir: "{{ run.state_dir }}"
    method: web
    url: https://ca01.contoso.example/certsrv
    ca_file: /etc/pki/contoso-root.pem
    user: CONTOSO\sfb-requester
    password: "{{ vault_requester_password }}"
    template: WebServerClientandServer
    requests:
      - server: edge01
        uses: [Internal]
        csr: "{{ lookup('ansible.builtin.file', 'edge01.req') }}"
  run_once: true
  register: signed

- name: See whether the CA can be asked through a Windows host
  sfb.kb4023993.sfb_certificate_request:
    state_dir: "{{ run.state_dir }}"
    method: certreq
    config: ca01.contoso.example\Contoso Issuing CA
    template: WebServerClientandServer
    preflight: true
  delegate_to: pki01
  run_once: true

- name: Write the requests for a CA that only people can ask, and pick up what came back
  sfb.kb4023993.sfb_certificate_request:
    state_dir: "{{ run.state_dir }}"
    method: files
    directory: /srv/requests
  run_once: true

- name: Go on with a request whose answer was lost, after it was found on the CA
  sfb.kb4023993.sfb_certificate_request:
    state_dir: "{{ run.state_dir }}"
    method: web
    url: https://ca01.contoso.example/certsrv
    user: CONTOSO\sfb-requester
    password: "{{ vault_requester_password }}"
    template: WebServerClientandServer
    request_ids:
      edge01 Internal: 4711
  run_once: true
"""

RETURN = r"""
---
msg:
  description: Where the certificates are, and what failed.
  type: str
  returned: always
  sample: "2 certificates: 1 pending, 1 verified."
certificates:
  description: Every record of the state directory. Empty with O(preflight).
  type: list
  elements: dict
  returned: when the records could be worked on
  contains:
    id:
      description: The id of the record; the server with the key, and the first use.
      type: str
      returned: always
      sample: edge01 Internal
    servers:
      description: Inventory names of the servers that get it, the one with the private key first.
      type: list
      elements: str
      returned: always
      sample: [edge01, edge02]
    uses:
      description: What it is for.
      type: list
      elements: str
      returned: always
      sample: [Internal]
    step:
      description:
        - How far it is. V(planned), V(requested), V(submitting) (no answer is known), V(pending), V(denied), V(refused) (what came back
          is not good), V(verified), V(installed), V(assigned) or V(done).
      type: str
      returned: always
      sample: pending
    message:
      description: What happened and what comes next, in words.
      type: str
      returned: always
      sample: >-
        Handed in at https://ca01.contoso.example/certsrv as request 4711. A CA manager has to approve it, if that is what the template
        says. When it is issued, run again.
    failed:
      description: Whether a person has to do something about it, other than to approve it.
      type: bool
      returned: always
      sample: false
    request_id:
      description: The id under which the CA has it.
      type: int
      returned: always
      sample: 4711
    thumbprint:
      description: The new certificate, once it is there.
      type: str
      returned: always
      sample: 5F902A9366811F330343BDA1F56021CC1FA4DF09
    not_after_utc:
      description: The end of its validity.
      type: str
      returned: always
      sample: "2028-11-20T22:20:58Z"
    problems:
      description: For V(refused), the stable ids of what is wrong with it.
      type: list
      elements: str
      returned: always
      sample: [KB4023993-SIGN-NO-CLIENT-AUTH]
diff:
  description: The steps before and after, as text.
  type: dict
  returned: in diff mode
  contains:
    before:
      description: The steps found.
      type: str
      returned: always
    after:
      description: The steps now.
      type: str
      returned: always
"""
