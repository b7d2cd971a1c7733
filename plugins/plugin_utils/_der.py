# Copyright (c) 2026, the sfb.kb4023993 contributors
# GNU General Public License v3.0-or-later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The little DER that judging certificates needs: elements, object identifiers, lists of usages, raw extensions.

Why not `cryptography` alone: it refuses *all* extensions of a certificate when one of them is malformed or there twice,
and it has no public reader for Microsoft's Application Policies or for the value of a certificate store property.
Nothing here recurses, so deeply nested input cannot exhaust the stack; the work is linear in the size of the input.
"""

from __future__ import annotations

from dataclasses import dataclass

BOOLEAN = 0x01
INTEGER = 0x02
OCTET_STRING = 0x04
OBJECT_IDENTIFIER = 0x06
UTF8_STRING = 0x0C
BMP_STRING = 0x1E
SEQUENCE = 0x30
EXPLICIT_0 = 0xA0
EXPLICIT_3 = 0xA3
IMPLICIT_0 = 0x80
IMPLICIT_1 = 0x81
IMPLICIT_2 = 0x82

# The limits of .NET, far above any identifier in use; they keep the arithmetic on one number small.
_MAX_ARCS = 64
_MAX_ARC_BITS = 128


class DerError(ValueError):
    """The bytes are not the DER that was expected; the message says what was found instead."""


@dataclass(frozen=True)
class Element:
    """One DER element: its tag byte, its content, and the whole encoding with tag and length."""

    tag: int
    content: bytes
    encoding: bytes


@dataclass(frozen=True)
class RawExtension:
    """One extension as it stands in the certificate; `value` is the content of its OCTET STRING."""

    oid: str
    value: bytes


@dataclass(frozen=True)
class RawCertificate:
    """The parts of a certificate that are compared as bytes or read without `cryptography`; names are DER.

    `serial_number` is the content of its INTEGER, as Windows shows it: with a leading zero byte, where there is one.
    """

    serial_number: bytes
    issuer: bytes
    subject: bytes
    extensions: tuple[RawExtension, ...]

    def values(self, oid: str) -> list[bytes]:
        """The values of all extensions with this identifier: none, one, or (wrongly) several."""
        return [extension.value for extension in self.extensions if extension.oid == oid]


def read_elements(data: bytes) -> list[Element]:
    """Split `data` into the DER elements it consists of, without anything left over."""
    elements: list[Element] = []
    position = 0
    while position < len(data):
        element, position = _read_element(data, position)
        elements.append(element)
    return elements


def _read_element(data: bytes, start: int) -> tuple[Element, int]:
    if start + 2 > len(data):
        raise DerError("the data ends inside an element")
    tag = data[start]
    if tag & 0x1F == 0x1F:
        raise DerError("an element has a tag number above 30")
    length, content_start = data[start + 1], start + 2
    if length >= 0x80:
        size = length & 0x7F
        digits = data[content_start : content_start + size]
        if not 1 <= size <= 4 or len(digits) != size:
            raise DerError("an element has a length that is indefinite, too long or cut off")
        length, content_start = int.from_bytes(digits, "big"), content_start + size
        if length < 0x80 or digits[0] == 0:
            raise DerError("an element has a length that is not in its shortest form")
    end = content_start + length
    if end > len(data):
        raise DerError("an element is longer than the data around it")
    return Element(tag, data[content_start:end], data[start:end]), end


def read_single(data: bytes, tag: int) -> Element:
    """The one element that `data` consists of; it must have this tag."""
    elements = read_elements(data)
    if len(elements) != 1:
        raise DerError(f"one element was expected and {len(elements)} were found")
    return _expect(elements[0], tag)


def _expect(element: Element, tag: int) -> Element:
    if element.tag != tag:
        raise DerError(f"an element with tag 0x{tag:02x} was expected and one with 0x{element.tag:02x} was found")
    return element


def read_sequence(data: bytes) -> list[Element]:
    """The elements of the one SEQUENCE that `data` consists of."""
    return read_elements(read_single(data, SEQUENCE).content)


def read_oid(element: Element) -> str:
    """An OBJECT IDENTIFIER in dotted form."""
    content = _expect(element, OBJECT_IDENTIFIER).content
    if not content or content[-1] & 0x80:
        raise DerError("an object identifier is empty or cut off")
    arcs: list[int] = []
    value, at_start = 0, True
    for byte in content:
        if at_start and byte == 0x80:
            raise DerError("an object identifier is not in its shortest form")
        value = value << 7 | byte & 0x7F
        # The first number of the encoding stands for two arcs.
        if value >> _MAX_ARC_BITS or len(arcs) + 2 > _MAX_ARCS:
            raise DerError("an object identifier is too long")
        at_start = not byte & 0x80
        if at_start:
            arcs.append(value)
            value = 0
    first = min(arcs[0] // 40, 2)
    return ".".join(str(arc) for arc in (first, arcs[0] - 40 * first, *arcs[1:]))


def read_oid_list(data: bytes) -> tuple[str, ...]:
    """SEQUENCE OF OBJECT IDENTIFIER: Extended Key Usage, and CTL_USAGE, the value of the store property."""
    return tuple(read_oid(element) for element in read_sequence(data))


def read_policy_list(data: bytes) -> tuple[str, ...]:
    """SEQUENCE OF SEQUENCE { OBJECT IDENTIFIER, qualifiers SEQUENCE OPTIONAL }: Application Policies."""
    oids: list[str] = []
    for policy in read_sequence(data):
        parts = read_elements(_expect(policy, SEQUENCE).content)
        if not 1 <= len(parts) <= 2:
            raise DerError("a policy does not consist of an identifier and at most one list of qualifiers")
        if len(parts) == 2:
            _expect(parts[1], SEQUENCE)
        oids.append(read_oid(parts[0]))
    return tuple(oids)


def check_policy_mappings(data: bytes) -> None:
    """SEQUENCE OF SEQUENCE { OBJECT IDENTIFIER, OBJECT IDENTIFIER }: Policy Mappings."""
    if any(len(read_oid_list(mapping.encoding)) != 2 for mapping in read_sequence(data)):
        raise DerError("a mapping does not consist of two identifiers")


def check_policy_constraints(data: bytes) -> None:
    """SEQUENCE { [0] INTEGER OPTIONAL, [1] INTEGER OPTIONAL }: Policy Constraints."""
    if any(element.tag not in (IMPLICIT_0, IMPLICIT_1) or not element.content for element in read_sequence(data)):
        raise DerError("a constraint is not one of the two known ones")


def check_integer(data: bytes) -> None:
    """INTEGER: Inhibit anyPolicy."""
    if not read_single(data, INTEGER).content:
        raise DerError("a number is empty")


def split_certificate(der: bytes) -> RawCertificate:
    """Take a certificate (RFC 5280, section 4.1) apart as far as `RawCertificate` needs it."""
    outer = read_sequence(der)
    if len(outer) != 3:
        raise DerError("a certificate does not consist of three parts")
    fields = read_elements(_expect(outer[0], SEQUENCE).content)
    if fields and fields[0].tag == EXPLICIT_0:
        fields = fields[1:]
    if len(fields) < 6:
        raise DerError("a certificate lacks some of its fields")
    serial_number = _expect(fields[0], INTEGER).content
    issuer, subject = _expect(fields[2], SEQUENCE), _expect(fields[4], SEQUENCE)
    extensions: list[RawExtension] = []
    for field in fields[6:]:
        if field.tag == EXPLICIT_3:
            extensions += [_read_extension(element) for element in read_sequence(field.content)]
    return RawCertificate(serial_number, issuer.encoding, subject.encoding, tuple(extensions))


def _read_extension(element: Element) -> RawExtension:
    parts = read_elements(_expect(element, SEQUENCE).content)
    if len(parts) == 3:
        _expect(parts.pop(1), BOOLEAN)
    if len(parts) != 2:
        raise DerError("an extension does not consist of an identifier, a flag and a value")
    return RawExtension(read_oid(parts[0]), _expect(parts[1], OCTET_STRING).content)
