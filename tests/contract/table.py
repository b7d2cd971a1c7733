# Copyright (c) 2026, the sfb.kb4023993 contributors
# GNU General Public License v3.0-or-later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""All cases."""

from __future__ import annotations

from contract.case import Case
from contract.cases_batch import batch
from contract.cases_certificate_work import certificate_work
from contract.cases_certificates import certificates
from contract.cases_files import files
from contract.cases_registry import registry_reading
from contract.cases_registry_change import registry_changing
from contract.cases_services import services
from contract.cases_system import system


def cases() -> list[Case]:
    return [
        *system(),
        *registry_reading(),
        *registry_changing(),
        *files(),
        *services(),
        *certificates(),
        *certificate_work(),
        *batch(),
    ]
