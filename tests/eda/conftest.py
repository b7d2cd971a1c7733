# Copyright (c) 2026, the sfb.kb4023993 contributors
# GNU General Public License v3.0-or-later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the tests of the rulebooks share."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from integration.conftest import pytest_xdist_make_scheduler, start

__all__ = ["programs", "pytest_xdist_make_scheduler", "start"]

SCENARIO = Path(__file__).parent / "pools.yml"


@pytest.fixture(scope="session")
def programs() -> Path:
    """The programs of the environment "eda" (tests/tools/environments.py): ansible-rulebook and an ansible-core."""
    return Path(os.environ.get("SFB_EDA_PROGRAMS", Path(__file__).parents[2] / ".venvs" / "eda" / "bin"))
