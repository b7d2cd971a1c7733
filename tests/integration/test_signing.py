# Copyright (c) 2026, the sfb.kb4023993 contributors
# GNU General Public License v3.0-or-later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Requests signed by the lab's CA through the module, as a user runs it: pages with NTLM and channel binding, and files."""

from __future__ import annotations

import base64
import dataclasses
import datetime
import json
import os
import re
import signal
import subprocess
import typing as t
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

import pytest
import requests
import requests_ntlm
import yaml
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from integration.fleet import COLLECTIONS, PLAYBOOK
from lab import pki
from lab.ca.certsrv import Certsrv
from lab.ca.enterprise import EnterpriseCa, Request, bundle
from lab.ca.request import make_request, request_key
from lab.ca.template import Template, both_usages, web_server
from powershell.sslstream import SslStreamServer, engine_program

ACCOUNT = r"CONTOSO\sfb-requester"
PASSWORD = "Ae9!unlikely-in-any-file"  # noqa: S105
TEMPLATE = "WebServerClientandServer"
NAME = "edgepool.contoso.example"
RECORD = "edge01 Internal"
# So loud that a secret would show wherever Ansible prints one.
LOUD = "-vvv"

Result = dict[str, t.Any]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Signed:
    """How one run of the module ended."""

    result: Result
    output: str

    @property
    def certificate(self) -> Result:
        (certificate,) = self.result["certificates"]
        return t.cast("Result", certificate)

    @property
    def step(self) -> str:
        return str(self.certificate["step"])

    @property
    def message(self) -> str:
        return str(self.result["msg"])


class Desk:
    """What a user has: a CA with its pages, a request, a state directory."""

    def __init__(self, directory: Path, certsrv: Certsrv, csr: str) -> None:
        self.directory = directory
        self.certsrv = certsrv
        self.ca = certsrv.ca
        self.state = directory / "state"
        self.outputs: list[str] = []
        self.csr = csr

    def web(self, **changes: t.Any) -> Result:
        return {
            "method": "web",
            "url": self.certsrv.url,
            "ca_file": str(self.certsrv.ca_file),
            "user": ACCOUNT,
            "password": "{{ lookup('ansible.builtin.env', 'REQUESTER_PASSWORD') }}",
            "template": TEMPLATE,
            "timeout": 20,
            "requests": [{"server": "edge01", "uses": ["Internal"], "csr": self.csr}],
            **changes,
        }

    def files(self, **changes: t.Any) -> Result:
        return {
            "method": "files",
            "directory": str(self.directory / "exchange"),
            "requests": [{"server": "edge01", "uses": ["Internal"], "csr": self.csr}],
            **changes,
        }

    def play(self, arguments: Result, *flags: str, password: str = PASSWORD) -> Signed:
        """One run of ansible-playbook with one task."""
        (signed,) = self.play_each([arguments], *flags, password=password)
        return signed

    def play_each(self, each: Sequence[Result], *flags: str, password: str = PASSWORD) -> list[Signed]:
        """One run of ansible-playbook with a task for each of these arguments."""
        process = self.start(each, *flags, password=password)
        output, _ = process.communicate(timeout=180)
        self.outputs.append(output)
        found = re.findall(r'"msg": ("RESULT .*")', output)
        assert len(found) == len(each), output
        return [Signed(result=json.loads(json.loads(text).removeprefix("RESULT ")), output=output) for text in found]

    def start(self, each: Sequence[Result], *flags: str, password: str = PASSWORD) -> subprocess.Popen[str]:
        tasks = [
            task
            for arguments in each
            for task in (
                {
                    "name": "Sign",
                    "sfb.kb4023993.sfb_certificate_request": {"state_dir": str(self.state), **arguments},
                    "register": "signed",
                    "ignore_errors": True,
                },
                {"name": "Show", "ansible.builtin.debug": {"msg": "RESULT {{ signed | to_json }}"}},
            )
        ]
        play = {"name": "Test", "hosts": "localhost", "gather_facts": False, "tasks": tasks}
        playbook = self.directory / "sign.yml"
        playbook.write_text(yaml.safe_dump([play]))
        clean = {key: value for key, value in os.environ.items() if not key.startswith(("ANSIBLE_", "XDG_"))}
        environment: Mapping[str, str] = {
            **clean,
            "ANSIBLE_COLLECTIONS_PATH": str(COLLECTIONS),
            "ANSIBLE_HOME": str(self.directory / "home"),
            "ANSIBLE_NOCOLOR": "1",
            "ANSIBLE_LOCALHOST_WARNING": "false",
            "ANSIBLE_INVENTORY_UNPARSED_WARNING": "false",
            "REQUESTER_PASSWORD": password,
            # Nothing of this may reach the connection to the CA.
            "HTTPS_PROXY": "http://127.0.0.1:9",
            "REQUESTS_CA_BUNDLE": "/nonexistent",
        }
        return subprocess.Popen(
            [str(PLAYBOOK), LOUD, str(playbook), *flags],
            cwd=self.directory,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            encoding="utf-8",
            start_new_session=True,
        )

    def record(self) -> Result:
        return t.cast("Result", json.loads((self.state / "certificates" / "edge01%20Internal.json").read_text()))


Opening = Callable[..., Desk]


@pytest.fixture
def open_desk(tmp_path: Path) -> Iterator[Opening]:
    """Opens a desk whose CA has these templates; its pages end with the test."""
    running: list[Certsrv] = []
    desks: list[Desk] = []

    def open_one(
        *templates: Template, authority: pki.Authority | None = None, csr: str | None = None, **pages: t.Any
    ) -> Desk:
        issuing = authority or pki.root_authority("Contoso Root CA").subordinate("Contoso Issuing CA")
        ca = EnterpriseCa(issuing, templates or [both_usages([ACCOUNT.lower()])])
        certsrv = Certsrv(ca, tmp_path / f"certsrv{len(running)}", user=ACCOUNT, password=PASSWORD, **pages)
        running.append(certsrv.__enter__())
        desks.append(Desk(tmp_path, certsrv, csr or make_request(NAME)))
        return desks[-1]

    yield open_one
    for certsrv in running:
        certsrv.__exit__(None, None, None)
    for desk in desks:
        _search_for_secrets(desk)


def _search_for_secrets(desk: Desk) -> None:
    """After every test of this file: the password is nowhere in the output, the state, or any other file that was written."""
    texts = {"output": "\n".join(desk.outputs)}
    texts.update(
        {str(path): path.read_text("utf-8", "replace") for path in desk.directory.rglob("*") if path.is_file()}
    )
    encoded = base64.b64encode(PASSWORD.encode()).decode("ascii")
    for where, text in texts.items():
        assert PASSWORD not in text, where
        assert encoded not in text, where
        if "PRIVATE KEY" in text:
            assert where.endswith("listener.key"), where


@pytest.mark.matrix
@pytest.mark.parametrize("language", ["en", "de"])
def test_issued_certificate_is_verified_and_a_second_run_asks_nothing(open_desk: Opening, language: str) -> None:
    desk = open_desk(language=language)
    first, second = desk.play_each([desk.web(), desk.web()], "--diff")
    assert (first.step, first.result["changed"]) == ("verified", True), first.message
    assert f"+{RECORD}: verified" in first.output
    assert (second.step, second.result["changed"]) == ("verified", False)
    assert len(desk.ca.requests) == 1
    new = desk.record()["new"]
    assert new["certificate"].startswith("-----BEGIN CERTIFICATE-----")
    assert [pem.count("BEGIN") for pem in new["chain"]] == [1, 1]
    assert {path.stat().st_mode & 0o777 for path in desk.state.rglob("*.json")} == {0o600}


def test_check_mode_asks_nobody_and_writes_nothing(open_desk: Opening) -> None:
    desk = open_desk()
    checked = desk.play(desk.web(), "--check", "--diff")
    assert checked.result["changed"] is True
    assert f"+{RECORD}: submitting" in checked.output
    assert (desk.ca.requests, desk.certsrv.posts) == ([], 0)
    assert not desk.state.exists()


@pytest.mark.parametrize("language", ["en", "de"])
def test_pending_request_is_approved_later_and_never_handed_in_twice(open_desk: Opening, language: str) -> None:
    desk = open_desk(both_usages([ACCOUNT.lower()], manager_approval=True), language=language)
    first, waiting = desk.play_each([desk.web(), desk.web()])
    (row,) = desk.ca.requests
    assert (first.step, first.certificate["request_id"], first.result["failed"]) == ("pending", row.id, False)
    assert f"as request {row.id}" in first.certificate["message"]
    assert (waiting.step, waiting.result["changed"]) == ("pending", False)
    desk.ca.approve(row.id)
    # A later run needs only the state directory, not the request.
    last = desk.play(desk.web(requests=[]))
    assert (last.step, last.result["changed"]) == ("verified", True), last.message
    assert len(desk.ca.requests) == desk.certsrv.posts == 1


@pytest.mark.parametrize("language", ["en", "de"])
def test_request_denied_by_a_manager_is_reported_and_can_be_handed_in_again(open_desk: Opening, language: str) -> None:
    desk = open_desk(both_usages([ACCOUNT.lower()], manager_approval=True), language=language)
    desk.play(desk.web())
    desk.ca.deny(17)
    denied, still, again = desk.play_each([desk.web(), desk.web(), desk.web(submit_again=[RECORD])])
    assert (denied.step, denied.result["failed"]) == ("denied", True)
    assert "0x80094014" in denied.message
    assert "a CA manager denied it" in denied.message
    assert (still.step, still.result["changed"]) == ("denied", False)
    assert (again.step, again.certificate["request_id"], len(desk.ca.requests)) == ("pending", 18, 2)


DENIED = {
    "NoSuchTemplate": ("0x80094800", "does not offer this template"),
    "NoRight": ("0x80094012", "may not enrol"),
    "LongKeys": ("0x80094811", "shorter than the template allows"),
}


@pytest.mark.parametrize("language", ["en", "de"])
def test_denied_request_is_reported_with_the_code_and_its_meaning(open_desk: Opening, language: str) -> None:
    both = both_usages([ACCOUNT.lower()])
    desk = open_desk(
        dataclasses.replace(both, name="NoRight", enroll=frozenset({r"contoso\somebody"})),
        dataclasses.replace(both, name="LongKeys", minimum_key_bits=4096),
        language=language,
    )
    each = [desk.web(template=name, state_dir=str(desk.directory / name)) for name in DENIED]
    for denied, (code, meaning) in zip(desk.play_each(each), DENIED.values(), strict=True):
        assert (denied.step, denied.result["failed"]) == ("denied", True)
        assert code in denied.message
        assert meaning in denied.message
    assert len(desk.ca.requests) == len(DENIED)


def wrong_key(desk: Desk) -> None:
    other = EnterpriseCa(desk.ca.authority, [both_usages([ACCOUNT.lower()])])
    csr = make_request(NAME, key=pki.shared_key("somebody else"))
    row = other.submit(ACCOUNT, csr.encode("ascii"), f"CertificateTemplate:{TEMPLATE}")
    assert row.certificate
    desk.ca.falsify(17, row.certificate)


def other_names(desk: Desk) -> None:
    other = EnterpriseCa(desk.ca.authority, [both_usages([ACCOUNT.lower()])])
    csr = make_request("other.contoso.example")
    row = other.submit(ACCOUNT, csr.encode("ascii"), f"CertificateTemplate:{TEMPLATE}")
    assert row.certificate
    desk.ca.falsify(17, row.certificate)


def foreign_signature(desk: Desk) -> None:
    """A certificate that only looks as if the CA had issued it: right names and key, another CA key."""
    impostor = pki.root_authority("Contoso Root CA", key=pki.shared_key("impostor root"))
    issuing = impostor.subordinate("Contoso Issuing CA", key=pki.shared_key("impostor"))
    row = EnterpriseCa(issuing, [both_usages([ACCOUNT.lower()])]).submit(
        ACCOUNT, desk.csr.encode("ascii"), f"CertificateTemplate:{TEMPLATE}"
    )
    assert row.certificate
    desk.ca.falsify(17, row.certificate)


WRONG = {
    "another key": (wrong_key, {"KB4023993-SIGN-KEY-MISMATCH"}),
    "other names": (
        other_names,
        {"KB4023993-SIGN-NAMES-MISSING", "KB4023993-SIGN-NAMES-ADDED", "KB4023993-SIGN-NAMES-SUBJECT"},
    ),
    "foreign signature": (foreign_signature, {"KB4023993-SIGN-CHAIN-INCOMPLETE"}),
}


@pytest.mark.parametrize("case", WRONG)
def test_wrong_answer_is_refused_with_the_reason(open_desk: Opening, case: str) -> None:
    falsify, problems = WRONG[case]
    desk = open_desk(both_usages([ACCOUNT.lower()], manager_approval=True))
    desk.play(desk.web())
    falsify(desk)
    refused, again = desk.play_each([desk.web(), desk.web()])
    assert (refused.step, refused.result["failed"]) == ("refused", True), refused.message
    assert set(refused.certificate["problems"]) == problems
    assert "will not be installed" in refused.message
    assert again.result["changed"] is False


BOTH = both_usages([ACCOUNT.lower()])
WRONG_TEMPLATES = {
    "NamesFromAccount": (
        dataclasses.replace(BOTH, supplies_subject=False),
        {"KB4023993-SIGN-NAMES-MISSING", "KB4023993-SIGN-NAMES-ADDED", "KB4023993-SIGN-NAMES-SUBJECT"},
    ),
    "OneMonth": (dataclasses.replace(BOTH, validity=datetime.timedelta(days=30)), {"KB4023993-SIGN-TOO-SHORT"}),
    "PoliciesDiffer": (
        dataclasses.replace(BOTH, application_policies=(pki.SERVER_AUTH,)),
        {"KB4023993-SIGN-NO-CLIENT-AUTH"},
    ),
    "WebServer": (web_server([ACCOUNT.lower()]), {"KB4023993-SIGN-NO-CLIENT-AUTH"}),
    "OtherOid": (BOTH, {"KB4023993-SIGN-WRONG-TEMPLATE"}),
}


def test_certificate_from_a_wrong_template_is_refused(open_desk: Opening) -> None:
    desk = open_desk(*(dataclasses.replace(template, name=name) for name, (template, _) in WRONG_TEMPLATES.items()))
    each = [desk.web(template=name, state_dir=str(desk.directory / name)) for name in WRONG_TEMPLATES]
    each[-1]["template_oid"] = "1.2.3.4"
    for refused, (_, problems) in zip(desk.play_each(each), WRONG_TEMPLATES.values(), strict=True):
        assert (refused.step, refused.result["failed"]) == ("refused", True), refused.message
        assert set(refused.certificate["problems"]) == problems


def test_limited_issuing_ca_is_noticed_before_anything_is_handed_in(open_desk: Opening) -> None:
    limited = pki.root_authority("Contoso Root CA").subordinate("Contoso Web CA", eku=[pki.SERVER_AUTH])
    desk = open_desk(authority=limited)
    stopped = desk.play(desk.web())
    assert (stopped.step, stopped.result["failed"]) == ("requested", True)
    assert "KB4023993-SIGN-CA-LIMITS-CLIENT-AUTH" in stopped.message
    assert (desk.ca.requests, desk.certsrv.posts) == ([], 0)


def test_missing_name_of_the_replaced_certificate_stops_before_the_ca_is_asked(open_desk: Opening) -> None:
    desk = open_desk()
    old = pki.root_authority("Old CA").issue(NAME, dns_names=[NAME, "edge02.contoso.example"])
    entry = {"server": "edge01", "uses": ["Internal"], "csr": desk.csr, "replaces": old.pem.decode("ascii")}
    allowing = {**entry, "allow_name_changes": True}
    stopped, allowed = desk.play_each([desk.web(requests=[entry]), desk.web(requests=[allowing])])
    assert (stopped.step, stopped.result["failed"]) == ("requested", True)
    assert "lacks names of the certificate it replaces: edge02.contoso.example" in stopped.message
    assert allowed.step == "verified", allowed.message
    assert desk.certsrv.posts == 1


def test_killed_between_handing_in_and_the_answer_is_not_handed_in_again(open_desk: Opening) -> None:
    """The CA has the request, and the run is dead before it could note the request id."""
    started: list[subprocess.Popen[str]] = []

    def kill(row: Request) -> None:
        del row
        os.killpg(started[0].pid, signal.SIGKILL)
        raise ConnectionAbortedError

    desk = open_desk(after_submit=kill)
    started.append(desk.start([desk.web()]))
    started[0].communicate(timeout=60)
    assert started[0].returncode == -signal.SIGKILL
    assert [row.id for row in desk.ca.requests] == [17]
    assert desk.record()["step"] == "submitting"
    desk.certsrv.after_submit = None
    *both, done = desk.play_each([desk.web(), desk.web(), desk.web(request_ids={RECORD: 17})])
    for stopped in both:
        assert (stopped.step, stopped.result["failed"], stopped.result["changed"]) == ("submitting", True, False)
        assert "CN=edgepool.contoso.example" in stopped.message
        assert "request_ids" in stopped.message
    assert done.step == "verified", done.message
    assert desk.certsrv.posts == len(desk.ca.requests) == 1


def test_lost_answer_stops_until_a_person_says_that_the_ca_does_not_have_it(open_desk: Opening) -> None:
    def lose(row: Request) -> None:
        del row
        raise ConnectionAbortedError

    desk = open_desk(after_submit=lose)
    lost = desk.play(desk.web())
    assert (lost.step, lost.result["failed"]) == ("submitting", True)
    assert "gave no whole answer" in lost.message
    desk.certsrv.after_submit = None
    still, again = desk.play_each([desk.web(), desk.web(submit_again=[RECORD])])
    assert still.step == "submitting"
    assert (again.step, len(desk.ca.requests)) == ("verified", 2)


def test_wrong_request_id_is_found_out(open_desk: Opening) -> None:
    desk = open_desk(after_submit=lambda row: 1 / 0 if row.id == 17 else None)
    numbers = (desk.web(request_ids={RECORD: number}) for number in (4711, 17))
    _, unknown, right = desk.play_each([desk.web(), *numbers])
    assert unknown.result["failed"] is True
    assert "The CA does not know a request of this id" in unknown.message
    assert (right.step, len(desk.ca.requests)) == ("verified", 1), right.message


REFUSED: dict[str, tuple[Result, str]] = {
    "http": ({"url": "http://ca01.contoso.example/certsrv"}, "have to be asked over https"),
    "user in the address": ({"url": "https://me:pa55@ca01.contoso.example/certsrv"}, "has to look like https://"),
    "template that carries attributes": (
        {"template": "Web\r\nSAN:upn=administrator@contoso.example"},
        "The template name",
    ),
    "no template": ({"template": ""}, "needs the option template"),
    "unknown record": ({"request_ids": {"edge99 Internal": 5}}, "There is no record"),
    "no request": ({"requests": [{"server": "a", "uses": ["Internal"], "csr": "AAAA"}]}, "certificate request"),
    "wildcard": (
        {"requests": [{"server": "a", "uses": ["Internal"], "csr": make_request("*.contoso.example")}]},
        "wildcard",
    ),
}


def test_what_cannot_be_right_is_refused_in_plain_words_before_the_ca_is_asked(open_desk: Opening) -> None:
    desk = open_desk()
    each = [desk.web(**arguments) for arguments, _ in REFUSED.values()]
    for refused, (_, words) in zip(desk.play_each(each), REFUSED.values(), strict=True):
        assert refused.result["failed"] is True
        assert words in refused.message
        assert "pa55" not in refused.message
        assert "Traceback" not in refused.output
    assert (desk.ca.requests, desk.certsrv.posts) == ([], 0)


def test_wrong_password_is_refused_and_leaves_nothing_under_way(open_desk: Opening) -> None:
    desk = open_desk()
    wrong = desk.play(desk.web(), password="Another-Passw0rd")  # noqa: S106
    assert wrong.result["failed"] is True
    assert "does not accept the account" in wrong.message
    assert "Another-Passw0rd" not in wrong.output
    assert desk.record()["step"] == "requested"
    assert desk.play(desk.web()).step == "verified"
    assert len(desk.ca.requests) == 1


def test_untrusted_web_server_gets_no_password(open_desk: Opening) -> None:
    desk = open_desk()
    other = desk.directory / "other.pem"
    other.write_bytes(pki.root_authority("Other CA").pem)
    untrusted = desk.play(desk.web(ca_file=str(other)))
    assert untrusted.result["failed"] is True
    assert "is not trusted here" in untrusted.message
    assert desk.certsrv.refusals == []


def test_lab_refuses_a_client_without_channel_binding(open_desk: Opening) -> None:
    """That the lab demands what our client sends: the same account without the binding is refused, with it let in."""
    desk = open_desk()
    for send, status in ((False, 401), (True, 200)):
        with requests.Session() as session:
            session.trust_env = False
            session.verify = str(desk.certsrv.ca_file)
            session.auth = requests_ntlm.HttpNtlmAuth(ACCOUNT, PASSWORD, send_cbt=send)
            assert session.get(f"{desk.certsrv.url}/certcarc.asp", timeout=20).status_code == status
    assert "bindings" in " ".join(desk.certsrv.refusals).lower()


def test_damaged_record_stops_everything(open_desk: Opening) -> None:
    desk = open_desk()
    folder = desk.state / "certificates"
    folder.mkdir(parents=True)
    (folder / "edge01%20Internal.json").write_text('{"schema": 1, "step": ')
    stopped = desk.play(desk.web())
    assert stopped.result["failed"] is True
    assert "is not a record" in stopped.message
    assert desk.ca.requests == []


def test_files_go_out_and_certificates_come_back_under_any_name(open_desk: Opening) -> None:
    desk = open_desk()
    exchange = desk.directory / "exchange"
    out, idle = desk.play_each([desk.files(), desk.files()])
    assert (out.step, out.result["failed"], out.result["changed"]) == ("pending", False, True)
    assert idle.result["changed"] is False
    (request,) = (exchange / "requests").iterdir()
    assert request.name.startswith("edgepool.contoso.example-")
    index = (exchange / "index.txt").read_text()
    for word in (request.name, "edge01", "Internal", NAME, pki.CLIENT_AUTH, pki.SERVER_AUTH):
        assert word in index
    row = desk.ca.submit(ACCOUNT, request.read_bytes(), f"CertificateTemplate:{TEMPLATE}")
    assert row.certificate
    stranger = pki.root_authority("Other CA").issue("stranger.example")
    (exchange / "certificates" / "a.cer").write_bytes(stranger.der)
    (exchange / "certificates" / "readme.txt").write_text("hello")
    waiting = desk.play(desk.files())
    assert waiting.step == "pending"
    assert any("readme.txt is not used" in warning for warning in waiting.result["warnings"])
    (exchange / "certificates" / "whatever.dat").write_bytes(row.certificate)
    alone = desk.play(desk.files())
    assert alone.certificate["problems"] == ["KB4023993-SIGN-CHAIN-INCOMPLETE"]
    (exchange / "certificates" / "chain.p7b").write_bytes(bundle(desk.ca.chain))
    back, idle = desk.play_each([desk.files(), desk.files()])
    assert (back.step, back.result["failed"]) == ("verified", False), back.message
    assert idle.result["changed"] is False


@pytest.mark.skipif(not engine_program(), reason="needs a PowerShell engine (SFB_PWSH) for a real SslStream")
def test_reissued_certificate_passes_a_real_sslstream_and_the_old_one_does_not(open_desk: Opening) -> None:
    """The purpose of it all, judged by .NET itself in the role of Web Conferencing (on Linux, not on Windows)."""
    desk = open_desk(both_usages([ACCOUNT.lower()]), web_server([ACCOUNT.lower()]))
    old = desk.ca.submit(ACCOUNT, desk.csr.encode("ascii"), "CertificateTemplate:WebServer")
    assert desk.play(desk.web()).step == "verified"
    new = desk.record()["new"]
    key = request_key().private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    assert old.certificate
    old_pem = pki.Issued(x509.load_der_x509_certificate(old.certificate), request_key()).pem
    root, intermediates = new["chain"][-1].encode(), "".join(new["chain"][:-1]).encode()
    with SslStreamServer(str(engine_program()), trusted=root) as server:
        before = server.connect(old_pem + intermediates, key)
        after = server.connect(new["certificate"].encode() + intermediates, key)
    assert before.judged
    assert not before.accepted
    assert "NotValidForUsage" in before.statuses
    assert (after.accepted, after.errors) == (True, "None"), after


def test_changing_the_way_to_the_ca_needs_a_decision(open_desk: Opening) -> None:
    """A request that waits at one CA is not silently handed to another."""
    desk = open_desk(both_usages([ACCOUNT.lower()], manager_approval=True))
    _, other, decided = desk.play_each([desk.web(), desk.files(), desk.files(submit_again=[RECORD])])
    assert other.result["failed"] is True
    assert "handed in by method web" in other.message
    assert decided.step == "pending"
