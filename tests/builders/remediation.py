# Copyright (c) 2026, the sfb.kb4023993 contributors
# GNU General Public License v3.0-or-later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A broken Front End of the lab with what real servers have around it, and the ways to remediate it and to cut that off."""

from __future__ import annotations

import typing as t

from ansible_collections.sfb.kb4023993.plugins.plugin_utils.host import operations as op
from ansible_collections.sfb.kb4023993.plugins.plugin_utils.host.session import SessionError
from ansible_collections.sfb.kb4023993.plugins.plugin_utils.host_plan import Goal, HostPlan
from ansible_collections.sfb.kb4023993.plugins.plugin_utils.outcome import Outcome
from ansible_collections.sfb.kb4023993.plugins.plugin_utils.records import KEY, Records, read_records
from lab import client

from builders import evidence as e
from builders.simulated import CutSession, Simulated

OPT_OUTS: t.Final = e.opt_out_key()
EXE: t.Final = e.executable()
# Values that no run may touch, in the same keys as the override.
STRANGERS: t.Final = (
    (OPT_OUTS, r"C:\Windows\System32\inetsrv\w3wp.exe", "dword", 0),
    (OPT_OUTS, r"C:\Other\Service.exe", "string", "0"),
    (r"SOFTWARE\Microsoft\.NETFramework\v4.0.30319", "SchUseStrongCrypto", "dword", 1),
    (r"SOFTWARE\Contoso", "x", "string", "y"),
)
WRONG: t.Final[tuple[dict[str, t.Any], ...]] = (
    {"kind": "string", "data": "0"},
    {"view": 32},
    {"name": '"{executable}"'},
    {"clr": e.CLR2},
)


def broken(*wrong: dict[str, t.Any], strangers: bool = True, **entries: t.Any) -> Simulated:
    """A broken Front End, with wrong overrides and values of others."""
    simulated = Simulated(fe01={"opt_outs": [dict(w, age="90m") for w in wrong], **entries})
    for path, name, kind, data in STRANGERS if strangers else ():
        simulated.host().registry.write(path, name, kind, t.cast(t.Any, data))
    return simulated


def planned(simulated: Simulated, goal: Goal = "override", **policy: t.Any) -> HostPlan:
    found = simulated.plan(goal, **policy).host("fe01")
    assert found is not None
    return found


def value(simulated: Simulated, name: str = EXE, path: str = OPT_OUTS, view: str = "64") -> t.Any:
    found = simulated.host().registry.read(path, name, view=view)
    return None if found is None else (found.kind, found.data)


def records(simulated: Simulated) -> Records:
    return read_records(client.ask(simulated.deployment, "fe01", op.RegistryList(path=KEY)))


def enforces(simulated: Simulated, name: str = "fe01") -> bool:
    """What the running process really does: the lab's own mechanism, not the product's opinion."""
    process = simulated.host(name).web_conferencing()
    assert process is not None
    return simulated.host(name).loaded(process).enforces


def cut_everywhere(prepare: t.Callable[[], Simulated], goal: Goal, step: str) -> t.Iterator[tuple[int, Simulated]]:
    """The same step again and again, each time with a connection that dies after another one of the operations that change the
    server, and once before the first of them."""
    whole = prepare()
    plan = _ready(whole, goal, step)
    session = whole.session()
    assert _step(whole, plan, step, session).ok
    changing = [number for number, operation in enumerate(session.done, start=1) if operation.CHANGES]
    assert len(changing) > 1, "the step did hardly anything"
    for operations in (1, *changing):
        simulated = prepare()
        plan = _ready(simulated, goal, step)
        try:
            _step(simulated, plan, step, simulated.session(operations=operations))
        except SessionError:
            simulated.deployment.clock.advance(30)
            yield operations, simulated
        else:
            raise AssertionError(f"the connection did not die after {operations} operations")


def _ready(simulated: Simulated, goal: Goal, step: str) -> HostPlan:
    """The plan, and for the restart also its values written."""
    plan = planned(simulated, goal)
    assert step == "write" or simulated.write(plan).ok
    return plan


def _step(simulated: Simulated, plan: HostPlan, step: str, session: CutSession) -> Outcome:
    return simulated.write(plan, session=session) if step == "write" else simulated.restart(session=session)


def settle(simulated: Simulated, goal: Goal) -> int:
    """Further runs until nothing is left to do; how many it took."""
    for count in range(4):
        plan, outcomes = simulated.run(goal)
        assert not plan.refused, plan.refused
        assert all(o.ok for o in outcomes), outcomes
        if not plan.hosts:
            return count
    raise AssertionError("the runs never come to an end")
