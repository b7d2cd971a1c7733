# Copyright (c) 2026, the sfb.kb4023993 contributors
# GNU General Public License v3.0-or-later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Compares what a runner replied with what the cases expect, and says every difference at once."""

from __future__ import annotations

import json
import typing as t
from collections.abc import Iterator

from ansible_collections.sfb.kb4023993.plugins.plugin_utils.host.wire import Reply

from contract import normal
from contract.case import Case

_SHOWN = 400


def groups(cases: t.Sequence[Case]) -> Iterator[list[Case]]:
    """Cases that share a host."""
    by_host: dict[str, list[Case]] = {}
    for case in cases:
        by_host.setdefault(case.alone, []).append(case)
    yield from by_host.values()


def differences(cases: t.Sequence[Case], replies: t.Sequence[Reply]) -> list[str]:
    """One text for each step that was not answered as expected."""
    steps = [(case, index, step) for case in cases for index, step in enumerate(case.steps)]
    found = []
    for (case, index, step), reply in zip(steps, replies, strict=True):
        wanted, got = normal.expected(step.asked, step.expected), normal.answer(reply)
        if wanted is not None and wanted != got:
            asked = str(step.asked)[:_SHOWN]
            text = f"{case.name}, step {index + 1}: {asked}\n  expected {_shown(wanted, got)}\n  found    {_shown(got, wanted)}"
            found.append(f"{text}\n  {reply.error.message}" if reply.error else text)
    return found


def disagreements(cases: t.Sequence[Case], one: t.Sequence[Reply], other: t.Sequence[Reply]) -> list[str]:
    """One text for each step that two runners answered differently, the simplest first."""
    steps = [(case, step) for case in cases for step in case.steps]
    found = []
    for (case, step), here, there in zip(steps, one, other, strict=True):
        left, right = normal.answer(here), normal.answer(there)
        if left != right:
            found.append(
                f"{case.name}: {str(step.asked)[:_SHOWN]}\n  lab   {_shown(left, right)}\n  other {_shown(right, left)}\n  {case.world}"
            )
    return sorted(found, key=len)


def _shown(answer: t.Any, other: t.Any) -> str:
    """An answer from a little before the place where it differs."""
    text, second = json.dumps(answer), json.dumps(other)
    same = next((n for n, (a, b) in enumerate(zip(text, second, strict=False)) if a != b), min(len(text), len(second)))
    start = max(0, same - _SHOWN // 2)
    return ("... " if start else "") + text[start : start + _SHOWN]
