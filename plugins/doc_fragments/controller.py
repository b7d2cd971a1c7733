# Copyright (c) 2026, the sfb.kb4023993 contributors
# GNU General Public License v3.0-or-later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What all modules that work on the controller alone have in common."""

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
      - Runs as the account that runs Ansible.
  bypass_host_loop:
    support: none
    details:
      - Use it with C(run_once=true) in a play over the fleet.
  check_mode:
    support: full
    details:
      - No server is touched. The files on the controller are written in check mode too, because the steps of a run need them.
  connection:
    support: none
    details:
      - Works on the controller and opens no connection, so it also works for hosts that do not answer.
  delegation:
    support: none
    details:
      - There is nothing to delegate.
  diff_mode:
    support: N/A
    details:
      - No server is changed.
  platform:
    support: full
    platforms: posix
requirements:
  - "On the controller: the Python package C(cryptography)."
"""
