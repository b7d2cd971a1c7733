# Copyright (c) 2026, the sfb.kb4023993 contributors
# GNU General Public License v3.0-or-later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Reads parts of a scenario file and says in plain English what is wrong and where."""

from __future__ import annotations

import re
from collections.abc import Collection
from typing import Any

_DURATION = re.compile(r"([0-9]+(?:\.[0-9]+)?)(s|m|h|d)\Z")
_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400}


class ScenarioError(ValueError):
    """A scenario that cannot be built; the message names the place, what is wrong, and what is possible."""


class Reader:
    """One mapping of a scenario. Every entry has to be asked for before :meth:`done`, which refuses the others."""

    def __init__(self, data: Any, where: str) -> None:
        if data is None:
            data = {}
        if not isinstance(data, dict):
            raise ScenarioError(f"{where}: this has to be a mapping (name: value), not {_kind(data)}.")
        self.where = where
        self._data: dict[str, Any] = {str(key): value for key, value in data.items()}
        self._asked: set[str] = set()

    def __contains__(self, key: str) -> bool:
        return key in self._data

    def entries(self) -> dict[str, Any]:
        """A copy of everything, for mappings that are read elsewhere."""
        self._asked.update(self._data)
        return dict(self._data)

    def with_defaults(self, defaults: dict[str, Any]) -> Reader:
        """The same with ``defaults`` for what is not there; what was asked for stays so."""
        merged = Reader({**defaults, **self._data}, self.where)
        merged._asked = set(self._asked)
        return merged

    def names(self) -> list[str]:
        """All entries, for mappings whose keys are names."""
        self._asked.update(self._data)
        return list(self._data)

    def get(self, key: str, default: Any = None) -> Any:
        self._asked.add(key)
        return self._data.get(key, default)

    def text(self, key: str, default: str | None = None) -> str:
        value = self.get(key, default)
        if not isinstance(value, str) or not value:
            raise self.error(key, f"has to be a text, not {_kind(value)}")
        return value

    def optional_text(self, key: str) -> str | None:
        return self.text(key) if key in self and self.get(key) is not None else None

    def choice(self, key: str, choices: Collection[str], default: str | None = None) -> str:
        value = self.text(key, default)
        if value not in choices:
            raise self.error(key, f"cannot be {value!r}; choose one of {', '.join(sorted(choices))}")
        return value

    def flag(self, key: str, default: bool = False) -> bool:
        value = self.get(key, default)
        if not isinstance(value, bool):
            raise self.error(key, f"has to be true or false, not {_kind(value)}")
        return value

    def number(self, key: str, default: float = 0) -> float:
        value = self.get(key, default)
        if isinstance(value, bool) or not isinstance(value, (int, float)):
            raise self.error(key, f"has to be a number, not {_kind(value)}")
        return float(value)

    def duration(self, key: str, default: str) -> float:
        """Seconds, from a text like ``90s``, ``15m``, ``3h`` or ``10d``."""
        value = self.get(key, default)
        match = _DURATION.match(value) if isinstance(value, str) else None
        if match is None:
            raise self.error(key, f"has to be a time like 90s, 15m, 3h or 10d, not {value!r}")
        return float(match[1]) * _SECONDS[match[2]]

    def items(self, key: str) -> list[Any]:
        """A list; a single value counts as a list of one."""
        value = self.get(key, [])
        if value is None:
            return []
        return value if isinstance(value, list) else [value]

    def error(self, key: str, problem: str) -> ScenarioError:
        return ScenarioError(f"{self.where}: {key} {problem}.")

    def done(self) -> None:
        """:raises ScenarioError: for entries that nobody asked for."""
        unknown = sorted(set(self._data) - self._asked)
        if unknown:
            known = ", ".join(sorted(self._asked))
            raise ScenarioError(f"{self.where}: there is no entry {unknown[0]!r}; possible are {known}.")


def _kind(value: Any) -> str:
    names = {dict: "a mapping", list: "a list", str: "a text", bool: "true or false", type(None): "nothing"}
    return names.get(type(value), f"{value!r}")
