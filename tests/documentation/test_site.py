# Copyright (c) 2026, the sfb.kb4023993 contributors
# GNU General Public License v3.0-or-later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The built site: everything is there, every link leads somewhere, and nothing comes from elsewhere or tells of this machine."""

from __future__ import annotations

import json
import pathlib
import re
import subprocess
import sys
import typing as t
import urllib.parse

import pytest
from ansible_collections.sfb.kb4023993.plugins.plugin_utils.findings import CATALOGUE
from documentation.built import BUILT, SITE, is_elsewhere, pages, styled, target
from documentation.pages import DOCS, ROOT

pytestmark = pytest.mark.skipif(
    not BUILT, reason="the site is not built: make test TIERS=docs builds it and sets SFB_DOCS"
)

# Links that a person may follow; the browser gets nothing from there.
LINKED = {
    "docs.ansible.com",
    "github.com",
    "pradyunsg.me",
    "support.microsoft.com",
    "www.sphinx-doc.org",
}
TEXTS = {".html", ".js", ".css", ".svg", ".txt", ".json", ".yml", ".inv", ".xml", ""}


def _relative(file: pathlib.Path) -> str:
    return file.relative_to(SITE).as_posix()


def test_every_page_is_there() -> None:
    built = set(map(_relative, pages()))
    assert {
        f"{page.relative_to(DOCS).with_suffix('.html').as_posix()}"
        for page in DOCS.rglob("*.md")
        if "site" not in page.parts
    } <= built
    modules = {path.stem for path in (ROOT / "plugins" / "modules").glob("*.py")}
    assert {f"collections/{name}_module.html" for name in modules} <= built
    roles = {path.name for path in (ROOT / "roles").iterdir() if path.is_dir()}
    assert {f"collections/{name}_role.html" for name in roles} <= built


@pytest.mark.parametrize("identifier", sorted(CATALOGUE))
def test_every_finding_has_its_page_and_is_linked(identifier: str) -> None:
    page = pages()[SITE / "findings" / f"{identifier}.html"]
    text = page.file.read_text("utf-8")
    for part in ("Symptom", "Cause", "Evidence", "Fix", "Rollback"):
        assert f'<section id="{part.lower()}">' in text, part
    assert f"findings/{identifier}.html" in pages()[SITE / "findings.html"].links


def test_every_link_and_anchor_works(record_property: t.Callable[[str, object], None]) -> None:
    wrong, number = [], 0
    for page in pages().values():
        for address in page.links:
            if is_elsewhere(address):
                continue
            number += 1
            file, anchor = target(page, address)
            if not file.is_file() or (anchor and file.suffix == ".html" and anchor not in pages()[file].anchors):
                wrong.append((_relative(page.file), address))
    assert wrong == []
    assert number > 1000
    record_property("figure", f"documentation: {len(pages())} pages, {number} links within them lead somewhere")


def test_every_page_is_reached_from_the_first() -> None:
    first = (SITE / "index.html").resolve()
    reached, waiting = {first}, [first]
    while waiting:
        page = pages()[waiting.pop()]
        for address in page.links:
            file, _anchor = (first, "") if is_elsewhere(address) else target(page, address)
            if file.suffix == ".html" and file not in reached:
                reached.add(file)
                waiting.append(file)
    assert {_relative(file) for file in set(pages()) - reached} <= {"genindex.html", "search.html"}


def test_nothing_is_loaded_from_elsewhere() -> None:
    loaded = [(page.file, address) for page in pages().values() for address in page.loaded]
    loaded += [(file, address) for file in SITE.rglob("*.css") for address in styled(file.read_text("utf-8"))]
    loaded += [(file, address) for file in SITE.rglob("*.svg") for address in styled(file.read_text("utf-8"))]
    assert len(loaded) > len(pages())
    assert [(_relative(file), address) for file, address in loaded if is_elsewhere(address)] == []
    missing = [
        (_relative(file), address)
        for file, address in loaded
        if not address.startswith(("data:", "#"))
        and not (file.parent / urllib.parse.unquote(address.partition("?")[0])).is_file()
    ]
    assert missing == []


def test_links_lead_to_known_hosts_only() -> None:
    hosts = {urllib.parse.urlsplit(a).hostname for page in pages().values() for a in page.links if is_elsewhere(a)}
    assert hosts <= LINKED


def test_nothing_tells_of_this_machine_or_its_package_index() -> None:
    words = {str(ROOT), str(pathlib.Path.home()), sys.prefix, sys.base_prefix, "file:///"} - {"/", "/usr"}
    words |= _index_hosts()
    found = [
        (_relative(file), word)
        for file in SITE.rglob("*")
        if file.is_file() and file.suffix in TEXTS
        for word in words
        if word.encode() in file.read_bytes()
    ]
    assert found == []


def _index_hosts() -> set[str]:
    """Hosts from which pip gets packages here; the public one is in nobody's way."""
    command = [sys.executable, "-m", "pip", "config", "list"]
    listed = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    hosts = {urllib.parse.urlsplit(address).hostname or "" for address in re.findall(r"https?://[^'\"\s]+", listed)}
    return {host for host in hosts if host and host != "pypi.org"}


def test_pages_say_their_language_and_have_their_headings_in_order() -> None:
    for page in pages().values():
        assert page.language == "en", page.file
        assert page.pictures_without_words == [], page.file
        if page.file.name in ("genindex.html", "search.html"):
            continue
        # The table of contents beside a page has none; one heading of the first level, and no level left out on the way down.
        assert page.headings.count(1) == 1, page.file
        steps = zip(page.headings, page.headings[1:], strict=False)
        assert all(below <= above + 1 for above, below in steps), (page.file, page.headings)


def test_the_theme_has_nothing_to_complain_of() -> None:
    """It writes what it does not like into the page, where no build sees it."""
    assert [page.file for page in pages().values() if "ERROR: " in page.file.read_text("utf-8")] == []


def test_the_schema_page_has_every_record() -> None:
    schema = json.loads((DOCS / "report.schema.json").read_text("utf-8"))
    assert {name.lower() for name in schema["$defs"]} <= pages()[SITE / "report-schema.html"].anchors
