# Copyright (c) 2026, the sfb.kb4023993 contributors
# GNU General Public License v3.0-or-later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""All records of a state directory, taken as far as they go: what the module does."""

from __future__ import annotations

import dataclasses
import datetime
import typing as t
from collections.abc import Callable, Mapping

from ..words import counted, one_line
from .csr import CsrError, read_csr
from .files import FilesMethod
from .records import Record, fingerprint, locked, new_record, read_records, with_request, write_record
from .responses import SigningError
from .sign import Method, Outcome, Policy, Resolution, Signing, ca_policy

Clock = Callable[[], datetime.datetime]
_HELD: t.Final = (
    "The request was not handed in, because that could not be noted on its server first: it is not in this run (--limit), or it did not "
    "answer. Run again with it."
)
_WAITING: t.Final = ("requested", "submitting", "pending", "denied", "refused")


@dataclasses.dataclass(frozen=True, kw_only=True)
class Wanted:
    """A request that a server made, to be signed. ``replaces``: the current certificate as DER."""

    servers: tuple[str, ...]
    uses: tuple[str, ...]
    csr: str
    replaces: bytes | None
    allow_name_changes: bool


@dataclasses.dataclass(frozen=True, kw_only=True)
class Work:
    """How it ended: for each record what was there before (None: new) and the outcome; ``index_changed`` of method files."""

    before: dict[str, Record | None]
    outcomes: tuple[Outcome, ...]
    index_changed: bool = False

    @property
    def changed(self) -> bool:
        return self.index_changed or any(
            (old := self.before[o.record.id]) is None or fingerprint(old) != fingerprint(o.record)
            for o in self.outcomes
        )

    @property
    def failures(self) -> list[str]:
        return [f"{outcome.record.id}: {outcome.message}" for outcome in self.outcomes if outcome.failed]


def sign_all(
    state_dir: str,
    method: Method,
    policy: Policy,
    *,
    wanted: t.Sequence[Wanted],
    resolutions: Mapping[str, Resolution],
    hold: t.Collection[str] = (),
    clock: Clock,
    report: Callable[[str, str], None],
) -> Work:
    """Take over the wanted requests, then take every record as far as it goes. ``report``: called with server and progress.

    :param hold: servers whose request is not handed in now.
    :raises SigningError: nothing was handed in, for any record.
    :raises StateError: the records cannot be used.
    """
    with locked(state_dir):
        before = read_records(state_dir)
        records = _with_wanted(before, wanted, clock)
        _check_resolutions(records, resolutions)
        for record in records.values():
            if record is not before.get(record.id):
                write_record(state_dir, record)
        problems = ""
        if any(record.step in _WAITING for record in records.values()):
            policy, found = ca_policy(method, policy)
            problems = " ".join(f"{problem.id}: {problem.text} {problem.next_step}" for problem in found)
        signing = Signing(method, policy, save=lambda record: write_record(state_dir, record), clock=clock)
        outcomes = []
        for record in records.values():
            resolution = resolutions.get(record.id, Resolution())
            if problems and (record.step == "requested" or resolution.submit_again):
                outcome = Outcome(record=record, failed=True, message=f"The request was not handed in. {problems}")
            elif record.step == "requested" and record.servers[0] in hold:
                outcome = Outcome(record=record, failed=True, message=_HELD)
            else:
                outcome = signing.sign(record, resolution)
            if outcome.record is not record:
                report(record.servers[0], f"certificate for {', '.join(record.uses)}: {outcome.message}")
            outcomes.append(outcome)
        changed = isinstance(method, FilesMethod) and method.write_index(outcome.record for outcome in outcomes)
    return Work(before={name: before.get(name) for name in records}, outcomes=tuple(outcomes), index_changed=changed)


def take_up(state_dir: str, wanted: t.Sequence[Wanted], adopted: t.Iterable[Record], *, clock: Clock) -> list[Record]:
    """Make records of requests that servers made, and keep records taken up from servers; gives back what is new.

    :raises SigningError: a request that is none.
    :raises StateError: the records cannot be used.
    """
    with locked(state_dir):
        before = read_records(state_dir)
        records = {record.id: record for record in adopted if record.id not in before}
        records = _with_wanted({**before, **records}, wanted, clock)
        new = [record for record in records.values() if record is not before.get(record.id)]
        for record in new:
            write_record(state_dir, record)
    return new


def check_ca(method: Method, policy: Policy) -> str:
    """Whether the CA can be asked, and may issue for both usages; what is wrong, empty if nothing.

    :raises SigningError: the CA could not be asked.
    """
    _policy, found = ca_policy(method, policy)
    return " ".join(f"{problem.id}: {problem.text} {problem.next_step}" for problem in found)


def preview(
    state_dir: str, method: Method, *, wanted: t.Sequence[Wanted], resolutions: Mapping[str, Resolution], clock: Clock
) -> Work:
    """What `sign_all` would do first with each record; nothing is asked and nothing written."""
    before = read_records(state_dir)
    records = _with_wanted(before, wanted, clock)
    _check_resolutions(records, resolutions)
    outcomes = tuple(
        _foreseen(record, method, resolutions.get(record.id, Resolution()), clock) for record in records.values()
    )
    return Work(before={name: before.get(name) for name in records}, outcomes=outcomes)


def _foreseen(record: Record, method: Method, resolution: Resolution, clock: Clock) -> Outcome:
    if record.step == "requested" or (resolution.submit_again and record.step in _WAITING):
        note = f"Would be handed to {method.ca}."
        return Outcome(record=record.moved("submitting", note, at=clock()), failed=False, message=note)
    if record.step == "pending" or resolution.request_id is not None:
        return Outcome(record=record, failed=False, message=f"{method.ca} would be asked for the certificate.")
    return Outcome(record=record, failed=record.step in _WAITING, message=record.next_step)


def _with_wanted(before: Mapping[str, Record], wanted: t.Sequence[Wanted], clock: Clock) -> dict[str, Record]:
    records = dict(before)
    for entry in wanted:
        fresh = new_record(servers=entry.servers, uses=entry.uses, replaces=entry.replaces, at=clock())
        record = records.get(fresh.id)
        try:
            csr = read_csr(entry.csr)
        except CsrError as error:
            raise SigningError(f"{fresh.id}: {error}") from None
        if record is not None and record.csr == csr.pem:
            if record.name_changes_accepted != entry.allow_name_changes:
                records[record.id] = dataclasses.replace(record, name_changes_accepted=entry.allow_name_changes)
            continue
        if record is None or record.step == "done":
            # A round of its own: the certificate to replace is another one now.
            record = dataclasses.replace(fresh, history=(*(record.history if record else ()), *fresh.history))
        records[record.id] = with_request(record, csr, at=clock(), name_changes_accepted=entry.allow_name_changes)
    return records


def _check_resolutions(records: Mapping[str, Record], resolutions: Mapping[str, Resolution]) -> None:
    for name in resolutions:
        if name not in records:
            known = ", ".join(sorted(records)) or "none"
            raise SigningError(
                f"There is no record {one_line(name)!r}, so nothing can be decided for it. There are: {known}."
            )


def summary(work: Work) -> str:
    """One sentence on where everything is."""
    steps: dict[str, int] = {}
    for outcome in work.outcomes:
        steps[outcome.record.step] = steps.get(outcome.record.step, 0) + 1
    parts = ", ".join(f"{number} {step}" for step, number in sorted(steps.items()))
    return f"{counted(len(work.outcomes), 'certificate')}: {parts}." if parts else "There is no request to sign."


def outcome_facts(outcome: Outcome) -> dict[str, t.Any]:
    """What a result of the module says of one certificate."""
    record = outcome.record
    return {
        "id": record.id,
        "servers": list(record.servers),
        "uses": list(record.uses),
        "step": record.step,
        "message": outcome.message,
        "failed": outcome.failed,
        "request_id": record.submission.request_id if record.submission else None,
        "thumbprint": record.new.thumbprint if record.new else None,
        "not_after_utc": record.new.not_after_utc if record.new else None,
        "problems": [problem.id for problem in record.problems],
    }
