# Copyright (c) 2026, the sfb.kb4023993 contributors
# GNU General Public License v3.0-or-later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The engines that the table is run in."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator

import pytest
from powershell.runner import Engine
from wine.conftest import base_prefix as base_prefix
from wine.prefix import Prefix, ServerLook

from contract.cases_system import MACHINE_GUID


@pytest.fixture(scope="session")
def engine() -> Engine:
    program = os.environ.get("SFB_PWSH") or shutil.which("pwsh")
    if not program:
        pytest.skip("no PowerShell engine: set SFB_PWSH to one, or install pwsh")
    return Engine(program)


@pytest.fixture(scope="session")
def prefix(base_prefix: Prefix, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Prefix]:
    """A running Windows Server 2012 R2 of Wine with nothing on it."""
    look = ServerLook(name="HOST", machine_guid=MACHINE_GUID)
    with base_prefix.clone(tmp_path_factory.mktemp("contract") / "prefix", look=look) as server:
        server.start()
        yield server
