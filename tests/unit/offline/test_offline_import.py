# Copyright (c) 2026, the sfb.kb4023993 contributors
# GNU General Public License v3.0-or-later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Files that were brought back: what becomes evidence, and what is refused and why. A server of the lab was read by hand."""

from __future__ import annotations

import dataclasses
import datetime
import json
import typing as t
from pathlib import Path

import pytest
from ansible_collections.sfb.kb4023993.plugins.plugin_utils.evidence import Evidence, InventoryFacts, from_text, to_text
from ansible_collections.sfb.kb4023993.plugins.plugin_utils.offline import kits
from ansible_collections.sfb.kb4023993.plugins.plugin_utils.offline.age import age_in_words, why_not_used
from ansible_collections.sfb.kb4023993.plugins.plugin_utils.offline.collecting import collecting_files
from ansible_collections.sfb.kb4023993.plugins.plugin_utils.offline.importing import (
    Known,
    OfflineError,
    import_file,
    machine,
)
from builders.by_hand import start_kit, with_hash
from lab.clock import Clock
from lab.deployment import Deployment
from lab.scenario import parse

NOW: t.Final = datetime.datetime(2026, 3, 8, 12, 0, 0, tzinfo=datetime.timezone.utc)
DAY: t.Final = datetime.timedelta(days=1)
SCENARIO: t.Final = {
    "description": "one Edge",
    "pools": {
        "edgepool": {
            "each": {"product": "sfb2015", "os": "server2016", "role": "edge", "dotnet": [{"version": "4.6.2"}]}
        }
    },
    "servers": {"edge01": {"pool": "edgepool"}, "edge02": {"pool": "edgepool"}},
}


class Desk:
    """A kit, its folder, and the server."""

    def __init__(self, folder: Path, *, made: datetime.datetime = NOW, inventory: InventoryFacts | None = None) -> None:
        self.deployment = Deployment(parse(SCENARIO), clock=Clock(start=NOW))
        self.folder = folder
        self.kit = kits.make_kit("edge01", inventory or InventoryFacts(), now=made)
        for name, data in collecting_files(self.kit).items():
            (folder / name).write_bytes(data)

    def read(self, host: str = "edge01") -> bytes:
        return start_kit(self.deployment, host, self.folder).read_bytes()

    def known(self, **changes: t.Any) -> Known:
        known = Known(
            inventory=InventoryFacts(),
            earlier=None,
            machines={},
            max_age_days=7,
            now=self.deployment.clock.now() + datetime.timedelta(minutes=1),
            collection_version="0.0.0",
        )
        return dataclasses.replace(known, **changes)

    def take(self, raw: bytes, **changes: t.Any) -> Evidence:
        imported = import_file(raw, self.kit, self.known(**changes))
        assert imported is not None
        return imported.evidence


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path)


def test_a_file_becomes_evidence_that_says_how_it_was_read(desk: Desk) -> None:
    evidence = desk.take(desk.read())
    assert evidence.offline is not None
    assert evidence.offline.kit == desk.kit.id
    assert evidence.collected_utc == evidence.offline.read_utc.partition(".")[0] + "Z"
    assert evidence.lync_certificates is not None
    assert evidence.topology
    assert from_text(to_text(evidence), where="x") == evidence


def test_what_the_inventory_knows_by_now_is_not_taken_from_the_topology(desk: Desk) -> None:
    facts = InventoryFacts(pool="edgepool.contoso.example")
    assert desk.take(desk.read(), inventory=facts).topology is None


def test_a_kit_that_asked_for_no_topology_is_no_problem(tmp_path: Path) -> None:
    desk = Desk(tmp_path, inventory=InventoryFacts(pool="edgepool.contoso.example", edge_pool="none"))
    assert not desk.kit.topology
    assert "Get-CsTopology" not in (tmp_path / "collect.ps1").read_text("ascii")
    evidence = desk.take(desk.read())
    assert evidence.topology is None
    assert evidence.lync_certificates is not None


def _edited(raw: bytes, old: bytes, new: bytes) -> bytes:
    assert old in raw
    return raw.replace(old, new, 1)


DAMAGES: t.Final[dict[str, tuple[t.Callable[[bytes], bytes], str]]] = {
    "edited": (lambda raw: _edited(raw, b'"running"', b'"stopped"'), "edited or damaged"),
    "cut": (lambda raw: raw[:-200], "cut or of another form"),
    "head missing": (lambda raw: raw[40:], "not a file that collect.ps1 wrote"),
    "empty": (lambda _raw: b"", "not a file that collect.ps1 wrote"),
    "in UTF-16": (lambda raw: raw.decode("ascii").encode("utf-16"), "An editor has saved it"),
    "with a mark": (lambda raw: b"\xef\xbb\xbf" + raw, "An editor has saved it"),
    "binary": (lambda raw: raw[:100] + b"\xff\x00" + raw[100:], "holds bytes that no reading has"),
    "large": (lambda raw: raw + b" " * (33 * 2**20), "more than any reading has"),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_file_is_refused_with_the_reason(desk: Desk, damage: str) -> None:
    change, words = DAMAGES[damage]
    with pytest.raises(OfflineError, match=words):
        desk.take(change(desk.read()))


def _rehashed(raw: bytes, old: str, new: str) -> bytes:
    text = raw.decode("ascii").rpartition("sha256 ")[0]
    assert old in text
    return with_hash(text.replace(old, new))


def test_a_file_that_was_made_to_fit_its_hash_is_still_checked(desk: Desk) -> None:
    """A hash is no signature; what does not make sense is refused all the same."""
    raw = desk.read()
    for old, new, words in (
        (f"kit {desk.kit.id}", "kit " + "0" * 16, "older kit or of another server"),
        (f"batch {desk.kit.batch_sha256}", "batch " + "0" * 64, "another batch.ps1"),
        (desk.kit.cmdlet_nonce, "0" * 16, "does not hold what the kit asked for"),
        ('"replies":[', '"replies":[{"ok":true,"ms":0,"value":{}},', "does not hold what the kit asked for"),
        ('"time_utc":"2026', '"time_utc":"mm26', "does not say when"),
    ):
        with pytest.raises(OfflineError, match=words):
            desk.take(_rehashed(raw, old, new))


def test_a_batch_that_was_refused_is_named(desk: Desk) -> None:
    text = desk.read().decode("ascii").rpartition("sha256 ")[0]
    start = text.index("[[sfb")
    end = text.index("]]", start) + 2
    nonce = desk.kit.id
    reply = f'[[sfb.kb4023993-{nonce}[{{"failure":{{"type":"not_elevated","message":"no\\u0020rights"}},"replies":[]}}]{nonce}]]'
    with pytest.raises(OfflineError, match=r"refused on the server: no rights"):
        desk.take(with_hash(text[:start] + reply + text[end:]))


def test_line_ends_mean_nothing(desk: Desk) -> None:
    raw = desk.read()
    assert desk.take(raw.replace(b"\n", b"\r\n")) == desk.take(raw)


def test_the_same_file_again_changes_nothing(desk: Desk) -> None:
    raw = desk.read()
    evidence = desk.take(raw)
    assert import_file(raw, desk.kit, desk.known(earlier=evidence)) is None


def test_an_older_reading_never_takes_the_place_of_a_newer_one(desk: Desk) -> None:
    first = desk.read()
    desk.deployment.clock.advance(3600)
    second = desk.take(desk.read())
    with pytest.raises(OfflineError, match="newer evidence of this server is there already"):
        desk.take(first, earlier=second)


def test_a_kit_that_was_started_on_another_server_is_noticed(desk: Desk) -> None:
    own = desk.take(desk.read())
    raw = desk.read("edge02")
    other = desk.take(raw)
    with pytest.raises(OfflineError, match="inventory calls edge02"):
        desk.take(raw, machines={t.cast("tuple[str, str]", machine(other.system)): "edge02"})
    with pytest.raises(OfflineError, match="another machine"):
        desk.take(raw, earlier=own)


def test_clones_with_one_machine_guid_are_two_servers(desk: Desk) -> None:
    own = desk.take(desk.read())
    assert own.system is not None
    clone = dataclasses.replace(own.system, computer_name="edge09")
    desk.take(desk.read(), machines={t.cast("tuple[str, str]", machine(clone)): "edge09"})


def test_what_is_too_old_is_refused_and_later_not_believed(desk: Desk) -> None:
    raw = desk.read()
    with pytest.raises(OfflineError, match="8 days ago; 7 days are allowed"):
        desk.take(raw, now=desk.deployment.clock.now() + 8 * DAY)
    evidence = desk.take(raw)
    late = desk.deployment.clock.now() + 8 * DAY
    failure = why_not_used(evidence, max_age_days=7, now=late)
    assert failure is not None
    assert failure.kind == "evidence_too_old"
    assert why_not_used(evidence, max_age_days=9, now=late) is None
    assert why_not_used(None, max_age_days=9, now=late) is not None
    assert age_in_words(evidence, now=late) == "8 days ago"


@pytest.mark.parametrize(("ahead", "kit_after"), [(400 * DAY, -DAY), (0 * DAY, 300 * DAY)])
def test_a_clock_that_cannot_be_right_makes_it_as_old_as_the_kit(
    tmp_path: Path, ahead: datetime.timedelta, kit_after: datetime.timedelta
) -> None:
    """The server is a year ahead of the controller, or read before its kit was made."""
    desk = Desk(tmp_path, made=NOW + kit_after)
    desk.deployment.clock.advance(ahead.total_seconds())
    now = max(NOW, NOW + kit_after) + DAY
    imported = import_file(desk.read(), desk.kit, desk.known(now=now))
    assert imported is not None
    assert imported.evidence.collected_utc == desk.kit.made_utc
    assert "which cannot be" in imported.note


def test_a_kit_of_another_version_is_not_understood(desk: Desk) -> None:
    raw = desk.read()
    kit = dataclasses.replace(desk.kit, operations_sha256="0" * 64)
    with pytest.raises(ValueError, match="another version of this collection"):
        import_file(raw, kit, desk.known())


# ---- kits


def test_a_kit_stays_until_it_is_answered_old_or_asks_something_else(desk: Desk) -> None:
    facts = InventoryFacts()
    good = kits.is_still_good(desk.kit, facts, None, max_age_days=7, now=NOW)
    assert good
    evidence = desk.take(desk.read())
    assert not kits.is_still_good(desk.kit, facts, evidence, max_age_days=7, now=NOW)
    assert not kits.is_still_good(desk.kit, facts, None, max_age_days=7, now=NOW + 8 * DAY)
    known = InventoryFacts(pool="a.example", edge_pool="none")
    assert not kits.is_still_good(desk.kit, known, None, max_age_days=7, now=NOW)
    changed = dataclasses.replace(desk.kit, batch_sha256="0" * 64)
    assert not kits.is_still_good(changed, facts, None, max_age_days=7, now=NOW)


def test_the_record_of_a_kit_is_read_as_data(tmp_path: Path, desk: Desk) -> None:
    kits.save_kit(str(tmp_path), desk.kit)
    assert kits.load_kit(str(tmp_path), "edge01") == desk.kit
    assert kits.load_kit(str(tmp_path), "edge02") is None
    path = kits.directory(tmp_path) / "edge01.json"
    for text in ("{", "[]", json.dumps({"schema": 1}), json.dumps({**json.loads(path.read_text()), "host": "edge07"})):
        path.write_text(text, "utf-8")
        with pytest.raises(ValueError, match="make a new kit"):
            kits.load_kit(str(tmp_path), "edge01")


def test_collect_holds_no_value_from_outside_but_the_name_of_its_file() -> None:
    hostile = "edge'; exit 9 #\n\u2019$(calc)"
    kit = kits.make_kit(hostile, InventoryFacts(), now=NOW)
    script = collecting_files(kit)["collect.ps1"].decode("ascii")
    assert "exit 9" not in script
    assert "calc" in script
    assert "$resultName = 'evidence-edge%27%3B%20exit%209%20%23%0A%E2%80%99%24%28calc%29.txt'" in script
