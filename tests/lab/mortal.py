# Copyright (c) 2026, the sfb.kb4023993 contributors
# GNU General Public License v3.0-or-later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Servers whose processes can be ended in the middle of a batch."""

from __future__ import annotations

from lab.protocol.handler import ConnectionLostError, Execution, Handler, Invocation
from lab.world.killing import KilledError

_ENDED_FROM_OUTSIDE = 0x40010004


class Mortal:
    """A handler around another one."""

    def __init__(self, handler: Handler) -> None:
        self._handler = handler

    def execute(self, invocation: Invocation) -> Execution:
        try:
            return self._handler.execute(invocation)
        except KilledError as killed:
            if killed.ending == "disconnect":
                raise ConnectionLostError from killed
            return Execution(exit_code=_ENDED_FROM_OUTSIDE, stdout=b"")
