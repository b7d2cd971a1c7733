# Copyright (c) 2026, the sfb.kb4023993 contributors
# GNU General Public License v3.0-or-later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Operations on certificates: stores, chains, and what TLS peers present."""

from __future__ import annotations

from ansible_collections.sfb.kb4023993.plugins.plugin_utils.host import operations as op

from lab import trust
from lab.answers.context import Surroundings
from lab.network import Failure
from lab.world.errors import WorldError
from lab.world.host import Host


def certificates(host: Host, asked: op.Certificates, _: Surroundings) -> op.CertificatesReply:
    if not host.stores.exists(asked.store):
        raise WorldError("not_found", "The system cannot find the file specified.")
    entries = sorted(host.stores.entries(asked.store), key=lambda entry: not entry.has_private_key)
    anchors = host.stores.anchors()
    found: list[op.StoreCertificate] = []
    issuers: dict[str, op.ChainCertificate] = {}
    properties = dict((*anchors.intermediates, *anchors.roots))
    for entry in entries[: asked.limit]:
        chain = trust.build(entry.certificate, (), anchors).links[1:] if asked.chains else ()
        for link in chain:
            issuers[trust.thumbprint(link.certificate)] = op.ChainCertificate(
                certificate=link.certificate, usage_property=properties.get(link.certificate)
            )
        found.append(
            op.StoreCertificate(
                certificate=entry.certificate,
                has_private_key=entry.has_private_key,
                usage_property=entry.usage_property,
                chain=tuple(trust.thumbprint(link.certificate) for link in chain),
            )
        )
    return op.CertificatesReply(
        certificates=tuple(found), issuers=tuple(issuers.values()), truncated=len(entries) > asked.limit
    )


def chain_check(host: Host, asked: op.ChainCheck, _: Surroundings) -> op.ChainCheckReply:
    chain = trust.build(asked.certificate, asked.issuers, host.stores.anchors())
    return op.ChainCheckReply(
        statuses=trust.chain_statuses(chain, asked.oid, host.now()),
        chain=tuple(trust.thumbprint(link.certificate) for link in chain.links),
    )


def tls_peer(host: Host, asked: op.TlsPeer, around: Surroundings) -> op.TlsPeerReply:
    answer = around.network.connect(asked.host or host.fqdn, asked.port)
    return op.TlsPeerReply(
        connected=answer.presented is not None or answer.failure is Failure.HANDSHAKE,
        certificate=answer.presented.certificate if answer.presented else None,
        issuers=answer.presented.issuers if answer.presented else (),
        failure=answer.failure.value if answer.failure else None,
    )
