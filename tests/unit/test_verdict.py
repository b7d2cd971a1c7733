# Copyright (c) 2026, the sfb.kb4023993 contributors
# GNU General Public License v3.0-or-later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The order of the verdict's rules, for every combination of answers, and what follows from it."""

from __future__ import annotations

import itertools
import typing as t

import pytest
from ansible_collections.sfb.kb4023993.plugins.plugin_utils.rules.verdict import (
    ORDER,
    Enforcement,
    PeerCertificate,
    Verdict,
    connection_verdict,
    worst,
)
from hypothesis import given
from hypothesis import strategies as st

PEERS: t.Final[tuple[PeerCertificate, ...]] = t.get_args(PeerCertificate)
ENFORCEMENTS: t.Final[tuple[Enforcement, ...]] = t.get_args(Enforcement)
ALL: t.Final = list(itertools.product(PEERS, (False, True), ENFORCEMENTS, (False, True)))
VERDICTS = st.lists(st.sampled_from(ORDER))


def of(peer: PeerCertificate, opt_out: bool, enforcement: Enforcement, failures: bool) -> Verdict:
    return connection_verdict(
        peer_certificate=peer, opt_out_in_effect=opt_out, enforcement=enforcement, failures_since_start=failures
    )


def badness(verdict: Verdict) -> int:
    """The greater the worse."""
    return -ORDER.index(verdict)


@pytest.mark.parametrize(("peer", "opt_out", "enforcement", "failures"), ALL)
def test_the_first_rule_that_applies_decides(
    peer: PeerCertificate, opt_out: bool, enforcement: Enforcement, failures: bool
) -> None:
    by_rule: Verdict
    if peer == "good":
        by_rule = "compliant"
    elif opt_out:
        by_rule = "mitigated"
    elif peer == "bad" and enforcement == "enforces":
        by_rule = "broken"
    elif peer == "bad" and enforcement == "not_yet":
        by_rule = "latent"
    elif peer == "unknown" and failures:
        by_rule = "broken"
    else:
        by_rule = "not_assessed"
    assert of(peer, opt_out, enforcement, failures) == by_rule


@pytest.mark.parametrize(("peer", "opt_out", "enforcement", "failures"), ALL)
def test_a_missing_answer_is_never_a_pass(
    peer: PeerCertificate, opt_out: bool, enforcement: Enforcement, failures: bool
) -> None:
    if of(peer, opt_out, enforcement, failures) == "compliant":
        assert peer == "good"
    if peer == "unknown" and not opt_out:
        assert of(peer, opt_out, enforcement, failures) in ("broken", "not_assessed")
    if peer == "bad" and enforcement == "unknown" and not opt_out:
        assert of(peer, opt_out, enforcement, failures) == "not_assessed"


@pytest.mark.parametrize(
    ("opt_out", "enforcement", "failures"), list(itertools.product((False, True), ENFORCEMENTS, (False, True)))
)
def test_a_better_certificate_never_makes_the_verdict_worse(
    opt_out: bool, enforcement: Enforcement, failures: bool
) -> None:
    good = badness(of("good", opt_out, enforcement, failures))
    assert good <= badness(of("bad", opt_out, enforcement, failures))
    assert good <= badness(of("unknown", opt_out, enforcement, failures))


@pytest.mark.parametrize(
    ("peer", "enforcement", "failures"), list(itertools.product(PEERS, ENFORCEMENTS, (False, True)))
)
def test_an_opt_out_in_effect_never_makes_the_verdict_worse(
    peer: PeerCertificate, enforcement: Enforcement, failures: bool
) -> None:
    assert badness(of(peer, True, enforcement, failures)) <= badness(of(peer, False, enforcement, failures))


@pytest.mark.parametrize(
    ("peer", "opt_out", "enforcement"), list(itertools.product(PEERS, (False, True), ENFORCEMENTS))
)
def test_failure_events_never_make_the_verdict_better(
    peer: PeerCertificate, opt_out: bool, enforcement: Enforcement
) -> None:
    assert badness(of(peer, opt_out, enforcement, True)) >= badness(of(peer, opt_out, enforcement, False))


def test_the_order_from_worst_to_best() -> None:
    assert ORDER == ("broken", "not_assessed", "latent", "mitigated", "compliant", "not_applicable")


@given(VERDICTS)
def test_the_worst_is_one_of_them_and_none_is_worse(verdicts: list[Verdict]) -> None:
    found = worst(verdicts)
    if not verdicts:
        assert found == "not_applicable"
    else:
        assert found in verdicts
        assert all(badness(found) >= badness(other) for other in verdicts)


@given(VERDICTS, VERDICTS)
def test_one_more_connection_never_makes_the_worst_better(some: list[Verdict], more: list[Verdict]) -> None:
    assert badness(worst([*some, *more])) >= badness(worst(some))
    assert worst([*some, *more]) == worst([*more, *some])
