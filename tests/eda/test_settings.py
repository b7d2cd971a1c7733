# Copyright (c) 2026, the sfb.kb4023993 contributors
# GNU General Public License v3.0-or-later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The webhook starts only with settings under which it may be reached: a token, TLS for other machines, one inventory."""

from __future__ import annotations

import datetime
import ipaddress
import ssl
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from eda.rulebook import TOKEN, Rulebook, event

SERVERS = "all:\n  hosts:\n    a1:\n      sfb_kb4023993_pool: poola.contoso.example\n"


@pytest.fixture
def inventory(tmp_path: Path) -> Path:
    place = tmp_path / "inventory"
    place.mkdir()
    (place / "hosts.yml").write_text(SERVERS, "utf-8")
    return place


def test_it_does_not_start_with_a_bad_token_and_says_what_to_set(
    programs: Path, tmp_path: Path, inventory: Path
) -> None:
    # ansible-rulebook makes a number of it, which no sender could match.
    digits = {"sfb_kb4023993_eda_token": "1" * 40}
    refused = Rulebook(programs, tmp_path / "eda", inventory=inventory, variables=digits)
    assert refused.ended() != 0
    assert "one of them a letter: set sfb_kb4023993_eda_token" in refused.output
    assert "1" * 40 not in refused.output


def test_it_does_not_start_where_the_filter_would_find_no_inventory(
    programs: Path, tmp_path: Path, inventory: Path
) -> None:
    refused = Rulebook(programs, tmp_path / "eda", inventory=None, arguments=("-i", str(inventory)))
    assert refused.ended() != 0
    assert "name the inventory by it, not by -i" in refused.output


def test_over_tls_a_sender_needs_token_and_certificate(programs: Path, tmp_path: Path, inventory: Path) -> None:
    authority = _Authority()
    for name in ("server", "client"):
        authority.issue(name, tmp_path)
    variables = {
        "sfb_kb4023993_eda_certfile": str(tmp_path / "server.pem"),
        "sfb_kb4023993_eda_keyfile": str(tmp_path / "server.key"),
        "sfb_kb4023993_eda_cafile": str(authority.write(tmp_path)),
    }
    stranger = ssl.create_default_context(cafile=str(authority.write(tmp_path)))
    known = ssl.create_default_context(cafile=str(authority.write(tmp_path)))
    known.load_cert_chain(tmp_path / "client.pem", tmp_path / "client.key")
    # A server that the filter does not find answers nothing, but was received.
    unknown = event("zz9.contoso.example")
    with Rulebook(programs, tmp_path / "eda", inventory=inventory, variables=variables) as rulebook:
        assert rulebook.post(unknown, tls=known) == 200
        assert rulebook.post(unknown, tls=known, token=TOKEN + "x") == 401
        for tls in (stranger, None):
            with pytest.raises(OSError, match=r".+"):
                rulebook.post(unknown, tls=tls)
        assert rulebook.output.count("no server of the inventory is called zz9.contoso.example") == 1


class _Authority:
    def __init__(self) -> None:
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._certificate = self._sign("CA of a test", self._key, ca=True)

    def write(self, place: Path) -> Path:
        (place / "ca.pem").write_bytes(self._certificate.public_bytes(serialization.Encoding.PEM))
        return place / "ca.pem"

    def issue(self, name: str, place: Path) -> None:
        key = ec.generate_private_key(ec.SECP256R1())
        issued = self._sign(name, key, ca=False)
        (place / f"{name}.pem").write_bytes(issued.public_bytes(serialization.Encoding.PEM))
        (place / f"{name}.key").write_bytes(
            key.private_bytes(
                serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
            )
        )

    def _sign(self, name: str, key: ec.EllipticCurvePrivateKey, *, ca: bool) -> x509.Certificate:
        issuer = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "CA of a test")])
        now = datetime.datetime.now(datetime.timezone.utc)
        builder = (
            x509.CertificateBuilder()
            .subject_name(x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)]))
            .issuer_name(issuer)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - datetime.timedelta(hours=1))
            .not_valid_after(now + datetime.timedelta(days=1))
            .add_extension(x509.BasicConstraints(ca=ca, path_length=None), critical=True)
            .add_extension(
                x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False
            )
        )
        return builder.sign(self._key, hashes.SHA256())
