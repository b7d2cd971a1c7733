# Copyright (c) 2026, the sfb.kb4023993 contributors
# GNU General Public License v3.0-or-later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""ca_submit, ca_retrieve and ca_chain with an object that has the documented methods of CertificateAuthority.Request."""

from __future__ import annotations

import base64
import typing as t
from pathlib import Path

import pytest
from ansible_collections.sfb.kb4023993.plugins.plugin_utils.host import certificate_operations as c
from ansible_collections.sfb.kb4023993.plugins.plugin_utils.host.wire import Reply
from cryptography.hazmat.primitives.serialization import Encoding, pkcs7
from lab import pki
from powershell.com_object import com_object
from powershell.runner import Engine, batch_text

CONFIG = "ca01.contoso.com\\Contoso 'Issuing' $(exit 9) CA"
CSR = "-----BEGIN NEW CERTIFICATE REQUEST-----\r\nAAAA\r\n-----END NEW CERTIFICATE REQUEST-----\r\n"
ROOT = pki.root_authority("Asked Root")
ISSUED = ROOT.issue("fe01.contoso.com")
BUNDLE = pkcs7.serialize_certificates([ISSUED.certificate, ROOT.certificate], Encoding.DER)

# Methods and types as certcli.h has them.
_OBJECT = r"""
class CertificateAuthorityRequest {
    [void] Note([string]$text) { [IO.File]::AppendAllText($env:CA_CALLS, $text.Replace("`r`n", '~') + "`n") }
    [int] Submit([int]$Flags, [string]$strRequest, [string]$strAttributes, [string]$strConfig) {
        $this.Note("Submit $Flags|$strRequest|$strAttributes|$strConfig")
        if ($env:CA_THROWS -eq 'Submit') { throw [Runtime.InteropServices.COMException]::new('RPC-Server nicht verf.', 0x800706BA) }
        return [int]$env:CA_DISPOSITION
    }
    [int] RetrievePending([int]$RequestId, [string]$strConfig) {
        $this.Note("RetrievePending $RequestId|$strConfig")
        return [int]$env:CA_DISPOSITION
    }
    [int] GetRequestId() { return 4711 }
    [int] GetLastStatus() { return [int]$env:CA_STATUS }
    [string] GetCertificate([int]$Flags) {
        $this.Note("GetCertificate $Flags")
        if ($env:CA_THROWS -eq 'GetCertificate') { throw [Runtime.InteropServices.COMException]::new('no', 0x80004005) }
        return [Text.RegularExpressions.Regex]::Replace($env:CA_BUNDLE, '.{64}', "`$0`r`n")
    }
    [string] GetCACertificate([int]$fExchangeCertificate, [string]$strConfig, [int]$Flags) {
        $this.Note("GetCACertificate $fExchangeCertificate|$strConfig|$Flags")
        if ($env:CA_THROWS -eq 'GetCACertificate') { throw [UnauthorizedAccessException]::new('Zugriff verweigert') }
        return [Text.RegularExpressions.Regex]::Replace($env:CA_BUNDLE, '.{64}', "`$0`r`n")
    }
}
"""

Run = t.Callable[..., tuple[tuple[Reply, ...], list[str]]]


@pytest.fixture
def run(engine: Engine, tmp_path: Path) -> Run:
    """Runs a batch where that object answers in this way; gives the replies and what it was asked."""

    script = com_object("CertificateAuthority.Request", "CertificateAuthorityRequest", _OBJECT) + batch_text()

    def ask(
        *batch: t.Any, disposition: int = 3, status: int = 0, throws: str = ""
    ) -> tuple[tuple[Reply, ...], list[str]]:
        calls = tmp_path / "calls"
        calls.unlink(missing_ok=True)
        variables = {
            "CA_CALLS": str(calls),
            "CA_DISPOSITION": str(disposition),
            "CA_STATUS": str(status),
            "CA_THROWS": throws,
            "CA_BUNDLE": base64.b64encode(BUNDLE).decode("ascii"),
        }
        replies = Engine(engine.program, variables).run_script(script, *batch)
        return replies, calls.read_text(encoding="utf-8").splitlines() if calls.exists() else []

    return ask


SUBMIT = c.CaSubmit(config=CONFIG, attributes="CertificateTemplate:Sfb\nx:y", csr=CSR)


def test_an_issued_certificate_comes_with_its_chain(run: Run) -> None:
    (reply, later), calls = run(SUBMIT, c.CaRetrieve(config=CONFIG, request_id=12))
    expected = c.CaReply(disposition=3, request_id=4711, hresult=0, certificates=BUNDLE)
    assert (reply.value, later.value) == (expected, expected)
    submit, get, retrieve, get_again = "\n".join(calls).replace("Sfb\nx:y", "Sfb/x:y").split("\n")
    # CR_IN_PKCS10 | CR_IN_BASE64HEADER, and CR_OUT_BASE64 | CR_OUT_CHAIN.
    assert submit == f"Submit {0x100 | 0}|{CSR.replace(chr(13) + chr(10), '~')}|CertificateTemplate:Sfb/x:y|{CONFIG}"
    assert retrieve == f"RetrievePending 12|{CONFIG}"
    assert get == get_again == f"GetCertificate {1 | 0x100}"


@pytest.mark.parametrize(("disposition", "status"), [(2, -2146875374), (5, 0), (1, -2147024809), (0, 1)])
def test_everything_else_comes_as_numbers(run: Run, disposition: int, status: int) -> None:
    (reply,), calls = run(SUBMIT, disposition=disposition, status=status)
    assert reply.value == c.CaReply(disposition=disposition, request_id=4711, hresult=status, certificates=None)
    assert [call for call in calls if call.startswith("GetCertificate")] == []


def test_the_number_of_an_issued_request_is_not_lost(run: Run) -> None:
    (reply,), _ = run(SUBMIT, throws="GetCertificate")
    assert reply.value == c.CaReply(disposition=3, request_id=4711, hresult=0, certificates=None)


def test_a_ca_that_cannot_be_reached_is_an_error(run: Run) -> None:
    (reply,), _ = run(SUBMIT, throws="Submit")
    assert (reply.error and reply.error.type) == "failed"
    (reply,), _ = run(c.CaChain(config=CONFIG), throws="GetCACertificate")
    assert (reply.error and reply.error.type) == "denied"


def test_the_chain_of_a_ca(run: Run) -> None:
    (reply,), calls = run(c.CaChain(config=CONFIG))
    assert reply.value == c.CaChainReply(certificates=BUNDLE)
    assert calls == [f"GetCACertificate 0|{CONFIG}|{1 | 0x100}"]


def test_what_names_no_ca(run: Run) -> None:
    """A web address would make Windows speak to an enrolment service instead."""
    configs = ("", "ca01", "https://ca01/certsrv\\x", "\\x", "ca01\\")
    replies, calls = run(
        *(c.CaChain(config=config) for config in configs),
        *(c.CaRetrieve(config=config, request_id=1) for config in configs),
        *(c.CaSubmit(config=config, attributes="", csr=CSR) for config in configs),
    )
    assert [reply.error.type if reply.error else reply for reply in replies] == ["invalid"] * 15
    assert calls == []


def test_a_host_without_that_object(engine: Engine) -> None:
    (reply,) = engine.run(SUBMIT)
    assert reply.error is not None
