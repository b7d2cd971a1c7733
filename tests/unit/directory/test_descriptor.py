# Copyright (c) 2026, the sfb.kb4023993 contributors
# GNU General Public License v3.0-or-later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Security descriptors: bytes to records and back, hostile bytes, SIDs, SDDL."""

from __future__ import annotations

import contextlib
import struct
import time
import uuid

import pytest
from ansible_collections.sfb.kb4023993.plugins.plugin_utils.directory import descriptor as d
from hypothesis import given
from hypothesis import strategies as st

_SIDS = st.builds(
    lambda authority, arcs: "-".join(("S-1", str(authority), *map(str, arcs))),
    st.integers(0, (1 << 48) - 1),
    st.lists(st.integers(0, (1 << 32) - 1), min_size=1, max_size=15),
)
_MASKS = st.integers(0, (1 << 32) - 1)
_FLAGS = st.integers(0, 255)
_PLAIN = st.builds(
    lambda kind, mask, sid, flags, tail: d.Ace(kind, mask, sid, flags, tail=tail),
    st.sampled_from([d.ALLOW, d.DENY, d.ALLOW_CALLBACK, d.DENY_CALLBACK]),
    _MASKS,
    _SIDS,
    _FLAGS,
    st.binary(max_size=20),
)
_OBJECT = st.builds(
    d.Ace,
    st.sampled_from([d.ALLOW_OBJECT, d.DENY_OBJECT, d.ALLOW_CALLBACK_OBJECT, d.DENY_CALLBACK_OBJECT]),
    _MASKS,
    _SIDS,
    _FLAGS,
    st.none() | st.uuids(),
    st.none() | st.uuids(),
    st.binary(max_size=20),
)
_UNKNOWN = st.builds(
    lambda kind, flags, tail: d.Ace(kind, 0, "", flags, tail=tail),
    st.sampled_from([2, 3, 4, 7, 13, 17, 255]),
    _FLAGS,
    st.binary(max_size=40),
)
_DESCRIPTORS = st.builds(
    d.Descriptor,
    st.sampled_from([0x8004, 0x9004, 0x8404, 0x8504]),
    st.none() | _SIDS,
    st.none() | _SIDS,
    st.lists(_PLAIN | _OBJECT | _UNKNOWN, max_size=8).map(tuple),
)
# The SID of Authenticated Users, put together by hand from [MS-DTYP] 2.4.2.
_AU = bytes.fromhex("01010000000000050b000000")


@given(_DESCRIPTORS)
def test_descriptors_are_read_as_they_were_written(value: d.Descriptor) -> None:
    data = d.encode(value)
    assert d.decode(data) == value
    assert d.encode(d.decode(data)) == data


@given(_SIDS)
def test_sids_are_read_as_they_were_written(sid: str) -> None:
    assert d.decode_sid(d.encode_sid(sid)) == sid


@pytest.mark.parametrize(
    "text", ["", "S-1", "S-1-5", "S-2-5-11", "S-1-5-11x", "x S-1-5-11", "S-1-5--1", "S-1-5-4294967296", "S-1-5-١١"]
)
def test_what_is_no_sid_is_refused(text: str) -> None:
    with pytest.raises(d.DescriptorError):
        d.encode_sid(text)


def test_a_known_descriptor_has_the_known_bytes() -> None:
    value = d.protected_dacl(d.Ace(d.ALLOW, d.READ, "S-1-5-11"))
    acl = b"\x04\x00\x1c\x00\x01\x00\x00\x00" + b"\x00\x00\x14\x00\x94\x00\x02\x00" + _AU
    assert d.encode(value) == b"\x01\x00\x04\x90" + struct.pack("<4I", 0, 0, 0, 20) + acl
    assert d.to_sddl(value) == "D:P(A;;LCRPLORC;;;AU)"


@given(st.binary(max_size=300))
def test_any_bytes_are_a_descriptor_or_an_error(data: bytes) -> None:
    with contextlib.suppress(d.DescriptorError):
        d.to_sddl(d.decode(data))


@given(_DESCRIPTORS, st.integers(0, 400), st.integers(0, 255))
def test_a_spoilt_byte_is_a_descriptor_or_an_error(value: d.Descriptor, place: int, byte: int) -> None:
    data = bytearray(d.encode(value))
    data[place % len(data)] = byte
    with contextlib.suppress(d.DescriptorError):
        d.to_sddl(d.decode(bytes(data)))


@given(_DESCRIPTORS, st.integers(1, 100))
def test_a_cut_descriptor_is_an_error_or_lost_nothing(value: d.Descriptor, cut: int) -> None:
    data = d.encode(value)
    with contextlib.suppress(d.DescriptorError):
        assert d.decode(data[:-cut]).dacl in (value.dacl, None)


def test_the_largest_list_takes_no_time_and_a_larger_one_is_refused() -> None:
    ace = d.Ace(d.ALLOW, d.READ, "S-1-5-11")
    started = time.monotonic()
    largest = d.protected_dacl(*[ace] * 3276)
    assert d.decode(d.encode(largest)) == largest
    assert time.monotonic() - started < 5
    with pytest.raises(d.DescriptorError, match="longer than 65535"):
        d.encode(d.protected_dacl(*[ace] * 3277))


def test_no_list_and_an_empty_list_are_told_apart() -> None:
    for control in (0x8000, 0x8004):
        nothing = d.Descriptor(control, "S-1-5-18", None, None)
        assert d.decode(d.encode(nothing)).dacl is None
    assert d.to_sddl(d.Descriptor(0x8004, "S-1-5-18", None, None)) == "O:SYD:NO_ACCESS_CONTROL"
    assert d.decode(d.encode(d.protected_dacl())).dacl == ()


def test_text_of_entries() -> None:
    enrol = uuid.UUID("0e10c968-78fb-11d2-90d4-00c04f79dc55")
    value = d.Descriptor(
        0x9504,
        "S-1-5-21-1-2-3-519",
        "S-1-5-32-544",
        (
            d.Ace(d.DENY_OBJECT, 0x100, "S-1-1-0", 0x12, enrol),
            d.Ace(d.ALLOW, 0x10000200, "S-1-5-18"),
            d.Ace(17, 0, "", tail=b"x"),
        ),
    )
    assert d.to_sddl(value) == (f"O:S-1-5-21-1-2-3-519G:BAD:PARAI(OD;CIID;CR;{enrol};;WD)(A;;0x10000200;;;SY)(?0x11)")
