# Copyright (c) 2026, the sfb.kb4023993 contributors
# GNU General Public License v3.0-or-later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Files of waivers, read strictly, and what a waiver does to findings, verdicts and the exit of a run."""

from __future__ import annotations

import dataclasses
import datetime
import time
import typing as t

import pytest
import yaml
from ansible_collections.sfb.kb4023993.plugins.plugin_utils.findings import Judgement, Waiver
from ansible_collections.sfb.kb4023993.plugins.plugin_utils.report.document import Report, failing_hosts, make_report
from ansible_collections.sfb.kb4023993.plugins.plugin_utils.waivers import (
    WaiverError,
    mark_findings,
    parse_waivers,
    waived_hosts,
    waiver_uses,
)
from builders import evidence as e
from builders import fleets as f
from builders import reports as r
from hypothesis import given
from hypothesis import strategies as st

EDGES: t.Final = r.EDGES
POOL: t.Final = "pool01.contoso.example"
HOSTS: t.Final = ("fe01", "fe02", "edge01")
ENTRY: t.Final[dict[str, t.Any]] = {
    "finding": "KB4023993-CONNECTION-BROKEN",
    "host": "fe01",
    "reason": "The pool moves in March",
    "owner": "Team UC",
    "expires": "2026-12-31",
}
FAIL_ON: t.Final = ("broken", "not_assessed")


def parse(data: t.Any) -> tuple[Waiver, ...]:
    text = data if isinstance(data, str) else yaml.safe_dump(data)
    return parse_waivers(text, where="waivers.yml", hosts=HOSTS)


def problem(data: t.Any) -> str:
    with pytest.raises(WaiverError) as caught:
        parse(data)
    text = str(caught.value)
    assert text.startswith("waivers.yml")
    assert text.isprintable()
    assert len(text) < 3000
    return text


def entry(**words: t.Any) -> dict[str, t.Any]:
    """An entry with these replaced; None leaves one out."""
    return {name: value for name, value in {**ENTRY, **words}.items() if value is not None}


def pair() -> Judgement:
    """Two Front Ends and an Edge, all broken, all three connected."""
    return f.judge(
        e.front_end("fe01", edge_pool=EDGES), e.front_end("fe02", edge_pool=EDGES), e.edge("edge01")
    ).judgement


def report(judgement: Judgement, *waivers: Waiver, playbook: t.Any = "compliance") -> Report:
    return make_report(playbook=playbook, check_mode=False, before=judgement, waivers=waivers)


def failing(judgement: Judgement, *waivers: Waiver, playbook: t.Any = "compliance") -> set[str]:
    return set(failing_hosts(report(judgement, *waivers, playbook=playbook), FAIL_ON))


# ---- the file


def test_a_good_file_is_read() -> None:
    pool = entry(host=None, pool="Pool01.Contoso.Example.", finding="KB4023993-CERT-EXPIRY")
    assert parse([ENTRY, pool]) == (
        Waiver(**{"pool": None, **ENTRY}),
        Waiver(**{"host": None, **pool, "pool": "pool01.contoso.example"}),
    )
    assert parse("[]") == ()


def test_a_date_may_be_quoted_or_not() -> None:
    plain = "- {finding: KB4023993-CERT-EXPIRY, host: fe01, reason: a, owner: b, expires: 2026-12-31}"
    assert parse(plain) == parse(plain.replace("2026-12-31", '"2026-12-31"'))
    assert parse(plain)[0].expires == "2026-12-31"


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ({"finding": "KB4023993-CONECTION-BROKEN"}, 'there is no finding "KB4023993-CONECTION-BROKEN"'),
        ({"host": "fe1"}, 'there is no host "fe1" in the inventory'),
        ({"host": "fe*"}, "no patterns"),
        ({"host": "FE01"}, 'there is no host "FE01"'),
        ({"host": None, "pool": "*.contoso.example"}, "no patterns"),
        ({"pool": POOL}, "exactly one of host and pool"),
        ({"host": None}, "exactly one of host and pool"),
        ({"reason": None}, "reason is missing"),
        ({"owner": None}, "owner is missing"),
        ({"expires": None}, "expires is missing"),
        ({"finding": None}, "finding is missing"),
        ({"reason": "  "}, "reason is empty"),
        ({"reason": "x" * 501}, "reason is longer than 500 characters"),
        ({"owner": ["a"]}, "owner is not text"),
        ({"expires": "31.12.2026"}, "expected a date like 2026-12-31"),
        ({"expires": "2026-02-30"}, "expected a date like 2026-12-31"),
        ({"expires": "2026-12-31T10:00:00Z"}, "longer than 10"),
        ({"expires": "never"}, "expected a date"),
        ({"ticket": "CHG1"}, 'there is no entry "ticket"'),
        ({"finding": "\x1b[2J\n" + "x" * 50}, "there is no finding"),
    ],
)
def test_what_is_wrong_is_named(words: dict[str, t.Any], message: str) -> None:
    text = problem([entry(host="fe02"), entry(**words)])
    assert "waiver 2: " in text
    assert message in text


def test_all_problems_are_named_at_once_up_to_ten() -> None:
    text = problem([entry(host=f"x{number}") for number in range(15)])
    assert text.count("there is no host") == 10
    assert "And 5 more." in text


def test_the_same_twice_is_an_error() -> None:
    assert "waiver 3" in problem([ENTRY, entry(host="fe02"), entry(reason="another")])
    pools = [entry(host=None, pool=name) for name in (POOL, POOL.upper())]
    assert "stands in waiver 1 already" in problem(pools)


@pytest.mark.parametrize("data", ["", "finding: x", "text", "[1]", "[[]]", "{}", "- \n- "])
def test_something_else_than_a_list_of_waivers(data: str) -> None:
    problem(data)


def test_references_are_refused_even_where_they_would_fit() -> None:
    text = yaml.safe_dump([entry(reason="R"), entry(host="fe02", reason="R")])
    assert len(parse(text)) == 2
    assert "references (*name) are not allowed" in problem(
        text.replace("reason: R", "reason: &r R", 1).replace("reason: R", "reason: *r")
    )
    assert "references (*name) are not allowed" in problem(bomb())


def bomb() -> str:
    lines = ["a0: &a0 [x, x]", *(f"a{n}: &a{n} [*a{n - 1}, *a{n - 1}, *a{n - 1}]" for n in range(1, 40))]
    return "\n".join(lines)


@pytest.mark.parametrize(
    "hostile",
    [
        bomb(),
        "- &a {finding: x}\n- *a",
        "[" * 100_000,
        "{a: " * 50_000,
        "- !!python/object/apply:os.system [touch /tmp/owned]",
        "- !vault x",
        "- {finding: a, finding: b}",
        "- {[1, 2]: a}",
        "- {<<: {finding: x}}",
        "--- []\n--- []",
        "\x00",
        "- \x1b[2J",
        "a: b: c",
        "%YAML 9.9\n---\n[]" * 3,
        "- " + "9" * 500_000,
        "[" + "a, " * 20_000 + "]",
        '- "\\UFFFFFFFF"',
        "[" + "a," * 500_000 + "]",
        "- a\n" * 250_000,
    ],
    ids=range(19),
)
def test_a_hostile_file_is_refused_quickly(hostile: str) -> None:
    start = time.process_time()
    problem(hostile)
    assert time.process_time() - start < 20


@given(st.text(max_size=300))
def test_any_text_is_read_or_refused(text: str) -> None:
    said = ""
    try:
        parse(text)
    except WaiverError as error:
        said = str(error)
    assert said.isprintable()


@given(
    st.dictionaries(
        st.sampled_from([*ENTRY, "pool", "x"]),
        st.one_of(st.sampled_from([str(value) for value in ENTRY.values()]), st.text(max_size=20), st.none()),
    )
)
def test_any_entry_is_a_whole_waiver_or_refused(data: dict[str, t.Any]) -> None:
    try:
        (found,) = parse([data])
    except WaiverError:
        return
    assert (found.host is None) != (found.pool is None)
    assert found.reason
    assert found.owner
    assert datetime.date.fromisoformat(found.expires)


# ---- findings


def test_a_finding_is_marked_and_stays_as_it_is() -> None:
    judgement = pair()
    waiver = r.waiver("CONNECTION-BROKEN")
    marked = mark_findings(judgement, [waiver])
    waived = [item for item in marked.findings if item.waiver]
    assert [(item.id, item.host, item.waiver) for item in waived] == [("KB4023993-CONNECTION-BROKEN", "fe01", waiver)]
    assert (
        dataclasses.replace(marked, findings=tuple(dataclasses.replace(i, waiver=None) for i in marked.findings))
        == judgement
    )


def test_a_pool_waives_the_finding_of_all_its_hosts() -> None:
    marked = mark_findings(pair(), [r.waiver("CONNECTION-BROKEN", host=None, pool=POOL)])
    assert {item.host for item in marked.findings if item.waiver} == {"fe01", "fe02"}


def test_an_expired_waiver_is_the_first_line_of_the_finding_and_waives_nothing() -> None:
    marked = mark_findings(pair(), [r.waiver("CONNECTION-BROKEN", owner="Security", expires="2026-03-07")])
    (item,) = [item for item in marked.findings if (item.id, item.host) == ("KB4023993-CONNECTION-BROKEN", "fe01")]
    assert item.waiver is None
    assert item.evidence[0] == "The waiver of Security expired on 2026-03-07."
    assert item.evidence[1:] == next(i for i in pair().findings if (i.id, i.host) == (item.id, item.host)).evidence


def test_it_counts_on_its_last_day() -> None:
    """The judgement is of 2026-03-08."""
    for expires, waived in (("2026-03-08", True), ("2026-03-07", False)):
        marked = mark_findings(pair(), [r.waiver("CONNECTION-BROKEN", expires=expires)])
        assert any(item.waiver for item in marked.findings) is waived


def test_of_two_that_fit_the_longer_one_counts() -> None:
    late = r.waiver("CONNECTION-BROKEN", host=None, pool=POOL, expires="2026-05-01")
    for waivers in (
        [r.waiver("CONNECTION-BROKEN", expires="2026-03-01"), late],
        [late, r.waiver("CONNECTION-BROKEN", expires="2026-03-01")],
    ):
        marked = mark_findings(pair(), waivers)
        assert {item.host: item.waiver for item in marked.findings if item.waiver} == {"fe01": late, "fe02": late}


def test_the_uses_say_what_has_expired_what_ends_and_what_nothing_needs() -> None:
    waivers = [
        r.waiver("CONNECTION-BROKEN"),
        r.waiver("CERT-EXPIRY", expires="2026-04-07"),
        r.waiver("CERT-FRONT-END", expires="2026-03-01"),
        r.waiver("CERT-EDGE-INTERNAL", host=None, pool="pool99.contoso.example", expires="2026-04-08"),
    ]
    uses = [(use.waiver.finding[10:], use.state, use.days_left, use.findings) for use in waiver_uses(pair(), waivers)]
    assert uses == [
        ("CERT-FRONT-END", "expired", -7, 1),
        ("CERT-EXPIRY", "ends_soon", 30, 0),
        ("CERT-EDGE-INTERNAL", "in_force", 31, 0),
        ("CONNECTION-BROKEN", "in_force", 298, 1),
    ]


# ---- verdicts and the exit of a run


def test_nothing_is_spared_without_waivers() -> None:
    assert failing(pair()) == {"fe01", "fe02", "edge01"}


def test_a_broken_host_that_is_waived_does_not_fail_and_is_still_broken() -> None:
    made = report(pair(), r.waiver("CONNECTION-BROKEN"))
    assert set(failing_hosts(made, FAIL_ON)) == {"fe02", "edge01"}
    assert made.waived_hosts == ("fe01",)
    assert made.latest.host("fe01").verdict == "broken"  # type: ignore[union-attr]
    assert made.counts["broken"] == 3
    assert "3 of 3 servers take part in connections that are broken (1 waived)" in made.sentence


def test_where_every_front_end_is_waived_their_edge_does_not_fail_either() -> None:
    assert failing(pair(), r.waiver("CONNECTION-BROKEN", host=None, pool=POOL)) == set()


def test_the_certificate_of_a_peer_spares_the_peer_alone() -> None:
    judgement = f.judge(e.front_end("fe01", edge_pool=EDGES, cert=r.GOOD), e.edge("edge01")).judgement
    assert failing(judgement) == {"fe01", "edge01"}
    assert failing(judgement, r.waiver("CERT-EDGE-INTERNAL", host="edge01")) == {"fe01"}


def test_a_front_end_is_spared_for_its_certificate_but_not_for_what_it_refuses() -> None:
    assert failing(pair(), r.waiver("CERT-FRONT-END")) == {"fe01", "fe02", "edge01"}
    alone = f.judge(e.front_end("fe01")).judgement
    assert failing(alone, r.waiver("CERT-FRONT-END")) == set()


def test_another_finding_spares_nobody() -> None:
    for finding in ("CERT-FRONT-END", "CONNECTION-LATENT", "NOT-ASSESSED", "EVENTS-SINCE-START"):
        assert failing(pair(), r.waiver(finding)) == {"fe01", "fe02", "edge01"}


def test_a_host_that_could_not_be_read_needs_the_waiver_for_that() -> None:
    judgement = f.judge(f.read(e.front_end("fe01", cert=r.GOOD)), f.unread("fe05")).judgement
    assert failing(judgement) == {"fe05"}
    assert failing(judgement, r.waiver("CONNECTION-NOT-ASSESSED", host="fe05")) == {"fe05"}
    assert failing(judgement, r.waiver("NOT-ASSESSED", host="fe05")) == set()


def test_a_host_outside_every_pool_is_waived_for_its_verdict() -> None:
    """An Edge that nobody is known to connect to is not assessed, and has no finding that says so."""
    judgement = f.judge(e.edge("edge09", cert=r.GOOD)).judgement
    assert failing(judgement) == {"edge09"}
    assert failing(judgement, r.waiver("NOT-ASSESSED", host="edge09")) == set()


def test_an_expired_waiver_lets_fail_and_says_so() -> None:
    made = report(pair(), r.waiver("CONNECTION-BROKEN", owner="Security", expires="2026-03-07"))
    reasons = failing_hosts(made, FAIL_ON)
    assert reasons["fe01"].endswith("The waiver of Security expired on 2026-03-07.")
    assert "waiver" not in reasons["fe02"]
    assert made.waived_hosts == ()


def test_an_edge_says_whose_expired_waivers_had_spared_it() -> None:
    made = report(pair(), r.waiver("CONNECTION-BROKEN", host=None, pool=POOL, owner="Security", expires="2026-03-07"))
    for host in ("fe01", "fe02", "edge01"):
        assert failing_hosts(made, FAIL_ON)[host].endswith("The waiver of Security expired on 2026-03-07.")


@pytest.mark.parametrize("playbook", ["remediate", "certificates", "retire", "rollback"])
def test_what_changes_servers_fails_as_without_waivers(playbook: str) -> None:
    pool = r.waiver("CONNECTION-BROKEN", host=None, pool=POOL)
    assert failing(pair(), pool, playbook=playbook) == {"fe01", "fe02", "edge01"}


def test_verdicts_that_nothing_is_wrong_with_cannot_be_waived() -> None:
    judgement = f.judge(e.front_end("fe01", cert=r.GOOD)).judgement
    made = report(judgement, r.waiver("CONNECTION-BROKEN"), r.waiver("NOT-ASSESSED"))
    assert set(failing_hosts(made, ("compliant",))) == {"fe01"}


@given(
    st.lists(
        st.builds(
            r.waiver,
            st.sampled_from(["CONNECTION-BROKEN", "CERT-EDGE-INTERNAL", "CERT-FRONT-END", "NOT-ASSESSED"]),
            host=st.sampled_from(HOSTS),
        ),
        max_size=6,
    )
)
def test_more_waivers_never_let_more_hosts_fail(waivers: list[Waiver]) -> None:
    judgement = _PAIR
    less = set(waived_hosts(judgement, waivers[:-1]))
    assert less <= set(waived_hosts(judgement, waivers))
    # A host is spared only by waivers of its own or of those that check it.
    for host in waived_hosts(judgement, waivers):
        assert any(waiver.host in (host, "fe01", "fe02") for waiver in waivers)


_PAIR: t.Final = pair()
