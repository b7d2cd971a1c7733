# Copyright (c) 2026, the sfb.kb4023993 contributors
# GNU General Public License v3.0-or-later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Writes docs/findings.md and a page for each finding in docs/findings: ``python tests/tools/findings_page.py [--check]``."""

from __future__ import annotations

import pathlib
import re
import sys
import typing as t

import yaml

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "playbooks" / "collections"))

from ansible_collections.sfb.kb4023993.plugins.plugin_utils.findings import CATALOGUE, Kind  # noqa: E402
from ansible_collections.sfb.kb4023993.plugins.plugin_utils.report.advice import (  # noqa: E402
    Advice,
    Step,
    Way,
    advice,
    blocks,
)

DOCS = ROOT / "docs"
_EVIDENCE = DOCS / "site" / "evidence.yml"
_HEAD = """# Findings

Every judged fact has a stable id; match on ids, never on titles. Each id has a page with symptom, cause, evidence, fix and rollback. All of
these pages are written by `tests/tools/findings_page.py` from the catalogue in `plugins/plugin_utils/findings.py`, the advice of the reports
(`plugins/plugin_utils/report/advice.yml`) and `docs/site/evidence.yml`. The severity is the usual one; a certificate that breaks nothing yet
is a warning.

| id | severity | what it says | what to do next |
|---|---|---|---|
"""
_WHERE: t.Final = {
    "controller": "On the controller:",
    "server": "At the server, in an elevated PowerShell (where a `Cs` cmdlet is used, the Management Shell of the product):",
    "ca": "On a server of the domain that may ask the CA:",
}
_LANGUAGE: t.Final = {"controller": "console", "server": "powershell", "ca": "console"}
# Names of variables, pages, files, commands and registry keys in a running text.
_CODE: t.Final = re.compile(
    r"(?<![\w`-])(?:sfb_kb4023993_\w+|sfb\.kb4023993\.[a-z]\w+|HKLM(?:\\[\w.-]*\w)+|[\w/]+\.(?:yml|ps1|txt|exe|dll)\b"
    r"|(?:Get|Set|Import|Start|Invoke)-Cs\w+|--[a-z]+|-[A-Z]\w{5,}|RTC\w+|LocalAccountTokenFilterPolicy=1)"
)
_PAGE: t.Final = re.compile(r"(?<![\w`])docs/([\w-]+\.md)")


def pages() -> dict[pathlib.Path, str]:
    """All pages as text, by file.

    :raises KeyError: a finding has no advice, or nothing says what its evidence is.
    """
    evidence: dict[str, str] = yaml.safe_load(_EVIDENCE.read_text("utf-8"))
    made = {DOCS / "findings.md": _table()}
    for identifier, kind in CATALOGUE.items():
        text = _page(identifier, kind, advice()[identifier], evidence[identifier])
        made[DOCS / "findings" / f"{identifier}.md"] = text
    return made


def _table() -> str:
    rows = [
        f"| [`{identifier}`](findings/{identifier}.md) | {kind.severity} | {kind.title} | "
        f"{kind.next_step or 'The reason and the advice stand with it.'} |"
        for identifier, kind in sorted(CATALOGUE.items())
    ]
    return _HEAD + "\n".join(rows) + "\n"


def _page(identifier: str, kind: Kind, said: Advice, evidence: str) -> str:
    parts = [
        "<!-- Written by tests/tools/findings_page.py. -->",
        f"# {identifier}",
        f"**{kind.title}.** Severity: {kind.severity}.",
        *_section("Symptom", said.symptom),
        *_section("Cause", said.cause),
        *_section("Evidence", evidence),
        "## Fix",
        *([_inline(kind.next_step)] if kind.next_step else []),
        *_ways(said.fix, "Fix"),
        "## Rollback",
        *_ways(said.rollback, "Rollback"),
        "---",
        "[All findings](../findings.md) · [Reports](../reports.md) · [Variables](../variables.md)",
    ]
    return "\n\n".join(parts) + "\n"


def _section(title: str, text: str) -> tuple[str, str]:
    return f"## {title}", _inline(text)


def _ways(ways: t.Sequence[Way], section: str) -> t.Iterator[str]:
    if len(ways) > 1:
        yield f"There are {len(ways)} ways; choose one."
    for way in ways:
        if way.title:
            # The section stands in it, so that a heading of a page is there once.
            yield f"### {section}, {way.title[:1].lower()}{way.title[1:]}"
        for number, step in enumerate(way.steps, 1):
            yield from _step(step, f"{number}. " if len(way.steps) > 1 else "")


def _step(step: Step, number: str) -> t.Iterator[str]:
    yield f"**{number}{step.title}.** {_inline(step.text)}"
    # For no server in particular: what differs between servers is left as a word in capitals, with a hint.
    for block in blocks(step, ()):
        assert step.where is not None
        yield _WHERE[step.where]
        yield f"```{_LANGUAGE[step.where]}\n" + "\n".join(block.commands) + "\n```"
        if block.hints:
            yield "\n".join(f"* {_inline(hint)}" for hint in block.hints)


def _inline(text: str) -> str:
    """A running text of the advice as Markdown: pages become links, and names are set as code."""
    plain = re.sub(r"\*|(?<!\w)_", lambda match: f"\\{match.group()}", text)
    marked = _CODE.sub(lambda match: f"`{match.group()}`", plain)
    return _PAGE.sub(lambda match: f"[{_title(match.group(1))}](../{match.group(1)})", marked)


def _title(page: str) -> str:
    return (DOCS / page).read_text("utf-8").partition("\n")[0].removeprefix("# ")


def main(arguments: list[str]) -> int:
    wanted = pages()
    there = {DOCS / "findings.md", *(DOCS / "findings").glob("*")}
    if arguments == ["--check"]:
        wrong = {file for file, text in wanted.items() if not file.is_file() or file.read_text("utf-8") != text}
        for file in sorted(wrong | (there - set(wanted))):
            print(f"{file.relative_to(ROOT)} is not what the catalogue and the advice say.", file=sys.stderr)
        if wrong or there - set(wanted):
            print("Run: python tests/tools/findings_page.py", file=sys.stderr)
        return 1 if wrong or there - set(wanted) else 0
    (DOCS / "findings").mkdir(exist_ok=True)
    for file in there - set(wanted):
        file.unlink()
    for file, text in wanted.items():
        file.write_text(text, "utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
