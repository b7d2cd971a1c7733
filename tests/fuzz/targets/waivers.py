# Copyright (c) 2026, the sfb.kb4023993 contributors
# GNU General Public License v3.0-or-later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The file of waivers that somebody keeps (YAML)."""

from __future__ import annotations

import functools
import typing as t

from ansible_collections.sfb.kb4023993.plugins.plugin_utils.evaluate import Assessment
from ansible_collections.sfb.kb4023993.plugins.plugin_utils.waivers import (
    WaiverError,
    expired_words,
    mark_findings,
    parse_waivers,
    waived_hosts,
    waiver_uses,
)
from builders import reports as r

from fuzz.harness import Target, check_words

_HOSTS: t.Final = ("fe01", "fe02", "edge01", "fe05")
_ENTRY: t.Final = "- finding: KB4023993-{}\n  {}: {}\n  reason: The pool moves\n  owner: Team UC\n  expires: {}\n"


@functools.cache
def _judged() -> Assessment:
    return r.fleet()


def _seeds() -> t.Iterator[bytes]:
    first = _ENTRY.format("CONNECTION-BROKEN", "host", "fe01", "2026-12-31")
    second = _ENTRY.format("CERT-EDGE-INTERNAL", "pool", r.EDGES, "2020-02-29")
    yield (first + second).encode("ascii")
    yield b'[{"finding": "KB4023993-NOT-ASSESSED", "host": fe05, reason: \'x\', owner: "\\u00e4", expires: 2026-12-31}]'
    yield b"[]"
    yield b"%YAML 1.1\n---\n- !!python/object/apply:os.system [x]\n"


def _read(data: bytes) -> None:
    text = data.decode("utf-8", "surrogateescape")
    try:
        waivers = parse_waivers(text, where="waivers.yml", hosts=_HOSTS)
    except WaiverError as error:
        check_words(str(error))
        raise
    judgement = _judged().judgement
    mark_findings(judgement, waivers)
    waiver_uses(judgement, waivers)
    waived_hosts(judgement, waivers)
    expired_words(judgement, waivers)


TARGET: t.Final = Target(
    read=_read,
    seeds=_seeds,
    refusals=(WaiverError,),
    words=(
        b"!!python/object/apply:os.system [x]",
        b"&a ",
        b"*a",
        b"<<: ",
        b"\\UFFFFFFFF",
        b"{{ 7 * 7 }}",
        b"expires: ",
        b"host: ",
        b"? ",
        b"|+9",
    ),
    stretched=60_000,
)
