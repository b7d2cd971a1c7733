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

_MAX_PORT = 65535


def certificates(host: Host, asked: op.Certificates, _: Surroundings) -> op.CertificatesReply:
    if not asked.store or "\\" in asked.store:
        raise WorldError("invalid", "this is not the name of a store")
    if not host.stores.exists(asked.store):
        raise WorldError("not_found", "The system cannot find the file specified.")
    if asked.only not in ("", "all", "issued_by_others"):
        raise WorldError("invalid", "there is no such selection of certificates")
    entries = sorted(host.stores.entries(asked.store), key=lambda entry: not entry.has_private_key)
    if asked.only == "issued_by_others":
        entries = [entry for entry in entries if not trust.is_self_issued(entry.certificate)]
    anchors = host.stores.anchors()
    found: list[op.StoreCertificate] = []
    issuers: dict[str, op.ChainCertificate] = {}
    properties = {**dict(anchors.roots), **dict(anchors.intermediates)}
    limit = max(0, asked.limit)
    for entry in entries[:limit]:
        chain = trust.build(entry.certificate, (), anchors).links[1:]
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
        certificates=tuple(found), issuers=tuple(issuers.values()), truncated=len(entries) > limit
    )


def chain_check(host: Host, asked: op.ChainCheck, _: Surroundings) -> op.ChainCheckReply:
    for certificate in (asked.certificate, *asked.issuers):
        try:
            trust.parse(certificate)
        except ValueError:
            raise WorldError("invalid", "these bytes are not a certificate") from None
    chain = trust.build(asked.certificate, asked.issuers, host.stores.anchors())
    return op.ChainCheckReply(
        statuses=trust.chain_statuses(chain, asked.oid, host.now()),
        chain=tuple(trust.thumbprint(link.certificate) for link in chain.links),
    )


def tls_peer(host: Host, asked: op.TlsPeer, around: Surroundings) -> op.TlsPeerReply:
    if not 0 <= asked.port <= _MAX_PORT:
        return op.TlsPeerReply(connected=False, certificate=None, issuers=(), failure="other")
    answer = around.network.connect(asked.host or host.fqdn, asked.port)
    presented = answer.presented
    return op.TlsPeerReply(
        connected=presented is not None or answer.failure is Failure.HANDSHAKE,
        certificate=presented.certificate if presented else None,
        # A peer that ends the handshake because it gets no certificate has shown its own, but not yet its issuers.
        issuers=presented.issuers if presented and answer.failure is None else (),
        failure=answer.failure.value if answer.failure else None,
    )
