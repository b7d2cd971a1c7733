# Copyright (c) 2026, the sfb.kb4023993 contributors
# GNU General Public License v3.0-or-later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A controller that takes workaround 1 through its stages on a fleet of the lab, as the role does, and that can die anywhere."""

from __future__ import annotations

import dataclasses
import itertools
import pathlib
import typing as t

from ansible_collections.sfb.kb4023993.plugins.action.sfb_certificate_plan import ActionModule
from ansible_collections.sfb.kb4023993.plugins.plugin_utils import certificate_work
from ansible_collections.sfb.kb4023993.plugins.plugin_utils.certificate_work import Work, WorkStep, work_on
from ansible_collections.sfb.kb4023993.plugins.plugin_utils.evaluate import Assessment
from ansible_collections.sfb.kb4023993.plugins.plugin_utils.host.operations import Operation
from ansible_collections.sfb.kb4023993.plugins.plugin_utils.host.session import Session, SessionError
from ansible_collections.sfb.kb4023993.plugins.plugin_utils.host.wire import Reply
from ansible_collections.sfb.kb4023993.plugins.plugin_utils.outcome import Outcome
from ansible_collections.sfb.kb4023993.plugins.plugin_utils.renewal_flow import Flow
from ansible_collections.sfb.kb4023993.plugins.plugin_utils.renewal_run import RenewalResults
from ansible_collections.sfb.kb4023993.plugins.plugin_utils.renewal_stages import STAGES
from ansible_collections.sfb.kb4023993.plugins.plugin_utils.run import Run
from ansible_collections.sfb.kb4023993.plugins.plugin_utils.signing.ca_host import SessionCaHost
from ansible_collections.sfb.kb4023993.plugins.plugin_utils.signing.certreq import CertreqMethod
from ansible_collections.sfb.kb4023993.plugins.plugin_utils.signing.records import Record, read_records
from ansible_collections.sfb.kb4023993.plugins.plugin_utils.signing.responses import SigningError
from ansible_collections.sfb.kb4023993.plugins.plugin_utils.signing.sign import Policy, Resolution
from ansible_collections.sfb.kb4023993.plugins.plugin_utils.signing.work import sign_all
from lab.clock import utc_text

from builders.roll_out import CA, LIMITS, RollOut

TEMPLATE: t.Final = "WebServerClientandServer"
_OPTIONS: t.Final = {name: spec.get("default") for name, spec in ActionModule.SPEC.items()}
_numbers: t.Final = itertools.count(1)


class DeadError(Exception):
    """The controller is gone in the middle of its work."""


class _Sessions:
    """Sessions of one run. ``operations``: how many of all its steps are carried out before the controller dies."""

    def __init__(self, found: RollOut, operations: int | None) -> None:
        self.found, self.left = found, operations
        self.done: list[Operation] = []

    def open(self, host: str) -> Session:
        return t.cast(Session, _Session(self, host))


class _Session:
    def __init__(self, sessions: _Sessions, host: str) -> None:
        self._sessions, self._host = sessions, host

    def run(self, operations: t.Sequence[Operation], **options: t.Any) -> tuple[Reply, ...]:
        sessions = self._sessions
        session = sessions.found.session(self._host, operations=sessions.left)
        try:
            return session.run(operations, **options)
        except SessionError as error:
            raise DeadError(str(error)) from None
        finally:
            sessions.done.extend(session.done)
            if sessions.left is not None:
                sessions.left -= len(session.done)


class Controller:
    """One controller with its own state directory. ``config``: the CA that it asks, through pki01."""

    def __init__(self, found: RollOut, state_dir: pathlib.Path, *, config: str = CA) -> None:
        self.found, self.state_dir, self.config = found, str(state_dir), config
        self.done: list[Operation] = []
        self.outcomes: list[tuple[str, WorkStep, Outcome]] = []
        state_dir.mkdir(parents=True, exist_ok=True)

    @property
    def records(self) -> dict[str, Record]:
        return read_records(self.state_dir)

    def run(
        self,
        *,
        operations: int | None = None,
        resolutions: t.Mapping[str, Resolution] | None = None,
        template: str = TEMPLATE,
    ) -> RenewalResults:
        """One whole run.

        :raises DeadError: after so many operations.
        """
        self._begin(operations)
        self._stage("plan")
        for host in self.result["requests"]:
            self._step(host, "request")
        failure = self._sign(resolutions or {}, template)
        self._install()
        return self._verify("results", sign_failure=failure)

    def put_back(self, *, operations: int | None = None) -> RenewalResults:
        """The way back, in one run.

        :raises DeadError: after so many operations.
        """
        self._begin(operations)
        self._stage("put_back")
        self._waves("put_back")
        return self._verify("returned")

    def flow(self, assessment: Assessment) -> Flow:
        return Flow(
            run=self._run, state_dir=self.state_dir, assessment=assessment, now=self.found.deployment.clock.now()
        )

    @property
    def latest(self) -> Run:
        return self._run

    def _begin(self, operations: int | None) -> None:
        moment = utc_text(self.found.deployment.clock.now())[:19].replace("-", "").replace(":", "")
        self._run = Run(self.state_dir, f"{moment}Z-{next(_numbers):06x}")
        self._sessions = _Sessions(self.found, operations)
        self.done, self.outcomes = self._sessions.done, []
        self._assessment = self.found.judge()

    def _sign(self, resolutions: t.Mapping[str, Resolution], template: str) -> str:
        self._stage("requested")
        for host in self.result["hand_in"]:
            self._step(host, "hand_over")
        self._stage("handed_over")
        hold = self.result["hold"]
        method = CertreqMethod(SessionCaHost(self._sessions.open("pki01"), host="pki01"), config=self.config)
        failure = ""
        try:
            sign_all(
                self.state_dir,
                method,
                Policy(template=template, template_oid=None, minimum_days=30),
                wanted=[],
                resolutions=resolutions,
                clock=self.found.deployment.clock.now,
                report=lambda _host, _text: None,
                hold=hold,
            )
        except SigningError as error:
            failure = str(error)
        self._stage("requested")
        for host in self.result["led"]:
            self._step(host, "note")
        return failure

    def _install(self) -> None:
        self._stage("trust")
        for host in self.result["ask"]:
            if host in self.found.names:
                self._step(host, "ask")
        self._stage("trusted")
        for host in self.result["install"]:
            self._step(host, "trust")
            self._step(host, "ask")
        self._stage("waves")
        planned = self.result
        for host in planned["leads"]:
            self._step(host, "import")
        shared = {
            host: certificate_work.export(self._work(host, "export"), self._sessions.open(host))
            for host in planned["shared_from"]
        }
        for host, lead in planned["sharing"].items():
            self._step(host, "receive", shared=shared[lead])
        self._waves("install")

    def _waves(self, step: WorkStep) -> None:
        waves, hosts = self.result["waves"], self.result["hosts"]
        for wave in range(waves):
            for host in hosts:
                self._step(host, step, wave=wave)

    def _verify(self, stage: str, **options: t.Any) -> RenewalResults:
        self._assessment = self.found.judge()
        self._stage(stage, **options)
        results = self.flow(self._assessment).renewal.results()
        assert results is not None
        return results

    def _stage(self, name: str, **options: t.Any) -> None:
        stage = STAGES[name](self.flow(self._assessment), {**_OPTIONS, **options}, preview=False)
        self.result: dict[str, t.Any] = stage.result

    def _work(self, host: str, step: WorkStep, *, wave: int = 0) -> Work:
        return Work(
            state_dir=self.state_dir,
            run_id=self._run.run_id,
            host=host,
            step=step,
            wave=wave,
            key_size=2048,
            limits=dataclasses.replace(LIMITS, gate_tries=40),
        )

    def _step(self, host: str, step: WorkStep, *, wave: int = 0, shared: t.Mapping[str, str] | None = None) -> None:
        outcome = work_on(self._work(host, step, wave=wave), lambda: self._sessions.open(host), shared=shared)
        if outcome is not None:
            self.outcomes.append((host, step, outcome))
