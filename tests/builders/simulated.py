# Copyright (c) 2026, the sfb.kb4023993 contributors
# GNU General Public License v3.0-or-later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The lab's servers without a network: the product's own collect, judge, plan and act run against them, and can be cut off."""

from __future__ import annotations

import base64
import dataclasses
import datetime
import functools
import gzip
import itertools
import secrets
import typing as t

from ansible_collections.sfb.kb4023993.plugins.plugin_utils import act
from ansible_collections.sfb.kb4023993.plugins.plugin_utils.claims import Claimant, Others
from ansible_collections.sfb.kb4023993.plugins.plugin_utils.collect import collect, collect_peers
from ansible_collections.sfb.kb4023993.plugins.plugin_utils.evaluate import Assessment, evaluate
from ansible_collections.sfb.kb4023993.plugins.plugin_utils.evidence import Evidence, InventoryFacts
from ansible_collections.sfb.kb4023993.plugins.plugin_utils.facts import single_host
from ansible_collections.sfb.kb4023993.plugins.plugin_utils.fleet import InventoryHost, build_fleet, peer_questions
from ansible_collections.sfb.kb4023993.plugins.plugin_utils.host.certificate_operations import CERTIFICATE_OPERATIONS
from ansible_collections.sfb.kb4023993.plugins.plugin_utils.host.operations import Operation
from ansible_collections.sfb.kb4023993.plugins.plugin_utils.host.session import Session, SessionError
from ansible_collections.sfb.kb4023993.plugins.plugin_utils.host.wire import Reply, decode_reply, encode_batch
from ansible_collections.sfb.kb4023993.plugins.plugin_utils.host_plan import Goal, HostPlan, Policy, Restart
from ansible_collections.sfb.kb4023993.plugins.plugin_utils.outcome import Outcome
from ansible_collections.sfb.kb4023993.plugins.plugin_utils.plan import Plan, make_plan
from ansible_collections.sfb.kb4023993.plugins.plugin_utils.restart_service import restart_service
from ansible_collections.sfb.kb4023993.plugins.plugin_utils.rules.opt_outs import sightings
from ansible_collections.sfb.kb4023993.plugins.plugin_utils.sections import Header
from lab import client
from lab.agent import shipped_batch, shipped_bootstrap
from lab.clock import Clock
from lab.deployment import Deployment
from lab.protocol.handler import Invocation
from lab.scenario import parse
from lab.world.host import Host

RUN_ID: t.Final = "20260308T120010Z-abcdef"
MCU: t.Final = "RTCDATAMCU"
# A short past keeps the event logs short.
_CHECKED: t.Final = {"version": "4.5.2", "update": "KB4014512", "installed": "2h"}
_YOUNG: t.Final = {"process_age": "1h"}
_RUNS: t.Final = itertools.count()
CLAIM_SECONDS: t.Final = 1800


class CutSession:
    """Batches to a simulated server over the lab's wire. ``operations`` None never ends; else the connection dies after as many
    operations of all its batches: they are carried out, their replies are lost."""

    def __init__(self, deployment: Deployment, host: str, *, operations: int | None = None) -> None:
        self._deployment, self._host, self._left = deployment, host, operations
        self._deadline_seconds = 90
        self.batches = 0
        self.done: list[Operation] = []
        self.before_batch: t.Callable[[], None] = lambda: None

    def run(
        self,
        operations: t.Sequence[Operation],
        *,
        stage: str,
        deadline_seconds: int = 90,
        stop_on_error: bool = False,
    ) -> tuple[Reply, ...]:
        self._deadline_seconds = deadline_seconds
        self.batches += 1
        self.before_batch()
        count = len(operations) if self._left is None else min(self._left, len(operations))
        replies = self._ask(operations[:count], stop_on_error=stop_on_error)
        self.done.extend(operations[:count])
        if self._left is not None:
            self._left -= count
            if self._left <= 0:
                raise SessionError(kind="unreachable", host=self._host, stage=stage, message="The line is dead.")
        return replies

    def _ask(self, operations: t.Sequence[Operation], *, stop_on_error: bool) -> tuple[Reply, ...]:
        nonce = secrets.token_hex(8)
        data = encode_batch(
            operations, nonce=nonce, deadline_seconds=self._deadline_seconds, stop_on_error=stop_on_error
        )
        certificates = any(isinstance(operation, CERTIFICATE_OPERATIONS) for operation in operations)
        command = Invocation(
            host=self._host,
            transport="winrm",
            script="\n".join(shipped_bootstrap()),
            stdin=f"{_packed_script(certificates=certificates)}.{_pack(data.encode('utf-8'))}\r\n",
            processes=1,
        )
        execution = client.execute(self._deployment, command)
        assert execution.exit_code == 0, execution
        replies, failure = decode_reply(execution.stdout.decode("ascii"), operations, nonce=nonce)
        assert failure is None, failure
        return replies


@functools.cache
def _packed_script(*, certificates: bool) -> str:
    """Packed once, because tests send it hundreds of times."""
    return _pack(shipped_batch(changing=True, certificates=certificates))


def _pack(data: bytes) -> str:
    return base64.b64encode(gzip.compress(data)).decode("ascii")


class Simulated:
    """A small deployment of the lab with a clock that only tests move, and the evidence that runs leave behind."""

    def __init__(
        self,
        *,
        fe01: t.Mapping[str, t.Any] | None = None,
        fe02: t.Mapping[str, t.Any] | None = None,
        edge01: t.Mapping[str, t.Any] | None = None,
        start: datetime.datetime = datetime.datetime(2026, 3, 8, 12, tzinfo=datetime.timezone.utc),
        deployment: Deployment | None = None,
        controller: str = "laptop",
    ) -> None:
        """``start``: the lab's certificates are valid around the true time; a test that needs them to be gives that.

        ``deployment``: another one instead of these servers, maybe that of another ``controller``: each knows its own runs only.
        """
        servers: dict[str, t.Any] = {"fe01": {"pool": "pool01", **_YOUNG, **(fe01 or {})}}
        if fe02 is not None:
            servers["fe02"] = {"pool": "pool01", **_YOUNG, **fe02}
        servers["edge01"] = {"pool": "edge01", "role": "edge", **_YOUNG, **(edge01 or {})}
        each = {"product": "sfb2015", "os": "server2012r2", "dotnet": _CHECKED}
        pools = {"pool01": {"edge_pool": "edge01", "each": each}, "edge01": {"each": each}}
        self.deployment = deployment or Deployment(
            parse({"pools": pools, "servers": servers}), clock=Clock(start=start)
        )
        self.names = tuple(self.deployment.hosts)
        self.controller = controller
        self.take_over = False
        self._saved: dict[str, Evidence] = {}
        self._runs: list[str] = []
        self._claims: dict[str, str | None] = {}
        self._last: dict[str, bool] = {}

    def host(self, name: str = "fe01") -> Host:
        return self.deployment.hosts[name]

    def session(self, name: str = "fe01", *, operations: int | None = None) -> CutSession:
        return CutSession(self.deployment, name, operations=operations)

    def forget(self) -> None:
        """No evidence of earlier runs, as on AWX without a state directory."""
        self._saved.clear()

    def dump(self, name: str = "fe01") -> dict[str, t.Any]:
        """The registry of a server."""
        return self.host(name).registry.dump()

    def judge(self) -> Assessment:
        """Read all servers, ask the Front Ends about their peers, and judge."""
        hosts = {name: self._read(name) for name in self.names}
        for name, question in peer_questions(build_fleet(list(hosts.values()))).items():
            evidence = hosts[name].evidence
            assert evidence is not None
            asked = collect_peers(t.cast(Session, self.session(name)), evidence, question)
            hosts[name] = dataclasses.replace(hosts[name], evidence=asked)
        for name, host in hosts.items():
            if host.evidence is not None:
                self._saved[name] = host.evidence
        self.deployment.clock.advance(5)
        return evaluate(
            list(hosts.values()), now=self.deployment.clock.now(), run_id=RUN_ID, collection_version="0.0.0"
        )

    @property
    def run_id(self) -> str:
        """The run at work; a new one begins with each plan."""
        return self._runs[-1] if self._runs else RUN_ID

    @property
    def others(self) -> Others:
        """What this controller knows: its own earlier runs are over."""
        return Others(ended=self._runs[:-1].__contains__, take_over=self.take_over)

    def plan(self, goal: Goal = "override", *, restart: Restart = "now") -> Plan:
        self._runs.append(f"20260308T120010Z-{next(_RUNS):06x}")
        plan = make_plan(self.judge(), Policy(goal=goal, restart=restart), others=self.others)
        waves = {host.group: max(h.wave or 0 for h in plan.hosts if h.group == host.group) for host in plan.hosts}
        self._last = {host.host: host.wave == waves[host.group] for host in plan.hosts}
        self._claims = {}
        return plan

    def write(self, plan: HostPlan, *, session: CutSession | None = None) -> Outcome:
        outcome = act.write_changes(
            t.cast(Session, session or self.session(plan.host)),
            plan,
            run_id=self.run_id,
            claimant=Claimant(controller=self.controller, seconds=CLAIM_SECONDS, others=self.others),
        )
        self._claims[plan.host] = outcome.claim
        self.deployment.clock.advance(5)
        return outcome

    def restart(
        self, name: str = "fe01", *, session: CutSession | None = None, timeout: int = 60, force: bool = False
    ) -> Outcome:
        outcome = restart_service(
            t.cast(Session, session or self.session(name)),
            run_id=self.run_id,
            timeout_seconds=timeout,
            only_if_recorded=not force,
            claim=self._claims.get(name),
            last=self._last.get(name, True),
        )
        self._claims[name] = outcome.claim
        self.deployment.clock.advance(5)
        return outcome

    def release(self, name: str, *, session: CutSession | None = None) -> Outcome | None:
        """Give the pool back on a server that still has the claim of this run."""
        claim = self._claims.get(name)
        return act.release_claim(t.cast(Session, session or self.session(name)), claim) if claim else None

    def run(
        self, goal: Goal = "override", *, restart: Restart = "now", timeout: int = 60
    ) -> tuple[Plan, list[Outcome]]:
        """One whole run: judge, plan, write, restart wave by wave, release."""
        plan = self.plan(goal, restart=restart)
        outcomes = [self.write(host) for host in plan.hosts]
        for wave in range(plan.waves):
            outcomes.extend(self.restart(host.host, timeout=timeout) for host in plan.hosts if host.wave == wave)
        for host in plan.hosts:
            self.release(host.host)
        return plan, outcomes

    def _read(self, name: str) -> InventoryHost:
        header = Header(
            collection_version="0.0.0",
            run_id=RUN_ID,
            inventory_name=name,
            collected_utc="2026-03-08T12:00:00Z",
            inventory=InventoryFacts(),
        )
        quirks = self.host(name).quirks
        earlier = self._saved.get(name)
        if quirks.unreachable or quirks.down:
            error = SessionError(kind="unreachable", host=name, stage="reading the server", message="No answer.")
            failure = collect(t.cast(Session, _Dead(error)), header).failure
            return InventoryHost(name=name, in_run=True, inventory=InventoryFacts(), evidence=earlier, failure=failure)
        evidence = collect(t.cast(Session, self.session(name)), header)
        view, _fleet = single_host(evidence)
        if view.opt_outs is not None:
            evidence = dataclasses.replace(evidence, sightings=sightings(evidence, view.opt_outs, earlier))
        return InventoryHost(name=name, in_run=True, inventory=InventoryFacts(), evidence=evidence)


class _Dead:
    """A session whose connection never opens."""

    def __init__(self, error: SessionError) -> None:
        self._error = error
        self.batches = 1

    def run(self, *_arguments: t.Any, **_options: t.Any) -> tuple[Reply, ...]:
        raise self._error
