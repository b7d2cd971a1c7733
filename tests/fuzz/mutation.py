# Copyright (c) 2026, the sfb.kb4023993 contributors
# GNU General Public License v3.0-or-later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Good JSON documents with something else in some of their places: bytes decide where and what.

Bytes as such rarely get past a reader of JSON. With these the readers behind it see what a hostile server or a damaged file would give them.
"""

from __future__ import annotations

import copy
import random
import typing as t

from atheris import FuzzedDataProvider

Path = tuple[t.Any, ...]
# A list that is longer is not made longer still.
_LONG: t.Final = 100

TEXTS: t.Final = (
    *("", " ", "\0", "\ud800", "\udfff\ud800", "\u202e", "\x1b[31m", "a\r\nb", "\u2028", "\ufeff", "ı", "İ", "ß", "ﬀ"),
    *("{{ 7 * 7 }}", "{% raw %}", "$(exit 9)", "`exit 9`", "'; exit 9 #", "’; exit 9 #", '"', "%s%n", "{0.__class__}"),
    *(
        "=1+1",
        "-1+1",
        "@SUM(1)",
        "\t=1+1",
        "<script>alert(1)</script>",
        "]]>",
        "--",
        "![x](https://evil.example)",
        "|",
        "```",
    ),
    *(
        "..",
        "../../x",
        "..\\x",
        "/etc/passwd",
        "\\\\evil\\share",
        "C:\\",
        "C:\\x\\DataMCUSvc.exe",
        '"C:\\x\\DataMCUSvc.exe" -x',
    ),
    *(
        "9999-99-99T99:99:99Z",
        "9999-12-31T23:59:59Z",
        "0001-01-01T00:00:00Z",
        "٢٠٢٦-٠٣-٠١T٠٨:٠٠:٠٠Z",
        "2026-03-01T08:00:00.1234567Z",
    ),
    *("AAAA", "MIIC", "0" * 16, "fe01", "edge01", "1" * 5000, "1e999", "NaN", "255.255.255.255", "a" * 300),
)
NUMBERS: t.Final = (
    0,
    -1,
    1,
    255,
    2**31 - 1,
    2**31,
    2**32,
    2**63,
    2**64,
    10**40,
    -(10**40),
    10**4299,
    41024,
    0.5,
    1e308,
)
OTHERS: t.Final[tuple[t.Any, ...]] = (None, True, False, [], {}, 0, "", [[]], {"": None}, float("inf"), float("nan"))


def some_bytes(count: int = 24, length: int = 200) -> list[bytes]:
    """Bytes to begin with where they only decide what happens; the same in every run."""
    source = random.Random(4023993)
    return [source.randbytes(length) for _ in range(count)]


def places(document: t.Any, path: Path = ()) -> t.Iterator[Path]:
    """The way to every value in a document, except the document itself."""
    inner = (
        document.items() if isinstance(document, dict) else enumerate(document) if isinstance(document, list) else ()
    )
    for key, value in inner:
        yield (*path, key)
        yield from places(value, (*path, key))


def text(data: FuzzedDataProvider) -> str:
    """A text: one that is known to make trouble, or any."""
    if data.ConsumeBool():
        return str(data.PickValueInList(list(TEXTS)))
    return str(data.ConsumeUnicode(data.ConsumeIntInRange(0, 40)))


def changed(data: FuzzedDataProvider, document: t.Any, ways: t.Sequence[Path], *, most: int = 4) -> t.Any:
    """A copy of the document with other values in one to ``most`` of these places."""
    document = copy.deepcopy(document)
    for _ in range(data.ConsumeIntInRange(1, most)):
        *way, last = ways[data.ConsumeIntInRange(0, len(ways) - 1)]
        place = document
        try:
            for key in way:
                place = place[key]
            place[last] = _other(data, place[last])
            if isinstance(place, dict) and not data.ConsumeIntInRange(0, 30):
                place[text(data)] = place.pop(last)
        except (KeyError, IndexError, TypeError):
            continue  # an earlier change took the place away
    return document


def _other(data: FuzzedDataProvider, value: t.Any) -> t.Any:
    """Mostly something of the same kind, which a strict reader lets pass."""
    if not data.ConsumeIntInRange(0, 9):
        return data.PickValueInList(list(OTHERS))
    if isinstance(value, bool):
        return not value
    if isinstance(value, str):
        kind = data.ConsumeIntInRange(0, 3)
        found = text(data)
        return found if kind < 2 else value + found if kind == 2 else value[: data.ConsumeIntInRange(0, 200)]
    if isinstance(value, (int, float)):
        return data.PickValueInList([*NUMBERS, data.ConsumeInt(8), value + 1])
    if isinstance(value, list):
        return data.PickValueInList([value * 40 if len(value) < _LONG else value[:1], value[::-1], value[1:], []])
    if isinstance(value, dict):
        return {}
    return data.PickValueInList([text(data), *NUMBERS[:4]])
