# Copyright (c) 2026, the sfb.kb4023993 contributors
# GNU General Public License v3.0-or-later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The table itself: nothing of the contract is missing in it, and where cases do not run is said."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

from contract import coverage, lab_runner, linux_runner, normal, wine_runner
from contract.case import ALL_OPERATIONS, Wrong
from contract.table import cases

Record = Callable[[str, object], None]


def test_every_value_of_every_reply_occurs() -> None:
    missing = coverage.wanted() - coverage.seen(cases())
    assert missing == set(coverage.NOT_IN_THE_TABLE)


def test_names_of_cases_are_their_own() -> None:
    assert [name for name, count in Counter(case.name for case in cases()).items() if count > 1] == []


def test_every_normalisation_belongs_to_an_operation() -> None:
    assert set(normal.CHANGES) <= {operation.NAME for operation in ALL_OPERATIONS}


def test_every_operation_has_cases(record_property: Record) -> None:
    reasons = {"lab": lab_runner.reason, "Linux": linux_runner.reason, "Wine": wine_runner.reason}
    all_of: Counter[str] = Counter()
    runs: Counter[tuple[str, str]] = Counter()
    # Steps that an engine answers with a value; that it refuses bad data says nothing about the rest.
    answered: Counter[str] = Counter()
    left_out: Counter[tuple[str, str]] = Counter()
    for case in cases():
        for step in case.steps:
            all_of[step.operation] += 1
        for runner, reason in reasons.items():
            why = reason(case)
            if why:
                left_out[runner, why] += len(case.steps)
            else:
                runs.update((step.operation, runner) for step in case.steps)
                if runner != "lab":
                    answered.update(step.operation for step in case.steps if not isinstance(step.expected, Wrong))
    assert {operation.NAME for operation in ALL_OPERATIONS} <= set(all_of)
    for operation in ALL_OPERATIONS:
        name = operation.NAME
        assert runs[name, "lab"]
        # What runs in the lab alone is held together with nothing.
        assert (answered[name] > 0) != (name in coverage.ANSWERED_BY_THE_LAB_ALONE), name
        counts = ", ".join(f"{runner} {runs[name, runner]}" for runner in reasons)
        record_property("figure", f"contract: {name} {all_of[name]} cases ({counts})")
    totals = ", ".join(f"{runner} {sum(count for (_, r), count in runs.items() if r == runner)}" for runner in reasons)
    record_property("figure", f"contract: {sum(all_of.values())} cases of {len(ALL_OPERATIONS)} operations ({totals})")
    for (runner, why), count in sorted(left_out.items()):
        record_property("figure", f"contract: {count} of these cases not in {runner}: {why}")
