# Copyright (c) 2026, the sfb.kb4023993 contributors
# GNU General Public License v3.0-or-later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The HTML report in a real browser: nothing of a server's words runs, nothing is cut off, search works, and it prints."""

from __future__ import annotations

import pathlib
import re
import typing as t

import pytest
from ansible_collections.sfb.kb4023993.plugins.plugin_utils.report.document import Report
from ansible_collections.sfb.kb4023993.plugins.plugin_utils.report.html import report_html
from unit.report import html_fleet
from unit.report.browser import Page, browser, program
from unit.report.test_html import HOSTILE

pytestmark = pytest.mark.skipif(program() is None, reason="there is no Chromium: apt-get install chromium")

VISIBLE: t.Final = "Array.from(document.querySelectorAll('.pool tbody tr')).filter(row => row.checkVisibility()).length"
WIDER: t.Final = """Array.from(document.querySelectorAll('body *')).filter(element =>
  !element.closest('.scroll') && !element.closest('.skip') && element.getBoundingClientRect().right > innerWidth + 1
).map(element => element.outerHTML.slice(0, 120))"""


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> t.Iterator[Page]:
    with browser(tmp_path_factory.mktemp("profile")) as found:
        yield found


@pytest.fixture
def show(page: Page, tmp_path: pathlib.Path) -> t.Callable[..., float]:
    def run(report: Report, **window: t.Any) -> float:
        file = tmp_path / "report.html"
        file.write_text(report_html(report), "utf-8")
        page.messages.clear()
        return page.open(file, **window)

    return run


def hostile() -> Report:
    return html_fleet.with_words(html_fleet.remediation(check_mode=True), lambda text: text + HOSTILE)


@pytest.mark.parametrize("width", [1280, 360])
def test_hostile_words_run_nothing_and_break_nothing(show: t.Callable[..., float], page: Page, width: int) -> None:
    show(hostile(), width=width)
    assert page.evaluate("typeof window.owned") == "undefined"
    assert page.evaluate("document.images.length + document.scripts.length + document.forms.length") == 1
    assert page.messages == []
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    assert page.evaluate(WIDER) == []
    assert "<img src=x onerror=" in page.evaluate("document.body.innerText")


def test_the_policy_would_stop_what_should_ever_get_through(show: t.Callable[..., float], page: Page) -> None:
    show(html_fleet.audit(2))
    page.evaluate(
        "document.body.insertAdjacentHTML('beforeend', '<b onclick=\"window.owned=1\">x</b><img src=x onerror=\"window.owned=1\">');"
        "document.querySelector('b[onclick]').click();"
        "document.body.append(Object.assign(document.createElement('script'), {textContent: 'window.owned=1'}));"
    )
    assert page.evaluate("typeof window.owned") == "undefined"


@pytest.mark.parametrize("dark", [False, True])
@pytest.mark.parametrize("width", [1600, 1280, 768, 360])
def test_no_window_cuts_anything_off(show: t.Callable[..., float], page: Page, width: int, dark: bool) -> None:
    show(html_fleet.remediation(40), width=width, dark=dark)
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    assert page.evaluate(WIDER) == []
    expected = "rgb(17, 21, 27)" if dark else "rgb(255, 255, 255)"
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == expected
    assert page.messages == []


@pytest.mark.parametrize("report", [html_fleet.audit(40), html_fleet.audit(60), hostile()], ids=["40", "60", "hostile"])
def test_words_of_the_picture_stay_in_their_boxes(show: t.Callable[..., float], page: Page, report: Report) -> None:
    """What a cell of the picture cuts away is not seen, so it does not count."""
    show(report, height=4000)
    outside = """Array.from(document.querySelectorAll('.scroll > svg')).flatMap(svg => {
      const boxes = Array.from(svg.querySelectorAll('rect:not(.flag)')).map(rect => rect.getBoundingClientRect());
      return Array.from(svg.querySelectorAll('text')).map(text => {
        const seen = text.getBoundingClientRect(), cell = text.ownerSVGElement, scale = svg.getScreenCTM().a;
        const edge = cell === svg ? Infinity : text.getScreenCTM().e + cell.width.baseVal.value * scale;
        return [text.textContent, seen.left, Math.min(seen.right, edge), seen.top, seen.bottom];
      }).filter(([, left, right, top, bottom]) => boxes.some(box =>
        left < box.right && right > box.left && top < box.bottom && bottom > box.top
        && !(left >= box.left && right <= box.right + 1 && top >= box.top - 1 && bottom <= box.bottom + 1)
      )).map(([words]) => words);
    })"""
    assert page.evaluate("document.querySelectorAll('svg text').length") > 10
    assert page.evaluate(outside) == []


def test_usual_names_are_shown_whole(show: t.Callable[..., float], page: Page) -> None:
    show(html_fleet.audit(40), height=4000)
    clipped = """Array.from(document.querySelectorAll('svg svg')).filter(cell =>
      cell.querySelector('text').getBBox().width > cell.width.baseVal.value
    ).map(cell => cell.textContent)"""
    assert page.evaluate("document.querySelectorAll('svg svg').length") > 50
    assert page.evaluate(clipped) == []


def test_a_command_is_copied_as_it_is(show: t.Callable[..., float], page: Page) -> None:
    """Over several lines in a narrow window too: line breaks of the screen are none of the command."""
    show(html_fleet.audit(12), width=360)
    copied = page.evaluate("""Array.from(document.querySelectorAll('code')).filter(code => code.checkVisibility()).map(code => {
      getSelection().selectAllChildren(code);
      return getSelection().toString();
    })""")
    (command,) = {text for text in copied if text.startswith("reg add")}
    assert re.fullmatch(r'reg add "HKLM\\[^"]+" /v "C:\\[^"]+\\DataMCUSvc.exe" /t REG_DWORD /d 0 /f /reg:64', command)
    assert "ansible-playbook sfb.kb4023993.remediate -i inventory.yml --check --diff" in copied


def test_search_and_filter(show: t.Callable[..., float], page: Page) -> None:
    show(html_fleet.audit(40))
    assert page.evaluate(VISIBLE) == 40
    _type(page, "s000-FE02 skype")
    assert page.evaluate(VISIBLE) == 1
    assert page.evaluate("document.getElementById('shown').textContent") == "1 of 40 servers shown"
    shown = "Array.from(document.querySelectorAll('article')).filter(a => a.checkVisibility()).length"
    assert page.evaluate(shown) == 0, "no finding has both words"
    _type(page, "s000-fe02")
    assert page.evaluate(shown) > 0
    _type(page, "")
    page.evaluate("document.querySelector('[name=verdict][value=broken]').click()")
    broken = sum(host.verdict == "broken" for host in html_fleet.audit(40).latest.hosts)
    assert page.evaluate(VISIBLE) == 40 - broken
    assert (
        page.evaluate("document.querySelectorAll('.pool:not([hidden]) tr[data-item=broken]:not([hidden])').length") == 0
    )


def _type(page: Page, text: str) -> None:
    page.evaluate("document.getElementById('query').select()")
    page.evaluate("document.getElementById('query').focus()")
    if text:
        page.ask("Input.insertText", text=text)
    else:
        page.ask("Input.dispatchKeyEvent", type="keyDown", key="Delete", code="Delete", windowsVirtualKeyCode=46)


def test_without_script_everything_is_there_and_no_dead_control(show: t.Callable[..., float], page: Page) -> None:
    show(html_fleet.audit(40), script=False)
    assert page.evaluate(VISIBLE) == 40
    assert not page.evaluate("document.querySelector('.controls').checkVisibility()")


def test_the_keyboard_reaches_the_findings_first(show: t.Callable[..., float], page: Page) -> None:
    show(html_fleet.audit(40))
    for key, code, number in (("Tab", "Tab", 9), ("Enter", "Enter", 13)):
        for kind in ("keyDown", "keyUp"):
            text = {"text": "\r"} if (key, kind) == ("Enter", "keyDown") else {}
            page.ask("Input.dispatchKeyEvent", type=kind, key=key, code=code, windowsVirtualKeyCode=number, **text)
        if key == "Tab":
            assert page.evaluate("document.activeElement.className") == "skip"
            assert page.evaluate("document.activeElement.getBoundingClientRect().left >= 0"), (
                "seen while it has the focus"
            )
    assert page.evaluate("location.hash") == "#findings"


def test_it_prints_on_a4(show: t.Callable[..., float], page: Page, tmp_path: pathlib.Path) -> None:
    show(html_fleet.remediation(12))
    page.print(tmp_path / "report.pdf")
    sizes = set(re.findall(rb"/MediaBox \[0 0 ([\d.]+) ([\d.]+)\]", (tmp_path / "report.pdf").read_bytes()))
    assert sizes
    assert {(round(float(w)), round(float(h))) for w, h in sizes} == {(842, 595)}


def test_a_thousand_servers_open_without_pain(
    show: t.Callable[..., float], page: Page, record_property: t.Callable[[str, object], None]
) -> None:
    seconds = show(html_fleet.audit(1000))
    clock = "(() => {{ const start = performance.now(); {}; document.body.offsetHeight; return performance.now() - start; }})()"
    query = "document.getElementById('query')"
    search = page.evaluate(
        clock.format(f"{query}.value = 's077'; {query}.dispatchEvent(new Event('input')); window.found = {VISIBLE}")
    )
    assert page.evaluate("window.found") == 5
    record_property(
        "figure",
        f"Chromium opens the HTML report of 1,000 servers in {seconds:.1f} s and searches it in {search:.0f} ms",
    )
    assert seconds < 20
    assert search < 2000
