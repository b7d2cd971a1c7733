# Copyright (c) 2026, the sfb.kb4023993 contributors
# GNU General Public License v3.0-or-later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Certificates in the lab: requests with keys of their own, import, assignment, and what each of them breaks when it is done wrong."""

from __future__ import annotations

import copy
import typing as t

import pytest
import yaml
from ansible_collections.sfb.kb4023993.plugins.plugin_utils.host import certificate_operations as cop
from ansible_collections.sfb.kb4023993.plugins.plugin_utils.host import operations as op
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from lab import client, pki, trust
from lab.mechanism import Outcome
from lab.outside import Outside
from lab.reader import ScenarioError
from lab.renewing import (
    MODULES,
    NEW_CA,
    advance,
    assign,
    build,
    install,
    issue,
    names_of,
    renew,
    request,
    services,
    shown,
)
from lab.scenario import SCENARIOS, parse

RIGHT, WRONG = "Straße 1", "street 1"
REFUSED = "The computer does not need a certificate."


def error_of(deployment: t.Any, host: str, operation: op.Operation) -> tuple[str, str]:
    error = client.replies(deployment, host, operation)[0].error
    assert error is not None
    return error.type, error.message


def test_a_request_of_the_product_has_the_names_of_the_topology_and_those_asked_for() -> None:
    reply = request(
        build(), "fe13a", names=("meet.contoso.example", "sip.contoso.example"), organization="Contoso, Ltd"
    )
    pool, *names = names_of(reply.csr)
    assert (reply.module, reply.exit_code) == ("Lync", None)
    assert pool == "pool13.contoso.example"
    assert names == [pool, "fe13a.contoso.example", "sip.contoso.example", "meet.contoso.example"]
    assert reply.csr is not None
    assert reply.csr.startswith("-----BEGIN NEW CERTIFICATE REQUEST-----\r\n")
    csr = x509.load_pem_x509_csr(reply.csr.encode())
    usages = csr.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    assert {usage.dotted_string for usage in usages} == {pki.SERVER_AUTH, pki.CLIENT_AUTH}
    assert csr.subject.get_attributes_for_oid(x509.NameOID.ORGANIZATION_NAME)[0].value == "Contoso, Ltd"


def test_a_topology_that_changed_gives_other_names_than_the_certificate_in_use() -> None:
    deployment = build()
    host = deployment.hosts["fe15b"]
    assert names_of(request(deployment, "fe15b").csr)[0] == "pool15-new.contoso.example"
    entry = host.stores.find(host.lync.assigned["Default"])
    assert entry is not None
    assert "CN=pool15.contoso.example" in trust.parse(entry.certificate).subject.rfc4514_string()


def test_an_edge_asks_for_its_internal_pool() -> None:
    assert names_of(request(build(), "edge13b", "Internal").csr) == ("edgepool13.contoso.example",) * 2


@pytest.mark.parametrize(
    ("host", "use"), [("edge15", "Default"), ("fe15a", "Internal"), ("edge10", "WebServicesInternal")]
)
def test_a_use_that_the_role_does_not_have(host: str, use: str) -> None:
    reply = request(build(), host, use)
    assert (reply.failure, reply.csr) == (REFUSED, None)


def test_each_request_has_its_own_key_and_a_friendly_name_of_its_own() -> None:
    deployment = build()
    first, again, other, elsewhere = (
        request(deployment, host, friendly_name=name)
        for host, name in (("fe13a", "one"), ("fe13a", "ONE"), ("fe13a", "two"), ("fe13b", "one"))
    )
    assert again.csr is None
    assert "friendly name" in (again.failure or "")
    keys = {
        x509.load_pem_x509_csr(each.csr.encode()).public_key().public_bytes(Encoding.DER, PublicFormat.PKCS1)
        for each in (first, other, elsewhere)
        if each.csr
    }
    assert len(keys) == 3
    waiting: op.CertificatesReply = client.ask(deployment, "fe13a", op.Certificates(store="REQUEST"))
    assert len(waiting.certificates) == 2
    assert all(each.has_private_key for each in waiting.certificates)


def test_an_import_meets_its_waiting_key() -> None:
    deployment = build()
    host = deployment.hosts["fe13a"]
    certificate = issue(deployment, request(deployment, "fe13a", friendly_name="kept").csr)
    assert install(deployment, "fe13a", certificate) == cop.LyncOutcome(module="Lync", denied=False, failure=None)
    entry = host.stores.find(trust.thumbprint(certificate))
    assert entry is not None
    assert entry.usable
    assert entry.friendly_name == "kept"
    assert not host.stores.entries("REQUEST")


def test_an_import_on_another_server_has_no_key_and_cannot_be_assigned() -> None:
    deployment = build()
    certificate = issue(deployment, request(deployment, "fe13a").csr)
    assert install(deployment, "fe13b", certificate).failure is None
    entry = deployment.hosts["fe13b"].stores.find(trust.thumbprint(certificate))
    assert entry is not None
    assert not entry.has_private_key
    assert "no private key" in (assign(deployment, "fe13b", certificate, "Default").failure or "")
    assert deployment.hosts["fe13b"].lync.assigned["Default"] != trust.thumbprint(certificate)
    # A second import, once the certificate is back where it belongs, finds the key that still waits there.
    assert install(deployment, "fe13a", certificate).failure is None
    assert assign(deployment, "fe13a", certificate, "Default").failure is None


def test_a_chain_that_this_server_does_not_know_is_refused_until_it_is_installed() -> None:
    deployment = build()
    ca = deployment.cas[NEW_CA.casefold()]
    certificate = issue(deployment, request(deployment, "fe10").csr, NEW_CA)
    failure = install(deployment, "fe10", certificate).failure
    assert "could not be built to a trusted root" in (failure or "")
    assert deployment.hosts["fe10"].stores.find(trust.thumbprint(certificate)) is None
    for store, authority in (("CA", ca.chain[0]), ("Root", ca.chain[1])):
        operation = cop.StoreAdd(store=t.cast("cop.CaStore", store), certificate=authority)
        assert client.ask(deployment, "fe10", operation).changed
        assert not client.ask(deployment, "fe10", operation).changed
    assert install(deployment, "fe10", certificate).failure is None
    entry = deployment.hosts["fe10"].stores.find(trust.thumbprint(certificate))
    assert entry is not None
    assert entry.usable


def test_only_the_given_uses_change_and_services_keep_the_old_certificate_until_they_are_restarted() -> None:
    deployment = build()
    host = deployment.hosts["fe13a"]
    before = dict(host.lync.assigned)
    old = shown(host)
    new = renew(deployment, "fe13a", "Default")
    assert host.lync.assigned == {**before, "Default": trust.thumbprint(new)}
    assert shown(host) == old
    services(deployment, "fe13a", "stop")
    advance(deployment, 10)
    assert shown(host) is None
    services(deployment, "fe13a", "start")
    advance(deployment, 310)
    assert shown(host) == new
    assert shown(host, 8060) == new


def test_a_use_of_another_role_is_refused_and_nothing_changes() -> None:
    deployment = build()
    host = deployment.hosts["edge15"]
    certificate = issue(deployment, request(deployment, "edge15", "Internal").csr)
    install(deployment, "edge15", certificate)
    before = dict(host.lync.assigned)
    failure = assign(deployment, "edge15", certificate, "Internal", "Default").failure
    assert "does not need a certificate of the type Default" in (failure or "")
    assert host.lync.assigned == before


def test_a_thumbprint_that_is_not_there() -> None:
    reply = client.ask(build(), "fe10", cop.LyncAssign(modules=MODULES, uses=("Default",), thumbprint="0" * 40))
    assert reply.failure == "Assigned certificate not found or untrusted."


def test_peers_lose_a_front_end_whose_issuer_they_do_not_know() -> None:
    deployment = build({name: {"certificate": "both"} for name in ("fe13a", "fe13b", "fe13c")})
    to_second = ("fe13b.contoso.example", 8060)
    first = deployment.hosts["fe13a"]
    assert deployment.mechanism.outcomes(first)[to_second] is Outcome.CONNECTED
    host = deployment.hosts["fe13b"]
    unknown = pki.root_authority("Fabrikam Root").issue(
        "pool13.contoso.example", eku=(pki.SERVER_AUTH, pki.CLIENT_AUTH)
    )
    host.stores.add("Root", unknown.chain[0])
    host.stores.add("My", unknown.der, has_private_key=True)
    assert assign(deployment, "fe13b", unknown.der, "Default").failure is None
    assert deployment.mechanism.outcomes(first)[to_second] is Outcome.CONNECTED
    client.ask(deployment, "fe13b", op.ServiceRestart(name="RTCDATAMCU", stop=True))
    assert deployment.mechanism.outcomes(first)[to_second] is Outcome.REJECTED
    client.ask(deployment, "fe13a", cop.StoreAdd(store="Root", certificate=unknown.chain[0]))
    assert deployment.mechanism.outcomes(first)[to_second] is Outcome.CONNECTED


def test_the_certificate_of_oauth_is_one_for_everybody() -> None:
    deployment = build()
    everybody = [host for host in deployment.hosts.values() if "OAuthTokenIssuer" in host.lync.assigned]
    assert {host.name for host in everybody} == {"fe13a", "fe13b", "fe13c", "fe15a", "fe15b"}
    assert {host.lync.assigned["OAuthTokenIssuer"] for host in everybody} == {
        deployment.hosts["fe15a"].lync.assigned["Default"]
    }
    new = renew(deployment, "fe13c", "Default")
    assert deployment.hosts["fe15b"].lync.assigned["OAuthTokenIssuer"] != trust.thumbprint(new)
    wrong = cop.LyncAssign(
        modules=MODULES,
        uses=t.cast("tuple[cop.CertificateUse, ...]", ("Default", "OAuthTokenIssuer")),
        thumbprint=trust.thumbprint(new),
    )
    assert error_of(deployment, "fe13c", wrong)[0] == "invalid"
    # By hand it can be done, and everybody feels it.
    Outside(deployment).assign("fe13c", trust.thumbprint(new), "OAuthTokenIssuer")
    for host in everybody:
        assert host.lync.assigned["OAuthTokenIssuer"] == trust.thumbprint(new)
        assert host.stores.find(trust.thumbprint(new))


def test_who_shares_which_certificate_follows_the_scenario() -> None:
    deployment = build()
    uses = {name: host.lync.assigned for name, host in deployment.hosts.items()}
    assert uses["fe10"]["WebServicesInternal"] == uses["fe10"]["WebServicesExternal"] != uses["fe10"]["Default"]
    assert uses["fe13a"]["WebServicesExternal"] == uses["fe13a"]["Default"] != uses["fe13b"]["Default"]
    assert uses["fe15a"] == uses["fe15b"]
    assert len(set(uses["fe15a"].values())) == 1
    assert uses["edge13a"]["Internal"] == uses["edge13b"]["Internal"] == uses["edge13a"]["AudioVideoAuthentication"]
    assert (
        uses["edge15"]["AudioVideoAuthentication"] == uses["edge15"]["AccessEdgeExternal"] != uses["edge15"]["Internal"]
    )


def test_a_pfx_carries_the_key_to_another_server() -> None:
    deployment = build()
    certificate = issue(deployment, request(deployment, "edge13a", "Internal", exportable=True).csr)
    install(deployment, "edge13a", certificate, exportable=True)
    export = cop.PfxExport(thumbprint=trust.thumbprint(certificate).lower(), password=RIGHT)
    pfx = client.ask(deployment, "edge13a", export).pfx
    wrong = cop.PfxImport(pfx=pfx, password=WRONG, exportable=False, friendly_name="copy")
    assert error_of(deployment, "edge13b", wrong)[0] == "failed"
    right = cop.PfxImport(pfx=pfx, password=RIGHT, exportable=False, friendly_name="copy")
    done = client.ask(deployment, "edge13b", right)
    assert done == cop.StoreChangeReply(thumbprint=trust.thumbprint(certificate), changed=True)
    assert not client.ask(deployment, "edge13b", right).changed
    assert assign(deployment, "edge13b", certificate, "Internal").failure is None
    # The copy was imported without the right to leave.
    again = cop.PfxExport(thumbprint=trust.thumbprint(certificate), password=RIGHT)
    assert error_of(deployment, "edge13b", again)[0] == "failed"


@pytest.mark.parametrize(("made", "imported"), [(False, True), (True, False)])
def test_a_key_leaves_only_when_request_and_import_said_so(made: bool, imported: bool) -> None:
    deployment = build()
    certificate = issue(deployment, request(deployment, "edge13a", "Internal", exportable=made).csr)
    install(deployment, "edge13a", certificate, exportable=imported)
    export = cop.PfxExport(thumbprint=trust.thumbprint(certificate), password=RIGHT)
    assert error_of(deployment, "edge13a", export)[0] == "failed"


def test_what_is_not_there_cannot_be_exported() -> None:
    assert error_of(build(), "fe10", cop.PfxExport(thumbprint="A" * 40, password=RIGHT))[0] == "not_found"


def test_what_does_not_belong_into_a_store_is_refused() -> None:
    deployment = build()
    ca = deployment.cas[NEW_CA.casefold()]
    assert error_of(deployment, "fe10", cop.StoreAdd(store="Root", certificate=ca.chain[0]))[0] == "invalid"
    assert error_of(deployment, "fe10", cop.StoreAdd(store="CA", certificate=b"no"))[0] == "invalid"
    my = t.cast("cop.CaStore", "My")
    assert error_of(deployment, "fe10", cop.StoreAdd(store=my, certificate=ca.chain[1]))[0] == "invalid"


def test_misplaced_roots_can_be_listed_alone() -> None:
    deployment = build({"fe13a": {"misplaced_roots": ["second"]}})
    reply: op.CertificatesReply = client.ask(
        deployment, "fe13a", op.Certificates(store="Root", only="issued_by_others")
    )
    assert [each.certificate for each in reply.certificates] == [deployment.issuer.authority("second").der]
    assert len(client.ask(deployment, "fe13a", op.Certificates(store="Root")).certificates) == 3


def test_quirks_of_cmdlets() -> None:
    deployment = build(
        {
            "fe10": {"quirks": {"no_lync_module": True}},
            "fe13a": {"culture": "de-DE", "quirks": {"denied_cmdlets": ["Request-CsCertificate"]}},
            "fe13b": {"quirks": {"failing_cmdlets": {"Get-CsCertificate": "no store", "Request-CsCertificate": "no"}}},
            "fe13c": {"quirks": {"endless_cmdlets": {"Request-CsCertificate": "after"}}},
            "edge15": {"quirks": {"endless_cmdlets": {"Request-CsCertificate": "before"}}},
        }
    )
    assert request(deployment, "fe10").module is None
    denied = request(deployment, "fe13a")
    assert (denied.module, denied.denied, denied.failure) == ("Lync", True, "Der Zugriff wurde verweigert.")
    assert request(deployment, "fe13b").failure == "no"
    reading = op.LyncCommand(command="Get-CsCertificate", modules=MODULES)
    assert client.ask(deployment, "fe13b", reading).failure == "no store"
    operation = cop.LyncRequest(
        modules=MODULES, use="Default", friendly_name="new", names=(), key_size=2048, exportable=False, seconds=30
    )
    begun = deployment.clock.now()
    assert error_of(deployment, "fe13c", operation)[0] == "deadline"
    assert (deployment.clock.now() - begun).total_seconds() == pytest.approx(30)
    assert len(deployment.hosts["fe13c"].stores.entries("REQUEST")) == 1
    internal = cop.LyncRequest(
        modules=MODULES, use="Internal", friendly_name="new", names=(), key_size=2048, exportable=False
    )
    assert error_of(deployment, "edge15", internal)[0] == "deadline"
    assert not deployment.hosts["edge15"].stores.entries("REQUEST")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"ca_access": "yes"}, "ca_access cannot be 'yes'; choose one of delegated"),
        ({"misplaced_roots": ["nobody"]}, "misplaced_roots: there is no authority 'nobody'"),
        ({"oauth_source": True}, "only one server can be oauth_source"),
        ({"quirks": {"endless_cmdlets": {"Set-CsCertificate": "never"}}}, "Set-CsCertificate cannot be 'never'"),
        ({"quirks": {"failing_cmdlets": {"Get-Process": "x"}}}, "Get-Process is not a cmdlet of the product"),
    ],
)
def test_what_is_wrong_in_the_words_of_workaround_1_is_told(changes: dict[str, t.Any], message: str) -> None:
    with pytest.raises(ScenarioError, match=message):
        build({"fe10": changes})


def test_an_authority_is_trusted_by_servers_that_there_are() -> None:
    data = copy.deepcopy(yaml.safe_load((SCENARIOS / "renewal.yml").read_text(encoding="utf-8")))
    data["authorities"]["second"]["trusted"] = ["nobody"]
    with pytest.raises(ScenarioError, match="authority second: trusted has to be true, false or a list of servers"):
        parse(data)
