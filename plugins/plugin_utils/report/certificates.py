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
from .parts import Part

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
    """Workaround 1 in one run. ``waiting``: servers whose certificate waits for a CA, which is no failure.

    ``warnings``: what is to be known of the pools in which services restart.
    """

    certificates: tuple[CertificateState, ...]
    results: tuple[HostResult, ...]
    refused: tuple[Refusal, ...]
    waiting: tuple[str, ...]
    warnings: tuple[str, ...] = ()


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


def certificate_parts(renewal: Renewal) -> tuple[Part, ...]:
    """One heading a certificate, with how far it is; then the servers that get none."""
    results = {result.host: result for result in renewal.results}
    parts = [Part(title="WARNING", lines=renewal.warnings, bad=True)] if renewal.warnings else []
    parts += [_part(state, results) for state in renewal.certificates]
    known = {server for state in renewal.certificates for server in state.servers}
    others = [f"{r.host}: {r.message}" for r in renewal.results if r.host not in known]
    if others:
        parts.append(Part(title="Other servers", lines=tuple(others)))
    if renewal.refused:
        lines = tuple(f"{refusal.host}: {refusal.reason}" for refusal in renewal.refused)
        parts.append(Part(title="Not replaced, and why", lines=lines, bad=True))
    return tuple(parts)


def _part(state: CertificateState, results: t.Mapping[str, HostResult]) -> Part:
    failed = [results[server] for server in state.servers if server in results and results[server].result == "failed"]
    lines = [state.next_step]
    if state.request_id:
        lines.append(f"request {state.request_id} at the CA")
    if state.new:
        lines.append(f"{state.replaces or 'no certificate'} -> {state.new}")
    lines += [f"{problem.id}: {problem.text} {problem.next_step}" for problem in state.problems]
    lines += [f"{result.host}: failed: {result.message}" for result in failed]
    title = f"{', '.join(state.servers)}, {', '.join(state.uses)}: {state.step}"
    return Part(title=title, lines=tuple(lines), bad=bool(failed or state.problems))


def certificates_text(renewal: Renewal) -> str:
    """The part of the text report."""
    lines = ["Certificates"]
    for part in certificate_parts(renewal):
        lines.append(_wrapped("  ", part.title))
        lines.extend(_wrapped("    ", line) for line in part.lines)
    return "\n".join(lines) if len(lines) > 1 else "Certificates: none has to be replaced."


def _wrapped(prefix: str, text: str) -> str:
    return textwrap.fill(
        prefix + one_line(text, 900),
        _WIDTH,
        subsequent_indent=" " * (len(prefix) - len(prefix.lstrip()) + 2),
        break_long_words=False,
        break_on_hyphens=False,
    )
