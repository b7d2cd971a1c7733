# Copyright (c) 2026, the sfb.kb4023993 contributors
# GNU General Public License v3.0-or-later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The files of a state directory, one of them changed: by a full disk, by an older version, or by somebody's editor."""

from __future__ import annotations

import datetime
import functools
import json
import os
import typing as t
from pathlib import Path

from ansible_collections.sfb.kb4023993.plugins.plugin_utils import history, run_lock
from ansible_collections.sfb.kb4023993.plugins.plugin_utils.codec import encode
from ansible_collections.sfb.kb4023993.plugins.plugin_utils.evidence import EvidenceError, Failure, InventoryFacts, load
from ansible_collections.sfb.kb4023993.plugins.plugin_utils.files import StateError, file_name
from ansible_collections.sfb.kb4023993.plugins.plugin_utils.findings import Judgement
from ansible_collections.sfb.kb4023993.plugins.plugin_utils.offline import kits
from ansible_collections.sfb.kb4023993.plugins.plugin_utils.outcome import Outcome
from ansible_collections.sfb.kb4023993.plugins.plugin_utils.plan import PlanError
from ansible_collections.sfb.kb4023993.plugins.plugin_utils.questions import PeerQuestion
from ansible_collections.sfb.kb4023993.plugins.plugin_utils.records import is_override_target
from ansible_collections.sfb.kb4023993.plugins.plugin_utils.report.document import make_report
from ansible_collections.sfb.kb4023993.plugins.plugin_utils.run import Run, RunError
from ansible_collections.sfb.kb4023993.plugins.plugin_utils.saved import SavedEvidence
from ansible_collections.sfb.kb4023993.plugins.plugin_utils.signing import records
from ansible_collections.sfb.kb4023993.plugins.plugin_utils.waivers import WaiverError, waiver_uses
from atheris import FuzzedDataProvider
from builders import certificates as c
from builders import evidence as e
from builders import fleets as f
from builders import renewal
from builders import reports as r

from fuzz.harness import SCRATCH, Target, scratch_file
from fuzz.mutation import changed, places, some_bytes, text

_RUN: t.Final = "20260308T120010Z-abcdef"
_NOW: t.Final = datetime.datetime(2026, 3, 8, 12, 0, tzinfo=datetime.timezone.utc)


@functools.cache
def _good() -> dict[str, bytes]:
    """All files of a state directory, by their places in it."""
    state = Path(SCRATCH.name) / "good"
    run = Run(str(state), _RUN)
    judged = f.judge(e.front_end("fe01"), e.edge("edge01"))
    run.save_failure("fe01", Failure(kind="unreachable", stage="x", message="x", advice="x"), "before")
    mark, der = c.mark(c.certificate("both")), c.certificate("both").der
    question = PeerQuestion(certificates=((mark, der, (der,)),), names=(("edge01", 5061),))
    run.save_questions({"fe01": question}, "before")
    run.remember_peers("fe01", question)
    run.save_judgement(judged.judgement, "before")
    run.save_waivers((r.waiver("CONNECTION-BROKEN"),))
    run.save_plan(f.plan(judged))
    run.save_outcome("fe01", "write", Outcome(status="changed", message="x"))
    made = {
        "evidence/" + file_name("fe01"): encode(e.front_end("fe01")),
        "changing.json": encode(run_lock.Holder(controller="c", process=os.getpid(), started="1", run_id=_RUN)),
        "report.json": encode(make_report(playbook="audit", check_mode=False, before=judged.judgement)),
    }
    kits.save_kit(str(state), kits.make_kit("edge01", InventoryFacts(), now=_NOW))
    records.write_record(state, renewal.record("edge01", replaces=renewal.old(), by=renewal.new(), step="verified"))
    for name, document in made.items():
        scratch_file(f"good/{name}", json.dumps(document).encode("ascii"))
    return {str(path.relative_to(state)): path.read_bytes() for path in sorted(state.rglob("*.json"))}


@functools.cache
def _judged() -> Judgement:
    return r.fleet().judgement


def _seeds() -> t.Iterator[bytes]:
    _good()
    yield from some_bytes(40)


def _place(provider: FuzzedDataProvider) -> Path:
    """The directory with one file that is not as it was."""
    state = Path(SCRATCH.name) / "state"
    for old in sorted(state.rglob("*"), reverse=True):
        old.rmdir() if old.is_dir() else old.unlink()
    name = provider.PickValueInList(list(_good()))
    how = provider.ConsumeIntInRange(0, 5)
    for path, content in _good().items():
        if path == name and how == 0:
            content = provider.ConsumeBytes(100)
        elif path == name and how == 1:
            content = content[: provider.ConsumeIntInRange(0, len(content))]
        elif path == name:
            document = json.loads(content)
            content = json.dumps(changed(provider, document, list(places(document)))).encode("ascii")
        target = path.replace(_RUN, "99999999T999999Z-abcdef") if path == name and how == 5 else path
        scratch_file(f"state/{target}", content)
    return state


def _read(data: bytes) -> None:
    provider = FuzzedDataProvider(data)
    state = _place(provider)
    run = Run(str(state), _RUN)
    readers: tuple[tuple[t.Callable[[], t.Any], tuple[type[Exception], ...]], ...] = (
        (lambda: load(run.evidence_directory, "fe01"), (EvidenceError,)),
        (lambda: run.inventory_host("fe01", in_run=True, inventory=InventoryFacts(), reading="before"), (RunError,)),
        (lambda: _plan(run), (PlanError,)),
        (lambda: run.judgement("before"), (RunError,)),
        (lambda: run.question("fe01", "before"), (RunError,)),
        (lambda: run.known_peers("fe01"), ()),
        (lambda: run.outcome("fe01", "write"), (RunError,)),
        (lambda: waiver_uses(_judged(), run.waivers()), (RunError, WaiverError)),
        (lambda: SavedEvidence(str(state), []).host("fe01", in_run=True, inventory=InventoryFacts()), (StateError,)),
        (lambda: kits.load_kit(str(state), "edge01"), (StateError,)),
        (lambda: records.read_records(state), (StateError,)),
        (lambda: history.two_judgements(str(state / "report.json"), str(state), state_dir=""), (StateError, RunError)),
        (lambda: run_lock.has_ended(str(state), text(provider), process=1), ()),
        (lambda: run_lock.hold(str(state), _RUN, process=os.getpid()), (StateError,)),
        (lambda: run_lock.release(str(state), process=os.getpid()), ()),
    )
    for read, refusals in readers:
        try:
            read()
        except refusals as error:
            str(error).encode("utf-8")


def _plan(run: Run) -> None:
    for around in (None, "fe01"):
        found = run.plan(around=around)
        for change in (change for host in (found[0].hosts if found else ()) for change in host.changes):
            assert is_override_target(change.path, change.name), change


TARGET: t.Final = Target(read=_read, seeds=_seeds, stretched=0)
