# Copyright (c) 2026, the sfb.kb4023993 contributors
# GNU General Public License v3.0-or-later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Connections to a real directory: every way to log on, what travels, and what is refused."""

from __future__ import annotations

import contextlib
import json
import os
import socket
import subprocess
import threading
import typing as t
from collections.abc import Callable, Iterator
from dataclasses import asdict, replace
from pathlib import Path

import pytest
from ansible_collections.sfb.kb4023993.plugins.plugin_utils.directory.errors import (
    AuthenticationError,
    ConnectionFailedError,
    DirectoryError,
    NoRightsError,
    NotFoundError,
    ProtocolError,
    ResultError,
)
from ansible_collections.sfb.kb4023993.plugins.plugin_utils.directory.ldap import Connection, Server
from ansible_collections.sfb.kb4023993.plugins.plugin_utils.directory.messages import Change, equal, present
from ansible_collections.sfb.kb4023993.plugins.plugin_utils.directory.template_state import Directory
from directory.asking import Connect, ensure, wanted_request
from directory.domain import DOMAIN, KERBEROS, LDAP, LDAPS, PASSWORD, DomainController

_SCHEMA: t.Final = f"CN=Schema,CN=Configuration,{DOMAIN}"


class Tap:
    """A TCP relay that keeps what travels, and can change what the server sends."""

    def __init__(self, address: str, port: int) -> None:
        self.sent, self.answered = bytearray(), bytearray()
        self.spoil: Callable[[bytes], bytes] = bytes
        self._target = (address, port)
        self._server = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._server.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                near, _address = self._server.accept()
                far = socket.create_connection(self._target)
                for source, target, kept in ((near, far, self.sent), (far, near, self.answered)):
                    threading.Thread(target=self._pump, args=(source, target, kept), daemon=True).start()

    def _pump(self, source: socket.socket, target: socket.socket, kept: bytearray) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(65536):
                kept += data
                target.sendall(self.spoil(data) if kept is self.answered else data)
            target.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        self._server.close()


@pytest.fixture
def tap(controller: DomainController) -> Iterator[Callable[[int], Tap]]:
    with contextlib.ExitStack() as stack:

        def made(port: int) -> Tap:
            tapped = Tap(controller.address, controller.port(port))
            stack.callback(tapped.close)
            return tapped

        yield made


def _domain(connection: Connection) -> str:
    return connection.read("", ("defaultNamingContext",), doing="reading").text("defaultNamingContext")


# ---- logging on


def test_a_simple_bind_inside_tls(connect: Connect) -> None:
    assert _domain(connect("alice")) == DOMAIN


@pytest.mark.parametrize("user", ["LAB\\alice", "alice@LAB.EXAMPLE"])
def test_ntlm_seals_all_that_travels(
    server: Callable[..., Server], tap: Callable[[int], Tap], name: str, user: str
) -> None:
    tapped = tap(LDAP)
    account = server("Administrator", method="ntlm", tls=False, host="127.0.0.1", port=tapped.port)
    with Connection(account) as connection:
        before = len(tapped.sent), len(tapped.answered)
        ensure(Directory(connection), wanted_request(name, display_name="Travels in Secret"))
    sent, answered = bytes(tapped.sent[before[0] :]), bytes(tapped.answered[before[1] :])
    assert len(sent) > 2000
    # Each is long enough that sealed bytes do not hold it by chance.
    for word in (name.encode(), b"Travels in Secret", b"Configuration", b"displayName"):
        assert word not in sent
        assert word not in answered
    assert PASSWORD.encode() not in tapped.sent
    with Connection(replace(account, user=user)) as connection:
        assert _domain(connection) == DOMAIN


def test_a_sealed_answer_that_was_changed_is_noticed(server: Callable[..., Server], tap: Callable[[int], Tap]) -> None:
    tapped = tap(LDAP)
    account = server("alice", method="ntlm", tls=False, host="127.0.0.1", port=tapped.port)
    with Connection(account) as connection:
        tapped.spoil = lambda data: data[:-1] + bytes([data[-1] ^ 1])
        with pytest.raises(ProtocolError, match="a signed message was not as it should be"):
            _domain(connection)


@pytest.mark.parametrize("tls", [False, True])
def test_kerberos_seals_and_binds(
    controller: DomainController, server: Callable[..., Server], tmp_path: Path, tls: bool
) -> None:
    python = os.environ.get("SFB_KERBEROS_PYTHON")
    if not python:
        pytest.skip("no Python with Kerberos: set SFB_KERBEROS_PYTHON to one that has pyspnego[kerberos]")
    configuration = tmp_path / "krb5.conf"
    configuration.write_text(
        "[libdefaults]\ndefault_realm = LAB.EXAMPLE\ndns_lookup_kdc = false\nrdns = false\n"
        "dns_canonicalize_hostname = false\nudp_preference_limit = 1\n"
        f"[realms]\nLAB.EXAMPLE = {{\nkdc = {controller.address}:{controller.port(KERBEROS)}\n}}\n"
    )
    done = subprocess.run(
        [python, str(Path(__file__).with_name("kerberos_client.py"))],
        input=json.dumps(asdict(server("alice", method="kerberos", tls=tls))),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        env={
            **os.environ,
            "PYTHONPATH": str(Path(__file__).parents[2] / "playbooks" / "collections"),
            "KRB5_CONFIG": str(configuration),
            "KRB5CCNAME": f"FILE:{tmp_path}/ccache",
        },
    )
    assert (done.stdout.strip(), done.stderr) == (DOMAIN, "")


@pytest.mark.parametrize(("method", "tls"), [("simple", True), ("ntlm", False)])
def test_a_wrong_password_is_an_answer_for_people(server: Callable[..., Server], method: t.Any, tls: bool) -> None:
    with pytest.raises(
        AuthenticationError, match=r"logging on as .*alice.* failed with invalidCredentials \(49\)"
    ) as e:
        Connection(server("alice", method=method, tls=tls, password="wrong-one"))  # noqa: S106
    assert "wrong-one" not in str(e.value)


def test_the_password_is_in_no_representation(server: Callable[..., Server]) -> None:
    assert PASSWORD not in repr(server())


@pytest.mark.parametrize("changed", [{"tls": False}, {"password": ""}, {"user": ""}])
def test_what_would_log_on_nobody_or_in_the_clear_is_not_even_sent(
    server: Callable[..., Server], tap: Callable[[int], Tap], changed: dict[str, t.Any]
) -> None:
    tapped = tap(LDAP)
    with pytest.raises(AuthenticationError):
        Connection(replace(server("alice"), host="127.0.0.1", port=tapped.port, **changed))
    assert tapped.sent == b""


# ---- trust


def test_a_certificate_of_an_unknown_ca_is_refused(server: Callable[..., Server], tmp_path: Path) -> None:
    with pytest.raises(ConnectionFailedError, match=r"certificate of the server is not trusted: .*unable to get local"):
        Connection(server(ca_file=None))
    with pytest.raises(ConnectionFailedError, match=r"file of CA certificates .*No such file"):
        Connection(server(ca_file=str(tmp_path / "none.pem")))
    (tmp_path / "text.pem").write_text("no certificate\n")
    with pytest.raises(ConnectionFailedError, match="is in PEM form"):
        Connection(server(ca_file=str(tmp_path / "text.pem")))


def test_another_name_than_in_the_certificate_is_refused(
    server: Callable[..., Server], tap: Callable[[int], Tap]
) -> None:
    tapped = tap(LDAPS)
    with pytest.raises(ConnectionFailedError, match=r"[Hh]ostname mismatch"):
        Connection(server(host="localhost", port=tapped.port))
    assert PASSWORD.encode() not in tapped.sent


def test_plain_ldap_where_tls_was_expected(server: Callable[..., Server], controller: DomainController) -> None:
    with pytest.raises(ConnectionFailedError, match="no TLS connection"):
        Connection(server(port=controller.port(LDAP), timeout=3))


# ---- asking


def test_more_objects_than_a_page_and_more_than_are_expected(connect: Connect) -> None:
    connection = connect("alice")
    wanted = equal("objectClass", "attributeSchema")
    found = connection.search(_SCHEMA, "one", wanted, ("cn",), doing="reading")
    assert len(found) > 1200
    assert len({entry.dn for entry in found}) == len(found)
    with pytest.raises(ProtocolError, match="found more than 700 objects"):
        connection.search(_SCHEMA, "one", wanted, ("cn",), doing="reading", limit=700)


def test_scopes(connect: Connect) -> None:
    connection = connect("alice")
    counts = [
        len(
            connection.search(
                f"CN=Services,CN=Configuration,{DOMAIN}", scope, present("objectClass"), ("cn",), doing="x"
            )
        )
        for scope in t.get_args(t.Literal["base", "one", "subtree"])
    ]
    assert counts[0] == 1 < counts[1] < counts[2]


def test_results_are_exceptions_with_their_name_and_place(connect: Connect, controller: DomainController) -> None:
    alice = connect("alice")
    where = f"{controller.address} port {controller.port(LDAPS)}"
    with pytest.raises(NotFoundError, match=rf"{where}: reading X failed with noSuchObject \(32\)"):
        alice.read(f"CN=Nothing,{DOMAIN}", ("cn",), doing="reading X")
    with pytest.raises(NoRightsError, match=r"insufficientAccessRights \(50\)"):
        alice.modify(f"CN=Users,{DOMAIN}", [Change("replace", "description", (b"x",))], doing="writing X")
    with pytest.raises(NoRightsError):
        alice.add(f"CN=New,CN=Users,{DOMAIN}", {"objectClass": (b"container",)}, doing="adding X")
    with pytest.raises(DirectoryError):
        alice.delete(f"CN=Users,{DOMAIN}", doing="deleting X")
    with pytest.raises(ResultError, match="invalidDNSyntax"):
        connect().add("no DN at all", {"objectClass": (b"container",)}, doing="adding X")
    # The connection still works after all that.
    assert _domain(alice) == DOMAIN
