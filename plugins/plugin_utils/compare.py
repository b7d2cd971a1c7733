# Copyright (c) 2026, the sfb.kb4023993 contributors
# GNU General Public License v3.0-or-later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What changed between two judgements: new, fixed, unchanged, and above all what got worse. Pure.

Findings are matched by id and host (or pool), connections by both ends. What cannot be told now never counts as fixed: not of a server
that was not assessed, and not of one that was read only in part. Findings that only inform are left out.
"""

from __future__ import annotations

import dataclasses
import typing as t

from .findings import CertificateJudgement, ConnectionJudgement, Finding, HostJudgement, Judgement, Severity
from .rules.verdict import ORDER, Verdict

SCHEMA: t.Final = 1
_NOT_ASSESSED: t.Final = "KB4023993-NOT-ASSESSED"
# Findings on connections, by the verdict of those connections.
_OF_VERDICT: t.Final[dict[str, Verdict]] = {
    "KB4023993-CONNECTION-BROKEN": "broken",
    "KB4023993-CONNECTION-LATENT": "latent",
    "KB4023993-CONNECTION-NOT-ASSESSED": "not_assessed",
}
_CERTIFICATE: t.Final = ("KB4023993-CERT-EDGE-INTERNAL", "KB4023993-CERT-FRONT-END")
# Where one of these is new or says something else, other findings may only be out of sight.
_HIDES: t.Final = ("KB4023993-EVIDENCE-MISSING", "KB4023993-CERT-UNKNOWN", "KB4023993-ENFORCEMENT-UNKNOWN")

FindingKind = t.Literal["new", "fixed", "not_comparable"]
RegressionKind = t.Literal["certificate", "opt_out", "connection", "verdict"]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Moment:
    """Which judgement: the run that made it, and when."""

    run_id: str
    judged_utc: str


@dataclasses.dataclass(frozen=True, kw_only=True)
class ConnectionChange:
    """A connection with another verdict than before."""

    validator: str
    peer: str
    ports: tuple[int, ...]
    earlier: Verdict
    later: Verdict
    reason: str


@dataclasses.dataclass(frozen=True, kw_only=True)
class Regression:
    """One thing that was in order and is not any more."""

    host: str
    kind: RegressionKind
    text: str


@dataclasses.dataclass(frozen=True, kw_only=True)
class FindingChange:
    """A finding that is new, fixed, or of the earlier judgement and not to be told now (``not_comparable``)."""

    change: FindingKind
    id: str
    severity: Severity
    title: str
    host: str | None
    pool: str | None


@dataclasses.dataclass(frozen=True, kw_only=True)
class VerdictChange:
    """Another verdict of a host that was assessed both times."""

    host: str
    earlier: Verdict
    later: Verdict


@dataclasses.dataclass(frozen=True, kw_only=True)
class NotComparable:
    host: str
    reason: str


@dataclasses.dataclass(frozen=True, kw_only=True)
class Comparison:
    """Two judgements of a fleet. ``counts``: how many findings are ``new``, ``fixed``, ``unchanged``, ``not_comparable``, and how
    many regressions (``regressed``). ``appeared`` and ``vanished``: hosts that only one of the judgements has."""

    schema: int = SCHEMA
    earlier: Moment
    later: Moment
    counts: dict[str, int]
    regressions: tuple[Regression, ...]
    verdicts: tuple[VerdictChange, ...]
    findings: tuple[FindingChange, ...]
    not_comparable: tuple[NotComparable, ...]
    appeared: tuple[str, ...]
    vanished: tuple[str, ...]


@dataclasses.dataclass(frozen=True, kw_only=True)
class _Pair:
    """A host in both judgements, assessed in both, with its findings by id and the connections that it checks by peer."""

    earlier: HostJudgement
    later: HostJudgement
    old: dict[str, Finding]
    new: dict[str, Finding]
    links: tuple[tuple[ConnectionJudgement, ConnectionJudgement | None], ...]


def covers(earlier: Judgement, later: Judgement) -> bool:
    """Whether the earlier run read the same hosts: those of the later run, but for hosts that are new since."""
    read = {host.name for host in earlier.hosts if host.in_run}
    known = {host.name for host in earlier.hosts}
    wanted = {host.name for host in later.hosts if host.in_run} & known
    return bool(wanted) and wanted <= read


def connection_changes(earlier: Judgement, later: Judgement) -> tuple[ConnectionChange, ...]:
    """Connections of both judgements whose verdict differs."""
    old = {_ends(connection): connection for connection in earlier.connections}
    return tuple(
        ConnectionChange(
            validator=connection.validator,
            peer=connection.peer,
            ports=connection.ports,
            earlier=old[_ends(connection)].verdict,
            later=connection.verdict,
            reason=connection.reason,
        )
        for connection in later.connections
        if _ends(connection) in old and old[_ends(connection)].verdict != connection.verdict
    )


def compare(earlier: Judgement, later: Judgement, *, in_run_only: bool = False) -> Comparison:
    """Compare two judgements.

    :param in_run_only: leave out hosts that the later run did not read because of ``--limit``.
    """
    before = {host.name: host for host in earlier.hosts}
    after = {host.name: host for host in later.hosts if host.in_run or not in_run_only}
    everybody = {host.name for host in later.hosts}
    old, new = _by_place(earlier), _by_place(later)
    reasons = {name: _why_not(earlier, later, before[name], after[name]) for name in before if name in after}
    links = _links(earlier, later)
    pairs = [
        _Pair(
            earlier=before[name],
            later=after[name],
            old=old.get(name, {}),
            new=new.get(name, {}),
            links=tuple(links.get(name, ())),
        )
        for name in sorted(reasons)
        if reasons[name] is None
    ]
    findings = [change for pair in pairs for change in _finding_changes(pair)]
    unchanged = sum(len(pair.old.keys() & pair.new.keys()) for pair in pairs)
    regressions = tuple(regression for pair in pairs for regression in _regressions(pair, later))
    findings += _lost_findings(old, reasons)
    counts = {"regressed": len(regressions)}
    for kind in t.get_args(FindingKind):
        counts[kind] = sum(change.change == kind for change in findings)
    counts["unchanged"] = unchanged
    return Comparison(
        earlier=Moment(run_id=earlier.run_id, judged_utc=earlier.judged_utc),
        later=Moment(run_id=later.run_id, judged_utc=later.judged_utc),
        counts=counts,
        regressions=regressions,
        verdicts=tuple(
            VerdictChange(host=pair.later.name, earlier=pair.earlier.verdict, later=pair.later.verdict)
            for pair in pairs
            if pair.earlier.verdict != pair.later.verdict
            and "not_assessed" not in (pair.earlier.verdict, pair.later.verdict)
        ),
        findings=tuple(sorted(findings, key=lambda change: (change.change, change.id, change.host or "", change.pool))),
        not_comparable=tuple(
            NotComparable(host=name, reason=reason) for name, reason in sorted(reasons.items()) if reason is not None
        ),
        appeared=tuple(sorted(after.keys() - before.keys())),
        vanished=tuple(sorted(before.keys() - everybody)),
    )


def _ends(connection: ConnectionJudgement) -> tuple[str, str, str]:
    return connection.validator, connection.peer, connection.kind


def _by_place(judgement: Judgement) -> dict[str, dict[str, Finding]]:
    """Findings to act on by host and id; those of a pool alone are no part of a comparison by host."""
    found: dict[str, dict[str, Finding]] = {}
    for item in judgement.findings:
        if item.host is not None and item.severity != "info" and item.id != _NOT_ASSESSED:
            found.setdefault(item.host, {})[item.id] = item
    return found


def _links(
    earlier: Judgement, later: Judgement
) -> dict[str, list[tuple[ConnectionJudgement, ConnectionJudgement | None]]]:
    """The earlier connections by validator, each with the later one of the same ends."""
    now = {_ends(connection): connection for connection in later.connections}
    found: dict[str, list[tuple[ConnectionJudgement, ConnectionJudgement | None]]] = {}
    for connection in earlier.connections:
        found.setdefault(connection.validator, []).append((connection, now.get(_ends(connection))))
    return found


def _why_not(earlier: Judgement, later: Judgement, before: HostJudgement, after: HostJudgement) -> str | None:
    """Why nothing can be said of a host, None where it can be compared."""
    if not _was_read(later, after):
        return f"It is not assessed now: {after.reason}"
    if not _was_read(earlier, before):
        return "It was not assessed then."
    if before.role != after.role:
        return f"It had another role then ({before.role}, now {after.role})."
    return None


def _was_read(judgement: Judgement, host: HostJudgement) -> bool:
    if host.verdict == "not_assessed" and any(
        item.id == _NOT_ASSESSED and item.host == host.name for item in judgement.findings
    ):
        return False
    return host.evidence_utc is not None and host.role != "unknown"


def _finding_changes(pair: _Pair) -> t.Iterator[FindingChange]:
    for identifier, item in pair.new.items():
        if identifier not in pair.old:
            yield _change("new", item)
    hidden = any(
        identifier in pair.new
        and (identifier not in pair.old or pair.old[identifier].evidence != pair.new[identifier].evidence)
        for identifier in _HIDES
    )
    for identifier, item in pair.old.items():
        if identifier in pair.new:
            continue
        verdict = _OF_VERDICT.get(identifier)
        if verdict is None:
            certificate = pair.later.certificate
            sure = not hidden and pair.later.verdict != "not_assessed"
            if identifier in _CERTIFICATE:
                sure = certificate is not None and certificate.usage == "good"
            yield _change("fixed" if sure else "not_comparable", item)
            continue
        now = [later for connection, later in pair.links if connection.verdict == verdict]
        if any(later is None or (later.verdict == "not_assessed" != verdict) for later in now):
            yield _change("not_comparable", item)
        elif all(later is not None and _is_better(verdict, later.verdict) for later in now):
            yield _change("fixed", item)
        # Else they got worse: that is a regression, and its own finding is new.


def _is_better(earlier: Verdict, later: Verdict) -> bool:
    """Of what was not known, any answer is better."""
    return earlier == "not_assessed" != later or ORDER.index(later) > ORDER.index(earlier)


def _change(kind: FindingKind, item: Finding) -> FindingChange:
    return FindingChange(
        change=kind, id=item.id, severity=item.severity, title=item.title, host=item.host, pool=item.pool
    )


def _lost_findings(
    old: t.Mapping[str, t.Mapping[str, Finding]], reasons: t.Mapping[str, str | None]
) -> list[FindingChange]:
    """Earlier findings of hosts that cannot be compared."""
    return [
        _change("not_comparable", item)
        for name, reason in sorted(reasons.items())
        if reason is not None
        for item in old.get(name, {}).values()
    ]


def _regressions(pair: _Pair, later: Judgement) -> t.Iterator[Regression]:
    found = [*_certificate_regressions(pair, later), *_opt_out_regressions(pair), *_connection_regressions(pair)]
    yield from found
    if not found and _is_worse(pair.earlier.verdict, pair.later.verdict):
        # A peer, whose Front Ends say more.
        yield Regression(
            host=pair.later.name,
            kind="verdict",
            text=f"{pair.earlier.verdict} -> {pair.later.verdict}: {pair.later.reason}",
        )


def _is_worse(earlier: Verdict, later: Verdict) -> bool:
    return "not_assessed" not in (earlier, later) and ORDER.index(later) < ORDER.index(earlier)


def _certificate_regressions(pair: _Pair, later: Judgement) -> t.Iterator[Regression]:
    before, now = pair.earlier.certificate, pair.later.certificate
    if before is None or now is None or before.usage != "good":
        return
    if now.usage != "good":
        yield Regression(host=pair.later.name, kind="certificate", text=_certificate_text(before, now))
        return
    if now.pending is None or now.pending == before.pending:
        return
    refused = next(
        (
            connection
            for connection in later.connections
            if connection.peer == pair.later.name
            and connection.certificate == now.pending
            and connection.verdict != "compliant"
        ),
        None,
    )
    if refused is not None:
        text = (
            f"The certificate {now.pending} was assigned for {now.use}, and is not good for clientAuth as {now.thumbprint} is. "
            f"The services take it at their next start. {refused.reason}"
        )
        yield Regression(host=pair.later.name, kind="certificate", text=text)


def _certificate_text(before: CertificateJudgement, now: CertificateJudgement) -> str:
    if before.thumbprint == now.thumbprint:
        return f"Its {now.use} certificate {now.thumbprint} was good for clientAuth, and is not judged so now. {now.reason}"
    how = "renewed, as it seems from the wrong template" if before.issuer == now.issuer else "replaced by another CA's"
    template = f", template {now.template}" if now.template else ""
    return (
        f"Its {now.use} certificate was good for clientAuth and was {how}: {before.thumbprint} before, "
        f"{now.thumbprint}{template} now. {now.reason}"
    )


def _opt_out_regressions(pair: _Pair) -> t.Iterator[Regression]:
    in_effect = [opt_out for opt_out in pair.earlier.opt_outs if opt_out.in_effect]
    if not in_effect or pair.later.opt_outs:
        return
    needing = sorted({now.peer for _earlier, now in pair.links if now is not None and now.verdict != "compliant"})
    if needing:
        wrong = " What stands there now is not read by .NET." if pair.later.wrong_overrides else ""
        text = f"The check was turned off ({in_effect[0].where}), and is not any more. Connections need it: to {_few(needing)}.{wrong}"
        yield Regression(host=pair.later.name, kind="opt_out", text=text)


def _connection_regressions(pair: _Pair) -> t.Iterator[Regression]:
    groups: dict[tuple[Verdict, Verdict], list[ConnectionJudgement]] = {}
    for earlier, now in pair.links:
        if now is not None and _is_worse(earlier.verdict, now.verdict):
            groups.setdefault((earlier.verdict, now.verdict), []).append(now)
    for (old, new), connections in groups.items():
        peers = _few([connection.peer for connection in connections])
        yield Regression(
            host=pair.later.name,
            kind="connection",
            text=f"Connections to {peers}: {old} -> {new}. {connections[0].reason}",
        )


def _few(names: t.Sequence[str]) -> str:
    shown = ", ".join(names[:5])
    return f"{shown} and {len(names) - 5} more" if len(names) > 5 else shown
