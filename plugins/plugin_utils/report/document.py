# Copyright (c) 2026, the sfb.kb4023993 contributors
# GNU General Public License v3.0-or-later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Everything that one run found and did, in one record: the JSON report, and what all other forms are made from."""

from __future__ import annotations

import collections
import dataclasses
import json
import typing as t

from ..codec import encode
from ..findings import Judgement
from ..plan import Plan
from ..rules.verdict import ORDER
from ..verify import HostResult

SCHEMA: t.Final = 1
Playbook = t.Literal["audit", "compliance", "remediate", "rollback"]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Report:
    """``after`` is the judgement of a second reading, None where nothing was changed. ``plan_sha256`` names the plan file."""

    schema: int = SCHEMA
    playbook: Playbook
    check_mode: bool
    sentence: str
    counts: dict[str, int]
    before: Judgement
    after: Judgement | None
    plan: Plan | None
    plan_sha256: str | None
    results: tuple[HostResult, ...]

    @property
    def latest(self) -> Judgement:
        return self.after or self.before


def make_report(
    *,
    playbook: Playbook,
    check_mode: bool,
    before: Judgement,
    after: Judgement | None = None,
    plan: Plan | None = None,
    plan_sha256: str | None = None,
    results: tuple[HostResult, ...] = (),
) -> Report:
    latest = after or before
    counts = verdict_counts(latest)
    return Report(
        playbook=playbook,
        check_mode=check_mode,
        sentence=_sentence(counts),
        counts=counts,
        before=before,
        after=after,
        plan=plan,
        plan_sha256=plan_sha256,
        results=results,
    )


def verdict_counts(judgement: Judgement) -> dict[str, int]:
    """How many hosts of this run have each verdict, worst first."""
    counted = collections.Counter(host.verdict for host in judgement.hosts if host.in_run)
    return {verdict: counted[verdict] for verdict in ORDER}


def report_json(report: Report) -> str:
    """The whole report as JSON; the same report gives the same text."""
    return json.dumps(encode(report), indent=1, ensure_ascii=True) + "\n"


def failing_hosts(report: Report, fail_on: t.Collection[str]) -> dict[str, str]:
    """Hosts of this run that the exit contract fails, with the reason: by verdict, or because their part of the plan failed."""
    failing = {
        host.name: f"{host.verdict}: {host.reason}"
        for host in report.latest.hosts
        if host.in_run and host.verdict in fail_on
    }
    failing.update({result.host: result.message for result in report.results if result.result == "failed"})
    return failing


def _sentence(counts: t.Mapping[str, int]) -> str:
    everyone = sum(counts.values())
    affected = everyone - counts["not_applicable"]
    servers = "server" if affected == 1 else "servers"
    if not everyone:
        return "KB4023993: no server was in this run."
    if counts["broken"]:
        verb = "takes" if counts["broken"] == 1 else "take"
        text = f"KB4023993: {counts['broken']} of {affected} {servers} {verb} part in connections that are broken"
    elif counts["latent"]:
        text = f"KB4023993: nothing is broken, but the next .NET update will break {counts['latent']} of {affected} {servers}"
    elif counts["mitigated"]:
        text = f"KB4023993: nothing is broken; {counts['mitigated']} of {affected} {servers} depend on the check being turned off"
    elif counts["compliant"]:
        text = f"KB4023993: nothing is wrong on {counts['compliant']} of {affected} {servers}"
    else:
        text = "KB4023993: no server was found compliant"
    if counts["not_assessed"]:
        text += f"; {counts['not_assessed']} could not be assessed"
    return text + "."
