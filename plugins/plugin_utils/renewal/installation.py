# Copyright (c) 2026, the sfb.kb4023993 contributors
# GNU General Public License v3.0-or-later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What each server needs so that its new certificate gets into use, or the old one back: the plan of the step install. Pure."""

from __future__ import annotations

import dataclasses
import typing as t

from ..certificate_records import CertificateRecord
from ..evaluate import Assessment
from ..fleet import HostView
from ..host.certificate_operations import CertificateUse
from ..knowledge import loader as knowledge
from ..plan import Refusal
from ..rules.role_certificate import thumbprint
from ..signing.bundle import read_bundle
from ..signing.records import New, Record, RecordError

Manner = t.Literal["plain", "gate", "failover"]
"""How a server may go down, see certificate_steps/services.py."""

_INSTALLABLE: t.Final = ("verified", "installed", "assigned", "done")
# Fabric came with 2013, failover of one server with 2015.
_FIRST_WITH_GATE: t.Final = 5
_FIRST_WITH_FAILOVER: t.Final = 6


@dataclasses.dataclass(frozen=True, kw_only=True)
class Installation:
    """One server's part. ``certificate``: the new one (DER), empty for a rollback. ``replaces``: what the server itself has now.

    ``lead``: the server that made key and request. ``ports``: those that showed a certificate when the server was read.
    ``downtime``: no other server of the pool takes over meanwhile.
    """

    host: str
    record_id: str
    pool: str
    lead: bool
    machine_guid: str | None
    computer: str
    uses: tuple[CertificateUse, ...]
    replaces: str
    certificate: bytes
    exportable: bool
    modules: tuple[str, ...]
    manner: Manner
    ports: tuple[int, ...]
    downtime: bool


@dataclasses.dataclass(frozen=True, kw_only=True)
class Installations:
    """``hosts`` in the order of their names; ``refused``: servers that should have one and cannot get it in this run.

    ``warnings``: what is to be known of the pools in which services restart.
    """

    hosts: tuple[Installation, ...]
    refused: tuple[Refusal, ...]
    warnings: tuple[str, ...] = ()

    def host(self, name: str) -> Installation | None:
        return next((target for target in self.hosts if target.host == name), None)


def plan_installations(assessment: Assessment, records: t.Iterable[Record]) -> Installations:
    """For every record with a verified certificate, what its servers still need."""
    hosts: list[Installation] = []
    refused: list[Refusal] = []
    for record in records:
        if record.step not in _INSTALLABLE or record.new is None:
            continue
        views = [assessment.fleet.views.get(name) for name in record.servers]
        todo = any(view and not _unfit(view) and _needs(view, record) for view in views)
        if not todo and (record.step == "done" or not any(map(_unfit, views))):
            continue
        for name, view in zip(record.servers, views, strict=True):
            problem = _unfit(view)
            if view is not None and not problem:
                # Also one that has it: the others of an Edge pool get the key from the first one.
                hosts.append(_installation(assessment, view, record))
            elif record.step != "done":
                refused.append(Refusal(host=name, reason=f"its new certificate was not installed: {problem}"))
    return Installations(hosts=tuple(sorted(hosts, key=lambda target: target.host)), refused=tuple(refused))


def plan_put_back(assessment: Assessment) -> Installations:
    """Every server of this run whose own record says that this collection assigned a certificate there."""
    hosts = []
    for view in assessment.fleet.views.values():
        for record in view.records.certificates:
            if record.before and not _unfit(view):
                hosts.append(_target(assessment, view, record, record_id=f"{view.name} {record.use}"))
    return Installations(hosts=tuple(sorted(hosts, key=lambda target: target.host)), refused=())


def _unfit(view: HostView | None) -> str:
    """Why a server cannot be worked on now; empty if it can."""
    if view is None:
        return "it is not in the inventory"
    if not view.source.in_run:
        return "it is not in this run (--limit)"
    if view.source.offline:
        return "it is read by hand, so no run changes it: go on with the playbook certificate_kit"
    if not view.readable:
        return "it could not be read"
    if view.role.role not in ("front_end", "edge"):
        return "it has no role that needs the certificate"
    # Without the product nobody knows how this server may go down.
    return "" if view.role.role == "edge" or view.role.product else "its product is not known"


def _needs(view: HostView, record: Record) -> bool:
    """Whether the server does not have and present the new certificate yet, or has a restart to finish."""
    new = record.new.thumbprint if record.new else None
    own = view.records.certificate(record.uses[0])
    held = view.certificate
    in_use = bool(held and held.current and held.current.thumbprint == new and held.assigned is None)
    if view.records.services is not None:
        return True
    # What somebody assigned after this replacement was done is theirs.
    return record.step != "done" and not (in_use and (own is None or own.step == "done"))


def _installation(assessment: Assessment, view: HostView, record: Record) -> Installation:
    new = t.cast(New, record.new)
    own = view.records.certificate(record.uses[0])
    if own is None or own.new not in (None, new.thumbprint):
        own = CertificateRecord(
            use=t.cast(CertificateUse, record.uses[0]),
            uses=t.cast("tuple[CertificateUse, ...]", record.uses),
            replaces=_assigned(view),
            step="requested",
            time_utc="",
            run_id="",
        )
    certificate = read_bundle(new.certificate.encode("ascii"))[0]
    if thumbprint(certificate) != new.thumbprint:
        raise RecordError(f"The record {record.id} is damaged: its new certificate is not the one that it names.")
    return dataclasses.replace(
        _target(assessment, view, own, record_id=record.id),
        lead=view.name == record.servers[0],
        certificate=certificate,
        exportable=len(record.servers) > 1,
    )


def _target(assessment: Assessment, view: HostView, own: CertificateRecord, *, record_id: str) -> Installation:
    evidence, fleet = view.source.evidence, assessment.fleet
    pool = fleet.pools.pool_of.get(view.name, view.name)
    known = fleet.pools.pools.get(pool)
    alone = known is None or len(known.members) + len(known.missing) < 2
    product = view.role.product
    manner: Manner = "plain"
    if view.role.role == "front_end" and not alone and product and product.file_major >= _FIRST_WITH_GATE:
        manner = "failover" if product.file_major >= _FIRST_WITH_FAILOVER else "gate"
    probes = {p.number for p in knowledge.ports() if p.purpose == "probe" and view.role.role in p.listener_roles}
    shown = (reading for reading in (evidence.presented if evidence else ()) if not reading.host)
    return Installation(
        host=view.name,
        record_id=record_id,
        pool=pool,
        lead=True,
        machine_guid=evidence.system.machine_guid if evidence and evidence.system else None,
        computer=view.full_name,
        uses=own.uses,
        replaces=own.replaces,
        certificate=b"",
        exportable=False,
        modules=product.modules
        if product
        else tuple(dict.fromkeys(m for p in knowledge.products() for m in p.modules)),
        manner=manner,
        ports=tuple(reading.port for reading in shown if reading.reply.certificate and reading.port in probes),
        downtime=alone,
    )


def _assigned(view: HostView) -> str:
    held = view.certificate
    best = (held.assigned or held.current) if held else None
    return best.thumbprint if best else ""


def describe(target: Installation, *, put_back: bool = False) -> tuple[str, str]:
    """Before and after of one server as text, for ``--diff``."""
    uses = ", ".join(target.uses)
    after = "the certificate before it" if put_back else thumbprint(target.certificate)
    downtime = ", with downtime for its users" if target.downtime else ", one server of its pool at a time"
    return (
        f"{uses}: {target.replaces}\nservices: not restarted\n",
        f"{uses}: {after}\nservices: all restarted ({target.manner}){downtime}\n",
    )
