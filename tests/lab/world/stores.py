# Copyright (c) 2026, the sfb.kb4023993 contributors
# GNU General Public License v3.0-or-later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The certificate stores of one simulated server (LocalMachine), and what it would send of a chain in TLS."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from lab import trust
from lab.trust import Presented
from lab.world.keys import HeldKey

STORES = ("My", "CA", "Root", "REQUEST", "TrustedPeople")


@dataclass(frozen=True, kw_only=True)
class StoreEntry:
    """One certificate. ``usage_property``: the purposes that an administrator left enabled (DER), None when not set.

    ``key``: its private key, None where it has none, or one that nobody ever does more with than present the certificate.
    """

    certificate: bytes
    has_private_key: bool = False
    usage_property: bytes | None = None
    key: HeldKey | None = None
    friendly_name: str = ""

    @property
    def usable(self) -> bool:
        """Whether the product's services can present it."""
        return self.has_private_key and (self.key is None or self.key.usable)


class Stores:
    """The stores by name. ``before_change`` is called before anything in them changes."""

    def __init__(self, before_change: Callable[[], None]) -> None:
        self._before_change = before_change
        self._stores: dict[str, list[StoreEntry]] = {name.casefold(): [] for name in STORES}

    def exists(self, store: str) -> bool:
        return store.casefold() in self._stores

    def entries(self, store: str) -> tuple[StoreEntry, ...]:
        return tuple(self._stores.get(store.casefold(), ()))

    def add(
        self,
        store: str,
        certificate: bytes,
        *,
        has_private_key: bool = False,
        usage_property: bytes | None = None,
        key: HeldKey | None = None,
        friendly_name: str = "",
    ) -> None:
        """Put a certificate into a store, in place of the same one if it is there. A store that does not exist is made."""
        self._before_change()
        self._stores.setdefault(store.casefold(), [])
        self._remove(store, certificate)
        self._stores[store.casefold()].append(
            StoreEntry(
                certificate=certificate,
                has_private_key=has_private_key or key is not None,
                usage_property=usage_property,
                key=key,
                friendly_name=friendly_name,
            )
        )

    def remove(self, store: str, certificate: bytes) -> None:
        """Take a certificate out of a store, if it is there."""
        self._before_change()
        self._remove(store, certificate)

    def set_usage_property(self, store: str, certificate: bytes, usage_property: bytes | None) -> None:
        """Restrict the purposes of a certificate on this machine (or, with None, no longer)."""
        self._before_change()
        entries = self._stores[store.casefold()]
        for index, entry in enumerate(entries):
            if entry.certificate == certificate:
                entries[index] = replace(entry, usage_property=usage_property)

    def find(self, thumbprint: str, *, store: str = "My") -> StoreEntry | None:
        """A certificate of a store by its SHA-1 thumbprint."""
        wanted = thumbprint.casefold()
        return next((e for e in self.entries(store) if trust.thumbprint(e.certificate).casefold() == wanted), None)

    def waiting_for(self, certificate: bytes) -> StoreEntry | None:
        """The request of this machine whose key belongs to a certificate."""
        public = trust.parse(certificate).public_key()
        return next((e for e in self.entries("REQUEST") if e.key and e.key.private.public_key() == public), None)

    def anchors(self) -> trust.Anchors:
        """The CA certificates of this machine, as building a chain needs them."""
        return trust.Anchors(
            roots=tuple((e.certificate, e.usage_property) for e in self.entries("Root")),
            intermediates=tuple((e.certificate, e.usage_property) for e in self.entries("CA")),
        )

    def trusts(self, certificate: bytes) -> bool:
        """Whether this machine can build the chain of a certificate to a root that it trusts."""
        return trust.build(certificate, (), self.anchors()).ending is None

    def presented(self, certificate: bytes) -> Presented:
        """What a TLS server of this machine sends: the certificate and its intermediates, without the root."""
        chain = trust.build(certificate, (), self.anchors())
        return Presented(
            certificate=certificate,
            issuers=tuple(link.certificate for link in chain.links[1:] if not trust.is_self_issued(link.certificate)),
        )

    def _remove(self, store: str, certificate: bytes) -> None:
        entries = self._stores[store.casefold()]
        self._stores[store.casefold()] = [entry for entry in entries if entry.certificate != certificate]
