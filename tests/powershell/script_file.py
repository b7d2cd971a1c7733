# Copyright (c) 2026, the sfb.kb4023993 contributors
# GNU General Public License v3.0-or-later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Starts a script in the way that a person at a server starts it."""

from __future__ import annotations

import dataclasses
import os
import subprocess
from pathlib import Path

from powershell.runner import Engine

_SECONDS = 120


@dataclasses.dataclass(frozen=True)
class Started:
    """How a script ended."""

    code: int
    output: str


def start(engine: Engine, script: Path, **variables: str) -> Started:
    """Start a script as README.txt says."""
    assert isinstance(engine.program, str)
    done = subprocess.run(
        [engine.program, "-NoProfile", "-ExecutionPolicy", "Bypass", "-File", str(script)],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        encoding="utf-8",
        timeout=_SECONDS,
        check=False,
        env={**os.environ, **engine.variables, **variables},
    )
    return Started(done.returncode, done.stdout)
