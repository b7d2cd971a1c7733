# Copyright (c) 2026, the sfb.kb4023993 contributors
# GNU General Public License v3.0-or-later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How long a restart of the whole product may take."""

from __future__ import annotations

import dataclasses
import typing as t


@dataclasses.dataclass(frozen=True, kw_only=True)
class Limits:
    """In seconds. ``gate_pause`` between the ``gate_tries`` questions to a busy pool; ``drain``: conferences may end by themselves;
    ``poll`` between two looks at the services."""

    poll: int = 5
    gate_tries: int = 4
    gate_pause: int = 600
    drain: int = 900
    stop: int = 600
    start: int = 2400
    present: int = 300


def limits_of(arguments: t.Mapping[str, t.Any]) -> Limits:
    """By the options of sfb_certificate."""
    services = arguments["services_timeout"]
    return Limits(
        poll=arguments["poll_interval"],
        gate_pause=arguments["gate_pause"],
        drain=arguments["drain_timeout"],
        stop=min(600, services),
        start=services,
        present=min(300, services),
    )
