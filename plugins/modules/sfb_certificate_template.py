# Copyright (c) 2026, the sfb.kb4023993 contributors
# GNU General Public License v3.0-or-later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Documentation of sfb_certificate_template; the code is the action plugin of the same name."""

from __future__ import annotations

DOCUMENTATION = r"""
---
module: sfb_certificate_template
short_description: Duplicate and publish a certificate template for both usages, with safe permissions
version_added: 0.1.0
description:
  - The first step of workaround 1 of Microsoft KB4023993. Duplicates a certificate template (by default Web Server) in the directory of
    the forest, with Server Authentication and Client Authentication as usages, and publishes it on the enterprise CAs that are named.
  - Runs on the controller over LDAP and touches no host of the play. Either the connection is TLS with a verified certificate, or every
    message is signed and encrypted by NTLM or Kerberos.
  - Names in these certificates have to come from the request, because they are those of pools. Whoever may enrol by such a template
    without anybody being asked can get a certificate to log on in the name of any user (attackers call this ESC1). So only one named
    group gets the right to enrol, the approval of a CA manager is on by default, and groups that hold everybody are refused.
  - An existing template is judged by the same rules, whoever made it. Templates that come with AD CS are never changed.
  - Before a change the directory is asked to compare with what was read, so a change of somebody else in between is not overwritten; the
    whole template is read again afterwards.
  - A run that was stopped after any step is gone on with by the next one.
options:
  name:
    description:
      - The template name (C(cn)); letters, digits, dots, underscores and hyphens. Requests name the template by it.
    type: str
    required: true
  state:
    description:
      - V(present) creates the template, or makes an existing one what is asked for.
      - V(absent) takes it off all CAs, and removes it and its identifier. Certificates that were issued stay valid.
    type: str
    choices: [present, absent]
    default: present
  display_name:
    description:
      - The name that consoles show. By default the O(name) in a new template, and unchanged in an existing one.
      - With O(state=absent) only needed to find what a stopped run left.
    type: str
  source:
    description: The template name of the template to duplicate. Only read when O(name) does not exist yet.
    type: str
    default: WebServer
  enrol_group:
    description:
      - The group whose members may request certificates, by name (C(sAMAccountName), also C(DOMAIN\GROUP)) or SID. Needed with
        O(state=present). Every other group loses this right; administrators' rights in an existing template stay.
      - It is who logs on to the CA that needs the right, and not the server that gets the certificate.
      - A group of another domain has to be given by its SID; it cannot be looked into.
    type: str
  manager_approval:
    description:
      - Whether each request waits for the approval of a CA manager. Without it every member of O(enrol_group) can get a certificate in
        any name.
    type: bool
    default: true
  exportable_key:
    description:
      - Whether the private key may be exported. Only Edge pools with several members need that, because the product wants the same
        certificate on all of them. Make a template of its own for these.
      - Windows takes this as advice to the requester, no CA can enforce it.
    type: bool
    default: false
  validity_days:
    description: Days that a certificate is valid. By default as in the source, or unchanged. A CA may issue for a shorter time.
    type: int
  renewal_overlap_days:
    description: Days before the end from which a certificate counts as due. By default as in the source, or unchanged.
    type: int
  publish_on:
    description:
      - Names of the enterprise CAs that are to issue by the template (the name of the CA, not of its server). Others are left as they are.
      - A name that does not exist is an error before anything is written.
    type: list
    elements: str
    default: []
  unpublish_on:
    description:
      - Names of the enterprise CAs that are no longer to issue by the template. A template that is not published anywhere cannot be
        abused, so this is a good last step until the next renewal.
    type: list
    elements: str
    default: []
  accept_that_wide_groups_can_impersonate_anybody:
    description:
      - Accept an O(enrol_group), or an existing template, where everybody or all accounts of a kind have rights (Everyone, Authenticated
        Users, Domain Users, Domain Computers, Users, and groups that contain one of them). Any of these accounts can then ask for
        certificates in any name.
    type: bool
    default: false
  server:
    description:
      - A domain controller of the root domain of the forest, by its full name. Best the one that the CA uses, or wait for replication.
      - Without it no directory is asked, and the result holds RV(instructions) for a CA administrator and nothing else. That is for
        where the rights on the directory are out of reach.
    type: str
  tls:
    description:
      - Whether to connect with TLS. Without it only V(ntlm) and V(kerberos) are possible, with signing and encryption.
    type: bool
    default: true
  port:
    description: The port; by default 636 with TLS and 389 without.
    type: int
  ca_file:
    description:
      - File on the controller with the certificates (PEM) of the CAs that may have issued the domain controller's certificate. By default
        those that the controller trusts anyway.
    type: path
  auth:
    description:
      - V(simple) sends the password inside TLS.
      - V(ntlm) and V(kerberos) need the Python package C(pyspnego) on the controller, and V(kerberos) also C(gssapi) and C(krb5)
        (C(pip install pyspnego[kerberos])). With TLS the log-on is bound to the TLS channel.
    type: str
    choices: [simple, ntlm, kerberos]
    default: simple
  user:
    description:
      - The account; C(user@domain) for V(simple) and V(kerberos), C(DOMAIN\user) for V(ntlm). Without it V(kerberos) uses the ticket of the
        account that runs Ansible.
    type: str
  password:
    description: Its password. Keep it in a vault.
    type: str
  timeout:
    description: The longest time in seconds to connect, and for each operation.
    type: int
    default: 30
notes:
  - Reading, and so check mode, needs nothing but an ordinary account of the forest.
  - "Writing needs these rights, which Enterprise Admins have, below C(CN=Public Key Services,CN=Services) of the configuration: create
    C(pKICertificateTemplate) objects in C(CN=Certificate Templates); create and delete C(msPKI-Enterprise-Oid) objects in C(CN=OID);
    write C(certificateTemplates) of the CAs in C(CN=Enrollment Services); and for changes write, and modify permissions of, the template
    itself. An error names the one that is missing."
  - A CA reads its list of templates from time to time. Until then requests are denied with 0x80094800; that passes, at the latest with the
    next start of the CA.
  - In groups of other domains nobody looks for wide groups.
seealso:
  - module: sfb.kb4023993.sfb_datamcu_eku_override
  - name: Microsoft KB4023993
    description: The problem that this collection is about.
    link: https://support.microsoft.com/help/4023993
author:
  - sfb.kb4023993 contributors (!UNKNOWN)
attributes:
  check_mode:
    support: full
    details:
      - Reads, and returns what would be. The identifier of a new template is not promised.
  diff_mode:
    support: full
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
- name: Make the template, and have one CA issue by it
  sfb.kb4023993.sfb_certificate_template:
    server: dc1.example.com
    user: template-admin@example.com
    password: "{{ template_admin_password }}"
    ca_file: /etc/pki/example-root.pem
    name: WebServerClientAndServer
    display_name: Web Server with Client Authentication
    enrol_group: SfB Certificate Requesters
    publish_on:
      - Example Issuing CA
  run_once: true

- name: A template of its own for an Edge pool with several members
  sfb.kb4023993.sfb_certificate_template:
    server: dc1.example.com
    auth: kerberos
    tls: false
    name: EdgePoolClientAndServer
    enrol_group: EXAMPLE\SfB Certificate Requesters
    exportable_key: true
    validity_days: 365
    renewal_overlap_days: 30
    publish_on:
      - Example Issuing CA
  run_once: true

- name: Show what would be changed, and how to do it by hand
  sfb.kb4023993.sfb_certificate_template:
    server: dc1.example.com
    user: EXAMPLE\reader
    password: "{{ reader_password }}"
    auth: ntlm
    name: WebServerClientAndServer
    enrol_group: SfB Certificate Requesters
  check_mode: true
  diff: true
  run_once: true

- name: Only the steps for the CA administrator
  sfb.kb4023993.sfb_certificate_template:
    name: WebServerClientAndServer
    enrol_group: SfB Certificate Requesters
    publish_on:
      - Example Issuing CA
  run_once: true
  register: by_hand

- name: Nobody needs it until the next renewal
  sfb.kb4023993.sfb_certificate_template:
    server: dc1.example.com
    user: template-admin@example.com
    password: "{{ template_admin_password }}"
    name: WebServerClientAndServer
    enrol_group: SfB Certificate Requesters
    unpublish_on:
      - Example Issuing CA
  run_once: true
"""

RETURN = r"""
---
name:
  description: The template name, for the steps that follow.
  type: str
  returned: always
  sample: WebServerClientAndServer
msg:
  description: What was done, in words; or that nothing had to be, or that this was check mode; or why it failed and what to do.
  type: str
  returned: always
  sample: "Done: adding the template WebServerClientAndServer; publishing WebServerClientAndServer on Example Issuing CA."
instructions:
  description: The same by hand, step by step, for a CA administrator.
  type: list
  elements: str
  returned: without O(server), in check mode when something would be changed, and when the task failed
  sample:
    - "Right-click the template Web Server (template name WebServer) and choose Duplicate Template."
dn:
  description: Where the template is in the directory.
  type: str
  returned: when a directory was asked
  sample: CN=WebServerClientAndServer,CN=Certificate Templates,CN=Public Key Services,CN=Services,CN=Configuration,DC=example,DC=com
exists:
  description: Whether the template is there; in check mode, whether it would be.
  type: bool
  returned: when a directory was asked
  sample: true
published_on:
  description: The CAs that issue by the template, all of them.
  type: list
  elements: str
  returned: when a directory was asked
  sample: [Example Issuing CA]
oid:
  description: The identifier of the template, which is in every certificate that is issued by it.
  type: str
  returned: when the template is there; null in check mode when it is not there yet
  sample: 1.3.6.1.4.1.311.21.8.10474041.5863166.10835082.12180123.8512337.29.13958433.10255906
display_name:
  description: The name that consoles show.
  type: str
  returned: when the template is there
  sample: Web Server with Client Authentication
schema_version:
  description: The version of its schema. The pages of a CA for requests by browser offer only 1 and 2.
  type: int
  returned: when the template is there
  sample: 2
revision:
  description: Major and minor revision. The minor one goes up with every change.
  type: str
  returned: when the template is there
  sample: "100.2"
owner:
  description: Who may always change the permissions.
  type: str
  returned: when the template is there
  sample: Enterprise Admins
dacl:
  description: Owner, group and permissions in SDDL.
  type: str
  returned: when the template is there
  sample: "O:S-1-5-21-1-2-3-519G:S-1-5-21-1-2-3-519D:P(A;;LCRPLORC;;;AU)(OA;;CR;0e10c968-78fb-11d2-90d4-00c04f79dc55;;S-1-5-21-1-2-3-1105)"
permissions:
  description: The same for people.
  type: list
  elements: dict
  returned: when the template is there
  contains:
    principal:
      description: A name for the SID.
      type: str
      returned: always
      sample: SfB Certificate Requesters
    sid:
      description: The SID.
      type: str
      returned: always
      sample: S-1-5-21-1-2-3-1105
    may:
      description: What it may do; read, enrol, write.
      type: list
      elements: str
      returned: always
      sample: [enrol]
judgement:
  description: What the template lets people do. Administrators of the forest are left out; they can do everything anyway.
  type: dict
  returned: when the template is there
  contains:
    esc1:
      description: Whether somebody can get a certificate to log on in any name without anybody being asked.
      type: bool
      returned: always
      sample: false
    abusable_by:
      description: Who can do that, or can change the template so that it is possible.
      type: list
      elements: str
      returned: always
      sample: []
    wide_enrolment:
      description: Principals that hold everybody, or all accounts of a kind, and may enrol.
      type: list
      elements: str
      returned: always
      sample: []
    wide_writing:
      description: The same for changing the template.
      type: list
      elements: str
      returned: always
      sample: []
    manager_approval:
      description: Whether each request waits for a CA manager.
      type: bool
      returned: always
      sample: true
    remarks:
      description: The same in sentences.
      type: list
      elements: str
      returned: always
      sample: []
diff:
  description: The template before and after, as text.
  type: dict
  returned: in diff mode, when something changes
  contains:
    before:
      description: As it was found.
      type: str
      returned: always
    after:
      description: As it is written.
      type: str
      returned: always
"""
