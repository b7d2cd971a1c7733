# Copyright (c) 2026, the sfb.kb4023993 contributors
# GNU General Public License v3.0-or-later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Cases of the operations of workaround 1."""

from __future__ import annotations

import typing as t
from functools import cache

from ansible_collections.sfb.kb4023993.plugins.plugin_utils.host import certificate_operations as cop
from ansible_collections.sfb.kb4023993.plugins.plugin_utils.host import operations as op
from cryptography import x509
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import BestAvailableEncryption, Encoding, pkcs12
from lab import pki

from contract.case import Case, Raw, Step, Wrong
from contract.cases_certificates import thumbprint
from contract.world import POOL, Ca, Product, Stored, World

_MODULES = ("SkypeForBusiness", "Lync")
_CONFIG = "ca01.contoso.example\\Contract 'CA' 1"
_WORD = "Contract 'word' $x 会議"
_UNSUPPORTED_TEMPLATE, _NO_SUCH_REQUEST = 0x80094800 - 2**32, 0x80094004 - 2**32


@cache
def _root() -> pki.Authority:
    return pki.root_authority("Contract Work Root")


@cache
def _certificate() -> pki.Issued:
    return _root().issue("host.contoso.example")


def _lync() -> dict[str, op.Operation]:
    """Operations for all commands of the product."""
    request = cop.LyncRequest(
        modules=_MODULES,
        use="Default",
        friendly_name="Contract 1",
        names=("host.contoso.example", "sip.contoso.example"),
        key_size=2048,
        exportable=True,
        organization="Contoso",
        country="DE",
        seconds=40,
    )
    assign = cop.LyncAssign(
        modules=_MODULES,
        uses=("Default", "WebServicesInternal"),
        thumbprint=thumbprint(_certificate().der),
        seconds=40,
    )
    return {
        "request": request,
        "import": cop.LyncImport(modules=_MODULES, certificate=_certificate().der, exportable=True, seconds=40),
        "assign": assign,
        "stop": cop.LyncServices(modules=_MODULES, action="stop", seconds=40),
        "drain": cop.LyncServices(modules=_MODULES, action="stop_graceful", seconds=40),
        "start": cop.LyncServices(modules=_MODULES, action="start", seconds=40),
        "over": cop.LyncFailover(modules=_MODULES, action="failover", computer=POOL[0], seconds=40),
        "back": cop.LyncFailover(modules=_MODULES, action="failback", computer=POOL[0], seconds=40),
        "gate": cop.LyncGate(modules=_MODULES, seconds=40),
    }


def _ended(asked: op.Operation, module: str | None, **fields: t.Any) -> t.Any:
    """The reply of a command that gave nothing but these."""
    found: dict[str, t.Any] = {"module": module, "denied": False, "failure": None, **fields}
    if isinstance(asked, cop.LyncRequest):
        return cop.RequestReply(**{"exit_code": None, "csr": None, **found})
    if isinstance(asked, cop.LyncGate):
        return cop.LyncGateReply(**{"state": None, "domains": (), **found})
    return cop.LyncOutcome(**found)


def _gate(module: str, state: str, *, ready: bool) -> cop.LyncGateReply:
    domains = tuple(
        cop.UpgradeDomain(name=f"UpgradeDomain{number}", front_ends=(name,), ready=ready)
        for number, name in enumerate(POOL, start=1)
    )
    return cop.LyncGateReply(module=module, denied=False, failure=None, state=state, domains=domains)


def _commands() -> list[Case]:
    lync = _lync()
    skype = "SkypeForBusiness"
    known = (
        Stored(store="Root", certificate=_root().der),
        Stored(store="My", certificate=_certificate().der, private_key=True),
    )
    works = [
        Step(asked, _ended(asked, skype, **({"csr": "a request"} if name == "request" else {})))
        for name, asked in lync.items()
        if name != "gate"
    ]
    return [
        Case(
            name="work",
            alone="work",
            world=World(product=Product(module=skype, pool="other runs"), stored=known),
            steps=(Step(lync["gate"], _gate(skype, "Ready", ready=True)), *works),
        ),
        Case(
            name="work-pool-too-small",
            alone="work-pool-too-small",
            world=World(product=Product(module="Lync", pool="other is down")),
            steps=(
                Step(lync["gate"], _gate("Lync", "InsufficientActiveFrontEnds", ready=False)),
                Step(lync["over"], _ended(lync["over"], "Lync", failure="there is no such command")),
            ),
            because="Lync Server 2013 has no FailOver of one computer",
        ),
        Case(
            name="work-no-pool",
            alone="work-no-pool",
            world=World(product=Product(module=skype)),
            steps=(Step(lync["gate"], _ended(lync["gate"], skype, failure="no pool")),),
        ),
        Case(
            name="work-denied",
            alone="work-denied",
            world=World(product=Product(module=skype, denied=True), stored=known),
            steps=tuple(Step(each, _ended(each, skype, denied=True, failure="no")) for each in lync.values()),
        ),
        Case(
            name="work-failing",
            alone="work-failing",
            world=World(product=Product(module=skype, failing=True), stored=known),
            steps=tuple(Step(each, _ended(each, skype, failure="no")) for each in lync.values()),
        ),
        Case(name="work-no-module", steps=tuple(Step(each, _ended(each, None)) for each in lync.values())),
        Case(
            name="work-not-allowed",
            steps=(
                Step(cop.LyncGate(modules=("/tmp/evil.psm1",)), Wrong("invalid")),
                Step(cop.LyncServices(modules=("Lync", "x"), action="stop"), Wrong("invalid")),
                Step(Raw("lync_services", ("modules\tLync", "action\trestart", "seconds\t9")), Wrong("invalid")),
                Step(Raw("lync_request", ("modules\tLync", "use\tOAuthTokenIssuer")), Wrong("invalid")),
                Step(Raw("lync_failover", ("modules\tLync", "action\tover")), Wrong("invalid")),
                Step(cop.LyncImport(modules=_MODULES, certificate=b"none", exportable=True), Wrong("invalid")),
                Step(Raw("lync_import", ("modules\tLync", "certificate\t!")), Wrong("invalid")),
            ),
        ),
    ]


def _certreq() -> Case:
    inf = '[Version]\r\nSignature = "$Windows NT$"\r\n[NewRequest]\r\nSubject = "CN=host.contoso.example"\r\nKeyLength = 2048\r\n'
    made = cop.RequestReply(module=None, denied=False, failure=None, exit_code=0, csr="a request")
    refused = cop.RequestReply(module=None, denied=False, failure="no", exit_code=1, csr=None)
    return Case(
        name="certreq",
        steps=(
            Step(cop.CertreqNew(inf=inf, seconds=40), made),
            Step(cop.CertreqNew(inf="Subject = x", seconds=40), refused),
        ),
    )


def _stores() -> list[Case]:
    shared, other = _root().issue("edge01.contoso.example"), pki.root_authority("Contract Added Root")
    below = other.subordinate("Contract Added CA")
    foreign = pki.root_authority("Contract Unknown Root").subordinate("Contract Misplaced CA")
    secret = BestAvailableEncryption(_WORD.encode("utf-8"))
    content = pkcs12.serialize_key_and_certificates(b"x", shared.key, shared.certificate, None, secret)
    keyless = pkcs12.serialize_key_and_certificates(None, None, None, [shared.certificate], secret)
    mark = thumbprint(shared.der)

    def take(pfx: bytes, word: str = _WORD) -> cop.PfxImport:
        return cop.PfxImport(pfx=pfx, password=word, exportable=True, friendly_name="Contract 2")

    def give(word: str = _WORD) -> cop.PfxExport:
        return cop.PfxExport(thumbprint=mark, password=word)

    def changed(issued: pki.Issued, *, there: bool = False) -> cop.StoreChangeReply:
        return cop.StoreChangeReply(thumbprint=thumbprint(issued.der), changed=not there)

    misplaced = op.StoreCertificate(certificate=foreign.der, has_private_key=False, usage_property=None, chain=())
    return [
        Case(
            name="pfx",
            steps=(
                Step(give(), Wrong("not_found")),
                Step(take(keyless), Wrong("invalid")),
                Step(take(content, "wrong"), Wrong("failed")),
                Step(take(content), changed(shared)),
                Step(take(content), changed(shared, there=True)),
                Step(give(), cop.PfxExportReply(pfx=b"a PFX")),
            ),
        ),
        Case(
            name="store-add",
            steps=(
                Step(cop.StoreAdd(store="Root", certificate=other.der), changed(other)),
                Step(cop.StoreAdd(store="Root", certificate=other.der), changed(other, there=True)),
                Step(cop.StoreAdd(store="Root", certificate=below.der), Wrong("invalid")),
                Step(cop.StoreAdd(store="CA", certificate=below.der), changed(below)),
                Step(cop.StoreAdd(store="CA", certificate=below.der), changed(below, there=True)),
                Step(cop.StoreAdd(store="CA", certificate=b"no certificate"), Wrong("invalid")),
                Step(Raw("store_add", ("store\tMy", "certificate\tAAAA")), Wrong("invalid")),
            ),
        ),
        Case(
            name="certificates-issued-by-others",
            world=World(
                stored=tuple(Stored(store="ContractMixed", certificate=each.der) for each in (_root(), foreign))
            ),
            steps=(
                Step(
                    op.Certificates(store="ContractMixed", only="issued_by_others", limit=1),
                    op.CertificatesReply(certificates=(misplaced,), issuers=(), truncated=False),
                ),
                Step(Raw("certificates", ("store\tContractMixed", "limit\t1", "only\tmine")), Wrong("invalid")),
            ),
        ),
    ]


def _ca() -> list[Case]:
    request = x509.CertificateSigningRequestBuilder().subject_name(pki.distinguished_name("host.contoso.example"))
    csr = request.sign(pki.shared_key("contract request"), SHA256()).public_bytes(Encoding.PEM).decode("ascii")
    authority = _root().subordinate("Contract Work CA")

    def there(reach: t.Any) -> World:
        return World(ca=Ca(config=_CONFIG, template="Both", authority=authority, reach=reach))

    def submit(template: str) -> cop.CaSubmit:
        return cop.CaSubmit(config=_CONFIG, attributes=f"CertificateTemplate:{template}", csr=csr)

    def reply(disposition: int, number: int, code: int = 0, certificates: bytes | None = None) -> cop.CaReply:
        return cop.CaReply(disposition=disposition, request_id=number, hresult=code, certificates=certificates)

    chain, ask = cop.CaChain(config=_CONFIG), cop.CaRetrieve(config=_CONFIG, request_id=17)
    errors: tuple[tuple[str, t.Any], ...] = (("not_delegated", "denied"), ("none", "failed"))
    return [
        Case(
            name="ca",
            alone="ca",
            world=there("delegated"),
            steps=(
                Step(chain, cop.CaChainReply(certificates=b"a chain")),
                Step(submit("Both"), reply(3, 17, certificates=b"a chain")),
                Step(submit("Other"), reply(2, 18, _UNSUPPORTED_TEMPLATE)),
                Step(ask, reply(3, 17, certificates=b"a chain")),
                Step(cop.CaRetrieve(config=_CONFIG, request_id=99), reply(1, 99, _NO_SUCH_REQUEST)),
            ),
        ),
        *(
            Case(
                name=f"ca-{reach}",
                alone=f"ca-{reach}",
                world=there(reach),
                steps=tuple(Step(each, Wrong(error)) for each in (chain, submit("Both"), ask)),
            )
            for reach, error in errors
        ),
    ]


def certificate_work() -> list[Case]:
    return [*_commands(), _certreq(), *_stores(), *_ca()]
