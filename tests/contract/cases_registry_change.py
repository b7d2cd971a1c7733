# Copyright (c) 2026, the sfb.kb4023993 contributors
# GNU General Public License v3.0-or-later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Cases of registry_set and registry_delete: what can be written, compare-and-set, and what is left."""

from __future__ import annotations

import typing as t

from ansible_collections.sfb.kb4023993.plugins.plugin_utils.host import operations as op

from contract.case import Case, Step, Wrong, case
from contract.cases_registry import WOW, keys_of, listed, read, value
from contract.world import LINK, NONE, Key, Value, World, dword, key, text_value, texts_value


def change(
    before: op.RegistryValue | None,
    after: op.RegistryValue | None,
    *,
    refused: bool = False,
    existed: bool = True,
    exists: bool = True,
) -> op.RegistryChangeReply:
    return op.RegistryChangeReply(
        refused=refused,
        changed=(before, existed) != (after, exists),
        before=before,
        after=after,
        key_existed=existed,
        key_exists=exists,
    )


_WRITABLE: tuple[tuple[str, op.RegistryKind, tuple[str, ...], op.RegistryValue], ...] = (
    ("string", "string", ('a\tb\r\n"\\%41 ü 会 \U0001f512',), value("V", "string", 'a\tb\r\n"\\%41 ü 会 \U0001f512')),
    ("string-empty", "string", ("",), value("V", "string", "")),
    ("string-half-a-pair", "string", ("x\ud83d",), value("V", "string", "x\ud83d")),
    ("expand", "expand_string", ("%windir%\\x",), value("V", "expand_string", "%windir%\\x")),
    ("multi", "multi_string", ("a", "", "b\nc"), value("V", "multi_string", ("a", "", "b\nc"))),
    ("multi-none", "multi_string", (), value("V", "multi_string", ())),
    ("multi-one", "multi_string", ("a",), value("V", "multi_string", ("a",))),
    ("multi-empty", "multi_string", ("",), value("V", "multi_string", ("",))),
    ("multi-end-empty", "multi_string", ("a", ""), value("V", "multi_string", ("a", ""))),
    ("dword", "dword", ("4294967295",), value("V", "dword", 0xFFFFFFFF)),
    ("dword-zeros", "dword", ("007",), value("V", "dword", 7)),
    ("qword", "qword", ("18446744073709551615",), value("V", "qword", 2**64 - 1)),
    ("binary", "binary", ("AAECAw==",), value("V", "binary", "AAECAw==")),
    ("binary-empty", "binary", ("",), value("V", "binary", "")),
    ("binary-with-blanks", "binary", ("AA EC\r\nAw==",), value("V", "binary", "AAECAw==")),
)

_UNWRITABLE: tuple[tuple[op.RegistryKind, tuple[str, ...]], ...] = (
    ("dword", ("4294967296",)),
    ("dword", ("-1",)),
    ("dword", ("seven",)),
    ("dword", ("",)),
    ("dword", ("1.0",)),
    ("dword", ("0x10",)),
    ("dword", ("@now@",)),
    ("dword", ("1", "2")),
    ("dword", ()),
    ("qword", ("18446744073709551616",)),
    ("string", ()),
    ("string", ("a", "b")),
    ("binary", ("?",)),
    ("binary", ("AAE",)),
    ("binary", ("=",)),
    ("binary", ("A===",)),
    ("binary", ("AAE=AA==",)),
    ("binary", ()),
    ("none", ("",)),
    ("unknown", ("",)),
)


def _sets() -> list[Case]:
    cases = []
    for name, kind, data, written in _WRITABLE:
        path = key(f"set-{name}", "new", "keys")
        asked = op.RegistrySet(path=path, name="V", kind=kind, data=data)
        again = op.RegistrySet(
            path=path, name="v", kind=kind, data=data, expect="value", expect_kind=kind, expect_data=data
        )
        plain = written.data if isinstance(written.data, tuple) else (str(written.data),)
        cases.append(
            Case(
                name=f"set-{name}",
                steps=(
                    Step(asked, change(None, written, existed=False)),
                    Step(op.RegistryRead(path=path, name="V"), op.RegistryReadReply(key_exists=True, value=written)),
                    Step(again, change(written, written, refused=plain != data)),
                    Step(
                        op.RegistrySet(path=path, name="V", kind="string", data=("other",), expect="absent"),
                        change(written, written, refused=True),
                    ),
                    Step(
                        op.RegistryDelete(
                            path=path, name="V", expect="value", expect_kind=kind, expect_data=plain, prune=True
                        ),
                        change(written, None, exists=False),
                    ),
                ),
            )
        )
    steps = tuple(
        Step(op.RegistrySet(path=key("set-invalid"), name="V", kind=kind, data=data), Wrong("invalid"))
        for kind, data in _UNWRITABLE
    )
    cases.append(Case(name="set-invalid", steps=steps))
    return cases


_OLD = value("Näme", "dword", 7)
_NEW = value("Näme", "string", "new")


def _expectations() -> list[Case]:
    """Compare-and-set: what may stand there, what is expected, whether that is refused."""
    found: tuple[tuple[str, Value | None, op.RegistryValue | None], ...] = (
        ("nothing", None, None),
        ("dword", dword("V", 0), value("V", "dword", 0)),
        ("string", text_value("V", "0"), value("V", "string", "0")),
        ("multi", texts_value("V", "a", "b"), value("V", "multi_string", ("a", "b"))),
        ("none", Value(name="V", type=NONE, data=b"\1"), value("V", "none", "AQ==")),
        ("unknown", Value(name="V", type=LINK, data=b""), value("V", "unknown", "")),
    )
    expected: tuple[tuple[op.Expectation, op.RegistryKind, tuple[str, ...]], ...] = (
        ("anything", "none", ()),
        ("absent", "none", ()),
        ("value", "dword", ("0",)),
        ("value", "dword", ("00",)),
        ("value", "dword", ()),
        ("value", "string", ("0",)),
        ("value", "multi_string", ("a", "b")),
        ("value", "multi_string", ("b", "a")),
        ("value", "multi_string", ("a",)),
        ("value", "none", ("AQ==",)),
        ("value", "none", ("?",)),
        ("value", "unknown", ("",)),
    )
    cases = []
    for name, stored, shown in found:
        for number, (expect, kind, data) in enumerate(expected):
            matches = expect == "anything" or (expect == "absent" and shown is None)
            if expect == "value" and shown is not None and shown.kind == kind:
                matches = data == (shown.data if isinstance(shown.data, tuple) else (str(shown.data),))
            for action in ("set", "delete"):
                place = f"expect-{action}-{name}-{number}"
                values = () if stored is None else (stored,)
                if action == "set":
                    asked: op.Operation = op.RegistrySet(
                        path=key(place),
                        name="V",
                        kind="string",
                        data=("new",),
                        expect=expect,
                        expect_kind=kind,
                        expect_data=data,
                    )
                    after = value("V", "string", "new")
                else:
                    asked = op.RegistryDelete(
                        path=key(place), name="v", expect=expect, expect_kind=kind, expect_data=data
                    )
                    after = None
                reply = change(shown, after if matches else shown, refused=not matches)
                cases.append(case(place, asked, reply, world=keys_of(place, *values)))
    return cases


def _changes() -> list[Case]:
    full = World(
        keys=(
            Key(path=key("delete-prune"), values=(dword("a", 1), dword("b", 2))),
            Key(path=key("delete-prune-parent", "child")),
            Key(path=key("delete-prune-empty")),
            Key(path=key("delete-keep"), values=(dword("a", 1),)),
            Key(path=rf"{WOW}\delete-view", values=(dword("a", 1),)),
        )
    )
    one, two = value("a", "dword", 1), value("b", "dword", 2)

    def delete(place: str, name: str, **fields: t.Any) -> op.RegistryDelete:
        return op.RegistryDelete(path=key(place), name=name, **fields)

    return [
        Case(
            name="deletes",
            world=full,
            steps=(
                Step(delete("delete-prune", "A", prune=True), change(one, None)),
                Step(delete("delete-prune", "none", prune=True), change(None, None)),
                Step(delete("delete-prune", "b", prune=True), change(two, None, exists=False)),
                Step(delete("delete-prune", "b", prune=True), change(None, None, existed=False, exists=False)),
                Step(delete("delete-prune", "b"), change(None, None, existed=False, exists=False)),
                Step(delete("delete-prune-parent", "x", prune=True), change(None, None)),
                Step(delete("delete-prune-empty", "x", prune=True), change(None, None, exists=False)),
                Step(
                    delete("delete-prune-empty", "x", prune=True, expect="value", expect_kind="dword"),
                    change(None, None, existed=False, exists=False, refused=True),
                ),
                Step(delete("delete-keep", "A"), change(one, None)),
                Step(delete("delete-view", "a"), change(None, None, existed=False, exists=False)),
                Step(delete("delete-view", "a", view="32", prune=True), change(one, None, exists=False)),
            ),
        ),
        Case(
            name="set-keeps-the-name",
            world=keys_of("set-keeps-the-name", dword("Näme", 7), dword("other", 1)),
            steps=(
                Step(
                    op.RegistrySet(path=key("SET-keeps-the-name"), name="NÄME", kind="string", data=("new",)),
                    change(_OLD, _NEW),
                ),
                Step(
                    op.RegistryList(path=key("set-keeps-the-name")),
                    listed(values=(_NEW, value("other", "dword", 1))),
                ),
            ),
        ),
        Case(
            name="set-letters-of-another-case",
            world=keys_of("set-letters-of-another-case", text_value("V", "abc"), texts_value("M", "a")),
            steps=(
                Step(
                    op.RegistrySet(
                        path=key("set-letters-of-another-case"),
                        name="V",
                        kind="string",
                        data=("x",),
                        expect="value",
                        expect_kind="string",
                        expect_data=("ABC",),
                    ),
                    change(value("V", "string", "abc"), value("V", "string", "abc"), refused=True),
                ),
                Step(
                    op.RegistrySet(path=key("set-letters-of-another-case"), name="V", kind="string", data=("ABC",)),
                    change(value("V", "string", "abc"), value("V", "string", "ABC")),
                ),
                Step(
                    op.RegistrySet(path=key("set-letters-of-another-case"), name="M", kind="multi_string", data=("A",)),
                    change(value("M", "multi_string", ("a",)), value("M", "multi_string", ("A",))),
                ),
            ),
        ),
        Case(
            name="set-default-value",
            steps=(
                Step(
                    op.RegistrySet(path=key("set-default-value"), name="", kind="string", data=("x",)),
                    change(None, value("", "string", "x"), existed=False),
                ),
                Step(
                    op.RegistryDelete(path=key("set-default-value"), name="", prune=True),
                    change(value("", "string", "x"), None, exists=False),
                ),
            ),
        ),
        Case(
            name="set-odd-names",
            steps=(
                *(
                    Step(
                        op.RegistrySet(path=key("set-odd-names", f"k{name}"), name=name, kind="dword", data=("1",)),
                        change(None, value(name, "dword", 1), existed=False),
                    )
                    for name in ("a\nb\tc", "/", "\ud83d", "%25", "会議", ' "q" ', "C:|Program Files|x.exe")
                ),
                Step(
                    op.RegistrySet(
                        path=key("set-odd-names"), name="C:\\Program Files\\x.exe", kind="dword", data=("0",)
                    ),
                    change(None, value("C:\\Program Files\\x.exe", "dword", 0)),
                ),
                Step(
                    op.RegistrySet(
                        path=key("set-odd-names") + "\\\\two\\\\deep\\", name="V", kind="dword", data=("0",)
                    ),
                    change(None, value("V", "dword", 0), existed=False),
                ),
                Step(
                    op.RegistryRead(path=key("set-odd-names", "two", "deep"), name="V"),
                    read(value("V", "dword", 0)),
                ),
            ),
        ),
        Case(
            name="set-view",
            steps=(
                Step(
                    op.RegistrySet(path=key("set-view"), name="V", kind="dword", data=("32",), view="32"),
                    change(None, value("V", "dword", 32), existed=False),
                ),
                Step(op.RegistryRead(path=key("set-view"), name="V"), read(None, exists=False)),
                Step(op.RegistryRead(path=rf"{WOW}\set-view", name="V"), read(value("V", "dword", 32))),
            ),
        ),
        Case(
            name="set-stamp",
            steps=(
                Step(
                    op.RegistrySet(
                        path=key("set-stamp"),
                        name="V",
                        kind="string",
                        data=("at 2 @now@ @now@",),
                        stamp=True,
                        private=True,
                    ),
                    change(None, value("V", "string", "at 2 TIME TIME"), existed=False),
                ),
                Step(
                    op.RegistrySet(path=key("set-stamp"), name="W", kind="string", data=("at 2 @now@",)),
                    change(None, value("W", "string", "at 2 @now@")),
                ),
                Step(
                    op.RegistrySet(
                        path=key("set-stamp"), name="M", kind="multi_string", data=("at 2 @now@", "x"), stamp=True
                    ),
                    change(None, value("M", "multi_string", ("at 2 TIME", "x"))),
                ),
            ),
        ),
        Case(
            name="set-name-too-long",
            steps=(
                Step(
                    op.RegistrySet(path=key("set-name-too-long"), name="n" * 16383, kind="dword", data=("1",)),
                    change(None, value("n" * 16383, "dword", 1), existed=False),
                ),
                Step(
                    op.RegistrySet(path=key("set-name-too-long"), name="n" * 16384, kind="dword", data=("1",)),
                    Wrong("invalid"),
                ),
            ),
            because="names of values have at most 16,383 characters (Registry Element Size Limits)",
        ),
    ]


def registry_changing() -> list[Case]:
    return [*_sets(), *_expectations(), *_changes()]
