# Copyright (c) 2026, the sfb.kb4023993 contributors
# GNU General Public License v3.0-or-later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One run over a fleet: where its files are, and how they become the input of the pure parts.

Results of hosts travel through files of the run and not through variables: a thousand hosts' evidence in ``hostvars`` would be copied
for every task. Below the run's directory (see ``files.py``)::

    hosts.json            the hosts that it is to read; without a judgement beside it, it has not come to its end
    before/  after/       one directory a reading of the fleet:
      failures/HOST.json    why a host could not be read
      questions/HOST.json   what a Front End is asked about its peers
      judgement.json
    plan.json
    waivers.json          the waivers of the run, checked
    outcomes/HOST-STEP.json how a step on a host ended
    results.json            the verification of the plan
    report.json report.txt

Beside the runs, ``peers/HOST.json``: what a Front End was last asked about its peers, so that the next run asks it at once.
"""

from __future__ import annotations

import dataclasses
import datetime
import json
import pathlib
import typing as t

from .codec import CodecError, decode, encode
from .evidence import Evidence, EvidenceError, Failure, InventoryFacts, load
from .files import began, evidence_directory, file_name, run_directory, write_private
from .findings import Judgement, Waiver
from .fleet import InventoryHost
from .outcome import Outcome
from .plan import Plan, PlanError, plan_hash, plan_text, read_plan
from .questions import NOTHING, PeerQuestion
from .rules.times import parse_time
from .verify import HostResult

Reading = t.Literal["before", "after"]
Step = t.Literal["write", "restart", "request", "hand_over", "trust", "import", "install", "put_back"]
HOSTS_FILE: t.Final = "hosts.json"
_T = t.TypeVar("_T")
_NOT_READ: t.Final = Failure(
    kind="failed",
    stage="reading the server",
    message="The server was not read in this run.",
    advice="Look at the error of its task.",
)


class RunError(ValueError):
    """A file of a run that cannot be used; the text says which and what to do."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class _Question:
    """A peer question in its JSON form."""

    certificates: tuple[_QuestionCertificate, ...]
    names: tuple[_QuestionName, ...]


@dataclasses.dataclass(frozen=True, kw_only=True)
class _QuestionCertificate:
    thumbprint: str
    certificate: bytes
    issuers: tuple[bytes, ...]


@dataclasses.dataclass(frozen=True, kw_only=True)
class _QuestionName:
    name: str
    port: int


@dataclasses.dataclass(frozen=True, kw_only=True)
class _Results:
    results: tuple[HostResult, ...]


@dataclasses.dataclass(frozen=True, kw_only=True)
class _Waivers:
    waivers: tuple[Waiver, ...]


@dataclasses.dataclass(frozen=True, kw_only=True)
class RunHosts:
    """Whom a run is to read, by inventory name."""

    hosts: tuple[str, ...]


class Run:
    """The files of one run."""

    def __init__(self, state_dir: str, run_id: str) -> None:
        self.directory = run_directory(state_dir, run_id)
        self.evidence_directory = evidence_directory(state_dir)
        self._peers_directory = pathlib.Path(state_dir) / "peers"
        self.run_id = run_id

    def save_hosts(self, names: t.Iterable[str]) -> None:
        """Say whom this run is to read, before it reads: if it is killed, later reports from saved evidence know whom it has missed."""
        self._save(self.directory / HOSTS_FILE, RunHosts(hosts=tuple(sorted(names))))

    def reading_id(self, reading: Reading) -> str:
        """What evidence of a reading is marked with."""
        return f"{self.run_id}/{reading}"

    def inventory_host(
        self, name: str, *, in_run: bool, inventory: InventoryFacts, reading: Reading, offline: bool = False
    ) -> InventoryHost:
        """A host with its evidence, and with its failure where it was to be read in this run and was not.

        :param inventory: what the inventory says now; what it said when the evidence was read counts where this is empty.
        :param offline: it is read by hand, so its saved evidence is what this run has, unless the run found it unusable.
        """
        evidence, problem = self._evidence(name)
        failure = None
        if in_run:
            failure = self._load(Failure, self.directory / reading / "failures" / file_name(name))
            fresh = evidence is not None and self._is_fresh(evidence, reading)
            if fresh and failure == _NOT_READ:
                failure = None
            elif failure is None and not fresh and not offline and problem is None:
                failure = _NOT_READ
                # A later report from saved evidence has to know it too.
                self.save_failure(name, failure, reading)
        if evidence is not None and inventory == InventoryFacts():
            inventory = evidence.inventory
        return InventoryHost(
            name=name,
            in_run=in_run,
            inventory=inventory,
            evidence=evidence,
            failure=failure,
            problem=problem,
            offline=offline,
        )

    def _is_fresh(self, evidence: Evidence, reading: Reading) -> bool:
        """Whether evidence is what this reading needs. Before a change, what another run has read meanwhile is as good."""
        if evidence.run_id == self.reading_id(reading):
            return True
        collected = parse_time(evidence.collected_utc)
        return reading == "before" and collected is not None and collected >= began(self.run_id)

    def save_failure(self, name: str, failure: Failure, reading: Reading) -> None:
        self._save(self.directory / reading / "failures" / file_name(name), failure)

    def save_questions(self, questions: t.Mapping[str, PeerQuestion], reading: Reading) -> None:
        for name, question in questions.items():
            self._save(self.directory / reading / "questions" / file_name(name), _record_of(question))

    def question(self, name: str, reading: Reading) -> PeerQuestion | None:
        record = self._load(_Question, self.directory / reading / "questions" / file_name(name))
        return _question_of(record) if record else None

    def remember_peers(self, name: str, question: PeerQuestion) -> None:
        """Keep for later runs which certificates the peers of a Front End have."""
        self._save(self._peers_directory / file_name(name), _record_of(question))

    def known_peers(self, name: str) -> PeerQuestion:
        """What a Front End was last asked about its peers, by any run. Without it, it is asked later: so a damaged file is none."""
        try:
            record = self._load(_Question, self._peers_directory / file_name(name))
        except RunError:
            record = None
        return _question_of(record) if record else NOTHING

    def save_judgement(self, judgement: Judgement, reading: Reading) -> None:
        self._save(self.directory / reading / "judgement.json", judgement)

    def judgement(self, reading: Reading) -> Judgement | None:
        return self._load(Judgement, self.directory / reading / "judgement.json")

    def latest_judgement(self) -> Judgement | None:
        """That of the second reading, where there is one."""
        return self.judgement("after") or self.judgement("before")

    def save_waivers(self, waivers: tuple[Waiver, ...]) -> None:
        self._save(self.directory / "waivers.json", _Waivers(waivers=waivers))

    def waivers(self) -> tuple[Waiver, ...]:
        """The waivers as they were checked when the run began."""
        path = self.directory / "waivers.json"
        found = self._load(_Waivers, path)
        try:
            for waiver in found.waivers if found else ():
                datetime.date.fromisoformat(waiver.expires)
        except ValueError as error:
            raise RunError(f"{path} cannot be used: {error}. Run the playbook again from the start.") from None
        return found.waivers if found else ()

    @property
    def plan_path(self) -> pathlib.Path:
        return self.directory / "plan.json"

    def save_plan(self, plan: Plan) -> str:
        """Write the plan; returns its fingerprint."""
        text = plan_text(plan)
        write_private(self.plan_path, text)
        return plan_hash(text)

    def plan(self, *, around: str | None = None) -> tuple[Plan, str] | None:
        """The plan of this run, or what it has for a host and its group, and its fingerprint; None when there is none."""
        try:
            text = self.plan_path.read_text("utf-8")
        except FileNotFoundError:
            return None
        except (OSError, UnicodeDecodeError) as error:
            raise PlanError(
                f"{self.plan_path} cannot be read: {error}. Run the playbook again from the start."
            ) from None
        return read_plan(text, where=str(self.plan_path), around=around), plan_hash(text)

    def save_outcome(self, name: str, step: Step, outcome: Outcome) -> None:
        self._save(self.directory / "outcomes" / file_name(name, f"-{step}.json"), outcome)

    def outcome(self, name: str, step: Step) -> Outcome | None:
        return self._load(Outcome, self.directory / "outcomes" / file_name(name, f"-{step}.json"))

    def outcomes(self, name: str) -> tuple[tuple[str, str], ...]:
        steps: tuple[Step, ...] = ("write", "restart")
        found = (self.outcome(name, step) for step in steps)
        return tuple((outcome.status, outcome.message) for outcome in found if outcome)

    def save_results(self, results: tuple[HostResult, ...]) -> None:
        self._save(self.directory / "results.json", _Results(results=results))

    def results(self) -> tuple[HostResult, ...]:
        found = self._load(_Results, self.directory / "results.json")
        return found.results if found else ()

    def _evidence(self, name: str) -> tuple[Evidence | None, str | None]:
        try:
            return load(self.evidence_directory, name), None
        except EvidenceError as error:
            return None, str(error)

    def _save(self, path: pathlib.Path, record: t.Any) -> None:
        write_private(path, json.dumps(encode(record), ensure_ascii=True) + "\n")

    def _load(self, cls: type[_T], path: pathlib.Path) -> _T | None:
        try:
            return decode(cls, json.loads(path.read_text("utf-8")))
        except FileNotFoundError:
            return None
        except (OSError, ValueError, RecursionError) as error:
            reason = str(error) if isinstance(error, CodecError) else type(error).__name__
            raise RunError(f"{path} cannot be used: {reason}. Run the playbook again from the start.") from None


def _record_of(question: PeerQuestion) -> _Question:
    return _Question(
        certificates=tuple(
            _QuestionCertificate(thumbprint=thumbprint, certificate=der, issuers=issuers)
            for thumbprint, der, issuers in question.certificates
        ),
        names=tuple(_QuestionName(name=host, port=port) for host, port in question.names),
    )


def _question_of(record: _Question) -> PeerQuestion:
    return PeerQuestion(
        certificates=tuple((c.thumbprint, c.certificate, c.issuers) for c in record.certificates),
        names=tuple((entry.name, entry.port) for entry in record.names),
    )


def approved_plan(path: str, sha256: str) -> Plan:
    """Read a plan that somebody approved, and only exactly that one.

    :raises PlanError: the file cannot be read, or is not the approved one.
    """
    try:
        text = pathlib.Path(path).read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise PlanError(f"The plan {path} cannot be read: {error}. Check sfb_kb4023993_plan.") from None
    if not sha256:
        raise PlanError(
            "A plan file needs its fingerprint: set sfb_kb4023993_plan_sha256 to what the approved run printed."
        )
    if plan_hash(text) != sha256.strip().lower():
        raise PlanError(f"The plan {path} is not the approved one: its SHA-256 is {plan_hash(text)}. Approve it again.")
    return read_plan(text, where=path)
