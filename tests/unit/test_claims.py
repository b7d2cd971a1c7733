# Copyright (c) 2026, the sfb.kb4023993 contributors
# GNU General Public License v3.0-or-later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A claim holds other runs up as long as it says, and never longer; what cannot be true holds nobody up."""

from __future__ import annotations

import dataclasses
import json
import typing as t

import pytest
from ansible_collections.sfb.kb4023993.plugins.plugin_utils.claims import (
    LONGEST_SECONDS,
    Claimant,
    Others,
    Standing,
    claim_seconds,
    described,
    obstacle,
    passed_over,
    standing,
    until,
)
from ansible_collections.sfb.kb4023993.plugins.plugin_utils.host.operations import RegistryListReply, RegistryValue
from ansible_collections.sfb.kb4023993.plugins.plugin_utils.records import (
    CLAIM,
    ClaimRecord,
    Records,
    can_be_read_back,
    read_records,
    record_text,
)
from hypothesis import given
from hypothesis import strategies as st

OWN: t.Final = "20260308T120010Z-abcdef"
OTHER: t.Final = "20260308T110000Z-0123ab"
SINCE: t.Final = "2026-03-08T12:00:00Z"
CLAIMED: t.Final = ClaimRecord(controller="awx-1", since_utc=SINCE, seconds=600, run_id=OTHER)
DURING: t.Final = "2026-03-08T12:10:00Z"
AFTER: t.Final = "2026-03-08T12:10:01Z"


def read(data: t.Any, kind: str = "string") -> Records:
    """What is made of a value of that content where the claim stands."""
    value = RegistryValue(name=CLAIM, kind=t.cast(t.Any, kind), data=data)
    return read_records(RegistryListReply(key_exists=True, values=(value,), subkeys=(), truncated=False))


def with_claim(**changes: t.Any) -> Records:
    return read(json.dumps({**json.loads(record_text(CLAIMED)), **changes}))


@pytest.mark.parametrize(
    ("claim", "now", "expected"),
    [
        (CLAIMED, SINCE, "live"),
        (CLAIMED, DURING, "live"),
        (CLAIMED, AFTER, "late"),
        # Its server's clock is not known: then nobody can say that it is over.
        (CLAIMED, None, "live"),
        (dataclasses.replace(CLAIMED, run_id=OWN), AFTER, "own"),
        (CLAIMED, "2026-03-08T11:59:59Z", "impossible"),
        (dataclasses.replace(CLAIMED, seconds=LONGEST_SECONDS), DURING, "live"),
        (dataclasses.replace(CLAIMED, seconds=LONGEST_SECONDS + 1), DURING, "impossible"),
        (dataclasses.replace(CLAIMED, since_utc="2026-13-45T99:00:00Z"), DURING, "impossible"),
    ],
)
def test_what_a_claim_means(claim: ClaimRecord, now: str | None, expected: Standing) -> None:
    assert standing(claim, run_id=OWN, now_utc=now, others=Others()) == expected
    records = Records(claim=claim)
    in_the_way = obstacle(records, run_id=OWN, now_utc=now, others=Others())
    assert (in_the_way is not None) == (expected == "live")
    minded = passed_over(records, run_id=OWN, now_utc=now, others=Others(take_over=True))
    assert (minded is None) == (expected == "own")


def test_a_run_that_is_known_to_be_over_holds_nobody_up() -> None:
    others = Others(ended=lambda run_id: run_id == OTHER)
    assert obstacle(Records(claim=CLAIMED), run_id=OWN, now_utc=SINCE, others=others) is None
    told = passed_over(Records(claim=CLAIMED), run_id=OWN, now_utc=SINCE, others=others)
    assert (
        told
        == f"the claim of run {OTHER} of the controller awx-1 is over: that run did not come to its end, and this one goes on from there"
    )


def test_who_is_at_work_is_said_with_all_that_a_person_needs() -> None:
    reason = obstacle(Records(claim=CLAIMED), run_id=OWN, now_utc=SINCE, others=Others())
    assert reason is not None
    for part in (OTHER, "controller awx-1", f"began at {SINCE}", "at the latest at 2026-03-08T12:10:00Z", "Wait until"):
        assert part in reason
    assert "sfb_kb4023993_take_over=true" in reason


def test_a_person_may_say_that_it_is_dead() -> None:
    take_over = Others(take_over=True)
    for records in (Records(claim=CLAIMED), read("{}")):
        assert obstacle(records, run_id=OWN, now_utc=SINCE, others=take_over) is None
        assert "as asked for" in str(passed_over(records, run_id=OWN, now_utc=SINCE, others=take_over))


@pytest.mark.parametrize(
    "changes",
    [
        {"controller": ""},
        {"controller": "a" * 101},
        {"controller": "a\x1b[2Jb"},
        {"controller": "a\nb"},
        {"run_id": "../../etc"},
        {"run_id": "x" * 5000},
        {"seconds": -1},
        {"seconds": 2**31},
        {"seconds": True},
        {"seconds": "600"},
        {"since_utc": "@now@"},
        {"since_utc": "yesterday"},
        {"schema": 2},
        {"more": 1},
    ],
)
def test_what_this_version_did_not_write_is_named_and_needs_a_person(changes: dict[str, t.Any]) -> None:
    records = with_claim(**changes)
    assert records.claim is None
    assert records.invalid == (CLAIM,)
    reason = obstacle(records, run_id=OWN, now_utc=SINCE, others=Others())
    assert reason is not None
    assert "cannot read" in reason
    assert "sfb_kb4023993_take_over=true" in reason


@given(
    seconds=st.integers(min_value=0, max_value=2**31 - 1),
    since=st.datetimes().map(lambda moment: f"{moment:%Y-%m-%dT%H:%M:%S}Z".rjust(20, "0")),
)
def test_no_claim_holds_anybody_up_for_more_than_a_day(seconds: int, since: str) -> None:
    """By the server's clock at any time after it, and whatever it says."""
    claim = dataclasses.replace(CLAIMED, seconds=seconds, since_utc=since)
    assert described(claim)
    if seconds > LONGEST_SECONDS or since > "9999-12-30":
        return
    end = until(claim)
    assert standing(claim, run_id=OWN, now_utc=end[:-1] + ".0000001Z", others=Others()) in ("live", "late")
    assert standing(claim, run_id=OWN, now_utc="9999-12-31T23:59:59Z", others=Others()) == "late"


def test_what_is_written_can_be_read_back_whatever_the_controller_is_called() -> None:
    for name in ("laptop", "", "ä" * 300, "a\x00b\x1b[31m"):
        claim = Claimant(controller=name, seconds=claim_seconds(3, 300)).record(run_id=OWN, now_utc=SINCE)
        assert can_be_read_back(claim)


def test_a_claim_lasts_as_long_as_its_waves_may_take_and_a_day_at_most() -> None:
    assert claim_seconds(1, 300) < claim_seconds(2, 300) < claim_seconds(2, 600)
    assert claim_seconds(3, 300) >= 3 * 300
    assert claim_seconds(10_000, 14_400) == LONGEST_SECONDS
