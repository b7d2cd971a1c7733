# Copyright (c) 2026, the sfb.kb4023993 contributors
# GNU General Public License v3.0-or-later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One server's part of the plan of a run: the step that does it, what keeps it from being done, and how it ended."""

from __future__ import annotations

import dataclasses
import typing as t

from .act import release_claim, write_changes
from .claims import Claimant, Others, claim_seconds
from .host.session import Session, SessionError
from .host_plan import HostPlan
from .outcome import Outcome
from .plan import Plan
from .restart_service import restart_service
from .run import Run

PlanStep = t.Literal["write", "restart", "release"]
"""write: the values. restart: Web Conferencing. release: other runs may work in the pool again."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class PlanWork:
    """A step of a run on one host. ``controller``, ``others``: for the claim on the server (``claims.py``)."""

    run: Run
    plan: Plan
    own: HostPlan
    restart_timeout: int
    controller: str
    others: Others

    @property
    def claim(self) -> str | None:
        """The text of this run's claim, where it stands on the server."""
        outcome = self.run.outcome(self.own.host, "restart") or self.run.outcome(self.own.host, "write")
        return outcome.claim if outcome else None

    @property
    def waves(self) -> list[int]:
        """The waves of the host's pool, in order."""
        return sorted(h.wave for h in self.plan.hosts if h.group == self.own.group and h.wave is not None)


def carry_out(work: PlanWork, step: PlanStep, connect: t.Callable[[], Session]) -> Outcome | None:
    """Do one step and save how it ended; None where there is nothing to release.

    A failure is an outcome and not the end of this host's play: verification and the report still have to name it.
    """
    if step == "release":
        return _release(work, connect)
    outcome = _blocked(work) if step == "restart" else None
    if outcome is None:
        claim = work.claim if step == "restart" else None
        try:
            outcome = _write(work, connect()) if step == "write" else _restart(work, connect(), claim)
        except SessionError as error:
            message = f"{error.stage}: {error.message} {error.advice}"
            outcome = Outcome(status="failed", message=message, claim=claim)
    work.run.save_outcome(work.own.host, step, outcome)
    return outcome


def _write(work: PlanWork, session: Session) -> Outcome:
    waves = work.waves
    seconds = claim_seconds(waves[-1] + 1 if waves else 0, work.restart_timeout)
    claimant = Claimant(controller=work.controller, seconds=seconds, others=work.others)
    return write_changes(session, work.own, run_id=work.run.run_id, claimant=claimant)


def _restart(work: PlanWork, session: Session, claim: str | None) -> Outcome:
    return restart_service(
        session,
        run_id=work.run.run_id,
        timeout_seconds=work.restart_timeout,
        claim=claim,
        last=work.own.wave == work.waves[-1],
    )


def _release(work: PlanWork, connect: t.Callable[[], Session]) -> Outcome | None:
    claim = work.claim
    if claim is None:
        return None
    try:
        return release_claim(connect(), claim)
    except SessionError as error:
        message = f"{error.stage}: {error.message} Until its time is over, other controllers leave this pool as it is."
        return Outcome(status="failed", message=message)


def _blocked(work: PlanWork) -> Outcome | None:
    """Why a restart must not happen: this host's values were not written, an earlier host of its pool failed, or another run is there."""
    run, own = work.run, work.own
    written = run.outcome(own.host, "write")
    if written is None or not written.ok:
        return Outcome(status="refused", message="Not restarted, because its values were not written.")
    for other in work.plan.hosts:
        if other.group != own.group or other.wave is None or own.wave is None:
            continue
        told = run.outcome(other.host, "write")
        if told is not None and told.busy:
            # That run may be about to take another server down. One of the two gives way; a next run goes on.
            message = f"Not restarted, because another run is at work on {other.host}: {told.message}"
            return Outcome(status="refused", message=message, claim=written.claim)
        earlier = run.outcome(other.host, "restart") if other.wave < own.wave else None
        if other.wave < own.wave and (earlier is None or not earlier.ok):
            message = f"Not restarted, because the restart of {other.host} in its pool failed."
            return Outcome(status="refused", message=message, claim=written.claim)
    return None
