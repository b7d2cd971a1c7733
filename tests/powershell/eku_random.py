# Copyright (c) 2026, the sfb.kb4023993 contributors
# GNU General Public License v3.0-or-later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Chains by chance: what nobody thought of when writing `eku_cases.py`. The same seed makes the same chains."""

from __future__ import annotations

import functools
import random

from cryptography.hazmat.primitives.asymmetric import ec
from lab import pki
from powershell.eku_cases import ANY, ANY_MS, ANY_POLICY, OTHER, C, Case, S, Usages

SEED = 4023993
_OIDS = (S, C, C, OTHER, ANY, ANY_MS, ANY_POLICY, "1.3.6.1.4.1.311.10.3.4", "1.3.6.1.5.5.7.3.17")


def by_chance(count: int, seed: int = SEED) -> dict[str, Case]:
    """Chains with no, one, two or three CAs below the root, any of them limited in any way, RSA and EC mixed."""
    chance = random.Random(seed)
    found: dict[str, Case] = {}
    for number in range(count):
        # A name of its own: .NET would take any trusted root with the right name and key.
        eku, policies = _usages(chance, 0.75), _usages(chance, 0.9)
        root = authority = pki.root_authority(
            f"Random root {number}", eku=eku, application_policies=policies, key=_key(chance, "Random root")
        )
        shape = [f"{eku}/{policies}"]
        for level in range(chance.randrange(4)):
            name = f"Random CA {level}"
            extensions, words = _extensions(chance, silent=0.65)
            authority = authority.subordinate(name, extensions=extensions, key=_key(chance, name))
            shape.append(words)
        extensions, words = _extensions(chance, silent=0.2)
        peer = authority.issue("peer", eku=None, extensions=extensions, key=_key(chance, "peer"))
        found[f"random:{number} chain={[*shape, words]}"] = Case(peer, root)
    return found


def _extensions(chance: random.Random, *, silent: float) -> tuple[tuple[pki.Extension, ...], str]:
    """Extended Key Usage (critical or not) and Application Policies in either order, and what they are in words."""
    eku, policies = _usages(chance, silent), _usages(chance, max(silent, 0.6))
    extensions = []
    if eku is not None:
        extensions.append(pki.Extension(pki.EXTENDED_KEY_USAGE, pki.usage_list(eku), chance.random() < 0.3))
    if policies is not None:
        extensions.append(pki.Extension(pki.APPLICATION_POLICIES, pki.policy_list(policies)))
    chance.shuffle(extensions)
    return tuple(extensions), f"{eku}/{policies}"


def _usages(chance: random.Random, silent: float) -> Usages:
    if chance.random() < silent:
        return None
    return tuple(chance.choices(_OIDS, k=chance.randrange(5)))


def _key(chance: random.Random, purpose: str) -> pki.PrivateKey:
    return _curve(purpose) if chance.random() < 0.5 else pki.shared_key(purpose)


@functools.cache
def _curve(purpose: str) -> ec.EllipticCurvePrivateKey:
    del purpose
    return ec.generate_private_key(ec.SECP256R1())
