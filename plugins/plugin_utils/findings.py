# Copyright (c) 2026, the sfb.kb4023993 contributors
# GNU General Public License v3.0-or-later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The shapes of a judgement, and the catalogue of findings. Reports, plans and exit codes are made from these alone."""

from __future__ import annotations

import dataclasses
import typing as t

from .rules.verdict import Verdict

SCHEMA: t.Final = 1
Severity = t.Literal["critical", "warning", "info"]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Kind:
    """A kind of finding: what it means and what to do next, the same for every host."""

    severity: Severity
    title: str
    next_step: str


@dataclasses.dataclass(frozen=True, kw_only=True)
class Waiver:
    """Somebody accepts a finding of one host (inventory name) or one pool (FQDN, lower case) until a day (ISO date, the last one)."""

    finding: str
    host: str | None
    pool: str | None
    reason: str
    owner: str
    expires: str


@dataclasses.dataclass(frozen=True, kw_only=True)
class Finding:
    """One judged fact. ``id`` is stable and the only thing to match on; ``evidence`` lines say what it rests on.

    ``waiver``: the one in force for it. A judgement has none; they come in with the report.
    """

    id: str
    severity: Severity
    host: str | None
    pool: str | None
    title: str
    evidence: tuple[str, ...]
    next_step: str
    waiver: Waiver | None = None


@dataclasses.dataclass(frozen=True, kw_only=True)
class ConnectionJudgement:
    """A directed connection validator -> peer. ``peer`` is an inventory name, or a server's own name when it was not read.

    ``source`` says how the connection is known; ``assumed`` that it is only an assumption.
    """

    validator: str
    peer: str
    peer_read: bool
    kind: t.Literal["edge", "front_end"]
    ports: tuple[int, ...]
    source: str
    assumed: bool
    verdict: Verdict
    by_events: bool
    failures_since_start: bool
    certificate: str | None
    reason: str


@dataclasses.dataclass(frozen=True, kw_only=True)
class CertificateJudgement:
    """The judged certificate of a host. ``usage``: ``good``, ``bad``, ``undecided`` or ``unreadable`` for clientAuth, by its own
    extensions and chain. ``pending``: thumbprint of an assigned certificate that the services do not hold yet."""

    use: str
    source: str
    thumbprint: str
    subject: str
    issuer: str
    not_after_utc: str
    days_left: int
    template: str | None
    usage: str
    reason: str
    pending: str | None


@dataclasses.dataclass(frozen=True, kw_only=True)
class DotnetJudgement:
    version: str | None
    check: str
    loaded: bool
    signs: tuple[str, ...]


@dataclasses.dataclass(frozen=True, kw_only=True)
class OptOutJudgement:
    id: str
    where: str
    in_effect: bool


@dataclasses.dataclass(frozen=True, kw_only=True)
class HostJudgement:
    """``in_run``: part of this run, else judged by saved evidence. ``evidence_utc``: when it was read, None when never.

    ``executable`` and ``clr``: of a Front End's Web Conferencing, what the override is made of. ``duration_ms``: the reading took so long.
    """

    name: str
    full_name: str
    role: str
    product: str | None
    version: str | None
    os_build: int | None
    pool: str | None
    in_run: bool
    evidence_utc: str | None
    verdict: Verdict
    reason: str
    certificate: CertificateJudgement | None = None
    dotnet: DotnetJudgement | None = None
    opt_outs: tuple[OptOutJudgement, ...] = ()
    wrong_overrides: tuple[str, ...] = ()
    process_started_utc: str | None = None
    failures_since_start: int = 0
    failures_older: int = 0
    restart_pending: bool = False
    executable: str | None = None
    clr: str | None = None
    duration_ms: int | None = None


@dataclasses.dataclass(frozen=True, kw_only=True)
class PoolJudgement:
    name: str
    role: str
    members: tuple[str, ...]
    missing: tuple[str, ...]
    source: str
    edge_pools: tuple[str, ...]
    edge_source: str | None
    paired_pool: str | None
    verdict: Verdict


@dataclasses.dataclass(frozen=True, kw_only=True)
class Judgement:
    """Everything that was judged of a fleet in one run."""

    schema: int = SCHEMA
    run_id: str
    judged_utc: str
    collection_version: str
    hosts: tuple[HostJudgement, ...]
    pools: tuple[PoolJudgement, ...]
    connections: tuple[ConnectionJudgement, ...]
    findings: tuple[Finding, ...]

    def host(self, name: str) -> HostJudgement | None:
        return next((host for host in self.hosts if host.name == name), None)


_REMEDIATE: t.Final = "Run the playbook sfb.kb4023993.remediate, first with --check --diff."

CATALOGUE: t.Final[dict[str, Kind]] = {
    "KB4023993-CONNECTION-BROKEN": Kind(
        severity="critical",
        title="Web Conferencing on this server refuses connections",
        next_step=_REMEDIATE + " It writes the override and restarts RTCDATAMCU, one Front End of a pool at a time. "
        "The lasting fix is certificates with both usages.",
    ),
    "KB4023993-CONNECTION-LATENT": Kind(
        severity="warning",
        title="The next .NET update on this server will break Web Conferencing connections",
        next_step="Reissue the peers' certificates with serverAuth and clientAuth before .NET is updated here.",
    ),
    "KB4023993-CONNECTION-NOT-ASSESSED": Kind(
        severity="warning",
        title="Connections of this server could not be judged",
        next_step="Make the named servers readable, or give the missing knowledge in the inventory, and run the audit again.",
    ),
    "KB4023993-TOPOLOGY-ASSUMED": Kind(
        severity="warning",
        title="Which Edge pool this Front End pool uses is only assumed",
        next_step="Set sfb_kb4023993_edge_pool for its Front Ends (the Edge pool's internal FQDN, or none), or use an account that "
        "may run Get-CsTopology. Nothing is changed on an assumption.",
    ),
    "KB4023993-CERT-EDGE-INTERNAL": Kind(
        severity="critical",
        title="The Edge internal certificate is not good for clientAuth",
        next_step="Run sfb.kb4023993.remediate with sfb_kb4023993_strategy=certificates (or auto), first with --check --diff. By hand: "
        "reissue it with serverAuth and clientAuth from a template that has both, assign it to Internal on every Edge of the pool, and "
        "restart the Edge services.",
    ),
    "KB4023993-CERT-FRONT-END": Kind(
        severity="critical",
        title="The Front End's Default certificate is not good for clientAuth",
        next_step="Run sfb.kb4023993.remediate with sfb_kb4023993_strategy=certificates (or auto), first with --check --diff. By hand: "
        "reissue it with serverAuth and clientAuth from a template that has both, assign it to Default, and restart the server's services.",
    ),
    "KB4023993-CERT-UNKNOWN": Kind(
        severity="warning",
        title="Which certificate this server uses could not be found out",
        next_step="Use an account that may run Get-CsCertificate (RTCUniversalServerAdmins), or make sure that the services run.",
    ),
    "KB4023993-CERT-PENDING": Kind(
        severity="warning",
        title="The services still hold another certificate than the one assigned",
        next_step="Restart the services of this server in a maintenance window, then run the audit again.",
    ),
    "KB4023993-CERT-NOT-ASSIGNED": Kind(
        severity="warning",
        title="A newer certificate with both usages is there, but not assigned",
        next_step="Assign it to the same uses and restart the services. If this collection had it issued, sfb.kb4023993.certificate_install does "
        "that.",
    ),
    "KB4023993-CERT-NO-KEY": Kind(
        severity="critical",
        title="A certificate for this use has no private key on this server",
        next_step="Import it where its request was made, or have a new request made on this server. Without its key no service can use it.",
    ),
    "KB4023993-CERT-EDGE-POOL-DIFFERS": Kind(
        severity="warning",
        title="The servers of this Edge pool have different Internal certificates",
        next_step="Give all of them one certificate with both usages: export it with its key from one, import and assign it on the others.",
    ),
    "KB4023993-ROOT-MISPLACED": Kind(
        severity="warning",
        title="A certificate in the store of trusted roots is not self-signed",
        next_step="Move it to the intermediate store (CA). On Windows Server 2012 and later it can keep the services of a Front End from starting.",
    ),
    "KB4023993-CERT-EXPIRY": Kind(
        severity="warning",
        title="The certificate has expired or expires soon",
        next_step="Renew it, with serverAuth and clientAuth both.",
    ),
    "KB4023993-CERT-RENEWAL": Kind(
        severity="warning",
        title="The next renewal of this certificate will lose clientAuth",
        next_step="Its public CA stops issuing clientAuth. Plan a certificate of your own CA for this use.",
    ),
    "KB4023993-CERT-PRESENTED": Kind(
        severity="info",
        title="Judged by the certificate that the server presents",
        next_step="The assignment itself could not be read. For certainty use an account that may run Get-CsCertificate.",
    ),
    "KB4023993-CHAIN-DISAGREEMENT": Kind(
        severity="warning",
        title="The server's own chain check and this collection's rules disagree about a certificate",
        next_step="The cautious answer (not good) was taken. Compare the chain's EKU and Application Policies extensions by hand.",
    ),
    "KB4023993-CHAIN-UNTRUSTED": Kind(
        severity="warning",
        title="This server does not accept the chain of a peer's certificate",
        next_step="This breaks the connection whatever the usages are. For UntrustedRoot and PartialChain install the missing CA "
        "certificates on this server; for NotTimeValid look at the clock of this server, then at the end of the certificate; for any other "
        "status replace the certificate.",
    ),
    "KB4023993-CHAIN-NOT-ASKED": Kind(
        severity="warning",
        title="This server was not asked whether it accepts certificates of its peers",
        next_step="Run the audit again with the state directory of this report: it asks. Until then these certificates are judged by the rules "
        "alone, and a chain that this server does not trust is not seen.",
    ),
    "KB4023993-ENFORCEMENT-UNKNOWN": Kind(
        severity="warning",
        title="Whether .NET on this server checks the usages could not be found out",
        next_step="Read the evidence lines; make the files readable for the account and run the audit again.",
    ),
    "KB4023993-ENFORCEMENT-DISAGREEMENT": Kind(
        severity="info",
        title="The signs of the check in .NET disagree",
        next_step="The cautious answer (the check is present) was taken.",
    ),
    "KB4023993-ENFORCEMENT-NOT-LOADED": Kind(
        severity="warning",
        title="Web Conferencing runs with an older .NET than the one installed",
        next_step="At its next restart it will check the usages. Fix certificates or write the override before that.",
    ),
    "KB4023993-REBOOT-PENDING": Kind(
        severity="info",
        title="Windows on this server waits for a reboot",
        next_step="Reboot it in a maintenance window, then run the audit again: what is judged here is the .NET that is there now.",
    ),
    "KB4023993-OVERRIDE-ACTIVE": Kind(
        severity="info",
        title="The check is turned off on this server",
        next_step="This is a temporary measure that lowers security. Reissue the certificates, then remove the opt-out.",
    ),
    "KB4023993-OVERRIDE-RETIRE": Kind(
        severity="info",
        title="The check is turned off although no peer needs it",
        next_step="All peers' certificates are good. The override can go: run sfb.kb4023993.certificate_retire.",
    ),
    "KB4023993-OVERRIDE-WRONG": Kind(
        severity="warning",
        title="There is an override that .NET does not read",
        next_step=_REMEDIATE + " It removes the wrong values, and writes the right one where it is needed.",
    ),
    "KB4023993-OPT-OUT-GLOBAL": Kind(
        severity="warning",
        title="The check is turned off for every .NET process of this server",
        next_step="Use the override for DataMCUSvc.exe alone, then remove the global switch by hand.",
    ),
    "KB4023993-RESTART-PENDING": Kind(
        severity="warning",
        title="RTCDATAMCU has to be restarted before a change takes effect",
        next_step="Run sfb.kb4023993.remediate with sfb_kb4023993_restart=now, or restart the service in a maintenance window.",
    ),
    "KB4023993-RESTART-UNFINISHED": Kind(
        severity="critical",
        title="A restart of RTCDATAMCU was begun and not finished",
        next_step="Run the same playbook again: it goes on where it was interrupted.",
    ),
    "KB4023993-SERVICES-UNFINISHED": Kind(
        severity="critical",
        title="A restart of all services of this server was begun and not finished",
        next_step="Run the same playbook again: it goes on where it was interrupted. After FailOver the services are disabled until then.",
    ),
    "KB4023993-RENEWAL-UNDERWAY": Kind(
        severity="info",
        title="A replacement of this server's certificate is under way",
        next_step="Run sfb.kb4023993.remediate with sfb_kb4023993_strategy=certificates (or auto) again; the report says what it waits for.",
    ),
    "KB4023993-RUN-UNDERWAY": Kind(
        severity="info",
        title="A run of this collection is at work in this pool, or did not come to its end",
        next_step="Wait until it has ended. If it is dead, run the same playbook again: from another controller with "
        "sfb_kb4023993_take_over=true, or when its time is over.",
    ),
    "KB4023993-POOL-INCOMPLETE": Kind(
        severity="warning",
        title="The inventory of this run lacks members of this pool",
        next_step="Put them into the inventory before anything is changed here, and never divide a run that changes servers: a run that does "
        "not see a member cannot keep it up while another one restarts.",
    ),
    "KB4023993-SERVICE-STOPPED": Kind(
        severity="warning",
        title="Web Conferencing is not running",
        next_step="Start RTCDATAMCU, unless it is stopped on purpose. This collection never starts a disabled service.",
    ),
    "KB4023993-EVENTS-SINCE-START": Kind(
        severity="info",
        title="Web Conferencing has logged failures since it last started",
        next_step="See the findings on its connections.",
    ),
    "KB4023993-EVENTS-UNEXPLAINED": Kind(
        severity="warning",
        title="Web Conferencing logs failures that nothing known explains",
        next_step="Look for another cause: an Edge missing in the inventory, a firewall that drops idle connections, name resolution.",
    ),
    "KB4023993-RECORD-INVALID": Kind(
        severity="warning",
        title="The record of changes on this server holds something that is not ours",
        next_step="Look at HKLM\\SOFTWARE\\sfb.kb4023993 on the server. Nothing is undone from an entry that is not understood.",
    ),
    "KB4023993-EVIDENCE-SAVED": Kind(
        severity="info",
        title="Peers of this server were judged by saved evidence, not read in this run",
        next_step="Run the audit without --limit for a judgement of today.",
    ),
    "KB4023993-EVIDENCE-OFFLINE": Kind(
        severity="info",
        title="This server was judged by evidence that was read by hand",
        next_step="Read it again before the evidence becomes too old: playbooks offline_kit and offline_import.",
    ),
    "KB4023993-EVIDENCE-MISSING": Kind(
        severity="warning",
        title="Part of the evidence could not be read",
        next_step="Read the reasons: a batch that failed says what to do, and what was denied needs a local administrator account "
        "with a full token.",
    ),
    "KB4023993-PRODUCT-OUTSIDE": Kind(
        severity="info",
        title="This product is not named in KB4023993",
        next_step="It was judged by its connections like the others, since the mechanism is the same.",
    ),
    "KB4023993-NOT-ASSESSED": Kind(
        severity="warning",
        title="This server could not be read",
        next_step="",
    ),
}


def finding(
    identifier: str,
    *,
    host: str | None,
    pool: str | None,
    evidence: t.Iterable[str],
    severity: Severity | None = None,
    next_step: str | None = None,
) -> Finding:
    """A finding of the catalogue for one host or pool."""
    kind = CATALOGUE[identifier]
    return Finding(
        id=identifier,
        severity=severity or kind.severity,
        host=host,
        pool=pool,
        title=kind.title,
        evidence=tuple(evidence),
        next_step=kind.next_step if next_step is None else next_step,
    )
