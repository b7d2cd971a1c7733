# Copyright (c) 2026, the sfb.kb4023993 contributors
# GNU General Public License v3.0-or-later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Evidence files: what is written comes back, and what is not ours is refused in words that help."""

from __future__ import annotations

import dataclasses
import json
import pathlib
import typing as t

import pytest
from ansible_collections.sfb.kb4023993.plugins.plugin_utils.evidence import (
    SCHEMA,
    Evidence,
    EvidenceError,
    InventoryFacts,
    from_text,
    load,
    save,
    to_text,
)
from ansible_collections.sfb.kb4023993.plugins.plugin_utils.files import file_name
from ansible_collections.sfb.kb4023993.plugins.plugin_utils.host import operations as op
from builders import evidence as e
from builders.certificates import certificate
from builders.fleets import UNREACHABLE
from builders.simulated import Simulated

ADVICE = "Delete it and run the audit again."


def rich() -> Evidence:
    """Evidence in which every section holds something."""
    cert = certificate("both")
    return e.front_end(
        opt_outs=e.opt_outs(e.Value(), e.Value(kind="multi_string", data=("a", "b"), view="32"), config="<x/>"),
        events=e.events(e.event(41026, e.LATER, "edge01.contoso.example", "日本語")),
        records=e.records(op.RegistryValue(name="foreign", kind="dword", data=2**32 - 1)),
        topology=(e.pool_fact("pool01", "fe01", edge_pool="edge"),),
        chain_checks=(e.chain_check(cert, "NotValidForUsage"),),
        sightings=(e.sighted(e.Value(), e.EARLIER),),
        presented=(e.shown(cert), e.shown(cert, host="edge01", port=4443)),
    )


@pytest.mark.parametrize(
    "evidence",
    [
        rich(),
        e.edge(),
        Evidence(
            collection_version="1",
            run_id="r",
            inventory_name="x",
            collected_utc="t",
            inventory=InventoryFacts(),
            failure=UNREACHABLE,
        ),
    ],
    ids=["front end", "edge", "unreachable"],
)
def test_what_was_written_comes_back(evidence: Evidence, tmp_path: pathlib.Path) -> None:
    path = save(evidence, tmp_path)
    assert load(tmp_path, evidence.inventory_name) == evidence
    assert path.parent == tmp_path


def test_evidence_of_a_simulated_server_comes_back() -> None:
    evidence = Simulated().judge().fleet.views["fe01"].source.evidence
    assert evidence is not None
    assert from_text(to_text(evidence), where="here") == evidence


def test_the_same_evidence_gives_the_same_text_in_ascii() -> None:
    text = to_text(rich())
    assert text == to_text(rich())
    assert text.isascii()
    assert text.endswith("}\n")


def test_a_host_without_a_file_has_no_evidence(tmp_path: pathlib.Path) -> None:
    assert load(tmp_path, "fe01") is None
    assert load(tmp_path / "missing", "fe01") is None


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "it is not JSON, or it is cut"),
        ("{", "it is not JSON, or it is cut"),
        ("[" * 100_000, "it is not JSON, or it is cut"),
        ("9" * 10_000, "it is not JSON, or it is cut"),
        ("[]", "no schema"),
        ("null", "no schema"),
        ("{}", "no schema"),
        ('{"schema": "1"}', "no schema"),
        ('{"schema": 2}', "schema 2, 1 is needed"),
        ('{"schema": 1}', "is damaged: evidence: entry '"),
        ('{"schema": 1, "x": 5}', "is damaged: evidence: unknown entry 'x'"),
    ],
    ids=lambda value: value[:20],
)
def test_a_file_that_is_not_evidence_is_refused_by_name_with_advice(
    text: str, message: str, tmp_path: pathlib.Path
) -> None:
    path = tmp_path / file_name("fe01")
    path.write_text(text, "utf-8")
    with pytest.raises(EvidenceError) as caught:
        load(tmp_path, "fe01")
    assert message in str(caught.value)
    assert str(path) in str(caught.value)
    assert str(caught.value).endswith(ADVICE)


@pytest.mark.parametrize(
    ("place", "value"),
    [
        (("system", "os_build"), "9600"),
        (("processes", 0, "started_utc"), 5),
        (("certificates", "certificates", 0, "certificate"), "%%%"),
        (("opt_outs", "keys", 0, "view"), "16"),
        (("services",), {}),
        (("dotnet", "system_dlls", 0, "marker_ascii"), "yes"),
    ],
)
def test_a_damaged_entry_is_named(place: tuple[t.Any, ...], value: t.Any) -> None:
    data = json.loads(to_text(rich()))
    target = data
    for step in place[:-1]:
        target = target[step]
    target[place[-1]] = value
    with pytest.raises(EvidenceError, match="is damaged: evidence") as caught:
        from_text(json.dumps(data), where="file")
    assert str(place[-1]) in str(caught.value)


def test_evidence_of_another_host_is_refused(tmp_path: pathlib.Path) -> None:
    save(rich(), tmp_path).rename(tmp_path / file_name("fe02"))
    with pytest.raises(EvidenceError, match=r"is evidence of another host \(fe01\)"):
        load(tmp_path, "fe02")


def test_a_file_that_is_not_text_or_not_readable_is_refused(tmp_path: pathlib.Path) -> None:
    (tmp_path / file_name("a")).write_bytes(b"\xff\xfe\x00")
    with pytest.raises(EvidenceError, match="it is not text"):
        load(tmp_path, "a")
    (tmp_path / file_name("b")).mkdir()
    with pytest.raises(EvidenceError, match="cannot be read"):
        load(tmp_path, "b")


def test_a_huge_file_is_refused_without_reading_it(tmp_path: pathlib.Path) -> None:
    path = tmp_path / file_name("fe01")
    with path.open("wb") as stream:
        stream.truncate(64 * 1024 * 1024 + 1)
    with pytest.raises(EvidenceError, match="too large to be evidence"):
        load(tmp_path, "fe01")


def test_the_schema_is_in_every_file() -> None:
    assert json.loads(to_text(rich()))["schema"] == SCHEMA


@pytest.mark.parametrize(
    ("domain", "name"), [("Contoso.Example", "fe01.contoso.example"), ("", "fe01")], ids=["domain", "workgroup"]
)
def test_the_full_name_is_the_servers_own_in_lower_case(domain: str, name: str) -> None:
    assert dataclasses.replace(rich(), system=e.system("FE01", domain=domain)).full_name == name


def test_without_a_system_section_the_inventory_name_stands_in() -> None:
    assert dataclasses.replace(rich(), system=None, inventory_name="FE01.x").full_name == "fe01.x"
