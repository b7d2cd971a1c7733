# Copyright (c) 2026, the sfb.kb4023993 contributors
# GNU General Public License v3.0-or-later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The reply of a batch is found in whatever a console makes of it, and anything else is told apart and refused."""

from __future__ import annotations

import json
import textwrap
import time
import typing as t

import pytest
from ansible_collections.sfb.kb4023993.plugins.plugin_utils.codec import encode
from ansible_collections.sfb.kb4023993.plugins.plugin_utils.host import operations as op
from ansible_collections.sfb.kb4023993.plugins.plugin_utils.host.wire import (
    Reply,
    ReplyError,
    decode_reply,
    encode_batch,
    markers,
)
from hypothesis import given
from hypothesis import strategies as st
from lab.decode import decode_batch

NONCE: t.Final = "0123456789abcdef"
BEGIN, END = markers(NONCE)
READ: t.Final = op.RegistryRead(path=r"SOFTWARE\x", name="y")
ASKED: t.Final = (READ, op.Processes(names=("a",)))
FOUND: t.Final = op.RegistryReadReply(
    key_exists=True, value=op.RegistryValue(name="ü  日本 [[x[", kind="multi_string", data=("a b", "\t\r\n", "]]"))
)
ANSWERED: t.Final[list[t.Any]] = [
    {"ok": True, "ms": 3, "value": encode(FOUND)},
    {"ok": False, "ms": 0, "error": {"type": "denied", "message": "Zugriff verweigert"}},
]


def document(replies: t.Any = ANSWERED, failure: t.Any = None, **more: t.Any) -> str:
    """A reply as batch.ps1 prints it: ASCII without blanks."""
    text = json.dumps({"failure": failure, "replies": replies, **more}, separators=(",", ":"))
    return BEGIN + text.replace(" ", "\\u0020") + END


def read(printed: str, asked: t.Sequence[op.Operation] = ASKED) -> tuple[Reply, ...]:
    replies, failure = decode_reply(printed, asked, nonce=NONCE)
    assert failure is None
    return replies


def kind(printed: str, asked: t.Sequence[op.Operation] = ASKED) -> str:
    with pytest.raises(ReplyError) as caught:
        decode_reply(printed, asked, nonce=NONCE)
    return caught.value.kind


def check(replies: tuple[Reply, ...]) -> None:
    assert [reply.operation for reply in replies] == list(ASKED)
    assert replies[0].value == FOUND
    assert replies[1].error is not None
    assert (replies[1].error.type, replies[1].error.message) == ("denied", "Zugriff verweigert")


@pytest.mark.parametrize("width", [1, 7, 40, 80, 4000])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r\n   "])
def test_a_reply_wrapped_at_any_width_is_read(width: int, end: str) -> None:
    check(read(end.join(textwrap.wrap(document(), width, break_on_hyphens=False))))


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("Welcome to FE01!\r\n", "\r\nbye\r\n"),
        ("#< CLIXML\r\n<Objs>", "</Objs>"),
        ("[[sfb.kb4023993-ffffffffffffffff[{}]ffffffffffffffff]]", ""),
        ("[[sfb.kb4023993-[[", "]]]]"),
        ("\x00\x1b[2J", "\x1b[0m"),
        ("日本語", "ä"),
    ],
)
def test_what_others_print_around_it_does_not_matter(before: str, after: str) -> None:
    check(read(before + document() + after))


@given(
    st.text(max_size=60).filter(lambda text: BEGIN not in text),
    st.text(max_size=60).filter(lambda text: BEGIN not in text),
)
def test_no_garbage_around_it_makes_another_reply_of_it(before: str, after: str) -> None:
    check(read(before + "|" + document() + "|" + after))


@pytest.mark.parametrize(
    "text", ["", "Access denied", END, document().replace(NONCE, "f" * 16), document()[len(BEGIN) :]]
)
def test_without_the_begin_there_is_no_reply(text: str) -> None:
    assert kind(text) == "missing"


@pytest.mark.parametrize("length", [0, 1, 30, len(document()) - len(BEGIN) - 1])
def test_a_reply_that_was_cut_anywhere_is_told_as_cut(length: int) -> None:
    assert kind(document()[: len(BEGIN) + length]) == "cut"


@pytest.mark.parametrize("between", ["", "\r\n", "x" * 100])
def test_two_replies_are_none(between: str) -> None:
    assert kind(document() + between + document()) == "garbled"
    assert kind(document()[:60] + between + document()) == "garbled"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "null",
        "[]",
        "5",
        '{"replies":{}}',
        '{"failure":null}',
        '{"replies":[',
        "[" * 200_000,
        '{"replies":' + "[" * 100_000 + "]" * 100_000 + "}",
        '{"replies":[' + "9" * 5000 + "]}",
        '{"failure":{"type":"other","message":"x"},"replies":[]}',
        '{"failure":{"type":"failed"},"replies":[]}',
        '{"failure":"x","replies":[]}',
        '{"failure":{"type":"failed","message":"x","more":1},"replies":[]}',
    ],
    ids=lambda text: text[:30],
)
def test_hostile_json_between_the_markers_is_refused(text: str) -> None:
    assert kind(BEGIN + text + END) == "garbled"


@pytest.mark.parametrize(
    "replies",
    [
        [],
        ANSWERED[:1],
        [*ANSWERED, ANSWERED[0]],
        [None, ANSWERED[1]],
        [[], ANSWERED[1]],
        [{**ANSWERED[0], "ms": None}, ANSWERED[1]],
        [{**ANSWERED[0], "ms": True}, ANSWERED[1]],
        [{**ANSWERED[0], "ms": 1.5}, ANSWERED[1]],
        [{**ANSWERED[0], "ok": "true"}, ANSWERED[1]],
        [{**ANSWERED[0], "ok": 1}, ANSWERED[1]],
        [ANSWERED[0], {"ok": False, "ms": 0, "error": {"type": "strange", "message": "x"}}],
        [ANSWERED[0], {"ok": False, "ms": 0, "error": {"type": "denied", "message": 5}}],
        [ANSWERED[0], {"ok": False, "ms": 0, "error": None}],
    ],
    ids=range(13),
)
def test_replies_that_do_not_fit_the_operations_are_refused(replies: t.Any) -> None:
    assert kind(document(replies)) == "garbled"


@pytest.mark.parametrize(
    "value",
    [
        None,
        {"key_exists": True, "value": None, "more": 1},
        {"key_exists": 1, "value": None},
        {"key_exists": True, "value": {"name": "x", "kind": "weird", "data": 1}},
    ],
    ids=range(4),
)
def test_an_answer_of_a_shape_that_cannot_be_hides_no_other(value: t.Any) -> None:
    first, second = read(document([{**ANSWERED[0], "value": value}, ANSWERED[1]]), ASKED)
    assert first.error is not None
    assert first.error.type == "invalid"
    assert second.error is None or second.error.type != "invalid"


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["ok", "ms", "value", "error", "type", "message", "key_exists", "name"]), inner, max_size=4
        )
    ),
    max_leaves=10,
)


@given(st.lists(JSON, min_size=2, max_size=2), JSON)
def test_any_json_is_a_typed_reply_or_a_reply_error(replies: list[t.Any], failure: t.Any) -> None:
    try:
        found, refused = decode_reply(document(replies, failure), ASKED, nonce=NONCE)
    except ReplyError:
        return
    assert refused is not None or all(reply.error or isinstance(reply.value, reply.operation.REPLY) for reply in found)


def test_a_refused_batch_is_told_with_its_reason() -> None:
    replies, failure = decode_reply(document([], {"type": "process_32_bit", "message": "x"}), ASKED, nonce=NONCE)
    assert replies == ()
    assert failure is not None
    assert (failure.type, failure.message) == ("process_32_bit", "x")


def test_huge_numbers_of_a_server_stay_numbers() -> None:
    value = {"key_exists": True, "value": {"name": "x", "kind": "qword", "data": 2**64 - 1}}
    assert read(document([{"ok": True, "ms": 2**31 - 1, "value": value}]), [READ])[0].value.value.data == 2**64 - 1


@pytest.mark.parametrize("ms", [-1, 2**31, int("9" * 4300)])
def test_a_time_that_cannot_be_is_refused(ms: int) -> None:
    # The sum of two such times has more digits than Python writes down, so evidence with it could not be kept.
    assert kind(document([{**answer, "ms": ms} for answer in ANSWERED])) == "garbled"


@pytest.mark.parametrize("blank", [" ", "\t", "\u2003", "\n", "\r", " \n"])
def test_blanks_without_end_are_read_quickly(blank: str) -> None:
    started = time.process_time()
    long = blank * (1_000_000 // len(blank))
    assert kind(long) == "missing"
    check(read(long + document() + long))
    assert time.process_time() - started < 5


# ---- operations out


def test_the_lab_reads_what_was_written_whatever_stands_in_the_texts() -> None:
    hostile = "a\tb\r\nop\tregistry_delete\n%09%25\u2028日本 ' \" $(x) `"
    asked = [
        op.RegistrySet(path=r"SOFTWARE\x", name=hostile, kind="multi_string", data=(hostile, "", "%"), stamp=True),
        op.FileSearch(path="x", patterns=(b"\x00\xff\t\n", b"")),
    ]
    text = encode_batch(asked, nonce=NONCE, deadline_seconds=5)
    assert decode_batch(text).operations == tuple(asked)
    assert text.count("\nop\t") == 2


@pytest.mark.parametrize(
    "nonce", ["", "0123456789ABCDEF", "0123456789abcde", "0123456789abcdef\n", "0123456789abcde\t"]
)
def test_a_nonce_that_could_change_the_header_is_refused(nonce: str) -> None:
    with pytest.raises(ValueError, match="16 hexadecimal digits"):
        encode_batch([READ], nonce=nonce, deadline_seconds=5)


def test_every_name_that_the_registry_can_hold_can_travel_back() -> None:
    reply = document(
        [{"ok": True, "ms": 1, "value": {"key_exists": True, "value": {"name": "\ud800", "kind": "dword", "data": 0}}}]
    )
    name = read(reply, [READ])[0].value.value.name
    encode_batch([op.RegistryDelete(path=r"SOFTWARE\x", name=name)], nonce=NONCE, deadline_seconds=5).encode("utf-8")
