# Copyright (c) 2026, the sfb.kb4023993 contributors
# GNU General Public License v3.0-or-later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What can be asked of one Windows host: one type per operation, one type per reply.

An operation is data. It travels to the host beside ``batch.ps1`` (see ``wire.py``), where the PowerShell function of the same name
runs it, and comes back as its reply. Nothing here decides anything. To add an operation: a type here, a function in ``batch.ps1`` (in
``changes.ps1`` if it changes something), a function in the lab, contract cases.

Conventions of all operations and replies:

* Registry paths are below ``HKEY_LOCAL_MACHINE`` and start with ``SOFTWARE\\`` or ``SYSTEM\\``. ``view`` 32 means the ``Wow6432Node`` side.
* File paths may hold ``%variables%``; replies hold the full long path.
* Times are text in UTC, ``2026-01-31T23:59:59.123Z``, by the host's own clock.
* A thing that is not there is a reply that says so, never an error. Errors are for what could not be read or done.
"""

from __future__ import annotations

import dataclasses
import typing as t

View = t.Literal["64", "32"]
RegistryKind = t.Literal["none", "string", "expand_string", "binary", "dword", "qword", "multi_string", "unknown"]
ServiceStatus = t.Literal[
    "stopped", "start_pending", "stop_pending", "running", "continue_pending", "pause_pending", "paused"
]
StartMode = t.Literal["boot", "system", "automatic", "manual", "disabled"]
TlsFailure = t.Literal["name_not_resolved", "refused", "timeout", "handshake", "other"]
RestartPhase = t.Literal["done", "stopping", "starting"]
Expectation = t.Literal["anything", "absent", "value"]
LyncCommandName = t.Literal["Get-CsCertificate", "Get-CsTopology"]
CertificateSelection = t.Literal["all", "issued_by_others"]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Operation:
    """Base of all operations. ``NAME`` is the word on the wire, ``REPLY`` the type of a good reply."""

    NAME: t.ClassVar[str]
    REPLY: t.ClassVar[type]
    CHANGES: t.ClassVar[bool] = False


@dataclasses.dataclass(frozen=True, kw_only=True)
class SystemReply:
    """``computer_name`` is the host name of DNS, not cut to 15 characters; ``ui_culture`` the language that Windows was installed in.

    ``os_ubr`` is None before Windows 10 / Server 2016. ``product_type``: ``ServerNT``, ``LanmanNT`` (domain controller) or ``WinNT``.
    """

    computer_name: str
    dns_domain: str
    machine_guid: str | None
    os_version: str
    os_build: int
    os_ubr: int | None
    product_type: str | None
    culture: str
    ui_culture: str
    powershell_version: str
    clr_version: str
    time_utc: str
    utc_offset_minutes: int


@dataclasses.dataclass(frozen=True, kw_only=True)
class System(Operation):
    """Who the host is, which Windows and PowerShell it runs, what its clock says."""

    NAME = "system"
    REPLY = SystemReply


@dataclasses.dataclass(frozen=True, kw_only=True)
class RegistryValue:
    """``data``: text (string, expand_string unexpanded), number (dword and qword, unsigned), list of text, base64 text (binary, none, unknown)."""

    name: str
    kind: RegistryKind
    data: str | int | tuple[str, ...]


@dataclasses.dataclass(frozen=True, kw_only=True)
class RegistryReadReply:
    key_exists: bool
    value: RegistryValue | None


@dataclasses.dataclass(frozen=True, kw_only=True)
class RegistryRead(Operation):
    """One value. Windows compares names without case; the reply holds the name as stored."""

    NAME = "registry_read"
    REPLY = RegistryReadReply
    path: str
    name: str
    view: View = "64"


@dataclasses.dataclass(frozen=True, kw_only=True)
class RegistryListReply:
    key_exists: bool
    values: tuple[RegistryValue, ...]
    subkeys: tuple[str, ...]
    truncated: bool


@dataclasses.dataclass(frozen=True, kw_only=True)
class RegistryList(Operation):
    """All values and the names of all subkeys of a key, at most ``limit`` of each; ``truncated`` tells that there are more."""

    NAME = "registry_list"
    REPLY = RegistryListReply
    path: str
    view: View = "64"
    limit: int = 500


@dataclasses.dataclass(frozen=True, kw_only=True)
class RegistryChangeReply:
    """``refused``: what was found (``before``) is not what was expected, nothing was written. ``after`` is read back from the registry."""

    refused: bool
    changed: bool
    before: RegistryValue | None
    after: RegistryValue | None
    key_existed: bool
    key_exists: bool


@dataclasses.dataclass(frozen=True, kw_only=True)
class RegistrySet(Operation):
    """Compare and set one value; missing keys are created, an existing key is never recreated.

    ``data``: one text per list item; a dword or qword as decimal digits; binary as base64 (one item). ``private`` gives a key that
    this operation creates (not the missing ones above it) to administrators and the system alone. ``stamp`` replaces the text
    ``@now@`` in a string by the host's time.
    """

    NAME = "registry_set"
    REPLY = RegistryChangeReply
    CHANGES = True
    path: str
    name: str
    kind: RegistryKind
    data: tuple[str, ...]
    view: View = "64"
    expect: Expectation = "anything"
    expect_kind: RegistryKind = "none"
    expect_data: tuple[str, ...] = ()
    private: bool = False
    stamp: bool = False


@dataclasses.dataclass(frozen=True, kw_only=True)
class RegistryDelete(Operation):
    """Compare and delete one value. ``prune`` also deletes the key when it is empty afterwards (no values, no subkeys)."""

    NAME = "registry_delete"
    REPLY = RegistryChangeReply
    CHANGES = True
    path: str
    name: str
    view: View = "64"
    expect: Expectation = "anything"
    expect_kind: RegistryKind = "none"
    expect_data: tuple[str, ...] = ()
    prune: bool = False


@dataclasses.dataclass(frozen=True, kw_only=True)
class FileInfoReply:
    """``path`` is the full long path (8.3 names expanded), empty when a service has no executable to go by.

    ``version`` are the four numbers of the version resource.
    """

    path: str
    exists: bool
    size: int | None
    version: str | None
    created_utc: str | None
    modified_utc: str | None


@dataclasses.dataclass(frozen=True, kw_only=True)
class FileInfo(Operation):
    """Facts of one file. With ``service``, the file is that service's executable and ``path`` is text put behind it (``.config``)."""

    NAME = "file_info"
    REPLY = FileInfoReply
    path: str
    service: str = ""


@dataclasses.dataclass(frozen=True, kw_only=True)
class FileReadReply:
    path: str
    exists: bool
    content: bytes | None
    truncated: bool


@dataclasses.dataclass(frozen=True, kw_only=True)
class FileRead(Operation):
    """The first ``limit`` bytes of one file; ``service`` as in :class:`FileInfo`."""

    NAME = "file_read"
    REPLY = FileReadReply
    path: str
    service: str = ""
    limit: int = 65536


@dataclasses.dataclass(frozen=True, kw_only=True)
class FileSearchReply:
    """``found`` has one entry for each pattern, all False when there is no file."""

    exists: bool
    found: tuple[bool, ...]


@dataclasses.dataclass(frozen=True, kw_only=True)
class FileSearch(Operation):
    """Which of ``patterns`` occur in the bytes of one file, at any offset. A file of more than 64 MB is an error."""

    NAME = "file_search"
    REPLY = FileSearchReply
    path: str
    patterns: tuple[bytes, ...]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Dependent:
    name: str
    status: ServiceStatus


@dataclasses.dataclass(frozen=True, kw_only=True)
class ServiceState:
    """``image_path`` as the registry has it; ``executable`` what Windows would start for it (long path), None when no such file exists.

    ``dependents``: services that depend on this one, with their state.
    """

    name: str
    exists: bool
    status: ServiceStatus | None
    start_mode: StartMode | None
    image_path: str | None
    executable: str | None
    dependents: tuple[Dependent, ...]


@dataclasses.dataclass(frozen=True, kw_only=True)
class ServicesReply:
    services: tuple[ServiceState, ...]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Services(Operation):
    """The state of each named service, in the order of ``names``."""

    NAME = "services"
    REPLY = ServicesReply
    names: tuple[str, ...]


@dataclasses.dataclass(frozen=True, kw_only=True)
class ProcessState:
    """``path`` and ``started_utc`` are None where Windows does not let the account see them."""

    name: str
    pid: int
    path: str | None
    started_utc: str | None


@dataclasses.dataclass(frozen=True, kw_only=True)
class ProcessesReply:
    processes: tuple[ProcessState, ...]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Processes(Operation):
    """Running processes by the names of their executables, without ``.exe``."""

    NAME = "processes"
    REPLY = ProcessesReply
    names: tuple[str, ...]


@dataclasses.dataclass(frozen=True, kw_only=True)
class ServiceRestartReply:
    """``phase`` is where it stands: ``done``, or ``stopping`` / ``starting`` when ``seconds`` ran out (the caller asks again)."""

    phase: RestartPhase
    status: ServiceStatus
    dependents_started: tuple[str, ...]
    dependents_not_started: tuple[str, ...]


@dataclasses.dataclass(frozen=True, kw_only=True)
class ServiceRestart(Operation):
    """Stop (with ``stop``) and start one service within ``seconds``; then start ``dependents`` and those that ran and were stopped here.

    Asking again goes on where the last call left: with ``stop`` a service that is stopping is waited for, without ``stop`` only
    starting is done. A disabled service is an error (``disabled``) and is not touched.
    """

    NAME = "service_restart"
    REPLY = ServiceRestartReply
    CHANGES = True
    name: str
    stop: bool
    dependents: tuple[str, ...] = ()
    seconds: int = 20


@dataclasses.dataclass(frozen=True, kw_only=True)
class StoreCertificate:
    """``usage_property``: the store property that restricts purposes (CERT_ENHKEY_USAGE_PROP_ID, DER), None when not set.

    ``chain``: SHA-1 thumbprints of the issuers, nearest first, as the host builds the chain.
    """

    certificate: bytes
    has_private_key: bool
    usage_property: bytes | None
    chain: tuple[str, ...]


@dataclasses.dataclass(frozen=True, kw_only=True)
class ChainCertificate:
    """An issuer seen in a chain; ``usage_property`` from the host's own ``CA`` or ``Root`` store."""

    certificate: bytes
    usage_property: bytes | None


@dataclasses.dataclass(frozen=True, kw_only=True)
class CertificatesReply:
    certificates: tuple[StoreCertificate, ...]
    issuers: tuple[ChainCertificate, ...]
    truncated: bool


@dataclasses.dataclass(frozen=True, kw_only=True)
class Certificates(Operation):
    """Certificates of a LocalMachine store (``My``), those with a private key first, with their chains (no revocation).

    ``only``: all, or those whose issuer is not their own subject (in ``Root`` they stop Front End services on Server 2012 and later).
    ``truncated`` also when building chains, which may wait for a download, went beyond the deadline of the batch.
    """

    NAME = "certificates"
    REPLY = CertificatesReply
    store: str
    limit: int = 500
    only: CertificateSelection = "all"


@dataclasses.dataclass(frozen=True, kw_only=True)
class ChainCheckReply:
    """``statuses``: names of ``X509ChainStatusFlags`` over the whole chain (``NotValidForUsage``, ...); ``chain`` thumbprints, leaf first."""

    statuses: tuple[str, ...]
    chain: tuple[str, ...]


@dataclasses.dataclass(frozen=True, kw_only=True)
class ChainCheck(Operation):
    """What the host's own ``X509Chain`` says of a certificate for the usage ``oid``, as .NET's SslStream asks it (no revocation)."""

    NAME = "chain_check"
    REPLY = ChainCheckReply
    certificate: bytes
    issuers: tuple[bytes, ...]
    oid: str


@dataclasses.dataclass(frozen=True, kw_only=True)
class TlsPeerReply:
    """``certificate`` and ``issuers`` as the peer sent them; they may be known although the handshake failed afterwards.

    A peer that insists on a certificate of ours ends the handshake (``handshake``): then its certificate is known, its issuers are not.
    """

    connected: bool
    certificate: bytes | None
    issuers: tuple[bytes, ...]
    failure: TlsFailure | None


@dataclasses.dataclass(frozen=True, kw_only=True)
class TlsPeer(Operation):
    """The certificate that a TLS server presents. ``host`` empty means the host's own full name. Nothing is sent after the handshake."""

    NAME = "tls_peer"
    REPLY = TlsPeerReply
    host: str
    port: int
    seconds: int = 3


@dataclasses.dataclass(frozen=True, kw_only=True)
class Event:
    """``strings`` are the insertion strings, never the localised message; at most 20 of at most 500 characters."""

    id: int
    record_id: int
    time_utc: str
    strings: tuple[str, ...]


@dataclasses.dataclass(frozen=True, kw_only=True)
class EventsReply:
    """Newest first for each id. ``truncated_ids``: ids of which there were more than the limit in the window."""

    log_exists: bool
    events: tuple[Event, ...]
    truncated_ids: tuple[int, ...]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Events(Operation):
    """Events of one provider by id within the last ``seconds``, at most ``limit`` of each id. ``log`` is one of the classic kind."""

    NAME = "events"
    REPLY = EventsReply
    log: str
    provider: str
    ids: tuple[int, ...]
    seconds: int
    limit: int = 100


@dataclasses.dataclass(frozen=True, kw_only=True)
class CbsPackage:
    kb: str
    name: str
    state: int


@dataclasses.dataclass(frozen=True, kw_only=True)
class MsiUpdate:
    """``installed`` is the text of the value ``ThisVersionInstalled``, None when there is none."""

    kb: str
    product: str
    view: View
    installed: str | None


@dataclasses.dataclass(frozen=True, kw_only=True)
class UpdatesReply:
    cbs: tuple[CbsPackage, ...]
    msi: tuple[MsiUpdate, ...]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Updates(Operation):
    """Which of the updates ``kbs`` (``KB4014512``) Windows records: CBS packages with their state, and MSI updates in both views."""

    NAME = "updates"
    REPLY = UpdatesReply
    kbs: tuple[str, ...]


@dataclasses.dataclass(frozen=True, kw_only=True)
class LyncCommandReply:
    """``module`` None: no module of the product is on the host. ``objects``: the asked properties as text lists; ``text``: XML output.

    A property that an object does not have is left out. ``failure`` may stand beside objects: one that could not be read hides no other.
    ``denied``: the product refused the account (missing RTC group, no access to the store).
    """

    module: str | None
    denied: bool
    failure: str | None
    objects: tuple[dict[str, tuple[str, ...]], ...]
    text: str | None


@dataclasses.dataclass(frozen=True, kw_only=True)
class LyncCommand(Operation):
    """One reading cmdlet of the product, from a fixed list, with fixed parameters; ``modules`` are tried in order.

    ``Get-CsCertificate`` runs without parameters, ``Get-CsTopology`` as ``-LocalStore -AsXml``.
    """

    NAME = "lync_command"
    REPLY = LyncCommandReply
    command: LyncCommandName
    modules: tuple[str, ...]
    properties: tuple[str, ...] = ()
    seconds: int = 120


OPERATIONS: t.Final[tuple[type[Operation], ...]] = (
    System,
    RegistryRead,
    RegistryList,
    RegistrySet,
    RegistryDelete,
    FileInfo,
    FileRead,
    FileSearch,
    Services,
    Processes,
    ServiceRestart,
    Certificates,
    ChainCheck,
    TlsPeer,
    Events,
    Updates,
    LyncCommand,
)
