# Copyright (c) 2026, the sfb.kb4023993 contributors
# GNU General Public License v3.0-or-later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the rules say of one host, as findings of the catalogue. One function a subject."""

from __future__ import annotations

import collections
import datetime
import functools
import typing as t

from .certificate_findings import certificate_findings
from .certificates import CertificateFacts, IssuerCutoff, expiry, renewal_outlook
from .claims import Others, described, standing
from .connections import ConnectionJudge
from .evidence import Evidence
from .findings import ConnectionJudgement, Finding, HostJudgement, finding
from .fleet import Fleet, HostView, peer_questions
from .knowledge import loader as knowledge
from .offline.age import age_in_words
from .rules.restart import restart_is_unfinished
from .rules.times import parse_time
from .words import counted, one_line, quoted

_SHOWN: t.Final = 12
# 41024 is logged again after 20 minutes while its connection is lost, the others sooner.
_REPEATED: t.Final = datetime.timedelta(minutes=25)


def host_findings(
    fleet: Fleet,
    judge: ConnectionJudge,
    host: HostJudgement,
    connections: t.Sequence[ConnectionJudgement],
    *,
    now: datetime.datetime,
) -> t.Iterator[Finding]:
    """All findings of one host."""
    view = fleet.views[host.name]
    make = functools.partial(finding, host=host.name, pool=host.pool)
    if host.verdict == "not_assessed" and (view.source.failure or view.source.evidence is None):
        if host.in_run or view.source.problem:
            yield make("KB4023993-NOT-ASSESSED", evidence=[_first_sentence(view)], next_step=_advice(view))
        return
    if view.role.role not in ("front_end", "edge"):
        return
    yield from _evidence_findings(view, make, now)
    yield from _certificate_findings(view, host, connections, make, now)
    yield from certificate_findings(fleet, judge, host, make, now=now)
    if view.role.role == "front_end":
        own = [connection for connection in connections if connection.validator == host.name]
        yield from _connection_findings(own, judge, host, make)
        yield from _saved_evidence_findings(own, fleet, make)
        yield from _enforcement_findings(view, own, make)
        yield from _reboot_findings(view, make)
        yield from _opt_out_findings(view, own, make)
        yield from _restart_findings(view, host, make)
        yield from _event_findings(view, own, make)
        yield from _pool_findings(fleet, host, make)
    yield from _claim_findings(view, make)


def unasked_findings(fleet: Fleet) -> t.Iterator[Finding]:
    """Front Ends that no run has asked about certificates that their peers have: these were read by other runs."""
    holders: dict[str, list[str]] = collections.defaultdict(list)
    for view in fleet.views.values():
        shown = view.certificate
        for held in (shown.current, shown.assigned) if shown else ():
            if held:
                holders[held.thumbprint].append(view.name)
    for name, question in peer_questions(fleet).items():
        evidence = fleet.views[name].source.evidence
        answered = {check.thumbprint for check in evidence.chain_checks} if evidence else set()
        lines = [
            f"{mark} of {', '.join(holders[mark])}"
            for mark, _der, _issuers in question.certificates
            if mark not in answered
        ]
        if lines:
            pool = fleet.pools.pool_of.get(name)
            yield finding("KB4023993-CHAIN-NOT-ASKED", host=name, pool=pool, evidence=_bounded(lines))


Make = t.Callable[..., Finding]


def _first_sentence(view: HostView) -> str:
    failure = view.source.failure
    if failure:
        return f"{failure.stage}: {failure.message}"
    return view.source.problem or "no evidence"


def _advice(view: HostView) -> str:
    return view.source.failure.advice if view.source.failure else "Run the audit on this host."


def _evidence_findings(view: HostView, make: Make, now: datetime.datetime) -> t.Iterator[Finding]:
    evidence = view.source.evidence
    if evidence is None:
        return
    if evidence.offline is not None or view.source.offline:
        yield make("KB4023993-EVIDENCE-OFFLINE", evidence=[_read_by_hand(evidence, now)])
    if evidence.problems:
        lines = [f"{p.section}, {p.operation}: {p.type}: {p.message}" for p in evidence.problems]
        yield make("KB4023993-EVIDENCE-MISSING", evidence=_bounded(lines))
    product = view.role.product
    if product and not product.in_article:
        yield make("KB4023993-PRODUCT-OUTSIDE", evidence=[f"{product.name}, version {view.role.version}"])
    if view.records.invalid:
        yield make(
            "KB4023993-RECORD-INVALID", evidence=_bounded([f"value {quoted(name)}" for name in view.records.invalid])
        )


def _read_by_hand(evidence: Evidence, now: datetime.datetime) -> str:
    when = f"{evidence.collected_utc}, {age_in_words(evidence, now=now)}"
    if evidence.offline is None:
        return f"read over the network at {when}; by now it is to be read by hand"
    return f"read by hand at {when}, imported at {evidence.offline.imported_utc}"


def _certificate_findings(
    view: HostView,
    host: HostJudgement,
    connections: t.Sequence[ConnectionJudgement],
    make: Make,
    now: datetime.datetime,
) -> t.Iterator[Finding]:
    shown, judged = view.certificate, host.certificate
    if shown is None or judged is None or shown.current is None:
        yield make("KB4023993-CERT-UNKNOWN", evidence=[shown.note if shown else "no certificate was found"])
        return
    label = f"{judged.use} certificate {judged.thumbprint} ({judged.subject})"
    as_peer = [connection for connection in connections if connection.peer == host.name]
    if judged.usage != "good":
        counts = ", ".join(
            f"{sum(c.verdict == v for c in as_peer)} {v}" for v in dict.fromkeys(c.verdict for c in as_peer)
        )
        identifier = "KB4023993-CERT-EDGE-INTERNAL" if host.role == "edge" else "KB4023993-CERT-FRONT-END"
        severity = "critical" if any(connection.verdict == "broken" for connection in as_peer) else "warning"
        lines = [f"{judged.use}: {judged.reason}", f"connections to it: {counts or 'none known'}"]
        yield make(identifier, evidence=lines, severity=severity)
    if shown.assigned:
        line = f"held: {judged.thumbprint}; assigned: {shown.assigned.thumbprint}"
        yield make("KB4023993-CERT-PENDING", evidence=[line])
    if shown.note:
        yield make("KB4023993-CERT-PRESENTED", evidence=[shown.note, label])
    if shown.current.facts:
        yield from _validity_findings(shown.current.facts, label, make, now)


def _validity_findings(facts: CertificateFacts, label: str, make: Make, now: datetime.datetime) -> t.Iterator[Finding]:
    left = expiry(facts.not_after_utc, now=now)
    if str(left.level) != "ok":
        severity = "warning" if str(left.level) == "warning" else "critical"
        line = f"{label} is valid until {facts.not_after_utc} ({left.days_left} days left)"
        yield make("KB4023993-CERT-EXPIRY", evidence=[line], severity=severity)
    outlook = renewal_outlook(facts, dates=_cutoffs(), now=now)
    if outlook:
        yield make("KB4023993-CERT-RENEWAL", evidence=[outlook.reason])


@functools.cache
def _cutoffs() -> tuple[IssuerCutoff, ...]:
    return tuple(
        IssuerCutoff(ca.name, ca.issuer_patterns, datetime.date.fromisoformat(ca.removed))
        for ca in knowledge.ca_dates()
    )


def _connection_findings(
    own: t.Sequence[ConnectionJudgement], judge: ConnectionJudge, host: HostJudgement, make: Make
) -> t.Iterator[Finding]:
    by_verdict: dict[str, list[str]] = {}
    for connection in own:
        by_verdict.setdefault(connection.verdict, []).append(describe(connection))
    for verdict, identifier in (
        ("broken", "KB4023993-CONNECTION-BROKEN"),
        ("latent", "KB4023993-CONNECTION-LATENT"),
        ("not_assessed", "KB4023993-CONNECTION-NOT-ASSESSED"),
    ):
        if verdict in by_verdict:
            yield make(identifier, evidence=_bounded(by_verdict[verdict]))
    if any(connection.assumed for connection in own):
        pools = sorted({connection.peer for connection in own if connection.assumed})
        yield make("KB4023993-TOPOLOGY-ASSUMED", evidence=_bounded([f"assumed: 8057 to {name}" for name in pools]))
    views = [(c.peer, judge.peers[(host.name, c.peer)]) for c in own if (host.name, c.peer) in judge.peers]
    disagreements = dict.fromkeys(f"{peer}: {view.disagreement}" for peer, view in views if view.disagreement)
    if disagreements:
        yield make("KB4023993-CHAIN-DISAGREEMENT", evidence=_bounded(list(disagreements)))
    untrusted = dict.fromkeys(f"{peer}: {', '.join(view.untrusted)}" for peer, view in views if view.untrusted)
    if untrusted:
        yield make("KB4023993-CHAIN-UNTRUSTED", evidence=_bounded(list(untrusted)))


def _saved_evidence_findings(own: t.Sequence[ConnectionJudgement], fleet: Fleet, make: Make) -> t.Iterator[Finding]:
    lines: dict[str, None] = {}
    for connection in own:
        source = fleet.views[connection.peer].source if connection.peer in fleet.views else None
        if source and source.evidence and not (source.in_run and source.failure is None):
            lines[f"{source.name}: read at {source.evidence.collected_utc}"] = None
    if lines:
        yield make("KB4023993-EVIDENCE-SAVED", evidence=_bounded(list(lines)))


def describe(connection: ConnectionJudgement) -> str:
    """One connection in one line, for people; what is wrong with a certificate stands with the finding on its own server."""
    ports = "/".join(map(str, connection.ports))
    to = "itself" if connection.peer == connection.validator else connection.peer
    why = connection.reason.rstrip(".")
    if connection.certificate and connection.verdict in ("broken", "latent"):
        why = f"certificate {connection.certificate} is not good for clientAuth"
        why += "; failures logged since the last start" if connection.failures_since_start else ""
    return f"to {to} ({ports}{', assumed' if connection.assumed else ''}): {why}"


def _enforcement_findings(view: HostView, own: t.Sequence[ConnectionJudgement], make: Make) -> t.Iterator[Finding]:
    facts = view.enforcement
    if facts is None:
        return
    if facts.check == "unknown":
        yield make("KB4023993-ENFORCEMENT-UNKNOWN", evidence=_bounded(facts.signs))
    if facts.disagreement:
        yield make("KB4023993-ENFORCEMENT-DISAGREEMENT", evidence=[facts.disagreement])
    if facts.check == "present" and not facts.loaded and any(c.verdict != "compliant" for c in own):
        started = view.role.process.started_utc if view.role.process else None
        yield make("KB4023993-ENFORCEMENT-NOT-LOADED", evidence=[f"the process runs since {started}", *facts.signs])


def _reboot_findings(view: HostView, make: Make) -> t.Iterator[Finding]:
    """A warning only where the check may come with the reboot: files of .NET wait, and the loaded one does not check yet."""
    dotnet = view.source.evidence.dotnet if view.source.evidence else None
    signs = dotnet.reboot if dotnet else None
    if signs is None:
        return
    lines = []
    if signs.servicing:
        lines.append("Component Based Servicing waits for it: an update is not in place yet")
    if signs.updates:
        lines.append("Windows Update waits for it")
    if signs.dotnet_files:
        lines += [f"{one_line(name, 200)} is replaced or removed at the next start" for name in signs.dotnet_files]
    elif signs.renames and lines:
        # By themselves these say little: printers and virus scanners leave them too.
        lines.append(
            f"{counted(signs.renames, 'name')} of files to be replaced or removed at the next start, none of .NET"
        )
    if not lines:
        return
    checked = view.enforcement is not None and view.enforcement.enforcement == "enforces"
    warns = not checked and bool(signs.servicing or signs.dotnet_files)
    yield make("KB4023993-REBOOT-PENDING", evidence=_bounded(lines), severity="warning" if warns else "info")


def _opt_out_findings(view: HostView, own: t.Sequence[ConnectionJudgement], make: Make) -> t.Iterator[Finding]:
    facts = view.opt_outs
    if facts is None:
        return
    lines = [f"{o.where}: {'in effect' if o.in_effect else 'not yet read by the running process'}" for o in facts.valid]
    if facts.valid:
        needed = any(connection.verdict != "compliant" for connection in own)
        yield make("KB4023993-OVERRIDE-ACTIVE" if needed else "KB4023993-OVERRIDE-RETIRE", evidence=lines)
    if any(opt_out.id in ("global", "appcontext_registry") for opt_out in facts.valid):
        yield make("KB4023993-OPT-OUT-GLOBAL", evidence=lines)
    if facts.wrong:
        yield make("KB4023993-OVERRIDE-WRONG", evidence=_bounded([str(wrong) for wrong in facts.wrong]))


def _restart_findings(view: HostView, host: HostJudgement, make: Make) -> t.Iterator[Finding]:
    record = view.records.restart
    started = view.role.process.started_utc if view.role.process else None
    if restart_is_unfinished(view) and record:
        yield make("KB4023993-RESTART-UNFINISHED", evidence=[f"begun at {record.begun_utc}, process started {started}"])
    elif host.restart_pending:
        since = f"needed since {record.since_utc}" if record else "an opt-out may be newer than the process"
        yield make("KB4023993-RESTART-PENDING", evidence=[f"{since}; the process runs since {started}"])
    elif not view.role.running:
        service = view.source.evidence.service(view.role.service or "") if view.source.evidence else None
        state = f"{service.status}, start mode {service.start_mode}" if service else "unknown"
        yield make("KB4023993-SERVICE-STOPPED", evidence=[f"{view.role.service}: {state}"])


def _claim_findings(view: HostView, make: Make) -> t.Iterator[Finding]:
    claim, system = view.records.claim, view.source.evidence.system if view.source.evidence else None
    if claim is None:
        return
    now = system.time_utc if system else None
    if standing(claim, run_id="", now_utc=now, others=Others()) == "live":
        yield make("KB4023993-RUN-UNDERWAY", evidence=[described(claim)])
    else:
        line = f"that is over, but it did not come to its end: the server was read at {now}"
        yield make("KB4023993-RUN-UNDERWAY", evidence=[described(claim), line], severity="warning")


def _pool_findings(fleet: Fleet, host: HostJudgement, make: Make) -> t.Iterator[Finding]:
    unlisted = fleet.unlisted.get(host.pool or "", ())
    if unlisted:
        lines = [f"{one_line(name, 80)}: a member by the product's topology, not in the inventory" for name in unlisted]
        yield make("KB4023993-POOL-INCOMPLETE", evidence=_bounded(lines))


def _event_findings(view: HostView, own: t.Sequence[ConnectionJudgement], make: Make) -> t.Iterator[Finding]:
    failures = view.failures
    if failures is None or not failures.since_start:
        return
    words = {"edge": "to Edge servers", "front_end": "between Front Ends"}
    lines = [f"{count} events of failed connections {words[kind]}" for kind, count in failures.since_start.items()]
    lines.append(f"the last at {failures.last_utc}")
    explained = any(connection.verdict in ("broken", "not_assessed") for connection in own)
    if not explained and _is_over(view):
        lines.append(
            "none since then; a peer that was restarted explains them, and a lasting loss would have been logged again"
        )
        explained = True
    yield make("KB4023993-EVENTS-SINCE-START" if explained else "KB4023993-EVENTS-UNEXPLAINED", evidence=lines)


def _is_over(view: HostView) -> bool:
    """Whether the last failure is so long ago, by the server's own clock, that one that lasts would have been logged again."""
    system = view.source.evidence.system if view.source.evidence else None
    now, last = (
        parse_time(system.time_utc if system else None),
        parse_time(view.failures.last_utc if view.failures else None),
    )
    return bool(now and last and now - last > _REPEATED)


def _bounded(lines: t.Sequence[str]) -> tuple[str, ...]:
    """At most a dozen lines; what is left out is counted."""
    if len(lines) <= _SHOWN:
        return tuple(lines)
    return (*lines[: _SHOWN - 1], f"and {len(lines) - _SHOWN + 1} more")
