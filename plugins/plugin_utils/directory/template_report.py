# Copyright (c) 2026, the sfb.kb4023993 contributors
# GNU General Public License v3.0-or-later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A template for people and for playbooks: what a task returns, the judgement, and the text of a diff."""

from __future__ import annotations

import typing as t

from .descriptor import to_sddl
from .messages import Attributes
from .permissions import Permissions, is_administrator, read_permissions
from .template import ATTRIBUTES, MINOR_REVISION, TEMPLATE_OID, number, readable, shape_of
from .template_state import Directory, State


def describe(directory: Directory, state: State) -> dict[str, t.Any]:
    """What a task returns of a template; ``exists`` false and little else when there is none."""
    result: dict[str, t.Any] = {
        "exists": state.attributes is not None,
        "published_on": list(state.published_on),
    }
    descriptor = state.descriptor
    if state.attributes is None or descriptor is None:
        return result
    permissions = read_permissions(descriptor)
    sids = [item.sid for item in permissions.principals]
    names = directory.names([*sids, *([permissions.owner] if permissions.owner else [])])
    return {
        **result,
        "oid": _text(state.attributes, TEMPLATE_OID),
        "display_name": _text(state.attributes, "displayName"),
        "schema_version": number(state.attributes, "msPKI-Template-Schema-Version"),
        "revision": f"{number(state.attributes, 'revision')}.{number(state.attributes, MINOR_REVISION)}",
        "dacl": to_sddl(descriptor),
        "owner": names.get(permissions.owner or "", None),
        "permissions": [
            {
                "principal": names[item.sid],
                "sid": item.sid,
                "may": [
                    word
                    for word, allowed in (("read", item.read), ("enrol", item.enrol), ("write", item.write))
                    if allowed
                ],
            }
            for item in permissions.principals
        ],
        "judgement": _judge(directory, state.attributes, permissions, names),
    }


def _judge(
    directory: Directory, attributes: Attributes, permissions: Permissions, names: dict[str, str]
) -> dict[str, t.Any]:
    shape = shape_of(attributes)
    enrolling = [sid for sid in permissions.enrolling if not is_administrator(sid)]
    writing = [sid for sid in permissions.writing if not is_administrator(sid)]
    wide_enrolling, wide_writing = directory.wide(permissions)
    abusing = list(dict.fromkeys([*(enrolling if shape.unguarded else []), *writing]))
    remarks: list[str] = []
    if shape.unguarded and enrolling:
        remarks.append(
            f"{_listed(enrolling, names)} can get a certificate to log on in the name of anybody, and nobody is asked "
            "(attackers call this ESC1)."
        )
    if shape.old_schema:
        remarks.append("The template is of schema version 1: a request can name its own usages (ESC15).")
    if writing:
        remarks.append(f"{_listed(writing, names)} can change the template and so lift every limit of it (ESC4).")
    for sid in dict.fromkeys([*wide_enrolling, *wide_writing]):
        remarks.append(f"{names.get(sid, sid)} is too wide to have rights here: {directory.wide_reason(sid)}.")
    if permissions.denied:
        remarks.append("There are entries that deny; the judgement does not rely on them.")
    return {
        "esc1": bool(shape.unguarded and enrolling),
        "abusable_by": [names.get(sid, sid) for sid in abusing],
        "wide_enrolment": [names.get(sid, sid) for sid in wide_enrolling],
        "wide_writing": [names.get(sid, sid) for sid in wide_writing],
        "manager_approval": shape.approval,
        "remarks": remarks,
    }


def _listed(sids: list[str], names: dict[str, str]) -> str:
    return ", ".join(names.get(sid, sid) for sid in sids)


def _text(attributes: Attributes, name: str) -> str | None:
    values = attributes.get(name.lower(), ())
    return values[0].decode("utf-8", "replace") if values else None


def as_text(directory: Directory, name: str, state: State) -> str:
    """One side of a diff."""
    lines = [f"template {name}: {'present' if state.attributes is not None else 'absent'}"]
    descriptor = state.descriptor
    if state.attributes is not None and descriptor is not None:
        for attribute in ATTRIBUTES:
            values = state.attributes.get(attribute.lower(), ())
            if values and attribute != "nTSecurityDescriptor":
                lines.append(f"{attribute}: {', '.join(readable(attribute, values))}")
        permissions = read_permissions(descriptor)
        names = directory.names(item.sid for item in permissions.principals)
        for item in permissions.principals:
            words = (("read", item.read), ("enrol", item.enrol), ("write", item.write))
            lines.append(f"may {', '.join(word for word, allowed in words if allowed)}: {names[item.sid]}")
        lines.append(f"permissions: {to_sddl(descriptor)}")
    lines.append(f"published on: {', '.join(state.published_on) or 'no CA'}")
    return "".join(f"{line}\n" for line in lines)
