# Copyright (c) 2026, the sfb.kb4023993 contributors
# GNU General Public License v3.0-or-later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the inventory says of all hosts together."""

from __future__ import annotations

import pathlib
import typing as t

import pytest
from ansible_collections.sfb.kb4023993.plugins.plugin_utils.controller_check import fleet
from ansible_collections.sfb.kb4023993.plugins.plugin_utils.controller_check.check import Check
from ansible_collections.sfb.kb4023993.plugins.plugin_utils.controller_check.fleet import Host, Signing, check_fleet
from ansible_collections.sfb.kb4023993.plugins.plugin_utils.evidence import InventoryFacts

ROOT: t.Final = pathlib.Path(__file__).parents[3]
PREFIX: t.Final = "KB4023993-CTRL-"


def host(name: str, *names: str, **more: t.Any) -> Host:
    facts = {key: more.pop(key) for key in ("pool", "edge_pool", "paired_pool") if key in more}
    return Host(
        name=name,
        facts=InventoryFacts(**{"pool": None, "edge_pool": None, "paired_pool": None, **facts}),
        names=frozenset(names),
        **more,
    )


def found(*hosts: Host, signing: Signing | None = None, extra: t.Collection[str] = ()) -> list[Check]:
    return list(check_fleet(hosts, signing or Signing(), extra=extra))


def the_only(checks: list[Check], check_id: str, status: str) -> Check:
    (check,) = checks
    assert (check.id, check.status) == (PREFIX + check_id, status)
    assert check.next_step
    return check


POOL: t.Final = (
    host("fe01", pool="pool01.contoso.example", edge_pool="edge.contoso.example", paired_pool="pool02.contoso.example"),
    host("fe02", pool="POOL01.contoso.example.", edge_pool="edge", paired_pool="pool02.contoso.example"),
    host("fe11", pool="pool02.contoso.example", edge_pool="none", paired_pool="pool01.contoso.example"),
    host("edge01", pool="edge.contoso.example"),
)


def test_pools_that_fit_have_nothing_said_of_them() -> None:
    # Without its domain is the same pool; but as two values it is worth a word, and that is another test.
    assert found(POOL[0], *POOL[2:]) == []


def test_no_pools_at_all_are_nothing_wrong() -> None:
    assert found(host("fe01"), host("fe02", edge_pool="edge.contoso.example")) == []


@pytest.mark.parametrize(
    "slip", ["sfb_kb4023993_poool", "sfb_kb4023993_pol", "sfb_kb4023993_edgepool", "sfb_kb4023939_edge_pool"]
)
def test_a_slip_in_a_name_is_said_with_the_nearest_name(slip: str) -> None:
    check = the_only(found(host("fe01", slip), host("fe02", slip), host("fe03")), "VARIABLE-NAME", "warning")
    assert check.where == ("fe01", "fe02")
    assert slip in check.what
    right = "sfb_kb4023993_edge_pool" if "edge" in slip else "sfb_kb4023993_pool"
    assert check.next_step == f"Rename it to {right}."


def test_a_slip_on_the_command_line_is_said_too() -> None:
    check = the_only(found(host("fe01"), extra=["sfb_kb4023993_stat_dir"]), "VARIABLE-NAME", "warning")
    assert "sfb_kb4023993_state_dir may be meant" in check.what


def test_names_of_others_and_all_of_ours_are_left_alone() -> None:
    names = [
        "sfb_kb4023993",
        "sfb_site",
        "ansible_host",
        "sfb_kbase_url",
        *fleet.known_variables() - {f"{fleet.PREFIX}strategy", f"{fleet.PREFIX}hosts"},
    ]
    assert found(host("fe01", *names)) == []


def test_a_name_like_nothing_is_said_without_a_proposal() -> None:
    check = the_only(found(host("fe01", "sfb_kb4023993_zzzzzz")), "VARIABLE-NAME", "warning")
    assert "docs/variables.md" in check.next_step


def test_the_known_names_are_those_of_the_documentation() -> None:
    lines = (ROOT / "docs" / "variables.md").read_text("utf-8").splitlines()
    documented = {line.split("`")[1] for line in lines if line.startswith("| `sfb_kb4023993_")}
    assert fleet.known_variables() == documented


@pytest.mark.parametrize("name", ["sfb_kb4023993_strategy", "sfb_kb4023993_hosts"])
def test_what_chooses_plays_has_no_place_in_the_inventory(name: str) -> None:
    check = the_only(found(host("fe01", name), host("fe02")), "VARIABLE-PLACE", "failed")
    assert check.where == ("fe01",)
    assert name in check.what


def test_an_edge_pool_that_nobody_is_in() -> None:
    hosts = [host("fe01", pool="pool01.contoso.example", edge_pool="egde.contoso.example"), POOL[3]]
    assert "egde.contoso.example" in the_only(found(*hosts), "POOL", "warning").what


def test_a_pool_is_known_with_and_without_its_domain() -> None:
    assert found(host("fe01", pool="pool01", edge_pool="edge"), POOL[3]) == []
    assert found(host("fe01", pool="pool01", edge_pool="edge.contoso.example"), host("edge01", pool="edge")) == []


def test_a_pool_of_another_domain_is_another_pool() -> None:
    hosts = [host("fe01", pool="pool01.contoso.example", edge_pool="edge.fabrikam.example"), POOL[3]]
    assert the_only(found(*hosts), "POOL", "warning")


def test_a_pool_paired_with_itself() -> None:
    assert "own pool" in the_only(found(host("fe01", pool="a.b", paired_pool="A.b")), "POOL", "failed").what


def test_a_pair_with_a_third_pool() -> None:
    hosts = [
        host("fe01", pool="a.b", paired_pool="c.b"),
        host("fe11", pool="c.b", paired_pool="d.b"),
        host("fe21", pool="d.b"),
    ]
    checks = {check.where: check for check in found(*hosts)}
    assert set(checks) == {("fe01",)}
    assert checks["fe01",].status == "failed"


def test_a_partner_that_nobody_is_in() -> None:
    assert "paired_pool is x.b" in the_only(found(host("fe01", pool="a.b", paired_pool="x.b")), "POOL", "warning").what


def test_hosts_of_a_pool_that_say_different_things() -> None:
    check = the_only(
        found(*POOL[:1], host("fe02", pool="pool01.contoso.example", edge_pool="edge.contoso.example"), *POOL[2:]),
        "POOL-DIFFERS",
        "failed",
    )
    assert check.where == ("fe01", "fe02")
    assert "fe02: nothing" in check.what
    assert "paired_pool" in check.what


def test_two_names_of_one_server() -> None:
    one, same = ("fe01.contoso.example", 5985, "wsman"), ("fe01.contoso.example", 5985, "wsman")
    other = ("fe01.contoso.example", 5985, "wsman/fe03")
    check = the_only(
        found(host("fe01", place=one), host("fe02", place=same), host("fe03", place=other), host("fe04")),
        "ADDRESS",
        "failed",
    )
    assert check.where == ("fe01", "fe02")


def test_the_host_that_asks_the_ca_has_to_delegate() -> None:
    signing = Signing(ca_host="ca-client")
    assert the_only(found(host("ca-client", delegates=False), signing=signing), "DELEGATION", "failed").where == (
        "ca-client",
    )
    assert found(host("ca-client", delegates=True), host("fe01", delegates=True), signing=signing) == []
    # Left out by --limit, or hung: nothing is known of it.
    assert found(host("ca-client"), signing=signing) == []


def test_delegation_that_nothing_needs_is_a_warning() -> None:
    hosts = [host("fe01", delegates=True), host("fe02", delegates=False), host("fe03", delegates=True)]
    assert the_only(found(*hosts), "DELEGATION", "warning").where == ("fe01", "fe03")
    assert found(*hosts, signing=Signing(certificates=True)) == []
