# Copyright (c) 2026, the sfb.kb4023993 contributors
# GNU General Public License v3.0-or-later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The lab's control port tells who a simulated server is in TLS, so that another program can play it."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from collections.abc import Iterator

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, load_pem_private_key
from lab.__main__ import serve_identities
from lab.running import Lab


@pytest.fixture(scope="module")
def lab() -> Iterator[Lab]:
    lab = Lab("demo")
    serve_identities(lab)
    with lab as running:
        yield running


def identity(lab: Lab, name: str) -> dict[str, str]:
    address = f"http://127.0.0.1:{lab.server.endpoints.control_port}/hosts/{name}/identity"
    with urllib.request.urlopen(address, timeout=20) as reply:
        return dict(json.load(reply))


@pytest.mark.parametrize(("name", "port"), [("ly10-edge01", 5061), ("sfb-fe01", 8060)])
def test_an_identity_is_what_the_server_presents_with_the_key_that_fits(lab: Lab, name: str, port: int) -> None:
    told = identity(lab, name)
    answer = lab.host(name).presents(port)
    assert answer is not None
    leaf, issuing = x509.load_pem_x509_certificates(told["certificates"].encode())
    (top,) = x509.load_pem_x509_certificates(told["root"].encode())
    assert leaf.public_bytes(Encoding.DER) == answer[1].certificate
    leaf.verify_directly_issued_by(issuing)
    issuing.verify_directly_issued_by(top)
    key = load_pem_private_key(told["key"].encode(), None)
    assert key.public_key() == leaf.public_key()
    assert told["name"] == f"{name}.contoso.example"


def test_a_server_without_the_product_has_no_identity(lab: Lab) -> None:
    with pytest.raises(urllib.error.HTTPError) as refused:
        identity(lab, "files01")
    assert refused.value.code == 404
    assert "Nothing on files01 answers TLS" in refused.value.read().decode()
