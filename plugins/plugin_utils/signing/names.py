# Copyright (c) 2026, the sfb.kb4023993 contributors
# GNU General Public License v3.0-or-later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The names in a request or a certificate, and what differs between two of them.

A server is found by any of its names, wherever they stand: in the subject's CN or among the subject alternative names. So all
of them are one set. Names of DNS are compared without regard to case; other kinds carry their kind (``ip:10.0.0.1``).
"""

from __future__ import annotations

import dataclasses
import ipaddress

from .. import _der
from .._certificate import SUBJECT_ALTERNATIVE_NAME, Certificate, bounded

_DNS, _IP = 0x82, 0x87
_OTHER_KINDS = {0xA0: "other name", 0x81: "email", 0xA4: "directory name", 0x86: "uri", 0x88: "registered id"}


class NamesError(ValueError):
    """The names cannot be read; the text says why."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Names:
    """``common_name`` as it stands, None if there is none; ``all``: the CN and the alternative names, fit for comparing."""

    common_name: str | None
    all: frozenset[str]

    @property
    def wildcards(self) -> tuple[str, ...]:
        return tuple(sorted(name for name in self.all if "*" in name))


@dataclasses.dataclass(frozen=True, kw_only=True)
class Difference:
    """What `names_differ` found. ``common_name``: (wanted, found) where the subjects' CN differ."""

    missing: tuple[str, ...] = ()
    added: tuple[str, ...] = ()
    common_name: tuple[str | None, str | None] | None = None


def make_names(common_name: str | None, alternative: tuple[str, ...]) -> Names:
    """The names of a subject and its alternative names (as `read_alternative_names` gives them)."""
    every = {_normal(common_name)} if common_name else set()
    return Names(common_name=common_name, all=frozenset(every.union(map(_normal, alternative))))


def certificate_names(certificate: Certificate, common_name: str | None) -> Names:
    """The names of a certificate.

    :raises NamesError: its alternative names are malformed.
    """
    values = certificate.raw.values(SUBJECT_ALTERNATIVE_NAME)
    if len(values) > 1:
        raise NamesError("the subject alternative names are there more than once")
    return make_names(common_name, read_alternative_names(values[0]) if values else ())


def read_alternative_names(value: bytes) -> tuple[str, ...]:
    """The names in the value of a Subject Alternative Name extension, of every kind.

    :raises NamesError: malformed.
    """
    try:
        return tuple(_name(element) for element in _der.read_sequence(value))
    except (_der.DerError, ValueError) as error:
        raise NamesError(f"the subject alternative names cannot be read: {error}") from None


def difference(*, wanted: Names, found: Names) -> Difference:
    """What ``found`` lacks and has too much."""
    other_subject = (wanted.common_name or "").casefold() != (found.common_name or "").casefold()
    return Difference(
        missing=tuple(sorted(wanted.all - found.all)),
        added=tuple(sorted(found.all - wanted.all)),
        common_name=(wanted.common_name, found.common_name) if other_subject else None,
    )


def _name(element: _der.Element) -> str:
    if element.tag == _DNS:
        return bounded(element.content.decode("ascii"))
    if element.tag == _IP:
        return f"ip:{ipaddress.ip_address(element.content)}"
    if element.tag not in _OTHER_KINDS:
        raise _der.DerError(f"a name has the unknown tag 0x{element.tag:02x}")
    text = element.content.decode("ascii") if element.tag in (0x81, 0x86) else element.content.hex()
    return f"{_OTHER_KINDS[element.tag]}:{bounded(text)}"


def _normal(name: str) -> str:
    return name.strip().rstrip(".").casefold()
