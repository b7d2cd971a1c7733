# Copyright (c) 2026, the sfb.kb4023993 contributors
# GNU General Public License v3.0-or-later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the enrolment pages say, in two languages, and hostile pages."""

from __future__ import annotations

import time

import pytest
from ansible_collections.sfb.kb4023993.plugins.plugin_utils.signing.pages import read_answer, read_renewals
from ansible_collections.sfb.kb4023993.plugins.plugin_utils.signing.responses import (
    Denied,
    NotTaken,
    Pending,
    Unclear,
    refusal,
)
from hypothesis import given
from hypothesis import strategies as st
from lab.ca import pages
from lab.ca.enterprise import DENIED, ERROR, ISSUED, UNDER_SUBMISSION, Request

LANGUAGES: tuple[pages.Language, ...] = ("en", "de")
languages = pytest.mark.parametrize("language", LANGUAGES)


def row(disposition: int, code: int = 0) -> Request:
    return Request(id=4711, account="a", csr=b"", attributes="", disposition=disposition, code=code)


@languages
def test_new_request(language: pages.Language) -> None:
    assert read_answer(pages.answer(row(ISSUED), language)) == 4711
    assert read_answer(pages.answer(row(UNDER_SUBMISSION), language)) == Pending(request_id=4711)
    denied = read_answer(pages.answer(row(DENIED, 0x80094012), language))
    assert denied == Denied(request_id=4711, code=0x80094012)


@languages
def test_asked_again(language: pages.Language) -> None:
    assert read_answer(pages.no_certificate(row(UNDER_SUBMISSION), language), request_id=4711) == Pending(
        request_id=4711
    )
    denied = read_answer(pages.no_certificate(row(DENIED, 0x80094014), language), request_id=4711)
    assert denied == Denied(request_id=4711, code=0x80094014)
    missing = read_answer(pages.no_certificate(row(ERROR, 0x80094004), language), request_id=4711)
    assert isinstance(missing, Unclear)
    assert missing.request_id == 4711


def test_sentences_of_an_english_page_without_ids_are_enough() -> None:
    assert read_answer("<p>Certificate Pending. Your Request Id is 12.</p>") == Pending(request_id=12)
    sentence = 'Your Request Id is 13. The disposition message is "Denied by Policy Module  0x80094800, not supported".'
    assert read_answer(f"<p>{sentence}</p>") == Denied(request_id=13, code=0x80094800)


def test_link_of_the_ca_certificate_is_no_issued_request() -> None:
    assert isinstance(read_answer('<a href="certnew.cer?ReqID=CACert&Renewal=3&Enc=bin">'), Unclear)


def test_links_that_name_several_requests_are_unclear() -> None:
    assert isinstance(read_answer('<a href="certnew.cer?ReqID=1&"><a href="certnew.cer?ReqID=2&">'), Unclear)


def test_page_of_another_request_is_not_taken_for_ours() -> None:
    assert isinstance(read_answer(pages.answer(row(ISSUED), "en"), request_id=5), Unclear)


def test_pending_without_a_readable_id_is_unclear_and_not_guessed() -> None:
    assert isinstance(read_answer("<p id=locInfoNewReq>Anforderung 17 vom 22</p>"), Unclear)
    assert isinstance(read_answer("<p id=locInfoNewReq>Bitte warten</p>"), Unclear)


def test_codes_in_scripts_mean_nothing() -> None:
    assert isinstance(read_answer("<script>var e='0x80094800'</script><p>Welcome</p>"), Unclear)


def test_ca_that_was_not_reached_may_be_asked_again_and_a_broken_call_not() -> None:
    assert isinstance(read_answer("<p id=locError>0x800706ba</p>"), NotTaken)
    assert isinstance(read_answer("<p id=locError>0x800706be</p>"), Unclear)


@pytest.mark.parametrize("code", [0x80094012, 0x80094012 - 2**32])
def test_codes_may_be_signed(code: int) -> None:
    denied = refusal(code, 9)
    assert denied == Denied(request_id=9, code=0x80094012)
    assert "(0x80094012)" in denied.text


def test_unknown_code_sends_to_the_ca() -> None:
    unknown = refusal(0x8009FFFF, 9)
    assert isinstance(unknown, Denied)
    assert "failed requests of the CA" in unknown.text


def test_renewals() -> None:
    assert read_renewals(pages.renewals()) == 0
    assert read_renewals("<script>\n  var nRenewals=12;\n</script>") == 12
    assert read_renewals("nothing") == 0


_PIECES = st.sampled_from(
    [
        "<",
        ">",
        "<!--",
        "-->",
        "<script",
        "</script>",
        "certnew.cer?ReqID=",
        "0x8009",
        "&#",
        "&amp;",
        "<![CDATA[",
        '"',
        "17",
        "ß",
        "\x00",
    ]
) | st.sampled_from([" id=locInfoNewReq", "Your Request Id is ", "<p id='locDenied'>"])


@given(st.lists(_PIECES | st.text(max_size=8), max_size=60))
def test_hostile_pages_give_an_answer(pieces: list[str]) -> None:
    answer = read_answer("".join(pieces))
    if isinstance(answer, int):
        assert 0 < answer < 2**31


@pytest.mark.parametrize(
    "piece",
    ["<", "<!--", "<a ", "<p id=locInfoNewReq ", "&", "<script>", "certnew.cer?ReqID=", "1 ", "0x8", "&#", "&#9"],
)
def test_long_hostile_pages_take_no_long_time(piece: str) -> None:
    started = time.process_time()
    read_answer(piece * (2_000_000 // len(piece)))
    assert time.process_time() - started < 5


@pytest.mark.parametrize("reference", ["&#" + "9" * 5000 + ";", "&#x" + "f" * 5000 + ";", "&#99999999999"])
def test_a_reference_to_no_character_hides_nothing(reference: str) -> None:
    page = f"<p>{reference} Certificate Pending. Your Request Id is 12.</p>"
    assert read_answer(page) == Pending(request_id=12)
