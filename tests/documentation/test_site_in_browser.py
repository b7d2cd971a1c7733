# Copyright (c) 2026, the sfb.kb4023993 contributors
# GNU General Public License v3.0-or-later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The built site in a real browser, from files: light and dark, wide and narrow, by keyboard, without script, and with nothing from elsewhere."""

from __future__ import annotations

import typing as t

import pytest
from documentation.built import BUILT, SITE
from unit.report.browser import Page, browser, program

pytestmark = pytest.mark.skipif(
    not BUILT or program() is None,
    reason="the site is not built, or there is no Chromium: make test TIERS=docs builds the one and gets the other",
)

# One of each kind, and those with the widest tables and the longest lines.
PAGES = (
    "index",
    "start",
    "how-it-works",
    "variables",
    "findings",
    "findings/KB4023993-CONNECTION-BROKEN",
    "security",
    "usage-rules",
    "report-schema",
    "collections/index",
    "collections/sfb_facts_module",
    "collections/audit_role",
)
BACKGROUND: t.Final = "getComputedStyle(document.body).backgroundColor"
# How far text and its background are apart, by the formula of WCAG 2; pages set no half-transparent text.
CONTRAST: t.Final = r"""(() => {
  const parts = color => color.match(/[\d.]+/g).map(Number);
  const light = color => { const [r, g, b] = parts(color).slice(0, 3).map(v => v / 255)
    .map(v => v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4); return 0.2126 * r + 0.7152 * g + 0.0722 * b; };
  const behind = element => { for (let e = element; e; e = e.parentElement) {
    const color = getComputedStyle(e).backgroundColor; if ((parts(color)[3] ?? 1) > 0.5) return color; } return 'rgb(255,255,255)'; };
  return Array.from(document.querySelectorAll('article *')).filter(e => e.checkVisibility()
    && !e.closest('svg, .headerlink, .ansibleOptionLink')
    && Array.from(e.childNodes).some(n => n.nodeType === 3 && n.textContent.trim())).map(e => {
      const [a, b] = [light(getComputedStyle(e).color), light(behind(e))].sort((x, y) => y - x);
      return [(a + 0.05) / (b + 0.05), e.outerHTML.slice(0, 120)];
    }).filter(([ratio]) => ratio < 4.5);
})()"""


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> t.Iterator[Page]:
    with browser(tmp_path_factory.mktemp("profile")) as found:
        yield found


@pytest.mark.parametrize("name", PAGES)
def test_nothing_comes_from_elsewhere_and_nothing_is_cut_off(page: Page, name: str) -> None:
    page.messages.clear()
    for width in (1600, 1280, 768, 360):
        page.open(SITE / f"{name}.html", width=width)
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), width
    loaded = [resource["url"] for resource in page.ask("Page.getResourceTree")["frameTree"]["resources"]]
    assert len(loaded) > 3
    assert [address for address in loaded if not address.startswith((SITE.as_uri(), "data:"))] == []
    assert page.messages == []


@pytest.mark.parametrize("dark", [False, True])
def test_words_can_be_read_in_light_and_dark(page: Page, dark: bool) -> None:
    backgrounds = set()
    for name in PAGES:
        page.open(SITE / f"{name}.html", dark=dark)
        backgrounds.add(page.evaluate(BACKGROUND))
        assert page.evaluate(CONTRAST) == [], name
    (background,) = backgrounds
    assert (background == "rgb(255, 255, 255)") is not dark


def _press(page: Page, key: str) -> None:
    code = {"Tab": 9, "Enter": 13}[key]
    text = {"text": "\r"} if key == "Enter" else {}
    for kind in ("keyDown", "keyUp"):
        page.ask("Input.dispatchKeyEvent", type=kind, key=key, code=key, windowsVirtualKeyCode=code, **text)


def test_a_page_is_used_by_keyboard(page: Page) -> None:
    page.open(SITE / "index.html", width=1280)
    _press(page, "Tab")
    assert page.evaluate("document.activeElement.textContent.trim()") == "Skip to content"
    _press(page, "Enter")
    assert page.evaluate("location.hash") != ""
    # From there the next link is one of the text; whoever moves by keyboard sees where they are.
    _press(page, "Tab")
    assert page.evaluate("document.activeElement.closest('article') !== null")
    assert page.evaluate("getComputedStyle(document.activeElement).outlineStyle") == "solid"


def test_every_page_is_reached_by_keyboard_from_the_side(page: Page) -> None:
    page.open(SITE / "index.html", width=1280)
    links = "Array.from(document.querySelectorAll('.sidebar-tree a')).filter(link => link.checkVisibility() && link.tabIndex >= 0).length"
    assert page.evaluate(links) > 20


def test_a_page_is_read_without_script(page: Page) -> None:
    page.open(SITE / "findings" / "KB4023993-CONNECTION-BROKEN.html", script=False)
    found = page.ask("DOM.getDocument", depth=-1)
    assert found["root"]["childNodeCount"] > 0
    box = page.ask("DOM.querySelector", nodeId=found["root"]["nodeId"], selector="#rollback")
    assert page.ask("DOM.getBoxModel", nodeId=box["nodeId"])["model"]["height"] > 100


def test_the_search_finds_without_a_server(page: Page) -> None:
    page.open(SITE / "index.html")
    page.ask("Page.navigate", url=f"{(SITE / 'search.html').as_uri()}?q=override")
    found = page.evaluate("""new Promise(done => {
      const look = () => { const links = document.querySelectorAll('#search-results li a');
        links.length > 3 ? done(links.length) : requestAnimationFrame(look); };
      look(); setTimeout(() => done(0), 20000);
    })""")
    assert found > 3
