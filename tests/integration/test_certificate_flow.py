# Copyright (c) 2026, the sfb.kb4023993 contributors
# GNU General Public License v3.0-or-later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Workaround 1 step by step, taken back, cut by the death of the controller, and taken up by another one."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from integration.fleet import Fleet
from integration.renewal import (
    CA_AT_ONCE,
    approve_all,
    ended,
    handed_in,
    issued,
    last_event,
    outcomes,
    override_of,
    own_records,
    play,
    records,
    rejections,
    snapshot,
    uses,
)
from lab.ca.enterprise import ISSUED, UNDER_SUBMISSION
from powershell.sslstream import SslStreamServer, engine_program

STEPS = ("certificate_request", "certificate_sign", "certificate_install", "certificate_retire")
SERVERS = ("fe01", "edge01")


class Whole:
    """A fleet that one run of remediate took from broken to the end."""

    def __init__(self, fleet: Fleet) -> None:
        self.fleet = fleet
        self.before = {name: uses(fleet, name) for name in SERVERS}
        self.old = {name: identity(fleet, name) for name in SERVERS}
        self.played = play(fleet, strategy="auto", ca_config=CA_AT_ONCE)
        self.end = ended(fleet)


@pytest.fixture(scope="module")
def whole(start: Callable[..., Fleet]) -> Whole:
    return Whole(start("renewal_small"))


def identity(fleet: Fleet, name: str) -> tuple[bytes, bytes]:
    """What a server shows of itself in TLS, with its issuers, and the key of it, in PEM."""
    use = "Default" if name.startswith("fe") else "Internal"
    with fleet.lab.deployment.lock:
        stores = fleet.lab.host(name).stores
        entry = stores.find(uses(fleet, name)[use])
        assert entry is not None
        assert entry.key is not None
        shown = stores.presented(entry.certificate)
        key = entry.key.private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    return b"".join(map(pem, (shown.certificate, *shown.issuers))), key


def pem(certificate: bytes) -> bytes:
    return x509.load_der_x509_certificate(certificate).public_bytes(Encoding.PEM)


def test_one_run_of_remediate_ends_compliant(whole: Whole) -> None:
    assert whole.played.code == 0, whole.played.output
    assert {whole.played.verdicts[name] for name in SERVERS} == {"compliant"}
    assert all(override_of(whole.fleet, name) is None for name in SERVERS)
    assert whole.end["records"] == {"edge01 Internal": "done", "fe01 Default": "done"}
    assert whole.end["requests"] == [ISSUED, ISSUED]


def test_steps_one_after_another_end_where_remediate_ends(start: Callable[..., Fleet], whole: Whole) -> None:
    fleet = start("renewal_small")
    assert play(fleet, strategy="override").code == 0
    shown: dict[str, set[str]] = {}
    for step in STEPS:
        before = snapshot(fleet)
        foreseen = play(fleet, step, "--check", "--diff", ca_config=CA_AT_ONCE)
        assert foreseen.code == 0, foreseen.output
        assert snapshot(fleet) == before, step
        shown[step] = {line[1:] for line in foreseen.output.splitlines() if line.startswith("+")}
        done = play(fleet, step, ca_config=CA_AT_ONCE)
        assert done.code == 0, done.output
    assert ended(fleet) == whole.end
    assert done.verdicts["fe01"] == done.verdicts["edge01"] == "compliant"

    # What --diff had shown is what came.
    requested = "key of 2048 bits and request for"
    assert any(line.startswith(f"fe01 Default: {requested} se01.contoso.example") for line in shown[STEPS[0]])
    assert any(line.startswith(f"edge01 Internal: {requested} edge01.contoso.example") for line in shown[STEPS[0]])
    assert {"fe01 Default: submitting", "edge01 Internal: submitting"} <= shown[STEPS[1]]
    for name, which in (("fe01", "Default, WebServicesInternal, WebServicesExternal"), ("edge01", "Internal")):
        new = uses(fleet, name)[which.partition(",")[0]]
        assert f"{which}: {new}" in shown[STEPS[2]], shown[STEPS[2]]
    assert "services: all restarted (plain), with downtime for its users" in shown[STEPS[2]]
    assert any(line.endswith("DataMCUSvc.exe = absent") for line in shown[STEPS[3]]), shown[STEPS[3]]

    before = snapshot(fleet)
    again = play(fleet, ca_config=CA_AT_ONCE)
    assert again.code == 0, again.output
    assert again.changed == set()
    assert snapshot(fleet) == before


def test_reissued_certificates_pass_a_real_sslstream(whole: Whole) -> None:
    """The class that DataMCUSvc checks its peers with; .NET on this machine, not .NET Framework on Windows."""
    program = engine_program()
    if program is None:
        pytest.skip("no PowerShell engine: set SFB_PWSH")
    new = {name: identity(whole.fleet, name) for name in SERVERS}
    assert all(new[name] != whole.old[name] for name in SERVERS)
    with whole.fleet.lab.deployment.lock:
        roots = b"".join(pem(entry.certificate) for entry in whole.fleet.lab.host("fe01").stores.entries("Root"))
    with SslStreamServer(program, trusted=roots) as server:
        for name in SERVERS:
            refused, accepted = server.connect(*whole.old[name]), server.connect(*new[name])
            assert (refused.accepted, refused.statuses) == (False, ("NotValidForUsage",)), refused
            assert accepted.accepted, accepted


def test_rollback_after_the_override_was_retired(whole: Whole) -> None:
    fleet, outside = whole.fleet, whole.fleet.lab.outside
    begun, seen = len(outside.journal()), last_event(fleet, "fe01")

    played = play(fleet, "rollback")
    assert played.code == 0, played.output
    assert {name: uses(fleet, name) for name in SERVERS} == whole.before
    assert {played.verdicts[name] for name in SERVERS} == {"mitigated"}
    assert override_of(fleet, "fe01") == 0
    assert {row["status"] for name in SERVERS for row in outside.services(name).values()} == {"running"}
    assert not any(
        record.startswith(("certificate", "services")) for name in SERVERS for record in own_records(fleet, name)
    )

    # The override, and the restart that brings it into effect, came before the first old certificate.
    done = [(entry.host, entry.operation) for entry in outside.journal()[begun:]]
    names = [operation.NAME for _host, operation in done]
    assert names.index("service_restart") < names.index("lync_assign")
    fleet.lab.advance(3600)
    assert rejections(fleet, "fe01", after=seen) == []
    # Web Conferencing has read the override: nothing would be logged of an old certificate, whenever that comes.
    assert not fleet.enforces("fe01")

    before = snapshot(fleet)
    second = play(fleet, "rollback")
    assert second.code == 0, second.output
    assert second.changed == set()
    assert snapshot(fleet) == before


def test_killed_controller_goes_on_to_the_same_end(start: Callable[..., Fleet], whole: Whole) -> None:
    """Between tasks, where what the servers did is not yet known to the records, or the other way round."""
    fleet = start("renewal_small")
    for task in (
        "Request | Take the requests into records",
        "Ask CA | Hand in and fetch",
        "Sign | Note on the servers where their request is",
        "Assign | Import the certificates to their keys",
        "Wave | Assign and restart, wave 2",
        "Verify | Judge the fleet again",
    ):
        play(fleet, ca_config=CA_AT_ONCE, end_at=task)
        assert len(handed_in(fleet)) == (0 if task.startswith(("Request", "Ask CA")) else 2), task
    played = play(fleet, ca_config=CA_AT_ONCE)
    assert played.code == 0, played.output
    assert ended(fleet) == whole.end
    assert {played.verdicts[name] for name in SERVERS} == {"compliant"}


def test_another_controller_goes_on_after_the_approval(start: Callable[..., Fleet], tmp_path: Path) -> None:
    fleet = start("renewal_small")
    pending = play(fleet)
    # A CA manager's approval is waited for, which is no failure.
    assert {result for result, _message in outcomes(pending).values()} == {"pending"}
    assert pending.code == 0, pending.output
    assert handed_in(fleet) == [UNDER_SUBMISSION] * 2
    assert approve_all(fleet) == 2

    other = tmp_path / "other"
    played = play(fleet, state=other)
    assert played.code == 0, played.output
    assert {played.verdicts[name] for name in SERVERS} == {"compliant"}
    assert handed_in(fleet) == [ISSUED] * 2
    assert {record["step"] for record in records(other).values()} == {"done"}
    assert {uses(fleet, "fe01")["Default"], uses(fleet, "edge01")["Internal"]} == set(issued(fleet))
    again = play(fleet, state=other)
    assert (again.code, again.changed) == (0, set())


def test_request_of_a_lost_controller_is_handed_in_only_by_a_persons_word(
    start: Callable[..., Fleet], tmp_path: Path
) -> None:
    fleet = start("renewal_small")
    # The CA has got the request of the Front End, and that of the Edge was about to go: then the controller is gone.
    play(
        fleet,
        "remediate",
        "--limit",
        "fe01,pki01",
        ca_config=CA_AT_ONCE,
        end_at="Sign | Note on the servers where their request is",
    )
    play(fleet, ca_config=CA_AT_ONCE, end_at="Ask CA | Hand in and fetch")
    assert {own_records(fleet, name)[value]["step"] for name, value in _OWN.items()} == {"submitting"}
    assert len(handed_in(fleet)) == 1

    other = tmp_path / "other"
    asked = play(fleet, state=other, ca_config=CA_AT_ONCE)
    assert asked.code != 0
    assert len(handed_in(fleet)) == 1
    assert {"fe01", "edge01"} <= asked.failed
    for result, message in outcomes(asked).values():
        assert result == "failed"
        assert "Another controller was about to hand the request in" in message
        assert "request_ids" in message
        assert "submit_again" in message

    (known,) = (row["request_id"] for row in fleet.lab.outside.requests())
    played = play(
        fleet,
        state=other,
        ca_config=CA_AT_ONCE,
        request_ids={"fe01 Default": known},
        submit_again=["edge01 Internal"],
    )
    assert played.code == 0, played.output
    assert handed_in(fleet) == [ISSUED] * 2
    assert {played.verdicts[name] for name in SERVERS} == {"compliant"}


_OWN = {"fe01": "certificate|default", "edge01": "certificate|internal"}
