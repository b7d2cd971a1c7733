# Copyright (c) 2026, the sfb.kb4023993 contributors
# GNU General Public License v3.0-or-later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The lab's protocol server: the remote-management endpoints of many simulated Windows hosts in one process.

It speaks WS-Management (winrm), PSRP (psrp) and stands in for ssh, so that Ansible's own connection plugins talk
to it. It knows nothing of what the hosts are: a :class:`Handler` answers each :class:`Invocation`.
"""

from __future__ import annotations

from lab.protocol.control import Control, ControlError
from lab.protocol.counters import Counters
from lab.protocol.faults import Fault
from lab.protocol.handler import Execution, Handler, Invocation
from lab.protocol.hosts import HostSettings
from lab.protocol.server import LabServer

__all__ = [
    "Control",
    "ControlError",
    "Counters",
    "Execution",
    "Fault",
    "Handler",
    "HostSettings",
    "Invocation",
    "LabServer",
]
