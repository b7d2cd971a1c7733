# Copyright (c) 2026, the sfb.kb4023993 contributors
# GNU General Public License v3.0-or-later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The stages of workaround 1 as a playbook sees them: options in, which hosts do what next out."""

from __future__ import annotations

import dataclasses
import typing as t

from .plan import Refusal
from .renewal_flow import Flow
from .words import counted

Options = t.Mapping[str, t.Any]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Stage:
    """``result``: for the next tasks. ``lines``: progress, as host and text. ``warnings``: shown as Ansible shows its own."""

    result: dict[str, t.Any]
    lines: tuple[tuple[str, str], ...] = ()
    warnings: tuple[str, ...] = ()


def _plan(flow: Flow, options: Options, *, preview: bool) -> Stage:
    plan = flow.plan(write=not preview, request_again=options["request_again"])
    todo = [chosen.servers[0] for chosen in plan.replacements if chosen.step == "planned"]
    what = f"{counted(len(plan.replacements), 'certificate')} to replace, {counted(len(todo), 'request')} to make"
    return Stage(
        result={
            "requests": todo,
            "certificates": {chosen.id: chosen.step for chosen in plan.replacements},
            "refused": _by_host(plan.refused),
        },
        lines=(("plan", what), *((refusal.host, f"refused: {refusal.reason}") for refusal in plan.refused)),
    )


def _requested(flow: Flow, options: Options, *, preview: bool) -> Stage:
    del options
    hand_in = [] if preview else flow.requested()
    # A server whose certificate is in use needs no visit: what is noted there is where a request is.
    led = sorted({r.servers[0] for r in flow.records().values() if r.csr and r.step != "done"})
    return Stage(result={"hand_in": hand_in, "led": led})


def _handed_over(flow: Flow, options: Options, *, preview: bool) -> Stage:
    del options
    return Stage(result={"hold": [] if preview else flow.untold()})


def _trust(flow: Flow, options: Options, *, preview: bool) -> Stage:
    del options, preview
    return Stage(result={"ask": flow.ask_trust()})


def _trusted(flow: Flow, options: Options, *, preview: bool) -> Stage:
    del preview
    judgement = flow.judge_trust(trusted_elsewhere=options["trusted_elsewhere"])
    return Stage(result={"install": sorted(host for host, missing in judgement.install.items() if missing)})


def _waves(flow: Flow, options: Options, *, preview: bool) -> Stage:
    del preview
    judgement = flow.judge_trust(trusted_elsewhere=options["trusted_elsewhere"])
    number = flow.waves(judgement)
    planned, records = flow.renewal.installations(), flow.records()
    targets = planned.hosts if planned else ()
    first = {target.host: records[target.record_id].servers[0] for target in targets}
    sharing = {target.host: first[target.host] for target in targets if not target.lead}
    return Stage(
        result={
            "waves": number,
            "hosts": flow.renewal.waves()[0],
            # One may have done its own part before, and still has to hand its certificate to another one.
            "involved": sorted({*first, *sharing.values()}),
            "leads": sorted(target.host for target in targets if target.lead),
            "sharing": sharing,
            "shared_from": sorted(set(sharing.values())),
        },
        lines=tuple((p.host, f"does not accept the new chain: {p.text}") for p in judgement.problems),
        warnings=planned.warnings if planned else (),
    )


def _put_back(flow: Flow, options: Options, *, preview: bool) -> Stage:
    del options, preview
    number = flow.put_back()
    planned = flow.renewal.installations()
    return Stage(
        result={"waves": number, "hosts": flow.renewal.waves()[0]},
        warnings=planned.warnings if planned else (),
    )


def _results(flow: Flow, options: Options, *, preview: bool) -> Stage:
    results = flow.results(sign_failure=options["sign_failure"], preview=preview)
    return Stage(
        result={
            "complete": not preview and flow.complete(results),
            "waiting": list(results.waiting),
            "refused": _by_host(results.refused),
        }
    )


def _returned(flow: Flow, options: Options, *, preview: bool) -> Stage:
    del options
    if not preview:
        flow.returned()
    return Stage(result={})


class _Function(t.Protocol):
    def __call__(self, flow: Flow, options: Options, *, preview: bool) -> Stage:
        """Carry out one stage."""


STAGES: t.Final[dict[str, _Function]] = {
    "plan": _plan,
    "requested": _requested,
    "handed_over": _handed_over,
    "trust": _trust,
    "trusted": _trusted,
    "waves": _waves,
    "put_back": _put_back,
    "results": _results,
    "returned": _returned,
}


def _by_host(refused: t.Iterable[Refusal]) -> dict[str, str]:
    return {refusal.host: refusal.reason for refusal in refused}
