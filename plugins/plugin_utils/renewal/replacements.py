# Copyright (c) 2026, the sfb.kb4023993 contributors
# GNU General Public License v3.0-or-later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which certificates are replaced, on which servers and for which uses; and where that cannot be, why. Pure.

A Front End has its own ``Default`` certificate, an Edge pool has one ``Internal`` certificate for all its members. Uses that are not
named here are never touched, even where they share the old certificate.
"""

from __future__ import annotations

import collections
import dataclasses
import typing as t

from .._certificate import Certificate
from ..certificates import CertificateError, EkuVerdict, Usage
from ..connections import ConnectionJudge
from ..evaluate import Assessment
from ..fleet import HostView
from ..host.certificate_operations import CertificateUse
from ..host.operations import LyncCommandReply
from ..knowledge import loader as knowledge
from ..plan import Refusal, twins
from ..rules.pools import Pool
from ..rules.role_certificate import HeldCertificate, thumbprint
from ..signing.names import NamesError, certificate_names
from ..signing.records import Record, Step
from .subject import Subject, SubjectError, read_subject, unfit

SCHEMA: t.Final = 1
# From these steps a new request may take the place of the old one, so a record that fits no more is simply left behind.
_NOTHING_UNDER_WAY: t.Final = ("planned", "requested", "denied", "refused")

Method = t.Literal["cmdlet", "certreq"]
Role = t.Literal["front_end", "edge"]


@dataclasses.dataclass(frozen=True, kw_only=True)
class RenewalPolicy:
    """``hosts_trusted_elsewhere``: servers that cannot be asked about the new chain and that somebody has looked at by hand."""

    key_size: int = 2048
    hosts_trusted_elsewhere: tuple[str, ...] = ()


@dataclasses.dataclass(frozen=True, kw_only=True)
class Replacement:
    """One certificate to replace. ``servers``: inventory names, the one that makes the key first. ``names``: the CN's name first.

    ``certificate`` and ``thumbprint``: what is replaced. ``modules``: names of the product's PowerShell module, in the order to try.
    ``machine_guid``: of the first server. ``step``: of its record, ``planned`` if there is none under way.
    """

    id: str
    servers: tuple[str, ...]
    uses: tuple[CertificateUse, ...]
    role: Role
    pool: str
    certificate: bytes
    thumbprint: str
    subject: Subject
    names: tuple[str, ...]
    exportable: bool
    modules: tuple[str, ...]
    method: Method
    machine_guid: str | None
    step: Step
    reason: str


@dataclasses.dataclass(frozen=True, kw_only=True)
class RenewalPlan:
    schema: int = SCHEMA
    run_id: str
    created_utc: str
    policy: RenewalPolicy
    replacements: tuple[Replacement, ...]
    refused: tuple[Refusal, ...]


def plan_replacements(assessment: Assessment, records: t.Mapping[str, Record], policy: RenewalPolicy) -> RenewalPlan:
    """Choose the certificates to replace: those that are not good for clientAuth, and those whose replacement is under way.

    :param records: by id, what this controller knows of replacements.
    """
    choice = _Choice(assessment, records)
    choice.make()
    return RenewalPlan(
        run_id=assessment.judgement.run_id,
        created_utc=assessment.judgement.judged_utc,
        policy=policy,
        replacements=tuple(sorted(choice.replacements, key=lambda replacement: replacement.id)),
        refused=tuple(Refusal(host=host, reason=reason) for host, reason in sorted(choice.refused.items())),
    )


class _RefusedError(Exception):
    """Why nothing can be planned for some servers."""


class _Choice:
    def __init__(self, assessment: Assessment, records: t.Mapping[str, Record]) -> None:
        self.replacements: list[Replacement] = []
        self.refused: dict[str, str] = {}
        self._fleet = assessment.fleet
        self._connections = assessment.judgement.connections
        self._judge = ConnectionJudge(assessment.fleet)
        self._twins = twins(assessment.fleet.views)
        self._records = records
        self._under_way = [record for record in records.values() if record.step != "done"]
        self._claims: dict[str, list[str]] = collections.defaultdict(list)
        for record in self._under_way:
            for server in record.servers:
                self._claims[server].append(record.id)

    def make(self) -> None:
        # Pools first: an Edge that nobody can log on to has other ways out than any server that did not answer.
        for pool in self._fleet.pools.pools.values():
            if pool.role == "edge":
                self._attempt([*pool.members, *pool.missing], self._edge_pool, pool)
        for view in self._fleet.views.values():
            if view.source.in_run and not view.readable and view.role.role != "none":
                self._refuse([view.name], _away(view))
            elif view.role.role == "unknown" and view.read_now:
                self._refuse([view.name], f"its role is not known: {view.role.reason}")
            elif view.role.role == "front_end":
                self._attempt([view.name], self._front_end, view)
        self._left_over()

    def _attempt(self, servers: t.Sequence[str], plan: t.Callable[[t.Any], None], subject: t.Any) -> None:
        try:
            plan(subject)
        except _RefusedError as refusal:
            self._refuse(servers, str(refusal))

    def _refuse(self, servers: t.Iterable[str], reason: str) -> None:
        for server in servers:
            # The first reason is the one to mend first.
            self.refused.setdefault(server, reason)

    # ---- Front Ends

    def _front_end(self, view: HostView) -> None:
        record = self._record([view.name])
        if record is None and not self._is_bad(view):
            self._doubt(view)
            return
        self._check(view)
        record = self._still_fits(record, view)
        if record is None and not self._is_bad(view):
            return
        self._add([view], record, t.cast("tuple[CertificateUse, ...]", record.uses) if record else _uses(view))

    # ---- Edge pools

    def _edge_pool(self, pool: Pool) -> None:
        servers = [*pool.members, *pool.missing]
        views = [self._fleet.views[name] for name in pool.members]
        record = self._record(servers)
        if record is None and not any(self._is_bad(view) for view in views):
            for view in views:
                self._attempt([view.name], self._doubt, view)
            self._refuse((name for name in pool.missing if not self._is_shown_good(name)), _way_out(servers, servers))
            return
        away = [*(view.name for view in views if not view.read_now), *pool.missing]
        if away:
            raise _RefusedError(_way_out(away, servers))
        for view in views:
            try:
                self._check(view)
            except _RefusedError as refusal:
                self._refuse([view.name], str(refusal))
                raise _RefusedError(f"{view.name} of its Edge pool: {refusal}") from None
        lead = self._lead(pool)
        record = self._still_fits(record, lead)
        if record is None and not any(self._is_bad(view) for view in views):
            return
        self._add([lead, *(view for view in views if view is not lead)], record, ("Internal",))

    def _lead(self, pool: Pool) -> HostView:
        """The server of an earlier record, so that one pool keeps one record; else the first by name."""
        known = [
            r.servers[0] for r in self._records.values() if r.uses[0] == "Internal" and r.servers[0] in pool.members
        ]
        return self._fleet.views[known[0] if known else pool.members[0]]

    def _is_shown_good(self, machine: str) -> bool:
        """Whether a server that is known by name alone shows a good certificate to the Front Ends."""
        verdicts = {connection.verdict for connection in self._connections if connection.peer == machine}
        return verdicts == {"compliant"}

    # ---- both

    def _record(self, servers: t.Sequence[str]) -> Record | None:
        """The record that is under way for these servers."""
        claims = {name for server in servers for name in self._claims.get(server, ())}
        if len(claims) > 1:
            raise _RefusedError(
                f"the records {', '.join(sorted(claims))} both claim it: move the file of the wrong one away from certificates/ below the "
                "state directory, and run again"
            )
        record = next((record for record in self._under_way if record.id in claims), None)
        if record and set(record.servers) != set(servers):
            raise _RefusedError(
                f"the record {record.id} under way is for {', '.join(record.servers)}, but the pool is {', '.join(servers)} now: put the "
                "inventory right, or move the record's file away from certificates/ below the state directory, and run again"
            )
        return record

    def _is_bad(self, view: HostView) -> bool:
        found = _in_use(view)
        verdict = self._judge.usage(found, view) if found else None
        return isinstance(verdict, EkuVerdict) and verdict.usage is Usage.BAD

    def _doubt(self, view: HostView) -> None:
        """Refuse where nobody can tell whether the certificate is good."""
        if not view.read_now:
            return
        found = _known(view)
        verdict = self._judge.usage(found, view)
        if isinstance(verdict, str):
            raise _RefusedError(
                f"its certificate {found.thumbprint} cannot be read ({verdict}): look at it on the server"
            )
        if verdict.usage is Usage.UNDECIDED:
            raise _RefusedError(
                f"whether its certificate is good cannot be told, so it is not replaced unasked: {verdict.reason}"
            )
        held = view.certificate.current if view.certificate else None
        if held and held is not found:
            raise _RefusedError(
                f"the certificate {found.thumbprint} assigned to it is good, but its services still hold {held.thumbprint}: restart "
                "the services of the server"
            )

    def _check(self, view: HostView) -> None:
        """Refuse a server that nothing can be planned for now."""
        if not view.read_now:
            raise _RefusedError(_away(view))
        if view.name in self._twins:
            raise _RefusedError(
                f"it is the same machine as {self._twins[view.name]}: take one of the two out of the inventory"
            )
        found = _known(view)
        if found.facts is None:
            raise _RefusedError(
                f"its certificate {found.thumbprint} cannot be read ({found.error}): look at it on the server"
            )

    def _still_fits(self, record: Record | None, view: HostView) -> Record | None:
        """The record, if the server still has the old certificate of it, or its new one."""
        found = _known(view).thumbprint
        marks = {part.thumbprint for part in (record.current, record.new) if part} if record else set()
        if record is None or found in marks:
            return record
        if record.step in _NOTHING_UNDER_WAY:
            return None
        raise _RefusedError(
            f"it has the certificate {found}, which is neither the old nor the new one of the record {record.id} under way (step "
            f"{record.step}): somebody changed it. Move the record's file away from certificates/ below the state directory, and run again"
        )

    def _add(self, views: t.Sequence[HostView], record: Record | None, uses: tuple[CertificateUse, ...]) -> None:
        lead = views[0]
        certificate = _replaced(lead, record)
        subject, names, left_out = _request_of(certificate)
        for view in views[1:]:
            other = _known(view)
            if record and record.new and other.thumbprint == record.new.thumbprint:
                continue
            if set(_request_of(other.der)[1]) != set(names):
                raise _RefusedError(
                    f"{lead.name} and {view.name} of its Edge pool have certificates with different names, so one for both cannot be "
                    "told: give both the same one by hand, or put sfb_kb4023993_pool right"
                )
        evidence, product = lead.source.evidence, lead.role.product
        pool = self._fleet.pools.pool_of.get(lead.name, lead.name)
        servers = record.servers if record else tuple(view.name for view in views)
        self.replacements.append(
            Replacement(
                id=record.id if record else f"{lead.name} {uses[0]}",
                servers=servers,
                uses=uses,
                role="edge" if uses[0] == "Internal" else "front_end",
                pool=pool,
                certificate=certificate,
                thumbprint=thumbprint(certificate),
                subject=subject,
                names=names,
                exportable=len(servers) > 1,
                modules=product.modules if product else _all_modules(),
                method="cmdlet" if _cmdlets_work(lead) else "certreq",
                machine_guid=evidence.system.machine_guid if evidence and evidence.system else None,
                step=record.step if record else "planned",
                reason=self._reason(views, record, left_out),
            )
        )

    def _reason(self, views: t.Sequence[HostView], record: Record | None, left_out: t.Sequence[str]) -> str:
        if record:
            return f"Its replacement is under way, step {record.step}: {record.next_step}"
        bad = next(view for view in views if self._is_bad(view))
        verdict = t.cast(EkuVerdict, self._judge.usage(_known(bad), bad))
        dropped = f" The new subject will not have {', '.join(left_out)}." if left_out else ""
        return verdict.reason + dropped

    def _left_over(self) -> None:
        """Records under way whose servers nothing was planned for: never silently forgotten."""
        planned = {server for replacement in self.replacements for server in replacement.servers}
        for record in self._under_way:
            for server in {*record.servers} - planned - {*self.refused}:
                view = self._fleet.views.get(server)
                place = view is not None and view.role.role in ("front_end", "edge")
                if view and not view.read_now:
                    why = _away(view)
                elif not place:
                    why = "it is no Front End or Edge of the inventory"
                else:
                    # It has another certificate by now, which is good.
                    continue
                self._refuse(
                    [server], f"its replacement is under way (record {record.id}, step {record.step}), but {why}"
                )


def _away(view: HostView) -> str:
    """Why a server cannot be worked on in this run."""
    source = view.source
    if source.offline:
        return (
            "it is read by hand, so no run changes it: take the offline kit to it, which is the same steps as a script"
        )
    if not source.in_run:
        return "it is not in this run: run without --limit, or with it among the hosts of --limit"
    if source.failure:
        return f"it could not be read: {source.failure.message} {source.failure.advice}".rstrip(".")
    return f"it could not be read: {source.problem or 'there is no evidence of it'}"


def _way_out(away: t.Sequence[str], servers: t.Sequence[str]) -> str:
    """What to do about servers of an Edge pool that cannot be worked on."""
    if len(servers) == 1:
        return "it cannot be worked on in this run: make it readable, or take the offline kit to it, which is the same steps as a script"
    return (
        f"{', '.join(away)} of its Edge pool cannot be worked on in this run, and all its members share one certificate: make all of "
        "them readable and run again, or move certificate and key there by hand (PFX) as the article says"
    )


def _in_use(view: HostView) -> HeldCertificate | None:
    """The certificate to judge: the assigned one, also where the services still hold another one."""
    shown = view.certificate
    return (shown.assigned or shown.current) if shown else None


def _known(view: HostView) -> HeldCertificate:
    found = _in_use(view)
    if found is None:
        note = view.certificate.note if view.certificate else ""
        raise _RefusedError(
            f"which certificate it uses is not known ({note or 'nothing was read of it'}): see what Get-CsCertificate says on the server"
        )
    return found


def _replaced(view: HostView, record: Record | None) -> bytes:
    """The certificate that is replaced: with a record under way, the one that was in use when it began."""
    found = _known(view)
    mark = record.current.thumbprint if record and record.current else found.thumbprint
    if mark == found.thumbprint:
        return found.der
    certificates = view.source.evidence.certificates if view.source.evidence else None
    for entry in certificates.certificates if certificates else ():
        if thumbprint(entry.certificate) == mark:
            return entry.certificate
    raise _RefusedError(
        f"the certificate {mark} that its record replaces is not in the computer's store any more, so there would be no way back: put "
        "it there again, or move the record's file away from certificates/ below the state directory"
    )


def _request_of(certificate: bytes) -> tuple[Subject, tuple[str, ...], tuple[str, ...]]:
    """Subject and names for a request with those of a certificate, and what of its subject is left out."""
    try:
        subject, left_out = read_subject(certificate)
        found = certificate_names(Certificate(certificate), subject.common_name)
    except (SubjectError, NamesError, CertificateError) as error:
        raise _RefusedError(
            f"its certificate {thumbprint(certificate)} cannot be read ({error}): look at it on the server"
        ) from None
    own = subject.common_name.strip().rstrip(".").casefold()
    names = tuple(sorted(found.all, key=lambda name: name))
    problem = unfit(subject, names)
    if problem:
        raise _RefusedError(f"{problem}: request the new certificate by hand")
    return subject, names, left_out


def _uses(view: HostView) -> tuple[CertificateUse, ...]:
    """The uses of a Front End that move: Default, and those Web uses that share its certificate."""
    reply = view.source.evidence.lync_certificates if view.source.evidence else None
    found = _known(view)
    assigned = _assignments(reply)
    if "Default" not in assigned:
        note = view.certificate.note if view.certificate else ""
        raise _RefusedError(
            f"which uses share its certificate is not known ({note}): use an account in RTCUniversalServerAdmins and make sure that the "
            "product's PowerShell module works on the server"
        )
    if assigned["Default"] != found.thumbprint:
        raise _RefusedError(
            f"Get-CsCertificate names {assigned['Default'][:40] or 'nothing'} for Default, but the services present {found.thumbprint}: "
            "look at the certificates of the server"
        )
    uses = [
        use
        for use in knowledge.certificate_uses()
        if use.role == "front_end" and use.handling in ("judged", "together")
    ]
    ordered = sorted(uses, key=lambda use: use.handling != "judged")
    return tuple(t.cast(CertificateUse, use.use) for use in ordered if assigned.get(use.use) == found.thumbprint)


def _assignments(reply: LyncCommandReply | None) -> dict[str, str]:
    return {
        use: "".join(entry.get("Thumbprint", ())).replace(" ", "").upper()
        for entry in (reply.objects if reply and not reply.denied else ())
        for use in entry.get("Use", ())
    }


def _cmdlets_work(view: HostView) -> bool:
    reply = view.source.evidence.lync_certificates if view.source.evidence else None
    return bool(reply and reply.module and not reply.denied and not reply.failure)


def _all_modules() -> tuple[str, ...]:
    """The newest product's first, as the server was read."""
    return tuple(dict.fromkeys(module for product in knowledge.products() for module in product.modules))[::-1]
