# Copyright (c) 2026, the sfb.kb4023993 contributors
# GNU General Public License v3.0-or-later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""``python -m benchmark [PART...]``: measures, prints, and keeps the figures in build/benchmark/PART.json."""

from __future__ import annotations

import json
import os
import platform
import sys
import tempfile
import typing as t
from collections.abc import Callable
from pathlib import Path

from benchmark import growth, hosts, judging, server
from benchmark.plays import ROOT

_RESULTS: t.Final = ROOT / "build" / "benchmark"
_PARTS: t.Final[dict[str, Callable[[Path], t.Any]]] = {
    "judging": lambda _directory: judging.measure(),
    "bare": hosts.against_bare,
    "stock": hosts.against_stock,
    "server": server.measure,
    "growth": growth.measure,
}


def main(wanted: list[str]) -> int:
    """Returns the exit code: 1 when a part could not be measured, 2 for one that does not exist."""
    unknown = sorted(set(wanted) - set(_PARTS))
    if unknown:
        print(f"Unknown: {', '.join(unknown)}. The parts are: {', '.join(_PARTS)}", file=sys.stderr)
        return 2
    _RESULTS.mkdir(parents=True, exist_ok=True)
    print(f"Python {platform.python_version()}, {os.cpu_count()} processors", flush=True)
    failed = False
    for name in wanted or _PARTS:
        try:
            with tempfile.TemporaryDirectory(prefix="sfb-benchmark-") as directory:
                found = _PARTS[name](Path(directory))
        except RuntimeError as error:
            print(f"\n=== {name} ===\nNot measured: {error}", file=sys.stderr, flush=True)
            failed = True
            continue
        text = json.dumps(found, indent=1)
        (_RESULTS / f"{name}.json").write_text(text + "\n", encoding="utf-8")
        print(f"\n=== {name} ===\n{text}", flush=True)
    return int(failed)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
