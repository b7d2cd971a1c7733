# Copyright (c) 2026, the sfb.kb4023993 contributors
# GNU General Public License v3.0-or-later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The BER that LDAP needs (RFC 4511, section 5.1): definite lengths, tags below 31.

Apart from ``_der.py``, because Active Directory writes lengths longer than they need to be, which DER forbids.
Nothing here recurses, and every length is checked against what is there.
"""

from __future__ import annotations

from dataclasses import dataclass

BOOLEAN = 0x01
INTEGER = 0x02
OCTET_STRING = 0x04
ENUMERATED = 0x0A
SEQUENCE = 0x30
SET = 0x31

# Longest length field that is accepted: four bytes, as Active Directory writes them.
_MAX_LENGTH_BYTES = 4


class BerError(ValueError):
    """The bytes are not the BER that was expected; the message says what was found instead."""


@dataclass(frozen=True)
class Element:
    """One element: its tag byte and its content."""

    tag: int
    content: bytes


def encode(tag: int, *contents: bytes) -> bytes:
    """One element around the joined contents."""
    content = b"".join(contents)
    if len(content) < 0x80:
        return bytes([tag, len(content)]) + content
    length = len(content).to_bytes((len(content).bit_length() + 7) // 8, "big")
    return bytes([tag, 0x80 | len(length)]) + length + content


def encode_integer(value: int, tag: int = INTEGER) -> bytes:
    """A signed number in its shortest form."""
    length = (value if value >= 0 else ~value).bit_length() // 8 + 1
    return encode(tag, value.to_bytes(length, "big", signed=True))


def encode_text(value: str | bytes, tag: int = OCTET_STRING) -> bytes:
    """An octet string; text travels as UTF-8."""
    return encode(tag, value.encode("utf-8") if isinstance(value, str) else value)


def encode_boolean(value: bool, tag: int = BOOLEAN) -> bytes:
    return encode(tag, b"\xff" if value else b"\x00")


def measure(data: bytes | bytearray) -> int | None:
    """The length of the element that begins the data, tag and length included; None while that cannot be told yet.

    :raises BerError: no element can begin like this.
    """
    if not data:
        return None
    if data[0] & 0x1F == 0x1F:
        raise BerError("an element has a tag number above 30")
    if len(data) < 2:
        return None
    if data[1] < 0x80:
        return 2 + data[1]
    size = data[1] & 0x7F
    if not 1 <= size <= _MAX_LENGTH_BYTES:
        raise BerError("an element has a length that is indefinite or too long")
    if len(data) < 2 + size:
        return None
    return 2 + size + int.from_bytes(data[2 : 2 + size], "big")


def read_elements(data: bytes) -> list[Element]:
    """Split the data into the elements it consists of, without anything left over."""
    elements: list[Element] = []
    position = 0
    while position < len(data):
        # A header has at most six bytes: slicing more would copy the rest once for each element.
        header = data[position : position + 2 + _MAX_LENGTH_BYTES]
        length = measure(header)
        if length is None or position + length > len(data):
            raise BerError("an element is longer than the data around it")
        content = 2 if header[1] < 0x80 else 2 + (header[1] & 0x7F)
        elements.append(Element(header[0], data[position + content : position + length]))
        position += length
    return elements


def read_single(data: bytes, tag: int) -> bytes:
    """The content of the one element that the data consists of; it must have this tag."""
    elements = read_elements(data)
    if len(elements) != 1:
        raise BerError(f"one element was expected and {len(elements)} were found")
    return expect(elements[0], tag)


def expect(element: Element, tag: int) -> bytes:
    """The content of an element that must have this tag."""
    if element.tag != tag:
        raise BerError(f"an element with tag 0x{tag:02x} was expected and one with 0x{element.tag:02x} was found")
    return element.content


def read_integer(element: Element, tag: int = INTEGER) -> int:
    """A signed number of at most eight bytes."""
    content = expect(element, tag)
    if not 1 <= len(content) <= 8:
        raise BerError(f"a number has {len(content)} bytes")
    return int.from_bytes(content, "big", signed=True)


def read_text(element: Element, tag: int = OCTET_STRING) -> str:
    """An octet string as text. Bytes that are not UTF-8 are replaced: this is only for names and messages."""
    return expect(element, tag).decode("utf-8", "replace")
