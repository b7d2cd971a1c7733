# Copyright (c) 2026, the sfb.kb4023993 contributors
# GNU General Public License v3.0-or-later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs a command on a simulated host: counts it, asks the handler in a thread, applies output faults."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor

from lab.protocol.handler import Execution, Handler, Invocation
from lab.protocol.hosts import HostState


class Runner:
    """Calls the handler in a pool of ``workers`` threads, so that one slow host does not hold up the others."""

    def __init__(self, handler: Handler, *, workers: int) -> None:
        self._handler = handler
        self.pool = ThreadPoolExecutor(max_workers=workers, thread_name_prefix="lab-host")

    async def run(self, host: HostState, invocation: Invocation) -> Execution:
        host.counters.powershell_processes += invocation.processes
        loop = asyncio.get_running_loop()
        execution = await loop.run_in_executor(self.pool, self._handler.execute, invocation)
        return host.faults.damage(execution, commands=host.counters.commands)

    def close(self) -> None:
        self.pool.shutdown(wait=False, cancel_futures=True)
