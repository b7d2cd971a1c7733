# Copyright (c) 2026, the sfb.kb4023993 contributors
# GNU General Public License v3.0-or-later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How far the replacement of each certificate is: the part of a report that belongs to workaround 1. Pure."""

from __future__ import annotations

import dataclasses
import textwrap
import typing as t

from ..plan import Refusal
from ..signing.answer import Problem
from ..signing.records import Record
from ..verify import HostResult
from ..words import one_line

_WIDTH: t.Final = 118


@dataclasses.dataclass(frozen=True, kw_only=True)
class CertificateState:
    """One certificate: which servers and uses it is for, what it replaces, how far it is, and what a person does next."""

    id: str
    servers: tuple[str, ...]
    uses: tuple[str, ...]
    step: str
    next_step: str
    replaces: str | None
    new: str | None
    request_id: int | None
    problems: tuple[Problem, ...]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Renewal:
    """Workaround 1 in one run. ``waiting``: servers whose certificate waits for a CA, which is no failure."""

    certificates: tuple[CertificateState, ...]
    results: tuple[HostResult, ...]
    refused: tuple[Refusal, ...]
    waiting: tuple[str, ...]


def certificate_states(records: t.Iterable[Record]) -> tuple[CertificateState, ...]:
    """The records of a state directory as a report shows them, by id."""
    return tuple(
        CertificateState(
            id=record.id,
            servers=record.servers,
            uses=record.uses,
            step=record.step,
            next_step=record.next_step,
            replaces=record.current.thumbprint if record.current else None,
            new=record.new.thumbprint if record.new else None,
            request_id=record.submission.request_id if record.submission else None,
            problems=record.problems,
        )
        for record in sorted(records, key=lambda record: record.id)
    )


def certificates_text(renewal: Renewal) -> str:
    """The part of the text report."""
    results = {result.host: result for result in renewal.results}
    lines = ["Certificates"]
    for state in renewal.certificates:
        servers = ", ".join(map(one_line, state.servers))
        lines.append(_wrapped(f"  {servers}, {', '.join(state.uses)}: ", f"{state.step.upper()}: {state.next_step}"))
        if state.request_id:
            lines.append(f"    request {state.request_id} at the CA")
        lines.extend(
            _wrapped(f"    {problem.id}: ", f"{problem.text} {problem.next_step}") for problem in state.problems
        )
        if state.new:
            lines.append(f"    {state.replaces or 'no certificate'} -> {state.new}")
        failed = [
            results[server] for server in state.servers if server in results and results[server].result == "failed"
        ]
        lines.extend(_wrapped(f"    {one_line(result.host)}: FAILED: ", result.message) for result in failed)
    known = {server for state in renewal.certificates for server in state.servers}
    lines.extend(
        _wrapped(f"  {one_line(result.host)}: FAILED: ", result.message)
        for result in renewal.results
        if result.host not in known and result.result == "failed"
    )
    lines.extend(
        _wrapped(f"  {one_line(refusal.host)}: ", f"not replaced: {one_line(refusal.reason, 600)}")
        for refusal in renewal.refused
    )
    return "\n".join(lines) if len(lines) > 1 else "Certificates: none has to be replaced."


def _wrapped(prefix: str, text: str) -> str:
    return textwrap.fill(
        prefix + one_line(text, 900),
        _WIDTH,
        subsequent_indent=" " * (len(prefix) - len(prefix.lstrip()) + 2),
        break_long_words=False,
        break_on_hyphens=False,
    )
