# Copyright (c) 2026, the sfb.kb4023993 contributors
# GNU General Public License v3.0-or-later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs operations against a simulated server, one function an operation, as batch.ps1 does on a real one."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ansible_collections.sfb.kb4023993.plugins.plugin_utils.host import certificate_operations as cop
from ansible_collections.sfb.kb4023993.plugins.plugin_utils.host import operations as op

from lab.answers import (
    ca,
    certificate_files,
    certificate_work,
    certificates,
    certreq,
    lync_services,
    product,
    registry,
    services,
    system,
)
from lab.answers.context import Done, Surroundings
from lab.world.host import Host

Answer = Callable[[Host, Any, Surroundings], Any]

_ANSWERS: dict[type[op.Operation], Answer] = {
    op.System: system.system,
    op.FileInfo: system.file_info,
    op.FileRead: system.file_read,
    op.FileSearch: system.file_search,
    op.Events: system.events,
    op.Updates: system.updates,
    op.RegistryRead: registry.read,
    op.RegistryList: registry.listing,
    op.RegistrySet: registry.write,
    op.RegistryDelete: registry.delete,
    op.Services: services.states,
    op.Processes: services.processes,
    op.ServiceRestart: services.restart,
    op.Certificates: certificates.certificates,
    op.ChainCheck: certificates.chain_check,
    op.TlsPeer: certificates.tls_peer,
    op.LyncCommand: product.lync_command,
    cop.LyncRequest: certificate_work.lync_request,
    cop.CertreqNew: certreq.certreq_new,
    cop.LyncImport: certificate_work.lync_import,
    cop.LyncAssign: certificate_work.lync_assign,
    cop.PfxExport: certificate_files.pfx_export,
    cop.PfxImport: certificate_files.pfx_import,
    cop.StoreAdd: certificate_files.store_add,
    cop.LyncServices: lync_services.lync_services,
    cop.LyncFailover: lync_services.lync_failover,
    cop.LyncGate: lync_services.lync_gate,
    cop.CaSubmit: ca.ca_submit,
    cop.CaRetrieve: ca.ca_retrieve,
    cop.CaChain: ca.ca_chain,
}

# Operations by which somebody looks again and again whether something is there yet.
_POLLS = (op.Services, cop.LyncGate)


def answer(host: Host, operation: op.Operation, surroundings: Surroundings) -> Any:
    """The reply of the operation's REPLY type.

    :raises WorldError: where the server refuses or cannot do it.
    :raises KilledError: where a test wanted the process to end here.
    """
    if isinstance(operation, _POLLS):
        host.clock.advance(surroundings.poll_seconds)
    if fabric := surroundings.fabrics.get(host):
        fabric.settle()
    host.kill_point.before(operation.NAME)
    value = None
    try:
        value = _ANSWERS[type(operation)](host, operation, surroundings)
        return value
    finally:
        if operation.CHANGES:
            surroundings.journal.append(Done(host=host.name, operation=operation, value=value))
        host.kill_point.after(operation.NAME)
