# Copyright (c) 2026, the sfb.kb4023993 contributors
# GNU General Public License v3.0-or-later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Cases of system, processes, events, updates and lync_command."""

from __future__ import annotations

from ansible_collections.sfb.kb4023993.plugins.plugin_utils.host import operations as op

from contract.case import Case, Runner, Step, Wrong, case
from contract.world import (
    Key,
    Logged,
    Process,
    Product,
    World,
    dword,
    folder,
    text_value,
)

MACHINE_GUID = "3f2504e0-4f89-41d3-9a0c-0305e82c3301"
_PROVIDER = "LS Data MCU"
_LOG = "Lync Server"
_MODULES = ("SkypeForBusiness", "Lync")
_CURRENT = r"SOFTWARE\Microsoft\Windows NT\CurrentVersion"


def _system(version: str, build: int, ubr: int | None) -> op.SystemReply:
    return op.SystemReply(
        computer_name="any",
        dns_domain="any",
        machine_guid=MACHINE_GUID,
        os_version=version,
        os_build=build,
        os_ubr=ubr,
        product_type="ServerNT",
        culture="any",
        ui_culture="any",
        powershell_version="any",
        clr_version="any",
        time_utc="any",
        utc_offset_minutes=0,
    )


_NOT_WINDOWS: dict[Runner, str] = {"linux": "Linux is another system: only Windows' registry says what is compared"}
_ONE_PREFIX: dict[Runner, str] = {"wine": "Wine itself reads these values, for all programs of a prefix"}


def _systems() -> list[Case]:
    newer = World(
        keys=(
            Key(
                path=_CURRENT,
                values=(
                    text_value("CurrentBuild", "14393"),
                    text_value("CurrentVersion", "6.3"),
                    dword("CurrentMajorVersionNumber", 10),
                    dword("CurrentMinorVersionNumber", 0),
                    dword("UBR", 1198),
                ),
            ),
        )
    )
    return [
        case("system-2012-r2", op.System(), _system("6.3.9600", 9600, None), left_out=_NOT_WINDOWS),
        case(
            "system-2016",
            op.System(),
            _system("10.0.14393", 14393, 1198),
            world=newer,
            alone="system-2016",
            left_out={**_NOT_WINDOWS, **_ONE_PREFIX},
        ),
    ]


def _processes() -> list[Case]:
    def state(path: str) -> op.ProcessState:
        name = path.rpartition("\\")[2].removesuffix(".exe")
        return op.ProcessState(name=name, pid=1, path=path, started_utc="any")

    one, two = folder("processes", "ContractOne.exe"), folder("processes", "Contract Two.exe")
    both = op.ProcessesReply(processes=(state(one), state(two)))
    return [
        Case(
            name="processes",
            world=World(processes=(Process(path=one), Process(path=two))),
            steps=(
                Step(op.Processes(names=("ContractOne", "nobody", "Contract Two")), both),
                Step(op.Processes(names=("contractone", "CONTRACT TWO")), both),
                Step(op.Processes(names=("ContractOne.exe",)), op.ProcessesReply(processes=())),
                Step(op.Processes(names=("Contract",)), op.ProcessesReply(processes=())),
                Step(op.Processes(names=()), op.ProcessesReply(processes=())),
            ),
        )
    ]


def _event(number: int, *strings: str) -> op.Event:
    return op.Event(id=number, record_id=1, time_utc="any", strings=strings)


def _events() -> list[Case]:
    world = World(
        logged=(
            Logged(provider=_PROVIDER, id=41025, strings=("edge01.contoso.example", "8057"), age_seconds=60),
            Logged(provider=_PROVIDER, id=41026, age_seconds=60, count=3),
            Logged(provider=_PROVIDER, id=41029, age_seconds=7200),
            Logged(provider="Other", id=41025, strings=("other",)),
            Logged(provider=_PROVIDER, id=41031, strings=("x" * 600, *("y",) * 30)),
        )
    )

    def ask(*ids: int, provider: str = _PROVIDER, seconds: int = 3600, limit: int = 100, log: str = _LOG) -> op.Events:
        return op.Events(log=log, provider=provider, ids=ids, seconds=seconds, limit=limit)

    def reply(*events: op.Event, truncated: tuple[int, ...] = ()) -> op.EventsReply:
        return op.EventsReply(log_exists=True, events=events, truncated_ids=truncated)

    first, lost = _event(41025, "edge01.contoso.example", "8057"), _event(41026)
    return [
        Case(
            name="events",
            world=world,
            steps=(
                Step(ask(41025), reply(first)),
                Step(ask(41026, 41025), reply(lost, lost, lost, first)),
                Step(ask(41026, limit=3), reply(lost, lost, lost)),
                Step(ask(41026, limit=2), reply(lost, lost, truncated=(41026,))),
                Step(ask(41026, limit=0), reply(truncated=(41026,))),
                Step(ask(41029), reply()),
                Step(ask(41029, seconds=8000), reply(_event(41029))),
                Step(ask(41025, provider="ls data mcu"), reply(first)),
                Step(ask(41025, provider="nobody"), reply()),
                Step(ask(41031), reply(_event(41031, "x" * 500, *("y",) * 19))),
                Step(ask(), reply()),
                Step(ask(41025, log="No Such Log"), op.EventsReply(log_exists=False, events=(), truncated_ids=())),
            ),
        ),
        Case(
            name="events-provider",
            steps=(
                Step(ask(1, provider="x' or '1'='1"), Wrong("invalid")),
                Step(ask(1, provider=""), Wrong("invalid")),
            ),
        ),
    ]


_PACKAGES = r"SOFTWARE\Microsoft\Windows\CurrentVersion\Component Based Servicing\Packages"
_MSI = r"SOFTWARE\Microsoft\Updates"
_MSI_32 = r"SOFTWARE\Wow6432Node\Microsoft\Updates"


def _updates() -> list[Case]:
    names = {
        "Package_for_KB4014512~31bf3856ad364e35~amd64~~6.3.1.1": 112,
        "Package_1_for_kb4014512~31bf3856ad364e35~amd64~~6.3.1.1": 80,
        "Package_for_KB40145120~31bf3856ad364e35~amd64~~6.3.1.1": 112,
        "Package_for_XKB4014512~31bf3856ad364e35~amd64~~6.3.1.1": 112,
        "Package_for_KB4014599~31bf3856ad364e35~amd64~~6.3.1.1": 0,
        "Microsoft-Windows-Foundation~31bf3856ad364e35~amd64~~6.3.1.1": 112,
    }
    keys = [Key(path=rf"{_PACKAGES}\{name}", values=(dword("CurrentState", state),)) for name, state in names.items()]
    keys += [
        Key(path=rf"{_PACKAGES}\Package_for_KB4014600_KB4014601~31bf"),
        Key(path=rf"{_MSI}\Product 64\KB4014512", values=(text_value("ThisVersionInstalled", "Y"),)),
        Key(path=rf"{_MSI}\Product 64\KB4014512v2", values=(text_value("ThisVersionInstalled", ""),)),
        Key(path=rf"{_MSI_32}\Product 32\KB4014512"),
        Key(path=rf"{_MSI_32}\Product 32\KB4014599", values=(dword("ThisVersionInstalled", 1),)),
        Key(path=rf"{_MSI_32}\Product 32\Other"),
    ]
    first, second, _, _, third, _ = names

    def cbs(kb: str, name: str) -> op.CbsPackage:
        return op.CbsPackage(kb=kb, name=name, state=names.get(name, 0))

    def msi(kb: str, product: str, view: op.View, installed: str | None) -> op.MsiUpdate:
        return op.MsiUpdate(kb=kb, product=product, view=view, installed=installed)

    asked = op.UpdatesReply(
        cbs=(cbs("KB4014512", first), cbs("KB4014512", second), cbs("KB4014599", third)),
        msi=(
            msi("KB4014512", "Product 64", "64", "Y"),
            msi("KB4014512", "Product 64", "64", ""),
            msi("KB4014512", "Product 32", "32", None),
            msi("KB4014599", "Product 32", "32", "1"),
        ),
    )
    several = op.UpdatesReply(cbs=(cbs("KB4014601", "Package_for_KB4014600_KB4014601~31bf"),), msi=())
    nothing = op.UpdatesReply(cbs=(), msi=())
    return [
        Case(
            name="updates",
            world=World(keys=tuple(keys)),
            steps=(
                Step(op.Updates(kbs=("KB4014512", "KB4014599")), asked),
                Step(op.Updates(kbs=("kb4014512", "KB4014599", "KB1")), asked),
                Step(op.Updates(kbs=("KB4014601",)), several),
                Step(op.Updates(kbs=("KB401451",)), nothing),
                Step(op.Updates(kbs=()), nothing),
            ),
        ),
        Case(
            name="updates-invalid",
            steps=tuple(
                Step(op.Updates(kbs=("KB4014512", odd)), Wrong("invalid"))
                for odd in (".*", "", "KB", "KB4014512v2", "KB1\n", " KB1", "4014512")
            ),
        ),
    ]


def _lync() -> list[Case]:
    mark = "AB" * 20
    certificates = ({"Use": "Default", "Thumbprint": mark}, {"Use": "WebServicesInternal", "Thumbprint": "CD" * 20})
    product = Product(
        module="Lync", certificates=certificates, topology="<Topology><Name>会議 &amp; more</Name></Topology>"
    )

    def ask(
        command: op.LyncCommandName, *, modules: tuple[str, ...] = _MODULES, properties: tuple[str, ...] = ()
    ) -> op.LyncCommand:
        return op.LyncCommand(command=command, modules=modules, properties=properties, seconds=40)

    def reply(module: str | None, *objects: dict[str, tuple[str, ...]], **fields: object) -> op.LyncCommandReply:
        plain = op.LyncCommandReply(module=module, denied=False, failure=None, objects=objects, text=None)
        return op.LyncCommandReply(**{**vars(plain), **fields})

    full: tuple[dict[str, tuple[str, ...]], ...] = (
        {"Use": ("Default",), "Thumbprint": (mark,)},
        {"Use": ("WebServicesInternal",), "Thumbprint": ("CD" * 20,)},
    )
    lower: tuple[dict[str, tuple[str, ...]], ...] = ({"use": ("Default",)}, {"use": ("WebServicesInternal",)})
    denied = reply("SkypeForBusiness", denied=True, failure="any")
    return [
        Case(
            name="lync",
            alone="lync",
            world=World(product=product),
            steps=(
                Step(ask("Get-CsCertificate", properties=("Use", "Thumbprint", "NoSuch")), reply("Lync", *full)),
                Step(ask("Get-CsCertificate", properties=("use",)), reply("Lync", *lower)),
                Step(ask("Get-CsCertificate"), reply("Lync", {}, {})),
                Step(ask("Get-CsCertificate", modules=("lync",)), reply("lync", {}, {})),
                Step(ask("Get-CsCertificate", modules=("SkypeForBusiness",)), reply(None)),
                Step(ask("Get-CsCertificate", modules=()), reply(None)),
                Step(ask("Get-CsTopology"), reply("Lync", text=product.topology)),
            ),
        ),
        Case(
            name="lync-denied",
            alone="lync-denied",
            world=World(product=Product(module="SkypeForBusiness", denied=True)),
            steps=(Step(ask("Get-CsCertificate"), denied), Step(ask("Get-CsTopology"), denied)),
        ),
        Case(
            name="lync-empty",
            alone="lync-empty",
            world=World(product=Product(module="SkypeForBusiness")),
            steps=(
                Step(ask("Get-CsCertificate", properties=("Use",)), reply("SkypeForBusiness")),
                Step(ask("Get-CsTopology"), reply("SkypeForBusiness")),
            ),
        ),
        case("lync-no-module", ask("Get-CsTopology"), reply(None)),
        Case(
            name="lync-not-allowed",
            steps=(
                Step(ask("Get-CsTopology", modules=("/tmp/evil.psm1",)), Wrong("invalid")),
                Step(ask("Get-CsTopology", modules=("Lync", "..\\Lync")), Wrong("invalid")),
                Step(ask("Set-CsCertificate"), Wrong("invalid")),  # type: ignore[arg-type]
                Step(ask(""), Wrong("invalid")),  # type: ignore[arg-type]
            ),
        ),
    ]


def system() -> list[Case]:
    return [*_systems(), *_processes(), *_events(), *_updates(), *_lync()]
