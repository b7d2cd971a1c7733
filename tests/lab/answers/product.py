# Copyright (c) 2026, the sfb.kb4023993 contributors
# GNU General Public License v3.0-or-later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The product's own cmdlets."""

from __future__ import annotations

from ansible_collections.sfb.kb4023993.plugins.plugin_utils.host import operations as op
from cryptography import x509

from lab import trust
from lab.answers.cmdlet import run
from lab.answers.context import Surroundings
from lab.clock import utc_text
from lab.world.errors import WorldError
from lab.world.host import Host


def lync_command(host: Host, asked: op.LyncCommand, around: Surroundings) -> op.LyncCommandReply:
    if asked.command not in ("Get-CsCertificate", "Get-CsTopology"):
        raise WorldError("invalid", "this command is not allowed")
    ended = run(host, asked.command, asked.modules, asked.seconds, lambda: None)
    text: str | None = None
    objects: tuple[dict[str, tuple[str, ...]], ...] = ()
    if ended.well and asked.command == "Get-CsTopology":
        text = around.topology()
    elif ended.well:
        references = [_reference(host, use, thumbprint) for use, thumbprint in host.lync.assigned.items()]
        objects = tuple(_asked_of(reference, asked.properties) for reference in references)
    return op.LyncCommandReply(
        module=ended.module, denied=ended.denied, failure=ended.failure, objects=objects, text=text
    )


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
