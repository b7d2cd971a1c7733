# Copyright (c) 2026, the sfb.kb4023993 contributors
# GNU General Public License v3.0-or-later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What all integration tests share."""

from __future__ import annotations

import importlib
import typing as t

import pytest
from integration.fleet import Fleet


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: t.Any) -> t.Any:
    """Give a file's tests to one process: they share runs of ansible-playbook."""
    return importlib.import_module("xdist.scheduler").LoadFileScheduling(config, log)


@pytest.fixture(scope="module")
def start(tmp_path_factory: pytest.TempPathFactory) -> t.Iterator[t.Callable[..., Fleet]]:
    """Starts fleets that end with the tests of the file: a scenario, and how to connect."""
    running: list[Fleet] = []

    def start_fleet(scenario: t.Any, **connection: t.Any) -> Fleet:
        running.append(Fleet(scenario, tmp_path_factory.mktemp("fleet"), **connection))
        return running[-1]

    yield start_fleet
    for fleet in running:
        fleet.lab.stop()
