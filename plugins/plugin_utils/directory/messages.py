# Copyright (c) 2026, the sfb.kb4023993 contributors
# GNU General Public License v3.0-or-later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The LDAP messages that are needed (RFC 4511) as bytes and back: pure, no connection."""

from __future__ import annotations

import typing as t
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from . import _ber

Values = tuple[bytes, ...]
Attributes = Mapping[str, Values]

# Controls: [MS-ADTS] 3.1.1.3.4.1.11 (which parts of a security descriptor) and RFC 2696 (paged results).
SD_FLAGS_CONTROL: t.Final = "1.2.840.113556.1.4.801"
PAGED_CONTROL: t.Final = "1.2.840.113556.1.4.319"
OWNER_GROUP_DACL: t.Final = 7
DACL_ONLY: t.Final = 4

# Matching rule of Active Directory: a value reached through any number of groups in groups.
IN_CHAIN: t.Final = "1.2.840.113556.1.4.1941"

Scope = t.Literal["base", "one", "subtree"]
_SCOPES: t.Final[dict[Scope, int]] = {"base": 0, "one": 1, "subtree": 2}

_BIND_REQUEST = 0x60
_BIND_RESPONSE = 0x61
_UNBIND_REQUEST = 0x42
_SEARCH_REQUEST = 0x63
_SEARCH_ENTRY = 0x64
_SEARCH_DONE = 0x65
_SEARCH_REFERENCE = 0x73
_MODIFY_REQUEST = 0x66
_MODIFY_RESPONSE = 0x67
_ADD_REQUEST = 0x68
_ADD_RESPONSE = 0x69
_DELETE_REQUEST = 0x4A
_DELETE_RESPONSE = 0x6B
_EXTENDED_RESPONSE = 0x78
_CONTROLS = 0xA0

_RESULTS: t.Final = frozenset(
    {_BIND_RESPONSE, _SEARCH_DONE, _MODIFY_RESPONSE, _ADD_RESPONSE, _DELETE_RESPONSE, _EXTENDED_RESPONSE}
)
_MODIFY_KINDS: t.Final = {"add": 0, "delete": 1, "replace": 2}


@dataclass(frozen=True)
class Change:
    """One part of a modify: values of an attribute that are added, deleted, or put in place of all others."""

    kind: t.Literal["add", "delete", "replace"]
    attribute: str
    values: Values


@dataclass(frozen=True)
class Entry:
    """One object of a search. The names of its attributes are in lower case."""

    dn: str
    attributes: Attributes

    def values(self, name: str) -> Values:
        return self.attributes.get(name.lower(), ())

    def text(self, name: str) -> str:
        """The first value as text, empty where there is none."""
        values = self.values(name)
        return values[0].decode("utf-8", "replace") if values else ""

    def texts(self, name: str) -> tuple[str, ...]:
        return tuple(value.decode("utf-8", "replace") for value in self.values(name))


@dataclass(frozen=True)
class Outcome:
    """The end of an operation; ``cookie`` where more pages follow, ``token`` of a bind."""

    code: int
    message: str
    cookie: bytes = b""
    token: bytes | None = None


@dataclass(frozen=True)
class Message:
    """One message from the server. References to other servers are neither entry nor outcome."""

    message_id: int
    entry: Entry | None = None
    outcome: Outcome | None = None


# ---- filters: built from values, so that no text is ever parsed as a filter


def equal(attribute: str, value: str | bytes) -> bytes:
    return _ber.encode(0xA3, _ber.encode_text(attribute), _ber.encode_text(value))


def present(attribute: str) -> bytes:
    return _ber.encode_text(attribute, 0x87)


def both(*filters: bytes) -> bytes:
    return _ber.encode(0xA0, *filters)


def either(*filters: bytes) -> bytes:
    return _ber.encode(0xA1, *filters)


def reaches(attribute: str, dn: str) -> bytes:
    """An object whose attribute leads to this DN, directly or through other objects."""
    return _ber.encode(
        0xA9, _ber.encode_text(IN_CHAIN, 0x81), _ber.encode_text(attribute, 0x82), _ber.encode_text(dn, 0x83)
    )


# ---- requests


def request(message_id: int, operation: bytes, controls: Sequence[bytes] = ()) -> bytes:
    """One LDAP message around an operation."""
    tail = [_ber.encode(_CONTROLS, *controls)] if controls else []
    return _ber.encode(_ber.SEQUENCE, _ber.encode_integer(message_id), operation, *tail)


def control(oid: str, value: bytes) -> bytes:
    """A critical control: a server that does not know it must refuse, not ignore it."""
    return _ber.encode(_ber.SEQUENCE, _ber.encode_text(oid), _ber.encode_boolean(True), _ber.encode_text(value))


def sd_flags(parts: int) -> bytes:
    return control(SD_FLAGS_CONTROL, _ber.encode(_ber.SEQUENCE, _ber.encode_integer(parts)))


def paged(size: int, cookie: bytes) -> bytes:
    return control(PAGED_CONTROL, _ber.encode(_ber.SEQUENCE, _ber.encode_integer(size), _ber.encode_text(cookie)))


def simple_bind(user: str, password: str) -> bytes:
    return _bind(user, _ber.encode_text(password, 0x80))


def sasl_bind(mechanism: str, token: bytes) -> bytes:
    return _bind("", _ber.encode(0xA3, _ber.encode_text(mechanism), _ber.encode_text(token)))


def _bind(name: str, authentication: bytes) -> bytes:
    return _ber.encode(_BIND_REQUEST, _ber.encode_integer(3), _ber.encode_text(name), authentication)


def unbind() -> bytes:
    return _ber.encode(_UNBIND_REQUEST)


def search(
    base: str, scope: Scope, search_filter: bytes, attributes: Sequence[str], *, size_limit: int, seconds: int
) -> bytes:
    return _ber.encode(
        _SEARCH_REQUEST,
        _ber.encode_text(base),
        _ber.encode_integer(_SCOPES[scope], _ber.ENUMERATED),
        _ber.encode_integer(0, _ber.ENUMERATED),
        _ber.encode_integer(size_limit),
        _ber.encode_integer(seconds),
        _ber.encode_boolean(False),
        search_filter,
        _ber.encode(_ber.SEQUENCE, *(_ber.encode_text(name) for name in attributes)),
    )


def add(dn: str, attributes: Attributes) -> bytes:
    listed = [_attribute(name, values) for name, values in attributes.items()]
    return _ber.encode(_ADD_REQUEST, _ber.encode_text(dn), _ber.encode(_ber.SEQUENCE, *listed))


def modify(dn: str, changes: Sequence[Change]) -> bytes:
    parts = [
        _ber.encode(
            _ber.SEQUENCE,
            _ber.encode_integer(_MODIFY_KINDS[change.kind], _ber.ENUMERATED),
            _attribute(change.attribute, change.values),
        )
        for change in changes
    ]
    return _ber.encode(_MODIFY_REQUEST, _ber.encode_text(dn), _ber.encode(_ber.SEQUENCE, *parts))


def delete(dn: str) -> bytes:
    return _ber.encode_text(dn, _DELETE_REQUEST)


def _attribute(name: str, values: Values) -> bytes:
    listed = _ber.encode(_ber.SET, *(_ber.encode_text(value) for value in values))
    return _ber.encode(_ber.SEQUENCE, _ber.encode_text(name), listed)


# ---- answers


def read_message(data: bytes) -> Message:
    """One whole message from the server.

    :raises BerError: it is not one, or of a kind that no server may send to us.
    """
    parts = _ber.read_elements(_ber.read_single(data, _ber.SEQUENCE))
    if not 2 <= len(parts) <= 3:
        raise _ber.BerError(f"a message has {len(parts)} parts")
    message_id, operation = _ber.read_integer(parts[0]), parts[1]
    if operation.tag == _SEARCH_ENTRY:
        return Message(message_id, entry=_read_entry(operation.content))
    if operation.tag == _SEARCH_REFERENCE:
        return Message(message_id)
    if operation.tag not in _RESULTS:
        raise _ber.BerError(f"a message of the unexpected kind 0x{operation.tag:02x} was received")
    cookie = _read_cookie(parts[2]) if len(parts) == 3 else b""
    return Message(message_id, outcome=_read_outcome(operation.content, cookie))


def _read_entry(content: bytes) -> Entry:
    parts = _ber.read_elements(content)
    if len(parts) != 2:
        raise _ber.BerError(f"an entry has {len(parts)} parts")
    attributes: dict[str, Values] = {}
    for item in _ber.read_elements(_ber.expect(parts[1], _ber.SEQUENCE)):
        pair = _ber.read_elements(_ber.expect(item, _ber.SEQUENCE))
        if len(pair) != 2:
            raise _ber.BerError(f"an attribute has {len(pair)} parts")
        values = _ber.read_elements(_ber.expect(pair[1], _ber.SET))
        attributes[_ber.read_text(pair[0]).lower()] = tuple(_ber.expect(value, _ber.OCTET_STRING) for value in values)
    return Entry(_ber.read_text(parts[0]), attributes)


def _read_outcome(content: bytes, cookie: bytes) -> Outcome:
    parts = _ber.read_elements(content)
    if len(parts) < 3:
        raise _ber.BerError(f"a result has {len(parts)} parts")
    token = next((part.content for part in parts[3:] if part.tag == 0x87), None)
    code = _ber.read_integer(parts[0], _ber.ENUMERATED)
    return Outcome(code, _ber.read_text(parts[2]), cookie, token)


def _read_cookie(controls: _ber.Element) -> bytes:
    """The cookie of the paged results control; empty where there is no such control or no further page."""
    for item in _ber.read_elements(_ber.expect(controls, _CONTROLS)):
        parts = _ber.read_elements(_ber.expect(item, _ber.SEQUENCE))
        if parts and _ber.read_text(parts[0]) == PAGED_CONTROL:
            page = _ber.read_elements(_ber.read_single(_ber.expect(parts[-1], _ber.OCTET_STRING), _ber.SEQUENCE))
            if len(page) != 2:
                raise _ber.BerError(f"a page control has {len(page)} parts")
            return _ber.expect(page[1], _ber.OCTET_STRING)
    return b""
