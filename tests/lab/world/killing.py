# Copyright (c) 2026, the sfb.kb4023993 contributors
# GNU General Public License v3.0-or-later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Ending the process that runs a batch after a number of its operations: what a lost connection or a dying server does."""

from __future__ import annotations

from typing import Literal

Ending = Literal["silent", "disconnect"]


class KilledError(Exception):
    """The process has ended. ``ending``: silent (it printed nothing), or disconnect (the connection breaks too)."""

    def __init__(self, ending: Ending) -> None:
        super().__init__("the process was ended by the test")
        self.ending = ending


class KillPoint:
    """Where the next process of one server ends; it strikes once.

    ``number``: after so many operations from now on; 0 is before the first. ``operation``: only those of this name count.
    """

    def __init__(self) -> None:
        self._left: int | None = None
        self._operation: str | None = None
        self._ending: Ending = "silent"

    def set(self, *, number: int, operation: str | None = None, ending: Ending = "silent") -> None:
        """:raises ValueError: for a negative number."""
        if number < 0:
            raise ValueError("A process cannot be ended before it began: give 0 or more operations.")
        self._left, self._operation, self._ending = number, operation, ending

    @property
    def armed(self) -> bool:
        """Whether it has not struck yet."""
        return self._left is not None

    def before(self, operation: str) -> None:
        """:raises KilledError: when it is time."""
        if self._left == 0 and self._operation in (None, operation):
            self._left = None
            raise KilledError(self._ending)

    def after(self, operation: str) -> None:
        """:raises KilledError: when it is time."""
        if self._left and self._operation in (None, operation):
            self._left -= 1
            if self._left == 0:
                self._left = None
                raise KilledError(self._ending)
