# Copyright (c) 2026, the sfb.kb4023993 contributors
# GNU General Public License v3.0-or-later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Asks simulated servers without a network: makes the same command as the product's session, gives typed replies."""

from __future__ import annotations

import base64
import gzip
import secrets
from collections.abc import Sequence
from typing import Any

from ansible_collections.sfb.kb4023993.plugins.plugin_utils.host import wire
from ansible_collections.sfb.kb4023993.plugins.plugin_utils.host.certificate_operations import CERTIFICATE_OPERATIONS
from ansible_collections.sfb.kb4023993.plugins.plugin_utils.host.operations import Operation

from lab.agent import Agent, shipped_batch, shipped_bootstrap
from lab.deployment import Deployment
from lab.protocol.handler import Execution, Invocation


def invocation(
    host: str, operations: Sequence[Operation], *, nonce: str, deadline_seconds: int = 90, stop_on_error: bool = False
) -> Invocation:
    """The command that the product sends for these operations."""
    data = wire.encode_batch(operations, nonce=nonce, deadline_seconds=deadline_seconds, stop_on_error=stop_on_error)
    script = shipped_batch(
        changing=any(operation.CHANGES for operation in operations),
        certificates=any(isinstance(operation, CERTIFICATE_OPERATIONS) for operation in operations),
    )
    parts = (base64.b64encode(gzip.compress(part)).decode("ascii") for part in (script, data.encode("utf-8")))
    return Invocation(
        host=host,
        transport="winrm",
        script="\n".join(shipped_bootstrap()),
        stdin=".".join(parts) + "\r\n",
        processes=1,
    )


def execute(deployment: Deployment, command: Invocation) -> Execution:
    """Run a command on a server of a deployment."""
    return Agent(deployment.hosts, deployment.surroundings, deployment.lock).execute(command)


def replies(
    deployment: Deployment, host: str, *operations: Operation, stop_on_error: bool = False
) -> tuple[wire.Reply, ...]:
    """Run a batch and read its reply.

    :raises RuntimeError: if the server refused the whole batch.
    """
    nonce = secrets.token_hex(8)
    execution = execute(deployment, invocation(host, operations, nonce=nonce, stop_on_error=stop_on_error))
    if execution.exit_code != 0:
        raise RuntimeError(f"{host} ended with {execution.exit_code}: {execution.stdout!r} {execution.stderr!r}")
    found, failure = wire.decode_reply(execution.stdout.decode("ascii"), operations, nonce=nonce)
    if failure:
        raise RuntimeError(f"{host} refused the batch: {failure.type}: {failure.message}")
    return found


def ask(deployment: Deployment, host: str, operation: Operation) -> Any:
    """The value of one operation.

    :raises RuntimeError: if the operation failed.
    """
    reply = replies(deployment, host, operation)[0]
    if reply.error:
        raise RuntimeError(f"{operation.NAME} on {host}: {reply.error.type}: {reply.error.message}")
    return reply.value
