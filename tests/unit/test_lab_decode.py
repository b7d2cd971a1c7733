# Copyright (c) 2026, the sfb.kb4023993 contributors
# GNU General Public License v3.0-or-later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The lab reads what the product writes on the wire; what else may stand there, tests/contract compares with batch.ps1."""

from __future__ import annotations

import base64
import dataclasses
import gzip
import typing as t

import pytest
from ansible_collections.sfb.kb4023993.plugins.plugin_utils.host import operations as op
from ansible_collections.sfb.kb4023993.plugins.plugin_utils.host.wire import encode_batch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from lab.decode import BadDataError, Malformed, PayloadError, decode_batch, unpack

NONCE = "0123456789abcdef"

_TEXT = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=30)
_SIMPLE: dict[t.Any, st.SearchStrategy[t.Any]] = {
    str: _TEXT,
    int: st.integers(-(2**31), 2**31 - 1),
    bool: st.booleans(),
    bytes: st.binary(max_size=30),
}


def _field(hint: t.Any) -> st.SearchStrategy[t.Any]:
    if t.get_origin(hint) is tuple:
        return st.lists(_field(t.get_args(hint)[0]), max_size=4).map(tuple)
    if t.get_origin(hint) is t.Literal:
        return st.sampled_from(t.get_args(hint))
    return _SIMPLE[hint]


def _operation(kind: type[op.Operation]) -> st.SearchStrategy[op.Operation]:
    hints = t.get_type_hints(kind)
    return st.builds(kind, **{field.name: _field(hints[field.name]) for field in dataclasses.fields(kind)})


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(st.sampled_from(op.OPERATIONS).flatmap(_operation), max_size=6), st.integers(0, 10_000), st.booleans())
def test_what_was_encoded_comes_back(operations: list[op.Operation], deadline: int, stop: bool) -> None:
    batch = decode_batch(encode_batch(operations, nonce=NONCE, deadline_seconds=deadline, stop_on_error=stop))
    assert batch.nonce == NONCE
    assert (batch.deadline_seconds, batch.stop_on_error) == (deadline, stop)
    assert batch.operations == tuple(operations)


@pytest.mark.parametrize(
    "data",
    [f"batch\t1\t{NONCE}\t5\nop\tsystem\n", "", f"batch\t2\t{NONCE}\t5\t0\n", f"batch\t1\t{NONCE}\tsoon\t0\n"],
)
def test_data_without_its_first_line_is_refused(data: str) -> None:
    with pytest.raises(PayloadError, match="does not begin with a batch line"):
        decode_batch(data)


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        ("path\tx", "before the first operation"),
        ("op\tsystem\textra", "does not have two fields"),
        ("op\tregistry_read\npath\tx\\y", "there is no escape"),
    ],
)
def test_lines_that_are_no_fields_are_refused(lines: str, message: str) -> None:
    with pytest.raises(BadDataError, match=message) as raised:
        decode_batch(f"batch\t1\t{NONCE}\t5\t0\n{lines}\n")
    assert raised.value.nonce == NONCE


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        ("op\tformat_disk", "no operation 'format_disk'"),
        ("op\tregistry_list\nlimit\t1\nlimit\t2", "registry_list.limit cannot be '1 2'"),
        ("op\tregistry_list\nlimit\tall", "registry_list.limit cannot be 'all'"),
    ],
)
def test_an_operation_that_cannot_be_read_leaves_the_others(lines: str, message: str) -> None:
    batch = decode_batch(f"batch\t1\t{NONCE}\t5\t0\n{lines}\nop\tsystem\n")
    odd, other = batch.operations
    assert isinstance(odd, Malformed)
    assert message in odd.message
    assert other == op.System()


def _pack(data: bytes) -> str:
    return base64.b64encode(gzip.compress(data, mtime=0)).decode()


def test_a_payload_may_be_wrapped_anywhere() -> None:
    text = _pack(b"script") + "." + _pack("data ä".encode())
    payload = unpack("\r\n".join(text[i : i + 7] for i in range(0, len(text), 7)) + "\n")
    assert payload.script == b"script"
    assert payload.data == "data ä"


@pytest.mark.parametrize("stdin", ["", "abc", f"{_pack(b'x')}", f"{_pack(b'x')}.%%%", "YWJj.YWJj", "System.Byte[]"])
def test_what_is_no_payload_is_refused(stdin: str) -> None:
    with pytest.raises(PayloadError):
        unpack(stdin)
