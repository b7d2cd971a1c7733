# Copyright (c) 2026, the sfb.kb4023993 contributors
# GNU General Public License v3.0-or-later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Workaround 1 where something is in the way: denied requests, wrong templates, servers that cannot be asked or do not come back; and the ways to
a CA that need no host of the domain."""

from __future__ import annotations

import dataclasses
import typing as t
from pathlib import Path

import pytest
from ansible_collections.sfb.kb4023993.plugins.plugin_utils.host import certificate_operations as cop
from integration.fleet import Fleet
from integration.leaks import files_of, leaks
from integration.renewal import CA, CA_AT_ONCE, handed_in, issued, outcomes, play, records, snapshot, uses
from lab.ca.certsrv import Certsrv
from lab.ca.enterprise import DENIED, ISSUED, UNDER_SUBMISSION, bundle
from lab.protocol import Fault

SERVERS = ("fe01", "edge01")
ACCOUNT = r"CONTOSO\sfb-admin"
PASSWORD = "Ue5-unlikely-in-any-other-file"  # noqa: S105
TEMPLATE = "CertificateTemplate:WebServerClientandServer"
_RECORDS = {"fe01": "fe01 Default", "edge01": "edge01 Internal"}


@pytest.fixture
def fleet(tmp_path: Path) -> t.Iterator[Fleet]:
    with Fleet("renewal_small", tmp_path) as running:
        yield running


def changed_operations(fleet: Fleet) -> list[type[t.Any]]:
    return [type(done.operation) for done in fleet.lab.outside.journal()]


def in_use(fleet: Fleet) -> set[str]:
    """The servers whose main use has a certificate that a CA of the scenario gave."""
    mains = {"fe01": "Default", "edge01": "Internal"}
    return {name for name, use in mains.items() if uses(fleet, name)[use] in issued(fleet)}


def assert_ended(fleet: Fleet, **how: t.Any) -> None:
    """One more run ends well, and the one after it has nothing to do."""
    played = play(fleet, **how)
    assert played.code == 0, played.output
    assert {played.verdicts[name] for name in SERVERS} == {"compliant"}
    assert in_use(fleet) == set(SERVERS)
    again = play(fleet, **how)
    assert (again.code, again.changed) == (0, set()), again.output


def test_denied_request_stops_its_server_alone_and_a_new_one_leads_to_the_end(fleet: Fleet) -> None:
    play(fleet)
    waiting = {row["request_id"]: row for row in fleet.lab.outside.requests()}
    denied = records(fleet.state)["fe01 Default"]["submission"]["request_id"]
    fleet.lab.outside.deny(CA, denied)
    (other,) = set(waiting) - {denied}
    fleet.lab.outside.approve(CA, other)

    played = play(fleet)
    assert played.code != 0
    result, message = outcomes(played)["fe01"]
    assert result == "failed"
    assert f"request {denied}" in message
    assert "0x80094014" in message
    assert "a CA manager denied it" in message
    assert "request_again" in message
    assert (outcomes(played)["edge01"][0], in_use(fleet)) == ("done", {"edge01"})

    # Nothing new is handed in, unless a person says so.
    assert handed_in(fleet) == [DENIED if number == denied else ISSUED for number in sorted(waiting)]
    old = records(fleet.state)["fe01 Default"]["csr"]
    wanted = play(fleet, request_again=["fe01 Default"])
    assert wanted.code == 0, wanted.output
    assert outcomes(wanted)["fe01"][0] == "pending"
    assert records(fleet.state)["fe01 Default"]["csr"] != old
    assert sorted(handed_in(fleet)) == sorted([DENIED, ISSUED, UNDER_SUBMISSION])
    fleet.lab.outside.approve(CA, max(row["request_id"] for row in fleet.lab.outside.requests()))
    assert_ended(fleet)
    assert len(handed_in(fleet)) == 3


def test_host_without_delegation_stops_the_run_and_a_wrong_template_is_refused_before_import(fleet: Fleet) -> None:
    access = t.cast("dict[t.Any, tuple[str, str]]", fleet.lab.deployment.surroundings.ca_access)
    host = fleet.lab.host("pki01")
    before, (_word, account) = snapshot(fleet), access[host]
    access[host] = ("not_delegated", account)
    stopped = play(fleet, ca_config=CA_AT_ONCE)
    assert stopped.code != 0
    assert "ansible_winrm_kerberos_delegation" in stopped.output
    assert snapshot(fleet) == before
    assert set(changed_operations(fleet)) == {cop.CaChain}
    access[host] = ("delegated", account)

    wrong = play(fleet, ca_config=CA_AT_ONCE, template_name="WebServer")
    assert wrong.code != 0
    for name in SERVERS:
        result, message = outcomes(wrong)[name]
        assert result == "failed"
        assert "clientAuth" in message or "client authentication" in message, message
    assert {record["step"] for record in records(fleet.state).values()} == {"refused"}
    assert not {cop.LyncImport, cop.StoreAdd, cop.LyncAssign} & set(changed_operations(fleet))
    assert snapshot(fleet)["servers"]["fe01"]["uses"] == before["servers"]["fe01"]["uses"]

    assert_ended(fleet, ca_config=CA_AT_ONCE, request_again=list(_RECORDS.values()))
    assert handed_in(fleet) == [ISSUED] * 4


def test_edge_that_cannot_be_asked_keeps_the_certificate_from_being_assigned(fleet: Fleet) -> None:
    fleet.lab.set_faults("edge01", [Fault(stage="connect", kind="refuse")])
    blocked = play(fleet, ca_config=CA_AT_ONCE)
    assert blocked.code != 0
    assert in_use(fleet) == set()
    assert "does not say whether" in outcomes(blocked)["edge01"][1] or "did not say whether it trusts" in blocked.output
    assert "sfb_kb4023993_trusted_elsewhere" in blocked.output

    vouched = play(fleet, ca_config=CA_AT_ONCE, trusted_elsewhere=["edge01"])
    assert outcomes(vouched)["fe01"][0] == "done"
    assert in_use(fleet) == {"fe01"}
    fleet.lab.set_faults("edge01", [])
    assert_ended(fleet, ca_config=CA_AT_ONCE)
    assert len(handed_in(fleet)) == 2


def test_pages_of_the_ca(fleet: Fleet, tmp_path: Path) -> None:
    with Certsrv(fleet.lab.outside.ca(CA_AT_ONCE), tmp_path / "certsrv", user=ACCOUNT, password=PASSWORD) as pages:
        how: dict[str, t.Any] = {
            "ca_host": None,
            "ca_method": "web",
            "ca_url": pages.url,
            "ca_file": str(pages.ca_file),
            "ca_user": ACCOUNT,
            # Ansible itself prints the words of its own command line.
            "ca_password": "{{ lookup('ansible.builtin.env', 'CA_PASSWORD') }}",
            "environment": {"CA_PASSWORD": PASSWORD},
        }
        played = play(fleet, "remediate", "-vvvvvv", **how)
        assert played.code == 0, played.output
        assert in_use(fleet) == set(SERVERS)
        again = play(fleet, **how)
        assert (again.code, again.changed) == (0, set()), again.output
    assert handed_in(fleet) == [ISSUED] * 2
    places = files_of(fleet.state, fleet.directory / "tmp", fleet.directory / "home")
    secrets = {"the CA's password": PASSWORD.encode()}
    assert leaks({**places, "output": played.output.encode()}, secrets) == []


def test_files_for_any_ca(fleet: Fleet, tmp_path: Path) -> None:
    folder = tmp_path / "exchange"
    how: dict[str, t.Any] = {"ca_host": None, "ca_config": None, "ca_method": "files", "ca_directory": str(folder)}
    first = play(fleet, **how)
    assert first.code == 0, first.output
    assert {result for result, _message in outcomes(first).values()} == {"pending"}

    ca = fleet.lab.outside.ca(CA_AT_ONCE)
    requests = sorted((folder / "requests").glob("*.req"))
    assert len(requests) == len(SERVERS)
    for path in requests:
        row = ca.submit(ACCOUNT, path.read_bytes(), TEMPLATE)
        assert row.certificate is not None
        (folder / "certificates" / f"{row.id}.p7b").write_bytes(bundle([row.certificate, *ca.chain]))
    assert_ended(fleet, **how)


def test_trouble_stops_its_own_pool_and_the_next_run_finishes(tmp_path: Path) -> None:
    with Fleet("renewal_trouble", tmp_path) as fleet:
        before = {name: uses(fleet, name) for name in fleet.names}
        running = {name: fleet.lab.outside.services(name) for name in fleet.names}
        played = play(fleet, services_timeout=1)
        assert played.code != 0
        found = outcomes(played)

        assert found["good"][0] == "done"
        assert "Starting the services failed: Cannot start service RTCSRV" in found["stuck1"][1]
        for first, second in (("stuck1", "stuck2"), ("busy1", "busy2"), ("unknown1", "unknown2")):
            assert found[second] == ("failed", f"Not touched, because {first} of its pool did not come back well.")
        assert "The pool says Busy instead of Ready, so nothing was stopped" in found["busy1"][1]
        assert "The pool says Undecided instead of Ready, so nothing was stopped" in found["unknown1"][1]
        assert "Import-CsCertificate did not work" in found["bare"][1]
        assert "by hand in the Management Shell" in found["bare"][1]
        untouched = ("stuck2", "busy1", "busy2", "unknown1", "unknown2", "bare")
        for name in untouched:
            assert uses(fleet, name) == before[name]
            assert fleet.lab.outside.services(name) == running[name]

        with fleet.lab.deployment.lock:
            for host in fleet.lab.deployment.hosts.values():
                host.quirks = dataclasses.replace(host.quirks, gate_state="", no_lync_module=False)
            service = fleet.lab.host("stuck1").services.peek("RTCSRV")
            assert service is not None
            service.behaviour = dataclasses.replace(service.behaviour, fails_to_start=False)
        finished = play(fleet)
        assert finished.code == 0, finished.output
        assert {finished.verdicts[name] for name in before if name != "pki01"} == {"compliant"}
        assert {row["status"] for name in before for row in fleet.lab.outside.services(name).values()} <= {"running"}
        assert handed_in(fleet) == [ISSUED] * 8
