# Copyright (c) 2026, the sfb.kb4023993 contributors
# GNU General Public License v3.0-or-later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The order of restarts: one Front End of a pool at a time, paired pools apart, other pools side by side."""

from __future__ import annotations

import typing as t


def arrange_waves(
    hosts: t.Sequence[tuple[str, str]], *, paired: t.Mapping[str, str], first: t.Collection[str] = ()
) -> dict[str, int]:
    """Give each host the number of its wave, from 0.

    :param hosts: pairs of host and pool.
    :param paired: pool to its paired pool, both ways.
    :param first: hosts that come first in their pool, because their service is already down.
    """
    pools: dict[str, list[str]] = {}
    for host, pool in hosts:
        pools.setdefault(pool, []).append(host)
    for members in pools.values():
        members.sort(key=lambda host: (host not in first, host))
    waves: dict[str, int] = {}
    for pool in sorted(pools):
        partner = paired.get(pool)
        # The pool that sorts later waits until its partner is through.
        start = len(pools[partner]) if partner in pools and partner is not None and partner < pool else 0
        waves.update({host: start + index for index, host in enumerate(pools[pool])})
    return waves
