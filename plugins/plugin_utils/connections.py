# Copyright (c) 2026, the sfb.kb4023993 contributors
# GNU General Public License v3.0-or-later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Judges every connection of a fleet: the peer's certificate as the validator sees it, then the order of ``rules.verdict``."""

from __future__ import annotations

import dataclasses
import typing as t

from .certificates import CLIENT_AUTH, CertificateError, EkuVerdict, Usage, judge_usage
from .findings import ConnectionJudgement
from .fleet import Fleet, HostView, Link, connection_ports
from .rules.pools import WORDS
from .rules.pools import Source as PoolSource
from .rules.role_certificate import HeldCertificate, RoleCertificate, held, presented_by, store_restrictions, thumbprint
from .rules.verdict import Enforcement, PeerCertificate, connection_verdict

UNKNOWN_EDGES: t.Final = "Edge servers that are not known"
"""Stands for the peers of a Front End whose Edge pool nobody knows."""

WRONG_USAGE: t.Final = "NotValidForUsage"
# .NET refuses a peer for any status of its chain. The usage is judged here; revocation is not asked for, and the nesting of
# validity periods has not mattered since .NET 2.0.
NO_FAULT: t.Final = frozenset({"NoError", WRONG_USAGE, "NotTimeNested", "RevocationStatusUnknown", "OfflineRevocation"})


@dataclasses.dataclass(frozen=True, kw_only=True)
class PeerView:
    """What a validator sees of a peer's certificate. ``disagreement`` and ``untrusted`` are for findings."""

    answer: PeerCertificate
    thumbprint: str | None
    reason: str
    disagreement: str | None = None
    untrusted: tuple[str, ...] = ()


class ConnectionJudge:
    """Judges connections; remembers usages, since one certificate has many validators with the same stores."""

    def __init__(self, fleet: Fleet) -> None:
        self._fleet = fleet
        self._usages: dict[t.Any, EkuVerdict | str] = {}
        self.peers: dict[tuple[str, str], PeerView] = {}

    def judge_all(self) -> tuple[ConnectionJudgement, ...]:
        return tuple(self._judge(link) for link in self._fleet.links)

    def usage(self, held: HeldCertificate, validator: HostView | None) -> EkuVerdict | str:
        """Our own rules for a certificate, with the CA restrictions of the validator's stores; text: why it cannot be judged."""
        restrictions = store_restrictions(validator.source.evidence if validator else None)
        key = (held.thumbprint, held.issuers, tuple(sorted(restrictions.items(), key=lambda item: item[0])))
        if key not in self._usages:
            try:
                # Only the server's own chain check can tell what a restriction means that cannot be read here.
                hidden = [mark for mark in map(thumbprint, held.issuers) if restrictions.get(mark, ()) is None]
                if hidden:
                    raise CertificateError(f"The store restricts the issuer {hidden[0]} in a way that cannot be read.")
                verdict: EkuVerdict | str = judge_usage(
                    held.der, held.issuers, oid=CLIENT_AUTH, store_restrictions=restrictions
                )
            except CertificateError as error:
                verdict = str(error)
            self._usages[key] = verdict
        return self._usages[key]

    def _judge(self, link: Link) -> ConnectionJudgement:
        validator = self._fleet.views[link.validator]
        peer = self._fleet.views.get(link.peer)
        view = self._peer_view(link, validator, peer)
        self.peers[(link.validator, link.peer)] = view
        readable = validator.readable
        failing = bool(readable and validator.failures and validator.failures.failing(link.kind, *link.names))
        enforcement: Enforcement = "unknown"
        if readable and validator.enforcement:
            enforcement = validator.enforcement.enforcement
            if enforcement == "not_yet" and validator.enforcement.check == "present" and failing:
                # Only the times of files say that it is not loaded; the failures say that an older one checks already.
                enforcement = "enforces"
        verdict = connection_verdict(
            peer_certificate=view.answer,
            opt_out_in_effect=bool(readable and validator.opt_outs and validator.opt_outs.in_effect),
            enforcement=enforcement,
            failures_since_start=failing,
        )
        return ConnectionJudgement(
            validator=link.validator,
            peer=link.peer or UNKNOWN_EDGES,
            peer_read=bool(peer and peer.source.evidence),
            kind=link.kind,
            ports=connection_ports(link.kind),
            source="its own certificate" if link.source == "own" else WORDS[t.cast(PoolSource, link.source)],
            assumed=link.source == "assumed",
            verdict=verdict,
            by_events=verdict == "broken" and view.answer == "unknown",
            failures_since_start=failing,
            certificate=view.thumbprint,
            reason=_reason(view, enforcement, failing=failing, readable=readable),
        )

    def _peer_view(self, link: Link, validator: HostView, peer: HostView | None) -> PeerView:
        certificates = self._certificates(link, validator, peer)
        if not certificates:
            who = link.peer or "the Edge servers of this pool"
            return PeerView(answer="unknown", thumbprint=None, reason=f"the certificate of {who} is not known")
        views = [self._certificate_view(held, validator) for held in certificates]
        # A certificate that is assigned but not picked up yet decides after the next restart: the worse of the two counts.
        order: tuple[PeerCertificate, ...] = ("bad", "unknown", "good")
        return min(views, key=lambda view: order.index(view.answer))

    def _certificates(self, link: Link, validator: HostView, peer: HostView | None) -> tuple[HeldCertificate, ...]:
        shown = peer.certificate if peer else None
        if peer and shown and shown.current and peer.read_now:
            return (shown.current, shown.assigned) if shown.assigned else (shown.current,)
        # A server that nobody may log on to still shows its certificate to any Front End that asks; its own Front End first.
        for view in (validator, *self._fleet.views.values()):
            readings = view.source.evidence.presented if view.source.evidence else ()
            seen = presented_by(reading for reading in readings if reading.host.lower() in link.names)
            if seen:
                # A server does not send its root; the validator holds it.
                own = validator.source.evidence.certificates if validator.source.evidence else None
                found = held(seen.der, (*seen.issuers, *(i.certificate for i in (own.issuers if own else ()))))
                return (found, *(_not_picked_up(peer, shown, found)))
        return (shown.current, *_not_picked_up(peer, shown, shown.current)) if shown and shown.current else ()

    def _certificate_view(self, held: HeldCertificate, validator: HostView) -> PeerView:
        ours = self.usage(held, validator)
        evidence = validator.source.evidence
        check = next(
            (c.reply for c in (evidence.chain_checks if evidence else ()) if c.thumbprint == held.thumbprint), None
        )
        server = None if check is None else WRONG_USAGE not in check.statuses
        untrusted = tuple(sorted(set(check.statuses) - NO_FAULT)) if check else ()
        answer, reason, disagreement = combine(ours, server)
        if answer == "good" and "PartialChain" in untrusted:
            answer, reason = "unknown", "The validator could not build the chain of the certificate to its end"
        return PeerView(
            answer=answer, thumbprint=held.thumbprint, reason=reason, disagreement=disagreement, untrusted=untrusted
        )


def _not_picked_up(
    peer: HostView | None, shown: RoleCertificate | None, current: HeldCertificate
) -> tuple[HeldCertificate, ...]:
    """What is assigned on a server that is read by hand, where it is another certificate than the one in use."""
    offline = peer is not None and peer.readable and peer.source.offline
    assigned = shown.assigned if offline and shown else None
    return (assigned,) if assigned and assigned.thumbprint != current.thumbprint else ()


def combine(ours: EkuVerdict | str, server: bool | None) -> tuple[PeerCertificate, str, str | None]:
    """Put our own rules and the validator's own chain check together: answer, reason, and a disagreement in words.

    Good only where both say so. Where our rules do not decide (anyExtendedKeyUsage), the server's own chain does.

    :param ours: our verdict, or why the certificate cannot be read.
    :param server: whether the validator's chain accepts the usage, None when it was not asked.
    """
    if isinstance(ours, str):
        return ("unknown" if server is not False else "bad"), ours, None
    if ours.usage is Usage.UNDECIDED:
        if server is None:
            return "unknown", ours.reason, None
        return ("good" if server else "bad"), f"{ours.reason} The validator's own chain check decided.", None
    good = ours.usage is Usage.GOOD
    if good and server is None and not ours.chain_complete:
        return "unknown", f"{ours.reason.rstrip('.')}, but the chain is not complete, so an issuer may limit it.", None
    if server is None or server is good:
        return ("good" if good else "bad"), ours.reason, None
    says = "accepts" if server else "does not accept"
    return "bad", ours.reason, f"The validator's own chain check {says} the certificate, the rules say: {ours.reason}"


def _reason(view: PeerView, enforcement: Enforcement, *, failing: bool, readable: bool) -> str:
    parts = [view.reason.rstrip(".")]
    if view.answer != "good":
        if not readable:
            parts.append("the validator could not be read")
        elif enforcement == "unknown":
            parts.append("whether the validator enforces the check is not known")
    if failing:
        parts.append("the validator has logged failures since it last started")
    return "; ".join(parts) + "."
