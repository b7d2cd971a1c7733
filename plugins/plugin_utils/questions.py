# Copyright (c) 2026, the sfb.kb4023993 contributors
# GNU General Public License v3.0-or-later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a Front End is asked about its peers, once the evidence of the fleet is there."""

from __future__ import annotations

import dataclasses
import typing as t

# SHA-1 thumbprint, the certificate, its issuers.
PeerCertificate = tuple[str, bytes, tuple[bytes, ...]]


@dataclasses.dataclass(frozen=True, kw_only=True)
class PeerQuestion:
    """Certificates to check, and names and ports of servers whose certificate nobody could read."""

    certificates: tuple[PeerCertificate, ...]
    names: tuple[tuple[str, int], ...]

    @property
    def is_empty(self) -> bool:
        return not self.certificates and not self.names

    def without(self, asked: PeerQuestion | None, *, answered: t.Collection[str]) -> PeerQuestion:
        """What is still to be asked, where the host was ``asked`` already and has answered about these thumbprints."""
        known = set(asked.certificates) if asked else set()
        return PeerQuestion(
            certificates=tuple(c for c in self.certificates if not (c in known and c[0] in answered)), names=self.names
        )

    def within(self, size: int) -> PeerQuestion:
        """As many of the certificates as fit into ``size`` bytes, issuers that several share counted once; no names."""
        seen: set[bytes] = set()
        fitting = []
        for certificate in self.certificates:
            parts = {certificate[1], *certificate[2]} - seen
            size -= sum(map(len, parts))
            if size < 0:
                break
            seen |= parts
            fitting.append(certificate)
        return PeerQuestion(certificates=tuple(fitting), names=())


NOTHING: t.Final = PeerQuestion(certificates=(), names=())
