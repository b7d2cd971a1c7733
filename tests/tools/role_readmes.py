# Copyright (c) 2026, the sfb.kb4023993 contributors
# GNU General Public License v3.0-or-later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Write the README.md of every role from its meta/argument_specs.yml: ``role_readmes.py``.

With ``--check`` nothing is written; it ends with 1 when a README is not what the argument specs say.
"""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parents[2]
# What the description of a role's main entry point has to answer, each in a paragraph that begins with the word.
_PROMISES = ("Idempotent", "Atomic", "Rollback")
_MARKUP = re.compile(r"\b[BCEIMOPV]\(([^()]*)\)")
_INTERNAL = "Internal: "


class SpecError(ValueError):
    """An argument spec that does not say enough; the text names the role and what is missing."""


def readme(role: str, specs: dict[str, Any]) -> str:
    """The README of a role as Markdown.

    :raises SpecError: no example, or no answer to one of the promises.
    """
    # A role of single steps has no main entry point: the first one speaks for it.
    entry, main = next(iter(specs.items()))
    paragraphs = _list(main["description"])
    promises = [text for text in paragraphs if text.startswith(tuple(f"{word}:" for word in _PROMISES))]
    missing = [word for word in _PROMISES if not any(text.startswith(f"{word}:") for text in promises)]
    if missing or "examples" not in main:
        raise SpecError(
            f"{role}, entry point {entry}: {', '.join([*missing, 'examples'] if missing else ['examples'])}?"
        )
    lines = ["<!-- Written by tests/tools/role_readmes.py from meta/argument_specs.yml. -->", f"# Role `{role}`", ""]
    lines += [f"{main['short_description']}.", ""]
    for text in paragraphs:
        if text not in promises:
            lines += [_markdown(text), ""]
    lines += ["| | |", "|---|---|"]
    for text in promises:
        word, _colon, answer = text.partition(": ")
        lines.append(f"| {word}? | {_cell(_markdown(answer[:1].upper() + answer[1:]))} |")
    lines += ["", "## Example", "", "```yaml", main["examples"].strip(), "```", ""]
    public = {name: spec for name, spec in specs.items() if not spec["short_description"].startswith(_INTERNAL)}
    for name, spec in public.items():
        lines += _entry_point(name, spec)
    internal = ", ".join(f"`{name}`" for name in specs if name not in public)
    if internal:
        lines += [f"Internal entry points, not for use from outside: {internal}.", ""]
    return "\n".join(lines)


def _entry_point(name: str, spec: dict[str, Any]) -> Iterator[str]:
    yield from (f"## Entry point `{name}`", "")
    if name != "main":
        yield from (f"{spec['short_description']}.", "")
        for text in _list(spec["description"]):
            yield from (_markdown(text), "")
    options = spec.get("options") or {}
    if not options:
        yield from ("It has no variables.", "")
        return
    yield from ("| variable | type | default | meaning |", "|---|---|---|---|")
    for option, facts in sorted(options.items()):
        kind = f"{facts['type']} of {facts['elements']}" if "elements" in facts else facts["type"]
        meaning = " ".join(_list(facts["description"]))
        if "choices" in facts:
            meaning += f" One of {', '.join(f'V({choice})' for choice in facts['choices'])}."
        yield f"| `{option}` | {kind} | {_default(facts)} | {_cell(_markdown(meaning))} |"
    yield ""


def _default(facts: dict[str, Any]) -> str:
    if facts.get("required"):
        return "required"
    if "default" not in facts:
        return "see there"
    value = facts["default"]
    return "empty" if value in ("", []) else f"`{str(value).lower() if isinstance(value, bool) else value}`"


def _list(text: str | list[str]) -> list[str]:
    return [text] if isinstance(text, str) else text


def _markdown(text: str) -> str:
    return _MARKUP.sub(r"`\1`", text)


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


def expected() -> dict[Path, str]:
    """The README of every role by its path."""
    found = {}
    for path in sorted((ROOT / "roles").glob("*/meta/argument_specs.yml")):
        role = path.parent.parent
        specs = yaml.safe_load(path.read_text("utf-8"))["argument_specs"]
        found[role / "README.md"] = readme(f"sfb.kb4023993.{role.name}", specs)
    return found


def _main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing, compare")
    check = parser.parse_args().check
    stale = []
    for path, text in expected().items():
        if path.is_file() and path.read_text("utf-8") == text:
            continue
        stale.append(path.relative_to(ROOT))
        if not check:
            path.write_text(text, encoding="utf-8")
    for name in stale:
        print(
            f"{name} {'is not what meta/argument_specs.yml says: run tests/tools/role_readmes.py' if check else 'written'}"
        )
    return int(check and bool(stale))


if __name__ == "__main__":
    sys.exit(_main())
