# Copyright (c) 2026, the sfb.kb4023993 contributors
# GNU General Public License v3.0-or-later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Certificates with their keys as files (PFX), and CA certificates into stores."""

from __future__ import annotations

from ansible_collections.sfb.kb4023993.plugins.plugin_utils.host import certificate_operations as cop
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.serialization import BestAvailableEncryption, Encoding, NoEncryption, pkcs12

from lab import trust
from lab.answers.context import Surroundings
from lab.world.errors import WorldError
from lab.world.host import Host
from lab.world.keys import HeldKey

_STORES = ("CA", "Root")


def pfx_export(host: Host, asked: cop.PfxExport, _: Surroundings) -> cop.PfxExportReply:
    entry = host.stores.find(asked.thumbprint)
    if entry is None:
        raise WorldError("not_found", "there is no such certificate in the store My")
    if entry.key is None or not entry.key.exportable:
        raise WorldError("failed", "Key not valid for use in specified state.")
    secret = asked.password.encode("utf-8")
    data = pkcs12.serialize_key_and_certificates(
        entry.friendly_name.encode("utf-8") or None,
        entry.key.private,
        trust.parse(entry.certificate),
        None,
        BestAvailableEncryption(secret) if secret else NoEncryption(),
    )
    return cop.PfxExportReply(pfx=data)


def pfx_import(host: Host, asked: cop.PfxImport, _: Surroundings) -> cop.StoreChangeReply:
    try:
        key, certificate, more = pkcs12.load_key_and_certificates(asked.pfx, asked.password.encode("utf-8"))
    except ValueError as error:
        # Windows too tells a wrong password from a damaged file only by its message.
        raise WorldError("failed", f"The specified network password is not correct. ({error})") from None
    if certificate is None or more or not isinstance(key, RSAPrivateKey):
        raise WorldError("invalid", "this is not a PFX with one certificate and its key")
    der = certificate.public_bytes(Encoding.DER)
    known = host.stores.find(trust.thumbprint(der))
    changed = known is None or not known.has_private_key
    if changed:
        held = HeldKey(private=key, exportable=asked.exportable)
        host.stores.add("My", der, key=held, friendly_name=asked.friendly_name)
    return cop.StoreChangeReply(thumbprint=trust.thumbprint(der), changed=changed)


def store_add(host: Host, asked: cop.StoreAdd, _: Surroundings) -> cop.StoreChangeReply:
    if asked.store not in _STORES:
        raise WorldError("invalid", "certificates are only added to the stores CA and Root")
    try:
        trust.parse(asked.certificate)
    except ValueError:
        raise WorldError("invalid", "these bytes are not a certificate") from None
    if asked.store == "Root" and not trust.is_self_issued(asked.certificate):
        raise WorldError("invalid", "only a self-signed certificate goes into the store Root")
    thumb = trust.thumbprint(asked.certificate)
    changed = host.stores.find(thumb, store=asked.store) is None
    if changed:
        host.stores.add(asked.store, asked.certificate)
    return cop.StoreChangeReply(thumbprint=thumb, changed=changed)
