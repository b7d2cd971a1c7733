# Copyright (c) 2026, the sfb.kb4023993 contributors
# GNU General Public License v3.0-or-later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a session refuses before it connects, how a batch leaves the controller, and how every failure is told."""

from __future__ import annotations

import base64
import random
import types
import typing as t

import pytest
from ansible.errors import AnsibleAuthenticationFailure, AnsibleConnectionFailure
from ansible_collections.sfb.kb4023993.plugins.plugin_utils.host import certificate_operations as cop
from ansible_collections.sfb.kb4023993.plugins.plugin_utils.host import operations as op
from ansible_collections.sfb.kb4023993.plugins.plugin_utils.host.session import Session, SessionError, script
from ansible_collections.sfb.kb4023993.plugins.plugin_utils.host.wire import markers
from lab.decode import decode_batch, unpack

ANSWER: t.Final = '{"failure":null,"replies":[{"ok":true,"ms":1,"value":{"processes":[]}}]}'
ASKED: t.Final = (op.Processes(names=("x",)),)


class Action:
    """The part of an action plugin that a session uses; ``answer`` makes what the command prints from what was sent."""

    def __init__(
        self,
        answer: t.Callable[[str], t.Any] = lambda nonce: ANSWER.join(markers(nonce)),
        *,
        transport: str = "winrm",
        windows: bool = True,
        become: object = None,
        delegate_to: str | None = None,
    ) -> None:
        self._task = types.SimpleNamespace(delegate_to=delegate_to)
        self._connection = types.SimpleNamespace(
            become=become, transport=transport, _shell=types.SimpleNamespace(_IS_WINDOWS=windows)
        )
        self._answer = answer
        self.sent: list[tuple[str, bytes]] = []

    def _low_level_execute_command(self, command: str, *, sudoable: bool, in_data: bytes) -> t.Any:
        assert not sudoable
        self.sent.append((command, in_data))
        found = self._answer(decode_batch(unpack(in_data.decode("ascii")).data).nonce)
        if isinstance(found, Exception):
            raise found
        return {"stdout": found, "stderr": "", "rc": 0} if isinstance(found, str) else found


def session(action: Action) -> Session:
    return Session(t.cast(t.Any, action), host="fe01")


def failure(action: Action, *, asked: t.Sequence[op.Operation] = ASKED) -> SessionError:
    with pytest.raises(SessionError) as caught:
        session(action).run(asked, stage="reading the server")
    found = caught.value
    assert str(found).startswith("fe01: ")
    assert str(found).isprintable()
    assert found.advice
    return found


def test_a_batch_is_sent_as_the_fixed_scripts_and_data_beside_them() -> None:
    action = Action()
    replies = session(action).run(ASKED, stage="x", deadline_seconds=33, stop_on_error=True)
    assert replies[0].value.processes == ()
    command, payload = action.sent[0]
    assert command == script().bootstrap
    found = unpack(payload.decode("ascii"))
    assert found.script == script().reading
    batch = decode_batch(found.data)
    assert (batch.operations, batch.deadline_seconds, batch.stop_on_error) == (ASKED, 33, True)


def test_the_code_that_changes_a_server_is_sent_only_with_operations_that_change_one() -> None:
    action = Action()
    delete = op.RegistryDelete(path="SOFTWARE\\Contoso", name="x")
    # The canned answer has one reply too few; what matters is what was sent.
    failure(action, asked=(*ASKED, delete))
    assert unpack(action.sent[0][1].decode("ascii")).script == script().changing
    assert script().changing.endswith(script().reading)
    assert b"function registry_delete" in script().changing
    for word in (
        b"SetValue",
        b"CreateSubKey",
        b"DeleteValue",
        b"DeleteSubKey",
        b".Stop()",
        b".Start()",
        b".Continue()",
    ):
        assert word in script().changing
        assert word not in script().reading


def test_the_code_for_keys_and_certificates_is_sent_only_with_operations_of_workaround_1() -> None:
    action = Action()
    failure(action, asked=(*ASKED, cop.StoreAdd(store="CA", certificate=b"x")))
    assert unpack(action.sent[0][1].decode("ascii")).script == script().certificates
    assert script().certificates.endswith(script().changing)
    for word in (
        b"Set-CsCertificate",
        b"Stop-CsWindowsService",
        b"certreq.exe",
        b".Export(",
        b".Add($certificate)",
        b"-ComObject",
    ):
        assert word in script().certificates
        assert word not in script().changing


def test_the_scripts_are_the_same_for_every_batch_and_each_batch_has_its_own_nonce() -> None:
    action = Action()
    one = session(action)
    for name in ("a", "'; Remove-Item C:\\ -Recurse; '"):
        one.run((op.Processes(names=(name,)),), stage="x")
    parts = [payload.split(b".")[0] for _command, payload in action.sent]
    assert len(set(parts)) == len({command for command, _payload in action.sent}) == 1
    assert len({decode_batch(unpack(p.decode()).data).nonce for _c, p in action.sent}) == 2
    assert one.batches == 2


def test_psrp_gets_the_command_encoded() -> None:
    action = Action(transport="psrp")
    session(action).run(ASKED, stage="x")
    command = action.sent[0][0]
    assert command.startswith("PowerShell -NoProfile -NonInteractive -ExecutionPolicy Unrestricted -EncodedCommand ")
    assert base64.b64decode(command.rsplit(" ", 1)[1]).decode("utf-16-le") == script().bootstrap


@pytest.mark.parametrize(
    ("action", "kind"),
    [
        (Action(become=object()), "become"),
        (Action(delegate_to="fe02"), "delegated"),
        (Action(windows=False), "not_windows"),
        (Action(transport="local"), "connection_type"),
        (Action(transport="community.general.docker"), "connection_type"),
    ],
)
def test_what_cannot_work_is_refused_before_anything_is_sent(action: Action, kind: str) -> None:
    assert failure(action).kind == kind
    assert action.sent == []


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        (lambda _nonce: "", "reply_missing"),
        (lambda nonce: markers(nonce)[0] + ANSWER[:30], "reply_cut"),
        (lambda nonce: ANSWER.join(markers(nonce)) * 2, "reply_garbled"),
        (lambda nonce: "{}".join(markers(nonce)), "reply_garbled"),
        (lambda _nonce: "x" * (32 * 1024 * 1024 + 1), "reply_too_large"),
        (lambda _nonce: "[[sfb.kb4023993!constrained_language]]", "constrained_language"),
        (lambda _nonce: "[[sfb.kb4023993!powershell_too_old]]", "powershell_too_old"),
        (lambda _nonce: "[[sfb.kb4023993!bad_data]]", "failed"),
        (
            lambda nonce: '{"failure":{"type":"not_elevated","message":"x"},"replies":[]}'.join(markers(nonce)),
            "not_elevated",
        ),
        (lambda nonce: '{"failure":{"type":"bad_data","message":"x"},"replies":[]}'.join(markers(nonce)), "failed"),
        (lambda _nonce: {"stdout": None, "stderr": None, "rc": 1}, "reply_missing"),
        (
            lambda _nonce: AnsibleAuthenticationFailure("the specified credentials were rejected by the server"),
            "authentication",
        ),
        (
            lambda _nonce: AnsibleConnectionFailure("ntlm: the specified credentials were rejected by the server"),
            "authentication",
        ),
        (
            lambda _nonce: AnsibleConnectionFailure(
                "HTTPSConnectionPool(host='fe01', port=5986): Max retries exceeded"
            ),
            "unreachable",
        ),
        (lambda _nonce: OSError(113, "No route to host"), "unreachable"),
        (lambda _nonce: ValueError("\x1b[2J\nboom"), "unreachable"),
        (lambda _nonce: RuntimeError(), "unreachable"),
    ],
    ids=range(17),
)
def test_every_failure_has_its_word_and_its_advice(answer: t.Callable[[str], t.Any], kind: str) -> None:
    assert failure(Action(answer)).kind == kind


def test_what_a_server_printed_instead_is_shown_bounded_and_without_escapes() -> None:
    found = failure(Action(lambda _nonce: {"stdout": "", "stderr": "\x1b[31mquota\r\nexceeded " + "x" * 5000, "rc": 5}))
    assert "exit code 5" in found.message
    assert "quota exceeded" in found.message
    assert len(found.message) < 500


def test_a_batch_that_is_too_large_for_old_servers_is_refused_on_the_controller() -> None:
    noise = random.Random(1).randbytes(200_000)
    action = Action()
    assert "too large" in failure(action, asked=(op.FileSearch(path="x", patterns=(noise,)),)).message
    assert action.sent == []
