# Copyright (c) 2026, the sfb.kb4023993 contributors
# GNU General Public License v3.0-or-later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The tables of catalog.yml: what servers of each Windows release and product look like."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any, Literal, cast

import yaml

Table = Literal["operating_systems", "products", "roles", "dotnet", "updates", "templates", "authorities"]


@cache
def table(name: Table) -> Mapping[str, Any]:
    """One table, by the name of its rows."""
    return cast("Mapping[str, Any]", _document()[name])


@cache
def _document() -> dict[str, Any]:
    return cast("dict[str, Any]", yaml.safe_load((Path(__file__).parent / "catalog.yml").read_text(encoding="utf-8")))
