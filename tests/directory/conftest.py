# Copyright (c) 2026, the sfb.kb4023993 contributors
# GNU General Public License v3.0-or-later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One forest for all tests of a process; each test works with template names of its own."""

from __future__ import annotations

import contextlib
import itertools
import typing as t
from collections.abc import Iterator

import pytest
from ansible_collections.sfb.kb4023993.plugins.plugin_utils.directory.ldap import Connection, Method, Server
from ansible_collections.sfb.kb4023993.plugins.plugin_utils.directory.template_state import Directory
from directory.asking import Connect
from directory.domain import LDAP, LDAPS, PASSWORD, DomainController, MissingError


@pytest.fixture(scope="session")
def controller(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DomainController]:
    try:
        started = DomainController(tmp_path_factory.mktemp("samba"))
    except MissingError as error:
        pytest.skip(str(error))
    yield started
    started.stop()


@pytest.fixture(scope="session")
def server(controller: DomainController) -> t.Callable[..., Server]:
    """Makes the address and account of a log-on; by default an administrator's simple bind over TLS."""

    def make(user: str = "Administrator", *, method: Method = "simple", tls: bool = True, **more: t.Any) -> Server:
        name = f"LAB\\{user}" if method == "ntlm" else f"{user}@LAB.EXAMPLE"
        values: dict[str, t.Any] = {
            "host": controller.address,
            "port": controller.port(LDAPS if tls else LDAP),
            "method": method,
            "user": name,
            "password": PASSWORD,
            "tls": tls,
            "ca_file": controller.ca_file,
            "timeout": 20,
        }
        return Server(**{**values, **more})

    return make


@pytest.fixture
def connect(server: t.Callable[..., Server]) -> Iterator[Connect]:
    """Opens connections that end with the test."""
    with contextlib.ExitStack() as stack:

        def opened(user: str = "Administrator", **more: t.Any) -> Connection:
            return stack.enter_context(Connection(server(user, **more)))

        yield opened


_NUMBERS: t.Final = itertools.count(1)


@pytest.fixture
def name() -> str:
    """A template name that no other test of this process uses."""
    return f"Template{next(_NUMBERS)}"


@pytest.fixture
def directory(connect: Connect) -> Directory:
    """The forest as its administrator sees it."""
    return Directory(connect())
