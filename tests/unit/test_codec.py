# Copyright (c) 2026, the sfb.kb4023993 contributors
# GNU General Public License v3.0-or-later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The JSON form of records is exact, and what comes back is checked against the types before anything believes it."""

from __future__ import annotations

import dataclasses
import json
import typing as t

import pytest
from ansible_collections.sfb.kb4023993.plugins.plugin_utils.codec import CodecError, decode, encode
from hypothesis import given
from hypothesis import strategies as st


@dataclasses.dataclass(frozen=True, kw_only=True)
class Leaf:
    text: str
    number: int = 0
    flag: bool = False
    raw: bytes = b""
    choice: t.Literal["a", "b"] = "a"


@dataclasses.dataclass(frozen=True, kw_only=True)
class Tree:
    name: str
    leaves: tuple[Leaf, ...] = ()
    by_name: dict[str, Leaf] = dataclasses.field(default_factory=dict)
    maybe: Leaf | None = None
    data: str | int | tuple[str, ...] | None = None
    below: tuple[Tree, ...] = ()


LEAVES = st.builds(
    Leaf,
    text=st.text(max_size=8),
    number=st.integers(-(2**63), 2**64 - 1),
    flag=st.booleans(),
    raw=st.binary(max_size=8),
    choice=st.sampled_from(["a", "b"]),
)
TREES = st.recursive(
    st.builds(
        Tree,
        name=st.text(max_size=8),
        leaves=st.lists(LEAVES, max_size=2).map(tuple),
        by_name=st.dictionaries(st.text(max_size=4), LEAVES, max_size=2),
        maybe=st.none() | LEAVES,
        data=st.none()
        | st.text(max_size=4)
        | st.integers(-(2**63), 2**64 - 1)
        | st.lists(st.text(max_size=3), max_size=2).map(tuple),
    ),
    lambda children: st.builds(Tree, name=st.text(max_size=4), below=st.lists(children, max_size=2).map(tuple)),
    max_leaves=4,
)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=6),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3),
    max_leaves=8,
)


@given(TREES)
def test_what_was_encoded_comes_back_the_same(tree: Tree) -> None:
    assert decode(Tree, json.loads(json.dumps(encode(tree)))) == tree


@given(JSON)
def test_any_other_json_is_refused_with_a_codec_error_or_is_a_whole_record(data: t.Any) -> None:
    try:
        found = decode(Leaf, data)
    except CodecError:
        return
    assert isinstance(found, Leaf)
    assert isinstance(found.text, str)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"extra": 1}, "unknown entry 'extra'"),
        ({"text": None}, "Leaf.text: expected text, found nothing"),
        ({"text": 5}, "Leaf.text: expected text, found int"),
        ({"number": True}, "Leaf.number: expected a whole number, found bool"),
        ({"number": 1.0}, "Leaf.number: expected a whole number, found float"),
        ({"number": 2**64}, "Leaf.number: expected a whole number of at most 64 bits"),
        ({"number": -(2**63) - 1}, "Leaf.number: expected a whole number of at most 64 bits"),
        ({"flag": 1}, "Leaf.flag: expected true or false, found int"),
        ({"flag": "true"}, "Leaf.flag: expected true or false, found str"),
        ({"raw": "not base64!"}, "Leaf.raw: expected base64 text"),
        ({"raw": 7}, "Leaf.raw: expected base64 text, found int"),
        ({"choice": "c"}, "Leaf.choice: expected one of a, b"),
        ({"choice": ["a"]}, "Leaf.choice: expected one of a, b"),
    ],
)
def test_an_entry_of_another_type_is_named(change: dict[str, t.Any], message: str) -> None:
    with pytest.raises(CodecError, match=message.replace("(", r"\(")):
        decode(Leaf, {"text": "x", **change})


def test_a_missing_entry_is_named() -> None:
    with pytest.raises(CodecError, match="Tree: entry 'name' is missing"):
        decode(Tree, {})


def test_the_place_of_an_error_is_told_through_lists_and_dictionaries() -> None:
    data = {"name": "x", "by_name": {"k": {"text": "x"}}, "leaves": [{"text": "x"}, {"text": 1}]}
    with pytest.raises(CodecError, match=r"Tree\.leaves\[1\]\.text: expected text"):
        decode(Tree, data)


@pytest.mark.parametrize("data", [[], "x", 5, None, True])
def test_a_record_is_an_object(data: t.Any) -> None:
    with pytest.raises(CodecError, match="expected an object"):
        decode(Leaf, data)


def test_a_type_without_a_json_form_is_a_programming_error() -> None:
    with pytest.raises(TypeError, match="no JSON form for set"):
        encode({1, 2})


@dataclasses.dataclass(frozen=True, kw_only=True)
class Pairs:
    pairs: tuple[tuple[str, bytes, tuple[int, ...]], ...] = ()


def test_a_tuple_of_different_things_comes_back_whole() -> None:
    pairs = Pairs(pairs=(("a", b"\x00", (1, 2)), ("b", b"", ())))
    assert decode(Pairs, json.loads(json.dumps(encode(pairs)))) == pairs


@pytest.mark.parametrize(
    "data", [[["a", "AA=="]], [["a", "AA==", [], 1]], [["a", "AA==", ["x"]]], [[1, "AA==", []]], ["a"]]
)
def test_a_tuple_of_different_things_has_its_length_and_its_types(data: t.Any) -> None:
    with pytest.raises(CodecError, match=r"^pairs\.pairs\[0\]"):
        decode(Pairs, {"pairs": data}, where="pairs")
