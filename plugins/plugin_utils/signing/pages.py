# Copyright (c) 2026, the sfb.kb4023993 contributors
# GNU General Public License v3.0-or-later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the pages of AD CS web enrolment (/certsrv) say, in any language.

The signals, and how sure they are: links of the form ``certnew.cer?ReqID=N&`` for issued (several public clients agree); result
codes (HRESULT) for denied; element ids of the pages, which the translations are thought to keep (from one public copy of the
English pages, not verified on a localised server); the English sentences as the last help. Where nothing fits, the answer is
`Unclear`, never a guess.
"""

from __future__ import annotations

import html
import re
import typing as t

from .responses import Denied, Pending, Response, Unclear, refusal

MAX_PAGE: t.Final = 256 * 1024
_ISSUED: t.Final = re.compile(r"certnew\.cer\?ReqID=(\d{1,10})(?:&|\b)", re.IGNORECASE)
_CODE: t.Final = re.compile(r"\b0x(8[0-9a-f]{7})\b", re.IGNORECASE)
_NUMBER: t.Final = re.compile(r"(?<![\w.,:/-])(\d{1,10})(?![\w:/-]|[.,]\d)")
_ENGLISH_ID: t.Final = re.compile(r"Your Request Id is (\d{1,10})\b", re.IGNORECASE)
_TAG: t.Final = re.compile(r"<[!/]?\s{0,8}([A-Za-z]{0,16})[^<>]*>")
_ID: t.Final = re.compile(r"\sid\s{0,8}=\s{0,8}[\"']?(loc\w{1,40})", re.IGNORECASE)
# Python refuses to read numbers of thousands of digits; the largest character has seven.
_ENDLESS: t.Final = re.compile(r"&#[0-9]{8,}")
_RENEWALS: t.Final = re.compile(r"\bnRenewals\s*=\s*(\d{1,4})\s*;")
_PENDING_IDS: t.Final = ("locinfonewreq", "locinfochkpnd")
_DENIED_IDS: t.Final = ("locdenied", "locissrev")
_LARGEST_ID: t.Final = 2**31 - 1


class _Texts:
    """The visible text of a page, divided at the elements whose id begins with "loc".

    Why not html.parser: some releases of it take quadratic time for hostile pages. What is needed here is little.
    """

    def __init__(self, page: str) -> None:
        self.by_id: dict[str, str] = {}
        part, silent, position = "", False, 0
        for tag in _TAG.finditer(page):
            self._add(part, page[position : tag.start()], silent)
            position = tag.end()
            name = tag.group(1).lower()
            if name in ("script", "style"):
                silent = not tag.group().startswith("</")
            identifier = _ID.search(tag.group())
            if identifier is not None:
                part = identifier.group(1).lower()
                self.by_id.setdefault(part, "")
        self._add(part, page[position:], silent)

    def _add(self, part: str, text: str, silent: bool) -> None:
        if text and not silent:
            self.by_id[part] = self.by_id.get(part, "") + " " + html.unescape(_ENDLESS.sub("", text))

    @property
    def visible(self) -> str:
        return " ".join(self.by_id.values())


def read_answer(page: str, *, request_id: int | None = None) -> Response | int:
    """What a page says; for an issued certificate, the request id under which it can be fetched.

    :param request_id: the id that was asked for, None for a new request.
    """
    page = page[:MAX_PAGE]
    texts = _Texts(page)
    # The page also links ReqID=CACert. Some pages build their links in a script, so the whole source is searched.
    issued = {int(number) for number in _ISSUED.findall(page)} - {0}
    issued = {number for number in issued if number <= _LARGEST_ID}
    if len(issued) == 1 and (request_id is None or issued == {request_id}):
        return issued.pop()
    visible = texts.visible
    is_pending = any(name in texts.by_id for name in _PENDING_IDS) or "Taken Under Submission" in visible
    found = request_id or _request_id(texts, visible)
    if is_pending and not any(name in texts.by_id for name in _DENIED_IDS):
        if found is not None:
            return Pending(request_id=found)
        return Unclear(
            reason="The CA took the request, but its page does not show the request id in a form that can be read"
        )
    code = _CODE.search(visible)
    if code is not None:
        return refusal(int(code.group(1), 16), found)
    if any(name in texts.by_id for name in _DENIED_IDS) or "Denied by" in visible:
        return Denied(request_id=found, code=0)
    if _ENGLISH_ID.search(visible) and found is not None:
        return Pending(request_id=found)
    return Unclear(reason="The page that came back says neither issued nor pending nor denied", request_id=request_id)


def _request_id(texts: _Texts, visible: str) -> int | None:
    """The request id on a pending or denied page: by the English sentence, else the only number in the part that tells it."""
    match = _ENGLISH_ID.search(visible)
    if match is not None:
        return _sane(match.group(1))
    for name in (*_PENDING_IDS, *_DENIED_IDS):
        numbers = set(_NUMBER.findall(_CODE.sub(" ", texts.by_id.get(name, ""))))
        if len(numbers) == 1:
            return _sane(numbers.pop())
    return None


def _sane(number: str) -> int | None:
    return int(number) if 0 < int(number) <= _LARGEST_ID else None


def read_renewals(page: str) -> int:
    """How often the CA's own certificate was renewed, by its page ``certcarc.asp``: the number of its newest certificate."""
    match = _RENEWALS.search(page[:MAX_PAGE])
    return int(match.group(1)) if match else 0
