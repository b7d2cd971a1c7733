# Copyright (c) 2026, the sfb.kb4023993 contributors
# GNU General Public License v3.0-or-later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Asking a CA from a server of the lab: what the CA decides arrives as numbers and PKCS #7, and without the hop nothing arrives at it."""

from __future__ import annotations

import pytest
from ansible_collections.sfb.kb4023993.plugins.plugin_utils.host import certificate_operations as cop
from ansible_collections.sfb.kb4023993.plugins.plugin_utils.host import operations as op
from ansible_collections.sfb.kb4023993.plugins.plugin_utils.signing.bundle import read_bundle
from lab import client
from lab.ca.request import make_request
from lab.renewing import CA, NEW_CA, TEMPLATE, build

CSR = make_request("pool13.contoso.example")


def submit(config: str = CA, attributes: str = TEMPLATE, csr: str = CSR) -> cop.CaSubmit:
    return cop.CaSubmit(config=config, attributes=attributes, csr=csr)


def test_a_certificate_is_issued_with_its_chain() -> None:
    deployment = build()
    ca = deployment.cas[CA.casefold()]
    reply: cop.CaReply = client.ask(deployment, "pki01", submit(config=CA.upper()))
    assert (reply.disposition, reply.hresult) == (3, 0)
    assert reply.certificates is not None
    assert set(ca.chain) < set(read_bundle(reply.certificates))
    chain: cop.CaChainReply = client.ask(deployment, "pki01", cop.CaChain(config=CA))
    assert set(read_bundle(chain.certificates)) == set(ca.chain)
    assert [row.account for row in ca.requests] == [r"CONTOSO\sfb-admin"]


@pytest.mark.parametrize(("decision", "disposition"), [("approve", 3), ("deny", 2)])
def test_a_pending_request_is_decided_by_a_manager(decision: str, disposition: int) -> None:
    deployment = build()
    ca = deployment.cas[NEW_CA.casefold()]
    first: cop.CaReply = client.ask(deployment, "pki01", submit(config=NEW_CA))
    assert (first.disposition, first.certificates) == (5, None)
    asking = cop.CaRetrieve(config=NEW_CA, request_id=first.request_id)
    assert client.ask(deployment, "pki01", asking).disposition == 5
    getattr(ca, decision)(first.request_id)
    later: cop.CaReply = client.ask(deployment, "pki01", asking)
    assert (later.disposition, later.request_id) == (disposition, first.request_id)
    assert (later.certificates is not None) is (decision == "approve")


@pytest.mark.parametrize(
    ("operation", "code"),
    [
        (submit(attributes="CertificateTemplate:Nobody"), 0x80094800),
        (submit(attributes=""), 0x80094801),
        (submit(csr="-----BEGIN CERTIFICATE REQUEST-----\nAAAA\n-----END CERTIFICATE REQUEST-----"), 0x8009310B),
    ],
)
def test_a_denial_has_its_number_as_windows_gives_it(operation: cop.CaSubmit, code: int) -> None:
    reply: cop.CaReply = client.ask(build(), "pki01", operation)
    assert (reply.disposition, reply.hresult, reply.certificates) == (2, code - 2**32, None)


def test_a_request_that_the_ca_does_not_know() -> None:
    reply: cop.CaReply = client.ask(build(), "pki01", cop.CaRetrieve(config=CA, request_id=4711))
    assert (reply.disposition, reply.hresult & 0xFFFFFFFF) == (1, 0x80094004)


def test_an_account_without_the_right() -> None:
    deployment = build({"pki01": {"connection": "winrm https basic"}})
    reply: cop.CaReply = client.ask(deployment, "pki01", submit())
    assert (reply.disposition, reply.hresult & 0xFFFFFFFF) == (2, 0x80094012)


@pytest.mark.parametrize(("access", "kind"), [("not_delegated", "denied"), ("none", "failed")])
@pytest.mark.parametrize("operation", [submit(), cop.CaRetrieve(config=CA, request_id=17), cop.CaChain(config=CA)])
def test_without_the_hop_the_ca_has_nothing(access: str, kind: str, operation: op.Operation) -> None:
    deployment = build({"pki01": {"ca_access": access}})
    error = client.replies(deployment, "pki01", operation)[0].error
    assert error is not None
    assert error.type == kind
    assert not deployment.cas[CA.casefold()].requests


def test_a_ca_that_is_not_there() -> None:
    error = client.replies(build(), "pki01", submit(config=r"ca09.contoso.example\Nobody"))[0].error
    assert error is not None
    assert error.type == "failed"
