# Copyright (c) 2026, the sfb.kb4023993 contributors
# GNU General Public License v3.0-or-later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Writes docs/findings.md from the catalogue of findings: ``python tests/tools/findings_page.py [--check]``."""

from __future__ import annotations

import pathlib
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "playbooks" / "collections"))

from ansible_collections.sfb.kb4023993.plugins.plugin_utils.findings import CATALOGUE  # noqa: E402

PAGE = ROOT / "docs" / "findings.md"
_HEAD = """# Findings

Every judged fact has a stable id; match on ids, never on titles. This page is written by `tests/tools/findings_page.py` from the
catalogue in `plugins/plugin_utils/findings.py`. The severity is the usual one; a certificate that breaks nothing yet is a warning.

| id | severity | what it says | what to do next |
|---|---|---|---|
"""


def page() -> str:
    """The page as text."""
    rows = [
        f"| `{identifier}` | {kind.severity} | {kind.title} | {kind.next_step or 'The reason and the advice stand with it.'} |"
        for identifier, kind in sorted(CATALOGUE.items())
    ]
    return _HEAD + "\n".join(rows) + "\n"


def main(arguments: list[str]) -> int:
    if arguments == ["--check"]:
        if PAGE.read_text("utf-8") == page():
            return 0
        print(
            f"{PAGE.relative_to(ROOT)} is not what the catalogue says. Run: python tests/tools/findings_page.py",
            file=sys.stderr,
        )
        return 1
    PAGE.write_text(page(), "utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
