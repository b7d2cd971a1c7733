# Copyright (c) 2026, the sfb.kb4023993 contributors
# GNU General Public License v3.0-or-later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Workaround 1 on an Edge that nobody may log on to from outside: scripts out, files back, until its evidence proves it."""

from __future__ import annotations

import json
import typing as t
from pathlib import Path

import pytest
import yaml
from builders.by_hand import start_install, start_kit, start_request
from integration.fleet import Fleet, Played
from lab import pki
from lab.ca.enterprise import EnterpriseCa
from lab.ca.request import make_request
from lab.ca.template import both_usages, web_server

EDGE, FRONT_END = "edge01", "fe01"
ACCOUNT = r"CONTOSO\sfb-requester"
TEMPLATE = "WebServerClientandServer"


class Desk:
    """What a user has who renews an Edge by hand, and the person at the Edge."""

    def __init__(self, fleet: Fleet, directory: Path) -> None:
        self.fleet = fleet
        self.lab = fleet.lab.deployment
        self.state = directory / "state"
        self.folders = directory / "folders"
        self.requests = directory / "requests"
        self.marks = directory / "marks.yml"
        directory.mkdir(parents=True, exist_ok=True)
        self.marks.write_text(yaml.safe_dump({"all": {"hosts": {EDGE: {"sfb_kb4023993_offline": True}}}}), "utf-8")
        accounts = [ACCOUNT.lower()]
        self.ca = EnterpriseCa(self.lab.issuer.authority("issuing"), [both_usages(accounts), web_server(accounts)])

    def play(self, playbook: str, *arguments: str, **variables: t.Any) -> Played:
        extra = {
            "sfb_kb4023993_offline_dir": str(self.folders),
            "sfb_kb4023993_ca_method": "files",
            "sfb_kb4023993_ca_directory": str(self.requests),
            **variables,
        }
        return self.fleet.play(playbook, "-i", str(self.marks), *arguments, state=self.state, variables=extra)

    @property
    def folder(self) -> Path:
        return self.folders / EDGE

    @property
    def record(self) -> dict[str, t.Any]:
        (path,) = (self.state / "certificates").glob("[!.]*.json")
        return t.cast("dict[str, t.Any]", json.loads(path.read_text("utf-8")))

    def read(self) -> None:
        """Kit, collect.ps1, import."""
        self.play("offline_kit")
        start_kit(self.lab, EDGE, self.folder)
        assert self.play("offline_import").code == 0

    def request(self) -> None:
        """Everything until the request lies in the folder on the controller."""
        self.read()
        assert self.play("certificate_kit").code == 0
        start_request(self.lab, EDGE, self.folder / "1-request")

    def sign(self, template: str = TEMPLATE) -> Played:
        """Hand the request in by the method files, let the CA issue, and fetch."""
        self.play("certificate_sign")
        (path,) = (self.requests / "requests").iterdir()
        row = self.ca.submit(ACCOUNT, path.read_bytes(), f"CertificateTemplate:{template}")
        assert row.certificate, row
        for number, der in enumerate([row.certificate, *self.ca.chain]):
            (self.requests / "certificates" / f"{number}.cer").write_bytes(der)
        return self.play("certificate_sign")


@pytest.fixture
def desk(tmp_path: Path) -> t.Iterator[Desk]:
    with Fleet("by_hand", tmp_path / "fleet") as fleet:
        yield Desk(fleet, tmp_path / "desk")


def test_from_broken_to_compliant_without_any_connection_to_the_edge(desk: Desk) -> None:
    assert desk.play("audit").verdicts == {EDGE: "not_assessed", FRONT_END: "broken"}
    desk.read()
    assert desk.play("audit").verdicts == {EDGE: "broken", FRONT_END: "broken"}
    old = desk.play("audit").hosts[EDGE]["certificate"]["thumbprint"]

    made = desk.play("certificate_kit")
    assert made.code == 0, made.output
    assert made.changed
    step = desk.folder / "1-request"
    assert {path.name for path in step.iterdir()} == {"README.txt", "SHA256SUMS", "request.inf", "request.ps1"}
    assert not desk.play("certificate_kit").changed
    start_request(desk.lab, EDGE, step)
    taken = desk.play("certificate_kit")
    assert taken.code == 0, taken.output
    assert (desk.record["step"], desk.record["servers"], desk.record["uses"]) == ("requested", [EDGE], ["Internal"])
    assert desk.record["current"]["thumbprint"] == old
    assert not desk.play("certificate_kit").changed

    desk.sign()
    assert desk.record["step"] == "verified", desk.record
    installed = desk.play("certificate_kit")
    assert installed.code == 0, installed.output
    step = desk.folder / "3-install"
    assert {path.name for path in step.iterdir()} >= {
        "README.txt",
        "SHA256SUMS",
        "certificate.cer",
        "ca-1.cer",
        "install.ps1",
    }
    assert f"Set-CsCertificate -Type Internal -Thumbprint {old}" in (step / "README.txt").read_text("utf-8")
    assert f"oldThumbprint = '{old}'" in (step / "install.ps1").read_text("ascii")

    # Assigned, but not restarted: the evidence says so, and nothing counts as done.
    start_install(desk.lab, EDGE, step, restart=False)
    start_kit(desk.lab, EDGE, desk.folder)
    desk.play("offline_import")
    half = desk.play("certificate_kit")
    assert "is still presented: restart the services" in half.output
    assert desk.record["step"] == "verified"

    with desk.lab.lock:
        desk.lab.clock.advance(60)
    start_install(desk.lab, EDGE, step)
    assert "imported" in desk.play("offline_import").output
    proved = desk.play("certificate_kit")
    assert proved.code == 0, proved.output
    assert desk.record["step"] == "done"
    assert desk.play("audit").verdicts == {EDGE: "compliant", FRONT_END: "compliant"}
    again = desk.play("certificate_kit")
    assert again.code == 0
    assert not again.changed
    assert sum(desk.fleet.lab.counters().get(EDGE, {}).values()) == 0


def test_a_request_of_another_server_or_none_is_not_taken(desk: Desk) -> None:
    desk.read()
    desk.play("certificate_kit")
    path = desk.folder / "1-request" / "request.req"
    for content, words in (
        (make_request("other.contoso.example"), "lacks"),
        ("hello", "Bring back the file that request.ps1 made"),
    ):
        path.write_text(content, "ascii")
        played = desk.play("certificate_kit")
        assert played.code != 0
        assert words in played.output
        assert not (desk.state / "certificates").exists() or not list((desk.state / "certificates").glob("*.json"))


def test_a_certificate_with_one_usage_never_reaches_the_edge(desk: Desk) -> None:
    desk.request()
    desk.play("certificate_kit")
    desk.sign("WebServer")
    assert desk.record["step"] == "refused"
    played = desk.play("certificate_kit")
    assert "request of an earlier round (step refused)" in played.output
    assert not (desk.folder / "3-install").exists()


def test_nothing_is_installed_before_the_front_ends_trust_the_new_root(desk: Desk) -> None:
    root = pki.root_authority("Contoso New Root CA", key=pki.shared_key("new root"))
    issuing = root.subordinate("Contoso New Issuing CA", key=pki.shared_key("new issuing"))
    desk.ca = EnterpriseCa(issuing, [both_usages([ACCOUNT.lower()])])
    desk.request()
    desk.play("certificate_kit")
    desk.sign()
    assert desk.record["step"] == "verified", desk.record
    evidence = desk.state / "evidence" / f"{FRONT_END}.json"
    kept = evidence.read_bytes()
    evidence.unlink()
    assert "Run the audit on the Front Ends first" in desk.play("certificate_kit").output.replace("\n", " ")
    evidence.write_bytes(kept)
    held = desk.play("certificate_kit")
    assert held.code != 0
    assert f"not known: {FRONT_END}" in held.output
    assert not (desk.folder / "3-install").exists()
    vouched = desk.play("certificate_kit", sfb_kb4023993_trusted_elsewhere=[FRONT_END])
    assert vouched.code == 0, vouched.output
    assert (desk.folder / "3-install").exists()


def test_wrong_hosts_are_named(desk: Desk) -> None:
    unknown = desk.play("certificate_kit")
    assert unknown.code != 0
    assert "There is none of this server" in unknown.output
    desk.play("audit")
    front_end = desk.play("certificate_kit", sfb_kb4023993_offline_hosts=FRONT_END)
    assert "only an Edge is renewed by hand" in front_end.output
