# Copyright (c) 2026, the sfb.kb4023993 contributors
# GNU General Public License v3.0-or-later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whole runs of workaround 1 on a simulated fleet: its results, its records, and controllers that die anywhere in between."""

from __future__ import annotations

import dataclasses
import pathlib
import typing as t

import pytest
from ansible_collections.sfb.kb4023993.plugins.plugin_utils.certificate_work import Work, preview
from ansible_collections.sfb.kb4023993.plugins.plugin_utils.renewal.installation import plan_installations
from ansible_collections.sfb.kb4023993.plugins.plugin_utils.renewal.replacements import plan_replacements
from ansible_collections.sfb.kb4023993.plugins.plugin_utils.renewal_report import renewal_of
from ansible_collections.sfb.kb4023993.plugins.plugin_utils.renewal_run import RenewalResults, RenewalRun
from ansible_collections.sfb.kb4023993.plugins.plugin_utils.report.certificates import certificates_text
from ansible_collections.sfb.kb4023993.plugins.plugin_utils.run import RunError
from ansible_collections.sfb.kb4023993.plugins.plugin_utils.signing.csr import read_csr
from ansible_collections.sfb.kb4023993.plugins.plugin_utils.signing.sign import Resolution
from builders.controller import Controller, DeadError
from builders.roll_out import CA, FRONT_END_USES, LIMITS, NEW_CA, RollOut, fleet


def ends(results: RenewalResults) -> dict[str, str]:
    return {result.host: result.result for result in results.results}


def verdicts(found: RollOut) -> dict[str, str]:
    found.settle()
    return {host.name: host.verdict for host in found.judge().judgement.hosts if host.verdict != "not_applicable"}


def text_of(controller: Controller) -> str:
    """The part of the text report, in one line."""
    renewal = renewal_of(controller.latest, controller.state_dir)
    assert renewal is not None
    return " ".join(certificates_text(renewal).split())


# ---- the plans are those that the tests of single steps use


@pytest.mark.parametrize("product", ["lync2010", "lync2013", "sfb2015"])
def test_the_plans_of_single_steps_are_those_of_the_controller(product: str) -> None:
    found = fleet(product, front_ends=1 if product == "lync2010" else 2, edges=2)
    plan = plan_replacements(found.judge(), {})
    assert plan.refused == ()
    for wanted in plan.replacements:
        own = found.replacement(wanted.servers[0])
        assert dataclasses.replace(wanted, reason="", modules=own.modules) == own
        assert wanted.modules
        assert set(wanted.modules) <= set(own.modules)


# ---- results


@pytest.mark.parametrize("product", ["lync2013", "sfb2015"])
def test_from_broken_to_compliant_and_a_second_run_does_nothing(product: str, tmp_path: pathlib.Path) -> None:
    found = fleet(product, edges=2, new_ca=False)
    before = {name: found.assigned(name) for name in found.names}
    assert set(verdicts(found).values()) == {"broken"}
    controller = Controller(found, tmp_path)
    results = controller.run()
    assert ends(results) == dict.fromkeys(("edge01", "edge02", "fe01", "fe02"), "done")
    assert (results.refused, results.waiting) == ((), ())
    assert {record.step for record in controller.records.values()} == {"done"}
    assert set(verdicts(found).values()) == {"compliant"}
    for name in found.names[:2]:
        kept = {use for use in before[name] if use not in FRONT_END_USES}
        assert {use: found.assigned(name)[use] for use in kept} == {use: before[name][use] for use in kept}
    assert found.assigned("edge01")["Internal"] == found.assigned("edge02")["Internal"]
    assert found.assigned("fe01")["Default"] != found.assigned("fe02")["Default"]
    # Edges first, one at a time.
    order = [host for host, step, _outcome in controller.outcomes if step == "install"]
    assert order == ["edge01", "edge02", "fe01", "fe02"]
    again = controller.run()
    assert again == RenewalResults()
    assert [operation.NAME for operation in controller.done if operation.CHANGES and operation.NAME != "ca_chain"] == []
    assert controller.flow(found.judge()).complete(again)
    text = text_of(controller)
    assert text.startswith("Certificates edge01, edge02, Internal: done The new certificate is in use and presented.")
    assert text.count(": done ") == 3
    assert "FAILED" not in text


def test_a_target_of_the_plan_is_the_one_that_single_steps_are_tested_with(tmp_path: pathlib.Path) -> None:
    found = fleet(edges=2, new_ca=True)
    controller = Controller(found, tmp_path, config=NEW_CA)
    controller.run()
    for request in found.outside.requests():
        found.outside.approve(NEW_CA, request["request_id"])
    with pytest.raises(DeadError):
        controller.run(operations=8)
    planned = plan_installations(found.judge(), controller.records.values())
    assert [target.host for target in planned.hosts] == ["edge01", "edge02", "fe01", "fe02"]
    for target in planned.hosts:
        own = found.target(target.host, target.certificate, lead=target.host != "edge02")
        own = dataclasses.replace(own, record_id=target.record_id, modules=target.modules)
        assert target == own


def test_a_pending_request_waits_between_runs_and_ends_well_when_it_was_approved(tmp_path: pathlib.Path) -> None:
    found = fleet(new_ca=True)
    controller = Controller(found, tmp_path, config=NEW_CA)
    for _run in range(2):
        results = controller.run()
        assert ends(results) == dict.fromkeys(("edge01", "fe01", "fe02"), "pending")
        assert results.waiting == ("edge01", "fe01", "fe02")
        assert not controller.flow(found.judge()).complete(results)
        assert {record.step for record in controller.records.values()} == {"pending"}
    assert len(found.outside.requests()) == 3
    text = text_of(controller)
    assert text.count(": pending Handed in at") == 3
    assert "request 17 at the CA" in text
    for request in found.outside.requests():
        found.outside.approve(NEW_CA, request["request_id"])
    before = {name: len(found.outside.stores(name)["Root"]) for name in ("edge01", "fe01", "fe02")}
    results = controller.run()
    assert ends(results) == dict.fromkeys(("edge01", "fe01", "fe02"), "done"), results
    # Everybody got the chain of the CA that nobody knew, before the first assignment.
    for name, number in before.items():
        assert len(found.outside.stores(name)["Root"]) == number + 1
        assert not found.host(name).mistrusts_all
    steps = [step for _host, step, _outcome in controller.outcomes]
    assert steps.index("install") > max(i for i, step in enumerate(steps) if step == "trust")
    assert set(verdicts(found).values()) == {"compliant"}
    assert len(found.outside.requests()) == 3


def test_a_denied_request_fails_its_server_alone(tmp_path: pathlib.Path) -> None:
    found = fleet("lync2010", front_ends=1, new_ca=True)
    controller = Controller(found, tmp_path, config=NEW_CA)
    controller.run()
    edge, front_end = found.outside.requests()
    found.outside.approve(NEW_CA, edge["request_id"])
    found.outside.deny(NEW_CA, front_end["request_id"])
    results = controller.run()
    assert ends(results) == {"edge01": "done", "fe01": "failed"}
    assert controller.records["fe01 Default"].step == "denied"
    assert "fe01, Default, WebServicesInternal, WebServicesExternal: denied" in text_of(controller)
    assert len(found.outside.requests()) == 2


def test_what_a_ca_cannot_be_asked_is_told_and_left_for_the_next_run(tmp_path: pathlib.Path) -> None:
    found = fleet("lync2010", front_ends=1, servers={"pki01": {"ca_access": "none"}})
    controller = Controller(found, tmp_path)
    results = controller.run()
    assert ends(results) == dict.fromkeys(("edge01", "fe01"), "failed")
    assert all("was not handed in" in result.message for result in results.results)
    # Nobody may believe that the CA has it.
    for name in ("edge01", "fe01"):
        record = found.record(name)
        assert record is not None
        assert record.step == "requested"


def test_a_request_that_cannot_be_made_fails_its_server_and_the_others_go_on(tmp_path: pathlib.Path) -> None:
    found = fleet("lync2010", front_ends=1)
    found.host("fe01").quirks.endless_cmdlets = {"Request-CsCertificate": "before"}
    controller = Controller(found, tmp_path)
    results = controller.run()
    assert ends(results) == {"edge01": "done", "fe01": "failed"}
    assert "No request was made: " in results.results[1].message
    assert "Other servers fe01: No request was made: making the request" in text_of(controller)
    found.host("fe01").quirks.endless_cmdlets = {}
    assert ends(controller.run()) == {"fe01": "done"}


def test_a_server_that_lost_trust_stops_the_certificate_everywhere(tmp_path: pathlib.Path) -> None:
    found = fleet(new_ca=True)
    controller = Controller(found, tmp_path, config=NEW_CA)
    controller.run()
    for request in found.outside.requests():
        found.outside.approve(NEW_CA, request["request_id"])
    # Its stores take nothing new, so it goes on not knowing the CA.
    found.host("fe02").stores.add = lambda *_arguments, **_options: None  # type: ignore[method-assign]
    before = {name: found.assigned(name) for name in found.names}
    results = controller.run()
    assert {name: found.assigned(name) for name in found.names} == before
    assert set(ends(results).values()) == {"failed"}
    assert all("Not assigned anywhere: fe02: " in result.message for result in results.results)
    assert not [step for _host, step, _outcome in controller.outcomes if step in ("import", "install")]


def test_one_that_does_not_come_back_keeps_the_rest_of_its_pool_up(tmp_path: pathlib.Path) -> None:
    found = fleet("lync2013")
    found.host("fe01").quirks.failing_cmdlets = {"Start-CsWindowsService": "No."}
    controller = Controller(found, tmp_path)
    services = found.outside.services("fe02")
    results = controller.run()
    assert ends(results) == {"edge01": "done", "fe01": "failed", "fe02": "failed"}
    assert "Not touched, because fe01 of its pool did not come back well" in results.results[2].message
    assert found.outside.services("fe02") == services
    # The next run brings up the one that is down, before it takes another one down.
    found.host("fe01").quirks.failing_cmdlets = {}
    found.settle()
    assert ends(controller.run()) == {"fe01": "done", "fe02": "done"}


def test_a_record_moves_only_by_what_a_new_reading_says(tmp_path: pathlib.Path) -> None:
    found = fleet("lync2010", front_ends=1)
    controller = Controller(found, tmp_path)
    controller.run()
    operations = controller.done
    done = controller.records["fe01 Default"]
    assert done.step == "done"
    assert [event.step for event in done.history if event.step in ("verified", "assigned", "done")][-1] == "done"
    # A server that is not read says nothing, so its record stays where it is.
    other = fleet("lync2010", front_ends=1)
    second = Controller(other, tmp_path / "second")
    with pytest.raises(DeadError):
        second.run(operations=len(operations) - 1)
    assert other.record("fe01") is not None
    assert second.records["fe01 Default"].step == "verified"


# ---- the way back


@pytest.mark.parametrize("product", ["lync2013", "sfb2015"])
def test_the_way_back_gives_everybody_its_old_certificate_and_a_next_run_goes_forward_again(
    product: str, tmp_path: pathlib.Path
) -> None:
    found = fleet(product, edges=2)
    before = {name: found.assigned(name) for name in found.names}
    controller = Controller(found, tmp_path)
    controller.run()
    found.settle()
    results = controller.put_back()
    assert ends(results) == dict.fromkeys(("edge01", "edge02", "fe01", "fe02"), "done"), results
    assert {name: found.assigned(name) for name in found.names} == before
    assert {record.step for record in controller.records.values()} == {"verified"}
    assert controller.put_back() == RenewalResults()
    found.settle()
    assert ends(controller.run()) == dict.fromkeys(("edge01", "edge02", "fe01", "fe02"), "done")
    assert len(found.outside.requests()) == 3


@pytest.mark.parametrize("way", ["there", "back"])
def test_the_run_says_that_nobody_else_of_a_pool_runs_while_its_services_restart(
    way: str, tmp_path: pathlib.Path
) -> None:
    found = fleet(front_ends=2)
    controller = Controller(found, tmp_path)
    if way == "back":
        controller.run()
        found.settle()
    found.deployment.hosts["fe02"].services.begin_stop("RTCDATAMCU")
    found.settle()
    results = controller.run() if way == "there" else controller.put_back()
    (warning,) = results.warnings
    assert warning.startswith("fe01 is the only member of pool01.contoso.example that is known to run (fe02: stopped)")
    assert warning in text_of(controller)


# ---- files of a run


def test_files_of_a_run_come_back_as_they_were_saved(tmp_path: pathlib.Path) -> None:
    found = fleet("lync2010", front_ends=1)
    controller = Controller(found, tmp_path)
    controller.run()
    run = RenewalRun(controller.latest)
    plan, planned, judgement, results = run.plan(), run.installations(), run.trust(), run.results()
    assert plan is not None
    assert planned is not None
    assert judgement is not None
    assert results is not None
    assert [chosen.id for chosen in plan.replacements] == ["edge01 Internal", "fe01 Default"]
    assert set(run.questions()) >= {"edge01", "fe01"}
    waves, groups = run.waves()
    assert waves == {"edge01": 0, "fe01": 1}
    assert groups["edge01"] != groups["fe01"]
    assert run.answer("fe01") is not None
    other = RenewalRun(type(controller.latest)(str(tmp_path), "20260308T120010Z-aaaaaa"))
    other.save_plan(plan)
    other.save_installations(planned, waves=waves, groups=groups)
    other.save_trust(judgement)
    other.save_results(results)
    assert (other.plan(), other.installations(), other.trust(), other.results()) == (plan, planned, judgement, results)
    assert other.waves() == (waves, groups)
    run.forget_answers()
    assert run.answer("fe01") is None
    for path in tmp_path.rglob("*.json"):
        assert path.stat().st_mode & 0o077 == 0, path


@pytest.mark.parametrize("text", ["", "{", "[]", '{"schema": 1}', "[" * 100_000, "\udcff"])
def test_a_damaged_file_of_a_run_is_a_clear_error(text: str, tmp_path: pathlib.Path) -> None:
    found = fleet("lync2010", front_ends=1)
    controller = Controller(found, tmp_path)
    with pytest.raises(DeadError):
        controller.run(operations=1)
    run = RenewalRun(controller.latest)
    (path,) = (controller.latest.directory / "renewal").glob("plan.json")
    path.write_bytes(text.encode("utf-8", "surrogateescape"))
    with pytest.raises(RunError, match=r"plan\.json cannot be used: .*Run the playbook again from the start"):
        run.plan()


def test_what_a_step_would_change_is_shown_without_a_session(tmp_path: pathlib.Path) -> None:
    found = fleet("lync2010", front_ends=1)
    controller = Controller(found, tmp_path)
    with pytest.raises(DeadError):
        controller.run(operations=1)
    work = Work(
        state_dir=str(tmp_path),
        run_id=controller.latest.run_id,
        host="fe01",
        step="request",
        wave=0,
        key_size=3072,
        limits=LIMITS,
    )
    shown = preview(work)
    assert shown["changed"]
    assert "fe01 Default: key of 3072 bits and request for pool01.contoso.example" in shown["diff"]["after"]
    for host, step in (("pki01", "request"), ("fe01", "install"), ("fe01", "trust")):
        assert preview(dataclasses.replace(work, host=host, step=t.cast(t.Any, step))).get("skipped")


# ---- a controller may die anywhere


def look_at_the_ca(found: RollOut, controller: Controller) -> dict[str, Resolution]:
    """What a person does with a request of which nobody knows whether the CA has it: looks there."""
    handed_in = {read_csr(row.csr.decode("ascii")).sha256: row.id for row in found.outside.ca(CA).requests}
    found_there = {}
    for name, record in controller.records.items():
        if record.step == "submitting":
            number = handed_in.get(read_csr(record.csr or "").sha256)
            found_there[name] = Resolution(request_id=number) if number else Resolution(submit_again=True)
    return found_there


@pytest.mark.parametrize("other", [False, True], ids=["the same goes on", "another one goes on"])
def test_a_controller_that_dies_anywhere_is_followed_to_the_same_end(other: bool, tmp_path: pathlib.Path) -> None:
    def prepare() -> RollOut:
        return fleet("lync2010", front_ends=1)

    whole = prepare()
    first = Controller(whole, tmp_path / "whole")
    first.run()
    changing = [number for number, operation in enumerate(first.done, start=1) if operation.CHANGES]
    assert len(changing) > 30
    # Each of the two followers is tried after every second one, so that together they follow every one.
    for number in changing[int(other) :: 2]:
        where = f"after operation {number}, {first.done[number - 1].NAME}"
        found = prepare()
        before = {name: found.assigned(name) for name in found.names}
        controller = Controller(found, tmp_path / f"{number}")
        with pytest.raises(DeadError):
            controller.run(operations=number)
        found.settle()
        if other:
            controller = Controller(found, tmp_path / f"{number} other")
        results = controller.run()
        if "failed" in ends(results).values():
            # Only where nobody can know whether the CA has a request.
            assert all("submit_again" in r.message for r in results.results if r.result == "failed"), (where, results)
            found.settle()
            controller.run(resolutions=look_at_the_ca(found, controller))
        assert set(verdicts(found).values()) == {"compliant"}, where
        assert {record.step for record in controller.records.values()} == {"done"}, where
        assert len(found.outside.requests()) == 2, where
        for name in ("fe01", "edge01"):
            assert {use for use, mark in found.assigned(name).items() if mark != before[name][use]} == (
                set(FRONT_END_USES) if name == "fe01" else {"Internal"}
            ), where
            assert {row["status"] for row in found.outside.services(name).values()} == {"running"}, where
            assert found.records(name).services is None, where
            record = found.record(name)
            assert record is not None
            assert set(record.before.values()) == {before[name][record.use]}, where
