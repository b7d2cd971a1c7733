# Copyright (c) 2026, the sfb.kb4023993 contributors
# GNU General Public License v3.0-or-later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Front Ends that are not in the inventory of a run, but that another run has read into the same state directory."""

from __future__ import annotations

import collections
import pathlib
import typing as t
import urllib.parse

from .evidence import Evidence, EvidenceError, load
from .files import file_name
from .fleet import Fleet, InventoryHost, build_fleet
from .pool_warnings import Elsewhere


def seen_elsewhere(evidence_dir: pathlib.Path, fleet: Fleet) -> Elsewhere:
    """By pool the servers of which there is evidence and which this fleet lacks, each with when it was read.

    Evidence that cannot be used names nobody; whoever has that server in the inventory is told of it.
    """
    known = {file_name(name) for name in fleet.views}
    machines = {view.full_name for view in fleet.views.values()}
    strangers = [
        InventoryHost(name=evidence.inventory_name, in_run=False, inventory=evidence.inventory, evidence=evidence)
        for evidence in _evidence(evidence_dir, known)
        if evidence.full_name not in machines
    ]
    others = build_fleet(strangers)
    found: dict[str, dict[str, str]] = collections.defaultdict(dict)
    for stranger in strangers:
        view = others.views[stranger.name]
        if view.role.role == "front_end" and view.source.evidence:
            found[others.pools.pool_of[stranger.name]][view.full_name] = view.source.evidence.collected_utc
    return found


def _evidence(directory: pathlib.Path, known: t.Collection[str]) -> t.Iterator[Evidence]:
    for path in sorted(directory.glob("*.json")):
        name = urllib.parse.unquote(path.stem)
        # Cut names cannot be told from their file; nobody has hosts of 180 characters.
        if path.name in known or file_name(name) != path.name:
            continue
        try:
            evidence = load(directory, name)
        except EvidenceError:
            continue
        if evidence is not None:
            yield evidence
