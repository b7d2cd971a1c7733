# Copyright (c) 2026, the sfb.kb4023993 contributors
# GNU General Public License v3.0-or-later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Private keys on a simulated server: what may be done with them, and where new ones come from."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import dataclass, field

from cryptography.hazmat.primitives.asymmetric import rsa

_made: dict[int, list[rsa.RSAPrivateKey]] = {}
_making = threading.Lock()


@dataclass(frozen=True, kw_only=True)
class HeldKey:
    """A key in the key set of the machine. ``usable``: whether the product's services can do TLS with it."""

    private: rsa.RSAPrivateKey = field(repr=False)
    exportable: bool
    usable: bool = True


class KeyMaker:
    """Gives each asker a key of its own. Keys are slow to make, so other makers of the same process get the same ones again."""

    def __init__(self) -> None:
        self._next: dict[int, Iterator[rsa.RSAPrivateKey]] = {}

    def make(self, bits: int) -> rsa.RSAPrivateKey:
        return next(self._next.setdefault(bits, _keys(bits)))


def _keys(bits: int) -> Iterator[rsa.RSAPrivateKey]:
    number = 0
    while True:
        with _making:
            known = _made.setdefault(bits, [])
            if number == len(known):
                known.append(rsa.generate_private_key(public_exponent=65537, key_size=bits))
        yield known[number]
        number += 1
