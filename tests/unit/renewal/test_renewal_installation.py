# Copyright (c) 2026, the sfb.kb4023993 contributors
# GNU General Public License v3.0-or-later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What each server needs so that its new certificate gets into use, or the old one back; and which servers cannot get it now."""

from __future__ import annotations

import dataclasses
import pathlib
import typing as t

import pytest
from ansible_collections.sfb.kb4023993.plugins.plugin_utils.renewal.installation import (
    Installations,
    describe,
    plan_installations,
    plan_put_back,
)
from ansible_collections.sfb.kb4023993.plugins.plugin_utils.signing.bundle import to_pem
from ansible_collections.sfb.kb4023993.plugins.plugin_utils.signing.records import Record, RecordError
from builders.controller import Controller
from builders.roll_out import NEW_CA, RollOut, fleet

EDGES: t.Final = ("edge01", "edge02")


def signed(tmp_path: pathlib.Path, product: str = "sfb2015", **entries: t.Any) -> tuple[RollOut, dict[str, Record]]:
    """A fleet whose certificates are verified and not installed: nobody trusts their CA."""
    found = fleet(product, front_ends=1 if product == "lync2010" else 2, edges=2, new_ca=True, **entries)
    controller = Controller(found, tmp_path, config=NEW_CA)
    controller.run()
    for request in found.outside.requests():
        found.outside.approve(NEW_CA, request["request_id"])
    for name in found.names:
        found.host(name).stores.add = lambda *_arguments, **_options: None  # type: ignore[method-assign]
    controller.run()
    assert {record.step for record in controller.records.values()} == {"verified"}
    return found, controller.records


def plan(found: RollOut, records: dict[str, Record]) -> Installations:
    return plan_installations(found.judge(), records.values())


def reasons(planned: Installations) -> dict[str, str]:
    return {refusal.host: refusal.reason for refusal in planned.refused}


@pytest.mark.parametrize(
    ("product", "manner", "downtime"),
    [("lync2010", "plain", True), ("lync2013", "gate", False), ("sfb2015", "failover", False)],
)
def test_each_server_goes_down_as_its_product_and_its_pool_bear(
    product: str, manner: str, downtime: bool, tmp_path: pathlib.Path
) -> None:
    found, records = signed(tmp_path, product)
    planned = plan(found, records)
    assert planned.refused == ()
    by_name = {target.host: target for target in planned.hosts}
    assert [target.host for target in planned.hosts] == sorted(by_name)
    assert (by_name["fe01"].manner, by_name["fe01"].downtime, by_name["fe01"].ports) == (manner, downtime, (5061,))
    for name in EDGES:
        assert (by_name[name].manner, by_name[name].downtime, by_name[name].ports) == ("plain", False, (5061, 4443))
    assert [by_name[name].lead for name in EDGES] == [True, False]
    assert by_name["edge01"].certificate == by_name["edge02"].certificate
    assert (by_name["edge01"].exportable, by_name["fe01"].exportable) == (True, False)


def test_a_port_that_showed_nothing_is_not_looked_at_later(tmp_path: pathlib.Path) -> None:
    found, records = signed(tmp_path, servers={"edge01": {"quirks": {"closed_ports": [4443]}}})
    target = plan(found, records).host("edge01")
    assert target is not None
    assert target.ports == (5061,)


def test_a_server_that_cannot_be_read_is_named_and_the_others_go_on(tmp_path: pathlib.Path) -> None:
    found, records = signed(tmp_path)
    found.host("fe02").quirks.unreachable = True
    found.forget()
    planned = plan(found, records)
    assert {target.host for target in planned.hosts} == {"edge01", "edge02", "fe01"}
    assert "could not be read" in reasons(planned)["fe02"]


def test_a_server_that_is_not_in_the_inventory_is_named(tmp_path: pathlib.Path) -> None:
    found, records = signed(tmp_path)
    record = records["fe02 Default"]
    gone = dataclasses.replace(record, servers=("fe09",), id="fe09 Default")
    planned = plan(found, {gone.id: gone})
    assert planned.hosts == ()
    assert "not in the inventory" in reasons(planned)["fe09"]


@pytest.mark.parametrize("step", ["planned", "requested", "submitting", "pending", "denied", "refused"])
def test_without_a_verified_certificate_there_is_nothing_to_install(step: t.Any, tmp_path: pathlib.Path) -> None:
    found, records = signed(tmp_path, "lync2010")
    changed = {name: dataclasses.replace(record, step=step) for name, record in records.items()}
    assert plan(found, changed) == Installations(hosts=(), refused=())


def test_a_record_whose_certificate_was_exchanged_is_not_used(tmp_path: pathlib.Path) -> None:
    found, records = signed(tmp_path, "lync2010")
    record = records["fe01 Default"]
    assert record.new is not None
    other = dataclasses.replace(record.new, certificate=to_pem(found.current("edge01")))
    with pytest.raises(RecordError, match="fe01 Default is damaged"):
        plan(found, {record.id: dataclasses.replace(record, new=other)})


def test_what_is_done_needs_nothing_unless_a_restart_is_on_record(tmp_path: pathlib.Path) -> None:
    found = fleet("lync2010", front_ends=1)
    controller = Controller(found, tmp_path)
    controller.run()
    found.settle()
    assert plan(found, controller.records) == Installations(hosts=(), refused=())
    back = plan_put_back(found.judge())
    assert [(target.host, target.certificate) for target in back.hosts] == [("edge01", b""), ("fe01", b"")]
    found.host("fe01").quirks.failing_cmdlets = {"Start-CsWindowsService": "No."}
    target = back.host("fe01")
    assert target is not None
    assert found.put_back(target).status == "failed"
    assert [each.host for each in plan(found, controller.records).hosts] == ["fe01"]


def test_the_way_back_is_for_servers_where_something_was_assigned_by_us() -> None:
    found = fleet()
    found.imported("fe01")
    assert plan_put_back(found.judge()).hosts == ()
    found.installed("fe02")
    found.settle()
    back = plan_put_back(found.judge())
    assert [target.host for target in back.hosts] == ["fe02"]
    found.host("fe02").quirks.unreachable = True
    found.forget()
    assert plan_put_back(found.judge()).hosts == ()


def test_a_server_is_described_before_and_after() -> None:
    found = fleet("lync2010", front_ends=1)
    target = found.target("fe01", found.current("edge01"))
    before, after = describe(target)
    assert before == f"Default, WebServicesInternal, WebServicesExternal: {target.replaces}\nservices: not restarted\n"
    assert after.endswith("services: all restarted (plain), with downtime for its users\n")
    assert "the certificate before it" in describe(target, put_back=True)[1]
