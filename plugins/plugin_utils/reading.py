# Copyright (c) 2026, the sfb.kb4023993 contributors
# GNU General Public License v3.0-or-later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Reads one host for an action: evidence with what earlier evidence knows, and its file."""

from __future__ import annotations

import dataclasses
import functools
import pathlib
import typing as t

from ansible.errors import AnsibleActionFail

from .collect import collect, collect_peers, failure_of
from .evidence import Evidence, EvidenceError, InventoryFacts, load, save
from .facts import with_sightings
from .host.session import Session, SessionError
from .offline.age import why_not_used
from .questions import NOTHING, PeerQuestion
from .rules.roles import role_facts
from .rules.times import format_time
from .run import Reading, Run
from .sections import Header
from .task import SfbAction, collection_version, controller_now, inventory_facts, offline_days, progress
from .words import counted

_ROLES: t.Final = {
    "front_end": "Front End",
    "edge": "Edge",
    "none": "neither Front End nor Edge",
    "unknown": "role unknown",
}


def read_host(
    action: SfbAction,
    variables: t.Mapping[str, t.Any],
    *,
    sections: t.Collection[str],
    evidence_dir: pathlib.Path | None,
    run_id: str,
    known_peers: PeerQuestion = NOTHING,
) -> Evidence:
    """Collect a host's evidence and save it; a host that cannot be read leaves its saved evidence as it is."""
    host = str(variables["inventory_hostname"])
    header = Header(
        collection_version=collection_version(),
        run_id=run_id,
        inventory_name=host,
        collected_utc=format_time(controller_now()),
        inventory=inventory_facts(variables),
    )
    try:
        evidence = collect(Session(action, host=host), header, sections=sections, known_peers=known_peers)
    except SessionError as error:
        # Refused before anything was sent: become, no Windows connection.
        return Evidence(
            **{f.name: getattr(header, f.name) for f in dataclasses.fields(header)}, failure=failure_of(error)
        )
    if evidence.failure is None:
        evidence = with_sightings(evidence, functools.partial(_earlier, evidence_dir, host))
        if evidence_dir is not None:
            save(evidence, evidence_dir)
    return evidence


def read_for_run(
    action: SfbAction, variables: t.Mapping[str, t.Any], run: Run, reading: Reading, *, sections: t.Collection[str]
) -> Evidence:
    """Collect a host as part of a run over a fleet; a failure is kept for the judgement.

    A host that is read by hand is not asked; its imported evidence is what there is.
    """
    host = str(variables["inventory_hostname"])
    days = offline_days(variables)
    if days is not None:
        return _offline_host(run, reading, host, max_age_days=days)
    evidence = read_host(
        action,
        variables,
        sections=sections,
        evidence_dir=run.evidence_directory,
        run_id=run.reading_id(reading),
        known_peers=run.known_peers(host),
    )
    if evidence.failure is not None:
        run.save_failure(host, evidence.failure, reading)
        progress(host, f"could not be read: {evidence.failure.message}")
        return evidence
    role = role_facts(evidence)
    product = f", {role.product.name}" if role.product else ""
    seconds = evidence.duration_ms / 1000
    progress(
        host,
        f"read in {seconds:.1f} s ({_ROLES[role.role]}{product}, {evidence.batches} {'batch' if evidence.batches == 1 else 'batches'})",
    )
    return evidence


def _offline_host(run: Run, reading: Reading, host: str, *, max_age_days: int) -> Evidence:
    try:
        evidence = load(run.evidence_directory, host)
        failure = why_not_used(evidence, max_age_days=max_age_days, now=controller_now())
    except EvidenceError as error:
        evidence, failure = None, why_not_used(None, max_age_days=max_age_days, now=controller_now(), damage=str(error))
    if evidence is not None and failure is None:
        progress(host, f"not asked, it is read by hand; its evidence is of {evidence.collected_utc}")
        return evidence
    if failure is not None:
        run.save_failure(host, failure, reading)
        progress(host, f"not asked, it is read by hand: {failure.message}")
    return Evidence(
        collection_version=collection_version(),
        run_id=run.reading_id(reading),
        inventory_name=host,
        collected_utc=format_time(controller_now()),
        inventory=InventoryFacts(),
        failure=failure,
    )


def ask_about_peers(action: SfbAction, variables: t.Mapping[str, t.Any], run: Run, reading: Reading) -> int:
    """Ask a Front End what it thinks of its peers' certificates; returns how many it was asked about."""
    host = str(variables["inventory_hostname"])
    question = run.question(host, reading)
    evidence = load(run.evidence_directory, host)
    if question is None or evidence is None:
        return 0
    save(collect_peers(Session(action, host=host), evidence, question), run.evidence_directory)
    asked = len(question.certificates) + len(question.names)
    progress(host, f"asked about {counted(asked, 'certificate')} of its peers")
    return asked


def read_or_fail(
    action: SfbAction,
    variables: t.Mapping[str, t.Any],
    *,
    sections: t.Collection[str],
    evidence_dir: pathlib.Path | None = None,
) -> Evidence:
    """Read one host on its own.

    :raises AnsibleActionFail: it could not be read.
    """
    evidence = read_host(action, variables, sections=sections, evidence_dir=evidence_dir, run_id="")
    failure = evidence.failure
    if failure:
        raise AnsibleActionFail(f"{evidence.inventory_name}: {failure.stage}: {failure.message} {failure.advice}")
    return evidence


def _earlier(evidence_dir: pathlib.Path | None, host: str) -> Evidence | None:
    try:
        return load(evidence_dir, host) if evidence_dir else None
    except EvidenceError:
        # A damaged file knows nothing; the new evidence replaces it.
        return None
