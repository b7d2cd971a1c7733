# Copyright (c) 2026, the sfb.kb4023993 contributors
# GNU General Public License v3.0-or-later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One certificate from its request to a verified answer, step by step, each step written down before the next.

The rule that everything here serves: a CA never gets the same request twice unless a person says so. What is about to be done is
saved before it is done; a run that dies in between leaves `submitting`, and the next run stops there instead of asking again.
"""

from __future__ import annotations

import dataclasses
import datetime
import typing as t
from collections.abc import Callable, Sequence

from .answer import Expected, Problem, verify_answer
from .csr import Csr, CsrError, read_csr
from .issuer import check_issuer, roots
from .names import difference
from .records import Record, Submission, current_names, new_certificate
from .responses import Denied, Issued, NotTaken, Pending, Response, SigningError, Taken, Unclear


class Method(t.Protocol):
    """A way to a CA. ``ca`` names it; ``repeatable``: handing a request in again does no harm; ``waiting``: what a person does
    while the CA has not decided."""

    name: str
    ca: str
    repeatable: bool
    waiting: str

    def ca_certificates(self) -> tuple[bytes, ...]:
        """The CA's own certificate and those above it as DER, empty if they cannot be known before.

        :raises SigningError: they should be there and cannot be had.
        """

    def submit(self, csr: Csr, template: str) -> Response:
        """Hand the request in, once.

        :raises SigningError: it was certainly not handed in.
        """

    def retrieve(self, csr: Csr, request_id: int | None) -> Response:
        """Ask for the certificate of a request that was handed in. Changes nothing.

        :raises SigningError: the CA could not be asked.
        """


@dataclasses.dataclass(frozen=True, kw_only=True)
class Policy:
    """What is asked for. ``pool``: CA certificates known from elsewhere, as DER."""

    template: str
    template_oid: str | None
    minimum_days: int
    roots: frozenset[str] = frozenset()
    pool: tuple[bytes, ...] = ()


@dataclasses.dataclass(frozen=True, kw_only=True)
class Resolution:
    """What a person says of a record that waits for a decision."""

    request_id: int | None = None
    submit_again: bool = False


@dataclasses.dataclass(frozen=True, kw_only=True)
class Outcome:
    """How it ended for one record. ``failed``: it needs a person; pending does not count as that."""

    record: Record
    failed: bool
    message: str


def ca_policy(method: Method, policy: Policy) -> tuple[Policy, tuple[Problem, ...]]:
    """The policy with what the CA says of itself, and what is wrong with the CA: asked before the first request.

    :raises SigningError: the CA could not be asked.
    """
    certificates = method.ca_certificates()
    if not certificates:
        return policy, ()
    return dataclasses.replace(policy, roots=roots(certificates), pool=certificates), check_issuer(certificates)


class Signing:
    """The work on one record. ``save`` has written the record when it returns; ``clock`` gives the time."""

    def __init__(
        self,
        method: Method,
        policy: Policy,
        *,
        save: Callable[[Record], None],
        clock: Callable[[], datetime.datetime],
    ) -> None:
        self._method = method
        self._policy = policy
        self._save = save
        self._clock = clock

    def sign(self, record: Record, resolution: Resolution) -> Outcome:
        """Take the record as far as it goes now."""
        if record.step not in ("requested", "submitting", "pending", "denied", "refused"):
            return Outcome(record=record, failed=False, message=record.next_step)
        self._newest = record
        try:
            csr = read_csr(record.csr or "")
            return self._sign(record, csr, resolution)
        except (SigningError, CsrError) as error:
            return _failed(self._newest, str(error))

    def _sign(self, record: Record, csr: Csr, resolution: Resolution) -> Outcome:
        if resolution.submit_again and record.step != "requested":
            record = self._moved(record, "requested", "To be handed in again, as was asked for.", submission=None)
        if resolution.request_id is not None and record.step != "requested":
            record = self._with_id(record, csr, resolution.request_id)
        if record.step == "submitting" and self._method.repeatable:
            record = self._moved(record, "requested", "To be handed in again.", submission=None)
        if record.step == "submitting":
            return _failed(record, record.next_step)
        if record.step == "denied":
            return _failed(record, record.next_step)
        if record.step == "requested":
            problems = self._before(record, csr)
            if problems:
                return _failed(record, problems)
            return self._submit(record, csr)
        return self._retrieve(record, csr)

    def _before(self, record: Record, csr: Csr) -> str:
        """Why the request must not be handed in; empty if it may."""
        if record.current is None or record.name_changes_accepted:
            return ""
        differs = difference(wanted=current_names(record.current), found=csr.names)
        if differs.missing:
            what = f"lacks names of the certificate it replaces: {', '.join(differs.missing)}"
        elif differs.common_name:
            what = f"has the CN {differs.common_name[1] or 'none'}, the certificate it replaces {differs.common_name[0] or 'none'}"
        else:
            return ""
        return (
            f"The request {what}. Clients that use these would fail. Make a request with the same names, or allow the change "
            "for this certificate (allow_name_changes)."
        )

    def _submit(self, record: Record, csr: Csr) -> Outcome:
        submission = Submission(
            method=self._method.name,
            ca=self._method.ca,
            template=self._policy.template or None,
            csr_sha256=csr.sha256,
            at_utc=f"{self._clock():%Y-%m-%dT%H:%M:%SZ}",
        )
        before = record
        record = self._moved(record, "submitting", _lost(submission, csr), submission=submission)
        try:
            response = self._method.submit(csr, self._policy.template)
        except SigningError as error:
            # Certainly not handed in, so the next run may try again by itself.
            self._save(before)
            return _failed(before, str(error))
        if isinstance(response, NotTaken):
            self._save(before)
            return _failed(before, response.reason)
        return self._answered(record, csr, response)

    def _retrieve(self, record: Record, csr: Csr) -> Outcome:
        submission = record.submission
        if submission is None or submission.csr_sha256 != csr.sha256:
            return _failed(
                record, "The record does not say where its request was handed in. Hand it in again (submit_again)."
            )
        if (submission.method, submission.ca) != (self._method.name, self._method.ca):
            return _failed(
                record,
                f"The request was handed in by method {submission.method} to {submission.ca}, so only there it can be asked for. "
                "Run with that method and CA; or, to leave it there and ask this CA, hand it in again (submit_again).",
            )
        return self._answered(record, csr, self._method.retrieve(csr, submission.request_id))

    def _answered(self, record: Record, csr: Csr, response: Response) -> Outcome:
        if isinstance(response, Issued):
            return self._verify(self._with_id(record, csr, response.request_id), csr, response)
        if isinstance(response, Denied):
            note = (
                f"{_where(record, response.request_id)}: {response.text} Then have a new request made (request_again), or hand this one "
                "in again (submit_again)."
            )
            return _failed(self._moved(record, "denied", note), note)
        if isinstance(response, Taken):
            record = self._with_id(record, csr, response.request_id)
            return self._retrieve(record, csr)
        if isinstance(response, Pending):
            record = self._with_id(record, csr, response.request_id)
            return Outcome(record=record, failed=False, message=record.next_step)
        if isinstance(response, NotTaken):
            return _failed(record, response.reason)
        return self._unclear(record, csr, response)

    def _unclear(self, record: Record, csr: Csr, response: Unclear) -> Outcome:
        known = response.request_id or (record.submission.request_id if record.submission else None)
        if known is None:
            return _failed(record, f"{response.reason}. {record.next_step}")
        record = self._with_id(record, csr, known)
        return _failed(record, f"{response.reason}. The CA has it as request {known}: look there, then run again.")

    def _verify(self, record: Record, csr: Csr, response: Issued) -> Outcome:
        expected = Expected(
            csr=csr,
            minimum_days=self._policy.minimum_days,
            template_oid=self._policy.template_oid,
            roots=self._policy.roots,
        )
        pool: Sequence[bytes] = (*response.chain, *self._policy.pool)
        verification = verify_answer(response.certificate, pool, expected=expected, now=self._clock())
        new = new_certificate(response.certificate, verification)
        if verification.ok:
            note = "The new certificate is verified. Install it."
            record = self._moved(record, "verified", note, new=new, problems=())
            return Outcome(record=record, failed=False, message=note)
        texts = " ".join(f"{problem.id}: {problem.text} {problem.next_step}" for problem in verification.problems)
        note = f"The certificate that came back is refused and will not be installed. {texts}"
        record = self._moved(record, "refused", note, new=new, problems=verification.problems)
        return _failed(record, note)

    def _with_id(self, record: Record, csr: Csr, request_id: int | None) -> Record:
        """The record with the CA's request id, saved: from here on the CA can be asked, and nothing is handed in again."""
        submission = record.submission or Submission(
            method=self._method.name,
            ca=self._method.ca,
            template=self._policy.template or None,
            csr_sha256=csr.sha256,
            at_utc=f"{self._clock():%Y-%m-%dT%H:%M:%SZ}",
        )
        request_id = request_id or submission.request_id
        if (
            record.step in ("pending", "refused")
            and submission == record.submission
            and submission.request_id == request_id
        ):
            return record
        submission = dataclasses.replace(submission, request_id=request_id)
        where = f" as request {request_id}" if request_id else ""
        note = f"Handed in at {submission.ca}{where}. {self._method.waiting}"
        return self._moved(record, "pending", note, submission=submission)

    def _moved(self, record: Record, step: t.Any, note: str, **changes: t.Any) -> Record:
        moved = record.moved(step, note, at=self._clock(), **changes)
        if (moved.step, moved.next_step) == (record.step, record.next_step) and not _differs(moved, record):
            return record
        self._save(moved)
        self._newest = moved
        return moved


def _differs(moved: Record, record: Record) -> bool:
    return dataclasses.replace(moved, history=()) != dataclasses.replace(record, history=())


def _lost(submission: Submission, csr: Csr) -> str:
    return (
        f"The request was about to be handed to {submission.ca} at {submission.at_utc}, and no answer is on record, so the CA may "
        f"have it. Look there among the pending, issued and failed requests of that time for {csr.subject}. If it is there, run "
        "again with its request id (request_ids); if it is not, run again and allow handing it in once more (submit_again)."
    )


def _where(record: Record, request_id: int | None) -> str:
    submission = record.submission
    known = request_id or (submission.request_id if submission else None)
    return f"{submission.ca if submission else 'The CA'}{f', request {known}' if known else ''}"


def _failed(record: Record, message: str) -> Outcome:
    return Outcome(record=record, failed=True, message=message)
