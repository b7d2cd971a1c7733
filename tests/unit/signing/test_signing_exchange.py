# Copyright (c) 2026, the sfb.kb4023993 contributors
# GNU General Public License v3.0-or-later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Talking to the enrolment pages: what hostile and broken servers can do, and that a request leaves this machine once."""

from __future__ import annotations

import contextlib
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from ansible_collections.sfb.kb4023993.plugins.plugin_utils.signing.csr import read_csr
from ansible_collections.sfb.kb4023993.plugins.plugin_utils.signing.exchange import (
    Account,
    LostAnswerError,
    Server,
    exchange,
)
from ansible_collections.sfb.kb4023993.plugins.plugin_utils.signing.responses import (
    Issued,
    Pending,
    SigningError,
    Taken,
    Unclear,
)
from ansible_collections.sfb.kb4023993.plugins.plugin_utils.signing.web import WebMethod, check_template
from lab import pki
from lab.ca.certsrv import Certsrv
from lab.ca.enterprise import EnterpriseCa
from lab.ca.request import make_request
from lab.ca.template import both_usages
from lab.protocol.tls import make_certificate

ACCOUNT = Account(user=r"CONTOSO\requester", password="s3cret-word", authentication="ntlm")  # noqa: S106
CSR = read_csr(make_request("edgepool.contoso.example"))
TEMPLATE = "WebServerClientandServer"

Behaviour = Callable[[ssl.SSLSocket, bytes], None]


class Script:
    """A TLS server that hands every request, as bytes, to a behaviour; the connection closes when that returns."""

    def __init__(self, directory: Path, behaviour: Behaviour) -> None:
        self._tls = make_certificate(directory, address="127.0.0.1")
        self._behaviour = behaviour
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.requests: list[bytes] = []
        threading.Thread(target=self._serve, daemon=True).start()

    @property
    def server(self) -> Server:
        port = self._socket.getsockname()[1]
        return Server(host="127.0.0.1", port=port, ca_file=str(self._tls.certificate_path), timeout_seconds=1)

    def close(self) -> None:
        self._socket.close()

    def _serve(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                plain, _ = self._socket.accept()
                threading.Thread(target=self._talk, args=(plain,), daemon=True).start()

    def _talk(self, plain: socket.socket) -> None:
        with contextlib.suppress(OSError), self._tls.context.wrap_socket(plain, server_side=True) as connection:
            while head := connection.recv(65536):
                self.requests.append(head)
                self._behaviour(connection, head)


@pytest.fixture
def serve(tmp_path: Path) -> Iterator[Callable[[Behaviour], Script]]:
    running: list[Script] = []

    def start(behaviour: Behaviour) -> Script:
        running.append(Script(tmp_path, behaviour))
        return running[-1]

    yield start
    for script in running:
        script.close()


def answer(status: str, *headers: str, body: bytes = b"") -> Behaviour:
    head = "\r\n".join([f"HTTP/1.1 {status}", *headers, f"Content-Length: {len(body)}", "", ""]).encode()

    def send(connection: ssl.SSLSocket, _: bytes) -> None:
        connection.sendall(head + body)

    return send


def drip(connection: ssl.SSLSocket, _: bytes) -> None:
    connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n")
    for _time in range(100):
        connection.sendall(b"x")
        time.sleep(0.2)


def endless(connection: ssl.SSLSocket, _: bytes) -> None:
    connection.sendall(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
    while True:
        connection.sendall(b"10000\r\n" + b"x" * 0x10000 + b"\r\n")


CHALLENGE = "TlRMTVNTUAACAAAA"  # the beginning of an NTLM challenge, and no more
BEFORE: dict[str, tuple[Behaviour, str]] = {
    "closes": (lambda connection, _: connection.close(), "ended the connection during authentication"),
    "no HTTP": (lambda connection, _: connection.sendall(b"220 smtp ready\r\n"), "ended the connection"),
    "offers Basic only": (answer("401 No", "WWW-Authenticate: Basic realm=x"), "no Windows authentication"),
    "offers nothing": (answer("401 No"), "it offers: nothing"),
    "never goes on": (answer("401 No", "WWW-Authenticate: NTLM"), "does not go on with NTLM"),
    "broken challenge": (
        answer("401 No", "WWW-Authenticate: NTLM", f"WWW-Authenticate: NTLM {CHALLENGE}"),
        "cannot be carried out",
    ),
    "drips": (drip, "ended the connection during authentication"),
    "endless": (endless, "more than"),
    "redirects": (answer("302 Found", "Location: https://evil.example/"), "redirects to another address"),
    "not there": (answer("404 Not Found"), "Is the role Web Enrollment there?"),
    "forbidden": (answer("403 Forbidden"), "does not accept the account"),
}


@pytest.mark.parametrize("case", BEFORE)
def test_nothing_was_handed_in_and_the_reason_is_plain(serve: Callable[[Behaviour], Script], case: str) -> None:
    behaviour, words = BEFORE[case]
    script = serve(behaviour)
    started = time.monotonic()
    with pytest.raises(SigningError) as refusal:
        exchange(script.server, ACCOUNT, "/certsrv/certcarc.asp")
    assert words in str(refusal.value)
    assert ACCOUNT.password not in str(refusal.value)
    assert time.monotonic() - started < 20
    # A password never travels in any form that could be turned back: only NTLM answers do.
    assert not any(ACCOUNT.password.encode() in request or b"Basic" in request for request in script.requests)


def test_body_is_not_sent_before_the_account_is_accepted(serve: Callable[[Behaviour], Script]) -> None:
    script = serve(answer("401 No", "WWW-Authenticate: NTLM"))
    with pytest.raises(SigningError):
        exchange(script.server, ACCOUNT, "/certsrv/certfnsh.asp", form="CertRequest=body-of-the-request")
    assert script.requests
    assert not any(b"body-of-the-request" in request for request in script.requests)


def after_first(then: Behaviour) -> Behaviour:
    """Lets the first request in without authentication, and does something else with the second."""

    def behave(connection: ssl.SSLSocket, request: bytes) -> None:
        (then if b"POST" in request else answer("200 OK", body=b"hello"))(connection, request)

    return behave


LOST: dict[str, Behaviour] = {
    "closes": lambda connection, _: connection.close(),
    "drips": drip,
    "endless": endless,
    "half a head": lambda connection, _: connection.sendall(b"HTTP/1.1 200 OK\r\nConte"),
}


@pytest.mark.parametrize("case", LOST)
def test_answer_that_is_lost_after_sending_is_told_apart(serve: Callable[[Behaviour], Script], case: str) -> None:
    script = serve(after_first(LOST[case]))
    started = time.monotonic()
    with pytest.raises(LostAnswerError):
        exchange(script.server, ACCOUNT, "/certsrv/certfnsh.asp", form="CertRequest=x")
    assert time.monotonic() - started < 20
    assert sum(b"POST" in request for request in script.requests) == 1


def test_nobody_listens() -> None:
    with socket.create_server(("127.0.0.1", 0)) as unused:
        port = unused.getsockname()[1]
    with pytest.raises(SigningError, match="cannot be reached"):
        exchange(Server(host="127.0.0.1", port=port, ca_file=None, timeout_seconds=2), ACCOUNT, "/")


def test_server_that_is_not_trusted_gets_nothing(serve: Callable[[Behaviour], Script]) -> None:
    script = serve(answer("200 OK"))
    server = Server(host="127.0.0.1", port=script.server.port, ca_file=None, timeout_seconds=5)
    with pytest.raises(SigningError, match="not trusted here"):
        exchange(server, ACCOUNT, "/")
    assert script.requests == []


def test_account_does_not_show_its_password() -> None:
    assert ACCOUNT.password not in repr(ACCOUNT)


def test_kerberos_without_tickets_says_what_it_needs(tmp_path: Path) -> None:
    with _certsrv(tmp_path) as certsrv:
        account = Account(user="requester@CONTOSO.EXAMPLE", password="x", authentication="kerberos")  # noqa: S106
        method = WebMethod(url=certsrv.url, account=account, ca_file=str(certsrv.ca_file))
        with pytest.raises(SigningError, match=r"KERBEROS authentication .* cannot be carried out"):
            method.submit(CSR, TEMPLATE)
        assert certsrv.posts == 0


def _certsrv(directory: Path, **pages: object) -> Certsrv:
    authority = pki.root_authority("Contoso Root CA").subordinate("Contoso Issuing CA")
    ca = EnterpriseCa(authority, [both_usages([ACCOUNT.user.lower()], manager_approval=True)])
    return Certsrv(ca, directory, user=ACCOUNT.user, password=ACCOUNT.password, **pages)  # type: ignore[arg-type]


def test_request_arrives_unchanged_and_its_certificate_comes_back(tmp_path: Path) -> None:
    with _certsrv(tmp_path) as certsrv:
        method = WebMethod(url=f"{certsrv.url}/", account=ACCOUNT, ca_file=str(certsrv.ca_file))
        assert method.submit(CSR, TEMPLATE) == Pending(request_id=17)
        (row,) = certsrv.ca.requests
        assert read_csr(row.csr) == CSR
        assert row.attributes == f"CertificateTemplate:{TEMPLATE}\r\n"
        assert method.retrieve(CSR, 17) == Pending(request_id=17)
        certsrv.ca.approve(17)
        issued = method.retrieve(CSR, 17)
        assert isinstance(issued, Issued)
        assert set(method.ca_certificates()) == set(certsrv.ca.chain) < set(issued.chain)
        assert isinstance(method.retrieve(CSR, 99), Unclear)


def test_issued_at_once_is_told_before_it_is_fetched(tmp_path: Path) -> None:
    """So that the request id is on record before anything else can fail."""
    with _certsrv(tmp_path) as certsrv:
        certsrv.ca = EnterpriseCa(certsrv.ca.authority, [both_usages([ACCOUNT.user.lower()])])
        method = WebMethod(url=certsrv.url, account=ACCOUNT, ca_file=str(certsrv.ca_file))
        assert method.submit(CSR, TEMPLATE) == Taken(request_id=17)


@pytest.mark.parametrize("name", ["", ".x", "a b", "x\r\nSAN:upn=a@b", "x\n", "ü", "a" * 65, "x:y", "-x"])
def test_template_names_that_could_be_more_are_refused(name: str) -> None:
    with pytest.raises(SigningError, match="template name"):
        check_template(name)


@pytest.mark.parametrize(
    "url",
    [
        *(
            "http://ca/certsrv",
            "ftp://ca/",
            "ca/certsrv",
            "https://",
            "https://u:p@ca/",
            "https://ca/?x=1",
            "https://ca:0/",
        ),
        *("https://ca:99999/", "https://c a/", "https://[::1", "https://ca/#x"),
    ],
)
def test_addresses_that_are_not_pages_over_https_are_refused(url: str) -> None:
    with pytest.raises(SigningError):
        WebMethod(url=url, account=ACCOUNT, ca_file=None)


def test_plain_http_is_refused_with_the_reason() -> None:
    with pytest.raises(SigningError, match="over http anybody between could take over the account"):
        WebMethod(url="http://ca.contoso.example/certsrv", account=ACCOUNT, ca_file=None)


def test_file_of_trusted_cas_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(SigningError, match="file of trusted CAs"):
        WebMethod(url="https://ca/certsrv", account=ACCOUNT, ca_file=str(tmp_path / "none.pem"))
