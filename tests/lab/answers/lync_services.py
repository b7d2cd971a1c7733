# Copyright (c) 2026, the sfb.kb4023993 contributors
# GNU General Public License v3.0-or-later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Services of the product as a whole: stop and start, FailOver and FailBack, and what the pool's fabric says.

From reference/sfb.md, sections 2.5 and 4. Assumed, because no source says it: what a Standard Edition server answers to FailOver and
to the question about its fabric (a failure); that FailOver waits for nothing but its time (``failover_seconds`` of a scenario);
that Start-CsWindowsService passes over disabled services without a word.
"""

from __future__ import annotations

from datetime import timedelta

from ansible_collections.sfb.kb4023993.plugins.plugin_utils.host import certificate_operations as cop

from lab.answers.cmdlet import CmdletError, run, unknown
from lab.answers.context import Surroundings
from lab.fabric import BUSY, Fabric
from lab.world.errors import WorldError
from lab.world.host import Host

_ACTIONS = ("stop", "stop_graceful", "start")
_WITH_FAILOVER = ("sfb2015", "sfb2019")
_GATES = {
    "lync2013": "Get-CsPoolUpgradeReadinessState",
    "sfb2015": "Get-CsPoolUpgradeReadinessState",
    "sfb2019": "Get-CsUpgradeDomainInfo",
}


def lync_services(host: Host, asked: cop.LyncServices, _: Surroundings) -> cop.LyncOutcome:
    if asked.action not in _ACTIONS:
        raise WorldError("invalid", "this can only stop and start")
    cmdlet = "Start-CsWindowsService" if asked.action == "start" else "Stop-CsWindowsService"
    if asked.action == "start":
        ended = run(host, cmdlet, asked.modules, asked.seconds, lambda: _start(host))
    else:
        graceful = asked.action == "stop_graceful"
        ended = run(host, cmdlet, asked.modules, asked.seconds, lambda: _stop(host, drain=graceful))
    return cop.LyncOutcome(module=ended.module, denied=ended.denied, failure=ended.failure)


def _stop(host: Host, *, drain: bool = False) -> None:
    for name in host.lync.services:
        for dependent in host.services.dependents(name):
            host.services.begin_stop(dependent.name)
        host.services.begin_stop(name, drain=drain)


def _start(host: Host) -> None:
    """All services of the product, not those of others that depend on them."""
    failures = []
    for name in host.lync.services:
        if host.services.get(name) is None or host.services.start_mode(name) == "disabled":
            continue
        try:
            host.services.begin_start(name)
        except WorldError as error:
            failures.append(str(error))
    if failures:
        raise CmdletError(failures[0])


def lync_failover(host: Host, asked: cop.LyncFailover, around: Surroundings) -> cop.LyncOutcome:
    if asked.action not in ("failover", "failback"):
        raise WorldError("invalid", "this can only fail over and back")
    over = asked.action == "failover"
    cmdlet = "Invoke-CsComputerFailOver" if over else "Invoke-CsComputerFailBack"

    def work() -> None:
        if host.lync.product not in _WITH_FAILOVER:
            raise unknown(cmdlet)
        fabric = around.fabrics.get(host)
        target = (
            next((each for each in fabric.members if each.fqdn.casefold() == asked.computer.casefold()), None)
            if fabric
            else None
        )
        if fabric is None or target is None:
            raise CmdletError(f"The computer {asked.computer} is not part of a pool that could take its users.")
        if over:
            _fail_over(target, fabric, seconds=min(asked.seconds, around.failover_seconds))
        else:
            _fail_back(target)
        if over and around.failover_seconds > asked.seconds:
            raise WorldError("deadline", f"{cmdlet} did not end in {asked.seconds} seconds")

    ended = run(host, cmdlet, asked.modules, asked.seconds, work)
    return cop.LyncOutcome(module=ended.module, denied=ended.denied, failure=ended.failure)


def _fail_over(host: Host, fabric: Fabric, *, seconds: float) -> None:
    """Drain, then stop all services and disable them, so that a restart of the machine does not bring them back."""
    if not fabric.bears_loss_of(host):
        raise CmdletError("The other servers of the pool cannot take over: too few of them are active.")
    host.clock.wait(seconds)
    if host.lync.enabled is None:
        modes = {name: host.services.start_mode(name) for name in host.lync.services}
        host.lync.enabled = {name: mode for name, mode in modes.items() if mode is not None}
    _stop(host)
    for name in host.lync.services:
        host.services.set_start_mode(name, "disabled")
    _wait(host, ("stop_pending",))


def _fail_back(host: Host) -> None:
    for name, mode in (host.lync.enabled or {}).items():
        host.services.set_start_mode(name, mode)
    host.lync.enabled = None
    _start(host)
    _wait(host, ("start_pending",))


def _wait(host: Host, pending: tuple[str, ...]) -> None:
    """Until none of the services is on its way any more, or what is left does not end by itself."""
    for name in host.lync.services:
        service = host.services.get(name)
        if service is not None and service.status in pending:
            host.clock.wait(host.services.seconds_left(name) or 0.0)
            host.services.get(name)


def lync_gate(host: Host, asked: cop.LyncGate, around: Surroundings) -> cop.LyncGateReply:
    found: list[tuple[str, tuple[cop.UpgradeDomain, ...]]] = []
    cmdlet = _GATES.get(host.lync.product, "Get-CsUpgradeDomainInfo")

    def work() -> None:
        if host.lync.product not in _GATES:
            raise unknown(cmdlet)
        fabric = around.fabrics.get(host)
        if fabric is None:
            raise CmdletError("This computer is not a Front End Server of an Enterprise Edition pool.")
        domains = tuple(
            cop.UpgradeDomain(name=each.name, front_ends=each.front_ends, ready=each.ready) for each in fabric.domains()
        )
        found.append((_state(host, fabric, around), domains))

    ended = run(host, cmdlet, asked.modules, asked.seconds, work)
    state, domains = found[0] if found and ended.well else (None, ())
    return cop.LyncGateReply(
        module=ended.module, denied=ended.denied, failure=ended.failure, state=state, domains=domains
    )


def _state(host: Host, fabric: Fabric, around: Surroundings) -> str:
    if host.quirks.gate_state:
        return host.quirks.gate_state
    begun = around.born or host.clock.now()
    if host.clock.now() - begun < timedelta(seconds=host.quirks.gate_busy_seconds):
        return BUSY
    return fabric.state()
