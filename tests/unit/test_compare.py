# Copyright (c) 2026, the sfb.kb4023993 contributors
# GNU General Public License v3.0-or-later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a comparison of two judgements says: above all what got worse, and never that something is fixed which nobody has seen."""

from __future__ import annotations

import dataclasses
import typing as t

import pytest
from ansible_collections.sfb.kb4023993.plugins.plugin_utils.compare import (
    Comparison,
    compare,
    connection_changes,
    covers,
)
from ansible_collections.sfb.kb4023993.plugins.plugin_utils.evidence import Evidence, Problem
from ansible_collections.sfb.kb4023993.plugins.plugin_utils.findings import Judgement
from ansible_collections.sfb.kb4023993.plugins.plugin_utils.fleet import InventoryHost
from ansible_collections.sfb.kb4023993.plugins.plugin_utils.rules.verdict import ORDER
from builders import certificates as c
from builders import evidence as e
from builders import fleets as f
from hypothesis import given, settings
from hypothesis import strategies as st

EDGES: t.Final = "edgepool.contoso.example"
GOOD: t.Final = c.certificate("both", "edge01.contoso.example")
BAD: t.Final = c.certificate("server_only", "edge01.contoso.example")
OVERRIDE: t.Final[dict[str, t.Any]] = {
    "opt_outs": e.opt_outs(e.Value()),
    "sightings": (e.sighted(e.Value(), e.EARLIER),),
}


def judged(*hosts: InventoryHost | Evidence) -> Judgement:
    return f.judge(*hosts).judgement


def front_end(name: str = "fe01", **words: t.Any) -> Evidence:
    """A Front End whose own certificate is good: what happens is the Edge's doing."""
    return e.front_end(name, **{"edge_pool": EDGES, "cert": GOOD, **words})


def regressions(found: Comparison) -> list[tuple[str, str]]:
    return [(each.host, each.kind) for each in found.regressions]


def findings(found: Comparison, change: str) -> set[tuple[str | None, str]]:
    return {(each.host, each.id.removeprefix("KB4023993-")) for each in found.findings if each.change == change}


def text(found: Comparison, kind: str) -> str:
    return next(each.text for each in found.regressions if each.kind == kind)


WELL: t.Final = judged(front_end(), e.edge(cert=GOOD))
BROKEN: t.Final = judged(front_end(), e.edge(cert=BAD))
MITIGATED: t.Final = judged(front_end(**OVERRIDE), e.edge(cert=BAD))


@pytest.mark.parametrize("judgement", [WELL, BROKEN, MITIGATED])
def test_with_itself_nothing_changed(judgement: Judgement) -> None:
    found = compare(judgement, judgement)
    assert (found.regressions, found.findings, found.verdicts, found.not_comparable) == ((), (), (), ())
    actionable = [item for item in judgement.findings if item.severity != "info"]
    assert found.counts == {"regressed": 0, "new": 0, "fixed": 0, "not_comparable": 0, "unchanged": len(actionable)}


# ---- what got worse


def test_a_certificate_renewed_from_the_wrong_template_is_a_regression() -> None:
    found = compare(WELL, BROKEN)
    assert regressions(found) == [("edge01", "certificate"), ("fe01", "connection")]
    said = text(found, "certificate")
    assert (
        "Its Internal certificate was good for clientAuth and was renewed, as it seems from the wrong template" in said
    )
    assert f"{c.mark(GOOD)} before, {c.mark(BAD)}" in said
    assert "does not list client authentication" in said
    assert text(found, "connection").startswith("Connections to edge01: compliant -> broken. ")
    assert findings(found, "new") == {("edge01", "CERT-EDGE-INTERNAL"), ("fe01", "CONNECTION-BROKEN")}
    assert [(v.host, v.earlier, v.later) for v in found.verdicts] == [
        ("edge01", "compliant", "broken"),
        ("fe01", "compliant", "broken"),
    ]


def test_another_ca_is_no_wrong_template() -> None:
    strange = c.certificate("limited_ca", "edge01.contoso.example")
    said = text(compare(WELL, judged(front_end(), e.edge(cert=strange))), "certificate")
    assert "was replaced by another CA's" in said


def test_the_same_certificate_judged_otherwise_is_said_to_be_the_same() -> None:
    later = dataclasses.replace(BROKEN, hosts=tuple(_with_thumbprint(host, c.mark(GOOD)) for host in BROKEN.hosts))
    said = text(compare(WELL, later), "certificate")
    assert f"Its Internal certificate {c.mark(GOOD)} was good for clientAuth, and is not judged so now." in said


def _with_thumbprint(host: t.Any, mark: str) -> t.Any:
    return dataclasses.replace(host, certificate=dataclasses.replace(host.certificate, thumbprint=mark))


def test_a_wrong_renewal_shows_before_the_services_pick_it_up() -> None:
    waiting = e.edge(
        certificates=e.store(GOOD, BAD),
        presented=(e.shown(GOOD), e.shown(GOOD, port=4443)),
        lync_certificates=e.assignments(("Internal", BAD)),
    )
    found = compare(WELL, judged(front_end(), waiting))
    said = text(found, "certificate")
    assert (
        f"The certificate {c.mark(BAD)} was assigned for Internal, and is not good for clientAuth as {c.mark(GOOD)} is."
        in said
    )


def test_an_override_that_is_gone_is_a_regression() -> None:
    found = compare(MITIGATED, BROKEN)
    assert ("fe01", "opt_out") in regressions(found)
    assert "The check was turned off (HKLM\\" in text(found, "opt_out")
    assert "Connections need it: to edge01." in text(found, "opt_out")
    # The Edge has no more to say than its verdict.
    assert ("edge01", "verdict") in regressions(found)
    assert findings(found, "new") == {("fe01", "CONNECTION-BROKEN")}
    assert findings(found, "fixed") == set()


def test_an_override_that_nothing_needs_may_go() -> None:
    found = compare(judged(front_end(**OVERRIDE), e.edge(cert=GOOD)), WELL)
    assert found.regressions == ()


def test_a_wrong_override_in_its_place_is_named() -> None:
    wrong = e.opt_outs(e.Value(kind="string", data="0"))
    found = compare(MITIGATED, judged(front_end(opt_outs=wrong), e.edge(cert=BAD)))
    assert "What stands there now is not read by .NET." in text(found, "opt_out")


def test_the_check_that_came_with_an_update_is_a_regression() -> None:
    latent = judged(front_end(dotnet=e.UNCHECKED), e.edge(cert=BAD))
    found = compare(latent, BROKEN)
    assert ("fe01", "connection") in regressions(found)
    assert "latent -> broken" in text(found, "connection")
    # That it was latent is not fixed, it came true.
    assert findings(found, "fixed") == set()


def test_one_connection_of_a_host_that_was_broken_anyway_is_told() -> None:
    def both(first: t.Any, second: t.Any) -> Judgement:
        return judged(front_end(), e.edge("edge01", cert=first), e.edge("edge02", cert=second))

    found = compare(both(BAD, GOOD), both(BAD, BAD))
    assert ("fe01", "connection") in regressions(found)
    assert "Connections to edge02: compliant -> broken." in text(found, "connection")


# ---- what got better


def test_what_is_mended_is_fixed() -> None:
    found = compare(BROKEN, WELL)
    assert found.regressions == ()
    assert findings(found, "fixed") == {("edge01", "CERT-EDGE-INTERNAL"), ("fe01", "CONNECTION-BROKEN")}
    assert [(v.host, v.later) for v in found.verdicts] == [("edge01", "compliant"), ("fe01", "compliant")]


def test_an_override_fixes_the_connection_and_not_the_certificate() -> None:
    found = compare(BROKEN, MITIGATED)
    assert findings(found, "fixed") == {("fe01", "CONNECTION-BROKEN")}
    assert found.counts["unchanged"] == 1


# ---- what cannot be told


def test_a_host_that_is_not_read_now_is_not_comparable_and_nothing_of_it_is_fixed() -> None:
    found = compare(BROKEN, judged(f.read(front_end()), f.unread("edge01")))
    assert [each.host for each in found.not_comparable] == ["edge01"]
    assert found.not_comparable[0].reason.startswith("It is not assessed now: It did not answer.")
    assert findings(found, "fixed") == set()
    assert ("edge01", "CERT-EDGE-INTERNAL") in findings(found, "not_comparable")
    # Its Front End was read, but the connection is not known any more.
    assert ("fe01", "CONNECTION-BROKEN") in findings(found, "not_comparable")


def test_a_host_that_was_not_read_then_is_not_comparable() -> None:
    found = compare(judged(f.read(front_end()), f.unread("edge01")), BROKEN)
    assert [(each.host, each.reason) for each in found.not_comparable] == [("edge01", "It was not assessed then.")]
    assert not any(host == "edge01" for host, _id in findings(found, "new"))
    assert found.regressions == ()


def test_what_is_out_of_sight_is_not_fixed() -> None:
    """The certificate cannot be found any more, and the registry cannot be read."""
    blind = e.edge(certificates=e.store(), presented=(), lync_certificates=e.DENIED)
    found = compare(BROKEN, judged(front_end(), blind))
    assert ("edge01", "CERT-EDGE-INTERNAL") in findings(found, "not_comparable")
    assert findings(found, "fixed") == set()
    expiring = dataclasses.replace(
        WELL,
        findings=(*WELL.findings, dataclasses.replace(BROKEN.findings[0], id="KB4023993-CERT-EXPIRY", host="fe01")),
    )
    problem = Problem(section="opt_outs", operation="registry_list", type="denied", message="no")
    partly = judged(front_end(problems=(problem,)), e.edge(cert=GOOD))
    assert findings(compare(expiring, partly), "fixed") == set()
    assert findings(compare(expiring, WELL), "fixed") == {("fe01", "CERT-EXPIRY")}


def test_another_role_is_not_comparable() -> None:
    found = compare(BROKEN, judged(e.front_end("fe01", services=()), e.edge(cert=BAD)))
    assert [(each.host, each.reason) for each in found.not_comparable] == [
        ("fe01", "It had another role then (front_end, now none).")
    ]
    assert findings(found, "fixed") == set()


def test_hosts_that_come_and_go_are_named() -> None:
    found = compare(judged(front_end(), e.edge(cert=GOOD)), judged(front_end(), front_end("fe02")))
    assert (found.appeared, found.vanished) == (("fe02",), ("edge01",))
    assert findings(found, "fixed") == set()


def test_hosts_outside_the_run_can_be_left_out() -> None:
    later = judged(f.read(front_end()), f.outside(e.edge(cert=BAD)))
    assert regressions(compare(WELL, later, in_run_only=True)) == [("fe01", "connection")]
    assert ("edge01", "certificate") in regressions(compare(WELL, later))
    assert compare(WELL, later, in_run_only=True).vanished == ()


# ---- which run


def test_a_run_covers_another_that_reads_no_more_of_the_hosts_that_it_knew() -> None:
    both, more = [front_end(), e.edge(cert=BAD)], front_end("fe02")
    whole = judged(*both)
    assert covers(whole, whole)
    assert covers(whole, judged(*both, more)), "a server that is new"
    assert covers(judged(*both, more), whole), "a server that is gone"
    limited = judged(f.read(both[0]), f.outside(both[1]))
    assert covers(whole, limited)
    assert not covers(limited, whole)
    assert not covers(judged(more), whole)
    assert not covers(judged(), judged())


# ---- any two fleets


def _edges(kinds: tuple[c.Kind, ...]) -> list[Evidence]:
    return [e.edge(f"edge{n}", cert=c.certificate(kind)) for n, kind in enumerate(kinds)]


fleets = st.builds(
    lambda opt_out, dotnet, kinds, lost: judged(
        *(
            f.unread(host.inventory_name, pool=EDGES) if host.inventory_name in lost else f.read(host)
            for host in [front_end(dotnet=dotnet, **(OVERRIDE if opt_out else {})), *_edges(kinds)]
        )
    ),
    st.booleans(),
    st.sampled_from([e.CHECKED, e.UNCHECKED]),
    st.tuples(*[st.sampled_from(("both", "server_only"))] * 2),
    st.sets(st.sampled_from(["edge0", "edge1", "fe01"]), max_size=1),
)


@settings(max_examples=60, deadline=None)
@given(fleets, fleets)
def test_of_any_two_judgements(earlier: Judgement, later: Judgement) -> None:
    found = compare(earlier, later)
    gone = {each.host for each in found.not_comparable}
    for change in found.findings:
        if change.change == "fixed":
            assert change.host not in gone
            assert later.host(change.host or "") is not None
            assert not any((i.id, i.host) == (change.id, change.host) for i in later.findings)
    for verdict in found.verdicts:
        if ORDER.index(verdict.later) < ORDER.index(verdict.earlier):
            assert verdict.host in {each.host for each in found.regressions}
    assert found.counts["fixed"] == sum(change.change == "fixed" for change in found.findings)
    for link in connection_changes(earlier, later):
        assert link.earlier != link.later
    back = compare(later, earlier)
    assert (back.appeared, back.vanished) == (found.vanished, found.appeared)
    assert back.counts["unchanged"] == found.counts["unchanged"]
    assert {each.host for each in back.not_comparable} == gone


def test_the_fleets_above_are_what_their_names_say() -> None:
    for judgement, verdict in ((WELL, "compliant"), (BROKEN, "broken"), (MITIGATED, "mitigated")):
        assert {host.verdict for host in judgement.hosts} == {verdict}
