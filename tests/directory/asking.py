# Copyright (c) 2026, the sfb.kb4023993 contributors
# GNU General Public License v3.0-or-later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How the tests ask for templates."""

from __future__ import annotations

import re
import typing as t

from ansible_collections.sfb.kb4023993.plugins.plugin_utils.directory.ldap import Connection, Method
from ansible_collections.sfb.kb4023993.plugins.plugin_utils.directory.template import Wanted
from ansible_collections.sfb.kb4023993.plugins.plugin_utils.directory.template_state import Directory, Request, State

GROUP: t.Final = "SfB Certificate Requesters"
FIRST_CA: t.Final = "LAB Issuing CA"
# A name that needs escapes in a DN.
SECOND_CA: t.Final = "LAB, Second CA"


class Connect(t.Protocol):
    """Opens a connection to the forest; by default as its administrator, with a simple bind over TLS."""

    def __call__(self, user: str = ..., *, method: Method = ..., tls: bool = ..., **more: t.Any) -> Connection: ...


def wanted_request(name: str, **more: t.Any) -> Request:
    """What the tests ask for unless they say otherwise."""
    options = {key: more.pop(key) for key in list(more) if key in Wanted.__dataclass_fields__}
    values: dict[str, t.Any] = {"present": True, "source": "WebServer", "enrol_group": GROUP, **more}
    return Request(wanted=Wanted(name=name, **{"display_name": None, **options}), **values)


def ensure(directory: Directory, request: Request) -> State:
    """Plan, carry out, read again."""
    directory.apply(directory.plan(request))
    return directory.check(request)


def with_sorted_rights(sddl: str) -> str:
    """SDDL with the rights of each entry in alphabetical order, as ``look.py`` prints it."""
    return re.sub(r"\((\w+;\w*);(\w+);", lambda m: f"({m[1]};{''.join(sorted(re.findall('..', m[2])))};", sddl)
