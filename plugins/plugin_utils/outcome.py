# Copyright (c) 2026, the sfb.kb4023993 contributors
# GNU General Public License v3.0-or-later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How a step on a host ended."""

from __future__ import annotations

import dataclasses
import typing as t

Status = t.Literal["changed", "unchanged", "refused", "failed"]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Outcome:
    """How a step on a host ended. ``message`` is one plain sentence; ``refused`` and ``failed`` stop the host's pool.

    ``busy``: another run is at work in the pool, so that none of its servers may go down. ``claim``: the text of this run's own claim
    (``claims.py``), where it stands on the server after the step.
    """

    status: Status
    message: str
    busy: bool = False
    claim: str | None = None

    @property
    def ok(self) -> bool:
        return self.status in ("changed", "unchanged")
