# Copyright (c) 2026, the sfb.kb4023993 contributors
# GNU General Public License v3.0-or-later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Security descriptors of a directory: bytes to records and back ([MS-DTYP] 2.4), and as SDDL text for people.

What is not understood is kept byte for byte, so that writing a descriptor never loses an entry of somebody else.
"""

from __future__ import annotations

import re
import struct
import typing as t
import uuid
from dataclasses import dataclass, replace

# Kinds of entries in an access control list ([MS-DTYP] 2.4.4.1).
ALLOW: t.Final = 0x00
DENY: t.Final = 0x01
ALLOW_OBJECT: t.Final = 0x05
DENY_OBJECT: t.Final = 0x06
ALLOW_CALLBACK: t.Final = 0x09
DENY_CALLBACK: t.Final = 0x0A
ALLOW_CALLBACK_OBJECT: t.Final = 0x0B
DENY_CALLBACK_OBJECT: t.Final = 0x0C

ALLOWING: t.Final = frozenset({ALLOW, ALLOW_OBJECT, ALLOW_CALLBACK, ALLOW_CALLBACK_OBJECT})
DENYING: t.Final = frozenset({DENY, DENY_OBJECT, DENY_CALLBACK, DENY_CALLBACK_OBJECT})
_OF_OBJECTS: t.Final = frozenset({ALLOW_OBJECT, DENY_OBJECT, ALLOW_CALLBACK_OBJECT, DENY_CALLBACK_OBJECT})
_KNOWN: t.Final = ALLOWING | DENYING

INHERIT_ONLY: t.Final = 0x08
INHERITED: t.Final = 0x10

# Rights ([MS-DTYP] 2.4.3, [MS-ADTS] 5.1.3.2).
SELF_WRITE: t.Final = 0x08
READ_PROPERTY: t.Final = 0x10
WRITE_PROPERTY: t.Final = 0x20
CONTROL_ACCESS: t.Final = 0x100
WRITE_DACL: t.Final = 0x40000
WRITE_OWNER: t.Final = 0x80000
GENERIC_ALL: t.Final = 0x10000000
GENERIC_WRITE: t.Final = 0x40000000
# What "Read" means for an object of the directory: RP, LC, LO, RC.
READ: t.Final = 0x00020094
# Everything but CR: a plain CR would also be the right to enrol ([MS-CRTD] 2.5.1).
FULL_BUT_ENROL: t.Final = 0x000F00FF

_SE_DACL_PRESENT: t.Final = 0x0004
_SE_DACL_PROTECTED: t.Final = 0x1000
_SE_SELF_RELATIVE: t.Final = 0x8000
_SE_DACL_AUTO_INHERITED: t.Final = 0x0400
_SE_DACL_AUTO_INHERIT_REQ: t.Final = 0x0100
_REVISION_OF_OBJECTS: t.Final = 4
_MAX_LIST_BYTES: t.Final = 0xFFFF
_SID: t.Final = re.compile(r"S-1-(\d{1,15})((?:-\d{1,10}){1,15})\Z", re.ASCII)


class DescriptorError(ValueError):
    """The bytes are no security descriptor, or the text no SID; the message says why."""


@dataclass(frozen=True)
class Ace:
    """One entry of an access control list.

    ``object_type`` names what an entry of an object kind is about (None: everything), ``tail`` is what follows the SID.
    For a kind that is not known, ``tail`` is the whole body and ``sid`` is empty.
    """

    kind: int
    mask: int
    sid: str
    flags: int = 0
    object_type: uuid.UUID | None = None
    inherited_object_type: uuid.UUID | None = None
    tail: bytes = b""


@dataclass(frozen=True)
class Descriptor:
    """Owner, group and permissions. ``dacl`` None means that there is no list: everybody may do everything."""

    control: int
    owner: str | None
    group: str | None
    dacl: tuple[Ace, ...] | None
    revision: int = _REVISION_OF_OBJECTS

    def with_dacl(self, dacl: tuple[Ace, ...]) -> Descriptor:
        return replace(self, dacl=dacl, control=self.control | _SE_DACL_PRESENT)


def protected_dacl(*aces: Ace) -> Descriptor:
    """A descriptor of permissions alone, into which nothing is inherited."""
    return Descriptor(_SE_SELF_RELATIVE | _SE_DACL_PRESENT | _SE_DACL_PROTECTED, None, None, aces)


# ---- SIDs


def encode_sid(sid: str) -> bytes:
    """A SID in its text form (``S-1-5-32-544``) as bytes.

    :raises DescriptorError: the text is not a SID.
    """
    match = _SID.match(sid)
    arcs = [int(arc) for arc in match[2][1:].split("-")] if match else []
    if not match or int(match[1]) >= 1 << 48 or any(arc >= 1 << 32 for arc in arcs):
        raise DescriptorError(f"{sid[:100]!r} is not a SID")
    return bytes([1, len(arcs)]) + int(match[1]).to_bytes(6, "big") + struct.pack(f"<{len(arcs)}I", *arcs)


def decode_sid(data: bytes) -> str:
    """The SID that the bytes consist of.

    :raises DescriptorError: they are not exactly one SID.
    """
    sid, length = _read_sid(data)
    if length != len(data):
        raise DescriptorError("bytes follow a SID")
    return sid


def _read_sid(data: bytes) -> tuple[str, int]:
    if len(data) < 8 or data[0] != 1 or not 1 <= data[1] <= 15 or len(data) < 8 + 4 * data[1]:
        raise DescriptorError("a SID is cut off or not of revision 1")
    arcs = struct.unpack_from(f"<{data[1]}I", data, 8)
    return "-".join(("S-1", str(int.from_bytes(data[2:8], "big")), *map(str, arcs))), 8 + 4 * data[1]


# ---- descriptors


def decode(data: bytes) -> Descriptor:
    """A self-relative security descriptor.

    :raises DescriptorError: the bytes are not one. A list of audit entries is not looked at.
    """
    if len(data) < 20 or data[0] != 1:
        raise DescriptorError("a security descriptor is cut off or not of revision 1")
    control, owner, group, _sacl, dacl = struct.unpack_from("<H4I", data, 2)
    if not control & _SE_SELF_RELATIVE:
        raise DescriptorError("a security descriptor is not self-relative")
    aces: tuple[Ace, ...] | None = None
    revision = _REVISION_OF_OBJECTS
    if control & _SE_DACL_PRESENT and dacl:
        revision, aces = _read_acl(_from(data, dacl))
    return Descriptor(
        control,
        _read_sid(_from(data, owner))[0] if owner else None,
        _read_sid(_from(data, group))[0] if group else None,
        aces,
        revision,
    )


def _from(data: bytes, offset: int) -> bytes:
    if not 20 <= offset < len(data):
        raise DescriptorError("a security descriptor points outside itself")
    return data[offset : offset + _MAX_LIST_BYTES]


def _read_acl(data: bytes) -> tuple[int, tuple[Ace, ...]]:
    if len(data) < 8:
        raise DescriptorError("an access control list is cut off")
    revision, size, count = data[0], *struct.unpack_from("<HH", data, 2)
    if not 8 <= size <= len(data):
        raise DescriptorError("an access control list is longer than the data around it")
    aces: list[Ace] = []
    position = 8
    for _number in range(count):
        if position + 4 > size:
            raise DescriptorError("an access control list has fewer entries than it says")
        kind, flags, length = struct.unpack_from("<BBH", data, position)
        if length < 4 or position + length > size:
            raise DescriptorError("an entry is longer than the list around it")
        aces.append(_read_ace(kind, flags, data[position + 4 : position + length]))
        position += length
    return revision, tuple(aces)


def _read_ace(kind: int, flags: int, body: bytes) -> Ace:
    if kind not in _KNOWN:
        return Ace(kind, 0, "", flags, tail=body)
    if len(body) < 4:
        raise DescriptorError("an entry is cut off")
    mask, position = int.from_bytes(body[:4], "little"), 4
    types: list[uuid.UUID | None] = [None, None]
    if kind in _OF_OBJECTS:
        present, position = int.from_bytes(body[4:8], "little"), 8
        for index in (0, 1):
            if present & 1 << index:
                if len(body) < position + 16:
                    raise DescriptorError("an entry is cut off")
                types[index] = uuid.UUID(bytes_le=body[position : position + 16])
                position += 16
    sid, length = _read_sid(body[position:])
    return Ace(kind, mask, sid, flags, types[0], types[1], body[position + length :])


def encode(descriptor: Descriptor) -> bytes:
    """The bytes of a descriptor, without audit entries.

    :raises DescriptorError: the list of permissions is longer than its length field can say.
    """
    keep = 0xFFFF & ~0x0010  # no SACL present
    control = (descriptor.control | _SE_SELF_RELATIVE) & keep
    parts: list[bytes] = []
    offsets: list[int] = []
    position = 20
    owner = encode_sid(descriptor.owner) if descriptor.owner else b""
    group = encode_sid(descriptor.group) if descriptor.group else b""
    acl = b"" if descriptor.dacl is None else _encode_acl(descriptor.dacl, descriptor.revision)
    for part in (owner, group, b"", acl):
        offsets.append(position if part else 0)
        parts.append(part)
        position += len(part)
    return struct.pack("<BBH4I", 1, 0, control, *offsets) + b"".join(parts)


def _encode_acl(aces: tuple[Ace, ...], revision: int) -> bytes:
    body = b"".join(_encode_ace(ace) for ace in aces)
    if len(body) + 8 > _MAX_LIST_BYTES:
        raise DescriptorError("an access control list would be longer than 65535 bytes")
    if any(ace.kind in _OF_OBJECTS for ace in aces):
        revision = _REVISION_OF_OBJECTS
    return struct.pack("<BBHHH", revision, 0, len(body) + 8, len(aces), 0) + body


def _encode_ace(ace: Ace) -> bytes:
    if ace.kind not in _KNOWN:
        body = ace.tail
    else:
        body = ace.mask.to_bytes(4, "little")
        if ace.kind in _OF_OBJECTS:
            types = (ace.object_type, ace.inherited_object_type)
            body += sum(1 << index for index, value in enumerate(types) if value is not None).to_bytes(4, "little")
            body += b"".join(value.bytes_le for value in types if value is not None)
        body += encode_sid(ace.sid) + ace.tail
    return struct.pack("<BBH", ace.kind, ace.flags, len(body) + 4) + body


# ---- text

_RIGHTS: t.Final = (
    ("CC", 0x1),
    ("DC", 0x2),
    ("LC", 0x4),
    ("SW", 0x8),
    ("RP", 0x10),
    ("WP", 0x20),
    ("DT", 0x40),
    ("LO", 0x80),
    ("CR", 0x100),
    ("SD", 0x10000),
    ("RC", 0x20000),
    ("WD", 0x40000),
    ("WO", 0x80000),
    ("GA", 0x10000000),
    ("GX", 0x20000000),
    ("GW", 0x40000000),
    ("GR", 0x80000000),
)
_KINDS: t.Final = {
    ALLOW: "A",
    DENY: "D",
    ALLOW_OBJECT: "OA",
    DENY_OBJECT: "OD",
    ALLOW_CALLBACK: "XA",
    DENY_CALLBACK: "XD",
    ALLOW_CALLBACK_OBJECT: "ZA",
}
_FLAGS: t.Final = (("OI", 0x1), ("CI", 0x2), ("NP", 0x4), ("IO", 0x8), ("ID", 0x10), ("SA", 0x40), ("FA", 0x80))
# Only names that mean the same SID everywhere; those of a domain depend on who reads the text.
_ALIASES: t.Final = {
    "S-1-1-0": "WD",
    "S-1-3-0": "CO",
    "S-1-5-7": "AN",
    "S-1-5-9": "ED",
    "S-1-5-10": "PS",
    "S-1-5-11": "AU",
    "S-1-5-18": "SY",
    "S-1-5-32-544": "BA",
    "S-1-5-32-545": "BU",
    "S-1-5-32-546": "BG",
    "S-1-5-32-554": "RU",
}


def to_sddl(descriptor: Descriptor) -> str:
    """Owner, group and permissions in SDDL ([MS-DTYP] 2.5.1). Entries of unknown kinds stand as ``(?KIND)``."""
    text = "".join(
        f"{letter}:{_ALIASES.get(sid, sid)}"
        for letter, sid in (("O", descriptor.owner), ("G", descriptor.group))
        if sid is not None
    )
    if descriptor.dacl is None:
        return f"{text}D:NO_ACCESS_CONTROL"
    flags = "".join(
        name
        for name, bit in (
            ("P", _SE_DACL_PROTECTED),
            ("AR", _SE_DACL_AUTO_INHERIT_REQ),
            ("AI", _SE_DACL_AUTO_INHERITED),
        )
        if descriptor.control & bit
    )
    return f"{text}D:{flags}{''.join(map(_ace_to_sddl, descriptor.dacl))}"


def _ace_to_sddl(ace: Ace) -> str:
    kind = _KINDS.get(ace.kind)
    if kind is None:
        return f"(?0x{ace.kind:02x})"
    flags = "".join(name for name, bit in _FLAGS if ace.flags & bit)
    rights = "".join(name for name, bit in _RIGHTS if ace.mask & bit)
    if ace.mask & ~sum(bit for _name, bit in _RIGHTS):
        rights = f"0x{ace.mask:x}"
    types = ";".join("" if value is None else str(value) for value in (ace.object_type, ace.inherited_object_type))
    return f"({kind};{flags};{rights};{types};{_ALIASES.get(ace.sid, ace.sid)})"
