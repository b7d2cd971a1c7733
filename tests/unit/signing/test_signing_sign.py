# Copyright (c) 2026, the sfb.kb4023993 contributors
# GNU General Public License v3.0-or-later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One certificate step by step: whatever goes wrong in between, a CA never gets a request twice by itself."""

from __future__ import annotations

import dataclasses
import datetime
import pathlib
import tempfile
import typing as t
from contextlib import suppress
from unittest import mock

import pytest
from ansible_collections.sfb.kb4023993.plugins.plugin_utils.signing import work as work_module
from ansible_collections.sfb.kb4023993.plugins.plugin_utils.signing.certreq import (
    CaReply,
    CertreqMethod,
    LostReplyError,
)
from ansible_collections.sfb.kb4023993.plugins.plugin_utils.signing.csr import Csr, read_csr
from ansible_collections.sfb.kb4023993.plugins.plugin_utils.signing.records import Record, read_records, write_record
from ansible_collections.sfb.kb4023993.plugins.plugin_utils.signing.responses import Issued, SigningError, Taken
from ansible_collections.sfb.kb4023993.plugins.plugin_utils.signing.sign import Policy, Resolution
from ansible_collections.sfb.kb4023993.plugins.plugin_utils.signing.work import Wanted, Work, preview, sign_all
from hypothesis import given
from hypothesis import strategies as st
from lab import pki
from lab.ca.enterprise import EnterpriseCa, bundle
from lab.ca.request import make_request
from lab.ca.template import both_usages, web_server

ACCOUNT = r"contoso\requester"
CONFIG = r"ca01.contoso.example\Contoso Issuing CA"
TEMPLATE = "WebServerClientandServer"
RECORD = "edge01 Internal"
POLICY = Policy(template=TEMPLATE, template_oid=None, minimum_days=90)
CSR = make_request("edgepool.contoso.example")
AUTHORITY = pki.root_authority("Contoso Root CA").subordinate("Contoso Issuing CA")


class Killed(BaseException):
    """The process ends here: nothing after this runs."""


class Host:
    """A Windows host of the lab that asks the CA. ``faults``: what happens at each submit, in their order, then nothing."""

    def __init__(self, ca: EnterpriseCa, faults: list[str] | None = None) -> None:
        self.ca = ca
        self.faults = faults or []
        self.submits = 0

    def submit(self, config: str, attributes: str, csr: str) -> CaReply:
        assert config == CONFIG
        self.submits += 1
        fault = self.faults.pop(0) if self.faults else ""
        if fault == "no hop":
            raise SigningError("The host may not ask the CA for you.")
        if fault == "killed before":
            raise Killed
        if fault == "unreachable":
            return CaReply(disposition=1, request_id=0, hresult=0x800706BA - 2**32)
        row = self.ca.submit(ACCOUNT, csr.encode("ascii"), attributes)
        if fault == "killed after":
            raise Killed
        if fault == "lost":
            raise LostReplyError("The connection to the host broke")
        return self._reply(row.id)

    def retrieve(self, config: str, request_id: int) -> CaReply:
        assert config == CONFIG
        return self._reply(request_id)

    def ca_chain(self, config: str) -> bytes:
        assert config == CONFIG
        return self.ca.chain_pkcs7

    def _reply(self, number: int) -> CaReply:
        row = self.ca.retrieve(number)
        certificates = bundle([*self.ca.chain, row.certificate]) if row.certificate else None
        return CaReply(
            disposition=row.disposition,
            request_id=row.id,
            hresult=row.code - 2**32 if row.code else 0,
            certificates=certificates,
        )


def make_ca(*, approval: bool = False) -> EnterpriseCa:
    return EnterpriseCa(AUTHORITY, [both_usages([ACCOUNT], manager_approval=approval), web_server([ACCOUNT])])


def now() -> datetime.datetime:
    return datetime.datetime.now(datetime.timezone.utc)


def wanted(csr: str = CSR, *, replaces: bytes | None = None) -> Wanted:
    return Wanted(servers=("edge01",), uses=("Internal",), csr=csr, replaces=replaces, allow_name_changes=False)


def run(
    state: pathlib.Path,
    host: Host,
    *,
    resolution: Resolution | None = None,
    requests: tuple[Wanted, ...] = (wanted(),),
    policy: Policy = POLICY,
) -> Work:
    return sign_all(
        str(state),
        CertreqMethod(host, config=CONFIG),
        policy,
        wanted=requests,
        resolutions={RECORD: resolution} if resolution else {},
        clock=now,
        report=lambda *_: None,
    )


def step(state: pathlib.Path) -> str:
    return read_records(state)[RECORD].step


def test_issued_at_once(tmp_path: pathlib.Path) -> None:
    host = Host(make_ca())
    work = run(tmp_path, host)
    assert (step(tmp_path), work.failures, work.changed) == ("verified", [], True)
    assert (run(tmp_path, host).changed, host.submits) == (False, 1)


def test_history_tells_what_happened(tmp_path: pathlib.Path) -> None:
    host = Host(make_ca(approval=True))
    run(tmp_path, host)
    host.ca.approve(17)
    run(tmp_path, host)
    record = read_records(tmp_path)[RECORD]
    assert [event.step for event in record.history] == ["planned", "requested", "submitting", "pending", "verified"]
    assert record.submission is not None
    assert record.submission.request_id == 17


@pytest.mark.parametrize("fault", ["no hop", "unreachable"])
def test_what_certainly_did_not_reach_the_ca_is_simply_tried_again(tmp_path: pathlib.Path, fault: str) -> None:
    host = Host(make_ca(), [fault])
    assert len(run(tmp_path, host).failures) == 1
    assert step(tmp_path) == "requested"
    assert run(tmp_path, host).failures == []
    assert (step(tmp_path), len(host.ca.requests)) == ("verified", 1)


@pytest.mark.parametrize("fault", ["killed before", "killed after", "lost"])
def test_what_may_have_reached_the_ca_waits_for_a_person(tmp_path: pathlib.Path, fault: str) -> None:
    host = Host(make_ca(), [fault])
    with suppress(Killed):
        run(tmp_path, host)
    before = len(host.ca.requests)
    for _ in range(3):
        (failure,) = run(tmp_path, host).failures
        assert "request_ids" in failure
        assert "submit_again" in failure
    assert (step(tmp_path), len(host.ca.requests), host.submits) == ("submitting", before, 1)
    decision = Resolution(request_id=17) if before else Resolution(submit_again=True)
    assert run(tmp_path, host, resolution=decision).failures == []
    assert (step(tmp_path), len(host.ca.requests)) == ("verified", 1)


FAULTS = st.lists(st.sampled_from(["", "no hop", "killed before", "killed after", "lost", "unreachable"]), max_size=4)
EVENTS = st.lists(
    st.sampled_from(["run", "approve", "killed at save 1", "killed at save 2", "killed at save 3"]), max_size=6
)


@given(FAULTS, EVENTS, st.booleans())
def test_no_order_of_accidents_makes_a_second_request(faults: list[str], events: list[str], approval: bool) -> None:
    """Runs that die anywhere, also while a record is written, before or after the CA was asked."""
    host = Host(make_ca(approval=approval), faults)
    with tempfile.TemporaryDirectory() as folder:
        state = pathlib.Path(folder)
        for event in events:
            if event == "approve":
                for row in [row for row in host.ca.requests if row.disposition == 5]:
                    host.ca.approve(row.id)
                continue
            _run_dying(state, host, save=int(event[-1]) if event != "run" else 0)
            assert len(host.ca.requests) <= 1
        # From wherever that ended, a person brings it to its end.
        host.faults.clear()
        for _ in range(4):
            held = host.ca.requests
            decision = None
            if read_records(state) and step(state) == "submitting":
                decision = Resolution(request_id=held[0].id) if held else Resolution(submit_again=True)
            run(state, host, resolution=decision)
            for row in [row for row in host.ca.requests if row.disposition == 5]:
                host.ca.approve(row.id)
        assert step(state) == "verified"
        assert len(host.ca.requests) == 1


def _run_dying(state: pathlib.Path, host: Host, *, save: int) -> None:
    """A run that dies before its ``save``-th writing of a record; 0: it does not, by that."""
    written = 0

    def dying(where: str, record: Record) -> None:
        nonlocal written
        written += 1
        if written == save:
            raise Killed
        write_record(where, record)

    with mock.patch.object(work_module, "write_record", dying), suppress(Killed):
        run(state, host)


def test_denied_is_final_until_a_person_says_otherwise(tmp_path: pathlib.Path) -> None:
    host = Host(make_ca())
    strange = dataclasses.replace(POLICY, template="Strange")
    (failure,) = run(tmp_path, host, policy=strange).failures
    assert "0x80094800" in failure
    assert run(tmp_path, host).changed is False
    assert (step(tmp_path), host.submits) == ("denied", 1)
    assert run(tmp_path, host, resolution=Resolution(submit_again=True)).failures == []


def test_denied_and_refused_make_way_for_a_new_request(tmp_path: pathlib.Path) -> None:
    host = Host(make_ca())
    run(tmp_path, host, policy=dataclasses.replace(POLICY, template="WebServer"))
    assert step(tmp_path) == "refused"
    other = make_request("edgepool.contoso.example", key=pki.shared_key("new key"))
    assert run(tmp_path, host, requests=(wanted(other),)).failures == []
    assert read_records(tmp_path)[RECORD].csr == read_csr(other).pem


def test_request_under_way_is_not_replaced_by_another(tmp_path: pathlib.Path) -> None:
    host = Host(make_ca(approval=True))
    run(tmp_path, host)
    other = make_request("edgepool.contoso.example", key=pki.shared_key("new key"))
    with pytest.raises(ValueError, match="another request is under way"):
        run(tmp_path, host, requests=(wanted(other),))
    assert read_records(tmp_path)[RECORD].csr == read_csr(CSR).pem


def test_one_failed_certificate_does_not_keep_the_others(tmp_path: pathlib.Path) -> None:
    host = Host(make_ca(), ["lost"])
    second = Wanted(
        servers=("fe01",),
        uses=("Default", "WebServicesInternal"),
        csr=make_request("fe01.contoso.example"),
        replaces=None,
        allow_name_changes=False,
    )
    work = run(tmp_path, host, requests=(wanted(), second))
    assert {outcome.record.id: outcome.record.step for outcome in work.outcomes} == {
        RECORD: "submitting",
        "fe01 Default": "verified",
    }
    assert len(work.failures) == 1


def test_request_that_waits_at_one_ca_is_not_asked_for_at_another(tmp_path: pathlib.Path) -> None:
    host = Host(make_ca(approval=True))
    run(tmp_path, host)
    other = Fetching(make_ca())
    arguments: t.Any = {"wanted": [], "clock": now, "report": lambda *_: None}
    (failure,) = sign_all(str(tmp_path), other, POLICY, resolutions={}, **arguments).failures
    assert f"handed in by method certreq to {CONFIG}" in failure
    assert step(tmp_path) == "pending"
    decision = {RECORD: Resolution(submit_again=True)}
    sign_all(str(tmp_path), other, POLICY, resolutions=decision, **arguments)
    record = read_records(tmp_path)[RECORD]
    assert record.submission is not None
    assert (record.submission.ca, len(host.ca.requests)) == (other.ca, 1)


def test_certificate_of_another_request_is_not_taken(tmp_path: pathlib.Path) -> None:
    """A person gave the id of somebody else's request."""
    host = Host(make_ca(), ["lost"])
    run(tmp_path, host)
    foreign = host.ca.submit(
        ACCOUNT, make_request("a.example", key=pki.shared_key("other")).encode(), f"CertificateTemplate:{TEMPLATE}"
    )
    run(tmp_path, host, resolution=Resolution(request_id=foreign.id))
    assert "KB4023993-SIGN-KEY-MISMATCH" in {p.id for p in read_records(tmp_path)[RECORD].problems}
    assert run(tmp_path, host, resolution=Resolution(request_id=17)).failures == []
    assert (step(tmp_path), len(host.ca.requests)) == ("verified", 2)


def test_replaced_certificate_gives_the_names_that_are_needed(tmp_path: pathlib.Path) -> None:
    host = Host(make_ca())
    old = AUTHORITY.issue("edgepool.contoso.example", dns_names=["EDGEPOOL.contoso.example", "sip.contoso.example"])
    (failure,) = run(tmp_path, host, requests=(wanted(replaces=old.der),)).failures
    assert "sip.contoso.example" in failure
    assert host.submits == 0


class Fetching:
    """A CA that issues at once, whose certificate cannot be fetched the first time."""

    name, ca, repeatable, waiting = "fetching", "https://ca.example/certsrv", False, "Wait."

    def __init__(self, ca: EnterpriseCa) -> None:
        self._ca = ca
        self._fetched = 0

    def ca_certificates(self) -> tuple[bytes, ...]:
        return tuple(self._ca.chain)

    def submit(self, csr: Csr, template: str) -> Taken:
        return Taken(request_id=self._ca.submit(ACCOUNT, csr.der, f"CertificateTemplate:{template}").id)

    def retrieve(self, csr: Csr, request_id: int | None) -> Issued:
        assert request_id is not None
        self._fetched += 1
        if self._fetched == 1:
            raise SigningError("The pages cannot be reached.")
        certificate = self._ca.retrieve(request_id).certificate
        assert certificate is not None
        assert read_csr(csr.der) == csr
        return Issued(request_id=request_id, certificate=certificate)


def test_request_id_is_kept_when_the_certificate_cannot_be_fetched_at_once(tmp_path: pathlib.Path) -> None:
    method = Fetching(make_ca())
    for expected, failures in (("pending", 1), ("verified", 0)):
        work = sign_all(
            str(tmp_path), method, POLICY, wanted=[wanted()], resolutions={}, clock=now, report=lambda *_: None
        )
        assert (work.outcomes[0].record.step, step(tmp_path)) == (expected, expected)
        assert (work.changed, len(work.failures)) == (True, failures)


@pytest.mark.parametrize("config", ["ca01", r"ca01\\x", "ca01\\a\nb", r"\\CA", 'ca01\\a"b', r"ca 01\CA"])
def test_config_that_names_no_ca_is_refused(config: str) -> None:
    with pytest.raises(SigningError, match="does not name a CA"):
        CertreqMethod(Host(make_ca()), config=config)


@pytest.mark.parametrize(
    ("reply", "expected"),
    [
        (CaReply(disposition=5, request_id=0, hresult=0), "submitting"),
        (CaReply(disposition=4, request_id=9, hresult=0), "pending"),
        (CaReply(disposition=0, request_id=9, hresult=0), "pending"),
        (CaReply(disposition=99, request_id=0, hresult=0), "submitting"),
        (CaReply(disposition=3, request_id=9, hresult=0, certificates=b"rubbish"), "pending"),
        (CaReply(disposition=1, request_id=0, hresult=0x80094801 - 2**32), "denied"),
        (CaReply(disposition=2, request_id=9, hresult=0), "denied"),
    ],
)
def test_odd_replies_end_where_they_can_be_resolved(tmp_path: pathlib.Path, reply: CaReply, expected: str) -> None:
    class Odd(Host):
        def submit(self, config: str, attributes: str, csr: str) -> CaReply:
            del config, attributes, csr
            return reply

    run(tmp_path, Odd(make_ca()))
    assert step(tmp_path) == expected


def test_preview_says_what_would_be_done_and_does_nothing(tmp_path: pathlib.Path) -> None:
    host = Host(make_ca())
    method = CertreqMethod(host, config=CONFIG)
    work = preview(str(tmp_path), method, wanted=[wanted()], resolutions={}, clock=now)
    assert (work.changed, work.outcomes[0].record.step) == (True, "submitting")
    assert (host.submits, list(tmp_path.iterdir())) == (0, [])
    run(tmp_path, host)
    assert preview(str(tmp_path), method, wanted=[wanted()], resolutions={}, clock=now).changed is False


def test_request_is_held_back_as_long_as_its_server_was_not_told(tmp_path: pathlib.Path) -> None:
    host = Host(make_ca(approval=True))
    method = CertreqMethod(host, config=CONFIG)
    arguments: t.Any = {"wanted": [wanted()], "resolutions": {}, "clock": now, "report": lambda *_: None}
    (failure,) = sign_all(str(tmp_path), method, POLICY, hold=["edge01"], **arguments).failures
    assert "could not be noted on its server first" in failure
    assert (host.submits, step(tmp_path)) == (0, "requested")
    sign_all(str(tmp_path), method, POLICY, hold=["edge02"], **arguments)
    assert (host.submits, step(tmp_path)) == (1, "pending")
    # One that the CA has is asked for all the same.
    host.ca.approve(host.ca.requests[0].id)
    assert sign_all(str(tmp_path), method, POLICY, hold=["edge01"], **arguments).failures == []
    assert (host.submits, step(tmp_path)) == (1, "verified")
