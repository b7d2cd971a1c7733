# Copyright (c) 2026, the sfb.kb4023993 contributors
# GNU General Public License v3.0-or-later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The scenario renewal of the lab, and the steps of workaround 1 on one of its servers."""

from __future__ import annotations

import copy
import typing as t
from datetime import datetime, timezone

import yaml
from ansible_collections.sfb.kb4023993.plugins.plugin_utils.host import certificate_operations as cop
from ansible_collections.sfb.kb4023993.plugins.plugin_utils.host import operations as op
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, pkcs7

from lab import client, trust
from lab.clock import Clock
from lab.deployment import Deployment
from lab.scenario import SCENARIOS, parse
from lab.world.host import Host

MODULES = ("SkypeForBusiness", "Lync")
CA = r"ca02.contoso.example\Contoso Issuing CA 1"
NEW_CA = r"ca01.contoso.example\Contoso Issuing CA 2"
TEMPLATE = "CertificateTemplate:WebServerClientandServer"


def build(changes: dict[str, dict[str, t.Any]] | None = None, *, top: dict[str, t.Any] | None = None) -> Deployment:
    """The scenario with entries of its servers and of itself replaced, on a clock that stands still."""
    data = yaml.safe_load((SCENARIOS / "renewal.yml").read_text(encoding="utf-8"))
    data.update(copy.deepcopy(top or {}))
    for name, entries in (changes or {}).items():
        data["servers"][name].update(copy.deepcopy(entries))
    return Deployment(parse(data), clock=Clock(start=datetime.now(timezone.utc)))


def request(deployment: Deployment, host: str, use: str = "Default", **fields: t.Any) -> cop.RequestReply:
    wanted = {"friendly_name": "new", "names": (), "key_size": 2048, "exportable": False, **fields}
    operation = cop.LyncRequest(modules=MODULES, use=t.cast("cop.CertificateUse", use), **wanted)
    return t.cast("cop.RequestReply", client.ask(deployment, host, operation))


def issue(deployment: Deployment, csr: str | None, config: str = CA) -> bytes:
    """What the CA gives for a request, leaf only."""
    assert csr is not None
    reply: cop.CaReply = client.ask(deployment, "pki01", cop.CaSubmit(config=config, attributes=TEMPLATE, csr=csr))
    ca = deployment.cas[config.casefold()]
    if reply.disposition == 5:
        ca.approve(reply.request_id)
        reply = client.ask(deployment, "pki01", cop.CaRetrieve(config=config, request_id=reply.request_id))
    assert reply.disposition == 3
    assert reply.certificates is not None
    leaf = next(each for each in pkcs7.load_der_pkcs7_certificates(reply.certificates) if not _is_ca(each))
    return leaf.public_bytes(Encoding.DER)


def install(deployment: Deployment, host: str, certificate: bytes, *, exportable: bool = False) -> cop.LyncOutcome:
    operation = cop.LyncImport(modules=MODULES, certificate=certificate, exportable=exportable)
    return t.cast("cop.LyncOutcome", client.ask(deployment, host, operation))


def assign(deployment: Deployment, host: str, certificate: bytes, *uses: str) -> cop.LyncOutcome:
    operation = cop.LyncAssign(
        modules=MODULES,
        uses=t.cast("tuple[cop.CertificateUse, ...]", uses),
        thumbprint=trust.thumbprint(certificate),
    )
    return t.cast("cop.LyncOutcome", client.ask(deployment, host, operation))


def services(deployment: Deployment, host: str, action: str) -> cop.LyncOutcome:
    operation = cop.LyncServices(modules=MODULES, action=t.cast("cop.ServicesAction", action))
    return t.cast("cop.LyncOutcome", client.ask(deployment, host, operation))


def failover(deployment: Deployment, host: str, action: str = "failover", **fields: t.Any) -> cop.LyncOutcome:
    computer = deployment.hosts[host].fqdn
    operation = cop.LyncFailover(
        modules=MODULES, action=t.cast("cop.FailoverAction", action), computer=computer, **fields
    )
    return t.cast("cop.LyncOutcome", client.ask(deployment, host, operation))


def gate(deployment: Deployment, host: str) -> cop.LyncGateReply:
    return t.cast("cop.LyncGateReply", client.ask(deployment, host, cop.LyncGate(modules=MODULES)))


def states(deployment: Deployment, host: str) -> dict[str, tuple[str | None, str | None]]:
    """Status and start mode of all services of the product, as of now."""
    names = deployment.hosts[host].lync.services
    reply: op.ServicesReply = client.ask(deployment, host, op.Services(names=names))
    return {each.name: (each.status, each.start_mode) for each in reply.services}


def registrar(deployment: Deployment, host: str) -> str | None:
    return states(deployment, host)["RTCSRV"][0]


def advance(deployment: Deployment, seconds: float) -> None:
    deployment.clock.advance(seconds)
    deployment.settle()


def renew(deployment: Deployment, host: str, *uses: str) -> bytes:
    """Workaround 1 on one server up to the restart."""
    certificate = issue(deployment, request(deployment, host, uses[0]).csr)
    assert install(deployment, host, certificate).failure is None
    assert assign(deployment, host, certificate, *uses).failure is None
    return certificate


def shown(host: Host, port: int = 5061) -> bytes | None:
    """The certificate on a port."""
    answer = host.presents(port)
    return answer[1].certificate if answer else None


def names_of(csr: str | None) -> tuple[str, ...]:
    """The CN, then the DNS names of a request."""
    assert csr is not None
    read = x509.load_pem_x509_csr(csr.encode("ascii"))
    names = read.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    common = read.subject.get_attributes_for_oid(x509.NameOID.COMMON_NAME)[0].value
    return (str(common), *names.get_values_for_type(x509.DNSName))


def _is_ca(certificate: x509.Certificate) -> bool:
    try:
        return certificate.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    except x509.ExtensionNotFound:
        return False
