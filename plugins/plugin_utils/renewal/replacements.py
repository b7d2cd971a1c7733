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

from ..certificates import EkuVerdict, Usage
from ..connections import ConnectionJudge
from ..evaluate import Assessment
from ..fleet import HostView
from ..host.certificate_operations import CertificateUse
from ..plan import Refusal, twins
from ..rules.pools import Pool
from ..rules.role_certificate import thumbprint
from ..signing.records import Record, Step
from .one_server import (
    RefusedError,
    all_modules,
    away,
    cmdlets_work,
    in_use,
    known,
    own_uses,
    replaced,
    request_of,
    way_out,
)
from .subject import Subject

SCHEMA: t.Final = 1
# From these steps a new request may take the place of the old one, so a record that fits no more is simply left behind.
_NOTHING_UNDER_WAY: t.Final = ("planned", "requested", "denied", "refused")

Method = t.Literal["cmdlet", "certreq"]
Role = t.Literal["front_end", "edge"]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Replacement:
    """One certificate to replace. ``servers``: inventory names, the one that makes the key first. ``names``: the CN's name first.

    ``certificate`` and ``thumbprint``: what is replaced. ``modules``: names of the product's PowerShell module, in the order to try.
    ``machine_guid``: of the first server. ``step``: of its record, ``planned`` if there is none under way. ``abandoned``: an earlier request
    (PEM) that came to nothing, and that a new one is to replace.
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
    abandoned: str | None = None


@dataclasses.dataclass(frozen=True, kw_only=True)
class RenewalPlan:
    schema: int = SCHEMA
    run_id: str
    created_utc: str
    replacements: tuple[Replacement, ...]
    refused: tuple[Refusal, ...]


def plan_replacements(assessment: Assessment, records: t.Mapping[str, Record]) -> RenewalPlan:
    """Choose the certificates to replace: those that are not good for clientAuth, and those whose replacement is under way.

    :param records: by id, what this controller knows of replacements.
    """
    choice = _Choice(assessment, records)
    choice.make()
    return RenewalPlan(
        run_id=assessment.judgement.run_id,
        created_utc=assessment.judgement.judged_utc,
        replacements=tuple(sorted(choice.replacements, key=lambda replacement: replacement.id)),
        refused=tuple(Refusal(host=host, reason=reason) for host, reason in sorted(choice.refused.items())),
    )


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
                self._refuse([view.name], away(view))
            elif view.role.role == "unknown" and view.read_now:
                self._refuse([view.name], f"its role is not known: {view.role.reason}")
            elif view.role.role == "front_end":
                self._attempt([view.name], self._front_end, view)
        self._left_over()

    def _attempt(self, servers: t.Sequence[str], plan: t.Callable[[t.Any], None], subject: t.Any) -> None:
        try:
            plan(subject)
        except RefusedError as refusal:
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
        self._add([view], record, t.cast("tuple[CertificateUse, ...]", record.uses) if record else own_uses(view))

    # ---- Edge pools

    def _edge_pool(self, pool: Pool) -> None:
        servers = [*pool.members, *pool.missing]
        views = [self._fleet.views[name] for name in pool.members]
        record = self._record(servers)
        if record is None and not any(self._is_bad(view) for view in views):
            for view in views:
                self._attempt([view.name], self._doubt, view)
            self._refuse((name for name in pool.missing if not self._is_shown_good(name)), way_out(servers, servers))
            return
        absent = [*(view.name for view in views if not view.read_now), *pool.missing]
        if absent:
            raise RefusedError(way_out(absent, servers))
        for view in views:
            try:
                self._check(view)
            except RefusedError as refusal:
                self._refuse([view.name], str(refusal))
                raise RefusedError(f"{view.name} of its Edge pool: {refusal}") from None
        lead = self._lead(pool)
        record = self._still_fits(record, lead)
        if record is None and not any(self._is_bad(view) for view in views):
            return
        self._add([lead, *(view for view in views if view is not lead)], record, ("Internal",))

    def _lead(self, pool: Pool) -> HostView:
        """The server of an earlier record, so that one pool keeps one record; else the first by name."""
        earlier = [
            r.servers[0] for r in self._records.values() if r.uses[0] == "Internal" and r.servers[0] in pool.members
        ]
        return self._fleet.views[earlier[0] if earlier else pool.members[0]]

    def _is_shown_good(self, machine: str) -> bool:
        """Whether a server that is known by name alone shows a good certificate to the Front Ends."""
        verdicts = {connection.verdict for connection in self._connections if connection.peer == machine}
        return verdicts == {"compliant"}

    # ---- both

    def _record(self, servers: t.Sequence[str]) -> Record | None:
        """The record that is under way for these servers."""
        claims = {name for server in servers for name in self._claims.get(server, ())}
        if len(claims) > 1:
            raise RefusedError(
                f"the records {', '.join(sorted(claims))} both claim it: move the file of the wrong one away from certificates/ below the "
                "state directory, and run again"
            )
        record = next((record for record in self._under_way if record.id in claims), None)
        if record and set(record.servers) != set(servers):
            raise RefusedError(
                f"the record {record.id} under way is for {', '.join(record.servers)}, but the pool is {', '.join(servers)} now: put the "
                "inventory right, or move the record's file away from certificates/ below the state directory, and run again"
            )
        return record

    def _is_bad(self, view: HostView) -> bool:
        found = in_use(view)
        verdict = self._judge.usage(found, view) if found else None
        return isinstance(verdict, EkuVerdict) and verdict.usage is Usage.BAD

    def _doubt(self, view: HostView) -> None:
        """Refuse where nobody can tell whether the certificate is good."""
        if not view.read_now:
            return
        found = known(view)
        verdict = self._judge.usage(found, view)
        if isinstance(verdict, str):
            raise RefusedError(
                f"its certificate {found.thumbprint} cannot be read ({verdict}): look at it on the server"
            )
        if verdict.usage is Usage.UNDECIDED:
            raise RefusedError(
                f"whether its certificate is good cannot be told, so it is not replaced unasked: {verdict.reason}"
            )
        held = view.certificate.current if view.certificate else None
        if held and held is not found:
            raise RefusedError(
                f"the certificate {found.thumbprint} assigned to it is good, but its services still hold {held.thumbprint}: restart "
                "the services of the server"
            )

    def _check(self, view: HostView) -> None:
        """Refuse a server that nothing can be planned for now."""
        if not view.read_now:
            raise RefusedError(away(view))
        if view.name in self._twins:
            raise RefusedError(
                f"it is the same machine as {self._twins[view.name]}: take one of the two out of the inventory"
            )
        found = known(view)
        if found.facts is None:
            raise RefusedError(
                f"its certificate {found.thumbprint} cannot be read ({found.error}): look at it on the server"
            )

    def _still_fits(self, record: Record | None, view: HostView) -> Record | None:
        """The record, if the server still has the old certificate of it, or its new one."""
        found = known(view).thumbprint
        marks = {part.thumbprint for part in (record.current, record.new) if part} if record else set()
        if record is None or found in marks:
            return record
        if record.step in _NOTHING_UNDER_WAY:
            return None
        raise RefusedError(
            f"it has the certificate {found}, which is neither the old nor the new one of the record {record.id} under way (step "
            f"{record.step}): somebody changed it. Move the record's file away from certificates/ below the state directory, and run again"
        )

    def _add(self, views: t.Sequence[HostView], record: Record | None, uses: tuple[CertificateUse, ...]) -> None:
        lead = views[0]
        certificate = replaced(lead, record)
        subject, names, left_out = request_of(certificate)
        for view in views[1:]:
            other = known(view)
            if record and record.new and other.thumbprint == record.new.thumbprint:
                continue
            if set(request_of(other.der)[1]) != set(names):
                raise RefusedError(
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
                modules=product.modules if product else all_modules(),
                method="cmdlet" if cmdlets_work(lead) else "certreq",
                machine_guid=evidence.system.machine_guid if evidence and evidence.system else None,
                step=record.step if record else "planned",
                reason=self._reason(views, record, left_out),
                abandoned=record.csr if record and record.step == "planned" else None,
            )
        )

    def _reason(self, views: t.Sequence[HostView], record: Record | None, left_out: t.Sequence[str]) -> str:
        if record:
            return f"Its replacement is under way, step {record.step}: {record.next_step}"
        bad = next(view for view in views if self._is_bad(view))
        verdict = t.cast(EkuVerdict, self._judge.usage(known(bad), bad))
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
                    why = away(view)
                elif not place:
                    why = "it is no Front End or Edge of the inventory"
                else:
                    # It has another certificate by now, which is good.
                    continue
                self._refuse(
                    [server], f"its replacement is under way (record {record.id}, step {record.step}), but {why}"
                )
