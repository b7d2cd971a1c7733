# Copyright (c) 2026, the sfb.kb4023993 contributors
# GNU General Public License v3.0-or-later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the tests of the documentation share."""

from __future__ import annotations

import importlib
import typing as t

import pytest


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: t.Any) -> t.Any:
    """Give a file's tests to one process: they share runs of ansible-playbook, and a browser."""
    return importlib.import_module("xdist.scheduler").LoadFileScheduling(config, log)
