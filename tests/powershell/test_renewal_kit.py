# Copyright (c) 2026, the sfb.kb4023993 contributors
# GNU General Public License v3.0-or-later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""request.ps1 and install.ps1, really started, against commands with the documented parameters of each version of the product.

.NET on Linux has no certificate stores of the computer, so the tests let install.ps1 work on those of a user; nothing else is changed in it.
"""

from __future__ import annotations

import dataclasses
import datetime
import hashlib
import typing as t
from pathlib import Path

import pytest
from ansible_collections.sfb.kb4023993.plugins.plugin_utils.offline.collecting import Files
from ansible_collections.sfb.kb4023993.plugins.plugin_utils.offline.renewing import (
    friendly_name,
    install_files,
    request_files,
)
from ansible_collections.sfb.kb4023993.plugins.plugin_utils.renewal.replacements import Replacement
from ansible_collections.sfb.kb4023993.plugins.plugin_utils.renewal.subject import Subject
from ansible_collections.sfb.kb4023993.plugins.plugin_utils.rules.role_certificate import thumbprint
from ansible_collections.sfb.kb4023993.plugins.plugin_utils.signing.bundle import to_pem
from ansible_collections.sfb.kb4023993.plugins.plugin_utils.signing.csr import read_csr
from ansible_collections.sfb.kb4023993.plugins.plugin_utils.signing.records import New, Record, new_record
from cryptography.hazmat.primitives.serialization import NoEncryption, pkcs12
from lab import pki
from powershell.product_module import Call, read_calls, write_module
from powershell.runner import Engine
from powershell.script_file import Started, start

NAMES: t.Final = ("edgepool.contoso.com", "edge01.contoso.com")
BOTH: t.Final = ("SkypeForBusiness", "Lync")
ROOT: t.Final = pki.root_authority("Kit Root CA")
ISSUING: t.Final = ROOT.subordinate("Kit Issuing CA")
OLD: t.Final = ISSUING.issue(NAMES[0], dns_names=list(NAMES))
NEW: t.Final = ISSUING.issue(NAMES[0], dns_names=list(NAMES), eku=[pki.SERVER_AUTH, pki.CLIENT_AUTH])
OLD_MARK, NEW_MARK = thumbprint(OLD.der), thumbprint(NEW.der)
# What the commands of the product do that the tables of their parameters do not say; put behind the module's own functions.
_WORLD: t.Final = """
$assignedFile = $env:KIT_ASSIGNED
function Get-CsCertificate {
    [CmdletBinding()] param([CertType[]]$Type)
    Write-Call 'Get-CsCertificate' $PSBoundParameters
    New-Thing @{ Use = 'Internal'; Thumbprint = [IO.File]::ReadAllText($assignedFile) }
}
function Take-Certificate($bound) {
    if (-not $env:KIT_PFX) { return }
    $flags = [Security.Cryptography.X509Certificates.X509KeyStorageFlags]'PersistKeySet, Exportable'
    $own = [Security.Cryptography.X509Certificates.X509Certificate2]::new($env:KIT_PFX, '', $flags)
    $store = [Security.Cryptography.X509Certificates.X509Store]::new('My', 'CurrentUser')
    $store.Open('ReadWrite')
    $store.Add($own)
    $store.Close()
}
function Keep-Assignment($bound) { [IO.File]::WriteAllText($assignedFile, $bound['Thumbprint']) }
function Read-Host($Prompt) {
    Write-Call 'Read-Host' $PSBoundParameters
    $env:KIT_ANSWER
}
Export-ModuleMember -Function Get-CsCertificate, Read-Host
"""


def replacement(**changes: t.Any) -> Replacement:
    chosen = Replacement(
        id="edge01 Internal",
        servers=("edge01",),
        uses=("Internal",),
        role="edge",
        pool=NAMES[0],
        certificate=OLD.der,
        thumbprint=OLD_MARK,
        subject=Subject(common_name=NAMES[0], organization="Contoso, Inc.", city="Köln"),
        names=NAMES,
        exportable=False,
        modules=BOTH,
        method="cmdlet",
        machine_guid=None,
        step="planned",
        reason="",
    )
    return dataclasses.replace(chosen, **changes)


def record(*servers: str) -> Record:
    now = datetime.datetime.now(datetime.timezone.utc)
    planned = new_record(servers=servers or ("edge01",), uses=["Internal"], replaces=OLD.der, at=now)
    new = New(
        thumbprint=NEW_MARK,
        subject=f"CN={NAMES[0]}",
        names=NAMES,
        not_after_utc="2030-01-01T00:00:00Z",
        template=None,
        certificate=to_pem(NEW.der),
        chain=(to_pem(ISSUING.der), to_pem(ROOT.der)),
    )
    return planned.moved("verified", "", at=now, new=new)


class Server:
    """A server with the product's module, stores, and a person who answers."""

    def __init__(self, engine: Engine, directory: Path, version: str | None) -> None:
        self.engine = engine
        self.calls_file = directory / "calls"
        self.assigned = directory / "assigned"
        self.folder = directory / "carried over"
        self.folder.mkdir(parents=True)
        self.assigned.write_text(OLD_MARK, "ascii")
        (directory / "home").mkdir()
        pfx = directory / "new.pfx"
        pfx.write_bytes(pkcs12.serialize_key_and_certificates(None, NEW.key, NEW.certificate, None, NoEncryption()))
        self.variables = {
            "PSModulePath": str(directory / "modules"),
            "PRODUCT_CALLS": str(self.calls_file),
            "PRODUCT_TROUBLE": "",
            "HOME": str(directory / "home"),
            "KIT_ASSIGNED": str(self.assigned),
            "KIT_PFX": str(pfx),
            "KIT_ANSWER": "yes",
            "SystemRoot": str(directory / "Windows"),
        }
        if version:
            name = write_module(version, directory / "modules")
            module = directory / "modules" / name / f"{name}.psm1"
            text = module.read_text("utf-8-sig")
            # Assigning has a consequence that is looked at afterwards.
            text = text.replace("    Exit-Trouble 'Set-CsCertificate'", "    Keep-Assignment $PSBoundParameters")
            module.write_text(text + _WORLD, "utf-8-sig")

    def put(self, step: str, files: Files) -> Path:
        path = self.folder / step
        path.mkdir(exist_ok=True)
        for name, data in files.items():
            (path / name).write_bytes(data)
        return path

    def install(self, files: Files, **variables: str) -> Started:
        """Start install.ps1, with a collect.ps1 beside its folder that only says that it was started."""
        (self.folder / "collect.ps1").write_bytes(b"$Host.UI.WriteLine('COLLECTED')\r\nexit 0\r\n")
        path = self.put("3-install", files) / "install.ps1"
        path.write_bytes(path.read_bytes().replace(b"'LocalMachine'", b"'CurrentUser'"))
        return start(self.engine, path, **{**self.variables, **variables})

    def request(self, files: Files, **variables: str) -> Started:
        return start(self.engine, self.put("1-request", files) / "request.ps1", **{**self.variables, **variables})

    def calls(self, *names: str) -> list[Call]:
        return [call for call in read_calls(self.calls_file) if not names or call.command in names]

    def changes(self) -> list[str]:
        """The commands that change something, in the order in which they were called."""
        return [call.command for call in self.calls() if not call.command.startswith(("Get-", "Read-", "imported"))]


Make = t.Callable[..., Server]


@pytest.fixture
def server(engine: Engine, tmp_path: Path) -> Make:
    return lambda version="2015": Server(engine, tmp_path, version)


# ---- request.ps1


@pytest.mark.parametrize("version", ["2010", "2013", "2015", "2019"])
def test_a_request_is_made_with_the_names_of_the_current_certificate(server: Make, version: str) -> None:
    edge = server(version)
    done = edge.request(request_files(replacement(), key_size=2048))
    assert done.code == 0, done.output
    csr = read_csr((edge.folder / "1-request" / "request.req").read_bytes())
    assert csr.names.all == frozenset(NAMES)
    (call,) = edge.calls()
    assert call.command == "Request-CsCertificate"
    given = {name: texts for name, (_kind, texts) in call.parameters.items()}
    assert given.pop("FriendlyName")[0].startswith(f"{friendly_name(replacement())} 20")
    assert given == {
        "New": ("True",),
        "Type": ("Internal",),
        "KeySize": ("2048",),
        "PrivateKeyExportable": ("False",),
        "ClientEKU": ("True",),
        "DomainName": (",".join(NAMES),),
        "Output": (str(edge.folder / "1-request" / "request.req"),),
        "Confirm": ("False",),
        "ErrorAction": ("Stop",),
    }


def test_a_request_that_is_there_is_not_replaced(server: Make) -> None:
    edge = server()
    files = request_files(replacement(exportable=True), key_size=2048)
    assert edge.request(files).code == 0
    before = (edge.folder / "1-request" / "request.req").read_bytes()
    again = edge.request(files)
    assert (again.code, len(edge.calls())) == (1, 1)
    assert "request.req is there already" in again.output
    assert (edge.folder / "1-request" / "request.req").read_bytes() == before
    assert edge.calls()[0].parameters["PrivateKeyExportable"][1] == ("True",)


def test_a_command_that_fails_stops_the_script(server: Make) -> None:
    edge = server()
    done = edge.request(request_files(replacement(), key_size=2048), PRODUCT_TROUBLE="Request-CsCertificate fails")
    assert done.code == 1
    assert "Stopped: The computer does not need a certificate." in done.output
    assert "Done" not in done.output


@pytest.mark.parametrize("exit_code", [0, 3])
def test_without_the_module_certreq_makes_it_by_the_inf_file(server: Make, exit_code: int) -> None:
    edge = server(None)
    program = Path(edge.variables["SystemRoot"]) / "System32" / "certreq.exe"
    program.parent.mkdir(parents=True)
    program.write_text(
        f'#!/bin/sh\nprintf "%s\\n" "$@" > "{edge.calls_file}"\n[ {exit_code} = 0 ] && : > "$3"\nexit {exit_code}\n',
        "utf-8",
    )
    program.chmod(0o755)
    done = edge.request(request_files(replacement(), key_size=2048))
    step = edge.folder / "1-request"
    assert edge.calls_file.read_text("utf-8").splitlines() == [
        "-new",
        str(step / "request.inf"),
        str(step / "request.req"),
    ]
    assert (done.code, (step / "request.req").exists()) == ((0, True) if exit_code == 0 else (1, False))
    # A city beyond ASCII: Windows reads that in UTF-16 with its mark.
    assert "Köln" in (step / "request.inf").read_bytes().decode("utf-16")


# ---- install.ps1


def installation(*servers: str, host: str = "edge01") -> Files:
    return install_files(record(*servers), host, old=OLD_MARK, modules=BOTH)


def test_the_new_certificate_gets_into_use_and_a_second_start_changes_nothing(server: Make) -> None:
    edge = server()
    done = edge.install(installation())
    assert done.code == 0, done.output
    assert edge.changes() == [
        *("Import-CsCertificate", "Set-CsCertificate", "Stop-CsWindowsService", "Start-CsWindowsService")
    ]
    (assign,) = edge.calls("Set-CsCertificate")
    given = {name: texts for name, (_kind, texts) in assign.parameters.items()}
    told = {"Confirm": ("False",), "ErrorAction": ("Stop",)}
    assert given == {"Type": ("Internal",), "Thumbprint": (NEW_MARK,), **told}
    (taken,) = edge.calls("Import-CsCertificate")
    assert taken.parameters["PrivateKeyExportable"][1] == ("False",)
    assert "COLLECTED" in done.output
    assert f"Set-CsCertificate -Type Internal -Thumbprint {OLD_MARK}" in done.output
    assert f"Added to the store Root: {ROOT.certificate.subject.rfc4514_string()}" in done.output
    assert "Added to the store CA: CN=Kit Issuing CA" in done.output

    before = len(edge.changes())
    again = edge.install(installation(), KIT_ANSWER="no")
    assert (again.code, len(edge.changes())) == (2, before)
    assert "already" in again.output


@pytest.mark.parametrize("answer", ["no", "", "y", "YES PLEASE"])
def test_nothing_is_restarted_unless_somebody_says_yes(server: Make, answer: str) -> None:
    edge = server()
    done = edge.install(installation(), KIT_ANSWER=answer)
    assert done.code == 2
    assert edge.changes() == ["Import-CsCertificate", "Set-CsCertificate"]
    assert "COLLECTED" not in done.output
    assert "what is done stays done" in done.output


def test_a_certificate_without_its_key_is_not_assigned(server: Make) -> None:
    edge = server()
    done = edge.install(installation(), KIT_PFX="")
    assert done.code == 1
    assert "the key of its request is not on this server" in done.output
    assert edge.changes() == ["Import-CsCertificate"]


def test_what_somebody_assigned_meanwhile_is_left_alone(server: Make) -> None:
    edge = server()
    edge.assigned.write_text("AB" * 20, "ascii")
    done = edge.install(installation())
    assert done.code == 1
    assert "somebody changed it" in done.output
    assert "Set-CsCertificate" not in edge.changes()


@pytest.mark.parametrize("command", ["Import-CsCertificate", "Set-CsCertificate", "Stop-CsWindowsService"])
def test_the_first_error_stops_it_and_a_second_start_goes_on(server: Make, command: str) -> None:
    edge = server()
    broken = edge.install(installation(), PRODUCT_TROUBLE=f"{command} fails")
    assert broken.code == 1
    assert edge.changes()[-1] == command
    assert "Stopped:" in broken.output
    assert "COLLECTED" not in broken.output
    done = edge.install(installation())
    assert done.code == 0, done.output
    assert edge.assigned.read_text("ascii") == NEW_MARK


@pytest.mark.parametrize("name", ["certificate.cer", "ca-1.cer"])
def test_files_that_are_not_of_this_kit_are_refused(server: Make, name: str) -> None:
    edge = server()
    files = installation()
    other = ISSUING.issue("evil.contoso.com").der
    done = edge.install({**files, name: other})
    assert done.code == 1
    assert f"{name} is not the file that belongs to this kit" in done.output
    assert edge.changes() == []


def test_another_member_of_the_pool_waits_for_the_key(server: Make) -> None:
    edge = server()
    files = installation("edge01", "edge02", host="edge02")
    done = edge.install(files)
    assert done.code == 1
    assert "Import the PFX file of the first server" in done.output
    assert edge.changes() == []


def test_a_server_without_the_module_is_left_alone(server: Make) -> None:
    edge = server(None)
    done = edge.install(installation())
    assert done.code == 1
    assert "no PowerShell module of the product" in done.output
    assert not (Path(edge.variables["HOME"]) / ".dotnet").exists()


def test_each_script_names_the_certificates_of_its_record() -> None:
    files = installation()
    text = files["install.ps1"].decode("ascii")
    assert f"$thumbprint = '{NEW_MARK}'" in text
    assert f"$certificateHash = '{hashlib.sha256(NEW.der).hexdigest()}'" in text
    assert [files["ca-1.cer"], files["ca-2.cer"]] == [ROOT.der, ISSUING.der]
    assert "$authorityStores = @('Root', 'CA')" in text
