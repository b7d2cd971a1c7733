# Copyright (c) 2026, the sfb.kb4023993 contributors
# GNU General Public License v3.0-or-later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The files of one run that belong to workaround 1, below the run's directory (``run.py``)::

renewal/plan.json           which certificates are replaced, and what is refused
renewal/csr/HOST.json       a request that a server made
renewal/trust/HOST.json     what a server says of the new chains; questions.json, judgement.json beside them
renewal/installations.json  what each server needs, and its wave
renewal/results.json        how each certificate ended
"""

from __future__ import annotations

import dataclasses
import json
import typing as t

from .codec import CodecError, decode, encode
from .files import file_name, write_private
from .plan import Refusal
from .renewal.installation import Installation, Installations
from .renewal.replacements import RenewalPlan
from .renewal.trust import CaCertificate, TrustAnswer, TrustJudgement, TrustQuestion
from .run import Run, RunError
from .verify import HostResult

_T = t.TypeVar("_T")


@dataclasses.dataclass(frozen=True, kw_only=True)
class MadeRequest:
    """The request for one certificate, made on the server that leads it."""

    record_id: str
    csr: str


@dataclasses.dataclass(frozen=True, kw_only=True)
class _Questions:
    questions: dict[str, TrustQuestion]


@dataclasses.dataclass(frozen=True, kw_only=True)
class _Planned:
    installations: Installations
    waves: dict[str, int]
    groups: dict[str, str]


@dataclasses.dataclass(frozen=True, kw_only=True)
class RenewalResults:
    """``results``: by server. ``waiting``: servers whose certificate waits for a CA, which is no failure.

    ``warnings``: what is to be known of the pools in which services restart.
    """

    results: tuple[HostResult, ...] = ()
    refused: tuple[Refusal, ...] = ()
    waiting: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()


class RenewalRun:
    """The files of workaround 1 in one run."""

    def __init__(self, run: Run) -> None:
        self.run = run
        self._directory = run.directory / "renewal"

    def save_plan(self, plan: RenewalPlan) -> None:
        self._save("plan.json", plan)

    def plan(self) -> RenewalPlan | None:
        return self._load(RenewalPlan, "plan.json")

    def save_request(self, host: str, made: MadeRequest) -> None:
        self._save(f"csr/{file_name(host)}", made)

    def request(self, host: str) -> MadeRequest | None:
        return self._load(MadeRequest, f"csr/{file_name(host)}")

    def save_questions(self, questions: dict[str, TrustQuestion]) -> None:
        self._save("trust/questions.json", _Questions(questions=questions))

    def questions(self) -> dict[str, TrustQuestion]:
        found = self._load(_Questions, "trust/questions.json")
        return found.questions if found else {}

    def save_answer(self, answer: TrustAnswer) -> None:
        self._save(f"trust/answer-{file_name(answer.host)}", answer)

    def forget_answers(self) -> None:
        """So that an answer of before a change never stands for one after it."""
        for path in (self._directory / "trust").glob("answer-*.json"):
            path.unlink()

    def answer(self, host: str) -> TrustAnswer | None:
        return self._load(TrustAnswer, f"trust/answer-{file_name(host)}")

    def save_trust(self, judgement: TrustJudgement) -> None:
        self._save("trust/judgement.json", judgement)

    def trust(self) -> TrustJudgement | None:
        return self._load(TrustJudgement, "trust/judgement.json")

    def missing(self, host: str) -> tuple[CaCertificate, ...]:
        judgement = self.trust()
        return judgement.install.get(host, ()) if judgement else ()

    def save_installations(
        self, installations: Installations, *, waves: dict[str, int], groups: dict[str, str]
    ) -> None:
        self._save("installations.json", _Planned(installations=installations, waves=waves, groups=groups))

    def installations(self) -> Installations | None:
        found = self._load(_Planned, "installations.json")
        return found.installations if found else None

    def waves(self) -> tuple[dict[str, int], dict[str, str]]:
        """By host its wave and its group: a failure stops the later waves of its own group."""
        found = self._load(_Planned, "installations.json")
        return (found.waves, found.groups) if found else ({}, {})

    def installation(self, host: str) -> Installation | None:
        found = self.installations()
        return found.host(host) if found else None

    def save_results(self, results: RenewalResults) -> None:
        self._save("results.json", results)

    def results(self) -> RenewalResults | None:
        return self._load(RenewalResults, "results.json")

    def _save(self, name: str, record: t.Any) -> None:
        write_private(self._directory / name, json.dumps(encode(record), ensure_ascii=True) + "\n")

    def _load(self, cls: type[_T], name: str) -> _T | None:
        path = self._directory / name
        try:
            return decode(cls, json.loads(path.read_text("utf-8")))
        except FileNotFoundError:
            return None
        except (OSError, ValueError, RecursionError) as error:
            reason = str(error) if isinstance(error, CodecError) else type(error).__name__
            raise RunError(f"{path} cannot be used: {reason}. Run the playbook again from the start.") from None
