# Copyright (c) 2026, the sfb.kb4023993 contributors
# GNU General Public License v3.0-or-later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The product's topology document (XML), from a server."""

from __future__ import annotations

import re
import typing as t

from ansible_collections.sfb.kb4023993.plugins.plugin_utils.topology import MAX_NOTES, TopologyError, parse_topology
from lab.scenario import parse
from lab.topology import document

from fuzz.harness import Target

_EACH: t.Final = {"product": "sfb2015", "os": "server2016", "dotnet": [{"version": "4.6.2"}]}


def _seeds() -> t.Iterator[bytes]:
    scenario = {
        "description": "a pool and its Edge",
        "pools": {
            "pool01": {"edge_pool": "edgepool", "each": {**_EACH, "role": "front_end"}},
            "edgepool": {"each": {**_EACH, "role": "edge"}},
        },
        "servers": {"fe01": {"pool": "pool01"}, "edge01": {"pool": "edgepool"}},
    }
    good = document(parse(scenario)).encode("utf-8")
    yield good
    yield b'<?xml version="1.0"?><!DOCTYPE Topology [<!ENTITY a "edgepool">]>' + good


def _read(data: bytes) -> None:
    text = data.decode("utf-8", "surrogateescape")
    found = parse_topology(text)
    assert not re.match(r"\s*(<\?xml[^>]*\?>)?\s*<!DOCTYPE", text), "a document type, with it entities, was accepted"
    assert len(found.notes) <= MAX_NOTES
    for pool in found.pools:
        for name in (pool.fqdn, *pool.machines, *([pool.edge_pool] if pool.edge_pool else [])):
            assert re.fullmatch(r"[a-z0-9_.-]{1,253}", name), name
        assert pool.edge_pool is None or pool.names_edge
    for note in found.notes:
        assert note.isprintable(), note


TARGET: t.Final = Target(
    read=_read,
    seeds=_seeds,
    refusals=(TopologyError,),
    words=(
        b"<!DOCTYPE x [",
        b"<!ENTITY a 'b'>",
        b"<![CDATA[",
        b'<Machine Fqdn="',
        b"<Cluster>",
        b"<ClusterId ",
        b"<Dependency",
        b"&#0;",
        b"&lt;",
    ),
)
