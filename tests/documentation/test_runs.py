# Copyright (c) 2026, the sfb.kb4023993 contributors
# GNU General Public License v3.0-or-later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a page marks as run in the lab runs there, in the order in which a person reads it, and does what the page says."""

from __future__ import annotations

import pathlib
import typing as t

import pytest
from documentation.pages import DOCS, blocks, commands_of
from integration.fleet import COLLECTIONS, Fleet, Played, Registry, without_record

PAGES = ("troubleshooting", "start", "audit", "override", "rollback")
VALUE = "System.Net.ServicePointManager.RequireCertificateEKUs"


class Reader:
    """Somebody who types what the pages show, one page after the other, on two Front Ends and an Edge of a lab."""

    def __init__(self, directory: pathlib.Path) -> None:
        self.played: dict[str, list[Played]] = {}
        self.after: dict[str, list[dict[str, Registry]]] = {}
        with Fleet("small", directory) as fleet:
            self.before = fleet.registries()
            for page in PAGES:
                self.played[page], self.after[page] = [], []
                for block in blocks(DOCS / f"{page}.md"):
                    for command in commands_of(block) if block.exit_code is not None else ():
                        program, playbook, option, inventory, *rest = command.words
                        assert (program, option, inventory) == ("ansible-playbook", "-i", "inventory.yml"), command
                        played = fleet.play(playbook, *rest, environment={"ANSIBLE_COLLECTIONS_PATH": str(COLLECTIONS)})
                        assert played.code == block.exit_code, f"{command}\n{played.output}"
                        self.played[page].append(played)
                        self.after[page].append(fleet.registries())


@pytest.fixture(scope="module")
def reader(tmp_path_factory: pytest.TempPathFactory) -> Reader:
    return Reader(tmp_path_factory.mktemp("reader"))


def test_every_mark_is_on_a_page_that_is_read() -> None:
    marked = {page.stem for page in DOCS.rglob("*.md") for block in blocks(page) if block.exit_code is not None}
    assert marked == set(PAGES)


def test_looking_changes_nothing(reader: Reader) -> None:
    for registries in (
        *reader.after["troubleshooting"],
        *reader.after["start"],
        *reader.after["audit"],
        reader.after["override"][0],
    ):
        assert registries == reader.before
    assert reader.played["start"][0].verdicts == {"fe01": "broken", "fe02": "broken", "edge01": "broken"}


def _front_ends_with_value(registries: dict[str, Registry]) -> set[str]:
    return {host for host, keys in registries.items() if any(VALUE in path and values for path, values in keys.items())}


def test_the_override_goes_to_one_front_end_and_then_to_all(reader: Reader) -> None:
    one, everybody = reader.after["override"][1:]
    assert _front_ends_with_value(one) == {"fe01"}
    own = [c for c in reader.played["override"][1].judgement["connections"] if c["validator"] == "fe01"]
    assert {c["verdict"] for c in own} == {"mitigated"}
    assert _front_ends_with_value(everybody) == {"fe01", "fe02"}
    assert set(reader.played["override"][-1].verdicts.values()) == {"mitigated"}


def test_rollback_of_one_is_shown_and_done(reader: Reader) -> None:
    shown, done = reader.after["rollback"]
    assert shown == reader.after["override"][-1]
    assert without_record(done["fe01"]) == reader.before["fe01"]
    assert done["fe02"] == shown["fe02"]


def test_there_is_something_to_read(reader: Reader, record_property: t.Callable[[str, object], None]) -> None:
    number = sum(map(len, reader.played.values()))
    assert number >= 8
    record_property(
        "figure", f"documentation: {number} commands of its pages were run against a lab, as they stand there"
    )
