# Copyright (c) 2026, the sfb.kb4023993 contributors
# GNU General Public License v3.0-or-later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a reader of the HTML report relies on: it is complete, well built, the same each time, and nothing in it is somebody else's."""

from __future__ import annotations

import base64
import collections
import dataclasses
import hashlib
import html.parser
import itertools
import re
import time
import typing as t

import pytest
from ansible_collections.sfb.kb4023993.plugins.plugin_utils.report.document import Report, make_report
from ansible_collections.sfb.kb4023993.plugins.plugin_utils.report.html import report_html
from ansible_collections.sfb.kb4023993.plugins.plugin_utils.report.marks import SYMBOL
from builders import evidence as e
from builders import fleets as f
from unit.report import html_fleet

VOID: t.Final = frozenset({"meta", "br", "input", "path", "rect"})
HOSTILE: t.Final = (
    '</td></script></style><script>window.owned=1</script><img src=x onerror="window.owned=2"><svg onload=window.owned=3>'
    "' onmouseover='window.owned=4' x=\" style=\"position:fixed\"><!-- {{ 7*7 }} {% raw %} &lt;b&gt; ]]> javascript:window.owned=5"
    "\r\n\x1b]0;owned\x07\x1b[2J\x9b31m\u202e\u2066\u0000 Z" + "\u0301" * 60 + "W" * 300
)
# As long, with as many words, and no more fit for a command.
HARMLESS: t.Final = re.sub("[^ ]", "!", HOSTILE)


class Element(t.NamedTuple):
    tag: str
    attributes: dict[str, str | None]
    path: tuple[str, ...]


class Tree(html.parser.HTMLParser):
    """The page as elements in order, and the text of each kind of element."""

    def __init__(self, page: str) -> None:
        super().__init__(convert_charrefs=True)
        self.elements: list[Element] = []
        self.open: list[str] = []
        self.texts: list[tuple[str, str]] = []
        self.comments: list[str] = []
        self.feed(page)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert len({name for name, _value in attrs}) == len(attrs), f"an attribute of {tag} twice"
        self.elements.append(Element(tag, dict(attrs), tuple(self.open)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append(Element(tag, dict(attrs), tuple(self.open)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open, f"</{tag}> closes nothing"
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.texts.append((self.open[-1] if self.open else "", data))

    def handle_comment(self, data: str) -> None:
        self.comments.append(data)

    @property
    def shape(self) -> list[tuple[str, tuple[str, ...]]]:
        return [(element.tag, tuple(element.attributes)) for element in self.elements]

    @property
    def text(self) -> str:
        return " ".join(" ".join(text for tag, text in self.texts if tag not in ("script", "style")).split())

    def inside(self, tag: str) -> str:
        return "".join(text for where, text in self.texts if where == tag)

    def all(self, tag: str) -> list[Element]:
        return [element for element in self.elements if element.tag == tag]


REPORTS: t.Final[dict[str, t.Callable[[], Report]]] = {
    "nobody": lambda: make_report(playbook="audit", check_mode=False, before=f.judge().judgement),
    "one": lambda: make_report(playbook="compliance", check_mode=False, before=f.judge(e.front_end()).judgement),
    "two": lambda: html_fleet.audit(2),
    "forty": lambda: html_fleet.audit(40),
    "many": lambda: html_fleet.audit(60),
    "preview": lambda: html_fleet.remediation(check_mode=True),
    "remediated": html_fleet.remediation,
}


@pytest.fixture(scope="module", params=list(REPORTS))
def report(request: pytest.FixtureRequest) -> Report:
    return REPORTS[request.param]()


# ---- one file, the same bytes


def test_the_same_report_gives_the_same_bytes(report: Report) -> None:
    assert report_html(report) == report_html(dataclasses.replace(report))


def test_the_file_needs_nothing_else(report: Report) -> None:
    tree = Tree(report_html(report))
    links = {value for x in tree.elements for name, value in x.attributes.items() if name in ("href", "src", "action")}
    assert all(link and link.startswith("#") for link in links), links
    assert "url(" not in tree.inside("style")
    assert "@import" not in tree.inside("style")
    assert not {x.tag for x in tree.elements} & {"link", "iframe", "object", "embed", "img", "base", "form"}


def test_its_policy_allows_exactly_its_own_style_and_script(report: Report) -> None:
    tree = Tree(report_html(report))
    policy = next(m.attributes["content"] for m in tree.all("meta") if "http-equiv" in m.attributes)
    assert policy
    for tag, directive in (("style", "style-src"), ("script", "script-src")):
        assert len(tree.all(tag)) == 1
        digest = base64.b64encode(hashlib.sha256(tree.inside(tag).encode()).digest()).decode()
        assert f"{directive} 'sha256-{digest}'" in policy
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert not [x for x in tree.elements if "style" in x.attributes]


# ---- complete


def test_every_server_finding_and_reason_is_on_the_page(report: Report) -> None:
    text = Tree(report_html(report)).text
    judgement = report.latest
    assert report.sentence in text
    assert judgement.run_id in text
    in_run = {host.name for host in judgement.hosts if host.in_run}
    for host in judgement.hosts:
        assert host.name in text
        assert host.certificate is None or host.certificate.thumbprint in text
    for item in judgement.findings:
        if item.host in in_run:
            assert item.title in text
            assert all(" ".join(line.split()) in text for line in item.evidence)
    for pool in judgement.pools:
        assert all(name in text for name in (pool.name, *pool.missing))
    for connection in judgement.connections:
        assert connection.validator in text


def test_a_row_says_what_is_known_of_a_server() -> None:
    page = report_html(html_fleet.remediation(check_mode=True))
    row = re.search(r"<tr data-item=\"broken\"><th scope=\"row\"><bdi>s000-fe01</bdi>.*?</tr>", page, re.S)
    assert row
    text = " ".join(re.sub(r"<[^>]+>", " ", row.group()).split())
    for part in (
        "✕ broken",
        "Skype for Business Server 2015 6.0.9319.102",
        "Windows Server 2012 R2, build 9600",
        ".NET 4.5.2 checks usages",
        "Default: no clientAuth",
        "815 days left (2028-06-01)",
        "by CN=Contoso Issuing CA 1",
        "would: turn the check off for DataMCUSvc.exe",
        "would: restart of RTCDATAMCU in wave 1",
    ):
        assert part in text, (part, text)


def test_before_and_after_of_a_run() -> None:
    report = html_fleet.remediation()
    text = Tree(report_html(report)).text
    assert report.plan
    for result in report.results:
        assert result.message in text
    for change in (change for host in report.plan.hosts for change in host.changes):
        assert f"HKLM\\{change.path}, value {change.name}" in text
        assert f"{change.expect} → {change.write}" in text
    assert "s001-fe01 : its record cannot be read" in text
    assert "broken → compliant" in text


def test_a_preview_names_the_plan_that_was_shown() -> None:
    report = html_fleet.remediation(check_mode=True)
    text = Tree(report_html(report)).text
    assert f"-e sfb_kb4023993_plan_sha256={'ab' * 32}" in text
    assert f"runs/{report.before.run_id}/plan.json" in text


def test_a_report_of_saved_evidence_says_so() -> None:
    page = report_html(make_report(playbook="report", check_mode=False, before=f.judge(e.front_end()).judgement))
    assert Tree(page).text.count("Made from saved evidence of 2026-") == 2


def test_an_unread_server_is_named_with_reason_and_advice() -> None:
    assessment = f.judge(f.unread("fe07", pool="pool01.contoso.example"), e.front_end())
    page = report_html(make_report(playbook="audit", check_mode=False, before=assessment.judgement))
    unread = page[page.index('id="unread"') : page.index('id="outlook"')]
    for part in ("fe07", "It did not answer.", "Check that it is up."):
        assert part in unread
    assert "ansible fe07 -i inventory.yml" in re.sub("<[^>]+>", "", unread)


@pytest.mark.parametrize(
    ("days", "words"), [(-1, "ended"), (0, "within 30 days"), (29, "within 30 days"), (59, "within 60 days")]
)
def test_the_outlook_has_certificates_that_end(days: int, words: str) -> None:
    assert words in _outlook(days)


def test_the_outlook_says_when_the_next_one_ends() -> None:
    assert "No judged certificate ends within 60 days. The next is that of fe01 , in 60 days" in _outlook(60)


def _outlook(days: int) -> str:
    judgement = f.judge(e.front_end()).judgement
    certificate = judgement.hosts[0].certificate
    assert certificate
    host = dataclasses.replace(judgement.hosts[0], certificate=dataclasses.replace(certificate, days_left=days))
    report = make_report(playbook="audit", check_mode=False, before=dataclasses.replace(judgement, hosts=(host,)))
    text = Tree(report_html(report)).text
    return text[text.rindex("Outlook") : text.rindex("About this report")]


def test_a_finding_of_another_version_is_still_shown() -> None:
    judgement = f.judge(e.front_end()).judgement
    strange = dataclasses.replace(judgement.findings[0], id='KB4023993-NEW" onclick="x', title="Something new")
    report = make_report(playbook="audit", check_mode=False, before=dataclasses.replace(judgement, findings=(strange,)))
    assert "Something new" in Tree(report_html(report)).text


# ---- hostile words


def test_no_word_of_a_server_becomes_a_part_of_the_page() -> None:
    for harmless in (html_fleet.remediation(), html_fleet.remediation(check_mode=True), html_fleet.audit(60)):
        plain = Tree(report_html(html_fleet.with_words(harmless, lambda text: text + HARMLESS)))
        hostile = Tree(report_html(html_fleet.with_words(harmless, lambda text: text + HOSTILE)))
        assert hostile.shape == plain.shape
        assert hostile.comments == plain.comments
        assert hostile.inside("script") == plain.inside("script")
        classes = [x.attributes.get("class") for x in hostile.elements]
        assert classes == [x.attributes.get("class") for x in plain.elements]
        assert "<img src=x onerror=" in hostile.text


def test_no_character_of_a_server_turns_the_page_around() -> None:
    page = report_html(html_fleet.with_words(html_fleet.remediation(), lambda text: text + HOSTILE))
    assert not {c for c in page if not c.isprintable()} - {"\n"}
    assert "\u0301" * 4 not in page
    assert "{{ 7*7 }}" in page


# ---- well built


def test_there_are_only_attributes_that_the_template_means(report: Report) -> None:
    """A value without quotation marks would show as attributes of other names."""
    names = {name for x in Tree(report_html(report)).elements for name in x.attributes}
    drawing = {"viewbox", "x", "y", "width", "height", "rx", "d", "text-anchor"}
    controls = {
        "type",
        "name",
        "value",
        "checked",
        "hidden",
        "autocomplete",
        "tabindex",
        "href",
        "data-all",
        "data-item",
    }
    meaning = {"lang", "dir", "id", "class", "role", "scope", "aria-hidden", "aria-label", "aria-labelledby"}
    assert names <= drawing | controls | meaning | {"charset", "http-equiv", "content"}


def test_headings_go_down_one_level_at_a_time(report: Report) -> None:
    levels = [int(x.tag[1]) for x in Tree(report_html(report)).elements if re.fullmatch("h[1-6]", x.tag)]
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(lower - upper <= 1 for upper, lower in itertools.pairwise(levels))


def test_names_and_targets_exist_once(report: Report) -> None:
    tree = Tree(report_html(report))
    ids = collections.Counter(x.attributes["id"] for x in tree.elements if "id" in x.attributes)
    assert set(ids.values()) == {1}
    assert {x.attributes["href"] for x in tree.all("a")} <= {f"#{name}" for name in ids}
    assert {x.attributes["aria-labelledby"] for x in tree.elements if "aria-labelledby" in x.attributes} <= set(ids)


def test_a_screen_reader_finds_its_way(report: Report) -> None:
    tree = Tree(report_html(report))
    assert tree.all("html")[0].attributes["lang"] == "en"
    for landmark in ("header", "nav", "main", "footer"):
        assert len(tree.all(landmark)) == 1
    assert tree.all("a")[0].attributes == {"class": "skip", "href": "#findings"}
    assert all(x.attributes.get("scope") in ("col", "row") for x in tree.all("th"))
    assert all("aria-labelledby" in x.attributes for x in tree.all("svg") if "svg" not in x.path)
    assert all("aria-label" in x.attributes or "aria-labelledby" in x.attributes for x in tree.all("section"))
    # What scrolls has to be reachable by keyboard, with a name.
    scrolling = [x for x in tree.all("div") if x.attributes.get("class") == "scroll"]
    assert all(x.attributes.get("tabindex") == "0" and "role" in x.attributes for x in scrolling)


def test_colour_is_never_alone(report: Report) -> None:
    page = report_html(report)
    badges = re.findall(r'<span class="v (\w+)"><span aria-hidden="true">(.)</span> ([a-z ]+)</span>', page)
    assert all(SYMBOL[verdict] == symbol for verdict, symbol, _word in badges if verdict in SYMBOL)
    assert all(word for _verdict, _symbol, word in badges)
    for words in re.findall(r'<text class="word"[^>]*>([^<]*)</text>', page):
        assert any(symbol in words for symbol in SYMBOL.values()) or re.search(r"[a-z]{4}", words), words


def test_text_stands_out_from_its_ground_in_light_and_dark() -> None:
    style = Tree(report_html(html_fleet.audit(2))).inside("style")
    schemes = re.findall(r":root \{(.*?)\}", style, re.S)
    assert len(schemes) == 3, "light, dark and paper"
    for scheme in schemes:
        colours = dict(re.findall(r"--([\w-]+): (#[0-9a-f]{3,6})", scheme))
        pairs = [(fore, back) for fore in ("text", "soft", "link") for back in ("back", "panel")]
        pairs += [(name, "panel") for name in SYMBOL if name in colours] + [("amber", "panel")]
        pairs += [(name.removesuffix("-back"), name) for name in colours if name.endswith("-back")]
        assert len(pairs) >= 14
        for fore, back in pairs:
            assert _contrast(colours[fore], colours[back]) >= 4.5, (fore, back)


def _contrast(one: str, other: str) -> float:
    light, dark = sorted((_luminance(one), _luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def _luminance(colour: str) -> float:
    digits = colour[1:] if len(colour) == 7 else "".join(c * 2 for c in colour[1:])
    parts = [int(digits[n : n + 2], 16) / 255 for n in (0, 2, 4)]
    red, green, blue = (p / 12.92 if p <= 0.03928 else ((p + 0.055) / 1.055) ** 2.4 for p in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


# ---- size


def test_a_thousand_servers(record_property: t.Callable[[str, object], None]) -> None:
    report = html_fleet.audit(1000)
    start = time.process_time()
    page = report_html(report)
    seconds = time.process_time() - start
    size = len(page.encode()) / 1e6
    record_property("figure", f"HTML report of 1,000 servers: {size:.1f} MB, made in {seconds:.1f} s")
    assert len(Tree(page).all("tr")) > 1000
    assert size < 4
    assert seconds < 20
