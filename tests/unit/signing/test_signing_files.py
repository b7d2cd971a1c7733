# Copyright (c) 2026, the sfb.kb4023993 contributors
# GNU General Public License v3.0-or-later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The folder of method files, and reading the certificates that CAs hand over."""

from __future__ import annotations

import base64
import datetime
import time
from pathlib import Path

import pytest
from ansible_collections.sfb.kb4023993.plugins.plugin_utils.signing.bundle import BundleError, read_bundle, to_pem
from ansible_collections.sfb.kb4023993.plugins.plugin_utils.signing.csr import read_csr
from ansible_collections.sfb.kb4023993.plugins.plugin_utils.signing.files import FilesMethod, request_file
from ansible_collections.sfb.kb4023993.plugins.plugin_utils.signing.records import Submission, new_record, with_request
from ansible_collections.sfb.kb4023993.plugins.plugin_utils.signing.responses import Issued, Pending, SigningError
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, pkcs7
from hypothesis import given
from hypothesis import strategies as st
from lab import pki
from lab.ca.enterprise import bundle
from lab.ca.request import make_request, request_key

CSR = read_csr(make_request("edgepool.contoso.example"))
ROOT = pki.root_authority("Contoso Root CA")
ISSUED = ROOT.issue("edgepool.contoso.example", key=request_key())
BOTH = [ISSUED.der, ROOT.der]
PEM_BUNDLE = pkcs7.serialize_certificates([ISSUED.certificate, ROOT.certificate], Encoding.PEM)

FORMS = {
    "DER": (ISSUED.der, [ISSUED.der]),
    "PEM": (ISSUED.pem, [ISSUED.der]),
    "PEM bundle": (b"subject=x\n" + ISSUED.pem + b"\r\n" + ROOT.pem, BOTH),
    "CRLF": (ISSUED.pem.replace(b"\n", b"\r\n"), [ISSUED.der]),
    "bare base64": (base64.encodebytes(ISSUED.der), [ISSUED.der]),
    "p7b": (bundle(BOTH), BOTH),
    "p7b in PEM": (PEM_BUNDLE, BOTH),
    "p7b in base64": (base64.encodebytes(bundle(BOTH)), BOTH),
    "twice": (ISSUED.pem * 2, [ISSUED.der]),
}


@pytest.mark.parametrize("form", FORMS)
def test_every_form_of_a_certificate_is_read(form: str) -> None:
    data, expected = FORMS[form]
    assert sorted(read_bundle(data)) == sorted(expected)


REFUSED = {
    "nothing": (b"", "neither a certificate"),
    "words": (b"hello world", "neither PEM nor base64 nor DER"),
    "a page": (b"<html>0x80094800</html>", "neither PEM nor base64 nor DER"),
    "a request": (CSR.der, "neither a certificate nor a PKCS #7"),
    "a private key": (ISSUED.pem + ISSUED.key_pem, "holds a private key"),
    "too long": (b"x" * 2_000_000, "too much"),
    "too many": (b"".join(ROOT.issue(f"n{n}").pem for n in range(201)), "too many"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_holds_no_certificate_is_refused(case: str) -> None:
    data, words = REFUSED[case]
    with pytest.raises(BundleError, match=words):
        read_bundle(data)


@given(st.binary(max_size=300) | st.binary(max_size=40).map(lambda tail: bundle(BOTH)[:-40] + tail))
def test_any_bytes_are_certificates_or_refused(data: bytes) -> None:
    try:
        found = read_bundle(data)
    except BundleError:
        return
    assert all(x509.load_der_x509_certificate(der) for der in found)


def test_a_bundle_with_a_certificate_of_an_unknown_version_is_refused() -> None:
    version = b"\xa0\x03\x02\x01\x02"
    assert ISSUED.der.count(version) == 1
    changed = bundle(BOTH).replace(ISSUED.der, ISSUED.der.replace(version, b"\xa0\x03\x02\x01\x03"))
    with pytest.raises(BundleError, match="neither a certificate nor a PKCS #7"):
        read_bundle(changed)


@pytest.mark.parametrize("piece", [b" ", b"A", b"\n", b"-----BEGIN CERTIFICATE-----"])
def test_text_that_begins_a_certificate_and_does_not_end_it_is_refused_quickly(piece: bytes) -> None:
    started = time.process_time()
    with pytest.raises(BundleError):
        read_bundle(b"-----BEGIN CERTIFICATE-----" + piece * (1_000_000 // len(piece)))
    assert time.process_time() - started < 5


def test_pem_is_what_others_read() -> None:
    assert x509.load_pem_x509_certificate(to_pem(ISSUED.der).encode()) == ISSUED.certificate


def test_request_goes_out_and_waits(tmp_path: Path) -> None:
    method = FilesMethod(str(tmp_path / "new" / "folder"))
    assert method.submit(CSR, "") == Pending(request_id=None)
    (path,) = (tmp_path / "new" / "folder" / "requests").iterdir()
    assert path.name == request_file(CSR)
    assert read_csr(path.read_bytes()) == CSR


def test_certificate_is_known_by_its_key_and_the_newest_counts(tmp_path: Path) -> None:
    folder = tmp_path / "certificates"
    folder.mkdir()
    (folder / request_file(CSR)).write_bytes(ROOT.issue("edgepool.contoso.example", key=pki.shared_key("x")).der)
    assert FilesMethod(str(tmp_path)).retrieve(CSR, None) == Pending(request_id=None)
    (folder / "something.else").write_bytes(bundle(BOTH))
    found = FilesMethod(str(tmp_path)).retrieve(CSR, None)
    assert isinstance(found, Issued)
    assert found.certificate == ISSUED.der


def test_files_that_cannot_be_used_are_named_and_do_no_harm(tmp_path: Path) -> None:
    folder = tmp_path / "certificates"
    folder.mkdir()
    (folder / "note.txt").write_text("please install")
    (folder / "key.pem").write_bytes(ISSUED.key_pem)
    (folder / ".hidden").write_text("x")
    (folder / "folder").mkdir()
    (folder / "good.cer").write_bytes(ISSUED.der)
    method = FilesMethod(str(tmp_path))
    assert isinstance(method.retrieve(CSR, None), Issued)
    assert len(method.unusable) == 2
    assert "Remove it from there" in method.unusable[0]


def test_folder_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(SigningError, match="cannot be written"):
        FilesMethod(str(tmp_path / "file")).submit(CSR, "")


@pytest.mark.parametrize("name", ["../../etc/passwd", "a/b", "ä", ".hidden", "x" * 300, "a\x00b"])
def test_names_of_files_are_safe(tmp_path: Path, name: str) -> None:
    csr = read_csr(make_request(subject=pki.distinguished_name(name[:64]), with_names=False))
    FilesMethod(str(tmp_path)).submit(csr, "")
    (path,) = (tmp_path / "requests").iterdir()
    assert path.parent == tmp_path / "requests"
    assert path.suffix == ".req"


def test_index_does_not_change_with_what_happens_on_the_servers(tmp_path: Path) -> None:
    now = datetime.datetime.now(datetime.timezone.utc)
    found = new_record(servers=("edge01",), uses=("Internal",), replaces=None, at=now)
    found = with_request(found, CSR, at=now)
    found = found.moved(
        "pending",
        "Waits.",
        at=now,
        submission=Submission(
            method="files", ca="x", template=None, csr_sha256=CSR.sha256, at_utc="2026-03-08T12:00:00Z"
        ),
    )
    method = FilesMethod(str(tmp_path))
    assert method.write_index([found])
    assert "state     pending" in (tmp_path / "index.txt").read_text("utf-8")
    assert method.write_index([found.moved("verified", "Install it.", at=now)])
    assert not any(method.write_index([found.moved(step, "", at=now)]) for step in ("installed", "assigned", "done"))
