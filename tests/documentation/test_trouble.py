# Copyright (c) 2026, the sfb.kb4023993 contributors
# GNU General Public License v3.0-or-later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The page of troubles names the test that shows each."""

from __future__ import annotations

import re

import pytest
from documentation.pages import ROOT

_ROWS = [
    line.split("|")[1:-1]
    for line in (ROOT / "docs" / "trouble.md").read_text("utf-8").splitlines()
    if line.startswith("| ") and not line.startswith("| trouble ")
]


def test_the_tables_are_found() -> None:
    assert len(_ROWS) > 30


@pytest.mark.parametrize("row", _ROWS, ids=lambda row: row[0].strip()[:60])
def test_each_trouble_names_a_test_that_is_there(row: list[str]) -> None:
    tests = re.findall(r"`([^`]+)`", row[-1])
    assert tests
    for test in tests:
        assert (ROOT / "tests" / test).exists(), test
