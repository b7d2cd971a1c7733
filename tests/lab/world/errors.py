# Copyright (c) 2026, the sfb.kb4023993 contributors
# GNU General Public License v3.0-or-later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a simulated server answers where the real one would answer with an error."""

from __future__ import annotations

from ansible_collections.sfb.kb4023993.plugins.plugin_utils.host.wire import ErrorType


class WorldError(Exception):
    """An operation that the server refuses or cannot do; becomes the error of its reply."""

    def __init__(self, kind: ErrorType, message: str) -> None:
        super().__init__(message)
        self.kind: ErrorType = kind
