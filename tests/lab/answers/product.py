# Copyright (c) 2026, the sfb.kb4023993 contributors
# GNU General Public License v3.0-or-later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The product's own cmdlets."""

from __future__ import annotations

from ansible_collections.sfb.kb4023993.plugins.plugin_utils.host import operations as op
from cryptography import x509

from lab import trust
from lab.answers.context import Surroundings
from lab.clock import utc_text
from lab.world.errors import WorldError
from lab.world.host import Host

_DENIED = {
    "de": "Der Zugriff wurde verweigert.",
    "ja": "アクセスが拒否されました。",
}


def lync_command(host: Host, asked: op.LyncCommand, around: Surroundings) -> op.LyncCommandReply:
    if asked.command not in ("Get-CsCertificate", "Get-CsTopology"):
        raise WorldError("invalid", "this command is not allowed")
    if {module.casefold() for module in asked.modules} - {"skypeforbusiness", "lync"}:
        raise WorldError("invalid", "this module is not allowed")
    installed = {module.casefold() for module in host.lync.modules}
    module = next((name for name in asked.modules if name.casefold() in installed), None)
    if module is None or host.quirks.no_lync_module:
        return op.LyncCommandReply(module=None, denied=False, failure=None, objects=(), text=None)
    if asked.command in host.quirks.denied_cmdlets:
        message = _DENIED.get(host.facts.ui_culture[:2], "Access is denied.")
        return op.LyncCommandReply(module=module, denied=True, failure=message, objects=(), text=None)
    if asked.command == "Get-CsTopology":
        return op.LyncCommandReply(module=module, denied=False, failure=None, objects=(), text=around.topology())
    references = [_reference(host, use, thumbprint) for use, thumbprint in host.lync.assigned.items()]
    objects = tuple(_asked_of(reference, asked.properties) for reference in references)
    return op.LyncCommandReply(module=module, denied=False, failure=None, objects=objects, text=None)


def _asked_of(reference: dict[str, tuple[str, ...]], properties: tuple[str, ...]) -> dict[str, tuple[str, ...]]:
    """The asked properties, which are found without regard to case and come back as they were asked for."""
    known = {name.casefold(): texts for name, texts in reference.items()}
    return {name: known[name.casefold()] for name in properties if name.casefold() in known}


def _reference(host: Host, use: str, thumbprint: str) -> dict[str, tuple[str, ...]]:
    """One CertificateReference. Only these properties are known from documentation and scripts."""
    reference: dict[str, tuple[str, ...]] = {"Use": (use,), "Thumbprint": (thumbprint,)}
    entry = host.stores.find(thumbprint)
    if entry is not None:
        certificate = trust.parse(entry.certificate)
        reference["Subject"] = (certificate.subject.rfc4514_string(),)
        reference["Issuer"] = (certificate.issuer.rfc4514_string(),)
        reference["NotAfter"] = (utc_text(certificate.not_valid_after_utc),)
        reference["AlternativeNames"] = _alternative_names(certificate)
    return reference


def _alternative_names(certificate: x509.Certificate) -> tuple[str, ...]:
    try:
        extension = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName)
    except x509.ExtensionNotFound:
        return ()
    return tuple(extension.value.get_values_for_type(x509.DNSName))
