# Copyright (c) 2026, the sfb.kb4023993 contributors
# GNU General Public License v3.0-or-later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the tests of AWX's side share."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from awx.runner import Controller
from integration.conftest import pytest_xdist_make_scheduler, start

__all__ = ["controller", "programs", "pytest_xdist_make_scheduler", "start"]


@pytest.fixture(scope="session")
def programs() -> Path:
    """The programs of the environment "awx" (tests/tools/environments.py): ansible-runner, ansible-builder and the modules for AWX."""
    return Path(os.environ.get("SFB_AWX_PROGRAMS", Path(__file__).parents[2] / ".venvs" / "awx" / "bin"))


@pytest.fixture(scope="module")
def controller(programs: Path, tmp_path_factory: pytest.TempPathFactory) -> Controller:
    return Controller(programs, tmp_path_factory.mktemp("controller"))
