# Copyright (c) 2026, the sfb.kb4023993 contributors
# GNU General Public License v3.0-or-later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The configuration file beside the service's program on a server (XML), and names of values that mean the program."""

from __future__ import annotations

import dataclasses
import typing as t

from ansible_collections.sfb.kb4023993.plugins.plugin_utils.host.operations import RegistryValue
from ansible_collections.sfb.kb4023993.plugins.plugin_utils.records import is_own_executable, target_name
from ansible_collections.sfb.kb4023993.plugins.plugin_utils.rules.opt_outs import opt_out_facts
from ansible_collections.sfb.kb4023993.plugins.plugin_utils.rules.roles import role_facts
from atheris import FuzzedDataProvider
from builders import evidence as e

from fuzz.harness import Target
from fuzz.mutation import some_bytes, text

_DOTNET: t.Final = e.dotnet(*e.copies(), release=461808)


def _seeds() -> t.Iterator[bytes]:
    yield b"\0" + e.config_switch().encode("utf-8")
    yield b"\0" + e.config_switch("false").encode("utf-16")
    yield b"\0<!-- x --><configuration/>"
    yield from (b"\1" + data for data in some_bytes())


def _read(data: bytes) -> None:
    if data[:1] != b"\1":
        evidence = e.front_end(opt_outs=e.opt_outs(config=data[1:]), dotnet=_DOTNET)
        opt_out_facts(evidence, role_facts(evidence))
        return
    provider = FuzzedDataProvider(data[1:])
    path, other = text(provider), text(provider)
    found = is_own_executable(path)
    assert not found or "datamcusvc" in path.lower()
    assert target_name(path, other, "64").startswith("change|64|")
    # A service whose ImagePath is anything at all: its program counts only where it is the product's.
    base = e.front_end()
    services = tuple(dataclasses.replace(each, image_path=path, executable=other) for each in base.services or ())
    value = RegistryValue(name=other, kind="dword", data=0)
    keys = e.opt_outs(e.Value())
    listed = tuple(
        dataclasses.replace(
            key, executables=dataclasses.replace(key.executables, values=(value, *key.executables.values))
        )
        for key in keys.keys
        if key.executables
    )
    evidence = dataclasses.replace(base, services=services, opt_outs=dataclasses.replace(keys, keys=listed))
    role = role_facts(evidence)
    assert role.executable is None or role.executable == other
    facts = opt_out_facts(evidence, role)
    for opt_out in facts.valid:
        assert role.executable is not None, opt_out


TARGET: t.Final = Target(
    read=_read,
    seeds=_seeds,
    words=(
        b"<!--",
        b"-->",
        b"<!DOCTYPE",
        b"<runtime>",
        b"<AppContextSwitchOverrides value='",
        b'encoding="utf-16"',
        b"\xff\xfe",
        b"<?xml",
    ),
)
