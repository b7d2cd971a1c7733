# Copyright (c) 2026, the sfb.kb4023993 contributors
# GNU General Public License v3.0-or-later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a server's answers depend on beside the server itself."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from lab.mechanism import Mechanism
from lab.network import Network


@dataclass(frozen=True, kw_only=True)
class Surroundings:
    """``topology`` makes the topology document of the whole deployment (XML text), or None."""

    network: Network
    mechanism: Mechanism
    topology: Callable[[], str | None]
