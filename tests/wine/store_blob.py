# Copyright (c) 2026, the sfb.kb4023993 contributors
# GNU General Public License v3.0-or-later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Certificates as the registry holds them in a computer's stores: rows of properties (number, 1, length, data)."""

from __future__ import annotations

import hashlib
import struct

from lab.world.stores import StoreEntry

from wine.registry_file import Raw, binary

_KEY_PROVIDER, _USAGE, _CERTIFICATE = 2, 9, 32
"""CERT_KEY_PROV_INFO_PROP_ID, CERT_ENHKEY_USAGE_PROP_ID, CERT_CERT_PROP_ID."""

_PROVIDER = "Microsoft RSA SChannel Cryptographic Provider"
_RSA_SCHANNEL, _MACHINE_KEYSET, _KEY_EXCHANGE = 12, 0x20, 1


def key_path(store: str, certificate: bytes) -> str:
    """The key of a certificate in a store of the computer, below HKEY_LOCAL_MACHINE."""
    thumbprint = hashlib.sha1(certificate, usedforsecurity=False).hexdigest().upper()
    return rf"SOFTWARE\Microsoft\SystemCertificates\{store}\Certificates\{thumbprint}"


def store_keys(store: str, entries: tuple[StoreEntry, ...]) -> dict[str, dict[str, Raw]]:
    """A store's certificates, to be imported. A private key is only named, there is none: Wine could not use it."""
    return {key_path(store, entry.certificate): {"Blob": binary(_blob(entry))} for entry in entries}


def _blob(entry: StoreEntry) -> bytes:
    rows = []
    if entry.has_private_key:
        rows.append((_KEY_PROVIDER, _key_provider()))
    if entry.usage_property is not None:
        rows.append((_USAGE, entry.usage_property))
    rows.append((_CERTIFICATE, entry.certificate))
    return b"".join(struct.pack("<III", number, 1, len(data)) + data for number, data in rows)


def _key_provider() -> bytes:
    """A CRYPT_KEY_PROV_INFO as stores hold it: offsets instead of pointers, all fields of 32 bits, the texts behind them."""
    container, provider = (f"{text}\0".encode("utf-16-le") for text in ("lab", _PROVIDER))
    start = 7 * 4
    fields = (start, start + len(container), _RSA_SCHANNEL, _MACHINE_KEYSET, 0, 0, _KEY_EXCHANGE)
    return struct.pack("<7I", *fields) + container + provider
