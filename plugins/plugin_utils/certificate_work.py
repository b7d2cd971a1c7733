# Copyright (c) 2026, the sfb.kb4023993 contributors
# GNU General Public License v3.0-or-later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One server's part of workaround 1: what the run's files ask of it, the step that does it, and how it ended."""

from __future__ import annotations

import base64
import binascii
import dataclasses
import typing as t

from .carry_out import StepError
from .certificate_records import HandedIn, ServerStep
from .certificate_steps import install as steps
from .certificate_steps.limits import Limits
from .certificate_steps.request import make_request, note_submission
from .certificate_steps.trust import ask_trust, install_trust
from .claims import Others
from .host.certificate_operations import CertificateUse
from .host.session import Session, SessionError
from .outcome import Outcome
from .renewal.installation import Installation, describe
from .renewal.replacements import Replacement
from .renewal_run import MadeRequest, RenewalRun
from .run import Run, RunError, Step
from .signing.records import Record, read_records

WorkStep = t.Literal[
    "request", "hand_over", "note", "ask", "trust", "import", "export", "receive", "install", "put_back"
]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Work:
    """A step of a run on one host. ``others``: what is known of runs that may have claimed its pool (``claims.py``)."""

    state_dir: str
    run_id: str
    host: str
    step: WorkStep
    wave: int
    key_size: int
    limits: Limits
    others: Others = dataclasses.field(default_factory=Others)

    @property
    def run(self) -> Run:
        return Run(self.state_dir, self.run_id)

    @property
    def renewal(self) -> RenewalRun:
        return RenewalRun(self.run)


def preview(work: Work) -> dict[str, t.Any]:
    """What the step would change, without asking the server."""
    before = after = ""
    if work.step == "request" and (wanted := _replacement(work)):
        before = f"{wanted.id}: no request\n"
        after = f"{wanted.id}: key of {work.key_size} bits and request for {', '.join(wanted.names)}\n"
    elif work.step == "trust":
        for ca in work.renewal.missing(work.host):
            after += f"{ca.store}: {ca.subject} ({ca.thumbprint})\n"
    elif work.step in ("install", "put_back") and (target := _in_wave(work)):
        before, after = describe(target, put_back=work.step == "put_back")
    if not after:
        return {"changed": False, "skipped": True, "skip_reason": "The run has nothing for this host in this step."}
    return {"changed": True, "diff": {"before": before, "after": after}}


def work_on(work: Work, connect: t.Callable[[], Session], *, shared: t.Mapping[str, str] | None) -> Outcome | None:
    """Do the step and save how it ended; None where the run has nothing for this host.

    A failure is an outcome and not the end of this host's play: verification and the report still have to name it.
    """
    step = _STEPS[work.step]
    try:
        outcome = step(work, connect, shared)
    except SessionError as error:
        outcome = Outcome(status="failed", message=f"{error.stage}: {error.message} {error.advice}")
    except StepError as error:
        outcome = error.outcome
    if outcome is not None and work.step in t.get_args(Step):
        work.run.save_outcome(work.host, t.cast(Step, work.step), outcome)
    return outcome


def export(work: Work, session: Session) -> dict[str, str]:
    """The certificate of an Edge pool with its key, for a result that is never logged; empty where there is none to share."""
    target = work.renewal.installation(work.host)
    if target is None or not _ok(work, "import"):
        return {}
    try:
        shared = steps.export_shared(session, target)
    except (StepError, SessionError) as error:
        work.run.save_outcome(work.host, "import", Outcome(status="failed", message=str(error)))
        return {}
    return {"pfx": base64.b64encode(shared.pfx).decode("ascii"), "password": shared.password}


_Connect = t.Callable[[], Session]
_Shared = t.Mapping[str, str] | None


def _request(work: Work, connect: _Connect, _shared: _Shared) -> Outcome | None:
    wanted = _replacement(work)
    if wanted is None:
        return None
    made = make_request(connect(), wanted, machine_guid=wanted.machine_guid, run_id=work.run_id, key_size=work.key_size)
    if made.csr is not None:
        work.renewal.save_request(work.host, MadeRequest(record_id=wanted.id, csr=made.csr))
    return made.outcome


def _hand_over(work: Work, connect: _Connect, _shared: _Shared) -> Outcome | None:
    """Before the CA gets the request: from here on another controller has to ask a person before it hands it in too."""
    record = _led_record(work)
    if record is None or record.csr is None or record.step != "requested":
        return None
    return _noted(connect(), record, step="submitting", handed_in=None)


def _note(work: Work, connect: _Connect, _shared: _Shared) -> Outcome | None:
    """After the CA was asked: where the request is."""
    record, handed_in = _led_record(work), None
    if record is None or record.csr is None:
        return None
    step: ServerStep = "requested" if record.step == "requested" else "submitting"
    if record.submission is not None:
        handed_in = HandedIn(
            method=record.submission.method,
            ca=record.submission.ca,
            template=record.submission.template,
            at_utc=record.submission.at_utc,
            request_id=record.submission.request_id,
        )
        step = "pending" if handed_in.request_id else "submitting"
    return _noted(connect(), record, step=step, handed_in=handed_in)


def _noted(session: Session, record: Record, *, step: ServerStep, handed_in: HandedIn | None) -> Outcome:
    use = t.cast(CertificateUse, record.uses[0])
    return note_submission(session, use=use, csr_pem=record.csr or "", step=step, handed_in=handed_in)


def _ask(work: Work, connect: _Connect, _shared: _Shared) -> Outcome | None:
    question = work.renewal.questions().get(work.host)
    if question is None:
        return None
    work.renewal.save_answer(ask_trust(connect(), question))
    return Outcome(status="unchanged", message="The server was asked about the new chain.")


def _trust(work: Work, connect: _Connect, _shared: _Shared) -> Outcome | None:
    missing = work.renewal.missing(work.host)
    return install_trust(connect(), missing, run_id=work.run_id) if missing else None


def _import(work: Work, connect: _Connect, _shared: _Shared) -> Outcome | None:
    target = work.renewal.installation(work.host)
    if target is None or not target.lead:
        return None
    return steps.import_certificate(connect(), target, run_id=work.run_id)


def _receive(work: Work, connect: _Connect, shared: _Shared) -> Outcome | None:
    target = work.renewal.installation(work.host)
    if target is None or target.lead:
        return None
    parcel = None
    if shared:
        try:
            parcel = steps.Shared(pfx=base64.b64decode(shared["pfx"], validate=True), password=shared["password"])
        except (KeyError, binascii.Error):
            raise RunError("What the first member of the Edge pool exported cannot be used. Run again.") from None
    outcome = steps.receive_shared(connect(), target, parcel, run_id=work.run_id)
    work.run.save_outcome(work.host, "import", outcome)
    return outcome


def _install(work: Work, connect: _Connect, _shared: _Shared) -> Outcome | None:
    target = _in_wave(work)
    if target is None:
        return None
    if not _ok(work, "import"):
        return Outcome(status="refused", message="Not assigned, because the certificate is not in the store.")
    return _blocked(work) or steps.install(
        connect(), target, run_id=work.run_id, limits=work.limits, others=work.others
    )


def _put_back(work: Work, connect: _Connect, _shared: _Shared) -> Outcome | None:
    target = _in_wave(work)
    if target is None:
        return None
    return _blocked(work) or steps.put_back(
        connect(), target, run_id=work.run_id, limits=work.limits, others=work.others
    )


_STEPS: t.Final[dict[str, t.Callable[[Work, _Connect, _Shared], Outcome | None]]] = {
    "request": _request,
    "hand_over": _hand_over,
    "note": _note,
    "ask": _ask,
    "trust": _trust,
    "import": _import,
    "receive": _receive,
    "install": _install,
    "put_back": _put_back,
}


def _replacement(work: Work) -> Replacement | None:
    """The certificate that this host is to make a request for."""
    plan = work.renewal.plan()
    found = (wanted for wanted in (plan.replacements if plan else ()) if wanted.servers[0] == work.host)
    return next((wanted for wanted in found if wanted.step == "planned"), None)


def _led_record(work: Work) -> Record | None:
    """The record of this host's own request."""
    return next((record for record in read_records(work.state_dir).values() if record.servers[0] == work.host), None)


def _in_wave(work: Work) -> Installation | None:
    waves, _groups = work.renewal.waves()
    return work.renewal.installation(work.host) if waves.get(work.host) == work.wave else None


def _ok(work: Work, step: Step) -> bool:
    outcome = work.run.outcome(work.host, step)
    return outcome is not None and outcome.ok


def _blocked(work: Work) -> Outcome | None:
    """Why a server must not go down: one of its group that came before it did not come back well."""
    waves, groups = work.renewal.waves()
    step: Step = "put_back" if work.step == "put_back" else "install"
    for other, wave in sorted(waves.items()):
        if groups.get(other) != groups.get(work.host) or wave >= work.wave:
            continue
        earlier = work.run.outcome(other, step)
        if earlier is None or not earlier.ok:
            return Outcome(
                status="refused", message=f"Not touched, because {other} of its pool did not come back well."
            )
    return None
