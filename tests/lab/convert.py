# Copyright (c) 2026, the sfb.kb4023993 contributors
# GNU General Public License v3.0-or-later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Texts to numbers and bytes as .NET converts them: more is accepted than the product ever sends."""

from __future__ import annotations

import base64
import binascii
import re

# Blanks of NumberStyles.Integer; zero characters may follow.
_NUMBER = re.compile(r"[\t-\r ]*([+-]?[0-9]+)[\t-\r ]*\0*\Z")
_BLANK = re.compile(r"[ \t\r\n]")
_BASE64 = re.compile(r"(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?\Z")

INT32 = (-(2**31), 2**31 - 1)


def number(text: str, *, lowest: int, highest: int) -> int | None:
    """What TryParse of an integer type gives; None where it says no."""
    found = _NUMBER.match(text)
    if found is None or not lowest <= int(found[1]) <= highest:
        return None
    return int(found[1])


def base64_bytes(text: str) -> bytes:
    """What Convert.FromBase64String gives: blanks do not count, bits beyond the last byte neither.

    :raises ValueError: where it throws.
    """
    packed = _BLANK.sub("", text)
    if not _BASE64.match(packed):
        raise ValueError("this is not base64")
    try:
        return base64.b64decode(packed)
    except binascii.Error as error:
        raise ValueError("this is not base64") from error


def utf16_length(text: str) -> int:
    """How many UTF-16 units a text has, which is how Windows counts."""
    return len(text) + sum(character > "\uffff" for character in text)


def fold(name: str) -> str:
    """For comparing names without case as Windows does: one character for one, and only pairs that belong to each other both ways."""
    return "".join(upper if (upper := character.upper()).lower() == character else character for character in name)
