# Copyright (c) 2026, the sfb.kb4023993 contributors
# GNU General Public License v3.0-or-later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What tests see of a lab from outside and do to it: uses, ports, services, events, requests of CAs, and processes that end too early."""

from __future__ import annotations

import base64
import json
import typing as t
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests.exceptions
import winrm
from ansible_collections.sfb.kb4023993.plugins.plugin_utils.host import operations as op
from ansible_collections.sfb.kb4023993.plugins.plugin_utils.host import wire
from cryptography.hazmat.primitives.serialization import Encoding
from lab import client, trust
from lab.ca.enterprise import DENIED, ISSUED
from lab.ca.request import make_request
from lab.renewing import NEW_CA, TEMPLATE
from lab.running import Lab

NONCE = "00112233445566ff"
KEY = r"SOFTWARE\sfb.kb4023993"


@pytest.fixture
def lab(tmp_path: Path) -> Iterator[Lab]:
    with Lab("renewal", run_directory=tmp_path / "run") as running:
        yield running


def control(lab: Lab, path: str, body: dict[str, t.Any] | None = None) -> t.Any:
    address = f"http://127.0.0.1:{lab.server.endpoints.control_port}{path}"
    data = None if body is None else json.dumps(body).encode()
    with urllib.request.urlopen(urllib.request.Request(address, data=data), timeout=20) as reply:
        return json.load(reply)


def write(name: str) -> op.RegistrySet:
    return op.RegistrySet(path=KEY, name=name, kind="dword", data=("1",))


def over_winrm(lab: Lab, host: str, *operations: op.Operation) -> tuple[bytes, int]:
    """What a batch printed, and its exit code."""
    variables = lab.server.inventory_variables(host)
    command = client.invocation(host, operations, nonce=NONCE)
    encoded = base64.b64encode(command.script.encode("utf-16-le")).decode("ascii")
    protocol = winrm.Protocol(
        f"http://{variables['ansible_host']}:{variables['ansible_port']}{variables['ansible_winrm_path']}",
        transport="basic",
        ca_trust_path=str(lab.server.endpoints.certificate_path),
        username=str(variables["ansible_user"]),
        password=str(variables["ansible_password"]),
    )
    shell = protocol.open_shell(codepage=65001)
    number = protocol.run_command(shell, f"PowerShell -EncodedCommand {encoded}", console_mode_stdin=False)
    protocol.send_command_input(shell, number, command.stdin.encode("ascii"), end=True)
    stdout, _, code = protocol.get_command_output(shell, number)
    return stdout, code


def test_uses_and_what_the_ports_present(lab: Lab) -> None:
    uses = lab.outside.uses("fe13a")
    assert uses == control(lab, "/hosts/fe13a/uses")
    assert uses["Default"] != uses["OAuthTokenIssuer"]
    assert lab.outside.presented("fe13a") == dict.fromkeys(("5061", "8060", "8061"), uses["Default"])
    new = lab.deployment.assign("fe13a", "both")
    assert lab.outside.uses("fe13a")["Default"] == trust.thumbprint(new.certificate.public_bytes(Encoding.DER))
    assert control(lab, "/hosts/fe13a/presented")["5061"] == uses["Default"]


def test_everything_is_what_is_told_of_each(lab: Lab) -> None:
    seen = control(lab, "/hosts")
    assert set(seen) == set(lab.deployment.hosts)
    for name in ("fe13a", "edge10", "pki01"):
        assert seen[name] == {word: control(lab, f"/hosts/{name}/{word}") for word in seen[name]}
    assert {"registry", "uses", "enforces", "connections"} <= set(seen["pki01"])


def test_services_as_they_are_now(lab: Lab) -> None:
    before = control(lab, "/hosts/edge15/services")["RTCSRV"]
    assert before == {"status": "running", "start_mode": "automatic", "pid": before["pid"]}
    lab.host("edge15").services.begin_stop("RTCSRV")
    control(lab, "/clock/advance", {"seconds": 5})
    assert control(lab, "/hosts/edge15/services")["RTCSRV"] == {**before, "status": "stopped", "pid": None}
    assert lab.outside.presented("edge15")["5061"] is None


def test_a_pool_that_breaks_down_is_seen(lab: Lab) -> None:
    for name in ("fe13a", "fe13b"):
        lab.host(name).services.begin_stop("RTCSRV")
    lab.advance(5)
    lab.outside.services("fe13c")
    lab.advance(5)
    assert lab.outside.services("fe13c")["RTCSRV"]["status"] == "stopped"


def test_events_are_those_of_the_fault(lab: Lab) -> None:
    before = lab.outside.events("fe13a")
    assert {event["id"] for event in before} == {41025, 41026, 41029, 41031}
    assert [event["record_id"] for event in before] == sorted(event["record_id"] for event in before)
    lab.advance(60)
    after = control(lab, "/hosts/fe13a/events")
    assert after[-1]["record_id"] > before[-1]["record_id"]


def test_stores_tell_keys_and_names(lab: Lab) -> None:
    stores = control(lab, "/hosts/edge13b/stores")
    own = next(each for each in stores["My"] if "edgepool13" in each["subject"])
    assert own == {**own, "has_private_key": True, "exportable": True, "issuer": "CN=Contoso Issuing CA 1"}
    assert [each["subject"] for each in stores["Root"]] == ["CN=Contoso Root CA"]
    assert len(lab.outside.stores("fe13a")["Root"]) == 2


def test_the_override_by_hand_counts_from_the_next_process_on(lab: Lab) -> None:
    key = r"SOFTWARE\Microsoft\.NETFramework\v4.0.30319\System.Net.ServicePointManager.RequireCertificateEKUs"
    path = lab.host("fe15a").services.executable("RTCDATAMCU")
    assert path is not None
    lab.host("fe15a").registry.write(key, path, "dword", 0)
    for enforces, outcomes in ((True, {"rejected"}), (False, {"connected"})):
        assert control(lab, "/hosts/fe15a/enforces") is enforces
        assert set(control(lab, "/hosts/fe15a/connections").values()) == outcomes
        control(lab, "/hosts/fe15a/restart", {"service": "RTCDATAMCU"})
    control(lab, "/hosts/fe15a/remove_value", {"path": key, "value": path})
    assert control(lab, "/hosts/fe15a/enforces") is False
    control(lab, "/hosts/fe15a/restart", {"service": "RTCDATAMCU"})
    assert control(lab, "/hosts/fe15a/enforces") is True
    assert control(lab, "/hosts/edge15/connections") == {}
    assert control(lab, "/hosts/edge15/enforces") is None


def test_a_renewal_by_hand_is_presented_at_once(lab: Lab) -> None:
    before = lab.outside.presented("edge15")
    control(lab, "/hosts/edge15/renew", {"template": "both"})
    after = lab.outside.presented("edge15")
    assert set(after.values()) == {lab.outside.uses("edge15")["Internal"]}
    assert not set(before.values()) & set(after.values())
    assert lab.outside.connections("fe15a")["edge15.contoso.example:8057"] == "connected"


@pytest.mark.parametrize(
    ("word", "body", "said"),
    [
        ("renew", {"template": "none"}, "none"),
        ("renew", {}, "template"),
        ("restart", {"service": "RTCNONE"}, "RTCNONE was not found"),
        ("remove_value", {"path": KEY, "value": "a"}, "has no value a"),
    ],
)
def test_what_nobody_can_do_by_hand_is_told(lab: Lab, word: str, body: dict[str, str], said: str) -> None:
    with pytest.raises(urllib.error.HTTPError) as wrong:
        control(lab, f"/hosts/fe10/{word}", body)
    assert wrong.value.code == 400
    assert said in wrong.value.read().decode()


@pytest.mark.parametrize(("decision", "disposition"), [("approve", ISSUED), ("deny", DENIED)])
def test_a_manager_decides_about_requests(lab: Lab, decision: str, disposition: int) -> None:
    row = lab.outside.ca(NEW_CA).submit(r"CONTOSO\sfb-admin", make_request("a.contoso.example").encode(), TEMPLATE)
    body = {"config": NEW_CA, "request_id": row.id}
    (told,) = control(lab, "/ca/requests")
    assert told == {**told, **body, "disposition": 5, "account": r"CONTOSO\sfb-admin"}
    assert control(lab, f"/ca/{decision}", body) == {"disposition": disposition}
    with pytest.raises(urllib.error.HTTPError) as again:
        control(lab, f"/ca/{decision}", body)
    assert again.value.code == 400
    assert "no such pending request" in again.value.read().decode()


@pytest.mark.parametrize(("number", "done"), [(0, []), (1, ["a"]), (2, ["a", "b"])])
def test_a_process_that_is_ended_has_done_what_came_before(lab: Lab, number: int, done: list[str]) -> None:
    control(lab, "/hosts/fe10/kill", {"number": number, "operation": None})
    batch = (write("a"), write("b"), write("c"))
    stdout, code = over_winrm(lab, "fe10", *batch)
    assert (stdout, code != 0) == (b"", True)
    with pytest.raises(wire.ReplyError, match="no reply"):
        wire.decode_reply(stdout.decode(), batch, nonce=NONCE)
    names = [value.name for value in lab.host("fe10").registry.values(KEY)]
    assert names == done
    # It strikes once.
    assert over_winrm(lab, "fe10", *batch)[1] == 0
    assert [value.name for value in lab.host("fe10").registry.values(KEY)] == ["a", "b", "c"]


def test_only_operations_of_one_name_are_counted(lab: Lab) -> None:
    lab.outside.kill("fe10", number=1, operation="registry_delete")
    assert over_winrm(lab, "fe10", write("a"), op.System())[1] == 0
    assert over_winrm(lab, "fe10", write("a"), op.RegistryDelete(path=KEY, name="a"), write("b"))[0] == b""
    assert not lab.host("fe10").registry.values(KEY)


def test_a_connection_that_breaks_with_it(lab: Lab) -> None:
    lab.outside.kill("fe10", number=1, ending="disconnect")
    with pytest.raises((requests.exceptions.RequestException, winrm.exceptions.WinRMTransportError)):
        over_winrm(lab, "fe10", write("a"), write("b"))
    assert [value.name for value in lab.host("fe10").registry.values(KEY)] == ["a"]
    assert over_winrm(lab, "fe10", write("b"))[1] == 0


def test_what_cannot_be_done_is_told(lab: Lab) -> None:
    with pytest.raises(urllib.error.HTTPError) as wrong:
        control(lab, "/hosts/fe10/kill", {"number": 1, "ending": "loud"})
    assert "silent or disconnect" in wrong.value.read().decode()
    with pytest.raises(ValueError, match="0 or more"):
        lab.outside.kill("fe10", number=-1)
