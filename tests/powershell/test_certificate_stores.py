# Copyright (c) 2026, the sfb.kb4023993 contributors
# GNU General Public License v3.0-or-later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""pfx_export, pfx_import, store_add and the selection of certificates, with the stores of an account: Linux has none of a machine.

Stores of a machine are tried under Wine (tests/contract), flags of keys nowhere: .NET on Linux keeps no key from being exported.
"""

from __future__ import annotations

import hashlib
import typing as t
from pathlib import Path

import pytest
from ansible_collections.sfb.kb4023993.plugins.plugin_utils.host import certificate_operations as c
from ansible_collections.sfb.kb4023993.plugins.plugin_utils.host import operations as o
from ansible_collections.sfb.kb4023993.plugins.plugin_utils.host.wire import Reply
from cryptography.hazmat.primitives.serialization import BestAvailableEncryption, NoEncryption, pkcs12
from lab import pki
from powershell.runner import Engine, batch_text

WORD = 'Pä$$(exit 9)`\' "w"会議'
ROOT = pki.root_authority("Stores Root")
ISSUING = ROOT.subordinate("Stores Issuing CA")
SHARED = ISSUING.issue("edge01.contoso.com")

Run = t.Callable[..., tuple[Reply, ...]]


@pytest.fixture
def run(engine: Engine, tmp_path: Path) -> Run:
    """Runs a batch whose stores are those of an account that has no certificates yet."""
    for name in ("my", "ca", "root"):
        folder = tmp_path / ".dotnet" / "corefx" / "cryptography" / "x509stores" / name
        folder.mkdir(parents=True, mode=0o700)
    there = Engine(engine.program, {"HOME": str(tmp_path)})
    script = batch_text()
    assert script.count("'LocalMachine')") == 3
    # Properties of certificates lie in the registry.
    head = "function Get-UsageProperty([string]$thumbprint, [string[]]$stores) {\n"
    script = script.replace("'LocalMachine')", "'CurrentUser')").replace(head, f"{head}return\n")
    return lambda *batch: there.run_script(script, *batch)


def pfx(issued: pki.Issued, *more: pki.Issued, password: str = WORD) -> bytes:
    assert not isinstance(issued.key, str)
    issuers = [each.certificate for each in more] or None
    secret = BestAvailableEncryption(password.encode("utf-8"))
    return pkcs12.serialize_key_and_certificates(b"a name", issued.key, issued.certificate, issuers, secret)


def mark(der: bytes) -> str:
    return hashlib.sha1(der, usedforsecurity=False).hexdigest().upper()


def take(content: bytes, password: str = WORD) -> c.PfxImport:
    return c.PfxImport(pfx=content, password=password, exportable=True, friendly_name="KB4023993 Internal")


def test_a_certificate_goes_with_its_key_from_server_to_server(run: Run) -> None:
    thumbprint = mark(SHARED.der)
    first, again, out = run(
        take(pfx(SHARED)), take(pfx(SHARED)), c.PfxExport(thumbprint=thumbprint.lower(), password="")
    )
    assert first.value == c.StoreChangeReply(thumbprint=thumbprint, changed=True)
    assert again.value == c.StoreChangeReply(thumbprint=thumbprint, changed=False)
    key, certificate, more = pkcs12.load_key_and_certificates(out.value.pfx, b"")
    assert (certificate, more) == (SHARED.certificate, [])
    assert key is not None
    assert key.public_key() == SHARED.certificate.public_key()


def test_a_certificate_without_its_key_gets_it(run: Run, tmp_path: Path) -> None:
    """It is there already, so "not changed" would be wrong: the key was missing."""
    thumbprint = mark(SHARED.der)
    folder = tmp_path / ".dotnet/corefx/cryptography/x509stores/my"
    (folder / f"{thumbprint}.pfx").write_bytes(
        pkcs12.serialize_key_and_certificates(None, None, None, [SHARED.certificate], NoEncryption())
    )
    before, taken, after = run(o.Certificates(store="My"), take(pfx(SHARED)), o.Certificates(store="My"))
    assert taken.value.changed is True
    keys = [[entry.has_private_key for entry in reply.value.certificates] for reply in (before, after)]
    assert keys == [[False], [True]]


def test_what_is_no_pfx_with_one_certificate_and_its_key(run: Run) -> None:
    without_key = pkcs12.serialize_key_and_certificates(
        None, None, None, [SHARED.certificate], BestAvailableEncryption(WORD.encode("utf-8"))
    )
    replies = run(
        take(without_key),
        take(pfx(SHARED, ISSUING)),
        take(pfx(SHARED), "wrong"),
        take(b"no PFX"),
        take(b""),
        o.Certificates(store="My"),
    )
    assert [reply.error.type if reply.error else "" for reply in replies] == [
        *("invalid", "invalid", "failed", "failed", "failed"),
        "",
    ]
    assert replies[-1].value.certificates == ()


def export(thumbprint: str, password: str = WORD) -> c.PfxExport:
    return c.PfxExport(thumbprint=thumbprint, password=password)


def test_what_cannot_be_exported(run: Run) -> None:
    known = mark(ISSUING.der)
    replies = run(
        c.StoreAdd(store="CA", certificate=ISSUING.der),
        export(known),
        export("0" * 40),
        export(""),
        export("*"),
    )
    assert [reply.error.type if reply.error else "" for reply in replies] == [
        *("", "not_found", "not_found", "invalid", "invalid")
    ]


def test_only_self_signed_certificates_go_into_root(run: Run) -> None:
    replies = run(
        c.StoreAdd(store="Root", certificate=ROOT.der),
        c.StoreAdd(store="Root", certificate=ROOT.der),
        c.StoreAdd(store="Root", certificate=ISSUING.der),
        c.StoreAdd(store="Root", certificate=b"no certificate"),
        c.StoreAdd(store="CA", certificate=ISSUING.der),
        c.StoreAdd(store="CA", certificate=ISSUING.der),
        c.StoreAdd(store=t.cast("c.CaStore", "My"), certificate=ROOT.der),
        o.Certificates(store="Root"),
        o.Certificates(store="CA"),
    )
    assert [reply.value and reply.value.changed for reply in replies[:7] if not reply.error] == [
        True,
        False,
        True,
        False,
    ]
    assert [reply.error.type for reply in replies if reply.error] == ["invalid", "invalid", "invalid"]
    stored = [[entry.certificate for entry in reply.value.certificates] for reply in replies[7:]]
    assert stored == [[ROOT.der], [ISSUING.der]]


def test_certificates_that_others_issued(run: Run) -> None:
    """In Root these are the misplaced ones. Chains are only built for what is asked for."""
    seed = [c.StoreAdd(store="CA", certificate=each.der) for each in (ROOT, ISSUING, SHARED)]
    everything, chosen, one = run(
        *seed,
        o.Certificates(store="CA"),
        o.Certificates(store="CA", only="issued_by_others"),
        o.Certificates(store="CA", only="issued_by_others", limit=1),
    )[3:]
    assert {entry.certificate for entry in everything.value.certificates} == {ROOT.der, ISSUING.der, SHARED.der}
    assert {entry.certificate for entry in chosen.value.certificates} == {ISSUING.der, SHARED.der}
    assert [reply.value.truncated for reply in (everything, chosen, one)] == [False, False, True]
