# Copyright (c) 2026, the sfb.kb4023993 contributors
# GNU General Public License v3.0-or-later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What if: the answer from saved evidence, and what then really happens to the servers, by the lab's own mechanism."""

from __future__ import annotations

import json
import ssl
import typing as t
from pathlib import Path

import pytest
from integration.fleet import Fleet, Played
from integration.fleet_changes import connections, remove_override, renew
from lab.mechanism import Outcome
from lab.scenario import parse

UPDATED: t.Final = {"product": "sfb2015", "os": "server2012r2", "dotnet": {"version": "4.5.2", "update": "KB4014512"}}


def ask(fleet: Fleet, directory: Path, **what: t.Any) -> tuple[Played, dict[str, t.Any]]:
    """Run the playbook; gives its JSON answer as well. No server may have been asked."""
    fleet.lab.reset_counters()
    before = {path: path.read_bytes() for path in fleet.state.rglob("*") if path.is_file()}
    variables = {f"sfb_kb4023993_what_if_{name}": value for name, value in what.items()}
    played = fleet.play("what_if", variables={**variables, "sfb_kb4023993_report_dir": str(directory)})
    assert played.code == 0, played.output
    assert {each["http_requests"] for each in fleet.lab.counters().values()} == {0}
    assert {path: path.read_bytes() for path in fleet.state.rglob("*") if path.is_file()} == before
    answer = json.loads((directory / "what_if.json").read_text("utf-8"))
    assert answer["sentence"] in " ".join(played.output.split())
    return played, answer


def pairs(fleet: Fleet, answer: dict[str, t.Any], verdict: str) -> set[tuple[str, str]]:
    """Connections of the answer with this verdict, by the peer's full name; not those of a Front End to itself, which no server makes."""
    full = {server.name: server.fqdn for server in fleet.lab.scenario.servers}
    return {
        (each["validator"], full.get(each["peer"], each["peer"]))
        for each in answer["connections"]
        if each["later"] == verdict and each["validator"] != each["peer"]
    }


def turned(
    before: dict[tuple[str, str], set[Outcome]], after: dict[tuple[str, str], set[Outcome]], to: Outcome
) -> set[tuple[str, str]]:
    return {link for link in after if after[link] == {to} and before[link] != {to}}


# ---- the demo fleet


@pytest.fixture(scope="module")
def demo(start: t.Callable[..., Fleet]) -> Fleet:
    """Servers of all products in several languages, remediated."""
    fleet = start("demo")
    fleet.play("remediate")
    return fleet


def test_without_the_override_exactly_those_connections_break_that_it_names(
    demo: Fleet, tmp_path: Path, record_property: t.Callable[[str, object], None]
) -> None:
    before = connections(demo)
    _played, answer = ask(demo, tmp_path, override_gone="all")
    front_ends = [server.name for server in demo.lab.scenario.servers if server.role == "front_end"]
    assert sum(remove_override(demo, name) for name in front_ends) >= 7
    after = connections(demo)
    broken = turned(before, after, Outcome.REJECTED)
    assert len(broken) >= 10
    assert pairs(demo, answer, "broken") == broken
    assert answer["counts"]["not_assessed"] == 0
    record_property(
        "figure",
        f"what_if named exactly the {len(broken)} connections of the demo fleet that broke when the override was then removed",
    )


# ---- one change after the other


@pytest.fixture
def fleet(start: t.Callable[..., Fleet]) -> Fleet:
    """Two pools with an Edge each: one without the update, one whose Edge has a certificate of a public CA."""
    waiting = {**UPDATED, "dotnet": {"version": "4.5.2"}, "certificate": "both"}
    made = start(
        parse(
            {
                "authorities": {"public": {"common_name": "Sectigo Public Server CA"}},
                "templates": {
                    "public": {"usages": ["server", "client"], "authority": "public"},
                    "public_renewed": {"usages": ["server"], "authority": "public"},
                },
                "pools": {
                    "pool01": {"edge_pool": "edge01", "each": waiting},
                    "edge01": {"each": {**UPDATED, "role": "edge"}},
                    "pool02": {"edge_pool": "edge02", "each": {**UPDATED, "certificate": "both"}},
                    "edge02": {"each": {**UPDATED, "role": "edge", "certificate": "public"}},
                },
                "servers": {
                    "fe01": {"pool": "pool01"},
                    "edge01": {"pool": "edge01"},
                    "fe02": {"pool": "pool02"},
                    "edge02": {"pool": "edge02"},
                },
            }
        )
    )
    played = made.play("audit")
    assert played.verdicts == {"fe01": "latent", "edge01": "latent", "fe02": "compliant", "edge02": "compliant"}, (
        played.output
    )
    return made


def test_an_update_a_public_renewal_and_a_new_certificate(fleet: Fleet, tmp_path: Path) -> None:
    """Each is asked, then done, and the lab's mechanism and a new audit agree with the answer."""
    _played, answer = ask(fleet, tmp_path / "update", update_installed="all")
    assert pairs(fleet, answer, "broken") == {("fe01", "edge01.contoso.example")}

    before = connections(fleet)
    _played, answer = ask(fleet, tmp_path / "public", public_renewal=True)
    assert any("Sectigo: no clientAuth from" in note for note in answer["notes"])
    expected = pairs(fleet, answer, "broken")
    renew(fleet, "edge02", "public_renewed")
    assert expected == turned(before, connections(fleet), Outcome.REJECTED) == {("fe02", "edge02.contoso.example")}
    assert fleet.play("audit").verdicts["fe02"] == "broken"

    new = fleet.lab.deployment.issue(fleet.lab.scenario.by_name["edge02"], "both")
    file = tmp_path / "edge02.pem"
    file.write_text("".join(map(ssl.DER_cert_to_PEM_cert, (new.der, *new.chain))))
    before = connections(fleet)
    played, answer = ask(fleet, tmp_path / "new", certificate=[{"host": "edge02", "file": str(file)}])
    assert "would be well" in played.output
    expected = pairs(fleet, answer, "compliant")
    renew(fleet, "edge02", "both")
    assert expected == turned(before, connections(fleet), Outcome.CONNECTED) == {("fe02", "edge02.contoso.example")}


@pytest.mark.matrix
def test_check_mode_and_lists_with_commas_give_the_same_answer(fleet: Fleet) -> None:
    variables = {"sfb_kb4023993_what_if_update_installed": "fe01,fe02"}
    outputs = [
        fleet.play("what_if", *more, variables=variables).output.partition("KB4023993: ")[2]
        for more in ((), ("--check",))
    ]
    assert outputs[0] == outputs[1]
    assert outputs[0].startswith("if the check were in .NET on fe01, fe02, 1 of")
    assert "fe02: it checks the usages already." in outputs[0]


@pytest.mark.parametrize(
    ("variables", "message"),
    [
        ({}, "Nothing is supposed."),
        ({"override_gone": "fe09"}, "There is no host 'fe09' among the hosts of this play."),
        (
            {"certificate": [{"host": "fe01", "file": "/nowhere/x.pem"}]},
            "/nowhere/x.pem, a certificate in PEM, cannot be read",
        ),
        ({"certificate": [{"host": "fe01"}]}, "file"),
        ({"public_renewal": "perhaps"}, "sfb_kb4023993_what_if_public_renewal"),
    ],
)
def test_a_slip_is_said(
    start: t.Callable[..., Fleet], audited: Fleet, variables: dict[str, t.Any], message: str
) -> None:
    del start
    played = audited.play(
        "what_if", variables={f"sfb_kb4023993_what_if_{name}": value for name, value in variables.items()}
    )
    assert played.code == 2
    assert message in played.output
    assert "Traceback" not in played.output


@pytest.fixture(scope="module")
def audited(start: t.Callable[..., Fleet]) -> Fleet:
    fleet = start("small")
    assert fleet.play("audit").code == 0
    return fleet


def test_without_evidence_nothing_is_foreseen(audited: Fleet, tmp_path: Path) -> None:
    played = audited.play("what_if", state=tmp_path, variables={"sfb_kb4023993_what_if_override_gone": "all"})
    assert played.code == 2
    assert "so nothing can be foreseen. Run the audit first" in played.output
