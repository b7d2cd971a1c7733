# Copyright (c) 2026, the sfb.kb4023993 contributors
# GNU General Public License v3.0-or-later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Method certreq through a simulated Windows host: what its CA has and says, and that no trouble makes it get a request twice."""

from __future__ import annotations

import datetime
import pathlib
import typing as t

import pytest
from ansible_collections.sfb.kb4023993.plugins.plugin_utils.host import certificate_operations as cop
from ansible_collections.sfb.kb4023993.plugins.plugin_utils.host import operations as op
from ansible_collections.sfb.kb4023993.plugins.plugin_utils.host.session import Session, SessionError
from ansible_collections.sfb.kb4023993.plugins.plugin_utils.host.wire import OperationError, Reply
from ansible_collections.sfb.kb4023993.plugins.plugin_utils.signing.ca_host import SessionCaHost
from ansible_collections.sfb.kb4023993.plugins.plugin_utils.signing.certreq import CertreqMethod, LostReplyError
from ansible_collections.sfb.kb4023993.plugins.plugin_utils.signing.records import Record, read_records
from ansible_collections.sfb.kb4023993.plugins.plugin_utils.signing.responses import SigningError
from ansible_collections.sfb.kb4023993.plugins.plugin_utils.signing.sign import Policy, Resolution
from ansible_collections.sfb.kb4023993.plugins.plugin_utils.signing.work import Wanted, Work, sign_all
from builders.roll_out import CA, NEW_CA, RollOut, fleet

TEMPLATE: t.Final = "WebServerClientandServer"


class Signer:
    """One fleet, one request of fe01, one state directory, and the host pki01 to ask through."""

    def __init__(self, state_dir: pathlib.Path, *, config: str = CA, **entries: t.Any) -> None:
        self.found: RollOut = fleet(new_ca=True, servers={"pki01": entries} if entries else None)
        self.state_dir, self.config = str(state_dir), config
        wanted = self.found.replacement("fe01")
        self.wanted = Wanted(
            servers=wanted.servers,
            uses=wanted.uses,
            csr=self.found.requested("fe01"),
            replaces=wanted.certificate,
            allow_name_changes=False,
        )

    def sign(self, session: t.Any = None, *, resolution: Resolution | None = None, template: str = TEMPLATE) -> Work:
        host = SessionCaHost(t.cast(Session, session or self.found.session("pki01")), host="pki01")
        return sign_all(
            self.state_dir,
            CertreqMethod(host, config=self.config),
            Policy(template=template, template_oid=None, minimum_days=30),
            wanted=[self.wanted],
            resolutions={"fe01 Default": resolution} if resolution else {},
            clock=lambda: datetime.datetime.now(datetime.timezone.utc),
            report=lambda _host, _text: None,
        )

    def record(self) -> Record:
        return read_records(self.state_dir)["fe01 Default"]

    @property
    def asked(self) -> list[dict[str, t.Any]]:
        return self.found.outside.requests()


class Failing:
    """A session in which one operation ends with an error, before or after it did its work."""

    def __init__(self, signer: Signer, operation: str, kind: t.Any, *, done: bool) -> None:
        self._session, self._operation, self._kind, self._done = signer.found.session("pki01"), operation, kind, done

    def run(self, operations: t.Sequence[op.Operation], **options: t.Any) -> tuple[Reply, ...]:
        names = [operation.NAME for operation in operations]
        if self._operation not in names:
            return self._session.run(operations, **options)
        position = names.index(self._operation)
        replies = list(self._session.run(operations[: position + self._done], **options))[:position]
        broken = Reply(
            operation=operations[position], error=OperationError(type=self._kind, message="x"), value=None, ms=1
        )
        return (*replies, broken)


def test_an_issued_request_is_verified_at_once(tmp_path: pathlib.Path) -> None:
    signer = Signer(tmp_path)
    assert not signer.sign().failures
    record = signer.record()
    assert record.step == "verified"
    assert record.new is not None
    assert record.submission is not None
    assert record.submission.request_id == signer.asked[0]["request_id"]
    session = signer.found.session("pki01")
    assert not signer.sign(session).changed
    assert len(signer.asked) == 1
    assert session.done == []


def test_a_pending_request_is_fetched_when_it_was_approved(tmp_path: pathlib.Path) -> None:
    signer = Signer(tmp_path, config=NEW_CA)
    for _run in range(2):
        assert not signer.sign().failures
        assert signer.record().step == "pending"
        assert len(signer.asked) == 1
    signer.found.outside.approve(NEW_CA, signer.asked[0]["request_id"])
    assert not signer.sign().failures
    assert signer.record().step == "verified"
    assert len(signer.asked) == 1


def test_a_denied_request_is_told_and_not_handed_in_again(tmp_path: pathlib.Path) -> None:
    signer = Signer(tmp_path, config=NEW_CA)
    signer.sign()
    signer.found.outside.deny(NEW_CA, signer.asked[0]["request_id"])
    for _run in range(2):
        assert signer.sign().failures
        assert signer.record().step == "denied"
    assert len(signer.asked) == 1


def test_a_template_that_the_ca_does_not_have_is_denied_by_number(tmp_path: pathlib.Path) -> None:
    signer = Signer(tmp_path)
    (failure,) = signer.sign(template="NoSuchTemplate").failures
    assert "80094800" in failure.upper()
    assert signer.record().step == "denied"


@pytest.mark.parametrize("access", ["none", "not_delegated"])
def test_a_hop_that_fails_is_told_before_anything_is_handed_in(tmp_path: pathlib.Path, access: str) -> None:
    signer = Signer(tmp_path, ca_access=access)
    with pytest.raises(SigningError, match="delegation"):
        signer.sign()
    assert signer.asked == []
    assert signer.record().step == "requested"
    host = SessionCaHost(signer.found.talk("pki01"), host="pki01")
    with pytest.raises(SigningError, match="CredSSP"):
        host.submit(CA, f"CertificateTemplate:{TEMPLATE}", signer.wanted.csr)
    assert signer.asked == []


@pytest.mark.parametrize("kind", ["invalid", "unsupported", "skipped"])
def test_a_request_whose_operation_did_not_run_at_all_may_be_handed_in_by_the_next_run(
    tmp_path: pathlib.Path, kind: str
) -> None:
    signer = Signer(tmp_path)
    assert signer.sign(Failing(signer, "ca_submit", kind, done=False)).failures
    assert signer.record().step == "requested"
    assert signer.asked == []
    assert not signer.sign().failures
    assert len(signer.asked) == 1


@pytest.mark.parametrize("done", [False, True], ids=["the CA has it not", "the CA has it"])
@pytest.mark.parametrize("kind", ["failed", "denied", "deadline"])
def test_a_call_that_breaks_may_have_reached_the_ca_so_it_is_never_repeated(
    tmp_path: pathlib.Path, kind: str, done: bool
) -> None:
    signer = Signer(tmp_path)
    assert signer.sign(Failing(signer, "ca_submit", kind, done=done)).failures
    assert signer.record().step == "submitting"
    for _run in range(2):
        (failure,) = signer.sign().failures
        assert "submit_again" in failure
    assert len(signer.asked) == int(done)
    known = signer.asked[0]["request_id"] if done else None
    assert not signer.sign(resolution=Resolution(request_id=known, submit_again=not done)).failures
    assert signer.record().step == "verified"
    assert len(signer.asked) == 1


@pytest.mark.parametrize("operations", [2, 3], ids=["after the hop", "after the request"])
def test_a_line_that_dies_while_the_ca_is_asked_is_unclear_and_never_repeated(
    tmp_path: pathlib.Path, operations: int
) -> None:
    signer = Signer(tmp_path)
    # The first operation of all asks for the CA's certificates, the next two hand the request in.
    assert signer.sign(signer.found.session("pki01", operations=operations)).failures
    assert signer.record().step == "submitting"
    assert len(signer.asked) == operations - 2
    assert signer.sign().failures
    assert len(signer.asked) == operations - 2


def test_a_line_that_dies_before_anything_was_asked_leaves_all_as_it_was(tmp_path: pathlib.Path) -> None:
    signer = Signer(tmp_path)
    with pytest.raises(SigningError):
        signer.sign(signer.found.session("pki01", operations=1))
    assert signer.record().step == "requested"
    assert not signer.sign().failures
    assert len(signer.asked) == 1


def test_a_line_that_dies_while_fetching_leaves_the_request_pending(tmp_path: pathlib.Path) -> None:
    signer = Signer(tmp_path, config=NEW_CA)
    signer.sign()
    signer.found.outside.approve(NEW_CA, signer.asked[0]["request_id"])
    (failure,) = signer.sign(signer.found.session("pki01", operations=2)).failures
    assert "Run again" in failure
    assert signer.record().step == "pending"
    assert not signer.sign().failures
    assert signer.record().step == "verified"
    assert len(signer.asked) == 1


def test_the_host_says_what_it_could_not_do_in_one_line() -> None:
    found = fleet()

    class Dead:
        def run(self, *_operations: t.Any, **_options: t.Any) -> t.Any:
            raise SessionError(kind="unreachable", host="pki01", stage="x", message="No answer.")

    dead = SessionCaHost(t.cast(Session, Dead()), host="pki01")
    with pytest.raises(SigningError, match="No answer"):
        dead.ca_chain(CA)
    with pytest.raises(LostReplyError):
        dead.retrieve(CA, 17)
    with pytest.raises(LostReplyError, match="pki01: No answer"):
        dead.submit(CA, "CertificateTemplate:x", "csr")
    alive = SessionCaHost(found.talk("pki01"), host="pki01")
    with pytest.raises(SigningError) as caught:
        alive.ca_chain(r"ca99.contoso.example\No CA")
    assert "\n" not in str(caught.value)


def test_nothing_but_operations_of_cas_is_sent() -> None:
    found = fleet()
    session = found.session("pki01")
    host = SessionCaHost(t.cast(Session, session), host="pki01")
    reply = host.submit(CA, f"CertificateTemplate:{TEMPLATE}", found.requested("fe01"))
    assert host.retrieve(CA, reply.request_id) == reply
    assert {type(operation) for operation in session.done} == {cop.CaChain, cop.CaSubmit, cop.CaRetrieve}
