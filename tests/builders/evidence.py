# Copyright (c) 2026, the sfb.kb4023993 contributors
# GNU General Public License v3.0-or-later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Evidence of single servers, made of small words. What is not said is an ordinary, healthy server read by an administrator.

Paths, keys and versions stand here as the product has them, not as the plugin code computes them.
"""

from __future__ import annotations

import dataclasses
import typing as t

from ansible_collections.sfb.kb4023993.plugins.plugin_utils.evidence import (
    ChainCheckFact,
    DotnetEvidence,
    Evidence,
    InventoryFacts,
    OptOutEvidence,
    OptOutKey,
    Presented,
    Sighting,
    SystemDll,
    TopologyFact,
)
from ansible_collections.sfb.kb4023993.plugins.plugin_utils.host import operations as op
from ansible_collections.sfb.kb4023993.plugins.plugin_utils.records import (
    ABSENT,
    ChangeRecord,
    RestartRecord,
    ValueState,
    record_text,
)
from lab.pki import Issued

from builders.certificates import certificate, mark, thumbprint

DOMAIN: t.Final = "contoso.example"
CLR2: t.Final = "v2.0.50727"
CLR4: t.Final = "v4.0.30319"
FRAMEWORK: t.Final = r"SOFTWARE\Microsoft\.NETFramework"
SWITCH: t.Final = "Switch.System.Net.DontCheckCertificateEKUs"
HOST_NOW: t.Final = "2026-03-08T12:00:00.000Z"
STARTED: t.Final = "2026-03-01T10:00:00.000Z"
EARLIER: t.Final = "2026-02-01T10:00:00.000Z"
LATER: t.Final = "2026-03-05T10:00:00.000Z"
READ: t.Final = "2026-03-08T12:00:05Z"

Product = t.Literal["lync2010", "lync2013", "sfb2015", "sfb2019"]
_VERSIONS: t.Final[dict[Product, str]] = {
    "lync2010": "4.0.7577.0",
    "lync2013": "5.0.8308.0",
    "sfb2015": "6.0.9319.102",
    "sfb2019": "7.0.2046.0",
}
_FOLDERS: t.Final[dict[Product, str]] = {
    "lync2010": r"C:\Program Files\Microsoft Lync Server 2010",
    "lync2013": r"C:\Program Files\Microsoft Lync Server 2013",
    "sfb2015": r"C:\Program Files\Skype for Business Server 2015",
    "sfb2019": r"C:\Program Files\Skype for Business Server 2019",
}


def opt_out_key(clr: str = CLR4) -> str:
    return rf"{FRAMEWORK}\{clr}\System.Net.ServicePointManager.RequireCertificateEKUs"


def executable(product: Product = "sfb2015", *, folder: str | None = None) -> str:
    return rf"{folder or _FOLDERS[product]}\Web Conferencing\DataMCUSvc.exe"


@dataclasses.dataclass(frozen=True, kw_only=True)
class Value:
    """One value in an opt-out key; without more it is the right override of an ordinary Front End."""

    name: str = executable()
    kind: op.RegistryKind = "dword"
    data: str | int | tuple[str, ...] = 0
    clr: str = CLR4
    view: op.View = "64"

    @property
    def stored(self) -> op.RegistryValue:
        return op.RegistryValue(name=self.name, kind=self.kind, data=self.data)


def system(name: str, *, build: int = 9600, ubr: int | None = None, domain: str = DOMAIN) -> op.SystemReply:
    return op.SystemReply(
        computer_name=name.upper(),
        dns_domain=domain,
        machine_guid=f"guid-of-{name}",
        os_version=f"6.3.{build}",
        os_build=build,
        os_ubr=ubr,
        product_type="ServerNT",
        culture="de-DE",
        ui_culture="de-DE",
        powershell_version="4.0",
        clr_version="4.0.30319.42000",
        time_utc=HOST_NOW,
        utc_offset_minutes=60,
    )


def service(
    name: str,
    path: str | None,
    *,
    status: op.ServiceStatus = "running",
    start_mode: op.StartMode = "automatic",
    image_path: str | None = None,
) -> op.ServiceState:
    return op.ServiceState(
        name=name,
        exists=True,
        status=status,
        start_mode=start_mode,
        image_path=image_path or f'"{path}"',
        executable=path,
        dependents=(),
    )


def dll(
    clr: str = CLR4,
    *,
    marks: t.Literal["both", "none", "utf16", "ascii"] = "both",
    version: str | None = "4.0.30319.36400",
    changed: str = EARLIER,
    created: str | None = None,
    path: str | None = None,
    exists: bool = True,
) -> SystemDll:
    return SystemDll(
        clr=clr,
        path=path or rf"C:\Windows\Microsoft.NET\Framework64\{clr}\System.dll",
        exists=exists,
        version=version,
        created_utc=created or changed,
        modified_utc=changed,
        marker_utf16=marks in ("both", "utf16"),
        marker_ascii=marks in ("both", "ascii"),
    )


def copies(clr: str = CLR4, **facts: t.Any) -> tuple[SystemDll, SystemDll]:
    """The copy of the framework's folder, and the one in the assembly cache, which processes load."""
    cache = {
        CLR2: r"C:\Windows\assembly\GAC_MSIL\System\2.0.0.0__b77a5c561934e089\System.dll",
        CLR4: r"C:\Windows\Microsoft.NET\assembly\GAC_MSIL\System\v4.0_4.0.0.0__b77a5c561934e089\System.dll",
    }
    return dll(clr, **facts), dll(clr, path=cache[clr], **facts)


def dotnet(
    *dlls: SystemDll,
    release: int | None = 379893,
    cbs: t.Sequence[tuple[str, int]] = (),
    msi: t.Sequence[tuple[str, str | None]] = (),
) -> DotnetEvidence:
    """.NET 4.5.2 with these System.dll (without any: both copies, with the check); ``cbs`` KB and state, ``msi`` KB and mark."""
    updates = op.UpdatesReply(
        cbs=tuple(op.CbsPackage(kb=kb, name=f"Package_for_{kb}", state=state) for kb, state in cbs),
        msi=tuple(op.MsiUpdate(kb=kb, product="x", view="32", installed=installed) for kb, installed in msi),
    )
    return DotnetEvidence(release=release, system_dlls=dlls or copies(), updates=updates)


CHECKED: t.Final = dotnet()
UNCHECKED: t.Final = dotnet(*copies(marks="none", version="4.0.30319.36300"))
ENFORCEMENT_UNKNOWN: t.Final = DotnetEvidence(release=379893, system_dlls=(), updates=None)


def opt_outs(
    *values: Value,
    everything: op.RegistryValue | None = None,
    app_context: op.RegistryValue | None = None,
    config: str | bytes | None = None,
    unreadable: t.Collection[tuple[str, op.View]] = (),
    key_exists: bool | None = None,
) -> OptOutEvidence:
    """What stands in the opt-out keys of both CLRs in both views, and in the other places."""
    keys = []
    for clr in (CLR2, CLR4):
        views: tuple[op.View, ...] = ("64", "32")
        for view in views:
            stored = tuple(v.stored for v in values if (v.clr, v.view) == (clr, view))
            exists = bool(stored) if key_exists is None else key_exists
            listed = op.RegistryListReply(key_exists=exists, values=stored, subkeys=(), truncated=False)
            keys.append(
                OptOutKey(
                    clr=clr,
                    view=view,
                    executables=None if (clr, view) in unreadable else listed,
                    everything=op.RegistryReadReply(
                        key_exists=True, value=everything if (clr, view) == (CLR4, "64") else None
                    ),
                )
            )
    content = config.encode("utf-8") if isinstance(config, str) else config
    return OptOutEvidence(
        keys=tuple(keys),
        app_context=op.RegistryReadReply(key_exists=True, value=app_context),
        config=op.FileReadReply(
            path=executable() + ".config", exists=content is not None, content=content, truncated=False
        ),
    )


def dword(name: str, data: int) -> op.RegistryValue:
    return op.RegistryValue(name=name, kind="dword", data=data)


def config_switch(state: str = "true", *, name: str = SWITCH) -> str:
    overrides = f'<AppContextSwitchOverrides value="Switch.Other=false;{name}={state}" />'
    return f'<?xml version="1.0" encoding="utf-8"?><configuration><runtime>{overrides}</runtime></configuration>'


def store(*issued: Issued, restrict: t.Mapping[bytes, bytes] | None = None) -> op.CertificatesReply:
    """A computer's store with these certificates and their chains; ``restrict``: usage property by CA certificate."""
    issuers = dict.fromkeys(ca for each in issued for ca in each.chain)
    return op.CertificatesReply(
        certificates=tuple(
            op.StoreCertificate(
                certificate=each.der,
                has_private_key=True,
                usage_property=None,
                chain=tuple(thumbprint(ca) for ca in each.chain),
            )
            for each in issued
        ),
        issuers=tuple(op.ChainCertificate(certificate=ca, usage_property=(restrict or {}).get(ca)) for ca in issuers),
        truncated=False,
    )


def assignments(*pairs: tuple[str, Issued]) -> op.LyncCommandReply:
    """What Get-CsCertificate says: use and certificate."""
    return op.LyncCommandReply(
        module="SkypeForBusiness",
        denied=False,
        failure=None,
        objects=tuple({"Use": (use,), "Thumbprint": (mark(issued),)} for use, issued in pairs),
        text=None,
    )


DENIED: t.Final = op.LyncCommandReply(module="Lync", denied=True, failure="denied", objects=(), text=None)
NO_MODULE: t.Final = op.LyncCommandReply(module=None, denied=False, failure=None, objects=(), text=None)


def shown(issued: Issued, *, host: str = "", port: int = 5061, whole_chain: bool = False) -> Presented:
    """What a TLS server presents: its certificate and the intermediates, seldom the root."""
    issuers = issued.chain if whole_chain else issued.chain[:-1]
    reply = op.TlsPeerReply(connected=True, certificate=issued.der, issuers=tuple(issuers), failure=None)
    return Presented(host=host, port=port, reply=reply)


def chain_check(issued: Issued, *statuses: str) -> ChainCheckFact:
    return ChainCheckFact(thumbprint=mark(issued), reply=op.ChainCheckReply(statuses=statuses, chain=()))


def event(identifier: int, time: str, *strings: str) -> op.Event:
    return op.Event(id=identifier, record_id=1, time_utc=time, strings=strings)


def events(*found: op.Event) -> op.EventsReply:
    return op.EventsReply(log_exists=True, events=found, truncated_ids=())


def records(*found: ChangeRecord | RestartRecord | op.RegistryValue) -> op.RegistryListReply:
    """The values below our own key; a bare registry value stands for what is not ours."""
    values = tuple(
        each
        if isinstance(each, op.RegistryValue)
        else op.RegistryValue(name=each.value_name, kind="string", data=record_text(each))
        for each in found
    )
    return op.RegistryListReply(key_exists=bool(values), values=values, subkeys=(), truncated=False)


def change_record(value: Value | None = None, **words: t.Any) -> ChangeRecord:
    """Our record of an override written before the process started; ``words`` replaces its entries."""
    value = value or Value()
    made = ChangeRecord(
        path=opt_out_key(value.clr),
        name=value.name,
        view=value.view,
        key_existed=True,
        before=ABSENT,
        written=ValueState(kind="dword", data=0),
        state="applied",
        time_utc=EARLIER,
        run_id="20260201T100000Z-abcdef",
    )
    return dataclasses.replace(made, **words)


def restart_record(begun: str | None = None, *, since: str = LATER, **words: t.Any) -> RestartRecord:
    """Our record of a restart that is needed, and begun if a time says so."""
    made = RestartRecord(since_utc=since, begun_utc=begun, run_id="20260201T100000Z-abcdef")
    return dataclasses.replace(made, **words)


def sighted(value: Value, since: str) -> Sighting:
    return Sighting(opt_out=f"change|{value.view}|{opt_out_key(value.clr)}|{value.name}".lower(), since_utc=since)


def pool_fact(
    pool: str, *machines: str, edge_pool: str | None = None, edge: bool = False, names_edge: bool = False
) -> TopologyFact:
    """A pool of the product's topology. ``names_edge`` without ``edge_pool``: it depends on an Edge that could not be told."""
    return TopologyFact(
        pool=pool,
        machines=machines,
        front_end=not edge,
        edge=edge,
        edge_pool=edge_pool,
        names_edge=names_edge or edge_pool is not None,
    )


def full(name: str) -> str:
    return f"{name}.{DOMAIN}"


def front_end(
    name: str = "fe01",
    *,
    product: Product = "sfb2015",
    cert: Issued | None = None,
    dotnet: DotnetEvidence | None = CHECKED,
    opt_outs: OptOutEvidence | None = None,
    started: str | None = STARTED,
    pool: str | None = "pool01.contoso.example",
    edge_pool: str | None = "none",
    paired_pool: str | None = None,
    folder: str | None = None,
    **sections: t.Any,
) -> Evidence:
    """A Front End. ``started`` None: the service is stopped. ``sections`` replaces any field of the evidence."""
    path = executable(product, folder=folder)
    issued = cert or certificate("server_only", full(name))
    process = op.ProcessState(name="DataMCUSvc", pid=4242, path=path, started_utc=started)
    evidence = Evidence(
        collection_version="0.0.0",
        run_id="test",
        inventory_name=name,
        collected_utc=READ,
        inventory=InventoryFacts(pool=pool, edge_pool=edge_pool, paired_pool=paired_pool),
        system=system(name),
        services=(service("RTCDATAMCU", path, status="running" if started else "stopped"),),
        processes=(process,) if started else (),
        executables={"RTCDATAMCU": _program(path, _VERSIONS[product])},
        dotnet=dotnet,
        opt_outs=opt_outs or _no_opt_outs(),
        certificates=store(issued),
        presented=(shown(issued),),
        lync_certificates=assignments(("Default", issued)),
        events=events(),
        records=records(),
    )
    return dataclasses.replace(evidence, **sections)


def edge(
    name: str = "edge01",
    *,
    cert: Issued | None = None,
    pool: str | None = "edgepool.contoso.example",
    **sections: t.Any,
) -> Evidence:
    """An Edge server."""
    path = r"C:\Program Files\Skype for Business Server 2015\Web Conferencing Edge\DataProxy.exe"
    issued = cert or certificate("server_only", full(name))
    evidence = Evidence(
        collection_version="0.0.0",
        run_id="test",
        inventory_name=name,
        collected_utc=READ,
        inventory=InventoryFacts(pool=pool),
        system=system(name),
        services=(service("RTCDATAPROXY", path),),
        processes=(op.ProcessState(name="DataProxy", pid=4343, path=path, started_utc=STARTED),),
        executables={"RTCDATAPROXY": _program(path, "6.0.9319.0")},
        dotnet=CHECKED,
        opt_outs=_no_opt_outs(),
        certificates=store(issued),
        presented=(shown(issued), shown(issued, port=4443)),
        lync_certificates=assignments(("Internal", issued)),
        events=events(),
        records=records(),
    )
    return dataclasses.replace(evidence, **sections)


def _no_opt_outs() -> OptOutEvidence:
    return opt_outs()


def _program(path: str, version: str) -> op.FileInfoReply:
    return op.FileInfoReply(
        path=path, exists=True, size=100_000, version=version, created_utc=EARLIER, modified_utc=EARLIER
    )
