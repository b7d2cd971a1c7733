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
from lab.convert import base64_bytes, number
from lab.world.errors import WorldError
from lab.world.host import Host
from lab.world.registry import Data, Registry, Value

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
    exists = host.registry.exists(asked.path, view=asked.view)
    limit = max(0, asked.limit)
    return op.RegistryListReply(
        key_exists=exists,
        values=tuple(found for value in values[:limit] if (found := _record(value))),
        subkeys=subkeys[:limit],
        truncated=exists and max(len(values), len(subkeys)) > asked.limit,
    )


def write(host: Host, asked: op.RegistrySet, _: Surroundings) -> op.RegistryChangeReply:
    registry = host.registry
    texts = asked.data
    if asked.stamp:
        texts = tuple(text.replace("@now@", utc_text(host.now())) for text in texts)
    data = _data(asked.kind, texts)
    registry.check_access(asked.path, view=asked.view)
    existed = registry.exists(asked.path, view=asked.view)
    before = registry.read(asked.path, asked.name, view=asked.view)
    if not _expected(before, asked):
        return _change(registry, asked, refused=True, existed=existed, before=before)
    if not _same(before, asked.kind, texts):
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
        changed=(existed, before) != (exists, after),
        before=_record(before),
        after=_record(after),
        key_existed=existed,
        key_exists=exists,
    )


def _expected(found: Value | None, asked: op.RegistrySet | op.RegistryDelete) -> bool:
    if asked.expect == "anything":
        return True
    if asked.expect == "absent":
        return found is None
    return asked.expect == "value" and _same(found, asked.expect_kind, asked.expect_data)


def _same(found: Value | None, kind: str, texts: tuple[str, ...]) -> bool:
    """Whether a value is of this kind and would be written as exactly these texts."""
    if found is None or found.kind != kind:
        return False
    return (found.data if isinstance(found.data, tuple) else (str(found.data),)) == texts


def _data(kind: str, texts: tuple[str, ...]) -> Data:
    """What the registry gives back of these texts."""
    if kind == "multi_string":
        # Each text ends with a zero there, so one inside makes two of a text.
        return tuple(part for text in texts for part in text.split("\0"))
    if len(texts) == 1 and kind in _TEXTS:
        return texts[0]
    if len(texts) == 1 and kind in _NUMBERS:
        found = number(texts[0], lowest=0, highest=_NUMBERS[kind])
        if found is not None:
            return found
    if len(texts) == 1 and kind == "binary":
        try:
            return base64.b64encode(base64_bytes(texts[0])).decode("ascii")
        except ValueError:
            pass
    raise WorldError("invalid", f"No registry data of kind {kind}: {texts!r}")


def _record(value: Value | None) -> op.RegistryValue | None:
    if value is None:
        return None
    return op.RegistryValue(name=value.name, kind=t.cast("op.RegistryKind", value.kind), data=value.data)
