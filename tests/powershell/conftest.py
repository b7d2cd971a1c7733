# Copyright (c) 2026, the sfb.kb4023993 contributors
# GNU General Public License v3.0-or-later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The PowerShell engine of these tests."""

from __future__ import annotations

import os
import shutil

import pytest
from powershell.runner import Engine


@pytest.fixture(scope="session")
def engine() -> Engine:
    program = os.environ.get("SFB_PWSH") or shutil.which("pwsh")
    if not program:
        pytest.skip("no PowerShell engine: set SFB_PWSH to one, or install pwsh")
    return Engine(program)


@pytest.fixture(scope="session")
def cultural(engine: Engine) -> Engine:
    """The same engine with the cultures of Windows, which it takes from the ICU library."""
    assert engine.execute(b"", command="exit 0").exit_code == 0, "the engine itself does not run"
    found = Engine(engine.program, {"DOTNET_SYSTEM_GLOBALIZATION_INVARIANT": "0"})
    if found.execute(b"", command="exit 0").exit_code:
        pytest.skip("this engine has no cultures: install the ICU library (Debian: libicu72, Ubuntu: libicu74)")
    return found
