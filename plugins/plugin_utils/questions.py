# Copyright (c) 2026, the sfb.kb4023993 contributors
# GNU General Public License v3.0-or-later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a Front End is asked about its peers, once the evidence of the fleet is there."""

from __future__ import annotations

import dataclasses

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
