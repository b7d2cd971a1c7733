# Copyright (c) 2026, the sfb.kb4023993 contributors
# GNU General Public License v3.0-or-later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The servers of the lab answer exactly the shipped scripts, in the form of the wire, with the odd ways of real servers."""

from __future__ import annotations

import dataclasses
import typing as t

import pytest
import yaml
from ansible_collections.sfb.kb4023993.plugins.plugin_utils import topology
from ansible_collections.sfb.kb4023993.plugins.plugin_utils.host import operations as op
from ansible_collections.sfb.kb4023993.plugins.plugin_utils.host import wire
from lab import client, pki, trust
from lab.agent import HOST_SCRIPTS
from lab.deployment import Deployment
from lab.scenario import SCENARIOS, load, parse

NONCE = "00112233445566ff"
SYSTEM = (op.System(),)
LYNC = ("SkypeForBusiness", "Lync")


def small(**entries: t.Any) -> Deployment:
    data = yaml.safe_load((SCENARIOS / "small.yml").read_text(encoding="utf-8"))
    data["servers"]["fe01"].update(entries)
    return Deployment(parse(data))


@pytest.fixture(scope="module")
def demo() -> Deployment:
    return Deployment(load("demo"))


def test_only_the_shipped_bootstrap_runs() -> None:
    deployment = small()
    command = client.invocation("fe01", SYSTEM, nonce=NONCE)
    assert client.execute(deployment, command).exit_code == 0
    spaced = "\r\n\r\n".join(f"  {line}" for line in command.script.splitlines())
    assert client.execute(deployment, dataclasses.replace(command, script=spaced)).exit_code == 0
    for other in (command.script + "\nexit 0", command.script.replace("Stop", "Continue", 1), "whoami"):
        execution = client.execute(deployment, dataclasses.replace(command, script=other))
        assert execution.exit_code == 1
        assert b"not the shipped bootstrap.ps1" in execution.stderr


def test_only_the_shipped_script_runs_byte_for_byte(monkeypatch: pytest.MonkeyPatch) -> None:
    deployment = small()
    monkeypatch.setattr(client, "shipped_batch", lambda **_: (HOST_SCRIPTS / "batch.ps1").read_bytes() + b" ")
    execution = client.execute(deployment, client.invocation("fe01", SYSTEM, nonce=NONCE))
    assert execution.exit_code == 1
    assert b"not the shipped batch.ps1" in execution.stderr


def test_bad_data_is_told_as_the_bootstrap_tells_it() -> None:
    command = dataclasses.replace(client.invocation("fe01", SYSTEM, nonce=NONCE), stdin="System.Byte[]")
    execution = client.execute(small(), command)
    assert (execution.exit_code, execution.stdout) == (3, b"[[sfb.kb4023993!bad_data]]\r\n")


@pytest.mark.parametrize("quirk", ["constrained_language", "powershell_too_old"])
def test_powershell_that_cannot_run_a_batch_prints_a_mark(quirk: str) -> None:
    execution = client.execute(small(quirks={quirk: True}), client.invocation("fe01", SYSTEM, nonce=NONCE))
    assert (execution.exit_code, execution.stdout.decode()) == (3, f"[[sfb.kb4023993!{quirk}]]\r\n")


@pytest.mark.parametrize("quirk", ["process_32_bit", "not_elevated"])
def test_a_process_that_must_not_run_a_batch_refuses_it(quirk: str) -> None:
    execution = client.execute(small(quirks={quirk: True}), client.invocation("fe01", SYSTEM, nonce=NONCE))
    replies, failure = wire.decode_reply(execution.stdout.decode("ascii"), SYSTEM, nonce=NONCE)
    assert replies == ()
    assert failure is not None
    assert failure.type == quirk


def test_a_reply_is_ascii_without_blanks_in_lines_of_bounded_length(demo: Deployment) -> None:
    operations = (op.Certificates(store="My"), op.RegistryList(path=r"SOFTWARE\Microsoft\Windows NT\CurrentVersion"))
    execution = client.execute(demo, client.invocation("ly13-fe01", operations, nonce=NONCE))
    lines = execution.stdout.decode("ascii").split("\r\n")
    assert max(map(len, lines)) == 4000
    assert " " not in execution.stdout.decode("ascii")
    replies, failure = wire.decode_reply("\n".join(lines), operations, nonce=NONCE)
    assert failure is None
    assert [reply.error for reply in replies] == [None, None]
    values = {value.name: value.data for value in replies[1].value.values}
    assert values["ProductName"] == "Windows Server 2012 Standard"


def test_every_operation_of_every_server_answers_in_its_type(demo: Deployment) -> None:
    leaf = demo.hosts["sfb-fe01"].stores.entries("My")[0].certificate
    key = r"SOFTWARE\Contoso"
    operations: list[op.Operation] = [
        op.System(),
        op.RegistryRead(path=key, name="x"),
        op.RegistryList(path=key),
        op.RegistrySet(path=key, name="x", kind="string", data=("1",)),
        op.RegistryDelete(path=key, name="x", prune=True),
        op.FileInfo(path=r"%windir%\Microsoft.NET\Framework64\v4.0.30319\System.dll"),
        op.FileRead(path=".config", service="RTCDATAMCU"),
        op.FileSearch(path=r"%windir%\nothing.dll", patterns=(b"x",)),
        op.Services(names=("RTCDATAMCU", "RTCDATAPROXY")),
        op.Processes(names=("DataMCUSvc",)),
        op.Certificates(store="My"),
        op.ChainCheck(certificate=leaf, issuers=(), oid=trust.CLIENT_AUTH),
        op.TlsPeer(host="", port=5061),
        op.Events(log="Lync Server", provider="LS Data MCU", ids=(41025, 41026), seconds=3600),
        op.Updates(kbs=("KB4014512",)),
        op.LyncCommand(command="Get-CsCertificate", modules=LYNC, properties=("Use",)),
        op.LyncCommand(command="Get-CsTopology", modules=LYNC),
    ]
    assert {type(operation) for operation in operations} == set(op.OPERATIONS) - {op.ServiceRestart}
    for name in demo.hosts:
        for reply in client.replies(demo, name, *operations):
            assert reply.error is None, f"{name}: {reply.operation.NAME}: {reply.error}"
            assert type(reply.value) is reply.operation.REPLY


def test_a_batch_can_stop_at_the_first_error_or_refusal() -> None:
    deployment = small()
    write = op.RegistrySet(path=r"SOFTWARE\Contoso", name="x", kind="dword", data=("1",))
    wrong = dataclasses.replace(write, expect="value", expect_kind="dword", expect_data=("5",))
    last = dataclasses.replace(write, name="y")
    replies = client.replies(deployment, "fe01", wrong, last, last, stop_on_error=True)
    assert replies[0].value.refused
    assert [reply.error.type if reply.error else None for reply in replies[1:]] == ["skipped", "skipped"]
    assert deployment.hosts["fe01"].registry.read(r"SOFTWARE\Contoso", "y") is None
    client.replies(deployment, "fe01", wrong, last)
    assert deployment.hosts["fe01"].registry.read(r"SOFTWARE\Contoso", "y") is not None


def test_no_operation_starts_after_the_deadline() -> None:
    deployment = small(services={"RTCDATAMCU": {"stop_seconds": 15}})
    operations = (op.ServiceRestart(name="RTCDATAMCU", stop=True), op.System())
    execution = client.execute(deployment, client.invocation("fe01", operations, nonce=NONCE, deadline_seconds=10))
    replies, _ = wire.decode_reply(execution.stdout.decode("ascii"), operations, nonce=NONCE)
    assert replies[0].value.phase == "done"
    assert replies[0].ms >= 15_000
    assert replies[1].error is not None
    assert replies[1].error.type == "deadline"


@pytest.mark.parametrize(
    ("name", "version", "build", "ubr", "powershell", "culture"),
    [
        ("ly10-fe01", "6.1.7601", 7601, None, "2.0", "en-US"),
        ("ly13-fe01", "6.2.9200", 9200, None, "3.0", "de-DE"),
        ("jp-fe01", "6.3.9600", 9600, None, "4.0", "ja-JP"),
        ("sfb-fe01", "10.0.14393", 14393, 1198, "5.1.14393.693", "en-US"),
        ("se02", "10.0.17763", 17763, 678, "5.1.17763.592", "en-US"),
    ],
)
def test_who_the_servers_say_they_are(
    demo: Deployment, name: str, version: str, build: int, ubr: int | None, powershell: str, culture: str
) -> None:
    found: op.SystemReply = client.ask(demo, name, op.System())
    assert (found.os_version, found.os_build, found.os_ubr) == (version, build, ubr)
    assert (found.powershell_version, found.culture, found.product_type) == (powershell, culture, "ServerNT")
    assert f"{found.computer_name}.{found.dns_domain}".lower() == demo.hosts[name].fqdn


def test_updates_are_recorded_as_windows_records_them(demo: Deployment) -> None:
    old: op.UpdatesReply = client.ask(demo, "ly10-fe01", op.Updates(kbs=("KB4014504", "KB4014514")))
    assert [(package.kb, package.state) for package in old.cbs] == [("KB4014504", 112)]
    assert [(update.kb, update.view, update.installed) for update in old.msi] == [("KB4014514", "32", "Y")]
    # A cumulative update of Server 2016 has no KB number in its package.
    assert client.ask(demo, "sfb-fe01", op.Updates(kbs=("KB4019472",))) == op.UpdatesReply(cbs=(), msi=())
    assert client.ask(demo, "se01", op.Updates(kbs=("KB4014512",))).cbs == ()


@pytest.mark.parametrize("odd", [False, True])
def test_system_dll_holds_the_markers_at_either_parity_or_not_at_all(odd: bool) -> None:
    patterns = ("RequireCertificateEKUs".encode("utf-16-le"), b"DisableCertificateEKUs")
    path = r"%WINDIR%\microsoft.net\Framework64\v4.0.30319\System.dll"
    with_check = small(dotnet={"version": "4.5.2", "update": "KB4014512", "odd_offset": odd})
    without = small(dotnet={"version": "4.5.2", "odd_offset": odd})
    search = op.FileSearch(path=path, patterns=patterns)
    assert client.ask(with_check, "fe01", search).found == (True, True)
    assert client.ask(without, "fe01", search).found == (False, False)
    content = client.ask(with_check, "fe01", op.FileRead(path=path)).content
    assert content.index(patterns[0]) % 2 == odd
    versions = [client.ask(each, "fe01", op.FileInfo(path=path)).version for each in (without, with_check)]
    assert versions == ["4.0.30319.36388", "4.0.30319.36395"]


def test_what_tls_clients_see(demo: Deployment) -> None:
    edge = demo.hosts["ly10-edge01"]
    internal = edge.stores.find(edge.lync.assigned["Internal"])
    assert internal is not None
    for port in (5061, 4443):
        seen: op.TlsPeerReply = client.ask(demo, "ly10-fe01", op.TlsPeer(host=edge.fqdn.upper(), port=port))
        assert (seen.connected, seen.certificate, len(seen.issuers)) == (True, internal.certificate, 1)
    own: op.TlsPeerReply = client.ask(demo, "ly10-fe01", op.TlsPeer(host="", port=5061))
    assert own.connected
    cases = {
        (edge.fqdn, 8057): "handshake",
        (edge.fqdn, 443): "refused",
        ("nobody.contoso.example", 5061): "name_not_resolved",
    }
    for (host, port), failure in cases.items():
        assert client.ask(demo, "ly10-fe01", op.TlsPeer(host=host, port=port)).failure == failure
    firewalled = small(quirks={"closed_ports": [5061]})
    assert client.ask(firewalled, "fe02", op.TlsPeer(host="fe01.contoso.example", port=5061)).failure == "timeout"


def test_a_server_without_remote_access_still_serves_its_peers(demo: Deployment) -> None:
    assert demo.hosts["sfb-edge02"].quirks.unreachable
    assert client.ask(demo, "sfb-fe01", op.TlsPeer(host="sfb-edge02.contoso.example", port=5061)).connected


def test_a_chain_check_is_the_servers_own(demo: Deployment) -> None:
    outside = pki.root_authority("Fabrikam Root CA")
    foreign = outside.issue("x", eku=[pki.SERVER_AUTH, pki.CLIENT_AUTH])
    for issuers, ending in ((), "PartialChain"), ((outside.der,), "UntrustedRoot"):
        operation = op.ChainCheck(certificate=foreign.der, issuers=issuers, oid=trust.CLIENT_AUTH)
        assert client.ask(demo, "ly10-fe01", operation).statuses == (ending,)

    def statuses(name: str, uses: str) -> tuple[str, ...]:
        entry = demo.hosts[name].stores.find(demo.hosts[name].lync.assigned[uses])
        assert entry is not None
        operation = op.ChainCheck(certificate=entry.certificate, issuers=(), oid=trust.CLIENT_AUTH)
        return t.cast("tuple[str, ...]", client.ask(demo, "ly10-fe01", operation).statuses)

    assert statuses("ly10-edge01", "Internal") == ()
    assert statuses("ly10-edge02", "Internal") == ("NotValidForUsage",)


def test_the_products_cmdlets(demo: Deployment) -> None:
    certificate = op.LyncCommand(command="Get-CsCertificate", modules=LYNC, properties=("Use", "Thumbprint", "NoSuch"))
    found: op.LyncCommandReply = client.ask(demo, "sfb-edge01", certificate)
    assert found.module == "SkypeForBusiness"
    uses = {entry["Use"][0]: entry["Thumbprint"][0] for entry in found.objects}
    assert set(uses) == {"AccessEdgeExternal", "DataEdgeExternal", "AudioVideoAuthentication", "Internal"}
    assert uses["Internal"] != uses["AccessEdgeExternal"]
    assert all(set(entry) == {"Use", "Thumbprint"} for entry in found.objects)
    assert client.ask(demo, "ly10-fe01", certificate).module == "Lync"
    assert client.ask(demo, "files01", certificate).module is None
    denied: op.LyncCommandReply = client.ask(
        small(quirks={"denied_cmdlets": ["Get-CsCertificate"]}, culture="de-DE"), "fe01", certificate
    )
    assert (denied.denied, denied.failure, denied.objects) == (True, "Der Zugriff wurde verweigert.", ())


def test_the_topology_document_is_one_that_the_product_reads(demo: Deployment) -> None:
    operation = op.LyncCommand(command="Get-CsTopology", modules=LYNC)
    found = topology.parse_topology(client.ask(demo, "ly13-fe01", operation).text)
    pools = {pool.fqdn: pool for pool in found.pools}
    assert found.notes == ()
    assert pools["pool2013.contoso.example"].edge_pool == "edgepool.contoso.example"
    assert pools["pool2013.contoso.example"].front_end
    assert pools["edgepool.contoso.example"].edge
    assert pools["edgepool.contoso.example"].machines == ("sfb-edge01.contoso.example", "sfb-edge02.contoso.example")


def test_localised_servers_complain_in_their_language() -> None:
    deployment = small(culture="ja-JP", registry_denied=[r"SOFTWARE\Secret"])
    reply = client.replies(deployment, "fe01", op.RegistryRead(path=r"SOFTWARE\Secret", name="x"))[0]
    assert reply.error is not None
    assert reply.error.type == "denied"
    assert reply.error.message.startswith("要求された")
