# Copyright (c) 2026, the sfb.kb4023993 contributors
# GNU General Public License v3.0-or-later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""BER and LDAP messages as bytes: what is written can be read, and hostile bytes end in an error, at once."""

from __future__ import annotations

import contextlib
import time

import pytest
from ansible_collections.sfb.kb4023993.plugins.plugin_utils.directory import _ber, messages
from hypothesis import given
from hypothesis import strategies as st

_NUMBERS = st.integers(-(1 << 63), (1 << 63) - 1)


@given(_NUMBERS)
def test_numbers_are_read_as_they_were_written(value: int) -> None:
    (element,) = _ber.read_elements(_ber.encode_integer(value))
    assert _ber.read_integer(element) == value
    # The shortest form: the first nine bits are not all alike.
    assert (
        len(element.content) == 1
        or element.content[0] not in (0, 0xFF)
        or ((element.content[0] == 0) == bool(element.content[1] & 0x80))
    )


@given(st.lists(st.binary(max_size=300), max_size=5))
def test_elements_are_read_as_they_were_written(contents: list[bytes]) -> None:
    data = b"".join(_ber.encode(_ber.OCTET_STRING, content) for content in contents)
    assert [element.content for element in _ber.read_elements(data)] == contents


@given(st.binary(max_size=300), st.integers(1, 4))
def test_lengths_may_be_longer_than_needed(content: bytes, size: int) -> None:
    if len(content) < 1 << (8 * size):
        data = bytes([0x04, 0x80 | size]) + len(content).to_bytes(size, "big") + content
        assert _ber.measure(data) == len(data)
        assert _ber.read_single(data, _ber.OCTET_STRING) == content


@given(st.binary(max_size=300), st.integers(0, 10))
def test_the_beginning_of_an_element_never_measures_short(content: bytes, cut: int) -> None:
    whole = _ber.encode(_ber.SEQUENCE, content)
    measured = _ber.measure(whole[:cut])
    assert measured is None or measured == len(whole)


@given(st.binary(max_size=400))
def test_any_bytes_are_a_message_or_an_error(data: bytes) -> None:
    with contextlib.suppress(_ber.BerError):
        messages.read_message(data)


@given(st.binary(max_size=60), st.sampled_from([0x61, 0x64, 0x65, 0x67, 0x73, 0x78]))
def test_any_content_of_a_message_is_one_or_an_error(content: bytes, tag: int) -> None:
    with contextlib.suppress(_ber.BerError):
        messages.read_message(messages.request(1, _ber.encode(tag, content), (content,)))


def test_a_megabyte_of_small_or_nested_elements_takes_no_time() -> None:
    started = time.monotonic()
    assert len(_ber.read_elements(b"\x04\x00" * 250_000)) == 250_000
    nested = b""
    for _level in range(2000):
        nested = _ber.encode(_ber.SEQUENCE, nested)
    assert len(_ber.read_elements(nested)) == 1
    assert time.monotonic() - started < 5


def test_an_entry_is_read() -> None:
    values = _ber.encode(_ber.SET, _ber.encode_text("a"), _ber.encode_text(b"\xff"))
    attributes = _ber.encode(_ber.SEQUENCE, _ber.encode(_ber.SEQUENCE, _ber.encode_text("cN"), values))
    data = messages.request(7, _ber.encode(0x64, _ber.encode_text("CN=x"), attributes))
    message = messages.read_message(data)
    assert message.message_id == 7
    assert message.entry is not None
    assert message.entry.dn == "CN=x"
    assert message.entry.values("CN") == (b"a", b"\xff")
    assert message.entry.text("cn") == "a"
    assert message.entry.text("missing") == ""


# The bytes of requests, written by hand from RFC 4511: an independent reading of the same text.
@pytest.mark.parametrize(
    ("built", "expected"),
    [
        (messages.request(1, messages.simple_bind("u", "p")), "300e 020101 6009 020103 040175 800170"),
        (messages.request(2, messages.unbind()), "30050201024200"),
        (messages.request(3, messages.delete("CN=x")), "30090201034a04434e3d78"),
        (messages.equal("cn", "*"), "a307 0402636e 04012a"),
        (messages.present("cn"), "8702636e"),
        (messages.both(messages.present("a"), messages.present("b")), "a006 870161 870162"),
        (messages.sd_flags(4), "3022 0416 " + b"1.2.840.113556.1.4.801".hex() + " 0101ff 0405 3003020104"),
        (
            messages.modify("d", [messages.Change("replace", "a", (b"v",))]),
            "6614 040164 300f 300d 0a0102 3008 040161 3103 040176",
        ),
    ],
    ids=range(8),
)
def test_requests_are_the_bytes_of_the_standard(built: bytes, expected: str) -> None:
    assert built.hex() == expected.replace(" ", "")


@given(st.text(max_size=30), st.binary(max_size=30))
def test_what_stands_in_a_filter_stays_one_value(attribute: str, value: bytes) -> None:
    (element,) = _ber.read_elements(messages.equal(attribute, value))
    assert [part.content for part in _ber.read_elements(element.content)] == [attribute.encode(), value]
