# Copyright (c) 2026, the sfb.kb4023993 contributors
# GNU General Public License v3.0-or-later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The built site as trees of elements: what its pages link to, load and hold."""

from __future__ import annotations

import functools
import html.parser
import os
import pathlib
import re
import typing as t
import urllib.parse
from dataclasses import dataclass, field

SITE = pathlib.Path(os.environ.get("SFB_DOCS", ""))
BUILT = "SFB_DOCS" in os.environ
_LOADED: t.Final = {
    ("script", "src"),
    ("img", "src"),
    ("source", "src"),
    ("iframe", "src"),
    ("object", "data"),
    ("embed", "src"),
    ("video", "src"),
    ("audio", "src"),
}
# What a <link> may name without the browser getting it.
_ONLY_NAMED: t.Final = {"index", "search", "next", "prev", "canonical", "author", "copyright", "top", "up"}
_URL: t.Final = re.compile(r"url\(\s*['\"]?([^'\")]+)|@import\s+['\"]([^'\"]+)")


@dataclass
class Page(html.parser.HTMLParser):
    """``links``: targets of links; ``loaded``: what the browser gets by itself; ``anchors``: ids; ``headings``: levels in their order."""

    file: pathlib.Path
    links: list[str] = field(default_factory=list)
    loaded: list[str] = field(default_factory=list)
    anchors: set[str] = field(default_factory=set)
    headings: list[int] = field(default_factory=list)
    pictures_without_words: list[str] = field(default_factory=list)
    language: str | None = None

    def __post_init__(self) -> None:
        super().__init__()
        self._in_style = False
        self.feed(self.file.read_text("utf-8"))
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Part of HTMLParser."""
        values = {name: value or "" for name, value in attrs}
        self._in_style = tag == "style"
        if "id" in values:
            self.anchors.add(values["id"])
        if tag == "html":
            self.language = values.get("lang")
        if tag == "a" and "href" in values:
            self.links.append(values["href"])
        if re.fullmatch(r"h[1-6]", tag):
            self.headings.append(int(tag[1]))
        if tag == "link" and not set(values.get("rel", "").split()) & _ONLY_NAMED:
            self.loaded.append(values["href"])
        if tag == "img" and not values.get("alt"):
            self.pictures_without_words.append(values.get("src", ""))
        self.loaded += [values[name] for element, name in _LOADED if element == tag and name in values]
        self.loaded += styled(values.get("style", ""))
        if "srcset" in values:
            self.loaded += [part.split()[0] for part in values["srcset"].split(",")]

    def handle_data(self, data: str) -> None:
        """Part of HTMLParser."""
        if self._in_style:
            self.loaded += styled(data)


def styled(text: str) -> list[str]:
    """What a style sheet loads."""
    return [first or second for first, second in _URL.findall(text)]


@functools.cache
def pages() -> dict[pathlib.Path, Page]:
    """All pages by their file."""
    return {file: Page(file) for file in sorted(SITE.rglob("*.html"))}


def is_elsewhere(address: str) -> bool:
    return bool(urllib.parse.urlsplit(address).netloc) or address.startswith(("http:", "https:", "//"))


def target(page: Page, address: str) -> tuple[pathlib.Path, str]:
    """The file and the anchor that an address on a page means."""
    parts = urllib.parse.urlsplit(address)
    path = urllib.parse.unquote(parts.path)
    file = (page.file.parent / path).resolve() if path else page.file.resolve()
    return file, urllib.parse.unquote(parts.fragment)
