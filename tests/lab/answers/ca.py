# Copyright (c) 2026, the sfb.kb4023993 contributors
# GNU General Public License v3.0-or-later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Asking a CA by the COM object CertificateAuthority.Request, from a server to the CA's host: the second hop of a session.

Without delegation the CA's host gets no account to decide on, and refuses before anything is handed in (reference/sfb.md,
section 3.2); the number is the one that Windows has for it.
"""

from __future__ import annotations

import re

from ansible_collections.sfb.kb4023993.plugins.plugin_utils.host import certificate_operations as cop

from lab.answers.context import Surroundings
from lab.ca.enterprise import ISSUED, EnterpriseCa, Request, bundle
from lab.world.errors import WorldError
from lab.world.host import Host

_CONFIG = re.compile(r"[^\\/]+\\.+\Z")


def ca_submit(host: Host, asked: cop.CaSubmit, around: Surroundings) -> cop.CaReply:
    ca, account = _reach(host, asked.config, around)
    return _reply(ca, ca.submit(account, asked.csr.encode("utf-8"), asked.attributes))


def ca_retrieve(host: Host, asked: cop.CaRetrieve, around: Surroundings) -> cop.CaReply:
    ca, _account = _reach(host, asked.config, around)
    return _reply(ca, ca.retrieve(asked.request_id))


def ca_chain(host: Host, asked: cop.CaChain, around: Surroundings) -> cop.CaChainReply:
    ca, _account = _reach(host, asked.config, around)
    return cop.CaChainReply(certificates=ca.chain_pkcs7)


def _reach(host: Host, config: str, around: Surroundings) -> tuple[EnterpriseCa, str]:
    """The CA, and the account that it sees."""
    if not _CONFIG.match(config):
        raise WorldError("invalid", "this does not name a CA")
    access, account = around.ca_access.get(host, ("none", ""))
    ca = around.cas.get(config.casefold())
    if ca is None or access == "none":
        raise WorldError("failed", "CCertRequest: The RPC server is unavailable. 0x800706ba (WIN32: 1722)")
    if access == "not_delegated":
        raise WorldError("denied", "CCertRequest: Access is denied. 0x80070005 (WIN32: 5)")
    return ca, account


def _reply(ca: EnterpriseCa, row: Request) -> cop.CaReply:
    issued = row.certificate if row.disposition == ISSUED else None
    return cop.CaReply(
        disposition=row.disposition,
        request_id=row.id,
        # GetLastStatus gives a signed number.
        hresult=row.code - 2**32 if row.code >= 2**31 else row.code,
        certificates=bundle([issued, *ca.chain]) if issued else None,
    )
