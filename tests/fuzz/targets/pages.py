# Copyright (c) 2026, the sfb.kb4023993 contributors
# GNU General Public License v3.0-or-later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Pages of AD CS web enrolment."""

from __future__ import annotations

import typing as t

from ansible_collections.sfb.kb4023993.plugins.plugin_utils.signing.pages import read_answer, read_renewals
from ansible_collections.sfb.kb4023993.plugins.plugin_utils.signing.responses import Denied, Pending
from lab.ca import pages
from lab.ca.enterprise import DENIED, ERROR, ISSUED, UNDER_SUBMISSION, Request

from fuzz.harness import Target

_LARGEST_ID: t.Final = 2**31 - 1


def _seeds() -> t.Iterator[bytes]:
    languages: tuple[pages.Language, ...] = ("en", "de")
    for language in languages:
        for disposition, code in ((ISSUED, 0), (UNDER_SUBMISSION, 0), (DENIED, 0x80094012), (ERROR, 0x80094004)):
            row = Request(id=4711, account="a", csr=b"", attributes="", disposition=disposition, code=code)
            yield pages.answer(row, language).encode("utf-8")
            yield pages.no_certificate(row, language).encode("utf-8")
    yield b"<p>Certificate Pending. Your Request Id is 12.</p><script>var nRenewals = 3;</script>"


def _read(data: bytes) -> None:
    page = data.decode("utf-8", "replace")
    for asked in (None, 4711):
        found = read_answer(page, request_id=asked)
        if isinstance(found, int):
            assert 0 < found <= _LARGEST_ID
            assert asked in (None, found)
        elif isinstance(found, (Pending, Denied)) and found.request_id is not None:
            assert 0 < found.request_id <= _LARGEST_ID
    assert read_renewals(page) >= 0


TARGET: t.Final = Target(
    read=_read,
    seeds=_seeds,
    words=(
        b"certnew.cer?ReqID=",
        b"&#",
        b"&#x",
        b'<p id="locInfoNewReq">',
        b"Your Request Id is ",
        b"0x80094012",
        b"<script",
        b"</script>",
    ),
)
