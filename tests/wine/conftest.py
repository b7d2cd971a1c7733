# Copyright (c) 2026, the sfb.kb4023993 contributors
# GNU General Public License v3.0-or-later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Servers under Wine: clones of one prefix, which each process of the tests makes once."""

from __future__ import annotations

import contextlib
import importlib
import typing as t
from collections.abc import Iterator

import pytest

from wine import prefix, programs
from wine.fleet import WineFleet
from wine.prefix import Prefix, ServerLook


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: t.Any) -> t.Any:
    """Give the tests of a file to one process; of those here, the ones of each server (in brackets): they share their runs."""

    class ByServer(importlib.import_module("xdist.scheduler").LoadScopeScheduling):  # type: ignore[misc]
        def _split_scope(self, nodeid: str) -> str:
            file = nodeid.partition("::")[0]
            return file + nodeid.partition("[")[2] if "tests/wine/" in file else file

    return ByServer(config, log)


@pytest.fixture(scope="session")
def base_prefix(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Prefix]:
    """A prefix as Wine makes it, not running, to be cloned. It and its clones are removed at the end."""
    reason = prefix.missing() or programs.missing()
    if reason:
        pytest.skip(reason)
    base = Prefix.create(tmp_path_factory.mktemp("wine") / "base", look=ServerLook(name="BASE"))
    yield base
    base.remove()


@pytest.fixture(scope="session")
def start(base_prefix: Prefix, tmp_path_factory: pytest.TempPathFactory) -> Iterator[t.Callable[[str], WineFleet]]:
    """Starts the fleet of a scenario of this folder; it ends with the tests."""
    with contextlib.ExitStack() as running:

        def start_fleet(name: str) -> WineFleet:
            fleet = WineFleet(name, tmp_path_factory.mktemp(name), base=base_prefix)
            running.push(fleet)
            return fleet

        yield start_fleet
