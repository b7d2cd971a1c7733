# Copyright (c) 2026, the sfb.kb4023993 contributors
# GNU General Public License v3.0-or-later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""certreq -new in the lab: what its INF files say is what the request and its key are, and what is wrong in one is refused."""

from __future__ import annotations

import typing as t

import pytest
from ansible_collections.sfb.kb4023993.plugins.plugin_utils.host import certificate_operations as cop
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from lab import client, pki, trust
from lab.deployment import Deployment
from lab.renewing import assign, build, install, issue, names_of

INF = """\
; made for one server
[Version]
Signature = "$Windows NT$"

[NewRequest]
Subject = "CN=pool13.contoso.example, OU=Real time, O=""Contoso, Ltd"", L=Berlin, S=Berlin, C=DE"
KeyLength = 2048
Exportable = TRUE
MachineKeySet = TRUE
ProviderName = "Microsoft RSA SChannel Cryptographic Provider"
ProviderType = 12
KeySpec = 1
RequestType = PKCS10
FriendlyName = "a name; with signs"

[Strings]
san = "2.5.29.17"
client = 1.3.6.1.5.5.7.3.2

[Extensions]
%san% = "{text}"
_continue_ = "dns=pool13.contoso.example&"
_continue_ = "dns=meet.contoso.example&"
2.5.29.37 = "{text}1.3.6.1.5.5.7.3.1,"
_continue_ = "%client%"
"""


def make(deployment: Deployment, inf: str, host: str = "fe13a") -> cop.RequestReply:
    return t.cast("cop.RequestReply", client.ask(deployment, host, cop.CertreqNew(inf=inf)))


def test_the_request_is_what_the_file_says() -> None:
    deployment = build()
    reply = make(deployment, INF)
    assert (reply.exit_code, reply.failure, reply.module) == (0, None, None)
    assert names_of(reply.csr) == ("pool13.contoso.example", "pool13.contoso.example", "meet.contoso.example")
    assert reply.csr is not None
    csr = x509.load_pem_x509_csr(reply.csr.encode())
    subject = {a.oid: a.value for a in csr.subject}
    assert subject[x509.NameOID.ORGANIZATION_NAME] == "Contoso, Ltd"
    assert subject[x509.NameOID.COUNTRY_NAME] == "DE"
    usages = csr.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    assert [usage.dotted_string for usage in usages] == [pki.SERVER_AUTH, pki.CLIENT_AUTH]
    (waiting,) = deployment.hosts["fe13a"].stores.entries("REQUEST")
    assert waiting.friendly_name == "a name; with signs"
    assert waiting.key is not None
    assert waiting.key.exportable


def test_usages_may_stand_in_a_section_of_their_own() -> None:
    head, _, _ = INF.partition("2.5.29.37")
    section = "[EnhancedKeyUsageExtension]\nOID = 1.3.6.1.5.5.7.3.1\nOID = %client%\n"
    reply = make(build(), head + section)
    assert reply.csr is not None
    extensions = x509.load_pem_x509_csr(reply.csr.encode()).extensions
    usages = extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    assert [usage.dotted_string for usage in usages] == [pki.SERVER_AUTH, pki.CLIENT_AUTH]
    assert make(build(), INF + section).exit_code != 0


def test_its_certificate_can_be_imported_and_used() -> None:
    deployment = build()
    certificate = issue(deployment, make(deployment, INF).csr)
    assert install(deployment, "fe13a", certificate).failure is None
    assert assign(deployment, "fe13a", certificate, "Default").failure is None


def test_the_length_of_the_key() -> None:
    reply = make(build(), INF.replace("2048", "3072"))
    assert reply.csr is not None
    key = x509.load_pem_x509_csr(reply.csr.encode()).public_key()
    assert isinstance(key, RSAPublicKey)
    assert key.key_size == 3072


@pytest.mark.parametrize("line", ["MachineKeySet = TRUE", "KeySpec = 1", "ProviderName = ", "ProviderType = 12"])
def test_a_key_that_the_product_can_use_needs_the_right_words(line: str) -> None:
    deployment = build()
    without = "\n".join(each for each in INF.splitlines() if not each.startswith(line.partition(" =")[0]))
    if line.startswith("ProviderName"):
        without = without.replace("ProviderType = 12\n", "")
    reply = make(deployment, without)
    assert reply.exit_code == 0
    certificate = issue(deployment, reply.csr)
    install(deployment, "fe13a", certificate)
    outcome = assign(deployment, "fe13a", certificate, "Default")
    # The type of the provider goes without saying.
    assert (outcome.failure is None) is line.startswith("ProviderType")
    if outcome.failure:
        assert deployment.hosts["fe13a"].lync.assigned["Default"] != trust.thumbprint(certificate)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("[NewRequest]", "[Request]"),
        ('Signature = "$Windows NT$"', 'Signature = "$Linux$"'),
        ("MachineKeySet = TRUE", "MachineKeySet = maybe"),
        ("KeyLength = 2048", "KeyLength = many"),
        ("KeyLength = 2048", "KeyLenght = 2048"),
        ("KeySpec = 1", "KeySpec = 7"),
        ("ProviderType = 12", "ProviderType = 1"),
        ("Microsoft RSA SChannel", "Contoso RSA SChannel"),
        ("CN=pool13", "CM=pool13"),
        ("C=DE", "C=Germany"),
        ('""Contoso, Ltd""', "Contoso, Ltd"),
        ('"a name; with signs"', '"a name; with signs'),
        ("%san% =", "%sam% ="),
        ("pool13.contoso.example&", "pool13.contoso.example"),
        ('"dns=meet', '"mail=meet'),
        ("meet.contoso.example&", "meet contoso.example&"),
        ('"%client%"', '"client"'),
        ("{text}1.3", "1.3"),
        ("RequestType = PKCS10", "RequestType = Cert"),
        ("KeySpec = 1", "KeySpec = 1\nKeySpec = 1"),
        ("[Extensions]", "[Extensions]\n_continue_ = x"),
        ("; made", "made"),
    ],
)
def test_what_is_wrong_in_a_file_makes_no_request(old: str, new: str) -> None:
    deployment = build()
    assert INF.count(old) == 1
    reply = make(deployment, INF.replace(old, new))
    assert reply.exit_code not in (0, None)
    assert reply.csr is None
    assert not deployment.hosts["fe13a"].stores.entries("REQUEST")


def test_an_edge_needs_no_domain_for_it() -> None:
    assert make(build(), INF, "edge15").exit_code == 0
