# Copyright (c) 2026, the sfb.kb4023993 contributors
# GNU General Public License v3.0-or-later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Registry operations."""

from __future__ import annotations

import base64
import typing as t

from ansible_collections.sfb.kb4023993.plugins.plugin_utils.host import operations as op

from lab.answers.context import Surroundings
from lab.clock import utc_text
from lab.world.errors import WorldError
from lab.world.host import Host
from lab.world.registry import Data, Registry, Value

_MAX_VALUE = 64 * 1024
_NUMBERS = {"dword": 0xFFFFFFFF, "qword": 0xFFFFFFFFFFFFFFFF}
_TEXTS = ("string", "expand_string")


def read(host: Host, asked: op.RegistryRead, _: Surroundings) -> op.RegistryReadReply:
    host.registry.check_access(asked.path, view=asked.view)
    return op.RegistryReadReply(
        key_exists=host.registry.exists(asked.path, view=asked.view),
        value=_record(host.registry.read(asked.path, asked.name, view=asked.view)),
    )


def listing(host: Host, asked: op.RegistryList, _: Surroundings) -> op.RegistryListReply:
    host.registry.check_access(asked.path, view=asked.view)
    values = host.registry.values(asked.path, view=asked.view)
    subkeys = host.registry.subkeys(asked.path, view=asked.view)
    return op.RegistryListReply(
        key_exists=host.registry.exists(asked.path, view=asked.view),
        values=tuple(_cut(value) for value in values[: asked.limit]),
        subkeys=subkeys[: asked.limit],
        truncated=max(len(values), len(subkeys)) > asked.limit or any(_cut(v).data != v.data for v in values),
    )


def write(host: Host, asked: op.RegistrySet, _: Surroundings) -> op.RegistryChangeReply:
    registry = host.registry
    registry.check_access(asked.path, view=asked.view)
    data = _data(asked.kind, asked.data)
    if asked.stamp and asked.kind in _TEXTS:
        data = str(data).replace("@now@", utc_text(host.now()))
    existed = registry.exists(asked.path, view=asked.view)
    before = registry.read(asked.path, asked.name, view=asked.view)
    if not _expected(before, asked):
        return _change(registry, asked, refused=True, existed=existed, before=before)
    if before is None or (before.kind, before.data) != (asked.kind, data):
        registry.create(asked.path, view=asked.view, private=asked.private)
        registry.write(asked.path, asked.name, asked.kind, data, view=asked.view)
    return _change(registry, asked, refused=False, existed=existed, before=before)


def delete(host: Host, asked: op.RegistryDelete, _: Surroundings) -> op.RegistryChangeReply:
    registry = host.registry
    registry.check_access(asked.path, view=asked.view)
    existed = registry.exists(asked.path, view=asked.view)
    before = registry.read(asked.path, asked.name, view=asked.view)
    if not _expected(before, asked):
        return _change(registry, asked, refused=True, existed=existed, before=before)
    registry.remove(asked.path, asked.name, view=asked.view)
    if asked.prune:
        registry.prune(asked.path, view=asked.view)
    return _change(registry, asked, refused=False, existed=existed, before=before)


def _change(
    registry: Registry,
    asked: op.RegistrySet | op.RegistryDelete,
    *,
    refused: bool,
    existed: bool,
    before: Value | None,
) -> op.RegistryChangeReply:
    after = registry.read(asked.path, asked.name, view=asked.view)
    exists = registry.exists(asked.path, view=asked.view)
    return op.RegistryChangeReply(
        refused=refused,
        changed=before != after or existed != exists,
        before=_record(before),
        after=_record(after),
        key_existed=existed,
        key_exists=exists,
    )


def _expected(found: Value | None, asked: op.RegistrySet | op.RegistryDelete) -> bool:
    if asked.expect == "anything":
        return True
    if asked.expect == "absent" or found is None:
        return found is None and asked.expect == "absent"
    return (found.kind, found.data) == (asked.expect_kind, _data(asked.expect_kind, asked.expect_data))


def _data(kind: str, texts: tuple[str, ...]) -> Data:
    if kind == "multi_string":
        return texts
    if kind in _TEXTS and len(texts) == 1:
        return texts[0]
    if kind in _NUMBERS and len(texts) == 1 and texts[0].isdigit() and int(texts[0]) <= _NUMBERS[kind]:
        return int(texts[0])
    if kind == "binary" and len(texts) == 1:
        try:
            base64.b64decode(texts[0], validate=True)
        except ValueError:
            pass
        else:
            return texts[0]
    raise WorldError("invalid", f"No registry data of kind {kind}: {texts!r}")


def _record(value: Value | None) -> op.RegistryValue | None:
    if value is None:
        return None
    return op.RegistryValue(name=value.name, kind=t.cast("op.RegistryKind", value.kind), data=value.data)


def _cut(value: Value) -> op.RegistryValue:
    """The first 64 kB: of text in UTF-16, of bytes, of as many whole texts as fit."""
    data = value.data
    if isinstance(data, tuple):
        ends = [2 * sum(map(len, data[: count + 1])) for count in range(len(data))]
        data = tuple(text for text, end in zip(data, ends, strict=True) if end <= _MAX_VALUE)
    elif isinstance(data, str) and value.kind in _TEXTS:
        data = data[: _MAX_VALUE // 2]
    elif isinstance(data, str):
        data = base64.b64encode(base64.b64decode(data)[:_MAX_VALUE]).decode("ascii")
    return op.RegistryValue(name=value.name, kind=t.cast("op.RegistryKind", value.kind), data=data)
