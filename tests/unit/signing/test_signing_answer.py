# Copyright (c) 2026, the sfb.kb4023993 contributors
# GNU General Public License v3.0-or-later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a CA returned, judged before anything is installed; and the CA itself, judged before it is asked."""

from __future__ import annotations

import dataclasses
import datetime
import random
import typing as t

import pytest
from ansible_collections.sfb.kb4023993.plugins.plugin_utils.signing import issuer
from ansible_collections.sfb.kb4023993.plugins.plugin_utils.signing.answer import (
    Expected,
    Verification,
    pick,
    verify_answer,
)
from ansible_collections.sfb.kb4023993.plugins.plugin_utils.signing.chain import build_chain
from ansible_collections.sfb.kb4023993.plugins.plugin_utils.signing.csr import read_csr
from hypothesis import given
from hypothesis import strategies as st
from lab import pki
from lab.ca.request import make_request, request_key

NAMES = ("edgepool.contoso.example", "edge01.contoso.example")
BOTH = (pki.SERVER_AUTH, pki.CLIENT_AUTH)
CSR = read_csr(make_request(*NAMES))
ROOT = pki.root_authority("Contoso Root CA")
SUB = ROOT.subordinate("Contoso Issuing CA")
NOW = datetime.datetime.now(datetime.timezone.utc)
DAY = datetime.timedelta(days=1)
TEMPLATE = "1.3.6.1.4.1.311.21.8.1.2.3"
EXPECTED = Expected(csr=CSR, minimum_days=90)

Arguments = dict[str, t.Any]


def issue(by: pki.Authority = SUB, **changes: t.Any) -> pki.Issued:
    arguments: Arguments = {"dns_names": NAMES, "eku": BOTH, "key": request_key(), **changes}
    common_name = str(arguments.pop("common_name", NAMES[0]))
    return by.issue(common_name, **arguments)


def judge(issued: pki.Issued, expected: Expected = EXPECTED, now: datetime.datetime = NOW) -> Verification:
    return verify_answer(issued.der, issued.chain, expected=expected, now=now)


def ids(verification: Verification) -> set[str]:
    return {problem.id.removeprefix("KB4023993-SIGN-") for problem in verification.problems}


def test_right_answer_has_no_problem_and_gives_its_chain() -> None:
    issued = issue(application_policies=BOTH, template=TEMPLATE)
    verification = judge(issued, dataclasses.replace(EXPECTED, template_oid=TEMPLATE))
    assert verification.ok
    assert verification.chain == (SUB.der, ROOT.der)
    assert verification.names is not None
    assert verification.names.all == set(NAMES)


def test_chain_is_found_in_any_order_among_strangers() -> None:
    strangers = [pki.root_authority(f"Stranger {n}").der for n in range(3)]
    pool = [ROOT.der, *strangers, b"rubbish", SUB.der, issue().der]
    random.Random(1).shuffle(pool)
    assert verify_answer(issue().der, pool, expected=EXPECTED, now=NOW).ok


def test_renewed_and_cross_signed_ca_gives_a_complete_chain() -> None:
    other = pki.root_authority("Other Root CA")
    cross = other.subordinate("Contoso Issuing CA")  # the same key under another root, whose certificate is missing
    chain = build_chain(issue().der, [cross.der, SUB.der, ROOT.der])
    assert (chain.complete, chain.ders) == (True, (SUB.der, ROOT.der))


def test_key_of_somebody_else() -> None:
    assert ids(judge(issue(key=pki.shared_key("other")))) == {"KEY-MISMATCH"}


USAGES: dict[str, tuple[Arguments, set[str]]] = {
    "web server template": ({"eku": [pki.SERVER_AUTH]}, {"NO-CLIENT-AUTH"}),
    "client only": ({"eku": [pki.CLIENT_AUTH]}, {"NO-SERVER-AUTH"}),
    "policies rule": ({"eku": BOTH, "application_policies": [pki.SERVER_AUTH]}, {"NO-CLIENT-AUTH"}),
    "policies help": ({"eku": [pki.SERVER_AUTH], "application_policies": BOTH}, set()),
    "none at all": ({"eku": None}, set()),
    "any usage": ({"eku": [pki.ANY_USAGE]}, {"CLIENT-AUTH-UNDECIDED", "SERVER-AUTH-UNDECIDED"}),
    "broken": ({"application_policies": b"\x30\x05"}, {"CLIENT-AUTH-UNDECIDED", "SERVER-AUTH-UNDECIDED"}),
}


@pytest.mark.parametrize("case", USAGES)
def test_both_usages_are_needed(case: str) -> None:
    arguments, problems = USAGES[case]
    assert ids(judge(issue(**arguments))) == problems


def test_limit_of_a_ca_anywhere_in_the_chain_counts() -> None:
    limited_root = pki.root_authority("Limited Root CA", eku=[pki.SERVER_AUTH])
    for authority in (
        SUB.subordinate("Limited CA", application_policies=[pki.SERVER_AUTH]),
        limited_root.subordinate("Sub"),
    ):
        assert ids(judge(issue(authority))) == {"CA-LIMITS-CLIENT-AUTH"}


NAMES_CASES: dict[str, tuple[Arguments, set[str]]] = {
    "one missing": ({"dns_names": NAMES[:1]}, {"NAMES-MISSING"}),
    "one more": ({"dns_names": (*NAMES, "dc01.contoso.example")}, {"NAMES-ADDED"}),
    "other subject": ({"common_name": NAMES[1]}, {"NAMES-SUBJECT"}),
    "other case": ({"dns_names": tuple(map(str.upper, NAMES))}, set()),
    "wildcard": ({"dns_names": (*NAMES, "*.contoso.example")}, {"NAMES-WILDCARD", "NAMES-ADDED"}),
    "an address": ({"dns_names": (*NAMES, "10.0.0.1")}, {"NAMES-ADDED"}),
    "malformed": (
        {"dns_names": (), "extensions": [pki.Extension("2.5.29.17", b"\x30\x03\x82\x05a")]},
        {"NAMES-UNREADABLE"},
    ),
}


@pytest.mark.parametrize("case", NAMES_CASES)
def test_names_have_to_be_those_of_the_request(case: str) -> None:
    arguments, problems = NAMES_CASES[case]
    assert ids(judge(issue(**arguments))) >= problems
    if case != "malformed":
        assert ids(judge(issue(**arguments))) == problems


VALIDITY = {
    "over": (-400 * DAY, -DAY, {"EXPIRED"}),
    "a minute over": (-400 * DAY, -datetime.timedelta(minutes=1), {"EXPIRED"}),
    "too short": (-DAY, 89 * DAY, {"TOO-SHORT"}),
    "just long enough": (-DAY, 91 * DAY, set()),
    "from tomorrow": (DAY, 400 * DAY, {"NOT-YET-VALID"}),
    "within the skew": (datetime.timedelta(minutes=9), 400 * DAY, set()),
    "beyond the skew": (datetime.timedelta(minutes=12), 400 * DAY, {"NOT-YET-VALID"}),
}


@pytest.mark.parametrize("case", VALIDITY)
def test_validity(case: str) -> None:
    begin, end, problems = VALIDITY[case]
    assert ids(judge(issue(not_before=NOW + begin, not_after=NOW + end))) == problems


def test_chain_that_is_over_counts() -> None:
    late = NOW + 1000 * DAY  # the lab's CA certificates live for two years
    issued = issue(not_before=NOW, not_after=NOW + 2000 * DAY)
    assert ids(judge(issued, now=late)) == {"CHAIN-VALIDITY"}


def test_missing_root_and_missing_issuer() -> None:
    for pool in (
        [],
        [ROOT.der],
        [SUB.der],
        [pki.root_authority("Contoso Issuing CA", key=pki.shared_key("namesake")).der],
    ):
        assert ids(verify_answer(issue().der, pool, expected=EXPECTED, now=NOW)) == {"CHAIN-INCOMPLETE"}


def test_namesake_with_another_key_has_not_signed_it() -> None:
    impostor = pki.root_authority("Contoso Root CA", key=pki.shared_key("impostor root"))
    issued = issue(impostor.subordinate("Contoso Issuing CA", key=pki.shared_key("impostor")))
    assert ids(verify_answer(issued.der, [SUB.der, ROOT.der], expected=EXPECTED, now=NOW)) == {"CHAIN-INCOMPLETE"}
    known = dataclasses.replace(EXPECTED, roots=issuer.roots([ROOT.der]))
    assert ids(judge(issued, known)) == {"OTHER-CA"}
    assert judge(issue(), known).ok


def test_server_certificate_cannot_issue() -> None:
    server = ROOT.issue("server.contoso.example", key=pki.shared_key("rogue"))
    rogue = pki.Authority(server.certificate, server.key, server.issuers)
    assert "CHAIN-CA" in ids(judge(issue(rogue)))


def test_self_signed_certificate_of_the_right_key_is_refused() -> None:
    key = request_key()
    itself = pki.root_authority(NAMES[0], key=key)
    assert {"SELF-SIGNED", "IS-CA"} <= ids(verify_answer(itself.der, [], expected=EXPECTED, now=NOW))


def test_key_usage_has_to_allow_tls() -> None:
    only_signature, both = b"\x03\x02\x07\x80", b"\x03\x02\x05\xa0"
    assert ids(judge(issue(extensions=[pki.Extension("2.5.29.15", only_signature)]))) == {"KEY-USAGE"}
    assert judge(issue(extensions=[pki.Extension("2.5.29.15", both)])).ok


def test_template_is_compared_when_known() -> None:
    expected = dataclasses.replace(EXPECTED, template_oid=TEMPLATE)
    assert ids(judge(issue(template="WebServer"), expected)) == {"WRONG-TEMPLATE"}
    assert ids(judge(issue(), expected)) == {"WRONG-TEMPLATE"}


def test_rubbish_is_a_problem_and_no_crash() -> None:
    assert ids(verify_answer(b"<html>", [], expected=EXPECTED, now=NOW)) == {"UNREADABLE"}


def test_every_problem_says_what_to_do() -> None:
    worst = issue(eku=[pki.SERVER_AUTH], dns_names=("*.a.example",), key=pki.shared_key("other"), common_name="x")
    problems = verify_answer(worst.der, [], expected=EXPECTED, now=NOW).problems
    assert len(problems) >= 6
    for problem in problems:
        assert problem.text.endswith(".")
        assert problem.next_step.endswith(".")


RIGHT = issue(application_policies=BOTH, template=TEMPLATE)


@given(st.integers(0, len(RIGHT.der) - 1), st.integers(0, 255))
def test_no_changed_byte_passes(position: int, value: int) -> None:
    """Whatever is changed in a certificate, its issuer has not signed it: never a crash, never a pass."""
    changed = RIGHT.der[:position] + bytes([value]) + RIGHT.der[position + 1 :]
    verification = verify_answer(changed, RIGHT.chain, expected=EXPECTED, now=NOW)
    assert verification.ok == (changed == RIGHT.der)


def test_pick_takes_the_newest_certificate_of_the_key() -> None:
    older, newer = issue(not_before=NOW - 20 * DAY), issue(not_before=NOW - 2 * DAY)
    assert pick([ROOT.der, older.der, newer.der, SUB.der], CSR) == newer.der
    assert pick([ROOT.der, SUB.der], CSR) == ROOT.der


def test_ca_without_limits_may_be_asked() -> None:
    assert issuer.check_issuer([ROOT.der, SUB.der]) == ()
    assert issuer.check_issuer([ROOT.der]) == ()
    wide = SUB.subordinate("Wide CA", eku=[*BOTH, "1.3.6.1.4.1.311.20.2.2"])
    assert issuer.check_issuer([wide.der, *wide.chain]) == ()


LIMITED = {
    "EKU": SUB.subordinate("Web CA", eku=[pki.SERVER_AUTH]),
    "policies": SUB.subordinate("Policy CA", eku=BOTH, application_policies=[pki.SERVER_AUTH]),
    "above it": pki.root_authority("Web Root", eku=[pki.SERVER_AUTH]).subordinate("Below"),
}


@pytest.mark.parametrize("case", LIMITED)
def test_limited_ca_is_noticed_before_the_first_request(case: str) -> None:
    authority = LIMITED[case]
    problems = issuer.check_issuer([*authority.chain, authority.der])
    assert [problem.id for problem in problems] == ["KB4023993-SIGN-CA-LIMITS-CLIENT-AUTH"]
    # What it says before agrees with what is found afterwards.
    assert ids(judge(issue(authority))) == {"CA-LIMITS-CLIENT-AUTH"}


def test_ca_that_translates_policies_is_undecided() -> None:
    translation = pki.Extension("1.3.6.1.4.1.311.21.11", b"\x30\x00")
    authority = ROOT.subordinate("Bridge CA", extensions=[translation])
    assert [p.id for p in issuer.check_issuer([authority.der, ROOT.der])] == ["KB4023993-SIGN-ISSUER-UNDECIDED"]


def test_ca_certificates_without_a_root_are_a_problem() -> None:
    for certificates in ([], [SUB.der], [b"rubbish"]):
        assert [p.id for p in issuer.check_issuer(certificates)] == ["KB4023993-SIGN-ISSUER-UNKNOWN"]
