# Copyright (c) 2026, the sfb.kb4023993 contributors
# GNU General Public License v3.0-or-later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Security descriptors and SIDs of a directory (bytes)."""

from __future__ import annotations

import dataclasses
import typing as t

from ansible_collections.sfb.kb4023993.plugins.plugin_utils.directory.descriptor import (
    DescriptorError,
    decode,
    decode_sid,
    encode,
    encode_sid,
    to_sddl,
)
from ansible_collections.sfb.kb4023993.plugins.plugin_utils.directory.permissions import (
    corrected_dacl,
    read_permissions,
    safe_descriptor,
    usual_name,
)

from fuzz.harness import Target

_DOMAIN: t.Final = "S-1-5-21-1-2-3"
_GROUP: t.Final = f"{_DOMAIN}-1105"


def _seeds() -> t.Iterator[bytes]:
    safe = safe_descriptor(domain_sid=_DOMAIN, enrol_sid=_GROUP)
    yield encode(safe)
    yield encode(dataclasses.replace(safe, owner=_GROUP, group="S-1-5-18"))
    yield encode_sid(_GROUP)


def _read(data: bytes) -> None:
    try:
        sid = decode_sid(data)
    except DescriptorError:
        pass
    else:
        assert encode_sid(sid) == data
        usual_name(sid)
    found = decode(data)
    # Nothing of somebody else's is lost by writing it again.
    again = decode(encode(found))
    assert (again.owner, again.group, again.dacl) == (found.owner, found.group, found.dacl)
    assert to_sddl(found).isprintable()
    read_permissions(found)
    encode(found.with_dacl(corrected_dacl(found, enrol_sid=_GROUP)))


TARGET: t.Final = Target(
    read=_read,
    seeds=_seeds,
    refusals=(DescriptorError,),
    words=(b"\x01\x00\x04\x80", b"\x01\x05\x00\x00\x00\x00\x00\x05", b"\x05\x00\x2c\x00", b"\x04\x00"),
    longest=2000,
    stretched=200_000,
)
