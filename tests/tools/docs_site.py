# Copyright (c) 2026, the sfb.kb4023993 contributors
# GNU General Public License v3.0-or-later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Builds the documentation site in build/docs: ``python tests/tools/docs_site.py``.

The pages are docs/*.md and docs/findings/*.md as they are, which read well as files, too. They are gathered in one folder with
what only the site has: its index, the modules and roles (antsibull-docs, from their own documentation) and the schema of the report.
A warning of Sphinx, such as a link to nowhere or a page that no index lists, ends it with an error.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import typing as t

from environments import ROOT, Environment, InstallError, UnavailableError, ensure

_DOCS = ROOT / "docs"
_WORK = ROOT / "build" / "docs-work"
_PAGES = _WORK / "pages"
_SITE = ROOT / "build" / "docs"
_FINDINGS = "\n```{toctree}\n:hidden:\n:glob:\n\nfindings/*\n```\n"
_SCHEMA_HEAD = """# Schema of the JSON report

What stands in `report.json`, record by record, from <path:report.schema.json> (JSON Schema, draft 2020-12). Every entry is there, and no other;
a change of the form changes the number in `schema`. [Reports](reports.md) has what it is for.
"""


# The collection is not published yet: what antsibull-docs says of Galaxy and of a repository would lead nowhere. The theme has the contents of
# a page beside it.
_CORRECTED = (
    (r"^\.\. contents::\n(?:   :.*\n)+", ""),
    (r"`sfb\.kb4023993 collection <https://galaxy\.ansible\.com/[^>]*>`_", "collection sfb.kb4023993"),
    (r"To install it, use: :code:`[^`]*`\.", "To install it, see :doc:`/start`."),
    (r'\.\. ansible-links::\n\n  - title: "Repository \(Sources\)"\n    url: "[^"]*"\n    external: true\n', ""),
    (r"^Sfb\.Kb4023993\n=+$", "Modules and roles\n================="),
)


def gather() -> None:
    """Bring all pages that are not written by antsibull-docs into one folder."""
    shutil.rmtree(_WORK, ignore_errors=True)
    shutil.copytree(_DOCS, _PAGES, ignore=shutil.ignore_patterns("site"))
    shutil.copy(_DOCS / "site" / "index.md", _PAGES)
    with (_PAGES / "findings.md").open("a", encoding="utf-8") as page:
        page.write(_FINDINGS)
    schema = json.loads((_DOCS / "report.schema.json").read_text(encoding="utf-8"))
    (_PAGES / "report-schema.md").write_text(schema_page(schema), encoding="utf-8")


def schema_page(schema: dict[str, t.Any]) -> str:
    """A JSON schema of records as a page: a heading and a table for each, the outermost first."""
    outer = schema["$ref"].rpartition("/")[2]
    names = [outer, *(name for name in schema["$defs"] if name != outer)]
    parts = [_SCHEMA_HEAD]
    for name in names:
        record = schema["$defs"][name]
        rows = [f"| `{entry}` | {_type(kind)} |" for entry, kind in record["properties"].items()]
        parts += [
            f"## {name}\n",
            record.get("description", ""),
            "\n| entry | type |\n|---|---|\n" + "\n".join(rows),
            "",
        ]
    return "\n".join(parts)


def _type(kind: dict[str, t.Any]) -> str:
    """A type of the schema in words; records are links."""
    if "$ref" in kind:
        name = kind["$ref"].rpartition("/")[2]
        return f"[{name}](#{name.lower()})"
    if "anyOf" in kind:
        return " or ".join(map(_type, kind["anyOf"]))
    if "enum" in kind:
        return ", ".join(f"`{json.dumps(value)}`" for value in kind["enum"])
    if "const" in kind:
        return f"`{json.dumps(kind['const'])}`"
    if kind["type"] == "array":
        return f"list of {_type(kind['items'])}"
    if kind["type"] == "object":
        return f"object, each value {_type(kind['additionalProperties'])}"
    return str(kind["type"])


def add_reference(environment: Environment) -> None:
    """Have antsibull-docs write a page for each module and role, from their own documentation.

    :raises SystemExit: it failed; what it printed was shown.
    """
    folder = _PAGES / "collections"
    folder.mkdir()
    options = ("--use-current", "--squash-hierarchy", "--fail-on-error", "--no-add-antsibull-docs-version")
    _run(
        environment,
        ("antsibull-docs", "collection", *options, "--dest-dir", str(folder), "sfb.kb4023993"),
        ANSIBLE_COLLECTIONS_PATH=str(ROOT / "playbooks" / "collections"),
    )
    # No plugin has any.
    (folder / "environment_variables.rst").unlink()
    for page in folder.glob("*.rst"):
        text = page.read_text(encoding="utf-8")
        for pattern, words in _CORRECTED:
            text = re.sub(pattern, words, text, flags=re.MULTILINE)
        page.write_text(text, encoding="utf-8")


def build(environment: Environment) -> None:
    """Write the site anew.

    :raises SystemExit: a program failed; what it printed was shown.
    """
    gather()
    add_reference(environment)
    shutil.rmtree(_SITE, ignore_errors=True)
    strict = ("--fail-on-warning", "--keep-going", "--nitpicky", "--quiet", "--jobs", "2")
    folders = ("--conf-dir", str(_DOCS / "site"), "--doctree-dir", str(_WORK / "doctrees"))
    _run(environment, ("sphinx-build", "--builder", "html", *strict, *folders, str(_PAGES), str(_SITE)))
    # Sphinx's note for its next build, which starts anew, and a folder that stays empty.
    (_SITE / ".buildinfo").unlink()
    (_SITE / "_sources").rmdir()


def _run(environment: Environment, command: tuple[str, ...], **variables: str) -> None:
    path = f"{environment.bin}{os.pathsep}{os.environ.get('PATH', os.defpath)}"
    done = subprocess.run(command, cwd=ROOT, env={**os.environ, "PATH": path, **variables}, check=False)
    if done.returncode:
        raise SystemExit(f"{command[0]} ended with exit code {done.returncode}; what is wrong stands above.")


def main() -> int:
    """Build the site and say where it is."""
    try:
        environment = ensure("docs")
    except (UnavailableError, InstallError) as error:
        print(error, file=sys.stderr)
        return 1
    build(environment)
    print(
        f"{sum(1 for _page in _SITE.rglob('*.html'))} pages. Open {_SITE.relative_to(ROOT) / 'index.html'} in a browser."
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
