# Copyright (c) 2026, the sfb.kb4023993 contributors
# GNU General Public License v3.0-or-later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A small fleet of the lab, the steps of workaround 1 on its servers, and what a server is like before and after them."""

from __future__ import annotations

import dataclasses
import datetime
import typing as t

from ansible_collections.sfb.kb4023993.plugins.plugin_utils.certificate_records import (
    CertificateRecord,
    ServicesRecord,
    TrustRecord,
)
from ansible_collections.sfb.kb4023993.plugins.plugin_utils.certificate_steps import install as steps
from ansible_collections.sfb.kb4023993.plugins.plugin_utils.certificate_steps.limits import Limits
from ansible_collections.sfb.kb4023993.plugins.plugin_utils.certificate_steps.request import make_request
from ansible_collections.sfb.kb4023993.plugins.plugin_utils.host import operations as op
from ansible_collections.sfb.kb4023993.plugins.plugin_utils.host.certificate_operations import CertificateUse
from ansible_collections.sfb.kb4023993.plugins.plugin_utils.host.operations import Operation
from ansible_collections.sfb.kb4023993.plugins.plugin_utils.host.session import Session, SessionError
from ansible_collections.sfb.kb4023993.plugins.plugin_utils.outcome import Outcome
from ansible_collections.sfb.kb4023993.plugins.plugin_utils.records import KEY, Records, read_records
from ansible_collections.sfb.kb4023993.plugins.plugin_utils.renewal.installation import Installation, Manner
from ansible_collections.sfb.kb4023993.plugins.plugin_utils.renewal.one_server import request_of
from ansible_collections.sfb.kb4023993.plugins.plugin_utils.renewal.replacements import Method, Replacement
from lab import client, renewing, trust
from lab.clock import Clock
from lab.deployment import Deployment
from lab.outside import Outside
from lab.scenario import parse

from builders.simulated import CutSession, Simulated

RUN_ID: t.Final = "20260308T120010Z-abcdef"
LATER_RUN: t.Final = "20260309T120010Z-fedcba"
CA: t.Final = renewing.CA
NEW_CA: t.Final = renewing.NEW_CA
# What is not reached in the lab's own time is not waited for really.
LIMITS: t.Final = Limits(poll=0, gate_pause=0, drain=1, stop=2, start=2, present=2)
HURRIED: t.Final = Limits(poll=0, gate_pause=0, drain=0, stop=0, start=0, present=0)
MODULES: t.Final = ("SkypeForBusiness", "Lync")
FRONT_END_USES: t.Final[tuple[CertificateUse, ...]] = ("Default", "WebServicesInternal", "WebServicesExternal")
_OF_PRODUCT: t.Final[dict[str, tuple[str, dict[str, t.Any], Manner]]] = {
    "lync2010": ("server2008r2", {"version": "3.5.1", "update": "KB4014504"}, "plain"),
    "lync2013": ("server2012", {"version": "4.5.2", "update": "KB4014513"}, "gate"),
    "sfb2015": ("server2012r2", {"version": "4.6.2", "update": "KB4014507"}, "failover"),
}


def fleet(
    product: str = "sfb2015",
    *,
    front_ends: int = 2,
    edges: int = 1,
    new_ca: bool = False,
    servers: t.Mapping[str, t.Mapping[str, t.Any]] | None = None,
    **top: t.Any,
) -> RollOut:
    """A pool ``pool01`` of Front Ends, an Edge pool with one certificate, and a host that may ask the CA.

    The certificate of fe01 serves its Web uses too, and OAuthTokenIssuer everywhere. ``new_ca``: with a second CA whose certificates
    nobody trusts yet, and which only issues when its manager approves.
    """
    system, dotnet, _manner = _OF_PRODUCT[product]
    each = {"product": product, "os": system, "dotnet": {**dotnet, "installed": "2h"}, "process_age": "1h"}
    names = [f"fe0{number}" for number in range(1, front_ends + 1)]
    found: dict[str, dict[str, t.Any]] = {name: {"pool": "pool01"} for name in names}
    if product != "lync2010":
        found["fe01"]["oauth_source"] = True
    found.update({f"edge0{number}": {"pool": "edgepool", "av_internal": True} for number in range(1, edges + 1)})
    found["pki01"] = {"role": "none", "os": "server2016", "ca_access": "delegated"}
    for name, entries in (servers or {}).items():
        found[name].update(entries)
    data: dict[str, t.Any] = {
        "poll_seconds": 60,
        "enterprise_cas": {CA: {"authority": "issuing"}},
        "pools": {
            "pool01": {
                "edge_pool": "edgepool",
                "each": {**each, "more_names": ["meet", "dialin"], "services": {"RTCSRV": {"start_seconds": 120}}},
            },
            "edgepool": {"same_certificate": True, "each": {**each, "role": "edge", "exportable": True}},
        },
        "servers": found,
    }
    if new_ca:
        data["authorities"] = {
            "second": {"common_name": "Contoso Issuing CA 2", "own_root": "Contoso Root CA 2", "trusted": []}
        }
        data["enterprise_cas"][NEW_CA] = {"authority": "second", "manager_approval": True}
    data.update(top)
    start = datetime.datetime.now(datetime.timezone.utc).replace(microsecond=0)
    return RollOut(Deployment(parse(data), clock=Clock(start=start)))


@dataclasses.dataclass(frozen=True, kw_only=True)
class State:
    """What counts of a server: what must be the same however often a run was cut. ``names``: thumbprints by a name of the test."""

    uses: dict[str, str]
    presented: frozenset[str | None]
    services: dict[str, tuple[str, str]]
    usable: frozenset[str]
    keys_waiting: int
    certificates: tuple[tuple[str, str | None, tuple[str, ...], tuple[str, ...]], ...]
    other_records: tuple[str, ...]


class RollOut(Simulated):
    """The product's own steps, with sessions that can be cut, on one server of the lab at a time."""

    def __init__(self, deployment: Deployment) -> None:
        super().__init__(deployment=deployment)
        self.outside = Outside(deployment)

    def talk(self, name: str, *, operations: int | None = None) -> Session:
        return t.cast(Session, self.session(name, operations=operations))

    def settle(self, seconds: float = 900) -> None:
        """Time passes: pools come to rest, services that start have started."""
        renewing.advance(self.deployment, seconds)

    def assigned(self, name: str) -> dict[str, str]:
        return self.outside.uses(name)

    def use(self, name: str) -> CertificateUse:
        return "Internal" if self.host(name).role == "edge" else "Default"

    def current(self, name: str) -> bytes:
        entry = self.host(name).stores.find(self.assigned(name)[self.use(name)])
        assert entry is not None
        return entry.certificate

    def records(self, name: str) -> Records:
        return read_records(client.ask(self.deployment, name, op.RegistryList(path=KEY)))

    def record(self, name: str) -> CertificateRecord | None:
        return self.records(name).certificate(self.use(name))

    def guid(self, name: str) -> str | None:
        reply: op.SystemReply = client.ask(self.deployment, name, op.System())
        return reply.machine_guid

    # ---- what the plans of the controller would say; test_renewal_flow compares

    def replacement(self, name: str, *, method: Method = "cmdlet", **changes: t.Any) -> Replacement:
        current = self.current(name)
        subject, names, _left_out = request_of(current)
        edge = self.host(name).role == "edge"
        use = self.use(name)
        members = [other for other in self.names if self.host(other).role == "edge"] if edge else [name]
        found = Replacement(
            id=f"{name} {use}",
            servers=(name, *(other for other in members if other != name)),
            uses=("Internal",) if edge else FRONT_END_USES,
            role="edge" if edge else "front_end",
            pool="edgepool.contoso.example" if edge else "pool01.contoso.example",
            certificate=current,
            thumbprint=trust.thumbprint(current),
            subject=subject,
            names=names,
            exportable=len(members) > 1,
            modules=MODULES,
            method=method,
            machine_guid=self.guid(name),
            step="planned",
            reason="",
        )
        return dataclasses.replace(found, **changes)

    def target(self, name: str, certificate: bytes, **changes: t.Any) -> Installation:
        """``certificate`` empty: the way back."""
        edge = self.host(name).role == "edge"
        record = self.record(name)
        _system, _dotnet, manner = _OF_PRODUCT[self.host(name).lync.product]
        members = [other for other in self.names if self.host(other).role == self.host(name).role]
        found = Installation(
            host=name,
            record_id=f"{name} {self.use(name)}",
            pool="edgepool.contoso.example" if edge else "pool01.contoso.example",
            lead=True,
            machine_guid=self.guid(name),
            computer=self.host(name).fqdn,
            uses=("Internal",) if edge else FRONT_END_USES,
            replaces=record.replaces if record else trust.thumbprint(self.current(name)),
            certificate=certificate,
            exportable=edge and len(members) > 1,
            modules=MODULES,
            manner="plain" if edge or len(members) == 1 else manner,
            ports=(5061, 4443) if edge else (5061,),
            downtime=len(members) == 1,
        )
        return dataclasses.replace(found, **changes)

    # ---- whole steps that end well

    def requested(self, name: str, **changes: t.Any) -> str:
        made = make_request(
            self.talk(name),
            self.replacement(name, **changes),
            machine_guid=self.guid(name),
            run_id=RUN_ID,
            key_size=2048,
        )
        assert made.csr is not None, made
        return made.csr

    def signed(self, name: str, *, config: str = CA, **changes: t.Any) -> bytes:
        """A request of the server, signed by the CA: the certificate."""
        return renewing.issue(self.deployment, self.requested(name, **changes), config)

    def imported(self, name: str, **changes: t.Any) -> Installation:
        """The new certificate in the store; gives back what is to be installed."""
        certificate = self.signed(name, **changes)
        target = self.target(name, certificate)
        outcome = steps.import_certificate(self.talk(name), target, run_id=RUN_ID)
        assert outcome.status == "changed", outcome
        return target

    def installed(self, name: str) -> Installation:
        target = self.imported(name)
        outcome = self.install(target)
        assert outcome.status == "changed", outcome
        return target

    def install(self, target: Installation, *, limits: Limits = LIMITS, session: Session | None = None) -> Outcome:
        return steps.install(session or self.talk(target.host), target, run_id=RUN_ID, limits=limits)

    def put_back(self, target: Installation, *, limits: Limits = LIMITS, session: Session | None = None) -> Outcome:
        back = dataclasses.replace(target, certificate=b"")
        return steps.put_back(session or self.talk(target.host), back, run_id=LATER_RUN, limits=limits)

    # ---- what a server is like

    def state(self, name: str, **marks: str) -> State:
        """As of now. ``marks``: thumbprints of this fleet under names of the test, so that two fleets can be compared."""
        self.deployment.settle()
        words = {mark: word for word, mark in marks.items()}

        def word(mark: str | None) -> str:
            return words.get(mark, "another") if mark else "none"

        records = self.records(name)
        assert records.invalid == ()
        stores = self.outside.stores(name)
        return State(
            uses={use: word(mark) for use, mark in self.assigned(name).items()},
            presented=frozenset(map(word, self.outside.presented(name).values())),
            services={
                service: (row["status"], row["start_mode"]) for service, row in self.outside.services(name).items()
            },
            usable=frozenset(word(entry["thumbprint"]) for entry in stores["My"] if entry["has_private_key"]),
            keys_waiting=len(stores["REQUEST"]),
            certificates=tuple(
                (
                    record.step,
                    word(record.new) if record.new else None,
                    record.uses,
                    tuple(sorted(f"{use}={word(mark)}" for use, mark in record.before.items())),
                )
                for record in records.certificates
            ),
            other_records=_others(records.services, records.trust),
        )


def _others(services: ServicesRecord | None, trusted: tuple[TrustRecord, ...]) -> tuple[str, ...]:
    return (*(["services"] if services else []), *(f"{record.store}" for record in trusted))


Prepare = t.Callable[[], tuple[RollOut, t.Any]]
Step = t.Callable[[RollOut, t.Any, Session], Outcome]


def cut_everywhere(prepare: Prepare, step: Step, host: str) -> t.Iterator[tuple[str, RollOut, t.Any]]:
    """The same step again and again, each time with a connection that dies after another of the operations that change something, and
    once after the very first one. After an operation that only reads the server is as it was after the one before.

    Gives where it was cut, and what ``prepare`` gave. The operation itself is done, its reply is lost.
    """
    whole, given = prepare()
    session = whole.session(host)
    assert step(whole, given, t.cast(Session, session)).ok
    done: tuple[Operation, ...] = tuple(session.done)
    changing = [number for number, operation in enumerate(done, start=1) if operation.CHANGES]
    assert changing, "the step changed nothing"
    for count in (1, *changing):
        fleet, given = prepare()
        cut = fleet.session(host, operations=count)
        try:
            step(fleet, given, t.cast(Session, cut))
        except SessionError:
            yield f"after operation {count} of {len(done)}, {done[count - 1].NAME}", fleet, given
        else:
            raise AssertionError(f"the connection did not die after {count} operations")


def changes_of(session: CutSession) -> list[str]:
    """The names of the operations of a session that are there to change something, records left out."""
    return [o.NAME for o in session.done if o.CHANGES and getattr(o, "path", None) != KEY]
