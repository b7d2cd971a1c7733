# Copyright (c) 2026, the sfb.kb4023993 contributors
# GNU General Public License v3.0-or-later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Certificate requests (PKCS #10) from servers and people, in all their forms."""

from __future__ import annotations

import base64
import typing as t

from ansible_collections.sfb.kb4023993.plugins.plugin_utils.signing.csr import CsrError, read_csr
from ansible_collections.sfb.kb4023993.plugins.plugin_utils.signing.files import request_file
from cryptography import x509
from lab.ca.request import make_request

from fuzz.harness import Target


def _seeds() -> t.Iterator[bytes]:
    text = make_request("edgepool.contoso.example", "edge01.contoso.example")
    der = read_csr(text).der
    yield text.encode("ascii")
    yield text.replace("NEW ", "").encode("ascii")
    yield text.encode("utf-16")
    yield base64.b64encode(der)
    yield der


def _read(data: bytes) -> None:
    csr = read_csr(data)
    assert read_csr(csr.pem) == csr
    assert csr.subject.isprintable()
    assert not csr.names.wildcards
    # What another reader makes of the same bytes.
    other = x509.load_der_x509_csr(csr.der)
    assert other.is_signature_valid
    names = [e.value for e in other.extensions if isinstance(e.value, x509.SubjectAlternativeName)]
    for name in names[0].get_values_for_type(x509.DNSName) if names else ():
        assert not name.isprintable() or len(name) > 500 or name.strip().rstrip(".").casefold() in csr.names.all
    file = request_file(csr)
    assert "/" not in file
    assert not file.startswith(".")
    assert len(file) < 200


TARGET: t.Final = Target(
    read=_read,
    seeds=_seeds,
    refusals=(CsrError,),
    words=(
        b"-----BEGIN CERTIFICATE REQUEST-----\n",
        b"-----BEGIN NEW CERTIFICATE REQUEST-----\n",
        b"\n-----END NEW CERTIFICATE REQUEST-----",
    ),
)
