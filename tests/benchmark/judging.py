# Copyright (c) 2026, the sfb.kb4023993 contributors
# GNU General Public License v3.0-or-later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the controller alone costs: judging, planning and reporting evidence that is there."""

from __future__ import annotations

import time
import typing as t
from collections.abc import Callable
from functools import partial

from ansible_collections.sfb.kb4023993.plugins.plugin_utils.evidence import Evidence, from_text, to_text
from ansible_collections.sfb.kb4023993.plugins.plugin_utils.report.document import make_report
from ansible_collections.sfb.kb4023993.plugins.plugin_utils.report.formats import DEFAULT_FORMATS, FORMATS
from builders import fleets as built

from benchmark import fleets

_SIZES: t.Final = (1000, 10000)


def measure() -> list[dict[str, t.Any]]:
    """CPU seconds by size; then one site of twelve Front Ends and twelve Edges, and ten of them, which are ten times as many connections."""
    rows = [_row(f"{size} servers", list(fleets.evidence(size))) for size in _SIZES]
    for sites in (1, 10):
        evidence = list(fleets.evidence(24 * sites, front_ends=12, edges=12))
        rows.append(_row(f"{sites} x (12 Front Ends, 12 Edges)", evidence))
    return rows


def _row(what: str, evidence: list[Evidence]) -> dict[str, t.Any]:
    texts, save = _timed(lambda: [to_text(each) for each in evidence])
    read, load = _timed(lambda: [from_text(text, where="benchmark") for text in texts])
    assessment, judge = _timed(lambda: built.judge(*read))
    plan, planned = _timed(lambda: built.plan(assessment))
    report = make_report(playbook="audit", check_mode=False, before=assessment.judgement, plan=plan)
    pages = {kind: _timed(partial(FORMATS[kind].render, report)) for kind in DEFAULT_FORMATS}
    return {
        "what": what,
        "connections": len(assessment.judgement.connections),
        "changed_servers": len(plan.hosts),
        "save_seconds": save,
        "load_seconds": load,
        "judge_seconds": judge,
        "plan_seconds": planned,
        "report_seconds": {kind: seconds for kind, (_text, seconds) in pages.items()},
        "report_bytes": {kind: len(text.encode()) for kind, (text, _seconds) in pages.items()},
        "bytes_of_evidence": sum(map(len, texts)),
    }


def _timed(work: Callable[[], t.Any]) -> tuple[t.Any, float]:
    started = time.process_time()
    done = work()
    return done, round(time.process_time() - started, 2)
