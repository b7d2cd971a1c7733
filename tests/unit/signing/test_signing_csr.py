# Copyright (c) 2026, the sfb.kb4023993 contributors
# GNU General Public License v3.0-or-later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Reading certificate requests in every form in which Windows and people hand them over, and hostile ones."""

from __future__ import annotations

import base64
import ipaddress
import time
from collections.abc import Callable
from contextlib import suppress

import pytest
from ansible_collections.sfb.kb4023993.plugins.plugin_utils.signing.csr import MAX_BYTES, CsrError, read_csr
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding
from hypothesis import given
from hypothesis import strategies as st
from lab import pki
from lab.ca.request import make_request

NAMES = ("edgepool.contoso.example", "edge01.contoso.example")
PEM = make_request(*NAMES)
DER = read_csr(PEM).der

FORMS: dict[str, Callable[[], bytes]] = {
    "NEW": lambda: PEM.encode(),
    "without NEW": lambda: PEM.replace("NEW ", "").encode(),
    "CRLF": lambda: PEM.replace("\n", "\r\n").encode(),
    "text around it": lambda: f"Request of today:\n{PEM}\nRegards\n".encode(),
    "bare base64": lambda: base64.encodebytes(DER),
    "one line": lambda: base64.b64encode(DER),
    "DER": lambda: DER,
    "UTF-8 with mark": lambda: b"\xef\xbb\xbf" + PEM.encode(),
    "UTF-16 with mark": lambda: PEM.encode("utf-16"),
    "UTF-16 big-endian with mark": lambda: b"\xfe\xff" + PEM.encode("utf-16-be"),
    "UTF-16 without mark": lambda: PEM.encode("utf-16-le"),
    "UTF-16 big-endian without mark": lambda: PEM.encode("utf-16-be"),
    "bare base64 in UTF-16": lambda: base64.encodebytes(DER).decode().encode("utf-16"),
}


@pytest.mark.parametrize("form", FORMS)
def test_every_form_gives_the_same_request(form: str) -> None:
    csr = read_csr(FORMS[form]())
    assert csr.der == DER
    assert csr.names.all == set(NAMES)
    assert (csr.names.common_name, csr.key_bits) == (NAMES[0], 2048)
    assert read_csr(csr.pem) == csr


def test_text_gives_the_same_as_bytes() -> None:
    assert read_csr(PEM) == read_csr(PEM.encode())


def test_names_of_every_kind_and_case_are_found() -> None:

    names = x509.SubjectAlternativeName(
        [x509.DNSName("SIP.Contoso.example."), x509.IPAddress(ipaddress.ip_address("10.0.0.1"))]
    )
    builder = x509.CertificateSigningRequestBuilder().subject_name(pki.distinguished_name("Pool.contoso.example"))
    request = builder.add_extension(names, critical=False).sign(pki.shared_key("x"), SHA256())
    csr = read_csr(request.public_bytes(Encoding.DER))
    assert csr.names.all == {"pool.contoso.example", "sip.contoso.example", "ip:10.0.0.1"}


def test_request_without_alternative_names_has_its_cn() -> None:
    assert read_csr(make_request("se.contoso.example", with_names=False)).names.all == {"se.contoso.example"}


def tampered() -> bytes:
    """The request with another name in its signed part."""
    assert DER.count(b"edge01.contoso.example") == 1
    return DER.replace(b"edge01.contoso.example", b"edge66.contoso.example")


def unusual_key() -> bytes:

    builder = x509.CertificateSigningRequestBuilder().subject_name(pki.distinguished_name("a.example"))
    return builder.sign(ed25519.Ed25519PrivateKey.generate(), None).public_bytes(Encoding.DER)


REFUSED: dict[str, tuple[Callable[[], bytes], str]] = {
    "nothing": (lambda: b"", "not a readable certificate request"),
    "too long": (lambda: PEM.encode() + b" " * MAX_BYTES, "too long"),
    "a certificate": (
        lambda: pki.root_authority("CA").pem,
        "holds 'CERTIFICATE' where a certificate request was expected",
    ),
    "a certificate in DER": (lambda: pki.root_authority("CA").der, "not a readable certificate request"),
    "words": (lambda: b"please sign this", "neither PEM nor base64 nor DER"),
    "changed after signing": (tampered, "was changed or damaged"),
    "wildcard": (lambda: make_request("*.contoso.example").encode(), "wildcard name *.contoso.example"),
    "wildcard inside": (lambda: make_request("a.example", "fe*.contoso.example").encode(), "wildcard name fe*"),
    "no name": (lambda: make_request(subject=x509.Name([]), with_names=False).encode(), "names no server"),
    "unusual key": (unusual_key, "not an RSA key"),
    "EC key": (
        lambda: make_request("a.example", key=ec.generate_private_key(ec.SECP256R1())).encode(),
        "not an RSA key",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_is_no_usable_request_is_refused_in_plain_words(case: str) -> None:
    make, words = REFUSED[case]
    with pytest.raises(CsrError) as refusal:
        read_csr(make())
    assert words in str(refusal.value)


@given(st.binary(max_size=400))
def test_any_bytes_are_a_request_or_refused(data: bytes) -> None:
    with pytest.raises(CsrError):
        read_csr(data)


@given(st.integers(0, len(DER) - 1), st.integers(0, 255))
def test_one_changed_byte_never_gives_another_request(position: int, value: int) -> None:
    """Every byte is covered by the signature or by the strict encoding; the request is the same or refused."""
    changed = DER[:position] + bytes([value]) + DER[position + 1 :]
    try:
        csr = read_csr(changed)
    except CsrError:
        return
    assert (csr.names, csr.public_key_sha256) == (read_csr(DER).names, read_csr(DER).public_key_sha256)


@given(st.integers(0, len(PEM)), st.text(max_size=20))
def test_text_put_into_pem_never_crashes(position: int, text: str) -> None:
    with suppress(CsrError):
        read_csr(PEM[:position] + text + PEM[position:])


@pytest.mark.parametrize(
    "name",
    [
        x509.OtherName(x509.ObjectIdentifier("1.3.6.1.4.1.311.20.2.3"), b"\x0c\x13admin@contoso.local"),
        x509.RFC822Name("admin@contoso.example"),
        x509.UniformResourceIdentifier("https://contoso.example"),
        x509.DirectoryName(x509.Name([x509.NameAttribute(x509.oid.NameOID.COMMON_NAME, "Administrator")])),
    ],
    ids=["UPN", "mail", "address", "directory"],
)
def test_a_name_that_is_none_of_a_server_is_refused(name: x509.GeneralName) -> None:
    names = x509.SubjectAlternativeName([x509.DNSName("edge01.contoso.example"), name])
    with pytest.raises(CsrError, match="none of a server"):
        read_csr(_with(names))


def test_the_sid_of_an_account_is_refused() -> None:
    sid = x509.UnrecognizedExtension(x509.ObjectIdentifier("1.3.6.1.4.1.311.25.2"), b"\x30\x00")
    with pytest.raises(CsrError, match="SID of an account"):
        read_csr(_with(sid))


def test_an_address_of_a_server_is_none_of_a_person() -> None:
    names = x509.SubjectAlternativeName(
        [x509.DNSName("edge01.contoso.example"), x509.IPAddress(ipaddress.IPv4Address("10.0.0.1"))]
    )
    assert "ip:10.0.0.1" in read_csr(_with(names)).names.all


def _with(extension: x509.ExtensionType) -> bytes:
    """A request for edge01 with this extension."""
    builder = x509.CertificateSigningRequestBuilder().subject_name(pki.distinguished_name("edge01.contoso.example"))
    signed = builder.add_extension(extension, critical=False).sign(pki.shared_key("server that requests"), SHA256())
    return signed.public_bytes(Encoding.PEM)


@pytest.mark.parametrize("piece", [" ", "A", "\n", "-----BEGIN NEW CERTIFICATE REQUEST-----"])
def test_text_that_begins_a_request_and_does_not_end_it_is_refused_quickly(piece: str) -> None:
    started = time.process_time()
    text = "-----BEGIN NEW CERTIFICATE REQUEST-----" + piece * (250_000 // len(piece))
    with pytest.raises(CsrError):
        read_csr(text)
    assert time.process_time() - started < 5
