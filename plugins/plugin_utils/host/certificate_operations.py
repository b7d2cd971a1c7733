# Copyright (c) 2026, the sfb.kb4023993 contributors
# GNU General Public License v3.0-or-later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The operations of workaround 1: make, install and assign certificates, restart all services, and ask a CA.

They follow the conventions of ``operations.py``. Their PowerShell is ``certificates.ps1``, which is sent in front of ``changes.ps1`` and
``batch.ps1`` only in batches that hold one of them. What a cmdlet of the product says is a reply and not an error: ``module`` None means
that the server has no module of the product, ``denied`` that the account may not, ``failure`` is the cmdlet's own text. Only a cmdlet
that did not end in ``seconds`` is an error (``deadline``), because then nobody knows what it has done.
"""

from __future__ import annotations

import dataclasses
import typing as t

from .operations import Operation

CertificateUse = t.Literal["Internal", "Default", "WebServicesInternal", "WebServicesExternal"]
CaStore = t.Literal["CA", "Root"]
ServicesAction = t.Literal["stop", "stop_graceful", "start"]
FailoverAction = t.Literal["failover", "failback"]


@dataclasses.dataclass(frozen=True, kw_only=True)
class LyncOutcome:
    """How a changing cmdlet of the product ended; ``failure`` None: without an error."""

    module: str | None
    denied: bool
    failure: str | None


@dataclasses.dataclass(frozen=True, kw_only=True)
class RequestReply:
    """``csr``: the request as the file holds it (PEM), None if none was made. ``exit_code``: of certreq, None for the cmdlet.

    ``failure`` of certreq is what it printed, if it did not end with 0.
    """

    module: str | None
    denied: bool
    failure: str | None
    exit_code: int | None
    csr: str | None


@dataclasses.dataclass(frozen=True, kw_only=True)
class LyncRequest(Operation):
    """``Request-CsCertificate -New -Output``: key and request on this server, RSA, for exactly one use.

    ``names`` become ``-DomainName``; one with a comma or a blank is ``invalid``. Texts that are empty are not given. Never with
    ``-ComputerFqdn``: on an Edge it would ask the Central Management store.
    """

    NAME = "lync_request"
    REPLY = RequestReply
    CHANGES = True
    modules: tuple[str, ...]
    use: CertificateUse
    friendly_name: str
    names: tuple[str, ...]
    key_size: int
    exportable: bool
    organization: str = ""
    unit: str = ""
    city: str = ""
    state: str = ""
    country: str = ""
    seconds: int = 180


@dataclasses.dataclass(frozen=True, kw_only=True)
class CertreqNew(Operation):
    """``certreq -new``: key and request on this server, by the text of an INF file."""

    NAME = "certreq_new"
    REPLY = RequestReply
    CHANGES = True
    inf: str
    seconds: int = 120


@dataclasses.dataclass(frozen=True, kw_only=True)
class LyncImport(Operation):
    """``Import-CsCertificate -Path``: a certificate (DER) to its waiting key on this server, into the store ``My``."""

    NAME = "lync_import"
    REPLY = LyncOutcome
    CHANGES = True
    modules: tuple[str, ...]
    certificate: bytes
    exportable: bool
    seconds: int = 180


@dataclasses.dataclass(frozen=True, kw_only=True)
class LyncAssign(Operation):
    """``Set-CsCertificate -Type ... -Thumbprint ...``: from now on these uses have this certificate of the store ``My``."""

    NAME = "lync_assign"
    REPLY = LyncOutcome
    CHANGES = True
    modules: tuple[str, ...]
    uses: tuple[CertificateUse, ...]
    thumbprint: str
    seconds: int = 300


@dataclasses.dataclass(frozen=True, kw_only=True)
class PfxExportReply:
    pfx: bytes = dataclasses.field(repr=False)


@dataclasses.dataclass(frozen=True, kw_only=True)
class PfxExport(Operation):
    """A certificate of the store ``My`` with its private key, under a password. Not there: ``not_found``; key not exportable: ``failed``."""

    NAME = "pfx_export"
    REPLY = PfxExportReply
    # It changes nothing, but what an audit sends must not hold it either.
    CHANGES = True
    thumbprint: str
    password: str = dataclasses.field(repr=False)


@dataclasses.dataclass(frozen=True, kw_only=True)
class StoreChangeReply:
    """``thumbprint`` in upper case; ``changed`` False: it was there already (with its key, for a PFX)."""

    thumbprint: str
    changed: bool


@dataclasses.dataclass(frozen=True, kw_only=True)
class PfxImport(Operation):
    """A PFX with one certificate and its key into the store ``My``, the key into the machine's key set.

    A PFX with anything else in it is ``invalid``; a wrong password, or what is no PFX, ``failed``.
    """

    NAME = "pfx_import"
    REPLY = StoreChangeReply
    CHANGES = True
    pfx: bytes = dataclasses.field(repr=False)
    password: str = dataclasses.field(repr=False)
    exportable: bool
    friendly_name: str


@dataclasses.dataclass(frozen=True, kw_only=True)
class StoreAdd(Operation):
    """A CA certificate (DER) into a store of the machine. Only a self-signed one goes into ``Root`` (else ``invalid``)."""

    NAME = "store_add"
    REPLY = StoreChangeReply
    CHANGES = True
    store: CaStore
    certificate: bytes


@dataclasses.dataclass(frozen=True, kw_only=True)
class LyncServices(Operation):
    """``Stop-CsWindowsService`` or ``Start-CsWindowsService`` for all services of the product, without waiting for them."""

    NAME = "lync_services"
    REPLY = LyncOutcome
    CHANGES = True
    modules: tuple[str, ...]
    action: ServicesAction
    seconds: int = 180


@dataclasses.dataclass(frozen=True, kw_only=True)
class LyncFailover(Operation):
    """``Invoke-CsComputerFailOver`` or ``Invoke-CsComputerFailBack`` of this server (``computer``: its FQDN), waited for.

    FailOver leaves the services stopped and disabled until FailBack. ``seconds`` has to be longer than the cmdlet's own limit of an hour.
    """

    NAME = "lync_failover"
    REPLY = LyncOutcome
    CHANGES = True
    modules: tuple[str, ...]
    action: FailoverAction
    computer: str
    seconds: int = 4500


@dataclasses.dataclass(frozen=True, kw_only=True)
class UpgradeDomain:
    """``ready`` None: it does not say."""

    name: str
    front_ends: tuple[str, ...]
    ready: bool | None


@dataclasses.dataclass(frozen=True, kw_only=True)
class LyncGateReply:
    """``state``: the pool's own word (``Ready``, ``Busy``, ``InsufficientActiveFrontEnds``), None: it says none."""

    module: str | None
    denied: bool
    failure: str | None
    state: str | None
    domains: tuple[UpgradeDomain, ...]


@dataclasses.dataclass(frozen=True, kw_only=True)
class LyncGate(Operation):
    """Whether the pool of this Front End bears that a server goes down, by its own fabric.

    ``Get-CsPoolUpgradeReadinessState`` (2013, 2015) or ``Get-CsUpgradeDomainInfo`` (2019 and later), whichever the module has. It reads
    only, but it belongs to a roll-out.
    """

    NAME = "lync_gate"
    REPLY = LyncGateReply
    CHANGES = True
    modules: tuple[str, ...]
    seconds: int = 180


@dataclasses.dataclass(frozen=True, kw_only=True)
class CaReply:
    """What the CA's object said: ``disposition`` and ``hresult`` are numbers of certcli.h, ``request_id`` 0 if there is none.

    ``certificates``: the issued certificate with its chain (PKCS #7, DER), None if not issued, or if it was not handed out.
    """

    disposition: int
    request_id: int
    hresult: int
    certificates: bytes | None


@dataclasses.dataclass(frozen=True, kw_only=True)
class CaSubmit(Operation):
    """Hand a request (PEM) to a CA by the COM object ``CertificateAuthority.Request``, as the account of this session.

    The session needs a second hop (Kerberos delegation or CredSSP); a hop that fails is an error before the CA has anything.
    """

    NAME = "ca_submit"
    REPLY = CaReply
    CHANGES = True
    config: str
    attributes: str
    csr: str


@dataclasses.dataclass(frozen=True, kw_only=True)
class CaRetrieve(Operation):
    """Ask a CA for the certificate of a request that it has."""

    NAME = "ca_retrieve"
    REPLY = CaReply
    CHANGES = True
    config: str
    request_id: int


@dataclasses.dataclass(frozen=True, kw_only=True)
class CaChainReply:
    """The CA's own certificate and those above it: PKCS #7, DER."""

    certificates: bytes


@dataclasses.dataclass(frozen=True, kw_only=True)
class CaChain(Operation):
    """Ask a CA for its own certificates."""

    NAME = "ca_chain"
    REPLY = CaChainReply
    CHANGES = True
    config: str


CERTIFICATE_OPERATIONS: t.Final[tuple[type[Operation], ...]] = (
    LyncRequest,
    CertreqNew,
    LyncImport,
    LyncAssign,
    PfxExport,
    PfxImport,
    StoreAdd,
    LyncServices,
    LyncFailover,
    LyncGate,
    CaSubmit,
    CaRetrieve,
    CaChain,
)
