# Copyright (c) 2026, the sfb.kb4023993 contributors
# GNU General Public License v3.0-or-later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Subject and names of a certificate that is to be replaced, and whether a request can carry them."""

from __future__ import annotations

import dataclasses
import re
import typing as t

from ..signing.chain import load
from ..signing.csr import LIBRARY_ERRORS
from ..words import one_line

# Attribute, and how many characters X.520 gives it; Windows keeps to that.
_FIELDS: t.Final[dict[str, tuple[str, int]]] = {
    "2.5.4.3": ("common_name", 64),
    "2.5.4.10": ("organization", 64),
    "2.5.4.11": ("unit", 64),
    "2.5.4.7": ("city", 128),
    "2.5.4.8": ("state", 128),
    "2.5.4.6": ("country", 2),
}
_LIMITS: t.Final = dict(_FIELDS.values())
_LABEL: t.Final = r"[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?"
_DNS_NAME: t.Final = re.compile(rf"(?=.{{1,253}}\Z){_LABEL}(?:\.{_LABEL})*\Z", re.IGNORECASE)
# Neither the texts of a subject nor a file of Windows has one way alone to write these.
_NOT_IN_TEXTS: t.Final = frozenset('"\\')


class SubjectError(ValueError):
    """The subject cannot be read; the text says why."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Subject:
    """The parts of a subject that requests of the product can have; empty if absent."""

    common_name: str
    organization: str = ""
    unit: str = ""
    city: str = ""
    state: str = ""
    country: str = ""


def read_subject(der: bytes) -> tuple[Subject, tuple[str, ...]]:
    """The subject of a certificate, and the attributes of it that a request will not carry (as ``NAME=value``).

    :raises SubjectError: it cannot be read.
    """
    loaded = load(der)
    if loaded is None:
        raise SubjectError("the certificate cannot be read")
    found: dict[str, str] = {}
    left_out: list[str] = []
    try:
        for attribute in loaded.subject:
            name, _limit = _FIELDS.get(attribute.oid.dotted_string, ("", 0))
            if name and name not in found and isinstance(attribute.value, str):
                found[name] = attribute.value
            else:
                left_out.append(one_line(attribute.rfc4514_string(), 80))
    except LIBRARY_ERRORS:
        raise SubjectError("its subject cannot be read") from None
    return Subject(**{"common_name": "", **found}), tuple(left_out)


def unfit(subject: Subject, names: t.Sequence[str]) -> str:
    """Why a request cannot carry this subject and these names (a clause for people); empty if it can."""
    if not subject.common_name:
        return "its certificate has no CN"
    for name in (subject.common_name, *names):
        if "*" in name:
            return f"its certificate has the wildcard name {one_line(name, 80)}, which these uses do not take"
        if not _DNS_NAME.match(name):
            return f"its certificate has the name {one_line(name, 80)}, which is not a name of DNS"
    for field in dataclasses.fields(subject):
        text: str = getattr(subject, field.name)
        if not text.isprintable() or _NOT_IN_TEXTS.intersection(text) or text != text.strip():
            return f"its certificate has the {field.name} {one_line(text, 80)}, with characters that a request cannot carry safely"
        if len(text) > _LIMITS[field.name]:
            return f"its certificate has a {field.name} of {len(text)} characters, {_LIMITS[field.name]} is the most"
    if subject.country and not re.fullmatch(r"[A-Za-z]{2}", subject.country):
        return f"its certificate has the country {one_line(subject.country, 80)}, which is not a code of two letters"
    return ""
