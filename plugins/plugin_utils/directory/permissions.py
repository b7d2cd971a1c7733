# Copyright (c) 2026, the sfb.kb4023993 contributors
# GNU General Public License v3.0-or-later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who may enrol by a template and who may change it, judged from its permissions alone.

The judgement is cautious: entries that deny are not believed to help, because they hold for one way into a group only.
"""

from __future__ import annotations

import re
import typing as t
import uuid
from dataclasses import dataclass, replace

from .descriptor import (
    ALLOW,
    ALLOW_OBJECT,
    ALLOWING,
    CONTROL_ACCESS,
    DENYING,
    FULL_BUT_ENROL,
    GENERIC_ALL,
    GENERIC_WRITE,
    INHERIT_ONLY,
    INHERITED,
    READ,
    READ_PROPERTY,
    SELF_WRITE,
    WRITE_DACL,
    WRITE_OWNER,
    WRITE_PROPERTY,
    Ace,
    Descriptor,
    protected_dacl,
)

# Extended rights of certificate templates ([MS-CRTD] 2.5).
ENROL: t.Final = uuid.UUID("0e10c968-78fb-11d2-90d4-00c04f79dc55")
AUTO_ENROL: t.Final = uuid.UUID("a05b8cc2-17bc-4802-a710-e7c15ab866a2")
_NOTHING: t.Final = uuid.UUID(int=0)

EVERYONE: t.Final = "S-1-1-0"
AUTHENTICATED_USERS: t.Final = "S-1-5-11"
_SYSTEM: t.Final = "S-1-5-18"
_ADMINISTRATORS: t.Final = "S-1-5-32-544"

# Names for people; the SIDs are what counts.
WELL_KNOWN: t.Final = {
    EVERYONE: "Everyone",
    "S-1-2-0": "Local",
    "S-1-5-2": "Network",
    "S-1-5-4": "Interactive",
    "S-1-5-7": "Anonymous Logon",
    "S-1-5-9": "Enterprise Domain Controllers",
    "S-1-5-10": "Self",
    AUTHENTICATED_USERS: "Authenticated Users",
    "S-1-5-15": "This Organization",
    _SYSTEM: "SYSTEM",
    _ADMINISTRATORS: "Administrators",
    "S-1-5-32-545": "Users",
    "S-1-5-32-546": "Guests",
    "S-1-5-32-554": "Pre-Windows 2000 Compatible Access",
}
_WIDE: t.Final = frozenset(
    {
        EVERYONE,
        "S-1-2-0",
        "S-1-5-2",
        "S-1-5-4",
        "S-1-5-7",
        AUTHENTICATED_USERS,
        "S-1-5-15",
        "S-1-5-32-545",
        "S-1-5-32-546",
        "S-1-5-32-554",
    }
)
# Domain Users, Domain Guests, Domain Computers: of any domain.
WIDE_OF_DOMAIN: t.Final = {513: "Domain Users", 514: "Domain Guests", 515: "Domain Computers"}
# Domain Admins, Enterprise Admins.
_ADMINISTRATORS_OF_DOMAIN: t.Final = {512: "Domain Admins", 519: "Enterprise Admins"}
_OF_DOMAIN: t.Final = re.compile(r"S-1-5-21-\d+-\d+-\d+-(\d+)\Z", re.ASCII)
_ENROLS: t.Final = frozenset({None, _NOTHING, ENROL, AUTO_ENROL})
_WRITES: t.Final = WRITE_PROPERTY | SELF_WRITE | WRITE_DACL | WRITE_OWNER | GENERIC_ALL | GENERIC_WRITE


def _relative_id(sid: str) -> int | None:
    match = _OF_DOMAIN.match(sid)
    return int(match[1]) if match else None


def is_wide(sid: str) -> bool:
    """Whether this is a principal that contains everybody, or every account or computer of a domain."""
    return sid in _WIDE or _relative_id(sid) in WIDE_OF_DOMAIN


def is_administrator(sid: str) -> bool:
    """Whether this is a principal that administers the forest anyway."""
    return sid in (_SYSTEM, _ADMINISTRATORS) or _relative_id(sid) in _ADMINISTRATORS_OF_DOMAIN


def usual_name(sid: str) -> str | None:
    """The usual English name of a SID that is the same everywhere, or the same in every domain."""
    relative = _relative_id(sid)
    of_domain = {**WIDE_OF_DOMAIN, **_ADMINISTRATORS_OF_DOMAIN}
    return WELL_KNOWN.get(sid) or (of_domain.get(relative) if relative is not None else None)


def lets_enrol(ace: Ace) -> bool:
    """Whether an entry gives the right to enrol or to auto-enrol, by itself or as a part of more."""
    if ace.kind not in ALLOWING or ace.flags & INHERIT_ONLY:
        return False
    return bool(ace.mask & GENERIC_ALL or (ace.mask & CONTROL_ACCESS and ace.object_type in _ENROLS))


def lets_write(ace: Ace) -> bool:
    """Whether an entry lets somebody change the template, or its permissions, or take it over."""
    if ace.kind not in ALLOWING or ace.flags & INHERIT_ONLY:
        return False
    # "Write property" of an extended right says nothing; AD CS itself ships such entries.
    ignored = WRITE_PROPERTY if ace.object_type in (ENROL, AUTO_ENROL) else 0
    return bool(ace.mask & _WRITES & ~ignored)


def _lets_read(ace: Ace) -> bool:
    mask = READ_PROPERTY | GENERIC_ALL
    return bool(ace.kind in ALLOWING and not ace.flags & INHERIT_ONLY and ace.mask & mask)


@dataclass(frozen=True)
class Permission:
    """What one principal may do with a template."""

    sid: str
    enrol: bool
    write: bool
    read: bool


@dataclass(frozen=True)
class Permissions:
    """All that the permissions of a template say. Without a list of permissions, everybody may do everything."""

    owner: str | None
    principals: tuple[Permission, ...]
    denied: tuple[str, ...]

    @property
    def enrolling(self) -> tuple[str, ...]:
        return tuple(item.sid for item in self.principals if item.enrol)

    @property
    def writing(self) -> tuple[str, ...]:
        """Who may change the template; its owner may always change its permissions."""
        sids = [item.sid for item in self.principals if item.write]
        return tuple(dict.fromkeys([*sids, self.owner] if self.owner else sids))


def read_permissions(descriptor: Descriptor) -> Permissions:
    """Add up what the entries of a descriptor give to each principal."""
    if descriptor.dacl is None:
        return Permissions(descriptor.owner, (Permission(EVERYONE, enrol=True, write=True, read=True),), ())
    sids = dict.fromkeys(ace.sid for ace in descriptor.dacl if ace.kind in ALLOWING)
    found: list[Permission] = []
    for sid in sids:
        own = [ace for ace in descriptor.dacl if ace.sid == sid]
        enrol, write, read = any(map(lets_enrol, own)), any(map(lets_write, own)), any(map(_lets_read, own))
        if enrol or write or read:
            found.append(Permission(sid, enrol=enrol, write=write, read=read))
    denied = dict.fromkeys(ace.sid for ace in descriptor.dacl if ace.kind in DENYING and not ace.flags & INHERIT_ONLY)
    return Permissions(descriptor.owner, tuple(found), tuple(denied))


# ---- what the permissions should be


def _enrol_entry(sid: str) -> Ace:
    return Ace(ALLOW_OBJECT, CONTROL_ACCESS, sid, object_type=ENROL)


def safe_descriptor(*, domain_sid: str, enrol_sid: str) -> Descriptor:
    """Permissions of a new template: everybody reads (the CA has to), administrators change, one group enrols.

    ``domain_sid`` is that of the forest's root domain.
    """
    administrators = (f"{domain_sid}-512", f"{domain_sid}-519")
    return protected_dacl(
        Ace(ALLOW, READ, AUTHENTICATED_USERS),
        *(Ace(ALLOW, FULL_BUT_ENROL, sid) for sid in administrators),
        _enrol_entry(enrol_sid),
    )


def corrected_dacl(descriptor: Descriptor, *, enrol_sid: str) -> tuple[Ace, ...]:
    """The entries of an existing template, changed as little as needed: of all groups only this one enrols.

    Rights of administrators, and of wide principals (about which somebody has to decide), stay as they are. So do
    inherited entries: they cannot be changed here.
    """
    kept: list[Ace] = []
    for ace in descriptor.dacl or ():
        if is_administrator(ace.sid) or is_wide(ace.sid) or ace.flags & INHERITED or not lets_enrol(ace):
            kept.append(ace)
        elif ace.sid == enrol_sid:
            # To enrol is wanted, to do so unasked is not.
            kept += [ace] if ace.object_type != AUTO_ENROL else []
        elif ace.mask & GENERIC_ALL:
            kept.append(Ace(ace.kind, FULL_BUT_ENROL, ace.sid, ace.flags))
        elif ace.mask & ~CONTROL_ACCESS and ace.object_type in (None, _NOTHING):
            # A plain entry gives more than enrolment: only that part goes.
            kept.append(replace(ace, mask=ace.mask & ~CONTROL_ACCESS))
    if not any(_gives_enrol_alone(ace, enrol_sid) for ace in kept):
        own = sum(1 for ace in kept if not ace.flags & INHERITED)
        # Canonical order: entries of the object itself stand before inherited ones.
        kept.insert(own, _enrol_entry(enrol_sid))
    return tuple(kept)


def _gives_enrol_alone(ace: Ace, sid: str) -> bool:
    return ace.sid == sid and lets_enrol(ace) and ace.object_type != AUTO_ENROL
