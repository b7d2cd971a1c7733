# Copyright (c) 2026, the sfb.kb4023993 contributors
# GNU General Public License v3.0-or-later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Reading a forest: where its Public Key Services are, its CAs, templates and template identifiers, groups and names."""

from __future__ import annotations

import re
import secrets
import typing as t
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from .descriptor import DescriptorError, decode_sid, encode_sid
from .errors import DirectoryError, NotFoundError
from .ldap import Connection
from .messages import Entry, both, either, equal, present, reaches
from .permissions import WELL_KNOWN, WIDE_OF_DOMAIN, is_wide, usual_name
from .template import ATTRIBUTES, TEMPLATE_OID, number

# Arcs of identifiers of templates: Microsoft's tools stay below 2^24.
_SMALLEST_ARC: t.Final = 1_000_000
_ARC_END: t.Final = 1 << 24
# Of so many arcs hardly ever is one in use.
_ATTEMPTS: t.Final = 10
_FOREST_OID: t.Final = re.compile(r"1\.3\.6\.1\.4\.1\.311\.21\.8(\.\d{1,10}){1,10}\Z", re.ASCII)
_SECURITY_GROUP: t.Final = 0x80000000
_OID_CLASS: t.Final = "msPKI-Enterprise-Oid"
# What companions of templates have in "flags"; other objects of the class are issuance or application policies.
_OID_OF_TEMPLATE: t.Final = b"1"


class ForestError(DirectoryError):
    """The forest does not have what is needed; the text says what and what to do."""


@dataclass(frozen=True, kw_only=True)
class Forest:
    """Where things are. ``domain_sid`` is that of the forest's root domain, whose controller is asked."""

    where: str
    domain: str
    configuration: str
    domain_sid: str

    @property
    def services(self) -> str:
        return f"CN=Public Key Services,CN=Services,{self.configuration}"

    @property
    def templates(self) -> str:
        return f"CN=Certificate Templates,{self.services}"

    @property
    def oids(self) -> str:
        return f"CN=OID,{self.services}"

    @property
    def enrollment(self) -> str:
        return f"CN=Enrollment Services,{self.services}"

    def template_dn(self, name: str) -> str:
        """The DN of a template; the name has been checked to need no escapes."""
        return f"CN={name},{self.templates}"


@dataclass(frozen=True)
class Authority:
    """An enterprise CA, and the names of the templates that it publishes."""

    name: str
    dn: str
    templates: tuple[str, ...]

    def publishes(self, template: str) -> bool:
        return any(name.lower() == template.lower() for name in self.templates)


@dataclass(frozen=True)
class Principal:
    """Who has a right: the SID, and a name for people."""

    sid: str
    name: str


def read_forest(connection: Connection) -> Forest:
    """Ask the server what it is.

    :raises ForestError: it is not a controller of the root domain of a forest.
    """
    where = connection.server.where
    root = connection.read(
        "",
        ("configurationNamingContext", "defaultNamingContext", "rootDomainNamingContext"),
        doing="reading what the server is",
    )
    configuration, domain = root.text("configurationNamingContext"), root.text("defaultNamingContext")
    if not configuration or not domain:
        raise ForestError(f"{where}: this is no domain controller of Active Directory. Name one as the server.")
    if domain.lower() != root.text("rootDomainNamingContext").lower():
        raise ForestError(
            f"{where}: this is a domain controller of {domain}, which is not the root domain of its forest. Name one "
            f"of {root.text('rootDomainNamingContext')}: the rights on templates are held by groups of that domain."
        )
    sid = connection.read(domain, ("objectSid",), doing="reading the domain").values("objectSid")
    if not sid:
        raise ForestError(f"{where}: the domain {domain} shows no SID to this account. Use one that may read it.")
    return Forest(where=where, domain=domain, configuration=configuration, domain_sid=decode_sid(sid[0]))


def read_authorities(connection: Connection, forest: Forest) -> list[Authority]:
    """All enterprise CAs of the forest, by name.

    :raises ForestError: there is no place for them, so AD CS was never installed.
    """
    try:
        found = connection.search(
            forest.enrollment,
            "one",
            equal("objectClass", "pKIEnrollmentService"),
            ("cn", "certificateTemplates"),
            doing="reading the CAs",
        )
    except NotFoundError:
        raise ForestError(
            f"{forest.where}: there is no {forest.enrollment}. AD CS was never installed in this forest."
        ) from None
    listed = [Authority(entry.text("cn"), entry.dn, entry.texts("certificateTemplates")) for entry in found]
    return sorted(listed, key=lambda authority: authority.name.lower())


def choose_authorities(known: Iterable[Authority], names: Iterable[str], *, option: str) -> list[Authority]:
    """The CAs of these names, in their order and each once.

    :raises ForestError: one does not exist.
    """
    by_name = {authority.name.lower(): authority for authority in known}
    chosen: dict[str, Authority] = {}
    for name in names:
        authority = by_name.get(name.strip().lower())
        if authority is None:
            there = ", ".join(repr(item.name) for item in by_name.values()) or "none"
            raise ForestError(
                f"{option}: the forest has no enterprise CA with the name {name!r}. There are: {there}. Give the name "
                "of the CA, not of its server. Nothing was changed."
            )
        chosen[authority.dn] = authority
    return list(chosen.values())


def find_template(connection: Connection, forest: Forest, name: str) -> Entry | None:
    """A template by its name, with its permissions; None when there is none."""
    doing = f"reading the template {name}"
    try:
        return connection.read(forest.template_dn(name), ATTRIBUTES, doing=doing, descriptor=True)
    except NotFoundError:
        return None


# ---- identifiers


def new_oid(connection: Connection, forest: Forest) -> str:
    """An identifier for a template that nothing in the forest has yet.

    :raises ForestError: the forest has no identifier of its own.
    """
    base = connection.read(forest.oids, (TEMPLATE_OID,), doing="reading the identifier of the forest")
    prefix = base.text(TEMPLATE_OID)
    if not _FOREST_OID.match(prefix):
        raise ForestError(
            f"{forest.where}: {forest.oids} holds no identifier of the forest. It comes with the installation of the "
            "first enterprise CA; without one a template is of no use."
        )
    for _attempt in range(_ATTEMPTS):
        arcs = [_SMALLEST_ARC + secrets.randbelow(_ARC_END - _SMALLEST_ARC) for _arc in range(2)]
        oid = f"{prefix}.{arcs[0]}.{arcs[1]}"
        if not users_of(connection, forest, oid) and not companions(connection, forest, oid=oid):
            return oid
    raise ForestError(
        f"{forest.where}: of {_ATTEMPTS} random identifiers below {prefix} each is said to be in use, which cannot be. Ask another domain "
        "controller. Nothing was changed."
    )


def companion_dn(forest: Forest, oid: str) -> str:
    """A DN for the object that names a template's identifier, as the tools of Windows form it."""
    return f"CN={oid.rpartition('.')[2]}.{secrets.token_hex(16).upper()},{forest.oids}"


def companion_attributes(oid: str, display_name: str) -> dict[str, tuple[bytes, ...]]:
    return {
        "objectClass": (b"top", _OID_CLASS.encode("ascii")),
        "displayName": (display_name.encode("utf-8"),),
        "flags": (_OID_OF_TEMPLATE,),
        TEMPLATE_OID: (oid.encode("ascii"),),
    }


def companions(connection: Connection, forest: Forest, *, oid: str) -> list[Entry]:
    """The objects that name this identifier of a template."""
    return _companions(connection, forest, equal(TEMPLATE_OID, oid))


def orphans(connection: Connection, forest: Forest, *, display_name: str) -> list[Entry]:
    """Objects that name an identifier of a template of this display name, where no template has the identifier.

    That is what a run leaves that was stopped between the two.
    """
    found = _companions(connection, forest, equal("displayName", display_name))
    return [entry for entry in found if not users_of(connection, forest, entry.text(TEMPLATE_OID))]


def _companions(connection: Connection, forest: Forest, wanted: bytes) -> list[Entry]:
    search_filter = both(equal("objectClass", _OID_CLASS), equal("flags", _OID_OF_TEMPLATE), wanted)
    return connection.search(
        forest.oids, "one", search_filter, (TEMPLATE_OID,), doing="reading the identifiers of templates"
    )


def users_of(connection: Connection, forest: Forest, oid: str) -> list[Entry]:
    """The templates that have this identifier."""
    return connection.search(
        forest.templates, "one", equal(TEMPLATE_OID, oid), ("cn",), doing="looking for templates with an identifier"
    )


# ---- groups and names


def resolve_group(connection: Connection, forest: Forest, text: str) -> Principal:
    r"""The group that a name (``GROUP`` or ``DOMAIN\GROUP``) or a SID means.

    :raises ForestError: there is none, or it is no security group.
    """
    text = text.strip()
    by_name = {name.lower(): sid for sid, name in WELL_KNOWN.items()}
    known = by_name.get(text.rpartition("\\")[2].lower())
    try:
        sid = known or decode_sid(encode_sid(text))
    except DescriptorError:
        return _group_by_name(connection, forest, text)
    if is_wide(sid) and sid in WELL_KNOWN:
        return Principal(sid, WELL_KNOWN[sid])
    found = _by_sid(connection, forest, (sid,))
    if not found and not sid.startswith(f"{forest.domain_sid}-"):
        # A group of another domain: what is there cannot be seen from here.
        return Principal(sid, sid)
    return _as_group(forest, text, found)


def _group_by_name(connection: Connection, forest: Forest, text: str) -> Principal:
    domain, _backslash, name = text.rpartition("\\")
    if domain and not connection.search(
        f"CN=Partitions,{forest.configuration}",
        "one",
        both(equal("nCName", forest.domain), equal("nETBIOSName", domain)),
        ("cn",),
        doing="reading the name of the domain",
    ):
        raise ForestError(
            f"enrol_group: {domain} is not the domain of {forest.where}. Give the SID of a group of another domain."
        )
    found = connection.search(
        forest.domain,
        "subtree",
        both(present("objectSid"), equal("sAMAccountName", name)),
        _GROUP_ATTRIBUTES,
        doing=f"looking for the group {name}",
    )
    return _as_group(forest, text, found)


_GROUP_ATTRIBUTES: t.Final = ("objectSid", "sAMAccountName", "objectClass", "groupType")


def _as_group(forest: Forest, text: str, found: list[Entry]) -> Principal:
    if len(found) != 1:
        raise ForestError(
            f"enrol_group: {text!r} was not found in {forest.domain} ({forest.where}). Give the name that the group "
            "had before Windows 2000 (sAMAccountName), or its SID; or create a group for those who request "
            "certificates. Nothing was changed."
        )
    entry = found[0]
    if (
        b"group" not in entry.values("objectClass")
        or not (number(entry.attributes, "groupType") or 0) & _SECURITY_GROUP
    ):
        raise ForestError(
            f"enrol_group: {text!r} is not a security group. The right to enrol is given to groups only, so that who "
            "has it can be seen and changed in one place. Nothing was changed."
        )
    return Principal(_sid_of(forest, entry), entry.text("sAMAccountName"))


def _sid_of(forest: Forest, entry: Entry) -> str:
    values = entry.values("objectSid")
    if not values:
        raise ForestError(
            f"{forest.where}: an object that was asked for by its SID came without it. Use an account that may read the domain. "
            "Nothing was changed."
        )
    return decode_sid(values[0])


def _by_sid(connection: Connection, forest: Forest, sids: Iterable[str]) -> list[Entry]:
    filters = [equal("objectSid", encode_sid(sid)) for sid in sids]
    return connection.search(
        forest.domain, "subtree", either(*filters), _GROUP_ATTRIBUTES, doing="looking for the names of SIDs"
    )


def names_of(connection: Connection, forest: Forest, sids: Iterable[str]) -> dict[str, str]:
    """Names for SIDs; a SID that has none here is its own name."""
    names = {sid: usual_name(sid) or sid for sid in sids}
    unknown = [sid for sid, name in names.items() if sid == name]
    if unknown:
        for entry in _by_sid(connection, forest, unknown):
            names[_sid_of(forest, entry)] = entry.text("sAMAccountName")
    return names


def wide_groups(connection: Connection, forest: Forest) -> Mapping[str, str]:
    """SIDs of groups of this domain that contain a wide principal, directly or through other groups; by which one."""
    sids = [sid for sid in WELL_KNOWN if is_wide(sid)]
    sids += [f"{forest.domain_sid}-{relative}" for relative in WIDE_OF_DOMAIN]
    found: dict[str, str] = {}
    for wide in _by_sid(connection, forest, sids):
        sid = _sid_of(forest, wide)
        for group in connection.search(
            forest.domain,
            "subtree",
            both(present("objectSid"), reaches("member", wide.dn)),
            ("objectSid",),
            doing="looking for groups that contain everybody",
        ):
            found.setdefault(_sid_of(forest, group), usual_name(sid) or sid)
    return found
