# Copyright (c) 2026, the sfb.kb4023993 contributors
# GNU General Public License v3.0-or-later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Change over time: what an audit says of the last run, and the playbook compare, while people change servers in between."""

from __future__ import annotations

import json
import shutil
import typing as t
from pathlib import Path

import jsonschema
import pytest
from integration.fleet import ROOT, Fleet, Played
from integration.fleet_changes import remove_override, renew
from lab.scenario import parse

BOTH: t.Final = {
    "product": "sfb2015",
    "os": "server2012r2",
    "certificate": "both",
    "dotnet": {"version": "4.5.2", "update": "KB4014512"},
}


@pytest.fixture(scope="module")
def well(start: t.Callable[..., Fleet]) -> Fleet:
    """A pool with an Edge, all certificates with both usages, audited once."""
    fleet = start(
        parse(
            {
                "pools": {
                    "pool01": {"edge_pool": "edge01", "each": BOTH},
                    "edge01": {"each": {**BOTH, "role": "edge"}},
                },
                "servers": {"fe01": {"pool": "pool01"}, "fe02": {"pool": "pool01"}, "edge01": {"pool": "edge01"}},
            }
        )
    )
    played = fleet.play("audit")
    assert set(played.verdicts.values()) == {"compliant"}, played.output
    assert played.report["since"] is None
    assert "Since the last run" not in played.output
    return fleet


@pytest.fixture(scope="module")
def renewed(well: Fleet) -> tuple[Played, Played]:
    """Two more audits: the Edge has a certificate of the wrong template assigned; its services have taken it."""
    renew(well, "edge01", "webserver", restart=False)
    first = well.play("audit")
    renew(well, "edge01", "webserver")
    return first, well.play("audit")


def regressions(played: Played) -> dict[tuple[str, str], str]:
    return {(each["host"], each["kind"]): each["text"] for each in played.report["since"]["regressions"]}


@pytest.mark.matrix
def test_a_renewal_from_the_wrong_template_is_a_regression(renewed: tuple[Played, Played]) -> None:
    """Before the services pick it up, and after that."""
    first, second = renewed
    said = regressions(first)["edge01", "certificate"]
    assert "was assigned for Internal, and is not good for clientAuth" in said
    assert regressions(first).keys() >= {("fe01", "connection"), ("fe02", "connection")}
    # Now it is what they hold. The connections were broken by it already.
    said = regressions(second)["edge01", "certificate"]
    assert "renewed, as it seems from the wrong template" in said
    assert ("fe01", "connection") not in regressions(second)
    assert "Since the last run (" in second.output
    assert "Regressed" in second.output


def test_the_reports_of_all_this_fit_the_schema(renewed: tuple[Played, Played]) -> None:
    schema = json.loads((ROOT / "docs" / "report.schema.json").read_text("utf-8"))
    for played in renewed:
        jsonschema.Draft202012Validator(schema).validate(played.report)


def test_the_playbook_compare_says_the_same_of_the_first_and_the_last_run(
    well: Fleet, renewed: tuple[Played, Played], tmp_path: Path
) -> None:
    first = sorted((well.state / "runs").iterdir())[0] / "report.json"
    well.lab.reset_counters()
    played = well.play(
        "compare",
        variables={"sfb_kb4023993_compare_earlier": str(first), "sfb_kb4023993_report_dir": str(tmp_path)},
    )
    assert played.code == 0, played.output
    assert played.run_directory is None
    found = json.loads((tmp_path / "compare.json").read_text("utf-8"))
    assert {(each["host"], each["kind"]) for each in found["regressions"]} == {
        ("edge01", "certificate"),
        ("fe01", "connection"),
        ("fe02", "connection"),
    }
    assert found["later"]["run_id"] == renewed[1].report["before"]["run_id"]
    assert (tmp_path / "compare.txt").read_text("utf-8") in played.output
    assert "## Regressed" in (tmp_path / "compare.md").read_text("utf-8")
    assert {oct(path.stat().st_mode & 0o777) for path in tmp_path.iterdir()} == {"0o600"}
    assert {each["http_requests"] for each in well.lab.counters().values()} == {0}


def test_check_mode_of_compare_is_the_same(well: Fleet, renewed: tuple[Played, Played]) -> None:
    del renewed
    outputs = [well.play("compare", *arguments).output.partition("From ")[2] for arguments in ((), ("--check",))]
    assert outputs[0] == outputs[1] != ""


def test_nothing_to_compare_with_is_said(well: Fleet, tmp_path: Path) -> None:
    played = well.play("compare", state=tmp_path)
    assert played.code == 2
    assert f"{tmp_path} holds no judged run." in played.output
    assert "Traceback" not in played.output


def test_a_limited_run_speaks_of_its_own_servers(well: Fleet, renewed: tuple[Played, Played]) -> None:
    del renewed
    played = well.play("audit", "--limit", "fe01")
    assert played.report["since"]["regressions"] == []
    assert played.report["since"]["vanished"] == []
    # The next whole run is compared with the last whole one.
    whole = well.play("compliance")
    assert whole.report["since"]["earlier"]["run_id"] != played.report["before"]["run_id"]


def test_a_server_that_is_not_read_now_is_never_fixed(
    well: Fleet, renewed: tuple[Played, Played], tmp_path: Path
) -> None:
    del renewed
    state = Path(shutil.copytree(well.state, tmp_path / "state"))
    played = well.play("audit", "-e", "ansible_port=1", state=state)
    since = played.report["since"]
    assert {each["host"] for each in since["not_comparable"]} == {"fe01", "fe02", "edge01"}
    assert since["counts"]["fixed"] == 0
    assert since["counts"]["not_comparable"] >= 3


def test_what_is_mended_is_fixed(well: Fleet, renewed: tuple[Played, Played]) -> None:
    del renewed
    renew(well, "edge01", "both")
    played = well.play("audit")
    since = played.report["since"]
    assert since["regressions"] == []
    fixed = {(each["host"], each["id"]) for each in since["findings"] if each["change"] == "fixed"}
    assert fixed >= {("edge01", "KB4023993-CERT-EDGE-INTERNAL"), ("fe01", "KB4023993-CONNECTION-BROKEN")}


def test_an_override_that_somebody_took_away_is_a_regression(start: t.Callable[..., Fleet]) -> None:
    fleet = start("small")
    assert fleet.play("remediate").code == 0
    assert remove_override(fleet, "fe01") == 1
    played = fleet.play("audit")
    said = regressions(played)["fe01", "opt_out"]
    assert "Connections need it: to edge01, fe01, fe02." in said
    assert ("fe01", "connection") in regressions(played)
    assert ("edge01", "verdict") in regressions(played)
    assert ("fe02", "opt_out") not in regressions(played)
