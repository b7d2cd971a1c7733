# Copyright (c) 2026, the sfb.kb4023993 contributors
# GNU General Public License v3.0-or-later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Records on disk: written whole, read strictly, one run at a time."""

from __future__ import annotations

import datetime
import hashlib
import json
import pathlib
import subprocess
import sys
import tempfile
from collections.abc import Callable

import pytest
from ansible_collections.sfb.kb4023993.plugins.plugin_utils.codec import encode
from ansible_collections.sfb.kb4023993.plugins.plugin_utils.files import StateError
from ansible_collections.sfb.kb4023993.plugins.plugin_utils.signing.csr import read_csr
from ansible_collections.sfb.kb4023993.plugins.plugin_utils.signing.records import (
    Record,
    RecordError,
    directory,
    locked,
    new_record,
    read_records,
    with_request,
    write_record,
)
from hypothesis import given
from hypothesis import strategies as st
from lab import pki
from lab.ca.request import make_request

NOW = datetime.datetime(2026, 11, 22, 20, 0, tzinfo=datetime.timezone.utc)
OLD = pki.root_authority("CA").issue("edgepool.contoso.example", dns_names=["edge01.contoso.example"])


def record() -> Record:
    planned = new_record(servers=["edge01", "edge02"], uses=["Internal"], replaces=OLD.der, at=NOW)
    return with_request(planned, read_csr(make_request("edgepool.contoso.example")), at=NOW)


def path_of(state: pathlib.Path) -> pathlib.Path:
    return directory(state) / "edge01%20Internal.json"


def test_comes_back_as_it_was_written(tmp_path: pathlib.Path) -> None:
    write_record(tmp_path, record())
    assert read_records(tmp_path) == {"edge01 Internal": record()}
    assert path_of(tmp_path).stat().st_mode & 0o777 == 0o600


def test_person_finds_first_what_a_person_needs(tmp_path: pathlib.Path) -> None:
    write_record(tmp_path, record())
    data = json.loads(path_of(tmp_path).read_text())
    assert list(data)[:6] == ["schema", "id", "servers", "uses", "step", "next_step"]
    assert data["current"]["thumbprint"] == hashlib.sha1(OLD.der).hexdigest().upper()
    assert data["current"]["names"] == ["edge01.contoso.example", "edgepool.contoso.example"]
    assert data["history"][0] == {
        "at_utc": "2026-11-22T20:00:00Z",
        "step": "planned",
        "note": "Have the server make a key and a request.",
    }


def test_nothing_there_is_nothing(tmp_path: pathlib.Path) -> None:
    assert read_records(tmp_path) == {}


def changed(**changes: object) -> str:
    return json.dumps({**encode(record()), **changes})


BAD: dict[str, tuple[Callable[[], str], str]] = {
    "cut off": (lambda: changed()[:100], "not JSON"),
    "another thing": (lambda: "[1, 2]", "not a record of a certificate"),
    "no schema": (lambda: "{}", "not a record of a certificate"),
    "newer": (lambda: changed(schema=2), "newer version"),
    "unknown entry": (lambda: changed(extra=1), "unknown entry"),
    "unknown step": (lambda: changed(step="half"), "step"),
    "of another server": (lambda: changed(id="edge09 Internal"), "belongs into another file"),
    "no server": (lambda: changed(servers=[]), "belongs into another file"),
    "deep": (lambda: "[" * 100_000, "not JSON"),
}


@pytest.mark.parametrize("case", BAD)
def test_what_is_no_record_stops_with_the_file_and_advice(tmp_path: pathlib.Path, case: str) -> None:
    make, words = BAD[case]
    write_record(tmp_path, record())
    path_of(tmp_path).write_text(make())
    with pytest.raises(RecordError) as refusal:
        read_records(tmp_path)
    assert words in str(refusal.value)
    assert str(path_of(tmp_path)) in str(refusal.value)


def test_file_that_is_too_large_is_not_read(tmp_path: pathlib.Path) -> None:
    write_record(tmp_path, record())
    with path_of(tmp_path).open("w") as stream:
        stream.truncate(100 * 1024 * 1024)
    with pytest.raises(RecordError, match="too large"):
        read_records(tmp_path)


@given(st.text(min_size=1, max_size=40), st.text(min_size=1, max_size=40))
def test_any_name_of_a_server_and_use_is_safe(server: str, use: str) -> None:
    made = new_record(servers=[server], uses=[use], replaces=None, at=NOW)
    with tempfile.TemporaryDirectory() as folder:
        write_record(folder, made)
        assert read_records(folder) == {made.id: made}
        assert len(list(directory(folder).iterdir())) == 1


def test_another_run_is_kept_out_until_the_first_ends_even_by_force(tmp_path: pathlib.Path) -> None:
    holder = (
        "import sys, time\n"
        "from ansible_collections.sfb.kb4023993.plugins.plugin_utils.signing.records import locked\n"
        "with locked(sys.argv[1]):\n"
        "    print('locked', flush=True)\n"
        "    time.sleep(60)\n"
    )
    first = subprocess.Popen(
        [sys.executable, "-c", holder, str(tmp_path)],
        stdout=subprocess.PIPE,
        text=True,
        env={"PYTHONPATH": ":".join(sys.path)},
    )
    assert first.stdout is not None
    assert first.stdout.readline() == "locked\n"
    with pytest.raises(StateError, match="Another run is signing"), locked(tmp_path):
        pass
    first.kill()
    first.communicate()
    with locked(tmp_path):
        assert first.returncode == -9
