# Copyright (c) 2026, the sfb.kb4023993 contributors
# GNU General Public License v3.0-or-later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The stages before the logon, against real sockets on this machine."""

from __future__ import annotations

import contextlib
import dataclasses
import datetime
import pathlib
import socket
import ssl
import threading
import typing as t
import warnings

import pytest
from ansible_collections.sfb.kb4023993.plugins.plugin_utils.controller_check import probe
from ansible_collections.sfb.kb4023993.plugins.plugin_utils.controller_check.check import Check
from ansible_collections.sfb.kb4023993.plugins.plugin_utils.controller_check.probe import Offer, ProbeError
from ansible_collections.sfb.kb4023993.plugins.plugin_utils.controller_check.trust import look_at_certificate
from ansible_collections.sfb.kb4023993.plugins.plugin_utils.controller_check.way import Way
from builders.certificates import issuing, key, root
from cryptography.hazmat.primitives import serialization
from lab import pki

WAY: t.Final = Way(
    connection="winrm", windows=True, address="127.0.0.1", port=1, scheme="http", path="/wsman", methods=("ntlm",)
)
CHALLENGE: t.Final = (
    b'HTTP/1.1 401 \r\nWWW-Authenticate: Negotiate, CredSSP\r\nWWW-Authenticate: Basic realm="WSMAN, x"\r\n'
    b"Date: Mon, 01 Jun 2026 12:00:00 GMT\r\nContent-Length: 0\r\n\r\n"
)
DAY: t.Final = datetime.timedelta(days=1)


@contextlib.contextmanager
def serving(answer: bytes | None, context: ssl.SSLContext | None = None) -> t.Iterator[int]:
    """A port that answers every request alike; ``None`` closes each connection at once. Gives the port."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def converse(connection: socket.socket) -> None:
            with contextlib.suppress(OSError), connection:
                if answer is None:
                    return
                stream = context.wrap_socket(connection, server_side=True) if context else connection
                with stream:
                    if stream.recv(4096):
                        stream.sendall(answer)
                        stream.shutdown(socket.SHUT_WR)
                        while stream.recv(4096):
                            pass

        def serve() -> None:
            with contextlib.suppress(OSError):
                while True:
                    threading.Thread(target=converse, args=(server.accept()[0],), daemon=True).start()

        threading.Thread(target=serve, daemon=True).start()
        yield server.getsockname()[1]


def at(port: int, **changes: t.Any) -> Way:
    return dataclasses.replace(WAY, port=port, **changes)


def go(way: Way) -> Offer:
    """All stages."""
    probe.resolve("fe01", way)
    connection: socket.socket = probe.reach("fe01", way)
    with connection:
        if way.scheme == "https":
            connection, _end = probe.secure("fe01", way, connection)
        with connection:
            return probe.ask("fe01", way, connection)


def problem(way: Way) -> Check:
    with pytest.raises(ProbeError) as caught:
        go(way)
    check = caught.value.check
    assert check.status == "failed"
    assert check.where == ("fe01",)
    assert check.next_step
    return check


def named(check: Check) -> str:
    return check.id.removeprefix("KB4023993-CTRL-")


def test_what_the_service_offers() -> None:
    with serving(CHALLENGE) as port:
        offer = go(at(port))
    assert offer.methods == {"negotiate", "credssp", "basic"}
    assert offer.date == datetime.datetime(2026, 6, 1, 12, tzinfo=datetime.timezone.utc)
    assert offer.status == 401


@pytest.mark.parametrize("zone", ["Jun 99999999999999999999 12:00:00 GMT", "Jun 2026 12:00:00 +99999999999999999", "x"])
def test_a_time_that_cannot_be_is_no_time(zone: str) -> None:
    with serving(CHALLENGE.replace(b"Jun 2026 12:00:00 GMT", zone.encode("ascii"))) as port:
        assert go(at(port)).date is None


@pytest.mark.parametrize("name", ["fe01.invalid", "a..b"])
def test_a_name_that_nobody_knows(name: str) -> None:
    check = problem(at(1, address=name))
    assert named(check) == "CONTACT-NAME"
    assert name in check.what


def test_a_port_that_refuses() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    check = problem(at(port))
    assert named(check) == "CONTACT-PORT"
    assert "refuses connections" in check.what


def test_a_port_that_drops_everything(monkeypatch: pytest.MonkeyPatch) -> None:
    # A queue that is full drops what comes, as a firewall does.
    monkeypatch.setattr(probe, "_SECONDS", 0.3)
    with socket.create_server(("127.0.0.1", 0), backlog=0) as server, contextlib.ExitStack() as stack:
        for _number in range(4):
            waiting = stack.enter_context(socket.socket())
            waiting.setblocking(False)
            waiting.connect_ex(server.getsockname())
        check = problem(at(server.getsockname()[1]))
    assert named(check) == "CONTACT-PORT"
    assert "a firewall drops it" in check.what


@pytest.mark.parametrize("status", [b"404 Not Found", b"503 Service Unavailable"])
def test_a_path_at_which_nothing_is(status: bytes) -> None:
    with serving(b"HTTP/1.1 " + status + b"\r\nContent-Length: 0\r\n\r\n") as port:
        check = problem(at(port))
    assert named(check) == "CONTACT-PORT"
    assert f"HTTP {status[:3].decode()}" in check.what


def test_a_service_that_is_not_winrm() -> None:
    with serving(b"220 mail.contoso.example ESMTP\r\n") as port:
        check = problem(at(port))
    assert named(check) == "CONTACT-TLS"
    assert "is not WinRM" in check.what


def test_plain_http_where_https_is_meant() -> None:
    # One that answers the handshake with HTTP, and one that closes without a word.
    with serving(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n") as port:
        answering = problem(at(port, scheme="https"))
    assert "speaks plain HTTP" in answering.what


def test_a_listener_without_a_certificate() -> None:
    with serving(None) as port:
        check = problem(at(port, scheme="https"))
    assert named(check) == "CONTACT-TLS"
    assert "no usable certificate" in check.what


# ---- certificates


def listener(directory: pathlib.Path, **options: t.Any) -> tuple[ssl.SSLContext, pathlib.Path]:
    """A server with a certificate of the test's CA for 127.0.0.1, and the file with the root that is to be trusted."""
    now = datetime.datetime.now(datetime.timezone.utc)
    given = {"dns_names": ["fe01.contoso.example", "127.0.0.1"], "eku": [pki.SERVER_AUTH], "key": key("server")}
    issued = issuing().issue(
        options.pop("subject", "fe01"), **{**given, "not_before": now - DAY, "not_after": now + 60 * DAY, **options}
    )
    pem = serialization.Encoding.PEM
    chain = issued.certificate.public_bytes(pem) + issuing().certificate.public_bytes(pem)
    (directory / "server.pem").write_bytes(chain)
    secret = key("server").private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    (directory / "server.key").write_bytes(secret)
    (directory / "root.pem").write_bytes(root().certificate.public_bytes(pem))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(directory / "server.pem", directory / "server.key")
    return context, directory / "root.pem"


def handshake(
    directory: pathlib.Path, *, trusted: bool = True, address: str = "localhost", **options: t.Any
) -> Offer | Check:
    context, ca_file = listener(directory, **options)
    with serving(CHALLENGE, context) as port:
        way = at(port, scheme="https", address=address, ca_file=str(ca_file) if trusted else "")
        try:
            return go(way)
        except ProbeError as error:
            return error.check


def refused(directory: pathlib.Path, **options: t.Any) -> Check:
    found = handshake(directory, **options)
    assert isinstance(found, Check)
    assert named(found) == "CONTACT-TLS"
    return found


NOW: t.Final = datetime.datetime.now(datetime.timezone.utc)


def test_a_certificate_that_is_accepted(tmp_path: pathlib.Path) -> None:
    assert isinstance(handshake(tmp_path, dns_names=["localhost"]), Offer)


def test_an_expired_certificate(tmp_path: pathlib.Path) -> None:
    check = refused(tmp_path, dns_names=["localhost"], not_before=NOW - 9 * DAY, not_after=NOW - 2 * DAY)
    assert f"is over, since {NOW - 2 * DAY:%Y-%m-%d}" in check.what


def test_a_certificate_of_tomorrow(tmp_path: pathlib.Path) -> None:
    check = refused(tmp_path, dns_names=["localhost"], not_before=NOW + DAY, not_after=NOW + 9 * DAY)
    assert "not valid yet" in check.what
    assert "clock" in check.next_step


def test_a_certificate_for_another_name(tmp_path: pathlib.Path) -> None:
    check = refused(tmp_path, dns_names=["fe01.contoso.example", "fe01"])
    assert "is not for localhost, but for fe01.contoso.example, fe01" in check.what


def test_a_name_in_the_subject_alone_does_not_count(tmp_path: pathlib.Path) -> None:
    context, ca_file = listener(tmp_path, subject="localhost", dns_names=[])
    with serving(CHALLENGE, context) as port:
        check = problem(at(port, scheme="https", address="localhost", ca_file=str(ca_file)))
    assert "it holds no name that counts" in check.what


def test_a_ca_that_nobody_named(tmp_path: pathlib.Path) -> None:
    check = refused(tmp_path, trusted=False, dns_names=["localhost"])
    assert "Contoso Issuing CA 1" in check.what
    assert "certifi" in check.what
    assert "ansible_winrm_ca_trust_path" in check.next_step


def test_a_certificate_for_clients_alone(tmp_path: pathlib.Path) -> None:
    assert "not for server authentication" in refused(tmp_path, dns_names=["localhost"], eku=[pki.CLIENT_AUTH]).what


def test_a_file_of_cas_that_is_none_trusts_nobody(tmp_path: pathlib.Path) -> None:
    context, ca_file = listener(tmp_path, dns_names=["localhost"])
    ca_file.write_text("no certificate")
    with serving(CHALLENGE, context) as port:
        check = problem(at(port, scheme="https", address="localhost", ca_file=str(ca_file)))
    assert "is not trusted" in check.what


def test_where_nothing_is_verified_any_certificate_does(tmp_path: pathlib.Path) -> None:
    context, _ca_file = listener(tmp_path, not_before=NOW - 9 * DAY, not_after=NOW - 2 * DAY)
    with serving(CHALLENGE, context) as port:
        assert go(at(port, scheme="https", verifies=False)).methods >= {"negotiate"}


def test_https_where_plain_http_is_meant(tmp_path: pathlib.Path) -> None:
    context, _ca_file = listener(tmp_path)
    with serving(CHALLENGE, context) as port:
        check = problem(at(port))
    assert "speaks HTTPS, and the connection is set to http" in check.what


def test_a_host_that_knows_only_old_tls(tmp_path: pathlib.Path) -> None:
    context, ca_file = listener(tmp_path, dns_names=["localhost"])
    context.set_ciphers("ALL:@SECLEVEL=0")
    with warnings.catch_warnings():
        # Python warns of what this is about.
        warnings.simplefilter("ignore", DeprecationWarning)
        context.minimum_version = ssl.TLSVersion.TLSv1
        context.maximum_version = ssl.TLSVersion.TLSv1_1
    with serving(CHALLENGE, context) as port:
        check = problem(at(port, scheme="https", address="localhost", ca_file=str(ca_file)))
    assert "no TLS version that the controller accepts" in check.what
    assert "TLS 1.2" in check.next_step


HARMED: t.Final = {
    "of an unknown version": lambda der: der.replace(b"\xa0\x03\x02\x01\x02", b"\xa0\x03\x02\x01\x07", 1),
    "with a name of an unknown kind of text": lambda der: der.replace(
        b"\x06\x03\x55\x04\x03\x0c", b"\x06\x03\x55\x04\x03\x18"
    ),
    "cut": lambda der: der[:-10],
    "none": lambda _der: b"",
}


@pytest.mark.parametrize("harm", HARMED)
def test_a_certificate_that_cannot_be_read_is_refused_as_such(harm: str) -> None:
    der = HARMED[harm](issuing().issue("fe01", dns_names=["fe01"], key=key("server")).der)
    for code in (9, 10, 18, 20, 62):
        error = ssl.SSLCertVerificationError("x")
        error.verify_code, error.verify_message = code, "x"
        what, step = look_at_certificate(der, error, name="fe01", ca_file="", connection="winrm")
        assert what.startswith("The ")
        assert step
