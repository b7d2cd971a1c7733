# Copyright (c) 2026, the sfb.kb4023993 contributors
# GNU General Public License v3.0-or-later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The lab's CA does what an enterprise CA does: the template decides, not the request."""

from __future__ import annotations

import dataclasses

import pytest
from ansible_collections.sfb.kb4023993.plugins.plugin_utils.certificates import read_certificate
from lab import pki
from lab.ca import enterprise
from lab.ca.enterprise import EnterpriseCa
from lab.ca.request import make_request
from lab.ca.template import Template, both_usages, web_server

ACCOUNT = r"contoso\requester"
CSR = make_request("edgepool.contoso.example", "edge01.contoso.example").encode()


def make_ca(*templates: Template) -> EnterpriseCa:
    return EnterpriseCa(pki.root_authority("Contoso CA"), templates)


def submit(ca: EnterpriseCa, template: str, csr: bytes = CSR, account: str = ACCOUNT) -> enterprise.Request:
    return ca.submit(account, csr, f"CertificateTemplate:{template}\r\n")


def test_usages_come_from_the_template_and_names_from_the_request() -> None:
    """The request asks for server authentication alone, as Request-CsCertificate does."""
    row = submit(make_ca(both_usages([ACCOUNT])), "webserverclientandserver")
    assert row.certificate
    facts = read_certificate(row.certificate)
    assert facts.eku_oids == facts.application_policies == (pki.SERVER_AUTH, pki.CLIENT_AUTH)
    assert facts.template == both_usages([]).oid
    assert set(facts.dns_names) == {"edgepool.contoso.example", "edge01.contoso.example"}


def test_version_1_template_is_marked_by_name_and_gives_server_authentication_alone() -> None:
    row = submit(make_ca(web_server([ACCOUNT])), "WebServer")
    assert row.certificate
    facts = read_certificate(row.certificate)
    assert (facts.template, facts.eku_oids, facts.application_policies) == ("WebServer", (pki.SERVER_AUTH,), None)


def test_names_come_from_the_account_where_the_template_says_so() -> None:
    row = submit(make_ca(dataclasses.replace(web_server([ACCOUNT]), supplies_subject=False)), "WebServer")
    assert row.certificate
    facts = read_certificate(row.certificate)
    assert (facts.subject_common_name, facts.dns_names) == ("requester", ())


DENIED = {
    "no template": ("", CSR, ACCOUNT, enterprise.NO_TEMPLATE),
    "unknown template": ("CertificateTemplate:Other", CSR, ACCOUNT, enterprise.UNSUPPORTED_TEMPLATE),
    "no right": ("CertificateTemplate:WebServer", CSR, r"contoso\other", enterprise.NO_ENROLL_RIGHT),
    "rubbish": ("CertificateTemplate:WebServer", b"rubbish", ACCOUNT, enterprise.BAD_REQUEST),
    "short key": (
        "CertificateTemplate:WebServer",
        make_request("a.example", key=pki.shared_key("short", 1024)).encode(),
        ACCOUNT,
        enterprise.KEY_TOO_SHORT,
    ),
}


@pytest.mark.parametrize("case", DENIED)
def test_denied_with_the_code_of_the_reason(case: str) -> None:
    attributes, csr, account, code = DENIED[case]
    ca = make_ca(web_server([ACCOUNT]))
    row = ca.submit(account, csr, attributes)
    assert (row.disposition, row.code, row.certificate) == (enterprise.DENIED, code, None)
    assert ca.retrieve(row.id) == row


def test_manager_approves_or_denies() -> None:
    ca = make_ca(both_usages([ACCOUNT], manager_approval=True))
    first, second = (submit(ca, "WebServerClientandServer") for _ in range(2))
    assert (first.disposition, first.certificate) == (enterprise.UNDER_SUBMISSION, None)
    ca.approve(first.id)
    ca.deny(second.id)
    assert ca.retrieve(first.id).disposition == enterprise.ISSUED
    assert ca.retrieve(second.id).code == enterprise.DENIED_BY_MANAGER
    with pytest.raises(ValueError, match="not pending"):
        ca.approve(second.id)
    assert ca.retrieve(4711).code == enterprise.NO_SUCH_REQUEST
