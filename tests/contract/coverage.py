# Copyright (c) 2026, the sfb.kb4023993 contributors
# GNU General Public License v3.0-or-later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which values of the contract occur in the table: every alternative of every field of every reply, and every type of error."""

from __future__ import annotations

import dataclasses
import types
import typing as t

from ansible_collections.sfb.kb4023993.plugins.plugin_utils.host import wire

from contract.case import ALL_OPERATIONS, Case, Wrong
from contract.cases_batch import REFUSED

ANSWERED_BY_THE_LAB_ALONE: t.Final[dict[str, str]] = {
    "events": "no event log outside Windows; tests/powershell/test_operations.py plays one to the script",
}
"""Operations of which no engine gives a value: there the lab is held to the script by nothing."""

NOT_IN_THE_TABLE: t.Final[dict[str, str]] = {
    "error deadline": "of a whole batch: test_which_operations_of_a_batch_run",
    "error skipped": "of a whole batch: test_which_operations_of_a_batch_run",
    "error unsupported": "a Windows without a class that all supported ones have",
    "failure constrained_language": "bootstrap.ps1 says so; tests/powershell/test_batch.py",
    "failure powershell_too_old": "bootstrap.ps1 says so; no engine of the tests is that old",
    "failure process_32_bit": "no engine of the tests is a 32-bit process",
    "failure not_elevated": "Wine has administrators only, Linux none",
    "failure failed": "what no rule foresees",
    "ProcessState.path None": "Windows hides processes of other accounts; no engine of the tests has such",
    "ProcessState.started_utc None": "Windows hides processes of other accounts; no engine of the tests has such",
    "FileInfoReply.version not None": "programs with a version are built for Wine only: tests/wine",
    "SystemReply.machine_guid None": "every Windows has one",
    "SystemReply.product_type None": "every Windows has one",
    "ChainCheckReply.chain empty": "a chain holds its own certificate",
    "UpgradeDomain.front_ends empty": "the pools of the lab say everything; tests/powershell/test_certificate_commands.py",
    "UpgradeDomain.ready None": "the pools of the lab say everything; tests/powershell/test_certificate_commands.py",
}


def seen(cases: t.Sequence[Case]) -> set[str]:
    found: set[str] = {f"failure {refused.failure}" for refused in REFUSED if refused.failure}
    for case in cases:
        for step in case.steps:
            if isinstance(step.expected, Wrong):
                found.add(f"error {step.expected.type}")
            else:
                found |= _values(step.expected)
    return found


def wanted() -> set[str]:
    found = {f"error {kind}" for kind in t.get_args(wire.ErrorType)}
    found |= {f"failure {kind}" for kind in t.get_args(wire.BatchFailureType)}
    for operation in ALL_OPERATIONS:
        found |= _alternatives(operation.REPLY)
    return found


def _alternatives(record: type) -> set[str]:
    """All that has to occur of a record and of the records in it."""
    found: set[str] = set()
    hints = t.get_type_hints(record)
    for field in dataclasses.fields(record):
        name, hint = f"{record.__name__}.{field.name}", hints[field.name]
        members = t.get_args(hint) if t.get_origin(hint) in (t.Union, types.UnionType) else (hint,)
        if type(None) in members:
            found |= {f"{name} None", f"{name} not None"}
        for member in members:
            item = t.get_args(member)[0] if t.get_origin(member) is tuple else member
            if t.get_origin(member) is tuple:
                found |= {f"{name} empty", f"{name} not empty"}
            if t.get_origin(member) is t.Literal:
                found |= {f"{name} {word}" for word in t.get_args(member)}
            if member is bool:
                found |= {f"{name} {word}" for word in (True, False)}
            if dataclasses.is_dataclass(item):
                found |= _alternatives(t.cast("type", item))
    return found


def _values(value: t.Any) -> set[str]:
    found: set[str] = set()
    if isinstance(value, tuple):
        for item in value:
            found |= _values(item)
    elif dataclasses.is_dataclass(value):
        for field in dataclasses.fields(value):
            name, held = f"{type(value).__name__}.{field.name}", getattr(value, field.name)
            found.add(f"{name} {'None' if held is None else 'not None'}")
            if isinstance(held, tuple):
                found.add(f"{name} {'not empty' if held else 'empty'}")
            elif isinstance(held, str | bool):
                found.add(f"{name} {held}")
            found |= _values(held)
    return found
