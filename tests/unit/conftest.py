# Copyright (c) 2026, the sfb.kb4023993 contributors
# GNU General Public License v3.0-or-later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Generated examples are the same in every run, and a busy machine fails none of them for being slow."""

from __future__ import annotations

import sys
from pathlib import Path

from hypothesis import settings

# pyproject.toml says it too, but ansible-test does not read that.
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

settings.register_profile("unit", deadline=None, derandomize=True)
settings.load_profile("unit")
