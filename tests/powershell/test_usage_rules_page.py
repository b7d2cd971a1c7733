# Copyright (c) 2026, the sfb.kb4023993 contributors
# GNU General Public License v3.0-or-later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""docs/usage-rules.md says of each certificate in its tables what our rules and .NET say."""

from __future__ import annotations

import re
from pathlib import Path

from ansible_collections.sfb.kb4023993.plugins.plugin_utils.certificates import CLIENT_AUTH
from powershell import eku_cases, eku_dotnet
from powershell.eku_dotnet import Heard
from powershell.runner import Engine

_ROOT = Path(__file__).parents[2]
_PAGE = _ROOT / "docs" / "usage-rules.md"
_UNIT_TESTS = _ROOT / "tests" / "unit" / "test_certificates.py"
_ROW = re.compile(r"^\| [^|]+ \| (good|bad|undecided) \| ([^|]+) \| ((?:`[^`|]+` ?)+)\|$")


def test_every_row_is_true(engine: Engine, tmp_path: Path) -> None:
    rows = [match.groups() for match in map(_ROW.match, _PAGE.read_text("utf-8").splitlines()) if match]
    stated = [(name, verdict, words) for verdict, words, names in rows for name in re.findall("`([^`]+)`", names)]
    stated = [row for row in stated if not row[0].startswith("test_")]
    made = eku_cases.made_by_hand()
    assert not [name for name, _verdict, _words in stated if name not in made], "a row names a certificate that is not"
    cases = {name: made[name] for name, _verdict, _words in stated}
    assert len(cases) == len(stated) > 50
    over_tls = eku_dotnet.ask_sslstream(engine, cases)
    without = eku_dotnet.ask_chains(engine, cases, [CLIENT_AUTH], tmp_path)
    untrue = [
        f"{name}: the page says {verdict} and {words}; ours {eku_dotnet.judge(cases[name])}, .NET {answer}"
        for name, verdict, words in stated
        for answer in {without[name][0], over_tls.get(name, without[name][0])}
        if (verdict, words) != (eku_dotnet.judge(cases[name]).usage, in_words(answer))
    ]
    assert not untrue, "\n".join(untrue)


def in_words(answer: Heard) -> str:
    if answer.outcome == "accepted":
        return "refuses for another reason" if answer.faults else "accepts"
    return "refuses" if answer.outcome == "refused" else "cannot read it"


def test_the_unit_tests_that_the_page_names_are_there() -> None:
    named = set(re.findall(r"`(test_\w+)`", _PAGE.read_text("utf-8")))
    tests = set(re.findall(r"^def (test_\w+)", _UNIT_TESTS.read_text("utf-8"), re.MULTILINE))
    assert len(named) == 4
    assert named <= tests


def test_every_kind_of_undecided_certificate_is_on_the_page() -> None:
    page = _PAGE.read_text("utf-8")
    made = eku_cases.made_by_hand()
    shown = {eku_dotnet.judge(case).rule for name, case in made.items() if f"`{name}`" in page}
    assert shown >= eku_dotnet.DOCUMENTED
