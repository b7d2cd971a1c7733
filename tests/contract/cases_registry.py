# Copyright (c) 2026, the sfb.kb4023993 contributors
# GNU General Public License v3.0-or-later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Cases of the registry operations. Expectations follow operations.py and the Windows API (RegSetValueEx, RegQueryValueEx)."""

from __future__ import annotations

import base64

from ansible_collections.sfb.kb4023993.plugins.plugin_utils.host import operations as op

from contract.case import Case, Step, Wrong, case
from contract.world import (
    BINARY,
    DWORD,
    DWORD_BIG_ENDIAN,
    EXPAND_SZ,
    LINK,
    MULTI_SZ,
    NONE,
    QWORD,
    SZ,
    Key,
    Value,
    World,
    dword,
    key,
    qword,
    text_value,
    texts_value,
    utf16,
)

_NET = "as .NET (Core) hands odd values out; .NET Framework reads short numbers, no program writes such values"
WOW = r"SOFTWARE\Wow6432Node\Contract"


def read(found: op.RegistryValue | None, *, exists: bool = True) -> op.RegistryReadReply:
    return op.RegistryReadReply(key_exists=exists, value=found)


def value(name: str, kind: op.RegistryKind, data: str | int | tuple[str, ...]) -> op.RegistryValue:
    return op.RegistryValue(name=name, kind=kind, data=data)


def base64_text(data: bytes) -> str:
    return base64.b64encode(data).decode("ascii")


_KINDS: tuple[tuple[str, Value, op.RegistryValue], ...] = (
    ("string", text_value("V", 'a "b" \\ % ü 会 \U0001f512'), value("V", "string", 'a "b" \\ % ü 会 \U0001f512')),
    ("string-empty", text_value("V", ""), value("V", "string", "")),
    ("string-without-zero", Value(name="V", type=SZ, data=utf16("ab")), value("V", "string", "ab")),
    ("string-two-zeros", Value(name="V", type=SZ, data=utf16("ab\0\0")), value("V", "string", "ab\0")),
    ("string-zero-inside", Value(name="V", type=SZ, data=utf16("a\0b\0")), value("V", "string", "a\0b")),
    ("string-odd-length", Value(name="V", type=SZ, data=b"A\0B"), value("V", "string", "AB")),
    ("string-half-a-pair", Value(name="V", type=SZ, data=utf16("\ud83d\0")), value("V", "string", "\ud83d")),
    ("expand", text_value("V", "%windir%\\x", type=EXPAND_SZ), value("V", "expand_string", "%windir%\\x")),
    (
        "binary",
        Value(name="V", type=BINARY, data=bytes(range(256))),
        value("V", "binary", base64_text(bytes(range(256)))),
    ),
    ("dword", dword("V", 0xFFFFFFFF), value("V", "dword", 0xFFFFFFFF)),
    ("dword-zero", dword("V", 0), value("V", "dword", 0)),
    ("dword-sign-bit", dword("V", 0x80000000), value("V", "dword", 0x80000000)),
    ("qword", qword("V", 2**64 - 1), value("V", "qword", 2**64 - 1)),
    ("qword-2-53", qword("V", 2**53 + 1), value("V", "qword", 2**53 + 1)),
    ("multi", texts_value("V", "a", "", "b ü"), value("V", "multi_string", ("a", "", "b ü"))),
    ("multi-none", Value(name="V", type=MULTI_SZ, data=utf16("\0")), value("V", "multi_string", ())),
    ("multi-one-empty", Value(name="V", type=MULTI_SZ, data=utf16("\0\0")), value("V", "multi_string", ("",))),
    ("multi-without-end", Value(name="V", type=MULTI_SZ, data=utf16("a\0b")), value("V", "multi_string", ("a", "b"))),
    ("none", Value(name="V", type=NONE, data=b"\1\2"), value("V", "none", "AQI=")),
    ("big-endian", Value(name="V", type=DWORD_BIG_ENDIAN, data=b"\0\0\0\1"), value("V", "unknown", "AAAAAQ==")),
    ("none-empty", Value(name="V", type=NONE, data=b""), value("V", "none", "")),
    ("dword-empty", Value(name="V", type=DWORD, data=b""), value("V", "dword", "")),
    ("binary-empty", Value(name="V", type=BINARY, data=b""), value("V", "binary", "")),
    ("string-no-bytes", Value(name="V", type=SZ, data=b""), value("V", "string", "")),
    ("multi-no-bytes", Value(name="V", type=MULTI_SZ, data=b""), value("V", "multi_string", ())),
    ("link", Value(name="V", type=LINK, data=utf16("x")), value("V", "unknown", "")),
    ("type-999", Value(name="V", type=999, data=b"\1\2\3"), value("V", "unknown", "")),
    ("dword-2-bytes", Value(name="V", type=DWORD, data=b"\1\2"), value("V", "dword", "AQI=")),
    ("dword-8-bytes", Value(name="V", type=DWORD, data=b"\0\0\0\0\1\0\0\0"), value("V", "dword", 2**32)),
    ("dword-9-bytes", Value(name="V", type=DWORD, data=bytes(9)), value("V", "dword", base64_text(bytes(9)))),
    ("qword-4-bytes", Value(name="V", type=QWORD, data=b"\5\0\0\0"), value("V", "qword", 5)),
    ("qword-6-bytes", Value(name="V", type=QWORD, data=bytes(6)), value("V", "qword", base64_text(bytes(6)))),
)


def keys_of(name: str, *values: Value) -> World:
    return World(keys=(Key(path=key(name), values=values),))


def _reads() -> list[Case]:
    cases = [
        case(
            f"read-{name}",
            op.RegistryRead(path=key(f"read-{name}"), name="V"),
            op.RegistryReadReply(key_exists=True, value=found),
            world=keys_of(f"read-{name}", stored),
            because=_NET if "bytes" in name or name in ("big-endian", "link", "type-999") else "",
        )
        for name, stored, found in _KINDS
    ]
    missing = op.RegistryReadReply(key_exists=False, value=None)
    empty = op.RegistryReadReply(key_exists=True, value=None)
    cased = op.RegistryReadReply(key_exists=True, value=value("NäMe", "dword", 7))
    names = World(keys=(Key(path=key("read-names", "Käy"), values=(dword("NäMe", 7), text_value("", "default"))),))
    cases += [
        case("read-no-key", op.RegistryRead(path=key("read-no-key"), name="V"), missing),
        case(
            "read-no-value", op.RegistryRead(path=key("read-no-value"), name="V"), empty, world=keys_of("read-no-value")
        ),
        Case(
            name="read-names",
            world=names,
            steps=(
                Step(op.RegistryRead(path=key("read-names", "KÄY"), name="nÄmE"), cased),
                Step(op.RegistryRead(path=key("READ-names", "käy").upper(), name="NÄME"), cased),
                Step(op.RegistryRead(path=key("read-names") + "\\\\käy\\", name="NÄME"), cased),
                Step(
                    op.RegistryRead(path=key("read-names", "Käy"), name=""),
                    op.RegistryReadReply(key_exists=True, value=value("", "string", "default")),
                ),
                Step(op.RegistryRead(path=key("read-names", "Kay"), name=""), missing),
                Step(op.RegistryRead(path=key("read-names", "Käy"), name="NAeMe"), empty),
            ),
        ),
        Case(
            name="read-views",
            world=World(
                keys=(
                    Key(path=key("read-views"), values=(dword("V", 64),)),
                    Key(path=rf"{WOW}\read-views", values=(dword("V", 32),)),
                    Key(path=r"SYSTEM\Contract\read-views", values=(dword("V", 1),)),
                )
            ),
            steps=(
                Step(op.RegistryRead(path=key("read-views"), name="V"), read(value("V", "dword", 64))),
                Step(op.RegistryRead(path=key("read-views"), name="V", view="32"), read(value("V", "dword", 32))),
                Step(op.RegistryRead(path=rf"{WOW}\read-views", name="V"), read(value("V", "dword", 32))),
                Step(
                    op.RegistryRead(path=rf"{WOW}\read-views".lower(), name="V", view="32"),
                    read(None, exists=False),
                ),
                Step(
                    op.RegistryRead(path=r"system\Contract\read-views", name="V", view="32"),
                    read(value("V", "dword", 1)),
                ),
            ),
            because="the operations name the 32-bit side by its key, because they run in a 64-bit process",
        ),
        Case(
            name="read-long-values",
            world=keys_of("read-long-values", text_value("V", "x" * 40_000)),
            steps=(
                Step(
                    op.RegistryRead(path=key("read-long-values"), name="V"),
                    op.RegistryReadReply(key_exists=True, value=value("V", "string", "x" * 40_000)),
                ),
                Step(
                    op.RegistryList(path=key("read-long-values")),
                    listed(values=(value("V", "string", "x" * 40_000),)),
                ),
            ),
        ),
        case(
            "read-key-name-of-255",
            op.RegistryRead(path=key("k" * 255, "x"), name=""),
            missing,
        ),
        case(
            "read-key-name-of-256",
            op.RegistryRead(path=key("k" * 256, "x"), name=""),
            Wrong("invalid"),
            because="key names have at most 255 characters (Registry Element Size Limits)",
            left_out={"linux": "Linux has no registry that could say so"},
        ),
        case(
            "read-denied",
            op.RegistryRead(path=key("read-denied", "below"), name="V"),
            Wrong("denied"),
            world=World(keys=(Key(path=key("read-denied"), denied=True), Key(path=key("read-denied", "below")))),
        ),
        case(
            "list-denied",
            op.RegistryList(path=key("list-denied")),
            Wrong("denied"),
            world=World(keys=(Key(path=key("list-denied"), denied=True),)),
        ),
        case(
            "set-denied",
            op.RegistrySet(path=key("set-denied"), name="V", kind="dword", data=("1",)),
            Wrong("denied"),
            world=World(keys=(Key(path=key("set-denied"), denied=True),)),
        ),
        case(
            "delete-denied",
            op.RegistryDelete(path=key("delete-denied"), name="V"),
            Wrong("denied"),
            world=World(keys=(Key(path=key("delete-denied"), denied=True),)),
        ),
    ]
    return cases


def _invalid_paths() -> list[Case]:
    paths = (
        "SOFTWARE",
        "SOFTWARE\\",
        "SECURITY\\Policy",
        "SAM\\SAM",
        "\\SOFTWARE\\x",
        "SOFTWARE\\\\x",
        "SOFTWAREx\\y",
        "",
    )
    steps = []
    for path in paths:
        steps += [
            Step(op.RegistryRead(path=path, name="V"), Wrong("invalid")),
            Step(op.RegistryList(path=path), Wrong("invalid")),
            Step(op.RegistrySet(path=path, name="V", kind="dword", data=("1",)), Wrong("invalid")),
            Step(op.RegistryDelete(path=path, name="V", prune=True), Wrong("invalid")),
        ]
    return [Case(name="invalid-paths", steps=tuple(steps))]


def listed(**fields: object) -> op.RegistryListReply:
    reply = op.RegistryListReply(key_exists=True, values=(), subkeys=(), truncated=False)
    return op.RegistryListReply(**{**vars(reply), **fields})


def _lists() -> list[Case]:
    many = World(
        keys=(
            Key(path=key("list-many"), values=tuple(dword(f"v{n}", n) for n in range(5))),
            *(Key(path=key("list-many", f"k{n}")) for n in range(5)),
        )
    )
    values = tuple(value(f"v{n}", "dword", n) for n in range(5))
    subkeys = tuple(f"k{n}" for n in range(5))
    none = op.RegistryListReply(key_exists=False, values=(), subkeys=(), truncated=False)
    return [
        case("list-no-key", op.RegistryList(path=key("list-no-key")), none),
        case("list-no-key-limit", op.RegistryList(path=key("list-no-key"), limit=0), none),
        case("list-empty", op.RegistryList(path=key("list-empty")), listed(), world=keys_of("list-empty")),
        Case(
            name="list-many",
            world=many,
            steps=(
                Step(op.RegistryList(path=key("list-many")), listed(values=values, subkeys=subkeys)),
                Step(op.RegistryList(path=key("list-many"), limit=5), listed(values=values, subkeys=subkeys)),
                Step(
                    op.RegistryList(path=key("list-many"), limit=4),
                    listed(values=values[:4], subkeys=subkeys[:4], truncated=True),
                ),
                Step(op.RegistryList(path=key("list-many"), limit=0), listed(truncated=True)),
                Step(op.RegistryList(path=key("list-many"), limit=-1), listed(truncated=True)),
            ),
        ),
        case(
            "list-of-all-kinds",
            op.RegistryList(path=key("list-of-all-kinds")),
            listed(
                values=tuple(
                    op.RegistryValue(name=f"{number} {name}", kind=found.kind, data=found.data)
                    for number, (name, _, found) in enumerate(_KINDS)
                )
            ),
            world=keys_of(
                "list-of-all-kinds",
                *(
                    Value(name=f"{number} {name}", type=stored.type, data=stored.data)
                    for number, (name, stored, _) in enumerate(_KINDS)
                ),
            ),
        ),
        Case(
            name="list-views",
            world=World(
                keys=(Key(path=rf"{WOW}\list-views", values=(dword("V", 32),)), Key(path=rf"{WOW}\list-views\Below"))
            ),
            steps=(
                Step(op.RegistryList(path=key("list-views")), none),
                Step(
                    op.RegistryList(path=key("list-views"), view="32"),
                    listed(values=(value("V", "dword", 32),), subkeys=("Below",)),
                ),
            ),
        ),
    ]


def registry_reading() -> list[Case]:
    return [*_reads(), *_invalid_paths(), *_lists()]
