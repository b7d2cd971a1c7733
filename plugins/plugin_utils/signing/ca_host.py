# Copyright (c) 2026, the sfb.kb4023993 contributors
# GNU General Public License v3.0-or-later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The Windows host of method `certreq`: asks the CA by operations of the batch, over the connection of the task."""

from __future__ import annotations

import typing as t

from ..host import certificate_operations as cop
from ..host.operations import Operation
from ..host.session import Session, SessionError
from ..host.wire import OperationError
from ..words import one_line
from .certreq import CaReply, LostReplyError
from .responses import SigningError

_HOP: t.Final = (
    "The account of this session has to reach the CA from there: connect with Kerberos and delegation "
    "(ansible_winrm_kerberos_delegation) or with CredSSP, as an account that may enrol."
)


# Errors of an operation that did not run at all.
_NOT_RUN: t.Final = ("invalid", "unsupported", "skipped")


class SessionCaHost:
    """`certreq.CaHost` over a session."""

    def __init__(self, session: Session, *, host: str) -> None:
        self._session = session
        self._host = host

    def submit(self, config: str, attributes: str, csr: str) -> CaReply:
        # The first one proves the hop: where it fails, the second one is not run.
        operations = [cop.CaChain(config=config), cop.CaSubmit(config=config, attributes=attributes, csr=csr)]
        stage = f"handing the request to {config}"
        try:
            hop, reply = self._session.run(operations, stage=stage, stop_on_error=True)
        except SessionError as error:
            raise LostReplyError(f"{self._host}: {error.message}") from None
        if hop.error is not None:
            raise self._failure(f"asking {config}", hop.error)
        if reply.error is not None and reply.error.type in _NOT_RUN:
            raise self._failure(stage, reply.error)
        if reply.error is not None:
            # Whether the CA had it before the call broke, only the CA knows.
            text = one_line(reply.error.message, 300)
            raise LostReplyError(f"{self._host}: {stage} broke ({reply.error.type}): {text}")
        return _reply(reply.value)

    def retrieve(self, config: str, request_id: int) -> CaReply:
        operation = cop.CaRetrieve(config=config, request_id=request_id)
        try:
            return _reply(self._run(operation, f"asking {config} for request {request_id}"))
        except SessionError as error:
            raise LostReplyError(str(error)) from None

    def ca_chain(self, config: str) -> bytes:
        try:
            chain: cop.CaChainReply = self._run(cop.CaChain(config=config), f"asking {config} for its certificates")
        except SessionError as error:
            raise SigningError(str(error)) from None
        return chain.certificates

    def _run(self, operation: Operation, stage: str) -> t.Any:
        reply = self._session.run([operation], stage=stage)[0]
        if reply.error is not None:
            raise self._failure(stage, reply.error)
        return reply.value

    def _failure(self, stage: str, error: OperationError) -> SigningError:
        return SigningError(f"{self._host}: {stage} failed ({error.type}): {one_line(error.message, 300)}. {_HOP}")


def _reply(value: cop.CaReply) -> CaReply:
    return CaReply(
        disposition=value.disposition,
        request_id=value.request_id,
        hresult=value.hresult,
        certificates=value.certificates,
    )
