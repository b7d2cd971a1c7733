# Copyright (c) 2026, the sfb.kb4023993 contributors
# GNU General Public License v3.0-or-later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The new certificate to its uses and into the running services of simulated servers: exactly the planned uses, and proved."""

from __future__ import annotations

import dataclasses
import typing as t

import pytest
from ansible_collections.sfb.kb4023993.plugins.plugin_utils.certificate_steps import install as steps
from ansible_collections.sfb.kb4023993.plugins.plugin_utils.host import certificate_operations as cop
from ansible_collections.sfb.kb4023993.plugins.plugin_utils.host import operations as op
from ansible_collections.sfb.kb4023993.plugins.plugin_utils.host.session import Session
from ansible_collections.sfb.kb4023993.plugins.plugin_utils.records import KEY
from builders.roll_out import FRONT_END_USES, LIMITS, RollOut, changes_of, fleet
from lab import client, trust

PRODUCTS: t.Final = ("lync2010", "lync2013", "sfb2015")


def new_uses(found: RollOut, name: str, before: dict[str, str], mark: str) -> dict[str, str]:
    """What has to be assigned afterwards: everything as before, and the new certificate for the uses that move."""
    uses = ("Internal",) if found.use(name) == "Internal" else FRONT_END_USES
    return {**before, **dict.fromkeys(uses, mark)}


@pytest.mark.parametrize("product", PRODUCTS)
@pytest.mark.parametrize("name", ["fe01", "edge01"])
def test_exactly_the_planned_uses_change_and_the_services_present_it(product: str, name: str) -> None:
    found = fleet(product, front_ends=1 if product == "lync2010" else 2, edges=2)
    everywhere = {other: found.assigned(other) for other in found.names}
    services = found.outside.services(name)
    target = found.imported(name)
    mark = trust.thumbprint(target.certificate)
    session = found.session(name)
    outcome = found.install(target, session=t.cast(Session, session))
    assert outcome.status == "changed", outcome
    assert found.assigned(name) == new_uses(found, name, everywhere[name], mark)
    for other in set(found.names) - {name}:
        assert found.assigned(other) == everywhere[other]
    assert set(found.outside.presented(name).values()) == {mark}
    after = found.outside.services(name)
    assert {s: (row["status"], row["start_mode"]) for s, row in after.items()} == {
        s: (row["status"], row["start_mode"]) for s, row in services.items()
    }
    assert all(after[service]["pid"] != services[service]["pid"] for service in after), "not all were restarted"
    assert found.records(name).services is None
    record = found.record(name)
    assert record is not None
    assert record.step == "done"
    assert record.before == dict.fromkeys(target.uses, target.replaces)
    assigned = [o for o in session.done if isinstance(o, cop.LyncAssign)]
    assert [(o.uses, o.thumbprint) for o in assigned] == [(target.uses, mark)]
    ways = {o.action for o in session.done if isinstance(o, (cop.LyncServices, cop.LyncFailover))}
    assert ways == ({"failover", "failback"} if target.manner == "failover" else {"stop_graceful", "start"})
    assert any(isinstance(o, cop.LyncGate) for o in session.done) == (target.manner != "plain")


@pytest.mark.parametrize("name", ["fe01", "edge01"])
def test_a_second_run_changes_nothing_and_restarts_nothing(name: str) -> None:
    found = fleet()
    target = found.installed(name)
    services = found.outside.services(name)
    record = found.record(name)
    session = found.session(name)
    assert found.install(target, session=t.cast(Session, session)).status == "unchanged"
    assert [o.NAME for o in session.done if o.CHANGES] == []
    assert found.outside.services(name) == services
    assert found.record(name) == record


@pytest.mark.parametrize("name", ["fe01", "edge01"])
def test_where_no_port_shows_anything_the_record_tells_and_there_is_no_loop_of_restarts(name: str) -> None:
    found = fleet(servers={name: {"quirks": {"closed_ports": [5061, 4443]}}})
    target = dataclasses.replace(found.imported(name), ports=())
    services = found.outside.services(name)
    assert found.install(target).status == "changed"
    after = found.outside.services(name)
    assert all(after[service]["pid"] != services[service]["pid"] for service in after)
    session = found.session(name)
    assert found.install(target, session=t.cast(Session, session)).status == "unchanged"
    assert [o.NAME for o in session.done if o.CHANGES] == []
    assert found.outside.services(name) == after


def test_a_front_end_whose_web_uses_have_their_own_certificate_keeps_it() -> None:
    found = fleet(servers={"fe01": {"web_certificate": "webserver"}})
    before = found.assigned("fe01")
    certificate = found.signed("fe01", uses=("Default",))
    target = found.target("fe01", certificate, uses=("Default",))
    assert steps.import_certificate(found.talk("fe01"), target, run_id="r").ok
    assert found.install(target).status == "changed"
    assert found.assigned("fe01") == {**before, "Default": trust.thumbprint(certificate)}


# ---- what is refused


def test_somebody_elses_change_in_between_is_left_alone() -> None:
    found = fleet()
    target = found.imported("fe01")
    other = found.deployment.issue(found.deployment.scenario.by_name["fe01"], "both")
    found.deployment._give(found.deployment.scenario.by_name["fe01"], other, ("WebServicesExternal",))
    before, services = found.assigned("fe01"), found.outside.services("fe01")
    outcome = found.install(target)
    assert outcome.status == "refused"
    assert "WebServicesExternal" in outcome.message
    assert trust.thumbprint(other.der) in outcome.message
    assert found.assigned("fe01") == before
    assert found.outside.services("fe01") == services


def test_a_change_after_it_was_done_is_not_taken_back() -> None:
    found = fleet()
    target = found.installed("fe01")
    found.settle()
    other = found.deployment.issue(found.deployment.scenario.by_name["fe01"], "both")
    found.deployment._give(found.deployment.scenario.by_name["fe01"], other, ("Default",))
    before = found.assigned("fe01")
    assert found.install(target).status == "refused"
    assert found.assigned("fe01") == before


def test_another_machine_is_not_touched() -> None:
    found = fleet()
    target = dataclasses.replace(found.imported("fe01"), machine_guid="other")
    before = found.state("fe01")
    assert found.install(target).status == "refused"
    assert found.state("fe01") == before


def test_a_certificate_that_is_not_there_with_its_key_is_not_assigned() -> None:
    found = fleet()
    target = found.imported("fe01")
    found.host().stores.remove("My", target.certificate)
    found.host().stores.add("My", target.certificate)
    before = found.assigned("fe01")
    outcome = found.install(target)
    assert (outcome.status, found.assigned("fe01")) == ("refused", before)


@pytest.mark.parametrize(
    ("quirks", "words"),
    [
        ({"no_lync_module": True}, "module is not on the server"),
        ({"denied_cmdlets": ("Get-CsCertificate",)}, "may not use this cmdlet"),
        ({"failing_cmdlets": {"Get-CsCertificate": "No."}}, "did not say what is assigned: No."),
    ],
)
def test_without_an_answer_what_is_assigned_nothing_is_assigned(quirks: dict[str, t.Any], words: str) -> None:
    found = fleet("lync2010", front_ends=1)
    target = found.imported("fe01")
    found.host().quirks = dataclasses.replace(found.host().quirks, **quirks)
    before = found.assigned("fe01")
    outcome = found.install(target)
    assert outcome.status == "refused"
    assert words in outcome.message
    assert found.assigned("fe01") == before
    assert found.records("fe01").services is None


@pytest.mark.parametrize(
    "quirks",
    [
        {"denied_cmdlets": ("Set-CsCertificate",)},
        {"failing_cmdlets": {"Set-CsCertificate": "No."}},
        {"endless_cmdlets": {"Set-CsCertificate": "before"}},
        {"endless_cmdlets": {"Set-CsCertificate": "after"}},
    ],
    ids=["denied", "failing", "hangs before", "hangs after"],
)
def test_an_assignment_that_fails_restarts_nothing_and_the_next_run_goes_on(quirks: dict[str, t.Any]) -> None:
    found = fleet()
    target = found.imported("fe01")
    services = found.outside.services("fe01")
    well = found.host().quirks
    found.host().quirks = dataclasses.replace(well, **quirks)
    assert found.install(target).status == "failed"
    assert found.outside.services("fe01") == services
    record = found.record("fe01")
    assert record is not None
    assert record.before == dict.fromkeys(target.uses, target.replaces)
    found.host().quirks = well
    assert found.install(target).status == "changed"
    record = found.record("fe01")
    assert record is not None
    assert (record.step, record.before) == ("done", dict.fromkeys(target.uses, target.replaces))


class _Helpful:
    """A Set-CsCertificate that does more than it was asked for."""

    def __init__(self, session: t.Any, found: RollOut, *uses: str) -> None:
        self._session, self._found, self._uses = session, found, uses

    def run(self, operations: t.Sequence[op.Operation], **options: t.Any) -> t.Any:
        replies = self._session.run(operations, **options)
        for operation in operations:
            if isinstance(operation, cop.LyncAssign):
                host = self._found.host("fe01")
                host.lync.assigned.update(dict.fromkeys(self._uses, operation.thumbprint))
        return replies


@pytest.mark.parametrize("use", ["OAuthTokenIssuer", "AudioVideoAuthentication", "AccessEdgeExternal"])
def test_a_use_that_must_not_change_and_did_is_told_before_anything_is_restarted(use: str) -> None:
    found = fleet()
    target = found.imported("fe01")
    services = found.outside.services("fe01")
    outcome = found.install(target, session=t.cast(Session, _Helpful(found.session("fe01"), found, use)))
    assert outcome.status == "failed"
    assert use in outcome.message
    assert found.outside.services("fe01") == services


# ---- the record


def test_a_record_that_somebody_removed_does_not_keep_the_next_one_from_naming_the_new_certificate() -> None:
    found = fleet()
    target = found.imported("fe01")
    client.ask(found.deployment, "fe01", op.RegistryDelete(path=KEY, name="certificate|default", prune=True))
    assert found.install(target).status == "changed"
    record = found.record("fe01")
    assert record is not None
    assert (record.step, record.new) == ("done", trust.thumbprint(target.certificate))


def test_a_use_without_any_certificate_is_a_refusal_and_no_crash() -> None:
    found = fleet()
    target = found.imported("fe01")
    client.ask(found.deployment, "fe01", op.RegistryDelete(path=KEY, name="certificate|default", prune=True))
    del found.host().lync.assigned["WebServicesInternal"]
    before = found.assigned("fe01")
    outcome = found.install(target)
    assert outcome.status == "refused"
    assert "WebServicesInternal" in outcome.message
    assert found.assigned("fe01") == before


# ---- proof by the port


@pytest.mark.parametrize("port", [4443, 5061])
def test_a_port_that_does_not_present_it_is_a_failure_and_the_next_run_looks_again(port: int) -> None:
    found = fleet()
    target = found.imported("edge01")
    well = found.host("edge01").quirks
    found.host("edge01").quirks = dataclasses.replace(well, closed_ports=(port,))
    outcome = found.install(target, limits=dataclasses.replace(LIMITS, present=0))
    assert outcome.status == "failed"
    assert "5061, 4443" in outcome.message
    assert "none" in outcome.message
    record = found.record("edge01")
    assert record is not None
    assert record.step == "assigned", "what is not proved is not done"
    found.host("edge01").quirks = well
    services = found.outside.services("edge01")
    assert found.install(target).ok
    record = found.record("edge01")
    assert record is not None
    assert record.step == "done"
    assert found.outside.services("edge01") == services, "they present it, so they are not restarted again"


def test_the_order_on_the_server_is_record_assignment_record_restart() -> None:
    found = fleet("lync2013")
    target = found.imported("fe01")
    session = found.session("fe01")
    assert found.install(target, session=t.cast(Session, session)).ok
    names = [(o.NAME, getattr(o, "name", "")) for o in session.done if o.CHANGES]
    record, services = ("registry_set", "certificate|default"), ("registry_set", "services|all")
    assert names == [
        ("lync_gate", ""),
        record,
        ("lync_assign", ""),
        record,
        services,
        ("lync_services", ""),
        ("lync_services", ""),
        ("registry_delete", "services|all"),
        record,
    ]
    assert changes_of(session) == ["lync_gate", "lync_assign", "lync_services", "lync_services"]
