# Copyright (c) 2026, the sfb.kb4023993 contributors
# GNU General Public License v3.0-or-later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The stages of workaround 1 on the controller: the files of a run and the records of certificates in, what to do next out.

plan -> (servers make requests) -> requested -> (a CA signs) -> trust -> (servers are asked) -> trusted -> waves -> (servers install) -> results
"""

from __future__ import annotations

import dataclasses
import datetime
import typing as t

from .elsewhere import seen_elsewhere
from .evaluate import Assessment
from .pool_warnings import restart_warnings
from .renewal.adopt import adopt
from .renewal.again import ask_again
from .renewal.installation import Installations, plan_installations, plan_put_back
from .renewal.order import edge_group, install_waves
from .renewal.replacements import RenewalPlan, plan_replacements
from .renewal.trust import TrustJudgement, judge_trust, trust_questions
from .renewal_run import RenewalResults, RenewalRun
from .run import Run
from .signing.records import Record, locked, read_records, write_record
from .signing.work import Wanted, take_up
from .verify import HostResult
from .waves import restart_groups

_WAITING: t.Final = ("submitting", "pending")
_WITH_CERTIFICATE: t.Final = ("verified", "installed", "assigned", "done")


@dataclasses.dataclass(frozen=True, kw_only=True)
class Flow:
    """One run of workaround 1. ``state_dir`` holds the records of certificates."""

    run: Run
    state_dir: str
    assessment: Assessment
    now: datetime.datetime

    @property
    def renewal(self) -> RenewalRun:
        return RenewalRun(self.run)

    def records(self) -> dict[str, Record]:
        return read_records(self.state_dir)

    def clock(self) -> datetime.datetime:
        return self.now

    def plan(self, *, write: bool, request_again: t.Collection[str]) -> RenewalPlan:
        """Choose what is replaced; records of other controllers are taken up from the servers.

        :param request_again: ids of records whose request came to nothing, and that get a new one.
        :raises RecordError: one of them cannot.
        """
        known = self.records()
        adopted = adopt(self.assessment, known, now=self.now)
        again = ask_again(self.assessment, {**known, **adopted}, request_again, now=self.now)
        plan = plan_replacements(self.assessment, {**known, **adopted, **again})
        if write and adopted:
            take_up(self.state_dir, [], adopted.values(), clock=self.clock)
        if write and again:
            with locked(self.state_dir):
                for record in again.values():
                    write_record(self.state_dir, record)
        self.renewal.save_plan(plan)
        return plan

    def requested(self) -> list[str]:
        """Take the requests that servers made into records; gives the servers whose request is to be handed to a CA."""
        plan = self.renewal.plan()
        wanted = []
        for chosen in plan.replacements if plan else ():
            made = self.renewal.request(chosen.servers[0])
            if made is not None and made.record_id == chosen.id:
                wanted.append(
                    Wanted(
                        servers=chosen.servers,
                        uses=chosen.uses,
                        csr=made.csr,
                        replaces=chosen.certificate,
                        allow_name_changes=False,
                    )
                )
        if wanted:
            take_up(self.state_dir, wanted, [], clock=self.clock)
        return self.connected(record.servers[0] for record in self.records().values() if record.step == "requested")

    def untold(self) -> list[str]:
        """Servers that this run did not note on that their request is handed in; without that, another controller would do it again."""
        waiting = self.connected(record.servers[0] for record in self.records().values() if record.step == "requested")
        told = {name: self.run.outcome(name, "hand_over") for name in waiting}
        return [name for name in waiting if (outcome := told[name]) is None or not outcome.ok]

    def connected(self, servers: t.Iterable[str]) -> list[str]:
        """Those of the servers that runs may connect to; a server that is read by hand gets nothing noted on it."""
        views = self.assessment.fleet.views
        return sorted({name for name in servers if name not in views or not views[name].source.offline})

    def installations(self) -> Installations:
        return plan_installations(self.assessment, self.records().values())

    def ask_trust(self) -> list[str]:
        """Save what servers are to be asked about the new chains; gives the servers."""
        concerned = {target.record_id for target in self.installations().hosts}
        records = {name: record for name, record in self.records().items() if name in concerned}
        questions = trust_questions(self.assessment, records)
        self.renewal.save_questions(questions)
        self.renewal.forget_answers()
        return sorted(questions)

    def judge_trust(self, *, trusted_elsewhere: t.Sequence[str]) -> TrustJudgement:
        """Which servers lack CA certificates, and which certificates may be assigned, by the answers that are there."""
        questions = self.renewal.questions()
        answers = {host: answer for host in questions if (answer := self.renewal.answer(host)) is not None}
        judgement = judge_trust(questions, answers, self.records(), trusted_elsewhere=trusted_elsewhere)
        self.renewal.save_trust(judgement)
        return judgement

    def waves(self, judgement: TrustJudgement) -> int:
        """Save who installs in which wave, only certificates that everybody trusts; gives the number of waves."""
        planned = self.installations()
        hosts = tuple(target for target in planned.hosts if target.record_id in judgement.ok_records)
        return self._save_waves(dataclasses.replace(planned, hosts=hosts))

    def put_back(self) -> int:
        """Save who gets its old certificate back in which wave; gives the number of waves."""
        return self._save_waves(plan_put_back(self.assessment))

    def _save_waves(self, planned: Installations) -> int:
        names = [target.host for target in planned.hosts]
        elsewhere = seen_elsewhere(self.run.evidence_directory, self.assessment.fleet)
        warnings = restart_warnings(self.assessment.fleet, names, elsewhere)
        planned = dataclasses.replace(planned, warnings=warnings)
        views = self.assessment.fleet.views
        first = [name for name in names if views[name].records.services is not None]
        waves = install_waves(self.assessment, names, first=first)
        fleet = self.assessment.fleet
        groups = restart_groups(fleet)
        groups.update({name: f"edge {edge_group(fleet, name)}" for name in names if name not in groups})
        self.renewal.save_installations(planned, waves=waves, groups=groups)
        return max(waves.values(), default=-1) + 1

    def results(self, *, sign_failure: str, preview: bool) -> RenewalResults:
        """How each certificate ended, by a new reading, into the records and the run's results.

        :param preview: nothing was done, so what is planned counts as waiting.
        """
        plan, planned = self.renewal.plan(), self.renewal.installations()
        by_server: dict[str, HostResult] = {}
        with locked(self.state_dir):
            records = self.records()
            for record in records.values():
                ended = record if preview else self._ended(record)
                if ended is not record:
                    write_record(self.state_dir, ended)
                for server in filter(self._in_run, record.servers):
                    result = self._result(ended, server, sign_failure)
                    if result is not None:
                        by_server[server] = result
        for chosen in plan.replacements if plan else ():
            outcome = self.run.outcome(chosen.servers[0], "request")
            if outcome is not None and not outcome.ok:
                message = f"No request was made: {outcome.message}"
                by_server[chosen.servers[0]] = HostResult(host=chosen.servers[0], result="failed", message=message)
        judgement = self.renewal.trust()
        refused = (
            *(plan.refused if plan else ()),
            *(planned.refused if planned else ()),
            *(judgement.unasked if judgement else ()),
        )
        records = self.records()
        waiting = {server for record in records.values() if record.step in _WAITING for server in record.servers}
        if preview and plan:
            waiting.update(server for chosen in plan.replacements for server in chosen.servers)
        results = RenewalResults(
            results=tuple(by_server[name] for name in sorted(by_server)),
            refused=tuple({refusal.host: refusal for refusal in refused}.values()),
            waiting=tuple(sorted(waiting)),
            warnings=planned.warnings if planned else (),
        )
        self.renewal.save_results(results)
        return results

    def returned(self) -> RenewalResults:
        """How putting back the old certificates ended, by a new reading, into the records and the run's results."""
        planned = self.renewal.installations()
        results = []
        with locked(self.state_dir):
            records = self.records()
            for target in planned.hosts if planned else ():
                outcome = self.run.outcome(target.host, "put_back")
                view = self.assessment.fleet.views.get(target.host)
                left = view.records.certificate(target.uses[0]) if view and view.readable else None
                if outcome is not None and outcome.ok and left is None:
                    message = f"Verified by a new reading: {outcome.message}"
                    results.append(HostResult(host=target.host, result="done", message=message))
                    continue
                message = outcome.message if outcome else "The old certificate was not put back."
                results.append(HostResult(host=target.host, result="failed", message=message))
            back = {result.host for result in results if result.result == "done"}
            for record in records.values():
                if back.intersection(record.servers) and record.step in ("installed", "assigned", "done"):
                    note = "The old certificate was put back; the new one is in the store. A next run with certificates installs it again."
                    write_record(self.state_dir, record.moved("verified", note, at=self.now))
        found = RenewalResults(results=tuple(results), warnings=planned.warnings if planned else ())
        self.renewal.save_results(found)
        return found

    def complete(self, results: RenewalResults) -> bool:
        """Whether every certificate of this fleet is in use, so that the override may be thought about."""
        fleet = self.assessment.fleet.views
        own = [record for record in self.records().values() if any(server in fleet for server in record.servers)]
        unfinished = [result for result in results.results if result.result != "done"]
        return not (results.waiting or results.refused or unfinished) and all(record.step == "done" for record in own)

    def _in_run(self, server: str) -> bool:
        view = self.assessment.fleet.views.get(server)
        return view is not None and view.source.in_run

    def _ended(self, record: Record) -> Record:
        """The record by what its servers have and present now."""
        if record.step not in _WITH_CERTIFICATE or record.new is None or record.step == "done":
            return record
        states = [self._state(server, record.new.thumbprint) for server in record.servers]
        if all(state == "presented" for state in states):
            return record.moved(
                "done", "The new certificate is in use and presented. Nothing is left to do.", at=self.now
            )
        if all(state in ("presented", "assigned") for state in states):
            step, note = "assigned", "Restart the services of every server that does not present it: run again."
        elif any(state in ("presented", "assigned") for state in states):
            step, note = "installed", "Not every server has it assigned: run again."
        else:
            return record
        if record.step == step:
            return record
        return record.moved(t.cast(t.Any, step), note, at=self.now)

    def _state(self, server: str, mark: str) -> str:
        view = self.assessment.fleet.views.get(server)
        held = view.certificate if view and view.readable else None
        if held is None or view is None:
            return "unknown"
        if held.current and held.current.thumbprint == mark and held.assigned is None:
            own = view.records.services
            return "presented" if own is None else "assigned"
        return "assigned" if held.assigned and held.assigned.thumbprint == mark else "old"

    def _result(self, record: Record, server: str, sign_failure: str) -> HostResult | None:
        """The end for one server; None where this run had nothing to do there."""
        # What could not be imported is not assigned either: the first reason is the one to mend.
        for step in ("import", "install"):
            outcome = self.run.outcome(server, t.cast(t.Any, step))
            if outcome is not None and not outcome.ok:
                return HostResult(host=server, result="failed", message=outcome.message)
        if record.step == "done":
            planned = self.renewal.installation(server)
            if planned is None:
                return None
            return HostResult(
                host=server, result="done", message="Verified by a new reading: the new certificate is presented."
            )
        if record.step in ("denied", "refused"):
            return HostResult(host=server, result="failed", message=record.next_step)
        told = self.run.outcome(server, "hand_over")
        if record.step == "requested" and told is not None and not told.ok:
            message = f"The request was not handed in, because that could not be noted on the server: {told.message}"
            return HostResult(host=server, result="failed", message=message)
        if record.step == "requested" and sign_failure:
            return HostResult(host=server, result="failed", message=f"The request was not handed in: {sign_failure}")
        problem = self._trust_problem(record)
        if problem:
            return HostResult(host=server, result="failed", message=problem)
        if record.step == "submitting":
            return HostResult(host=server, result="failed", message=record.next_step)
        return HostResult(host=server, result="pending", message=f"{record.step}: {record.next_step}")

    def _trust_problem(self, record: Record) -> str:
        judgement = self.renewal.trust()
        if judgement is None or record.step not in ("verified", "installed"):
            return ""
        problem = next((p for p in judgement.problems if p.record_id == record.id), None)
        return f"Not assigned anywhere: {problem.host}: {problem.text}" if problem else ""
