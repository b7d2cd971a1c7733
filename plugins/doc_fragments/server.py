# Copyright (c) 2026, the sfb.kb4023993 contributors
# GNU General Public License v3.0-or-later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What all modules that talk to a Windows server have in common."""

from __future__ import annotations


class ModuleDocFragment:
    DOCUMENTATION = r"""
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
      - Ansible ignores C(become) for the low-level commands that this module uses, so it is refused with a message
        before anything is sent. Connect with the account that is meant.
  bypass_host_loop:
    support: none
  connection:
    support: full
    details:
      - Works over the connections P(ansible.builtin.winrm#connection), P(ansible.builtin.psrp#connection), and
        P(ansible.builtin.ssh#connection) with C(ansible_shell_type=powershell). Any other connection is refused.
  delegation:
    support: none
    details:
      - The server is known by its inventory name. With C(delegate_to) another server would be read or changed under that name.
  idempotent:
    description: When run twice in a row outside check mode, with the same arguments, the second invocation changes nothing.
    support: full
  platform:
    support: full
    platforms: windows
requirements:
  - "On the controller: the Python package C(cryptography), and C(pywinrm) or C(pypsrp) for the connection."
  - "On the server: PowerShell 2.0 or later, as it comes with Windows Server 2008 R2 and later. No
    Ansible module for Windows is used, so the limits of C(ansible-core) for old PowerShell versions do not apply."
notes:
  - The account must be a local administrator of the server with a full token. A local account other than the built-in
    Administrator gets one over the network only with V(LocalAccountTokenFilterPolicy=1) on the server. No second hop
    (Kerberos delegation, CredSSP) is needed, but for some steps of M(sfb.kb4023993.sfb_certificate).
  - The only PowerShell that reaches a server are files of this collection, always byte for byte the same, so that they can be read and
    allow-listed; C(batch.ps1) in C(plugins/plugin_utils/host), with C(changes.ps1) in front of it only where something is to be changed, and
    C(certificates.ps1) in front of both only in the steps of M(sfb.kb4023993.sfb_certificate) and where a CA is asked
    (M(sfb.kb4023993.sfb_certificate_request)). C(bootstrap.ps1) beside them starts it. Nothing is downloaded. Only steps of
    M(sfb.kb4023993.sfb_certificate) write files, in a folder that they remove at once.
"""

    # Modules that only read.
    READING = r"""
attributes:
  check_mode:
    support: full
    details:
      - Reads only; the same in check mode.
  diff_mode:
    support: N/A
    details:
      - Nothing is changed.
  facts:
    support: full
"""
