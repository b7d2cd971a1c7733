# Copyright (c) 2026, the sfb.kb4023993 contributors
# GNU General Public License v3.0-or-later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The operations of workaround 1 that call the product's commands, against commands with the documented parameters of each version."""

from __future__ import annotations

import dataclasses
import re
import typing as t
from pathlib import Path

import pytest
from ansible_collections.sfb.kb4023993.plugins.plugin_utils.host import certificate_operations as c
from ansible_collections.sfb.kb4023993.plugins.plugin_utils.host import operations as o
from ansible_collections.sfb.kb4023993.plugins.plugin_utils.host.wire import Reply
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from lab import pki
from powershell.product_module import MODULES, Call, Given, commands, documented, read_calls, write_module
from powershell.runner import Engine

BOTH = ("SkypeForBusiness", "Lync")
VERSIONS = ("2010", "2013", "2015", "2019")
HOSTILE = 'O\'Brien "& Söhne" $(exit 9) `n ${env:PATH} \u2019; | <>\r\nline\t2 会議'
NO_CONFIRMATION = ("SwitchParameter", ("False",))
YES, NO = ("Boolean", ("True",)), ("Boolean", ("False",))
ON = ("SwitchParameter", ("True",))


@dataclasses.dataclass(frozen=True)
class Product:
    """An engine with the product's module, and what was called there; ``temporary``: the folder for temporary files."""

    engine: Engine
    calls_file: Path
    temporary: Path

    def run(self, *batch: o.Operation) -> tuple[Reply, ...]:
        """Run a batch; nothing of it may stay on disk."""
        replies = self.engine.run(*batch)
        assert list(self.temporary.iterdir()) == []
        return replies

    def ask(self, operation: o.Operation) -> t.Any:
        (reply,) = self.run(operation)
        assert reply.error is None, reply.error
        return reply.value

    def calls(self) -> list[Call]:
        return read_calls(self.calls_file)


Make = t.Callable[..., Product]


@pytest.fixture
def product(engine: Engine, tmp_path: Path) -> Make:
    def make(version: str | None, *, trouble: str = "", pool: str = "", base: Engine = engine) -> Product:
        if version:
            write_module(version, tmp_path / "modules")
        temporary = tmp_path / "temporary"
        temporary.mkdir(exist_ok=True)
        calls = tmp_path / "calls"
        variables = {
            "PSModulePath": str(tmp_path / "modules"),
            "PRODUCT_CALLS": str(calls),
            "PRODUCT_TROUBLE": trouble,
            "PRODUCT_POOL": pool,
            "TMPDIR": str(temporary),
            # .NET would put sockets for debuggers there.
            "DOTNET_EnableDiagnostics": "0",
        }
        return Product(Engine(base.program, {**base.variables, **variables}), calls, temporary)

    return make


REQUEST = c.LyncRequest(
    modules=BOTH,
    use="Default",
    friendly_name="KB4023993 Default 1",
    names=("pool01.contoso.com", "fe01.contoso.com", "sip.contoso.com"),
    key_size=2048,
    exportable=True,
)
CERTIFICATE = pki.root_authority("Commands Root").issue("fe01.contoso.com")
IMPORT = c.LyncImport(modules=BOTH, certificate=CERTIFICATE.der, exportable=False)
ASSIGN = c.LyncAssign(modules=BOTH, uses=("Default", "WebServicesInternal"), thumbprint="AB" * 20)
STOP = c.LyncServices(modules=BOTH, action="stop")
FAILOVER = c.LyncFailover(modules=BOTH, action="failover", computer="fe01.contoso.com", seconds=40)
GATE = c.LyncGate(modules=BOTH)
# Each operation with the command that it has to call.
CALLS: tuple[tuple[t.Any, str], ...] = (
    (REQUEST, "Request-CsCertificate"),
    (IMPORT, "Import-CsCertificate"),
    (ASSIGN, "Set-CsCertificate"),
    (STOP, "Stop-CsWindowsService"),
    (dataclasses.replace(STOP, action="start"), "Start-CsWindowsService"),
    (FAILOVER, "Invoke-CsComputerFailOver"),
    (dataclasses.replace(FAILOVER, action="failback"), "Invoke-CsComputerFailBack"),
)


def test_the_modules_have_what_the_reference_says() -> None:
    """The table behind all of this: where versions differ."""
    assert set(commands("2010")) < set(commands("2013")) < set(commands("2015"))
    assert set(commands("2013")) - set(commands("2010")) == {"Get-CsPoolUpgradeReadinessState"}
    assert set(commands("2019")) ^ set(commands("2015")) == {
        *("Get-CsPoolUpgradeReadinessState", "Get-CsUpgradeDomainInfo")
    }
    newer = {(row.command, row.name) for row in documented() if row.name and "2010" not in row.versions}
    assert ("Request-CsCertificate", "AllSipDomain") in newer
    assert ("Set-CsCertificate", "Identity") in newer
    assert not {("Request-CsCertificate", "ClientEKU"), ("Stop-CsWindowsService", "NoWait")} & newer


@pytest.mark.parametrize("version", VERSIONS)
def test_every_command_is_called_as_its_version_documents_it(product: Make, version: str) -> None:
    there = product(version)
    operations = [(operation, name) for operation, name in CALLS if name in commands(version)]
    replies = there.run(*(operation for operation, _ in operations))
    for reply in replies:
        assert reply.error is None, reply.error
        value = reply.value
        assert (value.module, value.denied, value.failure) == (MODULES[version], False, None)
    called = [call.command for call in there.calls() if not call.command.startswith("imported")]
    assert called == [name for _, name in operations]


def test_a_request_of_the_product(product: Make) -> None:
    there = product("2010")
    reply = there.ask(dataclasses.replace(REQUEST, organization="Contoso", country="DE"))
    csr = x509.load_pem_x509_csr(reply.csr.encode())
    assert reply.csr.startswith("-----BEGIN NEW CERTIFICATE REQUEST-----\r\n")
    assert csr.is_signature_valid
    assert csr.public_key().key_size == 2048  # type: ignore[union-attr]
    names = csr.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert tuple(names.get_values_for_type(x509.DNSName)) == REQUEST.names
    usages = csr.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    assert [usage.dotted_string for usage in usages] == [pki.SERVER_AUTH, pki.CLIENT_AUTH]
    (call,) = there.calls()
    assert call.parameters.pop("Output")[0] == "String"
    assert call.parameters == {
        "New": ON,
        "Type": ("CertType[]", ("Default",)),
        "FriendlyName": ("String", ("KB4023993 Default 1",)),
        "DomainName": ("String", ("pool01.contoso.com,fe01.contoso.com,sip.contoso.com",)),
        "KeySize": ("Int32", ("2048",)),
        "ClientEKU": YES,
        "PrivateKeyExportable": YES,
        "Organization": ("String", ("Contoso",)),
        "Country": ("String", ("DE",)),
        "Confirm": NO_CONFIRMATION,
    }
    assert (reply.module, reply.denied, reply.failure, reply.exit_code) == ("Lync", False, None, None)


def test_texts_stay_data(product: Make) -> None:
    there = product("2015")
    asked = dataclasses.replace(
        REQUEST,
        friendly_name=HOSTILE,
        organization=HOSTILE[:60],
        unit="$(1/0)",
        city="-Force",
        state="@x",
        country="DE",
    )
    reply = there.ask(asked)
    (call,) = there.calls()
    expected = {"FriendlyName": HOSTILE, "Organization": HOSTILE[:60], "OU": "$(1/0)", "City": "-Force", "State": "@x"}
    assert {name: call.parameters[name] for name in expected} == {
        name: ("String", (text,)) for name, text in expected.items()
    }
    assert "Force" not in call.parameters
    subject = x509.load_pem_x509_csr(reply.csr.encode()).subject
    assert [name.value for name in subject.get_attributes_for_oid(x509.NameOID.ORGANIZATION_NAME)] == [HOSTILE[:60]]


def test_an_import(product: Make) -> None:
    there = product("2013")
    first = there.ask(IMPORT)
    assert first == c.LyncOutcome(module="Lync", denied=False, failure=None)
    there.ask(dataclasses.replace(IMPORT, exportable=True))
    call, imported, second, _ = there.calls()
    assert call.parameters.pop("Path")[1][0].startswith(str(there.temporary))
    assert call.parameters == {"PrivateKeyExportable": NO, "Confirm": NO_CONFIRMATION}
    assert second.parameters["PrivateKeyExportable"] == YES
    assert imported.command == f"imported {CERTIFICATE.certificate.fingerprint(hashes.SHA1()).hex().upper()}"


def test_an_assignment(product: Make) -> None:
    there = product("2010")
    assert there.ask(ASSIGN) == c.LyncOutcome(module="Lync", denied=False, failure=None)
    (call,) = there.calls()
    assert call.parameters == {
        "Type": ("CertType[]", ("Default", "WebServicesInternal")),
        "Thumbprint": ("String", ("AB" * 20,)),
        "Confirm": NO_CONFIRMATION,
    }


def test_all_services(product: Make) -> None:
    there = product("2010")
    actions: tuple[c.ServicesAction, ...] = ("stop", "stop_graceful", "start")
    there.run(*(dataclasses.replace(STOP, action=action) for action in actions))
    common: dict[str, Given] = {"NoWait": ON, "Confirm": NO_CONFIRMATION}
    assert there.calls() == [
        Call("Stop-CsWindowsService", common),
        Call("Stop-CsWindowsService", {**common, "Graceful": ON}),
        Call("Start-CsWindowsService", common),
    ]


def test_failover_is_of_one_computer(product: Make) -> None:
    there = product("2015")
    there.run(FAILOVER, dataclasses.replace(FAILOVER, action="failback"))
    common: dict[str, Given] = {"ComputerName": ("String", ("fe01.contoso.com",)), "Confirm": NO_CONFIRMATION}
    assert there.calls() == [Call("Invoke-CsComputerFailOver", common), Call("Invoke-CsComputerFailBack", common)]


def test_a_command_that_the_version_lacks(product: Make) -> None:
    there = product("2013")
    value = there.ask(FAILOVER)
    assert (value.module, value.denied) == ("Lync", False)
    assert "Invoke-CsComputerFailOver" in value.failure


@pytest.mark.parametrize(
    ("pool", "state", "domains"),
    [
        (
            "documented",
            "Ready",
            (
                c.UpgradeDomain(name="UD1", front_ends=("fe01.contoso.com",), ready=True),
                c.UpgradeDomain(name="UD2", front_ends=("fe02.contoso.com", "fe03.contoso.com"), ready=False),
            ),
        ),
        ("objects", "Friday", (c.UpgradeDomain(name="1", front_ends=("fe01",), ready=True),)),
        ("bare", None, (c.UpgradeDomain(name="", front_ends=(), ready=None),)),
        ("nothing", None, ()),
    ],
)
@pytest.mark.parametrize("version", ["2013", "2019"])
def test_the_state_of_a_pool(
    product: Make, version: str, pool: str, state: str | None, domains: tuple[c.UpgradeDomain, ...]
) -> None:
    there = product(version, pool=pool)
    expected = c.LyncGateReply(module=MODULES[version], denied=False, failure=None, state=state, domains=domains)
    assert there.ask(GATE) == expected
    names = {"2013": "Get-CsPoolUpgradeReadinessState", "2019": "Get-CsUpgradeDomainInfo"}
    assert there.calls() == [Call(names[version], {})]


def test_a_product_without_pool_state(product: Make) -> None:
    value = product("2010").ask(GATE)
    assert (value.module, value.state, value.domains) == ("Lync", None, ())
    assert "Get-CsUpgradeDomainInfo" in value.failure


ALL = (*(operation for operation, _ in CALLS), GATE)


def test_no_module(product: Make) -> None:
    for reply in product(None).run(*ALL):
        assert reply.error is None
        assert (reply.value.module, reply.value.denied, reply.value.failure) == (None, False, None)


@pytest.mark.parametrize("trouble", ["denied", "fails", "complains"])
def test_what_the_product_refuses_is_a_reply(product: Make, trouble: str) -> None:
    expected = {
        "denied": (True, "Zugriff verweigert"),
        "fails": (False, "The computer does not need a certificate."),
        "complains": (False, "one of them"),
    }
    for operation, name in (*CALLS[:3], (GATE, "Get-CsPoolUpgradeReadinessState")):
        there = product("2015" if operation is REQUEST else None, trouble=f"{name} {trouble}", pool="documented")
        value = there.ask(operation)
        assert (value.module, (value.denied, value.failure)) == ("SkypeForBusiness", expected[trouble])
        if operation is REQUEST:
            # An error that does not end the command is no reason to lose what it made.
            assert (value.csr is not None) == (trouble == "complains")


def test_a_command_that_hangs_is_given_up_and_leaves_nothing_on_disk(product: Make) -> None:
    for operation, name in (CALLS[0], CALLS[1], CALLS[5]):
        there = product("2015" if operation is REQUEST else None, trouble=f"{name} hangs")
        hung, after = there.run(dataclasses.replace(operation, seconds=4), o.System())
        assert hung.error is not None
        assert (hung.error.type, name in hung.error.message) == ("deadline", True)
        assert after.error is None


def test_what_may_not_be_asked(product: Make) -> None:
    there = product("2015")
    evil: t.Any = ("/tmp/evil.psm1",)
    asked: list[t.Any] = [dataclasses.replace(operation, modules=evil) for operation in ALL]
    asked += [
        dataclasses.replace(REQUEST, use=t.cast("c.CertificateUse", "OAuthTokenIssuer")),
        dataclasses.replace(REQUEST, names=("a.contoso.com,b.contoso.com",)),
        dataclasses.replace(REQUEST, names=("a b",)),
        dataclasses.replace(IMPORT, certificate=b"no certificate"),
        dataclasses.replace(ASSIGN, uses=()),
        dataclasses.replace(ASSIGN, uses=t.cast("t.Any", ("Default", "AudioVideoAuthentication"))),
        dataclasses.replace(ASSIGN, thumbprint=""),
        dataclasses.replace(ASSIGN, thumbprint="AB" * 20 + "\n"),
        dataclasses.replace(STOP, action=t.cast("c.ServicesAction", "restart")),
        dataclasses.replace(FAILOVER, computer=""),
        dataclasses.replace(FAILOVER, computer="fe01; x"),
    ]
    assert [reply.error.type if reply.error else reply for reply in there.run(*asked)] == ["invalid"] * len(asked)
    assert there.calls() == []


@pytest.mark.parametrize("language", ["de_DE", "ar_SA", "th_TH", "tr_TR", "fa_IR", "ja_JP"])
def test_languages_change_nothing(product: Make, cultural: Engine, language: str) -> None:
    base = Engine(cultural.program, {**cultural.variables, "LC_ALL": f"{language}.UTF-8", "LANG": f"{language}.UTF-8"})
    there = product("2013", pool="documented", base=base)
    request, gate, assign, system = there.run(REQUEST, GATE, ASSIGN, o.System())
    assert re.match("-+BEGIN NEW CERTIFICATE REQUEST-+\r\n", request.value.csr)
    assert [(domain.name, domain.ready) for domain in gate.value.domains] == [("UD1", True), ("UD2", False)]
    assert assign.value.failure is None
    assert there.calls()[0].parameters["KeySize"] == ("Int32", ("2048",))
    assert system.value.culture == language.replace("_", "-")
