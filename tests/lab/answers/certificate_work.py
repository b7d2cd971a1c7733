# Copyright (c) 2026, the sfb.kb4023993 contributors
# GNU General Public License v3.0-or-later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Request-CsCertificate, Import-CsCertificate and Set-CsCertificate.

From reference/sfb.md, sections 2.2 and 2.3. Assumed, because no source says it, each time the answer that is worse for the caller:
an untrusted chain is refused when it is imported and when it is assigned; a key that was made exportable stays so only if it is
imported as such; a certificate without its waiting key is imported without a key.
"""

from __future__ import annotations

import re

from ansible_collections.sfb.kb4023993.plugins.plugin_utils.host import certificate_operations as cop
from cryptography import x509
from cryptography.x509.oid import NameOID

from lab import pki, requests, trust
from lab.answers.cmdlet import CmdletError, run
from lab.answers.context import Surroundings
from lab.world.errors import WorldError
from lab.world.host import Host
from lab.world.keys import HeldKey

_KEY_SIZES = (1024, 2048, 4096)
_USES = ("Internal", "Default", "WebServicesInternal", "WebServicesExternal")
_GLOBAL = "OAuthTokenIssuer"
_NAME = re.compile(r"[^,\s]+\Z")
_THUMBPRINT = re.compile(r"(?i)[0-9A-F]{40}\Z")
_UNTRUSTED = "Assigned certificate not found or untrusted."


def lync_request(host: Host, asked: cop.LyncRequest, _: Surroundings) -> cop.RequestReply:
    if asked.use not in _USES:
        raise WorldError("invalid", "this use of a certificate is not allowed")
    if not all(_NAME.match(name) for name in asked.names):
        raise WorldError("invalid", "a name holds a comma or a blank")
    made: list[str] = []
    ended = run(host, "Request-CsCertificate", asked.modules, asked.seconds, lambda: made.append(_request(host, asked)))
    return cop.RequestReply(
        module=ended.module,
        denied=ended.denied,
        failure=ended.failure,
        exit_code=None,
        csr=made[0] if made and ended.well else None,
    )


def _request(host: Host, asked: cop.LyncRequest) -> str:
    """The names that the product computes, and those that were asked for beside them."""
    computed = host.lync.computed.get(asked.use)
    if not computed:
        raise CmdletError("The computer does not need a certificate.")
    if asked.key_size not in _KEY_SIZES:
        raise CmdletError(f"Cannot validate argument on parameter 'KeySize': {asked.key_size}.")
    if requests.friendly_name_taken(host, asked.friendly_name):
        raise CmdletError(f'A certificate with the friendly name "{asked.friendly_name}" is already there.')
    private = host.keys.make(asked.key_size)
    names = dict.fromkeys((*computed, *asked.names))
    csr = requests.make(
        private, _subject(computed[0], asked), names=list(names), usages=(pki.SERVER_AUTH, pki.CLIENT_AUTH)
    )
    key = HeldKey(private=private, exportable=asked.exportable)
    requests.wait(host, csr, key, friendly_name=asked.friendly_name)
    return requests.pem(csr)


def _subject(common_name: str, asked: cop.LyncRequest) -> x509.Name:
    texts = (
        (NameOID.COUNTRY_NAME, asked.country),
        (NameOID.STATE_OR_PROVINCE_NAME, asked.state),
        (NameOID.LOCALITY_NAME, asked.city),
        (NameOID.ORGANIZATION_NAME, asked.organization),
        (NameOID.ORGANIZATIONAL_UNIT_NAME, asked.unit),
        (NameOID.COMMON_NAME, common_name),
    )
    try:
        return x509.Name([x509.NameAttribute(oid, text) for oid, text in texts if text])
    except ValueError as error:
        raise CmdletError(f"The subject cannot be encoded: {error}") from None


def lync_import(host: Host, asked: cop.LyncImport, _: Surroundings) -> cop.LyncOutcome:
    try:
        trust.parse(asked.certificate)
    except ValueError:
        raise WorldError("invalid", "these bytes are not a certificate") from None
    ended = run(host, "Import-CsCertificate", asked.modules, asked.seconds, lambda: _import(host, asked))
    return cop.LyncOutcome(module=ended.module, denied=ended.denied, failure=ended.failure)


def _import(host: Host, asked: cop.LyncImport) -> None:
    if not host.stores.trusts(asked.certificate):
        raise CmdletError("A certificate chain could not be built to a trusted root authority.")
    waiting = host.stores.waiting_for(asked.certificate)
    if waiting is not None and waiting.key is not None:
        key = HeldKey(
            private=waiting.key.private,
            exportable=waiting.key.exportable and asked.exportable,
            usable=waiting.key.usable,
        )
        host.stores.remove("REQUEST", waiting.certificate)
        host.stores.add("My", asked.certificate, key=key, friendly_name=waiting.friendly_name)
    elif host.stores.find(trust.thumbprint(asked.certificate)) is None:
        host.stores.add("My", asked.certificate)


def lync_assign(host: Host, asked: cop.LyncAssign, around: Surroundings) -> cop.LyncOutcome:
    if not asked.uses or not set(asked.uses) <= set(_USES) or not _THUMBPRINT.match(asked.thumbprint):
        raise WorldError("invalid", "these are not uses that may be assigned, or this is no thumbprint")

    def work() -> None:
        assign(host, asked.uses, asked.thumbprint, around.hosts)

    ended = run(host, "Set-CsCertificate", asked.modules, asked.seconds, work)
    return cop.LyncOutcome(module=ended.module, denied=ended.denied, failure=ended.failure)


def assign(host: Host, uses: tuple[str, ...], thumbprint: str, everybody: tuple[Host, ...]) -> None:
    """Set-CsCertificate: these uses have this certificate from now on; services that run keep theirs.

    Nothing protects the uses that workaround 1 must leave alone: OAuthTokenIssuer is one certificate for the whole deployment, so
    that all Front Ends get the new one, and what they signed with the old one is worth nothing.

    :raises CmdletError: for a use that the role does not have, and a certificate that cannot be used; nothing is changed then.
    """
    for use in uses:
        if use not in host.lync.computed:
            raise CmdletError(f"The computer does not need a certificate of the type {use}.")
    entry = host.stores.find(thumbprint)
    if entry is None or not host.stores.trusts(entry.certificate):
        raise CmdletError(_UNTRUSTED)
    if not entry.usable:
        raise CmdletError(f"The certificate {thumbprint} has no private key that the services could use.")
    host.assign(tuple(use for use in uses if use != _GLOBAL), entry.certificate)
    if _GLOBAL in uses:
        for other in everybody:
            if _GLOBAL in other.lync.computed:
                other.stores.add("My", entry.certificate, key=entry.key, friendly_name=entry.friendly_name)
                other.assign((_GLOBAL,), entry.certificate)
