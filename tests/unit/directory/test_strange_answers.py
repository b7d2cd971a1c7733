# Copyright (c) 2026, the sfb.kb4023993 contributors
# GNU General Public License v3.0-or-later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A directory whose answers never come to an end, or lack what was asked for, is left with a reason."""

from __future__ import annotations

import typing as t

import pytest
from ansible_collections.sfb.kb4023993.plugins.plugin_utils.directory.errors import ProtocolError
from ansible_collections.sfb.kb4023993.plugins.plugin_utils.directory.forest import (
    Forest,
    ForestError,
    names_of,
    new_oid,
    wide_groups,
)
from ansible_collections.sfb.kb4023993.plugins.plugin_utils.directory.ldap import Connection, Server
from ansible_collections.sfb.kb4023993.plugins.plugin_utils.directory.messages import Entry, Message, Outcome, present

FOREST: t.Final = Forest(where="dc01", domain="DC=x", configuration="CN=Configuration,DC=x", domain_sid="S-1-5-21-1")
_WORD: t.Final = "x"
OID: t.Final = Entry("CN=x", {"mspki-cert-template-oid": (b"1.3.6.1.4.1.311.21.8.1.2",)})


class Answering(Connection):
    """A connection whose server gives the same answer to every request."""

    def __init__(self, *answer: Message) -> None:
        self.server = Server(host="dc01", method="ntlm", user="u", password=_WORD)
        self.answer = answer
        self.asked = 0

    def _exchange(self, operation: bytes, controls: t.Sequence[bytes], doing: str) -> t.Iterator[Message]:
        del operation, controls, doing
        self.asked += 1
        assert self.asked < 1000, "it asks without end"
        return iter(self.answer)


def test_a_server_that_always_has_one_more_page_is_left() -> None:
    connection = Answering(Message(1, outcome=Outcome(0, "", cookie=b"more")))
    with pytest.raises(ProtocolError, match="looking did not come to an end"):
        connection.search("DC=x", "subtree", present("cn"), ("cn",), doing="looking")


def test_a_server_that_knows_every_identifier_is_left() -> None:
    connection = Answering(Message(1, entry=OID), Message(1, outcome=Outcome(0, "")))
    with pytest.raises(ForestError, match="each is said to be in use"):
        new_oid(connection, FOREST)


def test_an_object_without_the_sid_that_was_asked_for_is_no_answer() -> None:
    connection = Answering(Message(1, entry=OID), Message(1, outcome=Outcome(0, "")))
    for ask in (lambda: names_of(connection, FOREST, ["S-1-5-21-1-2-3-1105"]), lambda: wide_groups(connection, FOREST)):
        with pytest.raises(ForestError, match="came without it"):
            ask()
